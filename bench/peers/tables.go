package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"scantrail/schemas"
)

// scansTable has the columns of the table scans that can be had from the raw
// record alone, in the same types and, as there, in the order of the log.
const scansTable = `CREATE TABLE peer.scans (
	tracking_number String, carrier LowCardinality(String), milestone_no UInt8, physical Bool, progress Bool,
	occurred_at DateTime('UTC'), utc_offset_minutes Int16, raw_code LowCardinality(String), raw_text LowCardinality(String),
	country LowCardinality(String), city LowCardinality(String), facility LowCardinality(String),
	origin LowCardinality(String), destination LowCardinality(String), product LowCardinality(String),
	source_partition Int32, source_offset Int64 CODEC(Delta(8), LZ4), received_at DateTime64(3, 'UTC') CODEC(Delta(8), LZ4)
) ENGINE = MergeTree ORDER BY (source_partition, source_offset)`

const alertsTable = `CREATE TABLE peer.alerts (
	tracking_number String, kind LowCardinality(String), rule LowCardinality(String), milestone LowCardinality(String), status LowCardinality(String),
	anchor_at Int64, ended_at Int64, changed_at Int64, partition Int32, offset Int64
) ENGINE = MergeTree ORDER BY (partition, offset)`

// queue is a table that reads a topic. One thread for each consumer and blocks
// of a second or 100,000 rows, as the sink's: the defaults of 7.5 s and one
// insert for all consumers are slower and later.
func (r *rig) queue(table, columns, topic, format string, consumers int) string {
	return fmt.Sprintf(`CREATE TABLE peer.%s (%s) ENGINE = Kafka SETTINGS kafka_broker_list = '%s', kafka_topic_list = '%s',
		kafka_group_name = 'peer-%s-%d', kafka_format = '%s', kafka_num_consumers = %d, kafka_thread_per_consumer = 1,
		kafka_max_block_size = 100000, kafka_poll_max_batch_size = 100000, kafka_flush_interval_ms = 1000`,
		table, columns, strings.Join(r.kafka.Addrs(), ","), topic, table, time.Now().UnixNano(), format, consumers)
}

// milestonesSQL turns a code into the number of its milestone.
func milestonesSQL() string {
	var from, to []string
	seen := map[string]bool{}
	for m := range schemas.Info + 1 {
		if c, ok := codes[m]; ok && m != schemas.Unmapped && !seen[c[0]] {
			seen[c[0]] = true
			from, to = append(from, "'"+c[0]+"'"), append(to, fmt.Sprint(uint8(standsFor(c[0]))))
		}
	}
	return fmt.Sprintf("transform(e.track_node_code, [%s], [%s], 0)", strings.Join(from, ", "), strings.Join(to, ", "))
}

// standsFor is what a code means that several milestones of the world take.
func standsFor(code string) schemas.Milestone {
	switch code {
	case "MAIN_LINE_DEPART":
		return schemas.DepartedOrigin
	case "CARRIER_PICKUP":
		return schemas.HandedToLastMile
	case "PACKAGE_EXCEPTION":
		return schemas.Held
	}
	for m, c := range codes {
		if c[0] == code {
			return m
		}
	}
	return schemas.Unmapped
}

// flags is the SQL for a set of milestones.
func flags(column string, holds func(schemas.Milestone) bool) string {
	var all []string
	for _, m := range schemas.Milestones() {
		if holds(m) {
			all = append(all, fmt.Sprint(uint8(m)))
		}
	}
	return column + " IN (" + strings.Join(all, ", ") + ")"
}

// kafkaEngine is ClickHouse's own Kafka engine with a materialised view: it
// reads JSON into a flat table, and that is all it can do.
type kafkaEngine struct{ rig *rig }

func startClickHouse(ctx context.Context, r *rig) (job, error) {
	if err := r.engine.exec(ctx, "CREATE DATABASE peer", scansTable,
		r.queue("raw", `waybill_number String, origin_country_code String, country_code String, product_code String,
			track_events Array(Tuple(process_time String, time_zone String, track_node_code String, process_content String,
				process_location String, process_country String, process_city String))`, rawTopic, "JSONEachRow", 2),
		`CREATE MATERIALIZED VIEW peer.raw_view TO peer.scans AS
		SELECT waybill_number AS tracking_number, 'yunexpress' AS carrier, toUInt8(`+milestonesSQL()+`) AS milestone_no,
			`+flags("milestone_no", schemas.Milestone.Physical)+` AS physical, `+flags("milestone_no", schemas.Milestone.Progress)+` AS progress,
			parseDateTimeBestEffort(concat(e.process_time, substring(e.time_zone, 4)), 'UTC') AS occurred_at,
			toInt16(if(substring(e.time_zone, 4, 1) = '-', -1, 1) * (toInt16(substring(e.time_zone, 5, 2)) * 60 + toInt16(substring(e.time_zone, 8, 2)))) AS utc_offset_minutes,
			e.track_node_code AS raw_code, e.process_content AS raw_text, e.process_country AS country, e.process_city AS city,
			e.process_location AS facility, origin_country_code AS origin, country_code AS destination, product_code AS product,
			toInt32(_partition) AS source_partition, toInt64(_offset) AS source_offset, now64(3, 'UTC') AS received_at
		FROM peer.raw ARRAY JOIN track_events AS e`); err != nil {
		return nil, err
	}
	return kafkaEngine{r}, nil
}

func (k kafkaEngine) process() *process { return nil }
func (k kafkaEngine) stop()             {}

func (k kafkaEngine) state(ctx context.Context) (state, error) {
	n, err := k.rig.engine.numbers(ctx, `SELECT (SELECT count() FROM peer.scans),
		(SELECT sum(num_messages_read) FROM system.kafka_consumers WHERE database = 'peer') FORMAT TSV`)
	if err != nil {
		return state{}, err
	}
	return state{rows: n[0], consumed: max(n[0], n[1])}, nil
}

func (k kafkaEngine) found(context.Context) (map[caseKey]bool, time.Time, error) {
	return nil, k.rig.input.to, nil
}
