package query_test

import (
	"testing"

	"scantrail/cmd/scantrail/query"
)

// Without a filter the cells are those of lane_heatmap; by market they add up to it.
func TestLaneStages(t *testing.T) {
	of := func(f query.LaneFilter) []query.LaneStage {
		return ask(t, func(q *query.Queries) ([]query.LaneStage, error) { return q.LaneStages(t.Context(), f) })
	}
	const same = `SELECT count() FROM
		(SELECT * FROM lane_heatmap EXCEPT SELECT * FROM lane_heatmap_of(carrier = '', market = '', weeks = 8))`
	all := of(query.LaneFilter{Weeks: 8})
	if n := value[uint64](t, same); n != 0 {
		t.Errorf("%d cells differ from lane_heatmap", n)
	}
	if want := value[uint64](t, "SELECT count() FROM lane_heatmap"); uint64(len(all)) != want || want < 10 {
		t.Fatalf("%d cells, want %d, at least 10", len(all), want)
	}
	sum := func(cells []query.LaneStage) (s [5]uint64) {
		for _, c := range cells {
			s[0], s[1], s[2], s[3], s[4] = s[0]+c.Entered, s[1]+c.Due, s[2]+c.Observed, s[3]+c.Gaps, s[4]+c.Stalled
		}
		return s
	}
	markets := value[[]string](t, "SELECT groupUniqArray(toString(if(market = '', destination, market))) FROM parcel_measures")
	var parts [5]uint64
	for _, m := range markets {
		for i, n := range sum(of(query.LaneFilter{Weeks: 8, Market: m})) {
			parts[i] += n
		}
	}
	if parts != sum(all) || parts[3] == 0 || parts[4] == 0 {
		t.Errorf("by market the cells add up to %v, want %v without zeros", parts, sum(all))
	}
	last, one := of(query.LaneFilter{Weeks: 1}), of(query.LaneFilter{Weeks: 8, Carrier: "usps"})
	if a, b, c := sum(last)[0], sum(one)[0], sum(all)[0]; a == 0 || a >= c || b == 0 || b >= c {
		t.Errorf("entered: %d in a week, %d with one carrier, %d in all", a, b, c)
	}
	for _, n := range ask(t, func(q *query.Queries) ([]query.LaneNow, error) { return q.LanesNow(t.Context()) }) {
		if n.Stalled == 0 || n.SilentSince == nil || n.Carrier == "" {
			t.Errorf("%+v", n)
		}
	}
	silent := ask(t, func(q *query.Queries) ([]query.LaneParcel, error) {
		return q.LaneParcels(t.Context(), "CN", "US", query.LaneFilter{}, 1, 2)
	})
	want := value[uint64](t, "SELECT count() FROM stalled_now WHERE origin = 'CN' AND destination = 'US'")
	if want < 3 || len(silent) != 2 || silent[0].Rows != want || silent[0].Hours < silent[1].Hours {
		t.Errorf("the second and third of %d silent parcels: %+v", want, silent)
	}
}
