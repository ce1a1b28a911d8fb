package main

import (
	"testing"
	"time"

	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// What a view reads is asserted rather than how long it takes: one parcel's
// trail must not read the log, and stalled_now no column that it does not show.
func TestViewsReadLittle(t *testing.T) {
	addr, name := chdbtest.Database(t)
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // of a test
	if _, err := sink.Migrate(t.Context(), conn, sink.MigrateOptions{Now: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	b := &bench{engine: chdbtest.Engine(t), database: name, parcels: 20_000}
	if err := b.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole, err := b.query(t.Context(), "SELECT * EXCEPT (raw_text) FROM scan_texts")
	if err != nil || whole.Rows < 150_000 {
		t.Fatalf("%d texts, %v", whole.Rows, err)
	}
	limits := map[string]uint64{ // bytes
		"parcel_trail": whole.Read.Bytes / 5,
		"scans_valid":  whole.Read.Bytes / 5,
		"stalled_now":  20_000 * 250,
		"feed_health":  whole.Read.Bytes,
	}
	for _, q := range b.questions() {
		a, err := b.query(t.Context(), q.sql(0))
		if err != nil {
			t.Errorf("%s: %v", q.name, err)
			continue
		}
		if a.Rows == 0 {
			t.Errorf("%s has no rows: it measures nothing", q.name)
		}
		if limit, ok := limits[q.name]; ok && a.Read.Bytes > limit {
			t.Errorf("%s reads %d bytes, more than %d", q.name, a.Read.Bytes, limit)
		}
	}
}
