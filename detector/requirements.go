package detector

import (
	"math"
	mathbits "math/bits"

	"scantrail/schemas"
)

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
		if v.exceptions == 0 {
			v.exception, v.exceptionAt = f.milestone, f.sec
		}
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
	if v.started&bit != 0 && need.after > 0 && a.sec != 0 { // no anchor, no rule
		limit = saturate(v.startedAt[i], need.after)
	}
	excused, observed := v.excused&bit != 0, v.satisfied&bit != 0
	if observed {
		v.observed |= bit
		if !excused {
			v.due |= bit
		}
		if limit != 0 && v.satisfiedAt[i] > limit {
			v.want(family(need.milestone), schemas.AlertResolved, 1, a, v.satisfiedAt[i])
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
