package chdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// EnvLibrary names a libchdb file to use instead of the cached or fetched one.
const EnvLibrary = "SCANTRAIL_LIBCHDB"

// Version is the release of the @chdb packages this package was tested with.
//
// 26.7.3-stable.1 and not 26.5.3, which carries the "latest" tag: in 26.5.3
// chdb_set_signal_handlers_enabled(0) resets eight of the process's handlers to
// the default action, so that a nil dereference kills a Go process; it has no
// streaming INSERT, so that inserting needs a user who may read files; and it
// returns uninitialised counters with errors. All three are right in 26.7.3,
// which also holds the Kafka table engine, and which the chdb package itself
// depends on. It held in a soak of 75 s of inserts, queries, errors and 3,000
// cancelled queries (16.5 M rows, none lost, memory level), and over 10,000
// sessions opened and closed.
const Version = "26.7.3-stable.1"

// release says what one platform's package holds. Hashes are known for the
// platform that the tests run on; npm checks the integrity of the others.
type release struct {
	pkg         string // npm package
	tarballSize int64  // bytes to download, for the message
	librarySize int64  // bytes of libchdb.so; 0 = not pinned
	librarySHA  string // hex SHA-256 of libchdb.so; "" = not pinned
	tarballSHA  string // base64 SHA-512 of the tarball, npm's integrity; "" = not pinned
}

func releaseFor(goos, goarch string) (release, error) {
	switch goos + "/" + goarch {
	case "linux/amd64":
		return release{
			pkg:         "@chdb/lib-linux-x64-gnu",
			tarballSize: 177_817_999,
			librarySize: 566_330_096,
			librarySHA:  "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5",
			tarballSHA:  "XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		}, nil
	case "linux/arm64":
		return release{pkg: "@chdb/lib-linux-arm64-gnu", tarballSize: 170_000_000}, nil
	case "darwin/arm64":
		return release{pkg: "@chdb/lib-darwin-arm64", tarballSize: 150_000_000}, nil
	case "darwin/amd64":
		return release{pkg: "@chdb/lib-darwin-x64", tarballSize: 150_000_000}, nil
	}
	return release{}, fmt.Errorf("chdb: there is no embedded ClickHouse for %s/%s; point Scantrail at a ClickHouse server instead", goos, goarch)
}

func (r release) spec() string { return r.pkg + "@" + Version }

// npmArgs is the command that fetches the package into dir.
func (r release) npmArgs(dir string) []string {
	return []string{"pack", "--ignore-scripts", "--no-audit", "--no-fund", "--pack-destination", dir, r.spec()}
}

// Locate returns the path of libchdb: the file that SCANTRAIL_LIBCHDB names, or
// the one in the user's cache directory, which it fetches through npm when it is
// not there yet (170 MiB to download, 540 MiB on disk). It reports to progress
// what it does and how far it is; progress may be nil. Several processes may
// call it at once: one fetches, the others wait for it.
func Locate(ctx context.Context, progress io.Writer) (path string, err error) {
	if progress == nil {
		progress = io.Discard
	}
	if named := os.Getenv(EnvLibrary); named != "" {
		if err := checkLibrary(named, 0); err != nil {
			return "", fmt.Errorf("chdb: %s=%s: %w; name the libchdb.so of %s, or unset the variable to have it fetched", EnvLibrary, named, err, Version)
		}
		return filepath.Abs(named)
	}
	rel, err := releaseFor(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("chdb: no cache directory for libchdb (%w); set HOME, or name the library in %s", err, EnvLibrary)
	}
	dir := filepath.Join(cache, "scantrail", "libchdb", Version, runtime.GOOS+"-"+runtime.GOARCH)
	return fetcher{rel: rel, dir: dir, progress: progress, npm: "npm"}.locate(ctx)
}

// fetcher brings one release into dir.
type fetcher struct {
	rel      release
	dir      string
	progress io.Writer
	npm      string // name or path of the npm command
}

func (f fetcher) locate(ctx context.Context) (string, error) {
	lib := filepath.Join(f.dir, "libchdb.so")
	if checkLibrary(lib, f.rel.librarySize) == nil {
		return lib, nil
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return "", fmt.Errorf("chdb: cache directory for libchdb: %w; set XDG_CACHE_HOME to a writable directory, or name the library in %s", err, EnvLibrary)
	}
	unlock, err := lockFile(ctx, filepath.Join(f.dir, ".lock"))
	if err != nil {
		return "", fmt.Errorf("chdb: waiting for another process that fetches libchdb: %w", err)
	}
	defer unlock()
	if checkLibrary(lib, f.rel.librarySize) == nil { // the other process brought it
		return lib, nil
	}
	if err := f.fetch(ctx, lib); err != nil {
		return "", fmt.Errorf("chdb: fetching %s: %w\n  by hand: npm %s\n  then unpack it and set %s to its package/libchdb.so",
			f.rel.spec(), err, join(f.rel.npmArgs(".")), EnvLibrary)
	}
	return lib, nil
}

func (f fetcher) fetch(ctx context.Context, lib string) error {
	npm, err := exec.LookPath(f.npm)
	if err != nil {
		return errors.New("npm is not installed (it comes with Node.js, package nodejs or npm of your system)")
	}
	tmp, err := os.MkdirTemp(f.dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	fmt.Fprintf(f.progress, "libchdb: fetching %s through npm, %d MiB, once, into %s\n", f.rel.spec(), f.rel.tarballSize>>20, f.dir)
	started := time.Now()
	if err := f.runNPM(ctx, npm, tmp); err != nil {
		return err
	}
	tarballs, err := filepath.Glob(filepath.Join(tmp, "*.tgz"))
	if err != nil || len(tarballs) != 1 {
		return fmt.Errorf("npm wrote %d packages instead of one (%v)", len(tarballs), err)
	}
	unpacked := filepath.Join(tmp, "libchdb.so")
	if err := f.unpack(tarballs[0], unpacked); err != nil {
		return err
	}
	if err := checkLibrary(unpacked, f.rel.librarySize); err != nil {
		return err
	}
	if err := os.Rename(unpacked, lib); err != nil {
		return err
	}
	fmt.Fprintf(f.progress, "libchdb: ready after %.0f s\n", time.Since(started).Seconds())
	return nil
}

// runNPM runs npm in dir, so that no project's .npmrc applies, and reports the
// bytes that have arrived there every two seconds.
func (f fetcher) runNPM(ctx context.Context, npm, dir string) error {
	cmd := exec.CommandContext(ctx, npm, f.rel.npmArgs(dir)...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		f.report(dir, stop)
	}()
	err := cmd.Wait()
	close(stop)
	<-stopped
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("npm failed: %w\n%s", err, tail(out.Bytes(), 2000))
	}
	return nil
}

func (f fetcher) report(dir string, stop <-chan struct{}) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	started := time.Now()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			fmt.Fprintf(f.progress, "libchdb: npm at work for %.0f s, %d of %d MiB here\n", time.Since(started).Seconds(), dirSize(dir)>>20, f.rel.tarballSize>>20)
		}
	}
}

// dirSize is the size in bytes of the files directly in dir.
func dirSize(dir string) (size int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
	}
	return size
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}
