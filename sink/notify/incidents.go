package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// catchUp is how long an incident goes on holding after its end: what the carrier
// sends first when its feed is back is what happened meanwhile, and withdraws most
// of the alerts that were held.
const catchUp = 10 * time.Minute

// maxIncidents bounds the incidents that are remembered: one for each feed.
const maxIncidents = 10_000

// incidents knows which carriers' feeds stand still. An incident lies in one
// partition and concerns alerts of all, whoever owns them: so every process reads
// all partitions, outside of any group, and keeps the alerts of rule feed_stale that
// mean silence.
type incidents struct {
	limit time.Duration // an older one counts as over: its end may have been lost
	now   func() time.Time
	log   *slog.Logger
	gauge prometheus.Gauge

	mu    sync.RWMutex
	feeds map[schemas.ID]feed // by alert
	open  map[string]int      // carrier -> feeds that stand still, or have just come back
}

// feed is the last that was heard of one incident.
type feed struct {
	carrier string
	version uint64
	open    bool
	since   time.Time // when it was first written, or when its end was
}

func newIncidents(limit time.Duration, now func() time.Time, log *slog.Logger, gauge prometheus.Gauge) *incidents {
	return &incidents{limit: limit, now: now, log: log, gauge: gauge, feeds: map[schemas.ID]feed{}, open: map[string]int{}}
}

// stale reports whether a feed of the carrier stands still.
func (s *incidents) stale(carrier string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open[carrier] > 0
}

// note takes a record of parcel.alerts.
func (s *incidents) note(value []byte, written time.Time) {
	if !bytes.Contains(value, []byte(schemas.RuleFeedStale)) {
		return // most records: not worth parsing
	}
	m, err := parse(value)
	if err != nil || !m.silence() || m.carrier == "" || m.backfill {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.feeds[m.key]
	if known && m.version < was.version || !known && len(s.feeds) >= maxIncidents {
		return
	}
	f := feed{carrier: m.carrier, version: m.version, since: written,
		open: m.status == schemas.AlertOpen || m.status == schemas.AlertEscalated}
	if was.open && f.open {
		f.since = was.since
	}
	s.feeds[m.key] = f
	s.recount()
}

// expire ends incidents that are too old to be true.
func (s *incidents) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, f := range s.feeds {
		if s.now().Sub(f.since) < s.limit {
			continue
		}
		if f.open {
			s.log.Warn("notify: the incident of a feed has lasted for too long and holds alerts no longer", "carrier", f.carrier, "since", f.since)
		}
		delete(s.feeds, id)
	}
	s.recount()
}

func (s *incidents) recount() {
	clear(s.open)
	for _, f := range s.feeds {
		if f.open || s.now().Sub(f.since) < catchUp {
			s.open[f.carrier]++
		}
	}
	s.gauge.Set(float64(len(s.open)))
}

// run reads until ctx ends. It closes ready once it has seen everything that was
// written before it began: until then nobody can tell what to hold.
func (s *incidents) run(ctx context.Context, kafka []kgo.Opt, ready chan<- struct{}) error {
	from := s.now().Add(-s.limit).UnixMilli()
	client, err := kgo.NewClient(append(kafka[:len(kafka):len(kafka)],
		kgo.ConsumeTopics(schemas.AlertsTopic), kgo.FetchMaxBytes(16<<20),
		kgo.ConsumeStartOffset(kgo.NewOffset().AfterMilli(from)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return fmt.Errorf("notify: kafka: %w", err)
	}
	defer client.Close()
	unread, err := s.backlog(ctx, client, from)
	if err != nil {
		return err
	}
	said := ""
	for ctx.Err() == nil {
		if ready != nil && len(unread) == 0 {
			close(ready)
			ready = nil
		}
		poll, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollRecords(poll, 10_000)
		cancel()
		fetches.EachError(func(_ string, p int32, err error) {
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) && err.Error() != said {
				said = err.Error()
				s.log.Warn("notify: cannot read the incidents, trying again", "partition", p, "err", err)
			}
		})
		fetches.EachRecord(func(r *kgo.Record) {
			s.note(r.Value, r.Timestamp)
			if end, ok := unread[r.Partition]; ok && r.Offset >= end-1 {
				delete(unread, r.Partition)
			}
		})
		s.expire()
	}
	return nil
}

// backlog returns the ends of the partitions that have records since from.
func (s *incidents) backlog(ctx context.Context, client *kgo.Client, from int64) (map[int32]int64, error) {
	adm := kadm.NewClient(client)
	starts, err := adm.ListOffsetsAfterMilli(ctx, from, schemas.AlertsTopic)
	if err != nil {
		return nil, fmt.Errorf("notify: list the offsets of %s: %w", schemas.AlertsTopic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, schemas.AlertsTopic)
	if err != nil {
		return nil, fmt.Errorf("notify: list the ends of %s: %w", schemas.AlertsTopic, err)
	}
	if err := errors.Join(starts.Error(), ends.Error()); err != nil {
		return nil, fmt.Errorf("notify: list the offsets of %s: %w", schemas.AlertsTopic, err)
	}
	unread := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Offset < end.Offset {
			unread[end.Partition] = end.Offset
		}
	})
	return unread, nil
}
