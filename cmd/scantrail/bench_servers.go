package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/kafka"
	"scantrail/sink/chdb"
)

// benchServers starts what the parts need, when they need it.
type benchServers struct {
	apache     bool
	progress   io.Writer
	options    []kgo.Opt    // of all clients of the embedded broker
	engine     *chdb.Server // nil before the first part that needs it
	clickhouse string       // its host:port
	temporary  []string     // directories
}

// benchBroker is an empty Kafka.
type benchBroker struct {
	kafka     []kgo.Opt
	retention time.Duration // for topicOptions: 0 on the embedded one
	stop      func()
}

func (s *benchServers) brokerName() string {
	if s.apache {
		return "Apache Kafka " + kafka.Version + ", a process of its own"
	}
	return "embedded"
}

// broker starts an empty Kafka.
func (s *benchServers) broker(ctx context.Context) (*benchBroker, error) {
	if s.apache {
		return s.apacheBroker(ctx)
	}
	var cluster *kfake.Cluster
	var err error
	asRole("kafka", func() {
		cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	})
	if err != nil {
		return nil, fmt.Errorf("embedded Kafka: %w", err)
	}
	return &benchBroker{kafka: append(s.options[:len(s.options):len(s.options)], kgo.SeedBrokers(cluster.ListenAddrs()...)), stop: cluster.Close}, nil
}

func (s *benchServers) apacheBroker(ctx context.Context) (*benchBroker, error) {
	dir, err := s.dir()
	if err != nil {
		return nil, err
	}
	cluster, err := kafka.Start(ctx, kafka.Options{Dir: dir, Progress: s.progress, HeapMiB: 1024})
	if err != nil {
		return nil, fmt.Errorf("--apache: %w", err)
	}
	return &benchBroker{kafka: []kgo.Opt{kgo.SeedBrokers(cluster.Addrs()...)}, retention: 14 * 24 * time.Hour, stop: cluster.Stop}, nil
}

// database starts ClickHouse, with the first call, and returns its address and
// the name of a database that nobody else uses.
func (s *benchServers) database(ctx context.Context) (clickhouse, name string, err error) {
	if s.clickhouse == "" {
		dir, err := s.dir()
		if err != nil {
			return "", "", err
		}
		asRole("clickhouse", func() { s.engine, err = chdb.Start(ctx, chdb.Options{DataDir: dir, Progress: s.progress}) })
		if err != nil {
			return "", "", fmt.Errorf("embedded ClickHouse: %w", err)
		}
		s.clickhouse = s.engine.Addr()
	}
	return s.clickhouse, fmt.Sprintf("bench_%d_%d", os.Getpid(), time.Now().UnixNano()), nil
}

func (s *benchServers) dir() (string, error) {
	dir, err := os.MkdirTemp("", "scantrail-bench-")
	if err == nil {
		s.temporary = append(s.temporary, dir)
	}
	return dir, err
}

// close stops ClickHouse and removes all data. Brokers are stopped by those who
// asked for them.
func (s *benchServers) close() error {
	var errs []error
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	for _, dir := range s.temporary {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

// asRole labels the goroutines that f starts, for CPU profiles.
func asRole(role string, f func()) {
	pprof.Do(context.Background(), pprof.Labels("role", role), func(context.Context) { f() })
}

// profiled writes a CPU profile of f to out.
func profiled(out io.Writer, f func() error) error {
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}
