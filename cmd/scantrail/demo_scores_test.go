package main

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// trueScores compares the scores of every shop and week with the true ones.
func (d *demo) trueScores(t *testing.T) {
	t.Helper()
	rows, err := d.pipeline.rows.Query(t.Context(), `SELECT shop_id, week, parcels, open_parcels, counted_parcels, promised_parcels + late_orders, on_time_parcels,
		pickup_due_parcels, pickup_on_time_parcels, exception_free_parcels, orders, confirm_due_orders, confirm_late_orders, weight,
		ifNull(completeness, 0), ifNull(lts, 0) FROM lts_weekly WHERE shop_id != '' ORDER BY shop_id, week`)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][2]float64{}
	counts := map[string]string{}
	for rows.Next() {
		var shop string
		var week time.Time
		var n [11]uint64
		var weight uint8
		var completeness, lts float64
		dst := []any{&shop, &week}
		for i := range n {
			dst = append(dst, &n[i])
		}
		if err := rows.Scan(append(dst, &weight, &completeness, &lts)...); err != nil {
			t.Fatal(err)
		}
		key := shop + " " + week.Format(time.DateOnly)
		got[key], counts[key] = [2]float64{completeness, lts}, fmt.Sprint(n, weight)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	truth := d.world.Scores()
	for i := range truth {
		s := &truth[i]
		key := s.ShopID + " " + s.Week.Format(time.DateOnly)
		want := fmt.Sprint([]int{s.Parcels, s.Open, s.Counted, s.OnTimeDue, s.OnTime, s.PickupDue, s.PickedUp, s.ExceptionFree, s.Orders, s.ConfirmDue, s.ConfirmLate}, s.Weight)
		if counts[key] != want {
			t.Errorf("%s: parcels, open, counted, on time due, on time, pickup due, picked up, exception-free, orders, confirm due, late, weight: %s, want %s", key, counts[key], want)
		}
		if g := got[key]; math.Abs(g[0]-s.Completeness()) > 1e-6 || math.Abs(g[1]-s.LTS()) > 1e-6 {
			t.Errorf("%s: completeness %.6f, LTS %.6f; want %.6f, %.6f", key, g[0], g[1], s.Completeness(), s.LTS())
		}
	}
	if len(got) != len(truth) || len(truth) < 40 {
		t.Errorf("%d shops and weeks, want %d, at least 40", len(got), len(truth))
	}
}
