package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest"
	"scantrail/schemas"
)

// topicOptions says how Scantrail's own topics are created.
type topicOptions struct {
	Partitions  int32
	Replication int16
	// Retention of parcel.events, which must outlive the oldest snapshot kept;
	// 0 sets none anywhere, as the embedded broker needs: there, one topic with
	// retention would make it sweep every topic by record time.
	Retention time.Duration
	Create    bool // false where only an administrator may create topics
}

// ensureTopics creates the topics that are missing and checks the partition
// counts of those that exist: it is fixed for good, since a parcel's home
// follows from it.
func ensureTopics(ctx context.Context, client *kgo.Client, o topicOptions) error {
	adm := kadm.NewClient(client)
	existing, err := adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("listing topics: %w", err)
	}
	for _, t := range ownTopics(o) {
		d, ok := existing[t.name]
		if !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			if !o.Create {
				return fmt.Errorf("topic %s does not exist and kafka.topics.create is false: create it with %d partitions", t.name, t.partitions)
			}
			resp, err := adm.CreateTopic(ctx, t.partitions, o.Replication, t.configs, t.name)
			if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
				return fmt.Errorf("creating topic %s with %d partitions, replication %d: %w %s", t.name, t.partitions, o.Replication, err, resp.ErrMessage)
			}
			if err := awaitLeaders(ctx, adm, t); err != nil {
				return err
			}
			continue
		}
		if got := int32(len(d.Partitions)); t.fixed && got != t.partitions {
			return fmt.Errorf("topic %s has %d partitions and the configuration says %d: the number is fixed when the topic is created; set kafka.topics.partitions to %d", t.name, got, t.partitions, got)
		}
	}
	return nil
}

// awaitLeaders waits until the brokers know a new topic: the answer that it is
// made comes earlier.
func awaitLeaders(ctx context.Context, adm *kadm.Client, t ownTopic) error {
	for {
		topics, err := adm.ListTopics(ctx, t.name)
		if err != nil {
			return fmt.Errorf("waiting for new topic %s: %w", t.name, err)
		}
		d, led := topics[t.name], 0
		for _, p := range d.Partitions {
			if p.Err == nil && p.Leader >= 0 {
				led++
			}
		}
		if d.Err == nil && led == int(t.partitions) {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for new topic %s, of which %d partitions have a leader: %w", t.name, led, err)
		}
	}
}

type ownTopic struct {
	name       string
	partitions int32
	fixed      bool // the count decides where a parcel lives
	configs    map[string]*string
}

func ownTopics(o topicOptions) []ownTopic {
	keep := retention(o, -1)
	dead := retention(o, 30*24*time.Hour)
	dead["max.message.bytes"] = ptr(fmt.Sprint(ingest.MaxDeadLetterBytes + 1<<20)) // whole records, hostile ones too
	log := retention(o, o.Retention)
	if o.Retention > 0 { // a real broker; the embedded one would store create time all the same
		log["message.timestamp.type"] = ptr("LogAppendTime")
	}
	return []ownTopic{
		{schemas.EventsTopic, o.Partitions, true, log},
		{schemas.SnapshotsTopic, o.Partitions, true, keep},
		{schemas.PolicyTopic, 1, false, keep},
		{schemas.AlertsTopic, o.Partitions, false, retention(o, 90*24*time.Hour)},
		{schemas.StatusTopic, o.Partitions, false, retention(o, 90*24*time.Hour)},
		{schemas.DeadLettersTopic, 3, false, dead},
		{schemas.OrdersTopic, o.Partitions, false, retention(o, 30*24*time.Hour)},
	}
}

func retention(o topicOptions, d time.Duration) map[string]*string {
	if o.Retention == 0 || d < 0 {
		return map[string]*string{"retention.ms": ptr("-1")}
	}
	return map[string]*string{"retention.ms": ptr(fmt.Sprint(d.Milliseconds()))}
}

func ptr[T any](v T) *T { return &v }
