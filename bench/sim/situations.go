package main

import (
	"fmt"

	"scantrail/schemas"
)

// What chance seldom draws, and mistakes like to hide in: something that takes a
// whole situation, to the second. Each is drawn for one number, and ends within
// what is lived through.

// situation draws one of them for a number.
func (g *generator) situation(number string) {
	pick(g.r, g.reused, g.reused, g.inTime, g.inTime, g.stay, g.stay, g.backAgain, g.backAgain, g.backAgain, g.vanishes, g.lateNews, g.ordered, g.ordered, g.ordered, g.ordered, g.corrected, g.corrected)(number)
}

// sameSecond adds to some worlds two things of one second that both claim one alert.
func (g *generator) sameSecond() {
	switch g.r.IntN(40) {
	case 0, 1:
		g.twoLabels()
	case 2:
		g.twoLives(pick(g.r, g.w.numbers...))
	}
}

// twoLabels is an order of which two labels of one second name two numbers, which
// are linked at about the time at which they come.
func (g *generator) twoLabels() {
	if g.omits("o") || g.omits("a") || len(g.linkable) < 2 {
		return
	}
	w, at := g.w, g.w.from-g.r.Int64N(3*day)
	told := w.from + g.r.Int64N(w.until-w.from)
	first := g.r.IntN(len(g.linkable) - 1)
	numbers := g.linkable[first : first+2]
	g.send(&message{kind: schemas.KindAlias, alias: [2]string{numbers[0], numbers[1]}, id: g.id()}, told-g.r.Int64N(2*hour))
	more := g.orderOf(fmt.Sprintf("SO-l%d", g.next), numbers[g.r.IntN(2)], at)
	for i := range 2 {
		more(schemas.OrderLabelCreated, at+3*day, 0)
		last := &g.last().order
		last.TrackingNumbers, last.Carrier = []string{numbers[i]}, "fake"
		g.tell(told + g.r.Int64N(2*hour))
	}
}

// twoLives is a number that is used again in the second of a scan that still
// belongs to the parcel before.
func (g *generator) twoLives(number string) {
	if g.omits("o") {
		return
	}
	at := g.begin(31 * day)
	g.orderOf(fmt.Sprintf("SO-u%d", g.next), number, at-day)
	g.orderOf(fmt.Sprintf("SO-v%d", g.next), number, at+31*day)
	g.plainly(number, at+2*day, 95)
	g.plainly(number, at+32*day, 0).DestinationCountry = pick(g.r, "US", "GB", "FR")
	g.plainly(number, at+32*day, pick(g.r, uint8(10), 11, 20)).DestinationCountry = pick(g.r, "US", "GB", "FR")
}

// about returns a time, a second less or more.
func (g *generator) about(span int64) int64 { return span + g.r.Int64N(3) - 1 }

// plainly files a scan without any oddity.
func (g *generator) plainly(number string, at int64, milestone uint8) *schemas.Event {
	m := schemas.Milestone(milestone)
	e := schemas.Event{
		ParcelID: schemas.ParcelID(number), FactID: g.id(), Carrier: pick(g.r, "yunexpress", "usps"), TrackingNumber: number, OccurredAt: at * 1000,
		Milestone: m, Physical: m.Physical(), Progress: m.Progress(), MappingVersion: 1, Topic: "scans.raw.x", Country: pick(g.r, "", "CN", "US"),
	}
	g.send(&message{kind: schemas.KindEvent, event: e}, at+pick(g.r, 0, g.r.Int64N(60), g.r.Int64N(5*hour)))
	return &g.last().event
}

// reused begins another life about 30 days after an end, or 120 after silence.
func (g *generator) reused(number string) {
	last, after := pick(g.r, uint8(95), 95, 129, 107, 106, 105, 141), g.about(30*day)
	if g.r.IntN(4) == 0 {
		last, after = pick(g.r, uint8(31), 60, 105, 91), g.about(120*day)
	}
	at := g.begin(after + g.r.Int64N(60*hour))
	if g.r.IntN(2) == 0 {
		g.plainly(number, at-g.r.Int64N(70*hour), 20)
	}
	g.plainly(number, at, last)
	g.plainly(number, at+after, pick(g.r, uint8(10), 11, 12, 20, 20, 31))
	if g.r.IntN(2) == 0 {
		g.plainly(number, at+after+g.about(pick(g.r, hour, 36*hour, 48*hour)), 31)
	}
}

// inTime reaches a milestone in the last second of its time, or not.
func (g *generator) inTime(number string) {
	type leg struct {
		since, to uint8
		after     int64
	}
	l := pick(g.r, leg{20, 42, 7 * day}, leg{20, 60, 15 * day}, leg{60, 90, 7 * day}, leg{70, 90, 7 * day})
	at := g.begin(l.after)
	first := g.plainly(number, at, l.since)
	first.OriginCountry, first.DestinationCountry = "CN", pick(g.r, "US", "GB", "DE", "CN")
	for t := at + g.r.Int64N(60*hour); t < at+l.after && g.r.IntN(6) > 0; t += g.r.Int64N(60 * hour) {
		g.plainly(number, t, l.since+pick(g.r, uint8(0), 0, 1))
	}
	if g.r.IntN(4) > 0 {
		g.plainly(number, at+g.about(l.after), l.to)
	}
	if g.r.IntN(3) == 0 {
		g.plainly(number, at+g.about(l.after), pick(g.r, uint8(95), 92, 107))
	}
}

// stay gets on in the last second of the time that a stage may take, or not.
func (g *generator) stay(number string) {
	stage := pick(g.r, [2]uint8{20, 40}, [2]uint8{30, 50}, [2]uint8{50, 60}, [2]uint8{70, 80}, [2]uint8{120, 129}, [2]uint8{81, 95})
	limit := pick(g.r, 48*hour, 48*hour, 24*hour, 120*hour)
	at := g.begin(limit)
	e := g.plainly(number, at, stage[0])
	e.OriginCountry, e.DestinationCountry = pick(g.r, "", "CN"), pick(g.r, "", "US", "FR")
	for t := at + g.r.Int64N(23*hour) + 1; t < at+limit; t += hour + g.r.Int64N(30*hour) {
		g.plainly(number, t, pick(g.r, stage[0], stage[0], 101, 142))
	}
	if g.r.IntN(4) > 0 {
		g.plainly(number, at+g.about(limit), stage[1])
	}
}

// backAgain has a parcel leave memory, and several things heard of it at once
// while the archive is asked.
func (g *generator) backAgain(number string) {
	w := g.w
	w.until = max(w.until, w.from+30*hour+g.r.Int64N(3*day))
	end := w.from - pick(g.r, 30*day, 35*day, 60*day, 121*day) - g.r.Int64N(2*day)
	last := pick(g.r, uint8(95), 95, 129, 60)
	var known []*schemas.Event
	for at, n := end-g.r.Int64N(9*day), 0; at < end && n < 5; at, n = at+hour+g.r.Int64N(60*hour), n+1 {
		known = append(known, g.plainly(number, at, allMilestones[g.r.IntN(len(allMilestones))]))
	}
	var ids []schemas.ID
	for _, e := range known {
		ids = append(ids, e.FactID)
	}
	ids = append(ids, g.plainly(number, end, last).FactID)
	if g.r.IntN(3) == 0 && !g.omits("o") {
		g.orderOf(fmt.Sprintf("SO-b%d", g.next), number, end-10*day)
	}
	for range 1 + g.r.IntN(2) {
		at := w.from + 25*hour + g.r.Int64N(max(1, w.until-w.from-25*hour))
		for range 2 + g.r.IntN(4) {
			at += g.r.Int64N(2 * hour)
			switch g.r.IntN(6) {
			case 0:
				g.send(&message{kind: schemas.KindVoid, void: pick(g.r, ids...), num: number, id: g.id()}, at)
			case 1:
				if !g.omits("a") {
					g.link(number, at)
				}
			case 2:
				if !g.omits("o") {
					g.orderOf(fmt.Sprintf("SO-b%d", g.next), number, at-g.r.Int64N(6*day))
				}
			default:
				e := schemas.Event{
					ParcelID: schemas.ParcelID(number), FactID: g.id(), Carrier: "usps", TrackingNumber: number, OccurredAt: (at - g.r.Int64N(60*day)) * 1000,
					Milestone: schemas.Milestone(pick(g.r, uint8(10), 20, 31, 60, 90, 95, 120)), MappingVersion: 1, Topic: "scans.raw.x",
				}
				e.Physical, e.Progress = e.Milestone.Physical(), e.Milestone.Progress()
				g.send(&message{kind: schemas.KindEvent, event: e}, at)
			}
		}
	}
}

// vanishes begins a life that a void, or a scan inside the silence, undoes later.
func (g *generator) vanishes(number string) {
	at := g.begin(31*day + 20*hour)
	g.plainly(number, at-g.r.Int64N(60*hour), 20)
	g.plainly(number, at, pick(g.r, uint8(95), 129))
	begin := g.plainly(number, at+30*day+g.r.Int64N(day), pick(g.r, uint8(10), 20)).FactID
	g.plainly(number, at+31*day+g.r.Int64N(12*hour), 31)
	w := g.w
	g.send(&message{kind: schemas.KindVoid, void: begin, num: number, id: g.id()}, w.from+2*hour+g.r.Int64N(w.until-w.from))
}

// lateNews tells of a parcel that has ended what was before the end.
func (g *generator) lateNews(number string) {
	w := g.w
	end := w.from - 3*day + g.r.Int64N((w.until-w.from)/2+3*day)
	way := []uint8{20, 42, 51, 60, 72, 83, 90}
	at := end - 20*day + g.r.Int64N(10*day)
	first := g.plainly(number, at, 20)
	first.OriginCountry, first.DestinationCountry = pick(g.r, "", "CN"), pick(g.r, "", "US", "GB", "FR")
	for _, m := range way[g.r.IntN(len(way)):] {
		if at += pick(g.r, g.about(36*hour), g.about(48*hour), g.r.Int64N(40*hour)); at < end {
			g.plainly(number, at, m)
		}
	}
	g.plainly(number, end, pick(g.r, uint8(95), 95, 129, 107))
	for range 1 + g.r.IntN(3) {
		e := *first
		e.FactID, e.OccurredAt = g.id(), (end-g.r.Int64N(10*day))*1000
		e.Milestone = schemas.Milestone(pick(g.r, uint8(30), 42, 55, 71, 91, 101, 90))
		e.Physical, e.Progress = e.Milestone.Physical(), e.Milestone.Progress()
		g.send(&message{kind: schemas.KindEvent, event: e}, max(end, w.from)+g.r.Int64N(max(1, w.until-max(end, w.from))))
	}
}

// ordered is an order and its parcel, each step of one near a limit of the other.
func (g *generator) ordered(number string) {
	if g.omits("o") {
		return
	}
	limit := func() int64 {
		return pick(g.r, g.r.Int64N(20*hour), g.r.Int64N(20*hour), g.about(24*hour), g.about(48*hour), g.about(72*hour), g.about(120*hour))
	}
	at := g.begin(pick(g.r, 2*day, 5*day, 9*day))
	scanned := at + limit()
	delivered := scanned + limit() + limit()
	o := g.orderOf(fmt.Sprintf("SO-w%d", g.next), number, at)
	if g.r.IntN(4) > 0 {
		o(schemas.OrderMarkedShipped, scanned-24*hour+limit(), 0)
	}
	if g.r.IntN(4) > 0 {
		for range pick(g.r, 1, 1, 1, 2) {
			o(schemas.OrderMarkedDelivered, delivered-24*hour+limit(), 0)
		}
	}
	for range pick(g.r, 0, 0, 1, 2, 2) {
		o(schemas.OrderPromiseExtended, at+limit(), delivered-24*hour+limit()-pick(g.r, 0, 48*hour))
	}
	switch g.r.IntN(10) {
	case 0, 1:
		o(schemas.OrderCancelled, at+limit()+limit(), 0)
	case 2, 3: // the answer that comes first is not always the first
		asked := at + limit()
		o(schemas.OrderCancelRequested, asked, 0)
		for range g.r.IntN(3) {
			o(pick(g.r, schemas.OrderCancelAnswered, schemas.OrderCancelAnswered, schemas.OrderCancelled), asked+pick(g.r, limit(), 48*hour+limit()), 0)
		}
	case 4, 5: // more time, told when it is too late
		promise := g.w.from + g.r.Int64N(g.w.until-g.w.from) - 24*hour
		o(schemas.OrderPromiseExtended, at, promise)
		o(schemas.OrderPromiseExtended, at+1+g.r.Int64N(day), promise+g.r.Int64N(30*hour))
	case 6, 7:
		o(schemas.OrderHoliday, pick(g.r, at+limit()-12*hour, g.w.from-2*day+g.r.Int64N(g.w.until-g.w.from+2*day)), 0)
	}
	if g.r.IntN(8) > 0 {
		e := g.plainly(number, scanned, pick(g.r, uint8(20), 20, 30, 12, 60))
		e.DestinationCountry = pick(g.r, "", "", "US", "GB", "FR")
		e.NumberCheck = pick(g.r, schemas.NumberValid, schemas.NumberValid, schemas.NumberInvalid)
	}
	if g.r.IntN(3) > 0 {
		e := g.plainly(number, delivered, pick(g.r, uint8(95), 95, 95, 129))
		e.Postcode = pick(g.r, "", "SW1A 1AA", "sw1-b2", "90210", "902 11")
		if g.r.IntN(6) == 0 {
			g.send(&message{kind: schemas.KindVoid, void: e.FactID, num: number, id: g.id()}, delivered+g.r.Int64N(day))
		}
	}
}

// corrected is a parcel that was delivered, and an order that says of it first one
// thing and then another, each time as if it had been so before.
func (g *generator) corrected(number string) {
	if g.omits("o") {
		return
	}
	w := g.w
	delivered := w.from - 3*day + g.r.Int64N(w.until-w.from+day)
	o := g.orderOf(fmt.Sprintf("SO-c%d", g.next), number, delivered-6*day+g.r.Int64N(3*day))
	e := g.plainly(number, delivered, 95)
	e.Postcode, e.Country, e.DestinationCountry = pick(g.r, "SW1A 1AA", "90210"), pick(g.r, "", "CN", "CN"), pick(g.r, "", "", "GB", "US")
	told := max(w.from, delivered)
	for i := range int64(5) {
		told += g.r.Int64N(max(1, (w.until-told)/2))
		what, at := schemas.OrderLabelCreated, delivered-8*day-i*hour
		if g.r.IntN(2) == 0 {
			what, at = schemas.OrderMarkedDelivered, delivered+pick(g.r, 30*hour, 26*hour, 20*hour)-i*hour
		}
		if o(what, at, 0); what == schemas.OrderLabelCreated {
			last := &g.last().order
			last.OriginCountry, last.DestinationCountry = pick(g.r, "US", "US", "CN"), pick(g.r, "US", "US", "US", "GB")
		}
		g.tell(told)
	}
	if g.r.IntN(3) == 0 {
		g.plainly(number, delivered+g.r.Int64N(2*day), 95)
		g.send(&message{kind: schemas.KindVoid, void: e.FactID, num: number, id: g.id()}, told)
	}
}

// orderOf files the beginning of an order that names a number, at a time, and
// returns what files more of it.
func (g *generator) orderOf(id, number string, at int64) (more filer) {
	r := g.r
	more = g.orderBy(id, fmt.Sprintf("shop-%d", 1+r.IntN(2)), number)
	if r.IntN(10) > 0 {
		more(schemas.OrderCreated, at, 0)
	}
	for _, k := range []schemas.OrderKind{schemas.OrderConfirmed, schemas.OrderReadyToShip, schemas.OrderLabelCreated} {
		at += pick(r, 0, r.Int64N(10*hour), g.about(24*hour))
		if k == schemas.OrderLabelCreated || r.IntN(3) > 0 {
			more(k, at, 0)
		}
	}
	return more
}

// orderBy returns what files facts of an order that names a number.
func (g *generator) orderBy(id, shop, number string) filer {
	r := g.r
	base := schemas.OrderFact{OrderID: id, ShopID: shop, Market: pick(r, "US", "GB", "FR", ""), Topic: "orders"}
	return func(k schemas.OrderKind, at, promise int64) {
		f := base
		f.FactID, f.Kind, f.At, f.PromiseAt = g.id(), k, at*1000, promise*1000
		if k == schemas.OrderHoliday {
			f.Until = f.At + r.Int64N(36*hour)*1000
		}
		if k == schemas.OrderLabelCreated {
			f.TrackingNumbers, f.LabelSource, f.Carrier = []string{number}, pick(r, "platform", "platform", "seller"), pick(r, "ups", "yunexpress", "fake")
			f.OriginCountry, f.DestinationCountry = pick(r, "CN", "US", "DE"), pick(r, "US", "GB", "FR")
			f.DestinationPostcode = pick(r, "SW1A 1AA", "sw1A", "90210")
		}
		g.send(&message{kind: schemas.KindOrder, order: f}, at+pick(r, 0, r.Int64N(60), r.Int64N(3*hour), r.Int64N(2*day)))
	}
}

// someFeed draws the receptions of a carrier, now and then of a situation.
func (g *generator) someFeed(n int, carrier string) {
	switch n {
	case 0:
		g.longAgo(carrier)
	case 1, 2:
		g.lateHours(carrier)
	default:
		g.feed(carrier)
	}
}

// received files a reception of a carrier, which is told at a time, or at once.
func (g *generator) received(carrier string, at, told int64, lag uint8) {
	f := schemas.Feed{Carrier: carrier, Topic: "scans.raw." + carrier, First: at * 1000, Last: at * 1000, Events: 1, LagHours: lag}
	g.send(&message{kind: schemas.KindFeed, feed: f}, max(told, at+60))
}

// longAgo is a feed that fell silent, of which becomes known that it once was
// silent for longer at this time of the week, and then that it was not. It is for
// wdr>open of feed_stale.
func (g *generator) longAgo(carrier string) {
	r := g.r
	last := g.w.from - r.Int64N(6*hour)
	for at := last; at > last-10*day; at -= 2*hour - r.Int64N(hour) {
		g.received(carrier, at, 0, 0)
	}
	told := last + 8*hour + r.Int64N(10*hour)
	g.received(carrier, last-14*day-r.Int64N(5*hour), told, 0)
	for range 3 {
		told += r.Int64N(10 * hour)
		g.received(carrier, last-14*day+r.Int64N(8*hour), told, 0)
	}
}

// lateHours is a feed whose scans come late for some hours, of one of which is told,
// in turn, that half were in time, and that most were late. It is for wdr>open,
// wdr>res, res>wdr and res>res of feed_stale:upload_lag.
func (g *generator) lateHours(carrier string) {
	const usual, late = 1, 40
	r := g.r
	first := (g.w.from+r.Int64N(12*hour))/hour*hour - 2*hour
	for i := range int64(24) { // what is usual is told by the week before
		g.received(carrier, first-7*day+(i-4)*hour, 0, usual)
	}
	until := 3 + r.Int64N(5)
	for i := range until + 6 {
		lag := uint8(late)
		if i >= until {
			lag = usual
		}
		g.received(carrier, first+i*hour+r.Int64N(30*minute), 0, lag)
	}
	told, again := first+3*hour+r.Int64N(8*hour), first+r.Int64N(pick(r, 3, until))*hour+30*minute
	for i := range 2 + r.Int64N(4) {
		g.received(carrier, again+i*minute, told, []uint8{usual, late}[i%2])
		told += r.Int64N(5 * hour)
	}
}
