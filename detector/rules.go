package detector

import (
	"math"
	"slices"
	"time"

	"scantrail/schemas"
)

// rules is a policy in the form in which evaluate reads it: durations in
// seconds, and for every milestone the bits of the required milestones that it
// bears on.
type rules struct {
	policy  *schemas.Policy
	text    string
	parcels int // judged by it

	atRisk, open, escalate uint32
	required               []required

	facets [256]facet
}

// facet is all that one milestone means to evaluate: 8 bytes, so that a fact
// costs one look. The first four hold bits of the required milestones.
type facet struct {
	satisfies uint8
	excuses   uint8
	starts    uint8  // the deadline counts from it
	later     uint8  // a progress fact of it shows that the milestone was passed
	times     uint16 // of the row that it sets
	stages    uint8  // of parcel.status that it shows
	kind      uint8
}

// Kinds of milestones.
const (
	isForward = 1 << iota
	isInChain // forward, and with a place in the chain
	isExceptional
	isEnd
	isSoftEnd // unless progress follows
	isNoShipment
)

// newFacets returns what every milestone means without a policy.
func newFacets() (t [256]facet) {
	for _, m := range schemas.Milestones() {
		k := &t[m]
		k.stages, k.times = stageBits(m), timeBits(m)
		set := func(on bool, bit uint8) {
			if on {
				k.kind |= bit
			}
		}
		set(m.Forward(), isForward)
		set(inChain(m), isInChain)
		set(isException(m), isExceptional)
		set(m == schemas.Delivered || m == schemas.Destroyed || m == schemas.Cancelled || m == schemas.Returned, isEnd)
		set(m == schemas.Lost || m == schemas.TrackingEnded, isSoftEnd)
		set(m == schemas.PickupFailed, isNoShipment)
	}
	return t
}

// noRules demands nothing.
var noRules = &rules{policy: &schemas.Policy{}, atRisk: math.MaxUint32, open: math.MaxUint32, escalate: math.MaxUint32, facets: newFacets()}

type required struct {
	milestone   schemas.Milestone
	crossBorder bool
	again       bool   // listed before: never required
	after       uint32 // 0: never overdue
}

func newRules(text string) (*rules, error) {
	p, err := schemas.ParsePolicy([]byte(text))
	if err != nil {
		return nil, err
	}
	r := &rules{
		policy: p, text: text,
		atRisk: wholeSeconds(p.Gap.AtRisk), open: wholeSeconds(p.Gap.Open), escalate: wholeSeconds(p.Gap.Escalate),
		facets: newFacets(),
	}
	for i := range p.Milestones {
		r.require(&p.Milestones[i])
	}
	return r, nil
}

// require adds one required milestone; its bit is its place in the policy. One
// that is listed again does not count: an alert is named by the milestone.
func (r *rules) require(m *schemas.RequiredMilestone) {
	again := slices.ContainsFunc(r.required, func(other required) bool { return other.milestone == m.Milestone })
	bit := uint8(1) << len(r.required)
	r.required = append(r.required, required{m.Milestone, m.Lanes == "cross_border", again, wholeSeconds(m.After)})
	var last schemas.Milestone
	for _, s := range m.SatisfiedBy {
		r.facets[s].satisfies |= bit
		last = max(last, s)
	}
	for _, e := range m.ExcusedBy {
		r.facets[e].excuses |= bit
	}
	for _, s := range m.Since {
		r.facets[s].starts |= bit
	}
	for s := int(last) + 1; s <= int(schemas.Delivered); s++ {
		if inChain(schemas.Milestone(s)) {
			r.facets[s].later |= bit
		}
	}
}

// inChain reports whether m has a place in the chain: in_transit does not
// say where.
func inChain(m schemas.Milestone) bool { return m.Forward() && m != schemas.InTransit }

// wholeSeconds rounds down; a century stands for anything longer.
func wholeSeconds(d time.Duration) uint32 {
	return uint32(min(max(d/time.Second, 0), 100*365*24*3600))
}
