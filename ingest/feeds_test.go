package ingest

import (
	"context"
	"io"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

func feedService(tb testing.TB) *Service {
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		tb.Fatal(err)
	}
	return &Service{cfg: Config{Carriers: registry}}
}

// feedTime is the start of a minute, Unix milliseconds.
const feedTime = int64(1_790_000_040_000)

func TestFeedsTellEveryMinute(t *testing.T) {
	s := feedService(t)
	var told []schemas.Feed
	tell := func(f *feed) {
		if f.key != schemas.FeedKey(f.Carrier) {
			t.Errorf("key %q of %s", f.key, f.Carrier)
		}
		told = append(told, f.Feed)
	}
	const topic = "scans.raw.usps"
	lagging := func(lag ...int64) (events []schemas.Event) {
		for _, l := range lag {
			events = append(events, schemas.Event{OccurredAt: -l, Progress: true})
		}
		return events
	}
	batch := func(after time.Duration, last bool, carrier string, lags ...int64) {
		t.Helper()
		at := feedTime + after.Milliseconds()
		s.feeds.over(time.UnixMilli(at), tell)
		if events := lagging(lags...); len(events) > 0 {
			for i := range events {
				events[i].OccurredAt += at
			}
			s.heard(carrier, topic).receive(events, 0, at)
		}
		s.feeds.news(last, tell)
	}
	want := func(feeds ...schemas.Feed) {
		t.Helper()
		if len(told) != len(feeds) || len(told) > 0 && !reflect.DeepEqual(told, feeds) {
			t.Errorf("told %+v\nwant %+v", told, feeds)
		}
		told = nil
	}
	batch(time.Second, false, "usps", 5000, 700)
	want(schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 1000, Last: feedTime + 1000, Events: 2, MaxLag: 5000, LagHours: 1})
	batch(10*time.Second, false, "usps", 100)
	batch(20*time.Second, false, "usps", 90, -4000)
	want() // the minute is known; the rest follows after it
	batch(30*time.Second, false, "fedex", -3000)
	want(schemas.Feed{Carrier: "fedex", Topic: topic, First: feedTime + 30000, Last: feedTime + 30000, Events: 1, LagHours: 1})
	batch(59*time.Second, false, "")
	want()
	batch(60*time.Second, false, "usps", 1)
	want(schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 10000, Last: feedTime + 20000, Events: 3, MaxLag: 100, LagHours: 1},
		schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 60000, Last: feedTime + 60000, Events: 1, MaxLag: 1, LagHours: 1})
	batch(61*time.Second, false, "usps", 7)
	batch(62*time.Second, true, "")
	want(schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 61000, Last: feedTime + 61000, Events: 1, MaxLag: 7, LagHours: 1})
}

func TestHistoryCountsAsReceivedWithoutLag(t *testing.T) {
	var f feed
	f.receive([]schemas.Event{{OccurredAt: feedTime - 1e9, Backfill: true}, {OccurredAt: feedTime - 60}}, feedTime, feedTime)
	if want := (schemas.Feed{First: feedTime, Last: feedTime, Events: 2, MaxLag: 60}); f.Feed != want {
		t.Errorf("have %+v, want %+v", f.Feed, want)
	}
}

// TestLagOfARawRecord: the newest progress event counts, from when the record was
// written, however late we read it.
func TestLagOfARawRecord(t *testing.T) {
	const hour = hourMillis
	event := func(before int64) schemas.Event { return schemas.Event{OccurredAt: feedTime - before, Progress: true} }
	history, info := event(hour), event(hour)
	history.Backfill, info.Progress = true, false
	for name, c := range map[string]struct {
		events []schemas.Event
		want   uint8
	}{
		"none":                         {nil, 0},
		"at once":                      {[]schemas.Event{event(0)}, 1},
		"almost an hour":               {[]schemas.Event{event(hour - 1)}, 1},
		"an hour":                      {[]schemas.Event{event(hour)}, 2},
		"the newest of an answer":      {[]schemas.Event{event(90 * hour), event(5 * hour), event(30 * hour)}, 6},
		"neither history nor a notice": {[]schemas.Event{history, info, event(7 * hour)}, 8},
		"only history":                 {[]schemas.Event{history, info}, 0},
		"a clock that is ahead":        {[]schemas.Event{event(-hour)}, 1},
		"an announcement":              {[]schemas.Event{event(-hour - 1), event(9 * hour)}, 10},
		"years":                        {[]schemas.Event{event(90_000 * hour)}, 255},
	} {
		if got := lagHours(c.events, feedTime); got != c.want {
			t.Errorf("%s: %d hours begun, want %d", name, got, c.want)
		}
	}
	for _, c := range []struct {
		written, at int64
		want        uint8
	}{
		{feedTime, feedTime + 50*hour, 4}, // we were away for 50 hours
		{feedTime + 60*hour, feedTime, 4}, // a producer's clock is ahead of ours
		{0, feedTime, 4},                  // no time of writing
		{-1, feedTime, 4},
	} {
		var f feed
		f.receive([]schemas.Event{event(3 * hour)}, c.written, c.at)
		if got := f.medianLag(); got != c.want {
			t.Errorf("written %d h, read %d h after: %d hours begun, want %d", (c.written-feedTime)/hour, (c.at-feedTime)/hour, got, c.want)
		}
	}
}

func TestMedianLag(t *testing.T) {
	for _, c := range []struct {
		hours []int64
		want  uint8
	}{{nil, 0}, {[]int64{4}, 5}, {[]int64{9, 1}, 2}, {[]int64{9, 1, 3}, 4}, {[]int64{9, 1, 3, 400}, 4}, {[]int64{300, 300, 1}, 255}} {
		var f feed
		for _, h := range c.hours {
			f.receive([]schemas.Event{{OccurredAt: feedTime - h*hourMillis, Progress: true}}, feedTime, feedTime)
			f.Events = 1
		}
		f.receive([]schemas.Event{{OccurredAt: feedTime}}, feedTime, feedTime) // no progress: does not count
		if got := f.medianLag(); got != c.want {
			t.Errorf("%v: %d hours begun, want %d", c.hours, got, c.want)
		}
	}
}

func TestFeedsAreOfTopicsAndMappings(t *testing.T) {
	s := feedService(t)
	for _, c := range []struct{ carrier, topic, want string }{
		{"usps", "scans.raw.usps", "usps"},
		{"fedex", "scans.raw.usps", "fedex"},
		{"nobody-1", "scans.raw.usps", "usps"},
		{"nobody-2", "scans.raw.usps", "usps"},
		{"new", "scans.raw.new", "new"},
		{"usps", "scans.raw.new", "usps"},
	} {
		if f := s.heard(c.carrier, c.topic); f.Carrier != c.want || f.Topic != c.topic {
			t.Errorf("%s on %s counts for %s on %s, want %s", c.carrier, c.topic, f.Carrier, f.Topic, c.want)
		}
	}
	if n := len(s.feeds.list); n != 4 {
		t.Errorf("%d feeds, want 4", n)
	}
}

func TestFeedsDoNotAllocate(t *testing.T) {
	s := feedService(t)
	events := make([]schemas.Event, 3)
	at := feedTime
	if n := testing.AllocsPerRun(1000, func() {
		at += 10
		s.heard("usps", "scans.raw.usps").receive(events, at, at)
		s.heard("fedex", "scans.raw.fedex").receive(events, at, at)
	}); n != 0 {
		t.Errorf("%v allocations per two records", n)
	}
}

func BenchmarkFeeds(b *testing.B) {
	s := feedService(b)
	events := make([]schemas.Event, 3)
	b.ReportAllocs()
	at := feedTime
	for b.Loop() {
		s.heard("usps", "scans.raw.usps").receive(events, at, at)
		at++
	}
}

// TestFeedsInTheLog runs a member with a clock of its own: each minute with
// events is in the log once its records are committed, and all of it once the
// member has left; the accounts of the source partitions do not count it.
func TestFeedsInTheLog(t *testing.T) {
	f := newField(t)
	var now atomic.Int64
	now.Store(feedTime)
	s, err := New(Config{
		Kafka: f.kafka, Carriers: f.registry, Now: func() time.Time { return time.UnixMilli(now.Load()) },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()

	minutes := map[int64]int64{}
	read := func() (events int64) {
		clear(minutes)
		f.log(schemas.EventsTopic, func(r *kgo.Record) {
			var rec schemas.Record
			if err := rec.Decode(r.Value); err != nil {
				t.Fatal(err)
			}
			if rec.Kind != schemas.KindFeed {
				return
			}
			v := rec.Feed
			if v.Carrier != "yunexpress" || v.Topic != rawTopic || string(r.Key) != "feed:yunexpress" || minuteOf(v.First) != minuteOf(v.Last) || v.Events <= 0 || v.MaxLag <= 0 {
				t.Errorf("key %s, record %+v", r.Key, v)
			}
			minutes[minuteOf(v.First)] += v.Events
			events += v.Events
		})
		return events
	}
	for minute := range 3 {
		now.Store(feedTime + int64(minute)*60_000)
		for range 3 {
			f.send(40)
			f.committed()
			now.Add(10_000)
			if read(); minutes[minuteOf(feedTime)+int64(minute)] == 0 {
				t.Errorf("minute %d has committed records, and the log does not know", minute)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if events := read(); events != int64(f.sent*9/10) || len(minutes) != 3 {
		t.Errorf("%d events in %d minutes, want %d in 3", events, len(minutes), f.sent*9/10)
	}
	if records, events, letters := f.accounts(); records != int64(f.sent) || events != int64(f.sent*9/10) || letters != int64(f.sent/10) {
		t.Errorf("the accounts say %d records, %d events, %d dead letters of %d", records, events, letters, f.sent)
	}
}
