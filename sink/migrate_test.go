package sink

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/sink/chdb/chdbtest"
)

var migratedAt = time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)

// openTest returns connections to a new, empty database of a real ClickHouse.
func openTest(t testing.TB) driver.Conn {
	t.Helper()
	addr, database := chdbtest.Database(t)
	conn, err := Open(Options{URLs: []string{"http://" + addr}, Database: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// migrated returns connections to a new database with the schema.
func migrated(t testing.TB) driver.Conn {
	t.Helper()
	conn := openTest(t)
	if _, err := Migrate(t.Context(), conn, MigrateOptions{Now: migratedAt}); err != nil {
		t.Fatal(err)
	}
	return conn
}

// one returns the single value of a query.
func one[T any](t testing.TB, conn driver.Conn, query string, args ...any) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestMigrate(t *testing.T) {
	ctx, conn := t.Context(), openTest(t)
	if err := Verify(ctx, conn); err == nil || !strings.Contains(err.Error(), "scantrail migrate") {
		t.Errorf("Verify before Migrate: %v, want an error that names scantrail migrate", err)
	}
	o := MigrateOptions{Now: migratedAt}
	for run, want := range []string{"0001_tables,0002_views", ""} {
		applied, err := Migrate(ctx, conn, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(applied, ","); got != want {
			t.Errorf("run %d applied %q, want %q", run+1, got, want)
		}
	}
	if err := Verify(ctx, conn); err != nil {
		t.Error(err)
	}
	bare := "SELECT arrayStringConcat(groupArray(name), ' ') FROM system.tables WHERE database = currentDatabase() AND comment = ''"
	if got := one[string](t, conn, bare); got != "" {
		t.Errorf("without a comment: %s", got)
	}
	bare = `SELECT arrayStringConcat(groupArray(c.table || '.' || c.name), ' ') FROM system.columns AS c
		JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
		WHERE c.database = currentDatabase() AND t.engine != 'View' AND c.comment = ''`
	if got := one[string](t, conn, bare); got != "" {
		t.Errorf("columns without a comment: %s", got)
	}

	// A table file that was edited after it was applied is an error; a file of
	// views is applied again.
	if err := conn.Exec(ctx, "ALTER TABLE schema_migrations UPDATE sha256 = 'x' WHERE version = 2 SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	applied, err := Migrate(ctx, conn, MigrateOptions{Now: migratedAt.Add(time.Hour)})
	if err != nil || strings.Join(applied, ",") != "0002_views" {
		t.Errorf("changed views: applied %q, %v", applied, err)
	}
	if err := conn.Exec(ctx, "ALTER TABLE schema_migrations UPDATE sha256 = 'x' WHERE version = 1 SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := Migrate(ctx, conn, o); err == nil || !strings.Contains(err.Error(), "0001_tables") {
		t.Errorf("changed tables: %v, want an error that names the file", err)
	}
	if err := Verify(ctx, conn); err == nil || !strings.Contains(err.Error(), "0001_tables") {
		t.Errorf("Verify of changed tables: %v, want an error that names the file", err)
	}
}

func TestMigrateConcurrently(t *testing.T) {
	conn := openTest(t)
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := Migrate(context.Background(), conn, MigrateOptions{Now: migratedAt})
			errs <- err
		}()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if err := Verify(t.Context(), conn); err != nil {
		t.Error(err)
	}
}

func TestRenderCluster(t *testing.T) {
	all, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	o := MigrateOptions{Cluster: "main"}
	for _, m := range all {
		statements, err := o.render(m.name, m.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			if !strings.Contains(head(s), " ON CLUSTER `main`") {
				t.Errorf("%s: %s: not on the cluster", m.name, head(s))
			}
			if strings.Contains(s, "CREATE TABLE") && !strings.Contains(s, "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}'") {
				t.Errorf("%s: %s: not replicated", m.name, head(s))
			}
		}
	}
}

func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "urls: none given"},
		{Options{URLs: []string{"127.0.0.1:8123"}}, "urls[0]: not a URL"},
		{Options{URLs: []string{"tcp://a:1"}}, `urls[0]: scheme "tcp"`},
		{Options{URLs: []string{"http://a", "https://b"}}, "urls[1]: scheme"},
		{Options{URLs: []string{"http://me:secret@a"}}, "urls[0]: holds a user"},
		{Options{URLs: []string{"http://a/db?x=1"}}, "urls[0]: holds a path"},
		{Options{URLs: []string{"http://a"}, Compression: "zip"}, `compression "zip"`},
		{Options{URLs: []string{"http://a"}, TLS: TLSOptions{CAFile: "x"}}, "tls: set, but"},
		{Options{URLs: []string{"https://a"}, TLS: TLSOptions{CAFile: "/no/such"}}, "tls.ca_file"},
		{Options{URLs: []string{"https://a"}, TLS: TLSOptions{CertFile: "x"}}, "go together"},
	} {
		_, err := Open(c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.o.URLs, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("error shows the password: %v", err)
		}
	}
}
