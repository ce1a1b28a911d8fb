package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// sourceKey names a partition of a raw topic: the id survives the topic's
// deletion and re-creation.
type sourceKey struct {
	id        string
	partition int32
}

// source is a partition of a raw topic or of the orders.
type source struct {
	sourceKey
	topic      string
	start, end int64
	committed  int64 // by ingest; -1: never
}

// logPartition is one of parcel.events.
type logPartition struct {
	id         int32
	start, end int64
	sink       int64 // committed; 0: never
	detector   int64
}

// clusterState is what Kafka says. Commits were read before everything that is
// compared with them, so that what they cover must be in ClickHouse.
type clusterState struct {
	sources []source
	log     []logPartition
	behind  map[string]int64 // topic -> records that the sink has not committed
}

// settle reads Kafka's side, and waits until what it covers had time to arrive:
// the accounts of ingest in ranges, and everything that lay in the log then.
func (a *audit) settle(ctx context.Context) error {
	deadline := time.Now().Add(a.o.Patience)
	if err := a.readSources(ctx); err != nil {
		return err
	}
	for said := false; ; said = true {
		if err := a.readRanges(ctx); err != nil {
			return err
		}
		untold := a.untold()
		if untold == 0 || !time.Now().Before(deadline) {
			return a.awaitSink(ctx, time.Now().Add(a.o.Patience))
		}
		if !said {
			a.say("waiting up to %s: of %s the last records are not told in ranges yet", a.o.Patience, plural(untold, "source partition"))
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// awaitSink waits until the sink has what lay in the log when ranges was read:
// the events behind those accounts are all before it.
func (a *audit) awaitSink(ctx context.Context, deadline time.Time) error {
	ends, err := a.admin.ListEndOffsets(ctx, sinkTopics()...)
	if err != nil {
		return fmt.Errorf("from Kafka: %w", err)
	}
	for {
		if err := a.readLog(ctx); err != nil {
			return err
		}
		behind, err := a.sinkLag(ctx, ends)
		if err != nil {
			return err
		}
		a.state.behind = behind
		total := int64(0)
		for _, n := range behind {
			total += n
		}
		if total == 0 {
			return nil
		}
		if !time.Now().Before(deadline) {
			a.report.Notes = append(a.report.Notes, fmt.Sprintf("the sink is %s records behind after %s (does it run?): what they hold is no part of this audit", figure(total), a.o.Patience))
			return nil
		}
		if err := pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

func sinkTopics() []string {
	return []string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic}
}

func (a *audit) sinkLag(ctx context.Context, ends kadm.ListedOffsets) (map[string]int64, error) {
	commits, err := a.commits(ctx, schemas.SinkGroup)
	if err != nil {
		return nil, err
	}
	behind := map[string]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		behind[end.Topic] += max(end.Offset-max(committedAt(commits, end.Topic, end.Partition), 0), 0)
	})
	return behind, nil
}

func (a *audit) commits(ctx context.Context, group string) (kadm.OffsetResponses, error) {
	commits, err := a.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("from Kafka: commits of group %s: %w", group, err)
	}
	return commits, nil
}

// committedAt returns -1 where there is no commit.
func committedAt(commits kadm.OffsetResponses, topic string, partition int32) int64 {
	if c, ok := commits.Lookup(topic, partition); ok && c.Err == nil {
		return c.At
	}
	return -1
}

// readSources reads the raw topics and what ingest has committed of them.
func (a *audit) readSources(ctx context.Context) error {
	commits, err := a.commits(ctx, schemas.IngestGroup)
	if err != nil {
		return err
	}
	topics, err := a.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("from Kafka: %w", err)
	}
	var names []string
	for _, t := range topics.Sorted() {
		if t.Topic == schemas.OrdersTopic || strings.HasPrefix(t.Topic, schemas.RawTopicPrefix) {
			names = append(names, t.Topic)
		}
	}
	if len(names) == 0 {
		return nil
	}
	starts, err := a.admin.ListStartOffsets(ctx, names...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("from Kafka: start of the raw topics: %w", err)
	}
	ends, err := a.admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return fmt.Errorf("from Kafka: end of the raw topics: %w", err)
	}
	for _, name := range names {
		id := schemas.ID(topics[name].ID).String()
		for _, p := range topics[name].Partitions.Sorted() {
			start, _ := starts.Lookup(name, p.Partition)
			end, _ := ends.Lookup(name, p.Partition)
			a.state.sources = append(a.state.sources, source{sourceKey: sourceKey{id, p.Partition}, topic: name,
				start: start.Offset, end: end.Offset, committed: committedAt(commits, name, p.Partition)})
		}
	}
	return nil
}

// readLog reads the commits on parcel.events, then its ends.
func (a *audit) readLog(ctx context.Context) error {
	detector, err := a.commits(ctx, schemas.DetectorGroup)
	if err != nil {
		return err
	}
	sink, err := a.commits(ctx, schemas.SinkGroup)
	if err != nil {
		return err
	}
	starts, err := a.admin.ListStartOffsets(ctx, schemas.EventsTopic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("from Kafka: %s: %w; the service creates it at its first start", schemas.EventsTopic, err)
	}
	ends, err := a.admin.ListEndOffsets(ctx, sinkTopics()...)
	if err != nil {
		return fmt.Errorf("from Kafka: %w", err)
	}
	if a.state.behind, err = a.sinkLag(ctx, ends); err != nil {
		return err
	}
	a.state.log = nil
	for p := range int32(len(starts[schemas.EventsTopic])) {
		start, ok := starts.Lookup(schemas.EventsTopic, p)
		end, _ := ends.Lookup(schemas.EventsTopic, p)
		if !ok {
			return fmt.Errorf("from Kafka: %s: partition %d is missing", schemas.EventsTopic, p)
		}
		a.state.log = append(a.state.log, logPartition{id: p, start: start.Offset, end: end.Offset,
			sink: max(committedAt(sink, schemas.EventsTopic, p), 0), detector: max(committedAt(detector, schemas.EventsTopic, p), 0)})
	}
	return nil
}

// rangeRow is a row of ranges.
type rangeRow struct {
	topic                        string
	bucket, last                 int64
	records, events, dead, empty int64
}

// readRanges reads the ledger of ingest: a row for each 65,536 raw records.
func (a *audit) readRanges(ctx context.Context) error {
	a.ranges = map[sourceKey][]rangeRow{}
	return a.each(ctx, `SELECT toString(topic_id), partition, toString(topic), bucket, toInt64(last_offset), records, events, dead_letters, empty
FROM ranges FINAL ORDER BY topic_id, partition, bucket`, func(scan func(...any) error) error {
		var k sourceKey
		var r rangeRow
		err := scan(&k.id, &k.partition, &r.topic, &r.bucket, &r.last, &r.records, &r.events, &r.dead, &r.empty)
		a.ranges[k] = append(a.ranges[k], r)
		return err
	})
}

// untold counts the source partitions whose account in ranges ends before the
// commit of ingest.
func (a *audit) untold() int {
	n := 0
	for _, s := range a.state.sources {
		if rows := a.ranges[s.sourceKey]; s.committed > 0 && s.committed > s.start && (len(rows) == 0 || rows[len(rows)-1].last < s.committed-1) {
			n++
		}
	}
	return n
}

// readOffsets calls fn with the records of one partition from one offset up to,
// and without, another.
func (a *audit) readOffsets(ctx context.Context, topic string, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	client, err := kgo.NewClient(append(a.o.Kafka[:len(a.o.Kafka):len(a.o.Kafka)],
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer client.Close()
	for next := from; next < to; {
		polling, cancel := context.WithTimeout(ctx, ledgerPatience)
		fetches := client.PollFetches(polling)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s/%d at offset %d of %d: %w", topic, partition, next, to, err)
		}
		for _, r := range fetches.Records() {
			if next = r.Offset + 1; r.Offset >= to {
				return nil
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}
