package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"scantrail/cmd/scantrail/query/querytest"
)

// dashboard is what we use of Grafana's format.
type dashboard struct {
	UID, Title  string
	Annotations struct{ List []dashboardTarget }
	Templating  struct{ List []dashboardVariable }
	Links       []struct{ URL string }
	Panels      []dashboardPanel
}

type dashboardSource struct{ Type, UID string }

type dashboardVariable struct {
	Name, Type string
	Datasource dashboardSource
	Query      json.RawMessage
	Definition string
}

type dashboardPanel struct {
	ID                       int
	Type, Title, Description string
	Datasource               dashboardSource
	Targets                  []dashboardTarget
	GridPos                  struct{ H, W, X, Y int }
	FieldConfig              struct {
		Defaults struct{ Unit string }
	}
}

type dashboardTarget struct {
	RefID        string
	Datasource   dashboardSource
	Expr, RawSQL string
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repoRoot, "deploy/grafana/dashboards/*.json"))
	if err != nil || len(files) != 2 {
		t.Fatalf("dashboards %v, %v", files, err)
	}
	all := map[string]dashboard{}
	for _, file := range files {
		var d dashboard
		if err := json.Unmarshal(readRepo(t, file), &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

// dashboardSources are those that Grafana is provisioned with, by uid.
func dashboardSources(t *testing.T) map[string]string {
	t.Helper()
	var file struct {
		Datasources []struct{ UID, Type, URL string }
	}
	if err := yaml.Unmarshal(readRepo(t, filepath.Join(repoRoot, "deploy/grafana/datasources.yml")), &file); err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, d := range file.Datasources {
		types[d.UID] = d.Type
	}
	return types
}

// TestDashboards: what Grafana would only show as an empty panel.
func TestDashboards(t *testing.T) {
	sources := dashboardSources(t)
	uids := map[string]bool{}
	for file, d := range dashboards(t) {
		if d.UID == "" || uids[d.UID] || d.Title == "" {
			t.Errorf("%s: uid %q and title %q must be there, and the uid its own", file, d.UID, d.Title)
		}
		uids[d.UID] = true
		known := func(where string, s dashboardSource) {
			if sources[s.UID] == "" || sources[s.UID] != s.Type {
				t.Errorf("%s: %s reads %+v, deploy/grafana/datasources.yml has %v", file, where, s, sources)
			}
		}
		ids, cells := map[int]string{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if p.ID == 0 || ids[p.ID] != "" {
				t.Errorf("%s: panels %q and %q have the id %d", file, p.Title, ids[p.ID], p.ID)
			}
			ids[p.ID] = p.Title
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: panel %q lies on %q, or beyond the edge", file, p.Title, other)
					}
					cells[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
				t.Errorf("%s: panel %d %q wants a title, a description, a unit and a query", file, p.ID, p.Title)
			}
			known(p.Title, p.Datasource)
			for _, q := range p.Targets {
				known(p.Title, q.Datasource)
				if (q.Expr == "") == (q.RawSQL == "") || q.RefID == "" || q.Datasource != p.Datasource {
					t.Errorf("%s: panel %q: query %q is none, or of another source", file, p.Title, q.RefID)
				}
			}
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				known("variable "+v.Name, v.Datasource)
			}
		}
	}
}

// promQueries are all of the dashboards, with where they stand.
func promQueries(t *testing.T) map[string]string {
	queries := map[string]string{}
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				if q.Expr != "" {
					queries[fmt.Sprintf("%s: %s %s", file, p.Title, q.RefID)] = q.Expr
				}
			}
		}
		for _, a := range d.Annotations.List {
			queries[file+": annotations"] = a.Expr
		}
	}
	return queries
}

var labelValuesCall = regexp.MustCompile(`^label_values\(([a-z_]+), ([a-z_]+)\)$`)

func TestDashboardsUseMetricsThatExist(t *testing.T) {
	known := knownMetrics(t)
	queries := promQueries(t)
	if len(queries) < 40 {
		t.Fatalf("the dashboards ask %d queries", len(queries))
	}
	for where, expr := range queries {
		for _, p := range promProblems(known, expr) {
			t.Errorf("%s: %s\n%s", where, p, expr)
		}
	}
	for file, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			if v.Type != "query" || v.Datasource.UID != "prometheus" {
				continue
			}
			m := labelValuesCall.FindStringSubmatch(v.Definition)
			if m == nil || !strings.Contains(string(v.Query), v.Definition) {
				t.Errorf("%s: variable %s asks %q, and says %q", file, v.Name, v.Query, v.Definition)
			} else if metric := known[m[1]]; metric == nil || !slices.Contains(append(scraped(), metric.labels...), m[2]) {
				t.Errorf("%s: variable %s: no metric %s with a label %s", file, v.Name, m[1], m[2])
			}
		}
	}
}

// Macros of grafana-clickhouse-datasource, as it replaces them.
var (
	timeFilter     = regexp.MustCompile(`\$__timeFilter\(([a-z_]+)\)`)
	conditionalAll = regexp.MustCompile(`\$__conditionalAll\(([a-z_]+ IN \(\$\{([a-z]+):sqlstring\}\)), \$([a-z]+)\)`)
	leftOver       = regexp.MustCompile(`\$(__|\{)?[a-zA-Z_]+`)
)

// grafanaSQL is what Grafana would send: chosen are the values of variables; one
// that is not there stands at All.
func grafanaSQL(t *testing.T, sql string, from, to time.Time, chosen map[string][]string) string {
	t.Helper()
	sql = timeFilter.ReplaceAllString(sql, fmt.Sprintf("$1 >= toDateTime(%d) AND $1 <= toDateTime(%d)", from.Unix(), to.Unix()))
	sql = conditionalAll.ReplaceAllStringFunc(sql, func(macro string) string {
		m := conditionalAll.FindStringSubmatch(macro)
		values, some := chosen[m[2]]
		if m[2] != m[3] {
			t.Errorf("%s speaks of two variables", macro)
		}
		if !some {
			return "1=1"
		}
		return strings.Replace(m[1], "${"+m[2]+":sqlstring}", "'"+strings.Join(values, "','")+"'", 1)
	})
	if left := leftOver.FindString(sql); left != "" {
		t.Errorf("%s stays in %s", left, sql)
	}
	return sql
}

// TestDashboardsSQL runs every query of the dashboards on the embedded engine, over
// a small world: with all markets, shops and carriers, where it must find
// something, and with some.
func TestDashboardsSQL(t *testing.T) {
	w := querytest.Start(t)
	from := w.Clock.AddDate(0, 0, -84)
	some := map[string][]string{"market": {"US", "GB"}, "shop": {"shop-01", "it''s none"}, "carrier": {"usps", "cainiao"}}
	empty := []string{"Lanes disrupted", "Consequences"} // of which a small world has none
	run := func(where, sql string) int {
		t.Helper()
		rows, err := w.Rows.Query(t.Context(), sql)
		if err != nil {
			t.Errorf("%s: %v\n%s", where, err, sql)
			return 1
		}
		defer rows.Close() //nolint:errcheck // read to the end
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s: %v\n%s", where, err, sql)
		}
		return n
	}
	asked := 0
	for file, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			if v.Type == "query" && v.Datasource.UID == "clickhouse" {
				if run(file+": variable "+v.Name, grafanaSQL(t, v.Definition, from, w.Clock, nil)) == 0 {
					t.Errorf("%s: variable %s has no values", file, v.Name)
				}
			}
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				if q.RawSQL == "" {
					continue
				}
				asked++
				where := file + ": " + p.Title
				if run(where, grafanaSQL(t, q.RawSQL, from, w.Clock, nil)) == 0 && !slices.Contains(empty, p.Title) {
					t.Errorf("%s finds nothing:\n%s", where, q.RawSQL)
				}
				if strings.Contains(q.RawSQL, "$__conditionalAll") {
					run(where, grafanaSQL(t, q.RawSQL, from, w.Clock, some))
				}
			}
		}
	}
	if asked < 15 {
		t.Errorf("the dashboards ask %d queries", asked)
	}
}

// TestGrafanaIsProvisioned holds docker-compose.yml to the files.
func TestGrafanaIsProvisioned(t *testing.T) {
	grafana := loadCompose(t).Services["grafana"]
	targets := map[string]string{}
	for _, v := range grafana.Volumes {
		targets[v.Target] = filepath.Base(v.Source)
	}
	provider := string(readRepo(t, filepath.Join(repoRoot, "deploy/grafana/dashboards.yml")))
	path := regexp.MustCompile(`path: (\S+)`).FindStringSubmatch(provider)[1]
	for file := range dashboards(t) {
		if targets[path+"/"+file] != file {
			t.Errorf("%s is not mounted below %s: %v", file, path, targets)
		}
	}
	home := grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if home == nil || targets[*home] == "" {
		t.Errorf("the home dashboard %v is not mounted", home)
	}
	plugins := grafana.Environment["GF_PLUGINS_PREINSTALL_SYNC"]
	for _, kind := range dashboardSources(t) {
		if kind != "prometheus" && (plugins == nil || !regexp.MustCompile(`\b`+kind+`@\d+\.\d+\.\d+`).MatchString(*plugins)) {
			t.Errorf("the plugin %s is not installed in a fixed version: %v", kind, plugins)
		}
	}
	sources := string(readRepo(t, filepath.Join(repoRoot, "deploy/grafana/datasources.yml")))
	for _, m := range regexp.MustCompile(`/run/secrets/([a-z_]+)`).FindAllStringSubmatch(sources+*grafana.Environment["GF_SECURITY_ADMIN_PASSWORD__FILE"], -1) {
		if !slices.ContainsFunc(grafana.Secrets, func(s types.ServiceSecretConfig) bool { return s.Source == m[1] }) {
			t.Errorf("grafana is not given the secret %s", m[1])
		}
	}
}
