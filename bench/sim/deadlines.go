package main

import (
	"fmt"

	"scantrail/schemas"
)

// Situations of orders in which news move the end of a time when it is about up,
// or whose order it is that a parcel is judged by.

// news draws one of them for a number.
func (g *generator) news(number string) {
	if g.omits("o") {
		return
	}
	pick(g.r, g.corrected, g.moreTime, g.moreTime, g.moreTime, g.moreTime, g.moreTime, g.takenBack, g.takenBack, g.takenBack, g.takenBack,
		g.timeIsUp, g.timeIsUp, g.timeIsUp, g.timeIsUp, g.twoOrders, g.twoOrders, g.twoOrders, g.rejudged)(number)
}

// due is what one rule of the documents waits for, and how long.
type due struct {
	since, met    schemas.OrderKind // facts of the order, or
	begins, meets uint8             // scans
	plain, strict int64             // seconds, or
	days          int64             // working days where it is strict
	holidays      bool              // in which its time stands still
	bare          bool              // judged of an order without a number
}

func dues() map[string]due {
	return map[string]due{
		"confirm_late":         {since: schemas.OrderCreated, met: schemas.OrderConfirmed, plain: 24 * hour, days: 1, holidays: true, bare: true},
		"label_late":           {since: schemas.OrderCreated, met: schemas.OrderReadyToShip, plain: 72 * hour, days: 2, holidays: true, bare: true},
		"pickup_late":          {since: schemas.OrderConfirmed, meets: 20, plain: 72 * hour, days: 2, holidays: true},
		"carrier_pickup_late":  {since: schemas.OrderReadyToShip, meets: 20, plain: 48 * hour, strict: 36 * hour, holidays: true},
		"shipped_late":         {since: schemas.OrderCreated, met: schemas.OrderMarkedShipped, meets: 20, plain: 120 * hour, days: 3, holidays: true},
		"cancel_unhandled":     {since: schemas.OrderCancelRequested, met: schemas.OrderCancelAnswered, plain: 48 * hour, strict: 48 * hour, bare: true},
		"delivered_late":       {since: schemas.OrderPromiseExtended, meets: 95, plain: 24 * hour, strict: 24 * hour},
		"delivered_not_seen":   {since: schemas.OrderMarkedDelivered, meets: 95, plain: 24 * hour, strict: 24 * hour},
		"not_marked_shipped":   {begins: 20, met: schemas.OrderMarkedShipped, plain: 24 * hour, strict: 24 * hour},
		"not_marked_delivered": {begins: 95, met: schemas.OrderMarkedDelivered, plain: 24 * hour, strict: 24 * hour},
	}
}

// term is the time of a rule that is up at a time, or at the midnight before it.
func (g *generator) term(d *due, at int64) (since, end int64) {
	switch {
	case g.w.doc == 0:
		return at - d.plain, at
	case d.days == 0:
		return at - d.strict, at
	}
	free := func(at int64) bool { return ((at-4*hour)/day+3)%7 > 4 } // in New York the day begins at 4; 1970-01-01 was a Thursday
	for end = at - at%day + 4*hour; free(end - day); end -= day {
	}
	since = end
	for n := d.days; n > 0; {
		if since -= day; !free(since) {
			n--
		}
	}
	return since - g.r.Int64N(day), end
}

// owed files what a rule counts from, and all that it needs to be judged, of an
// order whose shop is mostly the strict one. The rule's time is up at about a time.
func (g *generator) owed(d *due, number string, at int64) (o filer, since, end int64) {
	since, end = g.term(d, at)
	o = g.orderBy(fmt.Sprintf("SO-t%d", g.next), pick(g.r, "shop-1", "shop-2", "shop-2", "shop-2"), number)
	if !d.bare {
		o(schemas.OrderLabelCreated, since-g.r.Int64N(day), 0)
		g.last().order.LabelSource = "platform"
	}
	switch d.since {
	case 0:
		o(schemas.OrderCreated, since-2*day, 0)
		g.plainly(number, since, d.begins)
	case schemas.OrderConfirmed: // or, in some policies, the order itself
		o(schemas.OrderCreated, since, 0)
		o(schemas.OrderConfirmed, since, 0)
	case schemas.OrderPromiseExtended:
		o(d.since, since, since)
	default:
		o(d.since, since, 0)
	}
	return o, since, end
}

// timeIsUp is an order of which news come when the time of one rule is about up:
// that the shop was closed meanwhile, that what is waited for happened, before the
// end or after it, or did not happen after all. It is for what the deadline rules
// take back or say again: open>risk, risk>res, wdr>risk, wdr>open, wdr>res,
// res>risk, res>open, res>res, res>wdr.
func (g *generator) timeIsUp(number string) {
	r, w := g.r, g.w
	rule := pick(r, "confirm_late", "label_late", "pickup_late", "carrier_pickup_late", "carrier_pickup_late", "shipped_late", "shipped_late",
		"cancel_unhandled", "cancel_unhandled", "cancel_unhandled", "delivered_late", "delivered_not_seen", "not_marked_shipped", "not_marked_delivered")
	if rule == "cancel_unhandled" { // only another policy takes it back
		w.switches = max(w.switches, 1+r.IntN(3))
	}
	d := dues()[rule]
	o, since, end := g.owed(&d, number, w.from+r.Int64N(w.until-w.from))
	told := end + pick(r, -r.Int64N(20*hour), -r.Int64N(4*hour), r.Int64N(hour), 18*hour+r.Int64N(6*hour))
	var scans []schemas.ID
	for range 2 + r.IntN(4) {
		at := end + pick(r, -r.Int64N(4*hour), r.Int64N(10*minute), r.Int64N(10*hour))
		switch k := r.IntN(5); {
		case k < 2 && d.holidays:
			g.closed(&d, o, since, end, told)
		case k < 3 && len(scans) > 0:
			g.send(&message{kind: schemas.KindVoid, void: scans[len(scans)-1], num: number, id: g.id()}, told)
			g.tell(told)
			if scans = scans[:len(scans)-1]; d.holidays {
				g.closed(&d, o, since, end, told)
			}
		case d.meets != 0 && (d.met == 0 || r.IntN(3) > 0):
			told = max(told, at)
			scans = append(scans, g.plainly(number, at, d.meets).FactID)
			g.tell(told)
		default:
			o(d.met, at, 0)
			g.tell(told)
		}
		told += pick(r, 0, r.Int64N(20*minute), r.Int64N(3*hour), r.Int64N(12*hour))
	}
}

// moreTime is an order of which somebody says when it is too late that the shop was
// closed meanwhile. It is for open>risk.
func (g *generator) moreTime(number string) {
	r, w := g.r, g.w
	d := dues()[pick(r, "confirm_late", "label_late", "label_late", "pickup_late", "pickup_late", "carrier_pickup_late", "carrier_pickup_late", "shipped_late")]
	o, since, end := g.owed(&d, number, w.from+r.Int64N((w.until-w.from)*2/3))
	told := end + r.Int64N(max(1, w.until-end))
	if d.days > 0 && r.IntN(4) > 0 { // when the next day is about up
		told = end + 18*hour + r.Int64N(10*hour)
	}
	g.closed(&d, o, since, end, told)
	if d.meets != 0 && r.IntN(3) == 0 {
		g.plainly(number, told+r.Int64N(10*hour), d.meets)
	}
}

// takenBack is a parcel that is seen when its time is just about up, and of which
// the carrier says soon that it was not, more than once: while the clock of what is
// forwarded lags, the time is not up yet. It is for risk>res, res>risk, wdr>risk.
func (g *generator) takenBack(number string) {
	r, w := g.r, g.w
	rule := pick(r, "pickup_late", "pickup_late", "carrier_pickup_late", "shipped_late", "shipped_late", "delivered_late", "delivered_not_seen", "delivered_not_seen")
	d := dues()[rule]
	_, _, end := g.owed(&d, number, w.from+r.Int64N(w.until-w.from))
	told := end + 10*minute
	if rule == "delivered_not_seen" { // of which nothing warns
		told += r.Int64N(20 * hour)
	}
	for range 1 + r.IntN(3) {
		id := g.plainly(number, end+r.Int64N(30*minute)-10*minute, d.meets).FactID
		g.tell(max(told, end+20*minute))
		void := told + 10*minute + pick(r, r.Int64N(30*minute), r.Int64N(30*minute), r.Int64N(2*hour))
		g.send(&message{kind: schemas.KindVoid, void: id, num: number, id: g.id()}, void)
		told += r.Int64N(hour)
	}
}

// filer files a fact of an order; the last time is of a promise.
type filer func(k schemas.OrderKind, at, promise int64)

// closed tells that the shop was closed, for so long that the time of a rule is up
// about when this is known, some hours after it is told, or a day later.
func (g *generator) closed(d *due, o filer, since, end, told int64) {
	r := g.r
	length := told - end + pick(r, r.Int64N(11*hour)-6*hour, r.Int64N(11*hour)-6*hour, r.Int64N(20*hour))
	if d.days > 0 && r.IntN(4) > 0 {
		length = hour
	}
	o(schemas.OrderHoliday, since+r.Int64N(end-since), 0)
	f := &g.last().order
	f.Until = f.At + max(hour, length)*1000
	g.tell(told)
}

// twoOrders is a number that two orders name, of which the one that is heard of
// later was earlier: it takes the parcel over, by parts; is cancelled; or belonged
// to a life that had long ended. It is for what holds of one order, not of the
// other, and then again: wdr>open and res>open of label_not_platform,
// number_invalid:reused and status_mismatch:not_marked_delivered.
func (g *generator) twoOrders(number string) {
	r, w := g.r, g.w
	at := w.from - 20*hour - r.Int64N(20*hour)
	before := at - pick(r, hour+r.Int64N(20*hour), hour+r.Int64N(20*hour), 32*day+r.Int64N(5*day))
	shop := pick(r, "shop-1", "shop-2", "shop-2", "shop-2")
	later, earlier := g.orderBy(fmt.Sprintf("SO-x%d", g.next), shop, number), g.orderBy(fmt.Sprintf("SO-y%d", g.next), shop, number)
	later(schemas.OrderCreated, at, 0)
	later(schemas.OrderLabelCreated, at, 0)
	if r.IntN(4) > 0 {
		g.plainly(number, at+r.Int64N(6*hour), 95)
		later(schemas.OrderMarkedDelivered, at+26*hour+r.Int64N(14*hour), 0)
	}
	if r.IntN(3) == 0 {
		g.plainly(number, at-46*hour-r.Int64N(10*hour), 20)
	}
	told := w.from
	for _, what := range r.Perm(5) {
		told += r.Int64N(max(1, (w.until-told)/3))
		switch what {
		case 0, 1:
			earlier(schemas.OrderLabelCreated, before, 0)
		case 2:
			if r.IntN(2) == 0 {
				earlier(schemas.OrderMarkedDelivered, at+pick(r, 20*hour, 26*hour, 60*hour)+r.Int64N(10*hour), 0)
				g.tell(told)
			}
			earlier(schemas.OrderCreated, before, 0)
		case 3:
			g.orderBy(fmt.Sprintf("SO-z%d", g.next), shop, number)(schemas.OrderLabelCreated, before+r.Int64N(hour), 0)
			g.tell(told)
			earlier(schemas.OrderCancelled, at+pick(r, 0, 40*hour), 0)
		default:
			if before > at-30*day {
				continue
			}
			g.plainly(number, before+r.Int64N(3*hour), 95)
		}
		g.tell(told)
	}
}

// rejudged is a silence that was too long for the market of its order, of which
// the order then says that it was of another, and the carrier that the scan that
// ended it was none. It is for the gap that goes back from res to risk.
func (g *generator) rejudged(number string) {
	w := g.w
	ended := w.from + g.r.Int64N(w.until-w.from)
	since := ended - 36*hour - g.r.Int64N(10*hour)
	id := fmt.Sprintf("SO-j%d", g.next)
	g.plainly(number, since, 31)
	end := g.plainly(number, ended, 40).FactID
	for i, market := range []string{"GB", "US"} {
		g.orderBy(id, "shop-1", number)(schemas.OrderLabelCreated, since-int64(i+1)*day, 0)
		g.last().order.Market = market
	}
	g.tell(ended + g.r.Int64N(2*hour))
	g.send(&message{kind: schemas.KindVoid, void: end, num: number, id: g.id()}, g.last().at/1000)
}

func (g *generator) last() *message { return g.w.messages[len(g.w.messages)-1] }

// tell has the last message come at another time.
func (g *generator) tell(at int64) {
	last := g.last()
	last.at = min(max(at, g.w.from), g.w.until) * 1000
	switch last.kind {
	case schemas.KindEvent:
		last.event.ReceivedAt = last.at
	case schemas.KindOrder:
		last.order.ReceivedAt = last.at
	}
}
