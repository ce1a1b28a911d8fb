package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/kafka"
	"scantrail/bench/kafka/kafkatest"
)

// testBroker is a Kafka that a test may stop, as a power cut would, and start
// again on its data.
type testBroker interface {
	addr() string
	start(t *testing.T)
	stop()
	retention() time.Duration // of parcel.events; see topicOptions
}

// onBothBrokers runs a test on the embedded broker and on Apache Kafka, at one
// time: it waits more than it works.
func onBothBrokers(t *testing.T, test func(t *testing.T, b testBroker)) {
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, newFakeBroker(t))
	})
	t.Run("apache", func(t *testing.T) {
		t.Parallel()
		test(t, newApacheBroker(t, &apache))
	})
}

// fakeBroker is the embedded one.
type fakeBroker struct {
	cluster *kfake.Cluster
	address string
	data    string
}

func newFakeBroker(t *testing.T) testBroker {
	b := &fakeBroker{address: freeAddr(t), data: t.TempDir()}
	b.start(t)
	t.Cleanup(b.stop)
	return b
}

func (b *fakeBroker) addr() string             { return b.address }
func (b *fakeBroker) stop()                    { b.cluster.Close() }
func (b *fakeBroker) retention() time.Duration { return 0 }

func (b *fakeBroker) start(t *testing.T) {
	t.Helper()
	_, port, err := net.SplitHostPort(b.address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	b.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(n), kfake.DataDir(b.data), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
}

// apache is the one broker of the tests that do not need one of their own: a
// Java process takes seconds to start. TestMain stops it.
var apache sharedApache

type sharedApache struct {
	cluster *kafka.Cluster
	dir     string
	err     error
}

func (s *sharedApache) close() {
	if s.cluster != nil {
		s.cluster.Stop()
		os.RemoveAll(s.dir) //nolint:errcheck // the end of the tests
	}
}

type apacheBroker struct{ *kafka.Cluster }

// newApacheBroker returns the shared broker, empty.
func newApacheBroker(t *testing.T, s *sharedApache) testBroker {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Apache Kafka")
	}
	if s.cluster == nil && s.err == nil {
		s.dir, s.err = os.MkdirTemp("", "scantrail-kafka-")
		if s.err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			s.cluster, s.err = kafka.Start(ctx, kafka.Options{Dir: s.dir, Progress: os.Stderr})
		}
	}
	kafkatest.Check(t, s.err)
	b := apacheBroker{s.cluster}
	b.start(t)
	empty(t, b.addr())
	return b
}

func (b apacheBroker) addr() string             { return b.Addrs()[0] }
func (b apacheBroker) stop()                    { b.Kill(0) }
func (b apacheBroker) retention() time.Duration { return 14 * 24 * time.Hour }

func (b apacheBroker) start(t *testing.T) {
	t.Helper()
	if b.Running(0) {
		return
	}
	if err := b.Restart(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

// empty deletes all groups and topics that an earlier test left.
func empty(t *testing.T, addr string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	untilTrue(t, ctx, "the broker is empty", func() bool {
		groups, err := adm.ListGroups(ctx)
		if err != nil {
			return false
		}
		topics, topicsErr := adm.ListTopics(ctx)
		if topicsErr != nil {
			return false
		}
		_, err = adm.DeleteGroups(ctx, groups.Groups()...)
		_, topicsErr = adm.DeleteTopics(ctx, topics.Names()...)
		return errors.Join(err, topicsErr) == nil && len(groups) == 0 && len(topics) == 0
	})
}
