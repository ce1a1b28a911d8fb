package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

// entry is one line of a parcel's timeline: a scan, or a silence before the scan
// above it.
type entry struct {
	Scan *scanEntry
	Gap  *gapEntry
}

// scanEntry is a scan as the page shows it.
type scanEntry struct {
	query.Scan
	Leg     int           // number of its carrier in the order in which they came, from 1
	HasZone bool          // the clocks at the place are known
	Clamped bool          // stated later than it was received: it counts from then
	Delay   time.Duration // from the scan to its reception; 0 where that is usual
	Decided decided
}

// decided says what made a scan its milestone.
type decided struct{ Kind, What, Language string }

// gapEntry is a silence between two updates, or since the last one.
type gapEntry struct {
	From, To             time.Time // To is zero while it lasts
	Secs                 int64
	Level                int // -1: too short, or it does not count
	Stage                string
	Held, Backfill, Open bool
	Uncertain            bool
}

// lateAfter is when a scan counts as reported late on the page: most carriers
// report within the hour.
const lateAfter = 6 * time.Hour

// entriesOf says of scans what the page shows of them.
func entriesOf(scans []query.Scan, carriers []string) []scanEntry {
	out := make([]scanEntry, len(scans))
	for i := range scans {
		out[i].Scan = scans[i]
		out[i].describe(carriers)
	}
	return out
}

func (s *scanEntry) describe(carriers []string) {
	s.Leg = slices.Index(carriers, s.Carrier) + 1
	s.HasZone = s.UTCOffsetMinutes != 0 || s.TZSource == "explicit_offset" || s.TZSource == "location" || s.TZSource == "carrier_rule"
	s.Clamped = s.EffectiveAt.Before(s.OccurredAt)
	if d := s.ReceivedAt.Sub(s.EffectiveAt); d >= lateAfter && !s.Backfill {
		s.Delay = d
	}
	kind, what, _ := strings.Cut(s.Rule, ":")
	s.Decided = decided{Kind: kind, What: what}
	if rest, ok := strings.CutPrefix(s.Rule, "generic:"); ok {
		kind, what, _ = strings.Cut(rest, ":")
		s.Decided = decided{Kind: kind, What: what}
	}
	if s.Decided.Kind == "lexicon" {
		s.Decided.Language, s.Decided.What, _ = strings.Cut(s.Decided.What, ":")
	}
}

// Uncertainty is how far the true instant may lie from the stated one.
func (s *scanEntry) Uncertainty() time.Duration {
	return time.Duration(s.UncertaintySecs) * time.Second
}

// Place is where it happened, as shortly as it can be said.
func (s *scanEntry) Place() string {
	place := s.Facility
	if place == "" {
		place = cmp.Or(s.City, s.LocationRaw)
	} else if s.City != "" && !strings.Contains(strings.ToLower(place), strings.ToLower(s.City)) {
		place += ", " + s.City
	}
	return place
}

// Raw is the address of the record that the carrier sent.
func (s *scanEntry) Raw() string {
	return fmt.Sprintf("/raw/%s/%d/%d?id=%s", url.PathEscape(s.SourceTopic), s.SourcePartition, s.SourceOffset, s.SourceTopicID)
}

// ofLife keeps the scans of one of several lives: from its opening to that of the
// next; the first has also what came before.
func ofLife(scans []query.Scan, lives []query.Life, i int) []query.Scan {
	return slices.DeleteFunc(slices.Clone(scans), func(s query.Scan) bool {
		return i > 0 && s.EffectiveAt.Before(lives[i].OpenedAt) || i+1 < len(lives) && !s.EffectiveAt.Before(lives[i+1].OpenedAt)
	})
}

// timeline lists scans and the silences between them, the latest first. Limits
// and verdicts are the detector's, by its alerts; silences without an alert that
// are as long as the shortest limit are shown as not counting.
func timeline(scans []scanEntry, alerts []query.ParcelAlert, life *query.Life, shortest time.Duration, clock time.Time) []entry {
	gaps := map[int64]*query.ParcelAlert{}
	for i, a := range alerts {
		if (a.Rule == schemas.RuleGap48h || a.Rule == schemas.RuleGap72h) && a.Status != "withdrawn" {
			gaps[a.AnchorAt.Unix()] = &alerts[i]
		}
	}
	var out []entry
	var last *scanEntry // latest update so far
	for i := range scans {
		s := &scans[i]
		if s.Progress && !s.Void {
			if last != nil {
				if g := silence(last.EffectiveAt, s.EffectiveAt, gaps, shortest); g != nil {
					out = append(out, entry{Gap: g})
				}
			}
			last = s
		}
		out = append(out, entry{Scan: s})
	}
	if last != nil && life.EndedAt == nil && life.CancelledAt == nil && clock.After(last.EffectiveAt) {
		g := silence(last.EffectiveAt, clock, gaps, 0)
		g.To, g.Open = time.Time{}, true
		if g.Level < 0 {
			g.Level = levelAt(life, clock)
		}
		out = append(out, entry{Gap: g})
	}
	slices.Reverse(out)
	return out
}

// silence is the gap between two updates; nil where it is neither an alert nor as
// long as least.
func silence(from, to time.Time, gaps map[int64]*query.ParcelAlert, least time.Duration) *gapEntry {
	g := &gapEntry{From: from, To: to, Secs: int64(to.Sub(from) / time.Second), Level: -1}
	if a := gaps[from.Unix()]; a != nil {
		g.Level, g.Stage, g.Held, g.Backfill, g.Uncertain = int(a.Level), a.Stage, a.Held, a.Backfill, a.Uncertain
		return g
	}
	if to.Sub(from) < least {
		return nil
	}
	return g
}

// levelAt is the level of the present silence by the clock: what the detector's
// next tick would say.
func levelAt(life *query.Life, clock time.Time) int {
	switch {
	case life.Due72h != nil && !clock.Before(*life.Due72h):
		return 2
	case life.Due48h != nil && !clock.Before(*life.Due48h):
		return 1
	case life.Due48h != nil && !clock.Add(12*time.Hour).Before(*life.Due48h):
		return 0
	}
	return -1
}
