package stopwatch

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/sink"
)

// minMetadataAge lets a client see a topic that has just been made.
const minMetadataAge = 10 * time.Millisecond

// pollRecords is how many records ingest polls at a time.
const pollRecords = 10_000

// Consumed is what reading alone came to.
type Consumed struct {
	Records, Bytes int64
	Lap            Lap
}

// Consume reads topics from start to end with the client and the options of
// ingest, and does nothing with the records: no pipeline reads faster.
func Consume(ctx context.Context, kafka []kgo.Opt, topics []string) (Consumed, error) {
	var c Consumed
	client, err := kgo.NewClient(append(kafka[:len(kafka):len(kafka)],
		kgo.ConsumeTopics(topics...), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return c, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topics...)
	if err != nil {
		return c, fmt.Errorf("end offsets: %w", err)
	}
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	w := Begin()
	for c.Records < total {
		fetches := client.PollRecords(ctx, pollRecords)
		if err := fetches.Err(); err != nil {
			return c, fmt.Errorf("reading alone, after %d of %d records: %w", c.Records, total, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			c.Records++
			c.Bytes += int64(len(r.Value))
		})
	}
	c.Lap = w.Lap()
	return c, nil
}

// insertRows is how many rows one flush of the sink writes.
const insertRows = 100_000

// Insert writes records of parcel.events into the tables of conn's database with
// the blocks of the sink, one after the other as the sink does: ClickHouse, its
// merges and the encoding of the blocks without Kafka. Records are numbered
// anew.
func Insert(ctx context.Context, conn driver.Conn, records []*kgo.Record) (Lap, error) {
	load, err := sink.NewLoader(conn)
	if err != nil {
		return Lap{}, err
	}
	for i, r := range records {
		r.Offset = int64(i)
	}
	w := Begin()
	for len(records) > 0 {
		n := min(len(records), insertRows)
		if err := load.Insert(ctx, 0, records[:n]); err != nil {
			return Lap{}, fmt.Errorf("inserting alone: %w", err)
		}
		records = records[n:]
	}
	return w.Lap(), nil
}
