package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
)

const policyPartitions = 3

// policyCluster is a broker on which the service has started once.
type policyCluster struct {
	t       *testing.T
	kafka   []kgo.Opt
	broker  *kfake.Cluster
	config  string // file
	client  *kgo.Client
	replies func() // of a broker that refuses some writes
}

func newPolicyCluster(t *testing.T) *policyCluster {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	c := &policyCluster{t: t, broker: broker, kafka: []kgo.Opt{kgo.SeedBrokers(broker.ListenAddrs()...)}}
	c.config = writeFile(t, filepath.Join(t.TempDir(), "scantrail.yaml"),
		fmt.Sprintf("kafka: {brokers: [%q]}\n", broker.ListenAddrs()[0]))
	if c.client, err = kgo.NewClient(append(c.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	if err := ensureTopics(t.Context(), c.client, topicOptions{Partitions: policyPartitions, Replication: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	return c
}

// start does what every start of the service does.
func (c *policyCluster) start() {
	c.t.Helper()
	if err := applyPolicyInForce(c.t.Context(), c.kafka, policyPartitions); err != nil {
		c.t.Fatal(err)
	}
}

// run runs `scantrail policy` with the configuration of the cluster.
func (c *policyCluster) run(args ...string) (string, error) {
	return runPolicy(append(args, "-c", c.config)...)
}

func (c *policyCluster) must(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	if err != nil {
		c.t.Fatalf("policy %v: %v\n%s", args, err, out)
	}
	return out
}

func runPolicy(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := newPolicyCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.Execute()
	return out.String(), err
}

// inForce returns the control that each partition of the log obeys: the one of
// the highest number, the first of it.
func (c *policyCluster) inForce() [policyPartitions]schemas.Control {
	c.t.Helper()
	ends, err := kadm.NewClient(c.client).ListEndOffsets(c.t.Context(), schemas.EventsTopic)
	if err != nil {
		c.t.Fatal(err)
	}
	reader, err := kgo.NewClient(append(c.kafka, kgo.ConsumeTopics(schemas.EventsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		c.t.Fatal(err)
	}
	defer reader.Close()
	left := int64(0)
	ends.Each(func(e kadm.ListedOffset) { left += e.Offset })
	var obeyed [policyPartitions]schemas.Control
	for left > 0 {
		fetches := reader.PollFetches(c.t.Context())
		if err := fetches.Err(); err != nil {
			c.t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			left--
			var rec schemas.Record
			if err := rec.Decode(r.Value); err != nil {
				c.t.Fatal(err)
			}
			if rec.Control.Number > obeyed[r.Partition].Number {
				obeyed[r.Partition] = rec.Control
			}
		}
	}
	return obeyed
}

// everywhere returns the control that all partitions obey.
func (c *policyCluster) everywhere() schemas.Control {
	c.t.Helper()
	obeyed := c.inForce()
	for p, o := range obeyed {
		if o != obeyed[0] {
			c.t.Fatalf("partition %d obeys number %d, partition 0 number %d", p, o.Number, obeyed[0].Number)
		}
	}
	return obeyed[0]
}

func TestPolicyApply(t *testing.T) {
	c := newPolicyCluster(t)
	if _, err := c.run("show", "--cluster"); err == nil || !strings.Contains(err.Error(), "start scantrail run once") {
		t.Errorf("before the first start: %v", err)
	}
	c.start()
	c.start()
	if first := c.everywhere(); first.Number != 1 || first.Policy != wholePolicy(schemas.DefaultPolicy()) {
		t.Fatalf("the first start applied number %d:\n%s", first.Number, first.Policy)
	}
	if _, err := c.run("apply", "default"); err == nil || err.Error() != "number 1, in force, says the same: nothing to do" {
		t.Errorf("the document in force again: %v", err)
	}

	out := c.must("apply", "official-us", "--dry-run")
	for _, want := range []string{" replaces number 1\n", "  market GB: articles-uk -> official-us\n", "  lane TH-TH: articles-local -> official-us\n",
		"  everything else: default -> official-us\n", "dry run: nothing was written\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if n := c.everywhere().Number; n != 1 {
		t.Fatalf("a dry run wrote number %d", n)
	}

	before := uint32(time.Now().Unix())
	c.must("apply", "official-us")
	us := c.everywhere()
	if us.Number < before || !strings.Contains(us.Policy, "open: 48h") {
		t.Errorf("number %d:\n%s", us.Number, us.Policy)
	}
	own := writeFile(t, filepath.Join(t.TempDir(), "own.yaml"), "name: official-us\nextends: official-us\ngap: {open: 40h}\n")
	if out := c.must("apply", own); !strings.Contains(out, "  official-us: other figures\n") || !strings.Contains(out, "all 3 partitions") {
		t.Errorf("own document:\n%s", out)
	}
	last := c.everywhere()
	if last.Number <= us.Number || !strings.Contains(last.Policy, "open: 40h") || strings.Contains(last.Policy, "extends") {
		t.Errorf("number %d:\n%s", last.Number, last.Policy)
	}
	c.start() // a restart brings nothing back
	if c.everywhere() != last {
		t.Error("a restart changed the policy")
	}
	shown := c.must("show", "--cluster")
	if want := fmt.Sprintf("# number %d, in force\n%s", last.Number, last.Policy); shown != want {
		t.Errorf("shown:\n%s", shown)
	}
	if _, err := c.run("apply", own); err == nil {
		t.Error("the document in force was applied again")
	}
	c.must("apply", own, "--force")
	if n := c.everywhere().Number; n <= last.Number {
		t.Errorf("forced: number %d after %d", n, last.Number)
	}
}

// TestPolicyApplyHalfway: whatever an apply was killed at, the next one or the
// next start completes it, in every partition.
func TestPolicyApplyHalfway(t *testing.T) {
	for _, c := range []struct {
		name string
		heal func(*policyCluster)
	}{
		{"by running it again", func(c *policyCluster) {
			if out := c.must("apply", "official-uk"); !strings.Contains(out, "did not reach every partition: going on") {
				c.t.Errorf("output:\n%s", out)
			}
		}},
		{"by a start", (*policyCluster).start},
		{"by another change", func(c *policyCluster) { c.must("apply", "official-us") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := newPolicyCluster(t)
			cluster.start()
			cluster.refuse(1)
			out, err := cluster.run("apply", "official-uk")
			if err == nil || !strings.Contains(err.Error(), "parcel.events[1]") || !strings.Contains(err.Error(), "run the same command again") {
				t.Fatalf("error %v\n%s", err, out)
			}
			if o := cluster.inForce(); o[0].Number == 1 || o[1].Number != 1 || o[2] != o[0] {
				t.Fatalf("half-way the partitions obey %d, %d, %d", o[0].Number, o[1].Number, o[2].Number)
			}
			if out := cluster.must("show", "--cluster"); !strings.Contains(out, "not known to be in every partition") {
				t.Errorf("shown half-way:\n%s", out)
			}
			cluster.replies()
			c.heal(cluster)
			cluster.everywhere()
			if out := cluster.must("show", "--cluster"); !strings.Contains(out, ", in force\n") {
				t.Errorf("shown at last:\n%s", out)
			}
		})
	}
}

// refuse lets writes to one partition of the log fail for good, until replies is
// called. What is written together with it is told to come again, alone.
func (c *policyCluster) refuse(partition int32) {
	var over atomic.Bool
	c.replies = func() { over.Store(true) }
	c.broker.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.broker.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		refused := false
		for _, t := range req.Topics {
			answer := kmsg.ProduceResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
			for _, p := range t.Partitions {
				a := kmsg.NewProduceResponseTopicPartition()
				a.Partition, a.ErrorCode = p.Partition, kerr.NotLeaderForPartition.Code
				if p.Partition == partition {
					a.ErrorCode, refused = kerr.TopicAuthorizationFailed.Code, true
				}
				answer.Partitions = append(answer.Partitions, a)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, refused && !over.Load()
	})
}

func TestPolicyOvertaken(t *testing.T) {
	c := newPolicyCluster(t)
	c.start()
	l, err := openLedger(c.kafka)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	first := schemas.Control{Number: 7, Policy: "first"}
	if err := l.record(t.Context(), &first); err != nil {
		t.Fatal(err)
	}
	second := schemas.Control{Number: 7, Policy: "second"}
	if err := l.record(t.Context(), &second); err == nil || !strings.Contains(err.Error(), "same moment") {
		t.Errorf("the second of one number: %v", err)
	}
	if last, err := l.inForce(t.Context()); err != nil || last.Policy != "first" || last.applied {
		t.Errorf("in force is %+v, %v", last, err)
	}
	// a document of a version yet to come
	if out, err := c.run("apply", "default"); err != nil || !strings.Contains(out, "warning: the document in force cannot be read") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestPolicyHoliday(t *testing.T) {
	c := newPolicyCluster(t)
	c.start()
	args := []string{"holiday", "--market", "TH", "--from", "2027-04-13T00:00:00+07:00", "--until", "2027-04-16"}
	if out := c.must(append(args, "--dry-run")...); !strings.Contains(out, "  holidays: 0 -> 1\n") {
		t.Errorf("dry run:\n%s", out)
	}
	c.must(args...)
	c.must("holiday", "--shop", "a", "--shop", "b", "--from", "2027-05-01", "--until", "2027-05-04")
	doc, err := schemas.ParsePolicies([]byte(c.everywhere().Policy))
	if err != nil || len(doc.Holidays) != 2 || len(doc.List) != 3 {
		t.Fatalf("%v: %+v", err, doc)
	}
	from := time.Date(2027, 4, 12, 17, 0, 0, 0, time.UTC).UnixMilli()
	if h := doc.Holidays[0]; h.From != from || h.Markets[0] != "TH" || h.Shops != nil || len(doc.Holidays[1].Shops) != 2 {
		t.Errorf("%+v", doc.Holidays)
	}
	if _, err := c.run(args...); err == nil || !strings.Contains(err.Error(), "says the same") {
		t.Errorf("the same holiday again: %v", err)
	}
	for want, bad := range map[string][]string{
		"--shop or --market is missing":    {"--from", "2027-05-01", "--until", "2027-05-04"},
		"--from: \"\" is no time":          {"--shop", "a", "--until", "2027-05-04"},
		"--until: \"soon\" is no time":     {"--shop", "a", "--from", "2027-05-01", "--until", "soon"},
		"--until: is 2027-05-01T00:00":     {"--shop", "a", "--from", "2027-05-01", "--until", "2027-05-01"},
		"want a time after 2027-05-02T00":  {"--shop", "a", "--from", "2027-05-02", "--until", "2027-05-01"},
		"--markets[0]: is UK":              {"--market", "UK", "--from", "2027-05-01", "--until", "2027-05-02"},
		"--until: is 2029-05-01T00:00:00.": {"--shop", "a", "--from", "2027-05-01", "--until", "2029-05-01"},
	} {
		if _, err := c.run(append([]string{"holiday"}, bad...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: have %v, want %s", bad, err, want)
		}
	}
}

func TestPolicyKey(t *testing.T) {
	c := newPolicyCluster(t)
	c.start()
	if out := c.must("key", "--carrier", "usps", "--issued", "2027-02-01", "--dry-run"); !strings.Contains(out, "  keys: none -> usps until 2027-05-02\n") {
		t.Errorf("dry run:\n%s", out)
	}
	c.must("key", "--carrier", "usps", "--issued", "2027-02-01")
	c.must("key", "--carrier", "yanwen", "--expires", "2027-12-31T00:00:00+08:00")
	c.must("key", "--carrier", "usps", "--issued", "2027-04-20")
	doc, err := schemas.ParsePolicies([]byte(c.everywhere().Policy))
	if err != nil || len(doc.Keys) != 2 || len(doc.List) != 3 {
		t.Fatalf("%v: %+v", err, doc)
	}
	if have := keysText(doc.Keys); have != "yanwen until 2027-12-30, usps until 2027-07-19" {
		t.Errorf("keys %s", have)
	}
	if _, err := c.run("key", "--carrier", "usps", "--issued", "2027-04-20"); err == nil || !strings.Contains(err.Error(), "says the same") {
		t.Errorf("the same key again: %v", err)
	}
	for want, bad := range map[string][]string{
		"--carrier: is missing":       {"--issued", "2027-05-01"},
		"--carrier: is \"US Mail\"":   {"--carrier", "US Mail", "--issued", "2027-05-01"},
		"--issued: is missing":        {"--carrier", "usps"},
		"--issued: \"soon\" is no":    {"--carrier", "usps", "--issued", "soon"},
		"--expires: is 2027-05-01T00": {"--carrier", "usps", "--issued", "2027-05-01", "--expires", "2027-05-01"},
	} {
		if _, err := c.run(append([]string{"key"}, bad...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: have %v, want %s", bad, err, want)
		}
	}
}

func TestPolicyGeneration(t *testing.T) {
	c := newPolicyCluster(t)
	c.start()
	c.must("apply", "economy")
	if out := c.must("generation", "3"); !strings.Contains(out, "generation: 0 -> 3") {
		t.Errorf("output:\n%s", out)
	}
	if o := c.everywhere(); o.Generation != 3 || !strings.Contains(o.Policy, "name: economy") {
		t.Errorf("%+v", o)
	}
	c.must("apply", "default")
	if o := c.everywhere(); o.Generation != 3 {
		t.Errorf("a new policy has generation %d", o.Generation)
	}
	for _, bad := range []string{"2", "3", "0", "4096", "x"} {
		if _, err := c.run("generation", bad); err == nil {
			t.Errorf("generation %s after 3", bad)
		}
	}
}

// TestPolicyCommandsWithoutService: what is missing is said, and how to get it.
func TestPolicyCommandsWithoutService(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	config := writeFile(t, filepath.Join(t.TempDir(), "c.yaml"), fmt.Sprintf("kafka: {brokers: [%q]}\n", broker.ListenAddrs()[0]))
	if _, err := runPolicy("apply", "default", "-c", config); err == nil || !strings.Contains(err.Error(), "topic parcel.events does not exist: start scantrail run") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := newPolicyCommand()
	cmd.SetArgs([]string{"show", "--cluster"})
	cmd.SetOut(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), "127.0.0.1:9092") {
		t.Errorf("no broker: %v", err)
	}
}

func TestPolicyShow(t *testing.T) {
	list, err := runPolicy("list")
	if err != nil || !strings.HasPrefix(list, "default ") || strings.Count(list, "\n") != len(schemas.BuiltinPolicies()) {
		t.Errorf("%v\n%s", err, list)
	}
	if text, err := runPolicy("show"); err != nil || text != schemas.DefaultPolicy() {
		t.Errorf("%v\n%s", err, text)
	}
	whole, err := runPolicy("show", "--whole", "economy")
	if err != nil || strings.Contains(whole, "extends") || !strings.Contains(whole, "confirm_late:\n      after: 24h") {
		t.Errorf("%v\n%s", err, whole)
	}
	file := writeFile(t, filepath.Join(t.TempDir(), "bad.yaml"), "name: x\nextends: nobody\n")
	for want, args := range map[string][]string{
		"official-us":                 {"show", "official-fr"},
		"line 2: extends: \"nobody\"": {"show", "--whole", file},
		"leave the name out":          {"show", "--cluster", "default"},
	} {
		if _, err := runPolicy(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: have %v, want %s", args, err, want)
		}
	}
	if _, err := runPolicy("apply", file); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a bad document was applied: %v", err)
	}
}

// TestPolicyProbes: what a change means for parcels that conditions combine.
func TestPolicyProbes(t *testing.T) {
	parse := func(text string) *schemas.Policies {
		doc, err := schemas.ParsePolicies([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	var out bytes.Buffer
	printPolicyChanges(&out, parse("name: all\nextends: default\n"), parse(`
policies:
  - {name: a, extends: default, when: {shops: [s1, s2], lanes: ["*-US"]}}
  - {name: b, extends: default, when: {markets: [US, GB], products: [eco]}}
  - {name: all, extends: default, gap: {open: 40h}}
`))
	want := `  shop s1, lane *-US: all -> a
  shop s2, lane *-US: all -> a
  market US, product eco: all -> b
  market GB, product eco: all -> b
  all: other figures
`
	if out.String() != want {
		t.Errorf("have:\n%s\nwant:\n%s", out.String(), want)
	}
}
