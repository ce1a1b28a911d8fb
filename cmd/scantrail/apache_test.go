package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/kafka"
	"scantrail/bench/kafka/kafkatest"
	"scantrail/schemas"
)

// ownApache starts a cluster for one test. Its clients are those between brokers.
type ownApache struct{ apacheBroker }

func (b ownApache) addr() string { return b.Inside() }

func newOwnApache(t *testing.T, o kafka.Options) ownApache {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Apache Kafka")
	}
	return ownApache{apacheBroker{kafkatest.StartWith(t, o)}}
}

// scan sends the n-th of a parcel's scans, each a fact of its own.
func (r *rig) scan(n int) {
	r.t.Helper()
	raw := strings.Replace(fmt.Sprintf(goodScan, "FIRST_MILE_ARRIVE"), "08:12:33", time.Unix(int64(n), 0).UTC().Format("15:04:05"), 1)
	r.send("yunexpress", []byte(strings.Replace(raw, "YT2632100000099917", fmt.Sprintf("YT%016d", 2632100000099000+n%50), 1)))
}

// facts fails unless n scans have arrived, each once.
func (r *rig) facts(n int) {
	r.t.Helper()
	for query, want := range map[string]uint64{
		"SELECT uniqExact(fact_id) FROM scans FINAL":                               uint64(n),
		"SELECT toUInt64(sum(facts)) FROM parcels FINAL":                           uint64(n),
		"SELECT count() FROM audit_blocks":                                         0,
		"SELECT toUInt64(count() - uniqExact(tracking_number)) FROM parcels FINAL": 0,
	} {
		if got := one[uint64](r, query); got != want {
			r.t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

// TestSecuredApache runs the pipeline with exactly the rights that the README
// lists, over TLS and SCRAM, and without them.
func TestSecuredApache(t *testing.T) {
	b := newOwnApache(t, kafka.Options{
		TLS: true, Users: map[string]string{"scantrail": "staple", "nobody": "paper"},
		Properties: map[string]string{"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"},
	})
	t.Setenv("SCANTRAIL_TEST_PASSWORD", "staple")
	t.Setenv("SCANTRAIL_TEST_NOBODY", "paper")
	login := func(user, env string) []kgo.Opt {
		c, err := ParseConfig("scantrail.yaml", fmt.Appendf(nil, "kafka:\n  brokers: [%q]\n  tls: {enabled: true, ca_file: %q}\n  sasl: {mechanism: SCRAM-SHA-512, user: %s, password: env:%s}\n",
			b.Addrs()[0], b.CAFile(), user, env))
		if err != nil {
			t.Fatal(err)
		}
		opts, err := c.KafkaOptions(nil)
		if err != nil {
			t.Fatal(err)
		}
		return append(opts, kgo.HeartbeatInterval(50*time.Millisecond))
	}
	grantReadme(t, b.Inside(), "scantrail")

	site := ""
	r := newRigOn(t, b, func(o *pipelineOptions) {
		o.Kafka = login("scantrail", "SCANTRAIL_TEST_PASSWORD")
		site = withWeb(t, o).URL()
	})
	r.topic("yunexpress")
	r.start()
	for n := range 100 {
		r.scan(n)
	}
	pushed, err := http.Post(site+"/v1/scans/yunexpress", "application/json", strings.NewReader(fmt.Sprintf(goodScan, "PICKED_UP")))
	if err != nil {
		t.Fatal(err)
	}
	if pushed.Body.Close(); pushed.StatusCode != http.StatusOK {
		t.Errorf("a push: %s", pushed.Status)
	}
	r.settle()
	r.facts(101)

	var said bytes.Buffer
	o := r.pipeline.o
	o.Kafka, o.Log = login("nobody", "SCANTRAIL_TEST_NOBODY"), slog.New(slog.NewTextHandler(&said, nil))
	denied, err := newPipeline(o)
	if err != nil {
		t.Fatal(err)
	}
	defer denied.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := denied.Prepare(ctx); err == nil {
		t.Error("a user without any right is ready")
	}
	for _, want := range []string{"AUTHORIZATION_FAILED", "this user may create or describe the topics"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log lacks %q: %s", want, said.String())
		}
	}
}

// grantReadme grants what the table of rights in the README says.
func grantReadme(t *testing.T, addr, user string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| rights of its Kafka user | on |\n|---|---|\n")
	table, _, end := strings.Cut(table, "\n\n")
	if !ok || !end {
		t.Fatal("the README has no table of rights")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	operations := map[string]kadm.ACLOperation{"Read": kadm.OpRead, "Write": kadm.OpWrite, "Create": kadm.OpCreate, "Delete": kadm.OpDelete, "Describe": kadm.OpDescribe}
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		var allowed []kadm.ACLOperation
		for word := range strings.SplitSeq(cells[0], ", ") {
			op, ok := operations[word]
			if !ok {
				t.Fatalf("%q is no operation", word)
			}
			allowed = append(allowed, op)
		}
		kind, names, _ := strings.Cut(cells[1], " ")
		for name := range strings.SplitSeq(names, ", ") {
			acl := kadm.NewACLs().Allow("User:" + user).AllowHosts("*").Operations(allowed...).ResourcePatternType(kadm.ACLPatternLiteral)
			name = strings.Trim(name, "`")
			if prefix, ok := strings.CutSuffix(name, "*"); ok {
				acl, name = acl.ResourcePatternType(kadm.ACLPatternPrefixed), prefix
			}
			switch kind {
			case "topic":
				acl.Topics(name)
			case "group":
				acl.Groups(name)
			default:
				t.Fatalf("%q: rights on what?", cells[1])
			}
			results, err := kadm.NewClient(client).CreateACLs(t.Context(), acl)
			for _, result := range results {
				err = errors.Join(err, result.Err)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestOneOfThreeBrokersIsLost kills a broker of three under load, which with
// three copies and two of them in sync loses nothing and stops nothing.
func TestOneOfThreeBrokersIsLost(t *testing.T) {
	t.Parallel() // it waits more than it works, on brokers of its own
	b := newOwnApache(t, kafka.Options{Brokers: 3, Properties: map[string]string{
		"min.insync.replicas": "2", "default.replication.factor": "3",
		"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500", // a dead one is missed soon
	}})
	r := newRigOn(t, b, func(o *pipelineOptions) {
		o.Topics.Replication = 3
		o.Kafka = append(o.Kafka, kgo.SeedBrokers(b.Addrs()...))
	})
	r.topic("yunexpress")
	r.start()
	for n := range 300 {
		if n == 100 {
			b.Kill(1)
		}
		if n == 200 {
			if err := b.Restart(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		r.scan(n)
	}
	r.settle()
	r.facts(300)
}

// TestMembersComeAndGoOnApache has three members share twelve partitions, one
// of them joining while ClickHouse takes nothing, and one leaving.
func TestMembersComeAndGoOnApache(t *testing.T) {
	r := newRigOn(t, newApacheBroker(t, &apache), func(o *pipelineOptions) { o.Topics.Partitions = 12 })
	r.topic("yunexpress")
	r.start()
	for n := range 200 {
		r.scan(n)
	}
	second := r.join()
	for n := range 200 {
		r.scan(200 + n)
	}
	r.proxy.Cut() // the next member takes partitions away in the middle of a flush
	for n := range 200 {
		r.scan(400 + n)
	}
	third := r.join()
	r.members(3)
	r.proxy.Mend()
	for n := range 200 {
		r.scan(600 + n)
	}
	second()
	r.settle()
	third()
	r.facts(800)
}

// join adds a member to every group, which leaves when it is told to.
func (r *rig) join(tweaks ...func(*pipelineOptions)) (leave func()) {
	r.t.Helper()
	o := r.pipeline.o
	for _, tweak := range tweaks {
		tweak(&o)
	}
	p, err := newPipeline(o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	left := false
	leave = func() {
		if left {
			return
		}
		left = true
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
		p.Close()
	}
	r.t.Cleanup(leave)
	return leave
}

// members waits until n members share the detector's partitions, all of them: between
// the two steps of a cooperative rebalance a group is stable as well.
func (r *rig) members(n int) kadm.DescribedGroup {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	var g kadm.DescribedGroup
	untilTrue(r.t, ctx, fmt.Sprintf("%d members", n), func() bool {
		groups, err := kadm.NewClient(r.producer).DescribeGroups(ctx, schemas.DetectorGroup)
		if err != nil {
			return false
		}
		g = groups[schemas.DetectorGroup]
		return g.State == "Stable" && len(g.Members) == n && len(g.AssignedPartitions()[schemas.EventsTopic]) == int(r.pipeline.o.Topics.Partitions)
	})
	return g
}

// TestStaticMembersKeepTheirPartitions stops a process that has a name of its
// own and starts it again: nothing moves.
func TestStaticMembersKeepTheirPartitions(t *testing.T) {
	named := func(name string) func(*pipelineOptions) {
		return func(o *pipelineOptions) {
			o.Kafka = append(o.Kafka[:len(o.Kafka):len(o.Kafka)], kgo.InstanceID(name))
			o.Topics.Partitions = 12
		}
	}
	b := newApacheBroker(t, &apache)
	t.Cleanup(func() { forget(t, b.addr(), "node-a", "node-b") })
	r := newRigOn(t, b, named("node-a"))
	r.topic("yunexpress")
	r.start()
	leave := r.join(named("node-b"))
	before := homes(r.members(2))
	r.scan(1)
	leave()
	r.scan(2)
	r.join(named("node-b"))
	r.settle()
	after := homes(r.members(2))
	if before["node-a"] == "" || before["node-a"] != after["node-a"] || before["node-b"] != after["node-b"] {
		t.Errorf("partitions %v, after a restart of node-b %v", before, after)
	}
	r.facts(2)
}

// forget takes named members out of their groups, where they would wait to be
// back until their session ends.
func forget(t *testing.T, addr string, names ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, group := range []string{schemas.IngestGroup, schemas.DetectorGroup, schemas.SinkGroup} {
		if _, err := kadm.NewClient(client).LeaveGroup(context.Background(), kadm.LeaveGroup(group).InstanceIDs(names...)); err != nil {
			t.Error(err)
		}
	}
}

// homes returns the partitions of each named member.
func homes(g kadm.DescribedGroup) map[string]string {
	all := map[string]string{}
	for _, m := range g.Members {
		if a, ok := m.Assigned.AsConsumer(); ok && m.InstanceID != nil {
			all[*m.InstanceID] = fmt.Sprint(a.Topics)
		}
	}
	return all
}

// TestEveryCompressionIsRead sends raw records in each of Kafka's codecs.
func TestEveryCompressionIsRead(t *testing.T) { onBothBrokers(t, testEveryCompressionIsRead) }

func testEveryCompressionIsRead(t *testing.T, b testBroker) {
	r := newRigOn(t, b)
	r.topic("yunexpress")
	r.start()
	n := 0
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		r.producer.Close()
		var err error
		if r.producer, err = kgo.NewClient(append(r.kafka, kgo.ProducerBatchCompression(codec))...); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			r.scan(n)
			n++
		}
	}
	t.Cleanup(r.producer.Close)
	r.settle()
	r.facts(n)
}

// TestLogAppendTime holds that the clock of parcel.events is the broker's.
func TestLogAppendTime(t *testing.T) {
	r := newRigOn(t, newApacheBroker(t, &apache))
	r.topic("yunexpress")
	r.start()
	r.scan(1)
	r.settle()
	consumer, err := kgo.NewClient(append(r.kafka, kgo.ConsumeTopics(schemas.EventsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	fetches := consumer.PollFetches(t.Context())
	if fetches.NumRecords() == 0 {
		t.Fatal(fetches.Err())
	}
	fetches.EachRecord(func(rec *kgo.Record) {
		if rec.Attrs.TimestampType() != 1 || time.Since(rec.Timestamp).Abs() > time.Hour {
			t.Errorf("offset %d: timestamp %v of type %d, want the broker's", rec.Offset, rec.Timestamp, rec.Attrs.TimestampType())
		}
	})
}

// TestRetentionPassesOnApache deletes what nobody has read yet.
func TestRetentionPassesOnApache(t *testing.T) {
	r := newRigOn(t, newApacheBroker(t, &apache), func(o *pipelineOptions) { o.Topics.Partitions = 1 })
	r.topic("yunexpress")
	r.during(func(ctx context.Context) { r.scan(0); r.settle() })
	for n := range 4 {
		r.scan(1 + n)
	}
	r.pipeline.o.Roles = []string{"ingest"}
	r.during(func(ctx context.Context) {
		untilTrue(t, ctx, "ingest has read them", func() bool {
			n, err := groupLag(ctx, kadm.NewClient(r.producer), schemas.IngestGroup, []string{schemas.RawTopicPrefix + "yunexpress"})
			return err == nil && n == 0
		})
	})
	adm := kadm.NewClient(r.producer)
	ends, err := adm.ListEndOffsets(t.Context(), schemas.EventsTopic)
	if err != nil {
		t.Fatal(err)
	}
	cut := ends.Offsets()
	if _, err := adm.DeleteRecords(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	r.pipeline.o.Roles = roleNames
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.pipeline.Run(ctx); err == nil || !strings.Contains(err.Error(), "--accept-gaps") {
		t.Fatalf("the log lost records before they were read: %v, want an end that names --accept-gaps", err)
	}
	o := r.pipeline.o
	o.AcceptGaps = true
	r.pipeline.Close()
	if r.pipeline, err = newPipeline(o); err != nil {
		t.Fatal(err)
	}
	r.during(func(ctx context.Context) { r.scan(5); r.settle() })
	if n := one[uint64](r, "SELECT count() FROM data_gaps FINAL WHERE topic = 'parcel.events' AND kind = 'hole'"); n == 0 {
		t.Error("no row in data_gaps")
	}
	if n := one[uint64](r, "SELECT uniqExact(fact_id) FROM scans FINAL"); n != 2 {
		t.Errorf("%d scans, want the first and the last", n)
	}
}

// during runs the pipeline while something happens, and stops it.
func (r *rig) during(while func(ctx context.Context)) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.pipeline.Run(running) }()
	while(ctx)
	stop()
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// TestRawTopicIsCreatedAnew deletes a raw topic under a running pipeline and
// creates it again: what the new one holds is read, and the ledger keeps both
// apart.
func TestRawTopicIsCreatedAnew(t *testing.T) {
	t.Parallel() // it waits more than it works, on a broker of its own
	r := newRigOn(t, newOwnApache(t, kafka.Options{}))
	r.topic("yunexpress")
	r.start()
	for n := range 10 {
		r.scan(n)
	}
	r.settle()
	topic := schemas.RawTopicPrefix + "yunexpress"
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	adm := kadm.NewClient(r.producer)
	if _, err := adm.DeleteTopic(ctx, topic); err != nil {
		t.Fatal(err)
	}
	untilTrue(t, ctx, "the topic is there again", func() bool {
		_, err := adm.CreateTopic(ctx, 1, 1, nil, topic)
		return err == nil || errors.Is(err, kerr.TopicAlreadyExists)
	})
	r.producer.PurgeTopicsFromProducing(topic)
	for n := range 20 {
		r.scan(10 + n)
	}
	untilTrue(t, ctx, "the new topic is read", func() bool {
		n, err := groupLag(ctx, adm, schemas.IngestGroup, []string{topic})
		return err == nil && n == 0
	})
	r.settle()
	r.facts(30)
	if n := one[uint64](r, "SELECT uniqExact(topic_id) FROM ranges FINAL WHERE topic = 'scans.raw.yunexpress'"); n != 2 {
		t.Errorf("the ledger knows %d topics of that name, want 2", n)
	}
}

// TestDeadLettersThatDoNotFit has a topic of dead letters that takes less than
// the records that it is for.
func TestDeadLettersThatDoNotFit(t *testing.T) { onBothBrokers(t, testDeadLettersThatDoNotFit) }

func testDeadLettersThatDoNotFit(t *testing.T, b testBroker) {
	r := newRigOn(t, b)
	small := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: ptr("100000")}}
	if _, err := kadm.NewClient(r.producer).AlterTopicConfigs(t.Context(), small, schemas.DeadLettersTopic); err != nil {
		t.Fatal(err)
	}
	r.topic("yunexpress")
	r.start()
	noise := make([]byte, 3<<20)            // that does not become smaller by compression
	rand.NewChaCha8([32]byte{}).Read(noise) //nolint:errcheck // never fails
	at := r.send("yunexpress", noise)
	r.scan(1)
	r.settle()
	if n := one[uint32](r, "SELECT any(raw_bytes) FROM dead_letters FINAL WHERE `offset` = ?", at); n != 3<<20 {
		t.Errorf("raw_bytes %d, want %d", n, 3<<20)
	}
	r.facts(1)
}
