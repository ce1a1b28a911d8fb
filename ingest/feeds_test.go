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
			events = append(events, schemas.Event{OccurredAt: -l})
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
			s.heard(carrier, topic).receive(events, at)
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
	want(schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 1000, Last: feedTime + 1000, Events: 2, MaxLag: 5000})
	batch(10*time.Second, false, "usps", 100)
	batch(20*time.Second, false, "usps", 90, -4000)
	want() // the minute is known; the rest follows after it
	batch(30*time.Second, false, "fedex", -3000)
	want(schemas.Feed{Carrier: "fedex", Topic: topic, First: feedTime + 30000, Last: feedTime + 30000, Events: 1})
	batch(59*time.Second, false, "")
	want()
	batch(60*time.Second, false, "usps", 1)
	want(schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 10000, Last: feedTime + 20000, Events: 3, MaxLag: 100},
		schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 60000, Last: feedTime + 60000, Events: 1, MaxLag: 1})
	batch(61*time.Second, false, "usps", 7)
	batch(62*time.Second, true, "")
	want(schemas.Feed{Carrier: "usps", Topic: topic, First: feedTime + 61000, Last: feedTime + 61000, Events: 1, MaxLag: 7})
}

func TestHistoryCountsAsReceivedWithoutLag(t *testing.T) {
	var f feed
	f.receive([]schemas.Event{{OccurredAt: feedTime - 1e9, Backfill: true}, {OccurredAt: feedTime - 60}}, feedTime)
	if want := (schemas.Feed{First: feedTime, Last: feedTime, Events: 2, MaxLag: 60}); f.Feed != want {
		t.Errorf("have %+v, want %+v", f.Feed, want)
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
		s.heard("usps", "scans.raw.usps").receive(events, at)
		s.heard("fedex", "scans.raw.fedex").receive(events, at)
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
		s.heard("usps", "scans.raw.usps").receive(events, at)
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
