package carriers

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"scantrail/schemas"
)

// push wraps one event of the yunexpress push.
func push(number, event string) string {
	return `{"waybill_number":"` + number + `","track_events":[` + event + `]}`
}

const goodEvent = `{"process_time":"2026-10-01T08:12:33","time_zone":"+8","track_node_code":"PICKED_UP"}`

func TestWholeRecordFailures(t *testing.T) {
	good := push("YT2632100000000017", goodEvent)
	var many strings.Builder
	many.WriteString(`{"track_events":0`)
	for i := range 600 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	many.WriteString("}")
	deepXML := strings.Repeat("<a>", 10_000)
	tests := []struct {
		name, carrier, raw string
		want               Reason
	}{
		{"nothing", "yunexpress", "", EmptyRecord},
		{"space", "yunexpress", " \n\t", EmptyRecord},
		{"text", "yunexpress", "hello", BadSyntax},
		{"truncated", "yunexpress", good[:len(good)-7], BadSyntax},
		{"two documents", "yunexpress", good + good, BadSyntax},
		{"trailing comma", "yunexpress", `{"track_events":[1,]}`, BadSyntax},
		{"number with zeros", "yunexpress", `{"a":01}`, BadSyntax},
		{"control character", "yunexpress", "{\"a\":\"\x01\"}", BadSyntax},
		{"NUL", "yunexpress", "{\"a\":\"b\x00\"}", BadEncoding},
		{"escaped NUL", "yunexpress", `{"a":"b\u0000"}`, BadEncoding},
		{"half a surrogate", "yunexpress", `{"a":"\ud800x"}`, BadEncoding},
		{"not UTF-8", "yunexpress", "{\"a\":\"\xff\"}", BadEncoding},
		{"UTF-16", "yunexpress", "\xff\xfe{\x00}\x00", BadEncoding},
		{"10 MB", "yunexpress", `{"a":"` + strings.Repeat("x", 10<<20) + `"}`, TooLarge},
		{"long string", "yunexpress", `{"a":"` + strings.Repeat("x", 17<<10) + `"}`, TooLarge},
		{"many members", "yunexpress", many.String(), TooLarge},
		{"many values", "yunexpress", "[" + strings.Repeat("1,", 200_000) + "1]", TooLarge},
		{"many events", "yunexpress", push("YT2632100000000017", strings.Repeat("{},", 10_000)+"{}"), TooLarge},
		{"depth 10,000", "yunexpress", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), TooDeep},
		{"duplicate key", "yunexpress", `{"status":"A","status":"B"}`, DuplicateKey},
		{"duplicate key, escaped", "yunexpress", `{"status":"A","st\u0061tus":"B"}`, DuplicateKey},
		{"another layout", "yunexpress", `{"hello":[]}`, UnreadableLayout},
		{"XML for JSON", "yunexpress", `<a/>`, UnreadableLayout},
		{"no carrier", "nobody", `{"hello":"world"}`, UnreadableLayout},
		{"no number", "yunexpress", push("", goodEvent), NoNumber},
		{"masked number", "yunexpress", push("YT26****0017", goodEvent), BadNumber},
		{"crossed-out number", "yunexpress", push("YTXXXXXXXX17", goodEvent), BadNumber},
		{"zeros", "yunexpress", push("0000000000", goodEvent), BadNumber},
		{"placeholder number", "yunexpress", push("string", goodEvent), NoNumber},
		{"no parcel", "ups", `{"trackResponse":{"shipment":[]}}`, NoParcel},
		{"error body", "fedex", `{"errors":[{"code":"NOT.AUTHORIZED.ERROR","message":"Access token expired."}]}`, CarrierError},
		{"XML: truncated", "usps", `<TrackResponse><TrackInfo ID="9400">`, BadSyntax},
		{"XML: wrong end", "usps", `<TrackResponse></TrackInfo>`, BadSyntax},
		{"XML: two roots", "usps", `<a></a><b></b>`, BadSyntax},
		{"XML: DOCTYPE", "usps", `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, BadSyntax},
		{"XML: entity", "usps", `<a>&x;</a>`, BadSyntax},
		{"XML: NUL entity", "usps", `<a>&#0;</a>`, BadSyntax},
		{"XML: NUL", "usps", "<a>\x00</a>", BadEncoding},
		{"XML: control", "usps", "<a>\x01</a>", BadSyntax},
		{"XML: depth", "usps", deepXML, TooDeep},
		{"XML: duplicate attribute", "usps", `<a b="1" b="2"/>`, DuplicateKey},
		{"XML: other encoding", "usps", `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, BadEncoding},
		{"XML: open comment", "usps", `<a><!-- x</a>`, BadSyntax},
		{"XML: open CDATA", "usps", `<a><![CDATA[x</a>`, BadSyntax},
		{"XML: long text", "usps", `<a>` + strings.Repeat("x", 17<<10) + `</a>`, TooLarge},
	}
	d := load(t).NewDecoder(Limits{})
	for _, tt := range tests {
		got := d.Decode(tt.carrier, []byte(tt.raw), Source{})
		if len(got.Events) != 0 || len(got.Aliases) != 0 || len(got.Rejected) != 1 || got.Rejected[0].EventIndex != -1 || got.Rejected[0].Reason != tt.want {
			t.Errorf("%s: got %.300s\nwant one rejection of the whole record: %s", tt.name, describe(got), tt.want)
			continue
		}
		if r := got.Rejected[0]; r.Detail == "" || len(r.Detail) > 1000 || !utf8.ValidString(r.Detail) {
			t.Errorf("%s: detail %q", tt.name, r.Detail)
		}
		if !slices.Contains(Reasons(), tt.want) {
			t.Errorf("%s: Reasons does not list %s", tt.name, tt.want)
		}
	}
}

// One bad event does not take its siblings with it.
func TestBadEventsAlone(t *testing.T) {
	event := func(time, zone string) string {
		return `{"process_time":"` + time + `","time_zone":"` + zone + `","track_node_code":"PICKED_UP"}`
	}
	tests := []struct {
		time, zone string
		want       Reason
	}{
		{"", "", NoTime}, {"0001-01-01T00:00:00", "", NoTime}, {"1900-01-01 00:00", "", NoTime}, {"0000-00-00 00:00:00", "", NoTime},
		{"2026-02-30T10:00:00", "", BadTime}, {"2026-13-01T10:00:00", "", BadTime}, {"2026-10-01T25:00:00", "", BadTime},
		{"2026-10-01", "", BadTime}, {"01/02/2026 10:00", "", BadTime}, {"2026-10-01T10:00:00", "CET", BadTime},
		{"2026-10-01T10:00:00", "+15", BadTime}, {"2026-10-01T10:00:00", "Mars/Olympus", BadTime},
		{"9999-12-31T23:59:59", "", TimeOutOfRange}, {"1999-12-31T23:59:59", "", TimeOutOfRange}, {"2101-01-01T00:00:00Z", "", TimeOutOfRange},
		{"string", "", NoTime},
	}
	d := load(t).NewDecoder(Limits{})
	for _, tt := range tests {
		got := d.Decode("yunexpress", []byte(push("YT2632100000000017", event(tt.time, tt.zone)+","+goodEvent)), Source{})
		if len(got.Events) != 1 || got.Events[0].EventIndex != 1 || len(got.Rejected) != 1 || got.Rejected[0].EventIndex != 0 || got.Rejected[0].Reason != tt.want {
			t.Errorf("time %q zone %q: got %s\nwant %s for event 0 alone", tt.time, tt.zone, describe(got), tt.want)
		}
	}
}

// A carrier's text is made harmless before anybody sees it.
func TestClean(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	for in, want := range map[string]string{
		"plain text":                 "plain text",
		"a\u202eb\u200bc\ufeffd":     "abcd",
		"a\tb \n c":                  "a b c",
		"<script>alert(1)</script>x": "alert(1)x",
		"a < b":                      "a < b",
		"bell\x07 \x7fdel":           "bell del",
		"中国\u3000深圳":                 "中国 深圳",
		strings.Repeat("é", 300):     strings.Repeat("é", 256),
		"Delivered <b":               "Delivered <b",
	} {
		if got := d.clean(in, maxRawText); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"Delivered - Signed for by: ADA EXAMPLE": "Delivered - Signed for by",
		"已签收，签收人：张三":                             "已签收，签收人",
		"Received by local delivery company":     "Received by local delivery company",
	} {
		if got := withoutNames(in); got != want {
			t.Errorf("withoutNames(%q) = %q, want %q", in, got, want)
		}
	}
}

// The same scan is the same fact, whatever it is sent with.
func TestFactID(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	fact := func(raw string, src Source) schemas.ID {
		t.Helper()
		got := d.Decode("yunexpress", []byte(raw), src)
		for i := range got.Events {
			if got.Events[i].RawCode == "PICKED_UP" {
				return got.Events[i].FactID
			}
		}
		t.Fatalf("no event in %s: %s", raw, describe(got))
		return schemas.ID{}
	}
	other := `{"process_time":"2026-10-02T08:12:33","time_zone":"+8","track_node_code":"DELIVERED"}`
	first := fact(push("YT2632100000000017", goodEvent), Source{})
	for _, raw := range []string{
		push("yt-2632100000000017", goodEvent),
		push("YT2632100000000017", other+","+goodEvent),
		`{"country_code":"GB",` + push("YT2632100000000017", goodEvent)[1:],
	} {
		if got := fact(raw, Source{Topic: "x", Offset: 7, ReceivedAt: 9, Backfill: true}); got != first {
			t.Errorf("%s: another fact", raw)
		}
	}
	for _, raw := range []string{
		push("YT2632100000000018", goodEvent),
		push("YT2632100000000017", strings.Replace(goodEvent, "08:12:33", "08:12:34", 1)),
		push("YT2632100000000017", strings.Replace(goodEvent, `"track_node_code"`, `"process_content":"x","track_node_code"`, 1)),
	} {
		if fact(raw, Source{}) == first {
			t.Errorf("%s: the same fact", raw)
		}
	}
}

// A decoder that has read a hostile record reads the next as a new one would.
func TestDecoderForgets(t *testing.T) {
	r := load(t)
	used := r.NewDecoder(Limits{})
	for _, raw := range []string{`{"a":`, `<a>`, push("YT2632100000000018", goodEvent), `{"trackResponse":1}`} {
		for _, carrier := range append(r.Names(), "nobody") {
			used.Decode(carrier, []byte(raw), Source{})
		}
	}
	raw := []byte(push("YT2632100000000017", goodEvent))
	if got, want := describe(used.Decode("yunexpress", raw, Source{})), describe(r.NewDecoder(Limits{}).Decode("yunexpress", bytes.Clone(raw), Source{})); got != want {
		t.Errorf("used decoder: %s\nnew decoder: %s", got, want)
	}
}

func TestGeneric(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	tests := []struct{ name, raw, want string }{
		{"list", `{"tracking_number":"AB123456789","events":[{"time":"2026-10-01T08:00:00+02:00","description":"Out for delivery","location":{"city":"Bonn","country":"Germany"}}]}`,
			"2026-10-01T06:00:00.000Z out_for_delivery generic:lexicon:en:out for delivery DE explicit_offset"},
		{"flat", `{"waybill":"AB123456789","status":"DELIVERED","timestamp":1790812353}`,
			"2026-09-30T23:52:33.000Z delivered generic:lexicon:en:delivered  explicit_utc"},
		{"epoch ms", `[{"trackingNumber":"AB123456789","checkpoints":[{"timestamp":1790812353000,"status":"x"}]}]`,
			"2026-09-30T23:52:33.000Z unmapped generic:none  explicit_utc"},
		{"local", `{"number":"AB123456789","history":[{"date":"2026-10-01","time":"08:00","desc":"picked up","country":"CHN"}]}`,
			"2026-10-01T00:00:00.000Z accepted generic:lexicon:en:picked up CN location"},
		{"XML", `<r><awb>AB123456789</awb><events><event_time>2026-10-01T08:00:00Z</event_time><text>Picked up</text></events></r>`,
			"2026-10-01T08:00:00.000Z accepted generic:lexicon:en:picked up  explicit_utc"},
	}
	for _, tt := range tests {
		got := d.Decode("nobody", []byte(tt.raw), Source{})
		if len(got.Events) != 1 || len(got.Rejected) != 0 {
			t.Errorf("%s: %s", tt.name, describe(got))
			continue
		}
		e := got.Events[0]
		s := fmt.Sprintf("%s %s %s %s %s", schemas.FormatTime(e.OccurredAt), e.Milestone, e.Rule, e.Country, e.TZSource)
		if s != tt.want || !e.Generic || e.TrackingNumber != "AB123456789" {
			t.Errorf("%s: %s (%s)\nwant %s", tt.name, s, e.TrackingNumber, tt.want)
		}
	}
	got := d.Decode("nobody", []byte(`{"number":"AB123456789","events":[{"time":"01/02/2026 08:00","text":"Delivered"}]}`), Source{})
	if len(got.Events) != 0 || got.Rejected[0].Reason != BadTime {
		t.Errorf("an ambiguous date was read: %s", describe(got))
	}
}

// A stated offset that is not the country's is doubted, not corrected.
func TestDoubtfulOffset(t *testing.T) {
	d := load(t).NewDecoder(Limits{})
	for in, want := range map[string]uint32{
		`"+8","process_country":"CN"`: 0, `"+8","process_country":"BE"`: 6 * 3600, `"+02:00","process_country":"BE"`: 0,
		`"+01:00","process_country":"BE"`: 0, `"UTC","process_country":"CN"`: 0, `"+8","process_country":"US"`: 0,
	} {
		got := d.Decode("yunexpress", []byte(push("YT2632100000000017", `{"process_time":"2026-10-01T08:12:33","track_node_code":"DELIVERED","time_zone":`+in+`}`)), Source{})
		if len(got.Events) != 1 || got.Events[0].UncertaintySecs != want {
			t.Errorf("%s: %s, want ±%d s", in, describe(got), want)
		}
	}
}
