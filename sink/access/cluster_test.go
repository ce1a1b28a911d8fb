package access

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/sink"
	"scantrail/sink/chdb"
)

// A cluster of two shards in one engine. Both shards are this server, which has
// one table for both; so a query to a shard is told to see only the rows whose
// sharding key leads to that shard. All else is real: inserts are split by the
// key, queries are planned for two shards, joins and subqueries are sent to
// them, and their answers are merged. Not real: there is no network and no
// replica, and ON CLUSTER is taken out of the statements once the engine's
// parser has read them.
const twoShards = `<tcp_port>9000</tcp_port><macros><shard>1</shard><replica>a</replica></macros><remote_servers><two>
<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
</two></remote_servers>
<storage_configuration><disks><slow><path>SLOW/</path></slow></disks><policies><tiered><volumes>
<hot><disk>default</disk></hot><cold><disk>slow</disk></cold></volumes></tiered></policies></storage_configuration>`

// oneServer executes the statements for a cluster on one server without Keeper.
type oneServer struct {
	driver.Conn
	t          *testing.T
	replicated int
}

var replicated = regexp.MustCompile(`Replicated(\w+)\('[^']*', '\{replica\}'(?:, )?`)

func (c *oneServer) Exec(ctx context.Context, query string, args ...any) error {
	if strings.HasPrefix(query, "INSERT") {
		return c.Conn.Exec(ctx, query, args...)
	}
	var parsed string
	if err := c.QueryRow(ctx, "SELECT formatQuerySingleLine(?)", query).Scan(&parsed); err != nil {
		c.t.Errorf("%s: %v", query, err)
	}
	if !strings.Contains(parsed, " ON CLUSTER two") {
		c.t.Errorf("not on the cluster: %.100s", parsed)
	}
	query = strings.ReplaceAll(query, " ON CLUSTER `two`", "")
	if replicated.MatchString(query) {
		// The engine reads all of the definition before it misses Keeper.
		c.replicated++
		err := c.Conn.Exec(ctx, strings.ReplaceAll(query, "{uuid}", "t"))
		if err == nil || !strings.Contains(err.Error(), "NO_ZOOKEEPER") {
			c.t.Errorf("replicated, without Keeper: %v", err)
		}
	}
	return c.Conn.Exec(ctx, replicated.ReplaceAllString(query, "$1("), args...)
}

// manyRows fill every view that counts: n stands for the number.
const manyRows = `
INSERT INTO blocks (partition, bucket, last_offset, records, ticks, last_tick_at) SELECT number, 0, 9, 9 + number, 10, '2026-10-22 12:00:00' FROM numbers(4);
INSERT INTO parcels (parcel_id, opened_at, version, tracking_number, carriers, shop_id, order_id, market, origin, destination, stage, stage_no, last_milestone, last_carrier, first_progress_at, last_progress_at, ended_at, end_milestone, ordered_at, confirmed_at, accepted_at, promise_at, delivered_at, facts, progress_facts, required, due, observed, silent_secs, gaps_72h, policy, first_physical_at, promised_at, deliver_by, pickup_by, matures_at, scored_due, scored_gaps_72h, cohort_day, policy_number)
	SELECT reinterpretAsUUID(sipHash128(n)), toDateTime64('2026-09-01', 3, 'UTC') + toIntervalHour(n) AS opened_at, 1, 'LX' || leftPad(toString(n), 9, '0') || 'CN', ['usps'], 'shop-' || toString(n % 3), 'O' || toString(n), 'US', 'CN', 'US', 'departed_origin', 50, 'departed_origin', if(n % 2, 'usps', 'yanwen'),
		opened_at + toIntervalHour(5), opened_at + toIntervalHour(100 + n % 200), if(n % 3 = 0, opened_at + toIntervalHour(300), NULL) AS ended_at, if(n % 3 = 0, 'delivered', ''), opened_at, opened_at + toIntervalHour(3), opened_at + toIntervalHour(n % 100), opened_at + toIntervalDay(15), if(n % 3 = 0, ended_at, NULL), 9, 8, 31, 31 % (n % 32 + 1), 7, n % 7 * 3600, n % 11 = 0, 'official-us', opened_at + toIntervalHour(n % 100), opened_at + toIntervalDay(12), opened_at + toIntervalDay(if(n % 4, 15, 10)), opened_at + toIntervalHour(75), opened_at + toIntervalDay(15), 31, n % 11 = 0, toDate(opened_at), 1
	FROM (SELECT number AS n FROM numbers(600));
INSERT INTO parcels (parcel_id, opened_at, version, tracking_number, shop_id) SELECT reinterpretAsUUID(sipHash128(n)), toDateTime64('2026-09-01', 3, 'UTC') + toIntervalHour(n), 2, 'moved', 'shop-1' FROM (SELECT number AS n FROM numbers(20));
INSERT INTO alerts (alert_id, home, version, rule, level, status, parcel_id, tracking_number, shop_id, origin, destination, detail, anchor_at, opened_at, changed_at)
	SELECT reinterpretAsUUID(sipHash128(n, 1)), toUUID('00000000-0000-0000-0000-000000000001'), 1, if(n % 50 = 1, 'lane_disruption', 'gap_48h'), 1, if(n % 5, 'open', 'resolved'), reinterpretAsUUID(sipHash128(n * 2)), 'LX', 'shop-' || toString(n * 2 % 3), 'CN', 'US', 'linehaul',
		toDateTime64('2026-09-01', 3, 'UTC') + toIntervalHour(n * 2 + 50) AS anchor_at, anchor_at + toIntervalHour(48 + 24 * 10) AS opened_at, opened_at FROM (SELECT number AS n FROM numbers(300));
INSERT INTO alerts SELECT * REPLACE (toUUID('00000000-0000-0000-0000-000000000000') AS home, 2 AS level) FROM alerts WHERE cityHash64(alert_id) % 5 = 0;
INSERT INTO alert_handling (alert_id, action_id, rank, at, action, level, by, assignee, until, comment)
	SELECT reinterpretAsUUID(sipHash128(number % 100 * 3, 1)), reinterpretAsUUID(sipHash128(number, 4)), number, toDateTime64('2026-10-20', 3, 'UTC') + toIntervalMinute(number), arrayElement(['acknowledged', 'assigned', 'snoozed', 'reopened'], number % 7 % 4 + 1) AS action,
		1, 'ops', if(action = 'assigned', 'Ada', ''), if(action = 'snoozed', toDateTime64('2026-10-22', 3, 'UTC') + toIntervalMinute(number * 5), NULL), if(number % 3, '', 'note ' || toString(number)) FROM numbers(250);
INSERT INTO alert_deliveries (alert_id, alert_version, receiver, kind, message_id, outcome, reason, at)
	SELECT reinterpretAsUUID(sipHash128(number % 100, 1)), number, 'r' || toString(number % 3), 'slack', toString(number), arrayElement(['delivered', 'rejected', 'given_up'], number % 4 % 3 + 1), 'why ' || toString(number), toDateTime64('2026-10-20', 3, 'UTC') + toIntervalHour(number) FROM numbers(250);
INSERT INTO receiver_states (receiver, instance, kind, waiting, held, failing, last_success_at, last_failure_at, failure, updated_at)
	SELECT 'r' || toString(number % 3), toString(number % 5), 'slack', number, 1, number % 2, if(number % 4, toDateTime64('2026-10-20', 3, 'UTC') + toIntervalHour(number), NULL), if(number % 3, toDateTime64('2026-10-20', 3, 'UTC') + toIntervalHour(number * 2), NULL), 'status ' || toString(number), toDateTime64('2026-10-21', 3, 'UTC') + toIntervalHour(number) FROM numbers(30);
INSERT INTO scans (partition, offset, received_at, occurred_at, parcel_id, fact_id, tracking_number, carrier, milestone, milestone_no, physical, progress, mapping_version)
	SELECT PART, intDiv(number, 4), toDateTime64('2026-10-01', 3, 'UTC') + toIntervalMinute(number) AS received_at, received_at - toIntervalMinute(number % 90), reinterpretAsUUID(sipHash128(n)), reinterpretAsUUID(sipHash128(intDiv(number, 2) * 2)), 'LX' || leftPad(toString(n), 9, '0') || 'CN', 'usps', 'departed_origin', 50, true, true, 1
	FROM (SELECT number, intDiv(number, 8) * 4 + number % 4 AS n FROM numbers(2400)) WHERE number % 4 = PART;
INSERT INTO scan_texts (partition, offset, received_at, raw_text, location_raw) SELECT partition, offset, received_at, 'text ' || toString(offset), 'place' FROM scans WHERE partition = PART;
INSERT INTO voids (partition, offset, event_fact_id, tracking_number) SELECT DISTINCT partition, offset + 10000, fact_id, tracking_number FROM scans WHERE offset % 20 = 0;
INSERT INTO dead_letters (topic, offset, received_at, carrier, reason) SELECT 'scans.raw.usps', number, '2026-10-20', 'usps', 'no_time' FROM numbers(40);
INSERT INTO orders (shop_id, order_id, version, created_at, tracking_numbers, confirm_by, deliver_by, cohort_day, policy, policy_number) SELECT 'shop-' || toString(number % 3), 'O' || toString(number), 1, toDateTime64('2026-09-01', 3, 'UTC') + toIntervalHour(number) AS at, if(number % 17, ['LX'], []), at + toIntervalHour(24), at + toIntervalDay(12), toDate(at), 'official-us', 1 FROM numbers(600);
INSERT INTO policy_scores (number, policy, milestones_weight, silence_weight, on_time_weight, completeness_weight, pickup_weight, exception_free_weight, lts_required, ship_kpi_required, smoothing, publish_after_secs, milestones) VALUES (1, 'official-us', 60, 40, 40, 30, 20, 10, 75, 90, 20, 1814400, ['a', 'b', 'c', 'd', 'e']);
INSERT INTO scores_published (shop_id, week, rank, published_at, counted_parcels, lts, completeness, policy, policy_number) SELECT 'shop-' || toString(number % 3), toDate('2026-09-07') + 7 * intDiv(number, 6), 9 - number % 2, toDateTime64('2026-10-12', 3, 'UTC') + toIntervalSecond(number % 2), 20, 70 + number % 2, 90, 'official-us', 1 FROM numbers(12);
INSERT INTO alerts (alert_id, home, version, rule, level, status, shop_id, anchor_at, opened_at, changed_at, cause) SELECT reinterpretAsUUID(sipHash128(number, 2)), reinterpretAsUUID(sipHash128(number, 3)), 1, 'lts_low', 1, 'open', 'shop-' || toString(number), toDateTime64('2026-09-07', 3, 'UTC'), toDateTime64('2026-10-12', 3, 'UTC') AS at, at, 'shop_score_low' FROM numbers(3);
INSERT INTO ranges (topic_id, partition, bucket, last_offset, topic, records) SELECT toUUID('00000000-0000-0000-0000-000000000001'), number, 0, 9, 'scans.raw.usps', 11 FROM numbers(4);
INSERT INTO aliases (tracking_number, other_number, version) SELECT 'LX' || leftPad(toString(number), 9, '0') || 'CN', 'US' || toString(number), number FROM numbers(100);
INSERT INTO seller_users (user_name, shop_id, version) VALUES ('default', 'shop-2', 1)`

// load inserts the rows, twice.
func load(t *testing.T, ctx context.Context, conn driver.Conn) {
	t.Helper()
	for _, q := range strings.Split(manyRows+";"+manyRows, ";\n") {
		parts := []string{""}
		if strings.Contains(q, "PART") {
			parts = []string{"0", "1", "2", "3"}
		}
		for _, part := range parts {
			if err := conn.Exec(ctx, strings.ReplaceAll(q, "PART", part)); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
		}
	}
}

// shardFilters returns the setting that shows each shard its own rows, and
// checks that a key lies on one shard.
func shardFilters(t *testing.T, conn driver.Conn) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT d.name, extract(d.engine_full, '_local\', (.*)\)$'), l.sorting_key FROM system.tables AS d
		INNER JOIN (SELECT name, sorting_key FROM system.tables WHERE database = currentDatabase()) AS l ON l.name = d.name || '_local'
		WHERE d.database = currentDatabase() AND d.engine = 'Distributed' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	words := regexp.MustCompile(`\w+`)
	var filters []string
	for rows.Next() {
		var table, key, sorting string
		if err := rows.Scan(&table, &key, &sorting); err != nil {
			t.Fatal(err)
		}
		for _, column := range words.FindAllString(strings.TrimPrefix(key, "cityHash64("), -1) {
			if !slices.Contains(words.FindAllString(sorting, -1), column) {
				t.Errorf("%s: sharded by %s, sorted by %s: one key may lie on two shards", table, key, sorting)
			}
		}
		filters = append(filters, fmt.Sprintf("'%s.%s_local':'shardNum() = 1 + %s %% 2'", database, table, key))
	}
	if len(filters) < 15 {
		t.Fatalf("%d Distributed tables", len(filters))
	}
	return "{" + strings.Join(filters, ",") + "}"
}

// contents returns the rows of a view in order, with fractions to six digits:
// shards add up in another order.
func contents(ctx context.Context, conn driver.Conn, view string) (string, error) {
	var text string
	err := conn.QueryRow(ctx, "SELECT arrayStringConcat(arraySort(groupArray(toString(tuple(*)))), '\n') FROM "+view).Scan(&text)
	return regexp.MustCompile(`\d+\.\d{6,}(e-?\d+)?`).ReplaceAllStringFunc(text, func(s string) string {
		f, _ := strconv.ParseFloat(s, 64)
		return fmt.Sprint(math.Round(f*1e6) / 1e6)
	}), err
}

// TestCluster: on two shards every view says what it says on one node, and a
// key that is written twice counts once.
func TestCluster(t *testing.T) {
	dir := t.TempDir()
	// The same rows on one node, first: there is one engine per process.
	plain, want := onOneNode(t, filepath.Join(dir, "plain"))

	config := strings.Replace(twoShards, "SLOW", filepath.Join(dir, "slow"), 1)
	conn, stop := engine(t, filepath.Join(dir, "data"), chdb.EngineOptions{Users: administrator, Config: config})
	filters := onTwoShards(t, conn, plain, want)
	s, err := readSchema(t.Context(), conn, Options{Database: database, Cluster: "two"})
	stop()
	if err != nil {
		t.Fatal(err)
	}

	// The policies stand at the shards' tables, and hold through the others.
	for role, asks := range map[string][]ask{
		SellerRole: {
			{"SELECT toString((count(), groupUniqArray(shop_id))) FROM parcels FINAL", "(194,['shop-2'])"},
			{"SELECT toString((uniqExact(tracking_number), max(toUInt32(substring(tracking_number, 3, 9)) % 3))) FROM scans", "(194,2)"},
			{"SELECT toString(groupUniqArray(toUInt32(substring(tracking_number, 3, 9)) % 3)) FROM parcel_trail", "[2]"},
			{"SELECT toString(groupUniqArray(shop_id)) FROM lts_weekly", "['shop-2']"},
			{"SELECT toString(groupUniqArray(shop_id)) FROM alerts_current", "['shop-2']"},
			{"SELECT toString(count()) FROM scans_local WHERE toUInt32(substring(tracking_number, 3, 9)) % 3 != 2", "0"},
			{"SELECT raw_text FROM scan_texts", denied},
			{"SELECT raw_text FROM scan_texts_local", denied},
		},
		WriterRole: {
			{"INSERT INTO blocks (partition, bucket, last_offset) SETTINGS distributed_foreground_insert = 1 VALUES (3, 65536, 65540)", "done"},
			{"SELECT toString(max(bucket)) FROM blocks FINAL", "65536"},
			{"SELECT toString(count()) FROM lane_stages", "1"},
			{"INSERT INTO raw_records_local (topic) VALUES ('x')", denied},
		},
	} {
		conn, stop := engine(t, filepath.Join(dir, "data"), chdb.EngineOptions{Users: s.users(role), Config: config})
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"additional_table_filters": filters, "distributed_product_mode": "global"}))
		for _, a := range asks {
			if got := answer(ctx, conn, a.query); !a.matches(got) {
				t.Errorf("%s: %s\ngot  %s\nwant %s", role, a.query, got, a.want)
			}
		}
		stop()
	}
	migratorOnCluster(t, s, filepath.Join(dir, "empty"), config)
}

// migratorOnCluster migrates an empty database with the role's rights alone.
func migratorOnCluster(t *testing.T, s *schema, dir, config string) {
	t.Helper()
	conn, stop := engine(t, dir, chdb.EngineOptions{Users: s.users(MigratorRole), Config: config})
	defer stop()
	if _, err := sink.Migrate(t.Context(), &oneServer{Conn: conn, t: t}, sink.MigrateOptions{Cluster: "two", Now: time.Unix(1, 0)}); err != nil {
		t.Error(err)
	}
}

// onTwoShards compares all views with those on one node, and returns the filters
// that make the shards.
func onTwoShards(t *testing.T, conn driver.Conn, plain *schema, want map[string]string) (filters string) {
	t.Helper()
	c := &oneServer{Conn: conn, t: t}
	if _, err := sink.Migrate(t.Context(), c, sink.MigrateOptions{Cluster: "two", Now: time.Unix(1, 0),
		Lifecycle: sink.Lifecycle{StoragePolicy: "tiered", ColdVolume: "cold", ColdDays: 60}}); err != nil {
		t.Fatal(err)
	}
	if err := sink.Verify(t.Context(), conn, "two"); err != nil {
		t.Error(err)
	}
	filters = shardFilters(t, conn)
	if c.replicated < 15 {
		t.Errorf("%d replicated tables", c.replicated)
	}
	load(t, clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{
		"distributed_foreground_insert": 1, "distributed_product_mode": "global", "additional_table_filters": filters,
		"parallel_distributed_insert_select": 0, // not of the shards' rows, which are one table here
	})), conn)
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"additional_table_filters": filters}))
	for _, v := range plain.views {
		got, err := contents(ctx, conn, v)
		if err != nil || got != want[v] {
			t.Errorf("%s on two shards: %v\n%.600s\nwant\n%.600s", v, err, got, want[v])
		}
	}
	if err := conn.Exec(ctx, "INSERT INTO scans (partition, offset, received_at) SETTINGS distributed_foreground_insert = 1 VALUES (0, 1000000, '2020-01-05')"); err != nil {
		t.Fatal(err)
	}
	const disks = "SELECT toString(groupUniqArray(disk_name)) FROM system.parts WHERE active AND table = 'scans_local' AND partition = '202001'"
	if got := answer(ctx, conn, disks); got != "['slow']" {
		t.Errorf("a month that ended years ago lies on %s", got)
	}
	return filters
}

// onOneNode returns the contents of all views without a cluster.
func onOneNode(t *testing.T, dir string) (*schema, map[string]string) {
	t.Helper()
	conn, stop := engine(t, dir, chdb.EngineOptions{Users: administrator})
	defer stop()
	if _, err := sink.Migrate(t.Context(), conn, sink.MigrateOptions{Now: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	load(t, t.Context(), conn)
	s, err := readSchema(t.Context(), conn, Options{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, v := range s.views {
		if all[v], err = contents(t.Context(), conn, v); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if all[v] == "" {
			t.Log("empty:", v)
		}
	}
	return s, all
}
