// Command views measures how fast the views of schemas/clickhouse answer on the
// embedded engine, and how much they read, over a log of many scans.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"scantrail/sink"
	"scantrail/sink/chdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		slog.Error("views failed", "error", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out, progress io.Writer) error {
	fs := flag.NewFlagSet("views", flag.ContinueOnError)
	parcels := fs.Int("parcels", 2_000_000, "number of parcels; each has 10 scans on average")
	dir := fs.String("data", "", "directory of the engine, kept and used again; empty: one that is removed")
	runs := fs.Int("runs", 5, "times that each query runs; the median counts")
	only := fs.String("only", "", "queries whose names begin with this")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		temp, err := os.MkdirTemp("", "scantrail-views-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		*dir = temp
	}
	loaded := filepath.Join(*dir, "loaded")
	_, missing := os.Stat(loaded)
	server, err := chdb.Start(ctx, chdb.Options{DataDir: filepath.Join(*dir, "engine"), Progress: progress})
	if err != nil {
		return err
	}
	defer server.Close()
	if err := migrate(ctx, server.Addr()); err != nil {
		return err
	}
	b := &bench{engine: server.Engine(), database: database, parcels: *parcels}
	if missing != nil {
		began := time.Now()
		if err := b.load(ctx); err != nil {
			return err
		}
		fmt.Fprintf(progress, "loaded in %s\n", time.Since(began).Round(time.Second))
		if err := os.WriteFile(loaded, nil, 0o644); err != nil {
			return err
		}
	}
	return b.report(ctx, out, *only, *runs)
}

const database = "scantrail"

// migrate makes database and its tables and views, or brings the views up to date.
func migrate(ctx context.Context, addr string) error {
	o := sink.Options{URLs: []string{"http://" + addr}, Database: database}
	if err := sink.EnsureDatabase(ctx, o); err != nil {
		return err
	}
	conn, err := sink.Open(o)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = sink.Migrate(ctx, conn, sink.MigrateOptions{Now: time.Now()})
	return err
}
