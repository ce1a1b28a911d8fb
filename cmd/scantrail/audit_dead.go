package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"scantrail/schemas"
)

// checkDeadLetters compares what ingest could not read with dead_letters, as far
// back as that table keeps its rows.
func (a *audit) checkDeadLetters(ctx context.Context) error {
	from, limits, err := a.windows(ctx)
	if err != nil {
		return err
	}
	kept, err := a.keptFrom(ctx)
	if err != nil {
		return err
	}
	have := map[bucketKey]int64{}
	err = a.each(ctx, fmt.Sprintf(`WITH limits AS (%s)
SELECT toString(d.topic_id), d.partition, intDiv(d.offset, %d) * %d, toInt64(count())
FROM (SELECT topic_id, partition, offset FROM dead_letters FINAL) AS d INNER JOIN limits ON limits.id = d.topic_id AND limits.part = d.partition
WHERE d.offset >= low AND d.offset < high GROUP BY 1, 2, 3`, limits, schemas.RangeSpan, schemas.RangeSpan), func(scan func(...any) error) error {
		var k bucketKey
		var n int64
		err := scan(&k.id, &k.partition, &k.bucket, &n)
		have[k] = n
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range slices.SortedFunc(maps.Keys(a.ranges), sourceKey.compare) {
		for _, r := range a.ranges[k] {
			if r.bucket < from[k] {
				a.leftOut(int(r.dead), "dead letters before --since")
				continue
			}
			a.compareDead(k, &r, have[bucketKey{k, r.bucket}], kept)
		}
	}
	return nil
}

func (a *audit) compareDead(k sourceKey, r *rangeRow, got int64, kept map[sourceKey]int64) {
	place := offsets(k.place(r.topic), r.bucket, r.last)
	first, known := kept[k]
	switch {
	case got > r.dead:
		a.violated(place, fmt.Sprintf("ingest accounts for %d dead letters, dead_letters has %d", r.dead, got),
			"rows were inserted by somebody else than the sink", "only the user of the sink should be granted INSERT; delete what is not on "+schemas.DeadLettersTopic)
	case got < r.dead && (!known || first > r.bucket):
		a.leftOut(int(r.dead-got), "dead letters that the table's TTL may have deleted")
		a.compared(got, "dead letters")
	case got < r.dead && r.dead-got <= a.state.behind[schemas.DeadLettersTopic]:
		a.leftOut(int(r.dead-got), "dead letters that the sink, which is behind, has not written yet")
		a.compared(got, "dead letters")
	case got < r.dead:
		a.compared(r.dead, "dead letters")
		a.violated(place, fmt.Sprintf("ingest accounts for %d dead letters, dead_letters has %d: %d are missing", r.dead, got, r.dead-got),
			"what could not be read is no longer explained: nobody will replay it",
			"set the offset of "+schemas.SinkGroup+" on "+schemas.DeadLettersTopic+" back to its start to write them again, while the topic keeps them")
	default:
		a.compared(r.dead, "dead letters")
	}
}

// keptFrom returns, for each source, the first offset whose dead letter is
// younger than the table's TTL, by the broker's times.
func (a *audit) keptFrom(ctx context.Context) (map[sourceKey]int64, error) {
	days := int64(0)
	err := a.each(ctx, `SELECT max(toInt64OrZero(extract(create_table_query, 'toIntervalDay\((\d+)\)'))) FROM system.tables WHERE database = currentDatabase() AND name IN ('dead_letters', 'dead_letters_local')`,
		func(scan func(...any) error) error { return scan(&days) })
	if err != nil {
		return nil, err
	}
	kept := map[sourceKey]int64{}
	names := map[string]bool{}
	for _, s := range a.state.sources {
		names[s.topic] = true
		if days == 0 {
			kept[s.sourceKey] = 0 // no TTL
		}
	}
	if days == 0 || len(names) == 0 {
		return kept, nil
	}
	since := a.o.Now().Add(time.Hour - time.Duration(days)*24*time.Hour)
	listed, err := a.admin.ListOffsetsAfterMilli(ctx, since.UnixMilli(), slices.Collect(maps.Keys(names))...)
	if err != nil {
		return nil, fmt.Errorf("from Kafka: offsets of %s: %w", since.Format(time.DateOnly), err)
	}
	for _, s := range a.state.sources {
		if o, ok := listed.Lookup(s.topic, s.partition); ok && o.Err == nil {
			kept[s.sourceKey] = o.Offset
			if o.Offset <= s.start {
				kept[s.sourceKey] = 0
			}
		}
	}
	return kept, nil
}
