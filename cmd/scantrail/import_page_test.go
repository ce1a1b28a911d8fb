package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

var importBlock = regexp.MustCompile("(?s)<!-- import ([^\n]*) -->\n\n```\n(.*?)```")

// TestImportPage keeps IMPORT.md true: what it shows is what the files hold and
// the commands print against a broker. After a wanted change: go test
// ./cmd/scantrail -run TestImportPage -update, then read the difference.
func TestImportPage(t *testing.T) {
	page, err := filepath.Abs("IMPORT.md")
	if err != nil {
		t.Fatal(err)
	}
	text := readRepo(t, page)
	broker := newFakeBroker(t).addr()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, schemas.OrdersTopic); err != nil {
		t.Fatal(err)
	}
	t.Chdir("testdata/import")
	blocks := 0
	got := importBlock.ReplaceAllStringFunc(string(text), func(block string) string {
		blocks++
		m := importBlock.FindStringSubmatch(block)
		want := importOutput(t, broker, strings.Fields(m[1]))
		if m[2] != want && !*updateGuide {
			t.Errorf("the page shows for %s\n%s\nbut it is\n%s", m[1], m[2], want)
		}
		return strings.TrimSuffix(block, m[2]+"```") + want + "```"
	})
	if blocks != 6 {
		t.Fatalf("the page shows %d blocks", blocks)
	}
	if *updateGuide {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// importOutput returns a file, or what a command prints.
func importOutput(t *testing.T, broker string, args []string) string {
	if args[0] == "file" {
		return string(readRepo(t, args[1]))
	}
	var out bytes.Buffer
	cmd := newRootCommand()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append(args, "--brokers", broker))
	cmd.Execute() //nolint:errcheck // the page shows what bad rows print
	return out.String()
}
