package query_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/cmd/scantrail/query/querytest"
)

func chosen(t *testing.T, q *query.Queries, f query.AlertFilter) []query.OpenAlert {
	t.Helper()
	rows, err := q.OpenAlerts(t.Context(), f, 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func one(t *testing.T, q *query.Queries, id string) query.AlertState {
	t.Helper()
	a, err := q.Alert(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestHandle: what people do about an alert, in its order, and sent twice.
func TestHandle(t *testing.T) {
	w := querytest.Start(t)
	q := query.New(w.Rows)
	before := chosen(t, q, query.AlertFilter{State: "waiting", Level: "1"})
	if len(before) < 3 {
		t.Fatalf("%d alerts", len(before))
	}
	id := before[0].ID
	do := func(h query.Handling) {
		t.Helper()
		h.Alerts = []query.HandledAlert{{ID: id, Level: 1}}
		h.By = "Ada"
		if n, err := q.Handle(t.Context(), h); err != nil || n != 1 {
			t.Fatalf("%s: %d, %v", h.Action, n, err)
		}
	}
	at := w.Clock
	do(query.Handling{Form: "a", Action: query.Acknowledged, At: at, Comment: "asked them"})
	do(query.Handling{Form: "a", Action: query.Acknowledged, At: at.Add(time.Second), Comment: "asked them"}) // double click
	do(query.Handling{Form: "b", Action: query.Assigned, At: at.Add(2 * time.Second), Assignee: "Bo"})
	do(query.Handling{Form: "b", Action: query.Snoozed, At: at.Add(3 * time.Second), Until: at.Add(2 * time.Hour), Choice: "2h"})
	a := one(t, q, id)
	if !a.Handled || !a.Snoozed || a.AcknowledgedBy != "Ada" || !a.AcknowledgedAt.Equal(at) || a.Assignee != "Bo" || a.Comments != 1 || a.LastComment != "asked them" {
		t.Errorf("%+v", a)
	}
	if actions, err := q.Handled(t.Context(), id); err != nil || len(actions) != 3 || actions[0].Action != query.Snoozed || actions[2].Comment != "asked them" {
		t.Errorf("%+v, %v", actions, err)
	}
	for state, want := range map[string]bool{"": false, "waiting": false, "handled": false, "snoozed": true, "all": true} {
		got := slices.ContainsFunc(chosen(t, q, query.AlertFilter{State: state}), func(a query.OpenAlert) bool { return a.ID == id })
		if got != want {
			t.Errorf("state %q has it: %v, want %v", state, got, want)
		}
	}
	if got := chosen(t, q, query.AlertFilter{State: "all", Assignee: "Bo"}); len(got) != 1 || got[0].ID != id || got[0].Total != 1 {
		t.Errorf("of Bo: %+v", got)
	}
	do(query.Handling{Form: "c", Action: query.Reopened, At: at.Add(4 * time.Second)})
	if a := one(t, q, id); a.Handled || a.Snoozed || a.SnoozedUntil != nil || a.Assignee != "Bo" {
		t.Errorf("reopened: %+v", a)
	}
	do(query.Handling{Form: "d", Action: query.Assigned, At: at.Add(5 * time.Second)})
	if a := one(t, q, id); a.Assignee != "" {
		t.Errorf("given back: %+v", a)
	}
}

// TestSnoozeEnds: at its time, and when the alert escalates.
func TestSnoozeEnds(t *testing.T) {
	w := querytest.Start(t)
	q := query.New(w.Rows)
	alerts := chosen(t, q, query.AlertFilter{State: "waiting", Level: "2"})
	if len(alerts) < 2 {
		t.Fatalf("%d alerts of level 2", len(alerts))
	}
	escalated, over := alerts[0].ID, alerts[1].ID
	for _, h := range []query.Handling{
		{Form: "e", Alerts: []query.HandledAlert{{ID: escalated, Level: 1}}, At: w.Clock.Add(-time.Hour), Until: w.Clock.Add(time.Hour)},
		{Form: "f", Alerts: []query.HandledAlert{{ID: over, Level: 2}}, At: w.Clock.Add(-time.Hour), Until: w.Clock.Add(-time.Minute)},
	} {
		h.Action = query.Snoozed
		if _, err := q.Handle(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if a := one(t, q, h.Alerts[0].ID); a.Snoozed || a.SnoozedUntil == nil {
			t.Errorf("%s: %+v", h.Form, a)
		}
	}
}

func TestHandleRefuses(t *testing.T) {
	w := querytest.Start(t)
	q := query.New(w.Rows)
	some := []query.HandledAlert{{ID: "00000000-0000-0000-0000-000000000001"}}
	for _, c := range []struct {
		h    query.Handling
		want error
		says string
	}{
		{query.Handling{Action: "dropped", Alerts: some}, query.ErrWrong, "no action"},
		{query.Handling{Action: query.Acknowledged}, query.ErrWrong, "0 alerts"},
		{query.Handling{Action: query.Commented, Alerts: some}, query.ErrWrong, "without words"},
		{query.Handling{Action: query.Snoozed, Alerts: some, At: w.Clock, Until: w.Clock}, query.ErrWrong, "has passed"},
		{query.Handling{Action: query.Acknowledged, Alerts: some}, query.ErrNone, ""},
		{query.Handling{Action: query.Acknowledged, Alerts: []query.HandledAlert{{ID: "') OR 1 --"}}}, query.ErrNone, ""},
	} {
		if n, err := q.Handle(t.Context(), c.h); n != 0 || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %d, %v", c.h, n, err)
		}
	}
	if _, err := q.Alert(t.Context(), "no id"); !errors.Is(err, query.ErrNone) {
		t.Errorf("alert without an id: %v", err)
	}
}

func TestTicket(t *testing.T) {
	w := querytest.Start(t)
	q := query.New(w.Rows)
	lines, err := q.Ticket(t.Context(), query.AlertFilter{Carrier: "cainiao", State: "all"})
	if err != nil || len(lines) < 3 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	seen := map[string]bool{}
	for i, l := range lines {
		if seen[l.OurNumber] || l.Number == "" || l.Alert == "" {
			t.Errorf("line %d: %+v", i, l)
		}
		seen[l.OurNumber] = true
		if i > 0 && l.Silent > lines[i-1].Silent {
			t.Errorf("line %d is silent for longer than the one before", i)
		}
		if !l.LastAt.IsZero() && (l.LastMilestone == "" || l.Ended != (l.Silent == 0) || !l.Ended && l.Silent != w.Clock.Sub(l.LastAt)) {
			t.Errorf("line %d: %+v at %s", i, l, w.Clock)
		}
	}
	for i, f := range []query.AlertFilter{{Carrier: "nobody"}, {Carrier: `x\' OR '1`}} {
		if lines, err := q.Ticket(t.Context(), f); err != nil || len(lines) > 0 {
			t.Errorf("%d: %v, %v", i, lines, err)
		}
	}
}

func TestLettersAndSystem(t *testing.T) {
	w := querytest.Start(t)
	q := query.New(w.Rows)
	groups, err := q.LetterGroups(t.Context())
	if err != nil || len(groups) == 0 {
		t.Fatalf("%v, %v", groups, err)
	}
	letters, err := q.Letters(t.Context(), groups[0].Carrier, groups[0].Reason)
	if err != nil || len(letters) == 0 || letters[0].Raw == "" || groups[0].Records == 0 {
		t.Errorf("%+v, %v", letters, err)
	}
	if parts, err := q.LogPartitions(t.Context()); err != nil || len(parts) != 1 || !parts[0].LastTickAt.Equal(w.Clock) {
		t.Errorf("%+v, %v", parts, err)
	}
	if p, err := q.Policy(t.Context()); err != nil || p.Number != 1 || p.Document == "" {
		t.Errorf("%+v, %v", p, err)
	}
	if gaps, err := q.DataGaps(t.Context()); err != nil || len(gaps) > 5 {
		t.Errorf("%+v, %v", gaps, err)
	}
	if server, files, err := q.Versions(t.Context()); err != nil || server == "" || len(files) < 6 {
		t.Errorf("%s, %v, %v", server, files, err)
	}
	facets, err := q.AlertFacets(t.Context())
	if err != nil || !slices.ContainsFunc(facets, func(f query.AlertFacet) bool { return f.Facet == "rule" && f.Value == "gap_72h" && f.N > 0 }) {
		t.Errorf("%v, %v", facets, err)
	}
	all := chosen(t, q, query.AlertFilter{State: "all"})
	steps, err := q.Transitions(t.Context(), all[0].ID)
	if err != nil || len(steps) == 0 {
		t.Errorf("%v, %v", steps, err)
	}
}
