package main

import (
	"context"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"
)

// TestMutantsApply: a mutant whose text is gone would be caught by nobody, and
// nobody would notice.
func TestMutantsApply(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	all := mutants()
	if len(all) < 36 {
		t.Errorf("%d mutants, want at least 36", len(all))
	}
	names := map[string]bool{}
	for i := range all {
		m := &all[i]
		if names[m.name] || m.what == "" || strings.Contains(m.name, ",") {
			t.Errorf("mutant %q: name twice, or unfit for -only, or nothing says what it does", m.name)
		}
		names[m.name] = true
		changed, err := m.apply(root)
		if err != nil {
			t.Error(err)
		}
		for file, text := range changed {
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, 0); err != nil {
				t.Errorf("mutant %s is no Go: %v", m.name, err)
			}
		}
	}
}

// TestMutantsCompile builds a few, since a mutant that does not compile is caught
// by the compiler only.
func TestMutantsCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the simulation several times")
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBench(root)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	few, err := choose(mutants(), "alerts-by-map,hand-over-stays,answered-twice,snapshot-before-alerts")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for i := range few {
		if _, err := b.build(ctx, &few[i]); err != nil {
			t.Error(err)
		}
	}
}
