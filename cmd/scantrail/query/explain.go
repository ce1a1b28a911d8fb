package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// MaxLosses bounds the rows of one Explain; the smallest are left out.
const MaxLosses = 5_000

// Loss is what one parcel (or an order without one) and rule cost a shop's week.
type Loss struct {
	Kind        string     `ch:"kind"` // parcel, order
	Number      string     `ch:"tracking_number"`
	Order       string     `ch:"order_id"`
	Origin      string     `ch:"origin"`
	Destination string     `ch:"destination"`
	Carrier     string     `ch:"carrier"`
	Rule        string     `ch:"rule"`
	Part        string     `ch:"part"`  // of LTS
	Fault       string     `ch:"fault"` // seller, carrier, customs, nobody
	Points      float64    `ch:"points"`
	Detail      string     `ch:"detail"` // in words, English
	From        *time.Time `ch:"from_at"`
	Until       *time.Time `ch:"until_at"`
	Rows        uint64     `ch:"all_rows"`   // of the shop's week, the same in each
	Total       float64    `ch:"all_points"` // of them
}

// Explain returns why a shop's week is not 100, the dearest first.
func (q *Queries) Explain(ctx context.Context, shop string, week time.Time) ([]Loss, error) {
	const sql = `
SELECT kind, tracking_number, order_id, toString(origin) AS origin, toString(destination) AS destination, toString(carrier) AS carrier,
    toString(rule) AS rule, toString(part) AS part, toString(fault) AS fault, points, detail, from_at, until_at,
    count() OVER () AS all_rows, sum(points) OVER () AS all_points
FROM score_explain WHERE shop_id = @shop AND week = toDate(@week)
ORDER BY points DESC, tracking_number, order_id, rule LIMIT @rows`
	return selectAll[Loss](ctx, q, "why a score is not 100", sql, clickhouse.Named("shop", shop), clickhouse.Named("week", day(week)),
		clickhouse.Named("rows", MaxLosses))
}

// PolicyVersion is a policy of a control record that was ever in force.
type PolicyVersion struct {
	Number uint32 `ch:"number"`
	Policy string `ch:"policy"`

	OnTimeWeight        uint8 `ch:"on_time_weight"`
	CompletenessWeight  uint8 `ch:"completeness_weight"`
	PickupWeight        uint8 `ch:"pickup_weight"`
	ExceptionFreeWeight uint8 `ch:"exception_free_weight"`
	LTSRequired         uint8 `ch:"lts_required"`
}

// PolicyVersions returns them, the latest first.
func (q *Queries) PolicyVersions(ctx context.Context) ([]PolicyVersion, error) {
	const sql = `
SELECT number, toString(policy) AS policy, on_time_weight, completeness_weight, pickup_weight, exception_free_weight, lts_required
FROM policy_scores FINAL ORDER BY number DESC, policy LIMIT 500`
	return selectAll[PolicyVersion](ctx, q, "policies", sql)
}

// WithoutLane is a shop's week, had the parcels of one lane gone as its others did.
type WithoutLane struct {
	LaneParcels  uint64   `ch:"lane_parcels"`
	OtherParcels uint64   `ch:"other_parcels"`
	LTS          *float64 `ch:"lts"`
	Without      *float64 `ch:"lts_without"`
	Gain         *float64 `ch:"gain"`
}

// WithoutLane asks for it; ErrNone where the shop has no such week.
func (q *Queries) WithoutLane(ctx context.Context, shop string, week time.Time, origin, destination string) (WithoutLane, error) {
	const sql = `
SELECT lane_parcels, other_parcels, lts, lts_without, gain
FROM lts_without_lane(shop = @shop, week = @week, origin = @origin, destination = @destination) LIMIT 1`
	return selectOne[WithoutLane](ctx, q, "a shop's week without a lane", sql, clickhouse.Named("shop", shop), clickhouse.Named("week", day(week)),
		clickhouse.Named("origin", origin), clickhouse.Named("destination", destination))
}
