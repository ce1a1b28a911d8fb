package carriers

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"scantrail/schemas"
)

// carrierText draws texts from what the shortcuts of text.go look at.
func carrierText() *rapid.Generator[string] {
	pieces := rapid.SampledFrom([]string{"a", "i", "I", "g", "G", "n", "N", "ign", "IGN", " ", "  ", ":", "<", "<b>", ">", "\t", "\x00", "\x7f", "0",
		"é", "ß", "\u0085", "\u00a0", "\u061c", "ж", "đã", "ạ", "\u200b", "\u2014", "\u2028", "\u2060", "€", "\u3000", "、", "中", "收", "签收人", "收件人：", "，", "\ufeff", "\ufffd", "😀",
		"arrived", "at", "customs", "delivered", "到达"})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(pieces, 0, 12).Draw(t, "pieces"), "")
	})
}

// The shortcuts of texts say what the long ways say.
func TestTextShortcuts(t *testing.T) {
	r := load(t)
	d := r.NewDecoder(Limits{})
	rapid.Check(t, func(t *rapid.T) {
		d.arena, d.quotes = d.arena[:0], d.quotes[:0]
		s := carrierText().Draw(t, "text")
		if got, want := d.clean(s, maxRawText), d.cleaned(s, maxRawText); got != want && !plain(s) {
			t.Fatalf("clean(%q) = %q, the long way %q", s, got, want)
		}
		named := strings.Contains(s, ":") || strings.Contains(s, "ign") || strings.Contains(s, "IGN") || strings.Contains(s, "收")
		if mayName(s) != named {
			t.Fatalf("mayName(%q) = %t", s, !named)
		}
		if got, want := d.quoted(s), quote(s); got != want {
			t.Fatalf("quoted(%q) = %s, want %s", s, got, want)
		}
		normal := appendNormal(nil, s)
		if phrase := string(appendNormal(nil, carrierText().Draw(t, "phrase"))); phrase != "" && findPhrase(normal, phrase, 0) >= 0 && pairsOf(phrase)&^pairsOf(string(normal)) != 0 {
			t.Fatalf("%q lacks a pair of %q", normal, phrase)
		}
		if got, want := r.lexicon.meanings.longest(normal), longestSlowly(&r.lexicon.meanings, normal); got != want {
			t.Fatalf("longest(%q) = %d, want %d", normal, got, want)
		}
	})
}

// longestSlowly tries every phrase at every place.
func longestSlowly(p *phrases, s []byte) int {
	best, value := 0, -1
	for i := 0; i+minPhrase <= len(s); i++ {
		if i > 0 && s[i-1] != ' ' && s[i] < 0x80 && s[i-1] < 0x80 {
			continue
		}
		for _, f := range p.heads[head(string(s), i)] {
			if len(f.text) > best && bytes.HasPrefix(s[i:], []byte(f.text)) && boundary(s, i) && boundary(s, i+len(f.text)) {
				best, value = len(f.text), f.value
			}
		}
	}
	return value
}

// A border is found as if every event looked at every other.
func TestCrossing(t *testing.T) {
	milestones := []schemas.Milestone{schemas.Unmapped, schemas.Accepted, schemas.DepartedOrigin, schemas.HandedToLinehaul, schemas.InTransit,
		schemas.ArrivedDestination, schemas.ImportCleared, schemas.HandedToLastMile, schemas.DestinationFacilityArrived, schemas.Delivered, schemas.Delayed}
	rapid.Check(t, func(t *rapid.T) {
		events := make([]schemas.Event, rapid.IntRange(1, 8).Draw(t, "events"))
		c := newCrossing([]pending{{what: customsCleared}}, nil)
		for i := range events {
			events[i] = schemas.Event{Milestone: rapid.SampledFrom(milestones).Draw(t, "milestone"), OccurredAt: rapid.Int64Range(0, 5).Draw(t, "at")}
			c.add(&events[i])
		}
		for i := range events {
			at, leaves, left := events[i].OccurredAt, false, false
			for _, o := range events {
				switch m := o.Milestone; {
				case m == schemas.DepartedOrigin:
					leaves, left = leaves || o.OccurredAt > at, left || o.OccurredAt < at
				case m == schemas.HandedToLinehaul:
					leaves = leaves || o.OccurredAt > at
				case m == schemas.ArrivedDestination, m == schemas.HandedToLastMile, m >= schemas.DestinationFacilityArrived && m <= schemas.Delivered:
					left = left || o.OccurredAt < at
				}
			}
			want := schemas.NoDirection
			if left && !leaves {
				want = schemas.Import
			} else if leaves && !left {
				want = schemas.Export
			}
			if got := c.border(&events[i]); got != want {
				t.Fatalf("event %d of %+v: %s, want %s", i, events, got, want)
			}
		}
	})
}

const aroundMapping = `
carrier: examplearound
version: 1
title: Example
source: invented
zone: utc
layouts:
  - name: x
    format: json
    when: groups
    parcels: groups.parcels
    number: n
    destination: ^.to
    product: /service
    events: scans
    event: {code: c, time: {value: t, layout: iso}, country: ^.in, city: /city, region: ^.s, skip: {path: /groups.parcels.scans.far}}
codes: {PU: accepted}
`

// What stands around a parcel or event is that of its own group, however many
// of the group come one after another.
func TestAround(t *testing.T) {
	r, _, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(aroundMapping))
	if err != nil {
		t.Fatal(err)
	}
	scan := `{"c":"PU","t":"2026-10-01T08:00"}`
	parcel := func(n, country string) string {
		return `{"n":"` + n + `","in":"` + country + `","scans":[` + strings.Repeat(scan+",", 3) + scan + `]}`
	}
	raw := `{"service":"Z","city":"Bonn","groups":[{"to":"DE","parcels":[` + parcel("EX1000011", "CN") + "," + parcel("EX1000012", "") + "," + parcel("EX1000013", "CN") + "," + parcel("EX1000014", "AT") +
		`]},{"parcels":[` + parcel("EX1000021", "") + "," + parcel("EX1000022", "CZ") + "," + parcel("EX1000023", "PL") + `]},{"to":"FR","parcels":[` + parcel("EX1000031", "BE") + `]}]}`
	want := map[string]string{"EX1000011": "DE CN", "EX1000012": "DE ", "EX1000013": "DE CN", "EX1000014": "DE AT",
		"EX1000021": " ", "EX1000022": " CZ", "EX1000023": " PL", "EX1000031": "FR BE"}
	d := r.NewDecoder(Limits{})
	for range 2 {
		got := d.Decode("examplearound", []byte(raw), Source{})
		if len(got.Events) != 4*len(want) || len(got.Rejected) != 0 {
			t.Fatal(describe(got))
		}
		for i := range got.Events {
			e := &got.Events[i]
			if s := e.DestinationCountry + " " + e.Country; s != want[e.TrackingNumber] || e.City != "Bonn" || e.Product != "Z" {
				t.Errorf("event %d of %s: %q, city %q, product %q; want %q", i, e.TrackingNumber, s, e.City, e.Product, want[e.TrackingNumber])
			}
		}
	}
	if n := testing.AllocsPerRun(10, func() { d.Decode("examplearound", []byte(raw), Source{}) }); n > 1 { // the record itself
		t.Errorf("%v allocations per record", n)
	}
}

// Details may be kept when the decoder reads on, and end where a record holds
// too many of them.
func TestDetails(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	bad := push("YT2632100000000017", strings.Repeat(`{"process_time":"x"},`, 4999)+`{"process_time":"y"}`)
	got := d.Decode("yunexpress", []byte(bad), Source{})
	first, last, count := got.Rejected[0].Detail, got.Rejected[4999].Detail, len(got.Rejected)
	d.Decode("yunexpress", []byte(strings.ReplaceAll(bad, "x", "z")), Source{})
	if want := `time "x" has none of the layouts iso; correct it, or add its layout to event.time`; first != want || last != unexplained || count != 5000 {
		t.Errorf("%d rejections, the first %q, the last %q", count, first, last)
	}
}
