package query

import (
	"testing"

	"github.com/google/uuid"

	"scantrail/cmd/scantrail/query/querytest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What the page counts is what the published view stalled_now says.
func TestSilence(t *testing.T) {
	w := querytest.Start(t)
	q, ctx := New(w.Rows), t.Context()
	var stalled, worst uint64
	must(t, w.Rows.QueryRow(ctx, "SELECT count(), countIf(level = 2) FROM stalled_now").Scan(&stalled, &worst))
	groups, err := q.SilenceGroups(ctx, SilenceFilter{})
	must(t, err)
	var total SilenceGroup
	for _, g := range groups {
		total.Open, total.AtRisk, total.Level1, total.Level2 = total.Open+g.Open, total.AtRisk+g.AtRisk, total.Level1+g.Level1, total.Level2+g.Level2
	}
	if stalled == 0 || total.Level1+total.Level2 != stalled || total.Level2 != worst || total.AtRisk == 0 {
		t.Errorf("%+v, but stalled_now has %d, of these %d at level 2", total, stalled, worst)
	}
	list, err := q.Silent(ctx, SilenceFilter{}, ByTimeLeft, 0, 1000)
	must(t, err)
	if uint64(len(list)) != stalled+total.AtRisk {
		t.Errorf("%d listed, %d counted", len(list), stalled+total.AtRisk)
	}
	var ids []uuid.UUID
	for i, p := range list {
		ids = append(ids, p.ParcelID)
		if i == 0 {
			continue
		}
		before := list[i-1]
		if before.Level == 2 && p.Level < 2 || p.Level < 2 && before.LeftSecs > p.LeftSecs || p.Level < 2 && p.LeftSecs < 0 {
			t.Errorf("out of order: %+v before %+v", before, p)
		}
	}
	concerns, err := q.Concerns(ctx, ids)
	must(t, err)
	for _, p := range list {
		if c := concerns[p.ParcelID]; p.Level > 0 && c.Rule != "gap_48h" && c.Rule != "gap_72h" {
			t.Errorf("%s is silent for %d s, and its alert is %+v", p.TrackingNumber, p.SilentSecs, c)
		}
	}
	first := list[0]
	for name, f := range map[string]SilenceFilter{
		"stage": {Stage: first.Stage}, "carrier": {Carrier: first.Carrier}, "market": {Market: first.Market},
		"shop": {Shop: first.ShopID}, "level": {Level: "2"}, "rule": {Rule: "gap_72h"},
	} {
		some, err := q.Silent(ctx, f, BySilence, 0, 1000)
		must(t, err)
		if len(some) == 0 || len(some) >= len(list) {
			t.Errorf("filter by %s: %d of %d", name, len(some), len(list))
		}
	}
	nobody, err := q.Silent(ctx, SilenceFilter{Shop: "' OR 1 = 1 --"}, ByTimeLeft, 0, 10)
	must(t, err)
	if len(nobody) > 0 {
		t.Errorf("a shop that does not exist has %d parcels", len(nobody))
	}
	rules, err := q.OpenRules(ctx, SilenceFilter{})
	must(t, err)
	var alerts, open uint64
	for _, r := range rules {
		alerts += r.Alerts
	}
	must(t, w.Rows.QueryRow(ctx, "SELECT count() FROM open_alerts").Scan(&open))
	if alerts != open || open == 0 {
		t.Errorf("%d alerts by rule, %d open", alerts, open)
	}
}
