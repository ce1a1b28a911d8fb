package detector

import (
	"cmp"
	"slices"

	"scantrail/schemas"
)

// numberRules judges the number itself, in the last life.
func (v *verdict) numberRules(l *life, r *rules) {
	if l.badNumber && len(l.facts) > 0 {
		f := &l.facts[0]
		v.want(numberCheck, schemas.AlertOpen, 1, anchor{f.sec, f.num}, 0)
	}
	if r.reusedWithin != 0 && severalOrders(l.orders) {
		v.reused(l, r)
	}
}

// severalOrders reports whether the facts are of more than one order.
func severalOrders(facts []orderFact) bool {
	for i := 1; i < len(facts); i++ {
		if !facts[i].sameOrder(&facts[0]) {
			return true
		}
	}
	return false
}

// orderHead is where one of several orders under a number begins.
type orderHead struct {
	fact      int // its earliest label_created, else its earliest fact
	label     bool
	cancelled bool
}

// reused looks for two orders that follow each other too soon, of those that
// were not cancelled, by the time of their label.
func (v *verdict) reused(l *life, r *rules) {
	facts, heads := l.orders, v.heads[:0]
	for i := range facts {
		f := &facts[i]
		at := slices.IndexFunc(heads, func(h orderHead) bool { return facts[h.fact].sameOrder(f) })
		if at < 0 {
			at, heads = len(heads), append(heads, orderHead{fact: i})
		}
		h := &heads[at]
		if f.kind == schemas.OrderLabelCreated && !h.label {
			h.fact, h.label = i, true
		}
		h.cancelled = h.cancelled || f.kind == schemas.OrderCancelled
	}
	heads = slices.DeleteFunc(heads, func(h orderHead) bool { return h.cancelled })
	slices.SortFunc(heads, func(a, b orderHead) int {
		f, g := &facts[a.fact], &facts[b.fact]
		return cmp.Or(cmp.Compare(f.at, g.at), cmp.Compare(textOf(l.texts, f.shop), textOf(l.texts, g.shop)), slices.Compare(f.orderID, g.orderID))
	})
	v.heads = heads
	last := uint32(0)
	for i := 1; i < len(heads); i++ {
		before, f := &facts[heads[i-1].fact], &facts[heads[i].fact]
		if f.at-before.at <= r.reusedWithin && f.at != last {
			v.want(numberReused, schemas.AlertOpen, 1, anchor{f.at, f.num}, 0)
			last = f.at
		}
	}
}

// trailAgainstOrder looks for a trail that cannot be the order's.
func (v *verdict) trailAgainstOrder(l *life, o *orderView, r *rules) {
	created := o.at(schemas.OrderCreated)
	if r.beforeOrder != 0 && v.began.sec != 0 && created > r.beforeOrder && v.began.sec < created-r.beforeOrder {
		v.want(numberBeforeOrder, schemas.AlertOpen, 1, v.began, 0)
	}
	if to := mainLane(l.main).destination(); to != 0 {
		for i := range l.facts {
			f := &l.facts[i]
			if there := f.lane.destination(); there != 0 && there != to {
				v.want(numberDestination, schemas.AlertOpen, 1, anchor{f.sec, f.num}, 0)
				break
			}
		}
	}
	if v.delivered < 0 || len(o.postcode) == 0 {
		return
	}
	f := &l.facts[v.delivered]
	if want := postcodeMark(o.postcode); want != 0 && f.extra != 0 && f.extra != want {
		v.want(numberPostcode, schemas.AlertOpen, 1, anchor{f.sec, f.num}, 0)
	}
}
