package chdb_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/sink/chdb/chdbtest"
)

// open connects clickhouse-go to a fresh database of the process's engine.
func open(t testing.TB, change func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	addr, database := chdbtest.Database(t)
	opts := &clickhouse.Options{
		Addr: []string{addr}, Protocol: clickhouse.HTTP,
		Auth:     clickhouse.Auth{Database: database},
		Settings: clickhouse.Settings{"async_insert": 0},
	}
	if change != nil {
		change(opts)
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// one runs a query with one row and one column.
func one[T any](t testing.TB, conn driver.Conn, sql string, args ...any) (v T) {
	t.Helper()
	if err := conn.QueryRow(testContext(t), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func TestHandshakeAndPing(t *testing.T) {
	conn := open(t, nil)
	must(t, conn.Ping(testContext(t)))
	v, err := conn.ServerVersion()
	must(t, err)
	if v.Version.Major < 26 || v.Timezone.String() != "UTC" {
		t.Fatalf("server version %v, time zone %v", v.Version, v.Timezone)
	}
}

func TestInsertRows(t *testing.T) {
	conn := open(t, nil)
	ctx := testContext(t)
	must(t, conn.Exec(ctx, "CREATE TABLE scans (id UInt64, carrier LowCardinality(String)) ENGINE = MergeTree ORDER BY id"))
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO scans (carrier, id)")
	must(t, err)
	for i := range uint64(1000) {
		must(t, batch.Append("dhl\n", i))
	}
	must(t, batch.Send())
	if n := one[uint64](t, conn, "SELECT sum(id) FROM scans WHERE carrier = 'dhl\\n'"); n != 499500 {
		t.Fatalf("sum = %d", n)
	}
	if s := one[string](t, conn, "SELECT {x:String} || {n:UInt8}", clickhouse.Named("x", "a\tb\n'\\"), clickhouse.Named("n", 7)); s != "a\tb\n'\\7" {
		t.Fatalf("parameter came back as %q", s)
	}
}
