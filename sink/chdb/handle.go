//go:build !nochdb && (linux || darwin)

package chdb

import (
	"context"
	"errors"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// appendSize is how much of an insert's data is handed to the engine at once.
const appendSize = 1 << 20

// handle is one connection of the library: a session with its own settings and
// current database, that runs one statement at a time. All of its calls come
// from one thread: the engine keeps state in the thread (its signal stack, the
// group of the running query), and the thread's number is how a query is found
// to be killed.
type handle struct {
	e      *Engine
	jobs   chan func()
	ended  chan struct{}
	conn   *uintptr // nil: connecting failed
	thread int

	// The session's state, so that only differences are sent to the engine.
	database string
	settings map[string]string
	dirty    bool // has state that is not known here; must not serve another query

	buf []byte // for inserts
}

func (e *Engine) newHandle() (*handle, error) {
	h := &handle{e: e, jobs: make(chan func()), ended: make(chan struct{})}
	started := make(chan error)
	go h.loop(started)
	if err := <-started; err != nil {
		<-h.ended
		return nil, err
	}
	return h, nil
}

// loop owns the thread. The thread ends with it, and takes along what the
// library attached to it.
func (h *handle) loop(started chan<- error) {
	runtime.LockOSThread()
	defer close(h.ended)
	h.thread = threadID()
	err := h.connect()
	started <- err
	if err != nil {
		return
	}
	for job := range h.jobs {
		job()
	}
	h.disconnect()
}

// stop ends the loop after its current job.
func (h *handle) stop() {
	close(h.jobs)
	<-h.ended
}

func (h *handle) connect() (err error) {
	h.conn, err = h.e.lib.connectArgs(h.e.args)
	h.database, h.settings, h.dirty = "default", map[string]string{}, err != nil
	return err
}

func (h *handle) disconnect() {
	if h.conn != nil {
		h.e.lib.closeConn(h.conn)
		h.conn = nil
	}
}

// reconnect replaces the session; it takes a millisecond.
func (h *handle) reconnect() {
	h.disconnect()
	if err := h.connect(); err != nil {
		h.e.opts.Log.Error("the embedded engine refuses a new session; it is tried again with the next query", "error", err)
	}
}

// exec runs a statement without result.
func (h *handle) exec(sql string) error {
	result := newCQuery(sql, "TabSeparated", nil).call(h.e.lib.query, *h.conn)
	defer h.e.lib.destroy(result)
	return h.e.lib.failure(result)
}

// prepare gives the session exactly the query's database and settings.
func (h *handle) prepare(ctx context.Context, q Query) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	if h.dirty {
		if err := h.connect(); err != nil {
			return err
		}
	}
	if h.reset(q.Settings) != nil {
		// Under readonly nothing can be set back: take a new session.
		h.reconnect()
		if h.dirty {
			return errors.New("chdb: the engine refuses a new session")
		}
	}
	database := q.Database
	if database == "" {
		database = "default"
	}
	if database != h.database {
		if err := h.exec("USE " + quoteIdentifier(database)); err != nil {
			return err
		}
		h.database = database
	}
	return h.set(q.Settings)
}

// reset gives the settings of earlier queries that want does not have their
// default values again.
func (h *handle) reset(want map[string]string) error {
	var sets []string
	defaults := profile()
	for name := range h.settings {
		if _, ok := want[name]; ok {
			continue
		}
		if value, ok := defaults[name]; ok {
			sets = append(sets, name+" = "+quoteString(value))
		} else {
			sets = append(sets, name+" = DEFAULT")
		}
	}
	if len(sets) == 0 {
		return nil
	}
	if err := h.exec("SET " + strings.Join(sets, ", ")); err != nil {
		return err
	}
	maps.DeleteFunc(h.settings, func(name, _ string) bool { _, ok := want[name]; return !ok })
	return nil
}

func (h *handle) set(want map[string]string) error {
	var sets []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have, ok := h.settings[name]; !ok || have != want[name] {
			sets = append(sets, name+" = "+quoteString(want[name]))
		}
	}
	if len(sets) == 0 {
		return nil
	}
	h.dirty = true // some of them may be set after an error
	if err := h.exec("SET " + strings.Join(sets, ", ")); err != nil {
		return err
	}
	h.dirty = false
	maps.Copy(h.settings, want)
	return nil
}

// query runs one statement. Until it has succeeded the session counts as dirty:
// after an error the library keeps the failed query's tables in use, and a DROP
// ... SYNC of one of them would wait for ever.
func (h *handle) query(ctx context.Context, q Query, w io.Writer) (stats Stats, err error) {
	if err := h.prepare(ctx, q); err != nil {
		return Stats{}, err
	}
	st := parseStatement(q.SQL)
	h.dirty = true
	defer func() { h.dirty = err != nil || st.changesSession() }()
	lib, c := h.e.lib, newCQuery(q.SQL, formatOr(q.Format), q.Params)
	if !q.Buffered && st.streams(formatOr(q.Format)) {
		stream := c.call(lib.streamQuery, *h.conn)
		defer lib.destroy(stream)
		if err := lib.failure(stream); err != nil {
			return Stats{}, err
		}
		return h.fetch(ctx, stream, w)
	}
	result := c.call(lib.query, *h.conn)
	defer lib.destroy(result)
	stats = lib.stats(result)
	if err := lib.failure(result); err != nil {
		return stats, err
	}
	_, err = w.Write(lib.bytes(result))
	return stats, err
}

// fetch writes the chunks of a streaming query to w, one in memory at a time.
func (h *handle) fetch(ctx context.Context, stream uintptr, w io.Writer) (stats Stats, err error) {
	lib := h.e.lib
	for {
		chunk := lib.streamFetch(*h.conn, stream)
		if err := lib.failure(chunk); err != nil {
			lib.destroy(chunk)
			return stats, err
		}
		n := lib.length(chunk)
		s := lib.stats(chunk)
		stats.ReadRows, stats.ReadBytes = stats.ReadRows+s.ReadRows, stats.ReadBytes+s.ReadBytes
		if n > 0 {
			_, err = w.Write(lib.bytes(chunk))
		}
		lib.destroy(chunk)
		if n == 0 {
			return stats, nil
		}
		if err == nil && ctx.Err() != nil {
			err = contextError(ctx)
		}
		if err != nil {
			lib.streamCancel(*h.conn, stream)
			return stats, err
		}
	}
}

// insert is query for an INSERT with data; the same holds after an error.
func (h *handle) insert(ctx context.Context, q Query, body io.Reader) (stats Stats, err error) {
	if err := h.prepare(ctx, q); err != nil {
		return Stats{}, err
	}
	h.dirty = true
	defer func() { h.dirty = err != nil }()
	lib := h.e.lib
	insert := newCQuery(q.SQL, formatOr(q.Format), q.Params).call(lib.insert, *h.conn)
	defer lib.insertDestroy(insert)
	if text := goString(lib.insertError(insert)); text != "" {
		return Stats{}, parseException(text)
	}
	if err := h.append(insert, body); err != nil {
		lib.insertCancel(insert)
		return Stats{}, err
	}
	result := lib.insertDone(insert)
	defer lib.destroy(result)
	return lib.stats(result), lib.failure(result)
}

// append hands body to the engine. An insert that has failed meanwhile takes no
// more data; its error comes with insertDone.
func (h *handle) append(insert uintptr, body io.Reader) error {
	if h.buf == nil {
		h.buf = make([]byte, appendSize)
	}
	for {
		n, err := fill(body, h.buf)
		if n > 0 && h.e.lib.insertAppend(insert, &h.buf[0], uintptr(n)) != 0 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until buf is full. Unlike io.ReadFull it returns the reader's own
// error: io.ErrUnexpectedEOF is a body that broke off, and must not commit.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}
