package lanes

import (
	"cmp"
	"slices"
	"strconv"

	"scantrail/schemas"
	"scantrail/sink/watch"
)

// Thresholds say when a lane counts as disrupted at a stage. Shares are per cent
// of the parcels under way there.
type Thresholds struct {
	OpenParcels, OpenPercent       uint64 // both must be reached
	EscalatePercent                uint64
	ResolveParcels, ResolvePercent uint64 // below either it is over
}

// DefaultThresholds are our own choice: nobody publishes any. An end lies well
// below a beginning, so that an incident does not flap.
func DefaultThresholds() Thresholds {
	return Thresholds{OpenParcels: 20, OpenPercent: 30, EscalatePercent: 60, ResolveParcels: 10, ResolvePercent: 20}
}

// place is a lane and one of its stages.
type place struct{ origin, destination, stage string }

func (p place) lane() string { return p.origin + "-" + p.destination }

// key is the Kafka key of the lane's alerts. It cannot collide with a tracking
// number, which has no colon.
func key(a *schemas.Alert) string { return placeOf(a).key() }

func (p place) key() string { return "lane:" + p.lane() }

func placeOf(a *schemas.Alert) place { return place{a.Origin, a.Destination, a.Detail} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.origin, q.origin), cmp.Compare(p.destination, q.destination), cmp.Compare(p.stage, q.stage))
}

// count is what is known of a place. The zero value is one where nothing stalls.
type count struct {
	open, stalled uint64 // parcels under way, and how many of them stalled
	carrier       string // the last one of most stalled parcels
	since         int64  // earliest last update of those, Unix milliseconds
}

// percent reports whether at least n per cent of the parcels stalled, exactly.
func (c count) percent(n uint64) bool { return c.stalled*100 >= n*c.open }

// rules turns counts into transitions. It has no I/O and no clock.
type rules struct {
	Thresholds
	generation uint16
	maxOpen    int // incidents at a time
}

// transitions compares the counts at time slot (Unix milliseconds) with the open
// incidents and returns what changes, at most one transition for each incident,
// in the order of places. complete says that a place without a count is one where
// less than the least of the thresholds stalled. dropped is the number of
// disruptions for which there was no room.
func (r *rules) transitions(slot int64, counts map[place]count, complete bool, open []schemas.Alert) (out []schemas.Alert, dropped int) {
	incidents := map[place]schemas.Alert{}
	for _, a := range open {
		p := placeOf(&a)
		was, twice := incidents[p]
		if !twice {
			incidents[p] = a
			continue
		}
		// Two processes began one each, before either could know of the other.
		older, younger := was, a
		if compareAge(&a, &was) < 0 {
			older, younger = a, was
		}
		incidents[p] = older
		if younger.ChangedAt < slot {
			out = append(out, r.change(younger, slot, schemas.AlertWithdrawn))
		}
	}
	for p, a := range incidents {
		c, known := counts[p]
		if a.ChangedAt >= slot || !known && !complete || slices.ContainsFunc(out, func(o schemas.Alert) bool { return placeOf(&o) == p }) {
			continue
		}
		if next, changed := r.next(a, c, slot); changed {
			out = append(out, next)
		}
	}
	begun, dropped := r.begin(slot, counts, incidents, r.maxOpen-len(open))
	out = append(out, begun...)
	slices.SortFunc(out, func(a, b schemas.Alert) int { return placeOf(&a).compare(placeOf(&b)) })
	return out, dropped
}

// compareAge orders incidents of one place: the one that counts comes first.
func compareAge(a, b *schemas.Alert) int {
	return cmp.Or(cmp.Compare(a.AnchorAt, b.AnchorAt), slices.Compare(a.AlertID[:], b.AlertID[:]))
}

// begin opens incidents for at most room disrupted places that have none, those
// with the most stalled parcels first.
func (r *rules) begin(slot int64, counts map[place]count, incidents map[place]schemas.Alert, room int) (out []schemas.Alert, dropped int) {
	var found []place
	for p, c := range counts {
		if _, known := incidents[p]; !known && c.stalled >= r.OpenParcels && c.percent(r.OpenPercent) {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(p, q place) int {
		return cmp.Or(cmp.Compare(counts[q].stalled, counts[p].stalled), p.compare(q))
	})
	if room = max(room, 0); len(found) > room {
		found, dropped = found[:room], len(found)-room
	}
	for _, p := range found {
		out = append(out, r.opened(p, counts[p], slot))
	}
	return out, dropped
}

// opened returns the first transition of an incident. Its anchor is the clock at
// which it was found: the parcels that stall change while it lasts.
func (r *rules) opened(p place, c count, slot int64) schemas.Alert {
	a := schemas.Alert{
		AlertID: alertID(p, slot), Home: schemas.Hash([]byte(p.key())),
		Rule: schemas.RuleLaneDisruption, Detail: p.stage, Level: 1, Status: schemas.AlertOpen,
		Carrier: c.carrier, Market: p.destination, Origin: p.origin, Destination: p.destination,
		AnchorAt: slot, OpenedAt: slot, ChangedAt: slot, SilentSecs: seconds(slot - c.since), Cause: schemas.CauseLaneDisrupted,
	}
	if c.percent(r.EscalatePercent) {
		a.Level, a.Status = 2, schemas.AlertEscalated
	}
	return watch.Stamp(a, r.generation, 0)
}

// next returns the incident as c leaves it. An escalated one stays so until its
// end. The carrier remains that of the opening: who filters by it hears the end.
func (r *rules) next(a schemas.Alert, c count, slot int64) (schemas.Alert, bool) {
	switch {
	case c.stalled < r.ResolveParcels || !c.percent(r.ResolvePercent):
		return r.change(a, slot, schemas.AlertResolved), true
	case a.Status == schemas.AlertOpen && c.percent(r.EscalatePercent):
		a.Level = 2
		return r.change(a, slot, schemas.AlertEscalated), true
	}
	return a, false
}

// change returns the transition of a to a status at slot.
func (r *rules) change(a schemas.Alert, slot int64, status schemas.AlertStatus) schemas.Alert {
	if a.SilentSecs > 0 {
		a.SilentSecs += seconds(slot - a.ChangedAt)
	}
	a.Status, a.ChangedAt = status, slot
	if status == schemas.AlertResolved {
		a.EndedAt = slot
	}
	return watch.Stamp(a, r.generation, a.Version)
}

// alertID names an incident: the stage, the lane and the second of its anchor.
func alertID(p place, slot int64) schemas.ID {
	return schemas.Hash([]byte("lane_disruption:" + p.stage + "\n" + p.lane() + "\n" + strconv.FormatInt(slot/1000, 10)))
}

func seconds(ms int64) uint32 { return uint32(min(max(ms/1000, 0), 1<<32-1)) }
