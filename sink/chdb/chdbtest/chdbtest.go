// Package chdbtest gives tests a real ClickHouse: the embedded engine behind its
// HTTP gateway. There is one engine per test process, because libchdb has one
// data directory per process; a test that wants tables for itself takes a
// database of its own.
package chdbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"scantrail/sink/chdb"
)

// EnvSkip, when set, makes tests that need ClickHouse skip instead of fail where
// it cannot be had.
const EnvSkip = "SCANTRAIL_TEST_SKIP_CHDB"

// startOnce is the process's engine. It stays up until the process ends: the
// next process removes what a dead one left behind.
var startOnce = sync.OnceValues(func() (*chdb.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	removeStale()
	dir := filepath.Join(os.TempDir(), dirPrefix+strconv.Itoa(os.Getpid()))
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	return chdb.Start(ctx, chdb.Options{DataDir: dir, Progress: os.Stderr})
})

const dirPrefix = "scantrail-chdbtest-"

// removeStale removes the data of processes that are gone.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range dirs {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), dirPrefix))
		if err == nil && !alive(pid) {
			os.RemoveAll(dir)
		}
	}
}

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// Start returns the host:port of the process's ClickHouse, over HTTP, and starts
// it with the first call, fetching the engine if needed. It fails t when there
// is none, or skips it if SCANTRAIL_TEST_SKIP_CHDB is set.
func Start(t testing.TB) string {
	t.Helper()
	return start(t).Addr()
}

// Engine is the engine behind Start's address.
func Engine(t testing.TB) *chdb.Engine {
	t.Helper()
	return start(t).Engine()
}

func start(t testing.TB) *chdb.Server {
	t.Helper()
	server, err := startOnce()
	if err != nil && os.Getenv(EnvSkip) != "" {
		t.Skipf("NOT TESTED: no embedded ClickHouse (%v), and %s is set", err, EnvSkip)
	}
	if err != nil {
		t.Fatalf("no embedded ClickHouse: %v\n(set %s=1 to skip the tests that need it)", err, EnvSkip)
	}
	return server
}

// Database returns the host:port and the name of a new, empty database, which is
// dropped when t ends.
func Database(t testing.TB) (addr, database string) {
	t.Helper()
	addr = Start(t)
	database = fmt.Sprintf("test_%d_%s", time.Now().UnixNano(), sanitize(t.Name()))
	Exec(t, addr, "CREATE DATABASE "+database)
	t.Cleanup(func() { Exec(t, addr, "DROP DATABASE IF EXISTS "+database+" SYNC") })
	return addr, database
}

func sanitize(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), 40)]
}

// Exec runs one statement over plain HTTP and returns its result as
// tab-separated text; an error fails t.
func Exec(t testing.TB, addr, sql string) string {
	t.Helper()
	res, err := http.Post((&url.URL{Scheme: "http", Host: addr, Path: "/"}).String(), "text/plain", strings.NewReader(sql))
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: HTTP %d %v: %s", sql, res.StatusCode, err, body)
	}
	return string(body)
}
