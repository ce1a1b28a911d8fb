-- Rates, times and what a carrier manager opens first. All of it counts parcels
-- once their outcome is known, by the clock of the log, and shows numerators and
-- denominators beside each share. README.md in this folder explains each column.

CREATE OR REPLACE VIEW parcel_measures{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS clock
SELECT p.parcel_id AS parcel_id, p.opened_at AS opened_at, p.tracking_number AS tracking_number, p.shop_id AS shop_id,
    p.order_id AS order_id, p.market AS market, p.origin AS origin, p.destination AS destination,
    p.carriers[1] AS first_carrier, p.last_carrier AS carrier, p.policy AS policy,
    p.cohort_day AS day, toMonday(p.cohort_day) AS week,
    isNotNull(p.cancelled_at) OR p.end_milestone = 'cancelled' AS cancelled,
    isNotNull(p.ended_at) OR ifNull(p.matures_at < clock, false) AS mature,
    mature AND NOT cancelled AND p.policy_number > 0 AS counted,
    p.origin != '' AND p.destination != '' AND p.origin != p.destination
        AND NOT (p.origin IN {{customsUnion}} AND p.destination IN {{customsUnion}}) AS cross_border,
    p.stage AS stage, p.stage_no AS stage_no, p.end_milestone AS end_milestone,

    counted AND isNotNull(p.pickup_by) AND (isNotNull(p.first_physical_at) OR isNotNull(p.ended_at)
        OR ifNull(p.pickup_by < clock, false)) AS pickup_due,
    pickup_due AND ifNull(p.first_physical_at <= p.pickup_by, false) AS pickup_on_time,

    ifNull(p.confirmed_at, p.label_at) AS first_scan_from,
    if(p.first_physical_at < first_scan_from, 0, dateDiff('second', first_scan_from, p.first_physical_at)) AS first_scan_secs,
{{- range $hours := list 12 24 48 72}}
    NOT cancelled AND ifNull(first_scan_from + toIntervalHour({{$hours}}) < clock, false) AS first_scan_due_{{$hours}}h,
    first_scan_due_{{$hours}}h AND ifNull(first_scan_secs <= {{$hours}} * 3600, false) AS first_scan_in_{{$hours}}h,
{{- end}}

    counted AND p.progress_facts > 0 AS tracked,
    tracked AND p.gaps_48h > 0 AS gap_48h,
    tracked AND p.gaps_72h > 0 AS gap_72h,

    counted AND cross_border AND p.stage_no >= 80 AS customs_due,
    customs_due AND isNotNull(p.export_cleared_at) AS export_visible,
    customs_due AND isNotNull(p.import_cleared_at) AS import_visible,

    counted AND isNotNull(p.delivered_at) AND (isNotNull(p.out_for_delivery_at) OR bitAnd(p.required, bitNot(p.due)) = 0) AS ofd_due,
    ofd_due AND isNotNull(p.out_for_delivery_at) AS ofd_visible,

    counted AND p.order_id != '' AS tracking_due,
    tracking_due AND isNotNull(p.first_physical_at) AS tracking_scanned,
    -- Lives of a number lie at least 30 days apart.
    arrayExists(a -> a > p.opened_at - toIntervalDay(30) AND a <= ifNull(p.ended_at, a), n.anchors) AS number_invalid,
    tracking_scanned AND NOT number_invalid AS tracking_valid,

    counted AND isNotNull(p.delivered_at) AS delivered,
    if(delivered, dateDiff('second', p.ordered_at, p.delivered_at), NULL) AS order_to_delivery_secs,
    if(delivered, dateDiff('second', p.first_physical_at, p.delivered_at), NULL) AS first_scan_to_delivery_secs,
{{- range stages}}
    if({{.Lane}}, dateDiff('second', p.{{.From}}_at, p.{{.To}}_at), NULL) AS {{.Name}}_secs,
{{- end}}
    p.last_progress_at AS last_progress_at, p.label_at AS label_at, p.accepted_at AS accepted_at,
    p.export_cleared_at AS export_cleared_at, p.departed_at AS departed_at, p.arrived_at AS arrived_at,
    p.import_cleared_at AS import_cleared_at, p.out_for_delivery_at AS out_for_delivery_at, p.delivered_at AS delivered_at
FROM parcels AS p FINAL
LEFT ANY JOIN
(
    SELECT parcel_id, groupArray(anchor_at) AS anchors
    FROM alerts FINAL WHERE rule = 'number_invalid' AND status != 'withdrawn' AND level > 0
    GROUP BY parcel_id
) AS n ON n.parcel_id = p.parcel_id
COMMENT 'One row per life of a parcel with what it adds to each rate, as booleans (NAME_due is the denominator), its times, and how long each stage of its way took (NAME_secs, from one milestone to the next; NULL where one of the two is not in the trail, negative where carriers put them in the wrong order). The views rates_*, delivery_time_* and stage_dwell_* add it up; for any other grouping add it up yourself: countIf(ofd_visible) / countIf(ofd_due).'
;

{{range $view := dimensions}}{{range $span := list "week" "day"}}
CREATE OR REPLACE VIEW rates_{{$view.Name}}{{if eq $span "day"}}_daily{{end}}{{$.OnCluster}} AS
SELECT {{$view.Keys}}, week{{if eq $span "day"}}, day{{end}},
    count() AS parcels, countIf(p.counted) AS counted_parcels,
    countIf(p.pickup_due) AS pickup_due_parcels, countIf(p.pickup_on_time) AS pickup_on_time_parcels,
    if(pickup_due_parcels = 0, NULL, pickup_on_time_parcels / pickup_due_parcels) AS on_time_pickup_rate,
{{- range $hours := list 12 24 48 72}}
    countIf(p.first_scan_due_{{$hours}}h) AS first_scan_due_{{$hours}}h_parcels, countIf(p.first_scan_in_{{$hours}}h) AS first_scan_in_{{$hours}}h_parcels,
    if(first_scan_due_{{$hours}}h_parcels = 0, NULL, first_scan_in_{{$hours}}h_parcels / first_scan_due_{{$hours}}h_parcels) AS first_scan_rate_{{$hours}}h,
{{- end}}
    countIf(p.tracked) AS tracked_parcels, countIf(p.gap_48h) AS gap_48h_parcels, countIf(p.gap_72h) AS gap_72h_parcels,
    if(tracked_parcels = 0, NULL, gap_48h_parcels / tracked_parcels) AS gap_48h_rate,
    if(tracked_parcels = 0, NULL, gap_72h_parcels / tracked_parcels) AS gap_72h_rate,
    countIf(p.customs_due) AS customs_due_parcels, countIf(p.export_visible) AS export_visible_parcels,
    countIf(p.import_visible) AS import_visible_parcels, countIf(p.export_visible AND p.import_visible) AS customs_visible_parcels,
    if(customs_due_parcels = 0, NULL, export_visible_parcels / customs_due_parcels) AS export_visibility,
    if(customs_due_parcels = 0, NULL, import_visible_parcels / customs_due_parcels) AS import_visibility,
    if(customs_due_parcels = 0, NULL, customs_visible_parcels / customs_due_parcels) AS customs_visibility,
    countIf(p.ofd_due) AS ofd_due_parcels, countIf(p.ofd_visible) AS ofd_visible_parcels,
    if(ofd_due_parcels = 0, NULL, ofd_visible_parcels / ofd_due_parcels) AS ofd_visibility,
    countIf(p.tracking_due) AS tracking_due_parcels, countIf(p.tracking_scanned) AS tracking_scanned_parcels,
    countIf(p.tracking_valid) AS tracking_valid_parcels,
    if(tracking_due_parcels = 0, NULL, tracking_valid_parcels / tracking_due_parcels) AS valid_tracking_rate
FROM parcel_measures AS p
GROUP BY {{$view.Keys}}, week{{if eq $span "day"}}, day{{end}}
COMMENT 'Rates per {{$view.Title}} and {{$span}} of order (UTC; without an order, of the first fact), each with numerator and denominator. Several rows: add up both and divide. A rate without any parcel due is NULL.'
;
{{end}}
CREATE OR REPLACE VIEW delivery_time_{{$view.Name}}{{$.OnCluster}} AS
SELECT {{$view.Keys}}, week,
    count() AS parcels, countIf(p.counted) AS counted_parcels, countIf(p.delivered) AS delivered_parcels,
    count(p.order_to_delivery_secs) AS order_to_delivery_parcels,
    {{percentiles "p.order_to_delivery_secs" "order_to_delivery_parcels" "order_to_delivery"}},
    count(p.first_scan_to_delivery_secs) AS first_scan_to_delivery_parcels,
    {{percentiles "p.first_scan_to_delivery_secs" "first_scan_to_delivery_parcels" "first_scan_to_delivery"}}
FROM parcel_measures AS p
GROUP BY {{$view.Keys}}, week
COMMENT 'Hours to delivery per {{$view.Title}} and week of order, from the order and from the first physical scan, over delivered parcels. While counted_parcels is below parcels the slow ones are still missing. Percentiles of several rows cannot be added up: take parcel_measures.'
;

CREATE OR REPLACE VIEW stage_dwell_{{$view.Name}}{{$.OnCluster}} AS
SELECT {{$view.Keys}}, t.1 AS stage, week, t.2 AS entered_parcels, t.3 AS backward_parcels, t.4 AS measured_parcels,
{{- range $i, $p := list 50 80 90 95}}
    if(measured_parcels = 0, NULL, round(t.5[{{$i}} + 1] / 3600, 1)) AS dwell_p{{$p}}_hours{{if lt $i 3}},{{end}}
{{- end}}
FROM
(
{{- range $i, $pass := $view.Passes}}{{if $i}}
    UNION ALL{{end}}
    SELECT {{$pass.Keys}}, week,
        [
{{- range $n, $stage := $pass.Stages}}{{if $n}},{{end}}
        ('{{$stage.Name}}', countIf(m.counted AND {{$stage.Lane}} AND {{$stage.Entered}}), countIf(m.counted AND m.{{$stage.Name}}_secs < 0),
            countIf(m.counted AND m.{{$stage.Name}}_secs >= 0), quantilesExactIf(0.5, 0.8, 0.9, 0.95)(assumeNotNull(m.{{$stage.Name}}_secs), m.counted AND ifNull(m.{{$stage.Name}}_secs >= 0, false)))
{{- end}}
        ] AS all_stages
    FROM parcel_measures AS m GROUP BY {{$view.Keys}}, week
{{- end}}
)
ARRAY JOIN all_stages AS t
WHERE entered_parcels > 0
COMMENT 'Hours that counted parcels spent in each stage, per {{$view.Title}} and week of order, from the milestone before it to the one that ends it: announced (label to acceptance), origin (to the clearance of export), linehaul (to the entry into the destination country), import (to the clearance), destination (to the van), delivery (to the recipient); on lanes without customs domestic is from acceptance to the van. entered_parcels reached the stage, measured_parcels have both milestones in the right order, backward_parcels in the wrong one.'
;
{{end}}
CREATE OR REPLACE VIEW carrier_scorecard{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS clock, clock - toIntervalDay(56) AS since
SELECT if(f.carrier = '', p.carrier, f.carrier) AS carrier, p.parcels AS parcels,
    g.gap_48h_parcels AS gap_48h_parcels, g.gap_72h_parcels AS gap_72h_parcels,
    if(parcels = 0, NULL, gap_48h_parcels / parcels) AS gap_48h_rate, if(parcels = 0, NULL, gap_72h_parcels / parcels) AS gap_72h_rate,
    o.completeness_parcels AS completeness_parcels, o.completeness AS completeness,
{{- range stages}}{{if ne .Name "domestic"}}
    {{if .First}}a{{else}}z{{end}}.{{.Name}}_due AS {{.Milestone}}_due, {{if .First}}a{{else}}z{{end}}.{{.Name}}_observed AS {{.Milestone}}_observed,
{{- end}}{{end}}
    g.first_scan_late_parcels AS first_scan_late_parcels,
    z.delivered_parcels AS delivered_parcels, z.delivery_p50_hours AS delivery_p50_hours, z.delivery_p90_hours AS delivery_p90_hours,
    g.open_alerts AS open_alerts,
    if(f.carrier = '', NULL, f.last_received_at) AS last_received_at, f.silent_secs AS silent_secs, f.scans_28d AS scans_28d,
    f.unmapped_28d AS unmapped_28d, f.dead_letters_28d AS dead_letters_28d,
    f.lag_p50_secs AS lag_p50_secs, f.lag_p90_secs AS lag_p90_secs, f.lag_p99_secs AS lag_p99_secs
FROM feed_health AS f
FULL JOIN
(
    SELECT arrayJoin(carriers) AS carrier, count() AS parcels FROM parcels FINAL WHERE last_progress_at > since GROUP BY carrier
) AS p ON p.carrier = f.carrier
LEFT ANY JOIN
(
    SELECT carrier, sum(counted_parcels) AS completeness_parcels,
        if(completeness_parcels = 0, NULL, round(sum(completeness_sum) / completeness_parcels, 1)) AS completeness
    FROM completeness_carrier WHERE week > toDate(since) GROUP BY carrier
) AS o ON o.carrier = if(f.carrier = '', p.carrier, f.carrier)
LEFT ANY JOIN
(
    SELECT first_carrier AS carrier
{{- range stages}}{{if .First}},
        countIf(m.counted AND {{.Lane}} AND {{.Due}}) AS {{.Name}}_due, countIf(m.counted AND {{.Lane}} AND {{.Due}} AND isNotNull(m.{{.To}}_at)) AS {{.Name}}_observed
{{- end}}{{end}}
    FROM parcel_measures AS m WHERE last_progress_at > since GROUP BY first_carrier
) AS a ON a.carrier = if(f.carrier = '', p.carrier, f.carrier)
LEFT ANY JOIN
(
    SELECT m.carrier AS carrier, count(first_scan_to_delivery_secs) AS delivered_parcels,
        if(delivered_parcels = 0, NULL, round(quantilesExact(0.5, 0.9)(first_scan_to_delivery_secs)[1] / 3600, 1)) AS delivery_p50_hours,
        if(delivered_parcels = 0, NULL, round(quantilesExact(0.5, 0.9)(first_scan_to_delivery_secs)[2] / 3600, 1)) AS delivery_p90_hours
{{- range stages}}{{if and (not .First) (ne .Name "domestic")}},
        countIf(m.counted AND {{.Due}}{{if ne .Name "destination"}} AND {{.Lane}}{{end}}) AS {{.Name}}_due,
        countIf(m.counted AND {{.Due}}{{if ne .Name "destination"}} AND {{.Lane}}{{end}} AND isNotNull(m.{{.To}}_at)) AS {{.Name}}_observed
{{- end}}{{end}}
    FROM parcel_measures AS m WHERE last_progress_at > since GROUP BY m.carrier
) AS z ON z.carrier = if(f.carrier = '', p.carrier, f.carrier)
LEFT ANY JOIN
(
    SELECT carrier, uniqExactIf(parcel_id, rule IN ('gap_48h', 'gap_72h') AND anchor_at > since) AS gap_48h_parcels,
        uniqExactIf(parcel_id, rule = 'gap_72h' AND anchor_at > since) AS gap_72h_parcels,
        uniqExactIf(parcel_id, rule = 'first_scan_upload_late' AND anchor_at > since) AS first_scan_late_parcels,
        countIf(status IN ('open', 'escalated')) AS open_alerts
    FROM alerts_current WHERE status IN ('open', 'escalated', 'resolved') GROUP BY carrier
) AS g ON g.carrier = if(f.carrier = '', p.carrier, f.carrier)
COMMENT 'One row per carrier over parcels with a tracking update in the last 8 weeks of the log. parcels: it scanned them. Gaps belong to the carrier that scanned last before the silence; a milestone to the first carrier up to the arrival in the destination country, to the last one from there on; completeness and hours to delivery (from the first physical scan) to the last one. Milestones, completeness and delivery count mature parcels only. The feed, from last_received_at on, is that of feed_health, over 4 weeks.'
;

{{define "lane_heatmap"}}
WITH (SELECT clock FROM log_clock) AS clock, clock - toIntervalDay({{if .}}7 * {weeks:UInt8}{{else}}56{{end}}) AS since
SELECT s.origin AS origin, s.destination AS destination, s.stage AS stage, s.milestone AS milestone,
    s.entered_parcels AS entered_parcels, s.due_parcels AS due_parcels, s.observed_parcels AS observed_parcels,
    if(due_parcels = 0, NULL, observed_parcels / due_parcels) AS observed_share,
    g.gap_parcels AS gap_parcels, if(entered_parcels = 0, NULL, gap_parcels / entered_parcels) AS gap_share,
    s.measured_parcels AS measured_parcels, s.dwell_p50_hours AS dwell_p50_hours, s.dwell_p90_hours AS dwell_p90_hours,
    n.stalled_parcels AS stalled_now
FROM
(
    SELECT origin, destination, t.1 AS stage, t.2 AS milestone, t.3 AS entered_parcels, t.4 AS due_parcels, t.5 AS observed_parcels,
        t.6 AS measured_parcels, if(measured_parcels = 0, NULL, round(t.7[1] / 3600, 1)) AS dwell_p50_hours,
        if(measured_parcels = 0, NULL, round(t.7[2] / 3600, 1)) AS dwell_p90_hours
    FROM
    (
        SELECT origin, destination, [
{{- range $n, $stage := stages}}{{if $n}},{{end}}
            ('{{.Name}}', '{{.Milestone}}', countIf({{.Lane}} AND {{.Entered}}), countIf(m.counted AND {{.Lane}} AND {{.Due}}),
                countIf(m.counted AND {{.Lane}} AND {{.Due}} AND isNotNull(m.{{.To}}_at)), countIf(m.counted AND m.{{.Name}}_secs >= 0),
                quantilesExactIf(0.5, 0.9)(assumeNotNull(m.{{.Name}}_secs), m.counted AND ifNull(m.{{.Name}}_secs >= 0, false)))
{{- end}}
            ] AS all_stages
        FROM parcel_measures AS m WHERE last_progress_at > since AND origin != '' AND destination != ''
{{- if .}}
            AND {carrier:String} IN ('', m.first_carrier, m.carrier) AND {market:String} IN ('', if(m.market = '', m.destination, m.market))
{{- end}}
        GROUP BY origin, destination
    )
    ARRAY JOIN all_stages AS t
    WHERE entered_parcels > 0
) AS s
LEFT ANY JOIN
(
    SELECT origin, destination, {{stageOf "a.stage"}} AS of_stage, uniqExact(parcel_id) AS gap_parcels
    FROM alerts_current AS a
    WHERE rule IN ('gap_48h', 'gap_72h') AND status IN ('open', 'escalated', 'resolved') AND anchor_at > since
{{- if .}}
        AND {carrier:String} IN ('', a.carrier) AND {market:String} IN ('', if(a.market = '', a.destination, a.market))
{{- end}}
    GROUP BY origin, destination, of_stage
) AS g ON g.origin = s.origin AND g.destination = s.destination AND g.of_stage = s.stage
LEFT ANY JOIN
(
    SELECT origin, destination, {{stageOf "a.stage"}} AS of_stage, count() AS stalled_parcels
    FROM stalled_now AS a WHERE last_progress_at > since
{{- if .}}
        AND {carrier:String} IN ('', a.carrier) AND {market:String} IN ('', if(a.market = '', a.destination, a.market))
{{- end}}
    GROUP BY origin, destination, of_stage
) AS n ON n.origin = s.origin AND n.destination = s.destination AND n.of_stage = s.stage
{{end}}

CREATE OR REPLACE VIEW lane_heatmap{{.OnCluster}} AS
{{template "lane_heatmap" ""}}
COMMENT 'One row per lane and stage over parcels with a tracking update in the last 8 weeks of the log: how many entered the stage, how often the milestone that ends it was observed where it was due, in how many a gap of 48 h began there, how long it took, and how many are silent there now. Stages are those of stage_dwell_lane; dwell and due count mature parcels.'
;

CREATE OR REPLACE VIEW lane_heatmap_of{{.OnCluster}} AS
{{template "lane_heatmap" "of"}}
COMMENT 'lane_heatmap of some parcels: lane_heatmap_of(carrier = ''usps'', market = ''US'', weeks = 4). carrier: it was the first or the last one, gaps belong to the carrier that scanned last before them; market: the marketplace of the order, else the destination; an empty one takes all. weeks: in which the last tracking update lies.'
;
