package main

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
		if _, err := m.apply(root); err != nil {
			t.Error(err)
		}
	}
}

// TestMutantsCompile: a mutant that does not compile is caught by the compiler only.
func TestMutantsCompile(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	c := compiler{fset: token.NewFileSet(), files: map[string]map[string]*ast.File{}}
	c.config.Importer = importer.ForCompiler(c.fset, "gc", compiled(t, root))
	all := mutants()
	for i := range all {
		changed, err := all[i].apply(root)
		if err != nil {
			t.Fatal(err)
		}
		for dir, files := range byFolder(changed) {
			if err := c.check(filepath.Join(root, dir), files); err != nil {
				t.Errorf("mutant %s does not compile: %v", all[i].name, err)
			}
		}
	}
}

// compiled builds what the simulation imports and returns where each package is.
func compiled(t *testing.T, root string) importer.Lookup {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./bench/sim")
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(list)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

// byFolder sorts texts of files, by path, into folders.
func byFolder(texts map[string]string) map[string]map[string]string {
	folders := map[string]map[string]string{}
	for path, text := range texts {
		dir, name := filepath.Split(path)
		if folders[dir] == nil {
			folders[dir] = map[string]string{}
		}
		folders[dir][name] = text
	}
	return folders
}

// compiler checks packages without building them.
type compiler struct {
	fset   *token.FileSet
	config types.Config
	files  map[string]map[string]*ast.File // as they are, by folder and name
}

// check checks the package in dir with other texts for some of its files.
func (c *compiler) check(dir string, texts map[string]string) error {
	if c.files[dir] == nil {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			return err
		}
		c.files[dir] = map[string]*ast.File{}
		for _, name := range pkg.GoFiles {
			if c.files[dir][name], err = parser.ParseFile(c.fset, filepath.Join(dir, name), nil, 0); err != nil {
				return err
			}
		}
	}
	files := maps.Clone(c.files[dir])
	for name, text := range texts {
		var err error
		if files[name], err = parser.ParseFile(c.fset, name, text, 0); err != nil {
			return err
		}
	}
	_, err := c.config.Check(dir, c.fset, slices.Collect(maps.Values(files)), nil)
	return err
}
