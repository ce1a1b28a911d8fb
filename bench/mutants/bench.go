package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mutant is one mistake: texts of the sources and what stands there instead.
type mutant struct {
	name  string
	what  string
	edits []edit
}

// edit replaces a text that occurs once in a file.
type edit struct{ file, old, new string }

// moduleRoot returns the nearest folder with a go.mod, from the present one up.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod in this folder or above: run it inside the repository")
		}
		dir = up
	}
}

// apply returns the changed contents of the files of a mutant, by path.
func (m *mutant) apply(root string) (map[string]string, error) {
	changed := map[string]string{}
	for _, e := range m.edits {
		text, ok := changed[e.file]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.name, err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("mutant %s: its text occurs %d times in %s, want once: the code has changed, adapt the mutant\n%s", m.name, n, e.file, e.old)
		}
		changed[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	return changed, nil
}

// bench is a copy of the module that mutants are built in, whatever happens to
// the original meanwhile.
type bench struct{ dir, root string }

func newBench(module string) (*bench, error) {
	dir, err := os.MkdirTemp("", "scantrail-mutants-")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, root: filepath.Join(dir, "module")}
	for _, part := range []string{"go.mod", "go.sum", "bench/oracle", "bench/sim", "detector", "schemas", "sink"} {
		if err := copyTree(filepath.Join(module, part), filepath.Join(b.root, part)); err != nil {
			b.close()
			return nil, err
		}
	}
	return b, nil
}

func (b *bench) close() { os.RemoveAll(b.dir) }

// copyTree copies a file or a folder, but for tests and their data.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && d.Name() == "testdata":
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return copyFile(path, target)
	})
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

// build compiles the simulation with a mutant in it, none where it is nil, and
// returns the path of the program.
func (b *bench) build(ctx context.Context, m *mutant) (string, error) {
	name := "sim"
	if m != nil {
		name += "-" + m.name
	}
	program := filepath.Join(b.dir, name)
	args := []string{"build", "-ldflags", "-s -w", "-o", program}
	if m != nil {
		overlay, err := b.overlay(m)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./bench/sim")...)
	cmd.Dir = b.root
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build of %s: %w\n%s", name, err, text)
	}
	return program, nil
}

// overlay writes what the compiler is to read instead of the files that a mutant
// changes.
func (b *bench) overlay(m *mutant) (string, error) {
	changed, err := m.apply(b.root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range changed {
		to := filepath.Join(b.dir, m.name+"-"+strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(b.root, file)] = to
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, m.name+".json")
	return path, os.WriteFile(path, list, 0o644)
}
