package console

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
)

// newToken names a form or a job.
func newToken() string {
	var b [12]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// handleAlerts does what a form about alerts asks for, and goes back to its page.
func (c *console) handleAlerts(r *request) error {
	if !r.Caller.MayHandle() {
		return errForbidden
	}
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: the form cannot be read: %w", query.ErrWrong, err)
	}
	h, err := c.handling(r)
	if err != nil {
		return err
	}
	if r.PostForm.Get("scope") == "all" {
		q, err := url.ParseQuery(r.PostForm.Get("query"))
		if err != nil {
			return fmt.Errorf("%w: the filter of the form: %w", query.ErrWrong, err)
		}
		if h.Alerts, err = c.queries.ChosenAlerts(r.Context(), alertFilter(q.Get)); err != nil {
			return err
		}
	} else {
		h.Alerts = markedAlerts(r.PostForm["alert"])
	}
	if len(h.Alerts) == 0 {
		return r.redirect(back(r.PostForm.Get("back"), "nothing", 0))
	}
	n, err := c.queries.Handle(r.Context(), h)
	if err != nil {
		return err
	}
	c.log.Info("alerts handled", "action", h.Action, "alerts", n, "by", h.By)
	return r.redirect(back(r.PostForm.Get("back"), h.Action, n))
}

// handling reads the action of a form.
func (c *console) handling(r *request) (query.Handling, error) {
	field := func(name string, n int) string { return Cut(n, strings.TrimSpace(Clean(r.PostForm.Get(name)))) }
	h := query.Handling{Form: field("token", 64), Action: field("action", 20), By: r.Caller.Name, Assignee: field("assignee", 100),
		Comment: field("comment", 2000), At: c.Now()}
	if h.Form == "" {
		h.Form = newToken()
	}
	if h.Action == "mine" {
		h.Action, h.Assignee = query.Assigned, r.Caller.Name
	}
	if h.Action == query.Snoozed {
		h.Choice = field("snooze", 20)
		var err error
		if h.Until, err = c.snoozeUntil(h.Choice, field("until", 40)); err != nil {
			return h, err
		}
		h.Choice += " " + field("until", 40)
	}
	return h, nil
}

// snoozeUntil is the time that a form means by its choice.
func (c *console) snoozeUntil(choice, typed string) (time.Time, error) {
	now := c.now()
	switch choice {
	case "2h":
		return now.Add(2 * time.Hour), nil
	case "tomorrow":
		return tomorrow(now), nil
	case "custom":
		at, err := time.ParseInLocation(dateTimeLocal, typed, now.Location())
		if err != nil || at.After(now.AddDate(1, 0, 0)) {
			return at, fmt.Errorf("%w: snoozed until %q: want a time within a year, such as %s", query.ErrWrong, Cut(40, typed), now.Add(time.Hour).Format(dateTimeLocal))
		}
		return at, nil
	}
	return now, fmt.Errorf("%w: snoozed for how long? %q is none of 2h, tomorrow, custom", query.ErrWrong, Cut(40, choice))
}

// markedAlerts reads the marked boxes, id:level.
func markedAlerts(marked []string) []query.HandledAlert {
	var all []query.HandledAlert
	for _, m := range marked[:min(len(marked), query.MaxHandled)] {
		id, level, _ := strings.Cut(m, ":")
		n, err := strconv.ParseUint(level, 10, 8)
		if err == nil && !slices.ContainsFunc(all, func(a query.HandledAlert) bool { return a.ID == id }) {
			all = append(all, query.HandledAlert{ID: id, Level: uint8(n)})
		}
	}
	return all
}

// back is a page of alerts that says what was done. Nothing else can be gone to.
func back(to, done string, n int) string {
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" || u.Path != "/alerts" && !strings.HasPrefix(u.Path, "/alerts/") {
		u = &url.URL{Path: "/alerts"}
	}
	q := u.Query()
	q.Set("done", done)
	q.Set("n", strconv.Itoa(n))
	return (&url.URL{Path: u.Path, RawQuery: q.Encode()}).String()
}

// doneText says what was done on the way here.
func (r *request) doneText() string {
	n, err := strconv.Atoi(r.param("n"))
	if key := "alerts.done." + r.param("done"); err == nil && r.Has(key) {
		return r.Get(key, n)
	}
	return ""
}
