package detector

import (
	"math"
	mathbits "math/bits"

	"scantrail/schemas"
)

// family tells the rules of alerts apart: 0 is the gap, any other number the
// milestone that is missing.
type family uint8

const gapFamily family = 0

// wanted is one alert that the facts call for.
type wanted struct {
	family family
	status schemas.AlertStatus
	level  uint8
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

// verdict is f(facts, policy, C) of one parcel. It is reused from one parcel to
// the next. Indexes are into the facts; -1 is none.
type verdict struct {
	wanted   []wanted // by family, then anchor
	deadline uint32   // next second at which the verdict changes by itself; 0: never

	ended        bool
	endMilestone schemas.Milestone
	end          uint32

	stage    schemas.Milestone // furthest forward progress
	furthest schemas.Milestone // the same without in_transit, to compare with
	last     int               // latest progress in the trail
	lane     lane

	required, due, observed uint8
	silent                  uint32 // seconds beyond the limit, over closed gaps
	gaps48, gaps72          uint8
	exceptions              uint8
	progress                uint16 // progress facts, ignored ones included
	times                   [numTimes]uint32
	reached                 uint8 // stages of parcel.status
	reachedAt               [numStages]uint32

	walk
}

// walk is what only the passage through the facts needs. Times are seconds; 0
// is none.
type walk struct {
	since       uint32 // latest progress of the present life: a gap may begin there
	first       uint32 // earliest progress
	accepted    uint32 // earliest accepted
	returning   bool
	satisfied   uint8
	excused     uint8
	passed      uint8 // a later stage was seen
	started     uint8
	timed       uint16
	startedAt   [schemas.MaxRequired]uint32
	satisfiedAt [schemas.MaxRequired]uint32
}

// evaluate is f: what the facts of a parcel, in order, mean under a policy at
// second now. ordered is the lane that the order states; it goes before what
// carriers state.
//
// The trail ends at the first delivered, destroyed, cancelled or returned; what
// follows is ignored until a return starts. Lost and tracking_ended end it too,
// unless progress follows.
func (v *verdict) evaluate(facts []fact, ordered lane, r *rules, now uint32) {
	*v = verdict{wanted: v.wanted[:0], last: -1, lane: ordered}
	lastProgress := len(facts) - 1
	for lastProgress >= 0 && !facts[lastProgress].progress() {
		lastProgress--
	}
	for i := range facts {
		f := &facts[i]
		if f.lane != 0 {
			v.lane = v.lane.or(f.lane)
		}
		if f.progress() {
			v.progress++
		}
		if !v.ended || f.milestone == schemas.ReturnStarted {
			v.step(f, i, i >= lastProgress, r)
		}
	}
	if !v.ended && v.since != 0 {
		v.trailing(v.since, r, now)
	}
	v.requirements(r, now)
}

// step takes the next fact of the trail.
func (v *verdict) step(f *fact, i int, silentAfter bool, r *rules) {
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
	k := &r.facets[m]
	ends := k.kind&isEnd != 0 || silentAfter && k.kind&isSoftEnd != 0
	if (f.progress() || ends) && v.since != 0 {
		v.gap(v.since, f.sec, r)
	}
	v.note(f, k)
	if f.progress() {
		v.advance(f, m, k, i)
	}
	if m == schemas.Accepted && v.accepted == 0 {
		v.accepted = f.sec
	}
	if ends {
		v.ended, v.endMilestone, v.end = true, m, f.sec
	}
}

// advance books a progress fact.
func (v *verdict) advance(f *fact, m schemas.Milestone, k *facet, i int) {
	v.since, v.last = f.sec, i
	if v.first == 0 {
		v.first = f.sec
	}
	v.passed |= k.later
	if k.kind&isForward != 0 {
		v.stage = max(v.stage, m)
	}
	if k.kind&isInChain != 0 {
		v.furthest = max(v.furthest, m)
	}
}

// gap closes the silence from s to t.
func (v *verdict) gap(s, t uint32, r *rules) {
	length := t - s
	if length < r.open {
		return
	}
	v.silent = saturate(v.silent, length-r.open)
	v.want(gapFamily, schemas.AlertResolved, v.count(length, r), s, t)
}

// trailing judges the silence since s that has not ended.
func (v *verdict) trailing(s uint32, r *rules, now uint32) {
	var length uint32
	if now > s {
		length = now - s
	}
	switch {
	case length >= r.escalate:
		v.want(gapFamily, schemas.AlertEscalated, v.count(length, r), s, 0)
	case length >= r.open:
		v.want(gapFamily, schemas.AlertOpen, v.count(length, r), s, 0)
		v.wake(saturate(s, r.escalate))
	case length >= r.atRisk:
		v.want(gapFamily, schemas.AlertAtRisk, 0, s, 0)
		v.wake(saturate(s, r.open))
	default:
		v.wake(saturate(s, r.atRisk))
	}
}

// count books a gap and returns its level.
func (v *verdict) count(length uint32, r *rules) uint8 {
	if v.gaps48 < math.MaxUint8 {
		v.gaps48++
	}
	if length < r.escalate {
		return 1
	}
	if v.gaps72 < math.MaxUint8 {
		v.gaps72++
	}
	return 2
}

func (v *verdict) want(f family, s schemas.AlertStatus, level uint8, anchor, ended uint32) {
	v.wanted = append(v.wanted, wanted{f, s, level, anchor, ended})
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

// note books what the fact says about milestones; facts come in order, so the
// first time of each is the earliest.
func (v *verdict) note(f *fact, k *facet) {
	if bits := k.satisfies &^ v.satisfied; bits != 0 {
		v.satisfied |= bits
		setTimes(v.satisfiedAt[:], uint16(bits), f.sec)
	}
	if bits := k.starts &^ v.started; bits != 0 {
		v.started |= bits
		setTimes(v.startedAt[:], uint16(bits), f.sec)
	}
	if bits := k.times &^ v.timed; bits != 0 {
		v.timed |= bits
		setTimes(v.times[:], bits, f.sec)
	}
	if bits := k.reached(f) &^ v.reached; bits != 0 {
		v.reached |= bits
		setTimes(v.reachedAt[:], uint16(bits), f.sec)
	}
	v.excused |= k.excuses
	if k.kind&isExceptional != 0 && v.exceptions < math.MaxUint8 {
		v.exceptions++
	}
}

// setTimes sets the times of the given bits.
func setTimes(t []uint32, bits uint16, sec uint32) {
	for ; bits != 0; bits &= bits - 1 {
		t[mathbits.TrailingZeros16(bits)] = sec
	}
}

// requirements judges the milestones that the policy requires of this lane.
func (v *verdict) requirements(r *rules, now uint32) {
	anchor := v.accepted
	if anchor == 0 {
		anchor = v.first
	}
	cross := v.lane.crossBorder()
	for i := range r.required {
		if need := &r.required[i]; !need.again && (!need.crossBorder || cross) {
			v.required |= 1 << i
			v.requirement(r, i, anchor, now)
		}
	}
	v.observed &= v.due // what is excused counts neither as due nor as observed
}

func (v *verdict) requirement(r *rules, i int, anchor, now uint32) {
	bit, need := uint8(1)<<i, &r.required[i]
	limit := uint32(0)
	if v.started&bit != 0 && need.after > 0 {
		limit = saturate(v.startedAt[i], need.after)
	}
	excused, observed := v.excused&bit != 0, v.satisfied&bit != 0
	if observed {
		v.observed |= bit
		if !excused {
			v.due |= bit
		}
		if limit != 0 && v.satisfiedAt[i] > limit && anchor != 0 {
			v.wantMissing(need.milestone, schemas.AlertResolved, anchor, v.satisfiedAt[i])
		}
		return
	}
	if excused {
		return
	}
	until := now
	if v.ended {
		until = min(until, v.end)
	}
	overdue, passed := limit != 0 && until > limit, v.passed&bit != 0
	if limit != 0 && !overdue && !passed && !v.ended {
		v.wake(saturate(limit, 1))
	}
	if overdue || passed || need.milestone <= v.furthest {
		v.due |= bit
	}
	if (overdue || passed) && anchor != 0 {
		v.wantMissing(need.milestone, schemas.AlertOpen, anchor, 0)
	}
}

// wantMissing keeps the wanted alerts in order of their families.
func (v *verdict) wantMissing(m schemas.Milestone, s schemas.AlertStatus, anchor, ended uint32) {
	v.want(family(m), s, 1, anchor, ended)
	for i := len(v.wanted) - 1; i > 0 && v.wanted[i-1].family > v.wanted[i].family; i-- {
		v.wanted[i-1], v.wanted[i] = v.wanted[i], v.wanted[i-1]
	}
}
