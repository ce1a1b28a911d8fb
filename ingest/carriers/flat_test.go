package carriers

import (
	"strings"
	"testing"

	"scantrail/schemas"
)

const csvMapping = `
carrier: examplecsv
version: 1
title: Example
source: invented
zone: utc
layouts:
  - {name: header, format: csv, delimiter: ";", when: Tracking No, parcels: ., number: Tracking No, events: ., event: &e {code: Status, text: Note, city: Place, time: {value: Time, layout: iso}}}
  - {name: bare, format: csv, columns: [n, c, "", t, x], when: t, parcels: ., number: n, events: ., event: {code: c, text: x, time: {value: t, layout: iso}}}
codes: {PU: accepted, DL: delivered}
`

func loadCSV(t testing.TB) *Registry {
	t.Helper()
	r, _, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(strings.Replace(csvMapping, "&e ", "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCSV(t *testing.T) {
	d := loadCSV(t).NewDecoder(Limits{Fields: 8, String: 64})
	const head = "Tracking No;Status;Place;Time;Note\r\n"
	tests := []struct{ name, raw, want string }{
		{"rows", head + "EX1000017;PU;Köln;2026-10-01T08:00;\r\nEX1000018;DL;;2026-10-02 09:30;\"left; \"\"safe\"\"\"\r\n",
			"EX1000017 accepted Köln  | EX1000018 delivered  left; \"safe\" | "},
		{"no end of line, blank lines, spaces", "\n" + head + "\n\n EX1000017 ;PU;\" Bonn \";2026-10-01T08:00", "EX1000017 accepted Bonn  | "},
		{"old ends of lines", strings.ReplaceAll(head+"EX1000017;PU;Bonn;2026-10-01T08:00;", "\r\n", "\r"), "EX1000017 accepted Bonn  | "},
		{"a quoted cell of two lines", head + "EX1000017;PU;Bonn;2026-10-01T08:00;\"a\nb\"", "EX1000017 accepted Bonn a b | "},
		{"a quote inside", head + `EX1000017;PU;Bonn;2026-10-01T08:00;5" box`, `EX1000017 accepted Bonn 5" box | `},
		{"quoted header", "\"Tracking No\";\"Status\";Time\nEX1000017;DL;2026-10-01T08:00\n", "EX1000017 delivered   | "},
		{"named columns", "EX1000017,PU,ignored,2026-10-01T08:00,\"a, b\"\n", "EX1000017 accepted  a, b | "},
		{"short row", head + "EX1000017;PU\n", "no_time | "},
		{"more cells", head + "EX1000017;PU;Bonn;2026-10-01T08:00;x;y\n", "bad_syntax | "},
		{"more empty cells", head + "EX1000017;PU;Bonn;2026-10-01T08:00;x;;\n", "EX1000017 accepted Bonn x | "},
		{"open quote", head + "EX1000017;PU;\"Bonn", "bad_syntax | "},
		{"text after a quote", head + "EX1000017;PU;\"Bonn\"x;", "bad_syntax | "},
		{"NUL", head + "EX1000017;PU;Bo\x00nn;2026-10-01T08:00", "bad_encoding | "},
		{"long cell", head + strings.Repeat("x", 65) + ";PU", "too_large | "},
	}
	for _, tt := range tests {
		got := d.Decode("examplecsv", []byte(tt.raw), Source{})
		var b strings.Builder
		for i := range got.Events {
			e := &got.Events[i]
			b.WriteString(e.TrackingNumber + " " + e.Milestone.String() + " " + e.City + " " + e.RawText + " | ")
		}
		for _, x := range got.Rejected {
			b.WriteString(string(x.Reason) + " | ")
		}
		if b.String() != tt.want {
			t.Errorf("%s: %q, want %q\n%s", tt.name, b.String(), tt.want, describe(got))
		}
	}
}

func TestEDI(t *testing.T) {
	const sts = "UNH+1+IFTSTA:D:00B:UN'CNI+1+EX1000017'STS+1+21:::at ?'door?''DTM+334:202610010800:203'UNT+4+1'"
	d := load(t).NewDecoder(Limits{String: 64})
	tests := []struct{ name, carrier, raw, want string }{
		{"released", "edifact_iftsta", sts, "EX1000017 delivered at 'door'"},
		{"other separators", "edifact_iftsta", "UNA|#.\\ ~\n" + strings.NewReplacer("+", "#", ":", "|", "?'", "'", "'", "~").Replace("UNH+1+IFTSTA'CNI+1+EX1000017'STS+1+21:::at door'DTM+334:202610010800:203'"),
			"EX1000017 delivered at door"},
		{"wrapped lines", "edifact_iftsta", strings.ReplaceAll(sts, "EX10", "EX\r\n10"), "EX1000017 delivered at 'door'"},
		{"Latin-1", "edifact_iftsta", "UNB+UNOC:3+A+B'" + strings.Replace(sts, "at", "T\xfcr", 1), "EX1000017 delivered Tür 'door'"},
		{"not UTF-8", "edifact_iftsta", strings.Replace(sts, "at", "T\xfcr", 1), "bad_encoding"},
		{"cut", "edifact_iftsta", sts[:60], "bad_syntax"},
		{"cut after a release", "edifact_iftsta", "UNH+1+a?", "bad_syntax"},
		{"bad UNA", "edifact_iftsta", "UNA++.? 'UNH+1'", "bad_syntax"},
		{"no tag", "edifact_iftsta", "UNH+1'+'", "bad_syntax"},
		{"long", "edifact_iftsta", "UNH+" + strings.Repeat("x", 65) + "'", "too_large"},
		{"neither", "edifact_iftsta", "hello", "bad_syntax"},
		{"no consignment", "edifact_iftsta", "UNH+1+IFTSTA:D:00B:UN'UNT+2+1'", "unreadable_layout"},
		{"line by line", "x12_214", "ST*214*1\nB10*EX1000017*S*EXCA\nLX*1\nAT7*D1*NS***20261001*0800*UT\nSE*5*1\n", "EX1000017 delivered "},
		{"pipes", "x12_214", "ST|214|1~B10|EX1000017|S|EXCA~AT7|D1|NS|||20261001|0800|UT~SE|4|1~", "EX1000017 delivered "},
		{"short ISA", "x12_214", "ISA*00*~", "bad_syntax"},
		{"no envelope", "x12_214", "AT7*D1~", "bad_syntax"},
	}
	for _, tt := range tests {
		got := d.Decode(tt.carrier, []byte(tt.raw), Source{})
		s := ""
		for i := range got.Events {
			e := &got.Events[i]
			s += e.TrackingNumber + " " + e.Milestone.String() + " " + e.RawText
		}
		for _, x := range got.Rejected {
			s += string(x.Reason)
		}
		if s != tt.want {
			t.Errorf("%s: %q, want %q\n%s", tt.name, s, tt.want, describe(got))
		}
	}
}

// A void says which event it withdraws: by the carrier's id of it, and by the
// fact that the event is.
func TestVoid(t *testing.T) {
	const event = `{"type":"ObjectEvent","eventID":"urn:uuid:7","eventTime":"2026-10-01T07:00:00+02:00","eventTimeZoneOffset":"+02:00",` +
		`"bizStep":"receiving","epcList":["urn:epc:id:sscc:9520001.1000000017"]`
	d := load(t).NewDecoder(Limits{})
	right := d.Decode("gs1_epcis", []byte(event+"}"), Source{})
	if len(right.Events) != 1 || right.Events[0].EventID != "urn:uuid:7" {
		t.Fatal(describe(right))
	}
	fact := right.Events[0].FactID
	got := d.Decode("gs1_epcis", []byte(event+`,"errorDeclaration":{"declarationTime":"2026-10-01T09:00:00+02:00"}}`), Source{ReceivedAt: 9})
	if len(got.Events) != 0 || len(got.Voids) != 1 || len(got.Rejected) != 0 {
		t.Fatal(describe(got))
	}
	v := got.Voids[0]
	if v.EventFactID != fact || v.FactID == fact || v.FactID == (schemas.ID{}) || v.EventID != "urn:uuid:7" ||
		v.ParcelID != schemas.ParcelID(v.TrackingNumber) || v.Carrier != "gs1_epcis" || v.ReceivedAt != 9 ||
		schemas.FormatTime(v.At) != "2026-10-01T07:00:00.000Z" {
		t.Errorf("%+v", v)
	}
}

// csvRows is a file of scans as an export writes it.
func csvRows() []byte {
	return []byte("Tracking No;Status;Place;Time;Note\n" + strings.Repeat("EX1000017;PU;Köln;2026-10-01T08:00;\"at \"\"door\"\"\"\n", 50))
}

func BenchmarkDecodeCSV(b *testing.B) {
	d, raw := loadCSV(b).NewDecoder(Limits{}), csvRows()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		d.Decode("examplecsv", raw, Source{})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*50), "ns/scan")
}

func TestDecodeCSVAllocatesNothing(t *testing.T) {
	d, raw := loadCSV(t).NewDecoder(Limits{}), csvRows()
	if got := d.Decode("examplecsv", raw, Source{}); len(got.Events) != 50 {
		t.Fatal(describe(got))
	}
	if n := testing.AllocsPerRun(50, func() { d.Decode("examplecsv", raw, Source{}) }); n != 0 {
		t.Errorf("%v allocations per record, want 0", n)
	}
}
