package chdb

import (
	"io"
	"sync"
)

// guard passes reads and writes of a query that runs on the engine's thread on
// to its caller's reader and writer, until the caller stops waiting for it.
type guard struct {
	mu  sync.Mutex
	err error // set once stopped
	r   io.Reader
	w   io.Writer
}

func (g *guard) Read(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	return g.r.Read(p)
}

func (g *guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	return g.w.Write(p)
}

// stop makes every later read and write fail with err; it waits for the current
// one.
func (g *guard) stop(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}
