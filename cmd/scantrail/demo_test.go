package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"scantrail/bench/world"
	"scantrail/sink/chdb/chdbtest"
)

// TestTheTruthIsFoundExactly lets a small world live through 25 days, without
// the scans that carriers stamp in a wrong zone, which nobody can read right.
// Every true case must be found, with its anchor and its end to the second, and
// nothing else. So must every shop's scores of every week.
func TestTheTruthIsFoundExactly(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	to := time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)
	d := &demo{flags: demoFlags{parcels: 600, seed: 7, speed: 1e9}, out: t.Output(), started: time.Now(), from: to.Add(-25 * 24 * time.Hour), to: to}
	d.world = world.New(world.Config{Seed: d.flags.seed, Parcels: d.flags.parcels, From: d.from, To: d.to, WrongZone: -1})
	database := fmt.Sprintf("world%d", os.Getpid())
	if err := d.prepare(t.Context(), cluster.ListenAddrs(), chdbtest.Start(t), database); err != nil {
		t.Fatal(err)
	}
	defer d.pipeline.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.pipeline.Run(ctx) }()
	if err := d.drive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.settle(ctx); err != nil {
		t.Fatal(err)
	}
	d.ran = time.Since(d.started)
	r, err := d.makeReport(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d.trueScores(t)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.print(t.Output())
	for _, w := range r.wrong {
		t.Error(w)
	}
	for _, rule := range []string{"gap_48h", "gap_72h", "milestone_missing"} {
		if s := r.Rules[rule]; s == nil || s.TrueCases < 10 || s.Correct != s.TrueCases || s.Alerts != s.TrueCases {
			t.Errorf("%s: %+v, want at least 10 true cases, all found and nothing else", rule, s)
		}
	}
	if int64(r.RawRecords) != d.sent {
		t.Errorf("%d raw records in the ledger, %d were sent", r.RawRecords, d.sent)
	}
	if want := d.truth.DistinctScans; int(r.Events-r.Duplicates) != want {
		t.Errorf("%d distinct events, want %d", r.Events-r.Duplicates, want)
	}
	if r.LedgerProblems != 0 {
		t.Errorf("%d problems in the sink's ledger", r.LedgerProblems)
	}
}
