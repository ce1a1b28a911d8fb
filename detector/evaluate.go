package detector

import (
	"math"
	"slices"

	"scantrail/schemas"
)

// wanted is one alert that the facts call for.
type wanted struct {
	family family
	status schemas.AlertStatus
	level  uint8
	num    uint8  // number of the anchor: 0 is the parcel's own, else a link's place plus 1
	life   uint8  // that calls for it; no part of what is known
	anchor uint32 // Unix seconds
	ended  uint32 // 0: lasts
}

// Times of a row, by index.
const (
	atLabel = iota
	atAccepted
	atExportCleared
	atDeparted
	atArrived
	atImportCleared
	atOutForDelivery
	atDelivered
	atReturned
	numTimes
)

// verdict is f(facts, policy, C) of one life of a parcel, or of an order. It is
// reused from one to the next. Indexes are into the facts; -1 is none.
type verdict struct {
	wanted   []wanted // by family, then anchor
	deadline uint32   // next second at which the verdict changes by itself; 0: never

	ended        bool
	endMilestone schemas.Milestone
	end          uint32

	stage    schemas.Milestone // furthest forward progress
	furthest schemas.Milestone // the same without in_transit, to compare with
	first    uint32            // earliest progress in the trail
	last     int               // latest progress in the trail
	lane     lane

	required, due, observed uint8
	silent                  uint32 // seconds beyond the limit, over closed gaps
	silentCustoms           uint32 // of these: gaps that began with customs
	gaps48, gaps72          uint8
	exceptions              uint8
	exception               schemas.Milestone // the first of them
	exceptionAt             uint32
	progress                uint16           // progress facts, ignored ones included
	seen                    facet            // what the facts show together
	seenAt                  [numTimed]uint32 // since when, of what is timed

	walk
	unsorted bool // the wanted alerts are not in order yet
	scratchOfRules
}

// anchor is a second and the number of the first fact that makes it one.
type anchor struct {
	sec uint32 // 0: none
	num uint8
}

func (a *anchor) first(f *fact) {
	if a.sec == 0 {
		*a = anchor{f.sec, f.num}
	}
}

func (a *anchor) latest(f *fact) {
	if a.sec != f.sec {
		*a = anchor{f.sec, f.num}
	}
}

// walk is what only the passage through the facts needs. Times are seconds; 0
// is none.
type walk struct {
	since      uint32 // latest update since the trail began, or began again: a gap may begin there
	sinceStage schemas.Milestone
	sinceFact  schemas.Milestone // of the update itself
	update     anchor            // latest update
	moved      anchor            // latest progress
	began      anchor            // earliest progress
	accepted   int               // earliest accepted
	returning  bool

	handled   anchor // earliest physical, failed pickups apart
	delivered int    // the delivered fact
	arrived   anchor // earliest progress in the destination country
	abroad    anchor // earliest physical fact abroad
	seek      uint8
	inEpisode bool
	episodes  [2]episode
	group     schemas.Stage // highest so far
	staying   bool          // the last stay lasts
	stays     [maxStays]stay
	numStays  int
}

// evaluate is f: what the facts of a life, in order, mean under a policy at
// second now. The lane that the order states goes before what carriers state.
//
// The trail ends at the first delivered, destroyed, cancelled or returned; what
// follows is ignored until a return starts. Lost and tracking_ended end it too,
// unless progress follows.
func (v *verdict) evaluate(l *life, r *rules, now uint32) {
	facts := l.facts
	v.reset()
	v.findLane(l, r)
	lastProgress := len(facts) - 1
	for lastProgress >= 0 && !facts[lastProgress].progress() {
		lastProgress--
	}
	for i := range facts {
		f := &facts[i]
		if f.progress() {
			v.progress++
		}
		if !v.ended || f.milestone == schemas.ReturnStarted {
			v.step(f, i, i >= lastProgress, l, r)
		}
	}
	if !v.ended && v.since != 0 {
		v.trailing(r, now)
	}
	v.requirements(l, r, now)
	v.trailRules(l, r, now)
	if len(l.main) > 0 {
		v.orderRules(l, r, now)
	}
	if r.number.On && (l.last || l.badNumber) {
		v.numberRules(l, r)
	}
	v.first = v.began.sec
	v.sort()
}

func (v *verdict) reset() {
	w, scratch := v.wanted[:0], v.scratchOfRules
	*v = verdict{}
	v.wanted, v.scratchOfRules = w, scratch
	v.last, v.accepted, v.delivered = -1, -1, -1
}

// findLane sets the lane, and what the walk has to look for on it.
func (v *verdict) findLane(l *life, r *rules) {
	l.findLane()
	v.lane = l.lane
	if r.virtual {
		v.seek = sought(l.label, l.lane)
	}
}

// step takes the next fact of the trail.
func (v *verdict) step(f *fact, i int, silentAfter bool, l *life, r *rules) {
	m := f.milestone
	if m == schemas.ReturnStarted {
		if v.ended { // the way back begins: the time since the end is no gap
			v.ended, v.endMilestone, v.end, v.since = false, schemas.Unmapped, 0, 0
		}
		v.returning = true
	}
	if m == schemas.Delivered && v.returning {
		m = schemas.Returned
	}
	k := r.facets[m]
	kind := k.kind()
	ends := kind&isEnd != 0 || silentAfter && kind&isSoftEnd != 0
	if updates := f.flags&r.clock != 0; updates || ends {
		if v.since != 0 && f.sec-v.since >= r.leastOpen {
			v.gap(f.sec, r)
		}
		if updates {
			v.update.latest(f)
			v.since, v.sinceFact = f.sec, m
		}
	}
	if news := f.shows(k) &^ v.seen; news != 0 {
		v.note(news, f.sec)
	}
	if f.progress() {
		v.advance(f, m, kind, i, r)
	}
	if f.sec == v.since {
		v.sinceStage = v.stage
	}
	if f.flags&factPhysical != 0 {
		if kind&isNoShipment == 0 {
			v.handled.first(f)
		}
		if v.seek != 0 {
			v.look(f, l)
		}
	}
	if m == schemas.Accepted && v.accepted < 0 {
		v.accepted = i
	}
	if f.refused() && !ends {
		kind |= r.refusal
	}
	if kind&(isExceptional|isUndeliverable|isTrouble) != 0 || v.inEpisode {
		v.trouble(f, m, kind, ends)
	}
	if ends {
		v.finish(m, f.sec, i)
	}
}

// finish ends the trail.
func (v *verdict) finish(m schemas.Milestone, sec uint32, i int) {
	v.ended, v.endMilestone, v.end = true, m, sec
	if m == schemas.Delivered {
		v.delivered = i
	}
	if v.staying {
		v.staying, v.stays[v.numStays-1].to = false, sec
	}
}

// advance books a progress fact.
func (v *verdict) advance(f *fact, m schemas.Milestone, kind uint8, i int, r *rules) {
	v.last = i
	v.moved.latest(f)
	v.began.first(f)
	if g := r.groups[m]; g > v.group {
		v.enter(g, f.sec)
	}
	if m > v.stage && kind&isForward != 0 {
		if m >= schemas.ArrivedDestination {
			v.arrived.first(f)
		}
		v.stage = m
	}
	if kind&isInChain != 0 {
		v.furthest = max(v.furthest, m)
	}
}

// gap closes the silence up to t.
func (v *verdict) gap(t uint32, r *rules) {
	length, limits := t-v.since, r.limits(v.sinceStage, v.lane)
	if length < limits.open {
		return
	}
	v.silent = saturate(v.silent, length-limits.open)
	if v.sinceFact.WithCustoms() {
		v.silentCustoms = saturate(v.silentCustoms, length-limits.open)
	}
	v.want(gapFamily, schemas.AlertResolved, v.count(length, limits), v.update, t)
}

// trailing judges the silence that has not ended.
func (v *verdict) trailing(r *rules, now uint32) {
	limits, s := r.limits(v.sinceStage, v.lane), v.since
	var length uint32
	if now > s {
		length = now - s
	}
	switch {
	case length >= limits.escalate:
		v.want(gapFamily, schemas.AlertEscalated, v.count(length, limits), v.update, 0)
	case length >= limits.open:
		v.want(gapFamily, schemas.AlertOpen, v.count(length, limits), v.update, 0)
		v.wake(saturate(s, limits.escalate))
	case length >= limits.atRisk:
		v.want(gapFamily, schemas.AlertAtRisk, 0, v.update, 0)
		v.wake(saturate(s, limits.open))
	default:
		v.wake(saturate(s, limits.atRisk))
	}
}

// count books a gap and returns its level.
func (v *verdict) count(length uint32, limits *gapLimits) uint8 {
	if v.gaps48 < math.MaxUint8 {
		v.gaps48++
	}
	if length < limits.escalate {
		return 1
	}
	if v.gaps72 < math.MaxUint8 {
		v.gaps72++
	}
	return 2
}

func (v *verdict) want(f family, s schemas.AlertStatus, level uint8, a anchor, ended uint32) {
	if n := len(v.wanted); n > 0 && (f < v.wanted[n-1].family || f == v.wanted[n-1].family && a.sec < v.wanted[n-1].anchor) {
		v.unsorted = true
	}
	v.wanted = append(v.wanted, wanted{family: f, status: s, level: level, num: a.num, anchor: a.sec, ended: ended})
}

// sort puts the wanted alerts in order. No two have family and anchor in common.
func (v *verdict) sort() {
	if v.unsorted {
		slices.SortFunc(v.wanted, func(a, b wanted) int { return compareWanted(&a, &b) })
	}
}

// wake asks for another evaluation at second t.
func (v *verdict) wake(t uint32) {
	if v.deadline == 0 || t < v.deadline {
		v.deadline = t
	}
}

func saturate(a, b uint32) uint32 {
	if a > math.MaxUint32-b {
		return math.MaxUint32
	}
	return a + b
}
