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
	minute int64 // that is counted, since 1970
	told   bool  // the log knows a reception of this minute
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

// receive counts the events of one record. History counts as received, but tells
// nothing of how long the carrier takes.
func (f *feed) receive(events []schemas.Event, at int64) {
	if f.Events == 0 {
		f.First, f.Last, f.MaxLag = at, at, 0
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
}

func minuteOf(ms int64) int64 { return ms / time.Minute.Milliseconds() }

// over tells what is left of the minutes before the one that now lies in.
func (fs *feeds) over(now time.Time, tell func(*feed)) {
	minute := minuteOf(now.UnixMilli())
	for _, f := range fs.list {
		if f.Events > 0 && f.minute != minute {
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
