package world

import (
	"cmp"
	"slices"
	"time"

	"scantrail/schemas"
)

// The figures of the default policy that scores need. They stand here once more,
// so that a wrong figure there does not prove itself.
const (
	scoreSilence     = 48 * hour // silence beyond it counts against completeness
	scoreBroken      = 72 * hour // a silence that is an exception
	scoreGrace       = 24 * hour // after the promise
	scorePickup      = 72 * hour // from the confirmation to the first physical scan
	scorePickupGB    = 48 * hour
	scorePickupLocal = 48 * hour // from the order
	scoreConfirm     = 24 * hour // from the order to its confirmation

	scoreMilestones   = 60 // points of completeness
	scoreSilent       = 40
	scoreOnTime       = 40 // points of LTS
	scoreCompleteness = 30
	scorePickedUp     = 20
	scoreFree         = 10
)

// Score is the true score of a shop's week of orders at To, under the default
// policy: computed from the plans of the parcels alone, as design and SCORES.md
// define it. Shares are numerators and denominators, not smoothed.
type Score struct {
	ShopID string
	Week   time.Time // Monday 00:00 UTC of the orders

	Parcels, Open, Counted          int // with a label; not mature; mature and not cancelled
	OnTimeDue, OnTime               int
	PickupDue, PickedUp             int
	ExceptionFree                   int
	CompletenessSum                 float64 // 0 to 100 for each counted parcel
	Orders, ConfirmDue, ConfirmLate int
	Weight                          int // how much of 100 the parts weigh of which something was due

	WrongZone bool // a scan of one of its parcels states a wrong time: expect another score
}

// Completeness returns the mean tracking completeness, 0 to 100; 0 where nothing
// counts.
func (s *Score) Completeness() float64 {
	if s.Counted == 0 {
		return 0
	}
	return s.CompletenessSum / float64(s.Counted)
}

// LTS returns the logistics service score, 0 to 100; 0 where Weight is 0.
func (s *Score) LTS() float64 {
	points := 0.0
	for _, part := range s.parts() {
		if part.due > 0 {
			points += part.weight * part.done / float64(part.due)
		}
	}
	if s.Weight == 0 {
		return 0
	}
	return 100 * points / float64(s.Weight)
}

type scorePart struct {
	weight, done float64
	due          int
}

func (s *Score) parts() [4]scorePart {
	return [...]scorePart{
		{scoreOnTime, float64(s.OnTime), s.OnTimeDue},
		{scoreCompleteness, s.CompletenessSum / 100, s.Counted},
		{scorePickedUp, float64(s.PickedUp), s.PickupDue},
		{scoreFree, float64(s.ExceptionFree), s.Counted},
	}
}

// Scores works out the true scores of every shop and week at To, of the records
// emitted by then, sorted by shop and week.
func (w *World) Scores() []Score {
	type key struct {
		shop uint32
		week int64
	}
	all := map[key]*Score{}
	var p plan
	var facts []fact
	for i := range w.config.Parcels {
		w.plan(&p, i)
		o := ordersOf(&p, w.to)
		created, known := o[schemas.OrderCreated]
		if !known {
			continue
		}
		k := key{p.shop, monday(created)}
		s := all[k]
		if s == nil {
			s = &Score{ShopID: w.shops[p.shop].ID, Week: time.Unix(k.week, 0).UTC()}
			all[k] = s
		}
		facts = factsOf(facts[:0], &p, w.to)
		s.order(&p, o, w.to)
		if _, labelled := o[schemas.OrderLabelCreated]; labelled {
			s.parcel(&p, o, facts, w.to)
		}
		for i := range p.scans[:p.nScans] {
			s.WrongZone = s.WrongZone || p.scans[i].stated != p.scans[i].at && p.scans[i].emit <= w.to
		}
	}
	list := make([]Score, 0, len(all))
	for _, s := range all {
		for _, part := range s.parts() {
			if part.due > 0 {
				s.Weight += int(part.weight)
			}
		}
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Score) int { return cmp.Or(cmp.Compare(a.ShopID, b.ShopID), a.Week.Compare(b.Week)) })
	return list
}

// monday returns the midnight that begins the week of an instant, UTC.
func monday(at int64) int64 {
	const firstMonday = 4 * day // 1970-01-05
	return at - ((at-firstMonday)%(7*day)+7*day)%(7*day)
}

// ordersOf returns when each kind of order fact that is known at To happened.
func ordersOf(p *plan, to int64) map[schemas.OrderKind]int64 {
	known := map[schemas.OrderKind]int64{}
	for _, f := range p.orders[:p.nOrders] {
		if f.emit <= to {
			known[f.kind] = f.at
		}
	}
	return known
}

// order adds what an order counts for besides its parcel.
func (s *Score) order(p *plan, o map[schemas.OrderKind]int64, to int64) {
	s.Orders++
	taken := int64(0) // by whatever shows that the shop knows of it
	for _, kind := range []schemas.OrderKind{schemas.OrderConfirmed, schemas.OrderReadyToShip, schemas.OrderLabelCreated, schemas.OrderMarkedShipped} {
		if at, ok := o[kind]; ok && (taken == 0 || at < taken) {
			taken = at
		}
	}
	by := o[schemas.OrderCreated] + scoreConfirm
	cancelled, gone := o[schemas.OrderCancelled]
	if (taken != 0 || by < to) && (taken != 0 || !gone || cancelled > by) {
		s.ConfirmDue++
		if taken == 0 || taken > by {
			s.ConfirmLate++
		}
	}
	_, labelled := o[schemas.OrderLabelCreated]
	if !labelled && !gone && p.created+p.promise+scoreGrace < to {
		s.OnTimeDue++ // and late: nothing was sent
	}
}

// parcel adds a parcel.
func (s *Score) parcel(p *plan, o map[schemas.OrderKind]int64, facts []fact, to int64) {
	t := walk(facts)
	deadline := p.created + p.promise + scoreGrace
	_, cancelled := o[schemas.OrderCancelled]
	cancelled = cancelled || t.first(schemas.Cancelled) != 0
	s.Parcels++
	if !t.ended && deadline >= to {
		s.Open++
		return
	}
	if cancelled {
		return
	}
	s.Counted++
	s.OnTimeDue++
	if at := t.first(schemas.Delivered); at != 0 && at <= deadline {
		s.OnTime++
	}
	s.pickup(p, &t, o, to)
	silent, life, broken := t.silence(deadline, to)
	if !broken && !t.troubled() {
		s.ExceptionFree++
	}
	if life < 0 {
		return // never scanned: nothing of it is complete
	}
	due, observed := t.nodes(p.crossBorder(), deadline, to)
	milestones, silence := 1.0, 1.0
	if due > 0 {
		milestones = float64(observed) / float64(due)
	}
	if life > 0 {
		silence = 1 - min(float64(silent)/float64(life), 1)
	}
	s.CompletenessSum += scoreMilestones*milestones + scoreSilent*silence
}

// pickupBy returns the deadline of the first physical scan, 0 without one: other
// documents of the default policy judge parcels sold within a country, and those
// to the United Kingdom.
func pickupBy(p *plan, o map[schemas.OrderKind]int64) int64 {
	confirmed, ok := o[schemas.OrderConfirmed]
	switch {
	case !p.crossBorder():
		return o[schemas.OrderCreated] + scorePickupLocal
	case !ok:
		return 0
	case places[p.delivery].country == "GB":
		return confirmed + scorePickupGB
	}
	return confirmed + scorePickup
}

// pickup adds whether the first carrier had the parcel in time.
func (s *Score) pickup(p *plan, t *trail, o map[schemas.OrderKind]int64, to int64) {
	by := pickupBy(p, o)
	if by == 0 {
		return
	}
	handled := int64(0)
	for _, f := range t.facts {
		if f.milestone.Physical() {
			handled = f.at
			break
		}
	}
	if handled == 0 && !t.ended && by >= to {
		return
	}
	s.PickupDue++
	if handled != 0 && handled <= by {
		s.PickedUp++
	}
}

// silence returns the seconds beyond the limit of all silences, and from the
// first update to the end (or, while open, to the deadline); life is -1 without an
// update. broken is set by a silence that is an exception.
func (t *trail) silence(deadline, to int64) (silent, life int64, broken bool) {
	var first, last int64
	for i, f := range t.facts {
		if slices.Contains(t.breaks, i) {
			last = 0
		}
		isEnd := t.ended && i == len(t.facts)-1
		if !f.milestone.Progress() && !isEnd {
			continue
		}
		if last != 0 {
			silent += max(f.at-last-scoreSilence, 0)
			broken = broken || f.at-last >= scoreBroken
		}
		if last = f.at; first == 0 && f.milestone.Progress() {
			first = f.at
		}
	}
	switch {
	case first == 0:
		return 0, -1, broken
	case t.ended:
		return silent, max(t.endedAt-first, 0), broken
	}
	silent += max(deadline-last-scoreSilence, 0)
	broken = broken || last+scoreBroken <= min(deadline, to)
	return silent, max(deadline, last) - first, broken
}

// troubled reports whether the trail holds an exception.
func (t *trail) troubled() bool {
	return slices.ContainsFunc(t.facts, func(f fact) bool {
		switch f.milestone {
		case schemas.PickupFailed, schemas.ExportCustomsHeld, schemas.ExportRejected, schemas.ImportCustomsHeld, schemas.ImportRejected, schemas.DeliveryAttempted:
			return true
		}
		return f.milestone >= schemas.Delayed && f.milestone <= schemas.Seized || f.milestone >= schemas.ReturnStarted && f.milestone <= schemas.Returned
	})
}

// nodes counts the required milestones that were due, and those observed.
func (t *trail) nodes(cross bool, deadline, to int64) (due, observed int) {
	for _, m := range required {
		if m.crossBorderOnly && !cross || m.excusedBy != 0 && t.first(m.excusedBy) != 0 {
			continue
		}
		if t.first(m.satisfiedBy...) != 0 {
			due++
			observed++
			continue
		}
		if t.passed(m) {
			due++
			continue
		}
		if since := t.first(m.since...); since != 0 {
			limit := since + m.after
			if t.ended && t.endedAt > limit || !t.ended && to > limit && limit < deadline {
				due++
			}
		}
	}
	return due, observed
}
