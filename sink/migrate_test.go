package sink

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
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

// files returns the names of what Migrate applies.
func files(t *testing.T) string {
	t.Helper()
	all, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	return strings.Join(names, ",")
}

func TestMigrate(t *testing.T) {
	ctx, conn := t.Context(), openTest(t)
	if err := Verify(ctx, conn, ""); err == nil || !strings.Contains(err.Error(), "scantrail migrate") {
		t.Errorf("Verify before Migrate: %v, want an error that names scantrail migrate", err)
	}
	for run, want := range []string{files(t), ""} {
		applied, err := Migrate(ctx, conn, MigrateOptions{Now: migratedAt})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(applied, ","); got != want {
			t.Errorf("run %d applied %q, want %q", run+1, got, want)
		}
	}
	if err := Verify(ctx, conn, ""); err != nil {
		t.Error(err)
	}
	if err := Verify(ctx, conn, "main"); err == nil || !strings.Contains(err.Error(), "made for one node") {
		t.Errorf("Verify for a cluster: %v", err)
	}
	if _, err := Migrate(ctx, conn, MigrateOptions{Cluster: "main", Now: migratedAt}); err == nil || !strings.Contains(err.Error(), "made for one node") {
		t.Errorf("Migrate to a cluster: %v", err)
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
}

// TestMigrateReleases: what a binary does to a database that another release
// has been at.
func TestMigrateReleases(t *testing.T) {
	ctx, conn := t.Context(), migrated(t)
	const note = "INSERT INTO schema_migrations (version, name, sha256, applied_at) VALUES "
	for _, c := range []struct {
		name    string
		history []string // statements
		verify  string   // part of the error; empty: none
		migrate string
		back    bool
		applied string
	}{
		{name: "older views", history: []string{"ALTER TABLE schema_migrations DELETE WHERE version = 2 SETTINGS mutations_sync = 1", note + "(2, '0002_views', 'older', '2026-09-01')"},
			verify: "0002_views is that of another release", applied: "0002_views"},
		{name: "newer views", history: []string{note + "(2, '0002_views', 'newer', '2027-11-01')"},
			migrate: "0002_views was replaced at 2027-11-01 00:00:00 by that of a newer release"},
		{name: "newer views put back", back: true, applied: "0002_views"},
		{name: "newer tables", history: []string{note + "(900, '0900_more', 'newer', '2026-11-03')"}, migrate: "the database has 0900_more"},
		{name: "newer tables are not taken back", back: true, migrate: "the database has 0900_more"},
		{name: "edited tables", history: []string{"ALTER TABLE schema_migrations DELETE WHERE version IN (1, 900) SETTINGS mutations_sync = 1", note + "(1, '0001_tables', 'edited', '2026-09-01')"},
			verify: "0001_tables has other contents", migrate: "0001_tables is in the database with other contents"},
	} {
		for _, q := range c.history {
			if err := conn.Exec(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
		if err := Verify(ctx, conn, ""); !saysPart(err, c.verify) {
			t.Errorf("%s: Verify: %v, want %q", c.name, err, c.verify)
		}
		applied, err := Migrate(ctx, conn, MigrateOptions{Back: c.back, Now: migratedAt})
		if got := strings.Join(applied, ","); got != c.applied || !saysPart(err, c.migrate) {
			t.Errorf("%s: Migrate applied %q, %v, want %q, %q", c.name, got, err, c.applied, c.migrate)
		}
	}
}

func saysPart(err error, part string) bool {
	return err == nil && part == "" || err != nil && part != "" && strings.Contains(err.Error(), part)
}

// TestMigrateWhileWriting: writers of the release before go on while two
// processes add a column, and lose nothing; the new writer is refused before.
func TestMigrateWhileWriting(t *testing.T) {
	ctx, conn := t.Context(), openTest(t)
	now, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	column := regexp.MustCompile("(?m)^    `life` UInt8 COMMENT '[^']+',\n").FindString(now[0].text)
	if column == "" {
		t.Fatal("0001_tables has no column life any more: take another one")
	}
	before, err := newMigration("0001_tables.sql", []byte(strings.Replace(now[0].text, column, "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	alter, err := newMigration("0900_life.sql", []byte("ALTER TABLE parcels{{.OnCluster}} ADD COLUMN IF NOT EXISTS `life` UInt8 DEFAULT 1 COMMENT 'number of this life' AFTER opened_at\n;\n"))
	if err != nil {
		t.Fatal(err)
	}
	view, err := newMigration("0002_views.sql", []byte("CREATE OR REPLACE VIEW lives{{.OnCluster}} AS\nSELECT parcel_id, life FROM parcels FINAL\nCOMMENT 'needs the column'\n;\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := MigrateOptions{Now: migratedAt}
	if _, err := o.migrate(ctx, conn, []migration{before}); err != nil {
		t.Fatal(err)
	}
	written := schemas.ParcelRow{TrackingNumber: "NEW1", ParcelID: schemas.ParcelID("NEW1"), Life: 3}
	if err := NewRows(conn).InsertParcels(ctx, []schemas.ParcelRow{written}); err == nil || !strings.Contains(err.Error(), "life") {
		t.Errorf("the new writer on the old schema: %v, want an error that names the column", err)
	}
	after := inOrder([]migration{before, view, alter})
	have, err := appliedMigrations(ctx, conn)
	if err == nil {
		err = verify(after, have)
	}
	if !saysPart(err, "0900_life is missing: run scantrail migrate") {
		t.Errorf("the new release on the old schema: %v", err)
	}

	stop, counted := make(chan struct{}), make(chan int)
	go func() { // the old writer: it does not know the column
		for n := 0; ; n++ {
			select {
			case <-stop:
				counted <- n
				return
			default:
			}
			if err := conn.Exec(context.Background(), "INSERT INTO parcels (parcel_id, opened_at, version, tracking_number) SELECT generateUUIDv4(), now(), 1, 'OLD' FROM numbers(100)"); err != nil {
				t.Error(err)
			}
		}
	}()
	errs := make(chan error)
	for range 2 {
		go func() {
			_, err := o.migrate(context.Background(), conn, after)
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	close(stop)
	n := <-counted
	if err := NewRows(conn).InsertParcels(ctx, []schemas.ParcelRow{written}); err != nil {
		t.Error(err)
	}
	if n == 0 {
		t.Error("nothing was written meanwhile")
	}
	want := fmt.Sprintf("[(1,%d),(3,1)]", 100*n)
	if got := one[string](t, conn, "SELECT toString(groupArray((life, n))) FROM (SELECT life, count() AS n FROM lives GROUP BY life ORDER BY life)"); got != want {
		t.Errorf("lives are %s, want %s", got, want)
	}
	if applied, err := o.migrate(ctx, conn, after); err != nil || len(applied) > 0 {
		t.Errorf("again: applied %v, %v", applied, err)
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
	if err := Verify(t.Context(), conn, ""); err != nil {
		t.Error(err)
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
