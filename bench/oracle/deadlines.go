package oracle

import (
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
)

// either returns the earlier of two times, of which each may be never.
func either(a, b int64) int64 {
	if a == never || b != never && b < a {
		return b
	}
	return a
}

type interval struct{ from, until int64 }

// holidays returns when shipping deadlines of an order stand still, in order.
func (j *judge) holidays(o *order) []interval {
	var all []interval
	for i := range o.facts {
		if f := &o.facts[i]; f.Kind == schemas.OrderHoliday {
			all = append(all, interval{f.At / 1000, f.Until / 1000})
		}
	}
	for _, h := range j.doc.Holidays {
		if matches(h.Shops, o.shop) && matches(h.Markets, j.market) {
			all = append(all, interval{h.From, h.Until})
		}
	}
	all = slices.DeleteFunc(all, func(i interval) bool { return i.until <= i.from })
	slices.SortFunc(all, func(a, b interval) int { return int(a.from - b.from) })
	return all
}

// after returns the end of a span that begins at a, without the holidays.
func (j *judge) after(a int64, span Span, off []interval) int64 {
	if span.Days > 0 {
		return j.workingDay(a, span.Days, off)
	}
	due, counted := a+span.Secs, a
	for _, h := range off {
		from := max(h.from, counted)
		if h.until > from && from < due {
			due += h.until - from
			counted = h.until
		}
	}
	return due
}

func (j *judge) workingDay(a, n int64, off []interval) int64 {
	zone := j.p.Zone
	local := time.Unix(a, 0).In(zone)
	for d := 1; ; d++ {
		start := time.Date(local.Year(), local.Month(), local.Day()+d, 0, 0, 0, 0, zone)
		end := time.Date(local.Year(), local.Month(), local.Day()+d+1, 0, 0, 0, 0, zone)
		if start.Weekday() == time.Saturday || start.Weekday() == time.Sunday || slices.Contains(j.p.DaysOff, start.Format(time.DateOnly)) {
			continue
		}
		if slices.ContainsFunc(off, func(h interval) bool { return h.from < end.Unix() && h.until > start.Unix() }) {
			continue
		}
		if n--; n == 0 {
			return end.Unix()
		}
	}
}

// deadline judges one anchor of a deadline rule.
func (j *judge) deadline(rule, detail, number string, a int64, d Deadline, off []interval, m, z int64) {
	if a == never || d.After == (Span{}) {
		return
	}
	due := j.after(a, d.After, off)
	switch {
	case m != never && (z == never || m <= z):
		if m > due {
			j.add(rule, detail, number, a, 1, "resolved", m)
		}
	case z != never:
		if z > due {
			j.add(rule, detail, number, a, 1, "resolved", z)
		}
	case j.since(due + 1):
		j.add(rule, detail, number, a, 1, "open", 0)
	case d.Warn > 0 && j.since(due-d.Warn+1):
		j.add(rule, detail, number, a, 0, "at_risk", 0)
	}
}

// promised returns when the order was to be delivered, never where nobody says,
// and the number under which that came.
func (j *judge) promised(o *order) (at int64, number string) {
	if o.promise != never {
		last := o.facts[0]
		for i := range o.facts {
			if o.facts[i].PromiseAt != 0 {
				last = o.facts[i]
			}
		}
		return o.promise, o.cameUnder(&last)
	}
	created := o.first(schemas.OrderCreated)
	for _, p := range j.p.Promises {
		if matches(p.Markets, j.market) && created != never {
			return j.after(created, p.Within, nil), o.numberOf(created, schemas.OrderCreated)
		}
	}
	return never, ""
}

func (j *judge) pickupAnchor(o *order) (at int64, number string) {
	kind := schemas.OrderConfirmed
	if j.p.Deadlines["pickup_late"].Since == uint8(schemas.OrderCreated) {
		kind = schemas.OrderCreated
	}
	return o.first(kind), o.numberOf(o.first(kind), kind)
}

// judgeOrder returns what the order's own entity calls for.
func judgeOrder(d *Document, o *order, now int64, stalled []string) verdict {
	j := &judge{doc: d, now: now, market: o.market}
	if j.market == "" {
		j.market = o.dest
	}
	j.p = choose(d, j.market, o.shop, o.carrier, o.origin, o.dest)
	off, number := j.holidays(o), OrderKey(o.shop, o.id)
	created, cancelled := o.first(schemas.OrderCreated), o.first(schemas.OrderCancelled)
	labelled := []schemas.OrderKind{schemas.OrderReadyToShip, schemas.OrderLabelCreated, schemas.OrderMarkedShipped, schemas.OrderMarkedDelivered}
	j.deadline("confirm_late", "", number, created, j.p.Deadlines["confirm_late"], off, o.first(append(labelled, schemas.OrderConfirmed)...), cancelled)
	j.deadline("label_late", "", number, created, j.p.Deadlines["label_late"], off, o.first(labelled...), cancelled)
	for i := range o.facts {
		if at := o.facts[i].At / 1000; o.facts[i].Kind == schemas.OrderCancelRequested && o.since(at, schemas.OrderCancelRequested) == at {
			m := o.since(at, schemas.OrderCancelAnswered, schemas.OrderCancelled)
			j.deadline("cancel_unhandled", "", number, at, j.p.Deadlines["cancel_unhandled"], nil, m, never)
		}
	}
	if !o.named {
		shipped := o.first(schemas.OrderMarkedShipped)
		since, _ := j.pickupAnchor(o)
		promise, _ := j.promised(o)
		j.deadline("pickup_late", "", number, since, j.p.Deadlines["pickup_late"], off, never, cancelled)
		j.deadline("shipped_late", "", number, created, j.p.Deadlines["shipped_late"], off, shipped, cancelled)
		j.deadline("delivered_late", "", number, promise, j.p.Deadlines["delivered_late"], nil, o.first(schemas.OrderMarkedDelivered), cancelled)
		j.deadline("status_mismatch", "shipped_not_scanned", number, shipped, j.grace(), nil, never, cancelled)
	}
	v := verdict{alerts: j.out, now: now, wake: j.wake}
	v.about = func(i int) About {
		a := &j.out[i]
		return About{Shop: o.shop, Order: o.id, Market: o.market, Origin: o.origin, Destination: o.dest, Policy: j.p.Name,
			Carrier: o.carrier, Cause: causeOfOrder(a), Held: a.Status != "resolved" && slices.Contains(stalled, o.carrier)}
	}
	return v
}

func (j *judge) grace() Deadline { return Deadline{After: Span{Secs: j.p.Grace}} }

func (j *judge) parcelDeadlines(o *order) {
	off := j.holidays(o)
	scan, received := never, never
	var scanNumber, receivedNumber string
	if s := j.life.find(func(s *step) bool { return s.phys && s.milestone != 12 }); s != nil {
		scan, scanNumber = s.at, s.number
	}
	if s := j.life.find(func(s *step) bool { return s.milestone == 95 }); s != nil {
		received, receivedNumber = s.at, s.number
	}
	created, cancelled := o.first(schemas.OrderCreated), o.first(schemas.OrderCancelled)
	shipped, delivered := o.first(schemas.OrderMarkedShipped), o.first(schemas.OrderMarkedDelivered)
	stop := cancelled
	if j.life.ended && j.life.trail[len(j.life.trail)-1].milestone != 95 {
		stop = either(stop, j.life.end())
	}
	since, sinceNumber := j.pickupAnchor(o)
	promise, promiseNumber := j.promised(o)
	createdNumber := o.numberOf(created, schemas.OrderCreated)
	j.deadline("pickup_late", "", sinceNumber, since, j.p.Deadlines["pickup_late"], off, scan, stop)
	if o.source == "platform" {
		ready := o.first(schemas.OrderReadyToShip)
		j.deadline("carrier_pickup_late", "", o.numberOf(ready, schemas.OrderReadyToShip), ready, j.p.Deadlines["carrier_pickup_late"], off, scan, stop)
	}
	j.deadline("shipped_late", "", createdNumber, created, j.p.Deadlines["shipped_late"], off, either(shipped, scan), stop)
	j.deadline("delivered_late", "", promiseNumber, promise, j.p.Deadlines["delivered_late"], nil, received, stop)
	j.deadline("status_mismatch", "shipped_not_scanned", o.numberOf(shipped, schemas.OrderMarkedShipped), shipped, j.grace(), nil, scan, stop)
	j.deadline("status_mismatch", "delivered_not_seen", o.numberOf(delivered, schemas.OrderMarkedDelivered), delivered, j.grace(), nil, received, stop)
	if j.p.Reverse && created != never {
		j.deadline("status_mismatch", "not_marked_shipped", scanNumber, scan, j.grace(), nil, either(shipped, delivered), cancelled)
		j.deadline("status_mismatch", "not_marked_delivered", receivedNumber, received, j.grace(), nil, delivered, cancelled)
	}
}

// three returns the first three letters or digits of a postcode in upper case,
// "" where it has fewer or is masked.
func three(post string) string {
	if strings.Contains(post, "*") {
		return ""
	}
	kept := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, post)
	if len(kept) < 3 {
		return ""
	}
	return strings.ToUpper(kept[:3])
}

func (j *judge) atOnce(o *order) {
	l := j.life
	if j.p.SellerLabel && o.source == "seller" {
		j.add("label_not_platform", "", o.number(o.sourceAt, func(f *schemas.OrderFact) bool { return f.Kind == schemas.OrderLabelCreated && f.LabelSource != "" }), o.sourceAt, 1, "open", 0)
	}
	if len(j.p.Channels) > 0 && o.carrier != "" && !slices.Contains(j.p.Channels, o.carrier) {
		j.add("channel_not_compliant", "", o.number(o.carrierAt, func(f *schemas.OrderFact) bool { return f.Kind == schemas.OrderLabelCreated && f.Carrier != "" }), o.carrierAt, 1, "open", 0)
	}
	if !j.p.Numbers {
		return
	}
	first := l.find(func(s *step) bool { return s.progress })
	if created := o.first(schemas.OrderCreated); first != nil && created != never && j.p.BeforeOrder > 0 && first.at < created-j.p.BeforeOrder {
		j.add("number_invalid", "before_order", first.number, first.at, 1, "open", 0)
	}
	if at := slices.IndexFunc(l.all, func(f fact) bool { return o.dest != "" && f.dest != "" && f.dest != o.dest }); at >= 0 {
		j.add("number_invalid", "destination", l.all[at].number, l.all[at].at, 1, "open", 0)
	}
	if s := l.find(func(s *step) bool {
		return s.milestone == 95 && three(s.post) != "" && three(o.post) != "" && three(s.post) != three(o.post)
	}); s != nil {
		j.add("number_invalid", "postcode", s.number, s.at, 1, "open", 0)
	}
}

func (j *judge) check(failed bool) {
	if j.p.Numbers && failed {
		first := j.life.all[0]
		j.add("number_invalid", "check", first.number, first.at, 1, "open", 0)
	}
}

// begins says whether a fact may give an order its time.
func (o *order) begins(f *schemas.OrderFact) bool {
	return !o.labelled || f.Kind == schemas.OrderLabelCreated
}

func (j *judge) reused(orders []*order) {
	if !j.p.Numbers || j.p.Reused == 0 {
		return
	}
	var live []*order
	for _, o := range orders {
		if o.first(schemas.OrderCancelled) == never {
			live = append(live, o)
		}
	}
	slices.SortFunc(live, func(a, b *order) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return strings.Compare(a.shop+"\x00"+a.id, b.shop+"\x00"+b.id)
	})
	for i := 1; i < len(live); i++ {
		if live[i].at-live[i-1].at <= j.p.Reused {
			j.add("number_invalid", "reused", live[i].number(live[i].at, live[i].begins), live[i].at, 1, "open", 0)
		}
	}
}
