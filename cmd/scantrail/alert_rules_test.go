package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// ruleFile is what we use of Prometheus's format.
type ruleFile struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func alertRules(t *testing.T) ruleFile {
	t.Helper()
	var rules ruleFile
	if err := yaml.UnmarshalWithOptions(readRepo(t, filepath.Join(repoRoot, "deploy/alerts.yml")), &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return rules
}

// A PromQL expression is read here no deeper than this: names of metrics with
// their matchers, and the labels that by, on, without and ignoring name. Prometheus's
// own parser comes with its whole module; that the expression is one, promtool says.
var (
	promString    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\$[a-z_]+|\$\{[^}]*\}`)
	promMetric    = regexp.MustCompile(`\b((?:scantrail|process|go|promhttp)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?`)
	promMatcher   = regexp.MustCompile(`([a-zA-Z_]+)\s*(?:=~|!~|!=|=)`)
	promGrouping  = regexp.MustCompile(`\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	histogramPart = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// scraped are the labels that Prometheus adds when it scrapes.
func scraped() []string { return []string{"instance", "job"} }

// promProblems says which names of an expression no registry knows.
func promProblems(known map[string]*metric, expr string) (problems []string) {
	used := scraped()
	for _, m := range promMetric.FindAllStringSubmatch(expr, -1) {
		name, labels := m[1], scraped()
		if name != "up" {
			found := known[name]
			if base := histogramPart.ReplaceAllString(name, ""); found == nil && known[base] != nil && known[base].kind == "histogram" {
				found = known[base]
				labels = append(labels, "le")
			}
			if found == nil {
				problems = append(problems, "there is no metric "+name)
				continue
			}
			if found.kind == "histogram" && found.name == name {
				problems = append(problems, name+" is a histogram: it has _bucket, _sum and _count")
			}
			labels = append(labels, found.labels...)
		}
		for _, l := range promMatcher.FindAllStringSubmatch(promString.ReplaceAllString(m[2], `""`), -1) {
			if !slices.Contains(labels, l[1]) {
				problems = append(problems, fmt.Sprintf("%s has no label %s", name, l[1]))
			}
		}
		used = append(used, labels...)
	}
	for _, g := range promGrouping.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(used, l) {
				problems = append(problems, "no metric of the expression has the label "+l)
			}
		}
	}
	return problems
}

// knownMetrics are those of a pipeline with every role, and those of the client
// library that it serves beside them.
func knownMetrics(t *testing.T) map[string]*metric {
	t.Helper()
	reg := registryOfAll(t)
	all := metricsOf(t, reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if fromLibraries(f.GetName()) {
			m := &metric{name: f.GetName(), kind: strings.ToLower(f.GetType().String())}
			if m.kind == "summary" {
				m.labels = []string{"quantile"}
			}
			all[f.GetName()] = m
		}
	}
	return all
}

func TestPromProblems(t *testing.T) {
	known := knownMetrics(t)
	for _, c := range []struct{ expr, want string }{
		{`sum by (carrier) (rate(scantrail_ingest_events_total{carrier!="other"}[5m])) > 0.5`, ""},
		{`histogram_quantile(0.99, sum by (le) (rate(scantrail_detector_alert_delay_seconds_bucket[5m])))`, ""},
		{`up{job="scantrail"} == 0 and on (instance) scantrail_role_up{role="sink"} == 0`, ""},
		{`process_start_time_seconds{job="{scantrail}"}`, ""},
		{`scantrail_ingest_evnts_total`, "there is no metric scantrail_ingest_evnts_total"},
		{`scantrail_ingest_events_total{rule="x"}`, "scantrail_ingest_events_total has no label rule"},
		{`sum by (rule) (scantrail_ingest_events_total)`, "no metric of the expression has the label rule"},
		{`scantrail_detector_alert_delay_seconds > 1`, "scantrail_detector_alert_delay_seconds is a histogram: it has _bucket, _sum and _count"},
		{`scantrail_detector_lag_records_bucket`, "there is no metric scantrail_detector_lag_records_bucket"},
	} {
		if got := strings.Join(promProblems(known, c.expr), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.expr, got, c.want)
		}
	}
}

// TestAlertRules holds deploy/alerts.yml to the metrics that there are, and every
// rule to a severity, a summary and an action.
func TestAlertRules(t *testing.T) {
	known := knownMetrics(t)
	label := regexp.MustCompile(`\$labels\.([a-z_]+)`)
	names := map[string]bool{}
	for _, g := range alertRules(t).Groups {
		for _, r := range g.Rules {
			for _, p := range promProblems(known, r.Expr) {
				t.Errorf("%s: %s", r.Alert, p)
			}
			if names[r.Alert] {
				t.Errorf("there are two rules %s", r.Alert)
			}
			names[r.Alert] = true
			if !slices.Contains([]string{"page", "warn"}, r.Labels["severity"]) || r.Annotations["summary"] == "" || r.Annotations["action"] == "" {
				t.Errorf("%s: want a severity (page or warn), a summary and an action", r.Alert)
			}
			aggregated := strings.Contains(r.Expr, "sum") || strings.Contains(r.Expr, "max") || strings.Contains(r.Expr, "min")
			for _, m := range label.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["action"], -1) {
				if aggregated && !regexp.MustCompile(`(by|on) \([^)]*\b`+m[1]+`\b`).MatchString(r.Expr) {
					t.Errorf("%s speaks of the label %s, which its expression sums up", r.Alert, m[1])
				}
			}
		}
	}
	checkAlertTests(t, names)
	for _, m := range regexp.MustCompile(`\bScantrail[A-Z][A-Za-z]+`).FindAllString(string(readRepo(t, filepath.Join(repoRoot, metricsPage))), -1) {
		if !names[m] {
			t.Errorf("%s names the alert %s, which there is not", metricsPage, m)
		}
	}
}

// checkAlertTests wants a test in which each alert fires and one in which it does
// not.
func checkAlertTests(t *testing.T, names map[string]bool) {
	t.Helper()
	var tests struct {
		Tests []struct {
			Exprs []struct {
				Expr    string `yaml:"expr"`
				Samples []any  `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(readRepo(t, filepath.Join(repoRoot, "deploy/alerts_test.yml")), &tests); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	of := regexp.MustCompile(`^ALERTS\{alertname="([A-Za-z]+)", alertstate="firing"\}$`)
	for _, test := range tests.Tests {
		for _, e := range test.Exprs {
			m := of.FindStringSubmatch(e.Expr)
			switch {
			case m == nil:
				t.Errorf("deploy/alerts_test.yml: %s: want ALERTS{alertname=..., alertstate=\"firing\"}", e.Expr)
			case len(e.Samples) > 0:
				fires[m[1]] = true
			default:
				quiet[m[1]] = true
			}
		}
	}
	if !maps.Equal(fires, names) || !maps.Equal(quiet, names) {
		for name := range names {
			if !fires[name] || !quiet[name] {
				t.Errorf("deploy/alerts_test.yml: %s needs a test in which it fires and one in which it does not", name)
			}
		}
		t.Errorf("deploy/alerts_test.yml tests %d and %d alerts, alerts.yml has %d", len(fires), len(quiet), len(names))
	}
}

// requirePromtool, set to 1, lets the tests fail that would skip without promtool.
const requirePromtool = "SCANTRAIL_REQUIRE_PROMTOOL"

// TestPromtool has Prometheus itself check the rules and its configuration, and run
// the rules' own tests.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv(requirePromtool) == "1" {
			t.Fatalf("%s=1: %v; install it: apt-get install prometheus", requirePromtool, err)
		}
		fmt.Fprintln(os.Stderr, "NOT TESTED: deploy/alerts.yml by promtool, which is not installed: apt-get install prometheus")
		t.Skip("no promtool")
	}
	shown := filepath.Join(t.TempDir(), "dashboards.yml") // queries as rules, which promtool reads
	if err := os.WriteFile(shown, asRules(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", shown},
		{"check", "rules", "alerts.yml"},
		{"check", "config", "prometheus.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		t.Run(args[0]+" "+filepath.Base(args[2]), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), promtool, args...)
			cmd.Dir = filepath.Join(repoRoot, "deploy")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, bytes.ReplaceAll(out, []byte("\n\n"), nil))
			}
		})
	}
}

// asRules writes the queries of the dashboards as recording rules.
func asRules(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("groups:\n- name: dashboards\n  rules:\n")
	n := 0
	for _, expr := range promQueries(t) {
		n++
		fmt.Fprintf(&b, "  - {record: query%d, expr: %q}\n", n, strings.ReplaceAll(expr, "$__rate_interval", "5m"))
	}
	return b.Bytes()
}
