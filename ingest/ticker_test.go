package ingest

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tickerWorld drives a Ticker's arithmetic without a broker.
type tickerWorld struct {
	t      *testing.T
	ticker *Ticker
	now    time.Time
}

func newTickerWorld(t *testing.T) *tickerWorld {
	cfg := TickerConfig{StallAfter: 15 * time.Minute, Metrics: NewMetrics(prometheus.NewRegistry())}
	return &tickerWorld{t: t, ticker: &Ticker{cfg: cfg, raw: map[topicPartition]*backlog{}}, now: time.Unix(1_790_000_000, 0)}
}

// look shows partition p of topic a with these offsets, after some time.
func (w *tickerWorld) look(after time.Duration, p int32, end, committed int64) {
	w.now = w.now.Add(after)
	w.ticker.see(topicPartition{"a", p}, end, committed, 0, w.now, w.now)
}

// wantTick checks how far behind the present the next tick is.
func (w *tickerWorld) wantTick(behind time.Duration, stalled ...string) {
	w.t.Helper()
	tick := w.ticker.next(w.now)
	if got := w.now.Sub(time.UnixMilli(tick.At)); got != behind {
		w.t.Errorf("tick is %s behind, want %s", got, behind)
	}
	if len(tick.Stalled) != len(stalled) || len(stalled) > 0 && tick.Stalled[0] != stalled[0] {
		w.t.Errorf("stalled = %v, want %v", tick.Stalled, stalled)
	}
}

func TestTickIsThePresentWhenNothingWaits(t *testing.T) {
	w := newTickerWorld(t)
	w.wantTick(0)
	w.look(time.Second, 0, 10, 10)
	w.wantTick(0)
}

func TestTickWaitsForWhatWasSeenFirst(t *testing.T) {
	w := newTickerWorld(t)
	w.look(0, 0, 10, 10)
	w.look(5*time.Second, 0, 20, 10) // offsets 10-19 seen now
	w.wantTick(0)
	w.look(5*time.Second, 0, 30, 10)
	w.wantTick(5 * time.Second)
	w.look(5*time.Second, 0, 30, 19) // 19 still waits, since the first sight
	w.wantTick(10 * time.Second)
	w.look(5*time.Second, 0, 30, 20) // 20-29 wait, since the second sight
	w.wantTick(10 * time.Second)
	w.look(5*time.Second, 0, 30, 30)
	w.wantTick(0)
}

func TestTickIsTheMinimumOverPartitions(t *testing.T) {
	w := newTickerWorld(t)
	w.look(0, 0, 5, 0)
	w.look(7*time.Second, 1, 5, 0)
	w.look(3*time.Second, 2, 5, 5)
	w.wantTick(10 * time.Second)
}

func TestStalledPartitionLeavesTheMinimum(t *testing.T) {
	w := newTickerWorld(t)
	w.look(0, 0, 5, 0)
	w.look(14*time.Minute, 0, 6, 0)
	w.wantTick(14 * time.Minute)
	w.look(time.Minute, 0, 6, 0)
	w.wantTick(0, "a/0")
	w.look(time.Second, 0, 6, 1) // it moves again, and time waits for it again
	w.wantTick(15*time.Minute + time.Second)
}

func TestRestartedTickerTrustsTheLastCommitNotItsFirstLook(t *testing.T) {
	w := newTickerWorld(t)
	committed := w.now.Add(-3 * time.Hour)
	w.ticker.see(topicPartition{"a", 0}, 100, 40, 0, committed, w.now)
	w.wantTick(3 * time.Hour)
}

func TestSightingsAreBounded(t *testing.T) {
	w := newTickerWorld(t)
	for end := int64(1); end < 3*maxSightings; end++ {
		w.look(time.Millisecond, 0, end, 0)
	}
	b := w.ticker.raw[topicPartition{"a", 0}]
	if len(b.seen) != maxSightings {
		t.Errorf("%d sightings kept, want %d", len(b.seen), maxSightings)
	}
	if last := b.seen[len(b.seen)-1]; last.end != 3*maxSightings-1 {
		t.Errorf("the last sighting covers offsets below %d, want %d", last.end, 3*maxSightings-1)
	}
}

// TestTickSaysThatHistoryIsRead: until what lay there at the first sight is read,
// and not while nobody reads it.
func TestTickSaysThatHistoryIsRead(t *testing.T) {
	w := newTickerWorld(t)
	for _, step := range []struct {
		after                   time.Duration
		end, committed, history int64
		want                    bool
	}{
		{0, 10, 0, 10, true},
		{time.Second, 15, 0, 15, true}, // no commit yet: the first sight counts
		{time.Second, 15, 4, 10, true},
		{time.Second, 15, 9, 10, true},
		{time.Second, 20, 10, 10, false},
		{time.Second, 20, 20, 10, false},
	} {
		w.now = w.now.Add(step.after)
		w.ticker.see(topicPartition{"a", 0}, step.end, step.committed, step.history, w.now, w.now)
		if got := w.ticker.next(w.now).History; got != step.want {
			t.Errorf("%+v: history %t", step, got)
		}
	}
	w.ticker.see(topicPartition{"b", 0}, 5, 1, 5, w.now, w.now)
	if !w.ticker.next(w.now).History {
		t.Error("another partition holds history too")
	}
	w.now = w.now.Add(15 * time.Minute)
	w.ticker.see(topicPartition{"b", 0}, 5, 1, 5, w.now, w.now)
	if w.ticker.next(w.now).History {
		t.Error("nobody reads it, and everything waits")
	}
}
