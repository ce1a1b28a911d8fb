package shell

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/detector"
	"scantrail/schemas"
)

// assigned restores newly owned partitions before their first record is
// fetched. After an error the client joins the group again.
func (s *Shell) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	s.begins.start(len(offsets[schemas.EventsTopic]))
	offsets, err := s.restoreAll(ctx, offsets)
	s.begins.end(err)
	if err != nil && ctx.Err() == nil {
		s.cfg.Metrics.RestoreFailures.Inc()
		s.cfg.Log.Warn("cannot begin with the assigned partitions; trying again", "err", err)
	}
	return offsets, err
}

// restoreAll starts each partition at its best snapshot, never at the group's
// commit.
func (s *Shell) restoreAll(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	mine := offsets[schemas.EventsTopic]
	ids := make([]int32, 0, len(mine))
	for id := range mine {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) == 0 {
		return offsets, nil
	}
	started := time.Now()
	found, err := s.snapshots().Find(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("detector: looking for snapshots: %w", err)
	}
	parts, err := s.restoreEach(ctx, ids, found)
	if err != nil {
		return nil, err
	}
	total := 0
	for _, p := range parts {
		p.replay = mine[p.id].EpochOffset().Offset // below 0 without a commit
		p.tickAt.Store(time.Now().UnixMilli())
		// The log must be whole from there on: a start above it is an error.
		mine[p.id] = kgo.NewOffset().At(p.next.Load())
		_, _, n := p.machine.Parcels()
		total += n
		s.mu.Lock()
		s.parts[p.id] = p
		s.mu.Unlock()
	}
	s.cfg.Metrics.RestoreSeconds.Observe(time.Since(started).Seconds())
	s.cfg.Log.Info("partitions restored", "partitions", len(ids), "parcels", total, "took", time.Since(started).Round(time.Millisecond))
	return offsets, nil
}

// restoreEach restores the partitions, as many at a time as there are processors.
func (s *Shell) restoreEach(ctx context.Context, ids []int32, found map[int32][]Manifest) ([]*partition, error) {
	parts, errs := make([]*partition, len(ids)), make([]error, len(ids))
	var group sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, id := range ids {
		turns <- struct{}{}
		group.Go(func() {
			if parts[i], errs[i] = s.restore(ctx, id, found[id]); errs[i] == nil {
				errs[i] = s.acceptGap(ctx, parts[i])
			}
			<-turns
		})
	}
	group.Wait()
	return parts, errors.Join(errs...)
}

// acceptGap goes on at the start of the log where that lies behind the snapshot,
// if that was asked for, and notes what is missing.
func (s *Shell) acceptGap(ctx context.Context, p *partition) error {
	if !s.cfg.AcceptGaps {
		return nil
	}
	starts, err := s.admin.ListStartOffsets(ctx, schemas.EventsTopic)
	if err != nil {
		return fmt.Errorf("detector: start of %s: %w", schemas.EventsTopic, err)
	}
	start, next := offsetIn(starts, schemas.EventsTopic, p.id), p.next.Load()
	if start <= next {
		return nil
	}
	detail := fmt.Sprintf("detector: records %d to %d of partition %d were deleted before they were applied: trails of its parcels may have holes", next, start-1, p.id)
	if err := s.cfg.Archive.InsertGap(ctx, p.id, next, start-1, detail); err != nil {
		return fmt.Errorf("detector: noting a gap: %w", err)
	}
	s.cfg.Log.Warn(detail)
	p.next.Store(start)
	return nil
}

// revoked forgets partitions that another owner continues.
func (s *Shell) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.begins.end(nil) // what could not be restored is another's now
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range gone[schemas.EventsTopic] {
		delete(s.parts, id)
	}
}

// restore builds the machine of one partition from the newest snapshot whose
// chunks are whole, or an empty one when there is none.
func (s *Shell) restore(ctx context.Context, id int32, found []Manifest) (*partition, error) {
	slices.SortFunc(found, func(a, b Manifest) int {
		if a.newer(&b) {
			return -1
		}
		return 1
	})
	for i := range found {
		m := &found[i]
		machine, err := s.snapshots().Load(ctx, id, m)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.cfg.Log.Error("snapshot is damaged; the one before it is used", "partition", id, "attempt", m.Attempt, "err", err)
			continue
		}
		p := &partition{id: id, machine: machine, snapshot: m.Offset, snapshotAt: time.Now(), manifests: oldestFirst(found[i:])}
		p.next.Store(m.Offset)
		p.clock.Store(machine.Clock())
		return p, nil
	}
	if len(found) > 0 {
		return nil, fmt.Errorf("detector: partition %d: all %d snapshots are damaged; the log from its start may be gone, so nothing is rebuilt without being asked: delete the records of %s/%d to replay the log from its start",
			id, len(found), schemas.SnapshotsTopic, id)
	}
	return &partition{id: id, machine: detector.NewMachine(id, s.cfg.Generation, detector.WithDocuments(&s.documents)), snapshotAt: time.Now()}, nil
}

func oldestFirst(newestFirst []Manifest) []Manifest {
	kept := slices.Clone(newestFirst[:min(len(newestFirst), keepSnapshots)])
	slices.Reverse(kept)
	return kept
}

func (s *Shell) snapshots() *Snapshots {
	return &Snapshots{Kafka: s.cfg.Kafka, Admin: s.admin, Generation: s.cfg.Generation, Documents: &s.documents, Log: s.cfg.Log}
}
