package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// TestStartsWithoutClickHouse starts a service while ClickHouse is away: scans are
// read, silence is found and alerted, and the rows follow.
func TestStartsWithoutClickHouse(t *testing.T) {
	r := newRig(t) // makes the tables
	r.proxy.Cut()
	o := r.pipeline.o
	o.Migrate = false
	r.pipeline.Close()
	var err error
	if r.pipeline, err = newPipeline(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.pipeline.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	r.topic("yunexpress")
	r.start()
	r.silent()
	r.judged(ctx)
	r.awaitAlert(ctx, schemas.RuleGap48h)
	if err := r.pipeline.Ready(ctx); err == nil || !strings.Contains(err.Error(), "clickhouse") || strings.Contains(err.Error(), "ingest") || strings.Contains(err.Error(), "detect") {
		t.Errorf("ready: %v, want that ClickHouse is away and that ingest and detect do their share", err)
	}
	r.proxy.Mend()
	r.settle()
	if n := one[uint64](r, "SELECT count() FROM scans FINAL"); n != 1 {
		t.Errorf("%d scans, want 1", n)
	}
	if rule := one[string](r, "SELECT toString(any(rule)) FROM alerts FINAL WHERE status = 'open' AND rule = 'gap_48h'"); rule != "gap_48h" {
		t.Errorf("the alert is not in ClickHouse: %q", rule)
	}
}

// silent sends a scan of 54 hours ago.
func (r *rig) silent() {
	r.t.Helper()
	r.send("yunexpress", []byte(strings.Replace(fmt.Sprintf(goodScan, "PICKED_UP"), "2026-09-20", "2026-09-19", 1)))
}

// judged waits until ingest has read everything, and ticks.
func (r *rig) judged(ctx context.Context) {
	r.t.Helper()
	untilTrue(r.t, ctx, "ingest has read everything", func() bool {
		n, err := groupLag(ctx, kadm.NewClient(r.producer), schemas.IngestGroup, []string{schemas.RawTopicPrefix + "yunexpress"})
		return err == nil && n == 0
	})
	if err := r.pipeline.ticker.Tick(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// awaitAlert reads parcel.alerts until a rule's alert is open there.
func (r *rig) awaitAlert(ctx context.Context, rule string) {
	r.t.Helper()
	client, err := kgo.NewClient(append(r.kafka[:len(r.kafka):len(r.kafka)], kgo.ConsumeTopics(schemas.AlertsTopic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	for found := false; !found; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			r.t.Fatalf("no alert %s: %v", rule, err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			var a schemas.Alert
			if err := schemas.ParseAlertJSON(rec.Value, &a); err != nil {
				r.t.Error(err)
			}
			found = found || a.Rule == rule && a.Status == schemas.AlertOpen
		})
	}
}
