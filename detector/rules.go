package detector

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
)

// rules is a policy in the form in which evaluate reads it: durations in
// seconds, and for every milestone the bits of the required milestones that it
// bears on.
type rules struct {
	policy  *schemas.Policy
	set     *ruleSet
	text    string // of the whole document
	index   int    // in the set
	parcels int    // judged by it
	place   uint8  // among the machine's; 0: none yet

	gapLimits            // where no override holds
	overrides []override // of the gap
	leastOpen uint32     // of all gap limits
	clock     uint8      // flag of the facts that end a silence

	required []required

	stalled      uint32 // longest stay in one stage; 0: off
	stays        []stayOverride
	uploadLate   uint32 // 0: off
	virtual      bool
	troubles     bool  // undeliverable or exception is on
	refusal      uint8 // kind of what was refused, whatever its milestone; 0: undeliverable is off
	sellerLabels bool  // label_not_platform is on
	channels     map[string]bool
	number       schemas.NumberRule
	reusedWithin uint32
	beforeOrder  uint32
	reverse      bool   // status_mismatch also where the trail is ahead
	maturity     uint32 // of scores; 0: none
	late         [numDeadlineRules]lateRule
	promises     []promise
	calendar     calendar

	facets [256]facet
	groups [256]schemas.Stage // of progress, announcements counting as none
}

// facet is all that one milestone means to evaluate, in one word: a fact costs one
// look, and what it shows for the first time is one operation. From the lowest bit
// on, of which the first four are timed, the others are not:
//
//	8   required milestones that it satisfies
//	8   required milestones whose deadline counts from it
//	8   stages of parcel.status that it shows
//	16  times of the row that it sets
//	8   required milestones that, by a progress fact of it, were passed
//	8   required milestones that it excuses
//	8   kind
type facet uint64

const (
	satisfiesAt, startsAt, stagesAt, timesAt = 0, 8, 16, 24
	passesAt, excusesAt, kindAt              = 40, 48, 56

	timedFacets = facet(1)<<passesAt - 1
	numTimed    = timesAt + numTimes
)

// bits returns eight bits of a facet.
func (k facet) bits(at int) uint8 { return uint8(k >> at) }

func (k facet) kind() uint8 { return uint8(k >> kindAt) }

// Kinds of milestones.
const (
	isForward = 1 << iota
	isInChain // forward, and with a place in the chain
	isExceptional
	isEnd
	isSoftEnd // unless progress follows
	isNoShipment
	isUndeliverable // of the policy's list
	isTrouble       // of the policy's list for the rule exception
)

// gapLimits are the three limits of a silence.
type gapLimits struct{ atRisk, open, escalate uint32 }

// override holds other limits for the silences that begin in some stages.
type override struct {
	where
	gapLimits
}

type stayOverride struct {
	where
	after uint32
}

// where says in which stages and on which lanes an override holds.
type where struct {
	stages uint16 // bits
	lanes  []lane // either end may be 0, any; none: all
}

func (w *where) holds(g schemas.Stage, l lane) bool {
	return w.stages>>g&1 != 0 && (len(w.lanes) == 0 || onLane(w.lanes, l))
}

// onLane reports whether one of the patterns, an end of which may be 0, holds l.
func onLane(patterns []lane, l lane) bool {
	for _, p := range patterns {
		if (p.origin() == 0 || p.origin() == l.origin()) && (p.destination() == 0 || p.destination() == l.destination()) {
			return true
		}
	}
	return false
}

// known reports whether both ends are known.
func (l lane) known() bool { return l.origin() != 0 && l.destination() != 0 }

// complete fills what the order does not state of a lane from the scans.
func (l lane) complete(facts []fact) lane {
	for i := range facts {
		if l.known() {
			break
		}
		l = l.or(facts[i].lane)
	}
	return l
}

// limits returns the limits of a silence that begins in stage m.
func (r *rules) limits(m schemas.Milestone, l lane) *gapLimits {
	if len(r.overrides) > 0 {
		g := m.Stage()
		for i := range r.overrides {
			if o := &r.overrides[i]; o.holds(g, l) {
				return &o.gapLimits
			}
		}
	}
	return &r.gapLimits
}

// longestStay returns the limit of a stay in a stage.
func (r *rules) longestStay(g schemas.Stage, l lane) uint32 {
	for i := range r.stays {
		if o := &r.stays[i]; o.holds(g, l) {
			return o.after
		}
	}
	return r.stalled
}

// newFacets returns what every milestone means without a policy.
func newFacets() (t [256]facet) {
	for _, m := range schemas.Milestones() {
		k := &t[m]
		*k = facet(stageBits(m))<<stagesAt | facet(timeBits(m))<<timesAt
		set := func(on bool, bit uint8) {
			if on {
				*k |= facet(bit) << kindAt
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
var noRules = &rules{
	policy: &schemas.Policy{}, set: &ruleSet{}, calendar: calendar{zone: time.UTC}, gapLimits: never, leastOpen: math.MaxUint32, clock: factProgress, facets: newFacets(),
}

var never = gapLimits{math.MaxUint32, math.MaxUint32, math.MaxUint32}

type required struct {
	milestone   schemas.Milestone
	crossBorder bool
	again       bool   // listed before: never required
	after       uint32 // 0: never overdue
}

// compile turns a policy into rules.
func compile(p *schemas.Policy) (*rules, error) {
	r := &rules{
		policy: p, facets: newFacets(), clock: factProgress,
		gapLimits:  gapLimits{wholeSeconds(p.Gap.AtRisk), wholeSeconds(p.Gap.Open), wholeSeconds(p.Gap.Escalate)},
		stalled:    wholeSeconds(p.StageStalled.After),
		uploadLate: wholeSeconds(p.FirstScanUploadLate), virtual: p.VirtualWarehouse,
		sellerLabels: p.LabelNotPlatform, number: p.NumberInvalid, reverse: p.StatusMismatch.Reverse,
		maturity: wholeSeconds(p.Score.Maturity), reusedWithin: wholeSeconds(p.NumberInvalid.ReusedWithin), beforeOrder: wholeSeconds(p.NumberInvalid.BeforeOrder),
	}
	for _, m := range schemas.Milestones() {
		if g := m.Stage(); g != schemas.StageAnnounced {
			r.groups[m] = g
		}
	}
	if p.Gap.Clock == "physical" {
		r.clock = factPhysical
	}
	for i := range p.Milestones {
		r.require(&p.Milestones[i])
	}
	r.mark(p.Undeliverable, isUndeliverable)
	if len(p.Undeliverable) > 0 {
		r.refusal = isUndeliverable
	}
	r.mark(p.Exception, isTrouble)
	if len(p.ChannelsCompliant) > 0 {
		r.channels = map[string]bool{}
		for _, c := range p.ChannelsCompliant {
			r.channels[c] = true
		}
	}
	if err := r.compileOverrides(p); err != nil {
		return nil, err
	}
	return r, r.compileDeadlines(p)
}

func (r *rules) compileOverrides(p *schemas.Policy) error {
	r.leastOpen = r.open
	for i := range p.Gap.Overrides {
		o := &p.Gap.Overrides[i]
		w, err := newWhere(o.Stages, o.Lanes)
		if err != nil {
			return fmt.Errorf("policy %s: gap.overrides[%d].lanes: %w", p.Name, i, err)
		}
		l := gapLimits{wholeSeconds(o.AtRisk), wholeSeconds(o.Open), wholeSeconds(o.Escalate)}
		r.overrides = append(r.overrides, override{w, l})
		r.leastOpen = min(r.leastOpen, l.open)
	}
	for i := range p.StageStalled.Overrides {
		o := &p.StageStalled.Overrides[i]
		w, err := newWhere(o.Stages, o.Lanes)
		if err != nil {
			return fmt.Errorf("policy %s: stage_stalled.overrides[%d].lanes: %w", p.Name, i, err)
		}
		r.stays = append(r.stays, stayOverride{w, wholeSeconds(o.After)})
	}
	return nil
}

func newWhere(stages []schemas.Stage, lanes []string) (w where, err error) {
	for _, g := range stages {
		w.stages |= 1 << g
	}
	w.lanes, err = newLanes(lanes)
	return w, err
}

// newLanes compiles patterns such as "CN-US", "*-US" and "CN-*".
func newLanes(patterns []string) (list []lane, err error) {
	for _, p := range patterns {
		from, to, ok := strings.Cut(p, "-")
		origin, destination := packCountry(from), packCountry(to)
		if !ok || origin == 0 && from != "*" || destination == 0 && to != "*" {
			return nil, fmt.Errorf("%q: want two ISO 3166-1 alpha-2 codes, either of which may be *, such as CN-US", p)
		}
		list = append(list, newLane(origin, destination))
	}
	return list, nil
}

// mark gives the milestones of a list a kind.
func (r *rules) mark(list []schemas.Milestone, kind uint8) {
	for _, m := range list {
		r.facets[m] |= facet(kind) << kindAt
		r.troubles = true
	}
}

// require adds one required milestone; its bit is its place in the policy. One
// that is listed again does not count: an alert is named by the milestone.
func (r *rules) require(m *schemas.RequiredMilestone) {
	again := slices.ContainsFunc(r.required, func(other required) bool { return other.milestone == m.Milestone })
	bit := facet(1) << len(r.required)
	r.required = append(r.required, required{m.Milestone, m.Lanes == "cross_border", again, wholeSeconds(m.After)})
	var last schemas.Milestone
	for _, s := range m.SatisfiedBy {
		r.facets[s] |= bit << satisfiesAt
		last = max(last, s)
	}
	for _, e := range m.ExcusedBy {
		r.facets[e] |= bit << excusesAt
	}
	for _, s := range m.Since {
		r.facets[s] |= bit << startsAt
	}
	for s := int(last) + 1; s <= int(schemas.Delivered); s++ {
		if inChain(schemas.Milestone(s)) {
			r.facets[s] |= bit << passesAt
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
