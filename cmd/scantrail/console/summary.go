package console

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

// summary says of a parcel what an operator wants to know first: where it is, how
// long it has been silent, what happens next and when.
type summary struct {
	Lead  string // where it is
	Next  string // what happens next, and when
	Level int    // -1: nothing is wrong
}

// coming is something that happens at a time if nothing else does.
type coming struct {
	What string
	At   time.Time
	Left time.Duration // negative: it has happened
}

func summarize(w words, life *query.Life, scans []scanEntry, order *query.Order, next []coming, clock time.Time) summary {
	s := summary{Level: -1}
	last := lastUpdate(scans)
	switch {
	case life.EndedAt != nil:
		s.Lead = ended(w, life)
		return s
	case life.CancelledAt != nil:
		s.Lead = w.Get("parcel.sum.cancelled", plainTime(*life.CancelledAt))
		return s
	case last == nil && life.LabelAt != nil:
		s.Lead = w.Get("parcel.sum.announced", w.between(life.LabelAt, clock))
	case last == nil:
		s.Lead = w.Get("parcel.sum.unseen")
	default:
		place := last.Place()
		if last.Country != "" {
			place = strings.TrimPrefix(place+", "+last.Country, ", ")
		}
		s.Lead = w.Get("parcel.sum.last", w.name("milestone", last.Milestone), cmp.Or(Cut(60, place), w.Get("parcel.sum.nowhere")), last.Carrier, w.between(last.EffectiveAt, clock))
		s.Level = levelAt(life, clock)
	}
	if s.Level == 2 {
		s.Next = w.Get("parcel.sum.past", plainTime(*life.Due72h)) + " "
	}
	if len(next) > 0 {
		s.Next += w.Get("parcel.sum.next", next[0].What, w.duration(next[0].Left), plainTime(next[0].At))
	}
	return s
}

func ended(w words, life *query.Life) string {
	at := plainTime(*life.EndedAt)
	if life.EndMilestone != schemas.Delivered.String() {
		return w.Get("parcel.sum.ended", w.name("milestone", life.EndMilestone), at)
	}
	text := w.Get("parcel.sum.delivered", at)
	if life.OrderedAt != nil {
		text = w.Get("parcel.sum.delivered_after", at, w.between(life.OrderedAt, life.EndedAt))
	}
	if life.DeliverBy != nil && life.EndedAt.After(*life.DeliverBy) {
		text += " " + w.Get("parcel.sum.late", w.between(life.PromisedAt, life.EndedAt))
	}
	return text
}

func lastUpdate(scans []scanEntry) *scanEntry {
	for i := range slices.Backward(scans) {
		if scans[i].Progress && !scans[i].Void {
			return &scans[i]
		}
	}
	return nil
}

// comings lists what is due of a parcel that is under way, the nearest first.
func comings(w words, life *query.Life, steps []step, clock time.Time) []coming {
	var out []coming
	add := func(what string, at *time.Time) {
		if at != nil && at.After(clock) {
			out = append(out, coming{what, *at, at.Sub(clock)})
		}
	}
	if life.EndedAt != nil || life.CancelledAt != nil {
		return nil
	}
	add(w.Get("parcel.next.48h"), life.Due48h)
	add(w.Get("parcel.next.72h"), life.Due72h)
	for _, s := range steps {
		switch {
		case s.State != "ahead":
		case s.Milestone == schemas.Accepted.String():
			add(w.Get("parcel.next.pickup"), s.Due)
		case s.Milestone == schemas.Delivered.String():
			add(w.Get("parcel.next.delivery"), s.Due)
		default:
			add(w.Get("parcel.next.milestone", w.name("milestone", s.Milestone)), s.Due)
		}
	}
	add(w.Get("parcel.next.promise"), life.PromisedAt)
	slices.SortStableFunc(out, func(a, b coming) int { return a.At.Compare(b.At) })
	return out
}

// plainTime is a time inside a sentence.
func plainTime(at time.Time) string { return at.UTC().Format("2006-01-02 15:04") + " UTC" }
