package detector

import (
	"math/bits"

	"scantrail/schemas"
)

// shows returns what a fact shows of the facet of its milestone. An announcement
// shows no stage of parcel.status; any other handling than a failed pickup shows
// that the parcel was shipped.
func (f *fact) shows(k facet) facet {
	if !f.progress() {
		k &^= 0xff << passesAt
		if f.flags&factPhysical == 0 {
			k &^= 0xff << stagesAt
		}
	}
	if f.flags&factPhysical != 0 && k.kind()&isNoShipment == 0 {
		k |= 1 << (stagesAt + shipped)
	}
	return k
}

// note books what a fact shows for the first time; facts come in order, so that
// this is the earliest time.
func (v *verdict) note(news facet, sec uint32) {
	v.seen |= news
	for timed := news & timedFacets; timed != 0; timed &= timed - 1 {
		v.seenAt[bits.TrailingZeros64(uint64(timed))] = sec
	}
}

// requirements judges the milestones that the policy requires of this lane.
func (v *verdict) requirements(l *life, r *rules, now uint32) {
	a := v.began
	if v.accepted >= 0 {
		f := &l.facts[v.accepted]
		a = anchor{f.sec, f.num}
	}
	cross := v.lane.crossBorder()
	for i := range r.required {
		if need := &r.required[i]; !need.again && (!need.crossBorder || cross) {
			v.required |= 1 << i
			v.requirement(r, i, a, now)
		}
	}
	v.observed &= v.due // what is excused counts neither as due nor as observed
}

func (v *verdict) requirement(r *rules, i int, a anchor, now uint32) {
	bit, need := uint8(1)<<i, &r.required[i]
	limit := uint32(0)
	if v.seen.bits(startsAt)&bit != 0 && need.after > 0 && a.sec != 0 { // no anchor, no rule
		limit = saturate(v.seenAt[startsAt+i], need.after)
	}
	excused, observed := v.seen.bits(excusesAt)&bit != 0, v.seen.bits(satisfiesAt)&bit != 0
	if observed {
		v.observed |= bit
		if !excused {
			v.due |= bit
		}
		if at := v.seenAt[satisfiesAt+i]; limit != 0 && at > limit {
			v.want(family(need.milestone), schemas.AlertResolved, 1, a, at)
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
	overdue, passed := limit != 0 && until > limit, v.seen.bits(passesAt)&bit != 0
	if limit != 0 && !overdue && !passed && (!v.ended || v.end > limit) {
		v.wake(saturate(limit, 1))
	}
	if overdue || passed || need.milestone <= v.furthest {
		v.due |= bit
	}
	if overdue || passed {
		v.want(family(need.milestone), schemas.AlertOpen, 1, a, 0)
	}
}
