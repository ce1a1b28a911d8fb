// Package shell runs the detector's pure core against Kafka: it consumes
// parcel.events as a member of the group scantrail-detector, keeps one
// detector.Machine per owned partition, publishes what the machines find and
// keeps their snapshots in parcel.snapshots.
//
// One goroutine polls, applies and publishes. Rows for ClickHouse go through a
// second one, so that detection and alerting go on while ClickHouse is away;
// what is not written stays marked dirty in the machine and follows later.
package shell

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/detector"
	"scantrail/schemas"
)

const (
	pollRecords  = 20_000
	pollInterval = 100 * time.Millisecond // so that rows and snapshots go on in quiet times
	// maxBuffered bounds the messages that wait for Kafka's acknowledgement.
	maxBuffered = 200_000
	// shutdownTime bounds what is finished after the end of Run's context.
	shutdownTime = 30 * time.Second
)

// Config is what the shell needs from outside.
type Config struct {
	Kafka            []kgo.Opt // seeds, TLS, SASL
	Generation       uint16
	SnapshotInterval time.Duration    // between two snapshots of one partition
	FlushInterval    time.Duration    // between two writes of rows, and two commits
	Rows             RowWriter        // of the writing goroutine alone
	Archive          RowWriter        // another one, for look-ups and gaps
	Tables           func() error     // why neither is used yet, such as tables of an older release; nil: they are
	MemoryLimit      int64            // bytes of state at which reading rests until some has left; 0: none
	AcceptGaps       bool             // go on where the log after the last snapshot is gone, and note it
	Now              func() time.Time // that ticks are stamped with, for the delay of alerts; nil: time.Now
	Log              *slog.Logger
	Metrics          *Metrics
}

// Shell owns the machines of the assigned partitions.
type Shell struct {
	cfg    Config
	client *kgo.Client
	direct *kgo.Client // for records that are for one partition, whatever their key
	admin  *kadm.Client
	writer *rowWriter
	asker  *asker
	failed atomic.Pointer[error] // first message that Kafka refused
	begins assigning             // what is being restored

	documents detector.Documents // of all partitions

	mu    sync.Mutex // the assignment callbacks change parts while the loop runs
	parts map[int32]*partition

	record  schemas.Record
	out     detector.Output
	encoder schemas.Encoder
	asks    []detector.Ask
	resting bool            // reading rests: the state is at its limit
	sending context.Context // of what is produced; outlives Run's by shutdownTime
}

// partition is one owned partition of the log.
type partition struct {
	id         int32
	machine    *detector.Machine
	next       atomic.Int64 // offset of the next record to apply
	clock      atomic.Int64 // copy of the machine's, for readers of other goroutines
	tickAt     atomic.Int64 // Unix milliseconds at which its last tick was applied, or it was assigned
	snapshotAt time.Time    // of the last one, or of the assignment
	snapshot   int64        // offset that the last one covers
	replay     int64        // offset up to which a former owner has published everything
	lag        int64        // records behind what was last applied
	manifests  []Manifest   // kept in the topic, newest last
}

// New connects nothing yet; Run does.
func New(cfg Config) (*Shell, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Metrics.StateLimit.Set(float64(cfg.MemoryLimit))
	if cfg.Tables == nil {
		cfg.Tables = func() error { return nil }
	}
	s := &Shell{cfg: cfg, parts: map[int32]*partition{}, writer: newRowWriter(cfg), asker: newAsker(cfg)}
	s.documents.Guard = new(sync.Mutex)
	// Before the consumer, which may be assigned partitions as soon as it exists.
	admin, err := kadm.NewOptClient(cfg.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("detector: %w", err)
	}
	s.admin = admin
	opts := append(cfg.Kafka[:len(cfg.Kafka):len(cfg.Kafka)],
		kgo.ConsumerGroup(schemas.DetectorGroup),
		kgo.ConsumeTopics(schemas.EventsTopic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // never skip silently
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(s.assigned),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.revoked),
		kgo.MaxBufferedRecords(maxBuffered),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)
	s.direct, err = kgo.NewClient(append(cfg.Kafka[:len(cfg.Kafka):len(cfg.Kafka)], kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err == nil {
		s.client, err = kgo.NewClient(opts...)
	}
	if err != nil {
		admin.Close()
		return nil, fmt.Errorf("detector: %w", err)
	}
	return s, nil
}

// Run detects until ctx ends; it then snapshots what it owns and leaves the
// group. An error means that a message was refused, the log is damaged or
// retention has passed; the caller may start a new Shell, which begins at the
// last snapshots.
func (s *Shell) Run(ctx context.Context) error {
	defer s.admin.Close()
	defer s.direct.Close()
	defer s.client.CloseAllowingRebalance()
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(shutdownTime, stopSending) })()
	s.sending = sending
	var writer sync.WaitGroup
	defer writer.Wait()
	writerCtx, stopWriter := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriter()
	writer.Go(func() { s.writer.run(writerCtx, s.cfg.Log) })
	writer.Go(func() { s.asker.run(writerCtx, s.cfg.Log) })

	nextFlush := time.Now().Add(s.cfg.FlushInterval)
	for ctx.Err() == nil {
		pollCtx, cancel := context.WithTimeout(ctx, pollInterval)
		fetches := s.client.PollRecords(pollCtx, pollRecords)
		cancel()
		if err := s.apply(fetches); err != nil {
			return err
		}
		s.cfg.Metrics.RowsPending.Set(float64(s.collect()))
		s.answer(time.Now())
		s.observe()
		if now := time.Now(); !now.Before(nextFlush) {
			nextFlush = now.Add(s.cfg.FlushInterval)
			s.keepLimit()
			if err := s.flush(ctx, now); err != nil && ctx.Err() == nil {
				return err
			}
		}
		s.client.AllowRebalance()
	}
	return s.stop(ctx)
}

// keepLimit has reading rest while the state is larger than it may be: what
// cannot leave because ClickHouse is away, above all. Everything else goes on.
func (s *Shell) keepLimit() {
	size := int64(0)
	for _, p := range s.owned() {
		size += p.machine.Bytes()
	}
	s.cfg.Metrics.StateBytes.Set(float64(size))
	switch limit := s.cfg.MemoryLimit; {
	case limit == 0:
	case size > limit && !s.resting:
		s.resting = true
		s.cfg.Metrics.Resting.Set(1)
		s.client.PauseFetchTopics(schemas.EventsTopic)
		s.cfg.Log.Error("the detector's state is at its limit; reading rests until some of it has left",
			"bytes", size, "limit", limit, "remedy", "bring ClickHouse back, raise detector.memory_limit, or add a process")
	case s.resting && size < limit/10*9:
		s.resting = false
		s.cfg.Metrics.Resting.Set(0)
		s.client.ResumeFetchTopics(schemas.EventsTopic)
		s.cfg.Log.Info("reading goes on")
	}
}

// stop writes the last rows and snapshots within shutdownTime: they spare the
// next owner the replay, and nothing is lost without them.
func (s *Shell) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	s.writer.drain(ctx, s.owned())
	if err := s.acknowledged(ctx); err != nil {
		return err
	}
	for _, p := range s.owned() {
		if err := s.takeSnapshot(ctx, p); err != nil {
			return err
		}
	}
	s.commit(ctx)
	return nil
}

// apply feeds a batch to the machines and publishes what they find.
func (s *Shell) apply(fetches kgo.Fetches) error {
	if err := s.fetchError(fetches); err != nil {
		return err
	}
	var err error
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := s.part(f.Partition)
		if p == nil || err != nil {
			return
		}
		for i, r := range f.Records {
			if i%detector.WarmBatch == 0 {
				s.warm(p, f.Records[i:])
			}
			if err = s.applyRecord(p, r); err != nil {
				return
			}
			p.lag = f.HighWatermark - r.Offset - 1
		}
	})
	if err == nil {
		if failed := s.failed.Load(); failed != nil {
			err = *failed
		}
	}
	return err
}

// warm has the machine read ahead what the next records are about. They are keyed
// by the number of their parcel; other keys, those of orders, find nothing.
func (s *Shell) warm(p *partition, next []*kgo.Record) {
	var ids [detector.WarmBatch]schemas.ID
	next = next[:min(len(next), len(ids))]
	for k, r := range next {
		ids[k] = schemas.ParcelID(string(r.Key))
	}
	p.machine.Warm(ids[:len(next)])
}

func (s *Shell) applyRecord(p *partition, r *kgo.Record) error {
	if next := p.next.Load(); r.Offset < next {
		return nil
	}
	s.out.Reset()
	if err := s.record.Decode(r.Value); err != nil {
		// The sink books the undecodable value in data_gaps.
		s.cfg.Metrics.Undecodable.Inc()
		s.cfg.Log.Error("record of the log skipped", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", err)
	} else if Refused(r, &s.record) {
		s.cfg.Metrics.RefusedTicks.Inc()
		s.cfg.Log.Warn("tick or reception refused: more than 10 minutes ahead of the broker's clock", "partition", r.Partition, "offset", r.Offset)
	} else if err := p.machine.Apply(r.Offset, &s.record, &s.out); err != nil {
		return fmt.Errorf("detector: %s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	} else if s.record.Kind == schemas.KindTick {
		p.tickAt.Store(time.Now().UnixMilli())
	}
	p.next.Store(r.Offset + 1)
	p.clock.Store(p.machine.Clock())
	s.cfg.Metrics.Applied.Inc()
	s.publish(r.Offset >= p.replay)
	return nil
}

// maxAhead is how far a tick, or a feed's reception, may run ahead of the broker's
// clock: a process whose own clock is wrong must not open alerts, nor keep a feed
// from being missed.
const maxAhead = 10 * time.Minute

// Refused reports whether a record of the log is not applied: its time is ahead of
// that at which the broker appended it. Where the topic stores the producers'
// times, there is nothing to compare with.
func Refused(r *kgo.Record, rec *schemas.Record) bool {
	const logAppendTime = 1
	at := int64(0)
	switch rec.Kind {
	case schemas.KindTick:
		at = max(rec.Tick.At, rec.Tick.ForwardedThrough)
	case schemas.KindFeed:
		at = rec.Feed.Last
	}
	return r.Attrs.TimestampType() == logAppendTime && at > r.Timestamp.Add(maxAhead).UnixMilli()
}

// flush commits the applied offsets, for lag tools to see, and takes the next
// snapshot that is due.
func (s *Shell) flush(ctx context.Context, now time.Time) error {
	if err := s.acknowledged(ctx); err != nil {
		return err
	}
	s.commit(ctx)
	if p := s.dueForSnapshot(now); p != nil {
		return s.takeSnapshot(ctx, p)
	}
	return nil
}

// acknowledged waits until Kafka has every alert, status and forwarded fact.
func (s *Shell) acknowledged(ctx context.Context) error {
	if err := s.client.Flush(ctx); err != nil {
		return fmt.Errorf("detector: Kafka did not acknowledge the alerts: %w", err)
	}
	if failed := s.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// commit publishes the position, and with it the clock up to which everything that
// was forwarded is acknowledged. No owner ever starts from it.
func (s *Shell) commit(ctx context.Context) {
	offsets, clocks := map[int32]kgo.EpochOffset{}, map[int32]int64{}
	for _, p := range s.owned() {
		if next := p.next.Load(); next > 0 {
			offsets[p.id] = kgo.EpochOffset{Epoch: -1, Offset: next}
			clocks[p.id] = p.clock.Load()
		}
	}
	if len(offsets) == 0 {
		return
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			for j := range req.Topics[i].Partitions {
				p := &req.Topics[i].Partitions[j]
				p.Metadata = kmsg.StringPtr(schemas.DetectorMetadata(clocks[p.Partition]))
			}
		}
		return nil
	})
	s.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{schemas.EventsTopic: offsets}, nil)
}

func (s *Shell) part(id int32) *partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts[id]
}

// owned returns the owned partitions in order of their number.
func (s *Shell) owned() []*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*partition, 0, len(s.parts))
	for _, p := range s.parts {
		all = append(all, p)
	}
	sortPartitions(all)
	return all
}

// fetchError returns the first error of a poll after which reading cannot go on.
// A member that cannot join its group tries again by itself: a new member would
// have to wait until the broker gives this one up.
func (s *Shell) fetchError(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		var apart *kgo.ErrGroupSession
		switch {
		case errors.As(e.Err, &apart):
			s.cfg.Log.Warn("not in the group; trying again", "group", schemas.DetectorGroup, "err", apart.Err)
		case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, context.DeadlineExceeded):
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			return &RetentionError{Partition: e.Partition}
		default:
			return fmt.Errorf("detector: reading %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

// RetentionError says that the log no longer holds what follows the snapshot.
type RetentionError struct{ Partition int32 }

func (e *RetentionError) Error() string {
	return fmt.Sprintf("detector: %s/%d: the log after the last snapshot is gone (retention passed, or the topic was re-created); "+
		"nothing is skipped silently: parcel.events must keep its records longer than the oldest snapshot lives; to go on without them and note the range in data_gaps, start once with: scantrail run --accept-gaps", schemas.EventsTopic, e.Partition)
}
