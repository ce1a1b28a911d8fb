package query

import (
	"context"
	"time"
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
