package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// Ticker writes the clock into the log: one tick into every partition of
// parcel.events. A tick's time is the present, or, while raw records wait to be
// ingested, the time at which a ticker first saw the oldest of them wait. So
// Scantrail's own lag never looks like a carrier's silence. Several tickers in
// several processes are harmless: the clock only moves forward. A tick also says
// up to which clock the detector has forwarded what belongs to other partitions,
// and whether history is being read.
type Ticker struct {
	cfg     TickerConfig
	client  *kgo.Client
	admin   *kadm.Client
	raw     map[topicPartition]*backlog
	owners  owners
	encoder schemas.Encoder
	written atomic.Int64 // Unix milliseconds of cfg.Now at the last tick; 0 before it
}

// TickerConfig is what a Ticker needs from outside.
type TickerConfig struct {
	Kafka      []kgo.Opt
	Partitions int32         // of parcel.events
	Interval   time.Duration // between ticks
	StallAfter time.Duration // without progress, time goes on without a raw partition
	Now        func() time.Time
	Log        *slog.Logger
	Metrics    *Metrics
}

// backlog remembers when which end of a raw partition was first seen, for the
// ends that are not yet ingested.
type backlog struct {
	seen       []sighting
	committed  int64
	history    int64     // offsets below lay there when the topic was first seen
	progressAt time.Time // of the last change of committed, or the first sight
	stalled    bool
}

// maxSightings bounds the memory of a partition that stays behind.
const maxSightings = 1024

type sighting struct {
	at  time.Time
	end int64
}

// NewTicker connects nothing yet.
func NewTicker(cfg TickerConfig) (*Ticker, error) {
	opts := append(cfg.Kafka[:len(cfg.Kafka):len(cfg.Kafka)], kgo.RecordPartitioner(kgo.ManualPartitioner()))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("ticker: %w", err)
	}
	return &Ticker{
		cfg: cfg, client: client, admin: kadm.NewClient(client), raw: map[topicPartition]*backlog{},
		owners: owners{parts: make([]owner, cfg.Partitions)},
	}, nil
}

// Close releases the connections.
func (t *Ticker) Close() { t.client.Close() }

// Run ticks until ctx ends. A tick that fails is tried again at the next
// interval: time then stands still, which delays alerts and invents none.
func (t *Ticker) Run(ctx context.Context) error {
	timer := time.NewTicker(t.cfg.Interval)
	defer timer.Stop()
	failing := false
	for {
		err := t.Tick(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			t.cfg.Log.Warn("no tick written: time stands still and no alert opens until Kafka answers", "err", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// Tick looks at the raw topics once and writes one tick into every partition.
func (t *Ticker) Tick(ctx context.Context) error {
	now := t.cfg.Now()
	if err := t.look(ctx, now); err != nil {
		return err
	}
	if err := t.lookAtOwners(ctx, now); err != nil {
		return err
	}
	tick := t.next(now)
	rec := schemas.Record{Kind: schemas.KindTick, Tick: tick}
	value := t.encoder.Append(nil, &rec)
	records := make([]*kgo.Record, t.cfg.Partitions)
	for p := range records {
		records[p] = &kgo.Record{Topic: schemas.EventsTopic, Partition: int32(p), Value: value}
	}
	if err := t.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("ticker: %w", err)
	}
	t.owners.lastTick = max(t.owners.lastTick, tick.At)
	t.written.Store(now.UnixMilli())
	t.cfg.Metrics.Ticks.Inc()
	t.cfg.Metrics.TickTime.Set(float64(tick.At) / 1000)
	return nil
}

// Written returns when the last tick was written, the zero time before it. That
// says nothing of the tick's own time, which waits for what is not ingested.
func (t *Ticker) Written() time.Time {
	if at := t.written.Load(); at != 0 {
		return time.UnixMilli(at)
	}
	return time.Time{}
}

// look compares every raw partition's end with what ingest has committed.
func (t *Ticker) look(ctx context.Context, now time.Time) error {
	topics, err := t.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("ticker: listing topics: %w", err)
	}
	var raw []string
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, schemas.RawTopicPrefix) || name == schemas.OrdersTopic {
			raw = append(raw, name)
		}
	}
	if len(raw) == 0 {
		t.cfg.Metrics.RawLag.Set(0)
		return nil
	}
	// Commits first: an end read later can only be higher, so that a partition
	// may look behind when it is not, and never the other way round.
	commits, err := t.admin.FetchOffsets(ctx, schemas.IngestGroup)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // a group that nobody joined yet has no commits
		return fmt.Errorf("ticker: reading the commits of %s: %w", schemas.IngestGroup, err)
	}
	ends, err := t.admin.ListEndOffsets(ctx, raw...)
	if err != nil {
		return fmt.Errorf("ticker: reading end offsets: %w", err)
	}
	starts, err := t.admin.ListStartOffsets(ctx, raw...)
	if err != nil {
		return fmt.Errorf("ticker: reading start offsets: %w", err)
	}
	lag := int64(0)
	defer func() { t.cfg.Metrics.RawLag.Set(float64(lag)) }()
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err != nil {
			return
		}
		since, committed, history := now, int64(0), o.Offset
		if s, ok := starts.Lookup(o.Topic, o.Partition); ok {
			committed = s.Offset // no commit means log start
		}
		if c, ok := commits.Lookup(o.Topic, o.Partition); ok && c.At >= 0 {
			committed, history = max(committed, c.At), 0
			if m, ok := parseMetadata(c.Metadata); ok {
				since, history = time.UnixMilli(m.committedAt), m.backfillBelow
			}
		}
		lag += max(o.Offset-committed, 0)
		t.see(topicPartition{o.Topic, o.Partition}, o.Offset, committed, history, since, now)
	})
	return nil
}

// see notes one raw partition. since bounds how long a partition that this
// ticker sees for the first time may have been behind, and offsets below history
// lay there when ingest first saw it: of one without a commit, or the ticker did.
func (t *Ticker) see(tp topicPartition, end, committed, history int64, since, now time.Time) {
	b := t.raw[tp]
	at := now
	if b == nil {
		b = &backlog{committed: committed, history: history, progressAt: now}
		t.raw[tp] = b
		if since.Before(now) {
			at = since
		}
	}
	if committed != b.committed {
		b.committed, b.history, b.progressAt = committed, history, now
	}
	for len(b.seen) > 0 && b.seen[0].end <= committed {
		b.seen = b.seen[1:]
	}
	switch n := len(b.seen); {
	case end <= committed || n > 0 && b.seen[n-1].end >= end:
	case n == maxSightings: // an end seen later, booked under an earlier time, holds the clock longer, never shorter
		b.seen[n-1].end = end
	default:
		b.seen = append(b.seen, sighting{at, end})
	}
	if len(b.seen) == 0 {
		b.seen, b.progressAt = nil, now
	}
	b.stalled = now.Sub(b.progressAt) >= t.cfg.StallAfter
}

// next returns the tick for what was last seen.
func (t *Ticker) next(now time.Time) schemas.Tick {
	tick := schemas.Tick{At: now.UnixMilli()}
	behind := 0
	for tp, b := range t.raw {
		if len(b.seen) == 0 {
			continue
		}
		behind++
		if b.stalled {
			tick.Stalled = append(tick.Stalled, fmt.Sprintf("%s/%d", tp.topic, tp.partition))
			continue
		}
		tick.At = min(tick.At, b.seen[0].at.UnixMilli())
		tick.History = tick.History || b.committed < b.history
	}
	slices.Sort(tick.Stalled)
	forwarded, stuck := t.owners.through()
	tick.ForwardedThrough = min(forwarded, tick.At)
	t.cfg.Metrics.Forwarded.Set(float64(tick.ForwardedThrough) / 1000)
	t.cfg.Metrics.OwnersStuck.Set(float64(stuck))
	t.cfg.Metrics.Behind.Set(float64(behind))
	t.cfg.Metrics.Stalled.Set(float64(len(tick.Stalled)))
	return tick
}
