-- Scores. A parcel counts once it is mature, in the week of its order, under the
-- policy that judged it; no figure of a policy stands here. Numerators and
-- denominators stay beside each share. SCORES.md explains every column.
--
-- The way of a score: parcels -> parcel_outcomes (what each parcel did) ->
-- score_cells (sums per shop, week, market and policy) -> lts_weekly.

{{define "parcel_outcomes"}}
WITH (SELECT clock FROM log_clock) AS clock
SELECT p.parcel_id AS parcel_id, p.opened_at AS opened_at, p.tracking_number AS tracking_number, p.shop_id AS shop_id,
    p.order_id AS order_id, if(p.market = '', p.destination, p.market) AS market, p.origin AS origin,
    p.destination AS destination, p.last_carrier AS carrier, p.policy AS policy, p.policy_number AS policy_number,
    p.cohort_day AS day, toMonday(p.cohort_day) AS week,

    isNotNull(p.cancelled_at) OR p.end_milestone = 'cancelled' AS cancelled,
    isNotNull(p.ended_at) OR ifNull(p.matures_at < clock, false) AS mature,
    mature AND NOT cancelled AND p.policy_number > 0 AS counted,

    bitCount(p.required) AS required_milestones,
    bitCount(p.scored_due) AS due_milestones,
    bitCount(bitAnd(p.scored_due, p.observed)) AS observed_milestones,
    bitAnd(p.scored_due, bitNot(p.observed)) AS missing_bits, p.scored_due AS due_bits,
    p.progress_facts = 0 AS no_trail,
    multiIf(no_trail, 0., due_milestones = 0, 1., observed_milestones / due_milestones) AS milestones_share,
    -- What ends a life that has not ended: its maturity, so that time alone changes
    -- nothing, or its latest update, should that be later.
    if(no_trail, 0, greatest(dateDiff('second', assumeNotNull(p.first_progress_at), coalesce(p.ended_at,
        greatest(p.last_progress_at, if(mature, ifNull(p.matures_at, p.last_progress_at), p.last_progress_at)), p.first_progress_at)), 0)) AS life_secs,
    if(mature AND isNull(p.ended_at), greatest(ifNull(dateDiff('second', p.silent_from, p.matures_at), 0), 0), 0) AS open_silent_secs,
    p.silent_secs + open_silent_secs AS silent_secs,
    multiIf(no_trail, 0., life_secs = 0, 1., 1 - least(silent_secs / life_secs, 1)) AS silence_share,

    counted AND isNotNull(p.deliver_by) AS promised,
    promised AND ifNull(p.delivered_at <= p.deliver_by, false) AS on_time,
    counted AND isNotNull(p.pickup_by) AND (isNotNull(p.first_physical_at) OR isNotNull(p.ended_at)
        OR ifNull(p.pickup_by < clock, false)) AS pickup_due,
    pickup_due AND ifNull(p.first_physical_at <= p.pickup_by, false) AS pickup_on_time,
    p.scored_gaps_72h > 0 AS broken, p.exceptions > 0 AS troubled,
    counted AND NOT broken AND NOT troubled AS exception_free,

    -- Whose fault: SCORES.md says why.
    ifNull(p.collect_by < coalesce(p.first_physical_at, p.ended_at, p.matures_at), false)
        AND ifNull(p.ready_at <= p.pickup_by, isNull(p.pickup_by)) AS collected_late,
    pickup_due AND NOT pickup_on_time AND NOT collected_late AS handed_over_late,
    if(collected_late, 'carrier', 'seller') AS pickup_fault,
    multiIf(p.first_exception IN ('export_customs_held', 'export_rejected', 'import_customs_held', 'import_rejected', 'seized'), 'customs',
        p.first_exception IN ('address_issue', 'cancelled'), 'seller',
        p.first_exception IN ('delivery_attempted', 'return_started', 'return_in_transit', 'returned'), 'nobody',
        'carrier') AS exception_fault,
    if(p.last_milestone IN ('export_customs_started', 'export_customs_held', 'export_rejected', 'import_customs_started',
        'import_customs_held', 'import_rejected'), true, false) AS with_customs,
    p.silent_customs_secs + if(with_customs, open_silent_secs, 0) AS silent_customs_secs,
    -- Seconds in customs of the import, and the longest other stay.
    ifNull(dateDiff('second', p.arrived_at, coalesce(p.import_cleared_at, if(p.stage_no < 80, coalesce(p.ended_at, p.matures_at), NULL))), 0) AS import_secs,
    greatest(
        ifNull(dateDiff('second', p.first_physical_at, coalesce(p.departed_at, p.arrived_at)), 0),
        ifNull(dateDiff('second', p.departed_at, p.arrived_at), 0),
        ifNull(dateDiff('second', p.import_cleared_at, coalesce(p.delivered_at, p.ended_at, p.matures_at)), 0)) AS longest_other_secs,
    multiIf(handed_over_late OR no_trail AND NOT collected_late, 'seller', import_secs > longest_other_secs, 'customs',
        troubled AND exception_fault = 'nobody', 'nobody', 'carrier') AS late_fault,
    p.promised_at AS promised_at, p.deliver_by AS deliver_by, p.delivered_at AS delivered_at, p.pickup_by AS pickup_by,
    p.collect_by AS collect_by, p.first_physical_at AS first_physical_at, p.first_progress_at AS first_progress_at,
    p.last_progress_at AS last_progress_at, p.ended_at AS ended_at, p.end_milestone AS end_milestone, p.matures_at AS matures_at,
    p.first_exception AS first_exception, p.first_exception_at AS first_exception_at, p.scored_gaps_72h AS gaps_72h
FROM
{{- if .}}
({{template "what_if_parcel"}}) AS p
{{- else}} parcels AS p FINAL
{{- end}}
{{end}}

CREATE OR REPLACE VIEW parcel_outcomes{{.OnCluster}} AS
{{template "parcel_outcomes" ""}}
COMMENT 'What each life of a parcel did, before any weight: what is due and done, whose fault what is not. mature: its trail ended, or its deadline of delivery passed, or without a promise score.maturity since its earliest scan. counted: mature, not cancelled, judged by a policy. Of an open parcel time counts up to its maturity, so that what counts changes only by facts. Filter on week or shop_id.'
;

{{define "order_outcomes"}}
WITH (SELECT clock FROM log_clock) AS clock, toDateTime64('2261-01-01', 3, 'UTC') AS never
SELECT o.shop_id AS shop_id, o.order_id AS order_id, if(o.market = '', o.destination, o.market) AS market,
    o.origin AS origin, o.destination AS destination, o.policy AS policy, o.policy_number AS policy_number,
    o.cohort_day AS day, toMonday(o.cohort_day) AS week, o.created_at AS created_at,
    isNotNull(o.cancelled_at) AS cancelled,
    -- Whatever shows that the shop has taken the order.
    nullIf(least(ifNull(o.confirmed_at, never), ifNull(o.ready_at, never), ifNull(o.label_at, never), ifNull(o.marked_shipped_at, never),
        ifNull(o.marked_delivered_at, never)), never) AS confirmed_at,
    o.policy_number > 0 AND isNotNull(o.confirm_by) AND (isNotNull(confirmed_at) OR ifNull(o.confirm_by < clock, false))
        AND NOT (isNull(confirmed_at) AND ifNull(o.cancelled_at <= o.confirm_by, false)) AS confirm_due,
    confirm_due AND ifNull(confirmed_at > o.confirm_by, true) AS confirm_late,
    empty(o.tracking_numbers) AS without_parcel,
    o.policy_number > 0 AND without_parcel AND NOT cancelled AND ifNull(o.deliver_by < clock, false) AS late,
    o.policy_number > 0 AND without_parcel AND NOT cancelled AND ifNull(o.deliver_by >= clock, false) AS open,
    o.confirm_by AS confirm_by, o.promised_at AS promised_at, o.deliver_by AS deliver_by
FROM
{{- if .}}
({{template "what_if_order"}}) AS o
{{- else}} orders AS o FINAL
{{- end}}
{{end}}

CREATE OR REPLACE VIEW order_outcomes{{.OnCluster}} AS
{{template "order_outcomes" ""}}
COMMENT 'What each order did, before any weight. late: its deadline of delivery passed and it has no parcel, which is late fulfilment by the seller; open: it may still be. confirm_due, confirm_late: by the rule confirm_late.'
;

{{define "score_cells"}}
SELECT p.shop_id AS shop_id, p.market AS market, p.week AS week, p.policy_number AS policy_number, p.policy AS policy,
    count() AS parcels, countIf(NOT p.mature) AS open_parcels, countIf(p.counted) AS counted_parcels,
    sumIf(p.milestones_share, p.counted) AS milestones_sum, sumIf(p.silence_share, p.counted) AS silence_sum,
    countIf(p.promised) AS promised_parcels, countIf(p.on_time) AS on_time_parcels,
    countIf(p.pickup_due) AS pickup_due_parcels, countIf(p.pickup_on_time) AS pickup_on_time_parcels,
    countIf(p.exception_free) AS exception_free_parcels,
    toUInt64(0) AS orders, toUInt64(0) AS open_orders, toUInt64(0) AS late_orders, toUInt64(0) AS confirm_due_orders, toUInt64(0) AS confirm_late_orders
FROM
{{- if .}} ({{template "parcel_outcomes" .}})
{{- else}} parcel_outcomes
{{- end}} AS p
GROUP BY p.shop_id, p.market, p.week, p.policy_number, p.policy
UNION ALL
SELECT o.shop_id, o.market, o.week, o.policy_number, o.policy, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    count(), countIf(o.open), countIf(o.late), countIf(o.confirm_due), countIf(o.confirm_late)
FROM
{{- if .}} ({{template "order_outcomes" .}})
{{- else}} order_outcomes
{{- end}} AS o
GROUP BY o.shop_id, o.market, o.week, o.policy_number, o.policy
{{end}}

CREATE OR REPLACE VIEW score_cells{{.OnCluster}} AS
{{template "score_cells" ""}}
COMMENT 'Sums that scores are made of, per shop, market, week and policy; several rows may stand for one cell (of parcels, of orders): sum them.'
;

{{define "lts"}}
SELECT shop_id, week, parcels, open_parcels, counted_parcels,
    promised_parcels, late_orders, on_time_parcels, completeness_sum, pickup_due_parcels, pickup_on_time_parcels, exception_free_parcels,
    if(on_time_due = 0, NULL, on_time_parcels / on_time_due) AS on_time_share,
    if(counted_parcels = 0, NULL, completeness_sum / counted_parcels / 100) AS completeness_share,
    if(pickup_due_parcels = 0, NULL, pickup_on_time_parcels / pickup_due_parcels) AS pickup_share,
    if(counted_parcels = 0, NULL, exception_free_parcels / counted_parcels) AS exception_free_share,
    f.3 AS on_time_weight, f.4 AS completeness_weight, f.5 AS pickup_weight, f.6 AS exception_free_weight,
    on_time_weight * ifNull(on_time_share, 0) AS on_time_points,
    completeness_weight * ifNull(completeness_share, 0) AS completeness_points,
    pickup_weight * ifNull(pickup_share, 0) AS pickup_points,
    exception_free_weight * ifNull(exception_free_share, 0) AS exception_free_points,
    toUInt8(if(on_time_due = 0, 0, on_time_weight) + if(counted_parcels = 0, 0, completeness_weight + exception_free_weight)
        + if(pickup_due_parcels = 0, 0, pickup_weight)) AS weight,
    if(weight = 0, NULL, 100 * (on_time_points + completeness_points + pickup_points + exception_free_points) / weight) AS lts,
    100 * completeness_share AS completeness,
    -- Shrunk towards the mean of the market and week, which counts as so many parcels.
    f.12 AS smoothing,
    if(on_time_due = 0, NULL, (on_time_parcels + smoothing * on_time_prior / on_time_due) / (on_time_due + smoothing)) AS on_time_smoothed,
    if(counted_parcels = 0, NULL, (completeness_sum + smoothing * completeness_prior / counted_parcels) / (counted_parcels + smoothing)) AS completeness_smoothed,
    if(pickup_due_parcels = 0, NULL, (pickup_on_time_parcels + smoothing * pickup_prior / pickup_due_parcels) / (pickup_due_parcels + smoothing)) AS pickup_smoothed,
    if(counted_parcels = 0, NULL, (exception_free_parcels + smoothing * exception_free_prior / counted_parcels) / (counted_parcels + smoothing)) AS exception_free_smoothed,
    if(weight = 0, NULL, 100 * (on_time_weight * ifNull(on_time_smoothed, 0) + completeness_weight * ifNull(completeness_smoothed, 0) / 100
        + pickup_weight * ifNull(pickup_smoothed, 0) + exception_free_weight * ifNull(exception_free_smoothed, 0)) / weight) AS lts_smoothed,
    orders, open_orders, confirm_due_orders, confirm_late_orders,
    if(confirm_due_orders = 0, NULL, confirm_late_orders / confirm_due_orders) AS confirm_late_rate,
    f.7 AS completeness_required, f.8 AS lts_required, f.9 AS exposure_lost, f.10 AS ship_kpi_required, f.11 AS confirm_late_allowed,
    f.2 AS policy, f.1 AS policy_number, policies
FROM
(
    SELECT c.shop_id AS shop_id, c.week AS week, sum(c.parcels) AS parcels, sum(c.open_parcels) AS open_parcels,
        sum(c.counted_parcels) AS counted_parcels, sum(c.promised_parcels) AS promised_parcels, sum(c.late_orders) AS late_orders,
        promised_parcels + late_orders AS on_time_due, sum(c.on_time_parcels) AS on_time_parcels,
        sum(c.completeness_sum) AS completeness_sum, sum(c.pickup_due_parcels) AS pickup_due_parcels,
        sum(c.pickup_on_time_parcels) AS pickup_on_time_parcels, sum(c.exception_free_parcels) AS exception_free_parcels,
        sum(c.orders) AS orders, sum(c.open_orders) AS open_orders, sum(c.confirm_due_orders) AS confirm_due_orders, sum(c.confirm_late_orders) AS confirm_late_orders,
        -- Sums over the shop's units of the mean of their market.
        sum(c.on_time_due * c.market_on_time) AS on_time_prior, sum(c.counted_parcels * c.market_completeness) AS completeness_prior,
        sum(c.pickup_due_parcels * c.market_pickup) AS pickup_prior, sum(c.counted_parcels * c.market_exception_free) AS exception_free_prior,
        argMin(c.figures, (-toInt64(c.policy_counted), -toInt64(c.policy_number), c.policy)) AS f,
        arraySort(groupUniqArrayIf(c.policy, c.policy_counted > 0)) AS policies
    FROM
    (
        SELECT *,
            sum(counted_parcels + late_orders) OVER (PARTITION BY shop_id, week, policy_number, policy) AS policy_counted,
            ifNull(sum(on_time_parcels) OVER m / nullIf(sum(on_time_due) OVER m, 0), 0) AS market_on_time,
            ifNull(sum(completeness_sum) OVER m / nullIf(sum(counted_parcels) OVER m, 0), 0) AS market_completeness,
            ifNull(sum(pickup_on_time_parcels) OVER m / nullIf(sum(pickup_due_parcels) OVER m, 0), 0) AS market_pickup,
            ifNull(sum(exception_free_parcels) OVER m / nullIf(sum(counted_parcels) OVER m, 0), 0) AS market_exception_free
        FROM
        (
            -- A cell whose policy is not known yet counts nothing.
            SELECT c.shop_id AS shop_id, c.market AS market, c.week AS week, c.policy_number AS policy_number, c.policy AS policy,
                f.number > 0 AS known, c.parcels AS parcels, c.open_parcels AS open_parcels, known * c.counted_parcels AS counted_parcels,
                c.milestones_sum * f.milestones_weight + c.silence_sum * f.silence_weight AS completeness_sum,
                known * c.promised_parcels AS promised_parcels, known * c.late_orders AS late_orders,
                promised_parcels + late_orders AS on_time_due, known * c.on_time_parcels AS on_time_parcels,
                known * c.pickup_due_parcels AS pickup_due_parcels, known * c.pickup_on_time_parcels AS pickup_on_time_parcels,
                known * c.exception_free_parcels AS exception_free_parcels, c.orders AS orders, c.open_orders AS open_orders,
                known * c.confirm_due_orders AS confirm_due_orders, known * c.confirm_late_orders AS confirm_late_orders,
                (c.policy_number, c.policy, f.on_time_weight, f.completeness_weight, f.pickup_weight, f.exception_free_weight,
                    f.completeness_required, f.lts_required, f.exposure_lost, f.ship_kpi_required, f.confirm_late_allowed, f.smoothing) AS figures
            FROM
            {{- if .}} ({{template "score_cells" .}})
            {{- else}} score_cells
            {{- end}} AS c
            LEFT ANY JOIN (SELECT * FROM policy_scores FINAL) AS f ON f.number = c.policy_number AND f.policy = c.policy
        )
        WINDOW m AS (PARTITION BY market, week)
    ) AS c
    GROUP BY c.shop_id, c.week
)
{{end}}

CREATE OR REPLACE VIEW lts_weekly{{.OnCluster}} AS
{{template "lts" ""}}
COMMENT 'Logistics service score (0-100) per shop and week of order: raw (lts), and smoothed towards the mean of the market (lts_smoothed). Four parts, each a share of its due units times its weight of the policy: on-time fulfilment, completeness, on-time pickup, exception-free. A part without any due unit is left out, and weight says how much of 100 the rest weighs. Weights and thresholds are those of the policy that judged most counted units of the shop and week. Only the 40 of on-time fulfilment and the thresholds are published by a marketplace; the rest is our open definition.'
;

CREATE OR REPLACE VIEW parcel_scores{{.OnCluster}} AS
SELECT p.*, f.milestones_weight AS milestones_weight, f.silence_weight AS silence_weight,
    if(f.number = 0, NULL, f.milestones_weight * p.milestones_share + f.silence_weight * p.silence_share) AS completeness,
    arrayFilter((name, i) -> bitTest(p.missing_bits, i - 1), f.milestones, arrayEnumerate(f.milestones)) AS missing_milestones
FROM parcel_outcomes AS p
LEFT ANY JOIN (SELECT * FROM policy_scores FINAL) AS f ON f.number = p.policy_number AND f.policy = p.policy
COMMENT 'parcel_outcomes with the tracking completeness of each parcel (0-100) under its own policy: milestones_weight x required milestones observed / due + silence_weight x (1 - silent time beyond the limit / life of the parcel). Both 0 for a counted parcel that was never scanned. NULL before the first control record.'
;

CREATE OR REPLACE VIEW completeness_parcel{{.OnCluster}} AS
SELECT parcel_id, opened_at, tracking_number, shop_id, order_id, market, origin, destination, carrier, policy, policy_number, day, week,
    mature, counted, required_milestones, due_milestones, observed_milestones, missing_milestones, milestones_share,
    life_secs, silent_secs, silence_share, no_trail, completeness
FROM parcel_scores
COMMENT 'Tracking completeness (0-100) of each parcel, with what it is made of. Our own open definition: marketplaces publish none.'
;
{{range $view := views}}
CREATE OR REPLACE VIEW {{$view.Name}}{{$.OnCluster}} AS
SELECT {{$view.Keys}}, week,
    sum(p.parcels) AS parcels,
    sumIf(p.counted_parcels, f.number > 0) AS counted_parcels,
    sum(p.due_milestones) AS due_milestones,
    sum(p.observed_milestones) AS observed_milestones,
    sum(p.silent_secs) AS silent_secs,
    sum(p.life_secs) AS life_secs,
    sum(p.milestones_sum * f.milestones_weight + p.silence_sum * f.silence_weight) AS completeness_sum,
    if(counted_parcels = 0, NULL, completeness_sum / counted_parcels) AS completeness
FROM
(
    SELECT {{$view.Keys}}, week, policy_number, policy, count() AS parcels, countIf(o.counted) AS counted_parcels,
        sumIf(o.due_milestones, o.counted) AS due_milestones, sumIf(o.observed_milestones, o.counted) AS observed_milestones,
        sumIf(o.silent_secs, o.counted) AS silent_secs, sumIf(o.life_secs, o.counted) AS life_secs,
        sumIf(o.milestones_share, o.counted) AS milestones_sum, sumIf(o.silence_share, o.counted) AS silence_sum
    FROM parcel_outcomes AS o
    GROUP BY {{$view.Keys}}, week, policy_number, policy
) AS p
LEFT ANY JOIN (SELECT * FROM policy_scores FINAL) AS f ON f.number = p.policy_number AND f.policy = p.policy
GROUP BY {{$view.Keys}}, week
COMMENT 'Mean tracking completeness per {{$view.Title}} and week of order, over counted parcels (mature, not cancelled). Several weeks: sum(completeness_sum) / sum(counted_parcels).'
;
{{end}}
CREATE OR REPLACE VIEW completeness_milestone{{.OnCluster}} AS
SELECT milestone, market, week, sum(p.parcels * bitTest(p.due_bits, bit)) AS due_parcels,
    sum(p.parcels * bitTest(p.missing_bits, bit)) AS missing_parcels,
    due_parcels - missing_parcels AS observed_parcels,
    if(due_parcels = 0, NULL, observed_parcels / due_parcels) AS observed_share
FROM
(
    SELECT market, week, policy_number, policy, due_bits, missing_bits, count() AS parcels
    FROM parcel_outcomes
    WHERE counted AND due_bits != 0
    GROUP BY market, week, policy_number, policy, due_bits, missing_bits
) AS p
INNER JOIN (SELECT number, policy, milestones FROM policy_scores FINAL) AS f ON f.number = p.policy_number AND f.policy = p.policy
ARRAY JOIN f.milestones AS milestone, arrayMap(i -> toUInt8(i - 1), arrayEnumerate(f.milestones)) AS bit
GROUP BY milestone, market, week
HAVING due_parcels > 0
COMMENT 'Of the counted parcels of which a required milestone was due: in how many trails it was observed, per milestone, market and week of order.'
;

CREATE OR REPLACE VIEW late_fulfilment{{.OnCluster}} AS
SELECT c.shop_id AS shop_id, c.market AS market, c.week AS week,
    sum(c.parcels) AS parcels,
    sum(c.promised_parcels) AS promised_parcels,
    promised_parcels - sum(c.on_time_parcels) AS late_parcels,
    sum(c.late_orders) AS late_orders,
    if(promised_parcels + late_orders = 0, NULL, (late_parcels + late_orders) / (promised_parcels + late_orders)) AS late_rate
FROM score_cells AS c
GROUP BY c.shop_id, c.market, c.week
COMMENT 'Late fulfilment: parcels signed for after their deadline (promise and grace), or ended without a delivery, or not delivered by then (late_parcels), and orders of which there is no parcel by then (late_orders).'
;

CREATE OR REPLACE VIEW shop_consequences{{.OnCluster}} AS
SELECT shop_id, week, tupleElement(c, 1) AS rule, tupleElement(c, 2) AS value, tupleElement(c, 3) AS threshold,
    tupleElement(c, 4) AS breached, if(breached AND rule = 'lts_low', exposure, 0) AS exposure_lost, tupleElement(c, 5) AS units,
    policy, policy_number
FROM
(
    -- Compared to six digits: 85 is enough, whatever the sum of its parts rounds to.
    SELECT shop_id, week, exposure_lost AS exposure, policy, policy_number, arrayJoin([
        ('completeness_low', completeness, completeness_required, ifNull(round(completeness, 6) < completeness_required, false), counted_parcels),
        ('lts_low', lts, lts_required, ifNull(round(lts, 6) < lts_required, false), counted_parcels),
        ('ship_kpi_two_weeks', 100 * pickup_share, ship_kpi_required, missed AND missed_before, pickup_due_parcels),
        ('confirm_late_rate', 100 * confirm_late_rate, confirm_late_allowed, ifNull(round(100 * confirm_late_rate, 6) > confirm_late_allowed, false), confirm_due_orders)]) AS c
    FROM
    (
        SELECT *, ifNull(round(100 * pickup_share, 6) < ship_kpi_required, false) AS missed,
            lagInFrame(week, 1) OVER w = week - 7 AND lagInFrame(missed, 1) OVER w AS missed_before
        FROM lts_weekly
        WHERE shop_id != ''
        WINDOW w AS (PARTITION BY shop_id ORDER BY week ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
    )
)
WHERE isNotNull(value)
COMMENT 'What a shop''s week leads to: one row per rule that could be judged, with its raw value, the threshold of the policy, and whether it was breached. completeness_low and lts_low: below the score required; exposure_lost: per cent of search exposure. ship_kpi_two_weeks: less than the required per cent of parcels picked up in time, in this week and the one before. confirm_late_rate: more than the allowed per cent of orders confirmed late.'
;

CREATE OR REPLACE VIEW lts_unpublished{{.OnCluster}} AS
WITH (SELECT clock FROM log_clock) AS now
SELECT w.*, assumeNotNull(now) AS clock,
    -- Noon of the Monday after: Sunday is over in every zone.
    toDateTime64(w.week + 7, 3, 'UTC') + toIntervalHour(12) AS week_end,
    if(f.publish_after_secs = 0, NULL, week_end + toIntervalSecond(f.publish_after_secs)) AS publish_by,
    w.open_parcels = 0 AND w.open_orders = 0 AS settled,
    ifNull(now >= week_end AND (settled OR now >= publish_by), false) AND (isNotNull(w.lts) OR w.confirm_due_orders > 0) AS closed
FROM lts_weekly AS w
LEFT ANY JOIN (SELECT number, policy, publish_after_secs FROM policy_scores FINAL) AS f ON f.number = w.policy_number AND f.policy = w.policy
WHERE w.shop_id != '' AND (w.shop_id, w.week) NOT IN (SELECT shop_id, week FROM scores_published)
COMMENT 'Shops'' weeks that are not published yet. closed: to be published at the next look, since the week is over (week_end) and nothing of it is open any more (settled), or publish_by has passed, and something counts. The clock is the log''s.'
;

CREATE OR REPLACE VIEW lts_published{{.OnCluster}} AS
SELECT p.shop_id AS shop_id, p.week AS week, p.published_at AS published_at,
    p.lts AS published_lts, w.lts AS restated_lts, restated_lts - published_lts AS lts_change,
    p.completeness AS published_completeness, w.completeness AS restated_completeness, restated_completeness - published_completeness AS completeness_change,
    p.lts_smoothed AS published_lts_smoothed, w.lts_smoothed AS restated_lts_smoothed,
    p.counted_parcels AS published_parcels, w.counted_parcels AS restated_parcels,
    toInt64(restated_parcels) - toInt64(published_parcels) AS parcels_change,
    w.open_parcels AS open_parcels, w.open_orders AS open_orders, p.policy AS policy, p.policy_number AS policy_number
FROM (SELECT * FROM scores_published FINAL) AS p
LEFT ANY JOIN lts_weekly AS w ON w.shop_id = p.shop_id AND w.week = p.week
COMMENT 'Scores as published beside scores as restated: what a shop''s week was when it closed, what it is by all that is known now, and the difference. NULL where nothing counts. policy: under which it was published.'
;

CREATE OR REPLACE VIEW shop_alerts{{.OnCluster}} AS
SELECT a.shop_id AS shop_id, toDate(a.anchor_at) AS week, a.rule AS rule, a.status AS status, a.opened_at AS opened_at, a.ended_at AS ended_at,
    a.changed_at AS changed_at, c.value AS value, c.threshold AS threshold, c.exposure_lost AS exposure_lost, c.units AS units,
    a.cause AS cause, a.backfill AS backfill, a.policy AS policy, a.alert_id AS alert_id
FROM (SELECT * FROM alerts FINAL WHERE rule IN ('completeness_low', 'lts_low', 'ship_kpi_two_weeks', 'confirm_late_rate')) AS a
LEFT ANY JOIN shop_consequences AS c ON c.shop_id = a.shop_id AND c.week = toDate(a.anchor_at) AND c.rule = a.rule
COMMENT 'Alerts about shops, whatever their status, with the value of their week as restated, its threshold and how many units it stands for.'
;

CREATE OR REPLACE VIEW score_explain{{.OnCluster}} AS
SELECT shop_id, week, kind, tracking_number, parcel_id, opened_at, order_id, origin, destination, carrier,
    tupleElement(e, 1) AS rule, tupleElement(e, 2) AS part, tupleElement(e, 3) AS fault, tupleElement(e, 4) AS points,
    tupleElement(e, 5) AS detail, tupleElement(e, 6) AS from_at, tupleElement(e, 7) AS until_at,
    if(kind = 'parcel', concat('SELECT * FROM parcel_trail WHERE parcel_id = ''', toString(parcel_id), ''' ORDER BY effective_at, milestone_no'), '') AS trail
FROM
(
    SELECT p.shop_id AS shop_id, p.week AS week, 'parcel' AS kind, p.tracking_number AS tracking_number, p.parcel_id AS parcel_id,
        p.opened_at AS opened_at, p.order_id AS order_id, p.origin AS origin, p.destination AS destination, p.carrier AS carrier,
        coalesce(p.ended_at, p.last_progress_at) AS last_at,
        -- Points of 100 that one per cent of the completeness of one parcel is worth.
        w.completeness_weight / w.weight / w.counted_parcels AS percent,
        percent * p.silence_weight * (1 - p.silence_share) AS silence,
        if(p.silent_secs = 0, 0, least(p.silent_customs_secs / p.silent_secs, 1)) AS customs_part,
        arrayJoin(arrayFilter(x -> tupleElement(x, 4) > 0,
        [
            ('delivered_late', 'on_time', p.late_fault,
                if(p.promised AND NOT p.on_time, 100 / w.weight * w.on_time_weight / (w.promised_parcels + w.late_orders), 0),
                multiIf(isNotNull(p.delivered_at), concat('delivered ', toString(round(dateDiff('second', p.deliver_by, p.delivered_at) / 3600, 1)), ' h after its deadline'),
                    isNotNull(p.ended_at), concat('ended: ', p.end_milestone), 'not delivered by its deadline'), p.deliver_by, p.delivered_at),
            ('never_scanned', 'completeness', p.pickup_fault, if(p.no_trail, percent * 100, 0), 'no tracking update at all', p.opened_at, NULL),
            ('milestone_missing', 'completeness', 'carrier', if(p.no_trail, 0, percent * p.milestones_weight * (1 - p.milestones_share)),
                arrayStringConcat(p.missing_milestones, ', '), p.first_progress_at, last_at),
            ('silence', 'completeness', 'carrier', if(p.no_trail, 0, silence * (1 - customs_part)),
                concat(toString(round((p.silent_secs - p.silent_customs_secs) / 3600, 1)), ' h of ', toString(round(p.life_secs / 3600, 1)), ' h'), p.first_progress_at, last_at),
            ('silence_at_customs', 'completeness', 'customs', if(p.no_trail, 0, silence * customs_part),
                concat(toString(round(p.silent_customs_secs / 3600, 1)), ' h of ', toString(round(p.life_secs / 3600, 1)), ' h'), p.first_progress_at, last_at),
            ('pickup_late', 'pickup', p.pickup_fault, if(p.pickup_due AND NOT p.pickup_on_time, 100 / w.weight * w.pickup_weight / w.pickup_due_parcels, 0),
                if(isNull(p.first_physical_at), 'never scanned by a carrier',
                    concat('scanned ', toString(round(dateDiff('second', p.pickup_by, p.first_physical_at) / 3600, 1)), ' h after its deadline')), p.pickup_by, p.first_physical_at),
            (if(p.troubled, 'exception', 'gap_72h'), 'exception_free', multiIf(p.troubled, p.exception_fault, customs_part > 0.5, 'customs', 'carrier'),
                if(p.exception_free, 0, 100 / w.weight * w.exception_free_weight / w.counted_parcels),
                if(p.troubled, toString(p.first_exception), concat(toString(p.gaps_72h), ' gaps of 72 h')), if(p.troubled, p.first_exception_at, p.first_progress_at),
                if(p.troubled, p.first_exception_at, last_at))
        ])) AS e
    FROM parcel_scores AS p
    INNER JOIN lts_weekly AS w ON w.shop_id = p.shop_id AND w.week = p.week
    WHERE p.counted AND isNotNull(p.completeness)
    UNION ALL
    SELECT o.shop_id, o.week, 'order', '', toUUID('00000000-0000-0000-0000-000000000000'), o.created_at, o.order_id, o.origin, o.destination, '',
        NULL, 0, 0, 0,
        ('delivered_late', 'on_time', 'seller', 100 / w.weight * w.on_time_weight / (w.promised_parcels + w.late_orders),
            'no parcel by its deadline', o.deliver_by, NULL)
    FROM order_outcomes AS o
    INNER JOIN lts_weekly AS w ON w.shop_id = o.shop_id AND w.week = o.week
    INNER JOIN (SELECT number, policy FROM policy_scores FINAL) AS f ON f.number = o.policy_number AND f.policy = o.policy
    WHERE o.late AND w.on_time_weight > 0
)
COMMENT 'Why a score is not 100: one row per parcel (or order without one) and rule, with the points that it costs. The points of a shop and week sum to 100 - lts. fault: seller, carrier, customs, nobody. Filter on shop_id and week; the column trail holds the query that shows the scans behind a row; of an order see order_facts.'
;

{{define "what_if_figures"}}
WITH
    (
        SELECT (zone, weekend, holidays, promise_markets, promise_secs, promise_days, delivered_late_secs, delivered_late_days,
            pickup_late_secs, pickup_late_days, pickup_late_since, collect_secs, collect_days, confirm_late_secs, confirm_late_days, maturity_secs)
        FROM policy_scores FINAL WHERE number = {policy_number:UInt32} AND policy = {policy:String}
    ) AS w,
    -- The midnight that ends the n-th working day after the local date of t.
    (t, n) -> arrayFilter(d -> NOT has(tupleElement(w, 2), toDayOfWeek(d)) AND NOT has(tupleElement(w, 3), toUInt16(d)),
        arrayMap(i -> toDate(toTimeZone(t, tupleElement(w, 1))) + i, range(1, toUInt32(n * 7 + length(tupleElement(w, 3)) + 8))))[n] AS working_day,
    (t, secs, days) -> multiIf(isNull(t), NULL, days > 0,
        toDateTime64(toDateTime(working_day(assumeNotNull(t), days) + 1, tupleElement(w, 1)), 3, 'UTC'),
        secs > 0, t + toIntervalSecond(secs), NULL) AS after,
    arrayFirstIndex(m -> m IN ('', if(market = '', destination, market)), tupleElement(w, 4)) AS promise
{{end}}
{{define "what_if_parcel"}}{{template "what_if_figures"}},
    coalesce(promise_at, after(ordered_at, tupleElement(w, 5)[promise], tupleElement(w, 6)[promise])) AS promised,
    after(promised, tupleElement(w, 7), tupleElement(w, 8)) AS deliver,
    multiIf(tupleElement(w, 11) = 'created', ordered_at, tupleElement(w, 11) = 'ready_to_ship', ready_at, confirmed_at) AS pickup_from
SELECT * REPLACE (
    promised AS promised_at, deliver AS deliver_by,
    after(pickup_from, tupleElement(w, 9), tupleElement(w, 10)) AS pickup_by,
    if(label_source = 'platform', after(ready_at, tupleElement(w, 12), tupleElement(w, 13)), NULL) AS collect_by,
    coalesce(deliver, if(tupleElement(w, 16) = 0, NULL, coalesce(first_scan_at, ordered_at, opened_at) + toIntervalSecond(tupleElement(w, 16)))) AS matures_at,
    if(policy_number = 0, 0, {policy_number:UInt32}) AS policy_number, {policy:String} AS policy
) FROM parcels FINAL
{{end}}
{{define "what_if_order"}}{{template "what_if_figures"}},
    coalesce(promise_at, after(created_at, tupleElement(w, 5)[promise], tupleElement(w, 6)[promise])) AS promised
SELECT * REPLACE (
    promised AS promised_at, after(promised, tupleElement(w, 7), tupleElement(w, 8)) AS deliver_by,
    after(created_at, tupleElement(w, 14), tupleElement(w, 15)) AS confirm_by,
    if(policy_number = 0, 0, {policy_number:UInt32}) AS policy_number, {policy:String} AS policy
) FROM orders FINAL
{{end}}

CREATE OR REPLACE VIEW lts_what_if{{.OnCluster}} AS
{{template "lts" "what_if"}}
COMMENT 'lts_weekly as it would be had this policy judged every parcel: lts_what_if(policy_number = N, policy = ''NAME''), a row of policy_scores. Covers weights, thresholds, smoothing, promise, grace, pickup and confirmation limits, working days, maturity. What is silence, which milestones are due and what an exception is stay as judged, and holiday mode is left out.'
;

CREATE OR REPLACE VIEW lts_without_lane{{.OnCluster}} AS
SELECT w.shop_id AS shop_id, w.week AS week, {origin:String} AS origin, {destination:String} AS destination,
    countIf(p.counted AND lane) AS lane_parcels, countIf(p.counted AND NOT lane) AS other_parcels, any(w.lts) AS lts,
    countIf(p.promised AND NOT lane) AS other_promised, countIf(p.pickup_due AND NOT lane) AS other_pickup_due,
    if(other_promised = 0, any(w.on_time_share), countIf(p.on_time AND NOT lane) / other_promised
        * any(w.promised_parcels / (w.promised_parcels + w.late_orders))) AS on_time_share,
    if(other_parcels = 0, any(w.completeness_share), sumIf(p.completeness, p.counted AND NOT lane) / other_parcels / 100) AS completeness_share,
    if(other_pickup_due = 0, any(w.pickup_share), countIf(p.pickup_on_time AND NOT lane) / other_pickup_due) AS pickup_share,
    if(other_parcels = 0, any(w.exception_free_share), countIf(p.exception_free AND NOT lane) / other_parcels) AS exception_free_share,
    100 * (any(w.on_time_weight) * ifNull(on_time_share, 0) + any(w.completeness_weight) * ifNull(completeness_share, 0)
        + any(w.pickup_weight) * ifNull(pickup_share, 0) + any(w.exception_free_weight) * ifNull(exception_free_share, 0))
        / nullIf(any(w.weight), 0) AS lts_without,
    lts_without - lts AS gain
FROM (SELECT *, origin = {origin:String} AND destination = {destination:String} AS lane FROM parcel_scores
    WHERE shop_id = {shop:String} AND week = {week:Date}) AS p
INNER JOIN (SELECT * FROM lts_weekly WHERE shop_id = {shop:String} AND week = {week:Date}) AS w ON w.shop_id = p.shop_id
GROUP BY w.shop_id, w.week
COMMENT 'lts of a shop and week as it would be had the parcels of one lane gone like the mean of its other parcels: lts_without_lane(shop = ''S'', week = ''2026-10-05'', origin = ''CN'', destination = ''BR''). A part of which the other lanes have no due parcel stays as it is; so do orders without a parcel. Which lane is worst: sum(points) of score_explain by origin and destination.'
;
