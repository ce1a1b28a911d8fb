package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// answerOf asks a handler for /readyz.
func answerOf(h http.Handler, query, accept string) (status int, body string) {
	r := httptest.NewRequest(http.MethodGet, "/readyz"+query, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestReadyz(t *testing.T) {
	good := check{Name: "kafka", Roles: []string{"ingest", "sink"}, OK: true}
	bad := check{Name: "clickhouse", Roles: []string{"sink"}, Error: "does not answer"}
	looks := 0
	h := &readyHandler{checks: func(context.Context) []check { looks++; return []check{good, bad} }}
	for _, c := range []struct {
		query, accept string
		status        int
		body          string
	}{
		{"", "", 503, "not ready: clickhouse: does not answer\n"},
		{"?verbose", "*/*", 503, "ok      kafka\nfailed  clickhouse: does not answer\nnot ready: clickhouse: does not answer\n"},
		{"?role=ingest", "", 200, "ready\n"},
		{"?role=ingest,sink", "", 503, "not ready: clickhouse: does not answer\n"},
		{"?check=kafka&verbose", "", 200, "ok      kafka\nready\n"},
		{"?check=kafka", "application/json", 200, `{"ready":true,"checks":[{"name":"kafka","roles":["ingest","sink"],"ok":true}]}` + "\n"},
		{"", "text/html, application/json;q=0.9", 503, `{"ready":false,"checks":[{"name":"kafka","roles":["ingest","sink"],"ok":true},` +
			`{"name":"clickhouse","roles":["sink"],"ok":false,"error":"does not answer"}]}` + "\n"},
		{"?role=nobody", "", 503, "not ready: this process has none of what was asked for\n"},
	} {
		status, body := answerOf(h, c.query, c.accept)
		if status != c.status || body != c.body {
			t.Errorf("%s, Accept %q: %d %q, want %d %q", c.query, c.accept, status, body, c.status, c.body)
		}
	}
	if looks != 1 {
		t.Errorf("Kafka and ClickHouse were asked %d times within a second", looks)
	}
	h.at = time.Now().Add(-2 * readyKeep)
	if answerOf(h, "", ""); looks != 2 {
		t.Errorf("after a while they were asked %d times, want 2", looks)
	}
}

// TestReadyLooksAtEverything takes away one after the other what a process with
// every role needs.
func TestReadyLooksAtEverything(t *testing.T) {
	r := newRigOn(t, newFakeBroker(t), everyRole(t))
	r.topic("yunexpress")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.pipeline.Ready(ctx); err == nil || !strings.Contains(err.Error(), "start: starting") {
		t.Errorf("before it runs: %v", err)
	}
	r.start()
	h := &readyHandler{checks: r.pipeline.Checks}
	// failing returns the names of the checks that do not hold.
	failing := func() string {
		h.last = nil
		_, body := answerOf(h, "", "application/json")
		var a struct {
			Ready  bool
			Checks []check
		}
		if err := json.Unmarshal([]byte(body), &a); err != nil || len(a.Checks) < 4 {
			t.Fatalf("%v: %s", err, body)
		}
		var names []string
		for _, c := range a.Checks {
			if !c.OK {
				names = append(names, c.Name)
			}
		}
		if a.Ready != (len(names) == 0) {
			t.Errorf("ready: %t, while %v fail", a.Ready, names)
		}
		return strings.Join(names, " ")
	}
	becomes := func(what, want string) {
		t.Helper()
		untilTrue(t, ctx, what+": "+want, func() bool { return failing() == want })
	}
	becomes("everything is there", "")
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "PICKED_UP"))
	r.settle()

	rename := func(from, to string) {
		if err := r.pipeline.rows.Exec(ctx, "RENAME TABLE "+from+" TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("schema_migrations", "elsewhere")
	becomes("nobody knows what was migrated", "schema")
	rename("elsewhere", "schema_migrations")
	becomes("known again", "")

	r.proxy.Cut()
	becomes("ClickHouse is away", "clickhouse schema")
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "FIRST_MILE_ARRIVE"))
	becomes("and has rows to take", "raw sink clickhouse schema")
	if status, body := answerOf(h, "?check=kafka,ingest", ""); status != 200 {
		t.Errorf("for who sends records: %d %s", status, body)
	}
	r.proxy.Mend()
	becomes("ClickHouse is back", "")
}

// TestTicking looks at the ticker's own clock: a tick's time may stay behind.
func TestTicking(t *testing.T) {
	r := newRig(t)
	p := r.pipeline
	p.o.TickEvery = 5 * time.Second
	if err := p.ticking(); err == nil || !strings.Contains(err.Error(), "no tick written yet") {
		t.Errorf("before the first tick: %v", err)
	}
	if err := p.ticker.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.ticking(); err != nil {
		t.Error(err)
	}
	r.now.Add((61 * time.Second).Milliseconds())
	if err := p.ticking(); err == nil || !strings.Contains(err.Error(), "no tick written for 1m1s") {
		t.Errorf("a minute later: %v", err)
	}
}

func TestRoleReadiness(t *testing.T) {
	r := newReadiness(prometheus.NewRegistry())
	r.set("detect", errStarting)
	r.ask("detect", func() error { return nil }, func() error { return errors.New("restoring") })
	look := func() string { return fmt.Sprint(r.checks()[0].err) }
	if look() != "starting" {
		t.Errorf("a role that does not run yet: %s", look())
	}
	r.set("detect", nil)
	if look() != "restoring" {
		t.Errorf("a role that runs is asked for more: %s", look())
	}
	r.set("lanes", errors.New("broken"))
	if c := r.checks()[1]; c.Name != "lanes" || c.Roles[0] != "sink" {
		t.Errorf("%+v: a part of the role sink", c)
	}
}
