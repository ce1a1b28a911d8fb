package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"scantrail/bench/proc"
	"scantrail/schemas"
)

// outage is what a time was like in which ClickHouse took no rows.
type outage struct {
	What                string
	Lasted              time.Duration
	Said                string // by /readyz of a service
	Alerts              delays // whose deadlines fell into it
	Before, Most, After int    // resident MiB of the largest service: before, during, while the rows follow
	Attempts            int    // inserts that failed, of all services, since their last start
	Committed           int64  // records, by the sink
	Waiting             int64  // records that the sink had not written at the end of it
	CaughtUp            time.Duration
}

func (o *outage) String() string {
	return fmt.Sprintf(`%s for %s, which /readyz said as: %s
    alerts meanwhile: %s
    largest service: %d MiB before, at most %d during, %d while rows followed; %d inserts failed
    %d records waited for the sink; all rows had followed after %s`,
		o.What, o.Lasted.Round(time.Second), o.Said, o.Alerts, o.Before, o.Most, o.After, o.Attempts, o.Waiting, o.CaughtUp.Round(100*time.Millisecond))
}

// Bounds of an outage.
const (
	// alertBound is far above the time that the others need to notice a killed
	// service and restore what it owned, on a machine that does other work too.
	alertBound = 30 * time.Second
	// memoryBound is what a service may take on top, in MiB: the sink's buffer of rows,
	// what its client has fetched beyond, and rows of parcels that wait. While these
	// follow, buffers are full, there is a block of 100,000 rows on its way, and
	// garbage as much again.
	memoryBound, followBound = 384, 1024
	// attemptsPerMinute is how often a service may try in vain: whoever writes waits
	// for some seconds between two attempts.
	attemptsPerMinute = 40
)

// holds says what was not as it must be.
func (o *outage) holds(services int) error {
	var errs []error
	if o.Alerts.deadlines == 0 || o.Alerts.missing > 0 || o.Alerts.most > alertBound {
		errs = append(errs, fmt.Errorf("alerts did not go on: %s; want all within %s", o.Alerts, alertBound))
	}
	if o.Most > o.Before+memoryBound {
		errs = append(errs, fmt.Errorf("a service grew from %d to %d MiB, want at most %d more", o.Before, o.Most, memoryBound))
	}
	if o.After > o.Before+followBound {
		errs = append(errs, fmt.Errorf("a service grew from %d to %d MiB while the rows followed, want at most %d more", o.Before, o.After, followBound))
	}
	if limit := float64(services) * attemptsPerMinute * (o.Lasted.Minutes() + 1); float64(o.Attempts) > limit {
		errs = append(errs, fmt.Errorf("%d inserts failed within %s, want at most %.0f", o.Attempts, o.Lasted, limit))
	}
	return errors.Join(errs...)
}

// endure lives through an outage under load, with services killed and
// told to end in the middle, and waits until all rows have followed.
func (t *tormentor) endure(ctx context.Context, r *report, o outage, lasts time.Duration, begin, during, end func() error, says string) error {
	if err := t.caughtUp(ctx); err != nil {
		return fmt.Errorf("before the outage: %w", err)
	}
	from := time.Now()
	o.Before = t.memory.most(from.Add(-20*time.Second), from)
	if err := begin(); err != nil {
		return err
	}
	if err := proc.Pause(ctx, 3*time.Second); err != nil { // what was on its way arrives
		return err
	}
	committed, err := t.sinkCommits(ctx)
	if err != nil {
		return err
	}
	for kills := 0; time.Since(from) < lasts; {
		passed := time.Since(from).Seconds() / t.o.Every.Seconds()
		t.load.reach((float64(r.Kills) + t.passed + passed) / t.o.steps())
		if err := errors.Join(proc.Pause(ctx, time.Second), during(), t.failure()); err != nil {
			return err
		}
		if kills < 4 && time.Since(from) > lasts*time.Duration(kills+1)/5 {
			kills++
			how := syscall.SIGKILL
			if kills == 2 {
				how = syscall.SIGTERM
			}
			if err := t.service().again(how); err != nil {
				return err
			}
		}
	}
	to := time.Now()
	t.passed += lasts.Seconds() / t.o.Every.Seconds()
	o.Lasted, o.Most = to.Sub(from), t.memory.most(from, to)
	if o.Said, err = t.saysOf(ctx, says); err != nil {
		return err
	}
	o.Attempts = int(t.sum(ctx, "scantrail_sink_insert_failures_total") + t.sum(ctx, "scantrail_detector_insert_failures_total"))
	now, err := t.sinkCommits(ctx)
	if err != nil {
		return err
	}
	o.Committed = now - committed
	if o.Waiting, _, err = lag(ctx, kadm.NewClient(t.load.client), schemas.SinkGroup, []string{schemas.EventsTopic}); err != nil {
		return err
	}
	// The last deadlines may still be on their way.
	if err := proc.Pause(ctx, 5*time.Second); err != nil {
		return err
	}
	o.Alerts = t.load.probes.between(from, to)
	back := time.Now()
	if err := end(); err != nil {
		return err
	}
	if err := t.caughtUp(ctx); err != nil {
		return fmt.Errorf("after the outage: %w", err)
	}
	o.CaughtUp, o.After = time.Since(back), t.memory.most(back, time.Now())
	r.Outages = append(r.Outages, o)
	return o.holds(len(t.services))
}

// caughtUp waits until ClickHouse has everything, but for what the probes send.
func (t *tormentor) caughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	for {
		behind, _, err := t.load.behind(ctx, kadm.NewClient(t.load.client))
		rows := t.sum(ctx, "scantrail_detector_rows_pending")
		if err == nil && behind < 200 && rows >= 0 && rows < 200 {
			return t.failure()
		}
		if pauseErr := proc.Pause(ctx, 200*time.Millisecond); pauseErr != nil {
			return fmt.Errorf("%d records are behind, %.0f rows wait: %w", behind, rows, errors.Join(err, pauseErr))
		}
	}
}

// sinkCommits sums the sink's offsets of the log.
func (t *tormentor) sinkCommits(ctx context.Context) (sum int64, err error) {
	commits, err := kadm.NewClient(t.load.client).FetchOffsets(ctx, schemas.SinkGroup)
	if err != nil {
		return 0, err
	}
	commits.Each(func(o kadm.OffsetResponse) {
		if o.Topic == schemas.EventsTopic {
			sum += max(o.At, 0)
		}
	})
	return sum, nil
}

// saysOf is what a service answers to /readyz, which must name what is wrong.
func (t *tormentor) saysOf(ctx context.Context, want string) (said string, err error) {
	for _, addr := range t.admin {
		err := healthy(ctx, addr)
		if err != nil && strings.Contains(err.Error(), want) {
			return strings.TrimSpace(err.Error()), nil
		}
		said += fmt.Sprintf("\n  %v", err)
	}
	return "", fmt.Errorf("no service says %q in /readyz:%s", want, said)
}

// sum adds up a metric over all services and labels; -1 if one does not answer.
func (t *tormentor) sum(ctx context.Context, name string) (sum float64) {
	for _, addr := range t.admin {
		text, err := metricsOf(ctx, addr)
		if err != nil {
			return -1
		}
		for line := range strings.Lines(text) {
			if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == ' ' || rest[0] == '{') {
				value, _ := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
				sum += value
			}
		}
	}
	return sum
}

func metricsOf(ctx context.Context, addr string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// clickHouseAway keeps ClickHouse down for long.
func (t *tormentor) clickHouseAway(ctx context.Context, r *report) error {
	err := t.endure(ctx, r, outage{What: "ClickHouse was away"}, t.o.Away,
		func() error { t.clickhouse.end(syscall.SIGKILL); return nil },
		func() error { return nil },
		t.clickhouse.start, "ClickHouse")
	if err == nil && r.Outages[len(r.Outages)-1].Committed != 0 {
		err = fmt.Errorf("the sink committed %d records that it cannot have written", r.Outages[len(r.Outages)-1].Committed)
	}
	return err
}

// diskFull leaves ClickHouse no room, and kills it in the middle: it must start
// without any.
func (t *tormentor) diskFull(ctx context.Context, r *report) error {
	began, killed := time.Now(), false
	return t.endure(ctx, r, outage{What: "the disk of ClickHouse was full"}, t.o.DiskFull,
		t.disk.Fill,
		func() error {
			if !killed && time.Since(began) > t.o.DiskFull/2 {
				killed = true
				if err := t.clickhouse.again(syscall.SIGKILL); err != nil {
					return err
				}
			}
			return t.disk.Fill() // what it has removed itself
		},
		t.disk.Free, "the disk of ClickHouse is full: make room")
}
