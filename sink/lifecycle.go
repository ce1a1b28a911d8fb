package sink

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Lifecycle says how long rows stay in ClickHouse, in days of UTC after their
// reception, and when they move to slower disks. The zero value keeps all that
// analysts need for good.
type Lifecycle struct {
	ScanDays       int // scans; 0: for good
	TextDays       int // scan_texts; 0: for good
	TransitionDays int // alert_transitions, from the transition on; 0: for good
	DeadLetterDays int // dead_letters; 0: DefaultDeadLetterDays
	// RawDays is how long copies of raw records stay in raw_records. 0: as the
	// table has it, DefaultRawDays in a new one.
	RawDays int

	// StoragePolicy is a policy of the server's configuration, for scans and
	// scan_texts; empty: as the tables have it.
	StoragePolicy string
	// ColdVolume is the volume of that policy to which months of scans and
	// scan_texts move ColdDays after their end; empty: none.
	ColdVolume string
	ColdDays   int
}

// DefaultDeadLetterDays is three times what the topic keeps: time to write a
// mapping and replay what it could not read.
const DefaultDeadLetterDays = 90

// archiveDays: a number that is heard of again that long after its end begins a
// new life in any case.
const archiveDays = 430

// tableLife is the lifecycle of one table.
type tableLife struct {
	table string
	start string // expression of the time from which days count
	days  int    // 0: for good
	tiers bool   // moves to the cold volume
	keep  bool   // what the table has, it keeps
}

// Months and days end as a whole, so that parts are dropped and none is
// rewritten.
func (l Lifecycle) tables() []tableLife {
	const month, day = "toStartOfMonth(received_at) + toIntervalMonth(1)", "toDateTime(toStartOfDay(received_at))"
	return []tableLife{
		{table: "scans", start: month, days: l.ScanDays, tiers: true},
		{table: "scan_texts", start: month, days: l.TextDays, tiers: true},
		{table: "alert_transitions", start: "toDateTime(changed_at)", days: l.TransitionDays},
		{table: "dead_letters", start: "toDateTime(received_at)", days: cmp.Or(l.DeadLetterDays, DefaultDeadLetterDays)},
		{table: "raw_records", start: day, days: cmp.Or(l.RawDays, DefaultRawDays), keep: l.RawDays == 0},
		{table: "archive", start: "toDateTime(evicted_at)", days: archiveDays},
	}
}

// ttl returns what follows the word TTL; empty without.
func (l Lifecycle) ttl(t tableLife) string {
	var rules []string
	if t.tiers && l.ColdVolume != "" {
		rules = append(rules, fmt.Sprintf("%s + toIntervalDay(%d) TO VOLUME %s", t.start, l.ColdDays, quoteString(l.ColdVolume)))
	}
	if t.days > 0 {
		rules = append(rules, fmt.Sprintf("%s + toIntervalDay(%d)", t.start, t.days))
	}
	return strings.Join(rules, ", ")
}

// clause returns the TTL clause of a new table, a line of its own or nothing.
func (l Lifecycle) clause(table string) (string, error) {
	for _, t := range l.tables() {
		if t.table != table {
			continue
		}
		if ttl := l.ttl(t); ttl != "" {
			return "\nTTL " + ttl, nil
		}
		return "", nil
	}
	return "", fmt.Errorf("ttl %q: no such table in lifecycle.go", table)
}

// storage returns the further setting of a new table that moves to cold disks.
func (l Lifecycle) storage() string {
	if l.StoragePolicy == "" {
		return ""
	}
	return ", storage_policy = " + quoteString(l.StoragePolicy)
}

func quoteString(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(s) + "'"
}

// setLifecycle changes the tables whose lifecycle is another than o's, for what
// is in them too, and says which.
func (o MigrateOptions) setLifecycle(ctx context.Context, conn driver.Conn) (changed []string, err error) {
	for _, t := range o.Lifecycle.tables() {
		done, err := o.setTableLife(ctx, conn, t)
		if done != "" {
			changed = append(changed, done)
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

func (o MigrateOptions) setTableLife(ctx context.Context, conn driver.Conn, t tableLife) (changed string, err error) {
	var engine, policy string
	err = conn.QueryRow(ctx, "SELECT any(engine_full), any(storage_policy) FROM system.tables WHERE database = currentDatabase() AND name = ?", o.local(t.table)).Scan(&engine, &policy)
	if err != nil {
		return "", explain("read the lifecycle of "+t.table, err)
	}
	if engine == "" {
		return "", nil // a table of a later file
	}
	alter := "ALTER TABLE " + t.table + "{{.OnCluster}} "
	if want := o.Lifecycle.StoragePolicy; t.tiers && want != "" && want != policy {
		if err := o.exec(ctx, conn, "storage policy of "+t.table, alter+"MODIFY SETTING storage_policy = "+quoteString(want)); err != nil {
			return "", err
		}
		changed = t.table + ": storage policy " + want
	}
	have, want := ttlOf(engine), o.Lifecycle.ttl(t)
	if t.keep || bare(have) == bare(want) {
		return changed, nil
	}
	do := "MODIFY TTL " + want
	if want == "" {
		do = "REMOVE TTL"
	}
	if err := o.exec(ctx, conn, "lifecycle of "+t.table, alter+do); err != nil {
		return changed, err
	}
	return fmt.Sprintf("%s: TTL %s", t.table, cmp.Or(want, "none")), nil
}

// bare takes out what releases of the server write differently.
func bare(ttl string) string { return strings.NewReplacer("(", "", ")", "", " ", "").Replace(ttl) }

// ttlOf returns what follows the word TTL in a definition as the server writes
// it.
func ttlOf(engine string) string {
	_, ttl, _ := strings.Cut(engine, " TTL ")
	ttl, _, _ = strings.Cut(ttl, " SETTINGS ")
	return ttl
}
