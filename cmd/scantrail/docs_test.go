package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"scantrail/schemas"
)

// pages lists the Markdown files of the repository.
func pages(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(repoRoot, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 {
			return filepath.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d pages, %v", len(paths), err)
	}
	return paths
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	goPath  = regexp.MustCompile(`\bgo (?:run|test|build) (?:-\S+ )*\./([a-z/]+[a-z])`)
	notSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are the names by which headings of a page are linked.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

// TestReadmeLinks follows the links of all pages that stay inside the repository,
// and looks for the packages that they run or test.
func TestReadmeLinks(t *testing.T) {
	for _, path := range pages(t) {
		page := string(readRepo(t, path))
		for _, m := range goPath.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(repoRoot, m[1])); err != nil {
				t.Errorf("%s says %s: %v", path, m[0], err)
			}
		}
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target, text := filepath.Join(filepath.Dir(path), file), page
			if file != "" {
				if _, err := os.Stat(target); err != nil {
					t.Errorf("%s links %s: %v", path, m[1], err)
					continue
				}
				if anchor != "" {
					text = string(readRepo(t, target))
				}
			}
			if anchor != "" && !anchors(text)[anchor] {
				t.Errorf("%s links %s: there is no such heading", path, m[1])
			}
		}
	}
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```|(?m)^    (scantrail .*)$")

// TestReadmeCommands looks up every command and flag that a page shows.
func TestReadmeCommands(t *testing.T) {
	shown := 0
	for _, path := range pages(t) {
		for _, block := range shellBlock.FindAllStringSubmatch(string(readRepo(t, path)), -1) {
			for line := range strings.Lines(block[1] + block[2]) {
				line, _, _ = strings.Cut(line, " # ")
				for command := range strings.SplitSeq(line, "|") {
					words := strings.Fields(command)
					if len(words) > 2 && words[0] == "go" && words[1] == "run" {
						words = words[2:]
					}
					if len(words) > 1 && (words[0] == "scantrail" || words[0] == "./cmd/scantrail") {
						shown++
						checkCommand(t, path, words[1:])
					}
				}
			}
		}
	}
	if shown < 20 {
		t.Fatalf("the pages show %d commands", shown)
	}
}

func checkCommand(t *testing.T, path string, words []string) {
	t.Helper()
	for i, w := range words {
		if strings.HasPrefix(w, ">") {
			words = words[:i]
			break
		}
	}
	cmd, rest, err := newRootCommand().Find(words)
	if err == nil && !cmd.HasParent() {
		t.Errorf("%s shows scantrail %s: there is no such command", path, strings.Join(words, " "))
		return
	}
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil {
		t.Errorf("%s shows scantrail %s: %v", path, strings.Join(words, " "), err)
	}
}

// TestReadmeNames holds README.md to the topics, roles and commands of the code.
func TestReadmeNames(t *testing.T) {
	page := string(readRepo(t, filepath.Join(repoRoot, "README.md")))
	names := []string{schemas.RawTopicPrefix + "<carrier>", schemas.OrdersTopic}
	for _, topic := range ownTopics(topicOptions{}) {
		names = append(names, topic.name)
	}
	names = append(append(names, roleNames...), rawRole)
	for _, name := range names {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("README.md does not explain `%s`", name)
		}
	}
	if n, err := loadMappings(nil, ""); err != nil || !strings.Contains(page, fmt.Sprintf(" %d are built in", n)) {
		t.Errorf("README.md does not say that %d carriers are built in (%v)", n, err)
	}
	for _, cmd := range newRootCommand().Commands() {
		if cmd.Name() != "help" && cmd.Name() != "completion" && !strings.Contains(page, "scantrail "+cmd.Name()) {
			t.Errorf("README.md does not show scantrail %s", cmd.Name())
		}
	}
}
