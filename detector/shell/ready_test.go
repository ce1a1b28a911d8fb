package shell

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"scantrail/schemas"
)

// TestReady follows a shell from before it joins until it is where its former
// owner was. It is assigned its partitions before Run, and reads the log in Run
// alone: so every state lasts for as long as the test looks at it.
func TestReady(t *testing.T) {
	b := newBench(t)
	b.policy()
	b.scan(1, 1, schemas.Accepted)
	b.ticks(1, 2)
	adm := kadm.NewClient(b.log)
	ends, err := adm.ListEndOffsets(t.Context(), schemas.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	if err := adm.CommitAllOffsets(t.Context(), schemas.DetectorGroup, ends.Offsets()); err != nil {
		t.Fatal(err) // as an owner does that left no snapshot
	}
	metrics := NewMetrics(prometheus.NewRegistry())
	s, err := New(Config{Kafka: b.kafka, Generation: 1, SnapshotInterval: time.Hour, FlushInterval: 10 * time.Millisecond,
		Rows: &memoryRows{}, Archive: &memoryRows{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	says := func(err error, want string) bool { return err != nil && strings.Contains(err.Error(), want) }
	b.until("it joins and is given what it has to read again", func() bool {
		return s.Joined() && says(s.Restored(), "reading the log again behind the snapshots of 3 partitions")
	})
	if err := s.Ticking(); err != nil {
		t.Errorf("just assigned: %v", err)
	}
	for _, p := range s.owned() {
		p.tickAt.Store(time.Now().Add(-tickLimit - time.Minute).UnixMilli())
	}
	if err := s.Ticking(); !says(err, "3 partitions have read no tick for 6m") {
		t.Errorf("long without a tick: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.until("it has read the log", func() bool { return s.Restored() == nil && s.Ticking() == nil })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAssigning(t *testing.T) {
	var a assigning
	now := time.Now()
	if err := a.problem(now); err != nil {
		t.Errorf("nothing is assigned: %v", err)
	}
	a.start(3)
	a.since = now.Add(-7 * time.Second)
	if err := a.problem(now); err == nil || err.Error() != "restoring 3 partitions for 7s" {
		t.Error(err)
	}
	a.end(errors.New("snapshots are away"))
	if err := a.problem(now); err == nil || !strings.Contains(err.Error(), "3 partitions cannot be restored, trying again: snapshots are away") {
		t.Error(err)
	}
	a.start(3)
	a.end(nil)
	if err := a.problem(now); err != nil {
		t.Errorf("all is restored: %v", err)
	}
}
