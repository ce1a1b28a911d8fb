package chdb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeNPM writes a shell script that answers like npm pack: it puts tarball into
// the directory after --pack-destination, and counts its calls.
func fakeNPM(t *testing.T, tarball []byte) (npm, calls string) {
	t.Helper()
	dir := t.TempDir()
	npm, calls = filepath.Join(dir, "npm"), filepath.Join(dir, "calls")
	write(t, filepath.Join(dir, "x.tgz"), tarball)
	write(t, npm, []byte("#!/bin/sh\necho \"$@\" >> "+calls+"\ncp "+dir+"/x.tgz \"$6\"\n"))
	return npm, calls
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

func pack(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	if err := tw.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	tw.Write(data)
	tw.Close()
	zw.Close()
	return b.Bytes()
}

func TestLocateFetchesOnce(t *testing.T) {
	lib := []byte("\x7fELF and the rest")
	sum := sha256.Sum256(lib)
	npm, calls := fakeNPM(t, pack(t, "package/libchdb.so", lib))
	f := fetcher{
		rel: release{pkg: "@chdb/some-lib", librarySize: int64(len(lib)), librarySHA: hex.EncodeToString(sum[:])},
		dir: filepath.Join(t.TempDir(), "cache"), npm: npm, progress: &bytes.Buffer{},
	}
	var wg sync.WaitGroup
	for range 5 {
		own := f
		own.progress = &bytes.Buffer{}
		wg.Go(func() {
			path, err := own.locate(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			if got, _ := os.ReadFile(path); !bytes.Equal(got, lib) {
				t.Errorf("fetched %q", got)
			}
		})
	}
	wg.Wait()
	log, _ := os.ReadFile(calls)
	if n := strings.Count(string(log), "\n"); n != 1 || !strings.Contains(string(log), "--ignore-scripts --no-audit --no-fund") {
		t.Fatalf("npm was called %d times: %s", n, log)
	}
	left, _ := filepath.Glob(filepath.Join(f.dir, "fetch-*"))
	if len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

func TestLocateRefuses(t *testing.T) {
	lib := []byte("\x7fELF and the rest")
	good := release{pkg: "@chdb/some-lib", librarySize: int64(len(lib))}
	wrongHash, wrongSize, wrongTarball := good, good, good
	wrongHash.librarySHA, wrongSize.librarySize, wrongTarball.tarballSHA = "00", 5, "AA=="
	for name, c := range map[string]struct {
		rel     release
		tarball []byte
		want    string
	}{
		"hash":         {wrongHash, pack(t, "package/libchdb.so", lib), "SHA-256"},
		"size":         {wrongSize, pack(t, "package/libchdb.so", lib), "bytes instead of 5"},
		"tarball":      {wrongTarball, pack(t, "package/libchdb.so", lib), "SHA-512"},
		"not a lib":    {release{}, pack(t, "package/libchdb.so", []byte("hello")), "neither ELF nor Mach-O"},
		"no library":   {good, pack(t, "package/x", lib), "no package/libchdb.so inside"},
		"not a tar.gz": {good, lib, "unpacking"},
	} {
		t.Run(name, func(t *testing.T) {
			npm, _ := fakeNPM(t, c.tarball)
			f := fetcher{rel: c.rel, dir: t.TempDir(), npm: npm, progress: &bytes.Buffer{}}
			_, err := f.locate(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), EnvLibrary) {
				t.Fatalf("error: %v", err)
			}
			if _, err := os.Stat(filepath.Join(f.dir, "libchdb.so")); err == nil {
				t.Fatal("a bad library is in the cache")
			}
		})
	}
}

func TestLocateWithoutNPM(t *testing.T) {
	f := fetcher{rel: release{pkg: "@chdb/some-lib"}, dir: t.TempDir(), npm: "no-such-npm", progress: &bytes.Buffer{}}
	_, err := f.locate(context.Background())
	for _, want := range []string{"npm is not installed", "@chdb/some-lib@" + Version, "npm pack --ignore-scripts", EnvLibrary} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("error lacks %q: %v", want, err)
		}
	}
}

func TestLocateByEnvironment(t *testing.T) {
	dir := t.TempDir()
	lib, text := filepath.Join(dir, "lib.so"), filepath.Join(dir, "text")
	write(t, lib, []byte("\x7fELF and the rest"))
	write(t, text, []byte("text"))
	for path, want := range map[string]string{lib: "", text: "is not a shared library", dir: "is a directory", filepath.Join(dir, "none"): "no such file"} {
		t.Setenv(EnvLibrary, path)
		got, err := Locate(context.Background(), nil)
		if want == "" && (err != nil || got != lib) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReleases(t *testing.T) {
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64"} {
		goos, goarch, _ := strings.Cut(platform, "/")
		if r, err := releaseFor(goos, goarch); err != nil || !strings.HasPrefix(r.pkg, "@chdb/lib-") {
			t.Errorf("%s: %+v, %v", platform, r, err)
		}
	}
	if _, err := releaseFor("windows", "amd64"); err == nil {
		t.Error("windows has no libchdb")
	}
}
