package detector

import (
	"math"
	"slices"

	"scantrail/schemas"
)

// orderView is what the facts of one order say together, with the number under
// which each came to the parcel.
type orderView struct {
	first    [numOrderKinds]anchor // earliest of each kind
	promise  uint32                // the last stated
	promised uint8                 // number of the fact that states it
	source   uint16                // as the earliest label states it
	labeled  anchor                // that label
	carrier  uint16                // as the earliest label states it
	by       anchor                // that label
	postcode []byte
	shop     uint16
	market   uint16
	holidays bool
}

const numOrderKinds = int(schemas.OrderHoliday) + 1

func (o *orderView) at(k schemas.OrderKind) uint32 { return o.first[k].sec }

// earliest returns the earliest time at which one of the kinds happened.
func (o *orderView) earliest(kinds ...schemas.OrderKind) (t uint32) {
	for _, k := range kinds {
		t = sooner(t, o.first[k].sec)
	}
	return t
}

// sooner returns the earlier of two times, either of which may be none.
func sooner(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// view puts together what the facts of one order say.
func view(facts []orderFact) (o orderView) {
	for i := range facts {
		f := &facts[i]
		o.shop = f.shop
		if f.kind.Known() && o.first[f.kind].sec == 0 {
			o.first[f.kind] = anchor{f.at, f.num}
		}
		if f.promise != 0 {
			o.promise, o.promised = f.promise, f.num
		}
		keepFirst(&o.market, f.market)
		if len(o.postcode) == 0 {
			o.postcode = f.postcode
		}
		switch f.kind {
		case schemas.OrderLabelCreated:
			if o.source == 0 && f.label != 0 {
				o.source, o.labeled = f.label, anchor{f.at, f.num}
			}
			if o.carrier == 0 && f.carrier != 0 {
				o.carrier, o.by = f.carrier, anchor{f.at, f.num}
			}
		case schemas.OrderHoliday:
			o.holidays = true
		}
	}
	return o
}

// docket is what the deadline rules of one order have in common.
type docket struct {
	orderView
	rules *rules
	now   uint32
	facts []orderFact
	texts []string
	ready bool // v.off holds the holidays
}

func textOf(texts []string, i uint16) string {
	if int(i) < len(texts) {
		return texts[i]
	}
	return ""
}

// Sources of labels, as orders state them.
const (
	labelPlatform = "platform"
	labelSeller   = "seller"
)

// orderRules judges a life by its order.
func (v *verdict) orderRules(l *life, r *rules, now uint32) {
	d := docket{orderView: view(l.main), rules: r, now: now, facts: l.main, texts: l.texts}
	if d.market == 0 {
		d.market = v.lane.destination()
	}
	source := textOf(l.texts, d.source)
	if r.sellerLabels && source == labelSeller {
		v.want(labelNotPlatform, schemas.AlertOpen, 1, d.labeled, 0)
	}
	if r.channels != nil && d.carrier != 0 && !r.channels[textOf(l.texts, d.carrier)] {
		v.want(channelNotCompliant, schemas.AlertOpen, 1, d.by, 0)
	}
	if r.number.On {
		v.trailAgainstOrder(l, &d.orderView, r)
	}
	cancelled := d.at(schemas.OrderCancelled)
	stop := cancelled
	if v.ended && v.endMilestone != schemas.Delivered {
		stop = sooner(stop, v.end)
	}
	handled, delivered := v.handled, anchor{}
	if v.delivered >= 0 {
		f := &l.facts[v.delivered]
		delivered = anchor{f.sec, f.num}
	}
	shipped := d.at(schemas.OrderMarkedShipped)
	v.late(&d, pickupLate, d.first[r.rule(pickupLate).from], handled.sec, stop)
	if source == labelPlatform {
		v.late(&d, carrierPickupLate, d.first[schemas.OrderReadyToShip], handled.sec, stop)
	}
	v.late(&d, shippedLate, d.first[schemas.OrderCreated], sooner(shipped, handled.sec), stop)
	v.late(&d, deliveredLate, v.promiseOf(&d), delivered.sec, stop)
	v.late(&d, mismatchNotScanned, d.first[schemas.OrderMarkedShipped], handled.sec, stop)
	v.late(&d, mismatchNotDelivered, d.first[schemas.OrderMarkedDelivered], delivered.sec, stop)
	if r.reverse && d.at(schemas.OrderCreated) != 0 {
		marked := d.at(schemas.OrderMarkedDelivered)
		v.late(&d, mismatchNotMarkedShipped, handled, sooner(shipped, marked), cancelled)
		v.late(&d, mismatchNotMarkedDelivered, delivered, marked, cancelled)
	}
}

// evaluateOrder is f of an order: what its facts mean under a policy at second
// now. Once a fact names a number the order's parcels judge all that needs a
// trail. texts holds the names that the facts refer to.
func (v *verdict) evaluateOrder(facts []orderFact, texts []string, hasNumber bool, r *rules, now uint32) {
	v.reset()
	if len(facts) == 0 {
		return
	}
	d := docket{orderView: view(facts), rules: r, now: now, facts: facts, texts: texts}
	if d.market == 0 {
		d.market = mainLane(facts).destination()
	}
	const (
		confirmed, ready, label = schemas.OrderConfirmed, schemas.OrderReadyToShip, schemas.OrderLabelCreated
		shipped, delivered      = schemas.OrderMarkedShipped, schemas.OrderMarkedDelivered
	)
	created, stop := d.first[schemas.OrderCreated], d.at(schemas.OrderCancelled)
	if !hasNumber {
		v.late(&d, pickupLate, d.first[r.rule(pickupLate).from], 0, stop)
		v.late(&d, shippedLate, created, d.at(shipped), stop)
		v.late(&d, deliveredLate, v.promiseOf(&d), d.at(delivered), stop)
		v.late(&d, mismatchNotScanned, d.first[shipped], 0, stop)
	}
	v.late(&d, confirmLate, created, d.earliest(confirmed, ready, label, shipped, delivered), stop)
	v.late(&d, labelLate, created, d.earliest(ready, label, shipped, delivered), stop)
	if d.at(schemas.OrderCancelRequested) != 0 {
		v.cancels(&d)
	}
	v.sort()
}

// cancels judges every request to cancel, each second of them once.
func (v *verdict) cancels(d *docket) {
	last := uint32(0)
	for i := range d.facts {
		f := &d.facts[i]
		if f.kind != schemas.OrderCancelRequested || f.at == last {
			continue
		}
		last = f.at
		answered := uint32(0)
		for k := range d.facts {
			g := &d.facts[k]
			if g.at >= f.at && (g.kind == schemas.OrderCancelAnswered || g.kind == schemas.OrderCancelled) {
				answered = g.at
				break
			}
		}
		v.late(d, cancelUnhandled, anchor{f.at, f.num}, answered, 0)
	}
}

// promiseOf returns the time of the promised delivery: as the order states it,
// else as the policy does for the market.
func (v *verdict) promiseOf(d *docket) anchor {
	created := d.first[schemas.OrderCreated]
	switch {
	case d.promise != 0:
		return anchor{d.promise, d.promised}
	case created.sec == 0:
		return anchor{}
	}
	for i := range d.rules.promises {
		if p := &d.rules.promises[i]; len(p.markets) == 0 || slices.Contains(p.markets, d.market) {
			return anchor{d.rules.calendar.deadline(created.sec, &p.within, nil), created.num}
		}
	}
	return anchor{}
}

// late judges a deadline rule: what counts from a should have happened in time.
// It happened at second met, and stopped mattering at second stop; 0 is never.
func (v *verdict) late(d *docket, f family, a anchor, met, stop uint32) {
	l := d.rules.rule(f)
	if !l.on || a.sec == 0 {
		return
	}
	until := met
	if met == 0 || stop != 0 && stop < met {
		until = stop
	}
	if until != 0 && l.days == 0 && until <= saturate(a.sec, l.secs) {
		return // holidays only give more time
	}
	last := d.rules.calendar.deadline(a.sec, l, v.holidays(d, f))
	switch {
	case until != 0:
		if until > last {
			v.want(f, schemas.AlertResolved, 1, a, until)
		}
	case last == math.MaxUint32: // never
	case d.now > last:
		v.want(f, schemas.AlertOpen, 1, a, 0)
	case l.warn != 0 && uint64(d.now)+uint64(l.warn) > uint64(last):
		v.want(f, schemas.AlertAtRisk, 0, a, 0)
		v.wake(saturate(last, 1))
	case l.warn != 0:
		v.wake(last - l.warn + 1)
	default:
		v.wake(saturate(last, 1))
	}
}

// shipping reports whether the deadline of a rule does not run in holidays.
func (f family) shipping() bool {
	switch f {
	case confirmLate, labelLate, pickupLate, carrierPickupLate, shippedLate:
		return true
	}
	return false
}

// holidays returns the times in which the deadline of a rule does not run.
func (v *verdict) holidays(d *docket, f family) []span {
	if !f.shipping() {
		return nil
	}
	if d.ready {
		return v.off
	}
	d.ready, v.off = true, v.off[:0]
	if s := d.rules.set; s != nil && (len(s.holidays) > 0 || len(s.holidaysOfShop) > 0) {
		v.off = s.appendHolidays(v.off, textOf(d.texts, d.shop), d.market)
	}
	if d.orderView.holidays {
		for i := range d.facts {
			if h := &d.facts[i]; h.kind == schemas.OrderHoliday && h.until > h.at {
				v.off = append(v.off, span{h.at, h.until})
			}
		}
	}
	v.off = mergeSpans(v.off)
	return v.off
}
