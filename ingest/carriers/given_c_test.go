package carriers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"scantrail/schemas"
)

// givenC is what collected answers say, read by hand: the milestones of the
// events in the order of the answer, the other numbers and what is refused.
var givenC = []struct {
	file       string
	key        string // of the Kafka record, for answers that name no number
	milestones string
	aliases    []string
	rejected   []Reason
}{
	{file: "seko/karrio_tracking_response.json",
		milestones: "label_created label_created origin_facility_arrived departed_origin handed_to_last_mile in_transit in_transit in_transit out_for_delivery delivered"},
	{file: "seko/karrio_tracking_response2.json", // four parcels, nothing but pre-advice
		milestones: "label_created label_created label_created label_created label_created label_created label_created label_created"},
	{file: "spring/karrio_tracking_response.json",
		milestones: "accepted delivered", aliases: []string{"3STEST1234567890", "LOCAL123"}},
	// Two consignments under one number, and one that is not found.
	{file: "tnt/karrio_tracking_response.xml",
		milestones: "delivered delivered out_for_delivery destination_facility_arrived destination_facility_arrived in_transit in_transit " +
			"delayed delayed delayed transit_hub_arrived transit_hub_arrived transit_hub_arrived in_transit origin_facility_arrived origin_facility_arrived",
		rejected: []Reason{NotFound, BadNumber}},
	{file: "purolator/karrio_tracking_response.xml", rejected: []Reason{BadNumber}}, // "M123" is no number
	// The code says picked up, the text "out for delivery".
	{file: "sf_express/karrio_tracking_response.json", milestones: "out_for_delivery delivered"},
	{file: "yanwen/karrio_tracking_response.json", milestones: "accepted"},
	{file: "teleship/karrio_tracking_response.json",
		milestones: "accepted origin_facility_arrived departed_origin import_cleared out_for_delivery",
		aliases:    []string{"DPD987654321GB", "9400111899223456789012"}},
	{file: "parcelone/karrio_tracking_response.json",
		milestones: "delivered out_for_delivery destination_facility_arrived in_transit accepted"},
	{file: "parcelone/karrio_tracking_no_events_response.json", rejected: []Reason{NotFound}},
	{file: "usps_international/karrio_tracking_response.json",
		milestones: "delivered out_for_delivery delivery_facility_arrived in_transit in_transit in_transit in_transit in_transit " +
			"origin_facility_arrived origin_facility_departed accepted label_created"},
	{file: "shipengine/karrio_tracking_response.json", milestones: "delivered out_for_delivery"},
	{file: "smartkargo/karrio_tracking_response.json", milestones: "delivered label_created"},
	{file: "smartkargo/karrio_partner_tracking_response.json", milestones: "origin_facility_departed accepted"},
	{file: "smartkargo/karrio_dot_net_ticks_tracking_response.json", milestones: "in_transit"},
	{file: "stamps_com/active_shipping_track_shipment_response.xml", rejected: []Reason{NoNumber}},
	{file: "stamps_com/active_shipping_track_shipment_response.xml", key: "EX1000004417",
		milestones: "delivered in_transit label_created"},
	{file: "sendle/karrio_tracking_response.json", rejected: []Reason{NoNumber}},
	{file: "sendle/karrio_tracking_response.json", key: "SEX4417",
		milestones: "pickup_failed accepted in_transit in_transit in_transit in_transit in_transit out_for_delivery delivered"},
	{file: "roadie/karrio_tracking_response.json", milestones: "out_for_delivery delivered out_for_delivery delivered"},
	{file: "veho/karrio_tracking_response.json", milestones: "accepted"},
	{file: "zoom2u/karrio_tracking_response.json", milestones: "delivered"},
}

func TestGivenC(t *testing.T) {
	dir := payloads(t)
	d := load(t).NewDecoder(Limits{})
	for _, want := range givenC {
		raw, err := os.ReadFile(filepath.Join(dir, want.file))
		if err != nil {
			t.Fatal(err)
		}
		got := d.Decode(filepath.Dir(want.file), raw, Source{Key: []byte(want.key)})
		var milestones, aliases []string
		for i := range got.Events {
			e := &got.Events[i]
			milestones = append(milestones, e.Milestone.String())
			if e.Physical && !e.Milestone.Physical() || e.Progress && !e.Milestone.Progress() {
				t.Errorf("%s: event %d (%s) counts as a scan", want.file, i, e.Milestone)
			}
		}
		for i := 0; i < len(got.Aliases); i += 2 { // each stands at both ends
			aliases = append(aliases, got.Aliases[i].OtherNumber)
		}
		var rejected []Reason
		for _, x := range got.Rejected {
			rejected = append(rejected, x.Reason)
		}
		if m := strings.Join(milestones, " "); m != want.milestones || !slices.Equal(aliases, want.aliases) || !slices.Equal(rejected, want.rejected) {
			t.Errorf("%s (key %q): got %s, aliases %v, rejected %v; want %+v\n%s", want.file, want.key, m, aliases, rejected, want, describe(got))
		}
	}
}

// TestGivenCTimes: the instants of scans whose zone the carrier does not say
// plainly.
func TestGivenCTimes(t *testing.T) {
	dir := payloads(t)
	d := load(t).NewDecoder(Limits{})
	for _, c := range []struct {
		file                string
		event               int
		want, source        string
		uncertainty, offset int // seconds, minutes
	}{
		{"seko/karrio_tracking_response.json", 2, "2024-12-17T09:18:01.733Z", "location", 0, 0},
		{"seko/karrio_tracking_response.json", 9, "2024-12-24T12:31:47.000Z", "location", 0, 60},
		{"seko/karrio_tracking_response2.json", 1, "2024-10-25T11:28:49.000Z", "unknown", 14 * 3600, 0},
		{"spring/karrio_tracking_response.json", 0, "2024-01-01T12:00:00.000Z", "explicit_utc", 0, 0},
		{"tnt/karrio_tracking_response.xml", 2, "2021-02-04T07:47:00.000Z", "location", 0, 0},        // Bradford
		{"tnt/karrio_tracking_response.xml", 5, "2021-02-03T16:51:00.000Z", "unknown", 14 * 3600, 0}, // depot DZ5
		{"sf_express/karrio_tracking_response.json", 0, "2019-05-09T02:11:26.000Z", "carrier_rule", 0, 480},
		{"yanwen/karrio_tracking_response.json", 0, "2019-08-15T10:52:19.000Z", "explicit_offset", 0, 480}, // "+8"
		{"parcelone/karrio_tracking_response.json", 2, "2024-01-14T21:00:00.000Z", "carrier_rule", 14 * 3600, 60},
		{"smartkargo/karrio_tracking_response.json", 0, "2021-01-26T22:30:00.000Z", "location", 0, -480},
		{"smartkargo/karrio_partner_tracking_response.json", 0, "2024-03-15T14:30:00.000Z", "explicit_offset", 0, -240},
		{"smartkargo/karrio_dot_net_ticks_tracking_response.json", 0, "2026-04-17T22:43:17.657Z", "location", 0, 60},
		{"veho/karrio_tracking_response.json", 0, "2024-04-12T21:30:00.000Z", "location", 0, -420},
		{"zoom2u/karrio_tracking_response.json", 0, "2018-11-12T10:29:16.867Z", "explicit_utc", 0, 0},
	} {
		raw, err := os.ReadFile(filepath.Join(dir, c.file))
		if err != nil {
			t.Fatal(err)
		}
		got := d.Decode(filepath.Dir(c.file), raw, Source{})
		if len(got.Events) <= c.event {
			t.Errorf("%s: %d events", c.file, len(got.Events))
			continue
		}
		e := &got.Events[c.event]
		if at := schemas.FormatTime(e.OccurredAt); at != c.want || e.TZSource.String() != c.source ||
			int(e.UncertaintySecs) != c.uncertainty || int(e.OffsetMinutes) != c.offset {
			t.Errorf("%s: event %d at %s, %s, ±%d s, %+d min; want %+v", c.file, c.event, at, e.TZSource, e.UncertaintySecs, e.OffsetMinutes, c)
		}
	}
}
