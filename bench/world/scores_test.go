package world

import (
	"math"
	"reflect"
	"testing"
	"time"

	"scantrail/schemas"
)

// scoreCase is one parcel from China to the United States. Times are hours after
// its order, which is 24 h x 7 before its promise; the truth is told at hour now.
type scoreCase struct {
	name       string
	now        int64
	confirmed  int64
	cancelled  bool
	scans      []fact
	counted    bool
	onTime     bool
	pickedUp   bool
	free       bool
	completely float64 // points of completeness
}

func scoreCases() []scoreCase {
	const (
		accepted  = schemas.Accepted
		cleared   = schemas.ExportCleared
		arrived   = schemas.ArrivedDestination
		out       = schemas.OutForDelivery
		delivered = schemas.Delivered
	)
	all := func(end int64) []fact {
		return []fact{{24, accepted}, {60, cleared}, {100, arrived}, {end - 8, out}, {end, delivered}}
	}
	return []scoreCase{
		{"all well", 2000, 2, false, all(140), true, true, true, true, 100},
		{"at the last moment of the grace", 2000, 2, false, append(all(140)[:3:3], fact{148, schemas.InTransit}, fact{184, out}, fact{192, delivered}), true, true, true, true, 100},
		{"an hour later", 2000, 2, false, append(all(140)[:3:3], fact{148, schemas.InTransit}, fact{185, out}, fact{193, delivered}), true, false, true, true, 100},
		{"picked up late", 2000, 2, false, []fact{{80, accepted}, {100, cleared}, {130, arrived}, {150, out}, {160, delivered}}, true, true, false, true, 100},
		{"no export clearance", 2000, 2, false, []fact{{24, accepted}, {60, schemas.DepartedOrigin}, {100, arrived}, {132, out}, {140, delivered}}, true, true, true, true, 80},
		{"at a locker", 2000, 2, false, []fact{{24, accepted}, {60, cleared}, {100, arrived}, {132, schemas.AvailableForPickup}, {140, delivered}}, true, true, true, true, 100},
		// 60 h of silence are 12 too many, of a life of 116 h.
		{"a gap of 60 h", 2000, 2, false, []fact{{24, accepted}, {60, cleared}, {120, arrived}, {132, out}, {140, delivered}}, true, true, true, true, 60 + 40*(1-12.0/116)},
		// 72 h are an exception: 24 too many.
		{"a gap of 72 h", 2000, 2, false, []fact{{24, accepted}, {60, cleared}, {132, arrived}, {138, out}, {140, delivered}}, true, true, true, false, 60 + 40*(1-24.0/116)},
		{"an attempt", 2000, 2, false, append(all(140)[:4:4], fact{136, schemas.DeliveryAttempted}, fact{140, delivered}), true, true, true, false, 100},
		{"not yet mature", 150, 2, false, all(400)[:3], false, false, false, false, 0},
		// Open at its deadline, hour 192: silent since 100, 44 h beyond 48, of a life of
		// 168 h. Out for delivery is not overdue by then: two of two milestones.
		{"stuck", 2000, 2, false, all(400)[:3], true, false, true, false, 60 + 40*(1-44.0/168)},
		{"never scanned", 2000, 2, false, nil, true, false, false, true, 0},
		{"cancelled", 2000, 2, true, all(140), false, false, false, false, 0},
	}
}

func TestScoreOfAParcel(t *testing.T) {
	w := New(Config{Parcels: 1})
	var lane plan
	for i := 0; ; i++ { // any lane from China to the United States
		lane.origin, lane.delivery = uint8(i%len(places)), uint8(i/len(places))
		if places[lane.origin].country == "CN" && places[lane.delivery].country == "US" {
			break
		}
	}
	base := w.from - w.from%hour
	for _, c := range scoreCases() {
		p := lane
		p.created, p.promise = base, 7*day
		o := map[schemas.OrderKind]int64{schemas.OrderCreated: base, schemas.OrderConfirmed: base + c.confirmed*hour, schemas.OrderLabelCreated: base + 5*hour}
		if c.cancelled {
			o[schemas.OrderCancelled] = base + 6*hour
		}
		facts := make([]fact, 0, len(c.scans))
		for _, f := range c.scans {
			facts = append(facts, fact{base + f.at*hour, f.milestone})
		}
		var s Score
		s.order(&p, o, base+c.now*hour)
		s.parcel(&p, o, facts, base+c.now*hour)
		got := []any{s.Counted == 1, s.OnTime == 1, s.PickedUp == 1, s.ExceptionFree == 1}
		want := []any{c.counted, c.onTime, c.pickedUp, c.free}
		if !reflect.DeepEqual(got, want) || math.Abs(s.CompletenessSum-c.completely) > 1e-9 {
			t.Errorf("%s: counted, on time, picked up, exception-free %v, completeness %g; want %v, %g", c.name, got, s.CompletenessSum, want, c.completely)
		}
		if s.ConfirmDue != 1 || s.ConfirmLate != 0 {
			t.Errorf("%s: confirmed late: %d of %d", c.name, s.ConfirmLate, s.ConfirmDue)
		}
	}
}

// TestScores: every parcel counts in one week of one shop, shares lie within their
// bounds, and a world without trouble is better than one with it.
func TestScores(t *testing.T) {
	w := New(Config{Seed: 3, Parcels: 2000})
	scores, truth := w.Scores(), w.Truth()
	parcels := 0
	for i := range scores {
		s := &scores[i]
		parcels += s.Orders
		if s.Week.Weekday() != time.Monday || s.Counted+s.Open > s.Parcels || s.Parcels > s.Orders || s.OnTime > s.OnTimeDue || s.PickedUp > s.PickupDue ||
			s.ExceptionFree > s.Counted || s.Completeness() > 100 || s.LTS() < 0 || s.LTS() > 100+1e-9 {
			t.Errorf("%+v", s)
		}
	}
	if parcels != truth.Parcels {
		t.Errorf("%d orders count, want %d", parcels, truth.Parcels)
	}
	if !reflect.DeepEqual(scores, w.Scores()) {
		t.Error("the same world has other scores")
	}
	worst, best := 101.0, 0.0
	for i := range scores {
		if scores[i].Counted > 5 {
			worst, best = min(worst, scores[i].LTS()), max(best, scores[i].LTS())
		}
	}
	if worst > 75 || best < 90 {
		t.Errorf("scores lie in %.1f to %.1f: shops should differ", worst, best)
	}
}

func TestMonday(t *testing.T) {
	for at, want := range map[string]string{
		"2026-11-15T23:59:59Z": "2026-11-09", "2026-11-16T00:00:00Z": "2026-11-16", "2026-11-18T12:00:00Z": "2026-11-16",
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(monday(when.Unix()), 0).UTC().Format(time.DateOnly); got != want {
			t.Errorf("%s is in the week of %s, want %s", at, got, want)
		}
	}
}
