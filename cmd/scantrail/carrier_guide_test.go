package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var updateGuide = flag.Bool("update", false, "rewrite the outputs in ingest/README.md and schemas/clickhouse/SCORES.md")

// shown finds the blocks of the guide that a command or a file fills: a comment
// that names it, then a fenced block.
var shown = regexp.MustCompile("(?s)<!-- (carrier|file) ([^\n]*) -->\n\n```[a-z]*\n(.*?)```")

// TestGuide keeps ingest/README.md true: what it shows is what the files hold
// and the commands print. After a wanted change: go test ./cmd/scantrail -run
// TestGuide -update, then read the difference.
func TestGuide(t *testing.T) {
	guide, err := filepath.Abs("../../ingest/README.md")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("testdata/guide")
	blocks := 0
	got := shown.ReplaceAllStringFunc(string(b), func(block string) string {
		blocks++
		m := shown.FindStringSubmatch(block)
		want := guideBlock(t, m[1], strings.Fields(m[2]))
		if m[3] != want && !*updateGuide {
			t.Errorf("the guide shows for %s %s\n%s\nbut it is\n%s", m[1], m[2], m[3], want)
		}
		return strings.TrimSuffix(block, m[3]+"```") + want + "```"
	})
	if blocks < 5 {
		t.Fatalf("the guide shows %d blocks", blocks)
	}
	if *updateGuide {
		if err := os.WriteFile(guide, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func guideBlock(t *testing.T, kind string, args []string) string {
	if kind == "file" {
		b, err := os.ReadFile(args[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if args[0] == "test" && args[1] == "draft.yaml" { // the draft of the step before
		draft, _, err := runCommand(newCarrierCommand(), "", append([]string{"new", "nordpak"}, args[2:]...)...)
		if err != nil {
			t.Fatal(err)
		}
		args[1] = filepath.Join(t.TempDir(), "nordpak.yaml")
		if err := os.WriteFile(args[1], []byte(draft), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stdout, _, err := runCommand(newCarrierCommand(), "", args...)
	if err != nil && !errors.Is(err, errSaid) {
		t.Fatal(err)
	}
	return strings.ReplaceAll(stdout, filepath.Dir(args[1])+"/", "")
}
