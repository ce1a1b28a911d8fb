package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"scantrail/bench/oracle"
	"scantrail/detector"
	"scantrail/schemas"
)

// cluster is everything that lives through one world.
type cluster struct {
	r      *rand.Rand
	w      *world
	faults bool
	turns  []turn // of the policies, by time
	silent bool   // no tick states how far copies were forwarded before the end
	rarely int    // an effect fails in each way once in so many times
	stormy int    // a storm comes once in so many ticks
	strict bool   // two rows of one version must be the same
	parsed *detector.Documents
	cover  *coverage
	trace  *strings.Builder // nil: none

	now     int64 // virtual clock, Unix seconds
	parts   []*partition
	raw     []*rawPartition
	flights []flight
	tables  tables
	ticks   []*schemas.Tick // of late
}

// turn is when a partition hears of policies.
type turn struct {
	at        int64
	partition int
	fault     string
	control   *schemas.Record
}

// flight is a record that a producer gave up waiting for and that arrives all the same.
type flight struct {
	at  int64
	key string
	rec *schemas.Record
}

func (c *cluster) tracef(format string, args ...any) {
	if c.trace != nil {
		fmt.Fprintf(c.trace, "%d "+format+"\n", append([]any{c.now - c.w.from}, args...)...)
	}
}

// chance is true once in n times, never without faults.
func (c *cluster) chance(n int) bool { return c.faults && c.r.IntN(n) == 0 }

// run lives through a world and returns the cluster when all is told, written
// and acknowledged.
func run(r *rand.Rand, w *world, policies []string, parsed *detector.Documents, faults, strict bool, cover *coverage, trace *strings.Builder) (c *cluster, err error) {
	c = &cluster{r: r, w: w, parsed: parsed, faults: faults, strict: strict, cover: cover, trace: trace, now: w.from, tables: newTables(), silent: r.IntN(10) == 0}
	ticks := int((w.until - w.from) / maxStep)
	c.rarely = pick(r, 100, 250, 500) * (1 + ticks/500)
	c.stormy = 3 * (1 + ticks)
	defer func() {
		if p := recover(); p != nil {
			if f, ok := p.(failure); ok {
				err = f
				return
			}
			err = fmt.Errorf("panic: %v\n%s", p, stack())
		}
	}()
	for i := range pick(r, 1, 1, 2, 2, 3, 3, 4, 6) {
		p := &partition{number: i, committed: w.from}
		c.parts = append(c.parts, p)
		c.control(i, policies)
		c.start(p)
	}
	for range 1 + r.IntN(3) {
		c.raw = append(c.raw, &rawPartition{})
	}
	for i := range w.messages {
		raw := c.raw[r.IntN(len(c.raw))]
		raw.messages = append(raw.messages, w.messages[i])
	}
	c.live()
	c.drain()
	return c, nil
}

// control tells a partition its policies; now and then other ones before, and
// older ones after, which must not count.
func (c *cluster) control(p int, policies []string) {
	tell := func(number uint32, doc int) {
		c.appendTo(p, &schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: number, Policy: policies[doc]}})
	}
	other := (c.w.doc + 1) % len(policies)
	if n := c.w.switches; n > 0 { // the same ones everywhere, each at another time
		tell(1, (c.w.doc+n)%len(policies))
		at := c.w.from
		for i := range n {
			at += c.r.Int64N(max(1, (c.w.until-at)/2))
			c.later(p, "switched", at, schemas.Control{Number: uint32(6 + i), Policy: policies[(c.w.doc+n-1-i)%len(policies)], Generation: uint32(pick(c.r, 0, 2+i))})
		}
		return
	}
	if c.chance(8) {
		c.cover.fault("another before", "control")
		tell(3, other)
	}
	tell(5, c.w.doc)
	if c.chance(8) {
		c.later(p, "older after", c.w.from+c.r.Int64N(c.w.until-c.w.from), schemas.Control{Number: 4, Policy: policies[other]})
	}
	if c.chance(8) {
		c.later(p, "again", c.w.from+c.r.Int64N(c.w.until-c.w.from), schemas.Control{Number: 5, Policy: policies[c.w.doc]})
	}
}

// later tells a partition policies at a time.
func (c *cluster) later(p int, fault string, at int64, control schemas.Control) {
	c.turns = append(c.turns, turn{at, p, fault, &schemas.Record{Kind: schemas.KindControl, Control: control}})
	slices.SortStableFunc(c.turns, func(a, b turn) int { return cmp.Compare(a.at, b.at) })
}

// turn tells partitions the policies that are in force from then on.
func (c *cluster) turn() {
	for len(c.turns) > 0 && c.turns[0].at <= c.now {
		c.cover.fault(c.turns[0].fault, "control")
		c.appendTo(c.turns[0].partition, c.turns[0].control)
		c.turns = c.turns[1:]
	}
}

// failure is a broken promise of the detector that the cluster met.
type failure struct{ text string }

func (f failure) Error() string { return f.text }

func (c *cluster) failf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

// live goes through the world's time, one tick after the other.
func (c *cluster) live() {
	limits := c.w.limits()
	for c.now < c.w.until {
		step := pick(c.r, maxStep, maxStep, maxStep, maxStep, 300+c.r.Int64N(300), 5)
		if at, ok := next(limits, c.now); ok && c.r.IntN(2) == 0 {
			step = max(at-c.now+c.r.Int64N(3)-1, 1) // to the second, or one off
		}
		c.now = min(c.now+step, c.w.until)
		c.turn()
		c.ingest()
		c.land()
		for range c.r.IntN(5) - 2 { // with news that no tick has judged
			c.act()
		}
		if c.r.IntN(8) == 0 {
			p := c.parts[c.r.IntN(len(c.parts))]
			o := p.owners[c.r.IntN(len(p.owners))]
			if o.poll(len(p.log)); !o.dead {
				o.snapshot()
			}
		}
		c.tick()
		for range c.r.IntN(3) {
			c.act()
		}
		if c.chance(c.stormy) {
			c.storm()
		}
	}
}

// act lets some owner do something.
func (c *cluster) act() {
	p := c.parts[c.r.IntN(len(c.parts))]
	p.owners[c.r.IntN(len(p.owners))].act()
}

// limits returns the seconds at which a rule may change its mind by itself: every
// fact's time and one of the spans later, in order.
func (w *world) limits() []int64 {
	var all []int64
	for i := range w.messages {
		m := w.messages[i]
		t := m.order.At / 1000
		if m.kind == schemas.KindEvent {
			t = min(m.event.OccurredAt, m.event.ReceivedAt) / 1000
		}
		spans := spans
		if m.kind == schemas.KindFeed {
			t = m.feed.Last / 1000
			spans = []int64{hour - t%hour, 2 * hour, 4 * hour, 8 * hour, 7 * day}
		}
		for _, span := range spans {
			if at := t + span; at > w.from && at < w.until {
				all = append(all, at)
			}
		}
	}
	for _, terms := range keys() {
		for _, k := range terms {
			if at := max(k.Expires, k.Issued+90*day) - warned; at > w.from && at < w.until {
				all = append(all, at)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// next returns the first of the limits within a tick's step of now.
func next(limits []int64, now int64) (int64, bool) {
	i, _ := slices.BinarySearch(limits, now+2)
	if i == len(limits) || limits[i] > now+maxStep {
		return 0, false
	}
	return limits[i], true
}

// storm is a rebalance that gives every partition another owner, several times.
func (c *cluster) storm() {
	c.cover.fault("storm", "rebalance")
	for range 1 + c.r.IntN(3) {
		for _, p := range c.parts {
			c.replace(p)
		}
	}
}

// land lets records arrive that were on their way.
func (c *cluster) land() {
	kept := c.flights[:0]
	for _, f := range c.flights {
		if f.at > c.now {
			kept = append(kept, f)
			continue
		}
		c.append(f.key, f.rec)
	}
	c.flights = kept
}

// tick appends a tick to every partition, as a ticker does that sees the whole
// cluster; ticks get lost, come twice, late, or from a clock that is off.
func (c *cluster) tick() {
	at := min(c.now, c.waiting())
	f := c.parts[0].committed
	for _, p := range c.parts {
		f = min(f, p.committed)
	}
	t := &schemas.Tick{At: at * 1000, ForwardedThrough: f * 1000, History: c.now < c.w.history}
	if c.silent && c.faults || c.chance(20) {
		t.ForwardedThrough = 0
	}
	if c.chance(40) {
		c.cover.fault("skew", "tick")
		t.At += c.r.Int64N(300_000) - 150_000
	}
	for i, raw := range c.raw {
		if raw.blocked > c.now+hour {
			t.Stalled = append(t.Stalled, fmt.Sprintf("scans.raw.%s/0", carriers[i]))
		}
	}
	for _, p := range c.parts {
		if c.chance(30) && len(c.ticks) > 0 {
			c.cover.fault("lost", "tick")
			continue
		}
		p.tick(t)
		if c.chance(50) {
			c.cover.fault("doubled", "tick")
			p.tick(t)
		}
		if c.chance(50) && len(c.ticks) > 0 {
			c.cover.fault("out of order", "tick")
			p.tick(c.ticks[c.r.IntN(len(c.ticks))])
		}
	}
	if len(c.ticks) > 20 {
		c.ticks = c.ticks[1:]
	}
	c.ticks = append(c.ticks, t)
}

// drain ends all faults and goes on until nothing is left to do: with the last
// ticks every partition has seen all facts, and its owner has told all of it. The
// clocks end at one time, whatever happened before.
func (c *cluster) drain() {
	c.faults = false
	const rounds = 60
	end := c.w.until + 5*maxStep
	quiet := 0
	for round := 0; quiet < 3; round++ {
		if round == rounds {
			c.failf("liveness: not drained after %d rounds", rounds)
		}
		before := 0
		for _, p := range c.parts {
			before += p.facts
		}
		c.now = min(end, c.now+60+c.r.Int64N(maxStep-60))
		for _, f := range c.flights {
			c.append(f.key, f.rec)
		}
		c.flights = nil
		for _, raw := range c.raw {
			raw.blocked = 0
		}
		c.ingest()
		c.tick()
		after := 0
		for _, p := range c.parts {
			p.owners = p.owners[len(p.owners)-1:]
			p.owners[0].finish()
		}
		for _, p := range c.parts {
			after += p.facts
		}
		caughtUp := true
		for _, p := range c.parts {
			caughtUp = caughtUp && p.owners[0].m.Offset() == int64(len(p.log)-1) && p.committed == end
		}
		if quiet++; after != before || !caughtUp {
			quiet = 0
		}
	}
}

// aCase is what the oracle has to know of the cluster.
func (c *cluster) aCase(seed uint32) *oracle.Case {
	k := &oracle.Case{Seed: seed, Doc: c.w.doc, Home: homeAmong(len(c.parts))} // which outlives the cluster
	for i := range c.w.messages {
		m := c.w.messages[i]
		switch m.kind {
		case schemas.KindEvent:
			k.Scans = append(k.Scans, m.event)
		case schemas.KindOrder:
			k.Orders = append(k.Orders, m.order)
		case schemas.KindAlias:
			k.Aliases = append(k.Aliases, m.alias)
		case schemas.KindVoid:
			k.Voids = append(k.Voids, m.void)
		}
	}
	for _, p := range c.parts {
		k.Clocks = append(k.Clocks, p.clock())
	}
	return k
}
