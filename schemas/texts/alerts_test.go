package texts

import (
	"testing"

	"scantrail/schemas"
)

// Everything that an alert can say has a name in every language.
func TestAlertsHaveTexts(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"milestone." + schemas.Unmapped.String()}
	for _, r := range schemas.Rules() {
		keys = append(keys, "alert.rule."+r)
	}
	for _, cause := range schemas.Causes() {
		keys = append(keys, "alert.cause."+cause, "alert.do."+cause)
	}
	for s := schemas.AlertAtRisk; s <= schemas.AlertWithdrawn; s++ {
		keys = append(keys, "alert.status."+s.String())
	}
	for _, m := range schemas.Milestones() {
		keys = append(keys, "milestone."+m.String())
		if s := m.Stage(); s != schemas.StageNone {
			keys = append(keys, "stage."+s.String())
		}
	}
	for _, tag := range c.Tags() {
		for _, key := range keys {
			if !c.Language(tag).Has(key) {
				t.Errorf("%s.yaml: %s is missing", tag, key)
			}
		}
	}
}

// In English Advice is schemas.Advice, and other languages answer the same cases.
func TestAdvice(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	en, zh := c.Language("en"), c.Language("zh")
	details := []string{"", "another"}
	for _, a := range schemas.AdviceCases() {
		details = append(details, a.Detail)
	}
	for _, rule := range append(schemas.Rules(), "") {
		for _, cause := range append(schemas.Causes(), "", "no cause") {
			for _, detail := range details {
				want := schemas.Advice(rule, detail, cause)
				if got := en.Advice(rule, detail, cause); got != want {
					t.Errorf("rule %q, detail %q, cause %q: %q, want %q", rule, detail, cause, got, want)
				}
				if got := zh.Advice(rule, detail, cause); (got == "") != (want == "") {
					t.Errorf("zh: rule %q, detail %q, cause %q: %q, in English %q", rule, detail, cause, got, want)
				}
			}
		}
	}
}
