package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// VisibleAlert is the latest transition of an alert.
type VisibleAlert struct {
	AlertID        uuid.UUID  `ch:"alert_id"`
	Rule           string     `ch:"rule"`
	Detail         string     `ch:"detail"`
	Level          uint8      `ch:"level"`
	Status         string     `ch:"status"`
	Milestone      string     `ch:"milestone"`
	Stage          string     `ch:"stage"`
	TrackingNumber string     `ch:"tracking_number"`
	Carrier        string     `ch:"carrier"`
	Facility       string     `ch:"facility"`
	Country        string     `ch:"country"`
	ShopID         string     `ch:"shop_id"`
	OrderID        string     `ch:"order_id"`
	Market         string     `ch:"market"`
	Origin         string     `ch:"origin"`
	Destination    string     `ch:"destination"`
	AnchorAt       time.Time  `ch:"anchor_at"`
	OpenedAt       *time.Time `ch:"opened_at"`
	ChangedAt      time.Time  `ch:"changed_at"`
	EndedAt        *time.Time `ch:"ended_at"`
	SilentSecs     uint32     `ch:"silent_secs"`
	Cause          string     `ch:"cause"`
	Backfill       bool       `ch:"backfill"`
	Held           bool       `ch:"held"`
	Uncertain      bool       `ch:"uncertain"`
	Policy         string     `ch:"policy"`
}

const visibleAlert = `SELECT alert_id, toString(rule) AS rule, toString(detail) AS detail, toUInt8(level) AS level, toString(status) AS status,
	toString(milestone) AS milestone, toString(stage) AS stage, tracking_number, toString(carrier) AS carrier, toString(facility) AS facility,
	toString(country) AS country, shop_id, order_id, toString(market) AS market, toString(origin) AS origin, toString(destination) AS destination,
	anchor_at, toNullable(opened_at) AS opened_at, changed_at, ended_at, toUInt32(silent_secs) AS silent_secs, toString(cause) AS cause,
	toBool(backfill) AS backfill, toBool(held) AS held, toBool(uncertain) AS uncertain, toString(policy) AS policy `

// ParcelAlerts returns the alerts of a life and of its order, the latest first.
func (v *Visible) ParcelAlerts(ctx context.Context, p *VisibleParcel) ([]VisibleAlert, error) {
	const sql = visibleAlert + `FROM alerts_current
		WHERE` + ofScope + `AND alert_id IN (SELECT alert_id FROM alerts WHERE parcel_id = @id OR (@order != '' AND shop_id = @shop AND order_id = @order))
			AND ((parcel_id = @id AND anchor_at < fromUnixTimestamp64Milli(@until, 'UTC')
				AND (anchor_at >= fromUnixTimestamp64Milli(@opened, 'UTC') OR (@order != '' AND shop_id = @shop AND order_id = @order)))
			OR (@order != '' AND shop_id = @shop AND order_id = @order AND tracking_number = ''))
		ORDER BY anchor_at DESC, toString(alert_id) DESC LIMIT 200`
	return selectAll[VisibleAlert](ctx, v.q, "alerts of a parcel", sql, v.scope.args(
		clickhouse.Named("id", p.ParcelID.String()), clickhouse.Named("shop", p.ShopID), clickhouse.Named("order", p.OrderID),
		clickhouse.Named("opened", p.OpenedAt.UnixMilli()), clickhouse.Named("until", p.Until.UnixMilli()))...)
}

// VisibleAlerts says which alerts are meant; an empty field: any.
type VisibleAlerts struct {
	Statuses                    []string // required
	Rule, Carrier, Market, Shop string
	Number, Order               string
	MinLevel                    int
	Paged                       bool      // neither held nor history
	ChangedSince                time.Time // by the clock of the log
	AfterAnchor                 time.Time // with AfterID: those behind this alert alone
	AfterID                     string
}

// Alerts returns alerts by their anchor, the latest first. Neither anchor nor id of
// an alert ever change: whoever goes on behind one misses none that was there.
func (v *Visible) Alerts(ctx context.Context, f VisibleAlerts, limit int) ([]VisibleAlert, error) {
	const chosen = `WHERE` + ofScope + `AND status IN @statuses AND (@rule = '' OR rule = @rule) AND (@carrier = '' OR carrier = @carrier)
			AND (@market = '' OR market = @market) AND (@shop = '' OR shop_id = @shop) AND (@number = '' OR tracking_number = @number)
			AND (@order = '' OR order_id = @order) AND level >= @level AND (NOT @paged OR (NOT held AND NOT backfill))
			AND changed_at >= fromUnixTimestamp64Milli(@since, 'UTC')
			AND (@after = '' OR (toUnixTimestamp64Milli(anchor_at), toString(alert_id)) < (@anchor, @after))
		ORDER BY anchor_at DESC, toString(alert_id) DESC LIMIT @limit`
	const every = visibleAlert + `FROM alerts_current ` + chosen
	// alerts_current reads all alerts to know the latest row of each, unless it is
	// told which: those that ever had a row of this shop, number or order.
	const some = visibleAlert + `FROM (SELECT * FROM alerts_current WHERE alert_id IN (SELECT alert_id FROM alerts
		WHERE` + ofScope + `AND (@shop = '' OR shop_id = @shop) AND (@number = '' OR tracking_number = @number) AND (@order = '' OR order_id = @order))) ` + chosen
	sql := every
	if !v.scope.All || f.Shop != "" || f.Number != "" || f.Order != "" {
		sql = some
	}
	since, anchor := int64(0), int64(0)
	if !f.ChangedSince.IsZero() {
		since = f.ChangedSince.UnixMilli()
	}
	if f.AfterID != "" {
		anchor = f.AfterAnchor.UnixMilli()
	}
	return selectAll[VisibleAlert](ctx, v.q, "alerts", sql, v.scope.args(
		clickhouse.Named("statuses", f.Statuses), clickhouse.Named("rule", f.Rule), clickhouse.Named("carrier", f.Carrier),
		clickhouse.Named("market", f.Market), clickhouse.Named("shop", f.Shop), clickhouse.Named("number", f.Number), clickhouse.Named("order", f.Order),
		clickhouse.Named("level", f.MinLevel), clickhouse.Named("paged", f.Paged), clickhouse.Named("since", since),
		clickhouse.Named("anchor", anchor), clickhouse.Named("after", f.AfterID), clickhouse.Named("limit", limit))...)
}
