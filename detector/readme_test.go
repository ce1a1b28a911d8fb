package detector

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// These tests keep README.md true where that is cheap. After a wanted change of
// an advice: go test ./detector -run TestReadme -update

func readReadme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// schemaConstants returns the values of the string constants of package schemas
// whose name begins with prefix, in the order of the source.
func schemaConstants(t *testing.T, file, prefix string) (all []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../schemas", file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) != 1 {
			return true
		}
		if value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value); err == nil {
			all = append(all, value)
		}
		return true
	})
	if len(all) == 0 {
		t.Fatalf("no constant %s... in %s", prefix, file)
	}
	return all
}

// TestReadmeNames looks for every rule, case, milestone, stage, status and kind of
// order fact.
func TestReadmeNames(t *testing.T) {
	page := readReadme(t)
	want := schemaConstants(t, "alert.go", "Rule")
	for f := firstRuleFamily; f < familiesEnd; f++ {
		if rule, detail := f.rule(1); detail != "" {
			want = append(want, detail)
			if !strings.Contains(page, "`"+rule+":"+detail+"`") && !strings.Contains(page, "`"+detail+"`: ") {
				t.Errorf("README.md does not define %s:%s", rule, detail)
			}
		} else if !strings.Contains(page, "(`"+rule+"`") && !strings.Contains(page, "\n| `"+rule+"` | ") {
			t.Errorf("README.md does not define %s", rule)
		}
	}
	for k := schemas.OrderKind(1); k.Known(); k++ {
		want = append(want, k.String())
	}
	for _, name := range want {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("README.md does not name `%s`", name)
		}
	}
	for _, m := range schemas.Milestones() {
		row := regexp.MustCompile(fmt.Sprintf(`\n\| (\w+) \|[^\n]*\b%d %s\b`, m, m)).FindStringSubmatch(page)
		if row == nil {
			t.Errorf("README.md does not list %d %s", m, m)
		} else if got := slices.Index(stageWords, row[1]); got != int(m.Stage()) {
			t.Errorf("README.md lists %s under %s", m, row[1])
		}
	}
	for s := schemas.AlertAtRisk; s <= schemas.AlertWithdrawn; s++ {
		if !strings.Contains(page, s.String()) {
			t.Errorf("README.md does not name %s", s)
		}
	}
}

var stageWords = []string{"none", "announced", "origin", "export", "linehaul", "arrival", "import", "destination", "delivery", "return"}

// TestReadmePolicy looks for every key of a policy, and holds figures to the
// default one: "`gap.open` (48 h)".
func TestReadmePolicy(t *testing.T) {
	page := readReadme(t)
	values := map[string]reflect.Value{}
	def := defaultRules(t)
	collectKeys(reflect.ValueOf(*def), "", values)
	for path := range values {
		leaf := path[strings.LastIndex(path, ".")+1:]
		if strings.HasPrefix(path, "score.") || path == "name" || path == "extends" || strings.HasPrefix(path, "when.") {
			continue // of the language, or of the views
		}
		if !strings.Contains(page, "`"+leaf+"`") && !strings.Contains(page, "`"+path) {
			t.Errorf("README.md does not name the policy's `%s`", path)
		}
	}
	figures := 0
	for _, m := range regexp.MustCompile("`([a-z_.]+)` ?\\((\\d+) h\\)").FindAllStringSubmatch(page, -1) {
		v, ok := values[m[1]]
		if d, is := v.Interface().(time.Duration); !ok || !is || fmt.Sprint(d.Hours()) != m[2] {
			t.Errorf("README.md says %s, the default policy %v", m[0], v)
		}
		figures++
	}
	for path, l := range values {
		if rule, ok := strings.CutSuffix(path, ".after"); ok && l.Type() == reflect.TypeFor[schemas.Limit]() {
			after := fmt.Sprintf("%g h", l.Interface().(schemas.Limit).Duration.Hours())
			if !regexp.MustCompile("\n\\| `" + rule + "` \\|[^\n]*\\| " + after + " \\|").MatchString(page) {
				t.Errorf("README.md has no row of deadlines that says %s for %s", after, rule)
			}
			figures++
		}
	}
	if figures < 12 {
		t.Errorf("README.md names %d figures of the default policy", figures)
	}
}

// defaultRules returns the last policy of the default document.
func defaultRules(t *testing.T) *schemas.Policy {
	t.Helper()
	text, ok := schemas.BuiltinPolicyText(schemas.DefaultPolicyName)
	if !ok {
		t.Fatal("there is no default policy")
	}
	doc, err := schemas.ParsePolicies([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return &doc.List[len(doc.List)-1]
}

// collectKeys notes the value of every key under its path. Of a list of structs
// the keys are noted without a value.
func collectKeys(v reflect.Value, path string, into map[string]reflect.Value) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct && v.Type().Elem().Field(0).Tag.Get("yaml") != "" {
		v = reflect.Zero(v.Type().Elem())
	}
	if v.Kind() != reflect.Struct || v.Type().Field(0).Tag.Get("yaml") == "" {
		into[path] = v
		return
	}
	for i := range v.NumField() {
		collectKeys(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Tag.Get("yaml"), "."), into)
	}
}

// TestReadmeLimits holds the figures of the code that are no policy's.
func TestReadmeLimits(t *testing.T) {
	page := readReadme(t)
	m := NewMachine(0, 1)
	id := schemas.ParcelID("LX000000175CN")
	_, e := m.add(&id, appendParcelName(nil, "LX000000175CN"), 0, 1<<30)
	ended, silent := (m.over(e, 1<<30)-1<<30)/day, (m.over(e, 0)-1<<30)/day
	for _, want := range []string{
		fmt.Sprintf("%d days after the end of its last life", ended),
		fmt.Sprintf("%d days after its last scan or order fact", silent),
		fmt.Sprintf("%d days or more after the trail so far", newLifeAfter/day),
		fmt.Sprintf("%d days or more after the scan before it", expired/day),
		fmt.Sprintf("%d days after its end, or %d days after its last fact", ended, silent),
		fmt.Sprintf("| %d scans, and %d order facts", MaxFacts, MaxFacts), fmt.Sprintf("%d facts and numbers of one order", maxNumbers),
		fmt.Sprintf("| %d numbers linked", maxLinks), fmt.Sprintf("| %d lives", maxLives),
		fmt.Sprintf("| %d required milestones, %d policies", schemas.MaxRequired, schemas.MaxPolicies),
		fmt.Sprintf("| %d months after leaving", goneEpochs), fmt.Sprintf("counts as %d (16,777,215 s)", maxExtra/day),
		fmt.Sprintf("one tick moves C by at most %.0f minutes", schemas.MaxTickStep.Minutes()),
		fmt.Sprintf("max(%d h, %d x usual(x))", feedSilence/3600, feedFactor), fmt.Sprintf("at least %d days after its first reception", feedYoung/day),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}

// TestReadmeTests looks up every test that the page names.
func TestReadmeTests(t *testing.T) {
	var tests strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		tests.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAllString(readReadme(t), -1) {
		if name != "TestReadme" && !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("README.md names %s, which is no test", name)
		}
	}
}

var adviceBlock = regexp.MustCompile(`(?s)(<!-- advice[^>]*-->\n).*(<!-- end -->)`)

// TestReadmeAdvice compares the table of causes with what alerts say.
func TestReadmeAdvice(t *testing.T) {
	page := readReadme(t)
	if !adviceBlock.MatchString(page) {
		t.Fatal("README.md has no block of advice")
	}
	want := adviceBlock.ReplaceAllStringFunc(page, func(block string) string {
		m := adviceBlock.FindStringSubmatch(block)
		return m[1] + adviceTable(t) + m[2]
	})
	if want == page {
		return
	}
	if !*update {
		t.Fatal("README.md has another table of causes: go test ./detector -run TestReadme -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// adviceTable lists every cause with the alerts that may name it.
func adviceTable(t *testing.T) string {
	rules := map[[2]string][]string{} // by cause and advice
	note := func(rule, detail, cause string) {
		key := [2]string{cause, schemas.Advice(rule, detail, cause)}
		if name := "`" + strings.TrimSuffix(rule+":"+detail, ":") + "`"; !slices.Contains(rules[key], name) {
			rules[key] = append(rules[key], name)
		}
	}
	for f := range family(255) {
		if f.name() != "" {
			eachCause(f, note)
		}
	}
	note(schemas.RuleLaneDisruption, "", schemas.CauseLaneDisrupted)
	note(schemas.RuleCompletenessLow, "", schemas.CauseShopTrails)
	note(schemas.RuleLTSLow, "", schemas.CauseShopScore)
	note(schemas.RuleShipKPITwoWeeks, "", schemas.CauseShopPickups)
	note(schemas.RuleConfirmLateRate, "", schemas.CauseShopConfirms)
	order := schemaConstants(t, "advice.go", "Cause")
	keys := make([][2]string, 0, len(rules))
	for key := range rules {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]string) int {
		return cmp.Or(slices.Index(order, a[0])-slices.Index(order, b[0]), cmp.Compare(len(rules[b]), len(rules[a])), strings.Compare(a[1], b[1]))
	})
	var b strings.Builder
	b.WriteString("\n| cause | in alerts | what to do |\n|---|---|---|\n")
	for _, key := range keys {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key[0], strings.Join(rules[key], ", "), key[1])
	}
	for _, cause := range order {
		if !strings.Contains(b.String(), "\n| `"+cause+"` |") {
			t.Errorf("no alert ever names the cause %s", cause)
		}
	}
	return b.String() + "\n"
}

// eachCause tells the causes that alerts of a family may have, wherever the parcel
// is.
func eachCause(f family, note func(rule, detail, cause string)) {
	milestones := schemas.Milestones()
	for _, status := range []schemas.AlertStatus{schemas.AlertOpen, schemas.AlertEscalated, schemas.AlertResolved} {
		for _, stage := range milestones {
			for _, last := range milestones {
				for flags := range 4 {
					if flags&1 != 0 && (f == carrierPickupLate || f == mismatchNotDelivered) {
						continue // of parcels alone
					}
					o := occasion{stage: stage, at: last, furthest: stage, last: last, order: flags&1 != 0, held: flags&2 != 0}
					w := wanted{family: f, status: status, level: uint8(min(status-1, 2))}
					rule, detail := f.rule(w.level)
					note(rule, detail, causeOf(&w, &o))
				}
			}
		}
	}
}
