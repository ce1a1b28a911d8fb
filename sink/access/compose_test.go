package access

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite deploy/analyst_user.xml")

// analystUser is the file of docker-compose.yml that gives its ClickHouse a user
// analyst: with the grants and limits of the role scantrail_analyst, since a user of
// a file cannot be given a role.
const analystUser = "../../deploy/analyst_user.xml"

// composeAnalyst stands for that user among the roles of a test.
const composeAnalyst = "analyst"

// asDefault is the file for the one user of the embedded engine, who is called
// default and has no password.
func (s *schema) asDefault() string {
	return strings.NewReplacer("<analyst>", "<default>", "</analyst>", "</default>", "<profile>analyst<", "<profile>default<",
		`<password from_env="ANALYST_PASSWORD"/>`, "<password/>", "</clickhouse>", "<quotas><default/></quotas></clickhouse>").Replace(s.analystUser())
}

// checkAnalystUser holds that file to the role. After a new view or column:
// go test ./sink/access -update.
func checkAnalystUser(t *testing.T, s *schema) {
	t.Helper()
	want := s.analystUser()
	if *update {
		if err := os.WriteFile(filepath.FromSlash(analystUser), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(filepath.FromSlash(analystUser))
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("deploy/analyst_user.xml is not what the role %s may: renew it with go test ./sink/access -update, and read the difference", AnalystRole)
	}
}

func (s *schema) analystUser() string {
	var b strings.Builder
	b.WriteString("<!-- The user analyst of docker-compose.yml, with which Grafana reads: what the role\n     " + AnalystRole +
		" may (go test ./sink/access -update writes this file from it). -->\n<clickhouse>\n    <profiles>\n        <analyst>\n")
	for _, l := range profile() {
		b.WriteString("            <" + l.name + ">" + strings.Trim(l.value, "'") + "</" + l.name + ">\n")
	}
	b.WriteString("            <constraints>\n")
	for _, l := range profile() {
		limit := "<const/>"
		if l.max != "" {
			limit = "<min>1</min><max>" + l.max + "</max>"
		}
		b.WriteString("                <" + l.name + ">" + limit + "</" + l.name + ">\n")
	}
	b.WriteString("            </constraints>\n        </analyst>\n    </profiles>\n    <users>\n        <analyst>\n" +
		"            <password from_env=\"ANALYST_PASSWORD\"/>\n            <networks><ip>::/0</ip></networks>\n" +
		"            <profile>analyst</profile>\n            <quota>default</quota>\n            <grants>\n")
	for _, r := range s.roles() {
		if r.name != AnalystRole {
			continue
		}
		for _, g := range r.grants {
			b.WriteString("                <query>GRANT " + g + "</query>\n")
		}
	}
	b.WriteString("            </grants>\n        </analyst>\n    </users>\n</clickhouse>\n")
	return b.String()
}
