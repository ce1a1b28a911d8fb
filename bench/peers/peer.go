package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"scantrail/bench/proc"
)

// peer does the job in its way.
type peer struct {
	name     string
	does     string // in a few words
	database string // its tables; dropped before and after
	alerts   bool   // whether it finds any
	start    func(context.Context, *rig) (job, error)
}

// job is a peer at work.
type job interface {
	// state is looked at ten times a second.
	state(context.Context) (state, error)
	// found returns the alerts as they stand at the end, and the latest time that
	// they may stand for.
	found(context.Context) (map[caseKey]bool, time.Time, error)
	// process is the peer's own; nil where the engine does the work.
	process() *process
	stop()
}

type state struct {
	consumed int64 // raw records read
	rows     int64 // of scans in ClickHouse
	alerts   int64 // transitions in ClickHouse
	busy     bool  // something else is still to be written
}

// allPeers are in the order in which they run.
func allPeers() []peer {
	return []peer{
		{name: "scantrail", does: "scans, parcels, alerts", database: "scantrail", alerts: true, start: startScantrail},
		{name: "clickhouse", does: "scans only: no alerts", database: "peer", start: startClickHouse},
		{name: "streams-memory", does: "scans, alerts", database: "peer", alerts: true, start: streams("memory", true)},
		{name: "streams-rocksdb", does: "scans, alerts", database: "peer", alerts: true, start: streams("rocksdb", true)},
		{name: "streams-keyed", does: "scans, alerts; in memory, and needs raw records keyed by parcel", database: "peer", alerts: true, start: streams("memory", false)},
		{name: "flink-heap", does: "scans, alerts", database: "peer", alerts: true, start: flink("heap")},
		{name: "flink-rocksdb", does: "scans, alerts", database: "peer", alerts: true, start: flink("rocksdb")},
	}
}

// choose returns the peers that a list names: each name also stands for those
// that begin with it and a hyphen.
func choose(list string) ([]peer, error) {
	var chosen []peer
	var names []string
	for _, p := range allPeers() {
		names = append(names, p.name)
	}
	for _, want := range strings.Split(list, ",") {
		before := len(chosen)
		for _, p := range allPeers() {
			if p.name == want || strings.HasPrefix(p.name, want+"-") {
				chosen = append(chosen, p)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("-peers: %q is no peer: want some of %s, or streams and flink for all of theirs", want, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

const (
	// warmUp is the share of the input that is not measured: start, joining the
	// group, and what the JVM compiles first.
	warmUp = 0.1
	// quiet is how long nothing may change before a peer is taken to be done.
	quiet = 4 * time.Second
	// patience with a peer that does not get on.
	patience = 90 * time.Second
)

// run has one peer do the job, and judges its alerts.
func (r *rig) run(ctx context.Context, p peer) (res result, err error) {
	if err := r.clear(ctx, p.database); err != nil {
		return res, err
	}
	r.o.say("%s: starting", p.name)
	forgetPeak(r.kafka.Pid(0))
	forgetPeak(r.server.cmd.Process.Pid)
	j, err := p.start(ctx, r)
	if err != nil {
		return res, fmt.Errorf("%s: %w", p.name, err)
	}
	stopped := false
	defer func() {
		if !stopped {
			j.stop()
		}
	}()
	if res, err = r.measure(ctx, p, j); err != nil {
		return res, fmt.Errorf("%s: %w", p.name, err)
	}
	if p.alerts {
		alerts, until, err := j.found(ctx)
		if err != nil {
			return res, fmt.Errorf("%s: %w", p.name, err)
		}
		res.Judgement = r.input.judge(alerts, until)
	}
	j.stop()
	stopped = true
	r.o.say("%s: %s", p.name, res.line())
	return res, r.clear(ctx, p.database)
}

// measure waits until the peer has written everything. Time counts from the
// moment when a tenth of the input is consumed to the last row or transition.
func (r *rig) measure(ctx context.Context, p peer, j job) (result, error) {
	res := result{Peer: p.name, Does: p.does}
	var last state
	var began, said time.Time
	changed, moved := time.Now(), time.Now() // busy counts as a change, not as getting on
	var first, end sample
	for {
		s, err := j.state(ctx)
		if err != nil {
			return res, err
		}
		now := time.Now()
		if began.IsZero() && float64(s.consumed) >= warmUp*float64(r.input.scans) {
			began, first, res.Scans = now, r.sample(j), r.input.scans-s.consumed
		}
		if s != last {
			moved = now
		}
		if s != last || s.busy {
			last, changed, end = s, now, r.sample(j)
		}
		if now.Sub(moved) > patience {
			return res, fmt.Errorf("no progress for %s: %+v", patience, s)
		}
		if now.Sub(said) > 5*time.Second {
			said = now
			r.o.say("%s: %d of %d records read, %d rows, %d transitions", p.name, s.consumed, r.input.scans, s.rows, s.alerts)
		}
		if !began.IsZero() && s.rows >= r.input.scans && !s.busy && now.Sub(changed) > quiet {
			break
		}
		if err := r.failure(j); err != nil {
			return res, err
		}
		if err := proc.Pause(ctx, 100*time.Millisecond); err != nil {
			return res, err
		}
	}
	res.Rows, res.Transitions, res.Seconds = last.rows, last.alerts, changed.Sub(began).Seconds()
	res.use(first, end)
	return res, nil
}

func (r *rig) failure(j job) error {
	if err := r.server.failure(); err != nil {
		return err
	}
	if p := j.process(); p != nil {
		return p.failure()
	}
	return nil
}

// sample is what all processes have used so far.
type sample struct{ peer, broker, engine usage }

func (r *rig) sample(j job) sample {
	var s sample
	if p := j.process(); p != nil {
		s.peer = p.usage()
	}
	s.broker, _ = usageOf(r.kafka.Pid(0))
	s.engine = r.server.usage()
	return s
}

// stopProcess ends a peer the way an operator does, and not so if it does not.
func stopProcess(p *process) {
	p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it has ended already
	select {
	case <-p.ended:
	case <-time.After(15 * time.Second):
		p.end(syscall.SIGKILL)
	}
}
