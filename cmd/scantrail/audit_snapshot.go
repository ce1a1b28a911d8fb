package main

import (
	"context"
	"errors"

	"scantrail/detector"
	"scantrail/detector/shell"
	"scantrail/schemas"
)

var errNoSnapshot = errors.New("no snapshot in " + schemas.SnapshotsTopic + " reaches back to there and is whole, so this partition cannot be replayed; --replay needs a longer retention of " + schemas.EventsTopic)

// oldestSnapshot returns the state with which the oldest usable snapshot begins,
// and the first offset that it does not cover.
func (a *audit) oldestSnapshot(ctx context.Context, p logPartition) (*detector.Machine, int64, error) {
	snapshots := shell.Snapshots{Kafka: a.o.Kafka, Admin: a.admin, Generation: a.o.Generation, Patience: ledgerPatience, Log: a.o.Log}
	found, err := snapshots.Find(ctx, []int32{p.id})
	if err != nil {
		return nil, 0, err
	}
	for i := range found[p.id] {
		s := &found[p.id][i]
		if s.Offset < p.start {
			continue
		}
		m, err := snapshots.Load(ctx, p.id, s)
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if err == nil {
			return m, s.Offset, nil
		}
		a.note("the snapshot at offset %d cannot be used: %v", s.Offset, err)
	}
	return nil, 0, errNoSnapshot
}
