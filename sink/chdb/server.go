package chdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options are those of Start. Only DataDir is required.
type Options struct {
	// Lib is the path of libchdb; "" calls Locate, which may fetch it.
	Lib string
	// DataDir is the engine's directory; created if needed.
	DataDir string
	// Listen is the TCP address, "127.0.0.1:0" by default (any free port). One
	// beyond this machine needs a Password.
	Listen string
	// User and Password: see GatewayOptions.
	User, Password string
	// Engine tunes the engine; its Log defaults to Log.
	Engine EngineOptions
	// MaxBody: see GatewayOptions.
	MaxBody int64
	// Log receives what engine and gateway have to say; nil discards it.
	Log *slog.Logger
	// Progress receives the progress of a fetch; nil discards it.
	Progress io.Writer
}

// Server is an engine with its gateway on a TCP port.
type Server struct {
	engine   *Engine
	listener net.Listener
	http     *http.Server
	served   chan error
	close    sync.Once
	closeErr error
}

// Start finds libchdb, opens the engine and serves HTTP. ctx bounds the start
// alone; the server runs until Close.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Engine.Log == nil {
		opts.Engine.Log = opts.Log
	}
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if opts.Lib == "" {
		lib, err := Locate(ctx, opts.Progress)
		if err != nil {
			return nil, err
		}
		opts.Lib = lib
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("chdb: listening: %w", err)
	}
	local := listener.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !local && opts.Password == "" {
		listener.Close()
		return nil, fmt.Errorf("chdb: listening on %s without a password would give every table to the network; listen on 127.0.0.1, or set a user and password", opts.Listen)
	}
	engine, err := Open(opts.Lib, opts.DataDir, opts.Engine)
	if err != nil {
		listener.Close()
		return nil, err
	}
	s := &Server{engine: engine, listener: listener, served: make(chan error, 1)}
	s.http = &http.Server{
		Handler: NewGateway(engine, GatewayOptions{
			User: opts.User, Password: opts.Password, MaxBody: opts.MaxBody, LocalOnly: local, Log: opts.Log,
		}),
		// Bodies and results have deadlines of their own: a query may take hours.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          slog.NewLogLogger(opts.Log.Handler(), slog.LevelWarn),
	}
	go func() { s.served <- s.http.Serve(listener) }()
	opts.Log.Info("embedded ClickHouse is up", "address", s.Addr(), "version", engine.Version(), "data", opts.DataDir)
	return s, nil
}

// Addr is the host:port to connect to, over HTTP.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Engine is the engine behind the gateway.
func (s *Server) Engine() *Engine { return s.engine }

// shutdownGrace is how long Close lets queries in progress finish.
const shutdownGrace = 5 * time.Second

// Close takes no more requests, gives those in progress five seconds, then kills
// their queries; inserts that the engine already has all data of are finished.
// It may be called again.
func (s *Server) Close() error {
	s.close.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		err := s.http.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.http.Close()
		}
		if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		s.closeErr = errors.Join(err, s.engine.Close())
	})
	return s.closeErr
}
