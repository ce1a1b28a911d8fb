package oracle

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"scantrail/schemas"
)

// Incident is one transition of a feed_stale alert, as it was known at a tick.
// Times are Unix seconds.
type Incident struct {
	Carrier, Detail         string
	Offset                  int64
	Status                  string
	Anchor, Ended           int64
	Opened, Changed, Silent int64
}

const (
	week      = 7 * day
	shortest  = 2 * 3600 // silence that is an incident
	weekHours = 168
)

// feed is what was told of one carrier: its receptions, each second once, and how
// late they were.
type feed struct {
	carrier         string
	at              []int64 // sorted
	limits          map[int64]int64
	lags            lags
	last, late, key Incident // the latest of each kind
	all             []Incident
}

// Feeds replays the receptions in one partition of the log, and judges every feed
// at every tick (definitions 25 to 29). docs are the policy documents by their text.
func Feeds(docs map[string]*Document, log iter.Seq2[int64, *schemas.Record]) (all []Incident) {
	feeds := map[string]*feed{}
	var clock Clock
	var doc *Document
	number := uint32(0)
	for offset, r := range log {
		switch r.Kind {
		case schemas.KindControl:
			if r.Control.Number > number {
				number, doc = r.Control.Number, docs[r.Control.Policy]
			}
		case schemas.KindFeed:
			f := feeds[r.Feed.Carrier]
			if f == nil {
				f = &feed{carrier: r.Feed.Carrier, lags: newLags()}
				feeds[r.Feed.Carrier] = f
			}
			f.receive(r.Feed.First / 1000)
			f.receive(r.Feed.Last / 1000)
			f.lags.tell(r.Feed.First/1000, int(r.Feed.LagHours))
		case schemas.KindTick:
			clock.Tick(&r.Tick)
			if doc == nil {
				continue
			}
			for _, carrier := range slices.Sorted(maps.Keys(feeds)) {
				f := feeds[carrier]
				if !slices.ContainsFunc(r.Tick.Stalled, func(p string) bool { return strings.HasPrefix(p, "scans.raw."+carrier+"/") }) {
					f.judge(offset, clock.C)
					f.judgeLag(offset, clock.C)
				}
				f.judgeKey(doc, offset, clock.C)
				all, f.all = append(all, f.all...), nil
			}
		}
	}
	return all
}

// tell notes what has become of an incident at a tick.
func (f *feed) tell(detail string, k Incident, offset, now, silent int64) Incident {
	k.Carrier, k.Detail, k.Offset, k.Changed, k.Silent = f.carrier, detail, offset, now, silent
	f.all = append(f.all, k)
	return k
}

func (f *feed) receive(at int64) {
	if i, known := slices.BinarySearch(f.at, at); !known {
		f.at = slices.Insert(f.at, i, at)
		f.limits = map[int64]int64{}
	}
}

// judge tells what changes at a tick of the feed's silence.
func (f *feed) judge(offset, now int64) {
	tell := func(k Incident, since int64) {
		until := now
		if k.Ended != 0 {
			until = k.Ended
		}
		f.last = f.tell("", k, offset, now, max(0, until-since))
	}
	newest := f.at[len(f.at)-1]
	if k := f.last; k.Status == "open" || k.Status == "resolved" {
		next := int64(0)
		if i, _ := slices.BinarySearch(f.at, k.Anchor+1); i < len(f.at) {
			next = f.at[i]
		}
		until := now
		if next != 0 {
			until = next
		}
		old := newest/3600-k.Anchor/3600 >= weekHours
		switch {
		case until-k.Anchor <= shortest || !old && !f.stale(k.Anchor, until):
			k.Status, k.Ended = "withdrawn", 0
			tell(k, newest)
		case next != 0 && next != k.Ended:
			k.Status, k.Ended = "resolved", next
			tell(k, k.Anchor)
		}
	}
	if now <= newest || f.last.Anchor == newest && f.last.Status == "open" || !f.stale(newest, now) {
		return
	}
	k := f.last
	if k.Anchor != newest {
		k.Anchor, k.Opened = newest, now
	}
	k.Status, k.Ended = "open", 0
	tell(k, newest)
}

// stale says whether the silence since a reception is too long at some time up to
// another, at least a week after the first reception of all.
func (f *feed) stale(since, until int64) bool {
	for from := max(since+1, f.at[0]+week); from <= until; from = from/3600*3600 + 3600 {
		hour := from / 3600
		if min(until, hour*3600+3599)-since > f.limit(hour) {
			return true
		}
	}
	return false
}

// limit returns the longest silence that is none to worry about in an hour.
func (f *feed) limit(hour int64) int64 {
	l, ok := f.limits[hour]
	if !ok {
		l = shortest
		for w := int64(1); w <= 4; w++ {
			l = max(l, 4*f.longest(hour-w*weekHours))
		}
		f.limits[hour] = l
	}
	return l
}

// longest returns the longest silence that there was in an hour, a silence being
// as long as it had become by the hour's end or its own; receptions count at the
// start of their minute.
func (f *feed) longest(hour int64) (secs int64) {
	if hour < f.at[0]/3600 {
		return 0
	}
	first, _ := slices.BinarySearch(f.at, hour*3600)
	since := int64(-1)
	if first > 0 {
		since = f.at[first-1] / 60 * 60
	}
	for i := first; i < len(f.at) && f.at[i] < hour*3600+3600; i++ {
		at := f.at[i] / 60 * 60
		if since >= 0 {
			secs = max(secs, at-since)
		}
		since = at
	}
	return max(secs, hour*3600+3600-since)
}
