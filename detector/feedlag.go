package detector

import (
	"slices"

	"scantrail/schemas"
)

// A feed whose scans come later than they usually do. All is counted in hours
// begun, 1 to 255; 0 is no lag told.
//
// The lag of a minute is the largest that a record tells of it, that of an hour
// the lower median over its minutes. usual(H) is the upper median, over the four
// weeks before, of the largest lag of the hours H-1, H and H+1 of that week: a
// single bad week does not make it usual. The hour H is judged when it has ended by
// C, has a lag and a usual one, and lies at most lagReach before that of the last
// reception; it is late when
//
//	lag(H) > max(lagFloor, lagFactor * usual(H))
//
// lateHours judged hours in a row that are late make the feed late, from the
// beginning of the first of them to that of the first judged hour that is not.
const (
	lagFloor  = 6
	lagFactor = 2
	lateHours = 3
	// lagReach is how far back hours are judged: what they are compared with lies
	// in the window as a whole.
	lagReach = feedHours - 1 - (usualWeeks*weekHours + 1)
)

// receiveLag adds what a record tells of the minute of its first reception.
func (f *feed) receiveLag(at uint32, hours uint8) {
	hour := hourOf(at)
	if hours == 0 || hour < f.window() {
		return
	}
	h := f.hour(hour)
	if minute := &h.lags[at%3600/60]; hours > *minute {
		*minute = hours
		h.lag = h.medianLag()
		f.lagNews = f.lagNews || hour < f.lagHour
	}
}

// medianLag returns the lower median over the minutes that have a lag.
func (h *feedHour) medianLag() uint8 {
	var buf [60]uint8
	told := buf[:0]
	for _, lag := range h.lags {
		if lag != 0 {
			told = append(told, lag)
		}
	}
	if len(told) == 0 {
		return 0
	}
	slices.Sort(told)
	return told[(len(told)-1)/2]
}

// usualLag returns the usual lag in an hour, 0 where none is known.
func (f *feed) usualLag(hour int64) uint8 {
	var buf [usualWeeks]uint8
	weeks := buf[:0]
	for week := int64(1); week <= usualWeeks; week++ {
		most := uint8(0)
		for at := hour - week*weekHours - 1; at <= hour-week*weekHours+1; at++ {
			if at >= max(f.window(), 0) {
				most = max(most, f.hour(at).lag)
			}
		}
		if most != 0 {
			weeks = append(weeks, most)
		}
	}
	if len(weeks) == 0 {
		return 0
	}
	slices.Sort(weeks)
	return weeks[len(weeks)/2]
}

// isLate reports whether an hour can be judged, and is late.
func (f *feed) isLate(hour int64) (late, judged bool) {
	lag := int(f.hour(hour).lag)
	if lag == 0 {
		return false, false
	}
	usual := int(f.usualLag(hour))
	return lag > max(lagFloor, lagFactor*usual), usual != 0
}

// judgedHours returns the first and the last hour that may be judged at a clock.
func (f *feed) judgedHours(now uint32) (from, to int64) {
	return max(hourOf(f.last)-lagReach, 0), min(hourOf(f.last), hourOf(now)-1)
}

// lateRun returns the run of late hours that begins with an hour, or, for one below
// 0, the last that lasts: when it began, and the hour that ended it, 0 for none.
func (f *feed) lateRun(now uint32, wanted int64) (begin, end int64, found bool) {
	n := 0
	for hour, to := f.judgedHours(now); hour <= to; hour++ {
		late, judged := f.isLate(hour)
		switch {
		case !judged:
		case late:
			if n++; n == 1 {
				begin = hour
			}
		default:
			if n >= lateHours && begin == wanted {
				return begin, hour, true
			}
			n = 0
		}
	}
	return begin, 0, n >= lateHours && (wanted < 0 || begin == wanted)
}

// calm returns the first judged hour that is not late, 0 for none.
func (f *feed) calm(now uint32) int64 {
	for hour, to := f.judgedHours(now); hour <= to; hour++ {
		if late, judged := f.isLate(hour); judged && !late {
			return hour
		}
	}
	return 0
}

// judgeLag publishes that a feed has become late, or is not any more. An hour is
// judged when it has ended, and again when more of it becomes known.
func (m *Machine) judgeLag(f *feed, out *Output) {
	now := m.now()
	if !f.lagNews && hourOf(now) == f.lagHour {
		return
	}
	f.lagNews, f.lagHour = false, hourOf(now)
	k := f.lateSettled(now)
	m.setLate(f, k, out)
	if k.status == schemas.AlertOpen {
		return
	}
	if begin, _, lasts := f.lateRun(now, -1); lasts {
		if anchor := uint32(begin * 3600); k.anchor != anchor {
			k = incident{anchor: anchor, opened: now}
		}
		k.status, k.ended = schemas.AlertOpen, 0
		m.setLate(f, k, out)
	}
}

// lateSettled returns what has become of the latest run of late hours: it lasts, is
// over, or never was. When its beginning is no longer judged, it can only end.
func (f *feed) lateSettled(now uint32) incident {
	k := f.late
	if k.status == 0 {
		return k
	}
	if from, _ := f.judgedHours(now); hourOf(k.anchor) < from {
		if end := f.calm(now); k.status == schemas.AlertOpen && end != 0 {
			k.status, k.ended = schemas.AlertResolved, uint32(end*3600)
		}
		return k
	}
	switch _, end, found := f.lateRun(now, hourOf(k.anchor)); {
	case !found:
		k.status, k.ended = schemas.AlertWithdrawn, 0
	case end != 0:
		k.status, k.ended = schemas.AlertResolved, uint32(end*3600)
	default:
		k.status, k.ended = schemas.AlertOpen, 0
	}
	return k
}

func (m *Machine) setLate(f *feed, k incident, out *Output) {
	if k != f.late {
		f.late = k
		m.publishFeed(f, feedLate, k, 0, out)
	}
}
