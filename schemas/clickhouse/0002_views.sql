-- Views for analysts. Their time is the clock of the log, not the server's:
-- while Scantrail itself is behind, nobody looks late.

CREATE OR REPLACE VIEW log_clock{{.OnCluster}} AS
SELECT min(at) AS clock
FROM (SELECT `partition`, max(last_tick_at) AS at FROM blocks GROUP BY `partition`)
COMMENT 'One row: the clock of the log, that of the slowest partition. NULL before the first tick.'
;

CREATE OR REPLACE VIEW alerts_current{{.OnCluster}} AS
SELECT * FROM alerts FINAL
ORDER BY alert_id, toString(home)
LIMIT 1 BY alert_id
COMMENT 'One row per alert: its latest transition in its smallest home.'
;

CREATE OR REPLACE VIEW open_alerts{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS clock
SELECT alert_id, rule, detail, level, status, milestone, stage, parcel_id, tracking_number, carrier, facility, country,
    shop_id, order_id, market, origin, destination, anchor_at, opened_at, changed_at, silent_secs, cause,
    backfill, held, uncertain, policy,
    round(dateDiff('second', anchor_at, clock) / 3600, 1) AS hours_since_anchor,
    {{advice}} AS advice
FROM alerts_current
WHERE status IN ('open', 'escalated')
COMMENT 'Alerts that somebody should act on now, with what to do (advice). NOT held AND NOT backfill are those that were paged.'
;

CREATE OR REPLACE VIEW stalled_now{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS clock
SELECT tracking_number, parcel_id, shop_id, order_id, market, origin, destination, stage, last_milestone,
    last_carrier AS carrier, last_facility AS facility, last_country AS country, last_progress_at,
    round(dateDiff('second', last_progress_at, clock) / 3600, 1) AS hours_silent,
    if(hours_silent >= 72, 2, 1) AS level
FROM parcels FINAL
WHERE ended_at IS NULL AND cancelled_at IS NULL
    AND last_progress_at <= clock - toIntervalHour(48)
COMMENT 'Parcels under way without a tracking update for 48 h (level 1) or 72 h (level 2) of the log''s clock.'
;

CREATE OR REPLACE VIEW lane_stages{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS clock
SELECT origin, destination, stage,
    sum(of_carrier) AS open_parcels,
    sum(of_carrier_stalled) AS stalled_parcels,
    stalled_parcels / open_parcels AS stalled_share,
    if(stalled_parcels = 0, '', max((of_carrier_stalled, carrier)).2) AS worst_carrier,
    max(of_carrier_stalled) AS worst_carrier_parcels,
    min(since) AS silent_since
FROM
(
    SELECT origin, destination, stage, carrier, count() AS of_carrier,
        countIf(stalled) AS of_carrier_stalled, minIf(gap_since, stalled) AS since
    FROM
    (
        SELECT p.origin AS origin, p.destination AS destination, p.last_carrier AS carrier,
            -- Groups of milestones as in policies.
            multiIf(p.last_milestone IN ('return_started', 'return_in_transit'), 'return',
                p.stage_no BETWEEN 20 AND 31, 'origin', p.stage_no BETWEEN 40 AND 43, 'export',
                p.stage_no BETWEEN 50 AND 57, 'linehaul', p.stage_no = 60, 'arrival',
                p.stage_no BETWEEN 70 AND 73, 'import', p.stage_no BETWEEN 80 AND 83, 'destination',
                p.stage_no BETWEEN 90 AND 92, 'delivery', '') AS stage,
            ifNull(g.anchor_at BETWEEN p.opened_at AND p.last_progress_at, false) AS in_gap,
            in_gap AND g.counts AS stalled,
            toNullable(g.anchor_at) AS gap_since
        FROM parcels AS p FINAL
        LEFT ANY JOIN
        (
            -- Without a look at homes: a parcel that moved to another has no row in parcels any more.
            SELECT parcel_id, max(a.anchor_at) AS anchor_at,
                argMax(NOT a.backfill AND NOT a.held AND ifNull(a.opened_at > clock - toIntervalDay(30), false), a.anchor_at) AS counts
            FROM alerts AS a FINAL
            WHERE rule IN ('gap_48h', 'gap_72h') AND status IN ('open', 'escalated') AND level > 0
            GROUP BY parcel_id
        ) AS g ON g.parcel_id = p.parcel_id
        WHERE p.ended_at IS NULL AND p.cancelled_at IS NULL AND p.origin != '' AND p.destination != ''
    )
    WHERE stage != '' AND (stalled OR NOT in_gap)
    GROUP BY origin, destination, stage, carrier
)
GROUP BY origin, destination, stage
COMMENT 'Parcels under way per lane and group of milestones, and how many of them stalled: in an open gap (gap_48h, gap_72h) that was paged and opened in the last 30 days. In a gap known only from history, held, or older than that, a parcel counts as neither: it would say nothing about the lane of today. worst_carrier: the last carrier of most stalled parcels, worst_carrier_parcels of them. silent_since: their earliest last update.'
;

CREATE OR REPLACE VIEW lane_disruptions{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS clock
SELECT a.alert_id AS alert_id, a.origin AS origin, a.destination AS destination, a.detail AS stage,
    a.level AS level, a.status AS status, a.opened_at AS opened_at, a.changed_at AS changed_at,
    round(dateDiff('second', a.opened_at, clock) / 3600, 1) AS hours_open,
    s.open_parcels AS open_parcels, s.stalled_parcels AS stalled_parcels, s.stalled_share AS stalled_share,
    s.worst_carrier AS worst_carrier, s.worst_carrier_parcels AS worst_carrier_parcels, s.silent_since AS silent_since
FROM
(
    SELECT alert_id, origin, destination, detail, level, status, opened_at, changed_at
    FROM alerts FINAL WHERE rule = 'lane_disruption' AND status IN ('open', 'escalated')
) AS a
LEFT ANY JOIN lane_stages AS s ON s.origin = a.origin AND s.destination = a.destination AND s.stage = a.detail
COMMENT 'Open alerts of rule lane_disruption with the counts of lane_stages of this moment. Opened at 20 stalled parcels that are 30 % of those under way, escalated at 60 %, resolved below 10 parcels or 20 %.'
;

CREATE OR REPLACE VIEW parcel_trail{{.OnCluster}} AS
SELECT s.tracking_number AS tracking_number, s.number_check AS number_check, s.parcel_id AS parcel_id, s.effective_at AS effective_at,
    s.milestone AS milestone, s.milestone_no AS milestone_no, s.carrier AS carrier, s.raw_code AS raw_code,
    t.raw_text AS raw_text, s.country AS country, s.city AS city, s.facility AS facility,
    t.location_raw AS location_raw, s.physical AS physical, s.progress AS progress,
    s.direction AS direction, s.reason AS reason, s.fault AS fault, s.rule AS rule,
    s.occurred_at AS occurred_at, t.occurred_at_raw AS occurred_at_raw, s.tz_source AS tz_source,
    s.uncertainty_secs AS uncertainty_secs, s.received_at AS received_at, s.backfill AS backfill,
    s.fact_id AS fact_id, s.fact_id IN (SELECT event_fact_id FROM voids) AS void, t.event_id AS event_id,
    s.mapping_version AS mapping_version, s.source_topic AS source_topic,
    s.source_partition AS source_partition, s.source_offset AS source_offset, s.event_index AS event_index,
    s.`partition` AS `partition`, s.`offset` AS `offset`
FROM scans AS s
LEFT ANY JOIN {{local "scan_texts"}} AS t ON t.tracking_number = s.tracking_number AND t.`partition` = s.`partition` AND t.`offset` = s.`offset`
COMMENT 'Everything that carriers said about a parcel, copies included (same fact_id). Filter on tracking_number, for which there are indexes on both tables below; by parcel_id alone the texts are searched for. ORDER BY toUnixTimestamp(effective_at), milestone_no, fact_id.'
;

CREATE OR REPLACE VIEW scans_valid{{.OnCluster}} AS
SELECT tracking_number, parcel_id, fact_id, effective AS effective_at, backfill, mapping_version, copies,
    -- Of the copies that the highest mapping version read: the earliest.
    first_copy.1 AS carrier, first_copy.2 AS occurred_at, first_copy.3 AS tz_source, first_copy.4 AS uncertainty_secs,
    first_copy.5 AS milestone, first_copy.6 AS milestone_no, first_copy.7 AS physical, first_copy.8 AS progress,
    first_copy.9 AS direction, first_copy.10 AS reason, first_copy.11 AS fault, first_copy.12 AS leg,
    first_copy.13 AS rule, first_copy.14 AS raw_code, first_copy.15 AS country, first_copy.16 AS city,
    first_copy.17 AS postcode, first_copy.18 AS facility, first_copy.19 AS origin, first_copy.20 AS destination,
    first_copy.21 AS product, first_copy.22 AS number_check, first_copy.23 AS received_at,
    first_copy.24 AS `partition`, first_copy.25 AS `offset`
FROM
(
    SELECT s.tracking_number AS tracking_number, s.parcel_id AS parcel_id, s.fact_id AS fact_id,
        max(s.mapping_version) AS mapping_version,
        argMin(s.effective_at, (-toInt64(s.mapping_version), s.effective_at)) AS effective,
        argMin(s.backfill, (-toInt64(s.mapping_version), s.backfill)) AS backfill,
        uniqExact(s.`partition`, s.`offset`) AS copies,
        argMin((s.carrier, s.occurred_at, s.tz_source, s.uncertainty_secs, s.milestone, s.milestone_no,
            s.physical, s.progress, s.direction, s.reason, s.fault, s.leg, s.rule, s.raw_code, s.country, s.city,
            s.postcode, s.facility, s.origin, s.destination, s.product, s.number_check, s.received_at,
            s.`partition`, s.`offset`),
            (-toInt64(s.mapping_version), s.`partition`, s.`offset`)) AS first_copy
    FROM scans AS s
    WHERE s.fact_id NOT IN (SELECT event_fact_id FROM voids)
    GROUP BY s.tracking_number, s.parcel_id, s.fact_id
)
COMMENT 'What the detector reckons with: one row per fact, however often it was sent, without those that their carrier has declared void. Of several copies the highest mapping_version counts, and of these the earliest effective_at; backfill only where all of these are. Filter on parcel_id or tracking_number, or it reads everything.'
;

CREATE OR REPLACE VIEW feed_health{{.OnCluster}} AS
WITH ifNull((SELECT clock FROM log_clock), (SELECT max(received_at) FROM scans)) AS clock
SELECT carrier, max(received) AS last_received_at,
    dateDiff('second', last_received_at, clock) AS silent_secs,
    countIf(NOT dead AND received > clock - toIntervalHour(24)) AS scans_24h,
    countIf(dead AND received > clock - toIntervalHour(24)) AS dead_letters_24h,
    countIf(NOT dead) AS scans_28d,
    countIf(dead) AS dead_letters_28d,
    countIf(unmapped) AS unmapped_28d,
    countIf(timely) AS lag_scans_28d,
    if(lag_scans_28d = 0, NULL, round(quantilesIf(0.5, 0.9, 0.99)(lag_secs, timely)[1], 1)) AS lag_p50_secs,
    if(lag_scans_28d = 0, NULL, round(quantilesIf(0.5, 0.9, 0.99)(lag_secs, timely)[2], 1)) AS lag_p90_secs,
    if(lag_scans_28d = 0, NULL, round(quantilesIf(0.5, 0.9, 0.99)(lag_secs, timely)[3], 1)) AS lag_p99_secs
FROM
(
    SELECT carrier, received_at AS received, false AS dead, milestone = 'unmapped' AS unmapped,
        NOT backfill AS timely, greatest(dateDiff('second', occurred_at, received_at), 0) AS lag_secs
    FROM scans FINAL WHERE received_at > clock - toIntervalDay(28)
    UNION ALL
    SELECT carrier, received_at, true, false, false, 0
    FROM dead_letters FINAL WHERE received_at > clock - toIntervalDay(28)
)
GROUP BY carrier
COMMENT 'Per carrier over 28 days: when it last spoke, and how long after a scan it reports it (upload lag, history left out). Rows are counted as received, copies included.'
;

CREATE OR REPLACE VIEW feed_lag{{.OnCluster}} AS
WITH ifNull((SELECT clock FROM log_clock), (SELECT max(received_at) FROM scans)) AS clock
SELECT carrier, hour_of_week,
    countIf(NOT recent) AS scans_4w,
    if(scans_4w = 0, NULL, quantileIf(0.5)(lag_secs, NOT recent)) AS lag_p50_secs_4w,
    if(scans_4w = 0, NULL, quantileIf(0.95)(lag_secs, NOT recent)) AS lag_p95_secs_4w,
    if(scans_24h = 0, NULL, max(hour)) AS hour_24h,
    countIf(recent) AS scans_24h,
    if(scans_24h = 0, NULL, quantileIf(0.5)(lag_secs, recent)) AS lag_p50_secs_24h,
    if(scans_24h = 0, NULL, quantileIf(0.95)(lag_secs, recent)) AS lag_p95_secs_24h
FROM
(
    SELECT carrier, toStartOfHour(received_at) AS hour, 24 * (toDayOfWeek(hour) - 1) + toHour(hour) AS hour_of_week,
        hour > toStartOfHour(clock) - toIntervalHour(24) AS recent,
        greatest(dateDiff('second', occurred_at, received_at), 0) AS lag_secs
    FROM scans
    WHERE received_at >= toStartOfHour(clock) - toIntervalHour(23 + 28 * 24) AND NOT backfill
)
GROUP BY carrier, hour_of_week
COMMENT 'How long after a scan a carrier reports it, history left out: per hour of the week of reception (0: Monday 00:00 UTC) over the 4 weeks before the last 24 hours, beside the one hour of these 24 that has the same place in the week (hour_24h: which, NULL when nothing came). Rows are counted as received, copies included.'
;

CREATE OR REPLACE VIEW audit_blocks{{.OnCluster}} AS
SELECT `partition`, bucket, last_offset, problem
FROM
(
    SELECT `partition`, bucket, last_offset,
        lagInFrame(bucket, 1, -1) OVER w AS previous_bucket,
        lagInFrame(last_offset, 1, 0) OVER w AS previous_last,
        multiIf(
            records + holes != last_offset - bucket + 1, 'records + holes does not match the span',
            records != scans + orders + aliases + ticks + ranges + controls + voids + handovers + rebuilds + feeds
                + forwarded + unknown + undecodable, 'kinds do not add up to records',
            last_offset >= bucket + {{.RangeSpan}}, 'block is too long',
            previous_bucket >= 0 AND previous_bucket + {{.RangeSpan}} != bucket, 'block before it is missing',
            previous_bucket >= 0 AND previous_last + 1 != bucket, 'block before it is not finished',
            '') AS problem
    FROM blocks FINAL
    WINDOW w AS (PARTITION BY `partition` ORDER BY bucket ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE problem != ''
COMMENT 'Blocks of the ledger that break the chain. Must be empty.'
;

CREATE OR REPLACE VIEW audit_ranges{{.OnCluster}} AS
SELECT topic, topic_id, `partition`, bucket, last_offset, problem
FROM
(
    SELECT topic, topic_id, `partition`, bucket, last_offset,
        lagInFrame(bucket, 1, -1) OVER w AS previous_bucket,
        lagInFrame(last_offset, 1, 0) OVER w AS previous_last,
        multiIf(
            last_offset >= bucket + {{.RangeSpan}}, 'range is too long',
            records > last_offset - bucket + 1, 'more records than offsets',
            previous_bucket >= 0 AND previous_bucket + {{.RangeSpan}} != bucket, 'range before it is missing',
            previous_bucket >= 0 AND previous_last + 1 != bucket, 'range before it is not finished',
            '') AS problem
    FROM ranges FINAL
    WINDOW w AS (PARTITION BY topic_id, `partition` ORDER BY bucket ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE problem != ''
COMMENT 'Ranges of the ledger of ingest that break the chain. Must be empty, but for offsets that the source topic itself skips at the end of a range (transaction markers, compaction).'
;
