// Package ingest turns raw carrier records and order facts into the log: it
// consumes the raw topics, decodes and normalises each record by its carrier's
// mapping, and produces canonical events, keyed by parcel, to parcel.events.
// What cannot be read goes to the dead-letter topic with its reason. Its Ticker
// writes the clock into the log.
//
// The life of one batch: poll, decode, produce, wait for every acknowledgement,
// commit. While Kafka acknowledges one batch, the next one is decoded. A crash
// anywhere before the commit reads the batch again, and the same facts get the
// same fact ids, so nothing is lost and nothing counts twice.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// pollRecords bounds a batch, and with it what a crash reads again.
const pollRecords = 10_000

// ackTime is how long a batch may wait for Kafka before the service gives up and
// starts again from its last commit.
const ackTime = 30 * time.Second

// rangeInterval is how often the ledger of raw records is written to the log.
const rangeInterval = time.Second

// Config is what the service needs from outside.
type Config struct {
	Kafka    []kgo.Opt // seeds, TLS, SASL
	Carriers *carriers.Registry
	Limits   carriers.Limits
	// DenyBackfill disregards schemas.BackfillHeader: for raw topics to which
	// carriers write themselves that nobody trusts with it.
	DenyBackfill bool
	Now          func() time.Time // stamps received_at
	Log          *slog.Logger
	Metrics      *Metrics
}

// Service consumes the raw topics as a member of the group scantrail-ingest.
type Service struct {
	cfg     Config
	client  *kgo.Client
	admin   *kadm.Client
	decoder *carriers.Decoder
	ledgers ledgers
	feeds   feeds
	batch   *batch          // that is being filled
	other   *batch          // that may wait for Kafka meanwhile
	sending context.Context // of what is produced; outlives Run's by ackTime
	yield   atomic.Bool     // a rebalance waits for this member
}

// New connects nothing yet; Run does.
func New(cfg Config) (*Service, error) {
	s := &Service{cfg: cfg, decoder: cfg.Carriers.NewDecoder(cfg.Limits), batch: newBatch(), other: newBatch()}
	// Before the consumer, which may be assigned partitions as soon as it exists.
	admin, err := kadm.NewOptClient(cfg.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	s.admin = admin
	opts := append(cfg.Kafka[:len(cfg.Kafka):len(cfg.Kafka)],
		kgo.ConsumerGroup(schemas.IngestGroup),
		kgo.ConsumeRegex(),
		kgo.ConsumeTopics("^"+regexp.QuoteMeta(schemas.RawTopicPrefix)+".+", "^"+schemas.OrdersTopic+"$"),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // never skip silently
		kgo.KeepControlRecords(),                    // a commit then passes the marker that a topic may end in
		kgo.MetadataMaxAge(10*time.Second),          // a new carrier's topic is found within it
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(s.assigned),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.revoked),
		kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { s.yield.Store(true) }),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.MaxBufferedRecords(200_000),
		kgo.ProducerBatchMaxBytes(MaxDeadLetterBytes+1<<20),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)
	if s.client, err = kgo.NewClient(opts...); err != nil {
		admin.Close()
		return nil, fmt.Errorf("ingest: %w", err)
	}
	return s, nil
}

// Run consumes until ctx ends, then finishes the batch in hand, commits it and
// leaves the group. It returns nil on such an end, and an error when the broker
// refused a record or data was lost to retention; the caller may start a new
// Service, which begins at the last commit.
func (s *Service) Run(ctx context.Context) error {
	defer s.admin.Close()
	defer s.client.CloseAllowingRebalance()
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(ackTime, stopSending) })()
	s.sending = sending
	var waiting *batch
	nextRanges := time.Now()
	for {
		fetches := s.poll(ctx, waiting != nil)
		if err := s.fetchError(fetches); err != nil {
			return err
		}
		stopping := ctx.Err() != nil
		due := stopping || !time.Now().Before(nextRanges)
		if due {
			nextRanges = time.Now().Add(rangeInterval)
		}
		filled := s.fill(fetches, due, stopping)
		if waiting != nil {
			if err := s.finish(ctx, waiting); err != nil {
				return err
			}
		}
		if waiting = filled; stopping || s.yield.Swap(false) || filled.used == 0 {
			if err := s.finish(ctx, filled); err != nil {
				return err
			}
			waiting = nil
		}
		s.client.AllowRebalance()
		if stopping {
			return nil
		}
	}
}

// poll waits for records; not for long while a batch waits to be committed.
func (s *Service) poll(ctx context.Context, waiting bool) kgo.Fetches {
	wait := rangeInterval
	if waiting {
		wait = 10 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return s.client.PollRecords(ctx, pollRecords)
}

// fill decodes one poll's records and produces what they hold: with the accounts
// of the source partitions if ranges is set, and with all that is to be told if
// it is the last.
func (s *Service) fill(fetches kgo.Fetches, ranges, last bool) *batch {
	s.batch, s.other = s.other, s.batch
	b := s.batch
	b.begin()
	now := s.cfg.Now()
	s.feeds.over(now, s.produceFeed)
	fetches.EachTopic(func(t kgo.FetchTopic) {
		t.EachPartition(func(p kgo.FetchPartition) {
			if n := len(p.Records); n > 0 {
				s.partition(&t, &p, now)
				b.commits = append(b.commits, s.commitOf(p.Records[n-1], now))
			}
		})
	})
	s.feeds.news(last, s.produceFeed)
	if ranges {
		s.ledgers.ranges(s.produceRange)
	}
	b.end()
	return b
}

// finish waits until Kafka has acknowledged a batch, also when ctx has ended,
// and commits it.
func (s *Service) finish(ctx context.Context, b *batch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTime)
	defer cancel()
	if err := s.acknowledged(ctx, b); err != nil {
		return err
	}
	s.cfg.Metrics.RangesPending.Set(float64(s.ledgers.pending()))
	s.commit(ctx, b)
	return nil
}

// partition decodes one source partition's records and produces what they hold.
func (s *Service) partition(t *kgo.FetchTopic, p *kgo.FetchPartition, now time.Time) {
	l := s.ledgers.of(topicPartition{t.Topic, p.Partition})
	src := carriers.Source{
		Topic: t.Topic, TopicID: schemas.ID(t.TopicID), Partition: p.Partition,
		ReceivedAt: now.UnixMilli(),
	}
	s.cfg.Metrics.LastRecord.WithLabelValues(s.sender(t.Topic, topicCarrier(t.Topic))).Set(float64(now.UnixMilli()) / 1000)
	for _, r := range p.Records {
		imported := !s.cfg.DenyBackfill && flagged(r)
		src.Offset, src.Backfill = r.Offset, imported || r.Offset < l.backfillBelow
		if done, ok := l.advance(r.Offset); ok {
			s.produceRange(&done)
		}
		if r.Attrs.IsControl() {
			continue // the marker of a transaction: an offset without a record
		}
		if r.Topic == schemas.OrdersTopic {
			s.order(r, src, l)
		} else {
			s.scan(r, src, l, imported)
		}
	}
}

// flagged reports whether a record's header says that it is history.
func flagged(r *kgo.Record) bool {
	for i := range r.Headers {
		if h := &r.Headers[i]; h.Key == schemas.BackfillHeader && len(h.Value) == 1 && h.Value[0] == '1' {
			return true
		}
	}
	return false
}

// scan decodes one raw record of a carrier. An imported one is no sign of life of
// the carrier's feed: it must not end the feed's silence, nor begin one.
func (s *Service) scan(r *kgo.Record, src carriers.Source, l *ledger, imported bool) {
	carrier := carrierOf(r)
	src.Key = r.Key
	res := s.decoder.Decode(carrier, r.Value, src)
	for i := range res.Events {
		s.batch.record.Kind = schemas.KindEvent
		s.batch.record.Event = res.Events[i]
		s.produce(res.Events[i].TrackingNumber)
	}
	for i := range res.Aliases {
		s.batch.record.Kind = schemas.KindAlias
		s.batch.record.Alias = res.Aliases[i]
		s.produce(res.Aliases[i].TrackingNumber)
	}
	for i := range res.Voids {
		s.batch.record.Kind = schemas.KindVoid
		s.batch.record.Void = res.Voids[i]
		s.produce(res.Voids[i].TrackingNumber)
	}
	for i := range res.Rejected {
		rej := &res.Rejected[i]
		s.reject(r, i, src, carrier, rej.EventIndex, string(rej.Reason), rej.Field, rej.Detail)
	}
	l.count(len(res.Events), len(res.Rejected))
	if len(res.Events) > 0 && !imported {
		s.heard(carrier, r.Topic).receive(res.Events, r.Timestamp.UnixMilli(), src.ReceivedAt)
	}
	s.cfg.Metrics.scanned(s.label(carrier), res)
	if imported {
		s.cfg.Metrics.Imported.WithLabelValues(s.label(carrier)).Inc()
	}
}

// order reads one order fact.
func (s *Service) order(r *kgo.Record, src carriers.Source, l *ledger) {
	fact := &s.batch.record.Order
	if err := schemas.ParseOrderFact(r.Value, fact); err != nil {
		var bad *schemas.FieldError
		if !errors.As(err, &bad) {
			bad = &schemas.FieldError{Reason: "unreadable", Detail: err.Error()}
		}
		s.reject(r, 0, src, "", -1, bad.Reason, bad.Field, bad.Detail)
		l.count(0, 1)
		return
	}
	s.batch.record.Kind = schemas.KindOrder
	fact.Topic, fact.TopicID, fact.Partition, fact.Offset = src.Topic, src.TopicID, src.Partition, src.Offset
	fact.ReceivedAt, fact.Backfill = src.ReceivedAt, src.Backfill
	s.produce(schemas.OrderKey(fact.ShopID, fact.OrderID))
	l.count(1, 0)
	s.cfg.Metrics.Orders.Inc()
}

// carrierOf returns the carrier that the record's header names, or its topic. A
// header that is no carrier's name is not believed.
func carrierOf(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == schemas.CarrierHeader && schemas.IsCarrierName(h.Value) {
			return string(h.Value)
		}
	}
	return topicCarrier(r.Topic)
}

func topicCarrier(topic string) string { return strings.TrimPrefix(topic, schemas.RawTopicPrefix) }

// label keeps hostile carrier names out of the metrics' labels.
func (s *Service) label(carrier string) string {
	if _, ok := s.cfg.Carriers.Carrier(carrier); ok {
		return carrier
	}
	return "other"
}

// sender is label for what may also be an order fact.
func (s *Service) sender(topic, carrier string) string {
	if topic == schemas.OrdersTopic {
		return topic
	}
	return s.label(carrier)
}

// Joined reports whether the service is a member of its group. It may have no
// partition all the same: there may be more members than partitions.
func (s *Service) Joined() bool {
	_, generation := s.client.GroupMetadata()
	return generation >= 0
}

// fetchError returns the first error of a poll that is not the poll's own end.
// A member that cannot join its group tries again by itself: a new member would
// have to wait until the broker gives this one up.
func (s *Service) fetchError(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		var apart *kgo.ErrGroupSession
		switch {
		case errors.As(e.Err, &apart):
			s.cfg.Log.Warn("not in the group; trying again", "group", schemas.IngestGroup, "err", apart.Err)
		case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, context.DeadlineExceeded):
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			return &RetentionError{Topic: e.Topic, Partition: e.Partition}
		default:
			return fmt.Errorf("ingest: reading %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

// RetentionError says that records were deleted before they were read.
type RetentionError struct {
	Topic     string
	Partition int32
}

func (e *RetentionError) Error() string {
	return fmt.Sprintf("ingest: %s/%d: the records after the group's commit are gone (retention passed, or the topic was re-created): "+
		"nothing is skipped silently. To go on, set the offsets of group %s to where reading may continue, for example with "+
		"kafka-consumer-groups.sh --reset-offsets --to-earliest", e.Topic, e.Partition, schemas.IngestGroup)
}
