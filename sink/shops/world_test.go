package shops

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
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
)

const hour = int64(3600_000)

// at returns the Unix milliseconds of a moment of 2026, such as "10-05 08:00".
func at(t *testing.T, s string) int64 {
	t.Helper()
	m, err := time.Parse("2006-01-02 15:04", "2026-"+s)
	if err != nil {
		t.Fatal(err)
	}
	return m.UnixMilli()
}

// world is a broker and a ClickHouse with a real sink between them.
type world struct {
	t       *testing.T
	brokers []kgo.Opt
	client  *kgo.Client
	conn    driver.Conn
	parcels int // made so far
	ticks   int
	facts   int
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
	if _, err := sink.Migrate(t.Context(), w.conn, sink.MigrateOptions{Now: time.UnixMilli(at(t, "10-01 00:00"))}); err != nil {
		t.Fatal(err)
	}
	if err := sink.NewRows(w.conn).InsertPolicies(t.Context(), &schemas.Control{Number: 1, Policy: schemas.DefaultPolicy()}); err != nil {
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

// watch returns a process that looks at the shops.
func (w *world) watch() *Watch {
	w.t.Helper()
	s, err := New(Config{Kafka: w.brokers, ClickHouse: w.conn, Generation: 1, Poll: 5 * time.Millisecond, Log: discard(), Metrics: NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.alerts.Close)
	return s
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if err := w.conn.Exec(w.t.Context(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

func (w *world) text(query string) string {
	w.t.Helper()
	var s string
	if err := w.conn.QueryRow(context.Background(), query).Scan(&s); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return s
}

// clock moves the clock of the log.
func (w *world) clock(when string) {
	w.t.Helper()
	w.ticks++
	w.exec("INSERT INTO blocks (partition, bucket, last_offset, last_tick_at) SELECT 0, 0, ?, fromUnixTimestamp64Milli(toInt64(?), 'UTC')", w.ticks, at(w.t, when))
}

// look moves the clock and lets processes look at the shops one after another;
// without any, a new one does.
func (w *world) look(when string, processes ...*Watch) {
	w.t.Helper()
	w.clock(when)
	if len(processes) == 0 {
		processes = []*Watch{w.watch()}
	}
	for _, p := range processes {
		if err := p.look(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.settle()
}

// settle waits until the sink has written all alerts.
func (w *world) settle() {
	w.t.Helper()
	var want []string
	for _, a := range w.alerts() {
		want = append(want, fmt.Sprintf("%s:%d", a.AlertID, a.Version))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	latest := fmt.Sprint(len(slices.CompactFunc(slices.Clone(want), func(a, b string) bool { return a[:36] == b[:36] })))
	w.wait("all alerts are written", func() bool { // alert_transitions before alerts
		got := w.text("SELECT arrayStringConcat(arraySort(groupArray(concat(toString(alert_id), ':', toString(version)))), ' ') FROM alert_transitions FINAL")
		return got == strings.Join(want, " ") && latest == w.text(`SELECT toString(count()) FROM alerts AS a FINAL
			INNER JOIN (SELECT alert_id, max(version) AS version FROM alert_transitions GROUP BY alert_id) AS t ON t.alert_id = a.alert_id AND t.version = a.version`)
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

// current prints the alerts as ClickHouse shows them: shop, week, rule, status.
func (w *world) current() string {
	w.t.Helper()
	return w.text(`SELECT arrayStringConcat(arraySort(groupArray(concat(shop_id, ' ', formatDateTime(week, '%m-%d'), ' ', rule, ' ', status, if(backfill, ' backfill', '')))), '\n') FROM shop_alerts`)
}

// published prints the rows of scores_published: shop, week, when, lts.
func (w *world) published() string {
	w.t.Helper()
	return w.text(`SELECT arrayStringConcat(arraySort(groupArray(concat(shop_id, ' ', formatDateTime(week, '%m-%d'), ' at ', formatDateTime(published_at, '%m-%d %H:%i'),
		' ', toString(counted_parcels), ' ', ifNull(toString(round(lts, 2)), '-')))), '\n') FROM scores_published FINAL`)
}

// shopsWeek says what a shop's week is made of.
type shopsWeek struct {
	parcels                           int // all ordered on the Monday at 08:00, delivered unless open
	late, pickedLate, missing, broken int // of these: delivered late; picked up late; one of four milestones is missing; an exception event
	open                              int // not delivered, deadline 192 h after the order
	orders, confirmLate               int // orders without a parcel that were cancelled once they were confirmed; of these: confirmed late
}

// add writes the week, with a live order fact, and returns its parcels.
func (w *world) add(shop, monday string, s shopsWeek) []schemas.ParcelRow {
	w.t.Helper()
	rows := w.history(shop, monday, s)
	w.fact(shop, monday, false)
	return rows
}

// fact writes an order fact of the order that add and history make.
func (w *world) fact(shop, monday string, backfill bool) {
	w.t.Helper()
	w.facts++
	w.exec(`INSERT INTO order_facts (partition, offset, fact_id, shop_id, order_id, kind, at, received_at, backfill)
		SELECT 0, ?, generateUUIDv4(), ?, ?, 'created', fromUnixTimestamp64Milli(toInt64(?), 'UTC') AS t, t, ?`, w.facts, shop, "O"+monday, at(w.t, monday+" 09:00"), backfill)
}

// scan writes a scan of a parcel.
func (w *world) scan(p *schemas.ParcelRow, backfill bool) {
	w.t.Helper()
	w.facts++
	w.exec(`INSERT INTO scans (partition, offset, received_at, occurred_at, parcel_id, tracking_number, backfill)
		SELECT 0, ?, '2026-10-08 00:00:00', '2026-10-06 00:00:00', toUUID(?), ?, ?`, w.facts, p.ParcelID.String(), p.TrackingNumber, backfill)
}

// history writes the week, without anything that came while it happened.
func (w *world) history(shop, monday string, s shopsWeek) []schemas.ParcelRow {
	w.t.Helper()
	ordered := at(w.t, monday+" 08:00")
	rows := make([]schemas.ParcelRow, s.parcels)
	for i := range rows {
		w.parcels++
		r := schemas.ParcelRow{
			TrackingNumber: fmt.Sprintf("LX%09dCN", w.parcels), ShopID: shop, Market: "US", Origin: "CN", Destination: "US", Policy: "default", PolicyNumber: 1,
			OpenedAt: ordered, OrderedAt: ordered, ConfirmedAt: ordered, PromisedAt: ordered + 168*hour, DeliverBy: ordered + 192*hour, MaturesAt: ordered + 192*hour,
			PickupBy: ordered + 72*hour, FirstPhysicalAt: ordered + 20*hour, FirstProgressAt: ordered + 20*hour, LastProgressAt: ordered + 60*hour,
			DeliveredAt: ordered + 60*hour, CohortDay: uint16(ordered / (24 * hour)), ProgressFacts: 5, Required: 15, Due: 15, ScoredDue: 15, Observed: 15,
		}
		if i < s.late {
			r.DeliveredAt = ordered + 193*hour
		}
		if i < s.pickedLate {
			r.FirstPhysicalAt = ordered + 73*hour
		}
		if i < s.missing {
			r.Observed = 7
		}
		if i < s.broken {
			r.Exceptions, r.FirstException, r.FirstExceptionAt = 1, schemas.Misrouted, ordered+30*hour
		}
		r.EndedAt, r.EndMilestone = r.DeliveredAt, schemas.Delivered
		if i >= s.parcels-s.open {
			r.DeliveredAt, r.EndedAt, r.EndMilestone = 0, 0, schemas.Unmapped
		}
		r.ParcelID = schemas.ParcelID(r.TrackingNumber)
		rows[i] = r
	}
	w.write(rows)
	orders := []schemas.OrderRow{{OrderID: "O" + monday, TrackingNumbers: []string{"LX"}}}
	for i := range s.orders {
		o := schemas.OrderRow{OrderID: fmt.Sprintf("O%s-%d", monday, i), ConfirmBy: ordered + 24*hour, ConfirmedAt: ordered + 24*hour, CancelledAt: ordered + 30*hour}
		if i < s.confirmLate {
			o.ConfirmedAt += 1
		}
		orders = append(orders, o)
	}
	w.writeOrders(shop, ordered, orders)
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

func (w *world) writeOrders(shop string, ordered int64, orders []schemas.OrderRow) {
	w.t.Helper()
	w.version++
	for i := range orders {
		o := &orders[i]
		o.ShopID, o.Market, o.CreatedAt, o.Version, o.Policy, o.PolicyNumber = shop, "US", ordered, w.version, "default", 1
		o.CohortDay = uint16(ordered / (24 * hour))
	}
	if err := sink.NewRows(w.conn).InsertOrders(w.t.Context(), orders); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) is(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}
