package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"scantrail/bench/proc"
)

// fault is one thing that may happen, drawn by its weight.
type fault struct {
	name   string
	weight int
	kills  int
	do     func(ctx context.Context, t *tormentor) error
}

// tormentor draws faults.
type tormentor struct {
	*cluster
	random *rand.Rand
	load   *load
	passed float64 // steps of the load that outages took
}

func (c *cluster) torment(ctx context.Context, l *load, r *report) error {
	t := &tormentor{cluster: c, random: rand.New(rand.NewPCG(c.o.Seed, 7)), load: l}
	outages := t.outages(r)
	for r.Kills < c.o.Kills {
		l.reach((float64(r.Kills+1) + t.passed) / c.o.steps())
		if err := proc.Pause(ctx, t.upTo(2*c.o.Every)); err != nil {
			return err
		}
		f := t.draw()
		if len(outages) > 0 && r.Kills >= c.o.Kills/(len(outages)+1) {
			f, outages = outages[0], outages[1:]
		}
		if err := f.do(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if err := c.failure(); err != nil {
			return err
		}
		r.Faults[f.name]++
		before := r.Kills
		if r.Kills += f.kills; r.Kills/25 != before/25 {
			fmt.Fprintf(c.o.Out, "%s  %d kills, %d records sent\n", time.Now().Format("15:04:05"), r.Kills, l.sent.Load())
		}
	}
	return nil
}

// outages are the long faults that were asked for, each once.
func (t *tormentor) outages(r *report) (all []fault) {
	if t.o.Away > 0 {
		all = append(all, fault{"ClickHouse away for " + t.o.Away.String(), 0, 4, func(ctx context.Context, t *tormentor) error { return t.clickHouseAway(ctx, r) }})
	}
	if t.o.DiskFull > 0 {
		all = append(all, fault{"disk of ClickHouse full for " + t.o.DiskFull.String(), 0, 4, func(ctx context.Context, t *tormentor) error { return t.diskFull(ctx, r) }})
	}
	return all
}

func (t *tormentor) draw() fault {
	all := []fault{
		{"kill of a service", 45, 1, func(_ context.Context, t *tormentor) error { return t.killService() }},
		{"kill of two services", 8, 2, func(_ context.Context, t *tormentor) error {
			if err := t.killService(); err != nil {
				return err
			}
			return t.killService()
		}},
		{"kill of ClickHouse", 12, 1, func(_ context.Context, t *tormentor) error {
			return t.clickhouse.again(syscall.SIGKILL)
		}},
		{"kill of a broker", 6 * t.o.Brokers, 1, func(ctx context.Context, t *tormentor) error {
			return t.kafka.Restart(ctx, t.random.IntN(t.o.Brokers))
		}},
		{"broker away", 4 * (t.o.Brokers - 1), 1, func(ctx context.Context, t *tormentor) error {
			i := t.random.IntN(t.o.Brokers)
			t.kafka.Kill(i)
			if err := proc.Pause(ctx, t.pauseTime()); err != nil {
				return err
			}
			return t.kafka.Restart(ctx, i)
		}},
		{"stop of a service", 10, 0, func(ctx context.Context, t *tormentor) error {
			s := t.service()
			s.signal(syscall.SIGSTOP)
			defer s.signal(syscall.SIGCONT)
			return proc.Pause(ctx, t.pauseTime())
		}},
		{"stop of a broker", 3, 0, func(ctx context.Context, t *tormentor) error {
			i := t.random.IntN(t.o.Brokers)
			if err := t.kafka.Signal(i, syscall.SIGSTOP); err != nil {
				return err
			}
			defer t.kafka.Signal(i, syscall.SIGCONT) //nolint:errcheck // the next fault would tell
			return proc.Pause(ctx, t.pauseTime())
		}},
		{"cut to ClickHouse", 8, 0, func(ctx context.Context, t *tormentor) error {
			t.proxy.Cut()
			defer t.proxy.Mend()
			return proc.Pause(ctx, t.pauseTime())
		}},
		{"SIGTERM during a rebalance", 8, 1, func(_ context.Context, t *tormentor) error {
			i, n := t.random.IntN(len(t.services)), len(t.services)
			if err := t.services[i].again(syscall.SIGKILL); err != nil { // its coming back makes the rebalance
				return err
			}
			// Another one: what has just been started has nothing to end yet.
			return t.services[(i+1+t.random.IntN(n-1))%n].again(syscall.SIGTERM)
		}},
	}
	total := 0
	for _, f := range all {
		total += f.weight
	}
	n := t.random.IntN(total)
	for _, f := range all {
		if n -= f.weight; n < 0 {
			return f
		}
	}
	panic("unreachable")
}

func (t *tormentor) service() *process { return t.services[t.random.IntN(len(t.services))] }

func (t *tormentor) killService() error {
	return t.service().again(syscall.SIGKILL)
}

func (t *tormentor) upTo(d time.Duration) time.Duration {
	return time.Duration(t.random.Int64N(int64(d) + 1))
}

func (t *tormentor) pauseTime() time.Duration { return t.o.Pause/4 + t.upTo(t.o.Pause*3/4) }
