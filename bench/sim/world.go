package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
)

// base is where the worlds' time begins.
var base = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// message is one raw fact that reaches the cluster at a time. Unix milliseconds.
type message struct {
	at   int64
	kind schemas.Kind

	event schemas.Event
	order schemas.OrderFact
	feed  schemas.Feed
	alias [2]string
	void  schemas.ID
	num   string // of a void
	id    schemas.ID
}

// world is everything that happens in one seed outside of the cluster.
type world struct {
	doc         int
	switches    int   // how often the policies change on the way
	from, until int64 // what the cluster lives through, Unix seconds
	history     int64 // until then history is read
	numbers     []string
	messages    []*message // by time
}

// spans around which times gather: the limits of the rules, to the second.
var spans = []int64{24 * hour, 36 * hour, 48 * hour, 72 * hour, 120 * hour, 7 * day, 15 * day, 30 * day, 37 * day, 120 * day, 180 * day}

// span returns a time between two things; mostly a short one, or a limit to the
// second, a second less or more.
func span(r *rand.Rand) int64 {
	switch r.IntN(10) {
	case 0:
		return 0
	case 1, 2:
		return r.Int64N(120)
	case 3, 4, 5:
		return r.Int64N(50 * hour)
	case 6, 7, 8:
		return spans[r.IntN(5)] + r.Int64N(3) - 1
	default:
		return spans[r.IntN(len(spans))] + r.Int64N(3) - 1
	}
}

var carriers = []string{"yunexpress", "usps", "ups"}

type generator struct {
	r    *rand.Rand
	w    *world
	omit string
	next uint64

	linkable []string // numbers that aliases may name
}

// omitted are the things that a world can be drawn without, by letter.
const omitted = "a: aliases, c: number checks, f: odd flags, m: unknown markets, o: orders, v: newer mappings, x: voids"

func (g *generator) omits(what string) bool { return strings.Contains(g.omit, what) }

// newWorld draws a world, without the things that omit names.
func newWorld(r *rand.Rand, docs int, omit string) *world {
	g := &generator{r: r, w: &world{doc: r.IntN(docs)}, omit: omit}
	w := g.w
	w.from = base.Unix() + 20*day + r.Int64N(10*day)
	w.until = w.from + r.Int64N(pick(r, 12*hour, 36*hour, 3*day, 5*day)) + hour
	if r.IntN(5) == 0 {
		w.switches = 1 + r.IntN(3)
	}
	numbers := 1 + r.IntN(4)
	switch n := r.IntN(1200); {
	case n < 4: // long enough to forget what has ended
		w.until = w.from + 35*day + r.Int64N(10*day)
	case n < 5: // and what fell silent
		w.until = w.from + 120*day + r.Int64N(15*day)
	case n < 25: // more numbers than one parcel may have
		numbers = 9 + r.IntN(3)
	}
	all := numbers
	if r.IntN(20) < 11 {
		all++ // one for news of an order
	}
	for i := range all {
		w.numbers = append(w.numbers, fmt.Sprintf("LX%07d%c%d", r.IntN(10_000_000), 'A'+i, r.IntN(10)))
	}
	g.linkable = w.numbers
	if r.IntN(200) == 0 {
		// It is quarantined alone: which homes of a union with so many scans go on
		// depends on what came first, and nobody has promised more.
		g.linkable = w.numbers[1:]
		for range 250 + r.IntN(20) {
			g.scan(w.numbers[0], w.from-r.Int64N(3*day), allMilestones[r.IntN(len(allMilestones))])
		}
	}
	for i, n := range w.numbers {
		switch k := r.IntN(6); {
		case i == numbers:
			g.news(n)
		case k < 2:
			g.situation(n)
		case k < 4:
			g.journey(n)
		default:
			g.anything(n)
		}
	}
	for i := range r.IntN(4) {
		if g.omits("o") {
			break
		}
		g.order(fmt.Sprintf("SO-%d", i), fmt.Sprintf("shop-%d", 1+r.IntN(2)))
	}
	if (r.IntN(3) == 0 || numbers > 8) && !g.omits("a") {
		for range 1 + r.IntN(3) + max(0, 3*(numbers-5)) {
			g.alias()
		}
	}
	if n := r.IntN(240); n < 30 && w.until < w.from+6*day {
		g.someFeed(n, pick(r, carriers...))
	}
	g.sameSecond()
	if r.IntN(8) == 0 {
		g.history()
	}
	w.sort()
	return w
}

// history has most of what comes at first be history.
func (g *generator) history() {
	w := g.w
	w.history = w.from + g.r.Int64N(w.until-w.from)
	for _, m := range w.messages {
		if m.at < w.history*1000 && g.r.IntN(20) > 0 {
			m.event.Backfill, m.order.Backfill = true, true
		}
	}
}

func (w *world) sort() {
	slices.SortStableFunc(w.messages, func(a, b *message) int { return int(a.at - b.at) })
}

func (g *generator) id() (id schemas.ID) {
	g.next++
	for i := range id {
		id[i] = byte(g.r.Uint32())
	}
	return id
}

// pick returns one of the values.
func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

var allMilestones = []uint8{0, 10, 11, 12, 20, 20, 20, 30, 31, 40, 41, 42, 43, 50, 51, 55, 56, 57, 60, 70, 71, 72, 73, 80, 81, 82, 83, 90, 91, 92,
	95, 95, 100, 101, 102, 103, 104, 105, 106, 107, 108, 120, 121, 129, 140, 141, 142}

// begin returns the first time of a trail that ends not far from the lived time.
func (g *generator) begin(length int64) int64 {
	return g.w.from - length + g.r.Int64N(g.w.until-g.w.from+1)
}

// anything draws facts of a parcel without knowing what they mean.
func (g *generator) anything(number string) {
	n := g.r.IntN(12)
	times, length := make([]int64, n), int64(0)
	for i := range times {
		length += span(g.r)
		times[i] = length
	}
	start := g.begin(length * g.r.Int64N(11) / 10)
	if g.r.IntN(3) == 0 {
		slices.SortFunc(times, func(a, b int64) int { return int(b - a) })
	}
	for _, t := range times {
		m := allMilestones[g.r.IntN(len(allMilestones))]
		g.scan(number, start+t, m)
	}
}

// journey draws a trail as parcels have it.
func (g *generator) journey(number string) {
	way := []uint8{10, 20, 31, 40, 42, 50, 51, 57, 60, 70, 72, 80, 83, 90, 91, 90, 95}
	last := g.r.IntN(len(way)) + 1
	type step struct {
		at int64
		m  uint8
	}
	var steps []step
	at := int64(0)
	for _, m := range way[:last] {
		at += pick(g.r, g.r.Int64N(30*hour), g.r.Int64N(10*hour), span(g.r)%(130*hour))
		switch g.r.IntN(12) {
		case 0:
			continue
		case 1:
			steps = append(steps, step{at - hour, pick(g.r, uint8(100), 101, 102, 71, 43, 104, 120, 105, 92, 142)})
		}
		steps = append(steps, step{at, m})
	}
	if g.r.IntN(6) == 0 {
		at += span(g.r)
		steps = append(steps, step{at, 120}, step{at + g.r.Int64N(60*hour), pick(g.r, uint8(95), 121, 129)})
	}
	if g.r.IntN(8) == 0 {
		at += pick(g.r, 30*day-1, 30*day, 35*day, 120*day)
		steps = append(steps, step{at, pick(g.r, uint8(10), 20)}, step{at + g.r.Int64N(60*hour), 31})
	}
	start := g.begin(at)
	for _, s := range steps {
		g.scan(number, start+s.at, s.m)
	}
}

// lag returns how long a fact takes to be received, in seconds.
func (g *generator) lag() int64 {
	return pick(g.r, 0, g.r.Int64N(60), g.r.Int64N(60), g.r.Int64N(5*hour), 24*hour+g.r.Int64N(3)-1, g.r.Int64N(3*day))
}

// send files a message at a time at or after the beginning of what is lived.
func (g *generator) send(m *message, at int64) {
	ms := at*1000 + g.r.Int64N(1000)
	if at < g.w.from {
		ms = g.w.from*1000 + g.r.Int64N(hour*1000)
	}
	m.at = min(ms, g.w.until*1000)
	switch m.kind {
	case schemas.KindEvent:
		m.event.ReceivedAt = m.at
		if e := &m.event; (e.FactID[15]+byte(e.MappingVersion))%16 == 0 { // another mapping may say otherwise
			e.Reason = "consignee_refused"
		}
	case schemas.KindOrder:
		m.order.ReceivedAt = m.at
	}
	g.w.messages = append(g.w.messages, m)
}

func (g *generator) scan(number string, at int64, milestone uint8) {
	r := g.r
	m := schemas.Milestone(milestone)
	e := schemas.Event{
		ParcelID: schemas.ParcelID(number), FactID: g.id(), Carrier: pick(r, carriers...), TrackingNumber: number,
		OccurredAt: at*1000 + r.Int64N(1000), Milestone: m, Physical: m.Physical(), Progress: m.Progress(), MappingVersion: 1,
		Country: pick(r, "", "", "CN", "US", "DE", "GB"), Facility: pick(r, "", "", "HUB1", "SFO"), Topic: "scans.raw.x", Backfill: r.IntN(12) == 0,
	}
	if r.IntN(20) == 0 && !g.omits("f") {
		e.Progress = !e.Progress
	}
	if r.IntN(20) == 0 && !g.omits("f") {
		e.Physical = !e.Physical
	}
	if r.IntN(6) == 0 {
		e.OriginCountry, e.DestinationCountry = pick(r, "", "CN", "CN", "DE"), pick(r, "", "US", "GB", "FR", "DE")
	}
	if r.IntN(4) == 0 || m == schemas.Delivered && r.IntN(2) == 0 {
		e.Postcode = pick(r, "SW1A 1AA", "sw1-b2", "90210", "902", "90", "9*210", "10115")
	}
	if r.IntN(25) == 0 && !g.omits("c") {
		e.NumberCheck = pick(r, schemas.NumberInvalid, schemas.NumberValid)
	}
	g.send(&message{kind: schemas.KindEvent, event: e}, at+g.lag()-pick(r, 0, 0, 0, 0, g.r.Int64N(3*hour)))
	for r.IntN(4) == 0 {
		copied := e
		switch k := r.IntN(6); {
		case k == 0 && !g.omits("v"):
			copied.MappingVersion = 2
			copied.Milestone = schemas.Milestone(allMilestones[r.IntN(len(allMilestones))])
			copied.Progress, copied.Physical = copied.Milestone.Progress(), copied.Milestone.Physical()
			copied.OccurredAt += pick(r, 0, 8*hour*1000, -8*hour*1000)
		case k == 1:
			copied.Backfill = !copied.Backfill
		}
		g.send(&message{kind: schemas.KindEvent, event: copied}, at+g.lag())
		if copied.MappingVersion == 2 {
			break
		}
	}
	if r.IntN(15) == 0 && !g.omits("x") {
		g.send(&message{kind: schemas.KindVoid, void: e.FactID, num: number, id: g.id()}, at+span(r)-hour)
	}
}

func (g *generator) alias() {
	if len(g.linkable) > 0 {
		g.link(pick(g.r, g.linkable...), g.w.from+g.r.Int64N(g.w.until-g.w.from))
	}
}

// link says that a number and any other name one parcel.
func (g *generator) link(number string, at int64) {
	if !slices.Contains(g.linkable, number) {
		return
	}
	if other := pick(g.r, g.linkable...); other != number {
		g.send(&message{kind: schemas.KindAlias, alias: [2]string{number, other}, id: g.id()}, at)
	}
}

func (g *generator) order(id, shop string) {
	r := g.r
	at := g.begin(pick(r, 0, 3*day, 6*day, 20*day, 100*day))
	market := pick(r, "", "US", "GB", "FR", "DE")
	if g.omits("m") {
		market = "US"
	}
	fact := func(kind schemas.OrderKind, set func(*schemas.OrderFact)) {
		f := schemas.OrderFact{FactID: g.id(), OrderID: id, ShopID: shop, Kind: kind, At: at*1000 + r.Int64N(1000), Market: market, Topic: "orders"}
		if r.IntN(10) == 0 {
			f.Market = pick(r, "", "US", "FR")
		}
		if set != nil {
			set(&f)
		}
		for ok := true; ok; ok = r.IntN(5) == 0 {
			g.send(&message{kind: schemas.KindOrder, order: f}, at+g.lag())
		}
	}
	label := func(f *schemas.OrderFact) {
		f.TrackingNumbers = []string{pick(r, g.w.numbers...)}
		if other := pick(r, g.w.numbers...); r.IntN(5) == 0 && other != f.TrackingNumbers[0] {
			f.TrackingNumbers = append(f.TrackingNumbers, other)
		}
		f.LabelSource, f.Carrier = pick(r, "", "platform", "platform", "seller"), pick(r, "", "ups", "yunexpress", "fake")
		f.OriginCountry, f.DestinationCountry = pick(r, "", "CN", "CN", "US", "DE"), pick(r, "", "US", "US", "GB", "FR")
		f.DestinationPostcode = pick(r, "", "SW1A 1AA", "90210", "10115", "1*115", "9 0")
	}
	step := func() { at += pick(r, 0, r.Int64N(20*hour), span(r)%(130*hour)) }
	if r.IntN(12) > 0 {
		fact(schemas.OrderCreated, nil)
	}
	for _, k := range []schemas.OrderKind{schemas.OrderConfirmed, schemas.OrderReadyToShip, schemas.OrderLabelCreated, schemas.OrderMarkedShipped, schemas.OrderMarkedDelivered} {
		step()
		switch {
		case r.IntN(4) == 0:
		case k == schemas.OrderLabelCreated:
			fact(k, label)
			if r.IntN(6) == 0 {
				step()
				fact(k, label)
			}
		default:
			fact(k, nil)
		}
	}
	for r.IntN(4) == 0 {
		promise := at + span(r)%(200*hour) - 100*hour
		fact(schemas.OrderPromiseExtended, func(f *schemas.OrderFact) { f.PromiseAt = promise * 1000 })
		step()
	}
	if r.IntN(4) == 0 {
		fact(schemas.OrderCancelRequested, nil)
		if r.IntN(2) == 0 {
			step()
			fact(pick(r, schemas.OrderCancelAnswered, schemas.OrderCancelled), nil)
		}
	}
	if r.IntN(4) == 0 {
		at -= 4 * day
		fact(schemas.OrderHoliday, func(f *schemas.OrderFact) { f.Until = (at + r.Int64N(5*day)) * 1000 })
	}
	if r.IntN(10) == 0 {
		fact(schemas.OrderCancelled, nil)
	}
}
