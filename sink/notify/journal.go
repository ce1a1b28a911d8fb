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

// What can become of a message.
const (
	stateDelivered = "delivered"
	stateRejected  = "rejected"
	stateGivenUp   = "given_up"
)

// Delivery is the end of one message to one receiver: one row of alert_deliveries.
type Delivery struct {
	AlertID   schemas.ID
	Version   uint64 // of the transition
	Receiver  string
	Kind      Kind
	MessageID string // the key of idempotency: of the transition, or of the digest that stands for it
	Outcome   string
	Reason    string
	At        time.Time
}

// State is how a receiver is doing: one row of receiver_states.
type State struct {
	Receiver    string
	Kind        Kind
	Waiting     int // messages to be sent
	Held        int // alerts that wait for the end of an incident or of quiet hours
	Collected   int // alerts that wait for a digest
	Standing    int // alerts that are sent again and again
	LastSuccess time.Time
	LastFailure time.Time
	Failure     string // why, of the last one
	Failing     bool   // the last attempt failed
}

// Recorder keeps deliveries and states where people can see them.
type Recorder interface {
	Record(ctx context.Context, deliveries []Delivery, states []State) error
}

const (
	journalEvery = 2 * time.Second
	stateEvery   = 10 * time.Second
	maxJournal   = 20_000 // deliveries that wait for the recorder
	recordWithin = 10 * time.Second
)

// journal passes deliveries and states to the recorder. It never keeps delivery
// waiting: while the recorder is away, rows wait in memory, and beyond a limit the
// oldest are dropped; a crash loses what waits.
type journal struct {
	to  Recorder // nil: none
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	rows    []Delivery
	dropped int
	states  map[string]State
	noted   map[string]time.Time
}

func newJournal(to Recorder, log *slog.Logger, now func() time.Time) *journal {
	return &journal{to: to, log: log, now: now, states: map[string]State{}, noted: map[string]time.Time{}}
}

// add takes the end of a message.
func (j *journal) add(rows ...Delivery) {
	if j == nil || j.to == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rows = append(j.rows, rows...)
	if over := len(j.rows) - maxJournal; over > 0 {
		j.rows, j.dropped = append(j.rows[:0], j.rows[over:]...), j.dropped+over
	}
}

// state takes how a receiver is doing; it is written when it changed, and now and
// then.
func (j *journal) state(s State) {
	if j == nil || j.to == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.states[s.Receiver] = s
}

// take returns what is to be written.
func (j *journal) take(all bool) (rows []Delivery, states []State, dropped int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	rows, dropped = j.rows, j.dropped
	j.rows, j.dropped = nil, 0
	now := j.now()
	for name, s := range j.states {
		if all || now.Sub(j.noted[name]) >= stateEvery {
			states = append(states, s)
			j.noted[name] = now
		}
	}
	return rows, states, dropped
}

// run writes until ctx ends, and then what is left.
func (j *journal) run(ctx context.Context) {
	if j.to == nil {
		return
	}
	ticker := time.NewTicker(journalEvery)
	defer ticker.Stop()
	said := ""
	for {
		done := false
		select {
		case <-ctx.Done():
			done = true
		case <-ticker.C:
		}
		said = j.flush(context.WithoutCancel(ctx), done, said)
		if done {
			return
		}
	}
}

// flush writes what waits. It returns what it complained of, so that each reason is
// said once.
func (j *journal) flush(ctx context.Context, all bool, said string) string {
	rows, states, dropped := j.take(all)
	if dropped > 0 {
		j.log.Warn("notify: rows about deliveries were dropped: nobody took them for too long; the deliveries themselves are not affected", "rows", dropped)
	}
	if len(rows) == 0 && len(states) == 0 {
		return said
	}
	ctx, cancel := context.WithTimeout(ctx, recordWithin)
	defer cancel()
	err := j.to.Record(ctx, rows, states)
	if err == nil {
		return ""
	}
	j.mu.Lock()
	j.rows = append(rows, j.rows...)
	j.mu.Unlock()
	j.add() // cuts what is too long
	if err.Error() != said {
		j.log.Warn("notify: cannot record deliveries, trying again; they go on", "err", err)
	}
	return err.Error()
}

// clickHouse records in the tables alert_deliveries and receiver_states.
type clickHouse struct {
	conn     driver.Conn
	instance string
	now      func() time.Time
}

// NewRecorder returns a recorder that writes to ClickHouse. The user needs INSERT on
// both tables.
func NewRecorder(conn driver.Conn, now func() time.Time) Recorder {
	return &clickHouse{conn: conn, instance: uuid.NewString(), now: now}
}

// Record implements Recorder. Rows that are written again collapse.
func (c *clickHouse) Record(ctx context.Context, deliveries []Delivery, states []State) error {
	if len(deliveries) > 0 {
		batch, err := c.conn.PrepareBatch(ctx, "INSERT INTO alert_deliveries (alert_id, alert_version, receiver, kind, message_id, outcome, reason, at)")
		if err != nil {
			return fmt.Errorf("write alert_deliveries: %w", err)
		}
		for _, d := range deliveries {
			if err := batch.Append(uuid.UUID(d.AlertID), d.Version, d.Receiver, string(d.Kind), d.MessageID, d.Outcome, cutText(d.Reason), d.At.UTC()); err != nil {
				return fmt.Errorf("write alert_deliveries: %w", err)
			}
		}
		if err := batch.Send(); err != nil {
			return fmt.Errorf("write alert_deliveries: %w", err)
		}
	}
	if len(states) == 0 {
		return nil
	}
	batch, err := c.conn.PrepareBatch(ctx, "INSERT INTO receiver_states (receiver, instance, kind, waiting, held, collected, standing, failing, last_success_at, last_failure_at, failure, updated_at)")
	if err != nil {
		return fmt.Errorf("write receiver_states: %w", err)
	}
	for _, s := range states {
		if err := batch.Append(s.Receiver, c.instance, string(s.Kind), uint32(s.Waiting), uint32(s.Held), uint32(s.Collected), uint32(s.Standing),
			s.Failing, nullTime(s.LastSuccess), nullTime(s.LastFailure), cutText(s.Failure), c.now().UTC()); err != nil {
			return fmt.Errorf("write receiver_states: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write receiver_states: %w", err)
	}
	return nil
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// cutText bounds a reason, which may be what a receiver answered.
func cutText(s string) string {
	const most = 500
	if len(s) > most {
		return s[:most]
	}
	return s
}

// note passes the end of m on. For a digest it is the end of all that it stands for.
func (b *book) note(now time.Time, m *message, outcome, reason string) {
	d := Delivery{AlertID: m.key, Version: m.version, Receiver: b.e.Name, Kind: b.e.Kind, MessageID: m.id, Outcome: outcome, Reason: reason, At: now}
	if m.sum == nil {
		b.noted(d)
		return
	}
	rows := make([]Delivery, 0, len(m.sum.digest.of))
	for _, member := range m.sum.digest.of {
		d.AlertID, d.Version = member.key, member.version
		rows = append(rows, d)
	}
	b.noted(rows...)
}

// state returns how the receiver is doing.
func (b *book) state() State {
	return State{
		Receiver: b.e.Name, Kind: b.e.Kind, Waiting: b.waiting, Held: len(b.held), Collected: b.listed, Standing: b.standing,
		LastSuccess: b.succeeded, LastFailure: b.failed, Failure: b.reason, Failing: b.failures > 0,
	}
}
