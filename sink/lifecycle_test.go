package sink

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLifecycle: rows go when their month has, and a change of the days changes
// the tables, once.
func TestLifecycle(t *testing.T) {
	ctx, conn := t.Context(), migrated(t)
	now := time.Now().UTC()
	for _, age := range []int{0, 150, 400} { // days
		at := now.AddDate(0, 0, -age).UnixMilli()
		for _, q := range []string{
			"INSERT INTO scans (partition, offset, received_at) VALUES (0, ?, fromUnixTimestamp64Milli(?, 'UTC'))",
			"INSERT INTO scan_texts (partition, offset, received_at) VALUES (0, ?, fromUnixTimestamp64Milli(?, 'UTC'))",
			"INSERT INTO alert_transitions (version, changed_at) VALUES (?, fromUnixTimestamp64Milli(?, 'UTC'))",
		} {
			if err := conn.Exec(ctx, q, age, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := func(table, column string) string {
		if err := conn.Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			t.Fatal(err)
		}
		return one[string](t, conn, "SELECT toString(arraySort(groupArray("+column+"))) FROM "+table)
	}
	for _, step := range []struct {
		name           string
		life           Lifecycle
		changed        []string // tables
		scans, changes string   // what is left
	}{
		{"everything", Lifecycle{}, nil, "[0,150,400]", "[0,150,400]"},
		{"scans of 400 days", Lifecycle{ScanDays: 400}, []string{"scans"}, "[0,150,400]", "[0,150,400]"}, // from the end of their month on
		{"scans of 300 days, transitions of 200", Lifecycle{ScanDays: 300, TransitionDays: 200}, []string{"scans", "alert_transitions"}, "[0,150]", "[0,150]"},
		{"as it was", Lifecycle{}, []string{"scans", "alert_transitions"}, "[0,150]", "[0,150]"},
	} {
		for _, want := range [][]string{step.changed, nil} {
			applied, err := Migrate(ctx, conn, MigrateOptions{Lifecycle: step.life, Now: migratedAt})
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range applied {
				applied[i], _, _ = strings.Cut(a, ":")
			}
			if !slices.Equal(applied, want) {
				t.Errorf("%s: changed %q, want %q", step.name, applied, want)
			}
		}
		every(t, step.name, func() bool {
			return left("scans", "offset") == step.scans && left("alert_transitions", "version") == step.changes
		})
	}
	if got := left("scan_texts", "offset"); got != "[0,150,400]" {
		t.Errorf("scan_texts has %s left", got)
	}
}

func TestColdVolume(t *testing.T) {
	l := Lifecycle{ScanDays: 730, StoragePolicy: "tiered", ColdVolume: "cold", ColdDays: 30}
	ttl, err := l.clause("scans")
	const want = "\nTTL toStartOfMonth(received_at) + toIntervalMonth(1) + toIntervalDay(30) TO VOLUME 'cold', toStartOfMonth(received_at) + toIntervalMonth(1) + toIntervalDay(730)"
	if err != nil || ttl != want {
		t.Errorf("TTL of scans: %q, %v", ttl, err)
	}
	if ttl, err := l.clause("dead_letters"); err != nil || strings.Contains(ttl, "VOLUME") {
		t.Errorf("TTL of dead_letters: %q, %v: only tables of months move", ttl, err)
	}
	if _, err := l.clause("parcels"); err == nil {
		t.Error("a table without a lifecycle is no error")
	}
}
