package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

const rawTopic = schemas.RawTopicPrefix + "yunexpress"

// field is a broker with raw topics, and members of the ingest group on it.
type field struct {
	t        *testing.T
	kafka    []kgo.Opt
	client   *kgo.Client
	registry *carriers.Registry
	sent     int
	deny     bool // members do not believe schemas.BackfillHeader
}

func newField(t *testing.T) *field {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second),
		kfake.SeedTopics(4, rawTopic, schemas.OrdersTopic), kfake.SeedTopics(3, schemas.EventsTopic, schemas.DeadLettersTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	f := &field{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.HeartbeatInterval(50 * time.Millisecond)}}
	if f.registry, err = carriers.Load(schemas.Carriers, ""); err != nil {
		t.Fatal(err)
	}
	if f.client, err = kgo.NewClient(append(f.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.client.Close)
	return f
}

// join starts a member and returns what makes it leave.
func (f *field) join() (leave func()) {
	f.t.Helper()
	s, err := New(Config{
		Kafka: f.kafka, Carriers: f.registry, Now: time.Now, DenyBackfill: f.deny,
		Log: slog.New(slog.NewTextHandler(f.t.Output(), nil)), Metrics: NewMetrics(prometheus.NewRegistry()),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		f.t.Helper()
		cancel()
		if err := <-done; err != nil {
			f.t.Error(err)
		}
	}
}

// send writes n records, every tenth of them unreadable.
func (f *field) send(n int) {
	f.t.Helper()
	var records []*kgo.Record
	for range n {
		value := fmt.Sprintf(`{"waybill_number":"YT26321%09d","country_code":"GB","track_events":[{"process_time":"2026-09-20T08:12:33","time_zone":"GMT+08:00","track_node_code":"TRANSIT_IN","process_content":"text","process_country":"CN"}]}`, f.sent)
		if f.sent%10 == 9 {
			value = value[:40]
		}
		records = append(records, &kgo.Record{Topic: rawTopic, Partition: int32(f.sent % 4), Value: []byte(value)})
		f.sent++
	}
	if err := f.client.ProduceSync(f.t.Context(), records...).FirstErr(); err != nil {
		f.t.Fatal(err)
	}
}

// committed waits until the group has committed every raw record.
func (f *field) committed() {
	f.t.Helper()
	f.reaches(rawTopic, int64(f.sent))
}

// reaches waits until the group has committed n records of a topic.
func (f *field) reaches(topic string, n int64) {
	f.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); f.total(topic) != n; {
		if time.Now().After(deadline) {
			f.t.Fatalf("%d of %d records of %s are committed", f.total(topic), n, topic)
		}
	}
}

// total sums what the group has committed of a topic.
func (f *field) total(topic string) (n int64) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	commits, err := kadm.NewClient(f.client).FetchOffsets(ctx, schemas.IngestGroup)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		f.t.Fatal(err)
	}
	for p := range int32(4) {
		if c, ok := commits.Lookup(topic, p); ok {
			n += max(c.At, 0)
		}
	}
	return n
}

// log reads everything that stands in a topic.
func (f *field) log(topic string, each func(*kgo.Record)) {
	f.t.Helper()
	ends, err := kadm.NewClient(f.client).ListEndOffsets(f.t.Context(), topic)
	if err != nil {
		f.t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	c, err := kgo.NewClient(append(f.kafka, kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer c.Close()
	for left > 0 {
		c.PollFetches(f.t.Context()).EachRecord(func(r *kgo.Record) { left--; each(r) })
	}
}

// accounts sums the latest account of each source partition.
func (f *field) accounts() (records, events, letters int64) {
	f.t.Helper()
	latest := map[int32]schemas.Range{}
	f.log(schemas.EventsTopic, func(r *kgo.Record) {
		var rec schemas.Record
		if err := rec.Decode(r.Value); err != nil {
			f.t.Fatal(err)
		}
		if rec.Kind == schemas.KindRange && rec.Range.Last >= latest[rec.Range.Partition].Last {
			latest[rec.Range.Partition] = rec.Range
		}
	})
	for _, a := range latest {
		records, events, letters = records+a.Records, events+a.Events, letters+a.DeadLetters
	}
	return records, events, letters
}

// accounted waits until the accounts cover every raw record.
func (f *field) accounted() {
	f.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		records, _, _ := f.accounts()
		if records == int64(f.sent) {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the accounts cover %d of %d records", records, f.sent)
		}
	}
}

// TestEveryRecordIsInTheLog lets members join and leave while records arrive:
// each record must be in the log or a dead letter, and the accounts of the
// source partitions must say so.
func TestEveryRecordIsInTheLog(t *testing.T) {
	f := newField(t)
	f.send(500)
	first := f.join()
	f.send(500)
	second := f.join()
	f.send(500)
	f.committed()
	first()
	f.send(500)
	third := f.join()
	f.send(500)
	f.committed()
	second()
	third()
	// Whoever owns a partition next tells its account, if its last owner did not.
	last := f.join()
	f.accounted()
	last()

	type source struct {
		partition int32
		offset    int64
	}
	facts, dead := map[schemas.ID]source{}, map[source]bool{}
	f.log(schemas.EventsTopic, func(r *kgo.Record) {
		var rec schemas.Record
		if err := rec.Decode(r.Value); err != nil {
			t.Fatal(err)
		}
		if rec.Kind == schemas.KindEvent {
			facts[rec.Event.FactID] = source{rec.Event.Partition, rec.Event.Offset}
		}
	})
	f.log(schemas.DeadLettersTopic, func(r *kgo.Record) {
		var d schemas.DeadLetter
		var headers []schemas.Header
		for _, h := range r.Headers {
			headers = append(headers, schemas.Header{Key: h.Key, Value: h.Value})
		}
		if err := schemas.ParseDeadLetter(r.Value, headers, &d); err != nil {
			t.Fatal(err)
		}
		dead[source{d.Partition, d.Offset}] = true
	})
	if len(facts) != f.sent*9/10 || len(dead) != f.sent/10 {
		t.Errorf("%d facts and %d dead letters of %d records, want %d and %d", len(facts), len(dead), f.sent, f.sent*9/10, f.sent/10)
	}
	records, events, letters := f.accounts()
	if records != int64(f.sent) || events != int64(len(facts)) || letters != int64(len(dead)) {
		t.Errorf("the accounts say %d records, %d events, %d dead letters; want %d, %d, %d", records, events, letters, f.sent, len(facts), len(dead))
	}
}

// transaction writes n records into each partition in one transaction and commits
// or aborts it; either leaves a marker behind, an offset without a record.
func (f *field) transaction(n int, end kgo.TransactionEndTry) {
	f.t.Helper()
	client, err := kgo.NewClient(append(f.kafka, kgo.TransactionalID("carrier"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		f.t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		f.t.Fatal(err)
	}
	for i := range 4 * n {
		if err := client.ProduceSync(f.t.Context(), &kgo.Record{Topic: rawTopic, Partition: int32(i % 4), Value: []byte("{}")}).FirstErr(); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := client.EndTransaction(f.t.Context(), end); err != nil {
		f.t.Fatal(err)
	}
}

// TestMarkersAreCaughtUp: a topic that ends in the marker of a transaction is read
// to its end: commits pass the marker, accounts do not count it, and time does not
// wait for it, not even after a restart.
func TestMarkersAreCaughtUp(t *testing.T) {
	for name, end := range map[string]kgo.TransactionEndTry{"committed": kgo.TryCommit, "aborted": kgo.TryAbort} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			f.kafka = append(f.kafka, kgo.FetchMaxWait(50*time.Millisecond)) // kfake wakes nobody up for a marker
			leave := f.join()
			f.send(8)
			f.transaction(2, end)
			f.sent += 8 + 4 // records, and a marker in each partition
			f.committed()
			leave()
			leave = f.join()
			f.send(4)
			f.transaction(1, end)
			f.sent += 4 + 4
			f.committed()
			leave() // which tells what is left of the accounts
			if records, _, _ := f.accounts(); records != int64(f.sent-8) {
				t.Errorf("the accounts cover %d records, want %d", records, f.sent-8)
			}
			latest := map[int32]int64{}
			f.log(schemas.EventsTopic, func(r *kgo.Record) {
				var rec schemas.Record
				if err := rec.Decode(r.Value); err == nil && rec.Kind == schemas.KindRange {
					latest[rec.Range.Partition] = max(latest[rec.Range.Partition], rec.Range.Last)
				}
			})
			for p := range int32(4) {
				if latest[p] != int64(f.sent/4-1) {
					t.Errorf("partition %d: the account ends at offset %d, want the marker's, %d", p, latest[p], f.sent/4-1)
				}
			}
			ticker, err := NewTicker(TickerConfig{Kafka: f.kafka, Partitions: 3, StallAfter: time.Minute, Now: time.Now, Metrics: NewMetrics(prometheus.NewRegistry())})
			if err != nil {
				t.Fatal(err)
			}
			defer ticker.Close()
			now := time.Now()
			if err := ticker.look(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			if tick := ticker.next(now); tick.At != now.UnixMilli() {
				t.Errorf("time stands %d ms behind though all is read", now.UnixMilli()-tick.At)
			}
		})
	}
}
