package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
	"scantrail/bench/world"
)

// load sends a world to Kafka for as long as the faults last: a few records at
// a time, and the rest at the end.
type load struct {
	world  *world.World
	truth  *world.Truth
	client *kgo.Client
	probes *probes
	from   time.Time

	share  atomic.Uint64 // of the world's time that may be sent, a float64
	sent   atomic.Int64
	failed atomic.Pointer[error]
	hurry  chan struct{} // closed: the faults are over
	done   chan error
	probed chan error
}

// steps is how many steps of o.Every the faults of a run take, about: one each
// kill, and what ClickHouse is away besides.
func (o options) steps() float64 {
	return float64(o.Kills) + float64(o.Away+o.DiskFull)/float64(o.Every)
}

// startLoad creates the topics, waits until ingest knows them (what a topic
// holds before that is history, and pages nobody), and begins to send.
func startLoad(ctx context.Context, c *cluster, o options) (*load, error) {
	to := time.Now().UTC().Truncate(time.Second)
	// A scan with a wrong zone is what it says to everybody but the world.
	w := world.New(world.Config{Seed: o.Seed, Parcels: o.Parcels, To: to, WrongZone: -1})
	l := &load{world: w, truth: w.Truth(), from: w.Config().From, hurry: make(chan struct{}), done: make(chan error, 1), probed: make(chan error, 1)}
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
	if err := proc.Pause(ctx, 12*time.Second); err != nil { // ingest looks for new topics every 10 s
		return nil, err
	}
	if l.probes, err = startProbes(ctx, c.kafka.Addrs()); err != nil {
		l.client.Close()
		return nil, err
	}
	go func() { l.done <- l.send(ctx, o) }()
	go func() { l.probed <- l.probes.send(ctx, l) }()
	return l, nil
}

// reach has the world sent up to a share of its time: as far as the faults are.
func (l *load) reach(share float64) { l.share.Store(math.Float64bits(min(share, 1))) }

// reached is the share that reach has set.
func (l *load) reached() float64 { return math.Float64frombits(l.share.Load()) }

// send follows the faults, a little every few milliseconds, so that none of them
// meets an idle cluster.
func (l *load) send(ctx context.Context, o options) error {
	const step = 20 * time.Millisecond
	whole := l.truth.At.Sub(l.from)
	once := time.Duration(float64(whole) * float64(step) / (o.steps() * float64(o.Every)))
	tick := time.NewTicker(step)
	defer tick.Stop()
	for at := l.from; at.Before(l.truth.At); {
		select {
		case <-tick.C:
			far := l.from.Add(time.Duration(float64(whole) * l.reached()))
			if at = at.Add(once); at.After(far) {
				at = far
			}
		case <-l.hurry:
			at = l.truth.At
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := l.emit(ctx, at); err != nil {
			return err
		}
	}
	return l.client.Flush(ctx)
}

func (l *load) emit(ctx context.Context, until time.Time) error {
	err := l.world.Emit(until, func(r world.Record) error {
		record := &kgo.Record{Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)}
		l.produce(ctx, record)
		return nil
	})
	if failed := l.failed.Load(); err == nil && failed != nil {
		err = fmt.Errorf("the world's producer: %w", *failed)
	}
	return err
}

func (l *load) produce(ctx context.Context, r *kgo.Record) {
	l.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			l.failed.CompareAndSwap(nil, &err)
			return
		}
		l.sent.Add(1)
	})
}

// finish sends the rest at once.
func (l *load) finish(ctx context.Context) error {
	close(l.hurry)
	if err := <-l.probed; err != nil {
		return err
	}
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
