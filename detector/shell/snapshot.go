package shell

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/segmentio/encoding/json"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"

	"scantrail/schemas"
)

const (
	chunkBytes    = 512 << 10 // below the usual message.max.bytes of 1 MiB
	keepSnapshots = 3
	manifestKey   = "manifest"
	attemptHeader = "attempt"
)

// Manifest completes a snapshot: the chunks of its attempt count only when it
// is there and its checksum agrees.
type Manifest struct {
	Attempt    string `json:"attempt"` // random: an owner that wakes up cannot mix its chunks with another's
	Generation uint16 `json:"generation"`
	Offset     int64  `json:"offset"` // of the first record that the snapshot does not cover
	Clock      int64  `json:"clock"`
	First      int64  `json:"first"` // offset of the first chunk in parcel.snapshots
	Chunks     int    `json:"chunks"`
	Checksum   uint64 `json:"checksum,string"` // xxh3 over all chunks in order
	Bytes      int64  `json:"bytes,omitempty"` // of all chunks; 0 in older ones

	At time.Time `json:"-"` // of its record; only Latest sets it
	at int64     // its own offset in parcel.snapshots
}

// newer reports whether m covers more of the log than o.
func (m *Manifest) newer(o *Manifest) bool {
	if m.Generation != o.Generation {
		return m.Generation > o.Generation
	}
	return m.Offset > o.Offset
}

// dueForSnapshot returns the partition whose last snapshot is oldest, if it is
// due and something happened since. One at a time: alerting waits for it.
func (s *Shell) dueForSnapshot(now time.Time) *partition {
	var due *partition
	for _, p := range s.owned() {
		if now.Sub(p.snapshotAt) < s.cfg.SnapshotInterval || p.next.Load() == p.snapshot {
			continue
		}
		if due == nil || p.snapshotAt.Before(due.snapshotAt) {
			due = p
		}
	}
	return due
}

// takeSnapshot writes p's state. Everything that p published before must be
// acknowledged already.
func (s *Shell) takeSnapshot(ctx context.Context, p *partition) error {
	started := time.Now()
	next := p.next.Load()
	if next == p.snapshot {
		return nil
	}
	m := Manifest{Attempt: newAttempt(), Generation: s.cfg.Generation, Offset: next, Clock: p.machine.Clock()}
	client, err := kgo.NewClient(append(s.cfg.Kafka[:len(s.cfg.Kafka):len(s.cfg.Kafka)],
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.MaxBufferedBytes(32<<20))...)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer client.Close()
	size, err := writeChunks(ctx, client, p, &m)
	if err != nil {
		return fmt.Errorf("snapshot of %s/%d: %w", schemas.EventsTopic, p.id, err)
	}
	m.Bytes = int64(size)
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	rec := snapshotRecord(p.id, manifestKey, m.Attempt, body)
	if err := client.ProduceSync(ctx, rec).FirstErr(); err != nil {
		return fmt.Errorf("snapshot of %s/%d: manifest: %w", schemas.EventsTopic, p.id, err)
	}
	m.at = rec.Offset
	p.snapshotAt, p.snapshot = time.Now(), next
	p.manifests = append(p.manifests, m)
	s.cfg.Metrics.snapshot(size, time.Since(started))
	s.deleteOld(ctx, p)
	return nil
}

// writeChunks produces the chunks and fills in what the manifest says of them.
func writeChunks(ctx context.Context, client *kgo.Client, p *partition, m *Manifest) (size int, err error) {
	hash := xxh3.New()
	var failed atomic.Pointer[error]
	var first atomic.Int64
	first.Store(-1)
	err = p.machine.WriteSnapshot(chunkBytes, func(chunk []byte) error {
		n := m.Chunks
		m.Chunks++
		size += len(chunk)
		hash.Write(chunk) //nolint:errcheck // a hash never fails
		rec := snapshotRecord(p.id, fmt.Sprint(n), m.Attempt, append([]byte(nil), chunk...))
		client.Produce(ctx, rec, func(r *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			} else if n == 0 {
				first.Store(r.Offset)
			}
		})
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := client.Flush(ctx); err != nil {
		return 0, err
	}
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	m.First, m.Checksum = first.Load(), hash.Sum64()
	return size, nil
}

func snapshotRecord(partition int32, key, attempt string, value []byte) *kgo.Record {
	return &kgo.Record{
		Topic: schemas.SnapshotsTopic, Partition: partition, Key: []byte(key), Value: value,
		Headers: []kgo.RecordHeader{{Key: attemptHeader, Value: []byte(attempt)}},
	}
}

func newAttempt() string {
	var b [12]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// deleteOld deletes what lies below the oldest snapshot that is kept. A failure
// costs space only.
func (s *Shell) deleteOld(ctx context.Context, p *partition) {
	if len(p.manifests) <= keepSnapshots {
		return
	}
	p.manifests = p.manifests[len(p.manifests)-keepSnapshots:]
	below := p.manifests[0].First
	for _, m := range p.manifests {
		below = min(below, m.First)
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(schemas.SnapshotsTopic, p.id, below, -1)
	if _, err := s.admin.DeleteRecords(ctx, offsets); err != nil {
		s.cfg.Log.Warn("old snapshots not deleted", "partition", p.id, "err", err)
	}
}
