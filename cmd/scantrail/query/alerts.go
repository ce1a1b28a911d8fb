package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// AlertFilter chooses open alerts. Empty fields choose all.
type AlertFilter struct {
	Rule, Level, Status, Carrier, Market, Shop string
	Assignee                                   string // Nobody: those without one
	Number                                     string // tracking number or order
	State                                      string // of what people did, see AlertStates; empty: all but the snoozed ones
	Paged                                      string // yes: those that were paged; no: held, or known only from history
	Sort                                       string // of AlertSorts
}

// Nobody is the assignee of an alert that is nobody's.
const Nobody = "-"

// AlertStates are the values of AlertFilter.State: neither acknowledged nor
// snoozed, acknowledged, snoozed, all.
func AlertStates() []string { return []string{"waiting", "handled", "snoozed", "all"} }

// AlertSorts are the values of AlertFilter.Sort, the default first: the latest of
// the worst level, the latest, the earliest, by carrier, shop or rule.
func AlertSorts() []string { return []string{"worst", "newest", "oldest", "carrier", "shop", "rule"} }

func (f *AlertFilter) args(more ...any) []any {
	level := -1
	if n, err := strconv.Atoi(f.Level); err == nil {
		level = n
	}
	sort := f.Sort
	if sort == "" {
		sort = AlertSorts()[0]
	}
	return append([]any{
		clickhouse.Named("rule", f.Rule), clickhouse.Named("level", level), clickhouse.Named("status", f.Status),
		clickhouse.Named("carrier", f.Carrier), clickhouse.Named("market", f.Market), clickhouse.Named("shop", f.Shop),
		clickhouse.Named("assignee", f.Assignee), clickhouse.Named("number", f.Number), clickhouse.Named("state", f.State),
		clickhouse.Named("paged", f.Paged), clickhouse.Named("sort", sort),
	}, more...)
}

// OpenAlert is a row of alerts_to_handle.
type OpenAlert struct {
	ID                string     `ch:"id"`
	Rule              string     `ch:"rule"`
	Detail            string     `ch:"detail"`
	Level             uint8      `ch:"level"`
	Status            string     `ch:"status"`
	Milestone         string     `ch:"milestone"`
	Stage             string     `ch:"stage"`
	Number            string     `ch:"tracking_number"`
	Carrier           string     `ch:"carrier"`
	Facility          string     `ch:"facility"`
	Country           string     `ch:"country"`
	Shop              string     `ch:"shop_id"`
	Order             string     `ch:"order_id"`
	Market            string     `ch:"market"`
	Origin            string     `ch:"origin"`
	Destination       string     `ch:"destination"`
	AnchorAt          time.Time  `ch:"anchor_at"`
	OpenedAt          *time.Time `ch:"opened_at"`
	HoursSince        float64    `ch:"hours_since_anchor"`
	Cause             string     `ch:"cause"`
	Backfill          bool       `ch:"backfill"`
	Held              bool       `ch:"held"`
	Uncertain         bool       `ch:"uncertain"`
	Policy            string     `ch:"policy"`
	AcknowledgedAt    *time.Time `ch:"acknowledged_at"`
	AcknowledgedBy    string     `ch:"acknowledged_by"`
	AcknowledgedLevel uint8      `ch:"acknowledged_level"`
	Assignee          string     `ch:"assignee"`
	SnoozedUntil      *time.Time `ch:"snoozed_until"`
	SnoozedBy         string     `ch:"snoozed_by"`
	Comments          uint64     `ch:"comments"`
	LastComment       string     `ch:"last_comment"`
	Handled           bool       `ch:"handled"`
	Snoozed           bool       `ch:"snoozed"`
	Total             uint64     `ch:"total"` // that the filter chooses
}

const (
	alertColumns = `toString(alert_id) AS id, rule, detail, level, status, milestone, stage, tracking_number, carrier, facility, country,
    shop_id, order_id, market, origin, destination, anchor_at, opened_at, hours_since_anchor, cause, backfill, held, uncertain, policy,
    acknowledged_at, acknowledged_by, acknowledged_level, assignee, snoozed_until, snoozed_by, comments, last_comment, handled, snoozed`

	alertsChosen = ` FROM alerts_to_handle
WHERE (@rule = '' OR rule = @rule) AND (@level < 0 OR level = @level) AND (@status = '' OR status = @status)
    AND (@carrier = '' OR carrier = @carrier) AND (@market = '' OR market = @market) AND (@shop = '' OR shop_id = @shop)
    AND (@assignee = '' OR assignee = if(@assignee = '-', '', @assignee))
    AND (@number = '' OR tracking_number = upper(@number) OR order_id = @number)
    AND multiIf(@state = 'all', true, @state = 'snoozed', snoozed, @state = 'handled', handled AND NOT snoozed,
        @state = 'waiting', NOT handled AND NOT snoozed, NOT snoozed)
    AND multiIf(@paged = 'yes', NOT held AND NOT backfill, @paged = 'no', held OR backfill, true)`

	alertsSorted = ` ORDER BY if(@sort = 'worst', level, 0) DESC,
    multiIf(@sort = 'carrier', carrier, @sort = 'shop', shop_id, @sort = 'rule', rule, ''),
    if(@sort = 'oldest', toUnixTimestamp64Milli(anchor_at), -toUnixTimestamp64Milli(ifNull(opened_at, anchor_at))), alert_id`
)

// OpenAlerts returns a page of the alerts that a filter chooses; Total of each row
// counts them all. The page is found by few columns: reading all of them of every
// open alert takes three times as long.
func (q *Queries) OpenAlerts(ctx context.Context, f AlertFilter, limit, offset int) ([]OpenAlert, error) {
	const page = "SELECT toString(alert_id) AS id, count() OVER () AS total" + alertsChosen + alertsSorted + " LIMIT @limit OFFSET @offset"
	found, err := selectAll[struct {
		ID    string `ch:"id"`
		Total uint64 `ch:"total"`
	}](ctx, q, "open alerts", page, f.args(clickhouse.Named("limit", limit), clickhouse.Named("offset", offset))...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	ids, place := make([]string, len(found)), map[string]int{}
	for i, x := range found {
		ids[i], place[x.ID] = x.ID, i
	}
	const sql = "SELECT " + alertColumns + ", toUInt64(@total) AS total FROM alerts_to_handle WHERE alert_id IN @ids LIMIT 10000"
	alerts, err := selectAll[OpenAlert](ctx, q, "open alerts", sql, clickhouse.Named("ids", ids), clickhouse.Named("total", found[0].Total))
	slices.SortFunc(alerts, func(a, b OpenAlert) int { return cmp.Compare(place[a.ID], place[b.ID]) })
	return alerts, err
}

// EachOpenAlert hands over the alerts that a filter chooses, limit at most.
func (q *Queries) EachOpenAlert(ctx context.Context, f AlertFilter, limit int, use func(*OpenAlert) error) error {
	const sql = "SELECT " + alertColumns + ", toUInt64(0) AS total" + alertsChosen + alertsSorted + " LIMIT @limit"
	return selectEach(ctx, q, "open alerts", sql, use, f.args(clickhouse.Named("limit", limit))...)
}

// ChosenAlerts returns the alerts that a filter chooses to handle them,
// MaxHandled at most.
func (q *Queries) ChosenAlerts(ctx context.Context, f AlertFilter) ([]HandledAlert, error) {
	const sql = "SELECT toString(alert_id) AS id, level" + alertsChosen + alertsSorted + " LIMIT 1000"
	return selectAll[HandledAlert](ctx, q, "chosen alerts", sql, f.args()...)
}

// AlertFacet is a value that open alerts have, and how many.
type AlertFacet struct {
	Facet string `ch:"facet"`
	Value string `ch:"value"`
	N     uint64 `ch:"n"`
}

// AlertFacets counts open alerts by rule, level, status, carrier, market, assignee
// and state, the most frequent 100 values of each.
func (q *Queries) AlertFacets(ctx context.Context) ([]AlertFacet, error) {
	const sql = `SELECT pair.1 AS facet, pair.2 AS value, count() AS n
FROM (SELECT arrayJoin([('rule', toString(rule)), ('level', toString(level)), ('status', toString(status)), ('carrier', toString(carrier)),
    ('market', toString(market)), ('assignee', assignee), ('state', multiIf(snoozed, 'snoozed', handled, 'handled', 'waiting'))]) AS pair
    FROM alerts_to_handle)
WHERE value != '' GROUP BY facet, value ORDER BY facet, n DESC, value LIMIT 100 BY facet LIMIT 1000`
	return selectAll[AlertFacet](ctx, q, "kinds of open alerts", sql)
}

// AlertState is an alert, open or not, with what people did about it.
type AlertState struct {
	OpenAlert
	EndedAt      *time.Time `ch:"ended_at"`
	ChangedAt    time.Time  `ch:"changed_at"`
	SilentSecs   uint32     `ch:"silent_secs"`
	SnoozedLevel uint8      `ch:"snoozed_level"`
	AssignedAt   *time.Time `ch:"assigned_at"`
}

// Alert returns one alert; ErrNone without it.
func (q *Queries) Alert(ctx context.Context, id string) (AlertState, error) {
	const sql = `WITH (SELECT clock FROM log_clock) AS clock
SELECT toString(a.alert_id) AS id, a.rule AS rule, a.detail AS detail, a.level AS level, a.status AS status, a.milestone AS milestone,
    a.stage AS stage, a.tracking_number AS tracking_number, a.carrier AS carrier, a.facility AS facility, a.country AS country,
    a.shop_id AS shop_id, a.order_id AS order_id, a.market AS market, a.origin AS origin, a.destination AS destination,
    a.anchor_at AS anchor_at, a.ended_at AS ended_at, a.opened_at AS opened_at, a.changed_at AS changed_at, a.silent_secs AS silent_secs,
    a.cause AS cause, a.backfill AS backfill, a.held AS held, a.uncertain AS uncertain, a.policy AS policy,
    ifNull(round(dateDiff('second', a.anchor_at, ifNull(a.ended_at, clock)) / 3600, 1), 0) AS hours_since_anchor,
    h.acknowledged_at AS acknowledged_at, h.acknowledged_by AS acknowledged_by, h.acknowledged_level AS acknowledged_level,
    h.assignee AS assignee, h.assigned_at AS assigned_at, h.snoozed_until AS snoozed_until, h.snoozed_by AS snoozed_by,
    h.snoozed_level AS snoozed_level, h.comments AS comments, h.last_comment AS last_comment,
    h.acknowledged_at IS NOT NULL AND a.level <= h.acknowledged_level AS handled,
    ifNull(h.snoozed_until > clock, false) AND a.level <= h.snoozed_level AS snoozed, toUInt64(1) AS total
FROM (SELECT * FROM alerts_current WHERE alert_id = toUUIDOrZero(@id)) AS a
LEFT ANY JOIN (SELECT * FROM alert_handling_current WHERE alert_id = toUUIDOrZero(@id)) AS h ON h.alert_id = a.alert_id
LIMIT 1`
	return selectOne[AlertState](ctx, q, fmt.Sprintf("alert %.40s", id), sql, clickhouse.Named("id", id))
}

// Transition is one step of an alert's life.
type Transition struct {
	ChangedAt  time.Time  `ch:"changed_at"`
	Rule       string     `ch:"rule"`
	Level      uint8      `ch:"level"`
	Status     string     `ch:"status"`
	EndedAt    *time.Time `ch:"ended_at"`
	SilentSecs uint32     `ch:"silent_secs"`
	Cause      string     `ch:"cause"`
	Held       bool       `ch:"held"`
	Backfill   bool       `ch:"backfill"`
}

// Transitions returns the steps of an alert's life in its smallest home, the first
// one first.
func (q *Queries) Transitions(ctx context.Context, id string) ([]Transition, error) {
	const sql = `SELECT changed_at, rule, level, status, ended_at, silent_secs, cause, held, backfill FROM alert_transitions FINAL
WHERE alert_id = toUUIDOrZero(@id) AND home IN (SELECT home FROM alerts_current WHERE alert_id = toUUIDOrZero(@id))
ORDER BY version LIMIT 200`
	return selectAll[Transition](ctx, q, "transitions of an alert", sql, clickhouse.Named("id", id))
}
