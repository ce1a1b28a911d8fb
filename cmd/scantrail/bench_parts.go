package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/stopwatch"
	"scantrail/schemas"
	"scantrail/sink"
)

// load starts an empty broker and a database, and loads a world into them.
func (b *bench) load(ctx context.Context, parcels int) (*benchPipeline, error) {
	clickhouse, database, err := b.servers.database(ctx)
	if err != nil {
		return nil, err
	}
	broker, err := b.servers.broker(ctx)
	if err != nil {
		return nil, err
	}
	b.say("writing a world of %d parcels to Kafka", parcels)
	p, err := loaded(ctx, b.options(broker, clickhouse, database), broker, benchWorld(parcels))
	if err != nil {
		broker.stop()
	}
	return p, err
}

// close stops the broker and drops the tables: their merges must not go on in
// what is measured next.
func (p *benchPipeline) close() {
	p.rows.Exec(context.Background(), "DROP DATABASE "+p.o.ClickHouse.Database) //nolint:errcheck // all data is removed at the end
	p.Close()
	p.broker.stop()
}

func (b *bench) consume(ctx context.Context) ([]stopwatch.Row, error) {
	broker, err := b.servers.broker(ctx)
	if err != nil {
		return nil, err
	}
	defer broker.stop()
	client, err := kgo.NewClient(broker.kafka...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	w := benchWorld(b.sizes.world)
	b.say("writing a world of %d parcels to Kafka", b.sizes.world)
	if _, err := preload(ctx, client, broker.kafka, w); err != nil {
		return nil, err
	}
	b.say("reading it")
	c, err := stopwatch.Consume(ctx, broker.kafka, w.Topics())
	if err != nil {
		return nil, err
	}
	return []stopwatch.Row{{Part: "consume", Case: "raw records from Kafka", Metrics: stopwatch.Metrics{
		{Name: "records_per_second", Value: c.Lap.PerSecond(c.Records)}, {Name: "cpu_us_per_record", Value: c.Lap.CPUMicros(c.Records)},
		{Name: "bytes_per_record", Value: float64(c.Bytes) / float64(c.Records)},
	}}}, nil
}

func (b *bench) insert(ctx context.Context) ([]stopwatch.Row, error) {
	clickhouse, database, err := b.servers.database(ctx)
	if err != nil {
		return nil, err
	}
	n, lap, err := b.insertAlone(ctx, clickhouse, database)
	if err != nil {
		return nil, err
	}
	return []stopwatch.Row{{Part: "insert", Case: "scans into ClickHouse", Metrics: stopwatch.Metrics{
		{Name: "rows_per_second", Value: lap.PerSecond(n)}, {Name: "cpu_us_per_row", Value: lap.CPUMicros(n)},
	}}}, nil
}

// insertAlone inserts the scans of a world into a database that nobody else uses.
func (b *bench) insertAlone(ctx context.Context, clickhouse, database string) (rows int64, lap stopwatch.Lap, err error) {
	w := benchWorld(max(b.sizes.rows/10, 100)) // 15 scans a parcel
	records, err := stopwatch.LogRecords(b.registry, w, b.sizes.rows, w.Config().To.UnixMilli())
	if err != nil {
		return 0, lap, err
	}
	o := b.options(&benchBroker{}, clickhouse, database)
	conn, err := sink.Open(o.ClickHouse)
	if err != nil {
		return 0, lap, err
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	if err := migrate(ctx, o, conn); err != nil {
		return 0, lap, err
	}
	b.say("inserting %d scans", len(records))
	if lap, err = stopwatch.Insert(ctx, conn, records); err != nil {
		return 0, lap, err
	}
	var held uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM scans").Scan(&held); err != nil {
		return 0, lap, err
	}
	if int(held) != len(records) {
		return 0, lap, fmt.Errorf("ClickHouse has %d scans after %d were inserted", held, len(records))
	}
	return int64(held), lap, conn.Exec(ctx, "DROP DATABASE "+database)
}

// pipeline measures the two ceilings, the whole, and each role alone.
func (b *bench) pipeline(ctx context.Context) ([]stopwatch.Row, error) {
	read, whole, scans, err := b.whole(ctx)
	if err != nil {
		return nil, err
	}
	clickhouse, database, err := b.servers.database(ctx)
	if err != nil {
		return nil, err
	}
	inserted, insert, err := b.insertAlone(ctx, clickhouse, database)
	if err != nil {
		return nil, err
	}
	reading, inserting := read.PerSecond(scans), insert.PerSecond(inserted)
	row := func(name string, n int64, lap stopwatch.Lap) stopwatch.Row {
		return stopwatch.Row{Part: "pipeline", Case: name, Metrics: stopwatch.Metrics{
			{Name: "scans_per_second", Value: lap.PerSecond(n)}, {Name: "cpu_us_per_scan", Value: lap.CPUMicros(n)},
			{Name: "of_reading", Value: lap.PerSecond(n) / reading}, {Name: "of_inserting", Value: lap.PerSecond(n) / inserting},
		}}
	}
	rows := []stopwatch.Row{row("reading from Kafka alone", scans, read), row("inserting scans alone", inserted, insert), row("raw records to rows and alerts", scans, whole)}
	catching, n, err := b.catchUp(ctx)
	if err != nil {
		return nil, err
	}
	rows = append(rows, row("the same, a tick every 5 s", n, catching))
	alone, n, err := b.eachRole(ctx)
	if err != nil {
		return nil, err
	}
	for i, lap := range alone {
		rows = append(rows, row(benchRoles[i]+" alone", n, lap))
	}
	return rows, nil
}

// whole reads a world's records alone, and then runs the pipeline over them.
func (b *bench) whole(ctx context.Context) (read, whole stopwatch.Lap, scans int64, err error) {
	p, err := b.load(ctx, b.sizes.world)
	if err != nil {
		return read, whole, 0, err
	}
	defer p.close()
	b.say("reading alone")
	c, err := stopwatch.Consume(ctx, p.broker.kafka, p.world.Topics())
	if err != nil {
		return read, whole, 0, err
	}
	b.say("the whole pipeline, %d records", p.records)
	if err := b.writeProfile(func() (err error) { whole, err = p.run(ctx, 0, lag); return err }); err != nil {
		return read, whole, 0, err
	}
	alerts, err := p.check(ctx)
	b.say("%d scans, %d alerts", p.scans(), alerts)
	return c.Lap, whole, p.scans(), err
}

// catchUp reads a backlog with the ticks of production. Its clock is that of the
// end while trails are still being read, as at every first start: what lay there
// is history, and judged once it has been read.
func (b *bench) catchUp(ctx context.Context) (lap stopwatch.Lap, scans int64, err error) {
	p, err := b.load(ctx, max(b.sizes.world/4, 1))
	if err != nil {
		return lap, 0, err
	}
	defer p.close()
	b.say("the whole pipeline once more, with a tick every %s", benchTickEvery)
	if lap, err = p.run(ctx, benchTickEvery, lag); err != nil {
		return lap, 0, err
	}
	alerts, err := p.check(ctx)
	b.say("%d scans, %d alerts", p.scans(), alerts)
	return lap, p.scans(), err
}

// benchRoles do the work, one after the other.
var benchRoles = [...]string{"ingest", "detect", "sink"}

// eachRole runs the roles one after the other over one world: each finds in Kafka
// all that the one before has written. The broker and the engine are in each
// one's figure.
func (b *bench) eachRole(ctx context.Context) (laps []stopwatch.Lap, scans int64, err error) {
	p, err := b.load(ctx, max(b.sizes.world/4, 1))
	if err != nil {
		return nil, 0, err
	}
	defer p.close()
	reads := [...]struct {
		group  string
		topics []string
	}{
		{schemas.IngestGroup, p.world.Topics()}, {schemas.DetectorGroup, []string{schemas.EventsTopic}},
		{schemas.SinkGroup, []string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic}},
	}
	for i, role := range benchRoles {
		b.say("%s alone", role)
		o := p.o
		o.Roles, o.Migrate = []string{role}, false
		alone, err := newPipeline(o)
		if err != nil {
			return nil, 0, err
		}
		of := &benchPipeline{pipeline: alone, broker: p.broker, world: p.world}
		lap, err := of.run(ctx, 0, func(ctx context.Context, adm *kadm.Client) (int64, error) {
			return groupLag(ctx, adm, reads[i].group, reads[i].topics)
		})
		scans = max(scans, of.scans())
		alone.Close()
		if err != nil {
			return nil, 0, fmt.Errorf("%s alone: %w", role, err)
		}
		laps = append(laps, lap)
	}
	return laps, scans, nil
}
