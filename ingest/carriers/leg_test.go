package carriers

import (
	"strings"
	"testing"

	"scantrail/schemas"
)

const legMapping = `
carrier: examplepost
version: 1
title: Example
source: invented
layouts:
  - {name: a, format: json, when: n, parcels: ., number: n, events: carriers.events, event: {code: c, text: x, leg: LEG, time: {value: t, layout: iso}}}
legs: LEGS
codes: {A1: accepted, A2: {milestone: in_transit, text: true}, B*: out_for_delivery, C: {milestone: delivered, leg: 4}}
`

func TestLegs(t *testing.T) {
	const record = `{"n":"EX100001","carriers":[{"events":[{"c":"A1","l":"3","t":"2026-10-01T08:00"},{"c":"A2","x":"out for delivery","l":"30","t":"2026-10-01T09:00"}]},` +
		`{"events":{"c":"B7","l":"x","t":"2026-10-01T10:00"}},{"events":[{"c":"C","t":"2026-10-01T11:00"},{"c":"Z","t":"2026-10-01T12:00"}]}]}`
	for _, tt := range []struct{ leg, legs, want string }{
		{"order", "{}", "11243"},
		{"l", "{}", "30040"},
		{"order", "{1: [A*], 2: [B*]}", "11243"},
		{"l", "{5: [A2, B*]}", "35540"},
		{"{value: c, map: {A1: \"2\", Z: \"8\"}}", "{}", "20048"},
	} {
		r, c, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(strings.NewReplacer("LEGS", tt.legs, "LEG", tt.leg).Replace(legMapping)))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		result := r.NewDecoder(Limits{}).Decode(c.Name, []byte(record), Source{})
		for i := range result.Events {
			got += string(rune('0' + result.Events[i].Leg))
		}
		if got != tt.want {
			t.Errorf("leg %s, legs %s: %s, want %s", tt.leg, tt.legs, got, tt.want)
		}
	}
}

func TestLegsOfMappings(t *testing.T) {
	for legs, want := range map[string]string{"{0: [A1]}": "number from 1 to 9", "{1: [D]}": "none of the codes", "{1: [A2, D*]}": "none of the codes"} {
		_, _, err := LoadMapping(schemas.Carriers, "x.yaml", []byte(strings.NewReplacer("LEGS", legs, "LEG", "order").Replace(legMapping)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", legs, err, want)
		}
	}
}

func TestUnverified(t *testing.T) {
	load := func(list string) (*Carrier, error) {
		_, c, err := LoadMapping(schemas.Carriers, "x.yaml", []byte("unverified: "+list+strings.NewReplacer("LEGS", "{}", "LEG", "order").Replace(legMapping)))
		return c, err
	}
	c, err := load("[A*, C, A1]")
	if err != nil || strings.Join(c.Unverified(), " ") != "A1 A2 C" || c.Provenance() != "invented; general knowledge, unverified: codes A1 | A2 | C" {
		t.Errorf("%v %v", c, err)
	}
	c, err = load("[]\nunverified_layouts: [a]")
	if err != nil || c.Provenance() != "invented; never seen: layouts a" {
		t.Errorf("%v %v", c, err)
	}
	if _, err = load("[]\nunverified_layouts: [b]"); err == nil || !strings.Contains(err.Error(), `no layout is named "b"`) {
		t.Errorf("a layout that is not there: %v", err)
	}
	if _, err = load("[A3]"); err == nil || !strings.Contains(err.Error(), `"A3" is none of the codes`) {
		t.Errorf("a code that is not there: %v", err)
	}
}
