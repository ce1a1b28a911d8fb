package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/encoding/json"
)

// readyHandler answers /readyz: 200 when every check holds, else 503.
//
//	/readyz                 one line, and why not
//	/readyz?verbose         one line for each check; as JSON for Accept: application/json
//	/readyz?role=ingest     only what these roles need
//	/readyz?check=kafka,web only these checks, for a balancer in front of one part
type readyHandler struct {
	checks func(context.Context) []check

	mu   sync.Mutex // one look at a time, whoever asks
	at   time.Time
	last []check
}

// readyKeep is how long an answer is given again: nobody may make Kafka and
// ClickHouse work by asking often.
const readyKeep = time.Second

func (h *readyHandler) look(ctx context.Context) []check {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil || time.Since(h.at) > readyKeep {
		// Whoever asked may go away, and the next one is given the answer.
		h.last, h.at = h.checks(context.WithoutCancel(ctx)), time.Now()
	}
	return slices.Clone(h.last)
}

func (h *readyHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	checks := h.look(r.Context())
	if checks = only(checks, query.Get("role"), query.Get("check")); len(checks) == 0 {
		http.Error(w, "not ready: this process has none of what was asked for", http.StatusServiceUnavailable)
		return
	}
	failed := slices.DeleteFunc(slices.Clone(checks), func(c check) bool { return c.OK })
	status := http.StatusOK
	if len(failed) > 0 {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(struct { //nolint:errcheck // the client went away
			Ready  bool    `json:"ready"`
			Checks []check `json:"checks"`
		}{len(failed) == 0, checks})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, readyText(checks, failed, query.Has("verbose")))
}

// only keeps the checks of some roles and of some names, separated by commas;
// empty: of all.
func only(checks []check, roles, names string) []check {
	return slices.DeleteFunc(checks, func(c check) bool {
		isOf := func(role string) bool { return slices.Contains(strings.Split(roles, ","), role) }
		return roles != "" && !slices.ContainsFunc(c.Roles, isOf) || names != "" && !slices.Contains(strings.Split(names, ","), c.Name)
	})
}

// readyText is for people, and for kubelets that put it into their events.
func readyText(checks, failed []check, verbose bool) string {
	var b strings.Builder
	if verbose {
		for _, c := range checks {
			if c.OK {
				fmt.Fprintf(&b, "ok      %s\n", c.Name)
			} else {
				fmt.Fprintf(&b, "failed  %s: %s\n", c.Name, c.Error)
			}
		}
	}
	if len(failed) == 0 {
		b.WriteString("ready\n")
		return b.String()
	}
	b.WriteString("not ready: ")
	for i, c := range failed {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(c.Name + ": " + c.Error)
	}
	b.WriteString("\n")
	return b.String()
}
