package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// batch holds what is produced between two commits, in memory that the next
// batch uses again: the client keeps references until the flush, not longer.
type batch struct {
	record  schemas.Record
	encoder schemas.Encoder
	arena   []byte
	slabs   [][]kgo.Record
	used    int // records handed out
}

const slabRecords = 1024

// refusedRecords holds dead letters that were too long; the client's
// acknowledgements fill it.
type refusedRecords struct {
	sync.Mutex
	records []*kgo.Record
}

func (b *batch) reset() {
	b.arena = b.arena[:0]
	b.used = 0
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
	b := &s.batch
	r := b.next()
	r.Topic = schemas.EventsTopic
	r.Key = b.bytes(key)
	start := len(b.arena)
	b.arena = b.encoder.Append(b.arena, &b.record)
	r.Value = b.arena[start:len(b.arena):len(b.arena)]
	s.client.Produce(s.sending, r, s.acked)
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
	s.client.Produce(s.sending, r, s.acked)
	s.cfg.Metrics.rejected(reason)
}

// MaxDeadLetterBytes bounds what a dead letter repeats of its record; the topic
// is created to take it. What is longer is cut: the whole record stays in its
// raw topic.
const MaxDeadLetterBytes = 15 << 20

// smallDeadLetter fits into any topic's limit.
const smallDeadLetter = 512 << 10

// cut shortens a dead letter and says how long the record was.
func cut(r *kgo.Record) {
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "cut_from_bytes", Value: fmt.Append(nil, len(r.Value))})
	r.Value = r.Value[:min(len(r.Value), smallDeadLetter)]
}

// acked notes the first record that the broker refused for good. A dead letter
// that is too long for its topic is tried again in short.
func (s *Service) acked(r *kgo.Record, err error) {
	switch {
	case err == nil:
	case r.Topic == schemas.DeadLettersTopic && errors.Is(err, kerr.MessageTooLarge) && len(r.Value) > smallDeadLetter:
		s.tooLong.Lock()
		s.tooLong.records = append(s.tooLong.records, r)
		s.tooLong.Unlock()
	default:
		err = fmt.Errorf("ingest: Kafka refused a record for %s: %w", r.Topic, err)
		s.failed.CompareAndSwap(nil, &err)
	}
}

// flush waits until Kafka has acknowledged the whole batch.
func (s *Service) flush(ctx context.Context) error {
	if err := s.client.Flush(ctx); err != nil {
		return fmt.Errorf("ingest: Kafka did not acknowledge the batch: %w", err)
	}
	s.tooLong.Lock()
	again := s.tooLong.records
	s.tooLong.records = nil
	s.tooLong.Unlock()
	for _, r := range again {
		cut(r)
		s.client.Produce(s.sending, r, s.acked)
	}
	if len(again) > 0 {
		if err := s.client.Flush(ctx); err != nil {
			return fmt.Errorf("ingest: Kafka did not acknowledge the batch: %w", err)
		}
	}
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}
