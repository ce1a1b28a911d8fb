package carriers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// everyPath uses each kind of path and condition once.
const everyPath = `carrier: paths
version: 1
title: Paths
source: test
zone: {zone: Europe/Paris, uncertainty_hours: 2}
facilities: {HKG1: Asia/Hong_Kong}
placeholders: [N/A]
layouts:
  - name: one
    format: json
    when: [{path: "kind[of=scan].name", contains: [TRACK]}, {path: gone, missing: true}]
    parcels: "list[type=PARCEL]"
    number: ["{prefix}{no}", "ref\\.no"]
    aliases: ["other[type=LM].no"]
    origin: /from
    destination: ^.to
    product: "*.product"
    events: "days.scans[ok=yes]"
    event:
      code: ["{a}-{b}"]
      text: "{t1}, {t2}"
      time:
        - {value: "{^.date} {at}", layout: YYYY-MM-DD HH:mm}
      country: {value: where, after: "/", before: ["(", "["]}
      facility: site
      skip: {path: reached, is: ["false"]}
codes:
  X-Y: accepted
`

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "paths.yaml"), []byte(everyPath), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Load(schemas.Carriers, dir)
	if err != nil {
		t.Fatal(err)
	}
	const raw = `{"kind":[{"of":"x","name":"q"},{"of":"scan","name":"My tracking"}],"from":"CN","to":"FR","list":[
	 {"type":"PALLET","no":"999999999","days":{"scans":[{"ok":"yes","at":"09:00"}]}},
	 {"type":"PARCEL","prefix":"N/A","no":"12","ref.no":"AB-123456789","x":{"product":"slow"},
	  "other":[{"type":"ORDER","no":"O1"},{"type":"LM","no":"CD987654321"}],
	  "days":[{"date":"2026-10-01","scans":[{"ok":"yes","a":"X","b":"Y","t1":"N/A","t2":"fine","at":"09:00","where":"a/b/France (south)","reached":true}]},
	          {"date":"2026-10-02","scans":{"ok":"yes","a":"X","t1":"one","t2":"two","at":"10:00","site":"HKG1"}},
	          {"date":"2026-10-03","scans":[{"ok":"no","at":"11:00"},{"ok":"yes","at":"12:00","reached":false}]}]}]}`
	got := describe(r.NewDecoder(Limits{}).Decode("paths", []byte(raw), Source{}))
	const want = `event 0 AB123456789 2026-10-01T07:00:00.000Z accepted (raw "2026-10-01 09:00", +120 min, carrier_rule, ±7200 s)
  physical=true progress=true by code:X-Y; code "X-Y" text "fine"
  at "France" country "FR" region "" city "" postcode "" facility ""; lane CN>FR product "slow"
event 1 AB123456789 2026-10-02T08:00:00.000Z unmapped (raw "2026-10-02 10:00", +120 min, carrier_rule, ±7200 s)
  physical=false progress=false by none; code "" text "one, two"
  at "HKG1" country "" region "" city "" postcode "" facility "HKG1"; lane CN>FR product "slow"
alias AB123456789 = CD987654321
alias CD987654321 = AB123456789
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = describe(r.NewDecoder(Limits{}).Decode("paths", []byte(strings.Replace(raw, `"of":"scan"`, `"of":"order"`, 1)), Source{}))
	if !strings.Contains(got, string(UnreadableLayout)) {
		t.Errorf("a filter on a list in a condition is not heeded: %s", got)
	}
}

// No record costs more than its bytes deserve: hostile ones of 1 MiB stay far
// below a second, which leaves room for a loaded machine.
func TestHostileCost(t *testing.T) {
	fill := func(head, part, tail string) string {
		return head + strings.Repeat(part, (1<<20-len(head)-len(tail))/len(part)) + tail
	}
	var members strings.Builder
	members.WriteString("{")
	for i := range 500 {
		members.WriteString(`"` + strings.Repeat("a", i%7) + string(rune('a'+i%26)) + itoa(i) + `":1,`)
	}
	members.WriteString(`"z":1},`)
	for name, raw := range map[string]string{
		"objects of many members": fill("[", members.String(), "1]"),
		"escapes":                 `["` + strings.Repeat(`\u00e9`, 2700) + `"` + strings.Repeat(`,"`+strings.Repeat(`\u00e9`, 2700)+`"`, 60) + `]`,
		"bad events":              fill(`{"waybill_number":"YT2632100000000017","track_events":[`, `{"process_time":"x"},`, `{}]}`)[:1<<17] + `"`,
		"events with long texts":  fill(`{"waybill_number":"YT2632100000000017","track_events":[`, `{"process_time":"2026-10-01T08:12:33","process_content":"`+strings.Repeat("delivery sign: ", 200)+`"},`, `{}]}`),
		"attributes":              fill("<a>", "<b "+strings.Repeat("", 1)+"x1='1' x2='2' x3='3' x4='4' x5='5' x6='6'/>", "</a>"),
		"open brackets":           strings.Repeat("[", 1<<20),
		"EDIFACT consignments":    fill("UNH+1+X'", "CNI+1'", ""),
		"fewer consignments":      "UNH+1+X'" + strings.Repeat("CNI+1'", 60_000),
		"EDIFACT statuses":        fill("UNH+1+X'CNI+1+EX1000017'", "STS+1+21'", ""),
		"X12 statuses":            fill("ST*214*1~B10*EX1000017~", "N1*SF~AT7*X4~", ""),
		"many EPCs":               fill(`{"eventTime":"2026-10-01T07:00:00+02:00","bizStep":"receiving","epcList":[`, `"EX1000017",`, `"x"]}`),
		"XML parcels":             fill("<TrackResponse>", `<TrackInfo ID="1"/>`, "</TrackResponse>"),
		"entities":                fill("<a>", "<b>&#x4e2d;&amp;&lt;</b>", "</a>"),
	} {
		r := load(t)
		d := r.NewDecoder(Limits{})
		start := time.Now()
		for _, carrier := range []string{"yunexpress", "usps", "edifact_iftsta", "x12_214", "gs1_epcis", "nobody"} {
			checkResult(t, nil, d.Decode(carrier, []byte(raw), Source{}))
		}
		took := time.Since(start)
		t.Logf("%s: %v for 6 x %d bytes", name, took, len(raw))
		if took > 3*time.Second {
			t.Errorf("%s: %v for 6 x %d bytes", name, took, len(raw))
		}
	}
}
