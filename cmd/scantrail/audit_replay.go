package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/detector"
	"scantrail/detector/shell"
	"scantrail/schemas"
)

// replayChecks are those of P3: one for each partition that is to be judged once
// more.
func (a *audit) replayChecks() []namedCheck {
	var all []namedCheck
	for _, p := range a.state.log {
		wanted := a.o.ReplayAll
		for _, id := range a.o.Replay {
			wanted = wanted || id == p.id
		}
		if wanted {
			all = append(all, namedCheck{"P3", "replay of " + eventsPlace(p.id), func(ctx context.Context) error { return a.checkReplay(ctx, p) }})
		}
	}
	if len(all) > 0 {
		return all
	}
	return []namedCheck{{"P3", "replay", func(context.Context) error {
		if len(a.o.Replay) > 0 {
			return fmt.Errorf("--replay %d: %s has %d partitions, from 0 on", a.o.Replay[0], schemas.EventsTopic, len(a.state.log))
		}
		a.current.Skipped = true
		a.note("not asked: --replay PARTITION or --replay all judges the log once more and compares every row")
		return nil
	}}}
}

// replay is one partition of the log, judged once more.
type replay struct {
	*audit
	p       logPartition
	from    int64 // first offset that is replayed
	end     int64 // the first that is not
	machine *detector.Machine
	out     detector.Output
	record  schemas.Record
	scans   *scanComparison
	alerts  *comparison[schemas.Alert]
	records int64
}

func (a *audit) checkReplay(ctx context.Context, p logPartition) error {
	r := &replay{audit: a, p: p, end: min(p.detector, p.end), machine: detector.NewMachine(p.id, a.o.Generation)}
	if r.end == 0 {
		a.note("the detector has committed nothing there")
		return nil
	}
	if p.start > 0 {
		var err error
		if r.machine, r.from, err = a.oldestSnapshot(ctx, p); err != nil {
			return fmt.Errorf("the log begins at offset %d, its retention has passed what lay before: %w", p.start, err)
		}
		a.note("the log begins at offset %d: replayed from the snapshot at %d; what has not changed since is not compared", p.start, r.from)
	}
	r.scans = &scanComparison{audit: a, p: p, from: r.from, block: blockOf(r.from), columns: scanColumns()}
	r.alerts = newAlertComparison(a, r)
	if err := r.alerts.load(ctx); err != nil {
		return err
	}
	if err := a.readOffsets(ctx, schemas.EventsTopic, p.id, r.from, r.end, func(k *kgo.Record) error { return r.apply(ctx, k) }); err != nil {
		return err
	}
	a.compared(r.records, "records")
	a.clocks[p.id] = r.machine.Clock()
	if err := r.scans.flush(ctx); err != nil {
		return err
	}
	if err := r.alerts.finish(ctx); err != nil {
		return err
	}
	return r.compareRows(ctx)
}

// apply does what the detector's shell does with a record.
func (r *replay) apply(ctx context.Context, k *kgo.Record) error {
	r.records++
	if r.records%1_000_000 == 0 {
		r.say("P3 replay of %s: offset %s of %s", eventsPlace(r.p.id), figure(k.Offset), figure(r.end))
	}
	if err := r.record.Decode(k.Value); err != nil {
		return nil // in data_gaps; the detector steps over it too
	}
	if err := r.scans.add(ctx, k.Offset, &r.record); err != nil {
		return err
	}
	if shell.Refused(k, &r.record) {
		return nil
	}
	r.out.Reset()
	if err := r.machine.Apply(k.Offset, &r.record, &r.out); err != nil {
		return fmt.Errorf("%s offset %d: %w", eventsPlace(r.p.id), k.Offset, err)
	}
	for i := range r.out.Alerts {
		if err := r.alerts.expect(ctx, &r.out.Alerts[i]); err != nil {
			return err
		}
	}
	return nil
}

// replayBatch bounds the rows that are taken from the machine at a time.
const replayBatch = 10_000

// compareRows compares the state that the replay ends with: one row for each
// parcel and order.
func (r *replay) compareRows(ctx context.Context) error {
	parcels := newParcelComparison(r.audit, r)
	if err := parcels.load(ctx); err != nil {
		return err
	}
	r.machine.MarkArchivesWritten(r.machine.DirtyArchives(1<<62, nil)) // or those that have left come again for ever
	for rows := r.machine.DirtyParcels(replayBatch, nil); len(rows) > 0; rows = r.machine.DirtyParcels(replayBatch, rows[:0]) {
		for i := range rows {
			if err := parcels.expect(ctx, &rows[i]); err != nil {
				return err
			}
		}
		r.machine.MarkParcelsWritten(rows)
	}
	if err := parcels.finish(ctx); err != nil {
		return err
	}
	orders := newOrderComparison(r.audit, r)
	if err := orders.load(ctx); err != nil {
		return err
	}
	for rows := r.machine.DirtyOrders(replayBatch, nil); len(rows) > 0; rows = r.machine.DirtyOrders(replayBatch, rows[:0]) {
		for i := range rows {
			if err := orders.expect(ctx, &rows[i]); err != nil {
				return err
			}
		}
		r.machine.MarkOrdersWritten(rows)
	}
	if err := orders.finish(ctx); err != nil {
		return err
	}
	r.note("%s transitions, %s rows of parcels and %s of orders were compared, and %s events with scans", figure(r.alerts.n), figure(parcels.n), figure(orders.n), figure(r.scans.n))
	return nil
}

// scanComparison compares the events of the log with the rows of scans, a block
// of offsets at a time.
type scanComparison struct {
	*audit
	p       logPartition
	columns []rowColumn[schemas.Event]
	from    int64 // the replay begins there
	block   int64
	want    map[int64]string
	n       int64
}

func (c *scanComparison) add(ctx context.Context, offset int64, r *schemas.Record) error {
	if offset >= c.block+schemas.RangeSpan {
		if err := c.flush(ctx); err != nil {
			return err
		}
		c.block = blockOf(offset)
	}
	if r.Kind == schemas.KindEvent && !r.Forwarded && offset < c.p.sink {
		if c.want == nil {
			c.want = map[int64]string{}
		}
		c.want[offset] = textOf(c.columns, &r.Event)
		c.n++
	}
	return nil
}

func (c *scanComparison) flush(ctx context.Context) error {
	query := fmt.Sprintf("SELECT offset, %s FROM scans FINAL WHERE partition = %d AND offset >= %d AND offset < %d",
		sqlOf(c.columns), c.p.id, max(c.block, c.from), min(c.block+schemas.RangeSpan, c.p.sink, c.p.detector))
	err := c.each(ctx, query, func(scan func(...any) error) error {
		var offset int64
		var got string
		if err := scan(&offset, &got); err != nil {
			return err
		}
		if want, ok := c.want[offset]; !ok {
			c.differs(offset, "the log has no event there, scans has a row")
		} else if want != got {
			c.differs(offset, fieldDiff(c.columns, want, got))
		}
		delete(c.want, offset)
		return nil
	})
	for offset := range c.want {
		c.differs(offset, "scans has no row of it")
	}
	clear(c.want)
	return err
}

func (c *scanComparison) differs(offset int64, what string) {
	c.violated(fmt.Sprintf("scans with partition %d, offset %d", c.p.id, offset), what,
		"the row is not what the log says: it was inserted, deleted or altered in ClickHouse",
		"delete the row, then "+rewrite(blockOf(offset)))
}
