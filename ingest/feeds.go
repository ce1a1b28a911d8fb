package ingest

import (
	"time"

	"scantrail/schemas"
)

// feeds counts the events that come in, by carrier, source topic and minute, and
// tells the log. The first batch of a feed's minute carries a record of its own,
// so that no reception is committed that the log does not know: the detector
// then never takes a crash of ours for a silence of the carrier. What follows in
// that minute is told in one more record, with the first batch after the minute;
// a crash before that loses the count of these events, not the minute.
type feeds struct {
	list []*feed // in the order in which they were first heard of
	at   map[feedName]*feed
	last *feed // of the record before: the next is likely of the same
}

type feedName struct{ carrier, topic string }

// feed is what the log has not been told of one feed; nothing while Events is 0.
type feed struct {
	schemas.Feed
	key    string
	minute int64       // that is counted, since 1970
	told   bool        // the log knows a reception of this minute
	lags   [256]uint32 // raw records by the lag of each, in hours begun; 0: none
}

// of returns the feed of that name, a new one where there is none.
func (fs *feeds) of(name feedName) *feed {
	f := fs.at[name]
	if f == nil {
		if fs.at == nil {
			fs.at = map[feedName]*feed{}
		}
		f = &feed{key: schemas.FeedKey(name.carrier)}
		f.Carrier, f.Topic = name.carrier, name.topic
		fs.at[name] = f
		fs.list = append(fs.list, f)
	}
	return f
}

// heard returns the feed that a record's events count for. A carrier that only
// a header names, and no mapping knows, is not believed to be one: its events
// count for the topic's, so that there are no more feeds than topics and mappings.
func (s *Service) heard(carrier, topic string) *feed {
	if f := s.feeds.last; f != nil && f.Carrier == carrier && f.Topic == topic {
		return f
	}
	f := s.feeds.at[feedName{carrier, topic}]
	if f == nil {
		if _, known := s.cfg.Carriers.Carrier(carrier); !known {
			carrier = topicCarrier(topic)
		}
		f = s.feeds.of(feedName{carrier, topic})
	}
	s.feeds.last = f
	return f
}

// receive counts the events of one raw record, which was written into its topic at
// written and received at at. History counts as received, but tells nothing of how
// long the carrier takes.
func (f *feed) receive(events []schemas.Event, written, at int64) {
	if f.Events == 0 {
		f.First, f.Last, f.MaxLag = at, at, 0
		clear(f.lags[:])
	}
	if minute := minuteOf(at); minute != f.minute {
		f.minute, f.told = minute, false
	}
	f.First, f.Last = min(f.First, at), max(f.Last, at)
	f.Events += int64(len(events))
	for i := range events {
		if e := &events[i]; !e.Backfill {
			f.MaxLag = max(f.MaxLag, at-e.OccurredAt)
		}
	}
	if written <= 0 || written > at {
		written = at
	}
	f.lags[lagHours(events, written)]++
}

const hourMillis = int64(time.Hour / time.Millisecond)

// lagHours returns how long before it was written the newest progress event of a
// raw record lies, in hours begun, 0 where it holds none. An answer repeats the
// whole trail, so only its newest event can tell of the carrier's haste; what is
// stated far ahead tells of its clock; and the time of writing, not that of our
// reading, since we may be behind.
func lagHours(events []schemas.Event, written int64) uint8 {
	least, found := int64(0), false
	for i := range events {
		e := &events[i]
		lag := written - e.OccurredAt
		if e.Backfill || !e.Progress || lag < -hourMillis {
			continue
		}
		if !found || lag < least {
			least, found = lag, true
		}
	}
	if !found {
		return 0
	}
	return uint8(min(max(least, 0)/hourMillis+1, 255))
}

// medianLag returns the lower median over the raw records that tell of a lag.
func (f *feed) medianLag() uint8 {
	total := uint32(0)
	for _, n := range f.lags[1:] {
		total += n
	}
	seen := uint32(0)
	for hours, n := range f.lags[1:] {
		if seen += n; total > 0 && 2*seen >= total {
			return uint8(hours + 1)
		}
	}
	return 0
}

func minuteOf(ms int64) int64 { return ms / time.Minute.Milliseconds() }

// over tells what is left of the minutes before the one that now lies in.
func (fs *feeds) over(now time.Time, tell func(*feed)) {
	minute := minuteOf(now.UnixMilli())
	for _, f := range fs.list {
		if f.Events > 0 && f.minute != minute {
			f.LagHours = f.medianLag()
			tell(f)
			f.Events = 0
		}
	}
}

// news tells what the log must know before the batch is committed; all that is
// left where it is the last.
func (fs *feeds) news(last bool, tell func(*feed)) {
	for _, f := range fs.list {
		if f.Events > 0 && (last || !f.told) {
			f.LagHours = f.medianLag()
			tell(f)
			f.Events, f.told = 0, true
		}
	}
}

func (s *Service) produceFeed(f *feed) {
	s.batch.record.Kind = schemas.KindFeed
	s.batch.record.Feed = f.Feed
	s.produce(f.key)
}
