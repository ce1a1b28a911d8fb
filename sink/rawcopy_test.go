package sink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
	"scantrail/sink/chdb/chdbtest"
)

const rawTestLimit = 4096

// rawTopic creates a raw topic.
func (k *kafka) rawTopic(carrier string, partitions int32) string {
	k.t.Helper()
	topic := schemas.RawTopicPrefix + carrier
	if _, err := k.adm.CreateTopic(context.Background(), partitions, 1, nil, topic); err != nil {
		k.t.Fatal(err)
	}
	return topic
}

// rawKafka is a broker with three raw topics and the orders.
func rawKafka(t *testing.T) *kafka {
	t.Helper()
	k := startKafka(t, 1)
	k.rawTopic("usps", 2)
	k.rawTopic("yunexpress", 1)
	k.rawTopic("hub", 1)
	if _, err := k.adm.CreateTopic(context.Background(), 1, 1, nil, schemas.OrdersTopic); err != nil {
		t.Fatal(err)
	}
	return k
}

// rawRecord returns the i-th raw record of a partition: of every length, with
// every byte, some without a key or value, some longer than the limit.
func rawRecord(topic string, partition int32, i int) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: partition, Key: fmt.Appendf(nil, "key-%d", i)}
	for n := range i % 300 {
		r.Value = append(r.Value, byte(i+n))
	}
	switch i % 50 {
	case 3:
		r.Key = nil
	case 4:
		r.Value = nil
	case 5:
		r.Value = []byte(strings.Repeat("\x00\n\xff'", rawTestLimit)[:rawTestLimit+i])
	case 6:
		r.Headers = []kgo.RecordHeader{{Key: schemas.CarrierHeader, Value: []byte("china_post")}}
	case 7:
		r.Headers = []kgo.RecordHeader{{Key: schemas.CarrierHeader, Value: []byte("Robert'); --")}}
	}
	return r
}

// putRaw appends the records from the first to before the last of all
// partitions.
func (k *kafka) putRaw(first, last int) {
	k.t.Helper()
	var records []*kgo.Record
	for p, topic := range rawPartitions {
		for i := first; i < last; i++ {
			records = append(records, rawRecord(topic.topic, rawPartitions[p].partition, i))
		}
	}
	if err := k.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

var rawPartitions = []topicPartition{{"scans.raw.usps", 0}, {"scans.raw.usps", 1}, {"scans.raw.yunexpress", 0}, {"scans.raw.hub", 0}}

func (k *kafka) rawCommitted(p topicPartition) int64 {
	offsets, err := k.adm.FetchOffsets(context.Background(), schemas.RawGroup)
	if o, ok := offsets.Lookup(p.topic, p.partition); err == nil && ok {
		return o.At
	}
	return -1
}

func (k *kafka) waitRaw(offset int64) {
	k.t.Helper()
	every(k.t, fmt.Sprintf("all raw partitions are committed up to %d", offset), func() bool {
		return !slices.ContainsFunc(rawPartitions, func(p topicPartition) bool { return k.rawCommitted(p) < offset })
	})
}

// rawConfig is a raw copy that flushes quickly.
func (k *kafka) rawConfig(conn driver.Conn) Config {
	cfg := k.config(conn)
	cfg.Kafka = append(cfg.Kafka, kgo.MetadataMinAge(10*time.Millisecond), kgo.MetadataMaxAge(50*time.Millisecond))
	return cfg
}

func startRaw(t *testing.T, cfg Config) (stop func() error) {
	t.Helper()
	c, err := NewRawCopy(cfg, RawOptions{ValueBytes: rawTestLimit, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = func() error { cancel(); return <-done }
	t.Cleanup(cancel)
	return stop
}

// checkRaw fails unless raw_records holds the first n records of each partition
// exactly once, byte for byte, and nothing else.
func (k *kafka) checkRaw(conn driver.Conn, n int) {
	k.t.Helper()
	topics, err := k.adm.ListTopics(context.Background())
	if err != nil {
		k.t.Fatal(err)
	}
	rows, err := conn.Query(context.Background(), "SELECT topic, topic_id, `partition`, `offset`, carrier, key, raw, raw_bytes, received_at FROM raw_records FINAL")
	if err != nil {
		k.t.Fatal(err)
	}
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var topic, id, carrier, key, raw string
		var partition int32
		var offset int64
		var size uint32
		var at time.Time
		if err := rows.Scan(&topic, &id, &partition, &offset, &carrier, &key, &raw, &size, &at); err != nil {
			k.t.Fatal(err)
		}
		name := fmt.Sprintf("%s/%d/%d", topic, partition, offset)
		want, wantCarrier := rawRecord(topic, partition, int(offset)), strings.TrimPrefix(topic, schemas.RawTopicPrefix)
		if offset%50 == 6 {
			wantCarrier = "china_post"
		}
		wantID := schemas.ID(topics[topic].ID).String()
		if seen[name] || id != wantID || carrier != wantCarrier || key != string(want.Key) ||
			raw != string(want.Value[:min(len(want.Value), rawTestLimit)]) || int(size) != len(want.Value) || time.Since(at).Abs() > time.Hour {
			k.t.Fatalf("%s (seen %t): id %s, want %s; carrier %q, key %q, %d bytes, raw_bytes %d, received_at %s",
				name, seen[name], id, wantID, carrier, key, len(raw), size, at)
		}
		seen[name] = true
	}
	if rows.Err() != nil || len(seen) != n*len(rawPartitions) {
		k.t.Fatalf("%d rows, want %d; %v", len(seen), n*len(rawPartitions), rows.Err())
	}
}

func TestRawCopiesOnceAfterACrash(t *testing.T) {
	k, conn := rawKafka(t), migrated(t)
	k.putRaw(0, 1000)
	k.put(schemas.OrdersTopic, 0, []byte("an order"))
	k.put(schemas.DeadLettersTopic, 0, []byte("a dead letter"))
	stop := startRaw(t, k.rawConfig(conn))
	k.waitRaw(1000)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	k.checkRaw(conn, 1000)
	// Rows are written, and the process is gone before its offsets are.
	fault := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	k.putRaw(1000, 3000)
	registry, cfg := prometheus.NewRegistry(), k.rawConfig(conn)
	cfg.Metrics, cfg.ShutdownTimeout = registry, 50*time.Millisecond
	stop = startRaw(t, cfg)
	every(t, "all rows are written", func() bool {
		return one[uint64](t, conn, "SELECT uniqExact(topic, `partition`, `offset`) FROM raw_records") == 12_000
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := series(t, registry, "scantrail_raw_copy_records_total"); n != 1 {
		t.Errorf("%d series of records, want 1 for all raw topics", n)
	}
	for _, p := range rawPartitions {
		if at := k.rawCommitted(p); at != 1000 {
			t.Fatalf("%v: committed %d in spite of the fault, want 1000", p, at)
		}
	}
	fault.Remove()
	k.putRaw(3000, 4000)
	registry, cfg = prometheus.NewRegistry(), k.rawConfig(conn)
	cfg.Metrics = registry
	stop = startRaw(t, cfg)
	k.waitRaw(4000)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := sum(t, registry, "scantrail_raw_copy_rows_total"); n != 12_000 {
		t.Errorf("%v rows after the crash, want the 8000 before it again and 4000 new ones", n)
	}
	k.checkRaw(conn, 4000)
}

// sum adds up the series of a counter.
func sum(t *testing.T, r *prometheus.Registry, name string) (total float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	return total
}

func TestRawClickHouseAway(t *testing.T) {
	k, direct := rawKafka(t), migrated(t)
	target, database := chdbtest.Start(t), one[string](t, direct, "SELECT currentDatabase()")
	var away atomic.Bool
	var statements sync.Map
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler) // closes the connection without an answer
		}
		if user, _, _ := r.BasicAuth(); user != "scantrail_raw" {
			t.Errorf("asked as user %q, want scantrail_raw", user)
		}
		statement := r.URL.Query().Get("query")
		if statement == "" {
			body, _ := io.ReadAll(r.Body)
			statement, r.Body = string(body), io.NopCloser(bytes.NewReader(body))
		}
		statements.Store(statement, true)
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	conn, err := Open(Options{URLs: []string{server.URL}, Database: database, User: "scantrail_raw"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	log, cfg := newLogs(), k.rawConfig(conn)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	k.putRaw(0, 500)
	stop := startRaw(t, cfg)
	k.waitRaw(500)
	away.Store(true)
	k.putRaw(500, 1500)
	log.wait(t, "takes no inserts")
	if at := k.rawCommitted(rawPartitions[0]); at != 500 {
		t.Errorf("committed %d while nothing was written, want 500", at)
	}
	away.Store(false)
	log.wait(t, "takes inserts again")
	k.waitRaw(1500)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	k.checkRaw(direct, 1500)
	// What the grants of README.md do not cover would stop it.
	statements.Range(func(statement, _ any) bool {
		text := statement.(string)
		switch {
		case strings.HasPrefix(text, "INSERT INTO raw_records "), strings.HasPrefix(text, "SELECT displayName()"),
			strings.Contains(text, "FROM system.tables WHERE database = currentDatabase() AND name IN ('raw_records', 'raw_records_local')"):
		default:
			t.Errorf("asked %s: needs a further grant", text)
		}
		return true
	})
}

func TestRawFindsNewTopics(t *testing.T) {
	k, conn := rawKafka(t), migrated(t)
	k.putRaw(0, 10)
	stop := startRaw(t, k.rawConfig(conn))
	k.waitRaw(10)
	topic := k.rawTopic("evri", 1)
	k.put(topic, 0, []byte("<scan/>"))
	every(t, "the new topic is copied", func() bool { return k.rawCommitted(topicPartition{topic, 0}) == 1 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, conn, "SELECT raw FROM raw_records FINAL WHERE carrier = 'evri'"); got != "<scan/>" {
		t.Errorf("raw is %q", got)
	}
}

// Records that are gone before they were copied hold up nothing, and are said.
func TestRawRetention(t *testing.T) {
	k, conn := rawKafka(t), migrated(t)
	k.putRaw(0, 10)
	stop := startRaw(t, k.rawConfig(conn))
	k.waitRaw(10)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	k.putRaw(10, 100)
	var upTo kadm.Offsets
	upTo.AddOffset("scans.raw.hub", 0, 60, -1)
	if _, err := k.adm.DeleteRecords(t.Context(), upTo); err != nil {
		t.Fatal(err)
	}
	stop = startRaw(t, k.rawConfig(conn))
	k.waitRaw(100)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got := one[string](t, conn, "SELECT toString(groupArray((topic, partition, first_offset, last_offset, kind))) FROM data_gaps FINAL")
	if want := "[('scans.raw.hub',0,10,59,'raw_copy')]"; got != want {
		t.Errorf("data_gaps is %s, want %s", got, want)
	}
	if n := one[uint64](t, conn, "SELECT count() FROM raw_records FINAL WHERE topic = 'scans.raw.hub'"); n != 50 {
		t.Errorf("%d rows, want 50", n)
	}
}

// TestRawErasure: what is older than the days is gone after a merge, also after
// the days were changed, and the copy refuses a table that keeps it longer.
func TestRawErasure(t *testing.T) {
	ctx, conn := t.Context(), openTest(t)
	migrate := func(days int) string {
		applied, err := Migrate(ctx, conn, MigrateOptions{Lifecycle: Lifecycle{RawDays: days}, Now: migratedAt})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(applied, ",")
	}
	migrate(0)
	if days, err := rawDaysOf(ctx, conn); err != nil || days != DefaultRawDays {
		t.Fatalf("a new table keeps %d days, %v, want %d", days, err, DefaultRawDays)
	}
	left := func() string {
		if err := conn.Exec(ctx, "OPTIMIZE TABLE raw_records FINAL"); err != nil {
			t.Fatal(err)
		}
		return one[string](t, conn, "SELECT toString(arraySort(groupArray(offset))) FROM raw_records FINAL")
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for age := range 10 { // offset = age in days; just before midnight
		at := today.Add(24*time.Hour-time.Second).AddDate(0, 0, -age).UnixMilli()
		if err := conn.Exec(ctx, "INSERT INTO raw_records (topic, partition, offset, received_at, raw) VALUES ('scans.raw.usps', 0, ?, fromUnixTimestamp64Milli(?, 'UTC'), 'x')", age, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := left(); got != "[0,1,2,3,4,5,6]" {
		t.Errorf("after 7 days %s are left", got)
	}
	if got := migrate(3); !strings.HasPrefix(got, "raw_records: TTL ") {
		t.Errorf("applied %q, want a TTL of raw_records", got)
	}
	every(t, "the change is applied", func() bool { return left() == "[0,1,2]" })
	if got := migrate(0) + migrate(3); got != "" {
		t.Errorf("applied %q, want nothing", got)
	}
	k := rawKafka(t)
	c, err := NewRawCopy(k.rawConfig(conn), RawOptions{Days: 2, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(ctx); err == nil || !strings.Contains(err.Error(), "keeps 3 days and 2 are configured: run scantrail migrate") {
		t.Errorf("Run: %v", err)
	}
	if err := conn.Exec(ctx, "DROP TABLE raw_records"); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(ctx); err == nil || !strings.Contains(err.Error(), "run scantrail migrate") {
		t.Errorf("Run without the table: %v", err)
	}
}

// The days count from a time that no producer can choose, and a backlog brings
// back nothing that was to be erased.
func TestRawReceivedAt(t *testing.T) {
	now := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
	appended := kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: 1})
	for _, c := range []struct {
		name  string
		attrs kgo.RecordAttrs
		at    time.Time
		want  string // empty: not copied
	}{
		{"producer's time, ahead", kgo.RecordAttrs{}, now.AddDate(70, 0, 0), "2026-11-22T19:00:00Z"},
		{"producer's time, behind", kgo.RecordAttrs{}, now.AddDate(-70, 0, 0), "2026-11-22T19:00:00Z"},
		{"broker's time", appended, now.AddDate(0, 0, -2), "2026-11-20T19:00:00Z"},
		{"broker's time, ahead", appended, now.Add(time.Hour), "2026-11-22T19:00:00Z"},
		{"first day kept", appended, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), "2026-11-20T00:00:00Z"},
		{"over", appended, time.Date(2026, 11, 19, 23, 59, 59, 0, time.UTC), ""},
	} {
		p := &pending{raw: &rawDays{}}
		r := &kgo.Record{Topic: "scans.raw.usps", Attrs: c.attrs, Timestamp: c.at, Value: []byte("x")}
		p.addRaw(schemas.ID{7}, []*kgo.Record{r}, &RawOptions{Days: 3, ValueBytes: 10, Now: func() time.Time { return now }})
		got := ""
		if p.rows == 1 {
			got = time.UnixMilli(p.raw.blocks[0].received.v[0]).UTC().Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A backlog of several days is one block for each, or ClickHouse refuses it.
func TestRawBlocksOfDays(t *testing.T) {
	conn := migrated(t)
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newPending(m)
	p.raw = &rawDays{}
	now := time.Now()
	o := &RawOptions{Days: 7, ValueBytes: 10, Now: func() time.Time { return now }}
	for round := range 2 {
		for i := range 7 {
			r := &kgo.Record{Topic: "scans.raw.usps", Offset: int64(10*round + i), Value: []byte("x"),
				Attrs: kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: 1}), Timestamp: now.AddDate(0, 0, -i)}
			p.addRaw(schemas.ID{7}, []*kgo.Record{r}, o)
		}
		if err := p.write(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
		if n := len(p.raw.blocks); n != maxFreeRawBlocks {
			t.Errorf("%d blocks are kept, want %d", n, maxFreeRawBlocks)
		}
	}
	if got := one[string](t, conn, "SELECT toString((count(), uniqExact(toDate(received_at)), uniqExact(_partition_id))) FROM raw_records FINAL"); got != "(14,7,7)" {
		t.Errorf("rows, days, partitions: %s, want (14,7,7)", got)
	}
}

func TestRawAllocatesNothing(t *testing.T) {
	var records []*kgo.Record
	for i := range 1000 {
		records = append(records, rawRecord("scans.raw.usps", 0, i))
	}
	p, o := &pending{raw: &rawDays{}}, &RawOptions{Days: 7, ValueBytes: rawTestLimit, Now: time.Now}
	allocs := testing.AllocsPerRun(20, func() {
		p.addRaw(schemas.ID{7}, records, o)
		for _, b := range p.raw.blocks {
			b.reset()
		}
	})
	if allocs > 1 { // of 1000 records
		t.Errorf("%v allocations for 1000 records, want none", allocs)
	}
}

// TestRawReadme runs the query of README.md, and has ClickHouse read its grants.
func TestRawReadme(t *testing.T) {
	k, conn := rawKafka(t), migrated(t)
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var grants, query string
	for _, part := range strings.Split(string(text), "```sql\n")[1:] {
		switch block, _, _ := strings.Cut(part, "```"); {
		case strings.Contains(block, "GRANT INSERT ON scantrail.raw_records"):
			grants = block
		case strings.Contains(block, "FROM raw_records"):
			query = strings.TrimSuffix(strings.TrimSpace(block), ";")
		}
	}
	statements := 0
	for line := range strings.Lines(grants) {
		line, _, _ = strings.Cut(line, ";")
		if err := conn.Exec(t.Context(), "EXPLAIN AST "+line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		statements++
	}
	if statements < 5 || query == "" {
		t.Fatalf("README.md has %d statements about the user of raw_records, and the query %q", statements, query)
	}

	k.putRaw(0, 10)
	stop := startRaw(t, k.rawConfig(conn))
	k.waitRaw(10)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	topics, err := k.adm.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	scan := event(7)
	scan.Event.TopicID = schemas.ID(topics["scans.raw.yunexpress"].ID)
	scan.Event.Partition = 0
	k.put(schemas.EventsTopic, 0, encode(scan)...)
	stop = start(t, k.config(conn))
	k.waitCommitted(schemas.EventsTopic, 0, 1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	want := rawRecord("scans.raw.yunexpress", 0, 7)
	if got := one[string](t, conn, "SELECT toString(groupArray((carrier, hex(raw), raw_bytes))) FROM ("+query+")"); got != fmt.Sprintf("[('yunexpress','%X',%d)]", want.Value, len(want.Value)) {
		t.Errorf("the query of README.md gives %s", got)
	}
}
