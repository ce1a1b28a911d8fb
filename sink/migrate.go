package sink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
)

// MigrateOptions choose between one node and a cluster.
type MigrateOptions struct {
	// Cluster is the name of a cluster in the server's configuration: tables
	// are then created ON CLUSTER with Replicated engines. Empty: one node.
	Cluster string
	// DeadLetterDays is how long dead letters stay in ClickHouse. Default 90.
	DeadLetterDays int
	// RawDays is how long copies of raw records stay in raw_records. Where it
	// differs from what the table has, the table is changed. 0: as the table
	// has it, DefaultRawDays in a new one.
	RawDays int
	// Now is the time noted beside what is applied. Required.
	Now time.Time
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

// migrations returns the built-in files in order.
func migrations() ([]migration, error) {
	names, err := fs.Glob(schemas.ClickHouseSQL, "clickhouse/*.sql")
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	var all []migration
	for i, name := range names {
		text, err := schemas.ClickHouseSQL.ReadFile(name)
		if err != nil {
			return nil, err
		}
		base := path.Base(name)
		number, _, _ := strings.Cut(base, "_")
		v, err := strconv.ParseUint(number, 10, 32)
		if err != nil || v != uint64(i+1) {
			return nil, fmt.Errorf("schemas/%s: want a name that begins with %04d_", name, i+1)
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{
			version: uint32(v), name: strings.TrimSuffix(base, ".sql"), sha256: hex.EncodeToString(sum[:]),
			repeatable: strings.HasSuffix(base, "_views.sql"), text: string(text),
		})
	}
	return all, nil
}

// completenessView describes one of the views that differ in their keys only.
type completenessView struct{ Name, Keys, Title string }

// render returns the statements of a migration.
func (o MigrateOptions) render(name, text string) ([]string, error) {
	t, err := template.New(name).Funcs(template.FuncMap{
		"engine": o.engine,
		"views": func() []completenessView {
			return []completenessView{
				{"completeness_shop", "shop_id", "shop"},
				{"completeness_carrier", "carrier", "last carrier"},
				{"completeness_lane", "origin, destination", "lane"},
			}
		},
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	data := map[string]any{
		"OnCluster": "", "RangeSpan": schemas.RangeSpan,
		"DeadLetterDays": or(o.DeadLetterDays, 90), "DeadLetterBytes": deadLetterBytes,
		"RawDays": or(o.RawDays, DefaultRawDays),
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
	return statements, nil
}

// engine returns a table engine with its arguments, replicated on a cluster.
func (o MigrateOptions) engine(name string, args ...string) string {
	if o.Cluster != "" {
		name = "Replicated" + name
		args = append([]string{"'/clickhouse/tables/{uuid}/{shard}'", "'{replica}'"}, args...)
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

func quoteIdent(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(s) + "`"
}

// EnsureDatabase creates the database that o names, unless it exists. It
// connects to the database `default`, since one cannot connect to one that
// does not exist.
func EnsureDatabase(ctx context.Context, o Options, cluster string) error {
	name := or(o.Database, "default")
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
	if cluster != "" {
		q += " ON CLUSTER " + quoteIdent(cluster)
	}
	if err := conn.Exec(ctx, q); err != nil {
		return explain(fmt.Sprintf("create database %s", name), err)
	}
	return nil
}

const migrationsTable = `CREATE TABLE IF NOT EXISTS schema_migrations{{.OnCluster}}
(
    version UInt32 COMMENT 'number of the file',
    name String COMMENT 'of the file, without its ending',
    sha256 String COMMENT 'of the file in schemas/clickhouse',
    applied_at DateTime64(3, 'UTC') COMMENT 'clock of who applied it'
)
ENGINE = {{engine "ReplacingMergeTree" "applied_at"}}
ORDER BY version
COMMENT 'What scantrail migrate has applied'
`

// Migrate brings the schema of conn's database to what this binary needs, and
// returns the names of the files it applied: none when there was nothing to
// do. It may run twice, and on several machines at once, since every statement
// can be repeated.
func Migrate(ctx context.Context, conn driver.Conn, o MigrateOptions) (applied []string, err error) {
	if o.Now.IsZero() {
		return nil, fmt.Errorf("migrate: Now is not set")
	}
	all, err := migrations()
	if err != nil {
		return nil, err
	}
	if err := o.exec(ctx, conn, "schema_migrations", migrationsTable); err != nil {
		return nil, err
	}
	have, err := appliedMigrations(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		switch sum, ok := have[m.version]; {
		case ok && sum == m.sha256:
			continue
		case ok && !m.repeatable:
			return applied, fmt.Errorf("migrate: %s is in the database with other contents (sha256 %.12s, here %.12s): it was edited after it was applied; put it back and add a new file", m.name, sum, m.sha256)
		}
		if err := o.exec(ctx, conn, m.name, m.text); err != nil {
			return applied, err
		}
		err := conn.Exec(ctx, "INSERT INTO schema_migrations (version, name, sha256, applied_at) VALUES (?, ?, ?, fromUnixTimestamp64Milli(?, 'UTC'))",
			m.version, m.name, m.sha256, o.Now.UnixMilli())
		if err != nil {
			return applied, explain("migrate: note "+m.name, err)
		}
		applied = append(applied, m.name)
	}
	changed, err := o.setRawDays(ctx, conn)
	if changed {
		applied = append(applied, "raw_days")
	}
	return applied, err
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

// head returns the line of a statement that says what it creates.
func head(s string) string {
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "CREATE") {
			return strings.TrimSpace(line)
		}
	}
	return "..."
}

func appliedMigrations(ctx context.Context, conn driver.Conn) (map[uint32]string, error) {
	rows, err := conn.Query(ctx, "SELECT version, sha256 FROM schema_migrations FINAL")
	if err != nil {
		return nil, explain("read schema_migrations", err)
	}
	defer rows.Close()
	have := map[uint32]string{}
	for rows.Next() {
		var v uint32
		var sum string
		if err := rows.Scan(&v, &sum); err != nil {
			return nil, fmt.Errorf("read schema_migrations: %w", err)
		}
		have[v] = sum
	}
	return have, rows.Err()
}

// Verify reports whether conn's database has the schema that this binary
// needs. A newer one will do: files are only ever added.
func Verify(ctx context.Context, conn driver.Conn) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	have, err := appliedMigrations(ctx, conn)
	if err != nil {
		return err
	}
	for _, m := range all {
		switch sum, ok := have[m.version]; {
		case !ok:
			return fmt.Errorf("clickhouse: schema %s is missing: run scantrail migrate", m.name)
		case sum != m.sha256 && !m.repeatable:
			return fmt.Errorf("clickhouse: schema %s has other contents than this binary's (sha256 %.12s, here %.12s): use the binary that made it, or a new database", m.name, sum, m.sha256)
		}
	}
	return nil
}
