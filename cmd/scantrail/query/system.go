package query

import (
	"context"
	"time"
)

// LogPartition is what ClickHouse knows of a partition of parcel.events.
type LogPartition struct {
	Partition  int32      `ch:"partition"`
	LastOffset uint64     `ch:"last_offset"`
	LastTickAt *time.Time `ch:"last_tick_at"`
	Records    uint64     `ch:"records"`
}

// LogPartitions returns the partitions by the ledger of the sink.
func (q *Queries) LogPartitions(ctx context.Context) ([]LogPartition, error) {
	const sql = "SELECT `partition`, max(last_offset) AS last_offset, max(last_tick_at) AS last_tick_at, sum(records) AS records FROM " +
		"(SELECT `partition`, last_offset, last_tick_at, records FROM blocks FINAL) GROUP BY `partition` ORDER BY `partition` LIMIT 10000"
	return selectAll[LogPartition](ctx, q, "partitions of the log", sql)
}

// PolicyInForce is the last control record.
type PolicyInForce struct {
	Number     uint32 `ch:"number"`
	Generation uint32 `ch:"generation"`
	Detector   uint32 `ch:"detector"`
	Partitions uint64 `ch:"partitions"` // that have it
	Document   string `ch:"document"`
}

// Policy returns the policies in force; ErrNone before the first.
func (q *Queries) Policy(ctx context.Context) (PolicyInForce, error) {
	const sql = "SELECT number, max(generation) AS generation, max(detector) AS detector, uniqExact(`partition`) AS partitions, any(document) AS document " +
		"FROM policies FINAL GROUP BY number ORDER BY number DESC LIMIT 1"
	return selectOne[PolicyInForce](ctx, q, "policies in force", sql)
}

// DataGap is a kind of what could not be read, with one of its rows.
type DataGap struct {
	Kind    string `ch:"kind"`
	Topic   string `ch:"topic"`
	Rows    uint64 `ch:"rows"`
	Offsets int64  `ch:"offsets"` // in the ranges that were not read
	Entity  string `ch:"one_entity"`
	Detail  string `ch:"one_detail"`
}

// DataGaps returns what could not be read, by kind and topic.
func (q *Queries) DataGaps(ctx context.Context) ([]DataGap, error) {
	const sql = "SELECT kind, topic, count() AS rows, sum(if(`partition` < 0, 0, last_offset - first_offset + 1)) AS offsets, " +
		"any(entity) AS one_entity, any(detail) AS one_detail FROM data_gaps FINAL GROUP BY kind, topic ORDER BY kind, topic LIMIT 200"
	return selectAll[DataGap](ctx, q, "data_gaps", sql)
}

// SchemaFile is a file of the schema as it was last applied.
type SchemaFile struct {
	Name string    `ch:"name"`
	At   time.Time `ch:"at"`
}

// Versions returns ClickHouse's version and the newest files of the schema.
func (q *Queries) Versions(ctx context.Context) (server string, files []SchemaFile, err error) {
	row, err := selectOne[struct {
		Version string `ch:"v"`
	}](ctx, q, "version of ClickHouse", "SELECT version() AS v LIMIT 1")
	if err != nil {
		return "", nil, err
	}
	const sql = `SELECT argMax(m.name, m.applied_at) AS name, max(m.applied_at) AS at FROM schema_migrations AS m GROUP BY m.version ORDER BY m.version LIMIT 100`
	files, err = selectAll[SchemaFile](ctx, q, "files of the schema", sql)
	return row.Version, files, err
}
