//go:build !nochdb && linux

package chdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this package that need an Engine of their own run in a child
// process each: the test process's engine belongs to chdbtest.
func TestMain(m *testing.M) {
	if name := os.Getenv("CHDB_TEST_CHILD"); name != "" {
		child(name, os.Getenv("CHDB_TEST_DIR"))
		return
	}
	os.Exit(m.Run())
}

// startChild runs child(name, dir) in a process of its own.
func startChild(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "CHDB_TEST_CHILD="+name, "CHDB_TEST_DIR="+dir)
	return cmd
}

func runChild(t *testing.T, name string) {
	t.Helper()
	out, err := startChild(t, name, filepath.Join(t.TempDir(), "data")).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "ok\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestSignalHandlersStay(t *testing.T)     { runChild(t, "signals") }
func TestReopenAnotherDir(t *testing.T)       { runChild(t, "reopen") }
func TestOpenErrors(t *testing.T)             { runChild(t, "errors") }
func TestQueueAndCancelAndClose(t *testing.T) { runChild(t, "cancel") }
func TestSessionsDoNotLeak(t *testing.T)      { runChild(t, "sessions") }

func child(name, dir string) {
	lib, err := Locate(context.Background(), os.Stderr)
	check(err)
	switch name {
	case "signals":
		childSignals(lib, dir)
	case "reopen":
		childReopen(lib, dir)
	case "errors":
		childErrors(lib, dir)
	case "cancel":
		childCancel(lib, dir)
	case "sessions":
		childSessions(lib, dir)
	case "serve":
		s, err := Start(context.Background(), Options{Lib: lib, DataDir: dir})
		check(err)
		fmt.Println(s.Addr())
		_, _ = io.Copy(io.Discard, os.Stdin) // until killed, or told to end
		check(s.Close())
		return
	}
	fmt.Println("ok")
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf(format, args...))
	}
}

func ask(e *Engine, q Query) string {
	var b strings.Builder
	_, err := e.Query(context.Background(), q, &b)
	check(err)
	return strings.TrimSpace(b.String())
}

func code(err error) int {
	var e *Exception
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// nilDereference panics and recovers, if the runtime still owns SIGSEGV.
func nilDereference() (recovered any) {
	defer func() { recovered = recover() }()
	var p *int
	*p = 1
	return nil
}

func childSignals(lib, dir string) {
	before := saveSignals()
	e, err := Open(lib, dir, EngineOptions{})
	check(err)
	expect(before.restore() == 0, "Open changed signal handlers")
	expect(ask(e, Query{SQL: "SELECT count() FROM numbers(1000000)"}) == "1000000", "count")
	expect(nilDereference() != nil, "no panic after Open")
	done := make(chan any)
	h := <-e.free // and on a thread that the library has given a signal stack
	h.jobs <- func() { done <- nilDereference() }
	expect(<-done != nil, "no panic on the engine's thread")
	e.free <- h
	got := make(chan os.Signal, 2)
	signal.Notify(got, syscall.SIGTERM, os.Interrupt)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		check(syscall.Kill(os.Getpid(), s))
		expect(<-got == s, "signal %v", s)
	}
	expect(ask(e, Query{SQL: "SELECT count() > 10 FROM system.stack_trace"}) == "1", "stack traces")
	check(e.Close())
	expect(nilDereference() != nil, "no panic after Close")
}

func childReopen(lib, dir string) {
	for i := range 3 {
		e, err := Open(lib, filepath.Join(dir, fmt.Sprint(i%2)), EngineOptions{Handles: 2})
		check(err)
		ask(e, Query{SQL: "CREATE TABLE IF NOT EXISTS t (n UInt64) ENGINE = MergeTree ORDER BY n"})
		ask(e, Query{SQL: fmt.Sprintf("INSERT INTO t VALUES (%d)", i)})
		want := []string{"0", "1", "0,2"}[i]
		got := ask(e, Query{SQL: "SELECT arrayStringConcat(arraySort(groupArray(toString(n))), ',') FROM t"})
		expect(got == want, "rows %s, want %s", got, want)
		check(e.Close())
		check(e.Close())
		_, err = e.Query(context.Background(), Query{SQL: "SELECT 1"}, io.Discard)
		expect(errors.Is(err, ErrClosed), "query after Close: %v", err)
	}
}

func childErrors(lib, dir string) {
	_, err := Open(os.Args[0], dir, EngineOptions{}) // an ELF file, but no library of this kind
	expect(err != nil && (strings.Contains(err.Error(), "loading") || strings.Contains(err.Error(), "is not libchdb")), "wrong library: %v", err)
	_, err = Open(filepath.Join(dir, "none.so"), dir, EngineOptions{})
	expect(err != nil && strings.Contains(err.Error(), "no such file"), "no library: %v", err)
	e, err := Open(lib, dir, EngineOptions{})
	check(err)
	_, err = Open(lib, dir, EngineOptions{})
	expect(err != nil && strings.Contains(err.Error(), fmt.Sprintf("is open in another process (pid %d)", os.Getpid())), "same directory: %v", err)
	_, err = Open(lib, dir+"2", EngineOptions{})
	expect(err != nil && strings.Contains(err.Error(), "another directory is open in this process"), "second engine: %v", err)
	expect(ask(e, Query{SQL: "SELECT 1"}) == "1", "the first engine still works")
	check(e.Close())
}

func childCancel(lib, dir string) {
	e, err := Open(lib, dir, EngineOptions{Handles: 1, QueueTimeout: 50 * time.Millisecond})
	check(err)
	// A query that takes minutes, with no result to stream before its end.
	long := Query{SQL: "SELECT sum(sleepEachRow(0.05)) FROM numbers(2000) SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0"}
	for range 3 {
		waitFor(func() bool { return len(e.free) == 1 }) // the last query's handle is back
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error, 1)
		go func() {
			_, err := e.Query(ctx, long, io.Discard)
			failed <- err
		}()
		waitFor(func() bool { return len(e.free) == 0 })
		_, err = e.Query(context.Background(), Query{SQL: "SELECT 1"}, io.Discard)
		expect(code(err) == codeTooManyQueries, "queue: %v", err)
		started := time.Now()
		cancel()
		expect(errors.Is(<-failed, context.Canceled), "cancelled query")
		expect(time.Since(started) < 5*time.Second, "cancelled after %v", time.Since(started))
		h := <-e.free // the query itself ends too
		expect(time.Since(started) < 20*time.Second, "handle free after %v", time.Since(started))
		e.free <- h
		expect(ask(e, Query{SQL: "SELECT 42"}) == "42", "next query")
	}
	waitFor(func() bool { return len(e.free) == 1 })
	failed := make(chan error, 1)
	go func() {
		_, err := e.Query(context.Background(), long, io.Discard)
		failed <- err
	}()
	waitFor(func() bool { return len(e.free) == 0 })
	started := time.Now()
	check(e.Close())
	expect(errors.Is(<-failed, ErrClosed), "query during Close")
	expect(time.Since(started) < 20*time.Second, "closed after %v", time.Since(started))
}

// waitFor returns once condition holds.
func waitFor(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

func childSessions(lib, dir string) {
	e, err := Open(lib, dir, EngineOptions{Handles: 1})
	check(err)
	ask(e, Query{SQL: "CREATE DATABASE other"})
	state := Query{SQL: "SELECT currentDatabase(), getSetting('max_threads') = 7, getSetting('session_timezone'), getSetting('readonly')"}
	const fresh = "default\t0\tUTC\t0"
	for _, q := range []Query{
		{SQL: "SELECT 1", Database: "other"},
		{SQL: "SELECT 1", Settings: map[string]string{"max_threads": "7"}},
		{SQL: "SELECT 1", Settings: map[string]string{"session_timezone": "Asia/Tokyo"}},
		{SQL: "SELECT 1", Settings: map[string]string{"readonly": "1", "max_threads": "7"}},
		{SQL: "SELECT 1", Settings: map[string]string{"max_threads": "7", "no_such_setting": "1"}},
		{SQL: "SELECT 1", Database: "missing", Settings: map[string]string{"max_threads": "7"}},
		{SQL: "SELECT 1 SETTINGS max_threads = 7"},
		{SQL: "SET max_threads = 7"},
		{SQL: "USE other"},
		{SQL: "CREATE TEMPORARY TABLE leaked (a Int8)"},
		{SQL: "SELECT {p:UInt8}", Params: map[string]string{"p": "1"}},
	} {
		_, _ = e.Query(context.Background(), q, io.Discard) // some of them fail, as they should
		got := ask(e, state)
		expect(got == fresh, "after %+v: %q", q, got)
	}
	_, err = e.Query(context.Background(), Query{SQL: "SELECT * FROM leaked"}, io.Discard)
	expect(code(err) == 60, "temporary table: %v", err)
	_, err = e.Query(context.Background(), Query{SQL: "SELECT {p:UInt8}"}, io.Discard)
	expect(code(err) == 456, "parameter: %v", err)
	got := ask(e, Query{SQL: "SELECT currentDatabase(), getSetting('max_threads')", Database: "other", Settings: map[string]string{"max_threads": "7"}})
	expect(got == "other\t7", "settings: %q", got)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	check(err)
	expect(len(files) > 3, "files: %v", files)
	check(e.Close())
}
