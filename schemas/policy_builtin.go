package schemas

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed policies/*.yaml
var policyFiles embed.FS

// DefaultPolicyName is the built-in document that the first start of a cluster
// applies.
const DefaultPolicyName = "default"

// BuiltinPolicy is a policy document that comes with the program.
type BuiltinPolicy struct {
	Name    string // of the document, and of its last policy
	Summary string // the first line of the text
	Text    string // YAML
}

// BuiltinPolicies returns all built-in documents, the default one first, then by
// name.
func BuiltinPolicies() []BuiltinPolicy {
	entries, err := policyFiles.ReadDir("policies")
	if err != nil {
		panic("schemas: the built-in policies are missing: " + err.Error())
	}
	list := make([]BuiltinPolicy, 0, len(entries))
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".yaml")
		text, _ := BuiltinPolicyText(name)
		list = append(list, BuiltinPolicy{Name: name, Summary: firstComment(text), Text: text})
	}
	slices.SortStableFunc(list, func(a, b BuiltinPolicy) int { // they are read by name
		switch DefaultPolicyName {
		case a.Name:
			return -1
		case b.Name:
			return 1
		}
		return 0
	})
	return list
}

func firstComment(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(line, "# ")
}

// BuiltinPolicyText returns the built-in document of this name.
func BuiltinPolicyText(name string) (string, bool) {
	b, err := policyFiles.ReadFile("policies/" + name + ".yaml")
	if err != nil {
		return "", false
	}
	return strings.TrimSpace(string(b)) + "\n", true
}

// DefaultPolicy returns the text of the default document.
func DefaultPolicy() string {
	text, ok := BuiltinPolicyText(DefaultPolicyName)
	if !ok {
		panic("schemas: the default policy is missing")
	}
	return text
}

// builtinPolicy returns the policy of this name: of the built-in document of the
// same name, or one of the default document.
func builtinPolicy(name string) (*Policy, error) {
	for _, document := range []string{name, DefaultPolicyName} {
		text, ok := BuiltinPolicyText(document)
		if !ok {
			continue
		}
		doc, err := ParsePolicies([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("built-in policy %s: %w", document, err)
		}
		if i := slices.IndexFunc(doc.List, func(p Policy) bool { return p.Name == name }); i >= 0 {
			return &doc.List[i], nil
		}
	}
	return nil, fmt.Errorf("no built-in policy is named %.60q", name)
}

// builtinPolicyNames lists what a policy can extend.
func builtinPolicyNames() []string {
	var names []string
	for _, b := range BuiltinPolicies() {
		names = append(names, b.Name)
	}
	return names
}
