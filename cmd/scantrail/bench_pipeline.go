package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/stopwatch"
	"scantrail/bench/world"
	"scantrail/sink"
)

// benchTickEvery is the time between ticks in production.
const benchTickEvery = 5 * time.Second

// maxFailing ticks in a row, 10 ms apart, end a run.
const maxFailing = 3000

// benchPipeline is a pipeline over a world of which every record lies in Kafka.
type benchPipeline struct {
	*pipeline
	broker  *benchBroker
	world   *world.World
	records int64 // raw ones and order facts
}

// options are those of a service with all roles and ticks by hand.
func (b *bench) options(broker *benchBroker, clickhouse, database string) pipelineOptions {
	return pipelineOptions{
		Kafka:      broker.kafka,
		ClickHouse: sink.Options{URLs: []string{"http://" + clickhouse}, Database: database, User: "default"},
		Topics:     topicOptions{Partitions: 12, Replication: 1, Create: true, Retention: broker.retention},
		Roles:      roleNames, Migrate: true, Carriers: b.registry, Generation: 1, StallAfter: time.Hour,
		Snapshot: time.Minute, FlushRows: 100_000, FlushEvery: b.sizes.flush, RowsEvery: b.sizes.flush,
		Log: slog.New(slog.DiscardHandler),
	}
}

// benchWorld is the past up to the last midnight: on a real broker ticks must
// not lie ahead of its clock.
func benchWorld(parcels int) *world.World {
	return world.New(world.Config{Seed: 1, Parcels: parcels, To: time.Now().UTC().Truncate(24 * time.Hour)})
}

// loaded prepares a pipeline and writes everything that the world sends into its
// topics.
func loaded(ctx context.Context, o pipelineOptions, broker *benchBroker, w *world.World) (*benchPipeline, error) {
	o.Now = func() time.Time { return w.Config().To }
	p, err := newPipeline(o)
	if err != nil {
		return nil, err
	}
	b := &benchPipeline{pipeline: p, broker: broker, world: w}
	if err := p.Prepare(ctx); err != nil {
		p.Close()
		return nil, err
	}
	if b.records, err = preload(ctx, p.kafka, broker.kafka, w); err != nil {
		p.Close()
		return nil, err
	}
	return b, nil
}

// preload writes a world's records to Kafka and returns how many there are.
func preload(ctx context.Context, admin *kgo.Client, kafka []kgo.Opt, w *world.World) (int64, error) {
	if err := readyTopics(ctx, admin, w.Topics()); err != nil {
		return 0, err
	}
	producer, err := kgo.NewClient(append(kafka[:len(kafka):len(kafka)], kgo.MaxBufferedRecords(100_000), kgo.MetadataMinAge(10*time.Millisecond))...)
	if err != nil {
		return 0, err
	}
	defer producer.Close()
	n, failed := int64(0), make(chan error, 1)
	err = w.Emit(w.Config().To, func(r world.Record) error {
		n++
		rec := &kgo.Record{Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)}
		producer.Produce(ctx, rec, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
		return nil
	})
	if err == nil {
		err = producer.Flush(ctx)
	}
	select {
	case refused := <-failed:
		return n, fmt.Errorf("writing the world to Kafka: %w", refused)
	default:
		return n, err
	}
}

// readyTopics creates topics and waits until they have leaders, which on a real
// broker comes later than the answer that they are made.
func readyTopics(ctx context.Context, client *kgo.Client, topics []string) error {
	if err := ensureRawTopics(ctx, client, topics); err != nil {
		return err
	}
	adm := kadm.NewClient(client)
	for {
		made, err := adm.ListTopics(ctx, topics...)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(topics, func(t string) bool { return !ledBy(made[t]) }) {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for the leaders of %v: %w", topics, err)
		}
	}
}

// ledBy reports whether every partition of a topic has a leader.
func ledBy(t kadm.TopicDetail) bool {
	for _, p := range t.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return false
		}
	}
	return t.Err == nil && len(t.Partitions) > 0
}

// behind counts the records that wait.
type behind func(context.Context, *kadm.Client) (int64, error)

// run runs the pipeline until nothing is behind: with a tick at the start, one at
// the end, which judges every parcel, and others between where tickEvery is set.
func (p *benchPipeline) run(ctx context.Context, tickEvery time.Duration, n behind) (stopwatch.Lap, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	w := stopwatch.Begin()
	go func() { done <- p.Run(ctx) }()
	err := p.drain(ctx, done, tickEvery, n)
	lap := w.Lap()
	cancel()
	if err != nil {
		return lap, err
	}
	return lap, <-done
}

func (p *benchPipeline) drain(ctx context.Context, done chan error, tickEvery time.Duration, waiting behind) error {
	adm := kadm.NewClient(p.kafka)
	var ticked time.Time
	failing := 0             // ticks in a row, as while a group's coordinator is starting
	due, last := true, false // last: the next time that nothing waits is the end
	for {
		if n, err := waiting(ctx, adm); err == nil && n == 0 && !due && p.settled() {
			if last {
				return nil
			}
			due, last = true, true
		}
		if due || tickEvery > 0 && time.Since(ticked) >= tickEvery {
			due, ticked = false, time.Now()
			if err := p.ticker.Tick(ctx); err == nil {
				failing = 0
			} else if failing++; failing == maxFailing {
				return err
			} else {
				due = true
			}
		}
		select {
		case err := <-done:
			done <- err
			return fmt.Errorf("the pipeline ended early: %w", err)
		default:
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// scans returns how many events ingest has written to the log.
func (p *benchPipeline) scans() int64 { return int64(p.value("scantrail_ingest_events_total")) }

// check compares what ClickHouse holds with what ingest has written, and returns
// the number of alerts.
func (p *benchPipeline) check(ctx context.Context) (alerts int64, err error) {
	var rows, found uint64
	if err := p.rows.QueryRow(ctx, "SELECT (SELECT count() FROM scans), (SELECT uniqExact(alert_id) FROM alerts)").Scan(&rows, &found); err != nil {
		return 0, err
	}
	if int64(rows) != p.scans() {
		return 0, fmt.Errorf("ClickHouse has %d scans, %d were written to the log", rows, p.scans())
	}
	if found == 0 {
		return 0, fmt.Errorf("no alert in %d scans: nothing was judged", rows)
	}
	return int64(found), nil
}
