package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"scantrail/sink/chdb"
)

// embedded is a broker and a ClickHouse inside this process.
type embedded struct {
	kafka      *kfake.Cluster
	clickhouse *chdb.Server
	temporary  string // removed on Close; empty for a directory of the user's
}

// embeddedOptions says where they keep their data and where they listen.
type embeddedOptions struct {
	Data       string // empty: a temporary directory, and Kafka in memory
	KafkaPort  int    // on 127.0.0.1; 0 takes a free one
	ClickHouse string // host:port
	Log        *slog.Logger
	Progress   io.Writer // of the engine's download
}

// startEmbedded starts both. The engine is fetched first, since that is what
// can fail on a new machine.
func startEmbedded(ctx context.Context, o embeddedOptions) (*embedded, error) {
	lib, err := chdb.Locate(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	e := &embedded{}
	kafka := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(o.KafkaPort), kfake.GroupMinSessionTimeout(time.Second),
		kfake.WithLogger(&brokerLog{log: o.Log, last: map[string]time.Time{}})}
	data := o.Data
	if data == "" {
		if e.temporary, err = os.MkdirTemp("", "scantrail-"); err != nil {
			return nil, err
		}
		data = e.temporary
	} else {
		dir := filepath.Join(data, "kafka")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		kafka = append(kafka, kfake.DataDir(dir))
	}
	dir := filepath.Join(data, "clickhouse")
	if e.clickhouse, err = chdb.Start(ctx, chdb.Options{Lib: lib, DataDir: dir, Listen: o.ClickHouse, Log: o.Log}); err != nil {
		err = fmt.Errorf("embedded ClickHouse on %s: %w; --clickhouse chooses another address", o.ClickHouse, err)
		return nil, errors.Join(err, e.Close())
	}
	if e.kafka, err = kfake.NewCluster(kafka...); err != nil {
		return nil, errors.Join(fmt.Errorf("embedded Kafka on port %d: %w; --kafka-port chooses another", o.KafkaPort, err), e.Close())
	}
	return e, nil
}

// Close stops both and removes temporary data.
func (e *embedded) Close() error {
	var err error
	if e.clickhouse != nil {
		err = e.clickhouse.Close()
	}
	if e.kafka != nil {
		e.kafka.Close()
	}
	if e.temporary != "" {
		err = errors.Join(err, os.RemoveAll(e.temporary))
	}
	return err
}

// brokerLog passes on that the embedded broker cannot write to its disk, which
// clients hear of as an unknown error: each kind once in ten seconds.
type brokerLog struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time // by format
}

const brokerLogEvery = 10 * time.Second

// Logf implements kfake.Logger.
func (b *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn || !strings.HasPrefix(format, "persist") && !strings.HasPrefix(format, "save") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.Sub(b.last[format]) >= brokerLogEvery {
		b.last[format] = now
		b.log.Error("embedded Kafka cannot write: it takes no records, nothing that it took is lost",
			"error", fmt.Sprintf(format, args...), "remedy", "look at the disk of --data: is it full?")
	}
}
