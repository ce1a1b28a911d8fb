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
    `number_check` LowCardinality(String) COMMENT 'unknown, valid, invalid: whether the number keeps the rules of its carrier''s format',
    `carrier` LowCardinality(String) COMMENT 'name of the mapping that read it',
    `occurred_at` DateTime64(3, 'UTC') COMMENT 'as the carrier stated it',
    `effective_at` DateTime64(3, 'UTC') ALIAS least(occurred_at, received_at) COMMENT 'time of this row in the trail: a scan cannot be received before it happens',
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
    `region` LowCardinality(String) COMMENT 'of the place, as the carrier writes it; so are city, postcode and facility',
    `city` LowCardinality(String) COMMENT 'of the place',
    `postcode` String COMMENT 'of the place',
    `facility` LowCardinality(String) COMMENT 'of the place: hub, depot, terminal',
    `origin` LowCardinality(String) COMMENT 'lane, where the carrier states it',
    `destination` LowCardinality(String) COMMENT 'lane, where the carrier states it',
    `product` LowCardinality(String) COMMENT 'the carrier''s product or service',
    `source_topic` LowCardinality(String) COMMENT 'of the raw record, as the next three',
    `source_topic_id` UUID COMMENT 'survives deletion and re-creation of the topic',
    `source_partition` Int32 COMMENT 'of the raw record',
    `source_offset` Int64 COMMENT 'of the raw record',
    `event_index` UInt32 COMMENT 'place among the events of its raw record',
    `backfill` Bool COMMENT 'history: older than Scantrail''s first look at the topic, or imported',
    `generic` Bool COMMENT 'read without a mapping of the carrier',
    `mapping_version` UInt32 COMMENT 'of one fact_id the highest version counts',
    INDEX parcel_id parcel_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX tracking_number tracking_number TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(received_at)
ORDER BY (`partition`, `offset`){{ttl "scans"}}
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1{{storage}}
COMMENT 'Evidence log: one row per event of parcel.events, in log order, without the copies that the detector forwards. Partitioned by the month of reception, never by event time.'
;

CREATE TABLE IF NOT EXISTS scan_texts{{.OnCluster}}
(
    `partition` Int32 COMMENT 'as in scans',
    `offset` Int64 COMMENT 'as in scans' CODEC(Delta(8), LZ4),
    `received_at` DateTime64(3, 'UTC') COMMENT 'as in scans' CODEC(Delta(8), LZ4),
    `tracking_number` String COMMENT 'as in scans: without it a parcel''s texts could only be found by reading all',
    `event_id` String COMMENT 'the carrier''s own name of the event, where it gives one',
    `occurred_at_raw` String COMMENT 'time as printed by the carrier',
    `raw_text` String COMMENT 'text as printed by the carrier: hostile, escape before showing',
    `location_raw` String COMMENT 'place as printed by the carrier',
    INDEX tracking_number tracking_number TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMM(received_at)
ORDER BY (`partition`, `offset`){{ttl "scan_texts"}}
SETTINGS ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1{{storage}}
COMMENT 'Raw texts of scans, apart so that scans stays narrow. Join on (partition, offset, tracking_number).'
;

CREATE TABLE IF NOT EXISTS parcels{{.OnCluster}}
(
    `parcel_id` UUID COMMENT '128-bit hash of tracking_number',
    `opened_at` DateTime64(3, 'UTC') COMMENT 'effective time of the first fact of this life of the number',
    `life` UInt8 COMMENT 'number of this life of the tracking number, from 1: carriers use numbers again',
    `version` UInt64 COMMENT 'generation (12 bits), offset (44), ordinal (8)',
    `deleted` UInt8 COMMENT '1: the parcel moved to another home; hidden by FINAL',
    `tracking_number` String COMMENT 'canonical; the smallest one where numbers are linked',
    `carriers` Array(String) COMMENT 'in order of their first event',
    `product` LowCardinality(String) COMMENT 'the carrier''s product or service, empty when not known',
    `shop_id` String COMMENT 'of its order, empty without one',
    `order_id` String COMMENT 'of its order, empty without one',
    `market` LowCardinality(String) COMMENT 'of its order, else the destination',
    `origin` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `destination` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `label_source` LowCardinality(String) COMMENT 'platform or seller',
    `stage` LowCardinality(String) COMMENT 'furthest milestone on the way to the recipient',
    `stage_no` UInt8 COMMENT 'its number, which is its order along the way',
    `last_milestone` LowCardinality(String) COMMENT 'of the latest progress event',
    `last_carrier` LowCardinality(String) COMMENT 'of the latest progress event',
    `last_facility` LowCardinality(String) COMMENT 'of the latest progress event',
    `last_country` LowCardinality(String) COMMENT 'of the latest progress event',
    `first_progress_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'earliest tracking update of the trail',
    `last_progress_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'latest tracking update of the trail',
    `first_physical_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'earliest event at which the parcel was handled',
    `end_milestone` LowCardinality(String) COMMENT 'what ended the trail; empty while open',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'event time of end_milestone',
    `ordered_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'this and the next: as the shop said',
    `confirmed_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'order confirmed',
    `ready_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'order ready to ship',
    `marked_shipped_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'the shop said that it was shipped',
    `marked_delivered_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'the shop said that it was delivered',
    `promise_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'when the buyer was promised to have it, extensions included',
    `cancelled_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'order cancelled',
    `label_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'this and the next: earliest time of the milestone in the trail',
    `accepted_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'first carrier has it',
    `export_cleared_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'through the export customs',
    `departed_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'left the country of origin',
    `arrived_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'entry into the destination country, import customs statuses included',
    `import_cleared_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'through the import customs',
    `out_for_delivery_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'on the van',
    `delivered_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'with the recipient',
    `returned_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'back with the sender',
    `facts` UInt16 COMMENT 'distinct facts',
    `progress_facts` UInt16 COMMENT 'of these: tracking updates',
    `required` UInt8 COMMENT 'bits in the order of the policy''s milestones: applies to this lane',
    `due` UInt8 COMMENT 'of these: at or before the furthest stage reached, or overdue, or observed',
    `observed` UInt8 COMMENT 'of these: in the trail',
    `silent_secs` UInt32 COMMENT 'sum over closed gaps of (length - 48 h)',
    `gaps_48h` UInt8 COMMENT 'gaps of at least 48 h, an open one included',
    `gaps_72h` UInt8 COMMENT 'gaps of at least 72 h, an open one included',
    `exceptions` UInt8 COMMENT 'number of exception events',
    `first_scan_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'earliest scan of this life, announcements and messages included',
    `first_exception` LowCardinality(String) COMMENT 'milestone of the earliest of them, empty without one',
    `first_exception_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'its event time',
    `silent_customs_secs` UInt32 COMMENT 'of silent_secs: gaps that began while the parcel was with customs',
    `silent_from` Nullable(DateTime64(3, 'UTC')) COMMENT 'while open: when the present silence passes the limit of a gap, if nothing follows',
    `promised_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'promise_at, else the promise that the policy makes for the market',
    `deliver_by` Nullable(DateTime64(3, 'UTC')) COMMENT 'last moment of a delivery in time: promised_at and the grace of delivered_late',
    `pickup_by` Nullable(DateTime64(3, 'UTC')) COMMENT 'last moment of a first physical scan in time: pickup_late, holiday mode included',
    `collect_by` Nullable(DateTime64(3, 'UTC')) COMMENT 'the same of carrier_pickup_late: ready to ship, label of the platform',
    `matures_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'when it counts in scores at the latest: deliver_by, else its earliest scan and score.maturity',
    `scored_due` UInt8 COMMENT 'due, without what became overdue after matures_at: time alone changes nothing that counts in a score',
    `scored_gaps_72h` UInt8 COMMENT 'gaps_72h, without an open one that passed the limit after matures_at',
    `cohort_day` Date COMMENT 'day of its order, else of its earliest scan, in the zone of the policy''s calendar; scores count it in the week of that day',
    `policy` LowCardinality(String) COMMENT 'name of the policy in force; empty before the first control record',
    `policy_number` UInt32 COMMENT 'number of the control record that brought it: (policy_number, policy) is a row of policy_scores',
    `updated_at` DateTime64(3, 'UTC') COMMENT 'clock of the log at version'
)
ENGINE = {{engine "ReplacingMergeTree" "version" "deleted"}}
ORDER BY (parcel_id, opened_at)
COMMENT 'Current row of each life of each parcel, with all that scores need. Read with FINAL. Holds nothing relative to now.'
;

CREATE TABLE IF NOT EXISTS orders{{.OnCluster}}
(
    `shop_id` String COMMENT 'of the shop',
    `order_id` String COMMENT 'unique within its shop',
    `version` UInt64 COMMENT 'generation (12 bits), offset (44), ordinal (8)',
    `market` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2 of the marketplace',
    `carrier` LowCardinality(String) COMMENT 'as the shop stated it',
    `tracking_numbers` Array(String) COMMENT 'of all its labels',
    `label_source` LowCardinality(String) COMMENT 'platform or seller',
    `origin` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `destination` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `destination_postcode` String COMMENT 'as the shop wrote it',
    `created_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'this and the next: as the shop said',
    `confirmed_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'order confirmed',
    `ready_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'ready to ship',
    `marked_shipped_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'the shop said that it was shipped',
    `marked_delivered_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'the shop said that it was delivered',
    `label_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'first label',
    `promise_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'when the buyer was promised to have it, extensions included',
    `cancel_requested_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'by the buyer',
    `cancel_answered_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'by the shop',
    `cancelled_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'order cancelled',
    `facts` UInt16 COMMENT 'distinct facts',
    `confirm_by` Nullable(DateTime64(3, 'UTC')) COMMENT 'last moment of a confirmation in time: confirm_late, holiday mode included',
    `promised_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'as in parcels, as the next three',
    `deliver_by` Nullable(DateTime64(3, 'UTC')) COMMENT 'last moment of a delivery in time',
    `cohort_day` Date COMMENT 'day of the order in the zone of the policy''s calendar',
    `policy` LowCardinality(String) COMMENT 'name of the policy in force',
    `policy_number` UInt32 COMMENT 'number of the control record that brought it',
    `updated_at` DateTime64(3, 'UTC') COMMENT 'clock of the log at version'
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (shop_id, order_id)
COMMENT 'Current row of each order. Read with FINAL.'
;

CREATE TABLE IF NOT EXISTS alerts{{.OnCluster}}
(
    `alert_id` UUID COMMENT 'hash of the rule''s family, the tracking number and the anchor',
    `home` UUID COMMENT 'parcel, order, feed, lane or shop that holds it; the smallest home counts: read alerts_current',
{{- template "alert_columns"}}
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (alert_id, home)
COMMENT 'Latest transition of each alert of each home. Read through the view alerts_current.'
;

CREATE TABLE IF NOT EXISTS alert_transitions{{.OnCluster}}
(
    `alert_id` UUID COMMENT 'as in alerts',
    `home` UUID COMMENT 'as in alerts',
{{- template "alert_columns"}}
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (alert_id, home, version){{ttl "alert_transitions"}}
COMMENT 'Every transition of every alert: what was known when. Time to detect = changed_at of the first open - anchor_at.'
;

CREATE TABLE IF NOT EXISTS aliases{{.OnCluster}}
(
    `tracking_number` String COMMENT 'canonical',
    `other_number` String COMMENT 'canonical: names the same parcel',
    `version` UInt64 COMMENT 'offset in parcel.events',
    `carrier` LowCardinality(String) COMMENT 'that stated it',
    `fact_id` UUID COMMENT 'hash of the raw fields',
    `received_at` DateTime64(3, 'UTC') COMMENT 'when ingest read it'
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (tracking_number, other_number)
COMMENT 'Pairs of numbers that name one parcel, as carriers stated them.'
;

CREATE TABLE IF NOT EXISTS voids{{.OnCluster}}
(
    `partition` Int32 COMMENT 'partition of parcel.events',
    `offset` Int64 COMMENT 'offset in parcel.events: (partition, offset) names the row',
    `event_fact_id` UUID COMMENT 'fact_id in scans of what is withdrawn',
    `fact_id` UUID COMMENT 'hash of the declaration: one that was sent again is the same',
    `event_id` String COMMENT 'the carrier''s own name of the event that is withdrawn, where it gives one: as in scan_texts',
    `tracking_number` String COMMENT 'canonical',
    `carrier` LowCardinality(String) COMMENT 'that declared it',
    `at` Nullable(DateTime64(3, 'UTC')) COMMENT 'when it was declared, where stated',
    `received_at` DateTime64(3, 'UTC') COMMENT 'when ingest read it'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (`partition`, `offset`)
COMMENT 'Scans that their carrier has declared wrong: they count nowhere, whichever came first. The view scans_valid leaves them out.'
;

CREATE TABLE IF NOT EXISTS order_facts{{.OnCluster}}
(
    `partition` Int32 COMMENT 'partition of parcel.events',
    `offset` Int64 COMMENT 'offset in parcel.events: (partition, offset) names the row',
    `fact_id` UUID COMMENT 'hash of what it says: a fact that was sent again is the same; count uniqExact(fact_id)',
    `shop_id` String COMMENT 'of the shop',
    `order_id` String COMMENT 'unique within its shop; empty for holiday',
    `market` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2 of the marketplace',
    `kind` LowCardinality(String) COMMENT 'created, confirmed, ready_to_ship, marked_shipped, marked_delivered, label_created, promise_extended, cancel_requested, cancel_answered, cancelled, holiday',
    `at` DateTime64(3, 'UTC') COMMENT 'when it happened, as the shop stated it',
    `carrier` LowCardinality(String) COMMENT 'as the shop stated it',
    `tracking_numbers` Array(String) COMMENT 'canonical; of label_created',
    `label_source` LowCardinality(String) COMMENT 'platform or seller',
    `origin` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, where stated',
    `destination` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, where stated',
    `destination_postcode` String COMMENT 'as the shop wrote it',
    `promise_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'when the buyer was promised to have it, where stated',
    `until` Nullable(DateTime64(3, 'UTC')) COMMENT 'end of holiday mode',
    `accepted` Bool COMMENT 'answer to a cancel request; of cancel_answered',
    `received_at` DateTime64(3, 'UTC') COMMENT 'when ingest read it',
    `backfill` Bool COMMENT 'history: older than Scantrail''s first look at the topic, or imported',
    `source_topic` LowCardinality(String) COMMENT 'of the raw record, as the next three',
    `source_topic_id` UUID COMMENT 'survives deletion and re-creation of the topic',
    `source_partition` Int32 COMMENT 'of the raw record',
    `source_offset` Int64 COMMENT 'of the raw record'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (`partition`, `offset`)
COMMENT 'Evidence log of orders: one row per order fact of parcel.events as ingest wrote it, without the copies that the detector forwards to parcels.'
;

CREATE TABLE IF NOT EXISTS policies{{.OnCluster}}
(
    `number` UInt32 COMMENT 'rises; a record whose number is not above the last one in its partition was ignored',
    `partition` Int32 COMMENT 'of parcel.events',
    `offset` Int64 COMMENT 'in parcel.events, from which it was in force there',
    `generation` UInt32 COMMENT 'row versions are of at least this one from here on; 0: as before',
    `detector` UInt32 COMMENT 'version of the detector''s rules that the partition needs; 0: any',
    `document` String COMMENT 'whole policy document, YAML'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (number, `partition`, `offset`)
COMMENT 'Control records of parcel.events: which policies were in force from which offset of each partition.'
;

CREATE TABLE IF NOT EXISTS policy_scores{{.OnCluster}}
(
    `number` UInt32 COMMENT 'of the control record: policy_number in parcels and orders',
    `policy` LowCardinality(String) COMMENT 'name; a document holds several',
    `milestones_weight` UInt8 COMMENT 'of completeness, with the next 100',
    `silence_weight` UInt8 COMMENT 'of completeness',
    `on_time_weight` UInt8 COMMENT 'of LTS, with the next three 100',
    `completeness_weight` UInt8 COMMENT 'of LTS',
    `pickup_weight` UInt8 COMMENT 'of LTS',
    `exception_free_weight` UInt8 COMMENT 'of LTS',
    `completeness_required` UInt8 COMMENT 'below it completeness_low',
    `lts_required` UInt8 COMMENT 'below it lts_low',
    `exposure_lost` UInt8 COMMENT 'per cent of search exposure that lts_low costs',
    `ship_kpi_required` UInt8 COMMENT 'per cent of parcels picked up in time; two weeks below it are ship_kpi_two_weeks',
    `confirm_late_allowed` UInt8 COMMENT 'per cent of orders confirmed late; above it the shop is warned',
    `smoothing` UInt32 COMMENT 'weight of the market''s mean in smoothed scores, in parcels',
    `maturity_secs` UInt32 COMMENT 'from the earliest scan to maturity, where nothing was promised; 0: only an end makes mature',
    `publish_after_secs` UInt32 COMMENT 'from the end of a week to its publication at the latest; 0: it waits until all is mature',
    `gap_open_secs` UInt32 COMMENT 'silence beyond it is lost time; overrides of stages apart',
    `gap_escalate_secs` UInt32 COMMENT 'silence that makes a parcel a logistics exception; overrides apart',
    `delivered_late_secs` UInt32 COMMENT 'grace after the promise; with no working days either the rule is off',
    `delivered_late_days` UInt16 COMMENT 'the same in working days',
    `pickup_late_secs` UInt32 COMMENT 'to the first physical scan',
    `pickup_late_days` UInt16 COMMENT 'the same in working days',
    `pickup_late_since` LowCardinality(String) COMMENT 'from which order fact it counts: created, confirmed or ready_to_ship',
    `collect_secs` UInt32 COMMENT 'carrier_pickup_late: from ready to ship, label of the platform',
    `collect_days` UInt16 COMMENT 'the same in working days',
    `confirm_late_secs` UInt32 COMMENT 'from created to confirmed',
    `confirm_late_days` UInt16 COMMENT 'the same in working days',
    `promise_markets` Array(String) COMMENT 'markets of the promises, an empty one for any; the first that fits holds',
    `promise_secs` Array(UInt32) COMMENT 'of each: from the order to the promised delivery',
    `promise_days` Array(UInt32) COMMENT 'of each: the same in working days',
    `milestones` Array(String) COMMENT 'the required ones: bit i of required, due and observed is element i + 1',
    `zone` String COMMENT 'of the calendar: days and weeks are its',
    `weekend` Array(UInt32) COMMENT 'days of the week that are no working days, 1 is Monday',
    `holidays` Array(UInt32) COMMENT 'of the calendar: days since 1970-01-01'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (number, policy)
COMMENT 'Every figure that scores need of every policy that ever was in force: any week can be computed under any of them. Seconds and working days stand for limits, of which one is set. Read with FINAL.'
;

CREATE TABLE IF NOT EXISTS scores_published{{.OnCluster}}
(
    `shop_id` String COMMENT 'of the shop',
    `week` Date COMMENT 'Monday of the cohort, as in lts_weekly',
    `rank` UInt64 COMMENT '2^64 - 1 - (published_at in milliseconds x 2^20 + 20 bits of a hash of the row): of several rows the earliest publication stays',
    `published_at` DateTime64(3, 'UTC') COMMENT 'clock of the log',
    `counted_parcels` UInt64 COMMENT 'this and what follows: as lts_weekly said then',
    `promised_parcels` UInt64 COMMENT 'as in lts_weekly',
    `late_orders` UInt64 COMMENT 'as in lts_weekly',
    `on_time_parcels` UInt64 COMMENT 'as in lts_weekly',
    `completeness_sum` Float64 COMMENT 'as in lts_weekly',
    `pickup_due_parcels` UInt64 COMMENT 'as in lts_weekly',
    `pickup_on_time_parcels` UInt64 COMMENT 'as in lts_weekly',
    `exception_free_parcels` UInt64 COMMENT 'as in lts_weekly',
    `weight` UInt8 COMMENT 'as in lts_weekly',
    `lts` Nullable(Float64) COMMENT 'as in lts_weekly',
    `lts_smoothed` Nullable(Float64) COMMENT 'as in lts_weekly',
    `completeness` Nullable(Float64) COMMENT 'as in lts_weekly',
    `policy` LowCardinality(String) COMMENT 'as in lts_weekly',
    `policy_number` UInt32 COMMENT 'as in lts_weekly'
)
ENGINE = {{engine "ReplacingMergeTree" "rank"}}
ORDER BY (shop_id, week)
COMMENT 'The score of each shop and week as it was when the week was closed, never changed afterwards; lts_weekly is the restated one. Read with FINAL.'
;

CREATE TABLE IF NOT EXISTS feed_minutes{{.OnCluster}}
(
    `carrier` LowCardinality(String) COMMENT 'name of the mapping',
    `topic` LowCardinality(String) COMMENT 'source topic',
    `minute` DateTime('UTC') COMMENT 'in which the events were received',
    `partition` Int32 COMMENT 'of parcel.events, as offset: names the row',
    `offset` Int64 COMMENT 'in parcel.events',
    `first_at` DateTime64(3, 'UTC') COMMENT 'first reception in this minute',
    `last_at` DateTime64(3, 'UTC') COMMENT 'last reception in this minute',
    `events` UInt64 COMMENT 'canonical events received',
    `max_lag_ms` Int64 COMMENT 'longest time between an event and its reception, milliseconds',
    `lag_hours` UInt8 COMMENT 'median over raw records of the time since their newest progress event, history left out, in hours begun; 0: none'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (carrier, topic, minute, `partition`, `offset`)
COMMENT 'When events of each carrier came in: a row per minute, source topic and ingest process. Several rows may stand for one minute: sum(events).'
;

CREATE TABLE IF NOT EXISTS archive{{.OnCluster}}
(
    `entity_id` UUID COMMENT 'of the parcel, or of the order',
    `opened_at` DateTime64(3, 'UTC') COMMENT 'with entity_id the key: a number that was used again long after has several',
    `version` UInt64 COMMENT 'generation (12 bits), offset (44), ordinal (8)',
    `kind` LowCardinality(String) COMMENT 'parcel or order',
    `name` String COMMENT 'tracking number, or key of the order',
    `state` String COMMENT 'what the detector knew of it, in its own form',
    `evicted_at` DateTime64(3, 'UTC') COMMENT 'clock of the log when it left the detector''s memory'
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (entity_id, opened_at){{ttl "archive"}}
SETTINGS index_granularity = 256 -- it is read by single keys
COMMENT 'State of parcels and orders that the detector has evicted after their end: read back when one is heard of again.'
;

CREATE TABLE IF NOT EXISTS dead_letters{{.OnCluster}}
(
    `topic` LowCardinality(String) COMMENT 'source topic',
    `topic_id` UUID COMMENT 'of the source topic: survives its deletion and re-creation',
    `partition` Int32 COMMENT 'of the source topic',
    `offset` Int64 COMMENT 'of the source record',
    `index` Int32 COMMENT 'place among the dead letters of its record',
    `event_index` Int32 COMMENT 'place of the bad event in its record; -1 for the whole record or a whole parcel in it',
    `carrier` LowCardinality(String) COMMENT 'name of the mapping that read it',
    `reason` LowCardinality(String) COMMENT 'short code from a closed set',
    `field` LowCardinality(String) COMMENT 'of the carrier''s message',
    `detail` String COMMENT 'what is wrong, in words',
    `mapping_version` UInt32 COMMENT 'of the mapping that read it',
    `received_at` DateTime64(3, 'UTC') COMMENT 'when ingest read it',
    `raw` String COMMENT 'the source record as it came, cut after {{.DeadLetterBytes}} bytes; whole on scans.dead-letter',
    `raw_bytes` UInt32 COMMENT 'its length before the cut'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (topic, topic_id, `partition`, `offset`, `index`){{ttl "dead_letters"}}
COMMENT 'Records and events that could not be read, with the reason. Replay: scantrail replay dead-letters.'
;

CREATE TABLE IF NOT EXISTS raw_records{{.OnCluster}}
(
    `topic` LowCardinality(String) COMMENT 'raw topic; source_topic of the scans that were read from it',
    `topic_id` UUID COMMENT 'source_topic_id of scans: survives deletion and re-creation of the topic',
    `partition` Int32 COMMENT 'source_partition of scans',
    `offset` Int64 COMMENT 'source_offset of scans' CODEC(Delta(8), LZ4),
    `received_at` DateTime64(3, 'UTC') COMMENT 'broker''s time where the topic has LogAppendTime, else when it was copied' CODEC(Delta(8), LZ4),
    `carrier` LowCardinality(String) COMMENT 'by whose mapping it is read: the header carrier, else the end of the topic',
    `key` String COMMENT 'the record''s key, cut like raw',
    `raw` String COMMENT 'the record''s value as it came, cut after raw.max_value_bytes of the configuration; holds personal data' CODEC(ZSTD(3)),
    `raw_bytes` UInt32 COMMENT 'its length before the cut'
)
ENGINE = {{engine "ReplacingMergeTree"}}
PARTITION BY toYYYYMMDD(received_at)
ORDER BY (topic, topic_id, `partition`, `offset`){{ttl "raw_records"}}
SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600
COMMENT 'Copies of raw records, only where raw.enabled is set, for a few days. Names and addresses: written by a user of its own, read by those who may. Read with FINAL.'
;

CREATE TABLE IF NOT EXISTS blocks{{.OnCluster}}
(
    `partition` Int32 COMMENT 'of parcel.events',
    `bucket` Int64 COMMENT 'first offset of the block, a multiple of {{.RangeSpan}}',
    `last_offset` UInt64 COMMENT 'the row accounts for bucket .. last_offset, both included',
    `records` UInt64 COMMENT 'records read = the sum of the following up to undecodable',
    `scans` UInt64 COMMENT 'rows in scans',
    `orders` UInt64 COMMENT 'rows in order_facts',
    `aliases` UInt64 COMMENT 'rows in aliases',
    `ticks` UInt64 COMMENT 'movements of the clock',
    `ranges` UInt64 COMMENT 'rows in ranges',
    `controls` UInt64 COMMENT 'rows in policies',
    `voids` UInt64 COMMENT 'rows in voids',
    `handovers` UInt64 COMMENT 'of alerts between two homes of a parcel, by the detector',
    `rebuilds` UInt64 COMMENT 'answers to a parcel or order that was heard of again, from archive',
    `feeds` UInt64 COMMENT 'rows in feed_minutes',
    `forwarded` UInt64 COMMENT 'copies that the detector sent from another partition: they are here alone',
    `unknown` UInt64 COMMENT 'kinds of a newer version',
    `undecodable` UInt64 COMMENT 'each also in data_gaps',
    `holes` UInt64 COMMENT 'offsets without a record; records + holes = last_offset - bucket + 1',
    `last_tick_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'clock of the partition at last_offset: one tick moves it by 10 minutes at most, as in the detector'
)
ENGINE = {{engine "ReplacingMergeTree" "last_offset"}}
ORDER BY (`partition`, bucket)
COMMENT 'Ledger of the sink: all offsets of parcel.events that are in the other tables. Chains without a hole: bucket = previous bucket + {{.RangeSpan}}.'
;

CREATE TABLE IF NOT EXISTS ranges{{.OnCluster}}
(
    `topic_id` UUID COMMENT 'of the source topic: survives its deletion and re-creation',
    `partition` Int32 COMMENT 'of the source topic',
    `bucket` Int64 COMMENT 'first offset, a multiple of {{.RangeSpan}}',
    `last_offset` UInt64 COMMENT 'the row accounts for bucket .. last_offset, both included',
    `topic` LowCardinality(String) COMMENT 'source topic',
    `records` Int64 COMMENT 'raw records read from bucket .. last_offset',
    `events` Int64 COMMENT 'canonical events made of them',
    `dead_letters` Int64 COMMENT 'records or events of them that could not be read',
    `empty` Int64 COMMENT 'readable records that hold no event'
)
ENGINE = {{engine "ReplacingMergeTree" "last_offset"}}
ORDER BY (topic_id, `partition`, bucket)
COMMENT 'Ledger of ingest: all offsets of the source topics that are in parcel.events or scans.dead-letter.'
;

CREATE TABLE IF NOT EXISTS data_gaps{{.OnCluster}}
(
    `topic` LowCardinality(String) COMMENT 'in which the data is missing',
    `partition` Int32 COMMENT '-1 where an entity is meant and no range of offsets',
    `first_offset` Int64 COMMENT 'of the range that could not be read',
    `last_offset` Int64 COMMENT 'of the range, included',
    `kind` LowCardinality(String) COMMENT 'hole, undecodable, retention, quarantine, raw_copy (not in raw_records; ingest may have read it)',
    `entity` String COMMENT 'tracking number or order, where one entity is meant',
    `detail` String COMMENT 'what happened, in words'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY (topic, `partition`, first_offset, kind, entity)
COMMENT 'What could not be read, said openly instead of being silent.'
;

CREATE TABLE IF NOT EXISTS seller_users{{.OnCluster}}
(
    `user_name` String COMMENT 'of ClickHouse, who has the role scantrail_seller',
    `shop_id` String COMMENT 'whose rows that user may see',
    `version` UInt64 COMMENT 'of the rows of one user and shop the highest counts: toUnixTimestamp(now()) will do',
    `revoked` Bool COMMENT 'true: no longer'
)
ENGINE = {{engine "ReplacingMergeTree" "version"}}
ORDER BY (user_name, shop_id)
COMMENT 'Which seller sees which shop. Filled by an administrator: INSERT INTO seller_users (user_name, shop_id, version) VALUES (...).'
;

{{define "alert_columns"}}
    `version` UInt64 COMMENT 'generation (12 bits), offset (44), ordinal (8)',
    `rule` LowCardinality(String) COMMENT 'gap_48h becomes gap_72h when it escalates',
    `detail` LowCardinality(String) COMMENT 'which case of the rule, such as reused of number_invalid; empty when it has one',
    `level` UInt8 COMMENT '0 at risk, 1, 2 escalated',
    `status` LowCardinality(String) COMMENT 'at_risk, open, escalated, resolved, withdrawn',
    `milestone` LowCardinality(String) COMMENT 'the missing one; empty for other rules',
    `stage` LowCardinality(String) COMMENT 'in which the parcel was at the anchor',
    `parcel_id` UUID COMMENT 'all zeros for an alert of an order or of a feed',
    `tracking_number` String COMMENT 'empty for an alert of an order or of a feed',
    `carrier` LowCardinality(String) COMMENT 'of the last event before the silence, as country and facility',
    `shop_id` String COMMENT 'of the order, empty without one',
    `order_id` String COMMENT 'of the order, empty without one',
    `market` LowCardinality(String) COMMENT 'of the order, else the destination',
    `origin` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `destination` LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, empty when not known',
    `facility` LowCardinality(String) COMMENT 'of the last event before the silence',
    `country` LowCardinality(String) COMMENT 'of the last event before the silence',
    `anchor_at` DateTime64(3, 'UTC') COMMENT 'event time from which the rule counts',
    `ended_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'event time of what resolved it',
    `opened_at` Nullable(DateTime64(3, 'UTC')) COMMENT 'clock of the log at its first opening',
    `changed_at` DateTime64(3, 'UTC') COMMENT 'clock of the log at this transition',
    `silent_secs` UInt32 COMMENT 'from the last update to ended_at, or to this transition; 0: there was none yet',
    `cause` LowCardinality(String) COMMENT 'likely cause, from a closed set; empty when none is likely',
    `backfill` Bool COMMENT 'known only from history: recorded, not paged',
    `held` Bool COMMENT 'the feed of the carrier stood still: recorded, not paged',
    `uncertain` Bool COMMENT 'the zone of a time behind it is not known for sure',
    `policy` LowCardinality(String) COMMENT 'name of the policy that called for it'
{{- end}}
