package carriers

import (
	"fmt"
	"strings"
	"testing"
)

// lane builds a 17track record; each event is "hour|country|text|sub-status".
func laneRecord(number, origin, destination string, events ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"event":"TRACKING_UPDATED","data":{"number":"%s","track_info":{"shipping_info":{"shipper_address":{"country":"%s"},"recipient_address":{"country":"%s"}},"tracking":{"providers":[{"events":[`, number, origin, destination)
	for i, e := range events {
		f := strings.Split(e, "|")
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"time_utc":"2026-10-01T%s:00:00Z","address":{"country":"%s"},"description":"%s","sub_status":"%s"}`, f[0], f[1], f[2], f[3])
	}
	b.WriteString(`]}]}}}}`)
	return []byte(b.String())
}

// One status serves both borders: the country decides, then the text, then the
// other events; without any of them the update says no border.
func TestDirection(t *testing.T) {
	const released = "InTransit_CustomsReleased"
	tests := []struct {
		name, number, origin, destination string
		events                            []string
		want                              string // of the first event
	}{
		{"country is the origin", "AB123456789", "CN", "US", []string{"10|CN|Released|" + released}, "export_cleared export country"},
		{"country is the destination", "AB123456789", "CN", "US", []string{"10|US|Released|" + released}, "import_cleared import country"},
		{"postal number gives the origin", "LX000000178CN", "", "", []string{"10|CN|Released|" + released}, "export_cleared export country"},
		{"postal number, abroad", "LX000000178CN", "", "", []string{"10|US|Released|" + released}, "import_cleared import country"},
		{"postal number with a wrong check digit", "LX000000175CN", "", "", []string{"10|CN|Released|" + released}, "in_transit none none"},
		{"country against the text", "AB123456789", "CN", "US", []string{"10|CN|Released at destination customs|" + released}, "export_cleared export country"},
		{"text", "AB123456789", "CN", "US", []string{"10||Released at destination customs|" + released}, "import_cleared import text"},
		{"third country, text", "AB123456789", "CN", "US", []string{"10|DE|Origin customs: released|" + released}, "export_cleared export text"},
		{"phrase that says it", "AB123456789", "CN", "US", []string{"10|US|Export customs cleared|" + released}, "export_cleared export text"},
		{"before the departure", "AB123456789", "CN", "US", []string{"10||Released|" + released, "12||Departed from origin country|InTransit_Other"}, "export_cleared export sequence"},
		{"after the departure", "AB123456789", "CN", "US", []string{"13||Released|" + released, "12||Departed from origin country|InTransit_Other"}, "import_cleared import sequence"},
		{"after the arrival", "AB123456789", "", "", []string{"13||Released|" + released, "12||Arrived in destination country|InTransit_Other"}, "import_cleared import sequence"},
		{"nothing tells", "AB123456789", "CN", "US", []string{"13||Released|" + released}, "in_transit none none"},
		{"held, nothing tells", "AB123456789", "CN", "US", []string{"13||Held by customs|InTransit_Other"}, "held none none"},
		{"facility at the origin", "AB123456789", "CN", "US", []string{"13|CN|Arrived at facility|x"}, "origin_facility_arrived none none"},
		{"facility at the destination", "AB123456789", "CN", "US", []string{"13|US|Departed from facility|x"}, "destination_facility_departed none none"},
		{"hub", "AB123456789", "CN", "US", []string{"13|DE|Arrived at facility|x"}, "transit_hub_arrived none none"},
		{"domestic", "AB123456789", "US", "US", []string{"13|US|Arrived at facility|x"}, "in_transit none none"},
		{"facility nowhere", "AB123456789", "CN", "US", []string{"13||Arrived at facility|x"}, "in_transit none none"},
	}
	d := load(t).NewDecoder(Limits{})
	for _, tt := range tests {
		got := d.Decode("17track", laneRecord(tt.number, tt.origin, tt.destination, tt.events...), Source{})
		if len(got.Events) != len(tt.events) {
			t.Errorf("%s: %s", tt.name, describe(got))
			continue
		}
		e := &got.Events[0]
		if s := fmt.Sprintf("%s %s %s", e.Milestone, e.Direction, e.DirectionSource); s != tt.want || !e.Progress {
			t.Errorf("%s: %s, want %s\n%s", tt.name, s, tt.want, describe(got))
		}
		if customs := strings.Contains(tt.name, "facility") || tt.name == "hub" || tt.name == "domestic"; e.Physical != customs {
			t.Errorf("%s: physical %v", tt.name, e.Physical)
		}
	}
}

// The order in which a carrier lists its events changes nothing but their
// index.
func TestOrderDoesNotMatter(t *testing.T) {
	events := []string{"10||Released|InTransit_CustomsReleased", "12||Departed from origin country|x", "14||Released again|InTransit_CustomsReleased", "15|US|Out for delivery|x"}
	d := load(t).NewDecoder(Limits{})
	meanings := func(order ...int) map[string]string {
		var listed []string
		for _, i := range order {
			listed = append(listed, events[i])
		}
		m := map[string]string{}
		got := d.Decode("17track", laneRecord("AB123456789", "CN", "US", listed...), Source{})
		for i := range got.Events {
			e := &got.Events[i]
			m[e.FactID.String()] = e.Milestone.String()
		}
		return m
	}
	want := meanings(0, 1, 2, 3)
	if len(want) != 4 {
		t.Fatalf("%v", want)
	}
	for _, order := range [][]int{{3, 2, 1, 0}, {1, 3, 0, 2}} {
		if got := meanings(order...); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("order %v: %v, want %v", order, got, want)
		}
	}
}
