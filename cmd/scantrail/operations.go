package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/cmd/scantrail/console"
	"scantrail/ingest/deadletters"
)

// auditPatience is how long an audit from the console waits for what is under way.
const auditPatience = 30 * time.Second

// operations is what the console lets an operator do with this pipeline.
func (p *pipeline) operations() console.Operations {
	return console.Operations{
		ReadLetter: p.readLetter, Replay: p.replayLetters, Audit: p.auditFor,
		Metrics: p.registry, Generation: p.o.Generation,
	}
}

// replayLetters is scantrail replay dead-letters for the console.
func (p *pipeline) replayLetters(ctx context.Context, r console.ReplayRequest) (console.ReplayResult, error) {
	o := deadletters.Options{Kafka: p.o.Kafka, Registry: p.o.Carriers, Limits: p.o.Limits, Carrier: r.Carrier, Orders: r.Orders, Reason: r.Reason,
		Since: time.UnixMilli(0), Progress: r.Progress}
	if !r.Send {
		groups, err := deadletters.Find(ctx, o, func(*deadletters.Record) error { return nil })
		return console.ReplayResult{Groups: groups}, err
	}
	client, err := kgo.NewClient(append(p.o.Kafka[:len(p.o.Kafka):len(p.o.Kafka)], bulkOptions(cmp.Or(p.o.Limits.Bytes, 1<<20))...)...)
	if err != nil {
		return console.ReplayResult{}, err
	}
	defer client.Close()
	groups, sent, err := deadletters.Send(ctx, o, client, r.Live)
	return console.ReplayResult{Groups: groups, Sent: sent}, err
}

// shownFacts bounds what a sample shows of a record.
const shownFacts = 20

// readLetter reads one record with the mappings of this process.
func (p *pipeline) readLetter(topic, carrier string, raw []byte) console.Reading {
	read := deadletters.NewReader(p.o.Carriers, p.o.Limits, p.o.Now()).Read(topic, carrier, nil, raw)
	out := console.Reading{Links: read.Links, Rejected: read.Rejected}
	for i := range read.Events[:min(len(read.Events), shownFacts)] {
		e := &read.Events[i]
		out.Facts = append(out.Facts, console.ReadFact{Number: strings.Clone(e.TrackingNumber), Milestone: e.Milestone.String(), At: time.UnixMilli(e.OccurredAt), Rule: strings.Clone(e.Rule)})
	}
	if o := read.Order; o != nil {
		out.Facts = append(out.Facts, console.ReadFact{Number: strings.Clone(o.OrderID), Milestone: o.Kind.String(), At: time.UnixMilli(o.At)})
	}
	return out
}

// auditFor is scantrail audit for the console, without --replay.
func (p *pipeline) auditFor(ctx context.Context, progress func(string)) (*console.Audit, error) {
	o := auditOptions{Kafka: p.o.Kafka, ClickHouse: p.o.ClickHouse, Generation: p.o.Generation, Patience: auditPatience,
		Progress: lineWriter(progress), Log: p.o.Log.With("component", "audit"), Now: p.o.Now}
	o.leaveOutDeleted(KeepDaysConfig{Scans: p.o.Lifecycle.ScanDays, AlertTransitions: p.o.Lifecycle.TransitionDays})
	a, err := newAudit(o)
	if err != nil {
		return nil, err
	}
	defer a.close()
	report, err := a.run(ctx)
	if err != nil {
		return nil, err
	}
	return consoleAudit(report), nil
}

func consoleAudit(r *auditReport) *console.Audit {
	out := &console.Audit{Started: r.Started, Took: seconds(r.Seconds), Holds: r.Holds, Violated: r.Violated, Failed: r.Failed, Notes: r.Notes}
	for _, c := range r.Checks {
		left, notes := 0, slices.Clone(c.Notes)
		for _, why := range slices.Sorted(maps.Keys(c.LeftOut)) {
			left += c.LeftOut[why]
			notes = append(notes, fmt.Sprintf("%s: %s", figure(int64(c.LeftOut[why])), why))
		}
		out.Checks = append(out.Checks, console.AuditCheck{Guarantee: c.Guarantee, Name: c.Check, Compared: c.Compared, Unit: c.Unit, LeftOut: left,
			Notes: notes, Violations: c.Violations, Error: c.Error, Skipped: c.Skipped, Took: seconds(c.Seconds)})
	}
	for _, v := range r.Violations {
		out.Violations = append(out.Violations, console.AuditViolation(v))
	}
	return out
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// lineWriter hands over each line that is written, without its end.
type lineWriter func(string)

func (w lineWriter) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		w(strings.TrimSpace(line))
	}
	return len(b), nil
}
