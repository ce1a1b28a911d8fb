package detector

import (
	"math"
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

	satisfies [256]uint8
	excuses   [256]uint8
	starts    [256]uint8 // the deadline counts from it
	later     [256]uint8 // a progress fact of it shows that the milestone was passed
}

// noRules demands nothing.
var noRules = &rules{policy: &schemas.Policy{}, atRisk: math.MaxUint32, open: math.MaxUint32, escalate: math.MaxUint32}

type required struct {
	milestone   schemas.Milestone
	crossBorder bool
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
	}
	for i := range p.Milestones {
		r.require(&p.Milestones[i])
	}
	return r, nil
}

// require adds one required milestone. One that is listed twice counts once:
// an alert is named by the milestone.
func (r *rules) require(m *schemas.RequiredMilestone) {
	for i := range r.required {
		if r.required[i].milestone == m.Milestone {
			return
		}
	}
	bit := uint8(1) << len(r.required)
	r.required = append(r.required, required{m.Milestone, m.Lanes == "cross_border", wholeSeconds(m.After)})
	var last schemas.Milestone
	for _, s := range m.SatisfiedBy {
		r.satisfies[s] |= bit
		last = max(last, s)
	}
	for _, e := range m.ExcusedBy {
		r.excuses[e] |= bit
	}
	for _, s := range m.Since {
		r.starts[s] |= bit
	}
	for s := int(last) + 1; s <= int(schemas.Delivered); s++ {
		if inChain(schemas.Milestone(s)) {
			r.later[s] |= bit
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
