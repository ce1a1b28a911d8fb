//go:build !nochdb && (linux || darwin)

package chdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Engine is a running ClickHouse on one data directory. It is safe for
// concurrent use. One process can have one Engine open at a time: that is a
// limit of libchdb.
type Engine struct {
	lib  *library
	opts EngineOptions
	args []string // of chdb_connect
	lock *os.File // held for the engine's life
	sig  *signals

	all     []*handle
	free    chan *handle // handles that serve no query
	control *handle      // runs KILL QUERY only

	version, timezone string

	closeOnce sync.Once
	closing   chan struct{}
}

// Open loads libchdb from lib (see Locate) and starts the engine on dataDir,
// which is created if needed; everything the engine writes stays below it. The
// process's signal handlers are the same afterwards. An error names the cause:
// not a library, a wrong version of it, a directory that another process has
// open.
func Open(lib, dataDir string, opts EngineOptions) (*Engine, error) {
	opts = opts.withDefaults()
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, fmt.Errorf("chdb: data directory %q: %w", dataDir, err)
	}
	lock, err := lockDataDir(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{opts: opts, lock: lock, sig: saveSignals(), closing: make(chan struct{}), free: make(chan *handle, opts.Handles)}
	if err := e.start(lib, dir); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) start(lib, dir string) error {
	config, err := writeConfig(dir, e.opts)
	if err != nil {
		return fmt.Errorf("chdb: writing the engine's configuration below %s: %w", dir, err)
	}
	e.args = []string{"clickhouse", "--path=" + dir, "--config-file=" + config}
	if e.lib, err = loadLibrary(lib); err != nil {
		return err
	}
	e.lib.setSignalHandlers(0)
	for i := 0; i <= e.opts.Handles; i++ {
		h, err := e.newHandle()
		if err != nil {
			return err
		}
		if e.control == nil {
			e.control = h
			continue
		}
		e.all = append(e.all, h)
		e.free <- h
	}
	if n := e.sig.restore(); n > 0 {
		e.opts.Log.Warn("libchdb replaced signal handlers of the process; they are back", "handlers", n)
	}
	return e.identify()
}

// identify asks the engine for what clients want to know of it.
func (e *Engine) identify() error {
	var out strings.Builder
	if _, err := e.Query(context.Background(), Query{SQL: "SELECT version(), timezone()"}, &out); err != nil {
		return fmt.Errorf("chdb: the engine does not answer: %w", err)
	}
	version, timezone, ok := strings.Cut(strings.TrimSpace(out.String()), "\t")
	if !ok {
		return fmt.Errorf("chdb: the engine answers %q to SELECT version(), timezone()", out.String())
	}
	e.version, e.timezone = version, timezone
	return nil
}

// Version is ClickHouse's version, such as "26.7.2.1".
func (e *Engine) Version() string { return e.version }

// Timezone is the IANA name of the time zone that queries run in.
func (e *Engine) Timezone() string { return e.timezone }

// lockDataDir creates dir and locks it against other processes, and other
// engines of this process.
func lockDataDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("chdb: data directory: %w", err)
	}
	path := filepath.Join(dir, "scantrail.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("chdb: data directory: %w", err)
	}
	if err := tryLock(f); err != nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("chdb: data directory %s is open in another process (pid %s); stop that one, or use another directory", dir, strings.TrimSpace(string(pid)))
		}
		return nil, fmt.Errorf("chdb: locking %s: %w", path, err)
	}
	// In place, which needs no room on a full disk; without it, a message lacks it.
	f.WriteAt(fmt.Appendf(nil, "%-20d", os.Getpid()), 0) //nolint:errcheck // as said
	return f, nil
}

// Query runs one statement and writes its result to w, chunk by chunk where the
// format allows that. It returns an *Exception for an error of ClickHouse. When
// ctx ends, the query is killed and Query returns at once, without waiting for
// it. Query never uses w after it has returned.
func (e *Engine) Query(ctx context.Context, q Query, w io.Writer) (Stats, error) {
	guarded := &guard{w: w}
	return e.run(ctx, guarded, true, func(h *handle) (Stats, error) { return h.query(ctx, q, guarded) })
}

// Insert runs q.SQL, an INSERT without a FORMAT clause, with data in q.Format
// ("" = TabSeparated) from body. The rows are stored when it returns nil; after
// an error of body none of its last block are. A context that ends stops the
// insert only while body is being read: afterwards it goes on, and whether the
// rows are stored is unknown to the caller.
func (e *Engine) Insert(ctx context.Context, q Query, body io.Reader) (Stats, error) {
	guarded := &guard{r: body}
	return e.run(ctx, guarded, false, func(h *handle) (Stats, error) { return h.insert(ctx, q, guarded) })
}

// outcome is what a job on a handle came to.
type outcome struct {
	stats Stats
	err   error
}

// run gives do a handle, and waits for it no longer than ctx lasts; the handle
// returns to the pool when do does.
func (e *Engine) run(ctx context.Context, g *guard, kill bool, do func(*handle) (Stats, error)) (Stats, error) {
	h, err := e.acquire(ctx)
	if err != nil {
		return Stats{}, err
	}
	j := &job{done: make(chan struct{})}
	done := make(chan outcome, 1)
	h.jobs <- func() {
		stats, err := do(h)
		j.finish()
		done <- outcome{stats, err}
		e.release(h)
	}
	select {
	case o := <-done:
		return o.stats, o.err
	case <-ctx.Done():
		err = contextError(ctx)
	case <-e.closing:
		err = ErrClosed
	}
	if kill {
		go e.kill(h, j) // ends with the job, which Close waits for
	}
	g.stop(err)
	return Stats{}, err
}

// acquire waits for a handle, up to the queue's timeout.
func (e *Engine) acquire(ctx context.Context) (*handle, error) {
	select { // a closed engine is closed, whatever is free
	case <-e.closing:
		return nil, ErrClosed
	default:
	}
	timer := time.NewTimer(e.opts.QueueTimeout)
	defer timer.Stop()
	select {
	case h := <-e.free:
		return h, nil
	case <-e.closing:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, contextError(ctx)
	case <-timer.C:
		return nil, &Exception{Code: codeTooManyQueries, Message: fmt.Sprintf(
			"Too many simultaneous queries: all %d handles of the embedded engine were busy for %v. (TOO_MANY_SIMULTANEOUS_QUERIES)", e.opts.Handles, e.opts.QueueTimeout)}
	}
}

// release runs on the handle's own thread.
func (e *Engine) release(h *handle) {
	if h.dirty {
		h.reconnect()
	}
	e.free <- h
}

// job tells a killer whether the query it is after still runs.
type job struct {
	mu   sync.Mutex
	done chan struct{} // closed under mu
}

func (j *job) finish() {
	j.mu.Lock()
	close(j.done)
	j.mu.Unlock()
}

// kill ends the query that runs on h, if it is still j's. It repeats, since a
// query that is only about to start cannot be killed yet.
func (e *Engine) kill(h *handle, j *job) {
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		e.killOnce(h, j)
		select {
		case <-j.done:
			return
		case <-time.After(wait):
		}
	}
}

// killOnce holds the job's lock, so that the handle is not given to another query
// in between.
func (e *Engine) killOnce(h *handle, j *job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case <-j.done:
		return
	default:
	}
	killed := make(chan error)
	e.control.jobs <- func() {
		killed <- e.control.exec(fmt.Sprintf("KILL QUERY WHERE has(thread_ids, %d) ASYNC", h.thread))
	}
	if err := <-killed; err != nil {
		e.opts.Log.Warn("killing a query of the embedded engine failed", "error", err)
	}
}

// Close stops the engine: waiting queries fail with ErrClosed, running ones are
// killed, running inserts finish. It returns when all have, and may be called
// again. Another engine can be opened afterwards.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		close(e.closing)
		for range e.all {
			<-e.free
		}
		for _, h := range e.all {
			h.stop()
		}
		if e.control != nil {
			e.control.stop()
		}
		e.lock.Close()
	})
	return nil
}
