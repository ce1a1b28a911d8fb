package sink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
)

// Config of a Sink.
type Config struct {
	Kafka      []kgo.Opt             // brokers, TLS, SASL, client ID; required
	ClickHouse driver.Conn           // from Open; required
	Log        *slog.Logger          // required
	Metrics    prometheus.Registerer // may be nil

	Group         string        // default schemas.SinkGroup
	FlushInterval time.Duration // longest time that a row waits in memory; default 1 s
	FlushRows     int           // most records in memory; default and maximum 100,000
	FlushBytes    int           // most bytes of records in memory; default 64 MiB

	// AcceptGaps goes on at the start of the log where records were deleted
	// before they were read, and notes them in data_gaps. Without it, Run ends
	// with a RetentionError.
	AcceptGaps bool

	ShutdownTimeout time.Duration // for the last flush; default 10 s
	RetryMin        time.Duration // first pause after a failed insert; default 100 ms
	RetryMax        time.Duration // longest pause; default 10 s
}

// Sink consumes the log, the alerts and the dead letters into ClickHouse.
type Sink struct {
	cfg     Config
	metrics *metrics
	raw     *RawOptions // copies the raw topics instead; else nil

	member atomic.Pointer[kgo.Client] // the client of the present Run
	away   atomic.Pointer[string]     // why ClickHouse takes no inserts; nil while it does
}

// Joined reports whether the sink is a member of its group. It may have no
// partition all the same: there may be more members than partitions.
func (s *Sink) Joined() bool {
	client := s.member.Load()
	if client == nil {
		return false
	}
	_, generation := client.GroupMetadata()
	return generation >= 0
}

// Refused returns why ClickHouse takes no inserts, nil while it does, or while
// there is nothing to write.
func (s *Sink) Refused() error {
	if why := s.away.Load(); why != nil {
		return errors.New("ClickHouse takes no inserts: " + *why)
	}
	return nil
}

// New checks the configuration and registers the metrics.
func New(cfg Config) (*Sink, error) { return newSink("sink", cfg) }

func newSink(subsystem string, cfg Config) (*Sink, error) {
	switch {
	case len(cfg.Kafka) == 0:
		return nil, errors.New("sink: Kafka is not set")
	case cfg.ClickHouse == nil:
		return nil, errors.New("sink: ClickHouse is not set")
	case cfg.Log == nil:
		return nil, errors.New("sink: Log is not set")
	case cfg.FlushRows < 0 || cfg.FlushRows > maxBlockRows:
		return nil, fmt.Errorf("sink: FlushRows %d, want 1 to %d", cfg.FlushRows, maxBlockRows)
	}
	cfg.Group = cmp.Or(cfg.Group, schemas.SinkGroup)
	cfg.FlushInterval = cmp.Or(cfg.FlushInterval, time.Second)
	cfg.FlushRows = cmp.Or(cfg.FlushRows, maxBlockRows)
	cfg.FlushBytes = cmp.Or(cfg.FlushBytes, 64<<20)
	cfg.ShutdownTimeout = cmp.Or(cfg.ShutdownTimeout, 10*time.Second)
	cfg.RetryMin = cmp.Or(cfg.RetryMin, 100*time.Millisecond)
	cfg.RetryMax = cmp.Or(cfg.RetryMax, 10*time.Second)
	m, err := newMetricsOf(subsystem, cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("sink: metrics: %w", err)
	}
	return &Sink{cfg: cfg, metrics: m}, nil
}

// Run consumes until ctx ends, which is no error: what was read is then
// written and committed within ShutdownTimeout. It retries for as long as
// ClickHouse or Kafka are away, and returns an error only when going on would
// skip records, or when the configuration cannot work. Call it once.
func (s *Sink) Run(ctx context.Context) error {
	m := newMembership(s.cfg.Group, s.cfg.AcceptGaps, s.cfg.Log)
	opts := append(append(s.topics(),
		// Twice of what one flush takes: what is fetched during a flush.
		kgo.FetchMaxBytes(32<<20),
		kgo.FetchMaxPartitionBytes(4<<20),
	), append(s.cfg.Kafka[:len(s.cfg.Kafka):len(s.cfg.Kafka)], m.options()...)...)
	opts = append(opts, kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
		adjusted, err := m.adjust(ctx, offsets)
		if err != nil {
			s.cfg.Log.Warn("sink: cannot begin in the assigned partitions, trying again", "error", err)
		}
		return adjusted, err
	}))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("sink: kafka: %w", err)
	}
	defer client.Close()
	s.member.Store(client)
	defer s.member.Store(nil)
	defer s.away.Store(nil)
	r := &run{
		Sink: s, client: client, members: m, pending: s.newPending(),
		next: map[topicPartition]kgo.EpochOffset{}, lag: map[topicPartition]int64{}, fetchErrs: map[topicPartition]string{},
	}
	err = r.loop(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	if flushErr := r.flush(last); flushErr != nil {
		s.cfg.Log.Warn("sink: stopping with rows that are not written: they are read again at the next start",
			"rows", r.pending.rows, "error", flushErr)
	}
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	if leaveErr := client.LeaveGroupContext(leave); leaveErr != nil {
		s.cfg.Log.Warn("sink: cannot leave the group: its partitions wait for the session timeout", "error", leaveErr)
	}
	return err
}

// leaveTimeout bounds saying goodbye, which the others wait for less long than
// for a member that is simply gone.
const leaveTimeout = 2 * time.Second

// commitTimeout bounds one commit: the client would go on trying for longer
// than anything else may wait.
const commitTimeout = 5 * time.Second

// run is the state of one Run. One goroutine owns it.
type run struct {
	*Sink
	client  *kgo.Client
	members *membership
	pending *pending

	next        map[topicPartition]kgo.EpochOffset // first offsets not read
	lag         map[topicPartition]int64           // records that lie beyond
	fetchErrs   map[topicPartition]string          // what was last logged
	uncommitted bool
	flushAt     time.Time // when what waits must be written; zero while nothing waits
	down        string    // the remedy last logged, while ClickHouse does not take inserts
}

// maxPoll bounds the records of one poll.
const maxPoll = 5000

// pollRows is how many records are polled at a time: so many that no flush is
// larger than FlushRows.
func (r *run) pollRows() int { return min(maxPoll, r.cfg.FlushRows) }

// loop polls and flushes until ctx ends.
func (r *run) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		fetches := r.poll(ctx)
		if err := r.consume(ctx, fetches); err != nil {
			return err
		}
		for _, l := range r.members.takeLost() {
			r.pending.addLost(l)
		}
		waiting := r.uncommitted || !r.pending.empty()
		if waiting && r.flushAt.IsZero() {
			r.flushAt = time.Now().Add(r.cfg.FlushInterval)
		}
		r.metrics.buffered.Set(float64(r.pending.rows))
		full := r.pending.rows+r.pollRows() > r.cfg.FlushRows || r.pending.bytes >= r.cfg.FlushBytes
		if full || waiting && !time.Now().Before(r.flushAt) {
			if err := r.flush(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
	return nil
}

// poll waits for records, until the next flush is due.
func (r *run) poll(ctx context.Context) kgo.Fetches {
	if !r.flushAt.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.flushAt)
		defer cancel()
	}
	return r.client.PollRecords(ctx, r.pollRows())
}

// consume appends what was polled to what waits.
func (r *run) consume(ctx context.Context, fetches kgo.Fetches) (err error) {
	fetches.EachTopic(func(t kgo.FetchTopic) {
		t.EachPartition(func(p kgo.FetchPartition) {
			if p.Err != nil && err == nil {
				err = r.fetchError(ctx, t.Topic, p.Partition, p.Err)
			}
			if len(p.Records) > 0 && err == nil {
				err = r.take(&t, &p)
			}
		})
	})
	return err
}

// take appends the records of one partition.
func (r *run) take(t *kgo.FetchTopic, p *kgo.FetchPartition) error {
	switch t.Topic {
	case schemas.EventsTopic:
		if err := r.pending.addEvents(p.Partition, p.Records, r.members); err != nil {
			return err
		}
	case schemas.AlertsTopic:
		for _, rec := range p.Records {
			r.pending.addAlert(rec)
		}
	case schemas.DeadLettersTopic:
		for _, rec := range p.Records {
			r.pending.addDeadLetter(rec)
		}
	default: // a raw topic
		r.pending.addRaw(schemas.ID(t.TopicID), p.Records, r.raw)
	}
	r.metrics.records.WithLabelValues(r.label(t.Topic)).Add(float64(len(p.Records)))
	last, tp := p.Records[len(p.Records)-1], topicPartition{t.Topic, p.Partition}
	r.next[tp] = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
	r.lag[tp] = p.HighWatermark - last.Offset - 1
	r.uncommitted = true
	return nil
}

// flush writes what waits and commits the offsets. It returns an error only
// when ctx ends.
func (r *run) flush(ctx context.Context) error {
	r.pending.seal()
	for attempt := 0; ; attempt++ {
		err := r.pending.write(ctx, r.cfg.ClickHouse)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		if err := r.pause(ctx, attempt, err); err != nil {
			return err
		}
	}
	if r.down != "" {
		r.cfg.Log.Info("sink: ClickHouse takes inserts again")
		r.down = ""
	}
	r.away.Store(nil)
	r.metrics.up.Set(1)
	r.setLag()
	r.flushAt = time.Time{}
	r.commit(ctx)
	return nil
}

// setLag publishes how many records of the own partitions are not read yet.
func (r *run) setLag() {
	sums := map[string]int64{}
	for _, label := range r.labels() {
		sums[label] = 0
	}
	for p, n := range r.lag {
		if r.members.owns(p) {
			sums[r.label(p.topic)] += max(n, 0)
		}
	}
	for topic, n := range sums {
		r.metrics.lag.WithLabelValues(topic).Set(float64(n))
	}
}

// pause waits before the next attempt of an insert: twice as long each time,
// with jitter, and longer for what somebody has to repair. Polling rests
// meanwhile, but the client keeps the membership in the group.
func (r *run) pause(ctx context.Context, attempt int, err error) error {
	remedy, transient := Remedy(err)
	if r.down != remedy { // once for each change of what is wrong
		r.down = remedy
		if remedy == diskFull {
			remedy += disks(ctx, r.cfg.ClickHouse)
		}
		r.cfg.Log.Error("sink: ClickHouse takes no inserts; nothing is committed, nothing is lost, trying again",
			"error", err, "remedy", remedy, "rows", r.pending.rows)
		r.away.Store(&remedy)
	}
	r.metrics.up.Set(0)
	d := min(r.cfg.RetryMin<<min(attempt, 16), r.cfg.RetryMax)
	if !transient {
		d = r.cfg.RetryMax
	}
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit commits what is written, with the ledgers beside the offsets. A
// failure is no error: the next flush commits again, and a restart before it
// only writes rows again.
func (r *run) commit(ctx context.Context) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for p, next := range r.next {
		if !r.members.owns(p) {
			continue // a former owner must not move the offset of the present one
		}
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.EpochOffset{}
		}
		if p.topic == schemas.EventsTopic {
			// What was read twice after a rebalance is counted once.
			next.Offset = r.pending.ledgers[p.partition].next
		}
		offsets[p.topic][p.partition] = next
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	ctx = kgo.PreCommitFnContext(ctx, r.addMetadata)
	var failed error
	r.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, res *kmsg.OffsetCommitResponse, err error) {
		failed = commitError(res, err)
	})
	r.uncommitted = failed != nil
	if failed != nil {
		r.metrics.commitFails.Inc()
		r.cfg.Log.Warn("sink: cannot commit offsets, trying again with the next flush", "error", failed)
		return
	}
	clear(r.next)
}

// addMetadata puts the ledgers beside the offsets of parcel.events.
func (r *run) addMetadata(req *kmsg.OffsetCommitRequest) error {
	for i := range req.Topics {
		if req.Topics[i].Topic != schemas.EventsTopic {
			continue
		}
		for j := range req.Topics[i].Partitions {
			p := &req.Topics[i].Partitions[j]
			text := r.pending.ledgers[p.Partition].metadata()
			p.Metadata = &text
		}
	}
	return nil
}

// commitError returns the first error of a commit.
func commitError(res *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}
