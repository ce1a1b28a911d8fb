package stopwatch

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// LogRecords returns the first n events of a world as records of parcel.events,
// fewer where the world holds fewer. received stamps them, Unix milliseconds.
func LogRecords(reg *carriers.Registry, w *world.World, n int, received int64) ([]*kgo.Record, error) {
	d := reg.NewDecoder(carriers.Limits{})
	var enc schemas.Encoder
	var records []*kgo.Record
	rec := schemas.Record{Kind: schemas.KindEvent}
	err := eachRaw(w, func(carrier string, value []byte) error {
		src := carriers.Source{Topic: schemas.RawTopicPrefix + carrier, Offset: int64(len(records)), ReceivedAt: received}
		for _, e := range d.Decode(carrier, value, src).Events {
			if len(records) == n {
				return errEnough
			}
			rec.Event = e
			records = append(records, &kgo.Record{Topic: schemas.EventsTopic, Offset: int64(len(records)), Key: []byte(e.TrackingNumber), Value: enc.Append(nil, &rec)})
		}
		return nil
	})
	return records, err
}

// Log measures one event of the log being encoded and decoded.
func Log(reg *carriers.Registry, budget time.Duration) ([]Row, error) {
	records, err := LogRecords(reg, world.New(world.Config{Seed: 1, Parcels: 500}), 2000, 1_790_000_000_000)
	if err != nil {
		return nil, err
	}
	decoded, size := make([]schemas.Record, len(records)), 0
	var enc schemas.Encoder
	var buf []byte
	for i, r := range records {
		size += len(r.Value)
		if err := decoded[i].Decode(slices.Clone(r.Value)); err != nil {
			return nil, err
		}
	}
	encode := func() error {
		for i := range decoded {
			buf = enc.Append(buf[:0], &decoded[i])
		}
		return nil
	}
	var rec schemas.Record
	decode := func() error {
		for _, r := range records {
			if err := rec.Decode(r.Value); err != nil {
				return err
			}
		}
		return nil
	}
	var rows []Row
	for _, c := range []struct {
		name string
		f    func() error
	}{{"encode one event", encode}, {"decode one event", decode}} {
		times, lap, err := repeat(budget, c.f)
		if err != nil {
			return nil, err
		}
		n := times * int64(len(records))
		rows = append(rows, Row{"log", c.name, Metrics{
			{"cpu_ns_per_event", lap.CPUNanos(n)}, {"events_per_cpu_second", lap.PerCPUSecond(n)},
			{"allocs_per_event", float64(lap.Mallocs) / float64(n)}, {"bytes_per_event", float64(size) / float64(len(records))},
		}})
	}
	return rows, nil
}
