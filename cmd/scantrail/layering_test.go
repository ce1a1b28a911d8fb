package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rules of CONTRIBUTING.md that a machine can check. Each message names
// what to do instead.

// sourceFile is one Go file of the repository.
type sourceFile struct {
	path string // from the top of the repository, with slashes
	dir  string
	test bool
	ast  *ast.File
	set  *token.FileSet
}

func (f *sourceFile) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(n.Pos()).Line)
}

func (f *sourceFile) in(dir string) bool {
	return f.dir == dir || strings.HasPrefix(f.dir, dir+"/")
}

func sourceFiles(t *testing.T) []*sourceFile {
	t.Helper()
	set := token.NewFileSet()
	var files []*sourceFile
	err := filepath.WalkDir(repoRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && name != ".." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(repoRoot, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files = append(files, &sourceFile{
			path: rel, dir: filepath.ToSlash(filepath.Dir(rel)),
			test: strings.HasSuffix(name, "_test.go"), ast: parsed, set: set,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d Go files from %s: this test looks in the wrong place", len(files), repoRoot)
	}
	return files
}

func imports(f *sourceFile) []string {
	var paths []string
	for _, i := range f.ast.Imports {
		paths = append(paths, strings.Trim(i.Path.Value, `"`))
	}
	return paths
}

func inPackage(path, pkg string) bool { return path == pkg || strings.HasPrefix(path, pkg+"/") }

// TestStagesDoNotKnowEachOther: ingest, detector and sink meet in package
// schemas; only cmd/scantrail and bench wire them.
func TestStagesDoNotKnowEachOther(t *testing.T) {
	stages := []string{"ingest", "detector", "sink"}
	for _, f := range sourceFiles(t) {
		if f.test {
			continue // a test may run two stages against each other
		}
		for _, path := range imports(f) {
			for _, stage := range stages {
				if inPackage(path, "scantrail/"+stage) && (f.in("schemas") || slices.ContainsFunc(stages, func(s string) bool { return s != stage && f.in(s) })) {
					t.Errorf("%s imports %s: put what both need into package schemas, or hand it over in cmd/scantrail", f.path, path)
				}
			}
			if inPackage(path, "scantrail/cmd") && !f.in("cmd") || inPackage(path, "scantrail/bench") && !f.in("cmd") && !f.in("bench") {
				t.Errorf("%s imports %s: the flow goes the other way", f.path, path)
			}
		}
	}
}

// The detector's core is a pure function of the log: these would let the world
// in. The values say what to use instead.
var (
	impureImports = map[string]string{
		"net":          "let the shell do it (package detector/shell)",
		"os":           "take the contents as an argument",
		"io":           "take and return []byte",
		"log":          "return the fact as a row or an error; the shell logs",
		"math/rand":    "derive it from the fact id",
		"crypto/rand":  "derive it from the fact id",
		"sync":         "one machine belongs to one goroutine, which the shell owns",
		"context":      "let the shell do it (package detector/shell)",
		"runtime":      "let the shell measure",
		"database/sql": "let the shell do it (package detector/shell)",
		"github.com":   "keep to the standard library and package schemas; the shell has the clients",
	}
	impureTime = map[string]string{
		"Now": "use the partition's clock, which ticks move", "Since": "subtract from the partition's clock",
		"Until": "subtract from the partition's clock", "After": "set a timer of the machine",
		"AfterFunc": "set a timer of the machine", "NewTimer": "set a timer of the machine",
		"NewTicker": "ticks come in the log", "Tick": "ticks come in the log", "Sleep": "set a timer of the machine",
		"LoadLocation": "take the location as an argument: zone files differ between machines",
	}
)

func TestDetectorCoreIsPure(t *testing.T) {
	for _, f := range sourceFiles(t) {
		if f.dir != "detector" || f.test {
			continue
		}
		for _, path := range imports(f) {
			for banned, instead := range impureImports {
				if inPackage(path, banned) {
					t.Errorf("%s imports %s: %s", f.path, path, instead)
				}
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine: the shell owns them", f.at(n))
			case *ast.SelectStmt, *ast.ChanType:
				t.Errorf("%s uses channels: take facts as arguments, return rows and alerts", f.at(n))
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && impureTime[n.Sel.Name] != "" {
					t.Errorf("%s calls time.%s: %s", f.at(n), n.Sel.Name, impureTime[n.Sel.Name])
				}
			}
			return true
		})
	}
}

func TestStyle(t *testing.T) {
	const maxFunction, maxFile = 70, 400
	for _, f := range sourceFiles(t) {
		if lines := f.set.Position(f.ast.FileEnd).Line; !f.test && lines > maxFile {
			t.Errorf("%s has %d lines, at most %d: split it by what it is about", f.path, lines, maxFile)
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				lines := f.set.Position(n.End()).Line - f.set.Position(n.Pos()).Line + 1
				if !f.test && lines > maxFunction {
					t.Errorf("%s: %s has %d lines, at most %d: name its parts", f.at(n), n.Name.Name, lines, maxFunction)
				}
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: init: call a constructor from cmd/scantrail", f.at(n))
				}
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok {
					checkSelector(t, f, n, pkg.Name+"."+n.Sel.Name)
				}
			}
			return true
		})
	}
}

// checkSelector reports calls that make a library hard to test or to embed.
func checkSelector(t *testing.T, f *sourceFile, n ast.Node, call string) {
	t.Helper()
	library := !f.test && !f.in("cmd") && f.ast.Name.Name != "main"
	switch {
	case library && (strings.HasPrefix(call, "log.") && slices.Contains(imports(f), "log") || call == "os.Exit"):
		t.Errorf("%s: %s: return an error, or use the *slog.Logger of the constructor", f.at(n), call)
	case library && (call == "slog.Default" || call == "slog.SetDefault" || call == "slog.Info" || call == "slog.Warn" || call == "slog.Error"):
		t.Errorf("%s: %s: use the *slog.Logger of the constructor", f.at(n), call)
	case !f.test && (strings.HasPrefix(call, "promauto.") || call == "prometheus.MustRegister" || call == "prometheus.DefaultRegisterer"):
		t.Errorf("%s: %s: register with the Registerer that is handed over", f.at(n), call)
	case f.test && call == "time.Sleep":
		t.Errorf("%s: time.Sleep in a test: wait for the event itself, or use testing/synctest", f.at(n))
	}
}
