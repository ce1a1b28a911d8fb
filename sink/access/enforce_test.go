package access

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/sink"
	"scantrail/sink/chdb"
	"scantrail/sink/chdb/chdbtest"
)

// The embedded engine keeps no roles: it has one user, whose rights, row
// policies and profile stand in a file that it reads when it starts. So these
// tests start it again on the same data as each role, from the very grants and
// policies of which the statements are made, and have it enforce them. That the
// statements themselves are right SQL, its parser says.

const database = "scantrail"

// engine starts the engine on dir, with a configuration and a file of users,
// and connects to its database scantrail.
func engine(t *testing.T, dir string, o chdb.EngineOptions) (conn driver.Conn, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	o.Handles = 2
	server, err := chdb.Start(ctx, chdb.Options{DataDir: dir, Engine: o})
	if err != nil && os.Getenv(chdbtest.EnvSkip) != "" {
		t.Skipf("NOT TESTED: no embedded ClickHouse (%v), and %s is set", err, chdbtest.EnvSkip)
	}
	if err != nil {
		t.Fatalf("no embedded ClickHouse: %v", err)
	}
	conn, err = connect(t, server, database)
	if err != nil && !strings.Contains(err.Error(), denied) { // a role finds the database there
		t.Fatal(err)
	}
	return conn, func() {
		conn.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
}

func connect(t *testing.T, server *chdb.Server, name string) (driver.Conn, error) {
	t.Helper()
	o := sink.Options{URLs: []string{"http://" + server.Addr()}, Database: name}
	conn, err := sink.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return conn, sink.EnsureDatabase(t.Context(), o)
}

const administrator = `<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password/>
<networks><ip>::/0</ip></networks><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></default></users></clickhouse>`

// users is the file of users in which default has a role.
func (s *schema) users(name string) string {
	var b strings.Builder
	element := func(tag, text string) {
		b.WriteString("<" + tag + ">")
		xml.EscapeText(&b, []byte(text)) //nolint:errcheck // a strings.Builder never fails
		b.WriteString("</" + tag + ">\n")
	}
	b.WriteString("<clickhouse><profiles><default>\n")
	if !strings.HasSuffix(name, "writer") && name != MigratorRole && name != ConsoleRole {
		for _, l := range profile() {
			element(l.name, strings.Trim(l.value, "'"))
		}
		b.WriteString("<constraints>\n")
		for _, l := range profile() {
			if l.max == "" {
				b.WriteString("<" + l.name + "><const/></" + l.name + ">\n")
			} else {
				b.WriteString("<" + l.name + "><min>1</min><max>" + l.max + "</max></" + l.name + ">\n")
			}
		}
		b.WriteString("</constraints>\n")
	}
	b.WriteString("</default></profiles><quotas><default/></quotas><users><default><password/><networks><ip>::/0</ip></networks><grants>\n")
	for _, r := range s.roles() {
		if r.name != name {
			continue
		}
		for _, g := range r.grants {
			element("query", "GRANT "+g)
		}
	}
	b.WriteString("</grants><databases><" + database + ">\n")
	if name == SellerRole {
		for _, p := range s.policies() {
			b.WriteString("<" + p.table + ">")
			element("filter", p.using)
			b.WriteString("</" + p.table + ">")
		}
	}
	b.WriteString("</" + database + "></databases></default></users></clickhouse>")
	return b.String()
}

// Two shops, each with parcels and all that belongs to them. LX1 of acme is
// linked with a last-mile number, EE9 was used by bolt two years before.
const rows = `
INSERT INTO seller_users (user_name, shop_id, version, revoked) VALUES ('default', 'acme', 1, false), ('default', 'cobb', 1, false), ('default', 'cobb', 2, true), ('bob', 'bolt', 1, false);
INSERT INTO parcels (parcel_id, opened_at, version, tracking_number, shop_id, order_id, ended_at, last_progress_at) VALUES
	(toUUID('00000000-0000-0000-0000-000000000001'), '2026-10-01', 1, 'LX1', 'acme', 'A1', '2026-10-20', '2026-10-20'),
	(toUUID('00000000-0000-0000-0000-000000000002'), '2026-10-02', 1, 'LX2', 'bolt', 'B1', NULL, '2026-10-09'),
	(toUUID('00000000-0000-0000-0000-000000000009'), '2024-10-02', 1, 'EE9', 'bolt', 'B2', '2024-10-09', '2024-10-09'),
	(toUUID('00000000-0000-0000-0000-000000000009'), '2026-10-03', 1, 'EE9', 'acme', 'A2', NULL, '2026-10-05'),
	(toUUID('00000000-0000-0000-0000-000000000003'), '2026-10-02', 1, 'LX3', 'acme', 'A3', NULL, NULL),
	(toUUID('00000000-0000-0000-0000-000000000004'), '2026-10-02', 1, 'LX4', 'cobb', 'C1', NULL, NULL),
	(toUUID('00000000-0000-0000-0000-000000000005'), '2026-10-02', 1, 'LX5', '', '', NULL, NULL);
INSERT INTO parcels (parcel_id, opened_at, version, tracking_number, shop_id, order_id) VALUES
	(toUUID('00000000-0000-0000-0000-000000000003'), '2026-10-02', 2, 'LX3', 'bolt', 'B3');
INSERT INTO aliases (tracking_number, other_number, version) VALUES ('LX1', 'USPS1', 1), ('LX2', 'USPS2', 2), ('LX1', 'HUB000', 3), ('LX2', 'HUB000', 4);
INSERT INTO data_gaps (topic, partition, kind, entity) VALUES ('parcel.events', -1, 'quarantine', 'HUB000');
INSERT INTO scans (partition, offset, received_at, occurred_at, tracking_number, parcel_id, fact_id, progress) VALUES
	(0, 1, '2026-10-02', '2026-10-02', 'LX1', toUUID('00000000-0000-0000-0000-000000000001'), generateUUIDv4(), true),
	(0, 2, '2026-10-18', '2026-10-18', 'USPS1', generateUUIDv4(), generateUUIDv4(), true);
INSERT INTO scans (partition, offset, received_at, occurred_at, tracking_number, parcel_id, fact_id, progress) VALUES
	(1, 1, '2026-10-03', '2026-10-03', 'LX2', toUUID('00000000-0000-0000-0000-000000000002'), generateUUIDv4(), true),
	(1, 2, '2026-10-03', '2026-10-03', 'USPS2', generateUUIDv4(), generateUUIDv4(), true),
	(1, 3, '2026-10-04', '2026-10-04', 'EE9', toUUID('00000000-0000-0000-0000-000000000009'), generateUUIDv4(), true),
	(1, 4, '2026-10-04', '2026-10-04', 'HUB000', generateUUIDv4(), generateUUIDv4(), true),
	(1, 5, '2026-10-04', '2026-10-04', 'LX3', toUUID('00000000-0000-0000-0000-000000000003'), generateUUIDv4(), true);
INSERT INTO scans (partition, offset, received_at, occurred_at, tracking_number, parcel_id, fact_id, progress) VALUES
	(2, 1, '2024-10-05', '2024-10-05', 'EE9', toUUID('00000000-0000-0000-0000-000000000009'), generateUUIDv4(), true);
INSERT INTO scan_texts (partition, offset, received_at, raw_text) VALUES (0, 1, '2026-10-02', 'signed by Ada Example'), (1, 1, '2026-10-03', 'signed by Bo Example');
INSERT INTO orders (shop_id, order_id, version) VALUES ('acme', 'A1', 1), ('bolt', 'B1', 1);
INSERT INTO order_facts (partition, offset, shop_id, order_id) VALUES (0, 3, 'acme', 'A1'), (1, 6, 'bolt', 'B1');
INSERT INTO alerts (alert_id, version, shop_id, status, level) VALUES (generateUUIDv4(), 1, 'acme', 'open', 1), (generateUUIDv4(), 1, 'bolt', 'open', 1), (generateUUIDv4(), 1, '', 'open', 1);
INSERT INTO alert_transitions (alert_id, version, shop_id) VALUES (generateUUIDv4(), 1, 'acme'), (generateUUIDv4(), 1, 'bolt');
INSERT INTO blocks (partition, bucket, last_offset, last_tick_at) VALUES (0, 0, 9, '2026-10-22');
INSERT INTO dead_letters (topic, offset, received_at, reason, raw) VALUES ('scans.raw.usps', 1, now(), 'no_time', 'Ada Example'), ('scans.raw.usps', 2, now(), 'no_time', 'Bo Example');
INSERT INTO raw_records (topic, offset, received_at, raw) VALUES ('scans.raw.usps', 1, now(), 'Ada Example')`

// prepare makes the schema and the rows, and returns what Apply would work with.
func prepare(t *testing.T, dir string) *schema {
	t.Helper()
	conn, stop := engine(t, dir, chdb.EngineOptions{Users: administrator})
	defer stop()
	ctx := t.Context()
	if _, err := sink.Migrate(ctx, conn, sink.MigrateOptions{Now: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	for _, q := range strings.Split(rows, ";\n") {
		if err := conn.Exec(ctx, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	s, err := readSchema(ctx, conn, Options{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sorted(s.tables) {
		if _, ok := rules()[name]; !ok {
			t.Errorf("table %s: nobody may use it: say in roles.go who may", name)
		}
	}
	// A view that ran with its maker's rights would show every row to everybody.
	var definers string
	if err := conn.QueryRow(ctx, "SELECT arrayStringConcat(groupArray(name), ', ') FROM system.tables WHERE database = currentDatabase() AND (create_table_query ILIKE '%SQL SECURITY DEFINER%' OR create_table_query ILIKE '%SQL SECURITY NONE%')").Scan(&definers); err != nil || definers != "" {
		t.Errorf("views that do not run as whoever asks: %s, %v", definers, err)
	}
	checkStatements(t, conn, s)
	return s
}

// checkStatements has the engine parse every statement, and refuse the first.
func checkStatements(t *testing.T, conn driver.Conn, s *schema) {
	t.Helper()
	for _, cluster := range []string{"", "main"} {
		c := *s
		c.Cluster = cluster
		for _, statement := range c.statements() {
			var out string
			if err := conn.QueryRow(t.Context(), "SELECT formatQuerySingleLine(?)", statement).Scan(&out); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
			if cluster != "" && !strings.Contains(out, " ON CLUSTER main") {
				t.Errorf("not on the cluster: %s", out)
			}
		}
	}
	if _, err := Apply(t.Context(), conn, s.Options); err == nil || !strings.Contains(err.Error(), "keeps no roles") {
		t.Errorf("Apply on the embedded engine: %v, want an error that says what is missing", err)
	}
}

// ask is one query of a role: its result as text, or a part of its error.
type ask struct{ query, want string }

func (a ask) matches(got string) bool {
	return got == a.want || strings.HasPrefix(got, refused) && strings.Contains(got, a.want)
}

const (
	denied  = "ACCESS_DENIED"
	refused = "error: "
)

func TestEnforced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := prepare(t, dir)
	checkAnalystUser(t, s)
	for _, c := range []struct {
		role string
		asks []ask
	}{
		{AnalystRole, analystAsks()}, {composeAnalyst, analystAsks()}, {SellerRole, sellerAsks()}, {WriterRole, writerAsks()}, {RawWriterRole, rawWriterAsks()},
		{TextsRole, []ask{{"SELECT toString(count()) FROM scan_texts WHERE raw_text != ''", "2"}, {"SELECT toString(count()) FROM raw_records", denied}}},
		{ConsoleRole, consoleAsks()},
		{RawReaderRole, []ask{{"SELECT max(raw) FROM raw_records", "Ada Example"}, {"SELECT toString(count()) FROM parcels", denied}}},
		{AuditorRole, []ask{{"SELECT raw FROM raw_records", denied}, {"SELECT toString(count()) FROM archive FINAL", "0"}, {"SELECT raw FROM dead_letters ORDER BY offset LIMIT 1", "Ada Example"}}},
	} {
		t.Run(c.role, func(t *testing.T) {
			users := s.users(c.role)
			if c.role == composeAnalyst {
				users = s.asDefault()
			}
			conn, stop := engine(t, dir, chdb.EngineOptions{Users: users})
			defer stop()
			for _, a := range c.asks {
				got := answer(t.Context(), conn, a.query)
				if !a.matches(got) {
					t.Errorf("%s\ngot  %s\nwant %s", a.query, got, a.want)
				}
			}
		})
	}
}

// answer returns the one text of a query, or the error.
func answer(ctx context.Context, conn driver.Conn, query string) string {
	if !strings.HasPrefix(query, "SELECT") {
		if err := conn.Exec(ctx, query); err != nil {
			return refused + err.Error()
		}
		return "done"
	}
	var out string
	if err := conn.QueryRow(ctx, query).Scan(&out); err != nil {
		return refused + err.Error()
	}
	return out
}

// outside are ways out of the database, closed to every reader.
func outside() []ask {
	return []ask{
		{"SELECT toString(count()) FROM url('http://127.0.0.1:1/', LineAsString)", denied},
		{"SELECT toString(count()) FROM file('/etc/passwd', LineAsString)", denied},
		{"SELECT toString(count()) FROM s3('http://127.0.0.1:1/bucket/a', LineAsString)", denied},
		{"SELECT toString(count()) FROM remote('127.0.0.1', scantrail.raw_records)", denied},
		{"SELECT toString(count()) FROM executable('id', LineAsString, 'a String')", denied},
		{"SELECT toString(count()) FROM merge('scantrail', '.*')", denied},
		{"SELECT toString(count()) FROM dictionary('x')", denied},
		{"CREATE TABLE mine (a Int8) ENGINE = MergeTree ORDER BY a", denied},
		{"CREATE TEMPORARY TABLE mine (a Int8) ENGINE = Memory", denied},
		{"CREATE FUNCTION f AS x -> x", denied},
		{"DROP TABLE parcels", denied},
		{"ALTER TABLE parcels DELETE WHERE 1", denied},
		{"SELECT toString(count()) FROM raw_records", denied},
		{"SELECT toString(count()) FROM archive", denied},
		{"SELECT toString(1) SETTINGS max_execution_time = 0", "SETTING_CONSTRAINT_VIOLATION"},
		{"SELECT toString(1) SETTINGS max_execution_time = 601", "SETTING_CONSTRAINT_VIOLATION"},
		{"SELECT toString(1) SETTINGS max_execution_time = 120", "1"},
		{"SELECT toString(1) SETTINGS readonly = 0", "READONLY"},
		{"SELECT toString(1) SETTINGS apply_row_policy_after_final = 0", "SETTING_CONSTRAINT_VIOLATION"},
		{"SELECT toString(count()) FROM numbers(6000000000)", "TOO_MANY_ROWS"},
	}
}

func analystAsks() []ask {
	return append(outside(), []ask{
		{"SELECT toString(count()) FROM parcels FINAL", "7"},
		{"SELECT toString(count()) FROM lts_weekly", "4"},
		{"SELECT toString(count()) FROM parcel_scores", "7"},
		{"SELECT toString(groupArray(milestone)) FROM parcel_trail WHERE tracking_number = 'LX1'", "['']"},
		{"SELECT raw_text FROM parcel_trail WHERE tracking_number = 'LX1'", denied},
		{"SELECT raw_text FROM scan_texts", denied},
		{"SELECT toString(count(occurred_at_raw)) FROM scan_texts", "2"},
		{"SELECT raw FROM dead_letters", denied},
		{"SELECT toString(groupArray(reason)) FROM dead_letters FINAL", "['no_time','no_time']"},
		{"SELECT toString(count()) FROM feed_health", "1"},
		{"SELECT toString(count()) FROM seller_users", denied},
		{"SELECT toString(count()) FROM alerts_to_handle WHERE last_comment = ''", "3"},
		{"INSERT INTO alert_handling (action) VALUES ('x')", denied},
		{"INSERT INTO blocks (partition) VALUES (1)", denied},
	}...)
}

func sellerAsks() []ask {
	return append(outside(), []ask{
		{"SELECT toString(groupArray(tracking_number)) FROM (SELECT tracking_number FROM parcels FINAL ORDER BY 1)", "['EE9','LX1']"},
		{"SELECT toString(groupUniqArray(shop_id)) FROM parcels", "['acme']"},
		{"SELECT toString(arraySort(groupArray((tracking_number, toYear(occurred_at))))) FROM scans", "[('EE9',2026),('LX1',2026),('USPS1',2026)]"},
		{"SELECT toString(arraySort(groupArray(tracking_number))) FROM parcel_trail", "['EE9','LX1','USPS1']"},
		{"SELECT toString(arraySort(groupArray(tracking_number))) FROM scans_valid", "['EE9','LX1','USPS1']"},
		{"SELECT raw_text FROM parcel_trail", denied},
		{"SELECT toString(groupArray(order_id)) FROM orders FINAL", "['A1']"},
		{"SELECT toString(groupArray(order_id)) FROM order_facts", "['A1']"},
		{"SELECT toString(groupArray(shop_id)) FROM alerts", "['acme']"},
		{"SELECT toString(groupArray(shop_id)) FROM open_alerts", "['acme']"},
		{"SELECT toString(groupArray(shop_id)) FROM alert_transitions", "['acme']"},
		{"SELECT toString(groupUniqArray(shop_id)) FROM lts_weekly", "['acme']"},
		{"SELECT toString(groupUniqArray(shop_id)) FROM parcel_scores", "['acme']"},
		{"SELECT toString(groupArray(tracking_number)) FROM stalled_now", "['EE9']"},
		{"SELECT toString(sum(parcels)) FROM completeness_carrier", "2"},
		{"SELECT toString(clock) FROM log_clock", "2026-10-22 00:00:00.000"},
		{"SELECT toString(arraySort(groupArray((tracking_number, other_number)))) FROM aliases", "[('LX1','HUB000'),('LX1','USPS1')]"},
		{"SELECT toString(groupArray((user_name, shop_id))) FROM seller_users FINAL WHERE NOT revoked", "[('default','acme')]"},
		{"SELECT toString(count()) FROM dead_letters", denied},
		{"SELECT document FROM policies", denied},
		{"SELECT toString(count()) FROM feed_health", denied},
		{"SELECT toString(count()) FROM alert_handling", denied},
		{"SELECT toString(count()) FROM alert_handling_current", denied},
		{"SELECT toString(count()) FROM alert_deliveries_current", denied},
		{"SELECT toString(count()) FROM receivers_current", denied},
		{"SELECT toString(count()) FROM alerts_to_handle", denied},
		{"INSERT INTO seller_users (user_name, shop_id, version) VALUES ('default', 'bolt', 9)", denied},
	}...)
}

func writerAsks() []ask {
	asks := []ask{
		{"SELECT toString(clock) FROM log_clock", "2026-10-22 00:00:00.000"},
		{"SELECT toString(count()) FROM lane_stages", "0"},
		{"SELECT toString(count()) FROM archive FINAL", "0"},
		{"SELECT toString(count()) FROM lts_unpublished WHERE closed", "0"},
		{"INSERT INTO scores_published (shop_id, week, lts) SELECT shop_id, week, lts FROM lts_unpublished WHERE closed", "done"},
		{"SELECT toString(count()) FROM shop_consequences AS c INNER JOIN (SELECT * FROM scores_published FINAL) AS p ON p.shop_id = c.shop_id", "0"},
		{"SELECT toString(count()) FROM scans WHERE NOT backfill AND parcel_id IN (SELECT parcel_id FROM parcels FINAL WHERE shop_id = 'x')", "0"},
		{"SELECT toString(count()) FROM order_facts WHERE NOT backfill AND shop_id = 'x'", "0"},
		{"SELECT toString(count() > 1) FROM schema_migrations", "1"},
		{"SELECT toString(countIf(snoozed)) FROM alerts_to_handle", "0"},
		{"INSERT INTO alert_handling (action) VALUES ('x')", denied},
		{"SELECT toString(count()) FROM receivers_current", "0"},
		{"INSERT INTO raw_records (topic) VALUES ('x')", denied},
		{"INSERT INTO seller_users (user_name) VALUES ('x')", denied},
		{"INSERT INTO schema_migrations (version) VALUES (9)", denied},
		{"SELECT raw_text FROM scan_texts", denied},
		{"SELECT raw FROM raw_records", denied},
		{"DROP TABLE parcels", denied},
		{"ALTER TABLE parcels DELETE WHERE 1", denied},
		{"TRUNCATE TABLE scans", denied},
	}
	for name, r := range rules() {
		if r.insert && name != "policy_scores" && name != "scores_published" {
			asks = append(asks, ask{fmt.Sprintf("INSERT INTO %s SELECT * FROM %[1]s WHERE 0", name), writes(r)})
		}
	}
	return asks
}

// writes is what becomes of an insert that also reads the table.
func writes(r rule) string {
	if r.read {
		return "done"
	}
	return "the grant SELECT" // and not INSERT
}

func consoleAsks() []ask {
	return []ask{
		{"INSERT INTO alert_handling (alert_id, action_id, action, at) VALUES (generateUUIDv4(), generateUUIDv4(), 'acknowledged', now())", "done"},
		{"SELECT toString(count()) FROM alert_handling_current", "1"},
		{"SELECT toString(count()) FROM alerts_to_handle", "3"},
		{"SELECT toString(count(raw_text)) FROM parcel_trail", "8"},
		{"SELECT toString(count()) FROM scan_texts WHERE raw_text != ''", "2"},
		{"SELECT max(raw) FROM dead_letters", "Bo Example"},
		{"SELECT toString(count() > 1) FROM schema_migrations", "1"},
		{"SELECT raw FROM raw_records", denied},
		{"SELECT toString(count()) FROM seller_users", denied},
		{"INSERT INTO blocks (partition) VALUES (1)", denied},
		{"ALTER TABLE alert_handling DELETE WHERE 1", denied},
	}
}

func rawWriterAsks() []ask {
	return []ask{
		{"INSERT INTO raw_records (topic, received_at) VALUES ('x', now())", "done"},
		{"INSERT INTO data_gaps (topic) VALUES ('x')", "done"},
		{"INSERT INTO blocks (partition) VALUES (1)", denied},
		{"SELECT raw FROM raw_records", denied},
	}
}

// TestMigratorRole: the role is enough to migrate an empty database, and again
// with other views.
func TestMigratorRole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := &schema{Options: Options{Database: database}}
	conn, stop := engine(t, dir, chdb.EngineOptions{Users: administrator})
	if _, err := sink.Migrate(t.Context(), conn, sink.MigrateOptions{Now: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	s, err := readSchema(t.Context(), conn, s.Options)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(t.Context(), "DROP DATABASE scantrail"); err != nil {
		t.Fatal(err)
	}
	stop()
	conn, stop = engine(t, dir, chdb.EngineOptions{Users: s.users(MigratorRole)})
	defer stop()
	for _, days := range []int{0, 200} {
		applied, err := sink.Migrate(t.Context(), conn, sink.MigrateOptions{Lifecycle: sink.Lifecycle{ScanDays: days}, Now: time.Unix(2, 0)})
		if err != nil || len(applied) == 0 {
			t.Fatalf("applied %v, %v", applied, err)
		}
	}
	if err := sink.Verify(t.Context(), conn, ""); err != nil {
		t.Error(err)
	}
}
