package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/sink"
)

// metric is what a registry knows of one metric.
type metric struct {
	name, help string
	kind       string // counter, gauge, histogram; empty while there is no value of it
	labels     []string
}

var (
	descText   = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), unit: "[^"]*", constLabels: \{\}, variableLabels: \{(.*)\}\}$`)
	metricUnit = regexp.MustCompile(`_(seconds|bytes)(?:_total)?$`)
)

// fromLibraries are metrics of the client library, which documents them itself.
func fromLibraries(name string) bool {
	return strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
}

// metricsOf lists what the registry of a pipeline describes, by name: also what
// has no value yet, whose kind is then empty.
func metricsOf(t *testing.T, reg *prometheus.Registry) map[string]*metric {
	t.Helper()
	descs := make(chan *prometheus.Desc)
	go func() { reg.Describe(descs); close(descs) }()
	all := map[string]*metric{}
	for d := range descs {
		if strings.HasPrefix(d.String(), `Desc{fqName: "go_`) {
			continue
		}
		m := descText.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s: cannot be read, or has a constant label", d)
		}
		found := &metric{name: strings.Trim(m[1], `"`), help: strings.ReplaceAll(strings.Trim(m[2], `"`), `\"`, `"`)}
		if m[3] != "" {
			found.labels = strings.Split(m[3], ",")
		}
		if !fromLibraries(found.name) {
			all[found.name] = found
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if m := all[f.GetName()]; m != nil {
			m.kind = strings.ToLower(f.GetType().String())
		} else if !fromLibraries(f.GetName()) {
			t.Errorf("%s is gathered and not described", f.GetName())
		}
	}
	return all
}

// everyRole is a tweak of a rig: all roles, one receiver that does not answer.
func everyRole(t *testing.T) func(*pipelineOptions) {
	return func(o *pipelineOptions) {
		c := DefaultConfig().Web
		c.Listen = "127.0.0.1:0"
		var err error
		if o.Web, err = c.listen(o.Log); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(o.Web.Close)
		o.Roles = append(slices.Clone(roleNames), rawRole)
		o.Raw = rawOptions{ClickHouse: o.ClickHouse, Days: sink.DefaultRawDays, FlushEvery: 20 * time.Millisecond}
		t.Setenv("SCANTRAIL_TEST_HOOK", "whsec_"+strings.Repeat("c2Vj", 11))
		cfg, err := ParseConfig("scantrail.yaml", []byte("notify: {webhooks: [{name: ops, url: 'http://127.0.0.1:1/', insecure_http: true, secrets: ['env:SCANTRAIL_TEST_HOOK']}]}"))
		if err != nil {
			t.Fatal(err)
		}
		if o.Notify, err = cfg.Notify.options(o.Log); err != nil {
			t.Fatal(err)
		}
	}
}

// registryOfAll is that of a pipeline that has every role and does not run.
func registryOfAll(t *testing.T) *prometheus.Registry {
	t.Helper()
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	o, err := runOptions(cfg, "all", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o.Carriers = registry
	everyRole(t)(&o)
	p, err := newPipeline(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p.registry
}

const metricsPage = "deploy/METRICS.md"

// labelValues says from which closed or bounded set the values of a label come.
// A label that is not here must not be: its values may be anybody's.
func labelValues(t *testing.T) map[string]func(value string) bool {
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	among := func(lists ...[]string) func(string) bool {
		all := slices.Concat(lists...)
		return func(v string) bool { return slices.Contains(all, v) }
	}
	reasons := append([]string{"unreadable", "rejected", "expired", "over", "limit", "full",
		"host", "origin", "token", "role", "rate", "busy", "proxy", "connections"}, orderReasons()...)
	for _, r := range carriers.Reasons() {
		reasons = append(reasons, string(r))
	}
	var statuses []string
	for s := schemas.AlertAtRisk; s <= schemas.AlertWithdrawn; s++ {
		statuses = append(statuses, s.String())
	}
	return map[string]func(string) bool{
		"carrier": among(registry.Names(), []string{"other", schemas.OrdersTopic}),
		"reason":  among(reasons),
		"rule":    among(schemas.Rules()),
		"status":  among(statuses),
		"topic":   among([]string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic, "scans.raw"}),
		"table":   regexp.MustCompile(`^[a-z_]+$`).MatchString, // compared with the schema by TestMetricsPage
		"kind": among([]string{"hole", "undecodable", "raw_copy", "scans", "orders", "aliases", "ticks", "ranges", "controls",
			"voids", "handovers", "rebuilds", "feeds", "forwarded", "unknown", "holes"}),
		"receiver": among([]string{"ops"}),
		"surface":  among([]string{"console", "api", "push", "login"}),
		"code":     among([]string{"2xx", "3xx", "4xx", "5xx"}),
		"outcome": among([]string{"accepted", "empty", "unknown", "unverified", "forbidden", "unreadable", "too_large", "unsupported",
			"limited", "full", "slow", "failed", "stopping", "gone"}),
		"role": among(roleNames, []string{rawRole, "ticker", "lanes", "shops"}),
	}
}

func orderReasons() []string {
	return []string{schemas.ReasonNotJSON, schemas.ReasonTooLarge, schemas.ReasonUnknownField, schemas.ReasonDuplicate, schemas.ReasonType,
		schemas.ReasonMissing, schemas.ReasonTime, schemas.ReasonCountry, schemas.ReasonNumber, schemas.ReasonValue}
}

// TestMetricsPage holds deploy/METRICS.md to the registry of a whole pipeline that
// has worked, also on what hostile senders write. After a wanted change:
// go test ./cmd/scantrail -run TestMetricsPage -update, then write when to worry.
func TestMetricsPage(t *testing.T) {
	r := newRigOn(t, newFakeBroker(t), everyRole(t))
	r.start()
	r.topic("yunexpress")
	r.topic("nobody-knows-this-one")
	r.send("yunexpress", fmt.Appendf(nil, goodScan, "PICKED_UP"))
	r.send("yunexpress", []byte("{\xff"))
	r.send("nobody-knows-this-one", []byte(`{"<script>": 1}`))
	hostile := &kgo.Record{Topic: schemas.RawTopicPrefix + "yunexpress", Value: []byte("[[["),
		Headers: []kgo.RecordHeader{{Key: schemas.CarrierHeader, Value: []byte("made-up-carrier")}}}
	bad := &kgo.Record{Topic: schemas.OrdersTopic, Value: []byte(`{"order_id":`)}
	if err := r.producer.ProduceSync(t.Context(), hostile, bad).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.settle()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	untilTrue(t, ctx, "the raw copy has written", func() bool {
		n, err := groupLag(ctx, kadm.NewClient(r.producer), schemas.RawGroup, []string{schemas.RawTopicPrefix + "yunexpress"})
		return err == nil && n == 0
	})
	if resp, err := http.Get(r.pipeline.o.Web.URL() + "/<script>?lang=xx"); err != nil {
		t.Error(err)
	} else {
		resp.Body.Close() //nolint:errcheck // of a test
	}
	all := metricsOf(t, r.pipeline.registry)
	families, err := r.pipeline.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if n := r.pipeline.value("scantrail_ingest_dead_letters_total", "other"); n != 2 {
		t.Errorf("%v dead letters of carriers that no mapping knows, want 2", n)
	}
	checkLabels(t, r, families)
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !fromLibraries(p.Metric) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	checkMetricsPage(t, all)
}

// checkLabels looks at every value of every label.
func checkLabels(t *testing.T, r *rig, families []*dto.MetricFamily) {
	t.Helper()
	values := labelValues(t)
	for _, f := range families {
		if fromLibraries(f.GetName()) {
			continue
		}
		if n := len(f.GetMetric()); n > 500 {
			t.Errorf("%s has %d series", f.GetName(), n)
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				allowed := values[l.GetName()]
				if allowed == nil {
					t.Errorf("%s: the values of label %s come from no known set; say in labelValues from which", f.GetName(), l.GetName())
				} else if !allowed(l.GetValue()) {
					t.Errorf("%s: %s=%q is none of the values of that label", f.GetName(), l.GetName(), l.GetValue())
				}
				if l.GetName() == "table" && one[uint64](r, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = ?", l.GetValue()) != 1 {
					t.Errorf("%s: there is no table %s", f.GetName(), l.GetValue())
				}
			}
		}
	}
}

var metricRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (.*)\\|\n")

// checkMetricsPage compares the table, and writes it anew with -update; what
// stands in the last column is kept.
func checkMetricsPage(t *testing.T, all map[string]*metric) {
	t.Helper()
	path := filepath.Join(repoRoot, metricsPage)
	page := string(readRepo(t, path))
	rows, worries := map[string]string{}, map[string]string{}
	for _, m := range metricRow.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "scantrail_") {
			continue // of another table
		}
		cells := strings.Split(strings.TrimSuffix(m[2], " "), " | ")
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s has two rows for %s", metricsPage, m[1])
		}
		rows[m[1]], worries[m[1]] = strings.Join(cells[:len(cells)-1], " | "), cells[len(cells)-1]
	}
	var table strings.Builder
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		want := all[name].row(t)
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", name, want, worries[name])
		switch {
		case *updateGuide:
		case rows[name] == "":
			t.Errorf("%s has no row for %s", metricsPage, name)
		case rows[name] != want:
			t.Errorf("%s says of %s\n%s\nwant\n%s", metricsPage, name, rows[name], want)
		case strings.TrimSpace(worries[name]) == "":
			t.Errorf("%s does not say when to worry about %s; write \"-\" if never", metricsPage, name)
		}
		delete(rows, name)
	}
	for name := range rows {
		if !*updateGuide {
			t.Errorf("%s has a row for %s, which no role registers", metricsPage, name)
		}
	}
	for label := range labelValues(t) {
		if !regexp.MustCompile("(?m)^\\| .*`" + label + "`.* \\|").MatchString(page) {
			t.Errorf("%s does not say where the values of label %s come from", metricsPage, label)
		}
	}
	if *updateGuide {
		const head = "| metric | type | labels | unit | meaning | worry when |\n| --- | --- | --- | --- | --- | --- |\n"
		from := strings.Index(page, head) + len(head)
		to := from + strings.Index(page[from:]+"\n\n", "\n\n") + 1
		if err := os.WriteFile(path, []byte(page[:from]+table.String()+page[min(to, len(page)):]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// row is what the page says of a metric, but for when to worry.
func (m *metric) row(t *testing.T) string {
	t.Helper()
	kind := m.kind
	switch isTotal := strings.HasSuffix(m.name, "_total"); {
	case kind == "" && isTotal:
		kind = "counter" // of which there is no value yet
	case kind == "" || isTotal != (kind == "counter"):
		t.Errorf("%s is a %q: only counters end in _total, and everything else has a value from the start", m.name, kind)
	}
	labels := "-"
	if len(m.labels) > 0 {
		labels = "`" + strings.Join(m.labels, "`, `") + "`"
	}
	unit := "count"
	if u := metricUnit.FindStringSubmatch(m.name); u != nil {
		unit = u[1]
	}
	return strings.Join([]string{kind, labels, unit, m.help}, " | ")
}
