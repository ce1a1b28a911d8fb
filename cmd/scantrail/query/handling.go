package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"scantrail/schemas"
)

// What people do about alerts.
const (
	Acknowledged = "acknowledged"
	Assigned     = "assigned"
	Snoozed      = "snoozed"
	Commented    = "commented"
	Reopened     = "reopened"
)

// MaxHandled bounds the alerts of one action.
const MaxHandled = 1000

// maxComment bounds what is kept of a comment, in bytes.
const maxComment = 4000

// HandledAlert is an alert as somebody saw it.
type HandledAlert struct {
	ID    string `ch:"id"`
	Level uint8  `ch:"level"`
}

// Handling is one action on some alerts.
type Handling struct {
	Form     string // token of the form: sent twice, the action counts once
	Action   string
	Alerts   []HandledAlert
	By       string
	Assignee string    // of Assigned; empty: nobody any more
	Until    time.Time // of Snoozed
	Choice   string    // of Snoozed: what the form said, such as 2h
	Comment  string
	At       time.Time
}

// check returns an error that says what the action lacks.
func (h *Handling) check() error {
	switch h.Action {
	case Acknowledged, Assigned, Reopened:
	case Commented:
		if h.Comment == "" {
			return fmt.Errorf("handling: %w: a comment without words", ErrWrong)
		}
	case Snoozed:
		if !h.Until.After(h.At) {
			return fmt.Errorf("handling: %w: snoozed until %s, which has passed", ErrWrong, h.Until.UTC().Format(time.DateTime))
		}
	default:
		return fmt.Errorf("handling: %w: no action %q", ErrWrong, h.Action)
	}
	if len(h.Alerts) == 0 || len(h.Alerts) > MaxHandled {
		return fmt.Errorf("handling: %w: %d alerts, want 1 to %d", ErrWrong, len(h.Alerts), MaxHandled)
	}
	return nil
}

// actionID names the action by the form and what it said: the same form sent with
// another answer, after the browser's way back, is another action.
func (h *Handling) actionID() schemas.ID {
	return schemas.Hash([]byte(strings.Join([]string{h.Form, h.By, h.Action, h.Assignee, h.Choice, h.Comment}, "\x00")))
}

// Handle keeps an action, for each of its alerts that there is; ErrNone without
// any. Repeating it, after an error too, changes nothing. n is how many there are.
func (q *Queries) Handle(ctx context.Context, h Handling) (n int, err error) {
	h.Comment = cutBytes(h.Comment, maxComment)
	if err := h.check(); err != nil {
		return 0, err
	}
	there, err := q.alertsThere(ctx, h.Alerts)
	if err != nil {
		return 0, err
	}
	h.Alerts = slices.DeleteFunc(slices.Clone(h.Alerts), func(a HandledAlert) bool { return !there[a.ID] })
	if len(h.Alerts) == 0 {
		return 0, fmt.Errorf("handling: these alerts: %w", ErrNone)
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	for attempt := 0; ; attempt++ { // the same rows again: what was written already collapses
		err := q.insertHandling(ctx, &h)
		if err == nil {
			return len(h.Alerts), nil
		}
		if attempt == 2 || ctx.Err() != nil {
			return 0, wrap("keeping what was done about alerts", err)
		}
	}
}

// insertHandling writes all rows as one block.
func (q *Queries) insertHandling(ctx context.Context, h *Handling) error {
	batch, err := q.conn.PrepareBatch(ctx, "INSERT INTO alert_handling (alert_id, action_id, rank, at, action, level, `by`, assignee, `until`, comment)")
	if err != nil {
		return err
	}
	defer batch.Close() //nolint:errcheck // Send says it
	id, rank := h.actionID().String(), math.MaxUint64-uint64(h.At.UnixMilli())
	var until *time.Time
	if h.Action == Snoozed {
		until = &h.Until
	}
	assignee := ""
	if h.Action == Assigned {
		assignee = h.Assignee
	}
	for _, a := range h.Alerts {
		if err := batch.Append(a.ID, id, rank, h.At, h.Action, a.Level, h.By, assignee, until, h.Comment); err != nil {
			return err
		}
	}
	return batch.Send()
}

// alertsThere says which alerts exist. An id that is none is not there.
func (q *Queries) alertsThere(ctx context.Context, alerts []HandledAlert) (map[string]bool, error) {
	var ids []string
	for _, a := range alerts {
		if id := new(schemas.ID); id.UnmarshalText([]byte(a.ID)) == nil {
			ids = append(ids, id.String())
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	const sql = `SELECT DISTINCT toString(alert_id) AS id FROM alerts WHERE alert_id IN @ids LIMIT 1000`
	rows, err := selectAll[struct {
		ID string `ch:"id"`
	}](ctx, q, "alerts to handle", sql, clickhouse.Named("ids", ids))
	there := map[string]bool{}
	for _, r := range rows {
		there[r.ID] = true
	}
	return there, err
}

// Action is a row of what was done about an alert.
type Action struct {
	At       time.Time  `ch:"at"`
	Action   string     `ch:"action"`
	Level    uint8      `ch:"level"`
	By       string     `ch:"by"`
	Assignee string     `ch:"assignee"`
	Until    *time.Time `ch:"until"`
	Comment  string     `ch:"comment"`
}

// Handled returns what was done about an alert, the latest first.
func (q *Queries) Handled(ctx context.Context, alert string) ([]Action, error) {
	const sql = "SELECT at, action, level, `by`, assignee, `until`, comment FROM alert_handling FINAL WHERE alert_id = toUUIDOrZero(@id) ORDER BY at DESC, action_id LIMIT 200"
	return selectAll[Action](ctx, q, "what was done about an alert", sql, clickhouse.Named("id", alert))
}

// Delivery is what became of the messages about an alert at one receiver.
type Delivery struct {
	Receiver  string    `ch:"receiver"`
	Kind      string    `ch:"receiver_kind"`
	Delivered uint64    `ch:"delivered_messages"`
	Outcome   string    `ch:"told_outcome"` // of the latest transition
	Reason    string    `ch:"told_reason"`
	At        time.Time `ch:"told_at"`
}

// Deliveries returns what became of the messages about an alert.
func (q *Queries) Deliveries(ctx context.Context, alert string) ([]Delivery, error) {
	const sql = `SELECT receiver, receiver_kind, delivered_messages, told_outcome, told_reason, told_at FROM alert_deliveries_current
WHERE alert_id = toUUIDOrZero(@id) ORDER BY receiver LIMIT 100`
	return selectAll[Delivery](ctx, q, "messages about an alert", sql, clickhouse.Named("id", alert))
}

// cutBytes cuts between two characters.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
