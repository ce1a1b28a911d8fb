package carriers

import (
	"testing"

	"scantrail/schemas"
)

// What mappings can say beside paths: each event of a record that uses it.
func TestMappingSettings(t *testing.T) {
	r, c, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(`
carrier: examplepost
version: 1
title: Example
source: invented
zone: location
abbreviations: {LT: local, ET: America/New_York, XX: +05:00, GMT: UTC}
facilities: {BA4: {zone: Europe/London, country: GB}, LEJ: Europe/Berlin}
layouts:
  - name: a
    format: json
    when: events
    parcels: .
    number: [n, $key]
    aliases: [other, {value: events.note, after: "now "}, {value: ref, shape: ["9#####"]}, {value: group, when: {path: pieces, is: ["1"]}}]
    origin: [{value: from, after: ", "}, from]
    events: events
    event:
      code: c
      text: note
      facility: f
      country: {value: country, map: {UK: GB, Deutschland: DE}}
      time: [{value: t, layout: iso, zone: "{z}"}, {received: true, uncertainty_hours: 24}]
codes:
  "": in_transit
  DL: {milestone: delivered, at: origin}
`))
	if err != nil {
		t.Fatal(err)
	}
	d := r.NewDecoder(Limits{})
	src := Source{Key: []byte("KEY1000017"), ReceivedAt: 1790812353000}
	for _, tt := range []struct{ event, want string }{
		{`"t":"2026-10-01T08:00"`, "in_transit 2026-10-01T08:00:00.000Z unknown  50400"},
		{`"t":"2026-10-01T08:00","f":"BA4"`, "in_transit 2026-10-01T07:00:00.000Z location GB 0"},
		{`"t":"2026-10-01T08:00","f":"LEJ","z":"LT"`, "in_transit 2026-10-01T06:00:00.000Z location  0"},
		{`"t":"2026-10-01T08:00","z":"ET"`, "in_transit 2026-10-01T12:00:00.000Z explicit_offset  0"},
		{`"t":"2026-10-01T08:00","z":"XX"`, "in_transit 2026-10-01T03:00:00.000Z explicit_offset  0"},
		{`"t":"2026-10-01T08:00","z":"GMT"`, "in_transit 2026-10-01T08:00:00.000Z explicit_utc  0"},
		{`"t":"2026-10-01T08:00","country":"UK"`, "in_transit 2026-10-01T07:00:00.000Z location GB 0"},
		{`"t":"2026-10-01T08:00","country":"FR"`, "in_transit 2026-10-01T08:00:00.000Z unknown  50400"},
		{`"t":"2026-10-01T08:00","c":"DL"`, "delivered 2026-10-01T06:00:00.000Z location DE 0"},
		{`"c":"DL"`, "delivered 2026-09-30T23:52:33.000Z explicit_utc DE 86400"},
	} {
		got := d.Decode(c.Name, []byte(`{"from":"Bonn, Germany","events":[{`+tt.event+`}]}`), src)
		if len(got.Events) != 1 || got.Events[0].TrackingNumber != "KEY1000017" {
			t.Errorf("%s: %s", tt.event, describe(got))
			continue
		}
		e := &got.Events[0]
		if s := e.Milestone.String() + " " + schemas.FormatTime(e.OccurredAt) + " " + e.TZSource.String() + " " + e.Country + " " + itoa(int(e.UncertaintySecs)); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.event, s, tt.want)
		}
	}
	for raw, want := range map[string]int{
		`{"n":"EX1000017","other":"EX1000018"}`: 2, `{"n":"EX1000017","ref":"912345"}`: 2, `{"n":"EX1000017","ref":"PO-12345"}`: 0,
		`{"n":"EX1000017","group":"GR1000017","pieces":1}`: 2, `{"n":"EX1000017","group":"GR1000017","pieces":2}`: 0,
	} {
		if got := d.Decode(c.Name, []byte(raw[:len(raw)-1]+`,"events":[{"t":"2026-10-01T08:00"}]}`), src); len(got.Aliases) != want {
			t.Errorf("%s: %s", raw, describe(got))
		}
	}
	got := d.Decode(c.Name, []byte(`{"n":"EX1000017","events":[{"t":"2026-10-01T08:00","note":"number is now EX1000019"},{"t":"2026-10-01T09:00","note":"x"},{"t":"2026-10-01T09:00","note":"now EX1000020"}]}`), src)
	if len(got.Aliases) != 4 || len(got.Events) != 3 {
		t.Error(describe(got))
	}
	if got = d.Decode(c.Name, []byte(`{"n":"EX1000017","events":[{"c":"DL"}]}`), Source{}); len(got.Events) != 0 || got.Rejected[0].Reason != NoTime {
		t.Error(describe(got))
	}
}
