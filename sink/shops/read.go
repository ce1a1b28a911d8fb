package shops

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"scantrail/schemas"
	"scantrail/sink/watch"
)

// maxBreaches bounds what is read of shop_consequences at a time.
const maxBreaches = 200_000

// maxAsked bounds the shops that one query names.
const maxAsked = 1000

// Weeks that nobody watched: those published in the first day of publishing, and
// so long after they had to be at the latest. That is a first start over old rows.
const overdueAfter = week

// publishWeeks writes the weeks that have closed. Those that were written meanwhile
// by another process do no harm: the rank lets one row of each week stay.
func publishWeeks(ctx context.Context, conn driver.Conn) error {
	const query = `INSERT INTO scores_published (shop_id, week, rank, published_at, counted_parcels, promised_parcels, late_orders, on_time_parcels,
			completeness_sum, pickup_due_parcels, pickup_on_time_parcels, exception_free_parcels, weight, lts, lts_smoothed, completeness, policy, policy_number)
		SELECT shop_id, week, 18446744073709551615 - toUInt64(toUnixTimestamp64Milli(clock)) * 1048576 - cityHash64(toString((counted_parcels, promised_parcels,
				late_orders, on_time_parcels, completeness_sum, pickup_due_parcels, pickup_on_time_parcels, exception_free_parcels, lts, lts_smoothed, policy, policy_number))) % 1048576,
			clock, counted_parcels, promised_parcels, late_orders, on_time_parcels, completeness_sum, pickup_due_parcels, pickup_on_time_parcels,
			exception_free_parcels, weight, lts, lts_smoothed, completeness, policy, policy_number
		FROM lts_unpublished WHERE closed`
	if err := conn.Exec(ctx, query); err != nil {
		return fmt.Errorf("write closed weeks into scores_published: %w", err)
	}
	return nil
}

// readBreaches returns what published weeks break from first on. complete is false
// where there was more than maxBreaches.
func readBreaches(ctx context.Context, conn driver.Conn, first int64) (all []breach, complete bool, err error) {
	const query = `SELECT shop_id, rule, week, policy, better, toBool(overdue) FROM
		(
			SELECT c.shop_id AS shop_id, toString(c.rule) AS rule, c.week AS week, toString(c.policy) AS policy, c.breached AS breached,
				minIf(c.week, NOT c.breached) OVER (PARTITION BY c.shop_id, c.rule ORDER BY c.week ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS better,
				f.publish_after_secs > 0 AND p.published_at > toDateTime64(c.week + 7, 3, 'UTC') + toIntervalHour(12) + toIntervalSecond(f.publish_after_secs + ?)
					AND p.published_at < (SELECT min(published_at) FROM scores_published) + toIntervalDay(1) AS overdue
			FROM shop_consequences AS c
			INNER JOIN (SELECT shop_id, week, published_at FROM scores_published FINAL WHERE week >= toDate(?)) AS p ON p.shop_id = c.shop_id AND p.week = c.week
			LEFT ANY JOIN (SELECT number, policy, publish_after_secs FROM policy_scores FINAL) AS f ON f.number = c.policy_number AND f.policy = c.policy
		)
		WHERE breached ORDER BY shop_id, week, rule LIMIT ?`
	rows, err := conn.Query(ctx, query, int64(overdueAfter/time.Second), date(first), maxBreaches)
	if err != nil {
		return nil, false, fmt.Errorf("read the view shop_consequences: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to its end, or abandoned
	for rows.Next() {
		var b breach
		var of, better time.Time
		if err := rows.Scan(&b.shop, &b.rule, &of, &b.policy, &better, &b.overdue); err != nil {
			return nil, false, fmt.Errorf("read the view shop_consequences: %w", err)
		}
		b.week, b.better = of.UnixMilli(), max(better.UnixMilli(), 0)
		all = append(all, b)
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read the view shop_consequences: %w", err)
	}
	return all, len(all) < maxBreaches, nil
}

func date(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }

// readAlerts returns the alerts about shops from first on, and older ones that are
// open.
func readAlerts(ctx context.Context, conn driver.Conn, first int64) ([]schemas.Alert, error) {
	const query = `SELECT alert_id, home, version, toString(rule), level, toString(status), shop_id, toUnixTimestamp64Milli(anchor_at),
			ifNull(toUnixTimestamp64Milli(ended_at), 0), ifNull(toUnixTimestamp64Milli(opened_at), 0), toUnixTimestamp64Milli(changed_at),
			toString(cause), backfill, toString(policy)
		FROM alerts FINAL
		WHERE rule IN (?) AND (status IN ('open', 'escalated') OR toUnixTimestamp64Milli(anchor_at) >= ?)`
	rows, err := conn.Query(ctx, query, slices.Sorted(maps.Keys(causes())), first)
	if err != nil {
		return nil, fmt.Errorf("read the table alerts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to its end, or abandoned
	var all []schemas.Alert
	for rows.Next() {
		var a schemas.Alert
		var id, home uuid.UUID
		var status string
		err := rows.Scan(&id, &home, &a.Version, &a.Rule, &a.Level, &status, &a.ShopID, &a.AnchorAt,
			&a.EndedAt, &a.OpenedAt, &a.ChangedAt, &a.Cause, &a.Backfill, &a.Policy)
		if err != nil {
			return nil, fmt.Errorf("read the table alerts: %w", err)
		}
		a.AlertID, a.Home, a.Status = schemas.ID(id), schemas.ID(home), watch.Status(status)
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the table alerts: %w", err)
	}
	return all, nil
}

// readLive returns those of some weeks of which not all is history: an order fact
// or a scan of theirs came while it happened, so not before the week. Scans are
// read only for weeks without such an order fact, as those of shops that import
// their orders.
func readLive(ctx context.Context, conn driver.Conn, of map[shopWeek]bool) (map[shopWeek]bool, error) {
	const orders = `SELECT DISTINCT shop_id, toMonday(cohort_day) FROM orders FINAL
		WHERE shop_id IN (?) AND toMonday(cohort_day) >= toDate(?)
			AND (shop_id, order_id) IN (SELECT shop_id, order_id FROM order_facts WHERE NOT backfill AND received_at >= toDate(?) - 1 AND shop_id IN (?))`
	const parcels = `SELECT DISTINCT shop_id, toMonday(cohort_day) FROM parcels FINAL
		WHERE shop_id IN (?) AND toMonday(cohort_day) >= toDate(?)
			AND parcel_id IN (SELECT parcel_id FROM scans WHERE NOT backfill AND received_at >= toDate(?) - 1
				AND parcel_id IN (SELECT parcel_id FROM parcels FINAL WHERE shop_id IN (?) AND toMonday(cohort_day) >= toDate(?)))`
	live := map[shopWeek]bool{}
	for _, query := range []string{orders, parcels} {
		shops, week := unknown(of, live)
		first := date(week)
		for some := range slices.Chunk(shops, maxAsked) {
			args := []any{some, first, first, some, first}
			if err := addWeeks(ctx, conn, live, query, args[:strings.Count(query, "?")]...); err != nil {
				return nil, err
			}
		}
	}
	return live, nil
}

// unknown returns the shops of the weeks that are not live yet, and the earliest
// of the weeks.
func unknown(of, live map[shopWeek]bool) (shops []string, first int64) {
	for w := range of {
		if live[w] {
			continue
		}
		shops = append(shops, w.shop)
		if first == 0 || w.week < first {
			first = w.week
		}
	}
	slices.Sort(shops)
	return slices.Compact(shops), first
}

func addWeeks(ctx context.Context, conn driver.Conn, into map[shopWeek]bool, query string, args ...any) error {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read which weeks are history: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to its end, or abandoned
	for rows.Next() {
		var shop string
		var of time.Time
		if err := rows.Scan(&shop, &of); err != nil {
			return fmt.Errorf("read which weeks are history: %w", err)
		}
		into[shopWeek{shop, of.UnixMilli()}] = true
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read which weeks are history: %w", err)
	}
	return nil
}
