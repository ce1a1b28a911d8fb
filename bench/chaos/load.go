package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
)

// load sends a world to Kafka for as long as the faults last: a few records at
// a time, and the rest at the end.
type load struct {
	world  *world.World
	truth  *world.Truth
	client *kgo.Client
	from   time.Time

	sent   atomic.Int64
	failed atomic.Pointer[error]
	hurry  chan struct{} // closed: the faults are over
	done   chan error
}

// startLoad creates the topics, waits until ingest knows them (what a topic
// holds before that is history, and pages nobody), and begins to send.
func startLoad(ctx context.Context, c *cluster, o options) (*load, error) {
	to := time.Now().UTC().Truncate(time.Second)
	// A scan with a wrong zone is what it says to everybody but the world.
	w := world.New(world.Config{Seed: o.Seed, Parcels: o.Parcels, To: to, WrongZone: -1})
	l := &load{world: w, truth: w.Truth(), from: w.Config().From, hurry: make(chan struct{}), done: make(chan error, 1)}
	var err error
	if l.client, err = kgo.NewClient(kgo.SeedBrokers(c.kafka.Addrs()...), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.MetadataMinAge(100*time.Millisecond)); err != nil {
		return nil, err
	}
	adm := kadm.NewClient(l.client)
	for _, topic := range w.Topics() {
		if _, err := adm.CreateTopic(ctx, 3, int16(o.Brokers), nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			l.client.Close()
			return nil, fmt.Errorf("creating topic %s: %w", topic, err)
		}
	}
	if err := pause(ctx, 12*time.Second); err != nil { // ingest looks for new topics every 10 s
		return nil, err
	}
	go func() { l.done <- l.send(ctx, o) }()
	return l, nil
}

// send spreads the world over the time that the faults will take.
func (l *load) send(ctx context.Context, o options) error {
	const step = 20 * time.Millisecond
	whole := l.truth.At.Sub(l.from)
	steps := int64(o.Every) * int64(o.Kills) / int64(step)
	hurry := l.hurry
	for n := int64(1); n <= steps; n++ {
		at := l.from.Add(time.Duration(float64(whole) * float64(n) / float64(steps)))
		if err := l.emit(ctx, at); err != nil {
			return err
		}
		wait := time.NewTimer(step)
		select {
		case <-wait.C:
		case <-hurry:
			wait.Stop()
			n, hurry = max(n, steps-1), nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := l.emit(ctx, l.truth.At); err != nil {
		return err
	}
	return l.client.Flush(ctx)
}

func (l *load) emit(ctx context.Context, until time.Time) error {
	err := l.world.Emit(until, func(r world.Record) error {
		record := &kgo.Record{Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)}
		l.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				l.failed.CompareAndSwap(nil, &err)
				return
			}
			l.sent.Add(1)
		})
		return nil
	})
	if failed := l.failed.Load(); err == nil && failed != nil {
		err = fmt.Errorf("the world's producer: %w", *failed)
	}
	return err
}

// finish sends the rest at once.
func (l *load) finish(ctx context.Context) error {
	close(l.hurry)
	select {
	case err := <-l.done:
		if failed := l.failed.Load(); err == nil && failed != nil {
			err = *failed
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *load) close() { l.client.Close() }
