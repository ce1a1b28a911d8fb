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

// run asks now and then until ctx ends.
func (s *snoozes) run(ctx context.Context) {
	if s.from == nil {
		return
	}
	ticker := time.NewTicker(snoozeEvery)
	defer ticker.Stop()
	for said := ""; ; {
		asked, cancel := context.WithTimeout(ctx, snoozeEvery)
		of, err := s.from.Snoozed(asked)
		cancel()
		switch {
		case err == nil:
			s.mu.Lock()
			s.of = of
			s.mu.Unlock()
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.log.Warn("notify: cannot read which alerts are snoozed; what is known of them counts on", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
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
