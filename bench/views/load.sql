-- A log of {parcels} parcels with 10 scans each on average, laid out as the sink
-- writes it: in the order of reception within each of 12 partitions, so that the
-- scans of a parcel lie days of log apart. {days} days of parcels begin at
-- {start}. Statements end in a line with a semicolon; the one named scans runs
-- once for each day {day} of the log.

-- scans
INSERT INTO scans (`partition`, `offset`, received_at, parcel_id, fact_id, tracking_number, number_check, carrier, occurred_at,
    utc_offset_minutes, tz_source, uncertainty_secs, milestone, milestone_no, physical, progress, direction, direction_source, reason, fault,
    leg, rule, raw_code, country, region, city, postcode, facility, origin, destination, product, source_topic, source_topic_id,
    source_partition, source_offset, event_index, backfill, generic, mapping_version)
WITH
    ['label_created', 'accepted', 'origin_facility_arrived', 'origin_facility_departed', 'export_customs_started', 'export_cleared',
     'departed_origin', 'arrived_destination', 'import_customs_started', 'import_cleared', 'handed_to_last_mile',
     'destination_facility_arrived', 'out_for_delivery', 'delivered'] AS names,
    [10, 20, 30, 31, 40, 42, 51, 60, 70, 72, 80, 81, 90, 95] AS numbers,
    ['yunexpress', 'cainiao', 'yanwen', '4px', 'sunyou'] AS first_mile,
    ['usps', 'royalmail', 'dhl', 'laposte', 'correios'] AS last_mile,
    ['US', 'GB', 'DE', 'FR', 'BR'] AS countries
SELECT q, {day} * 10000000 + row_number() OVER (PARTITION BY q ORDER BY received, fact), received,
    reinterpretAsUUID(MD5(printed)), fact, printed, if(h % 100 = 0, 'invalid', 'valid'), by, occurred,
    480, 'explicit_offset', 0, names[station], numbers[station] AS no, no != 10, no != 10, multiIf(no IN (40, 42), 'export', no IN (70, 72), 'import', 'none'),
    'none', '', 'unknown', if(no < 60, 1, 2), concat('code:', toString(no)), if(h2 % 97 = 0, '', concat(by, toString(no))),
    if(no < 60, 'CN', countries[c]), '', concat('CITY ', toString(h2 % 300)), '', concat('HUB ', toString(h2 % 900)), 'CN', countries[c], 'STANDARD',
    concat('scans.raw.', by), reinterpretAsUUID(MD5(by)), q % 3, toInt64(n), 0, false, false, 1
FROM
(
    SELECT n, k, p, printed, h, h2, q, c, station, fact,
        if(station <= 7, first_mile[1 + p % 5], last_mile[c]) AS by,
        {start} + toIntervalDay({day}) + toIntervalMillisecond(cityHash64(p, k, 'at') % 86400000) AS occurred,
        occurred + toIntervalMillisecond(toUInt64(-log((cityHash64(p, k, 'lag') % 1000000 + 1) / 1000001) * 3600000)) AS received
    FROM
    (
        SELECT number AS n, intDiv(n, {daily}) AS k, ({day} - k) * {daily} + n % {daily} AS p,
            concat('LX', leftPad(toString(p), 9, '0'), 'CN') AS printed,
            cityHash64(p) AS h, cityHash64(p, k) AS h2, h % 12 AS q, 1 + h % 5 AS c,
            6 + h % 9 AS scans, if(h % 33 = 0, 5, scans) AS seen,
            toUInt8(1 + intDiv(k * 13, scans - 1)) AS station, reinterpretAsUUID(MD5(concat(printed, ' ', toString(k)))) AS fact
        FROM numbers({daily} * 14)
        WHERE k < seen AND {day} >= k AND {day} - k < {days}
    )
)
;
-- scans
INSERT INTO scan_texts (`partition`, `offset`, received_at, tracking_number, event_id, occurred_at_raw, raw_text, location_raw)
SELECT `partition`, `offset`, received_at, tracking_number, toString(fact_id), toString(occurred_at),
    concat('Your item was processed through our facility, status ', milestone, ' (', raw_code, ')'), concat(city, ', ', country)
FROM scans
WHERE `offset` > {day} * 10000000 AND `offset` < ({day} + 1) * 10000000
SETTINGS optimize_read_in_order = 0
;
-- parcels
INSERT INTO parcels (parcel_id, opened_at, life, version, deleted, tracking_number, carriers, product, shop_id, order_id, market, origin,
    destination, label_source, stage, stage_no, last_milestone, last_carrier, last_facility, last_country, first_progress_at,
    last_progress_at, first_physical_at, end_milestone, ended_at, ordered_at, confirmed_at, ready_at, promise_at, label_at, accepted_at,
    export_cleared_at, departed_at, arrived_at, import_cleared_at, out_for_delivery_at, delivered_at, facts, progress_facts, required,
    due, observed, silent_secs, gaps_48h, gaps_72h, exceptions, scored_due, promised_at, deliver_by, pickup_by,
    matures_at, cohort_day, policy, policy_number, updated_at)
SELECT id, min(s.effective_at) AS opened, 1, bitShiftLeft(1, 52) + bitShiftLeft(max(s.`offset`), 8), 0, any(s.tracking_number),
    groupUniqArray(s.carrier), 'STANDARD', concat('shop-', toString(h % 500)), concat('SO-', any(s.tracking_number)),
    any(s.destination), 'CN', any(s.destination), 'platform', argMax(s.milestone, s.milestone_no), max(s.milestone_no) AS furthest,
    argMax(s.milestone, s.effective_at), argMax(s.carrier, s.effective_at), argMax(s.facility, s.effective_at), argMax(s.country, s.effective_at),
    minOrNullIf(s.effective_at, s.progress), maxOrNullIf(s.effective_at, s.progress), minOrNullIf(s.effective_at, s.physical),
    if(furthest = 95, 'delivered', ''), minOrNullIf(s.effective_at, s.milestone_no = 95),
    opened - toIntervalHour(30), opened - toIntervalHour(20), opened - toIntervalHour(10), opened + toIntervalDay(9),
    minOrNullIf(s.effective_at, s.milestone_no = 10), minOrNullIf(s.effective_at, s.milestone_no = 20),
    minOrNullIf(s.effective_at, s.milestone_no = 42), minOrNullIf(s.effective_at, s.milestone_no = 51),
    minOrNullIf(s.effective_at, s.milestone_no BETWEEN 60 AND 73), minOrNullIf(s.effective_at, s.milestone_no = 72),
    minOrNullIf(s.effective_at, s.milestone_no = 90), minOrNullIf(s.effective_at, s.milestone_no = 95),
    count(), countIf(s.progress), 7, multiIf(furthest >= 90, 7, furthest >= 60, 3, furthest >= 42, 1, 0) AS due,
    bitAnd(due, max(s.milestone_no = 42) + 2 * max(s.milestone_no BETWEEN 60 AND 73) + 4 * max(s.milestone_no = 90)),
    if(h % 20 = 0, 36000, 0), h % 20 = 0, h % 40 = 0, h % 50 = 0, due, opened + toIntervalDay(9), opened + toIntervalDay(10),
    opened + toIntervalHour(52), opened + toIntervalDay(10), toDate(opened - toIntervalHour(30)), 'default', 1, max(s.received_at)
FROM (SELECT *, parcel_id AS id, cityHash64(parcel_id) AS h, effective_at FROM scans WHERE cityHash64(parcel_id) % 4 = {part}) AS s
GROUP BY id, h
;
-- updates
INSERT INTO parcels SELECT * REPLACE (version + 1 AS version) FROM parcels WHERE cityHash64(parcel_id, 'again') % 50 = {part}
;
-- others
INSERT INTO orders (shop_id, order_id, version, market, carrier, tracking_numbers, label_source, origin, destination, created_at,
    confirmed_at, ready_at, label_at, promise_at, promised_at, deliver_by, cohort_day, policy, policy_number, facts, updated_at)
SELECT shop_id, order_id, version, market, carriers[1], [tracking_number], label_source, origin, destination, ordered_at, confirmed_at,
    ready_at, label_at, promise_at, promised_at, deliver_by, cohort_day, policy, policy_number, 5, updated_at
FROM parcels FINAL
;
-- others
INSERT INTO policy_scores (number, policy, milestones_weight, silence_weight, on_time_weight, completeness_weight, pickup_weight,
    exception_free_weight, completeness_required, lts_required, exposure_lost, ship_kpi_required, confirm_late_allowed, smoothing,
    maturity_secs, gap_open_secs, gap_escalate_secs, delivered_late_secs, pickup_late_secs, pickup_late_since, confirm_late_secs, milestones, zone)
VALUES (1, 'default', 60, 40, 40, 30, 20, 10, 85, 75, 35, 90, 5, 20,
    2592000, 172800, 259200, 86400, 259200, 'confirmed', 86400, ['export_cleared', 'arrived_destination', 'out_for_delivery'], 'UTC')
;
-- others
INSERT INTO alerts (alert_id, home, version, rule, level, status, milestone, stage, parcel_id, tracking_number, carrier, shop_id, order_id,
    market, origin, destination, facility, country, anchor_at, ended_at, opened_at, changed_at, silent_secs, cause, policy)
SELECT reinterpretAsUUID(MD5(concat(rule, tracking_number))), parcel_id, version, rule, 1, if(ended_at IS NULL, 'open', 'resolved'), '', stage, parcel_id,
    tracking_number, last_carrier, shop_id, order_id, market, origin, destination, last_facility, last_country, ifNull(last_progress_at, opened_at),
    ended_at, last_progress_at + toIntervalHour(48), ifNull(ended_at, updated_at), 172800, 'silent_in_linehaul', policy
FROM parcels FINAL
ARRAY JOIN arrayFilter(x -> x != '', [if(gaps_72h > 0, 'gap_72h', if(gaps_48h > 0, 'gap_48h', '')),
    if(cityHash64(parcel_id, 2) % 8 = 0, 'milestone_missing', ''), if(cityHash64(parcel_id, 3) % 10 = 0, 'pickup_late', '')]) AS rule
;
-- others
INSERT INTO dead_letters (topic, topic_id, `partition`, `offset`, `index`, event_index, carrier, reason, received_at, raw, raw_bytes)
SELECT source_topic, source_topic_id, source_partition, source_offset, 0, -1, carrier, 'not_json', received_at, repeat('x', 200), 200
FROM scans WHERE source_offset % 997 = 0
;
-- others
INSERT INTO blocks (`partition`, bucket, last_offset, records, ticks, last_tick_at)
SELECT `partition`, intDiv(max(`offset`), 65536) * 65536, max(`offset`), 1, 1, {start} + toIntervalDay({end}) FROM scans GROUP BY `partition`
;
