package main

import (
	"fmt"
	"testing"

	"scantrail/schemas"
)

// TestDocuments reads the policy documents of the simulation as the detector does.
func TestDocuments(t *testing.T) {
	for i, d := range documents() {
		p, err := schemas.ParsePolicies([]byte(d.YAML()))
		if err != nil {
			t.Fatalf("document %d: %v\n%s", i, err, d.YAML())
		}
		if len(p.List) != len(d.Policies) || len(p.Holidays) != len(d.Holidays) {
			t.Fatalf("document %d: %d policies, %d holidays", i, len(p.List), len(p.Holidays))
		}
		short, err := schemas.ParsePolicies([]byte(d.ShortYAML(builtin())))
		if err != nil {
			t.Fatalf("document %d: %v\n%s", i, err, d.ShortYAML(builtin()))
		}
		for k := range p.List {
			short.List[k].Extends = ""
			if text, full := fmt.Sprintf("%+v", short.List[k]), fmt.Sprintf("%+v", p.List[k]); text != full {
				t.Errorf("document %d: the built-in policy has other figures:\n%s\n%s", i, text, full)
			}
			if p.List[k].Name != d.Policies[k].Name || int64(p.List[k].Gap.Open.Seconds()) != d.Policies[k].Open {
				t.Errorf("document %d: policy %+v", i, p.List[k])
			}
		}
	}
}
