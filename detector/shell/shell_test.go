package shell

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

const testPartitions = 3

// bench is a broker with Scantrail's topics and a writer of the log.
type bench struct {
	t     *testing.T
	kafka []kgo.Opt
	log   *kgo.Client
	enc   schemas.Encoder
	start time.Time
}

func newBench(t *testing.T) *bench {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second),
		kfake.SeedTopics(testPartitions, schemas.EventsTopic, schemas.SnapshotsTopic, schemas.AlertsTopic, schemas.StatusTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := &bench{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.HeartbeatInterval(50 * time.Millisecond)}, start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	b.log, err = kgo.NewClient(append(b.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.log.Close)
	return b
}

func (b *bench) write(partition int32, r schemas.Record) {
	b.t.Helper()
	rec := &kgo.Record{Topic: schemas.EventsTopic, Partition: partition, Value: b.enc.Append(nil, &r)}
	if err := b.log.ProduceSync(b.t.Context(), rec).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) policy() {
	for p := range int32(testPartitions) {
		b.write(p, schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: schemas.DefaultPolicy()}})
	}
}

// ticks writes ticks 10 minutes apart, so that the clock can follow, between
// two hours of the test's time.
func (b *bench) ticks(from, to int) {
	for at := from * 6; at <= to*6; at++ {
		for p := range int32(testPartitions) {
			b.write(p, schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: b.start.Add(time.Duration(at) * 10 * time.Minute).UnixMilli()}})
		}
	}
}

// scan writes an accepted scan of parcel n at an hour of the test's time.
func (b *bench) scan(n, hour int, m schemas.Milestone) {
	number := fmt.Sprintf("TEST%06d", n)
	at := b.start.Add(time.Duration(hour) * time.Hour).UnixMilli()
	b.write(int32(n%testPartitions), schemas.Record{Kind: schemas.KindEvent, Event: schemas.Event{
		ParcelID: schemas.ParcelID(number), FactID: schemas.Hash(fmt.Appendf(nil, "%s %d", number, hour)),
		TrackingNumber: number, Carrier: "usps", Milestone: m, Physical: true, Progress: true, Country: "US",
		OccurredAt: at, ReceivedAt: at,
	}})
}

// memoryRows is a ClickHouse that can be away: a RowWriter under the test's
// control, with the rows as FINAL would show them.
type memoryRows struct {
	mu      sync.Mutex
	away    bool
	refused int
	parcels map[schemas.ID]schemas.ParcelRow
	archive []schemas.ArchiveRow
	looked  int
	gaps    [][3]int64
}

var errAway = errors.New("away")

func (m *memoryRows) InsertParcels(_ context.Context, rows []schemas.ParcelRow) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		m.refused++
		return errAway
	}
	if m.parcels == nil {
		m.parcels = map[schemas.ID]schemas.ParcelRow{}
	}
	for _, r := range rows {
		if old := m.parcels[r.ParcelID]; r.Version >= old.Version {
			r.Carriers = slices.Clone(r.Carriers)
			m.parcels[r.ParcelID] = r
		}
	}
	return nil
}

func (m *memoryRows) InsertOrders(context.Context, []schemas.OrderRow) error { return nil }

func (m *memoryRows) InsertArchive(_ context.Context, rows []schemas.ArchiveRow) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errAway
	}
	m.archive = append(m.archive, rows...)
	return nil
}

func (m *memoryRows) Archived(_ context.Context, ids []schemas.ID) (found []schemas.ArchiveRow, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, errAway
	}
	m.looked++
	for _, r := range m.archive {
		if slices.Contains(ids, r.EntityID) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (m *memoryRows) InsertGap(_ context.Context, partition int32, first, last int64, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gaps = append(m.gaps, [3]int64{int64(partition), first, last})
	return nil
}

func (m *memoryRows) get() (parcels, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.parcels), m.refused
}

// run starts a shell and returns a function that stops it and waits.
func (b *bench) run(rows RowWriter) (stop func()) { return b.runWith(Config{Rows: rows}) }

// runWith is run with more of a Config than the rows.
func (b *bench) runWith(cfg Config) (stop func()) {
	b.t.Helper()
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	s, err := New(Config{
		Kafka: b.kafka, Generation: 1, SnapshotInterval: 20 * time.Millisecond, FlushInterval: 10 * time.Millisecond,
		Rows: cfg.Rows, Archive: cfg.Rows, AcceptGaps: cfg.AcceptGaps, MemoryLimit: cfg.MemoryLimit, Log: slog.New(slog.NewTextHandler(b.t.Output(), nil)), Metrics: cfg.Metrics,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		b.t.Helper()
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	}
}

// until polls a condition; the broker answers in milliseconds.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	timeout := time.After(20 * time.Second)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !cond() {
		select {
		case <-timeout:
			b.t.Fatalf("not within 20 s: %s", what)
		case <-poll.C:
		}
	}
}

// applied reports whether the detector has committed the whole log.
func (b *bench) applied() bool {
	adm := kadm.NewClient(b.log)
	ends, err := adm.ListEndOffsets(b.t.Context(), schemas.EventsTopic)
	if err != nil {
		b.t.Fatal(err)
	}
	commits, err := adm.FetchOffsets(b.t.Context(), schemas.DetectorGroup)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return false // the shell has not joined yet
	}
	if err != nil {
		b.t.Fatal(err)
	}
	all := true
	ends.Each(func(e kadm.ListedOffset) {
		c, ok := commits.Lookup(e.Topic, e.Partition)
		all = all && ok && c.At == e.Offset
	})
	return all
}

// alerts returns every message of parcel.alerts once per id, sorted.
func (b *bench) alerts() []string {
	b.t.Helper()
	adm := kadm.NewClient(b.log)
	ends, err := adm.ListEndOffsets(b.t.Context(), schemas.AlertsTopic)
	if err != nil {
		b.t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(e kadm.ListedOffset) { left += e.Offset })
	client, err := kgo.NewClient(append(b.kafka, kgo.ConsumeTopics(schemas.AlertsTopic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	seen := map[string]bool{}
	for left > 0 {
		client.PollFetches(b.t.Context()).EachRecord(func(r *kgo.Record) {
			left--
			seen[string(r.Value)] = true
		})
	}
	var all []string
	for v := range seen {
		all = append(all, v)
	}
	slices.Sort(all)
	return all
}

// story is a log of nine parcels, some late, one delivered, most of them silent.
var story = []func(*bench){
	(*bench).policy,
	func(b *bench) { b.ticks(0, 1) },
	func(b *bench) {
		for n := range 9 {
			b.scan(n, 1, schemas.Accepted)
		}
	},
	func(b *bench) { b.ticks(1, 45) },
	func(b *bench) { b.scan(2, 44, schemas.OriginFacilityArrived) },
	func(b *bench) { b.ticks(45, 60) },
	func(b *bench) { b.scan(4, 30, schemas.OriginFacilityArrived); b.scan(5, 58, schemas.Delivered) },
	func(b *bench) { b.ticks(60, 80) },
}

// TestRestartsChangeNothing runs the same log once in one go and once with a
// stop after every few records: alerts and rows must be the same, versions
// included.
func TestRestartsChangeNothing(t *testing.T) {
	whole, parts := newBench(t), newBench(t)
	wholeRows, partsRows := &memoryRows{}, &memoryRows{}
	whole.inOneGo(story, wholeRows)
	for _, act := range story {
		stop := parts.run(partsRows)
		act(parts)
		parts.until("log applied", parts.applied)
		stop()
	}
	sameOutcome(t, whole, parts, wholeRows, partsRows)
}

// TestMembersComeAndGo lets a second and a third member of the group join and
// the first leave while the log grows: partitions move, and nothing else.
func TestMembersComeAndGo(t *testing.T) {
	whole, shared := newBench(t), newBench(t)
	wholeRows, sharedRows := &memoryRows{}, &memoryRows{}
	whole.inOneGo(story, wholeRows)
	var stops []func()
	for i, act := range story {
		if i%2 == 0 { // one joins
			stops = append(stops, shared.run(sharedRows))
		} else if len(stops) > 1 { // the oldest leaves
			stops[0]()
			stops = stops[1:]
		}
		act(shared)
	}
	shared.until("log applied", shared.applied)
	for _, stop := range stops {
		stop()
	}
	sameOutcome(t, whole, shared, wholeRows, sharedRows)
}

// inOneGo writes the whole story and then applies it without a stop.
func (b *bench) inOneGo(story []func(*bench), rows *memoryRows) {
	for _, act := range story {
		act(b)
	}
	stop := b.run(rows)
	b.until("whole log applied", b.applied)
	stop()
}

// sameOutcome compares the alerts, versions included, and the rows.
func sameOutcome(t *testing.T, whole, parts *bench, wholeRows, partsRows *memoryRows) {
	t.Helper()
	want, got := whole.alerts(), parts.alerts()
	if len(want) < 9 {
		t.Errorf("%d alerts, want one at least for each of 9 parcels", len(want))
	}
	if !slices.Equal(got, want) {
		t.Errorf("alerts differ:\n%q\nwant\n%q", got, want)
	}
	if len(wholeRows.parcels) != 9 || len(partsRows.parcels) != 9 {
		t.Fatalf("%d and %d parcels, want 9", len(wholeRows.parcels), len(partsRows.parcels))
	}
	for id, w := range wholeRows.parcels {
		if g := partsRows.parcels[id]; fmt.Sprint(g) != fmt.Sprint(w) {
			t.Errorf("row differs:\n%+v\nwant\n%+v", g, w)
		}
	}
}

// TestRowsFollowWhenClickHouseReturns lets detection go on without ClickHouse,
// stops the process meanwhile, and expects every row afterwards.
func TestRowsFollowWhenClickHouseReturns(t *testing.T) {
	b := newBench(t)
	rows := &memoryRows{away: true}
	stop := b.run(rows)
	b.policy()
	b.ticks(0, 1)
	for n := range 6 {
		b.scan(n, 1, schemas.Accepted)
	}
	b.ticks(1, 50)
	b.until("log applied and a write refused", func() bool {
		_, refused := rows.get()
		return refused > 0 && b.applied()
	})
	if n := len(b.alerts()); n < 6 {
		t.Errorf("%d alerts while ClickHouse was away, want at least 6", n)
	}
	stop()
	if n, _ := rows.get(); n != 0 {
		t.Fatalf("%d rows were taken while away", n)
	}
	rows.mu.Lock()
	rows.away = false
	rows.mu.Unlock()
	stop = b.run(rows)
	b.until("rows written", func() bool { n, _ := rows.get(); return n == 6 })
	stop()
}

// TestDamagedSnapshotFallsBack damages the newest snapshot of each partition.
func TestDamagedSnapshotFallsBack(t *testing.T) {
	b := newBench(t)
	rows := &memoryRows{}
	b.policy()
	b.ticks(0, 1)
	b.scan(0, 1, schemas.Accepted)
	b.ticks(1, 2)
	stop := b.run(rows)
	b.until("log applied", b.applied)
	stop()
	for p := range int32(testPartitions) {
		forged := `{"attempt":"forged","generation":1,"offset":99999,"first":0,"chunks":1,"checksum":"1"}`
		rec := snapshotRecord(p, manifestKey, "forged", []byte(forged))
		if err := b.log.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	stop = b.run(rows)
	b.scan(0, 2, schemas.Delivered)
	b.ticks(2, 3)
	b.until("rows of the delivered parcel", func() bool {
		rows.mu.Lock()
		defer rows.mu.Unlock()
		return rows.parcels[schemas.ParcelID("TEST000000")].EndMilestone == schemas.Delivered
	})
	stop()
	if f := rows.parcels[schemas.ParcelID("TEST000000")].Facts; f != 2 {
		t.Errorf("parcel has %d facts, want the one of the older snapshot and the new one", f)
	}
}

// TestOldSnapshotsAreDeleted expects that a partition keeps few snapshots.
func TestOldSnapshotsAreDeleted(t *testing.T) {
	b := newBench(t)
	stop := b.run(&memoryRows{})
	b.policy()
	b.ticks(0, 1)
	adm := kadm.NewClient(b.log)
	hour := 1
	b.until("records of parcel.snapshots deleted", func() bool {
		b.scan(0, hour, schemas.InTransit)
		hour++
		starts, err := adm.ListStartOffsets(t.Context(), schemas.SnapshotsTopic)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := starts.Lookup(schemas.SnapshotsTopic, 0)
		return o.Offset > 0
	})
	stop()
	checkLatest(t, b)
}

// checkLatest: the newest manifest is found behind a few chunks of one that was
// never finished, and not looked for behind many.
func checkLatest(t *testing.T, b *bench) {
	t.Helper()
	snapshots := Snapshots{Kafka: b.kafka, Admin: kadm.NewClient(b.log), Generation: 1, Log: slog.New(slog.DiscardHandler)}
	all, err := snapshots.Find(t.Context(), []int32{0})
	if err != nil || len(all[0]) == 0 {
		t.Fatalf("%v, %v", all, err)
	}
	want := all[0][len(all[0])-1]
	for _, chunks := range []int{0, 3, tailRecords} {
		for i := range chunks {
			if err := b.log.ProduceSync(t.Context(), snapshotRecord(0, strconv.Itoa(i), "torn", []byte("x"))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		latest, err := snapshots.Latest(t.Context(), []int32{0, 99})
		if err != nil {
			t.Fatal(err)
		}
		got, ok := latest[0]
		if chunks == tailRecords {
			if ok {
				t.Errorf("found behind %d chunks: %+v", chunks, got)
			}
			continue
		}
		if got.Attempt != want.Attempt || got.at != want.at || got.Bytes == 0 || time.Since(got.At) > time.Minute {
			t.Errorf("behind %d chunks: %+v, want %+v", chunks, got, want)
		}
	}
}

// TestComesBack: a parcel that has left is heard of again. Its state comes back
// through the log, from the archive or, while ClickHouse is away, from what waits
// for it, and the late scan joins its trail.
func TestComesBack(t *testing.T) {
	for _, restart := range []bool{false, true} {
		b := newBench(t)
		rows := &memoryRows{}
		stop := b.run(rows)
		b.policy()
		b.ticks(0, 1)
		b.scan(0, 1, schemas.Accepted)
		b.scan(0, 3, schemas.Delivered)
		b.farTicks(1, 31*24+4)
		b.until("archived", func() bool { rows.mu.Lock(); defer rows.mu.Unlock(); return len(rows.archive) == 1 })
		if restart {
			stop()
			stop = b.run(rows)
		}
		b.scan(0, 2, schemas.OutForDelivery)
		row := func() schemas.ParcelRow {
			rows.mu.Lock()
			defer rows.mu.Unlock()
			return rows.parcels[schemas.ParcelID("TEST000000")]
		}
		hour := 31*24 + 4
		b.until("late scan in the trail", func() bool {
			hour++
			b.farTicks(hour, hour)
			return row().Facts == 3
		})
		stop()
		if r := row(); r.OutForDeliveryAt == 0 || r.DeliveredAt == 0 || r.AcceptedAt == 0 {
			t.Errorf("restart %t: row %+v", restart, r)
		}
		if rows.looked == 0 {
			t.Error("nobody looked into the archive")
		}
	}
}

// farTicks is ticks for long times: without waiting for each.
func (b *bench) farTicks(from, to int) {
	b.t.Helper()
	for at := from * 6; at <= to*6; at++ {
		for p := range int32(testPartitions) {
			r := schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: b.start.Add(time.Duration(at) * 10 * time.Minute).UnixMilli()}}
			b.log.Produce(b.t.Context(), &kgo.Record{Topic: schemas.EventsTopic, Partition: p, Value: b.enc.Append(nil, &r)}, nil)
		}
	}
	if err := b.log.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// TestAcceptedGap: where the log after the last snapshot is gone, the detector
// goes on only when told to, and notes what it missed.
func TestAcceptedGap(t *testing.T) {
	b := newBench(t)
	rows := &memoryRows{}
	b.policy()
	b.ticks(0, 2)
	adm := kadm.NewClient(b.log)
	offsets := kadm.Offsets{}
	for p := range int32(testPartitions) {
		offsets.AddOffset(schemas.EventsTopic, p, 5, -1)
	}
	if _, err := adm.DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	stop := b.runWith(Config{Rows: rows, AcceptGaps: true})
	b.until("log applied", b.applied)
	stop()
	slices.SortFunc(rows.gaps, func(x, y [3]int64) int { return int(x[0] - y[0]) })
	if want := [][3]int64{{0, 0, 4}, {1, 0, 4}, {2, 0, 4}}; !slices.Equal(rows.gaps, want) {
		t.Errorf("gaps %v, want %v", rows.gaps, want)
	}
}

// TestMemoryLimit: while ClickHouse is away and what is over cannot leave, the
// state grows to its limit and no further; reading goes on when ClickHouse is back.
func TestMemoryLimit(t *testing.T) {
	b := newBench(t)
	rows := &memoryRows{away: true}
	b.policy()
	b.ticks(0, 1)
	scans := func(from, to int) {
		for n := from; n < to; n++ {
			r := deliveredScan(n, b.start)
			b.log.Produce(t.Context(), &kgo.Record{Topic: schemas.EventsTopic, Partition: int32(n % testPartitions), Value: b.enc.Append(nil, &r)}, nil)
		}
		if err := b.log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const first, all = 45_000, 90_000
	scans(0, first)
	b.farTicks(1, 31*24)
	stop := b.run(rows)
	b.until("log applied", b.applied)
	stop()
	scans(first, all)
	metrics := NewMetrics(prometheus.NewRegistry())
	stop = b.runWith(Config{Rows: rows, MemoryLimit: first * 140, Metrics: metrics})
	defer func() { stop() }()
	b.until("reading rests", func() bool { return value(t, metrics.Resting) == 1 })
	if b.applied() {
		t.Error("the whole log was read beyond the limit")
	}
	rows.mu.Lock()
	rows.away = false
	rows.mu.Unlock()
	b.until("log applied", b.applied)
}

func deliveredScan(n int, at time.Time) schemas.Record {
	number := fmt.Sprintf("LIMIT%06d", n)
	return schemas.Record{Kind: schemas.KindEvent, Event: schemas.Event{
		ParcelID: schemas.ParcelID(number), FactID: schemas.Hash([]byte(number)), TrackingNumber: number, Carrier: "usps",
		Milestone: schemas.Delivered, Physical: true, Progress: true, OccurredAt: at.UnixMilli(), ReceivedAt: at.UnixMilli(),
	}}
}

func value(t *testing.T, g prometheus.Gauge) float64 {
	var m dto.Metric
	if err := g.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}
