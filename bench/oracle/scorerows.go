package oracle

import (
	"slices"
	"time"

	"scantrail/schemas"
)

// Scores is what a row holds for scores alone. Times are Unix seconds, 0 where
// there is none.
type Scores struct {
	FirstScan, Promised, DeliverBy, PickupBy, CollectBy, ExceptionAt int64
	Exception                                                        uint8
	Day                                                              string // 2026-10-05
}

func (j *judge) scoreColumns(o *order) (s Scores) {
	off := j.holidays(o)
	by := func(a int64, rule string, off []interval) int64 {
		if d := j.p.Deadlines[rule]; a != never && d.After != (Span{}) {
			return j.after(a, d.After, off)
		}
		return 0
	}
	promised, _ := j.promised(o)
	since, _ := j.pickupAnchor(o)
	s.Promised, s.DeliverBy = zero(promised), by(promised, "delivered_late", nil)
	s.PickupBy = by(since, "pickup_late", off)
	if o.source == "platform" {
		s.CollectBy = by(o.first(schemas.OrderReadyToShip), "carrier_pickup_late", off)
	}
	if step := j.life.find(func(s *step) bool { return slices.Contains(exceptional, s.milestone) }); step != nil {
		s.Exception, s.ExceptionAt = step.milestone, step.at
	}
	day := o.first(schemas.OrderCreated)
	if len(j.life.all) > 0 {
		s.FirstScan = j.life.all[0].at
	}
	switch {
	case day != never:
	case s.FirstScan != 0:
		day = s.FirstScan
	case len(o.facts) > 0:
		day = o.facts[0].At / 1000
	}
	s.Day = time.Unix(day, 0).In(j.p.Zone).Format(time.DateOnly)
	return s
}
