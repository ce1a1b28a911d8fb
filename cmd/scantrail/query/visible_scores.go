package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// VisibleWeek is the score of a shop's week: as restated, and as published.
type VisibleWeek struct {
	Week                time.Time  `ch:"week"`
	Parcels             uint64     `ch:"parcels"`
	OpenParcels         uint64     `ch:"open_parcels"`
	CountedParcels      uint64     `ch:"counted_parcels"`
	LTS                 *float64   `ch:"lts"`
	Weight              float64    `ch:"weight"`
	Completeness        *float64   `ch:"completeness"`
	OnTimeShare         *float64   `ch:"on_time_share"`
	OnTimeWeight        float64    `ch:"on_time_weight"`
	OnTimePoints        *float64   `ch:"on_time_points"`
	CompletenessShare   *float64   `ch:"completeness_share"`
	CompletenessWeight  float64    `ch:"completeness_weight"`
	CompletenessPoints  *float64   `ch:"completeness_points"`
	PickupShare         *float64   `ch:"pickup_share"`
	PickupWeight        float64    `ch:"pickup_weight"`
	PickupPoints        *float64   `ch:"pickup_points"`
	ExceptionFreeShare  *float64   `ch:"exception_free_share"`
	ExceptionFreeWeight float64    `ch:"exception_free_weight"`
	ExceptionFreePoints *float64   `ch:"exception_free_points"`
	Policy              string     `ch:"policy"`
	PublishedAt         *time.Time `ch:"published_at"`
	PublishedLTS        *float64   `ch:"published_lts"`
}

// Weeks returns the latest weeks of a shop, the latest first; ErrNone for a shop that
// is not there, or not to be seen.
func (v *Visible) Weeks(ctx context.Context, shop string, weeks int) ([]VisibleWeek, error) {
	if shop == "" || !v.scope.sees(shop) {
		return nil, ErrNone
	}
	const sql = `SELECT toDateTime64(w.week, 3, 'UTC') AS week, toUInt64(w.parcels) AS parcels, toUInt64(w.open_parcels) AS open_parcels,
			toUInt64(w.counted_parcels) AS counted_parcels, toNullable(toFloat64(w.lts)) AS lts, toFloat64(w.weight) AS weight,
			toNullable(toFloat64(w.completeness)) AS completeness,
			toNullable(toFloat64(w.on_time_share)) AS on_time_share, toFloat64(w.on_time_weight) AS on_time_weight, toNullable(toFloat64(w.on_time_points)) AS on_time_points,
			toNullable(toFloat64(w.completeness_share)) AS completeness_share, toFloat64(w.completeness_weight) AS completeness_weight, toNullable(toFloat64(w.completeness_points)) AS completeness_points,
			toNullable(toFloat64(w.pickup_share)) AS pickup_share, toFloat64(w.pickup_weight) AS pickup_weight, toNullable(toFloat64(w.pickup_points)) AS pickup_points,
			toNullable(toFloat64(w.exception_free_share)) AS exception_free_share, toFloat64(w.exception_free_weight) AS exception_free_weight, toNullable(toFloat64(w.exception_free_points)) AS exception_free_points,
			toString(w.policy) AS policy, p.at AS published_at, toNullable(toFloat64(p.score)) AS published_lts
		FROM (SELECT * FROM lts_weekly WHERE shop_id = @shop ORDER BY week DESC LIMIT @weeks) AS w
		LEFT ANY JOIN (SELECT week, toNullable(published_at) AS at, lts AS score FROM scores_published FINAL WHERE shop_id = @shop) AS p ON p.week = w.week
		ORDER BY week DESC LIMIT 200`
	rows, err := selectAll[VisibleWeek](ctx, v.q, "weeks of a shop", sql, clickhouse.Named("shop", shop), clickhouse.Named("weeks", weeks))
	if err == nil && len(rows) == 0 {
		err = ErrNone
	}
	return rows, err
}

// VisibleLoss is what a rule costs a shop's week.
type VisibleLoss struct {
	Week   time.Time `ch:"week"`
	Part   string    `ch:"part"`
	Rule   string    `ch:"rule"`
	Fault  string    `ch:"fault"`
	Points float64   `ch:"points"` // of 100
	Units  uint64    `ch:"units"`  // parcels and orders
}

// Losses returns what is missing to 100 in a shop's weeks from one on, by rule and
// fault.
func (v *Visible) Losses(ctx context.Context, shop string, from time.Time) ([]VisibleLoss, error) {
	if !v.scope.sees(shop) {
		return nil, ErrNone
	}
	const sql = `SELECT toDateTime64(w, 3, 'UTC') AS week, part, rule, fault, points, units FROM (
			SELECT week AS w, toString(part) AS part, toString(rule) AS rule, toString(fault) AS fault, toFloat64(sum(points)) AS points, count() AS units
			FROM score_explain WHERE shop_id = @shop AND week >= toDate(@from) GROUP BY w, part, rule, fault)
		ORDER BY week DESC, points DESC, rule, fault LIMIT 2000`
	return selectAll[VisibleLoss](ctx, v.q, "what a shop's score lost", sql, clickhouse.Named("shop", shop), clickhouse.Named("from", from.UTC().Format(time.DateOnly)))
}

// VisibleConsequence is what a week leads to by one rule.
type VisibleConsequence struct {
	Week         time.Time `ch:"week"`
	Rule         string    `ch:"rule"`
	Value        float64   `ch:"value"`
	Threshold    float64   `ch:"threshold"`
	Breached     bool      `ch:"breached"`
	ExposureLost float64   `ch:"exposure_lost"`
}

// Consequences returns the thresholds of a shop's weeks from one on.
func (v *Visible) Consequences(ctx context.Context, shop string, from time.Time) ([]VisibleConsequence, error) {
	if !v.scope.sees(shop) {
		return nil, ErrNone
	}
	const sql = `SELECT toDateTime64(w, 3, 'UTC') AS week, rule, value, threshold, breached, exposure_lost FROM (
			SELECT week AS w, toString(rule) AS rule, assumeNotNull(toFloat64(value)) AS value, toFloat64(threshold) AS threshold,
				toBool(breached) AS breached, toFloat64(exposure_lost) AS exposure_lost
			FROM shop_consequences WHERE shop_id = @shop)
		WHERE week >= toDateTime64(@from, 3, 'UTC') ORDER BY week DESC, rule LIMIT 2000`
	return selectAll[VisibleConsequence](ctx, v.q, "consequences of a shop's score", sql, clickhouse.Named("shop", shop), clickhouse.Named("from", from.UTC().Format(time.DateTime)))
}
