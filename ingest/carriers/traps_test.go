package carriers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// trapsIndex tells which fixture exercises which trap.
const trapsIndex = "testdata/TRAPS.md"

// namedFixture is one line of the index: a path below testdata, then what
// stands there.
var namedFixture = regexp.MustCompile("^- `([^`/]+)/([^`/]+)`: \\S")

// TestTrapsIndex holds the index to the fixtures: every line names one that
// exists, every trap has some, and no carrier with fixtures is left out.
func TestTrapsIndex(t *testing.T) {
	raw, err := os.ReadFile(trapsIndex)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	files := map[string]int{}
	trap := ""
	for i, line := range strings.Split(string(raw), "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			trap = title
			if _, twice := files[trap]; twice {
				t.Errorf("%s:%d: trap %q has two sections; merge them", trapsIndex, i+1, trap)
			}
			files[trap] = 0
			continue
		}
		if !strings.HasPrefix(line, "- ") {
			continue
		}
		m := namedFixture.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("%s:%d: want \"- `carrier/file`: words\", got %q", trapsIndex, i+1, line)
			continue
		}
		if info, err := os.Stat(filepath.Join("testdata", m[1], m[2])); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s:%d: no fixture %s/%s; correct or remove the line", trapsIndex, i+1, m[1], m[2])
		}
		named[m[1]] = true
		files[trap]++
	}
	for trap, n := range files {
		if n < 1 || n > 5 {
			t.Errorf("trap %q names %d fixtures, want 1 to 5", trap, n)
		}
	}
	checkCarriersNamed(t, named)
}

// checkCarriersNamed fails for carriers that have a mapping and fixtures, but
// no line in the index.
func checkCarriersNamed(t *testing.T, named map[string]bool) {
	t.Helper()
	folders := 0
	for _, carrier := range load(t).Names() {
		if _, err := os.Stat(filepath.Join("testdata", carrier)); err != nil {
			continue
		}
		folders++
		if !named[carrier] {
			t.Errorf("%s names no fixture of %s; add one where its payload is odd", trapsIndex, carrier)
		}
	}
	if folders < 30 {
		t.Errorf("only %d carriers with fixtures found", folders)
	}
}
