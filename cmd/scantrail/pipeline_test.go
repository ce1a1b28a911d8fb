package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// rig is the whole pipeline on a broker and the real engine, with a
// database of its own. Ticks are written by hand.
type rig struct {
	t        *testing.T
	pipeline *pipeline
	kafka    []kgo.Opt
	producer *kgo.Client
	now      atomic.Int64 // Unix milliseconds: the pipeline's clock
	proxy    *proc.Proxy  // between the pipeline and ClickHouse
	kafkaIs  testBroker
	broker   string // its address
}

const rigTime = 1_790_000_000_000 // 2026-09-21T14:13:20Z

var rigs atomic.Int32

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, newFakeBroker(t))
}

// newRigOn makes the options of the pipeline, which each tweak may change.
func newRigOn(t *testing.T, b testBroker, tweaks ...func(*pipelineOptions)) *rig {
	t.Helper()
	clickhouse := chdbtest.Start(t)
	r := &rig{t: t, kafkaIs: b, broker: b.addr(), proxy: newProxy(t, clickhouse)}
	r.kafka = []kgo.Opt{kgo.SeedBrokers(r.broker), kgo.HeartbeatInterval(50 * time.Millisecond)}
	r.now.Store(rigTime)
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	o := pipelineOptions{
		Kafka:      r.kafka,
		ClickHouse: sink.Options{URLs: []string{"http://" + r.proxy.Addr()}, Database: fmt.Sprintf("rig%d_%d", os.Getpid(), rigs.Add(1)), User: "default"},
		Topics:     topicOptions{Partitions: 3, Replication: 1, Create: true, Retention: b.retention()},
		Roles:      roleNames, Migrate: true, Carriers: registry, Generation: 1, StallAfter: time.Hour,
		Snapshot: time.Minute, FlushRows: 50_000, FlushEvery: 50 * time.Millisecond, RowsEvery: 50 * time.Millisecond,
		Now: func() time.Time { return time.UnixMilli(r.now.Load()) },
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, tweak := range tweaks {
		tweak(&o)
	}
	if r.pipeline, err = newPipeline(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pipeline.Close)
	if err := r.pipeline.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.producer, err = kgo.NewClient(append(r.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(20<<20))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.producer.Close)
	return r
}

// start runs the pipeline until the test ends.
func (r *rig) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.pipeline.Run(ctx) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	})
}

// topic creates a raw topic with one partition, and as many copies as the
// pipeline's own topics have, that takes records of 20 MiB.
func (r *rig) topic(carrier string) {
	r.t.Helper()
	configs := map[string]*string{"max.message.bytes": ptr(fmt.Sprint(20 << 20))}
	if _, err := kadm.NewClient(r.producer).CreateTopic(r.t.Context(), 1, r.pipeline.o.Topics.Replication, configs, schemas.RawTopicPrefix+carrier); err != nil {
		r.t.Fatal(err)
	}
}

// send writes one raw record and returns its offset.
func (r *rig) send(carrier string, value []byte) int64 {
	r.t.Helper()
	rec := &kgo.Record{Topic: schemas.RawTopicPrefix + carrier, Value: value}
	if err := r.producer.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
		r.t.Fatalf("%s: %v", carrier, err)
	}
	return rec.Offset
}

// settle waits until every role has committed everything, ticks, and waits
// again: parcels are judged at the tick after their facts.
func (r *rig) settle() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 60*time.Second)
	defer cancel()
	r.drained(ctx)
	if err := r.pipeline.ticker.Tick(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.drained(ctx)
}

func (r *rig) drained(ctx context.Context) {
	r.t.Helper()
	adm := kadm.NewClient(r.pipeline.kafka)
	for {
		n, err := lag(ctx, adm) // fails while a group's coordinator starts
		if err == nil && n == 0 && r.pipeline.settled() {
			return
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			r.t.Fatalf("the pipeline did not settle within a minute: %d records behind, %v", n, err)
		}
	}
}

// one returns the single value of a query.
func one[T any](r *rig, query string, args ...any) T {
	r.t.Helper()
	var v T
	if err := r.pipeline.rows.QueryRow(r.t.Context(), query, args...).Scan(&v); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// payload is one file of a carrier and what its decoder makes of it.
type payload struct {
	path, carrier    string
	raw              []byte
	offset           int64
	events, rejected int
}

// payloads lists the files of dir/<carrier>/ that suffix selects.
func payloads(t *testing.T, dir string) []payload {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []payload
	for _, path := range files {
		switch filepath.Ext(path) {
		case ".json", ".xml", ".edi", ".jsonld":
		default:
			continue
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, payload{path: path, carrier: filepath.Base(filepath.Dir(path)), raw: raw})
	}
	return all
}

// feed sends payloads through the pipeline and compares what stands in
// ClickHouse for each with what the decoder alone makes of it.
func (r *rig) feed(all []payload) {
	r.t.Helper()
	decoder := r.pipeline.o.Carriers.NewDecoder(carriers.Limits{})
	seen, voids := map[string]bool{}, uint64(0)
	for i := range all {
		p := &all[i]
		if !seen[p.carrier] {
			r.topic(p.carrier)
			seen[p.carrier] = true
		}
		p.offset = r.send(p.carrier, p.raw)
		res := decoder.Decode(p.carrier, p.raw, carriers.Source{Topic: schemas.RawTopicPrefix + p.carrier, Offset: p.offset, ReceivedAt: rigTime})
		p.events, p.rejected = len(res.Events), len(res.Rejected)
		voids += uint64(len(res.Voids))
	}
	r.start()
	r.settle()
	events, rejected := 0, 0
	for _, p := range all {
		topic := schemas.RawTopicPrefix + p.carrier
		gotEvents := one[uint64](r, "SELECT count() FROM scans FINAL WHERE source_topic = ? AND source_offset = ?", topic, p.offset)
		gotDead := one[uint64](r, "SELECT count() FROM dead_letters FINAL WHERE topic = ? AND `offset` = ? AND reason != ''", topic, p.offset)
		if int(gotEvents) != p.events || int(gotDead) != p.rejected {
			r.t.Errorf("%s: %d rows and %d dead letters in ClickHouse, want %d and %d", p.path, gotEvents, gotDead, p.events, p.rejected)
		}
		events, rejected = events+p.events, rejected+p.rejected
	}
	if n := one[int64](r, "SELECT sum(records) FROM ranges FINAL WHERE topic != 'orders'"); int(n) != len(all) {
		r.t.Errorf("the ledger of ingest accounts for %d records, want %d", n, len(all))
	}
	if n := one[int64](r, "SELECT sum(events) FROM ranges FINAL"); int(n) != events {
		r.t.Errorf("the ledger of ingest accounts for %d events, want %d", n, events)
	}
	if n := one[uint64](r, "SELECT count() FROM audit_blocks"); n != 0 {
		r.t.Errorf("%d problems in the sink's ledger", n)
	}
	if n := one[uint64](r, "SELECT toUInt64(sum(unknown)) FROM blocks FINAL"); n != 0 {
		r.t.Errorf("the sink steps over %d records of the log, want 0", n)
	}
	if n := one[uint64](r, "SELECT toUInt64(sum(voids)) FROM blocks FINAL"); n != voids {
		r.t.Errorf("%d voids in the sink's ledger, want %d", n, voids)
	}
	r.t.Logf("%d payloads: %d events, %d dead letters", len(all), events, rejected)
}

func TestOwnPayloadsReachClickHouse(t *testing.T) { onBothBrokers(t, testOwnPayloadsReachClickHouse) }

func testOwnPayloadsReachClickHouse(t *testing.T, b testBroker) {
	r := newRigOn(t, b)
	all := payloads(t, filepath.Join("..", "..", "ingest", "carriers", "testdata"))
	if len(all) < 20 {
		t.Fatalf("%d fixtures found, want at least 20", len(all))
	}
	r.feed(all)
}

func TestGivenPayloadsReachClickHouse(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "payloads")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the collection of real payloads is not here")
	}
	r := newRig(t)
	all := payloads(t, dir)
	if len(all) != 110 {
		t.Errorf("%d payloads, want 110", len(all))
	}
	r.feed(all)
	// Answers that are read and say nothing: parcels without a scan,
	// placeholders, a list of numbers. The ledger counts them as empty.
	empty := map[string]bool{
		"fedex/active_shipping_tracking_response_empty_status_detail.xml": true,
		"fedex/active_shipping_tracking_response_missing_status_code.xml": true,
		"fedex/active_shipping_tracking_response_multiple_results.xml":    true,
		"easyship/karrio_tracking_response.json":                          true,
		"gs1_epcis/object_event_all_possible_fields.jsonld":               true,
		"yunexpress/karrio_tracking_response.json":                        true,
	}
	mapped, none := 0, int64(0)
	for _, p := range all {
		if p.events+p.rejected == 0 {
			none++
		}
		if _, ok := r.pipeline.o.Carriers.Carrier(p.carrier); !ok {
			continue
		}
		mapped++
		expected := empty[p.carrier+"/"+filepath.Base(p.path)]
		if is := p.events+p.rejected == 0; is != expected {
			t.Errorf("%s: empty is %v, want %v", p.path, is, expected)
		}
	}
	if n := one[int64](r, "SELECT sum(empty) FROM ranges FINAL"); n != none {
		t.Errorf("the ledger counts %d empty records, want %d", n, none)
	}
	if mapped < 100 {
		t.Errorf("%d payloads of mapped carriers, want at least 100", mapped)
	}
}

const goodScan = `{"waybill_number":"YT2632100000099917","origin_country_code":"CN","country_code":"GB","track_events":[` +
	`{"process_time":"2026-09-20T08:12:33","time_zone":"GMT+08:00","track_node_code":"%s","process_content":"text","process_location":"SHENZHEN","process_country":"CN"}]}`

// badRecords are records of a mapped carrier that hold nothing readable, with
// the reason that their dead letter must give.
func badRecords() map[string]struct{ raw, reason string } {
	return map[string]struct{ raw, reason string }{
		"truncated JSON":  {`{"waybill_number":"YT26321000000`, "bad_syntax"},
		"truncated XML":   {`<Track><Number>YT26321`, "bad_syntax"},
		"10 MB":           {`{"waybill_number":"` + strings.Repeat("Y", 10<<20) + `"}`, "too_large"},
		"depth 10,000":    {strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), "too_deep"},
		"duplicate keys":  {`{"waybill_number":"YT2632100000000017","waybill_number":"YT2632100000000018","track_events":[]}`, "duplicate_key"},
		"NUL":             {"{\"waybill_number\":\"YT26321000000\x0000017\"}", "bad_encoding"},
		"invalid UTF-8":   {"{\"waybill_number\":\"YT\xff\xfe\"}", "bad_encoding"},
		"empty":           {"", "empty_record"},
		"no JSON, no XML": {"waybill;time;code\nYT26;2026;X", "bad_syntax"},
		"impossible date": {strings.Replace(fmt.Sprintf(goodScan, "DELIVERED"), "2026-09-20", "2026-02-30", 1), "bad_time"},
		"year 9999":       {strings.Replace(fmt.Sprintf(goodScan, "DELIVERED"), "2026-09-20", "9999-09-20", 1), "time_out_of_range"},
		"zone of a name":  {strings.Replace(fmt.Sprintf(goodScan, "DELIVERED"), "GMT+08:00", "XYZT", 1), "bad_time"},
	}
}

func TestBadInputIsADeadLetterAndBlocksNothing(t *testing.T) {
	onBothBrokers(t, testBadInputIsADeadLetterAndBlocksNothing)
}

func testBadInputIsADeadLetterAndBlocksNothing(t *testing.T, b testBroker) {
	r := newRigOn(t, b)
	r.topic("yunexpress")
	r.topic("nobody")
	r.start()
	bad := badRecords()
	offsets := map[string]int64{}
	for name, b := range bad {
		offsets[name] = r.send("yunexpress", []byte(b.raw))
	}
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "FIRST_MILE_ARRIVE"))
	unreadable := r.send("nobody", []byte(`{"what":"ever"}`))
	r.settle()
	for name, b := range bad {
		if got := one[string](r, "SELECT toString(any(reason)) FROM dead_letters FINAL WHERE topic = 'scans.raw.yunexpress' AND `offset` = ?", offsets[name]); got != b.reason {
			t.Errorf("%s: reason %q, want %q", name, got, b.reason)
		}
		if n := one[uint32](r, "SELECT any(raw_bytes) FROM dead_letters FINAL WHERE topic = 'scans.raw.yunexpress' AND `offset` = ?", offsets[name]); int(n) != len(b.raw) {
			t.Errorf("%s: %d raw bytes kept, want %d", name, n, len(b.raw))
		}
	}
	if got := one[string](r, "SELECT toString(any(reason)) FROM dead_letters FINAL WHERE topic = 'scans.raw.nobody' AND `offset` = ?", unreadable); got != "unreadable_layout" {
		t.Errorf("unknown carrier with an unreadable layout: reason %q", got)
	}
	if n := one[uint64](r, "SELECT count() FROM scans FINAL WHERE milestone = 'origin_facility_arrived'"); n != 1 {
		t.Errorf("%d scans after the bad records, want the good one", n)
	}
}

func TestUnknownCodeIsKeptAsUnmapped(t *testing.T) {
	r := newRig(t)
	r.topic("yunexpress")
	r.start()
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "QUANTUM_LEAP"))
	r.settle()
	if n := one[uint64](r, "SELECT count() FROM scans FINAL WHERE milestone = 'unmapped' AND raw_code = 'QUANTUM_LEAP' AND NOT physical AND NOT progress"); n != 1 {
		t.Errorf("%d unmapped scans, want 1", n)
	}
	if n := r.pipeline.value("scantrail_ingest_unmapped_total", "yunexpress"); n != 1 {
		t.Errorf("%g counted as unmapped, want 1", n)
	}
}

// TestClickHouseAway cuts the connection to ClickHouse while scans arrive.
func TestClickHouseAway(t *testing.T) { onBothBrokers(t, testClickHouseAway) }

func testClickHouseAway(t *testing.T, b testBroker) {
	r := newRigOn(t, b)
	r.topic("yunexpress")
	r.start()
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "PICKED_UP"))
	r.settle()
	r.proxy.Cut()
	for _, code := range []string{"FIRST_MILE_ARRIVE", "EXPORT_CUSTOMS_COMPLETE", "MAIN_LINE_DEPART"} {
		r.send("yunexpress", fmt.Appendf(nil, goodScan, code))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for r.pipeline.value("scantrail_detector_records_total") < 4 { // detection goes on
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			t.Fatal("the detector waits for ClickHouse")
		}
	}
	if err := r.pipeline.Ready(ctx); err == nil || !strings.Contains(err.Error(), "clickhouse") {
		t.Errorf("ready says %v while ClickHouse is away", err)
	}
	r.proxy.Mend()
	r.settle()
	if n := one[uint64](r, "SELECT count() FROM scans FINAL"); n != 4 {
		t.Errorf("%d scans, want 4", n)
	}
	if n := one[uint16](r, "SELECT facts FROM parcels FINAL"); n != 4 {
		t.Errorf("the parcel's row has %d facts, want 4", n)
	}
}

// TestKafkaAway stops the broker under a running pipeline.
func TestKafkaAway(t *testing.T) { onBothBrokers(t, testKafkaAway) }

func testKafkaAway(t *testing.T, b testBroker) {
	r := newRigOn(t, b)
	r.topic("yunexpress")
	r.start()
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "PICKED_UP"))
	r.settle()
	r.kafkaIs.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	untilTrue(t, ctx, "ready says that Kafka is away", func() bool {
		err := r.pipeline.Ready(ctx)
		return err != nil && strings.Contains(err.Error(), "kafka")
	})
	r.kafkaIs.start(t)
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "FIRST_MILE_ARRIVE"))
	untilTrue(t, ctx, "ready again", func() bool { return r.pipeline.Ready(ctx) == nil })
	r.settle()
	if n := one[uint64](r, "SELECT count() FROM scans FINAL"); n != 2 {
		t.Errorf("%d scans, want 2", n)
	}
	if n := one[uint16](r, "SELECT facts FROM parcels FINAL"); n != 2 {
		t.Errorf("the parcel's row has %d facts, want 2", n)
	}
}

// newProxy stands between a test and an address until the test ends.
func newProxy(t *testing.T, target string) *proc.Proxy {
	t.Helper()
	p, err := proc.NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// TestRestartedIngestKeepsItsLedger stops the pipeline between two batches and
// expects the account of raw records to go on where it stopped.
func TestRestartedIngestKeepsItsLedger(t *testing.T) {
	onBothBrokers(t, testRestartedIngestKeepsItsLedger)
}

func testRestartedIngestKeepsItsLedger(t *testing.T, b testBroker) {
	r := newRigOn(t, b)
	r.topic("yunexpress")
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.pipeline.Run(ctx) }()
		r.send("yunexpress", fmt.Appendf(nil, goodScan, "PICKED_UP"))
		r.send("yunexpress", []byte("{"))
		r.settle()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	var records, events, dead int64
	if err := r.pipeline.rows.QueryRow(t.Context(), "SELECT sum(records), sum(events), sum(dead_letters) FROM ranges FINAL").Scan(&records, &events, &dead); err != nil {
		t.Fatal(err)
	}
	if records != 6 || events != 3 || dead != 3 {
		t.Errorf("the ledger says %d records, %d events, %d dead letters; want 6, 3, 3", records, events, dead)
	}
	if n := one[uint64](r, "SELECT uniqExact(fact_id) FROM scans FINAL"); n != 1 {
		t.Errorf("%d facts, want 1: the same scan was sent three times", n)
	}
	if !bytes.Contains([]byte(one[string](r, "SELECT toString(any(reason)) FROM dead_letters FINAL")), []byte("bad_syntax")) {
		t.Error("no dead letter with reason bad_syntax")
	}
}
