package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"scantrail/schemas"
)

// blockRow is a row of blocks.
type blockRow struct {
	partition    int32
	bucket, last int64
	records      int64
	kinds        []int64 // as in blockKinds
	holes        int64
}

// blockKinds are the columns of blocks that add up to records, and the table
// that has a row for each by (partition, offset), where there is one.
func blockKinds() []struct{ column, table string } {
	return []struct{ column, table string }{
		{"scans", "scans"}, {"orders", "order_facts"}, {"voids", "voids"}, {"controls", "policies"}, {"feeds", "feed_minutes"},
		{"aliases", ""}, {"ticks", ""}, {"ranges", ""}, {"handovers", ""}, {"rebuilds", ""}, {"forwarded", ""}, {"unknown", ""}, {"undecodable", ""},
	}
}

const kindUndecodable = 12 // its place in blockKinds

// readBlocks reads the ledger of the sink: a row for each 65,536 records.
func (a *audit) readBlocks(ctx context.Context) ([]blockRow, error) {
	kinds := blockKinds()
	columns := make([]string, len(kinds))
	for i, k := range kinds {
		columns[i] = "toInt64(" + k.column + ")"
	}
	var all []blockRow
	err := a.each(ctx, "SELECT partition, bucket, toInt64(last_offset), toInt64(records), ["+strings.Join(columns, ", ")+"], toInt64(holes) FROM blocks FINAL ORDER BY partition, bucket",
		func(scan func(...any) error) error {
			var b blockRow
			err := scan(&b.partition, &b.bucket, &b.last, &b.records, &b.kinds, &b.holes)
			all = append(all, b)
			return err
		})
	return all, err
}

func eventsPlace(partition int32) string { return fmt.Sprintf("%s/%d", schemas.EventsTopic, partition) }

// rewrite is how rows of the log are written again.
func rewrite(offset int64) string {
	return fmt.Sprintf("while the log has them, set the offset of %s on %s back to %d: writing again doubles nothing", schemas.SinkGroup, schemas.EventsTopic, offset)
}

// checkBlockChain walks through the ledger of the sink, from the start of the
// log to the commit.
func (a *audit) checkBlockChain(ctx context.Context) error {
	rows, err := a.readBlocks(ctx)
	if err != nil {
		return err
	}
	lost, err := a.lostOffsets(ctx)
	if err != nil {
		return err
	}
	for _, p := range a.state.log {
		own := slices.DeleteFunc(slices.Clone(rows), func(b blockRow) bool { return b.partition != p.id })
		a.checkBlockEnds(p, own)
		for i := range own {
			b := &own[i]
			a.compared(b.records, "records")
			a.checkBlock(b)
			if i == 0 || own[i-1].last+1 >= b.bucket {
				continue
			}
			first, last := own[i-1].last+1, b.bucket-1
			if covers(lost[eventsPlace(p.id)], first, last) {
				a.note("%s are known to be lost: they stand in data_gaps", offsets(eventsPlace(p.id), first, last))
				continue
			}
			a.violated(offsets(eventsPlace(p.id), first, last), "no row of blocks accounts for them, though there are rows before and after",
				"rows of blocks were deleted, or the sink stepped over records", rewrite(blockOf(first)))
		}
	}
	return nil
}

func (a *audit) checkBlockEnds(p logPartition, own []blockRow) {
	place := eventsPlace(p.id)
	if p.sink > p.end {
		a.violated(offsets(place, p.end, p.sink-1), "the sink has committed offsets that the log does not have",
			"the broker has lost acknowledged records, or the topic was re-created", "look for unclean leader elections; a log that began anew needs a new generation")
	}
	if p.sink <= p.start && len(own) == 0 {
		return
	}
	first, last := p.sink, p.start-1
	if len(own) > 0 {
		first, last = own[0].bucket, own[len(own)-1].last
	}
	if first > p.start {
		a.violated(offsets(place, p.start, first-1), "no row of blocks accounts for them, though the log has them",
			"the first rows of blocks were deleted, or the sink's offset was set past them", rewrite(p.start))
	}
	if len(own) > 0 && last < p.sink-1 {
		a.violated(offsets(place, last+1, p.sink-1), "the sink has committed them, and blocks ends before them",
			"rows that were acknowledged are gone: the last row of blocks was deleted, or ClickHouse lost what it had not synced", rewrite(blockOf(last+1)))
	}
}

// checkBlock expects one row to add up.
func (a *audit) checkBlock(b *blockRow) {
	sum := int64(0)
	for _, n := range b.kinds {
		sum += n
	}
	var what string
	switch length := b.last - b.bucket + 1; {
	case length > schemas.RangeSpan || length < 1:
		what = fmt.Sprintf("a row of blocks spans %d offsets, want 1 to %d", length, schemas.RangeSpan)
	case b.records+b.holes != length:
		what = fmt.Sprintf("%d records and %d holes do not make %d offsets", b.records, b.holes, length)
	case sum != b.records:
		what = fmt.Sprintf("the kinds add up to %d, records says %d", sum, b.records)
	default:
		return
	}
	a.violated(offsets(eventsPlace(b.partition), b.bucket, b.last), what, "the row is no account of the sink: it was written or changed by somebody else",
		"delete the row, then "+rewrite(b.bucket))
}

// checkBlockRows compares each block with the rows that the tables have for its
// offsets.
func (a *audit) checkBlockRows(ctx context.Context) error {
	rows, err := a.readBlocks(ctx) // what it accounts for was written before it
	if err != nil {
		return err
	}
	low, err := a.logSince(ctx)
	if err != nil {
		return err
	}
	for i, kind := range blockKinds() {
		if kind.table == "" {
			continue
		}
		have, err := a.countRows(ctx, kind.table, rows, low)
		if err != nil {
			return err
		}
		for _, b := range rows {
			if b.bucket < low[b.partition] {
				a.leftOut(int(b.kinds[i]), "rows before --since")
				continue
			}
			a.compared(b.kinds[i], "rows")
			a.compareBlock(&b, kind.table, b.kinds[i], have[[2]int64{int64(b.partition), b.bucket}])
		}
	}
	return a.checkBeyond(ctx)
}

func (a *audit) compareBlock(b *blockRow, table string, want, got int64) {
	place := offsets(eventsPlace(b.partition), b.bucket, b.last)
	switch {
	case got < want:
		a.violated(place, fmt.Sprintf("the sink wrote %d rows into %s, it has %d: %d are missing", want, table, got, want-got),
			"rows were deleted, or ClickHouse lost what it had acknowledged", rewrite(b.bucket))
	case got > want:
		a.violated(place, fmt.Sprintf("the sink wrote %d rows into %s, it has %d: %d too many", want, table, got, got-want),
			"rows were inserted by somebody else than the sink: totals over this table are wrong",
			fmt.Sprintf("delete from %s what has partition %d and offsets %d to %d, then %s", table, b.partition, b.bucket, b.last, rewrite(b.bucket)))
	}
}

// countRows counts the rows of a table in each block.
func (a *audit) countRows(ctx context.Context, table string, blocks []blockRow, low map[int32]int64) (map[[2]int64]int64, error) {
	ends := map[int32]int64{}
	for _, b := range blocks {
		ends[b.partition] = b.last + 1
	}
	var ids, from, to []string
	for p, end := range ends {
		ids, from, to = append(ids, fmt.Sprint(p)), append(from, fmt.Sprintf("toInt64(%d)", low[p])), append(to, fmt.Sprintf("toInt64(%d)", end))
	}
	have := map[[2]int64]int64{}
	if len(ids) == 0 {
		return have, nil
	}
	bound := func(list []string) string {
		return fmt.Sprintf("transform(toInt64(partition), [%s], [%s], toInt64(0))", strings.Join(ids, ","), strings.Join(list, ","))
	}
	where := "1"
	if table == "scans" {
		where = a.since()
	}
	err := a.each(ctx, fmt.Sprintf("SELECT toInt64(partition) AS p, intDiv(offset, %d) * %d AS bucket, toInt64(count()) FROM %s FINAL WHERE offset >= %s AND offset < %s AND %s GROUP BY p, bucket",
		schemas.RangeSpan, schemas.RangeSpan, table, bound(from), bound(to), where), func(scan func(...any) error) error {
		var k [2]int64
		var n int64
		err := scan(&k[0], &k[1], &n)
		have[k] = n
		return err
	})
	return have, err
}

// logSince returns where --since begins in each partition of the log, at the
// start of a block.
func (a *audit) logSince(ctx context.Context) (map[int32]int64, error) {
	low := map[int32]int64{}
	if a.o.Since.IsZero() {
		return low, nil
	}
	for _, p := range a.state.log {
		low[p.id] = blockOf(p.end + schemas.RangeSpan)
	}
	err := a.each(ctx, fmt.Sprintf("SELECT partition, min(offset) FROM scans WHERE received_at >= %s GROUP BY partition", sqlTime(a.o.Since)), func(scan func(...any) error) error {
		var p int32
		var first int64
		err := scan(&p, &first)
		low[p] = blockOf(first + schemas.RangeSpan - 1)
		return err
	})
	return low, err
}

// checkBeyond finds rows with offsets that the log never had.
func (a *audit) checkBeyond(ctx context.Context) error {
	highest := map[string]map[int32]int64{}
	for _, kind := range blockKinds() {
		if kind.table == "" {
			continue
		}
		at := map[int32]int64{}
		highest[kind.table] = at
		err := a.each(ctx, "SELECT partition, max(offset) FROM "+kind.table+" GROUP BY partition", func(scan func(...any) error) error {
			var p int32
			var offset int64
			err := scan(&p, &offset)
			at[p] = offset
			return err
		})
		if err != nil {
			return err
		}
	}
	ends, err := a.admin.ListEndOffsets(ctx, schemas.EventsTopic)
	if err != nil {
		return fmt.Errorf("from Kafka: %w", err)
	}
	for _, kind := range blockKinds() {
		for p, offset := range highest[kind.table] {
			if end, ok := ends.Lookup(schemas.EventsTopic, p); !ok || offset >= end.Offset {
				a.violated(fmt.Sprintf("%s with partition %d, offset %d", kind.table, p, offset), fmt.Sprintf("the row names an offset that the log does not have: partition %d ends at %d", p, end.Offset),
					"it was inserted by somebody else than the sink, or the log was re-created under old tables", "delete the row; a log that began anew needs new tables")
			}
		}
	}
	return nil
}
