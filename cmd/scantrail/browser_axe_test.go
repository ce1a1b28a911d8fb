package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// axe-core finds what keeps people with a disability out of a page (WCAG 2.2 and
// good practice). It is fetched through npm once, into the user's cache directory;
// the hash pins what it is.
const (
	axeVersion = "4.14.1"
	axeSHA     = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
	maxAxe     = 4 << 20
)

// axeSource returns the script.
func axeSource(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "scantrail", "axe-core", axeVersion)
	path := filepath.Join(dir, "axe.min.js")
	if b, err := os.ReadFile(path); err == nil && isAxe(b) {
		return string(b)
	}
	b, err := fetchAxe(t.Context(), dir)
	if err == nil {
		err = os.WriteFile(path+".new", b, 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path) // whole or not at all, should two tests do it at once
	}
	if err != nil {
		t.Fatalf("fetching axe-core %s, which checks that people with a disability can use the pages: %v", axeVersion, err)
	}
	return string(b)
}

func isAxe(b []byte) bool {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]) == axeSHA
}

func fetchAxe(ctx context.Context, dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // in the cache
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "pack", "--ignore-scripts", "--no-audit", "--no-fund", "axe-core@"+axeVersion)
	cmd.Dir = tmp // no project's .npmrc applies
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm pack: %w\n%s", err, out)
	}
	packed, err := os.ReadFile(filepath.Join(tmp, "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		return nil, err
	}
	b, err := fileOf(packed, "package/axe.min.js")
	if err == nil && !isAxe(b) {
		err = errors.New("npm delivered another axe.min.js than the one that was pinned")
	}
	return b, err
}

// fileOf returns one file of a packed archive.
func fileOf(packed []byte, name string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", name, err)
		}
		if h.Name == name {
			return io.ReadAll(io.LimitReader(r, maxAxe))
		}
	}
}

// axeRun returns what axe-core finds serious or critical by its rules, all or the
// given ones, one line each.
const axeRun = `axe.run(document, {resultTypes: ["violations"], %s}).then(found => found.violations
	.filter(v => v.impact === "serious" || v.impact === "critical")
	.flatMap(v => v.nodes.map(n => v.impact + " " + v.id + ": " + v.help + ": " + n.target.join(" ") + " " + n.html.slice(0, 200) + " " + (n.any[0]?.message ?? ""))))`

// byColour are the rules whose findings may differ between light and dark.
var byColour = []string{"color-contrast", "link-in-text-block"}

// accessible fails the test for each serious finding on the page that is shown, at
// most five of a page. Without rules it looks for all.
func (b *tab) accessible(axe string, rules ...string) {
	b.t.Helper()
	only := ""
	if len(rules) > 0 {
		only = `runOnly: ["` + strings.Join(rules, `", "`) + `"]`
	}
	eval[bool](b, axe+";\ntrue")
	found := eval[[]string](b, fmt.Sprintf(axeRun, only))
	slices.Sort(found)
	for i, f := range found {
		if i == 5 {
			b.t.Errorf("%s: %d more", b.address(), len(found)-i)
			break
		}
		b.t.Errorf("%s: %s", b.address(), strings.Join(strings.Fields(f), " "))
	}
}
