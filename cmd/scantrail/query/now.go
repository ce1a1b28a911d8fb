package query

import (
	"cmp"
	"context"
	"slices"
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
const silences = silencesFrom + silencesWhere

const silencesFrom = `
	WITH (SELECT clock FROM log_clock) AS clock
	SELECT p.tracking_number AS tracking_number, p.parcel_id AS parcel_id, p.opened_at AS opened_at, p.shop_id AS shop_id, p.order_id AS order_id,
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
		ON s.number = p.policy_number AND s.policy = p.policy`

const silencesWhere = `
	WHERE isNull(p.ended_at) AND isNull(p.cancelled_at)
		AND (@shop = '' OR p.shop_id = @shop)
		AND (@rule = '' OR p.parcel_id IN (SELECT parcel_id FROM open_alerts WHERE rule = @rule))`

// chosen narrows silences to a filter.
const chosen = `level >= 0 AND (@stage = '' OR stage = @stage) AND (@carrier = '' OR carrier = @carrier)
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

// SilentParcel is a parcel under way that is silent, or soon will be for too long.
type SilentParcel struct {
	TrackingNumber string    `ch:"tracking_number"`
	ParcelID       uuid.UUID `ch:"parcel_id"`
	OpenedAt       time.Time `ch:"opened_at"` // of this life of the number
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

const silenceOrder = `if(@order = 'silent', ifNull(-silent_secs, 0), 0), level = 2, abs(left_secs), tracking_number, opened_at`

// Silence is how parcels under way stand.
type Silence struct {
	Groups  []SilenceGroup // all of them; of the filter only shop and rule count, so that a page can offer the others
	Parcels []SilentParcel // a page of those that the filter chooses
}

// Silence counts the parcels under way and lists silent ones, and those at risk. One
// scan of few columns counts them and finds the page; its rows are read by their key.
func (q *Queries) Silence(ctx context.Context, f SilenceFilter, order string, offset, limit int) (Silence, error) {
	const sql = `
	WITH arraySlice(arraySort(arrayFlatten(groupArray(first))), @offset + 1, @limit) AS page
	SELECT CAST(groupArray(20000)((stage, carrier, market, open, risk, level1, level2)),
			'Array(Tuple(stage String, carrier String, market String, open UInt64, risk UInt64, level1 UInt64, level2 UInt64))') AS groups,
		page.5 AS opened, page.6 AS parcels
	FROM (
		SELECT stage, carrier, market, count() AS open, countIf(level = 0) AS risk, countIf(level = 1) AS level1, countIf(level = 2) AS level2,
			groupArraySortedIf(@through)((` + silenceOrder + `, parcel_id), ` + chosen + `) AS first
		FROM (` + silences + `) GROUP BY stage, carrier, market)
	LIMIT 1`
	found, err := selectOne[struct {
		Groups  []SilenceGroup `ch:"groups"`
		Opened  []time.Time    `ch:"opened"`
		Parcels []uuid.UUID    `ch:"parcels"`
	}](ctx, q, "parcels under way", sql, append(f.args(), clickhouse.Named("order", order),
		clickhouse.Named("offset", offset), clickhouse.Named("limit", limit), clickhouse.Named("through", offset+limit))...)
	if err != nil || len(found.Parcels) == 0 {
		return Silence{Groups: found.Groups}, err
	}
	place := map[life]int{}
	for i, id := range found.Parcels {
		place[life{id, found.Opened[i].UnixMilli()}] = i
	}
	list, err := q.silentParcels(ctx, f, found.Parcels)
	list = slices.DeleteFunc(list, func(p SilentParcel) bool { _, ok := place[p.life()]; return !ok })
	slices.SortFunc(list, func(a, b SilentParcel) int { return cmp.Compare(place[a.life()], place[b.life()]) })
	return Silence{found.Groups, list}, err
}

// life is the key of a row of parcels.
type life struct {
	parcel   uuid.UUID
	openedAt int64 // Unix ms
}

func (p *SilentParcel) life() life { return life{p.ParcelID, p.OpenedAt.UnixMilli()} }

// silentParcels returns those of these parcels that the filter still chooses.
func (q *Queries) silentParcels(ctx context.Context, f SilenceFilter, parcels []uuid.UUID) ([]SilentParcel, error) {
	const sql = silentColumns + ` FROM (` + silencesFrom + ` PREWHERE p.parcel_id IN @parcels` + silencesWhere + `) WHERE ` + chosen + ` LIMIT 10000`
	return selectAll[SilentParcel](ctx, q, "silent parcels", sql, append(f.args(), clickhouse.Named("parcels", parcels))...)
}

// EachSilent gives all silent parcels one after the other, for exports.
func (q *Queries) EachSilent(ctx context.Context, f SilenceFilter, order string, limit int, use func(*SilentParcel) error) error {
	const sql = silentColumns + ` FROM (` + silences + `) WHERE ` + chosen + ` ORDER BY ` + silenceOrder + ` LIMIT @limit`
	return selectEach(ctx, q, "silent parcels", sql, use, append(f.args(), clickhouse.Named("order", order), clickhouse.Named("limit", limit))...)
}

const silentColumns = `SELECT tracking_number, parcel_id, opened_at, shop_id, order_id, market, origin, destination, stage, last_milestone, carrier, facility, country,
	assumeNotNull(last_progress_at) AS last_progress_at, level, assumeNotNull(silent_secs) AS silent_secs, assumeNotNull(left_secs) AS left_secs`

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
