package lanes

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"scantrail/schemas"
	"scantrail/sink/watch"
)

// maxPlaces bounds what is read of lane_stages: each row stands for at least
// Thresholds.ResolveParcels parcels, so that no real world comes near it.
const maxPlaces = 100_000

// remembered is how long a transition that was published here is held against
// what ClickHouse shows, which the sink may not have written yet.
const remembered = time.Hour

// readCounts returns the places where enough stalls for an incident to go on.
// complete is false where there were more than maxPlaces.
func readCounts(ctx context.Context, conn driver.Conn, t Thresholds) (counts map[place]count, complete bool, err error) {
	const query = `SELECT toString(origin), toString(destination), toString(stage), toUInt64(open_parcels), toUInt64(stalled_parcels),
			toString(worst_carrier), ifNull(toUnixTimestamp64Milli(silent_since), 0)
		FROM lane_stages WHERE stalled_parcels >= ? AND stalled_parcels * 100 >= ? * open_parcels
		ORDER BY stalled_parcels DESC LIMIT ?`
	rows, err := conn.Query(ctx, query, t.ResolveParcels, t.ResolvePercent, maxPlaces)
	if err != nil {
		return nil, false, fmt.Errorf("read the view lane_stages: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to its end, or abandoned
	counts = map[place]count{}
	for rows.Next() {
		var p place
		var c count
		if err := rows.Scan(&p.origin, &p.destination, &p.stage, &c.open, &c.stalled, &c.carrier, &c.since); err != nil {
			return nil, false, fmt.Errorf("read the view lane_stages: %w", err)
		}
		counts[p] = c
	}
	if err := rows.Err(); err != nil {
		return nil, false, fmt.Errorf("read the view lane_stages: %w", err)
	}
	return counts, len(counts) < maxPlaces, nil
}

// readIncidents returns the incidents that are open, and those that changed not
// long before slot, whatever they are now.
func readIncidents(ctx context.Context, conn driver.Conn, slot int64) ([]schemas.Alert, error) {
	const query = `SELECT alert_id, home, version, toString(detail), level, toString(status), toString(carrier), toString(market),
			toString(origin), toString(destination), toUnixTimestamp64Milli(anchor_at),
			ifNull(toUnixTimestamp64Milli(ended_at), 0), ifNull(toUnixTimestamp64Milli(opened_at), 0),
			toUnixTimestamp64Milli(changed_at), silent_secs, toString(cause)
		FROM alerts FINAL
		WHERE rule = ? AND (status IN ('open', 'escalated') OR toUnixTimestamp64Milli(changed_at) >= ?)`
	rows, err := conn.Query(ctx, query, schemas.RuleLaneDisruption, slot-remembered.Milliseconds())
	if err != nil {
		return nil, fmt.Errorf("read the table alerts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // read to its end, or abandoned
	var all []schemas.Alert
	for rows.Next() {
		a := schemas.Alert{Rule: schemas.RuleLaneDisruption}
		var id, home uuid.UUID
		var status string
		err := rows.Scan(&id, &home, &a.Version, &a.Detail, &a.Level, &status, &a.Carrier, &a.Market,
			&a.Origin, &a.Destination, &a.AnchorAt, &a.EndedAt, &a.OpenedAt, &a.ChangedAt, &a.SilentSecs, &a.Cause)
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
