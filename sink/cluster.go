package sink

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// On a cluster each table t of the schema becomes two: t_local, replicated,
// which holds a shard's rows, and t, a Distributed table over all t_local. All
// else, writers and views included, goes on saying t.
//
// The rows of one key must never lie on two shards, or FINAL would show two
// rows of it: the sharding key is made of columns of the sorting key.

// localSuffix is what the name of a shard's own table ends in.
const localSuffix = "_local"

// shardKeys are the sharding keys that differ from a hash of the whole sorting
// key. What is named by its place in parcel.events goes by its partition there,
// which is a hash of the parcel: all of a parcel's scans are on one shard, with
// their texts, and a block of one partition is one insert on one shard. So the
// number of partitions should be a multiple of the number of shards.
func shardKeys() map[string]string {
	return map[string]string{
		"scans": "`partition`", "scan_texts": "`partition`", "voids": "`partition`", "order_facts": "`partition`",
		"blocks": "`partition`", "feed_minutes": "`partition`",
		"parcels": "cityHash64(parcel_id)", "archive": "cityHash64(entity_id)",
		"alerts": "cityHash64(alert_id)", "alert_transitions": "cityHash64(alert_id)",
		"alert_handling": "cityHash64(alert_id)", "alert_deliveries": "cityHash64(alert_id)",
	}
}

// clusterSettings are those of every query to a cluster.
func clusterSettings() clickhouse.Settings {
	return clickhouse.Settings{
		// A block that waits in the sending server's files is not written yet.
		"distributed_foreground_insert": 1,
		"insert_quorum":                 "auto",
		// Replicas drop a block that they have seen before. Here a key makes that
		// needless, and after rows were deleted by hand it would lose the replay.
		"insert_deduplicate":       0,
		"distributed_product_mode": "global",
	}
}

var (
	createTable = regexp.MustCompile(`(?m)^CREATE TABLE IF NOT EXISTS (\w+) ON CLUSTER`)
	alterTable  = regexp.MustCompile(`(?m)^ALTER TABLE (\w+) ON CLUSTER`)
	createView  = regexp.MustCompile(`(?m)^CREATE OR REPLACE VIEW \w+ ON CLUSTER`)
	sortingKey  = regexp.MustCompile(`(?m)^ORDER BY (.+)$`)
	ofColumns   = regexp.MustCompile(`(?m)\b(?:ADD|DROP|MODIFY|RENAME|COMMENT|CLEAR) COLUMN\b`)
)

// engine returns a table engine with its arguments, replicated on a cluster.
func (o MigrateOptions) engine(name string, args ...string) string {
	if o.Cluster != "" {
		name = "Replicated" + name
		args = append([]string{"'/clickhouse/tables/{uuid}/{shard}'", "'{replica}'"}, args...)
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

// local returns the name of the shard's own table: for the right side of a join
// with a table of the same sharding key, which then needs no other shard.
func (o MigrateOptions) local(table string) string {
	if o.Cluster != "" {
		return table + localSuffix
	}
	return table
}

// distribute makes of the statements for one node those for a cluster.
func (o MigrateOptions) distribute(statements []string) ([]string, error) {
	if o.Cluster == "" {
		return statements, nil
	}
	var all []string
	for _, s := range statements {
		switch {
		case createTable.MatchString(s):
			name := createTable.FindStringSubmatch(s)[1]
			distributed, err := o.distributed(name, s)
			if err != nil {
				return nil, err
			}
			all = append(all, createTable.ReplaceAllString(s, "CREATE TABLE IF NOT EXISTS ${1}"+localSuffix+" ON CLUSTER"), distributed)
		case alterTable.MatchString(s):
			all = append(all, alterTable.ReplaceAllString(s, "ALTER TABLE ${1}"+localSuffix+" ON CLUSTER"))
			if ofColumns.MatchString(s) { // the shards first: nobody asks them for a column that they lack
				all = append(all, s)
			}
		case createView.MatchString(s):
			view, err := globalView(s)
			if err != nil {
				return nil, err
			}
			all = append(all, view)
		default:
			return nil, fmt.Errorf("%s: neither CREATE TABLE IF NOT EXISTS, ALTER TABLE nor CREATE OR REPLACE VIEW: say in cluster.go what becomes of it on a cluster", head(s))
		}
	}
	return all, nil
}

// distributed returns the statement that makes the table over all shards.
func (o MigrateOptions) distributed(name, create string) (string, error) {
	key, ok := shardKeys()[name]
	if !ok {
		m := sortingKey.FindStringSubmatch(create)
		if m == nil {
			return "", fmt.Errorf("table %s: no line ORDER BY, so no sharding key", name)
		}
		key = "cityHash64(" + strings.Trim(m[1], "()") + ")"
	}
	comment := ""
	if i := strings.LastIndex(create, "\nCOMMENT '"); i >= 0 {
		comment = create[i:]
	}
	cluster := quoteIdent(o.Cluster)
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %[1]s ON CLUSTER %[2]s AS %[1]s%[3]s\nENGINE = Distributed(%[2]s, %[4]s, %[1]s%[3]s, %[5]s)%[6]s",
		name, cluster, localSuffix, quoteIdent(o.database), key, comment), nil
}

// globalView has the joins and subqueries of a view over Distributed tables
// answered once, by the server that was asked, and sent to the shards:
// otherwise the server refuses the view, or each shard would answer them for
// itself.
func globalView(s string) (string, error) {
	i := strings.LastIndex(s, "\nCOMMENT '")
	if i < 0 {
		return "", fmt.Errorf("%s: a view ends with its COMMENT", head(s))
	}
	return s[:i] + "\nSETTINGS distributed_product_mode = 'global'" + s[i:], nil
}

// checkLayout reports a database whose tables were made for one node while a
// cluster is configured, or the other way round.
func checkLayout(ctx context.Context, conn driver.Conn, cluster string) error {
	var tables, distributed uint64
	err := conn.QueryRow(ctx, "SELECT count(), countIf(engine = 'Distributed') FROM system.tables WHERE database = currentDatabase() AND name = 'blocks'").Scan(&tables, &distributed)
	switch {
	case err != nil:
		return explain("read system.tables", err)
	case tables == 0:
		return nil
	case cluster == "" && distributed > 0:
		return errors.New("clickhouse: the tables of this database are those of a cluster: set clickhouse.cluster")
	case cluster != "" && distributed == 0:
		return fmt.Errorf("clickhouse: the tables of this database were made for one node: take clickhouse.cluster %q out, or give a new clickhouse.database, which a replay of the log fills", cluster)
	}
	return nil
}
