package sink

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
)

// MigrateOptions choose between one node and a cluster, and how long rows stay.
type MigrateOptions struct {
	// Cluster is the name of a cluster in the server's configuration: see
	// cluster.go for what is then made of each table. Empty: one node.
	Cluster string
	// Lifecycle says how long rows stay, and where.
	Lifecycle Lifecycle
	// Back allows to put the views of an older release over those of a newer
	// one. Tables are never taken back.
	Back bool
	// Now is the time noted beside what is applied. Required.
	Now time.Time

	database string // of the connection; set by Migrate
}

// deadLetterBytes bounds the raw bytes of one row in dead_letters. A whole
// carrier message is rarely larger; the topic holds it in full in any case.
const deadLetterBytes = 16 << 10

// migration is one numbered file of schemas/clickhouse.
type migration struct {
	version    uint32
	name       string
	sha256     string // of the file before rendering
	repeatable bool   // holds only CREATE OR REPLACE: applied again when it changed
	text       string
}

// migrations returns the built-in files in the order in which they are applied:
// the tables by number, then the views by number, since a view may use a column
// that a later file of tables adds.
func migrations() ([]migration, error) {
	names, err := fs.Glob(schemas.ClickHouseSQL, "clickhouse/*.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var all []migration
	for _, name := range names {
		text, err := schemas.ClickHouseSQL.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := newMigration(path.Base(name), text)
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 && all[n-1].version >= m.version {
			return nil, fmt.Errorf("schemas/%s: its number is taken by %s", name, all[n-1].name)
		}
		all = append(all, m)
	}
	return inOrder(all), nil
}

func newMigration(file string, text []byte) (migration, error) {
	number, _, _ := strings.Cut(file, "_")
	v, err := strconv.ParseUint(number, 10, 32)
	if err != nil || len(number) != 4 || v == 0 {
		return migration{}, fmt.Errorf("schemas/clickhouse/%s: want a name that begins with four digits and _", file)
	}
	sum := sha256.Sum256(text)
	return migration{
		version: uint32(v), name: strings.TrimSuffix(file, ".sql"), sha256: hex.EncodeToString(sum[:]),
		repeatable: strings.HasSuffix(file, "_views.sql"), text: string(text),
	}, nil
}

func inOrder(all []migration) []migration {
	sort.SliceStable(all, func(i, j int) bool { return !all[i].repeatable && all[j].repeatable })
	return all
}

// completenessView describes one of the views that differ in their keys only.
type completenessView struct{ Name, Keys, Title string }

// render returns the statements of a migration.
func (o MigrateOptions) render(name, text string) ([]string, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"engine": o.engine, "local": o.local, "ttl": o.Lifecycle.clause, "storage": o.Lifecycle.storage,
		"advice": adviceSQL, "customsUnion": customsUnionSQL, "percentiles": percentilesSQL, "stageOf": stageSQL,
		"dimensions": dimensions, "stages": stages, "list": func(items ...any) []any { return items },
		"views": func() []completenessView {
			return []completenessView{
				{"completeness_shop", "shop_id", "shop"},
				{"completeness_carrier", "carrier", "last carrier"},
				{"completeness_lane", "origin, destination", "lane"},
				{"completeness_day", "shop_id, day", "shop, day"},
			}
		},
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	data := map[string]any{
		"OnCluster": "", "RangeSpan": schemas.RangeSpan,
		"DeadLetterBytes": deadLetterBytes,
	}
	if o.Cluster != "" {
		data["OnCluster"] = " ON CLUSTER " + quoteIdent(o.Cluster)
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	var statements []string
	for s := range strings.SplitSeq(b.String(), "\n;\n") {
		if s = strings.TrimSpace(s); s != "" {
			statements = append(statements, s)
		}
	}
	return o.distribute(statements)
}

func quoteIdent(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(s) + "`"
}

// EnsureDatabase creates the database that o names, unless it exists, on all
// servers of a cluster. It
// connects to the database `default`, since one cannot connect to one that
// does not exist.
func EnsureDatabase(ctx context.Context, o Options) error {
	name := cmp.Or(o.Database, "default")
	if name == "default" {
		return nil
	}
	o.Database = "default"
	conn, err := Open(o)
	if err != nil {
		return err
	}
	defer conn.Close()
	q := "CREATE DATABASE IF NOT EXISTS " + quoteIdent(name)
	if o.Cluster != "" {
		q += " ON CLUSTER " + quoteIdent(o.Cluster)
	}
	if err := conn.Exec(ctx, q); err != nil {
		return explain(fmt.Sprintf("create database %s", name), err)
	}
	return nil
}

// migrationsTable keeps what was applied before, too: contents that are here but
// not the latest were replaced by a newer release.
const migrationsTable = `CREATE TABLE IF NOT EXISTS schema_migrations{{.OnCluster}}
(
    version UInt32 COMMENT 'number of the file',
    name String COMMENT 'of the file, without its ending',
    sha256 String COMMENT 'of the file in schemas/clickhouse',
    applied_at DateTime64(3, 'UTC') COMMENT 'clock of who applied it; the latest of a version is in force'
)
ENGINE = {{engine "ReplacingMergeTree" "applied_at"}}
ORDER BY (version, sha256)
COMMENT 'What scantrail migrate has applied, with what it was before.'
`

// Migrate brings the schema of conn's database to what this binary needs, and
// returns what it did: names of files and changed lifecycles, none when there
// was nothing to do. It may run twice, on several machines at once, and while
// services write, since every statement can be repeated and none rewrites rows.
func Migrate(ctx context.Context, conn driver.Conn, o MigrateOptions) (applied []string, err error) {
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	return o.migrate(ctx, conn, all)
}

func (o MigrateOptions) migrate(ctx context.Context, conn driver.Conn, all []migration) (applied []string, err error) {
	if o.Now.IsZero() {
		return nil, errors.New("migrate: Now is not set")
	}
	if err := conn.QueryRow(ctx, "SELECT currentDatabase()").Scan(&o.database); err != nil {
		return nil, explain("migrate", err)
	}
	if err := checkLayout(ctx, conn, o.Cluster); err != nil {
		return nil, err
	}
	if err := o.exec(ctx, conn, "schema_migrations", migrationsTable); err != nil {
		return nil, err
	}
	have, err := appliedMigrations(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := o.refuseBack(all, have); err != nil {
		return nil, err
	}
	for _, m := range all {
		switch state := have[m.version]; {
		case state.latest == m.sha256:
			continue
		case state.latest != "" && !m.repeatable:
			return applied, fmt.Errorf("migrate: %s is in the database with other contents (sha256 %.12s, here %.12s): it was edited after it was applied; put it back and add a new file", m.name, state.latest, m.sha256)
		}
		if err := o.exec(ctx, conn, m.name, m.text); err != nil {
			return applied, err
		}
		at := o.Now
		if last := have[m.version].at; !at.After(last) { // a clock that is behind
			at = last.Add(time.Millisecond)
		}
		err := conn.Exec(ctx, "INSERT INTO schema_migrations (version, name, sha256, applied_at) VALUES (?, ?, ?, fromUnixTimestamp64Milli(?, 'UTC'))",
			m.version, m.name, m.sha256, at.UnixMilli())
		if err != nil {
			return applied, explain("migrate: note "+m.name, err)
		}
		applied = append(applied, m.name)
	}
	changed, err := o.setLifecycle(ctx, conn)
	return append(applied, changed...), err
}

// refuseBack returns an error if a newer release has been at the schema.
func (o MigrateOptions) refuseBack(all []migration, have map[uint32]fileState) error {
	known := map[uint32]bool{}
	for _, m := range all {
		known[m.version] = true
		if s := have[m.version]; !o.Back && s.latest != m.sha256 && slices.Contains(s.earlier, m.sha256) {
			return fmt.Errorf("migrate: %s was replaced at %s by that of a newer release: use its binary, or put the older views back with --back", m.name, s.at.UTC().Format(time.DateTime))
		}
	}
	for version, s := range have {
		if !known[version] && !strings.HasSuffix(s.name, "_views") {
			return fmt.Errorf("migrate: the database has %s, which this binary does not know: it belongs to a newer release, whose tables are not taken back; use that binary", s.name)
		}
	}
	return nil
}

func (o MigrateOptions) exec(ctx context.Context, conn driver.Conn, name, text string) error {
	statements, err := o.render(name, text)
	if err != nil {
		return fmt.Errorf("migrate: %s: %w", name, err)
	}
	for i, s := range statements {
		if err := conn.Exec(ctx, s); err != nil {
			return explain(fmt.Sprintf("migrate: %s, statement %d (%s)", name, i+1, head(s)), err)
		}
	}
	return nil
}

// head returns the line of a statement that says what it does.
func head(s string) string {
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "CREATE") || strings.HasPrefix(line, "ALTER") {
			return strings.TrimSpace(line)
		}
	}
	return "..."
}

// fileState is what schema_migrations knows of one file.
type fileState struct {
	name    string
	latest  string    // sha256 of what is in force
	at      time.Time // since when
	earlier []string  // all that were ever in force, the latest too
}

func appliedMigrations(ctx context.Context, conn driver.Conn) (map[uint32]fileState, error) {
	rows, err := conn.Query(ctx, "SELECT version, argMax(name, applied_at), argMax(sha256, applied_at), max(applied_at), groupUniqArray(sha256) FROM schema_migrations GROUP BY version")
	if err != nil {
		return nil, explain("read schema_migrations", err)
	}
	defer rows.Close()
	have := map[uint32]fileState{}
	for rows.Next() {
		var v uint32
		var s fileState
		if err := rows.Scan(&v, &s.name, &s.latest, &s.at, &s.earlier); err != nil {
			return nil, fmt.Errorf("read schema_migrations: %w", err)
		}
		have[v] = s
	}
	return have, rows.Err()
}

// Verify reports whether conn's database has the schema that this binary needs,
// on one node or on the cluster that is named. A newer one will do: files are
// only ever added, columns too, and every insert names its columns.
func Verify(ctx context.Context, conn driver.Conn, cluster string) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	if err := checkLayout(ctx, conn, cluster); err != nil {
		return err
	}
	have, err := appliedMigrations(ctx, conn)
	if err != nil {
		return err
	}
	return verify(all, have)
}

func verify(all []migration, have map[uint32]fileState) error {
	for _, m := range all {
		switch s := have[m.version]; {
		case s.latest == "":
			return fmt.Errorf("clickhouse: schema %s is missing: run scantrail migrate", m.name)
		case s.latest == m.sha256 || slices.Contains(s.earlier, m.sha256):
		case m.repeatable:
			return fmt.Errorf("clickhouse: schema %s is that of another release (sha256 %.12s, here %.12s): run scantrail migrate", m.name, s.latest, m.sha256)
		default:
			return fmt.Errorf("clickhouse: schema %s has other contents than this binary's (sha256 %.12s, here %.12s): use the binary that made it, or a new database", m.name, s.latest, m.sha256)
		}
	}
	return nil
}
