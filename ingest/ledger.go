package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
)

type topicPartition struct {
	topic     string
	partition int32
}

// ledger accounts for one source partition since the last multiple of
// schemas.RangeSpan offsets. It travels in the commit's metadata, so that the
// next owner goes on counting where this one stopped.
type ledger struct {
	schemas.Range
	backfillBelow int64 // offsets below are history: they lay there when the topic was first seen
	dirty         bool  // counts not yet written to the log
}

// advance notes that offset is being read, which may hold no record: count tells.
// When that leaves a span, it returns the finished one's account.
func (l *ledger) advance(offset int64) (finished schemas.Range, ok bool) {
	start := offset - offset%schemas.RangeSpan
	if start > l.First && (l.Records > 0 || l.Last > l.First) {
		finished, ok = l.Range, true
		finished.Last = finished.First - finished.First%schemas.RangeSpan + schemas.RangeSpan - 1
	}
	if start > l.First {
		l.First, l.Records, l.Events, l.DeadLetters, l.Empty = start, 0, 0, 0, 0
	}
	l.Last = offset
	l.dirty = true
	return finished, ok
}

// count notes what the record of the offset held.
func (l *ledger) count(events, rejected int) {
	l.Records++
	l.Events += int64(events)
	l.DeadLetters += int64(rejected)
	if events == 0 && rejected == 0 {
		l.Empty++
	}
}

// metadata is the text form of the ledger that goes with a commit.
func (l *ledger) metadata(now time.Time) string {
	return fmt.Sprintf("v1 t=%d b=%d f=%d r=%d e=%d d=%d n=%d", now.UnixMilli(),
		l.backfillBelow, l.First, l.Records, l.Events, l.DeadLetters, l.Empty)
}

// commitMetadata is what metadata says.
type commitMetadata struct {
	committedAt int64 // Unix milliseconds of ingest's clock
	ledger
}

func parseMetadata(s string) (m commitMetadata, ok bool) {
	n, err := fmt.Sscanf(s, "v1 t=%d b=%d f=%d r=%d e=%d d=%d n=%d", &m.committedAt,
		&m.backfillBelow, &m.First, &m.Records, &m.Events, &m.DeadLetters, &m.Empty)
	return m, err == nil && n == 7
}

// ledgers holds the ledgers of the assigned partitions. The assignment callback
// fills it while the poll loop may be reading.
type ledgers struct {
	mu sync.Mutex
	m  map[topicPartition]*ledger
}

func (ls *ledgers) put(tp topicPartition, l *ledger) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.m == nil {
		ls.m = map[topicPartition]*ledger{}
	}
	ls.m[tp] = l
}

func (ls *ledgers) of(tp topicPartition) *ledger {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.m[tp]
}

// ranges hands out the accounts that changed since the last call.
func (ls *ledgers) ranges(emit func(*schemas.Range)) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.m {
		if l.dirty {
			l.dirty = false
			emit(&l.Range)
		}
	}
}

// pending counts the accounts that are not yet in the log.
func (ls *ledgers) pending() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	n := 0
	for _, l := range ls.m {
		if l.dirty {
			n++
		}
	}
	return n
}

// assigned prepares newly owned partitions before their first record is
// fetched. After an error the client joins the group again.
func (s *Service) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	offsets, err := s.openLedgers(ctx, offsets)
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("cannot begin with the assigned partitions; trying again", "err", err)
	}
	return offsets, err
}

// openLedgers goes on with the ledgers that stand in the group's commits.
func (s *Service) openLedgers(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	topics := make([]string, 0, len(offsets))
	for t := range offsets {
		topics = append(topics, t)
	}
	if len(topics) == 0 {
		return offsets, nil
	}
	commits, err := s.admin.FetchOffsetsForTopics(ctx, schemas.IngestGroup, topics...)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("ingest: reading the group's commits: %w", err)
	}
	ends, err := s.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("ingest: reading end offsets: %w", err)
	}
	details, err := s.admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("ingest: reading topic ids: %w", err)
	}
	for t, ps := range offsets {
		for p := range ps {
			l := &ledger{}
			commit, ok := commits.Lookup(t, p)
			if m, parsed := parseMetadata(commit.Metadata); ok && commit.At >= 0 && parsed {
				*l = m.ledger
				l.Last = commit.At - 1
				l.dirty = l.Last >= l.First
			} else if end, ok := ends.Lookup(t, p); ok && commit.At < 0 {
				l.backfillBelow = end.Offset
			}
			// Named here, so that an account is told even if no record follows.
			l.Topic, l.TopicID, l.Partition = t, schemas.ID(details[t].ID), p
			s.ledgers.put(topicPartition{t, p}, l)
		}
	}
	return offsets, nil
}

// revoked forgets partitions that another member owns now: their commits are
// no longer this one's business.
func (s *Service) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.ledgers.mu.Lock()
	defer s.ledgers.mu.Unlock()
	for t, ps := range gone {
		for _, p := range ps {
			delete(s.ledgers.m, topicPartition{t, p})
		}
	}
}

// commit is where a batch leaves one source partition.
type commit struct {
	topicPartition
	kgo.EpochOffset
	metadata string
}

// commitOf is the commit after a partition's last record of a batch, with its
// ledger as it stands then.
func (s *Service) commitOf(last *kgo.Record, now time.Time) commit {
	tp := topicPartition{last.Topic, last.Partition}
	return commit{tp, kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}, s.ledgers.of(tp).metadata(now)}
}

// commit commits a batch. A refused commit loses nothing: whoever owns the
// partition now reads the batch again, and its facts are the same.
func (s *Service) commit(ctx context.Context, b *batch) {
	offsets, metadata := map[string]map[int32]kgo.EpochOffset{}, map[topicPartition]string{}
	for _, c := range b.commits {
		if s.ledgers.of(c.topicPartition) == nil {
			continue // lost since: a late commit must not move the new owner's back
		}
		if offsets[c.topic] == nil {
			offsets[c.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[c.topic][c.partition] = c.EpochOffset
		metadata[c.topicPartition] = c.metadata
	}
	if len(offsets) == 0 {
		return
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for i := range req.Topics {
			for j := range req.Topics[i].Partitions {
				p := &req.Topics[i].Partitions[j]
				if m, ok := metadata[topicPartition{req.Topics[i].Topic, p.Partition}]; ok {
					p.Metadata = kmsg.StringPtr(m)
				}
			}
		}
		return nil
	})
	s.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			s.cfg.Log.Warn("commit refused; the batch may be read again", "group", schemas.IngestGroup, "err", err)
		}
	})
}
