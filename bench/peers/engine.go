package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"scantrail/sink/chdb"
)

// runEngine is the whole of the process of the ClickHouse engine, which is this
// program once more: the tables of engine Kafka need a right that `scantrail
// clickhouse` does not give.
func runEngine(data, listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	srv, err := chdb.Start(ctx, chdb.Options{DataDir: data, Listen: listen, Log: log, Progress: os.Stderr,
		Engine: chdb.EngineOptions{AllowSources: true, Handles: 16}})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return srv.Close()
}

// engine asks the ClickHouse engine.
type engine struct{ addr string }

// exec runs statements, one after the other.
func (e engine) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := e.query(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// query returns the result as tab-separated text.
func (e engine) query(ctx context.Context, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.addr+"/?"+url.Values{"database": {"default"}}.Encode(), strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("clickhouse: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(body)))
	}
	if err != nil {
		return "", fmt.Errorf("clickhouse: %.200s: %w", sql, err)
	}
	return string(body), nil
}

// numbers returns the one row of a query whose columns are whole numbers.
func (e engine) numbers(ctx context.Context, sql string) ([]int64, error) {
	text, err := e.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	var all []int64
	for _, f := range strings.Fields(text) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("clickhouse: %s: %w", sql, err)
		}
		all = append(all, n)
	}
	return all, nil
}
