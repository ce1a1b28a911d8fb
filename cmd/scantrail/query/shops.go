package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ScoreWeeks is how many weeks back scores are shown, that of the log's clock
// included: a quarter.
const ScoreWeeks = 13

// ShopWeek is a shop's week of orders, as the rules judge it. Shares are per
// cent; nil where nothing could be judged.
type ShopWeek struct {
	Shop    string    `ch:"shop_id"`
	Week    time.Time `ch:"week"` // Monday
	Markets []string  `ch:"markets"`
	Parcels uint64    `ch:"parcels"`
	Counted uint64    `ch:"counted"` // of these; the others are not mature yet, or cancelled

	LTS          *float64 `ch:"lts"`
	Completeness *float64 `ch:"completeness"`
	Pickup       *float64 `ch:"pickup"`       // of parcels, picked up in time
	ConfirmLate  *float64 `ch:"confirm_late"` // of orders

	LTSRequired          uint8    `ch:"lts_required"`
	CompletenessRequired uint8    `ch:"completeness_required"`
	PickupRequired       uint8    `ch:"pickup_required"`
	ConfirmLateAllowed   uint8    `ch:"confirm_late_allowed"`
	Breached             []string `ch:"breached"` // rules
	ExposureLost         uint8    `ch:"exposure_lost"`
}

// ShopWeeks returns the last ScoreWeeks weeks of all shops, by shop and week.
func (q *Queries) ShopWeeks(ctx context.Context) ([]ShopWeek, error) {
	const sql = `
WITH (SELECT toMonday(toDate(clock)) FROM log_clock) - 7 * (@weeks - 1) AS since
SELECT l.shop_id AS shop_id, l.week AS week, l.markets AS markets, l.parcels AS parcels, c.counted AS counted,
    c.lts AS lts, c.completeness AS completeness, c.pickup AS pickup, c.confirm_late AS confirm_late,
    c.lts_required AS lts_required, c.completeness_required AS completeness_required, c.pickup_required AS pickup_required,
    c.confirm_late_allowed AS confirm_late_allowed, c.breached AS breached, c.exposure_lost AS exposure_lost
FROM
(
    SELECT shop_id, week, arraySort(groupUniqArray(market)) AS markets, sum(late_fulfilment.parcels) AS parcels
    FROM late_fulfilment WHERE shop_id != '' AND week >= since
    GROUP BY shop_id, week
) AS l
LEFT ANY JOIN
(
    SELECT shop_id, week, toUInt64(maxIf(units, rule = 'completeness_low')) AS counted,
        maxIf(value, rule = 'lts_low') AS lts, maxIf(value, rule = 'completeness_low') AS completeness,
        maxIf(value, rule = 'ship_kpi_two_weeks') AS pickup, maxIf(value, rule = 'confirm_late_rate') AS confirm_late,
        toUInt8(maxIf(threshold, rule = 'lts_low')) AS lts_required, toUInt8(maxIf(threshold, rule = 'completeness_low')) AS completeness_required,
        toUInt8(maxIf(threshold, rule = 'ship_kpi_two_weeks')) AS pickup_required, toUInt8(maxIf(threshold, rule = 'confirm_late_rate')) AS confirm_late_allowed,
        arraySort(groupArrayIf(toString(rule), breached)) AS breached, toUInt8(max(shop_consequences.exposure_lost)) AS exposure_lost
    FROM shop_consequences WHERE week >= since
    GROUP BY shop_id, week
) AS c ON c.shop_id = l.shop_id AND c.week = l.week
ORDER BY shop_id, week
LIMIT 130000`
	return selectAll[ShopWeek](ctx, q, "weeks of all shops", sql, clickhouse.Named("weeks", ScoreWeeks))
}

// ShopAlert is an alert about a shop's published week.
type ShopAlert struct {
	Shop     string     `ch:"shop_id"`
	Rule     string     `ch:"rule"`
	Week     time.Time  `ch:"week"`
	Status   string     `ch:"status"`
	Backfill bool       `ch:"backfill"`
	OpenedAt *time.Time `ch:"opened_at"`
	EndedAt  *time.Time `ch:"ended_at"`
}

// Open reports whether the alert is not over.
func (a ShopAlert) Open() bool { return a.Status == "open" || a.Status == "escalated" }

// OpenShopAlerts returns those of all shops that are open, by shop.
func (q *Queries) OpenShopAlerts(ctx context.Context) ([]ShopAlert, error) {
	const sql = `
SELECT shop_id, rule, toDate(anchor_at) AS week, status, backfill, opened_at, ended_at
FROM alerts_current
WHERE rule IN ('lts_low', 'completeness_low', 'ship_kpi_two_weeks', 'confirm_late_rate') AND status IN ('open', 'escalated')
ORDER BY shop_id, week DESC, rule
LIMIT 50000`
	return selectAll[ShopAlert](ctx, q, "open alerts about shops", sql)
}

// ShopAlerts returns all of one shop, the latest week first.
func (q *Queries) ShopAlerts(ctx context.Context, shop string) ([]ShopAlert, error) {
	const sql = `
SELECT shop_id, rule, toDate(anchor_at) AS week, status, backfill, opened_at, ended_at
FROM alerts_current
WHERE shop_id = @shop AND rule IN ('lts_low', 'completeness_low', 'ship_kpi_two_weeks', 'confirm_late_rate')
ORDER BY week DESC, rule
LIMIT 200`
	return selectAll[ShopAlert](ctx, q, "alerts about a shop", sql, clickhouse.Named("shop", shop))
}

// Score is a shop's week with the four parts of LTS. Shares lie between 0 and 1,
// points add up to LTS when Weight is 100.
type Score struct {
	Week    time.Time `ch:"week"`
	Parcels uint64    `ch:"parcels"`
	Open    uint64    `ch:"open_parcels"`
	Counted uint64    `ch:"counted_parcels"`

	OnTimeDue     uint64  `ch:"on_time_due"`
	OnTime        uint64  `ch:"on_time_parcels"`
	LateOrders    uint64  `ch:"late_orders"`
	PickupDue     uint64  `ch:"pickup_due_parcels"`
	PickedUp      uint64  `ch:"pickup_on_time_parcels"`
	ExceptionFree uint64  `ch:"exception_free_parcels"`
	CompleteSum   float64 `ch:"completeness_sum"`

	OnTimeWeight        uint8 `ch:"on_time_weight"`
	CompletenessWeight  uint8 `ch:"completeness_weight"`
	PickupWeight        uint8 `ch:"pickup_weight"`
	ExceptionFreeWeight uint8 `ch:"exception_free_weight"`
	Weight              uint8 `ch:"weight"` // of 100; a part without anything due is left out

	OnTimePoints        float64 `ch:"on_time_points"`
	CompletenessPoints  float64 `ch:"completeness_points"`
	PickupPoints        float64 `ch:"pickup_points"`
	ExceptionFreePoints float64 `ch:"exception_free_points"`

	LTS          *float64 `ch:"lts"`
	Smoothed     *float64 `ch:"lts_smoothed"`
	Completeness *float64 `ch:"completeness"`

	LTSRequired          uint8  `ch:"lts_required"`
	CompletenessRequired uint8  `ch:"completeness_required"`
	Policy               string `ch:"policy"`
	PolicyNumber         uint32 `ch:"policy_number"`
}

const scoreColumns = `week, parcels, open_parcels, counted_parcels, promised_parcels + late_orders AS on_time_due, on_time_parcels, late_orders,
    pickup_due_parcels, pickup_on_time_parcels, exception_free_parcels, toFloat64(completeness_sum) AS completeness_sum,
    toUInt8(on_time_weight) AS on_time_weight, toUInt8(completeness_weight) AS completeness_weight, toUInt8(pickup_weight) AS pickup_weight,
    toUInt8(exception_free_weight) AS exception_free_weight, toUInt8(weight) AS weight,
    toFloat64(on_time_points) AS on_time_points, toFloat64(completeness_points) AS completeness_points,
    toFloat64(pickup_points) AS pickup_points, toFloat64(exception_free_points) AS exception_free_points,
    lts, lts_smoothed, completeness, toUInt8(lts_required) AS lts_required, toUInt8(completeness_required) AS completeness_required,
    toString(policy) AS policy, policy_number`

// Scores returns a shop's last ScoreWeeks weeks as restated, the latest first.
func (q *Queries) Scores(ctx context.Context, shop string) ([]Score, error) {
	const sql = `
WITH (SELECT toMonday(toDate(clock)) FROM log_clock) - 7 * (@weeks - 1) AS since
SELECT ` + scoreColumns + `
FROM lts_weekly WHERE shop_id = @shop AND week >= since
ORDER BY week DESC LIMIT 100`
	return selectAll[Score](ctx, q, "scores of a shop", sql, clickhouse.Named("weeks", ScoreWeeks), clickhouse.Named("shop", shop))
}

// WhatIf returns them as they would be, had the policy of that name in the control
// record of that number judged every parcel.
func (q *Queries) WhatIf(ctx context.Context, shop string, number uint32, policy string) ([]Score, error) {
	const sql = `
WITH (SELECT toMonday(toDate(clock)) FROM log_clock) - 7 * (@weeks - 1) AS since
SELECT ` + scoreColumns + `
FROM lts_what_if(policy_number = @number, policy = @policy) WHERE shop_id = @shop AND week >= since
ORDER BY week DESC LIMIT 100`
	return selectAll[Score](ctx, q, "scores of a shop under another policy", sql, clickhouse.Named("weeks", ScoreWeeks),
		clickhouse.Named("shop", shop), clickhouse.Named("number", number), clickhouse.Named("policy", policy))
}

// Published is a shop's week as it was published.
type Published struct {
	Week         time.Time `ch:"week"`
	At           time.Time `ch:"published_at"`
	LTS          *float64  `ch:"published_lts"`
	LTSChange    *float64  `ch:"lts_change"` // as restated, less this
	Completeness *float64  `ch:"published_completeness"`
	Parcels      uint64    `ch:"published_parcels"`
	ParcelChange int64     `ch:"parcels_change"`
}

// Published returns a shop's last published weeks, the latest first.
func (q *Queries) Published(ctx context.Context, shop string) ([]Published, error) {
	const sql = `
SELECT week, published_at, published_lts, lts_change, published_completeness, published_parcels, parcels_change
FROM lts_published WHERE shop_id = @shop
ORDER BY week DESC LIMIT @weeks`
	return selectAll[Published](ctx, q, "published scores of a shop", sql, clickhouse.Named("shop", shop), clickhouse.Named("weeks", ScoreWeeks))
}

// LateFulfilment is late fulfilment of a shop's week in one market.
type LateFulfilment struct {
	Market      string    `ch:"market"`
	Week        time.Time `ch:"week"`
	Promised    uint64    `ch:"promised_parcels"`
	LateParcels int64     `ch:"late_parcels"`
	LateOrders  uint64    `ch:"late_orders"`
	LateRate    *float64  `ch:"late_rate"`
}

// LateFulfilment returns it for a shop, the latest week first.
func (q *Queries) LateFulfilment(ctx context.Context, shop string) ([]LateFulfilment, error) {
	const sql = `
WITH (SELECT toMonday(toDate(clock)) FROM log_clock) - 7 * (@weeks - 1) AS since
SELECT market, week, promised_parcels, late_parcels, late_orders, late_rate
FROM late_fulfilment WHERE shop_id = @shop AND week >= since
ORDER BY week DESC, promised_parcels DESC, market LIMIT 500`
	return selectAll[LateFulfilment](ctx, q, "late fulfilment of a shop", sql, clickhouse.Named("weeks", ScoreWeeks), clickhouse.Named("shop", shop))
}

// Milestone says how often a required milestone is in the trails of a shop's week.
type Milestone struct {
	Milestone string `ch:"milestone"`
	Due       uint64 `ch:"due_parcels"`
	Missing   uint64 `ch:"missing_parcels"`
}

// Observed is the share of the parcels that have it.
func (m Milestone) Observed() float64 { return 1 - float64(m.Missing)/float64(max(m.Due, 1)) }

// Milestones returns that of one week, the one that is missing most first.
func (q *Queries) Milestones(ctx context.Context, shop string, week time.Time) ([]Milestone, error) {
	const sql = `
SELECT toString(milestone) AS milestone, toUInt64(sum(p.n * bitTest(p.due_bits, bit))) AS due_parcels,
    toUInt64(sum(p.n * bitTest(p.missing_bits, bit))) AS missing_parcels
FROM
(
    SELECT policy_number, policy, due_bits, missing_bits, count() AS n FROM parcel_scores
    WHERE shop_id = @shop AND week = toDate(@week) AND counted AND due_bits != 0
    GROUP BY policy_number, policy, due_bits, missing_bits
) AS p
INNER JOIN (SELECT number, policy, milestones FROM policy_scores FINAL) AS f ON f.number = p.policy_number AND f.policy = p.policy
ARRAY JOIN f.milestones AS milestone, arrayMap(i -> toUInt8(i - 1), arrayEnumerate(f.milestones)) AS bit
GROUP BY milestone HAVING due_parcels > 0
ORDER BY missing_parcels DESC, due_parcels DESC, milestone LIMIT 100`
	return selectAll[Milestone](ctx, q, "milestones of a shop's week", sql, clickhouse.Named("shop", shop), clickhouse.Named("week", day(week)))
}

// day is a date as SQL takes it.
func day(t time.Time) string { return t.Format(time.DateOnly) }
