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

	"scantrail/schemas"
)

func (k sourceKey) compare(o sourceKey) int {
	return cmp.Or(strings.Compare(k.id, o.id), cmp.Compare(k.partition, o.partition))
}

func (k sourceKey) place(topic string) string { return fmt.Sprintf("%s/%d", topic, k.partition) }

func offsets(place string, first, last int64) string {
	return fmt.Sprintf("%s offsets %d to %d", place, first, last)
}

// checkRangeChain walks through the ledger of ingest: from the first offset to
// the commit, without a hole, with as many records as the topic has.
func (a *audit) checkRangeChain(ctx context.Context) error {
	lost, err := a.lostOffsets(ctx)
	if err != nil {
		return err
	}
	current := map[sourceKey]source{}
	for _, s := range a.state.sources {
		current[s.sourceKey] = s
		a.checkRangeEnds(s)
	}
	for _, k := range slices.SortedFunc(maps.Keys(a.ranges), sourceKey.compare) {
		s, exists := current[k]
		for i, r := range a.ranges[k] {
			a.compared(r.records, "raw records")
			if i > 0 {
				a.checkRangeLink(k, &a.ranges[k][i-1], &r, lost)
			}
			if err := a.checkRangeRow(ctx, k, &r, s, exists); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *audit) checkRangeEnds(s source) {
	rows, place := a.ranges[s.sourceKey], s.place(s.topic)
	if s.committed > s.end {
		a.violated(offsets(place, s.end, s.committed-1), "the group "+schemas.IngestGroup+" has committed offsets that the topic does not have",
			"the broker has lost records that were acknowledged, or the topic was cut", "look for unclean leader elections; reset the group's offset to the end of the topic, or the next records are never read")
	}
	if s.committed <= 0 || s.committed <= s.start && len(rows) == 0 {
		return
	}
	first, last := blockOf(s.start), s.start-1
	if len(rows) > 0 {
		first, last = rows[0].bucket, rows[len(rows)-1].last
	}
	if first > s.start {
		a.violated(offsets(place, s.start, first-1), "ingest has committed them, and no row of ranges accounts for them",
			"rows of ranges were deleted, or the group's offset was set past them and they were never read", "compare scans for these source offsets; set the offset of "+schemas.IngestGroup+" back to read them again, which doubles nothing")
	}
	if last < s.committed-1 {
		a.violated(offsets(place, max(last+1, s.start), s.committed-1), "ingest has committed them, and ranges ends before them",
			"the last row of ranges was deleted, or ingest stopped before it told its account",
			"where ingest is stopped, start it: it tells its account again; else set the offset of "+schemas.IngestGroup+" back to "+fmt.Sprint(blockOf(max(last, 0))))
	}
}

func blockOf(offset int64) int64 { return offset - offset%schemas.RangeSpan }

// checkRangeLink expects a row to begin where the one before it ends.
func (a *audit) checkRangeLink(k sourceKey, before, r *rangeRow, lost map[string][]span) {
	first, last := before.last+1, r.bucket-1
	if first > last {
		return
	}
	if covers(lost[k.place(r.topic)], first, last) {
		a.note("%s are known to be lost: they stand in data_gaps", offsets(k.place(r.topic), first, last))
		return
	}
	a.violated(offsets(k.place(r.topic), first, last), "no row of ranges accounts for them, though there are rows before and after",
		"rows of ranges were deleted, or raw records were stepped over and never read",
		"while Kafka has them, set the offset of "+schemas.IngestGroup+fmt.Sprintf(" back to %d: reading again doubles nothing", first))
}

// maxCounted bounds how many rows of ranges are compared with the topic itself.
const maxCounted = 16

func (a *audit) checkRangeRow(ctx context.Context, k sourceKey, r *rangeRow, s source, exists bool) error {
	place := offsets(k.place(r.topic), r.bucket, r.last)
	length := r.last - r.bucket + 1
	if length > schemas.RangeSpan || r.records > length || r.records < 0 || r.empty > r.records {
		a.violated(place, fmt.Sprintf("a row of ranges says %d records, of which %d empty, in %d offsets", r.records, r.empty, length),
			"the row is no account of ingest: it was written or changed by somebody else", "delete the row and set the offset of "+schemas.IngestGroup+" back to its start")
		return nil
	}
	if r.records == length {
		return nil
	}
	missing := int(length - r.records)
	if !exists || s.start > r.bucket || len(a.current.Notes) >= maxCounted {
		a.leftOut(missing, "offsets without a record, in a part of the topic that Kafka no longer has")
		return nil
	}
	have := int64(0)
	if err := a.readOffsets(ctx, r.topic, k.partition, r.bucket, r.last+1, func(*kgo.Record) error { have++; return nil }); err != nil {
		return err
	}
	if have != r.records {
		a.violated(place, fmt.Sprintf("ranges accounts for %d records, the topic has %d", r.records, have),
			"ingest has not read some of them, or has read what was deleted since",
			fmt.Sprintf("set the offset of %s back to %d: reading again doubles nothing", schemas.IngestGroup, r.bucket))
		return nil
	}
	a.note("%s: %d offsets hold no record in the topic itself", place, missing)
	return nil
}

// window bounds what is compared of each source: from what --since leaves, up to
// the last offset of ranges.
func (a *audit) windows(ctx context.Context) (from map[sourceKey]int64, sql string, err error) {
	from = map[sourceKey]int64{}
	if !a.o.Since.IsZero() {
		for k := range a.ranges {
			from[k] = 1 << 62
		}
		query := fmt.Sprintf(`SELECT toString(source_topic_id), source_partition, min(source_offset) FROM
(SELECT source_topic_id, source_partition, source_offset, received_at FROM scans UNION ALL SELECT source_topic_id, source_partition, source_offset, received_at FROM order_facts)
WHERE received_at >= %s GROUP BY 1, 2`, sqlTime(a.o.Since))
		err = a.each(ctx, query, func(scan func(...any) error) error {
			var k sourceKey
			var first int64
			err := scan(&k.id, &k.partition, &first)
			from[k] = blockOf(first + schemas.RangeSpan - 1)
			return err
		})
	}
	var b strings.Builder
	for _, k := range slices.SortedFunc(maps.Keys(a.ranges), sourceKey.compare) {
		rows := a.ranges[k]
		fmt.Fprintf(&b, ",('%s',%d,%d,%d)", k.id, k.partition, from[k], rows[len(rows)-1].last+1)
	}
	sql = "SELECT toUUID(t.1) AS id, toInt32(t.2) AS part, toInt64(t.3) AS low, toInt64(t.4) AS high FROM (SELECT arrayJoin([('00000000-0000-0000-0000-000000000000',-1,0,0)" + b.String() + "]) AS t)"
	return from, sql, err
}

func sqlTime(t time.Time) string {
	return fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", t.UnixMilli())
}

// since is a condition on received_at, generous by a day: offsets decide.
func (a *audit) since() string {
	if a.o.Since.IsZero() {
		return "1"
	}
	return "received_at >= " + sqlTime(a.o.Since.Add(-24*time.Hour))
}

// sourceCounts is what ClickHouse has of one bucket of a source.
type sourceCounts struct{ identities, rows int64 }

type bucketKey struct {
	sourceKey
	bucket int64
}

// checkSources compares the events that ingest made of each source with the
// identities that stand in scans and order_facts, one partition of the log after
// the other, which bounds the memory.
func (a *audit) checkSources(ctx context.Context) error {
	from, limits, err := a.windows(ctx)
	if err != nil {
		return err
	}
	have, strangers := map[bucketKey]sourceCounts{}, map[sourceKey]int64{}
	for _, p := range a.state.log {
		query := fmt.Sprintf(`WITH limits AS (%s)
SELECT toString(s.id), s.part, intDiv(s.off, %d) * %d AS bucket, toInt64(countIf(s.off < high)), toInt64(sumIf(n, s.off < high)), toInt64(sumIf(n, high = 0))
FROM (
    SELECT source_topic_id AS id, source_partition AS part, source_offset AS off, event_index AS i, count() AS n
    FROM scans FINAL WHERE partition = %d AND %s GROUP BY id, part, off, i
    UNION ALL
    SELECT source_topic_id, source_partition, source_offset, toUInt32(0), count()
    FROM order_facts FINAL WHERE partition = %d AND %s GROUP BY 1, 2, 3
) AS s LEFT JOIN limits ON limits.id = s.id AND limits.part = s.part
WHERE s.off >= low GROUP BY 1, 2, 3`, limits, schemas.RangeSpan, schemas.RangeSpan, p.id, a.since(), p.id, a.since())
		err := a.each(ctx, query, func(scan func(...any) error) error {
			var k bucketKey
			var c sourceCounts
			var strange int64
			err := scan(&k.id, &k.partition, &k.bucket, &c.identities, &c.rows, &strange)
			was := have[k]
			have[k] = sourceCounts{was.identities + c.identities, was.rows + c.rows}
			strangers[k.sourceKey] += strange
			return err
		})
		if err != nil {
			return err
		}
		a.say("P1 ranges and scans: partition %d of %d", p.id+1, len(a.state.log))
	}
	a.compareSources(have, from)
	a.nameStrangers(strangers)
	return nil
}

func (a *audit) compareSources(have map[bucketKey]sourceCounts, from map[sourceKey]int64) {
	again := int64(0)
	for _, k := range slices.SortedFunc(maps.Keys(a.ranges), sourceKey.compare) {
		for _, r := range a.ranges[k] {
			if r.bucket < from[k] {
				a.leftOut(int(r.events), "events before --since")
				continue
			}
			a.compared(r.events, "events")
			got := have[bucketKey{k, r.bucket}]
			again += got.rows - got.identities
			a.compareSource(offsets(k.place(r.topic), r.bucket, r.last), &r, got.identities)
		}
	}
	if again > 0 {
		a.note("%s rows of scans are from records that were read again after a crash or a reset: the same identities, counted once", figure(again))
	}
}

func (a *audit) compareSource(place string, r *rangeRow, got int64) {
	table := "scans"
	if r.topic == schemas.OrdersTopic {
		table = "order_facts"
	}
	behind := a.state.behind[schemas.EventsTopic]
	switch missing := r.events - got; {
	case missing > 0 && missing <= behind:
		a.leftOut(int(missing), "events that the sink, which is behind, has not written yet")
	case missing > 0:
		a.violated(place, fmt.Sprintf("ingest made %d events of them, %s has %d: %d are missing", r.events, table, got, missing),
			"rows were deleted or never written: trails, alerts by SQL and scores lack them",
			"look at blocks for the partition that lacks rows; set the offset of "+schemas.SinkGroup+" on "+schemas.EventsTopic+" back to its start to write them again")
	case missing < 0 && -missing > r.dead:
		a.violated(place, fmt.Sprintf("ingest made %d events of them, %s has %d: %d too many", r.events, table, got, -missing),
			"rows were inserted by somebody else than the sink, or another mapping read these records",
			"find them by source_topic, source_partition, source_offset and event_index; only the user of the sink should be granted INSERT")
	case missing < 0:
		a.note("%s: %d events came from dead letters that were replayed", place, -missing)
	}
}

// nameStrangers reports rows whose source is neither in ranges nor in Kafka.
func (a *audit) nameStrangers(rows map[sourceKey]int64) {
	known := map[sourceKey]bool{}
	for _, s := range a.state.sources {
		known[s.sourceKey] = true
	}
	for _, k := range slices.SortedFunc(maps.Keys(rows), sourceKey.compare) {
		if rows[k] > 0 && !known[k] {
			a.violated(fmt.Sprintf("scans with source_topic_id %s, source_partition %d", k.id, k.partition), fmt.Sprintf("%d rows name a source of which ranges has no account", rows[k]),
				"rows were inserted by somebody else than the sink, or all rows of ranges for this topic were deleted", "find out who may insert into scans; restore ranges from a backup if its rows are gone")
		}
	}
}
