package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/kafka"
	"scantrail/bench/proc"
)

// rig is what all peers share: broker, engine and input.
type rig struct {
	o       options
	kafka   *kafka.Cluster
	server  *process // the engine's
	engine  engine
	input   *input
	admin   *kadm.Client
	closers []func()
}

func newRig(ctx context.Context, o options) (r *rig, err error) {
	r = &rig{o: o}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	o.say("starting Apache Kafka %s and the ClickHouse engine in %s", kafka.Version, o.Dir)
	if r.kafka, err = kafka.Start(ctx, kafka.Options{Dir: filepath.Join(o.Dir, "kafka"), HeapMiB: 1024, Progress: o.Out}); err != nil {
		return r, err
	}
	r.closers = append(r.closers, r.kafka.Stop)
	if err := r.startEngine(ctx); err != nil {
		return r, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Addrs()...))
	if err != nil {
		return r, err
	}
	r.closers = append(r.closers, client.Close)
	r.admin = kadm.NewClient(client)
	o.say("writing a world of %d scans to topic %s", o.Scans, rawTopic)
	if r.input, err = produce(ctx, r.kafka.Addrs(), o.Scans, o.Seed); err != nil {
		return r, err
	}
	o.say("%d scans, %.0f MB", r.input.scans, float64(r.input.bytes)/1e6)
	return r, nil
}

func (r *rig) startEngine(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if r.engine.addr, err = proc.FreeAddr(); err != nil {
		return err
	}
	if r.server, err = startProcess(r.o.Dir, "clickhouse", self, "-engine", filepath.Join(r.o.Dir, "clickhouse"), "-listen", r.engine.addr); err != nil {
		return err
	}
	r.closers = append(r.closers, func() { r.server.end(syscall.SIGKILL) })
	for {
		_, err := r.engine.query(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-r.server.ended:
			return fmt.Errorf("the ClickHouse engine ended:\n%s", r.server.tail(3000))
		default:
		}
		if proc.Pause(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

func (r *rig) close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}

// createTopics makes topics whose records are kept whatever their time.
func (r *rig) createTopics(ctx context.Context, names ...string) error {
	forever := "-1"
	for _, name := range names {
		if _, err := r.admin.CreateTopic(ctx, partitions, 1, map[string]*string{"retention.ms": &forever}, name); err != nil {
			return fmt.Errorf("creating topic %s: %w", name, err)
		}
	}
	return nil
}

// clear takes away what a peer has left, so that the next one finds the broker
// and the engine as it did.
func (r *rig) clear(ctx context.Context, database string) error {
	if err := r.engine.exec(ctx, "DROP DATABASE IF EXISTS "+database+" SYNC"); err != nil {
		return err
	}
	topics, err := r.admin.ListTopics(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, name := range topics.Names() {
		if name != rawTopic {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		if _, err := r.admin.DeleteTopics(ctx, names...); err != nil {
			return err
		}
	}
	return nil
}
