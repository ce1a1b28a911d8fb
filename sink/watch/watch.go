// Package watch holds what processes share that look at ClickHouse by the clock
// of the log and publish alerts about what they find there: sink/lanes and
// sink/shops.
package watch

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
	"scantrail/sink"
)

// Loop says how often to look, by the clock on the wall.
type Loop struct {
	What    string        // is looked at, for the log: "the lanes"
	Poll    time.Duration // between two looks
	Longest time.Duration // between two looks while they fail
	Failed  func()        // is told of every failure
	Log     *slog.Logger
}

// Run looks until ctx ends. While a look fails it tries again, at longer and
// longer intervals, and says so once for each reason.
func (l *Loop) Run(ctx context.Context, look func(context.Context) error) {
	said, wait := "", l.Poll
	for ctx.Err() == nil {
		switch err := look(ctx); {
		case err == nil:
			said, wait = "", l.Poll
		case ctx.Err() == nil:
			wait = min(2*wait, max(l.Longest, l.Poll))
			l.Failed()
			if err.Error() != said {
				said = err.Error()
				remedy, _ := sink.Remedy(err)
				l.Log.Warn("cannot look at "+l.What+", trying again", "err", err, "remedy", remedy)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Clock returns the clock of the log in Unix milliseconds, 0 before the first
// tick.
func Clock(ctx context.Context, conn driver.Conn) (int64, error) {
	var clock *time.Time
	if err := conn.QueryRow(ctx, "SELECT clock FROM log_clock").Scan(&clock); err != nil {
		return 0, fmt.Errorf("read the view log_clock: %w", err)
	}
	if clock == nil {
		return 0, nil
	}
	return clock.UnixMilli(), nil
}

// Stamp sets the version of a transition, packed as schemas.Version does with a
// generation, which never falls below that of the version before, and in place of
// offset and ordinal the second of the log's clock and 20 bits of a hash of the
// contents. So it rises from one transition to the next, it is the same for all
// processes that find the same, and one version never stands for two contents,
// where processes looked at different moments of the same slot.
func Stamp(a schemas.Alert, generation uint16, before uint64) schemas.Alert {
	a.Version = 0
	h := schemas.Hash(schemas.AppendAlertJSON(nil, &a))
	a.Version = schemas.Version(max(generation, uint16(before>>52)), a.ChangedAt/1000<<12|int64(h[0])<<4|int64(h[1])>>4, h[2])
	return a
}

// Status returns the status of a name in the table alerts.
func Status(name string) schemas.AlertStatus {
	for s := schemas.AlertAtRisk; s < schemas.AlertWithdrawn; s++ {
		if s.String() == name {
			return s
		}
	}
	return schemas.AlertWithdrawn
}

// IsOpen reports whether somebody should act on a.
func IsOpen(a *schemas.Alert) bool {
	return a.Status == schemas.AlertOpen || a.Status == schemas.AlertEscalated
}
