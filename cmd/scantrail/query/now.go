package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// Clock returns the clock of the log; zero before its first tick.
func (q *Queries) Clock(ctx context.Context) (time.Time, error) {
	const sql = `SELECT clock FROM log_clock LIMIT 1`
	row, err := selectOne[struct {
		Clock *time.Time `ch:"clock"`
	}](ctx, q, "clock of the log", sql)
	if err != nil || row.Clock == nil {
		return time.Time{}, err
	}
	return *row.Clock, nil
}

// SilenceFilter says which silent parcels are meant; an empty field: any.
type SilenceFilter struct {
	Stage   string // group of milestones: origin, linehaul, ... as in lane_stages, and announced
	Carrier string // last one
	Market  string
	Shop    string
	Rule    string // the parcel has an open alert of it
	Level   string // 0 at risk, 1, 2
}

func (f SilenceFilter) args() []any {
	return []any{
		clickhouse.Named("stage", f.Stage), clickhouse.Named("carrier", f.Carrier), clickhouse.Named("market", f.Market),
		clickhouse.Named("shop", f.Shop), clickhouse.Named("rule", f.Rule), clickhouse.Named("level", f.Level),
	}
}

// silences are the parcels under way. Levels are those of stalled_now where the
// policy's limits are 48 h and 72 h: silent_from knows the policy's own first
// limit, overrides for stages included; the second lies as much later as the policy
// says. At risk, level 0, begins half a day before the first; -1 is before that.
const silences = `
	WITH (SELECT clock FROM log_clock) AS clock
	SELECT p.tracking_number AS tracking_number, p.parcel_id AS parcel_id, p.shop_id AS shop_id, p.order_id AS order_id,
		toString(p.market) AS market, toString(p.origin) AS origin, toString(p.destination) AS destination,
		toString(p.last_milestone) AS last_milestone, toString(p.last_carrier) AS carrier,
		toString(p.last_facility) AS facility, toString(p.last_country) AS country, p.last_progress_at AS last_progress_at,
		multiIf(p.last_milestone IN ('return_started', 'return_in_transit'), 'return',
			p.stage_no >= 90, 'delivery', p.stage_no >= 80, 'destination', p.stage_no >= 70, 'import', p.stage_no >= 60, 'arrival',
			p.stage_no >= 50, 'linehaul', p.stage_no >= 40, 'export', p.stage_no >= 20, 'origin', 'announced') AS stage,
		ifNull(p.silent_from, p.last_progress_at + toIntervalHour(48)) AS due_48h,
		due_48h + toIntervalSecond(if(s.gap_escalate_secs > s.gap_open_secs, s.gap_escalate_secs - s.gap_open_secs, 86400)) AS due_72h,
		toInt8(multiIf(isNull(due_48h), -1, due_72h <= clock, 2, due_48h <= clock, 1, due_48h <= clock + toIntervalHour(12), 0, -1)) AS level,
		dateDiff('second', p.last_progress_at, clock) AS silent_secs,
		dateDiff('second', clock, if(level = 0, due_48h, due_72h)) AS left_secs
	FROM parcels AS p FINAL
	LEFT ANY JOIN (SELECT number, policy, gap_open_secs, gap_escalate_secs FROM policy_scores FINAL) AS s
		ON s.number = p.policy_number AND s.policy = p.policy
	WHERE isNull(p.ended_at) AND isNull(p.cancelled_at)
		AND (@shop = '' OR p.shop_id = @shop)
		AND (@rule = '' OR p.parcel_id IN (SELECT parcel_id FROM open_alerts WHERE rule = @rule))`

// chosen narrows silences to a filter.
const chosen = ` WHERE level >= 0 AND (@stage = '' OR stage = @stage) AND (@carrier = '' OR carrier = @carrier)
	AND (@market = '' OR market = @market) AND (@level = '' OR toString(level) = @level)`

// SilenceGroup counts parcels under way that have something in common.
type SilenceGroup struct {
	Stage   string `ch:"stage"`
	Carrier string `ch:"carrier"`
	Market  string `ch:"market"`
	Open    uint64 `ch:"open"`   // under way
	AtRisk  uint64 `ch:"risk"`   // less than 12 h left before the first limit
	Level1  uint64 `ch:"level1"` // past the first
	Level2  uint64 `ch:"level2"` // past the second
}

// SilenceGroups counts all parcels under way by stage, last carrier and market. Of
// the filter only shop and rule count, so that a page can offer the others.
func (q *Queries) SilenceGroups(ctx context.Context, f SilenceFilter) ([]SilenceGroup, error) {
	const sql = `SELECT stage, carrier, market, count() AS open, countIf(level = 0) AS risk, countIf(level = 1) AS level1, countIf(level = 2) AS level2
		FROM (` + silences + `) GROUP BY stage, carrier, market ORDER BY stage, carrier, market LIMIT 20000`
	return selectAll[SilenceGroup](ctx, q, "parcels by stage, carrier and market", sql, f.args()...)
}

// SilentParcel is a parcel under way that is silent, or soon will be for too long.
type SilentParcel struct {
	TrackingNumber string    `ch:"tracking_number"`
	ParcelID       uuid.UUID `ch:"parcel_id"`
	ShopID         string    `ch:"shop_id"`
	OrderID        string    `ch:"order_id"`
	Market         string    `ch:"market"`
	Origin         string    `ch:"origin"`
	Destination    string    `ch:"destination"`
	Stage          string    `ch:"stage"` // group of milestones
	LastMilestone  string    `ch:"last_milestone"`
	Carrier        string    `ch:"carrier"`
	Facility       string    `ch:"facility"`
	Country        string    `ch:"country"`
	LastProgressAt time.Time `ch:"last_progress_at"`
	Level          int8      `ch:"level"`
	SilentSecs     int64     `ch:"silent_secs"`
	LeftSecs       int64     `ch:"left_secs"` // to the next limit; negative once the second is passed
}

// Orders in which silent parcels are listed.
const (
	ByTimeLeft = ""       // where one can still act first: the least time left, then those just past the last limit
	BySilence  = "silent" // silent for longest first
)

// Silent lists silent parcels, and those at risk.
func (q *Queries) Silent(ctx context.Context, f SilenceFilter, order string, offset, limit int) ([]SilentParcel, error) {
	return selectAll[SilentParcel](ctx, q, "silent parcels", silentSQL, silentArgs(f, order, offset, limit)...)
}

// EachSilent gives the same one after the other, for exports.
func (q *Queries) EachSilent(ctx context.Context, f SilenceFilter, order string, limit int, use func(*SilentParcel) error) error {
	return selectEach(ctx, q, "silent parcels", silentSQL, use, silentArgs(f, order, 0, limit)...)
}

const silentSQL = `SELECT tracking_number, parcel_id, shop_id, order_id, market, origin, destination, stage, last_milestone, carrier, facility, country,
		assumeNotNull(last_progress_at) AS last_progress_at, level, assumeNotNull(silent_secs) AS silent_secs, assumeNotNull(left_secs) AS left_secs
	FROM (` + silences + `)` + chosen + `
	ORDER BY if(@order = 'silent', -silent_secs, 0), level = 2, abs(left_secs), tracking_number LIMIT @limit OFFSET @offset`

func silentArgs(f SilenceFilter, order string, offset, limit int) []any {
	return append(f.args(), clickhouse.Named("order", order), clickhouse.Named("offset", offset), clickhouse.Named("limit", limit))
}

// LatestScan is a scan that came in a moment ago.
type LatestScan struct {
	TrackingNumber string    `ch:"tracking_number"`
	Milestone      string    `ch:"milestone"`
	Carrier        string    `ch:"carrier"`
	Country        string    `ch:"country"`
	City           string    `ch:"city"`
	EffectiveAt    time.Time `ch:"effective_at"`
	ReceivedAt     time.Time `ch:"received_at"`
}

// LatestScans returns up to a dozen of the scans that were received last: those
// among the last 200 records of each partition of the log, so that few rows are
// read, whatever the table holds.
func (q *Queries) LatestScans(ctx context.Context) ([]LatestScan, error) {
	const sql = `SELECT tracking_number, toString(milestone) AS milestone, toString(carrier) AS carrier, toString(country) AS country,
			toString(city) AS city, effective_at, received_at
		FROM scans WHERE (partition, offset) IN (
			SELECT partition, arrayJoin(range(greatest(last - 200, 0), last + 1))
			FROM (SELECT partition, toInt64(max(last_offset)) AS last FROM blocks GROUP BY partition LIMIT 500))
		ORDER BY received_at DESC, effective_at DESC, partition, offset LIMIT 1 BY tracking_number LIMIT 12`
	return selectAll[LatestScan](ctx, q, "latest scans", sql)
}

// RuleCount counts alerts that are open.
type RuleCount struct {
	Rule    string `ch:"rule"`
	Alerts  uint64 `ch:"alerts"`
	Paged   uint64 `ch:"paged"`   // not held, not history
	Lasting uint64 `ch:"lasting"` // of these escalated
}

// OpenRules counts open alerts by rule.
func (q *Queries) OpenRules(ctx context.Context, f SilenceFilter) ([]RuleCount, error) {
	const sql = `SELECT toString(rule) AS rule, count() AS alerts, countIf(NOT held AND NOT backfill) AS paged, countIf(status = 'escalated') AS lasting
		FROM open_alerts WHERE (@carrier = '' OR carrier = @carrier) AND (@market = '' OR market = @market) AND (@shop = '' OR shop_id = @shop)
		GROUP BY rule ORDER BY alerts DESC, rule LIMIT 100`
	return selectAll[RuleCount](ctx, q, "open alerts by rule", sql, f.args()...)
}

// Concern is the alert of a parcel that matters most.
type Concern struct {
	ParcelID  uuid.UUID `ch:"parcel_id"`
	Rule      string    `ch:"rule"`
	Detail    string    `ch:"detail"`
	Cause     string    `ch:"cause"`
	Held      bool      `ch:"held"`
	Uncertain bool      `ch:"uncertain"`
	Others    int64     `ch:"others"` // open alerts of the parcel beside it
}

// Concerns returns of each of these parcels its alert about silence, else its worst
// one, open or at risk. Parcels without any are not there.
func (q *Queries) Concerns(ctx context.Context, parcels []uuid.UUID) (map[uuid.UUID]Concern, error) {
	const sql = `SELECT parcel_id, toString(rule) AS rule, toString(detail) AS detail, toString(cause) AS cause, held, uncertain,
			count() OVER (PARTITION BY parcel_id) - 1 AS others
		FROM alerts_current WHERE parcel_id IN @parcels AND status IN ('at_risk', 'open', 'escalated')
		ORDER BY rule IN ('gap_48h', 'gap_72h') DESC, level DESC, anchor_at DESC LIMIT 1 BY parcel_id LIMIT 10000`
	found := map[uuid.UUID]Concern{}
	if len(parcels) == 0 {
		return found, nil
	}
	rows, err := selectAll[Concern](ctx, q, "alerts of silent parcels", sql, clickhouse.Named("parcels", parcels))
	for _, r := range rows {
		found[r.ParcelID] = r
	}
	return found, err
}
