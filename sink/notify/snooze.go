package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"scantrail/schemas"
)

// Snooze is an alert that somebody put aside: it pages nobody until then, unless
// its level rises above Level.
type Snooze struct {
	Until time.Time
	Level int
}

// Snoozer knows what is put aside.
type Snoozer interface {
	Snoozed(ctx context.Context) (map[schemas.ID]Snooze, error)
}

const (
	snoozeFirst = 3 * time.Second // for which a start waits
	snoozeEvery = 10 * time.Second
	maxSnoozes  = 100_000
)

// snoozes is what was put aside when it was last asked. While nobody answers, that
// counts on: each ends by itself.
type snoozes struct {
	from Snoozer // nil: none
	log  *slog.Logger

	mu sync.RWMutex
	of map[schemas.ID]Snooze
}

// snoozed reports whether m waits because its alert was put aside.
func (s *snoozes) snoozed(now time.Time, m *message) bool {
	if s == nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	put, ok := s.of[m.key]
	return ok && now.Before(put.Until) && m.level <= put.Level
}

// ask reads what is put aside. It returns what it complained of, so that each reason
// is said once.
func (s *snoozes) ask(ctx context.Context, within time.Duration, said string) string {
	asked, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	of, err := s.from.Snoozed(asked)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.of = of
		return ""
	}
	if ctx.Err() == nil && err.Error() != said {
		s.log.Warn("notify: cannot read which alerts are snoozed; what is known of them counts on", "err", err)
	}
	return err.Error()
}

// run asks now and then until ctx ends. It closes ready after the first answer, or
// when that takes too long.
func (s *snoozes) run(ctx context.Context, ready chan<- struct{}) {
	if s.from == nil {
		close(ready)
		return
	}
	said := s.ask(ctx, snoozeFirst, "")
	close(ready)
	ticker := time.NewTicker(snoozeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			said = s.ask(ctx, snoozeEvery, said)
		}
	}
}

// clickHouseSnoozer reads the view alert_handling_current.
type clickHouseSnoozer struct {
	conn driver.Conn
	now  func() time.Time
}

// NewSnoozer returns a snoozer that asks ClickHouse. The user needs SELECT on the
// view alert_handling_current and on the table behind it.
func NewSnoozer(conn driver.Conn, now func() time.Time) Snoozer {
	return &clickHouseSnoozer{conn, now}
}

// Snoozed implements Snoozer.
func (c *clickHouseSnoozer) Snoozed(ctx context.Context) (map[schemas.ID]Snooze, error) {
	const query = "SELECT alert_id, assumeNotNull(snoozed_until), snoozed_level FROM alert_handling_current WHERE snoozed_until > fromUnixTimestamp64Milli(?) LIMIT ?"
	rows, err := c.conn.Query(ctx, query, c.now().UnixMilli(), maxSnoozes)
	if err != nil {
		return nil, fmt.Errorf("read the view alert_handling_current: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has the error
	of := map[schemas.ID]Snooze{}
	for rows.Next() {
		var id uuid.UUID
		var level uint8
		var put Snooze
		if err := rows.Scan(&id, &put.Until, &level); err != nil {
			return nil, fmt.Errorf("read the view alert_handling_current: %w", err)
		}
		put.Level = int(level)
		of[schemas.ID(id)] = put
	}
	return of, rows.Err()
}
