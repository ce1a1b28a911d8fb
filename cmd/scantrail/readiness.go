package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"scantrail/sink"
)

// Readiness says whether this process does its share now: each of its roles runs
// and is in its group, what it owns is restored and its clock moves, and the
// servers that the roles need answer, with the tables of this release. What only
// grows worse slowly, or is the same in every process, is for alerts instead
// (deploy/alerts.yml): lag, dead letters, webhooks that do not answer, time that
// waits for raw records. Restarting a process that is not ready mends nothing:
// that is why /healthz says less.

// check is one thing that must hold, as /readyz?verbose shows it.
type check struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"` // that need it
	OK    bool     `json:"ok"`
	Error string   `json:"error,omitempty"`

	err error
}

// checkTime bounds all questions of one look together.
const checkTime = 2 * time.Second

// readiness is what a pipeline's roles tell of themselves while they run.
type readiness struct {
	running  *prometheus.GaugeVec   // by role
	failures *prometheus.CounterVec // by role

	mu   sync.Mutex
	up   map[string]error        // role -> nil while it runs, else why it does not
	more map[string]func() error // role -> what must hold besides
}

func newReadiness(reg prometheus.Registerer) *readiness {
	r := &readiness{
		running:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "scantrail_role_up", Help: "1 while the role runs in this process, 0 while it waits to be started again."}, []string{"role"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scantrail_role_failures_total", Help: "Failures of roles, after each of which the role starts again from its last commit."}, []string{"role"}),
		up:       map[string]error{}, more: map[string]func() error{},
	}
	reg.MustRegister(r.running, r.failures)
	return r
}

// set notes that a role runs, or why it does not.
func (r *readiness) set(role string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up[role] = err
	r.running.WithLabelValues(role).Set(0)
	if err == nil {
		r.running.WithLabelValues(role).Set(1)
	}
	if failures := r.failures.WithLabelValues(role); err != nil && err != errStarting {
		failures.Inc()
	}
}

// ask has these asked for a role that runs, instead of what was before.
func (r *readiness) ask(role string, checks ...func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more[role] = func() error {
		for _, holds := range checks {
			if err := holds(); err != nil {
				return err
			}
		}
		return nil
	}
}

// partOf names the role of --role that brings others with it.
func partOf(role string) string {
	switch role {
	case "lanes", "shops":
		return "sink"
	case "ticker":
		return "ingest"
	}
	return role
}

// checks returns one for each role, in the order of their names.
func (r *readiness) checks() []check {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []check
	for role, err := range r.up {
		if more := r.more[role]; err == nil && more != nil {
			err = more()
		}
		all = append(all, check{Name: role, Roles: []string{partOf(role)}, err: err})
	}
	slices.SortFunc(all, func(a, b check) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// member is a role that belongs to a consumer group.
type member interface{ Joined() bool }

var errApart = errors.New("not in its consumer group yet")

func joined(m member) func() error {
	return func() error {
		if !m.Joined() {
			return errApart
		}
		return nil
	}
}

// ticking returns why the ticker of this process writes no ticks. Time stands
// still without them, unless another process writes some.
func (p *pipeline) ticking() error {
	limit := max(time.Minute, 6*p.o.TickEvery)
	written := p.ticker.Written()
	if written.IsZero() {
		return errors.New("no tick written yet")
	}
	if age := p.o.Now().Sub(written); age > limit {
		return fmt.Errorf("no tick written for %s: may this user write parcel.events?", age.Round(time.Second))
	}
	return nil
}

// clickHouseRoles need ClickHouse for what they do; the others go on without it.
func (p *pipeline) clickHouseRoles() (roles []string) {
	for _, role := range []string{"sink", "detect", webRole} {
		if p.runs(role) {
			roles = append(roles, role)
		}
	}
	return roles
}

// Checks looks at everything that must hold.
func (p *pipeline) Checks(ctx context.Context) []check {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	servers := []check{{Name: "kafka", Roles: p.o.Roles}}
	needs := p.clickHouseRoles()
	if len(needs) > 0 {
		servers = append(servers, check{Name: "clickhouse", Roles: needs}, check{Name: "schema", Roles: needs})
	}
	var wg sync.WaitGroup
	wg.Go(func() { servers[0].err = p.kafka.Ping(ctx) })
	if len(needs) > 0 {
		wg.Go(func() {
			if servers[1].err = p.rows.Ping(ctx); servers[1].err != nil {
				servers[2].err = errors.New("not looked at: ClickHouse does not answer")
				return
			}
			servers[2].err = sink.Verify(ctx, p.rows, p.o.ClickHouse.Cluster)
		})
	}
	all := p.checks()
	if len(all) == 0 {
		all = []check{{Name: "start", Roles: p.o.Roles, err: errStarting}}
	}
	wg.Wait()
	all = append(all, servers...)
	for i := range all {
		if all[i].OK = all[i].err == nil; !all[i].OK {
			all[i].Error = strings.ToValidUTF8(all[i].err.Error(), "?")
		}
	}
	return all
}

// Ready returns nil when every check holds.
func (p *pipeline) Ready(ctx context.Context) error {
	var errs []error
	for _, c := range p.Checks(ctx) {
		if !c.OK {
			errs = append(errs, fmt.Errorf("%s: %w", c.Name, c.err))
		}
	}
	return errors.Join(errs...)
}
