package ingest

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

func TestForwardedThrough(t *testing.T) {
	const stall = 15 * time.Minute
	start := time.UnixMilli(1_790_000_000_000)
	type look struct {
		after time.Duration
		tick  time.Duration // last that was written, since start
		// Clocks that the partitions have committed, since start; -1 for none.
		clocks [2]time.Duration
		want   time.Duration // -1: not stated
		stuck  int
	}
	const none = -1
	for name, looks := range map[string][]look{
		"nobody has committed": {
			{0, 0, [2]time.Duration{none, none}, none, 0},
			{time.Hour, time.Hour, [2]time.Duration{none, none}, none, 0},
		},
		"one has not": {
			{0, 0, [2]time.Duration{none, 0}, none, 0},
			{time.Hour, time.Hour, [2]time.Duration{none, time.Hour}, none, 0},
			{time.Second, time.Hour, [2]time.Duration{time.Minute, time.Hour}, time.Minute, 0},
		},
		"the lowest": {
			{0, time.Hour, [2]time.Duration{time.Minute, time.Second}, time.Second, 0},
			{time.Second, time.Hour, [2]time.Duration{time.Minute, time.Hour}, time.Minute, 0},
		},
		"one is stuck": {
			{0, time.Hour, [2]time.Duration{time.Minute, time.Hour}, time.Minute, 0},
			{stall - 1, 2 * time.Hour, [2]time.Duration{time.Minute, time.Hour + 1e9}, time.Minute, 0},
			{1, 2 * time.Hour, [2]time.Duration{time.Minute, 2 * time.Hour}, 2 * time.Hour, 1},
			{time.Hour, 3 * time.Hour, [2]time.Duration{time.Minute, 3 * time.Hour}, 3 * time.Hour, 1},
			{time.Second, 3 * time.Hour, [2]time.Duration{2 * time.Minute, 3 * time.Hour}, 2 * time.Minute, 0},
		},
		"all are stuck": {
			{0, time.Hour, [2]time.Duration{time.Minute, time.Minute}, time.Minute, 0},
			{stall, time.Hour, [2]time.Duration{time.Minute, time.Minute}, none, 2},
		},
		"the clock itself stood still": {
			{0, time.Hour, [2]time.Duration{time.Hour, time.Hour}, time.Hour, 0},
			{2 * stall, time.Hour, [2]time.Duration{time.Hour, time.Hour}, time.Hour, 0},
			{time.Second, 2 * time.Hour, [2]time.Duration{time.Hour, time.Hour}, time.Hour, 0},
			{stall - 2e9, 2 * time.Hour, [2]time.Duration{time.Hour, 2 * time.Hour}, time.Hour, 0},
			{2 * time.Second, 2 * time.Hour, [2]time.Duration{time.Hour, 2 * time.Hour}, 2 * time.Hour, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, now := owners{parts: make([]owner, 2)}, start
			for i, l := range looks {
				now = now.Add(l.after)
				o.lastTick = start.Add(l.tick).UnixMilli()
				for p, c := range l.clocks {
					clock := int64(0)
					if c != none {
						clock = start.Add(c).UnixMilli()
					}
					o.see(p, clock, now, stall)
				}
				want := int64(0)
				if l.want != none {
					want = start.Add(l.want).UnixMilli()
				}
				if clock, stuck := o.through(); clock != want || stuck != l.stuck {
					t.Errorf("look %d: through %s with %d stuck, want %s with %d", i, time.Duration(clock-start.UnixMilli())*time.Millisecond, stuck, l.want, l.stuck)
				}
			}
		})
	}
}

// TestTicksStateForwardedThrough runs the ticker against commits of the
// detector's group.
func TestTicksStateForwardedThrough(t *testing.T) {
	f := newField(t)
	var logged bytes.Buffer
	now := time.UnixMilli(1_790_000_000_000)
	ticker, err := NewTicker(TickerConfig{
		Kafka: f.kafka, Partitions: 3, StallAfter: 15 * time.Minute, Now: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(&logged, nil)), Metrics: NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ticker.Close()
	admin := kadm.NewClient(f.client)
	commit := func(p int32, metadata string) {
		t.Helper()
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: schemas.EventsTopic, Partition: p, At: 1, LeaderEpoch: -1, Metadata: metadata})
		if err := admin.CommitAllOffsets(t.Context(), schemas.DetectorGroup, offsets); err != nil {
			t.Fatal(err)
		}
	}
	want := func(after time.Duration, through int64) {
		t.Helper()
		now = now.Add(after)
		if err := ticker.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		ticks := 0
		f.log(schemas.EventsTopic, func(r *kgo.Record) {
			var rec schemas.Record
			if err := rec.Decode(r.Value); err != nil {
				t.Fatal(err)
			}
			if rec.Kind != schemas.KindTick || rec.Tick.At != now.UnixMilli() {
				return
			}
			if ticks++; rec.Tick.ForwardedThrough != through {
				t.Errorf("partition %d: through %d, want %d", r.Partition, rec.Tick.ForwardedThrough, through)
			}
		})
		if ticks != 3 {
			t.Errorf("%d ticks of this time, want 3", ticks)
		}
	}
	at := func(before time.Duration) int64 { return now.Add(-before).UnixMilli() }
	clock := func(before time.Duration) string { return schemas.DetectorMetadata(at(before)) }

	want(0, 0) // the group does not exist
	commit(0, clock(time.Minute))
	commit(1, clock(2*time.Minute))
	want(time.Second, 0) // partition 2 has none
	commit(2, "")
	want(time.Second, 0) // nor does its commit say
	commit(2, clock(3*time.Minute))
	want(time.Second, at(3*time.Minute))
	commit(0, clock(-time.Hour))
	commit(1, clock(-time.Hour))
	commit(2, clock(-time.Hour))
	want(time.Second, now.Add(time.Second).UnixMilli()) // never later than the tick
	for p := range int32(3) {
		commit(p, clock(0))
	}
	stuck := at(0)
	want(time.Second, stuck)
	commit(1, clock(-1*time.Second))
	commit(2, clock(-1*time.Second))
	want(time.Minute, stuck)
	if strings.Contains(logged.String(), "stands still") {
		t.Errorf("logged too early: %s", &logged)
	}
	commit(1, clock(2*time.Second))
	commit(2, clock(time.Second))
	want(15*time.Minute, at(2*time.Second))
	if n := strings.Count(logged.String(), "stands still"); n != 1 || !strings.Contains(logged.String(), "partition=0") {
		t.Errorf("%d lines about the partition that stands still: %s", n, &logged)
	}
	commit(0, clock(time.Second))
	want(time.Second, at(15*time.Minute+2*time.Second))
}
