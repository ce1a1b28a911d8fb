package schemas

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// parsePolicies reads a document that must be right.
func parsePolicies(t *testing.T, text string) *Policies {
	t.Helper()
	doc, err := ParsePolicies([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return doc
}

func TestPolicyProblems(t *testing.T) {
	files, err := filepath.Glob("testdata/policies/*.bad.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".bad.yaml"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, want, _ := strings.Cut(string(raw), "# problems:\n")
			_, err = ParsePolicies([]byte(text))
			if err == nil {
				t.Fatal("accepted")
			}
			have := "# " + strings.ReplaceAll(err.Error(), "\n", "\n# ")
			if have != strings.TrimSpace(want) {
				t.Errorf("have:\n%s\nwant:\n%s", have, want)
			}
		})
	}
}

// TestPolicyProblemsOfTheWhole: what cannot be shown in a file.
func TestPolicyProblemsOfTheWhole(t *testing.T) {
	many := "policies:\n" + strings.Repeat("  - {name: a, extends: default, when: {markets: [US]}}\n", MaxPolicies+1)
	for _, c := range []struct{ text, want string }{
		{"", "policy: is empty; want a policy, or the key policies with a list of them"},
		{"# nothing\n", "policy: is empty; want a policy, or the key policies with a list of them"},
		{"- a\n", "policy: line 1: is a list; want keys and values"},
		{"name: [a\n", "policy: line 1: is not YAML: sequence end token ']' not found"},
		{"name: a\nname: b\n", `policy: line 2: is not YAML: mapping key "name" already defined at [1:1]`},
		{strings.Repeat("a", MaxPolicyBytes+1), "policy: has 524289 bytes; want at most 524288"},
		{"a: " + strings.Repeat("[", 100), "policy: is nested too deeply; want at most 32 levels"},
		{strings.Repeat("- ", 100000), "policy: is nested too deeply; want at most 32 levels"},
		{strings.Repeat("a: b\n", maxPolicyMarks+1), "policy: has 20001 keys, quoted texts or tags; want at most 20000"},
		{many, "policy: line 2: policies: lists 65 policies; want at most 64"},
		{"extends: default\nname: a\n---\nname: b\n", "policy: line 4: holds more than one YAML document; want one"},
	} {
		if _, err := ParsePolicies([]byte(c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%.40q: have %v, want %s", c.text, err, c.want)
		}
	}
	_, err := ParsePolicies([]byte("policies:\n" + strings.Repeat("  - a\n", 64) + strings.Repeat("holidays: []\n", 1)))
	if n := strings.Count(err.Error(), "\n") + 1; n != 64 {
		t.Errorf("%d problems:\n%v", n, err)
	}
}

// TestPolicyExtends: keys replace keys at every depth, lists are replaced whole,
// and whatever is not stated stays.
func TestPolicyExtends(t *testing.T) {
	doc := parsePolicies(t, `
policies:
  - name: child
    extends: parent # which stands below
    when: {shops: [007, true]}
    gap: {open: 40h}
    promise: [{within: 3wd}]
    undeliverable: []
    confirm_late: {after: off}
    calendar: {weekend: []}
  - name: parent
    extends: default
    when: {lanes: [CN-US, "*-GB"]}
    label_late: {after: 2wd, warn: 6h}
  - name: default
    extends: default # the built-in one
holidays:
  - {shops: [s], from: 2026-10-01, until: 2026-10-08T00:00:00+08:00}
`)
	base := parsePolicies(t, DefaultPolicy()).List[2]
	want := base
	want.Name, want.Extends, want.When = "child", "parent", Selector{Shops: []string{"007", "true"}}
	want.Gap.Open = 40 * time.Hour
	want.Promise = []PromiseRule{{Within: Limit{WorkingDays: 3}}}
	want.Undeliverable = nil
	want.ConfirmLate = DeadlineRule{}
	want.LabelLate = DeadlineRule{After: Limit{WorkingDays: 2}, Warn: 6 * time.Hour}
	want.Calendar.Weekend = []time.Weekday{}
	if !reflect.DeepEqual(doc.List[0], want) {
		t.Errorf("have %+v\nwant %+v", doc.List[0], want)
	}
	if last := doc.List[2]; !reflect.DeepEqual(last.Gap, base.Gap) || last.Name != "default" {
		t.Errorf("default: %+v", last)
	}
	from, _ := ParsePolicyTime("2026-10-01T00:00:00Z")
	if h := doc.Holidays[0]; h.From != from || h.Until != from+7*24*3600_000-8*3600_000 {
		t.Errorf("holiday %+v", h)
	}
}

// TestPolicyAlone: a document without the key policies is one policy, and a rule
// that is left out is off.
func TestPolicyAlone(t *testing.T) {
	const score = "score: {milestones_weight: 60, silence_weight: 40, on_time_weight: 40, completeness_weight: 30, pickup_weight: 20, exception_free_weight: 10}\n"
	doc := parsePolicies(t, "name: plain\ngap: {at_risk: 1h, open: 2h, escalate: 3h}\n"+score)
	want := Policy{
		Name: "plain", Gap: GapRule{Clock: "progress", AtRisk: time.Hour, Open: 2 * time.Hour, Escalate: 3 * time.Hour},
		PickupLate: DeadlineRule{Since: OrderConfirmed}, Calendar: Calendar{Zone: "UTC", Weekend: []time.Weekday{time.Saturday, time.Sunday}},
		Score: ScoreRule{MilestonesWeight: 60, SilenceWeight: 40, OnTimeWeight: 40, CompletenessWeight: 30, PickupWeight: 20, ExceptionFreeWeight: 10},
	}
	if len(doc.List) != 1 || !reflect.DeepEqual(doc.List[0], want) {
		t.Errorf("have %+v\nwant %+v", doc.List, want)
	}
}

// readsBack checks that the whole document, written out, is the same again.
func readsBack(t *testing.T, doc *Policies) {
	t.Helper()
	text := doc.YAML()
	again := parsePolicies(t, text)
	if have := again.YAML(); have != text {
		t.Errorf("written again:\n%s\nwas:\n%s", have, text)
	}
	for i := range doc.List {
		doc.List[i].Extends = "" // nothing is left of it
	}
	if !reflect.DeepEqual(doc, again) {
		t.Errorf("have %+v\nwant %+v", again, doc)
	}
}

// TestPolicyKeys: a key ends 90 days after it was issued, or when the document says
// so; what is written out says both.
func TestPolicyKeys(t *testing.T) {
	doc := parsePolicies(t, `
policies: [{name: a, extends: default}]
keys:
  - {carrier: usps, issued: 2026-09-01}
  - {carrier: usps, issued: 2026-09-01, expires: 2026-09-30T12:00:00+08:00}
  - {carrier: DHL.v2, expires: 2027-01-01}
`)
	day := (24 * time.Hour).Milliseconds()
	september, _ := ParsePolicyTime("2026-09-01")
	want := []FeedKeyTerm{
		{"usps", september, september + 90*day},
		{"usps", september, september + 29*day + day/6},
		{"DHL.v2", 0, september + 122*day},
	}
	if !slices.Equal(doc.Keys, want) {
		t.Errorf("have %+v\nwant %+v", doc.Keys, want)
	}
	readsBack(t, doc)
}

func TestBuiltinPolicies(t *testing.T) {
	all := BuiltinPolicies()
	if len(all) < 8 || all[0].Name != "default" || all[0].Text != DefaultPolicy() {
		t.Fatalf("%d documents, the first is %s", len(all), all[0].Name)
	}
	named := map[string]string{}
	for _, b := range all {
		doc := parsePolicies(t, b.Text)
		if last := doc.List[len(doc.List)-1].Name; last != b.Name {
			t.Errorf("%s: its last policy is %s", b.Name, last)
		}
		if b.Summary == "" || len(b.Summary) > 80 || strings.Contains(b.Summary, "name:") {
			t.Errorf("%s: summary %q: want a comment in the first line", b.Name, b.Summary)
		}
		for i := range doc.List {
			name := doc.List[i].Name
			if named[name] != "" {
				t.Errorf("policy %s stands in %s and %s", name, named[name], b.Name)
			}
			named[name] = b.Name
			if p, err := builtinPolicy(name); err != nil || p.Name != name {
				t.Errorf("%s cannot be extended: %v", name, err)
			}
			if d := doc.List[i].StatusMismatch.Reverse || doc.List[i].LabelNotPlatform; d != (name == "articles-platform") {
				t.Errorf("%s: a rule that few shops want is %v", name, d)
			}
		}
		readsBack(t, doc)
	}
}

// TestDefaultPolicy holds what the default document demands whatever the market.
func TestDefaultPolicy(t *testing.T) {
	doc := parsePolicies(t, DefaultPolicy())
	for i := range doc.List {
		p := &doc.List[i]
		if g := (GapRule{Clock: "progress", AtRisk: 36 * time.Hour, Open: 48 * time.Hour, Escalate: 72 * time.Hour}); !reflect.DeepEqual(p.Gap, g) {
			t.Errorf("%s: gap %+v", p.Name, p.Gap)
		}
		var milestones []string
		for _, r := range p.Milestones {
			milestones = append(milestones, fmt.Sprintf("%s %s %v", r.Milestone, r.Lanes, r.After))
		}
		if want := "export_cleared cross_border 168h0m0s, arrived_destination cross_border 360h0m0s, out_for_delivery any 168h0m0s"; strings.Join(milestones, ", ") != want {
			t.Errorf("%s: %v", p.Name, milestones)
		}
	}
	for _, c := range []struct{ market, origin, destination, want string }{
		{"", "", "", "default 72h confirmed"}, {"US", "CN", "US", "default 72h confirmed"}, {"GB", "CN", "GB", "articles-uk 48h confirmed"},
		{"GB", "GB", "GB", "articles-local 48h created"}, {"TH", "TH", "TH", "articles-local 48h created"},
	} {
		p := doc.Select(c.market, "shop", c.origin, c.destination, "", "")
		if have := fmt.Sprint(p.Name, " ", p.PickupLate.After, " ", p.PickupLate.Since); have != c.want {
			t.Errorf("%+v: have %s", c, have)
		}
	}
}

func TestSelector(t *testing.T) {
	s := Selector{Markets: []string{"US", "NO"}, Shops: []string{"a"}, Lanes: []string{"CN-US", "*-NO", "JP-*"}, Carriers: []string{"UPS"}, Products: []string{"eco"}}
	for _, c := range []struct {
		market, shop, origin, destination, carrier, product string
		want                                                bool
	}{
		{"US", "a", "CN", "US", "UPS", "eco", true},
		{"US", "a", "", "NO", "UPS", "eco", true},
		{"US", "a", "JP", "", "UPS", "eco", true},
		{"US", "a", "CN", "", "UPS", "eco", false},
		{"US", "a", "", "", "UPS", "eco", false},
		{"US", "a", "US", "CN", "UPS", "eco", false},
		{"GB", "a", "CN", "US", "UPS", "eco", false},
		{"", "a", "CN", "US", "UPS", "eco", false},
		{"US", "b", "CN", "US", "UPS", "eco", false},
		{"US", "a", "CN", "US", "ups", "eco", false},
		{"US", "a", "CN", "US", "UPS", "", false},
	} {
		if got := s.Matches(c.market, c.shop, c.origin, c.destination, c.carrier, c.product); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if none := (Selector{}); !none.IsZero() || !none.Matches("", "", "", "", "", "") || s.IsZero() {
		t.Error("the empty selector does not match everything")
	}
}

func TestLimit(t *testing.T) {
	for text, want := range map[string]Limit{
		"72h": {Duration: 72 * time.Hour}, "3wd": {WorkingDays: 3}, "off": {}, "1h30m": {Duration: 90 * time.Minute},
	} {
		got, err := ParseLimit(text)
		if again, _ := ParseLimit(got.String()); err != nil || got != want || again != want {
			t.Errorf("%s: %+v, %v, again %+v", text, got, err, again)
		}
	}
	for _, text := range []string{"", "3", "wd", "3 wd", "3d", "h", "1e3wd"} {
		if l, err := ParseLimit(text); err == nil {
			t.Errorf("%q is %+v", text, l)
		}
	}
	for s := StageAnnounced; s <= StageReturn; s++ {
		if got, err := ParseStage(s.String()); err != nil || got != s {
			t.Errorf("stage %d: %v, %v", s, got, err)
		}
	}
}

// TestPolicyPage reads every example of the page about policies.
func TestPolicyPage(t *testing.T) {
	page, err := os.ReadFile("policies/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) < 4 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		readsBack(t, parsePolicies(t, text))
	}
	for _, b := range BuiltinPolicies() {
		if !strings.Contains(string(page), "`"+b.Name+"`") {
			t.Errorf("the page does not name %s", b.Name)
		}
	}
	for i := range reflect.TypeFor[Policy]().NumField() {
		if key := reflect.TypeFor[Policy]().Field(i).Tag.Get("yaml"); !strings.Contains(string(page), "`"+key) {
			t.Errorf("the page does not explain %s", key)
		}
	}
}

func FuzzParsePolicies(f *testing.F) {
	for _, b := range BuiltinPolicies() {
		f.Add(b.Text)
	}
	files, _ := filepath.Glob("testdata/policies/*.bad.yaml")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	f.Add("name: a\nextends: a\n")
	f.Add("policies: [{name: &x a, extends: *x}]\n")
	f.Add("? name\n: b\n<<: {a: b}\n")
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := ParsePolicies([]byte(text))
		if err != nil {
			return
		}
		if !doc.List[len(doc.List)-1].When.IsZero() || doc.Select("US", "s", "CN", "US", "c", "p") == nil {
			t.Error("something is judged by no policy")
		}
		if !slices.ContainsFunc(doc.List, func(p Policy) bool { return p.Extends != "" && len(text) > MaxPolicyBytes/8 }) {
			readsBack(t, doc)
		}
	})
}
