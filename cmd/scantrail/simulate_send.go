package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
)

// worldSender produces the records of a simulated world.
type worldSender struct {
	world    *world.World
	producer *kgo.Client
	headers  []kgo.RecordHeader
	rate     float64 // records a second; 0: as fast as Kafka takes them
	began    time.Time
	sent     int64 // records handed to the client
	topics   map[string]int64
	acked    atomic.Int64
	failed   atomic.Pointer[error]
}

// until produces all records of the world up to a time and waits until Kafka has
// them.
func (s *worldSender) until(ctx context.Context, at time.Time) error {
	if s.topics == nil {
		s.topics, s.began = map[string]int64{}, time.Now()
	}
	err := s.world.Emit(at, func(r world.Record) error {
		if err := s.pace(ctx); err != nil {
			return err
		}
		s.sent++
		s.topics[r.Topic]++
		s.producer.Produce(context.WithoutCancel(ctx), &kgo.Record{
			Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...), Headers: s.headers,
		}, s.acknowledged)
		return nil
	})
	if err == nil {
		err = s.producer.Flush(ctx)
	}
	if err == nil {
		err = s.refused()
	}
	return err
}

func (s *worldSender) refused() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// flush waits for what was produced, also when ctx has ended.
func (s *worldSender) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return s.producer.Flush(ctx)
}

func (s *worldSender) acknowledged(_ *kgo.Record, err error) {
	if err != nil {
		s.failed.CompareAndSwap(nil, &err)
		return
	}
	s.acked.Add(1)
}

// pace waits while the sender is ahead of its rate by some milliseconds.
func (s *worldSender) pace(ctx context.Context) error {
	if s.sent%64 != 0 {
		return nil
	}
	if wait := ahead(s.sent, s.rate, time.Since(s.began)); wait > 2*time.Millisecond {
		return pause(ctx, wait)
	}
	return ctx.Err()
}

// ahead returns by how much n records are early at a rate; 0 without one.
func ahead(n int64, rate float64, elapsed time.Duration) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(n)/rate*float64(time.Second)) - elapsed
}
