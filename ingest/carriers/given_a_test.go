package carriers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"scantrail/schemas"
)

// givenA is what collected answers say, read by hand: the milestones of the
// events in the order of the answer, then the numbers and what is refused.
var givenA = map[string]struct {
	milestones string
	aliases    []string // other numbers of the parcels
	lanes      []string // origin>destination, in the order of the events, repeats left out
	rejected   []Reason
}{
	"asendia/karrio_tracking_response.json": {
		milestones: "accepted in_transit delivered", lanes: []string{">"},
	},
	"asendia_us/karrio_tracking_response.json": {
		milestones: "delivered delivery_facility_arrived import_cleared arrived_destination departed_origin " +
			"origin_facility_departed origin_facility_departed origin_facility_arrived origin_facility_arrived label_created",
		aliases: []string{"9400109205568727179826"}, lanes: []string{"US>"},
	},
	"australiapost/karrio_tracking_response.json": {
		milestones: "handed_to_linehaul handed_to_linehaul handed_to_linehaul export_cleared origin_facility_arrived accepted label_created label_created " +
			"delivered out_for_delivery in_transit destination_facility_arrived in_transit destination_facility_arrived arrived_destination export_cleared accepted " +
			"delivered out_for_delivery out_for_delivery arrived_destination import_cleared import_customs_started departed_origin origin_facility_arrived label_created label_created",
		lanes: []string{"AU>", "US>AU", ">NZ"},
	},
	"bpost/karrio_tracking_response.xml": {
		milestones: "in_transit out_for_delivery delivered", lanes: []string{"BE>BE"},
	},
	"canpar/karrio_tracking_response.xml": {
		milestones: "delivered delivery_facility_arrived handed_to_last_mile origin_facility_arrived accepted", lanes: []string{">CA"},
	},
	"chronopost/karrio_tracking_response.xml": {
		milestones: "label_created accepted accepted origin_facility_arrived in_transit in_transit delivery_facility_arrived out_for_delivery delivered",
		aliases:    []string{"XT8452370122486"}, lanes: []string{">"},
	},
	"dhl_parcel_de/karrio_tracking_response.xml": {
		milestones: "accepted in_transit accepted origin_facility_arrived destination_facility_arrived out_for_delivery delivered",
		aliases:    []string{"340434161094015902"}, lanes: []string{"DE>DE"},
	},
	"dicom/karrio_tracking_response.json": {
		milestones: "delivered", lanes: []string{"CA>CA"},
	},
	"amazon_shipping/karrio_tracking_response.json": {
		milestones: "delivered out_for_delivery in_transit", lanes: []string{">"},
	},
	"allied_express/karrio_delivered_tracking_response.json": {
		milestones: "delivered", lanes: []string{">"},
	},
	"allied_express/karrio_tracking_response.json": {
		milestones: "in_transit", lanes: []string{">"}, // a depot's scan without a status
	},
	"boxknight/karrio_tracking_response.json": {
		milestones: "label_created", lanes: []string{"CA>CA"},
	},
	"dhl_poland/karrio_tracking_response.xml": {
		milestones: "unmapped unmapped", lanes: []string{">"}, // placeholders in place of statuses
	},
}

func TestGivenA(t *testing.T) {
	dir := payloads(t)
	d := load(t).NewDecoder(Limits{})
	for name, want := range givenA {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got := d.Decode(filepath.Dir(name), raw, Source{})
		var milestones, aliases, lanes []string
		for i := range got.Events {
			e := &got.Events[i]
			milestones = append(milestones, e.Milestone.String())
			lanes = append(lanes, strings.Clone(e.OriginCountry+">"+e.DestinationCountry))
			if e.Physical && !e.Milestone.Physical() || e.Progress && !e.Milestone.Progress() {
				t.Errorf("%s: event %d (%s) counts as a scan", name, i, e.Milestone)
			}
		}
		for i := 0; i < len(got.Aliases); i += 2 { // each stands at both ends
			aliases = append(aliases, got.Aliases[i].OtherNumber)
		}
		var rejected []Reason
		for _, x := range got.Rejected {
			rejected = append(rejected, x.Reason)
		}
		if m := strings.Join(milestones, " "); m != want.milestones {
			t.Errorf("%s: milestones\n%s\nwant\n%s", name, m, want.milestones)
		}
		if lanes = slices.Compact(lanes); !slices.Equal(lanes, want.lanes) {
			t.Errorf("%s: lanes %q, want %q", name, lanes, want.lanes)
		}
		if !slices.Equal(aliases, want.aliases) || !slices.Equal(rejected, want.rejected) {
			t.Errorf("%s: aliases %q, rejected %v; want %q, %v", name, aliases, rejected, want.aliases, want.rejected)
		}
	}
}

// TestGivenATimes: the instants of scans whose zone the carrier does not say
// plainly.
func TestGivenATimes(t *testing.T) {
	dir := payloads(t)
	d := load(t).NewDecoder(Limits{})
	for _, c := range []struct {
		file                   string
		event                  int
		want, source           string
		uncertainty, offsetMin int
	}{
		{"asendia_us/karrio_tracking_response.json", 0, "2021-08-09T11:13:00.000Z", "unknown", 14 * 3600, 0},          // +00:00 on every time
		{"canpar/karrio_tracking_response.xml", 0, "2011-03-08T14:14:42.000Z", "location", 3600, -300},                // Sudbury, Ontario
		{"dhl_parcel_de/karrio_tracking_response.xml", 5, "2016-03-18T08:02:00.000Z", "carrier_rule", 0, 60},          // no place
		{"dhl_poland/karrio_tracking_response.xml", 0, "2012-10-12T05:40:31.000Z", "carrier_rule", 0, 120},            // summer time
		{"australiapost/karrio_tracking_response.json", 17, "2021-02-01T20:38:56.000Z", "explicit_offset", 7200, 660}, // in New Zealand
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
			int(e.UncertaintySecs) != c.uncertainty || int(e.OffsetMinutes) != c.offsetMin {
			t.Errorf("%s: event %d at %s, %s, ±%d s, %+d min; want %+v", c.file, c.event, at, e.TZSource, e.UncertaintySecs, e.OffsetMinutes, c)
		}
	}
}
