package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// LaneStage is one cell of the heat map of lanes: a lane and a stage of the way.
type LaneStage struct {
	Origin      string   `ch:"origin"`
	Destination string   `ch:"destination"`
	Stage       string   `ch:"stage"`
	Milestone   string   `ch:"milestone"` // that ends it
	Entered     uint64   `ch:"entered_parcels"`
	Due         uint64   `ch:"due_parcels"`
	Observed    uint64   `ch:"observed_parcels"`
	Gaps        uint64   `ch:"gap_parcels"` // in which a silence of 48 h began there
	P50         *float64 `ch:"dwell_p50_hours"`
	P90         *float64 `ch:"dwell_p90_hours"`
	Stalled     uint64   `ch:"stalled_now"`
}

// LaneFilter narrows the heat map; an empty carrier or market does not.
type LaneFilter struct {
	Carrier string // that scanned the parcel first or last
	Market  string
	Weeks   int // 1 to 8
}

// LaneStages returns the cells over parcels with a tracking update in the last weeks,
// by lane.
func (q *Queries) LaneStages(ctx context.Context, f LaneFilter) ([]LaneStage, error) {
	const sql = `
SELECT toString(origin) AS origin, toString(destination) AS destination, toString(stage) AS stage, toString(milestone) AS milestone,
    entered_parcels, due_parcels, observed_parcels, gap_parcels, dwell_p50_hours, dwell_p90_hours, stalled_now
FROM lane_heatmap_of(carrier = @carrier, market = @market, weeks = @weeks)
ORDER BY origin, destination, stage LIMIT 20000`
	return selectAll[LaneStage](ctx, q, "heat map of lanes", sql, clickhouse.Named("weeks", f.Weeks), clickhouse.Named("carrier", f.Carrier), clickhouse.Named("market", f.Market))
}

// Disruption is an open alert about a whole lane.
type Disruption struct {
	Origin        string     `ch:"origin"`
	Destination   string     `ch:"destination"`
	Stage         string     `ch:"stage"`
	Level         uint8      `ch:"level"`
	HoursOpen     float64    `ch:"hours_open"`
	Open          uint64     `ch:"open_parcels"`
	Stalled       uint64     `ch:"stalled_parcels"`
	Share         float64    `ch:"stalled_share"`
	Carrier       string     `ch:"worst_carrier"`
	CarrierStalls uint64     `ch:"worst_carrier_parcels"`
	SilentSince   *time.Time `ch:"silent_since"`
}

// Disruptions returns them, the largest first.
func (q *Queries) Disruptions(ctx context.Context) ([]Disruption, error) {
	const sql = `
SELECT toString(origin) AS origin, toString(destination) AS destination, toString(stage) AS stage, toUInt8(level) AS level, hours_open,
    open_parcels, stalled_parcels, ifNull(stalled_share, 0) AS stalled_share, toString(worst_carrier) AS worst_carrier, worst_carrier_parcels,
    toNullable(silent_since) AS silent_since
FROM lane_disruptions
ORDER BY stalled_parcels DESC, origin, destination, stage LIMIT 1000`
	return selectAll[Disruption](ctx, q, "disrupted lanes", sql)
}

// LaneNow is how many parcels are under way on a lane at a stage, and stalled.
type LaneNow struct {
	Origin        string     `ch:"origin"`
	Destination   string     `ch:"destination"`
	Stage         string     `ch:"stage"` // of policies: origin, export, linehaul, arrival, import, destination, delivery, return
	Open          uint64     `ch:"open_parcels"`
	Stalled       uint64     `ch:"stalled_parcels"`
	Share         float64    `ch:"stalled_share"`
	Carrier       string     `ch:"worst_carrier"`
	CarrierStalls uint64     `ch:"worst_carrier_parcels"`
	SilentSince   *time.Time `ch:"silent_since"`
}

// LanesNow returns lanes and stages with stalled parcels, the most first.
func (q *Queries) LanesNow(ctx context.Context) ([]LaneNow, error) {
	const sql = `
SELECT toString(origin) AS origin, toString(destination) AS destination, toString(stage) AS stage, open_parcels, stalled_parcels, stalled_share,
    toString(worst_carrier) AS worst_carrier, worst_carrier_parcels, toNullable(silent_since) AS silent_since
FROM lane_stages WHERE stalled_parcels > 0
ORDER BY stalled_parcels DESC, origin, destination, stage LIMIT 1000`
	return selectAll[LaneNow](ctx, q, "lanes with stalled parcels", sql)
}

// LaneParcel is a parcel of a lane that is silent now.
type LaneParcel struct {
	Number    string    `ch:"tracking_number"`
	Shop      string    `ch:"shop_id"`
	Order     string    `ch:"order_id"`
	Milestone string    `ch:"last_milestone"`
	Carrier   string    `ch:"carrier"`
	At        time.Time `ch:"last_progress_at"`
	Hours     float64   `ch:"hours_silent"`
	Level     uint8     `ch:"level"`
	Rows      uint64    `ch:"all_rows"` // in all, the same in each
}

// LaneParcels returns the parcels of a lane that are silent for 48 hours now, the
// longest first; of one last carrier and market where the filter names them.
func (q *Queries) LaneParcels(ctx context.Context, origin, destination string, f LaneFilter, offset, limit int) ([]LaneParcel, error) {
	const sql = `
SELECT tracking_number, shop_id, order_id, toString(last_milestone) AS last_milestone, toString(carrier) AS carrier,
    assumeNotNull(stalled_now.last_progress_at) AS last_progress_at, hours_silent, toUInt8(level) AS level, count() OVER () AS all_rows
FROM stalled_now
WHERE origin = @origin AND destination = @destination AND (@carrier = '' OR carrier = @carrier)
    AND (@market = '' OR if(market = '', destination, market) = @market)
ORDER BY hours_silent DESC, tracking_number LIMIT @limit OFFSET @offset`
	return selectAll[LaneParcel](ctx, q, "silent parcels of a lane", sql, clickhouse.Named("origin", origin), clickhouse.Named("destination", destination),
		clickhouse.Named("carrier", f.Carrier), clickhouse.Named("market", f.Market), clickhouse.Named("limit", limit), clickhouse.Named("offset", offset))
}
