package sink

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// kafka is an in-process broker with the sink's topics.
type kafka struct {
	*kfake.Cluster
	t      testing.TB
	client *kgo.Client
	adm    *kadm.Client
}

func startKafka(t testing.TB, partitions int32) *kafka {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1),
		kfake.SeedTopics(partitions, schemas.EventsTopic), kfake.SeedTopics(1, schemas.AlertsTopic, schemas.DeadLettersTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &kafka{c, t, client, kadm.NewClient(client)}
}

// put appends values to a partition of a topic.
func (k *kafka) put(topic string, partition int32, values ...[]byte) {
	k.t.Helper()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Value: v}
	}
	if err := k.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

// every calls f until it returns true.
func every(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); !f(); <-tick.C {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("after 30 s still waiting until %s", what)
		}
	}
}

// committed returns what the sink's group has committed, -1 for nothing.
func (k *kafka) committed(topic string, partition int32) kadm.Offset {
	k.t.Helper()
	offsets, err := k.adm.FetchOffsets(context.Background(), schemas.SinkGroup)
	if err != nil {
		return kadm.Offset{At: -1}
	}
	o, ok := offsets.Lookup(topic, partition)
	if !ok {
		return kadm.Offset{At: -1}
	}
	return o.Offset
}

func (k *kafka) waitCommitted(topic string, partition int32, offset int64) {
	k.t.Helper()
	every(k.t, fmt.Sprintf("%s/%d is committed up to %d", topic, partition, offset),
		func() bool { return k.committed(topic, partition).At >= offset })
}

// logs keeps what is logged.
type logs struct{ lines chan string }

func newLogs() *logs { return &logs{make(chan string, 1000)} }

func (l *logs) Write(b []byte) (int, error) {
	select {
	case l.lines <- string(b):
	default:
	}
	return len(b), nil
}

// wait returns the first line that contains text.
func (l *logs) wait(t testing.TB, text string) string {
	t.Helper()
	for timeout := time.After(30 * time.Second); ; {
		select {
		case line := <-l.lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			t.Fatalf("after 30 s nothing logged that contains %q", text)
		}
	}
}

// config returns the configuration of a sink that flushes quickly.
func (k *kafka) config(conn driver.Conn) Config {
	return Config{
		Kafka:      []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...), kgo.FetchMaxWait(20 * time.Millisecond)},
		ClickHouse: conn, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		FlushInterval: 20 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond,
	}
}

// start runs a sink and returns what stops it and returns its error.
func start(t testing.TB, cfg Config) (stop func() error) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { stop() })
	return stop
}
