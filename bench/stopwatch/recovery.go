package stopwatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"

	"scantrail/detector"
	"scantrail/detector/shell"
	"scantrail/schemas"
)

// recoveryPartitions is how many machines share the parcels.
const recoveryPartitions = 4

// chunkBytes is the size of the chunks that the detector's shell writes.
const chunkBytes = 512 << 10

// Recovery fills machines with n open parcels of 12 scans and an order of five
// facts each, writes their snapshots to parcel.snapshots of an empty broker, and
// measures a process that starts from them: reading, checking and rebuilding, as
// many partitions at a time as there are processors. The replay of the log after
// the snapshot comes on top.
func Recovery(ctx context.Context, kafka []kgo.Opt, n int, say Progress) ([]Row, error) {
	each := max(n/recoveryPartitions, 1)
	n = each * recoveryPartitions
	w, err := newSnapshotWriter(ctx, kafka)
	if err != nil {
		return nil, err
	}
	defer w.client.Close()
	name := thousands(n) + " parcels"
	var written Lap
	var first Metrics
	for p := range int32(recoveryPartitions) {
		say("filling partition %d of %d with %d parcels and their orders", p+1, recoveryPartitions, each)
		before := held()
		s, _, err := filled(ctx, p, each, true, say)
		if err != nil {
			return nil, err
		}
		if p == 0 {
			first = held().since(before, each, s.Machine)
		}
		lap, err := w.write(ctx, p, s.Machine)
		if err != nil {
			return nil, err
		}
		written.add(lap)
	}
	before := held()
	say("recovering %s from %d MiB of snapshots", name, w.bytes>>20)
	machines, lap, err := recoverAll(ctx, kafka, w.admin)
	if err != nil {
		return nil, err
	}
	restored := held().since(before, n, machines...)
	total := 0
	for _, m := range machines {
		open, _, _ := m.Parcels()
		total += open
	}
	if total != n {
		return nil, fmt.Errorf("recovered %d of %d parcels", total, n)
	}
	return []Row{
		{"recovery", "state with orders, " + name, first},
		{"recovery", "the same, restored", restored},
		{"recovery", "snapshot written, " + name, Metrics{
			{"cpu_ns_per_parcel", written.CPUNanos(int64(n))}, {"parcels_per_cpu_second", written.PerCPUSecond(int64(n))},
			{"bytes_per_parcel", float64(w.bytes) / float64(n)}, {"seconds", written.Elapsed.Seconds()},
		}},
		{"recovery", "recovered from Kafka, " + name, Metrics{
			{"cpu_ns_per_parcel", lap.CPUNanos(int64(n))}, {"parcels_per_cpu_second", lap.PerCPUSecond(int64(n))},
			{"bytes_per_parcel", float64(w.bytes) / float64(n)}, {"seconds", lap.Elapsed.Seconds()},
		}},
	}, nil
}

// recoverAll does what an owner of all partitions does before it reads the log.
func recoverAll(ctx context.Context, kafka []kgo.Opt, admin *kadm.Client) ([]*detector.Machine, Lap, error) {
	snapshots := &shell.Snapshots{Kafka: kafka, Admin: admin, Generation: 1, Documents: &detector.Documents{}, Log: slog.New(slog.DiscardHandler)}
	machines, errs := make([]*detector.Machine, recoveryPartitions), make([]error, recoveryPartitions)
	ids := make([]int32, recoveryPartitions)
	for i := range ids {
		ids[i] = int32(i)
	}
	w := Begin()
	found, err := snapshots.Find(ctx, ids)
	if err != nil {
		return nil, Lap{}, err
	}
	var group sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, id := range ids {
		if len(found[id]) != 1 {
			return nil, Lap{}, fmt.Errorf("partition %d has %d snapshots, want 1: the broker is not empty", id, len(found[id]))
		}
		turns <- struct{}{}
		group.Go(func() {
			machines[i], errs[i] = snapshots.Load(ctx, id, &found[id][0])
			<-turns
		})
	}
	group.Wait()
	return machines, w.Lap(), errors.Join(errs...)
}

// snapshotWriter writes snapshots to Kafka in the format of the detector's shell.
type snapshotWriter struct {
	client *kgo.Client
	admin  *kadm.Client
	bytes  int64
}

func newSnapshotWriter(ctx context.Context, kafka []kgo.Opt) (*snapshotWriter, error) {
	client, err := kgo.NewClient(append(kafka[:len(kafka):len(kafka)],
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(minMetadataAge),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()), kgo.MaxBufferedBytes(32<<20))...)
	if err != nil {
		return nil, err
	}
	w := &snapshotWriter{client: client, admin: kadm.NewClient(client)}
	forever := "-1"
	_, err = w.admin.CreateTopic(ctx, recoveryPartitions, 1, map[string]*string{"retention.ms": &forever}, schemas.SnapshotsTopic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		client.Close()
		return nil, fmt.Errorf("creating %s: %w", schemas.SnapshotsTopic, err)
	}
	return w, nil
}

// write writes a machine's snapshot twice: once to measure, into nothing, and
// once to Kafka.
func (w *snapshotWriter) write(ctx context.Context, partition int32, m *detector.Machine) (Lap, error) {
	began := Begin()
	if err := m.WriteSnapshot(chunkBytes, func([]byte) error { return nil }); err != nil {
		return Lap{}, err
	}
	lap := began.Lap()
	manifest := shell.Manifest{Attempt: "stopwatch-" + strconv.Itoa(int(partition)), Generation: 1, Offset: m.Offset() + 1, Clock: m.Clock(), First: 0}
	hash := xxh3.New()
	var failed atomic.Pointer[error]
	send := func(key string, value []byte) error {
		r := &kgo.Record{
			Topic: schemas.SnapshotsTopic, Partition: partition, Key: []byte(key), Value: value,
			Headers: []kgo.RecordHeader{{Key: "attempt", Value: []byte(manifest.Attempt)}},
		}
		w.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
		return ctx.Err()
	}
	err := m.WriteSnapshot(chunkBytes, func(chunk []byte) error {
		n := manifest.Chunks
		manifest.Chunks++
		w.bytes += int64(len(chunk))
		hash.Write(chunk) //nolint:errcheck // a hash never fails
		return send(strconv.Itoa(n), append([]byte(nil), chunk...))
	})
	if err != nil {
		return lap, err
	}
	manifest.Checksum = hash.Sum64()
	body, err := json.Marshal(manifest)
	if err != nil {
		return lap, err
	}
	if err := send("manifest", body); err != nil {
		return lap, err
	}
	if err := w.client.Flush(ctx); err != nil {
		return lap, err
	}
	if err := failed.Load(); err != nil {
		return lap, *err
	}
	return lap, nil
}
