package query

import (
	"slices"
	"strconv"
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
	silence, err := q.Silence(ctx, SilenceFilter{}, ByTimeLeft, 0, 1000)
	must(t, err)
	var total SilenceGroup
	for _, g := range silence.Groups {
		total.Open, total.AtRisk, total.Level1, total.Level2 = total.Open+g.Open, total.AtRisk+g.AtRisk, total.Level1+g.Level1, total.Level2+g.Level2
	}
	if stalled == 0 || total.Level1+total.Level2 != stalled || total.Level2 != worst || total.AtRisk == 0 {
		t.Errorf("%+v, but stalled_now has %d, of these %d at level 2", total, stalled, worst)
	}
	list := silence.Parcels
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

// A page is the part of the whole list that it should be, which one plain query
// gives, and the counts are those of the parcels in it.
func TestSilencePages(t *testing.T) {
	w := querytest.Start(t)
	q, ctx := New(w.Rows), t.Context()
	list := func(f SilenceFilter, order string) (all []SilentParcel) {
		must(t, q.EachSilent(ctx, f, order, 1000, func(p *SilentParcel) error { all = append(all, *p); return nil }))
		return all
	}
	every := list(SilenceFilter{}, ByTimeLeft)
	first, groups, largest := every[0], map[SilenceFilter]int{}, SilenceFilter{}
	for _, p := range every {
		f := SilenceFilter{Stage: p.Stage, Carrier: p.Carrier, Market: p.Market}
		if groups[f]++; groups[f] > groups[largest] {
			largest = f
		}
	}
	if groups[largest] < 2 {
		t.Error("no stage, carrier and market have two parcels")
	}
	for name, f := range map[string]SilenceFilter{
		"nothing": {}, "stage": {Stage: first.Stage}, "carrier": {Carrier: first.Carrier}, "market": {Market: first.Market},
		"shop": {Shop: first.ShopID}, "level": {Level: "2"}, "rule": {Rule: "gap_72h"}, "group": largest, "a shop that does not exist": {Shop: "' OR 1 = 1 --"},
		"all": {Stage: first.Stage, Carrier: first.Carrier, Market: first.Market, Shop: first.ShopID, Level: strconv.Itoa(int(first.Level))},
	} {
		for _, order := range []string{ByTimeLeft, BySilence} {
			want := list(f, order)
			if name != "nothing" && len(want) >= len(every) || len(want) == 0 && f.Shop == "" {
				t.Errorf("filter by %s: %d of %d", name, len(want), len(every))
			}
			for _, page := range [][2]int{{0, 3}, {1, 1}, {len(want) / 2, 7}, {len(want), 3}} {
				offset, size := page[0], page[1]
				got, err := q.Silence(ctx, f, order, offset, size)
				must(t, err)
				if offset == 0 && order == ByTimeLeft {
					checkGroups(t, w, f, got.Groups, list(SilenceFilter{Shop: f.Shop, Rule: f.Rule}, order))
				}
				if list := want[min(offset, len(want)):min(offset+size, len(want))]; !slices.Equal(got.Parcels, list) {
					t.Errorf("filter by %s, order %q, from %d: %+v, want %+v", name, order, offset, got.Parcels, list)
				}
			}
		}
	}
}

func checkGroups(t *testing.T, w *querytest.World, f SilenceFilter, got []SilenceGroup, silent []SilentParcel) {
	t.Helper()
	want := map[[3]string]*SilenceGroup{}
	for _, p := range silent {
		key := [3]string{p.Stage, p.Carrier, p.Market}
		if want[key] == nil {
			want[key] = &SilenceGroup{}
		}
		*[]*uint64{&want[key].AtRisk, &want[key].Level1, &want[key].Level2}[p.Level]++
	}
	var open, underWay uint64
	for _, g := range got {
		open += g.Open
		k := [3]string{g.Stage, g.Carrier, g.Market}
		if x := want[k]; x != nil && (g.AtRisk != x.AtRisk || g.Level1 != x.Level1 || g.Level2 != x.Level2) || x == nil && g.AtRisk+g.Level1+g.Level2 > 0 {
			t.Errorf("%+v, want %+v", g, x)
		}
		delete(want, k)
	}
	must(t, w.Rows.QueryRow(t.Context(), `SELECT count() FROM parcels FINAL WHERE ended_at IS NULL AND cancelled_at IS NULL AND (? = '' OR shop_id = ?)
		AND (? = '' OR parcel_id IN (SELECT parcel_id FROM open_alerts WHERE rule = ?))`, f.Shop, f.Shop, f.Rule, f.Rule).Scan(&underWay))
	if len(want) > 0 || open != underWay {
		t.Errorf("groups %v are missing, %d of %d are counted", want, open, underWay)
	}
}

// A parcel is found by each of its numbers and by its order, with all that was said
// of it.
func TestParcel(t *testing.T) {
	w := querytest.Start(t)
	q, ctx := New(w.Rows), t.Context()
	number, other := querytest.Linked, querytest.LinkedOther
	there, err := q.LinkedNumbers(ctx, number)
	must(t, err)
	back, err := q.LinkedNumbers(ctx, other)
	must(t, err)
	if len(there) != 2 || there[0] != number || back[0] != other || back[1] != number {
		t.Errorf("%s is linked with %s, but they name %q and %q", number, other, there, back)
	}
	lives, err := q.Lives(ctx, there)
	must(t, err)
	if len(lives) != 1 || lives[0].Policy == "" {
		t.Fatalf("lives of %s: %+v", number, lives)
	}
	if again, err := q.Lives(ctx, []string{querytest.Reused}); err != nil || len(again) != 2 || again[0].EndMilestone != "delivered" || again[1].EndedAt != nil {
		t.Errorf("lives of a number that was used again: %v %+v", err, again)
	}
	must(t, w.Rows.QueryRow(ctx, `SELECT tracking_number FROM parcels WHERE order_id != '' AND length(carriers) > 1 AND tracking_number IN
		(SELECT tracking_number FROM scans GROUP BY tracking_number HAVING count() > uniqExact(fact_id)) ORDER BY tracking_number LIMIT 1`).Scan(&number))
	there, err = q.LinkedNumbers(ctx, number)
	must(t, err)
	lives, err = q.Lives(ctx, there)
	must(t, err)
	life := lives[0]
	byOrder, err := q.LivesOfOrder(ctx, life.OrderID)
	must(t, err)
	if len(byOrder) != 1 || byOrder[0].ParcelID != life.ParcelID {
		t.Errorf("by order %s: %+v", life.OrderID, byOrder)
	}
	order, err := q.Order(ctx, life.ShopID, life.OrderID)
	must(t, err)
	if order == nil || order.CreatedAt == nil {
		t.Errorf("order %s of %s: %+v", life.OrderID, life.ShopID, order)
	}
	scans, cut, err := q.Trail(ctx, there)
	must(t, err)
	zones, copies := 0, uint64(0)
	for _, s := range scans {
		copies += s.Copies
		if s.UTCOffsetMinutes != 0 {
			zones++
		}
	}
	var rows, distinct uint64
	must(t, w.Rows.QueryRow(ctx, "SELECT count(), uniqExact(fact_id) FROM parcel_trail WHERE tracking_number = ?", number).Scan(&rows, &distinct))
	if uint64(len(scans)) != distinct || copies != rows || rows == distinct || cut || zones == 0 {
		t.Errorf("%d of %d scans, %d of %d rows, %d with an offset, cut %v", len(scans), distinct, copies, rows, zones, cut)
	}
	policy, err := q.PolicyOf(ctx, life.PolicyNumber, life.Policy)
	must(t, err)
	if policy == nil || len(policy.Milestones) == 0 {
		t.Errorf("policy %s %d: %+v", life.Policy, life.PolicyNumber, policy)
	}
}

func TestParcelAlerts(t *testing.T) {
	w := querytest.Start(t)
	q, ctx := New(w.Rows), t.Context()
	var number string
	must(t, w.Rows.QueryRow(ctx, "SELECT tracking_number FROM alerts_current WHERE rule = 'gap_72h' AND status = 'resolved' ORDER BY tracking_number LIMIT 1").Scan(&number))
	alerts, err := q.ParcelAlerts(ctx, []string{number}, "", "")
	must(t, err)
	var ids []uuid.UUID
	for _, a := range alerts {
		ids = append(ids, a.AlertID)
	}
	all, err := q.TransitionsOf(ctx, ids)
	must(t, err)
	for _, a := range alerts {
		steps := all[a.AlertID]
		if len(steps) == 0 || steps[len(steps)-1].Status != a.Status {
			t.Errorf("alert %+v went through %+v", a, steps)
		}
		if a.Rule == "gap_72h" && (len(steps) < 3 || steps[0].Status != "at_risk") {
			t.Errorf("a gap that was seen as it grew went through %+v", steps)
		}
	}
}
