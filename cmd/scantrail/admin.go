package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
)

// startAdmin serves /metrics, /healthz (the process runs) and /readyz (it does its
// share; otherwise 503 and why). Profiles of the process are below /debug/pprof/
// where the configuration asks for them.
func startAdmin(c AdminConfig, reg *prometheus.Registry, checks func(context.Context) []check) (stop func(), addr string, err error) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.Handle("GET /readyz", &readyHandler{checks: checks})
	if c.Pprof {
		addProfiles(mux)
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, "", fmt.Errorf("admin.listen: %w; choose another address with admin.listen", err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: adminWriteLimit(c), MaxHeaderBytes: 16 << 10}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln) //nolint:errcheck // ends with ErrServerClosed
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		srv.Shutdown(ctx) //nolint:errcheck // a scrape may be cut short
		<-done
	}, ln.Addr().String(), nil
}

// addProfiles serves what package pprof offers, without its global handlers.
func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// adminWriteLimit leaves time for a profile, which package pprof takes for as
// long as it is asked to.
func adminWriteLimit(c AdminConfig) time.Duration {
	if c.Pprof {
		return 5 * time.Minute
	}
	return 15 * time.Second
}

// newHealthcheckCommand asks a running process, for images that hold no curl.
func newHealthcheckCommand() *cobra.Command {
	var url string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running scantrail whether it is ready (exit 0) or not (exit 1)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
			if resp.StatusCode != http.StatusOK {
				return errors.New(string(body))
			}
			cmd.Print(string(body))
			return nil
		},
	}
	cmd.Flags().StringVar(&url, "url", "http://127.0.0.1:9464/readyz", "address to ask")
	return cmd
}
