package chdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

const wideTable = `CREATE TABLE wide (
	id UUID, at DateTime64(3, 'UTC'), carrier LowCardinality(String), ended Nullable(DateTime('UTC')), n UInt64,
	codes Array(String), attributes Map(String, String), text String, code UInt8, share Float64
) ENGINE = MergeTree ORDER BY n`

const wideInsert = "INSERT INTO wide (id, at, carrier, ended, n, codes, attributes, text, code, share)"

// wide holds rows of the table above, by column.
type wide struct {
	id         []uuid.UUID
	at         []time.Time
	carrier    []string
	ended      []*time.Time
	n          []uint64
	codes      [][]string
	attributes []map[string]string
	text       []string
	code       []uint8
	share      []float64
}

func wideRows(rows int) *wide {
	w := &wide{}
	random := rand.NewChaCha8([32]byte{1})
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	codes := [][]string{{"\n", "b"}, {}, {"c"}}
	attributes := []map[string]string{{"leg": "1"}, {}}
	for i := range rows {
		var id uuid.UUID
		random.Read(id[:])
		end := day.Add(time.Duration(i) * time.Second)
		w.id, w.at = append(w.id, id), append(w.at, day.Add(time.Duration(i)*time.Millisecond))
		w.carrier = append(w.carrier, []string{"dhl", "ups", "gls"}[i%3])
		if i%2 == 0 {
			w.ended = append(w.ended, &end)
		} else {
			w.ended = append(w.ended, nil)
		}
		w.n, w.codes, w.attributes = append(w.n, uint64(i)), append(w.codes, codes[i%3]), append(w.attributes, attributes[i%2])
		w.text, w.code, w.share = append(w.text, "arrived\nat facility"), append(w.code, uint8(i)), append(w.share, float64(i)/4)
	}
	return w
}

// send inserts the rows as one batch, column by column.
func (w *wide) send(ctx context.Context, conn driver.Conn) error {
	batch, err := conn.PrepareBatch(ctx, wideInsert)
	if err != nil {
		return err
	}
	for i, column := range []any{w.id, w.at, w.carrier, w.ended, w.n, w.codes, w.attributes, w.text, w.code, w.share} {
		if err := batch.Column(i).Append(column); err != nil {
			return errors.Join(err, batch.Close())
		}
	}
	return batch.Send()
}

func TestInsertColumns(t *testing.T) {
	conn := open(t, nil)
	ctx := testContext(t)
	must(t, conn.Exec(ctx, wideTable))
	const rows = 1_000_000
	w := wideRows(rows)
	must(t, w.send(ctx, conn))
	var got struct {
		n, sum, ended uint64
		id            uuid.UUID
		at            time.Time
		codes         []string
		attributes    map[string]string
		text          string
	}
	must(t, conn.QueryRow(ctx, "SELECT count(), sum(n), countIf(isNull(ended)) FROM wide").Scan(&got.n, &got.sum, &got.ended))
	if got.n != rows || got.sum != rows*(rows-1)/2 || got.ended != rows/2 {
		t.Fatalf("count %d, sum %d, open %d", got.n, got.sum, got.ended)
	}
	must(t, conn.QueryRow(ctx, "SELECT id, at, codes, attributes, text FROM wide WHERE n = 600000").Scan(&got.id, &got.at, &got.codes, &got.attributes, &got.text))
	if got.id != w.id[600000] || !got.at.Equal(w.at[600000]) || len(got.codes) != 2 || got.codes[0] != "\n" || got.attributes["leg"] != "1" || got.text != w.text[0] {
		t.Fatalf("row 600000: %+v", got)
	}
	if parts := one[uint64](t, conn, "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'wide' AND level = 0"); parts != 1 {
		t.Fatalf("one Send became %d parts", parts)
	}
}

func TestCompression(t *testing.T) {
	for _, method := range []clickhouse.CompressionMethod{
		clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD,
		clickhouse.CompressionGZIP, clickhouse.CompressionDeflate, clickhouse.CompressionBrotli,
	} {
		t.Run(method.String(), func(t *testing.T) {
			conn := open(t, func(o *clickhouse.Options) {
				o.Compression = &clickhouse.Compression{Method: method, Level: 3}
				o.Settings["enable_http_compression"] = 1
			})
			ctx := testContext(t)
			must(t, conn.Exec(ctx, wideTable))
			const rows = 100_000
			must(t, wideRows(rows).send(ctx, conn))
			result, err := conn.Query(ctx, "SELECT n, text FROM wide")
			must(t, err)
			var n, sum uint64
			var text string
			for result.Next() {
				must(t, result.Scan(&n, &text))
				sum += n
			}
			must(t, result.Err())
			if sum != rows*(rows-1)/2 {
				t.Fatalf("sum of what came back: %d", sum)
			}
			if err := conn.Exec(ctx, "SELECT * FROM none"); exceptionCode(err) != 60 {
				t.Fatalf("Exec: %v", err)
			}
			if _, err := conn.Query(ctx, "SELECT * FROM none"); exceptionCode(err) != 60 {
				t.Fatalf("Query: %v", err)
			}
		})
	}
}

func exceptionCode(err error) int32 {
	var e *clickhouse.Exception
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// TestContract pins what the sink relies on, whichever engine version runs.
func TestContract(t *testing.T) {
	conn := open(t, nil)
	ctx := testContext(t)
	for _, ddl := range []string{
		"CREATE TABLE days (day Date, n UInt64) ENGINE = MergeTree PARTITION BY day ORDER BY n",
		"CREATE TABLE parcels (id UInt64, v UInt64, s String) ENGINE = ReplacingMergeTree(v) ORDER BY id",
		"CREATE TABLE tokens (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100",
		"CREATE TABLE no_window (id UInt64) ENGINE = MergeTree ORDER BY id",
		"CREATE VIEW latest AS SELECT * FROM parcels FINAL",
		"CREATE MATERIALIZED VIEW per_day ENGINE = SummingMergeTree ORDER BY day AS SELECT day, count() AS c FROM days GROUP BY day",
		"CREATE TABLE discard (id UInt64) ENGINE = Null",
	} {
		must(t, conn.Exec(ctx, ddl))
	}
	t.Run("an insert over 100 partitions fails whole", func(t *testing.T) {
		send := func(days int) error {
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO days")
			must(t, err)
			for i := range days {
				must(t, batch.Append(time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC), uint64(i)))
			}
			return batch.Send()
		}
		if err := send(101); exceptionCode(err) != 252 {
			t.Fatalf("101 days: %v", err)
		}
		must(t, send(100))
		if n := one[uint64](t, conn, "SELECT count() FROM days"); n != 100 {
			t.Fatalf("%d rows", n)
		}
	})
	t.Run("FINAL keeps the highest version", func(t *testing.T) {
		for _, v := range []uint64{2, 3, 1} {
			batch, err := conn.PrepareBatch(ctx, "INSERT INTO parcels")
			must(t, err)
			must(t, batch.Append(uint64(7), v, fmt.Sprint("v", v)))
			must(t, batch.Send())
		}
		if s := one[string](t, conn, "SELECT s FROM latest"); s != "v3" {
			t.Fatalf("FINAL gives %s", s)
		}
	})
	t.Run("a token is stored once where there is a window", func(t *testing.T) {
		for table, want := range map[string]uint64{"tokens": 2, "no_window": 4} {
			for _, token := range []string{"a", "a", "b", "a"} {
				batch, err := conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token})), "INSERT INTO "+table)
				must(t, err)
				must(t, batch.Append(uint64(1)))
				must(t, batch.Send())
			}
			if n := one[uint64](t, conn, "SELECT count() FROM "+table); n != want {
				t.Errorf("%s has %d rows, want %d", table, n, want)
			}
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	conn := open(t, func(o *clickhouse.Options) { o.MaxOpenConns = 16 })
	ctx := testContext(t)
	must(t, conn.Exec(ctx, wideTable))
	rows := wideRows(10_000)
	const rounds = 5
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range rounds {
				if err := rows.send(ctx, conn); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range rounds {
				var n, x uint64
				if err := conn.QueryRow(ctx, "SELECT count(), sum(n) FROM wide").Scan(&n, &x); err != nil || n%10_000 != 0 {
					t.Errorf("%d rows: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	if n := one[uint64](t, conn, "SELECT count() FROM wide"); n != 8*rounds*10_000 {
		t.Fatalf("%d rows", n)
	}
}

// BenchmarkInsert inserts half a million rows of ten columns at once.
func BenchmarkInsert(b *testing.B) {
	conn := open(b, nil)
	ctx := context.Background()
	const rows = 500_000
	must(b, conn.Exec(ctx, wideTable))
	w := wideRows(rows)
	for b.Loop() {
		must(b, w.send(ctx, conn))
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(residentMiB(), "RSS-MiB")
}

// residentMiB is the resident memory of this process, engine included.
func residentMiB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib float64
	fmt.Sscan(rest, &kib)
	return kib / 1024
}
