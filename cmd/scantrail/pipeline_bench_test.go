package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// BenchmarkPipeline takes raw records that already lie in Kafka to rows and
// alerts in ClickHouse, broker and engine included, and reports scans/s. One
// iteration is one world of 100,000 parcels, 1.5 M scans:
//
//	go test ./cmd/scantrail -run - -bench Pipeline -benchtime 1x -cpuprofile cpu.prof
func BenchmarkPipeline(b *testing.B) {
	for range b.N {
		benchmarkPipeline(b, 100_000)
	}
}

func benchmarkPipeline(b *testing.B, parcels int) {
	b.StopTimer()
	clickhouse := chdbtest.Start(b)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	kafka := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	to := time.Date(2026, 11, 15, 0, 0, 0, 0, time.UTC)
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		b.Fatal(err)
	}
	p, err := newPipeline(pipelineOptions{
		Kafka:      kafka,
		ClickHouse: sink.Options{URLs: []string{"http://" + clickhouse}, Database: fmt.Sprintf("bench%d_%d", os.Getpid(), rigs.Add(1)), User: "default"},
		Topics:     topicOptions{Partitions: 12, Replication: 1, Create: true},
		Roles:      roleNames, Migrate: true, Carriers: registry, Generation: 1, StallAfter: time.Hour,
		Snapshot: time.Minute, FlushRows: 100_000, FlushEvery: time.Second, RowsEvery: time.Second,
		Now: func() time.Time { return to }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	if err := p.Prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	preload(b, p, kafka, world.New(world.Config{Seed: 1, Parcels: parcels, To: to}))

	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	b.StartTimer()
	began := time.Now()
	go func() { done <- p.Run(ctx) }()
	if err := p.ticker.Tick(ctx); err != nil {
		b.Fatal(err)
	}
	adm := kadm.NewClient(p.kafka)
	ticked := false
	for {
		n, err := lag(ctx, adm)
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 && p.settled() {
			if ticked {
				break
			}
			ticked = true
			if err := p.ticker.Tick(ctx); err != nil {
				b.Fatal(err)
			}
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(began)
	b.StopTimer()
	b.ReportMetric(p.value("scantrail_ingest_events_total")/took.Seconds(), "scans/s")
	b.ReportMetric(p.value("scantrail_ingest_records_total")/took.Seconds(), "records/s")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// preload writes everything that the world sends into its topics.
func preload(b *testing.B, p *pipeline, kafka []kgo.Opt, w *world.World) {
	b.Helper()
	if err := ensureRawTopics(b.Context(), p.kafka, w.Topics()); err != nil {
		b.Fatal(err)
	}
	producer, err := kgo.NewClient(append(kafka, kgo.MaxBufferedRecords(100_000))...)
	if err != nil {
		b.Fatal(err)
	}
	defer producer.Close()
	err = w.Emit(w.Config().To, func(r world.Record) error {
		producer.Produce(b.Context(), &kgo.Record{Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)}, nil)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := producer.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}
