package schemas

import (
	"os"
	"regexp"
	"testing"
)

// The table says what Advice says, for every rule, detail and cause.
func TestAdviceCases(t *testing.T) {
	source, err := os.ReadFile("advice.go")
	if err != nil {
		t.Fatal(err)
	}
	details := []string{"", "another"}
	for _, m := range regexp.MustCompile(`detail == "(\w+)"`).FindAllSubmatch(source, -1) {
		details = append(details, string(m[1]))
	}
	cases := AdviceCases()
	lookUp := func(rule, detail, cause string) string {
		fits := func(want, is string) bool { return want == "" || want == is }
		for _, c := range cases {
			if fits(c.Rule, rule) && fits(c.Detail, detail) && fits(c.Cause, cause) {
				return c.Advice
			}
		}
		return ""
	}
	for _, rule := range append(constants(t, "alert.go", "Rule"), "") {
		for _, cause := range append(constants(t, "advice.go", "Cause"), "", "no cause") {
			for _, detail := range details {
				if got, want := lookUp(rule, detail, cause), Advice(rule, detail, cause); got != want {
					t.Errorf("rule %q, detail %q, cause %q: AdviceCases says %q, Advice %q", rule, detail, cause, got, want)
				}
			}
		}
	}
}
