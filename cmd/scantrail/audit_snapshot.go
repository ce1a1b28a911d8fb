package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"

	"scantrail/detector"
	"scantrail/schemas"
)

// snapshotHead is the manifest that completes a snapshot of the detector.
type snapshotHead struct {
	Attempt    string `json:"attempt"`
	Generation uint16 `json:"generation"`
	Offset     int64  `json:"offset"` // first one that it does not cover
	First      int64  `json:"first"`
	Chunks     int    `json:"chunks"`
	Checksum   uint64 `json:"checksum,string"`

	at int64
}

var errNoSnapshot = errors.New("no snapshot in " + schemas.SnapshotsTopic + " reaches back to there and is whole, so this partition cannot be replayed; --replay needs a longer retention of " + schemas.EventsTopic)

// oldestSnapshot returns the state with which the oldest usable snapshot begins,
// and the first offset that it does not cover.
func (a *audit) oldestSnapshot(ctx context.Context, p logPartition) (*detector.Machine, int64, error) {
	starts, err := a.admin.ListStartOffsets(ctx, schemas.SnapshotsTopic)
	if err != nil {
		return nil, 0, err
	}
	ends, err := a.admin.ListEndOffsets(ctx, schemas.SnapshotsTopic)
	if err != nil {
		return nil, 0, err
	}
	start, _ := starts.Lookup(schemas.SnapshotsTopic, p.id)
	end, _ := ends.Lookup(schemas.SnapshotsTopic, p.id)
	var heads []snapshotHead
	err = a.readOffsets(ctx, schemas.SnapshotsTopic, p.id, start.Offset, end.Offset, func(r *kgo.Record) error {
		h := snapshotHead{at: r.Offset}
		if string(r.Key) == "manifest" && json.Unmarshal(r.Value, &h) == nil && h.Offset >= p.start && h.First >= start.Offset && h.Generation <= a.o.Generation {
			heads = append(heads, h)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for _, h := range heads {
		m, err := a.loadSnapshot(ctx, p.id, h)
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if err == nil {
			return m, h.Offset, nil
		}
		a.note("the snapshot at offset %d cannot be used: %v", h.Offset, err)
	}
	return nil, 0, errNoSnapshot
}

func (a *audit) loadSnapshot(ctx context.Context, partition int32, h snapshotHead) (*detector.Machine, error) {
	m, hash, chunks := detector.NewMachine(partition, a.o.Generation), xxh3.New(), 0
	err := a.readOffsets(ctx, schemas.SnapshotsTopic, partition, h.First, h.at, func(r *kgo.Record) error {
		if attempt := headerOf(r, "attempt"); attempt != h.Attempt || string(r.Key) == "manifest" {
			return nil
		}
		if string(r.Key) != strconv.Itoa(chunks) {
			return fmt.Errorf("chunk %d is missing", chunks)
		}
		chunks++
		hash.Write(r.Value) //nolint:errcheck // a hash never fails
		return m.ReadChunk(r.Value)
	})
	if err != nil {
		return nil, err
	}
	if chunks != h.Chunks || hash.Sum64() != h.Checksum {
		return nil, fmt.Errorf("%d of %d chunks, or its checksum differs", chunks, h.Chunks)
	}
	return m, m.FinishRestore()
}

func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
