package notify

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func prometheusRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

// kafka is an in-process broker with the topic of alerts.
type kafka struct {
	*kfake.Cluster
	t      *testing.T
	client *kgo.Client
	adm    *kadm.Client
}

func startKafka(t *testing.T, partitions int32) *kafka {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, schemas.AlertsTopic))
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

func (k *kafka) put(partition int32, as ...*schemas.Alert) {
	k.t.Helper()
	for _, a := range as {
		k.putRaw(partition, schemas.AppendAlertJSON(nil, a), time.Time{})
	}
}

func (k *kafka) putRaw(partition int32, value []byte, at time.Time) {
	k.t.Helper()
	r := &kgo.Record{Topic: schemas.AlertsTopic, Partition: partition, Value: value, Timestamp: at}
	if err := k.client.ProduceSync(k.t.Context(), r).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

// committed waits until the group of a webhook has committed offset.
func (k *kafka) committed(webhook string, partition int32, offset int64) {
	k.t.Helper()
	every(k.t, fmt.Sprintf("%s has committed %d", webhook, offset), func() bool {
		offsets, err := k.adm.FetchOffsets(k.t.Context(), GroupPrefix+webhook)
		if err != nil {
			return false
		}
		o, ok := offsets.Lookup(schemas.AlertsTopic, partition)
		return ok && o.At == offset
	})
}

// served waits until one member of a receiver's group has all partitions.
func (k *kafka) served(receiver string, partitions int) {
	k.t.Helper()
	every(k.t, "one member serves "+receiver, func() bool {
		groups, err := k.adm.DescribeGroups(k.t.Context(), GroupPrefix+receiver)
		if err != nil {
			return false
		}
		var owners []int
		for _, m := range groups[GroupPrefix+receiver].Members {
			if a, ok := m.Assigned.AsConsumer(); ok {
				n := 0
				for _, t := range a.Topics {
					n += len(t.Partitions)
				}
				if n > 0 {
					owners = append(owners, n)
				}
			}
		}
		return slices.Equal(owners, []int{partitions})
	})
}

// every calls f until it returns true.
func every(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); !f(); <-tick.C {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("after 30 s still waiting until %s", what)
		}
	}
}

// receiver is a webhook over TLS that verifies what it gets.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	reply func(id string) int // nil: 200
	got   []string            // ids of what it took, shortened
	tried []string            // of all attempts
}

func startReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	id, err := verify(testSecret, req.Header, body, time.Now())
	if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/cloudevents+json" {
		r.t.Errorf("%s %v: %v", req.Method, req.Header, err)
	}
	r.mu.Lock()
	reply := r.reply
	r.tried = append(r.tried, short(id))
	r.mu.Unlock()
	code := http.StatusOK
	if reply != nil {
		code = reply(short(id))
	}
	if code == http.StatusOK {
		r.mu.Lock()
		r.got = append(r.got, short(id))
		r.mu.Unlock()
	}
	w.WriteHeader(code)
}

func (r *receiver) answer(f func(id string) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reply = f
}

func (r *receiver) took() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *receiver) wait(ids ...string) {
	r.t.Helper()
	every(r.t, fmt.Sprintf("the receiver has %v (it has %v)", ids, r.took()), func() bool {
		got := r.took()
		for _, id := range ids {
			if !slices.Contains(got, id) {
				return false
			}
		}
		return true
	})
}

// config delivers to the receivers, named a, b and so on.
func (k *kafka) config(rs ...*receiver) Config {
	roots := x509.NewCertPool()
	c := Config{
		Kafka:   []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...), kgo.FetchMaxWait(20 * time.Millisecond)},
		Log:     quiet(),
		Metrics: NewMetrics(prometheus.NewRegistry()), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: roots,
		RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, tick: 5 * time.Millisecond, commit: 10 * time.Millisecond,
	}
	for i, r := range rs {
		roots.AddCert(r.Certificate())
		c.Receivers = append(c.Receivers, Receiver{Name: string(rune('a' + i)), URL: r.URL + "/hook", Secrets: []string{otherSecret, testSecret}, RatePerMinute: 1000})
	}
	return c
}

// start runs a notifier and returns what stops it.
func start(t *testing.T, c Config) (stop func()) {
	t.Helper()
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestDeliveryToSeveralWebhooks(t *testing.T) {
	k, a, b := startKafka(t, 3), startReceiver(t), startReceiver(t)
	k.putRaw(0, schemas.AppendAlertJSON(nil, alert(50, 1, open)), time.Now().Add(-time.Hour))
	c := k.config(a, b)
	c.Receivers[1].MinLevel = 2
	b.answer(func(string) int { return http.StatusServiceUnavailable }) // keeps nobody else waiting
	stop := start(t, c)
	k.committed("a", 0, 1) // a new webhook begins with what is new
	k.put(0, alert(1, 1, open), alert(1, 2, escalated))
	k.put(1, alert(2, 1, open), alert(2, 2, resolved))
	k.putRaw(2, []byte("no alert"), time.Time{})
	a.wait("1:1", "1:2", "2:1", "2:2")
	k.committed("a", 0, 3)
	k.committed("a", 1, 2)
	k.committed("a", 2, 1)
	k.committed("b", 0, 2)
	b.answer(nil)
	b.wait("1:2")
	k.committed("b", 0, 3)
	stop()
	if got := a.took(); len(got) != 4 || slices.Index(got, "1:1") > slices.Index(got, "1:2") || slices.Index(got, "2:1") > slices.Index(got, "2:2") {
		t.Errorf("a took %v", got)
	}
	if got := b.took(); !slices.Equal(got, []string{"1:2"}) {
		t.Errorf("b took %v", got)
	}
}

// TestCrashBetweenPostAndCommit: what is not committed is sent again, with the
// id that it had.
func TestCrashBetweenPostAndCommit(t *testing.T) {
	k, r := startKafka(t, 1), startReceiver(t)
	c := k.config(r)
	stop := start(t, c)
	k.put(0, alert(1, 1, open))
	k.committed("a", 0, 1)
	var lost atomic.Bool // commits
	lost.Store(true)
	k.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		if !lost.Load() {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, t := range req.(*kmsg.OffsetCommitRequest).Topics {
			topic := kmsg.NewOffsetCommitResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				refused := kmsg.NewOffsetCommitResponseTopicPartition()
				refused.Partition, refused.ErrorCode = p.Partition, kerr.GroupAuthorizationFailed.Code
				topic.Partitions = append(topic.Partitions, refused)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
	k.put(0, alert(2, 1, open))
	r.wait("2:1")
	stop()
	k.committed("a", 0, 1)
	lost.Store(false)
	start(t, k.config(r))
	k.committed("a", 0, 2)
	if got := r.took(); !slices.Equal(got, []string{"1:1", "2:1", "2:1"}) {
		t.Errorf("took %v", got)
	}
}

// TestHoldSurvivesARestart: the incident lies in another partition than the
// alerts, and begins before the role starts.
func TestHoldSurvivesARestart(t *testing.T) {
	k, r := startKafka(t, 2), startReceiver(t)
	stale := func(a *schemas.Alert) { a.Rule = schemas.RuleFeedStale }
	other := func(a *schemas.Alert) { a.Carrier = "dhl" }
	k.putRaw(1, schemas.AppendAlertJSON(nil, alert(9, 1, open, stale)), time.Now().Add(-time.Hour))
	stop := start(t, k.config(r))
	k.committed("a", 0, 0)
	k.put(0, alert(1, 1, open), alert(2, 1, open), alert(3, 1, open, other), alert(2, 2, withdrawn))
	r.wait("3:1")
	stop()
	k.committed("a", 0, 0)
	stop = start(t, k.config(r))
	k.put(0, alert(4, 1, open, other))
	r.wait("4:1")
	k.putRaw(1, schemas.AppendAlertJSON(nil, alert(9, 2, resolved, stale)), time.Now().Add(-catchUp))
	r.wait("9:2", "1:1")
	k.committed("a", 0, 5)
	stop()
	if got := r.took(); len(got) != 4 || slices.Contains(got, "2:1") || slices.Contains(got, "2:2") {
		t.Errorf("took %v", got)
	}
}

// TestMembersComeAndGo: each alert arrives while partitions move, and one member
// serves at a time, so that what is counted is counted once.
func TestMembersComeAndGo(t *testing.T) {
	k, r := startKafka(t, 4), startReceiver(t)
	stopFirst := start(t, k.config(r))
	for p := range int32(4) {
		k.committed("a", p, 0)
	}
	var want []string
	put := func(from, to int) {
		for n := from; n < to; n++ {
			k.put(int32(n%4), alert(n, 1, open))
			want = append(want, fmt.Sprintf("%x:1", n))
		}
	}
	put(1, 20)
	start(t, k.config(r))
	put(20, 60)
	every(t, "there are two members", func() bool {
		g := k.GroupInfo(GroupPrefix + "a")
		return g != nil && len(g.Members) == 2
	})
	k.served("a", 4)
	put(60, 80)
	stopFirst()
	k.served("a", 4)
	put(80, 100)
	r.wait(want...)
	for p := range int32(4) {
		n := int64(25)
		if p == 0 {
			n = 24
		}
		k.committed("a", p, n)
	}
}

// TestShutdownWaitsForWhatIsUnderWay: it is committed, not sent again.
func TestShutdownWaitsForWhatIsUnderWay(t *testing.T) {
	k, r := startKafka(t, 1), startReceiver(t)
	entered, release := make(chan string, 10), make(chan struct{})
	r.answer(func(id string) int { entered <- id; <-release; return http.StatusOK })
	stop := start(t, k.config(r))
	k.committed("a", 0, 0)
	k.put(0, alert(1, 1, open))
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(release)
	<-stopped
	k.committed("a", 0, 1)
	if len(r.took()) != 1 {
		t.Errorf("took %v", r.took())
	}
}

// TestDeletedAlertsAreCounted: what retention took while the role was away.
func TestDeletedAlertsAreCounted(t *testing.T) {
	k, r := startKafka(t, 1), startReceiver(t)
	stop := start(t, k.config(r))
	k.put(0, alert(1, 1, open))
	k.committed("a", 0, 1)
	stop()
	k.put(0, alert(2, 1, open), alert(3, 1, open), alert(4, 1, open))
	upto := kadm.Offsets{}
	upto.AddOffset(schemas.AlertsTopic, 0, 3, -1)
	if _, err := k.adm.DeleteRecords(t.Context(), upto); err != nil {
		t.Fatal(err)
	}
	c := k.config(r)
	start(t, c)
	k.committed("a", 0, 4)
	if got := r.took(); !slices.Equal(got, []string{"1:1", "4:1"}) {
		t.Errorf("took %v", got)
	}
	if got := value(c.Metrics.of("a").lost); got != 2 {
		t.Errorf("%v records counted as lost", got)
	}
}

// TestReadingCannotGoOn: a new start decides from where.
func TestReadingCannotGoOn(t *testing.T) {
	for _, c := range []struct {
		err  error
		stop bool
	}{
		{kerr.OffsetOutOfRange, true}, {kerr.UnknownTopicID, true}, {&kgo.ErrDataLoss{Topic: schemas.AlertsTopic}, true},
		{kerr.NotLeaderForPartition, false}, {context.DeadlineExceeded, false}, {context.Canceled, false},
	} {
		var stopped error
		w := &worker{name: "a", log: quiet(), fetchErrs: map[int32]string{}, stop: func(err error) { stopped = err }}
		w.fetchError(3, c.err)
		if (stopped != nil) != c.stop {
			t.Errorf("%v: stops with %v", c.err, stopped)
		}
	}
}

func TestNewChecks(t *testing.T) {
	k, r := startKafka(t, 1), startReceiver(t)
	for name, change := range map[string]func(*Config){
		"no kafka":   func(c *Config) { c.Kafka = nil },
		"no webhook": func(c *Config) { c.Receivers = nil },
		"no log":     func(c *Config) { c.Log = nil },
		"bad url":    func(c *Config) { c.Receivers[0].URL = "x" },
		"same name":  func(c *Config) { c.Receivers = append(c.Receivers, c.Receivers[0]) },
	} {
		c := k.config(r)
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
