package query_test

import (
	"slices"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"scantrail/cmd/scantrail/query"
)

func TestCarriers(t *testing.T) {
	cards := ask(t, func(q *query.Queries) ([]query.CarrierCard, error) { return q.CarrierCards(t.Context()) })
	if want := value[uint64](t, "SELECT count() FROM carrier_scorecard"); uint64(len(cards)) != want || want < 5 {
		t.Fatalf("%d carriers, want %d, at least 5", len(cards), want)
	}
	if !slices.IsSortedFunc(cards, func(a, b query.CarrierCard) int { return int(b.Parcels) - int(a.Parcels) }) {
		t.Error("those with most parcels do not come first")
	}
	unmapped, dead := 0, uint64(0)
	for _, card := range cards {
		name := clickhouse.Named("carrier", card.Carrier)
		codes := ask(t, func(q *query.Queries) ([]query.UnmappedCode, error) {
			return q.UnmappedCodes(t.Context(), card.Carrier)
		})
		scans := uint64(0)
		for _, c := range codes {
			scans += c.Scans
			if len(c.Numbers) == 0 || len(c.Texts) == 0 || c.First.After(c.Last) {
				t.Errorf("%s %s: %+v", card.Carrier, c.Code, c)
			}
		}
		if want := value[uint64](t, "SELECT uniqExact(fact_id) FROM scans WHERE milestone = 'unmapped' AND carrier = @carrier", name); scans != want {
			t.Errorf("%s: %d unmapped scans, want %d", card.Carrier, scans, want)
		}
		unmapped += len(codes)
		for _, d := range ask(t, func(q *query.Queries) ([]query.DeadReason, error) { return q.DeadReasons(t.Context(), card.Carrier) }) {
			dead += d.Count
		}
		parcels := uint64(0)
		for _, l := range ask(t, func(q *query.Queries) ([]query.CarrierLane, error) {
			return q.CarrierLanes(t.Context(), card.Carrier, 8)
		}) {
			parcels += l.Parcels
		}
		if want := value[uint64](t, `SELECT count() FROM parcel_measures WHERE @carrier IN (carrier, first_carrier)
			AND last_progress_at > (SELECT clock FROM log_clock) - toIntervalWeek(8)`, name); parcels != want {
			t.Errorf("%s: %d parcels on its lanes, want %d", card.Carrier, parcels, want)
		}
		hours := ask(t, func(q *query.Queries) ([]query.FeedHour, error) { return q.FeedHours(t.Context(), card.Carrier) })
		if want := value[uint64](t, "SELECT count() FROM feed_lag WHERE carrier = @carrier", name); uint64(len(hours)) != want {
			t.Errorf("%s: %d hours of the week, want %d", card.Carrier, len(hours), want)
		}
		weeks := ask(t, func(q *query.Queries) ([]query.CarrierWeek, error) { return q.CarrierWeeks(t.Context(), card.Carrier) })
		if want := value[uint64](t, "SELECT count() FROM completeness_carrier WHERE carrier = @carrier", name); uint64(len(weeks)) != want {
			t.Errorf("%s: %d weeks, want %d", card.Carrier, len(weeks), want)
		}
	}
	if want := value[uint64](t, "SELECT count() FROM dead_letters FINAL WHERE carrier IN (SELECT carrier FROM carrier_scorecard)"); dead != want || unmapped == 0 {
		t.Errorf("%d dead letters, want %d; %d unmapped codes, want some", dead, want, unmapped)
	}
	names := ask(t, func(q *query.Queries) ([]string, error) { return q.CarrierNames(t.Context()) })
	if len(names) < 5 || !slices.IsSorted(names) {
		t.Errorf("names of carriers: %v", names)
	}
}
