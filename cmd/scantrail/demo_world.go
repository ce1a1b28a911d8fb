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
)

const (
	// worldStep is how far the world's clock moves at a time: one tick. A
	// partition's clock follows at most 10 minutes a tick.
	worldStep = 10 * time.Minute
	// maxWorldLag is how far the detector may fall behind the world before the
	// world waits. Without a limit, a slow machine would see hours of lag as the
	// only lag there is.
	maxWorldLag = 12 * time.Hour
	// demoMargin is what starting, settling and reporting take of --for.
	demoMargin = 12 * time.Second
)

// worldClock is the clock of the demo: set by the world's steps, and by the
// wall once the world has arrived at the present.
type worldClock struct {
	ms   atomic.Int64
	wall atomic.Bool
}

func newWorldClock(at time.Time) *worldClock {
	c := &worldClock{}
	c.ms.Store(at.UnixMilli())
	return c
}

func (c *worldClock) now() time.Time {
	if c.wall.Load() {
		return time.Now()
	}
	return time.UnixMilli(c.ms.Load())
}

func (c *worldClock) set(t time.Time) { c.ms.Store(t.UnixMilli()) }
func (c *worldClock) live()           { c.wall.Store(true) }

// ensureRawTopics creates the carriers' topics.
func ensureRawTopics(ctx context.Context, client *kgo.Client, topics []string) error {
	adm := kadm.NewClient(client)
	for _, t := range topics {
		if _, err := adm.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": ptr("-1")}, t); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating topic %s: %w", t, err)
		}
	}
	return nil
}

// drive lets the world live from its beginning to the present: in each step it
// sends what happens, moves the clock and ticks.
func (d *demo) drive(ctx context.Context) error {
	producer, err := kgo.NewClient(append(d.kafka[:len(d.kafka):len(d.kafka)],
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000))...)
	if err != nil {
		return err
	}
	defer producer.Close()
	sender := &worldSender{world: d.world, producer: producer}
	began, perStep := time.Now(), d.realTimePerStep()
	for n, at := 1, d.from; at.Before(d.to); n++ {
		if at = at.Add(worldStep); at.After(d.to) {
			at = d.to
		}
		d.clock.set(at) // first: a record must not be received before it was sent
		if err := sender.until(ctx, at); err != nil {
			return err
		}
		d.sent = sender.acked.Load()
		if err := d.pipeline.ticker.Tick(ctx); err != nil {
			return err
		}
		if err := d.keepPace(ctx, began.Add(time.Duration(n)*perStep), at); err != nil {
			return err
		}
	}
	return nil
}

// realTimePerStep is how long one step takes when nothing is late.
func (d *demo) realTimePerStep() time.Duration {
	steps := int64(d.to.Sub(d.from) / worldStep)
	switch {
	case d.flags.speed > 0:
		return time.Duration(float64(worldStep) / d.flags.speed)
	case d.flags.duration > 0:
		left := d.flags.duration - time.Since(d.started) - demoMargin
		return max(left, 5*time.Second) / time.Duration(steps)
	}
	return time.Minute / time.Duration(steps)
}

// keepPace waits for the step's turn, and for a detector that is too far behind.
func (d *demo) keepPace(ctx context.Context, due, at time.Time) error {
	wait := time.Until(due)
	for {
		if wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
		if behind := at.Sub(d.detectorClock()); behind < maxWorldLag {
			return ctx.Err()
		}
		// Ticks go on, so that the detector's clock can follow.
		if err := d.pipeline.ticker.Tick(ctx); err != nil {
			return err
		}
		wait = 5 * time.Millisecond
	}
}

func pause(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// detectorClock is the clock of the partition that is furthest behind; the
// world's beginning before the first tick.
func (d *demo) detectorClock() time.Time {
	at := time.Unix(int64(gauge(d.pipeline.detect.Clock)), 0)
	if at.Before(d.from) {
		return d.from
	}
	return at
}

// settle ticks until every partition's clock has reached the present and all that
// was forwarded has come, then waits until everything that was found stands in
// ClickHouse.
func (d *demo) settle(ctx context.Context) error {
	adm := kadm.NewClient(d.pipeline.kafka)
	for d.detectorClock().Before(d.to) || gauge(d.pipeline.detect.Forwarded) < float64(d.to.Unix()) {
		if err := d.pipeline.ticker.Tick(ctx); err != nil {
			return err
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	for {
		behind, err := lag(ctx, adm)
		if err != nil {
			return err
		}
		if behind == 0 && d.pipeline.settled() {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
