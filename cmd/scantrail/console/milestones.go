package console

import (
	"slices"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

// step is one milestone of the way, as the trail has it.
type step struct {
	Milestone string
	State     string // observed, implied, missing, excused, due, ahead, never
	At        *time.Time
	Due       *time.Time // while it is not there, and somebody demands it
	Required  bool       // by the policy
}

// steps lists the milestones of a parcel's way: which of them the trail shows
// (observed), which it must have passed though nobody said so (implied), which the
// policy demands and misses (missing), and which are still to come, with the time
// by which they are due.
func steps(life *query.Life, scans []scanEntry, alerts []query.ParcelAlert, policy *schemas.Policy) []step {
	way := []struct {
		m      schemas.Milestone
		at     *time.Time
		abroad bool // on lanes between two countries alone
	}{
		{schemas.LabelCreated, life.LabelAt, false}, {schemas.Accepted, life.AcceptedAt, false},
		{schemas.ExportCleared, life.ExportCleared, true}, {schemas.DepartedOrigin, life.DepartedAt, true},
		{schemas.ArrivedDestination, life.ArrivedAt, true}, {schemas.ImportCleared, life.ImportCleared, true},
		{schemas.OutForDelivery, life.OutForDelivery, false}, {schemas.Delivered, life.DeliveredAt, false},
	}
	domestic := life.Origin != "" && life.Origin == life.Destination
	var out []step
	for _, w := range way {
		if w.abroad && domestic {
			continue
		}
		s := step{Milestone: w.m.String(), At: w.at}
		need, bit := requirement(policy, w.m)
		s.Required = need != nil && life.Required&bit != 0
		missing := slices.ContainsFunc(alerts, func(a query.ParcelAlert) bool {
			return a.Rule == schemas.RuleMilestoneMissing && a.Milestone == s.Milestone && (a.Status == "open" || a.Status == "escalated")
		})
		passed := life.StageNo > uint8(w.m) && life.StageNo != uint8(schemas.InTransit) || life.EndMilestone == schemas.Delivered.String()
		switch {
		case w.at != nil:
			s.State = "observed"
		case missing:
			s.State, s.Due = "missing", deadline(need, scans)
		case passed && s.Required && life.Due&bit == 0:
			s.State = "excused"
		case passed:
			s.State = "implied"
		case life.EndedAt != nil || life.CancelledAt != nil:
			s.State = "never"
		default:
			s.State, s.Due = "ahead", dueOf(w.m, life, need, s.Required, scans)
		}
		out = append(out, s)
	}
	return out
}

// dueOf is the time by which a milestone that is still ahead is due; nil: nobody
// demands one.
func dueOf(m schemas.Milestone, life *query.Life, need *schemas.RequiredMilestone, required bool, scans []scanEntry) *time.Time {
	switch {
	case m == schemas.Accepted && life.FirstPhysical == nil:
		return life.PickupBy
	case m == schemas.Delivered:
		return life.DeliverBy
	case required:
		return deadline(need, scans)
	}
	return nil
}

// requirement finds a milestone in a policy, with its bit in the rows of parcels.
func requirement(policy *schemas.Policy, m schemas.Milestone) (*schemas.RequiredMilestone, uint8) {
	if policy == nil {
		return nil, 0
	}
	for i := range policy.Milestones {
		if policy.Milestones[i].Milestone == m {
			return &policy.Milestones[i], 1 << i
		}
	}
	return nil, 0
}

// deadline is when a required milestone is overdue: After the earliest scan of
// Since.
func deadline(need *schemas.RequiredMilestone, scans []scanEntry) *time.Time {
	if need == nil || need.After == 0 {
		return nil
	}
	for i := range scans { // by time
		s := &scans[i]
		if !s.Void && slices.ContainsFunc(need.Since, func(m schemas.Milestone) bool { return uint8(m) == s.MilestoneNo }) {
			at := s.EffectiveAt.Add(need.After)
			return &at
		}
	}
	return nil
}
