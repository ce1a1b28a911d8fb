// Package access makes the roles, row policies, quotas and the settings profile
// that schemas/clickhouse/ACCESS.md describes: who may do what with the tables of
// Scantrail. Nothing is granted that is not listed here, so a new table is
// closed to everybody until somebody has thought about it.
package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Options say where the roles apply.
type Options struct {
	Database string
	Cluster  string // empty: one node
}

// Apply makes the roles and what belongs to them, and returns the number of
// statements. It may be repeated: grants and row policies are brought to what
// this release says; the profile and the quotas stay as an administrator has
// changed them. A role is of one database: for another, its grants are replaced.
// The user of conn needs ACCESS MANAGEMENT and all that is granted
// WITH GRANT OPTION.
func Apply(ctx context.Context, conn driver.Conn, o Options) (int, error) {
	statements, err := Statements(ctx, conn, o)
	if err != nil {
		return 0, err
	}
	if o.Cluster != "" {
		// Where the servers share their access storage, one of them is enough.
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"ignore_on_cluster_for_replicated_access_entities_queries": 1}))
	}
	for i, s := range statements {
		if err := conn.Exec(ctx, s); err != nil {
			return i, explain(s, err)
		}
	}
	return len(statements), nil
}

// Statements returns what Apply executes, for the tables and views that the
// database has now.
func Statements(ctx context.Context, conn driver.Conn, o Options) ([]string, error) {
	s, err := readSchema(ctx, conn, o)
	if err != nil {
		return nil, err
	}
	return s.statements(), nil
}

// Codes of ClickHouse.
const (
	codeAccessDenied = 497
	codeNoStorage    = 514
)

func explain(statement string, err error) error {
	remedy := ""
	var e *clickhouse.Exception
	if errors.As(err, &e) {
		switch e.Code {
		case codeAccessDenied:
			remedy = "; run this once as a user who may manage access (access_management in the server's users.xml, or GRANT ALL WITH GRANT OPTION), or give an administrator the output of scantrail migrate --show-roles; the embedded ClickHouse has one user and keeps no roles"
		case codeNoStorage:
			remedy = "; this server keeps no roles: add a local_directory or replicated storage to its user_directories; the embedded ClickHouse has one user and cannot"
		}
	}
	line, _, _ := strings.Cut(statement, "\n")
	return fmt.Errorf("roles: %.100s: %w%s", line, err, remedy)
}

// schema is what the database has.
type schema struct {
	Options
	tables map[string][]string // columns of each table, but for the shards' own ones
	views  []string
}

func readSchema(ctx context.Context, conn driver.Conn, o Options) (*schema, error) {
	rows, err := conn.Query(ctx, `SELECT t.name, t.engine = 'View', groupArray(c.name)
		FROM system.tables AS t INNER JOIN (SELECT table, name FROM system.columns WHERE database = ? ORDER BY table, position) AS c ON c.table = t.name
		WHERE t.database = ? GROUP BY 1, 2 ORDER BY 1`, o.Database, o.Database)
	if err != nil {
		return nil, fmt.Errorf("roles: read the tables of %s: %w", o.Database, err)
	}
	defer rows.Close()
	s := &schema{Options: o, tables: map[string][]string{}}
	for rows.Next() {
		var name string
		var view bool
		var columns []string
		if err := rows.Scan(&name, &view, &columns); err != nil {
			return nil, fmt.Errorf("roles: read the tables of %s: %w", o.Database, err)
		}
		if view {
			s.views = append(s.views, name)
		} else if o.Cluster == "" || !strings.HasSuffix(name, localSuffix) {
			s.tables[name] = columns
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("roles: read the tables of %s: %w", o.Database, err)
	}
	if len(s.tables) == 0 {
		return nil, fmt.Errorf("roles: database %s has no tables: run scantrail migrate first", o.Database)
	}
	return s, nil
}

// localSuffix is what a shard's own table ends in.
const localSuffix = "_local"

// statements returns everything in the order in which it can be executed.
func (s *schema) statements() []string {
	on := ""
	if s.Cluster != "" {
		on = " ON CLUSTER " + quoteIdent(s.Cluster)
	}
	var all []string
	roles := s.roles()
	for _, r := range roles {
		all = append(all, "CREATE ROLE IF NOT EXISTS "+r.name+on)
	}
	for _, p := range s.policies() {
		head := fmt.Sprintf("CREATE ROW POLICY OR REPLACE %%s%s ON %s FOR SELECT USING ", on, s.table(p.table))
		// A server may be set up to show nothing to those without a policy.
		all = append(all, fmt.Sprintf(head, "scantrail_all")+"1 TO ALL EXCEPT "+SellerRole)
		all = append(all, fmt.Sprintf(head, SellerRole)+p.using+" TO "+SellerRole)
	}
	all = append(all, limits(on)...)
	for _, r := range roles { // the policies stand before anything is granted
		if len(r.grants) > 0 { // at once, so that a service that writes never lacks one
			all = append(all, "GRANT"+on+" "+strings.Join(r.grants, ", ")+" TO "+r.name+" WITH REPLACE OPTION")
		}
	}
	return all
}

func (s *schema) table(name string) string { return quoteIdent(s.Database) + "." + quoteIdent(name) }

// physical returns the tables that hold rows of a table.
func (s *schema) physical(name string) []string {
	if s.Cluster == "" {
		return []string{name}
	}
	return []string{name, name + localSuffix}
}

func quoteIdent(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(s) + "`"
}

// limits returns the settings profile and the quotas of those who ask by hand.
// 0 means no limit in ClickHouse, hence MIN 1.
func limits(on string) []string {
	readers := AnalystRole + ", " + SellerRole + ", " + TextsRole + ", " + RawReaderRole
	var settings []string
	for _, l := range profile() {
		settings = append(settings, l.sql())
	}
	return []string{
		"CREATE SETTINGS PROFILE IF NOT EXISTS scantrail_readers" + on + " SETTINGS " + strings.Join(settings, ", ") + " TO " + readers,
		"CREATE QUOTA IF NOT EXISTS scantrail_analyst" + on + " KEYED BY user_name FOR INTERVAL 1 hour MAX queries = 5000, read_rows = 1000000000000, execution_time = 7200 TO " +
			AnalystRole + ", " + TextsRole + ", " + RawReaderRole,
		"CREATE QUOTA IF NOT EXISTS scantrail_seller" + on + " KEYED BY user_name FOR INTERVAL 1 hour MAX queries = 1000, read_rows = 100000000000, execution_time = 1800 TO " + SellerRole,
	}
}

// limit is a setting of the profile: its value, and what a user may make of it.
type limit struct {
	name, value string
	max         string // empty: the value is fixed
}

func (l limit) sql() string {
	if l.max == "" {
		return l.name + " = " + l.value + " CONST"
	}
	return l.name + " = " + l.value + " MIN 1 MAX " + l.max
}

// profile bounds one query; the figures are ours. readonly = 2 and not 1, under
// which most clients cannot work: they send settings.
func profile() []limit {
	return []limit{
		{"readonly", "2", ""},
		{"max_execution_time", "60", "600"},
		{"max_memory_usage", "8589934592", "17179869184"},
		{"max_rows_to_read", "5000000000", "20000000000"},
		{"max_bytes_to_read", "1000000000000", "4000000000000"},
		{"max_result_rows", "1000000", "100000000"},
		{"max_concurrent_queries_for_user", "8", ""},
		// Else the older rows of a parcel that moved to another shop would show.
		{"apply_row_policy_after_final", "1", ""},
		{"distributed_product_mode", "'global'", ""},
	}
}

func sorted(m map[string][]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
