package carriers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unicode/utf8"

	"scantrail/schemas"
)

// checkResult asserts what holds for every record, however hostile.
func checkResult(t *testing.T, raw []byte, r *Result) {
	t.Helper()
	for i := range r.Events {
		e := &r.Events[i]
		switch {
		case e.OccurredAt < minUnixMilli-14*3600_000 || e.OccurredAt >= maxUnixMilli+14*3600_000:
			t.Fatalf("%q: time %d out of range", raw, e.OccurredAt)
		case !e.Milestone.Known():
			t.Fatalf("%q: milestone %d", raw, e.Milestone)
		case e.Milestone == schemas.Unmapped && (e.Physical || e.Progress):
			t.Fatalf("%q: an unmapped event counts", raw)
		case e.TrackingNumber == "" || e.ParcelID != schemas.ParcelID(e.TrackingNumber) || e.FactID == schemas.ID{}:
			t.Fatalf("%q: number %q", raw, e.TrackingNumber)
		case len(e.RawText) > maxRawText || !utf8.ValidString(e.RawText) || e.Rule == "":
			t.Fatalf("%q: text %q, rule %q", raw, e.RawText, e.Rule)
		}
		if n, ok := schemas.AppendNumber(nil, e.TrackingNumber); !ok || string(n) != e.TrackingNumber {
			t.Fatalf("%q: number %q is not canonical", raw, e.TrackingNumber)
		}
	}
	for _, x := range r.Rejected {
		if !slices.Contains(Reasons(), x.Reason) || len(x.Detail) > 4000 || !utf8.ValidString(x.Detail) {
			t.Fatalf("%q: rejection %+v", raw, x)
		}
		if x.EventIndex == -1 && x.Field == "" && len(r.Events) > 0 {
			t.Fatalf("%q: events of a record that was rejected whole", raw)
		}
	}
}

func addFixtures(f *testing.F, pattern string) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

// FuzzDecodeJSON holds the scanner against encoding/json: what it accepts is
// JSON, and what it refuses of JSON it refuses for a limit of its own.
func FuzzDecodeJSON(f *testing.F) {
	addFixtures(f, "testdata/*/*.json")
	f.Add([]byte(`{"a":"\ud83d\ude00\u00e9","b":[1e5,-0.1,true,null,{}]}`))
	r := load(f)
	d := r.NewDecoder(Limits{})
	names := append(r.Names(), "nobody")
	f.Fuzz(func(t *testing.T, raw []byte) {
		var tr tree
		tr.reset(raw, Limits{}.withDefaults())
		if utf8.Valid(raw) && len(raw) > 0 {
			ok, valid := tr.parseJSON(), json.Valid(raw)
			if ok && !valid {
				t.Fatalf("%q is no JSON", raw)
			}
			own := tr.reason == DuplicateKey || tr.reason == TooDeep || tr.reason == TooLarge || tr.reason == BadEncoding
			if !ok && valid && !own {
				t.Fatalf("%q is JSON, refused: %s %s", raw, tr.reason, tr.detail)
			}
		}
		for _, name := range names {
			checkResult(t, raw, d.Decode(name, raw, Source{}))
		}
	})
}

func FuzzDecodeXML(f *testing.F) {
	addFixtures(f, "testdata/*/*.xml")
	f.Add([]byte(`<?xml version="1.0"?><a b='1'><!-- c --><![CDATA[<d>]]>&lt;&#xe9;<e/></a>`))
	r := load(f)
	d := r.NewDecoder(Limits{})
	names := append(r.Names(), "nobody")
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, name := range names {
			checkResult(t, raw, d.Decode(name, raw, Source{}))
		}
	})
}

// FuzzTime: no value panics, and what is read lies in the calendar.
func FuzzTime(f *testing.F) {
	var layouts []layout
	for _, p := range []string{"rfc3339", "iso", "epoch_s", "epoch_ms", "json_date", "dotnet_ticks", "YYYY-MM-DD HH:mm:ss.SSS",
		"DD.MM.YYYY HH:mm", "M/D/YYYY h:mm:ss A", "MMMM D, YYYY h:mm A", "YYYYMMDD HHmmss", "YYYY-MM-DD HH:mm Z", "YYYY-MM-DD HH:mm:ss z"} {
		l, err := newLayout(p)
		if err != nil {
			f.Fatal(err)
		}
		layouts = append(layouts, l)
	}
	for _, s := range []string{"2026-10-01T08:12:33.123+08:00", "1790812353000", "/Date(1790812353000+0800)/", "638951100000000000",
		"2/29/2024 12:00:00 a.m.", "April 28, 2015 9:01 am", "2026-10-01 08:12 GMT-04:00", "2026-10-01 08:12:33 EST"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i := range layouts {
			var m moment
			if !layouts[i].parse(s, &m) {
				continue
			}
			if reason, _ := m.refuse(); reason != "" || m.instant {
				continue
			}
			if at := m.local() * 1000; at < minUnixMilli || at > maxUnixMilli {
				t.Fatalf("%q as %s: %+v", s, layouts[i].source, m)
			}
		}
		if seconds, ok := parseOffset(s); ok && (seconds > unknownZone || seconds < -unknownZone) {
			t.Fatalf("offset %q: %d", s, seconds)
		}
	})
}
