package world

import (
	"slices"

	"scantrail/schemas"
)

// trail is what counts of a parcel's facts: one stretch, or more where a return
// goes on after the end.
type trail struct {
	facts   []fact
	breaks  []int // places in facts where a return opens a new stretch
	ended   bool
	endedAt int64
}

func ends(m schemas.Milestone) bool {
	return m == schemas.Delivered || m == schemas.Destroyed || m == schemas.Cancelled || m == schemas.Returned
}

// walk applies the rule of ends: nothing counts after the first one but a
// return that starts.
func walk(facts []fact) trail {
	var t trail
	for _, f := range facts {
		if t.ended {
			if f.milestone != schemas.ReturnStarted {
				continue
			}
			t.ended = false
			t.breaks = append(t.breaks, len(t.facts))
		}
		t.facts = append(t.facts, f)
		if ends(f.milestone) {
			t.ended, t.endedAt = true, f.at
		}
	}
	if t.ended {
		return t
	}
	// Given up or lost: the end too, unless the parcel turns up again.
	for i := len(t.facts) - 1; i >= 0; i-- {
		f := t.facts[i]
		if f.milestone == schemas.Lost || f.milestone == schemas.TrackingEnded {
			t.ended, t.endedAt = true, f.at
			t.facts = t.facts[:i+1]
			break
		}
		if f.milestone.Progress() {
			break
		}
	}
	return t
}

// gaps calls found with each silence of 48 h or more; end is 0 while it lasts.
func (t *trail) gaps(to int64, found func(start, end int64, rule string)) {
	check := func(s, e, ended int64) {
		switch {
		case e-s >= 72*hour:
			found(s, ended, RuleGap72)
		case e-s >= 48*hour:
			found(s, ended, RuleGap48)
		}
	}
	var last int64 // of the progress so far; 0: none in this stretch
	for i, f := range t.facts {
		if slices.Contains(t.breaks, i) {
			last = 0
		}
		isEnd := t.ended && i == len(t.facts)-1
		if !f.milestone.Progress() && !isEnd {
			continue
		}
		if last != 0 && f.at != last {
			check(last, f.at, f.at)
		}
		last = f.at
	}
	if !t.ended && last != 0 {
		check(last, to, 0)
	}
}

// requirement is a milestone that a trail must have.
type requirement struct {
	name            string
	satisfiedBy     []schemas.Milestone
	excusedBy       schemas.Milestone
	since           []schemas.Milestone
	after           int64
	crossBorderOnly bool
}

var (
	entry = []schemas.Milestone{schemas.ArrivedDestination, schemas.ImportCustomsStarted,
		schemas.ImportCustomsHeld, schemas.ImportCleared, schemas.ImportRejected}
	required = [...]requirement{
		{"export_cleared", []schemas.Milestone{schemas.ExportCleared}, 0, []schemas.Milestone{schemas.Accepted}, 7 * day, true},
		{"arrived_destination", entry, 0, []schemas.Milestone{schemas.Accepted}, 15 * day, true},
		{"out_for_delivery", []schemas.Milestone{schemas.OutForDelivery}, schemas.AvailableForPickup, entry, 7 * day, false},
	}
)

// first returns the earliest time of any of the milestones, 0 without one.
func (t *trail) first(of ...schemas.Milestone) int64 {
	for _, f := range t.facts {
		if slices.Contains(of, f.milestone) {
			return f.at
		}
	}
	return 0
}

// missing reports whether the milestone is missing, or came after its deadline
// (then end is when it came).
func (t *trail) missing(m requirement, to int64) (anchor, end int64, missing bool) {
	anchor = t.first(schemas.Accepted)
	for _, f := range t.facts {
		if anchor == 0 && f.milestone.Progress() {
			anchor = f.at
		}
	}
	observed := t.first(m.satisfiedBy...)
	var deadline int64
	if since := t.first(m.since...); since != 0 {
		deadline = since + m.after
	}
	if observed != 0 {
		return anchor, observed, deadline != 0 && observed > deadline
	}
	if m.excusedBy != 0 && t.first(m.excusedBy) != 0 {
		return 0, 0, false
	}
	until := to
	if t.ended {
		until = t.endedAt
	}
	return anchor, 0, t.passed(m) || deadline != 0 && until > deadline
}

// passed reports whether a later stage was reached.
func (t *trail) passed(m requirement) bool {
	largest := slices.Max(m.satisfiedBy)
	return slices.ContainsFunc(t.facts, func(f fact) bool {
		return f.milestone.Progress() && f.milestone.Forward() && f.milestone > largest && f.milestone != schemas.InTransit
	})
}
