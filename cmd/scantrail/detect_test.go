package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// detectLines runs the command over the input and returns its lines.
func detectLines(t *testing.T, input string, args ...string) ([]map[string]any, error) {
	t.Helper()
	cmd := newDetectCommand()
	var out bytes.Buffer
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(input))
	cmd.SetOut(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, v)
	}
	return lines, err
}

func TestDetect(t *testing.T) {
	const trail = `
{"kind":"scan","carrier":"acme","tracking_number":"LX000000175CN","milestone":"accepted","occurred_at":"2026-10-01T08:00:00Z","facility":"SZX-1"}
{"kind":"scan","carrier":"acme","tracking_number":"LX000000175CN","milestone":"origin_facility_departed","occurred_at":"2026-10-01T20:00:00Z","received_at":"2026-10-03T09:00:00Z"}
{"kind":"order","order_kind":"label_created","shop_id":"s","order_id":"SO-1","at":"2026-09-30T08:00:00Z","tracking_numbers":["LX 000000175 CN"],"origin_country":"CN","destination_country":"GB"}
{"kind":"created","shop_id":"s","order_id":"SO-1","at":"2026-09-29T08:00:00Z"}
`
	for _, c := range []struct{ asOf, want string }{
		{"2026-10-02T19:59:59Z", ""},
		{"2026-10-02T20:00:00Z", "at_risk gap_48h 0 2026-10-01T08:00:00.000Z opened <nil>"},
		{"2026-10-03T08:00:00Z", "open gap_48h 1 2026-10-01T08:00:00.000Z opened 2026-10-03T08:00:00.000Z"},
		// the late scan is received at 9:00 and moves the silence
		// and shows that the parcel moved within one stage for two days
		{"2026-10-03T10:00:00Z", "open stage_stalled 1 2026-10-01T08:00:00.000Z opened 2026-10-03T09:00:00.000Z, withdrawn gap_48h 1 2026-10-01T08:00:00.000Z opened 2026-10-03T08:00:00.000Z, at_risk gap_48h 0 2026-10-01T20:00:00.000Z opened <nil>"},
	} {
		lines, err := detectLines(t, trail, "--as-of", c.asOf)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			if l["kind"] == "alert" {
				got = append(got, strings.Join([]string{l["status"].(string), l["rule"].(string), text(l["level"]), text(l["anchor_at"]), "opened", text(l["opened_at"])}, " "))
			}
			if l["tracking_number"] != "LX000000175CN" || l["order_id"] != "SO-1" {
				t.Errorf("as of %s: %v", c.asOf, l)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("as of %s: have %v, want %s", c.asOf, got, c.want)
		}
	}
}

// TestDetectLinks: two numbers are one parcel, and a withdrawn scan is not there.
func TestDetectLinks(t *testing.T) {
	lines, err := detectLines(t, `
{"kind":"scan","carrier":"acme","tracking_number":"LX000000175CN","milestone":"accepted","occurred_at":"2026-10-01T08:00:00Z"}
{"kind":"scan","carrier":"usps","tracking_number":"9400100000000000000000","milestone":"out_for_delivery","occurred_at":"2026-10-02T08:00:00Z"}
{"kind":"scan","carrier":"usps","tracking_number":"9400100000000000000000","milestone":"delivered","occurred_at":"2026-10-02T09:00:00Z","fact_id":"01234567-89ab-cdef-0123-456789abcdef"}
{"kind":"alias","tracking_number":"LX000000175CN","other_number":"9400 1000 0000 0000 0000 00","received_at":"2026-10-02T10:00:00Z"}
{"kind":"void","tracking_number":"9400100000000000000000","event_fact_id":"01234567-89ab-cdef-0123-456789abcdef","received_at":"2026-10-03T08:00:00Z"}
`, "--as-of", "2026-10-04T08:00:00Z", "--policy", "articles")
	if err != nil {
		t.Fatal(err)
	}
	var parcels, gaps int
	for _, l := range lines {
		switch {
		case l["kind"] == "parcel":
			parcels++
			if text(l["carriers"]) != `["acme","usps"]` || l["end_milestone"] != nil || text(l["facts"]) != "2" {
				t.Errorf("parcel %v", l)
			}
		case l["rule"] == "gap_48h" && l["status"] == "open" && text(l["anchor_at"]) == "2026-10-02T08:00:00.000Z":
			gaps++
		}
	}
	if parcels != 1 || gaps != 1 {
		t.Errorf("%d parcels, %d open gaps since the last scan, want 1 and 1: %v", parcels, gaps, lines)
	}
}

func text(v any) string {
	if v == nil {
		return "<nil>"
	}
	b, _ := json.Marshal(v)
	return strings.Trim(string(b), `"`)
}

func TestDetectRefuses(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`nonsense`, "line 1: not a JSON object"},
		{`{"kind":"scan","tracking_number":"x","milestone":"accepted","occurred_at":"2026-10-01T08:00:00Z"}`, "tracking_number"},
		{`{"kind":"scan","tracking_number":"LX000000175CN","milestone":"arrived","occurred_at":"2026-10-01T08:00:00Z"}`, "milestone"},
		{`{"kind":"scan","tracking_number":"LX000000175CN","milestone":"accepted","occurred_at":"yesterday"}`, "occurred_at"},
		{`{"kind":"scan","tracking_number":"LX000000175CN","milestone":"accepted"}`, "occurred_at"},
		{`{"kind":"void","tracking_number":"LX000000175CN"}`, "event_fact_id"},
		{`{"kind":"alias","tracking_number":"LX000000175CN"}`, "other_number"},
		{`{"kind":"scan","tracking_number":"LX000000175CN","milestone":"accepted","occurred_at":"2026-10-01T08:00:00Z","number_check":"maybe"}`, "number_check"},
		{`{"kind":"order","shop_id":"s"}`, "order_kind"},
		{`{"kind":"label_created","shop_id":"s","order_id":"o","at":"2026-10-01T08:00:00Z"}`, "tracking_numbers"},
		{`{"kind":"other"}`, "none of scan, order"},
	} {
		if _, err := detectLines(t, c.line); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.line, err, c.want)
		}
	}
	if _, err := detectLines(t, "", "--as-of", "now"); err == nil || !strings.Contains(err.Error(), "--as-of") {
		t.Errorf("--as-of now: %v", err)
	}
	if _, err := detectLines(t, "", "--policy", "testdata/none.yaml"); err == nil || !strings.Contains(err.Error(), "--policy") {
		t.Errorf("missing policy: %v", err)
	}
}
