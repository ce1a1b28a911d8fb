package detector

import (
	"math"

	"scantrail/schemas"
)

// scratchOfRules is memory that verdicts reuse.
type scratchOfRules struct {
	off   []span
	heads []orderHead
}

// episode is a time in which the parcel cannot get on, by the milestones of one
// list: undeliverable or exception.
type episode struct {
	anchor
	open  bool
	stage schemas.Milestone // in which it began
	known int               // place of the last one among the wanted alerts, plus 1
}

// trouble counts exceptions, and opens and closes episodes, by the kind of a fact.
// The one that closes an episode may open the next.
func (v *verdict) trouble(f *fact, m schemas.Milestone, kind uint8, ends bool) {
	if kind&isExceptional != 0 && v.exceptions < math.MaxUint8 {
		if v.exceptions == 0 {
			v.exception, v.exceptionAt = f.milestone, f.sec
		}
		v.exceptions++
	}
	v.inEpisode = false
	for i := range v.episodes {
		e := &v.episodes[i]
		if e.open && (ends || f.progress() && kind&isInChain != 0 && m > e.stage) {
			v.keepEpisode(i, schemas.AlertResolved, f.sec)
			e.open = false
		}
		if !e.open && kind&(isUndeliverable<<i) != 0 {
			e.anchor, e.stage, e.open = anchor{f.sec, f.num}, v.stage, true
		}
		v.inEpisode = v.inEpisode || e.open
	}
}

// keepEpisode wants the alert of an episode. Of two that began in one second
// the last counts.
func (v *verdict) keepEpisode(i int, s schemas.AlertStatus, ended uint32) {
	e := &v.episodes[i]
	if e.known > 0 && v.wanted[e.known-1].anchor == e.sec {
		w := &v.wanted[e.known-1]
		w.status, w.ended, w.num = s, ended, e.num
		return
	}
	v.want(undeliverable+family(i), s, 1, e.anchor, ended)
	e.known = len(v.wanted)
}

// stay is the time that the parcel spends in one stage.
type stay struct {
	anchor
	to    uint32 // 0: lasts
	group schemas.Stage
}

// maxStays is the number of stages without the announcement; each is entered
// once at most.
const maxStays = int(schemas.StageReturn) - int(schemas.StageAnnounced)

// enter begins the stay in a higher stage.
func (v *verdict) enter(g schemas.Stage, sec uint32) {
	if v.staying {
		v.stays[v.numStays-1].to = sec
	}
	s := &v.stays[v.numStays]
	s.sec, s.num, s.to, s.group = v.moved.sec, v.moved.num, 0, g // a copy would wait for moved to be written
	v.numStays++
	v.group, v.staying = g, true
}

// trailRules judges the rules that need the whole trail, but no order.
func (v *verdict) trailRules(l *life, r *rules, now uint32) {
	if r.stalled != 0 {
		v.stalled(l.facts, r, now)
	}
	if v.inEpisode {
		for i := range v.episodes {
			if v.episodes[i].open {
				v.keepEpisode(i, schemas.AlertOpen, 0)
			}
		}
	}
	if r.uploadLate != 0 && v.accepted >= 0 {
		f := &l.facts[v.accepted]
		if f.extra > r.uploadLate && f.flags&factBackfill == 0 {
			v.want(firstScanUploadLate, schemas.AlertResolved, 1, anchor{f.sec, f.num}, saturate(f.sec, f.extra))
		}
	}
	if r.virtual {
		v.virtualWarehouse()
	}
}

// stalled judges the stays in one stage in spite of updates.
func (v *verdict) stalled(facts []fact, r *rules, now uint32) {
	for i := range v.stays[:v.numStays] {
		s := &v.stays[i]
		limit := r.longestStay(s.group, v.lane)
		if s.to == 0 { // the last one
			v.stalling(s, facts, limit, now)
		} else if s.to-s.sec > limit && progressWithin(facts, s.sec, s.to) != 0 && v.gapSince(s.sec) >= s.to {
			v.want(stageStalled, schemas.AlertResolved, 1, s.anchor, s.to)
		}
	}
}

// stalling judges the stay that lasts: it is too long once the clock has passed
// both its limit and an update inside, and until it passes the beginning of a
// gap.
func (v *verdict) stalling(s *stay, facts []fact, limit, now uint32) {
	gap := v.gapSince(s.sec)
	if v.moved.sec == s.sec || gap < now {
		return
	}
	last := saturate(s.sec, limit)
	if v.moved.sec > last {
		last = max(last, progressWithin(facts, s.sec, v.moved.sec+1))
	}
	switch {
	case now <= last:
		v.wake(saturate(last, 1))
	case gap != math.MaxUint32: // by scans ahead of the clock
		v.wake(saturate(gap, 1))
		fallthrough
	default:
		v.want(stageStalled, schemas.AlertOpen, 1, s.anchor, 0)
	}
}

// progressWithin returns the time of the earliest progress strictly between two
// times of one stay, 0 for none. What the trail ignores is never between them.
func progressWithin(facts []fact, from, to uint32) uint32 {
	for i := range facts {
		f := &facts[i]
		if f.sec >= to {
			break
		}
		if f.sec > from && f.progress() {
			return f.sec
		}
	}
	return 0
}

// gapSince returns the beginning of the first gap that begins at a second or
// later, MaxUint32 where there is none.
func (v *verdict) gapSince(sec uint32) uint32 {
	first := uint32(math.MaxUint32)
	for i := range v.wanted {
		w := &v.wanted[i]
		if w.family == gapFamily && w.level > 0 && w.anchor >= sec {
			first = min(first, w.anchor)
		}
	}
	return first
}

// What the walk looks for in places.
const (
	seekOrigin = 1 << iota // a scan in the country of origin
	seekAbroad             // a scan in another country
)

// sought returns what a trail is searched for, by the lane that the label states
// and the lane that is known.
func sought(label, known lane) (seek uint8) {
	if known.known() && known.origin() != known.destination() {
		seek |= seekOrigin
	}
	if label.known() && label.origin() == label.destination() {
		seek |= seekAbroad
	}
	return seek
}

// look takes a physical fact.
func (v *verdict) look(f *fact, l *life) {
	country := uint16(0)
	if int(f.place) < len(l.places) {
		country = l.places[f.place].country
	}
	origin := v.lane.origin()
	switch {
	case country == origin || country == 0 && f.milestone >= schemas.Accepted && f.milestone <= schemas.DepartedOrigin:
		v.seek &^= seekOrigin
	case country != 0 && v.seek&seekAbroad != 0:
		v.abroad.first(f)
		v.seek &^= seekAbroad
	}
}

// virtualWarehouse judges where the trail begins.
func (v *verdict) virtualWarehouse() {
	if v.seek&seekOrigin != 0 && v.arrived.sec != 0 {
		v.want(virtualNoOrigin, schemas.AlertOpen, 1, v.arrived, 0)
	}
	if v.abroad.sec != 0 {
		v.want(virtualAbroad, schemas.AlertOpen, 1, v.abroad, 0)
	}
}
