package shell

import (
	"context"
	"log/slog"
	"time"

	"scantrail/schemas"
)

// maxRows bounds one write, and with it the memory that rows take: what does
// not fit stays dirty in its machine.
const maxRows = 50_000

// RowWriter writes the current rows of parcels and orders. It returns nil only
// when ClickHouse has acknowledged them.
type RowWriter interface {
	InsertParcels(ctx context.Context, rows []schemas.ParcelRow) error
	InsertOrders(ctx context.Context, rows []schemas.OrderRow) error
	InsertArchive(ctx context.Context, rows []schemas.ArchiveRow) error
	// Archived returns what InsertArchive has written of these entities.
	Archived(ctx context.Context, ids []schemas.ID) ([]schemas.ArchiveRow, error)
	// InsertGap notes offsets of parcel.events that were never applied.
	InsertGap(ctx context.Context, partition int32, first, last int64, detail string) error
}

// rowWriter writes dirty rows to ClickHouse in a goroutine of its own. At most
// one write is under way; its rows are marked written only after ClickHouse has
// acknowledged them, and only if they have not changed meanwhile.
type rowWriter struct {
	rows    RowWriter
	there   func() error // as Config.Tables
	metrics *Metrics
	todo    chan *rowBatch
	done    chan *rowBatch
	idle    *rowBatch // nil while a write is under way
}

// rowTables are the tables that are written here.
func rowTables() []string { return []string{"parcels", "orders", "archive"} }

// rowBatch is one write: each partition's rows, in memory that is used again.
type rowBatch struct {
	parts   []*partition
	parcels []schemas.ParcelRow
	orders  []schemas.OrderRow
	archive []schemas.ArchiveRow
	ends    []rowEnds // of each part in parcels, orders and archive
	err     error
}

type rowEnds struct{ parcels, orders, archive int }

func newRowWriter(cfg Config) *rowWriter {
	return &rowWriter{rows: cfg.Rows, there: cfg.Tables, metrics: cfg.Metrics, todo: make(chan *rowBatch, 1), done: make(chan *rowBatch, 1), idle: &rowBatch{}}
}

// run writes batches until ctx ends. A failed batch is not kept: its rows are
// still dirty and are collected again, as they stand then.
func (w *rowWriter) run(ctx context.Context, log *slog.Logger) {
	backoff, failing := time.Duration(0), false
	for {
		var b *rowBatch
		select {
		case <-ctx.Done():
			return
		case b = <-w.todo:
		}
		b.err = w.write(ctx, b)
		if b.err != nil && !failing && ctx.Err() == nil {
			log.Warn("ClickHouse does not take rows of parcels; detection and alerting go on, the rows follow", "err", b.err)
		}
		if b.err == nil && failing {
			log.Info("ClickHouse takes rows of parcels again")
		}
		failing = b.err != nil
		if failing {
			backoff = min(max(2*backoff, 250*time.Millisecond), 15*time.Second)
			wait(ctx, backoff)
		} else {
			backoff = 0
		}
		w.done <- b
	}
}

func (w *rowWriter) write(ctx context.Context, b *rowBatch) error {
	if err := w.there(); err != nil {
		return err
	}
	for i, insert := range [...]struct {
		rows int
		into func() error
	}{
		{len(b.parcels), func() error { return w.rows.InsertParcels(ctx, b.parcels) }},
		{len(b.orders), func() error { return w.rows.InsertOrders(ctx, b.orders) }},
		{len(b.archive), func() error { return w.rows.InsertArchive(ctx, b.archive) }},
	} {
		if insert.rows == 0 {
			continue
		}
		started := time.Now()
		err := insert.into()
		w.metrics.inserted(rowTables()[i], insert.rows, time.Since(started), err)
		if err != nil {
			return err
		}
	}
	return nil
}

// collect passes dirty rows on to be written. It returns how many ClickHouse does
// not have, about: a parcel of several lives has more than one.
func (s *Shell) collect() int {
	owned := s.owned()
	n := s.writer.collect(owned)
	if n == 0 {
		return 0
	}
	dirty := 0
	for _, p := range owned {
		dirty += p.machine.Dirty()
	}
	return max(n, dirty)
}

// collect takes back a finished write and starts the next one, if any rows are
// dirty. It never blocks. It returns how many rows are being written.
func (w *rowWriter) collect(parts []*partition) int {
	select {
	case b := <-w.done:
		w.settle(b)
	default:
	}
	if w.idle == nil {
		return 1 // of a write that is under way
	}
	b := w.idle
	b.parts, b.ends, b.parcels, b.orders, b.archive = b.parts[:0], b.ends[:0], b.parcels[:0], b.orders[:0], b.archive[:0]
	for _, p := range parts {
		b.parcels = p.machine.DirtyParcels(maxRows-len(b.parcels), b.parcels)
		b.orders = p.machine.DirtyOrders(maxRows-len(b.orders), b.orders)
		b.archive = p.machine.DirtyArchives(maxRows-len(b.archive), b.archive)
		b.parts = append(b.parts, p)
		b.ends = append(b.ends, rowEnds{len(b.parcels), len(b.orders), len(b.archive)})
	}
	n := len(b.parcels) + len(b.orders) + len(b.archive)
	if n > 0 {
		w.idle = nil
		w.todo <- b
	}
	return n
}

// settle marks the rows of a successful write.
func (w *rowWriter) settle(b *rowBatch) {
	w.idle = b
	if b.err != nil {
		return
	}
	var from rowEnds
	for i, p := range b.parts {
		to := b.ends[i]
		p.machine.MarkParcelsWritten(b.parcels[from.parcels:to.parcels])
		p.machine.MarkOrdersWritten(b.orders[from.orders:to.orders])
		p.machine.MarkArchivesWritten(b.archive[from.archive:to.archive])
		from = to
	}
}

// drain writes until nothing is dirty, a write fails or ctx ends.
func (w *rowWriter) drain(ctx context.Context, parts []*partition) {
	for {
		w.collect(parts)
		if w.idle != nil {
			return // nothing dirty
		}
		select {
		case <-ctx.Done():
			return
		case b := <-w.done:
			w.settle(b)
			if b.err != nil {
				return
			}
		}
	}
}

// wait waits for d or the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
