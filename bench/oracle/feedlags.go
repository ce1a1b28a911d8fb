package oracle

import "slices"

const (
	usualLag     = 6 // hours that are never late
	lateHours    = 3
	judgedBefore = 166 // hours before the last reception
	warnedBefore = 14 * day
	keyLasts     = 90 * day
)

// lags is how late the receptions of a feed were, in hours begun.
type lags struct {
	minutes map[int64]map[int64]int // hour, minute: the largest that was told
	hours   map[int64]int           // of an hour
	marks   map[int64]mark          // what follows from them
}

// mark is what an hour is.
type mark uint8

const (
	hourUnjudged mark = iota
	hourInTime
	hourLate
)

func newLags() lags {
	return lags{minutes: map[int64]map[int64]int{}, hours: map[int64]int{}, marks: map[int64]mark{}}
}

// tell notes the lag that a record tells of a minute, 0 for none.
func (l *lags) tell(at int64, lag int) {
	if lag == 0 {
		return
	}
	hour := at / 3600
	if l.minutes[hour] == nil {
		l.minutes[hour] = map[int64]int{}
	}
	l.minutes[hour][at/60] = max(l.minutes[hour][at/60], lag)
	all := make([]int, 0, 60)
	for _, lag := range l.minutes[hour] {
		all = append(all, lag)
	}
	slices.Sort(all)
	l.hours[hour] = all[(len(all)-1)/2]
	delete(l.marks, hour)
	for w := int64(1); w <= 4; w++ { // to these it is a week before
		for h := hour + w*weekHours - 1; h <= hour+w*weekHours+1; h++ {
			delete(l.marks, h)
		}
	}
}

// usual returns the usual lag of an hour, 0 where none is known.
func (l *lags) usual(hour int64) int {
	var weeks []int
	for w := int64(1); w <= 4; w++ {
		h := hour - w*weekHours
		if most := max(l.hours[h-1], l.hours[h], l.hours[h+1]); most > 0 {
			weeks = append(weeks, most)
		}
	}
	slices.SortFunc(weeks, func(a, b int) int { return b - a })
	switch len(weeks) {
	case 0:
		return 0
	case 1, 2:
		return weeks[0]
	default:
		return weeks[1]
	}
}

func (l *lags) mark(hour int64) mark {
	m, known := l.marks[hour]
	if !known {
		lag, usual := l.hours[hour], l.usual(hour)
		switch {
		case lag == 0 || usual == 0:
		case lag > max(usualLag, 2*usual):
			m = hourLate
		default:
			m = hourInTime
		}
		l.marks[hour] = m
	}
	return m
}

// run is a number of late hours in a row: when they began, and when they were over,
// 0 while they last.
type run struct{ begin, end int64 }

// runs returns the runs among hours, and the beginning of the first hour that was in
// time, 0 without one.
func (l *lags) runs(from, to int64) (all []run, calm int64) {
	n, begin := 0, int64(0)
	over := func(end int64) {
		if n >= lateHours {
			all = append(all, run{begin * 3600, end * 3600})
		}
		n = 0
	}
	for hour := from; hour <= to; hour++ {
		switch l.mark(hour) {
		case hourLate:
			if n++; n == 1 {
				begin = hour
			}
		case hourInTime:
			if calm == 0 {
				calm = hour * 3600
			}
			over(hour)
		}
	}
	over(0)
	return all, calm
}

// judgeLag tells what changes at a tick of the feed's being late.
func (f *feed) judgeLag(offset, now int64) {
	newest := f.at[len(f.at)-1] / 3600
	from, to := newest-judgedBefore, min(newest, now/3600-1)
	runs, calm := f.lags.runs(from, to)
	k := f.late
	switch at := slices.IndexFunc(runs, func(r run) bool { return r.begin == k.Anchor }); {
	case k.Status == "":
	case k.Anchor/3600 < from: // it is not judged any more when it began
		if k.Status == "open" && calm != 0 {
			k.Status, k.Ended = "resolved", calm
		}
	case at < 0:
		k.Status, k.Ended = "withdrawn", 0
	case runs[at].end != 0:
		k.Status, k.Ended = "resolved", runs[at].end
	default:
		k.Status, k.Ended = "open", 0
	}
	if k != f.late {
		k = f.tell("upload_lag", k, offset, now, 0)
	}
	if n := len(runs); k.Status != "open" && n > 0 && runs[n-1].end == 0 {
		k = f.tell("upload_lag", Incident{Status: "open", Anchor: runs[n-1].begin, Opened: now}, offset, now, 0)
	}
	f.late = k
}

// keyEnds returns when the last key of a carrier ends, 0 where none is stated.
func (d *Document) keyEnds(carrier string) (end int64) {
	for _, k := range d.Keys {
		if k.Carrier == carrier {
			end = max(end, k.Expires)
			if k.Expires == 0 {
				end = max(end, k.Issued+keyLasts)
			}
		}
	}
	return end
}

// judgeKey tells what changes at a tick of the feed's key.
func (f *feed) judgeKey(d *Document, offset, now int64) {
	end := d.keyEnds(f.carrier)
	anchor := end - warnedBefore
	k := f.key
	if k.Status == "open" && (end == 0 || anchor != k.Anchor) {
		k.Status = "withdrawn"
		if end != 0 && anchor > k.Anchor {
			k.Status, k.Ended = "resolved", now
		}
		k = f.tell("key_expiring", k, offset, now, 0)
	}
	if end != 0 && now >= anchor && (k.Status != "open" || k.Anchor != anchor) {
		if k.Anchor != anchor {
			k = Incident{Anchor: anchor, Opened: now}
		}
		k.Status, k.Ended = "open", 0
		k = f.tell("key_expiring", k, offset, now, 0)
	}
	f.key = k
}
