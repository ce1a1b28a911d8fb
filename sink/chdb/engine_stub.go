//go:build nochdb || !(linux || darwin)

package chdb

import (
	"context"
	"io"
)

// Engine is a running ClickHouse; this binary has none.
type Engine struct{}

// Open returns ErrNotBuilt.
func Open(lib, dataDir string, opts EngineOptions) (*Engine, error) { return nil, ErrNotBuilt }

// Version is "".
func (*Engine) Version() string { return "" }

// Timezone is "".
func (*Engine) Timezone() string { return "" }

// Query returns ErrNotBuilt.
func (*Engine) Query(context.Context, Query, io.Writer) (Stats, error) { return Stats{}, ErrNotBuilt }

// Insert returns ErrNotBuilt.
func (*Engine) Insert(context.Context, Query, io.Reader) (Stats, error) { return Stats{}, ErrNotBuilt }

// Close does nothing.
func (*Engine) Close() error { return nil }
