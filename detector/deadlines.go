package detector

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"scantrail/schemas"
)

// lateRule is a compiled deadline rule; the zero value is off.
type lateRule struct {
	on   bool
	days int // working days, or
	secs uint32
	warn uint32
	from schemas.OrderKind // the anchor, where the rule leaves a choice
}

// The families of deadline rules are the last but one, in one piece.
const (
	firstDeadlineRule = pickupLate
	numDeadlineRules  = cancelUnhandled - firstDeadlineRule + 1
)

func (r *rules) rule(f family) *lateRule { return &r.late[f-firstDeadlineRule] }

// promise is a time from the order to the promised delivery.
type promise struct {
	markets []uint16 // none: any
	within  lateRule
}

// compileDeadlines compiles what counts from one time to another.
func (r *rules) compileDeadlines(p *schemas.Policy) (err error) {
	for _, d := range [...]struct {
		family
		*schemas.DeadlineRule
	}{
		{confirmLate, &p.ConfirmLate}, {labelLate, &p.LabelLate}, {cancelUnhandled, &p.CancelUnhandled},
		{pickupLate, &p.PickupLate}, {carrierPickupLate, &p.CarrierPickupLate}, {shippedLate, &p.ShippedLate},
		{deliveredLate, &p.DeliveredLate},
	} {
		l := newLateRule(d.After)
		l.warn, l.from = wholeSeconds(d.Warn), d.Since
		*r.rule(d.family) = l
	}
	if r.rule(pickupLate).from == 0 {
		r.rule(pickupLate).from = schemas.OrderConfirmed
	}
	grace := newLateRule(schemas.Limit{Duration: p.StatusMismatch.Grace})
	for f := mismatchNotScanned; f <= mismatchNotMarkedDelivered; f++ {
		if f < mismatchNotMarkedShipped || r.reverse {
			*r.rule(f) = grace
		}
	}
	for _, q := range p.Promise {
		r.promises = append(r.promises, promise{packCountries(q.Markets), newLateRule(q.Within)})
	}
	r.calendar, err = newCalendar(&p.Calendar)
	if err != nil {
		return fmt.Errorf("policy %s: calendar: %w", p.Name, err)
	}
	return nil
}

func newLateRule(l schemas.Limit) lateRule {
	return lateRule{on: !l.IsZero(), days: max(l.WorkingDays, 0), secs: wholeSeconds(l.Duration)}
}

// span is a time during which shipping deadlines do not run, in Unix seconds;
// until is its first second afterwards.
type span struct{ from, until uint32 }

// mergeSpans sorts spans and puts those together that overlap or touch.
func mergeSpans(s []span) []span {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for _, next := range s {
		if n > 0 && next.from <= s[n-1].until {
			s[n-1].until = max(s[n-1].until, next.until)
			continue
		}
		s[n] = next
		n++
	}
	return s[:n]
}

// deadline returns the last second in which what the rule waits for is in time.
// off holds the times that do not count, merged. Hours move on by every overlap;
// of working days, which end at midnight, those do not count that overlap at
// all. MaxUint32 is never.
func (c *calendar) deadline(anchor uint32, l *lateRule, off []span) uint32 {
	if l.days > 0 {
		return c.workingDays(anchor, l.days, off)
	}
	d := uint64(anchor) + uint64(l.secs)
	for _, s := range off {
		if uint64(s.from) >= d {
			break
		}
		if s.until > anchor {
			d += uint64(s.until - max(s.from, anchor))
		}
	}
	return uint32(min(d, math.MaxUint32))
}

// calendar says which days are working days. Days count from 1970-01-01, in the
// zone of the calendar.
type calendar struct {
	zone     *time.Location
	weekend  [7]bool
	holidays []int64 // days, sorted
}

func newCalendar(p *schemas.Calendar) (c calendar, err error) {
	c.zone = time.UTC
	if p.Zone != "" {
		if c.zone, err = schemas.Zone(p.Zone); err != nil {
			return c, err
		}
	}
	weekend := p.Weekend
	if weekend == nil {
		weekend = []time.Weekday{time.Saturday, time.Sunday}
	}
	for _, d := range weekend {
		c.weekend[(d%7+7)%7] = true
	}
	for _, d := range p.Holidays {
		c.holidays = append(c.holidays, time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix()/daySeconds)
	}
	slices.Sort(c.holidays)
	return c, nil
}

const (
	daySeconds = 86400
	// maxDays bounds the search for a working day: a calendar may have none.
	maxDays = 3660
)

// workingDays returns the midnight that ends the n-th working day after the
// date of anchor.
func (c *calendar) workingDays(anchor uint32, n int, off []span) uint32 {
	day := (int64(anchor) + c.offset(int64(anchor))) / daySeconds
	for last := day + maxDays; n > 0; {
		if day++; day > last {
			return math.MaxUint32
		}
		if c.working(day, off) {
			n--
		}
	}
	return uint32(min(c.start(day+1), math.MaxUint32))
}

func (c *calendar) working(day int64, off []span) bool {
	if c.weekend[(day+4)%7] { // 1970-01-01 was a Thursday
		return false
	}
	if len(c.holidays) > 0 {
		if _, found := slices.BinarySearch(c.holidays, day); found {
			return false
		}
	}
	if len(off) == 0 {
		return true
	}
	from, until := c.start(day), c.start(day+1)
	for _, s := range off {
		if int64(s.from) < until && int64(s.until) > from {
			return false
		}
	}
	return true
}

// offset returns the zone's offset at an instant, in seconds east of UTC.
func (c *calendar) offset(unix int64) int64 {
	if c.zone == time.UTC {
		return 0
	}
	_, o := time.Unix(unix, 0).In(c.zone).Zone()
	return int64(o)
}

// start returns the first second of a day: where a change of the clock shows
// midnight twice the earlier one, where it skips midnight the change itself.
func (c *calendar) start(day int64) int64 {
	local := day * daySeconds
	before, after := c.offset(local-daySeconds), c.offset(local+daySeconds)
	first, second := local-max(before, after), local-min(before, after)
	switch {
	case first+c.offset(first) == local:
		return first
	case second+c.offset(second) == local:
		return second
	}
	change, _ := time.Unix(second, 0).In(c.zone).ZoneBounds()
	return change.Unix()
}
