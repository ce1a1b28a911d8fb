package shell

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/segmentio/encoding/json"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"

	"scantrail/detector"
	"scantrail/schemas"
)

// Snapshots reads what owners of partitions have written to parcel.snapshots.
type Snapshots struct {
	Kafka      []kgo.Opt
	Admin      *kadm.Client
	Generation uint16              // of the machines; snapshots of a later one are passed over
	Documents  *detector.Documents // that the machines share; nil: each has its own
	Patience   time.Duration       // with a broker that does not answer; 0: until the context ends
	Log        *slog.Logger
}

// Find returns the manifests of the given partitions that this generation may
// use, in the order in which they were written.
func (s *Snapshots) Find(ctx context.Context, ids []int32) (map[int32][]Manifest, error) {
	starts, err := s.Admin.ListStartOffsets(ctx, schemas.SnapshotsTopic)
	if err != nil {
		return nil, err
	}
	ends, err := s.Admin.ListEndOffsets(ctx, schemas.SnapshotsTopic)
	if err != nil {
		return nil, err
	}
	from, to := map[int32]int64{}, map[int32]int64{}
	for _, id := range ids {
		start, end := offsetIn(starts, schemas.SnapshotsTopic, id), offsetIn(ends, schemas.SnapshotsTopic, id)
		if start < end {
			from[id], to[id] = start, end
		}
	}
	found := map[int32][]Manifest{}
	err = s.scan(ctx, from, to, func(r *kgo.Record) error {
		if string(r.Key) != manifestKey {
			return nil
		}
		m := Manifest{at: r.Offset}
		if err := json.Unmarshal(r.Value, &m); err != nil {
			s.Log.Error("manifest skipped", "partition", r.Partition, "offset", r.Offset, "err", err)
		} else if m.Generation <= s.Generation && m.First >= from[r.Partition] && m.First < r.Offset {
			found[r.Partition] = append(found[r.Partition], m)
		}
		return nil
	})
	return found, err
}

// tailRecords bounds what Latest reads of a partition whose last record is no
// manifest, since a snapshot is being written.
const tailRecords = 16

// Latest returns the newest manifest of each partition, with the time at which it was
// written, by reading the end of parcel.snapshots alone. A partition without a
// snapshot, or with one that is being written right now, is not there.
func (s *Snapshots) Latest(ctx context.Context, ids []int32) (map[int32]Manifest, error) {
	starts, err := s.Admin.ListStartOffsets(ctx, schemas.SnapshotsTopic)
	if err != nil {
		return nil, err
	}
	ends, err := s.Admin.ListEndOffsets(ctx, schemas.SnapshotsTopic)
	if err != nil {
		return nil, err
	}
	found := map[int32]Manifest{}
	for _, tail := range []int64{1, tailRecords} {
		from, to := map[int32]int64{}, map[int32]int64{}
		for _, id := range ids {
			start, end := offsetIn(starts, schemas.SnapshotsTopic, id), offsetIn(ends, schemas.SnapshotsTopic, id)
			if _, ok := found[id]; !ok && start < end {
				from[id], to[id] = max(start, end-tail), end
			}
		}
		err := s.scan(ctx, from, to, func(r *kgo.Record) error {
			m := Manifest{at: r.Offset, At: r.Timestamp}
			if string(r.Key) == manifestKey && json.Unmarshal(r.Value, &m) == nil && m.Generation <= s.Generation {
				found[r.Partition] = m
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func offsetIn(listed kadm.ListedOffsets, topic string, id int32) int64 {
	o, ok := listed.Lookup(topic, id)
	if !ok || o.Err != nil {
		return 0
	}
	return o.Offset
}

var errChunks = errors.New("chunks missing or out of order")

// Load reads the chunks of one snapshot into a new machine.
func (s *Snapshots) Load(ctx context.Context, id int32, m *Manifest) (*detector.Machine, error) {
	machine := detector.NewMachine(id, s.Generation, detector.WithDocuments(s.Documents))
	hash := xxh3.New()
	chunks := 0
	err := s.scan(ctx, map[int32]int64{id: m.First}, map[int32]int64{id: m.at}, func(r *kgo.Record) error {
		if string(r.Key) == manifestKey || attemptOf(r) != m.Attempt {
			return nil
		}
		if string(r.Key) != strconv.Itoa(chunks) {
			return errChunks
		}
		chunks++
		hash.Write(r.Value) //nolint:errcheck // a hash never fails
		return machine.ReadChunk(r.Value)
	})
	if err != nil {
		return nil, err
	}
	if chunks != m.Chunks || hash.Sum64() != m.Checksum {
		return nil, fmt.Errorf("%w: %d of %d chunks, checksum %x, want %x", errChunks, chunks, m.Chunks, hash.Sum64(), m.Checksum)
	}
	return machine, machine.FinishRestore()
}

func attemptOf(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == attemptHeader {
			return string(h.Value)
		}
	}
	return ""
}

// scan reads parcel.snapshots from one offset up to another in each partition.
func (s *Snapshots) scan(ctx context.Context, from, to map[int32]int64, each func(*kgo.Record) error) error {
	if len(from) == 0 {
		return nil
	}
	at := map[int32]kgo.Offset{}
	for id, o := range from {
		at[id] = kgo.NewOffset().At(o)
	}
	client, err := kgo.NewClient(append(s.Kafka[:len(s.Kafka):len(s.Kafka)],
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schemas.SnapshotsTopic: at}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	for open := len(from); open > 0; {
		fetches := s.poll(ctx, client)
		if err := fetches.Err0(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("reading %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			if failed != nil || r.Offset >= to[r.Partition] {
				return
			}
			failed = each(r)
			if r.Offset == to[r.Partition]-1 {
				open--
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

func (s *Snapshots) poll(ctx context.Context, client *kgo.Client) kgo.Fetches {
	if s.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.Patience)
		defer cancel()
	}
	return client.PollFetches(ctx)
}
