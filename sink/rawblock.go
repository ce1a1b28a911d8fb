package sink

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// rawBlock is a block of raw_records, all of one day of reception: one block
// may go to one ClickHouse partition only.
type rawBlock struct {
	block
	day                        int64 // since 1970
	topic, carrier, key, value strs
	topicID                    ids
	partition                  i32s
	offset                     i64s
	received                   times
	size                       u32s
}

func newRawBlock() *rawBlock {
	b := &rawBlock{}
	b.block = newBlock("raw_records",
		strCol("topic", &b.topic), idCol("topic_id", &b.topicID), i32Col("partition", &b.partition),
		i64Col("offset", &b.offset), timeCol("received_at", &b.received), strCol("carrier", &b.carrier),
		strCol("key", &b.key), strCol("raw", &b.value), u32Col("raw_bytes", &b.size))
	return b
}

func (b *rawBlock) add(topicID schemas.ID, r *kgo.Record, receivedAt int64, limit int) {
	b.rows++
	b.topic.add(r.Topic)
	b.topicID.add(topicID)
	b.partition.add(r.Partition)
	b.offset.add(r.Offset)
	b.received.add(receivedAt)
	b.addCarrier(r)
	b.key.addBytes(r.Key[:min(len(r.Key), limit)])
	b.value.addBytes(r.Value[:min(len(r.Value), limit)])
	b.size.add(uint32(len(r.Value)))
}

// addCarrier appends the carrier by whose mapping ingest reads the record: that
// of its header, or of its topic.
func (b *rawBlock) addCarrier(r *kgo.Record) {
	for _, h := range r.Headers {
		if h.Key == schemas.CarrierHeader && schemas.IsCarrierName(h.Value) {
			b.carrier.addBytes(h.Value)
			return
		}
	}
	b.carrier.add(strings.TrimPrefix(r.Topic, schemas.RawTopicPrefix))
}

// rawDays holds a block of raw_records for each day of reception. There is one
// day nearly always; a backlog with the broker's times may bring more.
type rawDays struct{ blocks []*rawBlock }

const dayMillis = 24 * 60 * 60 * 1000

// of returns the block of the day of a time of reception.
func (d *rawDays) of(receivedAt int64) *rawBlock {
	day := receivedAt / dayMillis
	var free *rawBlock
	for _, b := range d.blocks {
		if b.day == day {
			return b
		}
		if b.rows == 0 {
			free = b
		}
	}
	if free == nil {
		free = newRawBlock()
		d.blocks = append(d.blocks, free)
	}
	free.day = day
	return free
}

// maxFreeRawBlocks bounds the buffers that are kept for reuse.
const maxFreeRawBlocks = 2

// trim lets go of what a backlog needed. All blocks must be empty.
func (d *rawDays) trim() {
	if len(d.blocks) > maxFreeRawBlocks {
		clear(d.blocks[maxFreeRawBlocks:])
		d.blocks = d.blocks[:maxFreeRawBlocks]
	}
}

// addRaw appends records of one partition of a raw topic, without those whose
// days are over: a backlog must not bring back what was to be erased.
func (p *pending) addRaw(topicID schemas.ID, records []*kgo.Record, o *RawOptions) {
	now := o.Now().UnixMilli()
	for _, r := range records {
		at := rawReceivedAt(r, now)
		if at/dayMillis+int64(o.Days) <= now/dayMillis {
			continue
		}
		p.raw.of(at).add(topicID, r, at, o.ValueBytes)
		p.rows++
		p.bytes += min(len(r.Value), o.ValueBytes) + min(len(r.Key), o.ValueBytes)
	}
}

// rawReceivedAt returns from when the days of a record count: the broker's time
// where the topic has it (LogAppendTime), else that of reading, now. A time that
// the producer chose could keep a record for good, or lose it at once.
func rawReceivedAt(r *kgo.Record, now int64) int64 {
	const logAppendTime = 1
	if r.Attrs.TimestampType() != logAppendTime {
		return now
	}
	return min(max(r.Timestamp.UnixMilli(), 0), now)
}
