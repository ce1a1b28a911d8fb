-- Tables of Scantrail. Every table is a ReplacingMergeTree whose key names one
-- fact or one entity, so that writing a row again is harmless. No column has a
-- default that depends on the time of the insert, and nothing that is counted
-- is fed by a materialised view.

CREATE TABLE IF NOT EXISTS scans{{.OnCluster}}
(
    `partition` Int32 COMMENT 'partition of parcel.events',
    `offset` Int64 COMMENT 'offset in parcel.events: (partition, offset) names the row' CODEC(Delta(8), LZ4),
    `received_at` DateTime64(3, 'UTC') COMMENT 'when ingest read the carrier''s record' CODEC(Delta(8), LZ4),
    `parcel_id` UUID COMMENT '128-bit hash of tracking_number',
    `fact_id` UUID COMMENT 'hash of the raw fields: a scan that was sent again is the same fact; count uniqExact(fact_id)',
    `tracking_number` String COMMENT 'canonical: [A-Z0-9]{6,40}',
    `carrier` LowCardinality(String) COMMENT 'name of the mapping that read it',
    `occurred_at` DateTime64(3, 'UTC') COMMENT 'as the carrier stated it',
    `effective_at` DateTime64(3, 'UTC') ALIAS least(occurred_at, received_at),
    `utc_offset_minutes` Int32 COMMENT 'of the stated local time from UTC',
    `tz_source` LowCardinality(String) COMMENT 'unknown, explicit_utc, explicit_offset, carrier_rule, location',
    `uncertainty_secs` UInt32 COMMENT 'the true instant lies within +- this of occurred_at',
    `milestone` LowCardinality(String) COMMENT 'canonical name of the station',
    `milestone_no` UInt8 COMMENT 'its number, which is its order along the way',
    `physical` Bool COMMENT 'the parcel was handled then',
    `progress` Bool COMMENT 'counts as a tracking update',
    `direction` LowCardinality(String) COMMENT 'none, export, import',
    `direction_source` LowCardinality(String) COMMENT 'none, code, country, text, sequence',
    `reason` LowCardinality(String) COMMENT 'of an exception',
    `fault` LowCardinality(String) COMMENT 'unknown, carrier, consignee, seller, customs, nature',
    `leg` UInt32 COMMENT '1 for the first carrier''s leg, 0 when not known',
    `rule` LowCardinality(String) COMMENT 'what decided the milestone',
    `raw_code` LowCardinality(String) COMMENT 'the carrier''s status code',
    `country` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `region` LowCardinality(String),
    `city` LowCardinality(String),
    `postcode` String,
    `facility` LowCardinality(String),
    `origin` LowCardinality(String) COMMENT 'lane, where the carrier states it',
    `destination` LowCardinality(String),
    `product` LowCardinality(String),
    `source_topic` LowCardinality(String),
    `source_topic_id` UUID COMMENT 'survives deletion and re-creation of the topic',
    `source_partition` Int32,
    `source_offset` Int64,
    `event_index` UInt32 COMMENT 'place among the events of its raw record',
    `backfill` Bool COMMENT 'history: older than Scantrail''s first look at the topic, or imported',
    `generic` Bool COMMENT 'read without a mapping of the carrier',
    `mapping_version` UInt32 COMMENT 'of one fact_id the highest version counts',
    INDEX parcel_id parcel_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX tracking_number tracking_number TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(received_at)
ORDER BY (`partition`, `offset`)
COMMENT 'Evidence log: one row per event of parcel.events, in log order, without the copies that the detector forwards. Partitioned by the month of reception, never by event time.'
;

CREATE TABLE IF NOT EXISTS scan_texts{{.OnCluster}}
(
    `partition` Int32,
    `offset` Int64 CODEC(Delta(8), LZ4),
    `received_at` DateTime64(3, 'UTC') CODEC(Delta(8), LZ4),
    `occurred_at_raw` String COMMENT 'time as printed by the carrier',
    `raw_text` String COMMENT 'text as printed by the carrier: hostile, escape before showing',
    `location_raw` String
)
ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(received_at)
ORDER BY (`partition`, `offset`)
COMMENT 'Raw texts of scans, apart so that scans stays narrow. Join on (partition, offset).'
;

CREATE TABLE IF NOT EXISTS parcels{{.OnCluster}}
(
    `parcel_id` UUID,
    `opened_at` DateTime64(3, 'UTC') COMMENT 'effective time of the first fact of this life of the number',
    `version` UInt64 COMMENT 'generation (12 bits), offset (44), ordinal (8)',
    `deleted` UInt8 COMMENT '1: the parcel moved to another home; hidden by FINAL',
    `tracking_number` String,
    `carriers` Array(String) COMMENT 'in order of their first event',
    `shop_id` String,
    `order_id` String,
    `market` LowCardinality(String),
    `origin` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `destination` LowCardinality(String),
    `label_source` LowCardinality(String) COMMENT 'platform or seller',
    `stage` LowCardinality(String) COMMENT 'furthest milestone on the way to the recipient',
    `stage_no` UInt8,
    `last_milestone` LowCardinality(String) COMMENT 'of the latest progress event',
    `last_carrier` LowCardinality(String),
    `last_facility` LowCardinality(String),
    `last_country` LowCardinality(String),
    `first_progress_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'earliest tracking update of the trail',
    `last_progress_at` Nullable(DateTime64(3, 'UTC')),
    `end_milestone` LowCardinality(String) COMMENT 'what ended the trail; empty while open',
    `ended_at` Nullable(DateTime64(3, 'UTC')),
    `ordered_at` Nullable(DateTime64(3, 'UTC')),
    `confirmed_at` Nullable(DateTime64(3, 'UTC')),
    `ready_at` Nullable(DateTime64(3, 'UTC')),
    `marked_shipped_at` Nullable(DateTime64(3, 'UTC')),
    `promise_at` Nullable(DateTime64(3, 'UTC')),
    `cancelled_at` Nullable(DateTime64(3, 'UTC')),
    `label_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'this and the next: earliest time of the milestone in the trail',
    `accepted_at` Nullable(DateTime64(3, 'UTC')),
    `export_cleared_at` Nullable(DateTime64(3, 'UTC')),
    `departed_at` Nullable(DateTime64(3, 'UTC')),
    `arrived_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'entry into the destination country, import customs statuses included',
    `import_cleared_at` Nullable(DateTime64(3, 'UTC')),
    `out_for_delivery_at` Nullable(DateTime64(3, 'UTC')),
    `delivered_at` Nullable(DateTime64(3, 'UTC')),
    `returned_at` Nullable(DateTime64(3, 'UTC')),
    `facts` UInt16 COMMENT 'distinct facts',
    `progress_facts` UInt16,
    `required` UInt8 COMMENT 'bits in the order of the policy''s milestones: applies to this lane',
    `due` UInt8 COMMENT 'of these: at or before the furthest stage reached, or overdue, or observed',
    `observed` UInt8 COMMENT 'of these: in the trail',
    `silent_secs` UInt32 COMMENT 'sum over closed gaps of (length - 48 h)',
    `gaps_48h` UInt8 COMMENT 'gaps of at least 48 h, an open one included',
    `gaps_72h` UInt8,
    `exceptions` UInt8 COMMENT 'number of exception events',
    `policy` LowCardinality(String) COMMENT 'name of the policy in force',
    `updated_at` DateTime64(3, 'UTC') COMMENT 'clock of the log at version'
)
ENGINE = {{engine "ReplacingMergeTree" "version" "deleted"}}
ORDER BY (parcel_id, opened_at)
COMMENT 'Current row of each life of each parcel, with all that scores need. Read with FINAL. Holds nothing relative to now.'
;

CREATE TABLE IF NOT EXISTS orders{{.OnCluster}}
(
    `shop_id` String,
    `order_id` String,
    `version` UInt64 COMMENT 'generation (12 bits), offset (44), ordinal (8)',
    `market` LowCardinality(String),
    `carrier` LowCardinality(String),
    `tracking_numbers` Array(String),
    `label_source` LowCardinality(String),
    `origin` LowCardinality(String),
    `destination` LowCardinality(String),
    `destination_postcode` String,
    `created_at` Nullable(DateTime64(3, 'UTC')),
    `confirmed_at` Nullable(DateTime64(3, 'UTC')),
    `ready_at` Nullable(DateTime64(3, 'UTC')),
    `marked_shipped_at` Nullable(DateTime64(3, 'UTC')),
    `marked_delivered_at` Nullable(DateTime64(3, 'UTC')),
    `label_at` Nullable(DateTime64(3, 'UTC')),
    `promise_at` Nullable(DateTime64(3, 'UTC')),
    `cancel_requested_at` Nullable(DateTime64(3, 'UTC')),
    `cancel_answered_at` Nullable(DateTime64(3, 'UTC')),
    `cancelled_at` Nullable(DateTime64(3, 'UTC')),
    `facts` UInt16,
    `updated_at` DateTime64(3, 'UTC') COMMENT 'clock of the log at version'
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (shop_id, order_id)
COMMENT 'Current row of each order. Read with FINAL.'
;

CREATE TABLE IF NOT EXISTS alerts{{.OnCluster}}
(
    `alert_id` UUID COMMENT 'hash of the rule''s family, the tracking number and the anchor',
    `home` UUID COMMENT 'parcel that holds it; the smallest home counts: read alerts_current',
{{- template "alert_columns"}}
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (alert_id, home)
COMMENT 'Latest transition of each alert of each home. Read through the view alerts_current.'
;

CREATE TABLE IF NOT EXISTS alert_transitions{{.OnCluster}}
(
    `alert_id` UUID,
    `home` UUID,
{{- template "alert_columns"}}
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (alert_id, home, version)
COMMENT 'Every transition of every alert: what was known when. Time to detect = changed_at of the first open - anchor_at.'
;

CREATE TABLE IF NOT EXISTS aliases{{.OnCluster}}
(
    `tracking_number` String,
    `other_number` String,
    `version` UInt64 COMMENT 'offset in parcel.events',
    `carrier` LowCardinality(String),
    `fact_id` UUID,
    `received_at` DateTime64(3, 'UTC')
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (tracking_number, other_number)
COMMENT 'Pairs of numbers that name one parcel, as carriers stated them.'
;

CREATE TABLE IF NOT EXISTS dead_letters{{.OnCluster}}
(
    `topic` LowCardinality(String) COMMENT 'source topic',
    `topic_id` UUID,
    `partition` Int32,
    `offset` Int64,
    `index` Int32 COMMENT 'place among the dead letters of its record',
    `event_index` Int32 COMMENT 'place of the bad event in its record; -1 for the whole record or a whole parcel in it',
    `carrier` LowCardinality(String),
    `reason` LowCardinality(String) COMMENT 'short code from a closed set',
    `field` LowCardinality(String) COMMENT 'of the carrier''s message',
    `detail` String,
    `mapping_version` UInt32,
    `received_at` DateTime64(3, 'UTC'),
    `raw` String COMMENT 'the source record as it came, cut after {{.DeadLetterBytes}} bytes; whole on scans.dead-letter',
    `raw_bytes` UInt32 COMMENT 'its length before the cut'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (topic, topic_id, `partition`, `offset`, `index`)
TTL toDateTime(received_at) + INTERVAL {{.DeadLetterDays}} DAY
COMMENT 'Records and events that could not be read, with the reason. Replay: scantrail replay dead-letters.'
;

CREATE TABLE IF NOT EXISTS blocks{{.OnCluster}}
(
    `partition` Int32 COMMENT 'of parcel.events',
    `bucket` Int64 COMMENT 'first offset of the block, a multiple of {{.RangeSpan}}',
    `last_offset` UInt64 COMMENT 'the row accounts for bucket .. last_offset, both included',
    `records` UInt64 COMMENT 'records read = the sum of the following up to undecodable',
    `scans` UInt64 COMMENT 'rows in scans',
    `orders` UInt64,
    `aliases` UInt64,
    `ticks` UInt64,
    `ranges` UInt64,
    `controls` UInt64,
    `forwarded` UInt64 COMMENT 'copies that the detector sent from another partition',
    `unknown` UInt64 COMMENT 'kinds of a newer version',
    `undecodable` UInt64 COMMENT 'each also in data_gaps',
    `holes` UInt64 COMMENT 'offsets without a record; records + holes = last_offset - bucket + 1',
    `last_tick_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'clock of the partition as the sink read it'
)
ENGINE = {{engine "ReplacingMergeTree" "last_offset"}}
ORDER BY (`partition`, bucket)
COMMENT 'Ledger of the sink: all offsets of parcel.events that are in the other tables. Chains without a hole: bucket = previous bucket + {{.RangeSpan}}.'
;

CREATE TABLE IF NOT EXISTS ranges{{.OnCluster}}
(
    `topic_id` UUID,
    `partition` Int32,
    `bucket` Int64 COMMENT 'first offset, a multiple of {{.RangeSpan}}',
    `last_offset` UInt64,
    `topic` LowCardinality(String),
    `records` Int64 COMMENT 'raw records read from bucket .. last_offset',
    `events` Int64 COMMENT 'canonical events made of them',
    `dead_letters` Int64,
    `empty` Int64 COMMENT 'readable records that hold no event'
)
ENGINE = {{engine "ReplacingMergeTree" "last_offset"}}
ORDER BY (topic_id, `partition`, bucket)
COMMENT 'Ledger of ingest: all offsets of the source topics that are in parcel.events or scans.dead-letter.'
;

CREATE TABLE IF NOT EXISTS data_gaps{{.OnCluster}}
(
    `topic` LowCardinality(String),
    `partition` Int32 COMMENT '-1 where an entity is meant and no range of offsets',
    `first_offset` Int64,
    `last_offset` Int64,
    `kind` LowCardinality(String) COMMENT 'hole, undecodable, retention, quarantine',
    `entity` String COMMENT 'tracking number or order, where one entity is meant',
    `detail` String
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (topic, `partition`, first_offset, kind, entity)
COMMENT 'What could not be read, said openly instead of being silent.'
;

{{define "alert_columns"}}
    `version` UInt64 COMMENT 'generation (12 bits), offset (44), ordinal (8)',
    `rule` LowCardinality(String) COMMENT 'gap_48h becomes gap_72h when it escalates',
    `level` UInt8 COMMENT '0 at risk, 1, 2 escalated',
    `status` LowCardinality(String) COMMENT 'at_risk, open, escalated, resolved, withdrawn',
    `milestone` LowCardinality(String) COMMENT 'the missing one; empty for other rules',
    `stage` LowCardinality(String) COMMENT 'in which the parcel was at the anchor',
    `parcel_id` UUID,
    `tracking_number` String,
    `carrier` LowCardinality(String) COMMENT 'of the last event before the silence, as country and facility',
    `shop_id` String,
    `order_id` String,
    `market` LowCardinality(String),
    `origin` LowCardinality(String),
    `destination` LowCardinality(String),
    `facility` LowCardinality(String),
    `country` LowCardinality(String),
    `anchor_at` DateTime64(3, 'UTC') COMMENT 'event time from which the rule counts',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'event time of what resolved it',
    `opened_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'clock of the log at its first opening',
    `changed_at` DateTime64(3, 'UTC') COMMENT 'clock of the log at this transition',
    `backfill` Bool COMMENT 'known only from history: recorded, not paged'
{{- end}}
