package carriers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// givenB is what an expert reads in the collected answers of these carriers:
// the milestones in the order of the answer, and what is rejected.
var givenB = []struct {
	file       string
	key        string // of the raw record
	milestones string
	aliases    int
	rejected   []Reason
}{
	{file: "dpd/karrio_tracking_response.xml", rejected: []Reason{NoNumber}}, // only the request names the parcel
	{file: "dpd/karrio_tracking_response.xml", key: "05308801410058", milestones: `in_transit in_transit
		delivery_facility_arrived out_for_delivery out_for_delivery delivery_attempted delivery_attempted
		available_for_pickup available_for_pickup available_for_pickup available_for_pickup
		out_for_delivery out_for_delivery accepted delivery_facility_arrived`},
	{file: "laposte/karrio_tracking_response.json", milestones: `delivered delivery_facility_arrived in_transit
		arrived_destination handed_to_linehaul in_transit in_transit accepted label_created`},
	{file: "gls/karrio_tracking_response.json", milestones: "accepted label_created"},
	{file: "hermes/karrio_tracking_response.json", milestones: "label_created in_transit out_for_delivery delivered"},
	{file: "geodis/karrio_tracking_response.json", milestones: `return_started held in_transit info
		origin_facility_departed accepted info`},
	{file: "mydhl/karrio_tracking_response.json", milestones: "delivered accepted"},
	{file: "landmark/karrio_delivered_tracking_response.xml", aliases: 2,
		milestones: "label_created import_cleared in_transit out_for_delivery delivered"},
	{file: "landmark/karrio_delivery_failed_tracking_response.xml", aliases: 2,
		milestones: "label_created in_transit in_transit delivery_attempted delivery_attempted"},
	{file: "landmark/karrio_early_stage_tracking_response.xml", aliases: 2,
		milestones: "label_created label_created label_created label_created label_created"},
	{file: "landmark/karrio_in_transit_tracking_response.xml", aliases: 2,
		milestones: "label_created label_created export_customs_started in_transit"},
	{file: "landmark/karrio_midnight_time_sorting_response.xml", aliases: 2, milestones: `label_created
		origin_facility_arrived label_created origin_facility_arrived departed_origin origin_facility_departed
		in_transit in_transit in_transit departed_origin import_cleared arrived_destination
		destination_facility_departed delivery_facility_arrived arrived_destination delivered`},
	{file: "landmark/karrio_multi_leg_delivered_tracking_response.xml", aliases: 2, milestones: `label_created
		origin_facility_arrived info departed_origin origin_facility_arrived origin_facility_arrived delivered`},
	{file: "landmark/karrio_out_for_delivery_tracking_response.xml", aliases: 2, milestones: `label_created
		destination_facility_arrived destination_facility_arrived in_transit out_for_delivery`},
	{file: "landmark/karrio_to_be_routed_tracking_response.xml", aliases: 2, milestones: "label_created"},
	{file: "landmark/karrio_tracking_response.xml", aliases: 2, milestones: "in_transit in_transit"}, // customs of no stated lane
	{file: "easypost/easypost_go_TrackerAll.json", milestones: strings.Repeat("label_created ", 10)},
	{file: "easypost/easypost_go_TrackerCreate.json", milestones: "label_created label_created"},
	{file: "easypost/easypost_go_TrackerRetrieve.json", milestones: "label_created label_created"},
	{file: "easypost/easypost_go_TrackerRetrieveBatch.json", milestones: "label_created label_created"},
	{file: "easypost/karrio_tracking_response.json", milestones: "label_created label_created"},
	{file: "easyship/karrio_tracking_response.json"}, // placeholders in place of numbers, no scans
	{file: "hay_post/karrio_tracking_response.json", milestones: "label_created"},
	{file: "locate2u/karrio_tracking_response.json", milestones: "label_created"},
	{file: "nationex/karrio_tracking_response.json", milestones: "label_created delivery_attempted"},
	{file: "eshipper/karrio_tracking_response.json", rejected: []Reason{NoNumber}}, // placeholders alone
}

func TestGivenB(t *testing.T) {
	dir := payloads(t)
	d := load(t).NewDecoder(Limits{})
	seen := map[string]bool{}
	for _, want := range givenB {
		carrier, _, _ := strings.Cut(want.file, "/")
		seen[want.file] = true
		raw, err := os.ReadFile(filepath.Join(dir, want.file))
		if err != nil {
			t.Fatal(err)
		}
		got := d.Decode(carrier, raw, Source{Key: []byte(want.key)})
		var milestones []string
		for i := range got.Events {
			milestones = append(milestones, got.Events[i].Milestone.String())
		}
		var reasons []Reason
		for _, r := range got.Rejected {
			reasons = append(reasons, r.Reason)
		}
		if !slices.Equal(milestones, strings.Fields(want.milestones)) || !slices.Equal(reasons, want.rejected) || len(got.Aliases) != want.aliases {
			t.Errorf("%s with key %q: %d aliases, rejected %v\n%s", want.file, want.key, len(got.Aliases), reasons, describe(got))
		}
	}
	for file := range seen { // every answer of these carriers is listed
		files, err := filepath.Glob(filepath.Join(dir, filepath.Dir(file), "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if name := filepath.Dir(file) + "/" + filepath.Base(f); !seen[name] {
				t.Errorf("%s: nobody has read it", name)
			}
		}
	}
}

// TestGivenBBits: every scan has a meaning, customs statuses are progress and not
// physical, announcements are neither.
func TestGivenBBits(t *testing.T) {
	dir := payloads(t)
	d := load(t).NewDecoder(Limits{})
	for _, g := range givenB {
		carrier, _, _ := strings.Cut(g.file, "/")
		raw, err := os.ReadFile(filepath.Join(dir, g.file))
		if err != nil {
			t.Fatal(err)
		}
		got := d.Decode(carrier, raw, Source{Key: []byte(g.key)})
		for i := range got.Events {
			e := &got.Events[i]
			if e.Rule == "none" || e.Milestone == 0 {
				t.Errorf("%s: event %d, code %q text %q, has no meaning", g.file, i, e.RawCode, e.RawText)
			}
			customs := strings.Contains(e.Milestone.String(), "customs") || strings.HasSuffix(e.Milestone.String(), "_cleared")
			if customs && (e.Physical || !e.Progress) {
				t.Errorf("%s: event %d, %s: physical %v, progress %v", g.file, i, e.Milestone, e.Physical, e.Progress)
			}
			if !e.Milestone.Progress() && (e.Physical || e.Progress) {
				t.Errorf("%s: event %d, %s, counts as a scan", g.file, i, e.Milestone)
			}
		}
	}
}
