package lanes

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
	"scantrail/sink/watch"
)

// noon is when the worlds of the tests begin; a multiple of 5 minutes.
var noon = time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)

// at returns the Unix milliseconds of noon and some minutes.
func at(minutes int64) int64 { return noon.UnixMilli() + minutes*60_000 }

const hour = 60 // minutes

// world is a broker and a ClickHouse with a real sink between them.
type world struct {
	t       *testing.T
	brokers []kgo.Opt
	client  *kgo.Client
	conn    driver.Conn
	encoder schemas.Encoder
	parcels int // made so far
	version uint64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &world{t: t, brokers: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.FetchMaxWait(20 * time.Millisecond)}}
	if w.client, err = kgo.NewClient(w.brokers...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	addr, database := chdbtest.Database(t)
	if w.conn, err = sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: database}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.conn.Close() })
	if _, err := sink.Migrate(t.Context(), w.conn, sink.MigrateOptions{Now: noon}); err != nil {
		t.Fatal(err)
	}
	w.startSink()
	return w
}

func (w *world) startSink() {
	w.t.Helper()
	s, err := sink.New(sink.Config{Kafka: w.brokers, ClickHouse: w.conn, Log: discard(), FlushInterval: 20 * time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// watch returns a process that looks at the lanes.
func (w *world) watch() *Watch { return w.watchOf(w.conn, discard()) }

func (w *world) watchOf(conn driver.Conn, log *slog.Logger) *Watch {
	w.t.Helper()
	l, err := New(Config{Kafka: w.brokers, ClickHouse: conn, Generation: 1, Poll: 5 * time.Millisecond, Log: log, Metrics: NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.alerts.Close)
	return l
}

// put appends values to a topic.
func (w *world) put(topic string, values ...[]byte) {
	w.t.Helper()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Topic: topic, Value: v}
	}
	if err := w.client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// clock moves the log's clock to noon and some minutes, and waits until
// ClickHouse shows it and all alerts.
func (w *world) clock(minutes int64) {
	w.t.Helper()
	tick := schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at(minutes)}}
	w.put(schemas.EventsTopic, w.encoder.Append(nil, &tick))
	w.wait(fmt.Sprintf("the clock is %d", minutes), func() bool {
		now, err := watch.Clock(w.t.Context(), w.conn)
		return err == nil && now == at(minutes)
	})
	w.settle()
}

// settle waits until the sink has written all alerts: it writes alert_transitions
// before alerts.
func (w *world) settle() {
	w.t.Helper()
	names, latest := map[string]bool{}, map[string]uint64{}
	sum := uint64(0)
	for _, a := range w.alerts() {
		names[fmt.Sprint(a.AlertID, a.Home, a.Version)] = true
		of := fmt.Sprint(a.AlertID, a.Home)
		latest[of] = max(latest[of], a.Version)
	}
	for _, version := range latest {
		sum += version // modulo 2^64, as in ClickHouse
	}
	w.wait("all alerts are written", func() bool {
		return w.one("SELECT count() FROM alert_transitions FINAL") == uint64(len(names)) && w.one("SELECT sum(version) FROM alerts FINAL") == sum
	})
}

func (w *world) wait(what string, f func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); !f(); <-tick.C {
		if time.Since(start) > 30*time.Second {
			w.t.Fatalf("after 30 s still waiting until %s", what)
		}
	}
}

func (w *world) one(query string) uint64 {
	w.t.Helper()
	var n uint64
	if err := w.conn.QueryRow(context.Background(), query).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (w *world) text(query string) string {
	w.t.Helper()
	var s string
	if err := w.conn.QueryRow(context.Background(), query).Scan(&s); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return s
}

// alerts returns all of parcel.alerts.
func (w *world) alerts() []schemas.Alert {
	w.t.Helper()
	ends, err := kadm.NewClient(w.client).ListEndOffsets(w.t.Context(), schemas.AlertsTopic)
	if err != nil {
		w.t.Fatal(err)
	}
	end, _ := ends.Lookup(schemas.AlertsTopic, 0)
	reader, err := kgo.NewClient(append(w.brokers, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schemas.AlertsTopic: {0: kgo.NewOffset().AtStart()}}))...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	var all []schemas.Alert
	for int64(len(all)) < end.Offset {
		fetches := reader.PollFetches(w.t.Context())
		if err := fetches.Err(); err != nil {
			w.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var a schemas.Alert
			if err := schemas.ParseAlertJSON(r.Value, &a); err != nil {
				w.t.Fatal(err)
			}
			all = append(all, a)
		})
	}
	return all
}

// incidents are those of rule lane_disruption among the alerts.
func (w *world) incidents() []schemas.Alert {
	w.t.Helper()
	var all []schemas.Alert
	for _, a := range w.alerts() {
		if a.Rule == schemas.RuleLaneDisruption {
			all = append(all, a)
		}
	}
	return all
}

// look lets processes look at the lanes, and the sink write what they found.
func (w *world) look(processes ...*Watch) {
	w.t.Helper()
	for _, p := range processes {
		if err := p.look(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.settle()
}

// lookTogether lets processes look at the lanes at once: all have read before the
// first one publishes.
func (w *world) lookTogether(processes ...*Watch) {
	w.t.Helper()
	found := make([]finding, len(processes))
	for i, p := range processes {
		var err error
		if found[i], err = p.find(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	for i, p := range processes {
		if err := p.alerts.Publish(w.t.Context(), found[i].changes, key); err != nil {
			w.t.Fatal(err)
		}
	}
	w.settle()
}

// add makes n parcels under way that are like p, last heard of an hour before noon
// unless p says otherwise, and returns them.
func (w *world) add(n int, p schemas.ParcelRow) []schemas.ParcelRow {
	w.t.Helper()
	rows := make([]schemas.ParcelRow, n)
	for i := range rows {
		w.parcels++
		r := p
		r.TrackingNumber = fmt.Sprintf("LX%09dCN", w.parcels)
		if r.LastProgressAt == 0 {
			r.LastProgressAt = at(-1 * hour)
		}
		r.ParcelID, r.OpenedAt, r.FirstProgressAt, r.LastMilestone = schemas.ParcelID(r.TrackingNumber), at(-2000*hour), at(-2000*hour), max(p.LastMilestone, p.Stage)
		rows[i] = r
	}
	w.write(rows)
	return rows
}

// write writes a newer version of the parcels.
func (w *world) write(rows []schemas.ParcelRow) {
	w.t.Helper()
	w.version++
	for i := range rows {
		rows[i].Version = w.version
	}
	if err := sink.NewRows(w.conn).InsertParcels(w.t.Context(), rows); err != nil {
		w.t.Fatal(err)
	}
}

// stalled makes n parcels that are in an open gap of 49 hours at noon.
func (w *world) stalled(n int, p schemas.ParcelRow) []schemas.ParcelRow {
	w.t.Helper()
	if p.LastProgressAt == 0 {
		p.LastProgressAt = at(-49 * hour)
	}
	rows := w.add(n, p)
	w.gaps(rows, schemas.Alert{Level: 1, Status: schemas.AlertOpen})
	return rows
}

// gaps publishes alerts like a for the trailing gaps of parcels.
func (w *world) gaps(rows []schemas.ParcelRow, a schemas.Alert) {
	w.t.Helper()
	w.version++
	var values [][]byte
	for i := range rows {
		r := &rows[i]
		g := a
		g.Rule = schemas.RuleGap48h
		g.AlertID, g.Home, g.ParcelID = schemas.Hash([]byte(r.TrackingNumber)), r.ParcelID, r.ParcelID
		g.Version, g.TrackingNumber, g.AnchorAt, g.ChangedAt = w.version, r.TrackingNumber, r.LastProgressAt, at(0)
		if g.OpenedAt == 0 {
			g.OpenedAt = r.LastProgressAt + 48*3600_000
		}
		values = append(values, schemas.AppendAlertJSON(nil, &g))
	}
	w.put(schemas.AlertsTopic, values...)
}

// move lets parcels be heard of at noon and some minutes: their gaps are over.
func (w *world) move(rows []schemas.ParcelRow, minutes int64) {
	w.t.Helper()
	w.gaps(rows, schemas.Alert{Level: 1, Status: schemas.AlertResolved, EndedAt: at(minutes)})
	for i := range rows {
		rows[i].LastProgressAt = at(minutes)
	}
	w.write(rows)
}

// on is a parcel on a lane at a stage.
func on(origin, destination string, stage schemas.Milestone) schemas.ParcelRow {
	return schemas.ParcelRow{Origin: origin, Destination: destination, Stage: stage, LastCarrier: "cainiao"}
}
