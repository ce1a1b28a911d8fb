package main

import (
	"context"
	"fmt"
	"slices"

	"scantrail/schemas"
)

// span is a range of offsets, both included.
type span struct{ first, last int64 }

// lostOffsets returns the ranges that data_gaps says could not be read, by
// topic/partition, in order.
func (a *audit) lostOffsets(ctx context.Context) (map[string][]span, error) {
	lost := map[string][]span{}
	err := a.each(ctx, `SELECT concat(toString(topic), '/', toString(partition)), first_offset, last_offset FROM data_gaps FINAL
WHERE kind IN ('hole', 'retention') AND partition >= 0 ORDER BY topic, partition, first_offset, last_offset`, func(scan func(...any) error) error {
		var place string
		var s span
		err := scan(&place, &s.first, &s.last)
		lost[place] = append(lost[place], s)
		return err
	})
	return lost, err
}

// covers reports whether the spans, in order, hold all of first to last.
func covers(spans []span, first, last int64) bool { return overlap(spans, first, last) == last-first+1 }

// overlap counts the offsets of first to last that some span holds.
func overlap(spans []span, first, last int64) (n int64) {
	next := first
	for _, s := range spans {
		from, to := max(s.first, next), min(s.last, last)
		if from <= to {
			n += to - from + 1
			next = to + 1
		}
	}
	return n
}

// checkKinds lists what data_gaps says.
func (a *audit) checkKinds(ctx context.Context) error {
	return a.each(ctx, `SELECT toString(kind), toString(topic), toInt64(count()), toInt64(sum(if(partition < 0, 1, last_offset - first_offset + 1))), any(entity)
FROM data_gaps FINAL GROUP BY kind, topic ORDER BY kind, topic`, func(scan func(...any) error) error {
		var kind, topic, entity string
		var rows, n int64
		if err := scan(&kind, &topic, &rows, &n, &entity); err != nil {
			return err
		}
		a.compared(rows, "rows")
		switch kind {
		case "quarantine":
			a.note("%s of entities (such as %s) are no longer followed: too many facts under one number", plural(int(rows), "row"), harmless(entity, 60))
		case "undecodable":
			a.note("%s: %s could not be decoded", topic, plural(int(n), "record"))
		default:
			a.note("%s: %s without a record that could be read, kind %s, in %s", topic, plural(int(n), "offset"), kind, plural(int(rows), "row"))
		}
		return nil
	})
}

// checkHoles expects a row of data_gaps for everything that the ledgers step
// over.
func (a *audit) checkHoles(ctx context.Context) error {
	blocks, err := a.readBlocks(ctx)
	if err != nil {
		return err
	}
	lost, err := a.lostOffsets(ctx)
	if err != nil {
		return err
	}
	bad, err := a.undecodable(ctx)
	if err != nil {
		return err
	}
	for i := range blocks {
		b := &blocks[i]
		place := eventsPlace(b.partition)
		a.compared(b.holes+b.kinds[kindUndecodable], "offsets without an event")
		if said := overlap(lost[place], b.bucket, b.last); said < b.holes {
			a.silent(offsets(place, b.bucket, b.last), fmt.Sprintf("the sink stepped over %d offsets without a record, data_gaps has %d of them", b.holes, said), b.bucket)
		}
		if said := overlap(bad[b.partition], b.bucket, b.last); said != b.kinds[kindUndecodable] {
			a.silent(offsets(place, b.bucket, b.last), fmt.Sprintf("the sink could not decode %d records, data_gaps has %d of them", b.kinds[kindUndecodable], said), b.bucket)
		}
		if i > 0 && blocks[i-1].partition == b.partition && blocks[i-1].last+1 < b.bucket {
			a.unsaid(place, blocks[i-1].last+1, b.bucket-1, lost[place], "blocks")
		}
	}
	for k, rows := range a.ranges {
		for i := 1; i < len(rows); i++ {
			if place := k.place(rows[i].topic); rows[i-1].last+1 < rows[i].bucket {
				a.unsaid(place, rows[i-1].last+1, rows[i].bucket-1, lost[place], "ranges")
			}
		}
	}
	return nil
}

func (a *audit) silent(where, what string, bucket int64) {
	a.violated(where, what, "rows of data_gaps were deleted or changed: who reads it believes that nothing is missing", rewrite(bucket))
}

// unsaid reports a hole in a ledger of which data_gaps says nothing.
func (a *audit) unsaid(place string, first, last int64, lost []span, ledger string) {
	a.compared(last-first+1, "offsets without an event")
	if !covers(lost, first, last) {
		a.violated(offsets(place, first, last), "a hole in "+ledger+" of which data_gaps says nothing",
			"offsets are unaccounted for in silence", "mend the ledger as P1 says; what is lost for good belongs into data_gaps, with kind retention")
	}
}

func (a *audit) undecodable(ctx context.Context) (map[int32][]span, error) {
	bad := map[int32][]span{}
	err := a.each(ctx, "SELECT partition, first_offset, last_offset FROM data_gaps FINAL WHERE kind = 'undecodable' AND topic = '"+schemas.EventsTopic+"' ORDER BY partition, first_offset",
		func(scan func(...any) error) error {
			var p int32
			var s span
			err := scan(&p, &s.first, &s.last)
			bad[p] = append(bad[p], s)
			return err
		})
	return bad, err
}

// checkQuarantine expects each quarantined entity in data_gaps.
func (a *audit) checkQuarantine(ctx context.Context) error {
	said := map[string]bool{}
	err := a.each(ctx, "SELECT entity FROM data_gaps FINAL WHERE kind = 'quarantine'", func(scan func(...any) error) error {
		var entity string
		err := scan(&entity)
		said[entity] = true
		return err
	})
	if err != nil {
		return err
	}
	var rows []string
	err = a.each(ctx, fmt.Sprintf(`SELECT tracking_number FROM parcels FINAL WHERE facts > %d GROUP BY tracking_number
UNION ALL SELECT concat('order ', order_id, ' of ', shop_id) FROM orders FINAL WHERE facts > %d`, schemas.MaxFacts, schemas.MaxFacts), func(scan func(...any) error) error {
		var entity string
		err := scan(&entity)
		rows = append(rows, entity)
		return err
	})
	if err != nil {
		return err
	}
	a.compared(int64(len(rows)), "quarantined")
	slices.Sort(rows)
	for _, entity := range rows {
		if !said[entity] {
			a.violated(entity, "its row says that it is quarantined, data_gaps has no row of it",
				"the row of data_gaps was deleted: who reads it believes that this trail is followed", "insert the row again: topic "+schemas.EventsTopic+", partition -1, kind quarantine, this entity")
		}
	}
	return nil
}
