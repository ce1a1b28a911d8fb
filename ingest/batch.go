package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// batch holds what is produced between two commits, in memory that a later batch
// uses again: the client keeps references until it has acknowledged a record,
// not longer.
type batch struct {
	record  schemas.Record
	encoder schemas.Encoder
	arena   []byte
	slabs   [][]kgo.Record
	used    int // records handed out
	commits []commit

	left   atomic.Int64 // records that are not acknowledged, and one while the batch is filled
	done   chan struct{}
	acked  func(*kgo.Record, error) // the same for every record of the batch
	mu     sync.Mutex               // of what the acknowledgements note:
	failed error                    // the first record that the broker refused for good
	long   []*kgo.Record            // dead letters that were too long
}

const slabRecords = 1024

func newBatch() *batch {
	b := &batch{}
	b.acked = b.acknowledge
	return b
}

// begin empties the batch.
func (b *batch) begin() {
	b.arena, b.used, b.commits = b.arena[:0], 0, b.commits[:0]
	b.failed, b.long = nil, b.long[:0]
	b.open()
}

// open lets records be sent, until end and their acknowledgements.
func (b *batch) open() {
	b.left.Store(1)
	b.done = make(chan struct{})
}

// end says that nothing more is added.
func (b *batch) end() { b.settle() }

func (b *batch) settle() {
	if b.left.Add(-1) == 0 {
		close(b.done)
	}
}

// next returns a cleared record of the slabs.
func (b *batch) next() *kgo.Record {
	if b.used == len(b.slabs)*slabRecords {
		b.slabs = append(b.slabs, make([]kgo.Record, slabRecords))
	}
	r := &b.slabs[b.used/slabRecords][b.used%slabRecords]
	b.used++
	*r = kgo.Record{}
	return r
}

// bytes copies v into the arena. When the arena moves to grow, the slices of
// before still stand in the old one.
func (b *batch) bytes(v string) []byte {
	start := len(b.arena)
	b.arena = append(b.arena, v...)
	return b.arena[start:len(b.arena):len(b.arena)]
}

// produce sends the batch's record to parcel.events under key.
func (s *Service) produce(key string) {
	b := s.batch
	r := b.next()
	r.Topic = schemas.EventsTopic
	r.Key = b.bytes(key)
	start := len(b.arena)
	b.arena = b.encoder.Append(b.arena, &b.record)
	r.Value = b.arena[start:len(b.arena):len(b.arena)]
	s.send(b, r)
}

func (s *Service) send(b *batch, r *kgo.Record) {
	b.left.Add(1)
	s.client.Produce(s.sending, r, b.acked)
}

func (s *Service) produceRange(r *schemas.Range) {
	s.batch.record.Kind = schemas.KindRange
	s.batch.record.Range = *r
	s.produce(fmt.Sprintf("range:%s:%d", r.Topic, r.Partition))
}

// reject sends the n-th dead letter of a record: the reason and where the record
// stands. The raw bytes go with the first: a hostile record may hold thousands
// of bad events.
func (s *Service) reject(raw *kgo.Record, n int, src carriers.Source, carrier string, index int, reason, field, detail string) {
	d := schemas.DeadLetter{
		Topic: src.Topic, TopicID: src.TopicID, Partition: src.Partition, Offset: src.Offset,
		EventIndex: int32(index), Index: int32(n), Carrier: carrier, Reason: reason, Field: field, Detail: detail,
		ReceivedAt: src.ReceivedAt,
	}
	r := s.batch.next()
	r.Topic, r.Key = schemas.DeadLettersTopic, raw.Key
	if n == 0 {
		r.Value = raw.Value
	}
	for _, h := range d.Headers() {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if len(r.Value) > MaxDeadLetterBytes {
		cut(r)
	}
	s.send(s.batch, r)
	s.cfg.Metrics.rejected(s.sender(src.Topic, carrier), reason)
}

// MaxDeadLetterBytes bounds what a dead letter repeats of its record; the topic
// is created to take it. What is longer is cut: the whole record stays in its
// raw topic.
const MaxDeadLetterBytes = 15 << 20

// smallDeadLetter fits into the topic even where its limit is far below the
// broker's default of 1 MiB, and is more than the table dead_letters keeps.
const smallDeadLetter = 64 << 10

// cut shortens a dead letter and says how long the record was.
func cut(r *kgo.Record) {
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: schemas.CutHeader, Value: fmt.Append(nil, len(r.Value))})
	r.Value = r.Value[:min(len(r.Value), smallDeadLetter)]
}

// acknowledge notes what became of a record. A dead letter that is too long for
// its topic is tried again in short.
func (b *batch) acknowledge(r *kgo.Record, err error) {
	if err != nil {
		b.mu.Lock()
		switch {
		case r.Topic == schemas.DeadLettersTopic && errors.Is(err, kerr.MessageTooLarge) && len(r.Value) > smallDeadLetter:
			b.long = append(b.long, r)
		case b.failed == nil:
			b.failed = fmt.Errorf("ingest: Kafka refused a record for %s: %w", r.Topic, err)
		}
		b.mu.Unlock()
	}
	b.settle()
}

// acknowledged waits until Kafka has acknowledged the whole batch.
func (s *Service) acknowledged(ctx context.Context, b *batch) error {
	if err := b.wait(ctx); err != nil || len(b.long) == 0 {
		return err
	}
	again := b.long
	b.long = nil
	b.open()
	for _, r := range again {
		cut(r)
		s.send(b, r)
	}
	b.end()
	return b.wait(ctx)
}

func (b *batch) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("ingest: Kafka did not acknowledge the batch: %w", ctx.Err())
	case <-b.done:
		return b.failed
	}
}
