package query_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"scantrail/cmd/scantrail/query"
	"scantrail/cmd/scantrail/query/querytest"
)

const aShop = "shop-01"

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6 }

// ask returns the answer to a question about the world.
func ask[T any](t *testing.T, question func(*query.Queries) (T, error)) T {
	t.Helper()
	answer, err := question(query.New(querytest.Start(t).Rows))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func value[T any](t *testing.T, sql string, args ...any) (v T) {
	t.Helper()
	if err := querytest.Start(t).Rows.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// Every week of every shop is there, with what the rules say of it.
func TestShopWeeks(t *testing.T) {
	weeks := ask(t, func(q *query.Queries) ([]query.ShopWeek, error) { return q.ShopWeeks(t.Context()) })
	want := value[[]string](t, `SELECT groupArray(x) FROM (SELECT format('{} {} {} of {}: {}', shop_id, toString(week), toString(counted_parcels), toString(parcels),
		if(isNull(lts), '-', printf('%.6f', assumeNotNull(lts)))) AS x FROM lts_weekly WHERE shop_id != '' ORDER BY shop_id, week)`)
	if len(weeks) != len(want) || len(want) < 15 {
		t.Fatalf("%d weeks, want %d, at least 15", len(weeks), len(want))
	}
	breached := 0
	for i, w := range weeks {
		lts := "-"
		if w.LTS != nil {
			lts = fmt.Sprintf("%.6f", *w.LTS)
		}
		if got := fmt.Sprintf("%s %s %d of %d: %s", w.Shop, w.Week.Format(time.DateOnly), w.Counted, w.Parcels, lts); got != want[i] {
			t.Errorf("%s, want %s", got, want[i])
		}
		if w.LTS != nil && (w.LTSRequired != 75 || w.CompletenessRequired != 85 || w.PickupRequired != 90) {
			t.Errorf("%s %s: thresholds %d, %d, %d", w.Shop, w.Week, w.LTSRequired, w.CompletenessRequired, w.PickupRequired)
		}
		breached += len(w.Breached)
	}
	if want := value[uint64](t, "SELECT countIf(breached) FROM shop_consequences"); uint64(breached) != want || want == 0 {
		t.Errorf("%d thresholds missed, want %d, not 0", breached, want)
	}
}

// The parts add up to the score, and what is lost to the rest of 100.
func TestScores(t *testing.T) {
	scores := ask(t, func(q *query.Queries) ([]query.Score, error) { return q.Scores(t.Context(), aShop) })
	if len(scores) < 5 {
		t.Fatalf("%d weeks", len(scores))
	}
	compared := 0
	for _, s := range scores[1:4] {
		if s.LTS == nil {
			continue
		}
		if sum := (s.OnTimePoints + s.CompletenessPoints + s.PickupPoints + s.ExceptionFreePoints) * 100 / float64(s.Weight); !near(sum, *s.LTS) {
			t.Errorf("%s: parts add up to %f, LTS is %f", s.Week, sum, *s.LTS)
		}
		losses := ask(t, func(q *query.Queries) ([]query.Loss, error) { return q.Explain(t.Context(), aShop, s.Week) })
		lost := 0.
		for i, l := range losses {
			lost += l.Points
			if int(l.Rows) != len(losses) || i > 0 && l.Points > losses[i-1].Points {
				t.Errorf("%s: row %d of %d says %d rows, %f points", s.Week, i, len(losses), l.Rows, l.Points)
			}
		}
		if !near(lost, 100-*s.LTS) || len(losses) > 0 && !near(losses[0].Total, lost) {
			t.Errorf("%s: %f points explained, LTS is %f", s.Week, lost, *s.LTS)
		}
		compared += len(losses)
	}
	if compared < 10 {
		t.Errorf("%d losses in all", compared)
	}
}

// Under the policy that judged it a week is what it is.
func TestWhatIf(t *testing.T) {
	policies := ask(t, func(q *query.Queries) ([]query.PolicyVersion, error) { return q.PolicyVersions(t.Context()) })
	if len(policies) < 2 {
		t.Fatalf("%d policies", len(policies))
	}
	is := ask(t, func(q *query.Queries) ([]query.Score, error) { return q.Scores(t.Context(), aShop) })
	mixed := map[string]bool{} // weeks whose parcels several policies judged
	for _, w := range value[[]string](t, "SELECT groupArray(toString(week)) FROM lts_weekly WHERE shop_id = @shop AND length(policies) > 1", clickhouse.Named("shop", aShop)) {
		mixed[w] = true
	}
	changed, own := 0, 0
	for _, p := range policies {
		would := ask(t, func(q *query.Queries) ([]query.Score, error) { return q.WhatIf(t.Context(), aShop, p.Number, p.Policy) })
		if len(would) != len(is) {
			t.Fatalf("%s: %d weeks, want %d", p.Policy, len(would), len(is))
		}
		for i := range is {
			if is[i].LTS == nil || would[i].LTS == nil {
				continue
			}
			same := near(*is[i].LTS, *would[i].LTS)
			if p.Policy != is[i].Policy || mixed[is[i].Week.Format(time.DateOnly)] {
				// judged by another one
			} else if own++; !same {
				t.Errorf("%s under its own policy: %f, is %f", is[i].Week, *would[i].LTS, *is[i].LTS)
			}
			if !same {
				changed++
			}
		}
	}
	if changed == 0 || own == 0 {
		t.Errorf("policies change %d weeks, and %d were judged by one alone", changed, own)
	}
}

func TestShopDetails(t *testing.T) {
	scores := ask(t, func(q *query.Queries) ([]query.Score, error) { return q.Scores(t.Context(), aShop) })
	week := scores[len(scores)-2].Week
	at := []any{clickhouse.Named("shop", aShop), clickhouse.Named("week", week.Format(time.DateOnly))}
	var missing, late int
	for _, m := range ask(t, func(q *query.Queries) ([]query.Milestone, error) { return q.Milestones(t.Context(), aShop, week) }) {
		missing += int(m.Missing)
	}
	if want := value[uint64](t, "SELECT sum(length(missing_milestones)) FROM completeness_parcel WHERE counted AND shop_id = @shop AND week = toDate(@week)", at...); uint64(missing) != want || want == 0 {
		t.Errorf("%d milestones are missing, want %d, not 0", missing, want)
	}
	for _, l := range ask(t, func(q *query.Queries) ([]query.LateFulfilment, error) { return q.LateFulfilment(t.Context(), aShop) }) {
		late += int(l.LateParcels) + int(l.LateOrders)
	}
	if want := value[int64](t, "SELECT toInt64(sum(promised_parcels + late_orders) - sum(on_time_parcels)) FROM lts_weekly WHERE shop_id = @shop", at[:1]...); int64(late) != want {
		t.Errorf("%d late, want %d", late, want)
	}
	lane := ask(t, func(q *query.Queries) (query.WithoutLane, error) {
		return q.WithoutLane(t.Context(), aShop, week, "CN", "US")
	})
	if want := value[uint64](t, "SELECT countIf(counted) FROM parcel_outcomes WHERE shop_id = @shop AND week = toDate(@week)", at...); lane.LaneParcels+lane.OtherParcels != want {
		t.Errorf("%d parcels of the lane and %d others, want %d in all", lane.LaneParcels, lane.OtherParcels, want)
	}
	for _, text := range []string{"'; DROP TABLE parcels; --", `\`, "it's", "\x00"} { // what users write is a value, whatever is in it
		if got := ask(t, func(q *query.Queries) ([]query.Score, error) { return q.Scores(t.Context(), text) }); len(got) != 0 {
			t.Errorf("%q has scores", text)
		}
	}
}
