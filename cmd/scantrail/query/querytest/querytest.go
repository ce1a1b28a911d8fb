// Package querytest gives tests of what people read a database to read: a small
// simulated world as the whole pipeline would have written it, with its raw
// records in a Kafka beside it. It is made once per test process.
package querytest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/detector"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// World is what a test may ask.
type World struct {
	Rows  driver.Conn
	Kafka []kgo.Opt // brokers with the raw topics and dead letters
	Clock time.Time // of the log
	Addr  string    // host:port of ClickHouse over HTTP
	Name  string    // of the database
}

// Parcels is how many the world has; they belong to three shops.
const Parcels = 400

// Start returns the world, and makes it with the first call.
func Start(t testing.TB) *World {
	t.Helper()
	started.Lock()
	defer started.Unlock()
	if started.world == nil {
		addr := chdbtest.Start(t)
		w, err := build(context.Background(), addr, func(sql string) { chdbtest.Exec(t, addr, sql) })
		if err != nil {
			t.Fatalf("the world of the test: %v", err)
		}
		started.world = w
	}
	return started.world
}

// started is the world of this process: like its engine there can be but one.
var started struct {
	sync.Mutex
	world *World
}

// builder reads the world's records as ingest, detector and sink would.
type builder struct {
	decoder *carriers.Decoder
	machine *detector.Machine
	out     detector.Output
	log     []*kgo.Record // of parcel.events, parcel.alerts and dead letters
	raw     []*kgo.Record
	next    int64 // of the following tick
	offsets map[string]int64
	alerts  int
}

func build(ctx context.Context, addr string, exec func(sql string)) (*World, error) {
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		return nil, err
	}
	b := &builder{decoder: registry.NewDecoder(carriers.Limits{}), machine: detector.NewMachine(0, 1), offsets: map[string]int64{}}
	control := schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: schemas.DefaultPolicy()}}
	if err := b.add(&control); err != nil {
		return nil, err
	}
	simulated := world.New(world.Config{Seed: 7, Parcels: Parcels, Shops: 3})
	end := simulated.Config().To
	rest := specials(end)
	err = simulated.Emit(end, func(r world.Record) error {
		for len(rest) > 0 && rest[0].at.Before(r.At) {
			if err := b.record(rest[0].record()); err != nil {
				return err
			}
			rest = rest[1:]
		}
		return b.record(r)
	})
	if err != nil {
		return nil, err
	}
	if err := b.tick(end.UnixMilli()); err != nil {
		return nil, err
	}
	w := &World{Clock: end, Addr: addr, Name: fmt.Sprintf("world_%d", time.Now().UnixNano())}
	exec("CREATE DATABASE " + w.Name)
	if w.Rows, err = sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: w.Name}); err != nil {
		return nil, err
	}
	return w, b.write(ctx, w, &control.Control)
}

// tick moves the clock up to ms, ten minutes at a time.
func (b *builder) tick(ms int64) error {
	const step = 10 * 60_000
	if b.next == 0 {
		b.next = ms - ms%step
	}
	for ; b.next <= ms; b.next += step {
		if err := b.add(&schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: b.next, ForwardedThrough: b.next}}); err != nil {
			return err
		}
	}
	return nil
}

// record reads one raw record of the world, as ingest does.
func (b *builder) record(r world.Record) error {
	at := r.At.UnixMilli()
	if err := b.tick(at); err != nil {
		return err
	}
	offset := b.offsets[r.Topic]
	b.offsets[r.Topic]++
	value := bytes.Clone(r.Value) // the world uses its own again
	b.raw = append(b.raw, &kgo.Record{Topic: r.Topic, Value: value, Timestamp: r.At})
	if r.Topic == world.OrdersTopic {
		var o schemas.OrderFact
		if err := schemas.ParseOrderFact(r.Value, &o); err != nil {
			return err
		}
		o.Topic, o.Offset, o.ReceivedAt = r.Topic, offset, at
		return b.add(&schemas.Record{Kind: schemas.KindOrder, Order: o})
	}
	carrier := strings.TrimPrefix(r.Topic, schemas.RawTopicPrefix)
	got := b.decoder.Decode(carrier, r.Value, carriers.Source{Topic: r.Topic, Offset: offset, Key: r.Key, ReceivedAt: at})
	for i := range got.Events {
		if err := b.add(&schemas.Record{Kind: schemas.KindEvent, Event: got.Events[i]}); err != nil {
			return err
		}
	}
	for i := range got.Aliases {
		if err := b.add(&schemas.Record{Kind: schemas.KindAlias, Alias: got.Aliases[i]}); err != nil {
			return err
		}
	}
	for _, x := range got.Rejected {
		dead := schemas.DeadLetter{Reason: string(x.Reason), Field: x.Field, Detail: x.Detail, Carrier: carrier, EventIndex: int32(x.EventIndex),
			Topic: r.Topic, Offset: offset, ReceivedAt: at, Raw: r.Value}
		letter := &kgo.Record{Topic: schemas.DeadLettersTopic, Value: value}
		for _, h := range dead.Headers() {
			letter.Headers = append(letter.Headers, kgo.RecordHeader(h))
		}
		b.log = append(b.log, letter)
	}
	return nil
}

// add appends a record to the log, and has the detector read it from there.
func (b *builder) add(r *schemas.Record) error {
	var e schemas.Encoder
	value := e.Append(nil, r)
	b.log = append(b.log, &kgo.Record{Topic: schemas.EventsTopic, Value: value})
	return b.apply(value)
}

func (b *builder) apply(value []byte) error {
	var read schemas.Record
	if err := read.Decode(value); err != nil {
		return err
	}
	b.out.Reset()
	if err := b.machine.Apply(b.machine.Offset()+1, &read, &b.out); err != nil {
		return err
	}
	for i := range b.out.Alerts {
		b.alerts++
		b.log = append(b.log, &kgo.Record{Topic: schemas.AlertsTopic, Value: schemas.AppendAlertJSON(nil, &b.out.Alerts[i])})
	}
	var forwards [][]byte
	for _, f := range b.out.Forwards {
		forwards = append(forwards, bytes.Clone(f.Value))
	}
	for _, f := range forwards {
		if err := b.apply(f); err != nil {
			return err
		}
	}
	for _, ask := range b.machine.Asks(1, nil) { // heard of again after it has left the machine's memory
		state := detector.AppendStates(nil, b.machine.Unwritten(ask.EntityID))
		answer := schemas.Record{Kind: schemas.KindRebuild, Rebuild: schemas.Rebuild{EntityID: ask.EntityID, Ask: ask.Offset, State: state}}
		if err := b.add(&answer); err != nil {
			return err
		}
	}
	return nil
}

// write puts everything into Kafka and ClickHouse, and waits until a real sink is
// through.
func (b *builder) write(ctx context.Context, w *World, control *schemas.Control) error {
	if _, err := sink.Migrate(ctx, w.Rows, sink.MigrateOptions{Now: w.Clock}); err != nil {
		return err
	}
	const all = 1 << 30
	rows := sink.NewRows(w.Rows)
	for _, err := range []error{
		rows.InsertPolicies(ctx, control),
		rows.InsertParcels(ctx, b.machine.DirtyParcels(all, nil)),
		rows.InsertOrders(ctx, b.machine.DirtyOrders(all, nil)),
	} {
		if err != nil {
			return err
		}
	}
	topics := []string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic}
	for topic := range maps.Keys(b.offsets) {
		topics = append(topics, topic)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topics...))
	if err != nil {
		return err
	}
	w.Kafka = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	client, err := kgo.NewClient(w.Kafka...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, append(b.raw, b.log...)...).FirstErr(); err != nil {
		return err
	}
	s, err := sink.New(sink.Config{Kafka: w.Kafka, ClickHouse: w.Rows, Log: slog.New(slog.DiscardHandler), FlushInterval: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	sinking, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(sinking) }()
	err = b.wait(ctx, w)
	stop()
	if failed := <-done; err == nil {
		err = failed
	}
	return err
}

// wait returns once the last record of each topic is in ClickHouse.
func (b *builder) wait(ctx context.Context, w *World) error {
	events, letters := uint64(0), uint64(0)
	for _, r := range b.log {
		switch r.Topic {
		case schemas.EventsTopic:
			events++
		case schemas.DeadLettersTopic:
			letters++
		}
	}
	const sql = `SELECT toBool((SELECT max(last_offset) + 1 FROM blocks) >= ? AND (SELECT count() FROM alert_transitions FINAL) >= ?
		AND (SELECT count() FROM dead_letters FINAL) >= ?)`
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for began := time.Now(); ; <-ticker.C {
		var there bool
		if err := w.Rows.QueryRow(ctx, sql, events, b.alerts, letters).Scan(&there); err != nil || there {
			return err
		}
		if time.Since(began) > time.Minute {
			return fmt.Errorf("after a minute ClickHouse does not have all of %d events, %d transitions, %d dead letters", events, b.alerts, letters)
		}
	}
}
