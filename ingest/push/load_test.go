package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
	"scantrail/schemas"
)

// behindProxy is an option with which every connection to Kafka can be cut.
func behindProxy(t *testing.T, kafka string) (*proc.Proxy, kgo.Opt) {
	t.Helper()
	proxy, err := proc.NewProxy(kafka)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	return proxy, kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, proxy.Addr())
	})
}

// newCuttable is a place whose receiver can be cut off its broker.
func newCuttable(t *testing.T, o Options) (*place, *proc.Proxy) {
	t.Helper()
	// Of the broker's address, which is not known yet, only the dialer needs to know.
	address, err := proc.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	var n int
	fmt.Sscan(port, &n) //nolint:errcheck // it is a port
	proxy, dialer := behindProxy(t, address)
	o.Kafka = []kgo.Opt{dialer}
	return newPlaceOn(t, o, []kfake.Opt{kfake.Ports(n)}, "usps"), proxy
}

// crowd is many senders at once. What each sends is unique, so that it can be
// found again in Kafka.
type crowd struct {
	p      *place
	client *http.Client
	mu     sync.Mutex
	sent   map[string]int // body -> status of the answer, 0: none came
	codes  [600]atomic.Int64
	held   atomic.Int64 // the most bytes in flight that an answer saw
}

func newCrowd(p *place) *crowd {
	return &crowd{p: p, sent: map[string]int{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// post sends one body; a sender that has no patience is gone before the answer.
func (c *crowd) post(ctx context.Context, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.p.url+"usps", strings.NewReader(body))
	if err != nil {
		return err
	}
	res, err := c.client.Do(req)
	code := 0
	if err == nil {
		code = res.StatusCode
		io.Copy(io.Discard, res.Body) //nolint:errcheck // the connection is used again
		res.Body.Close()              //nolint:errcheck // read
		if code == http.StatusTooManyRequests && res.Header.Get("Retry-After") == "" {
			err = errors.New("429 without Retry-After")
		}
	} else if ctx.Err() != nil {
		err = nil
	}
	c.codes[code].Add(1)
	var m dto.Metric
	c.p.metrics.InFlight.Write(&m) //nolint:errcheck // a gauge
	c.held.Store(max(c.held.Load(), int64(m.GetGauge().GetValue())))
	c.mu.Lock()
	c.sent[body] = code
	c.mu.Unlock()
	return err
}

// start lets senders send until stop.
func (c *crowd) start(t *testing.T, senders int) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7))
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if i%8 == 7 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(5000))*time.Microsecond)
				}
				err := c.post(ctx, fmt.Sprintf(`{"sender":%d,"n":%d,"pad":"%s"}`, i, n, strings.Repeat("x", random.IntN(12_000))))
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() {
		close(done)
		wg.Wait()
	}
}

// await returns once n more answers of a status have come.
func (c *crowd) await(t *testing.T, code int, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for want := c.codes[code].Load() + n; c.codes[code].Load() < want; {
		if proc.Pause(ctx, 2*time.Millisecond) != nil {
			t.Fatalf("status %d: %d answers, want %d", code, c.codes[code].Load(), want)
		}
	}
}

// TestNothingAcknowledgedIsLost cuts the broker off under load, again and again, the
// last time for good: what waits then is lost with the process. Senders go away in
// the middle. Each 200 is one record in Kafka, exactly as it was sent; each body was
// sent once, so none is there twice; and what was not acknowledged was told to come
// back.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	const most = 1 << 20
	p, proxy := newCuttable(t, Options{Known: []string{"usps"}, Rights: everybody, MaxBytes: 16 << 10, MaxInFlight: most,
		AckTimeout: 200 * time.Millisecond, RatePerSecond: 1_000_000})
	c := newCrowd(p)
	stop := c.start(t, 32)
	for range 3 {
		c.await(t, http.StatusOK, 300)
		proxy.Cut()
		c.await(t, http.StatusTooManyRequests, 100)
		proxy.Mend()
	}
	c.await(t, http.StatusOK, 300)
	proxy.Cut()
	c.await(t, http.StatusTooManyRequests, 100)
	stop()
	p.Close()

	found := map[string]int{}
	for _, r := range p.records(-1) {
		found[string(r.Value)]++
	}
	ok, late := 0, 0
	for body, code := range c.sent {
		switch n := found[body]; {
		case code == http.StatusOK && n != 1:
			t.Errorf("answered with 200 and %d times in Kafka: %.60s", n, body)
		case code == http.StatusOK:
			ok++
		case n > 1:
			t.Errorf("sent once and %d times in Kafka: %.60s", n, body)
		case n == 1:
			late++
		}
		if code != 0 && code != http.StatusOK && code != http.StatusTooManyRequests {
			t.Errorf("status %d for %.60s", code, body)
		}
		delete(found, body)
	}
	for body := range found {
		t.Errorf("nobody sent %.60q", body)
	}
	if held := c.held.Load(); held > most {
		t.Errorf("%d bytes were in flight, at most %d are allowed", held, most)
	}
	t.Logf("%d acknowledged, all in Kafka; %d told to come back; %d senders went away; %d in Kafka that were not acknowledged; at most %d bytes in flight",
		ok, c.codes[429].Load(), c.codes[0].Load(), late, c.held.Load())
}

// TestMemoryIsBoundedWhileKafkaIsAway: senders that never stop meet a broker that
// never answers.
func TestMemoryIsBoundedWhileKafkaIsAway(t *testing.T) {
	const most = 8 << 20
	p, proxy := newCuttable(t, Options{Known: []string{"usps"}, Rights: everybody, MaxBytes: 256 << 10, MaxInFlight: most,
		AckTimeout: 100 * time.Millisecond, RatePerSecond: 1_000_000})
	c := newCrowd(p)
	if err := c.post(t.Context(), "{}"); err != nil || c.codes[200].Load() != 1 {
		t.Fatal(err)
	}
	proxy.Cut()
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	pad, highest := strings.Repeat("x", 200<<10), uint64(0)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := range 40 { // 125 MiB of all
				if err := c.post(t.Context(), fmt.Sprint(i, n, pad)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(10 * time.Millisecond):
		}
		runtime.ReadMemStats(&now)
		highest = max(highest, now.HeapInuse)
	}
	if held := c.held.Load(); held > most {
		t.Errorf("%d bytes were in flight, at most %d are allowed", held, most)
	}
	if c.codes[429].Load() != 16*40 {
		t.Errorf("%d of %d were told to come back", c.codes[429].Load(), 16*40)
	}
	// Bodies of the senders, which this process holds too: 125 MiB in the map.
	if grown := int64(highest) - int64(before.HeapInuse); grown > 125<<20+8*most {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	proxy.Mend()
	if err := c.post(t.Context(), "[]"); err != nil {
		t.Error(err)
	}
}

// TestASlowBodyHoldsLittle: who announces much and sends nothing neither takes the
// room of others nor waits for long.
func TestASlowBodyHoldsLittle(t *testing.T) {
	p := newPlace(t, Options{Known: []string{"usps"}, Rights: everybody, ReadTimeout: 300 * time.Millisecond}, "usps")
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/v1/scans/"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the end of the test
	fmt.Fprint(conn, "POST /v1/scans/usps HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for p.all.left.Load() == p.o.MaxInFlight {
		if proc.Pause(ctx, time.Millisecond) != nil {
			t.Fatal("nothing is held")
		}
	}
	if held := p.o.MaxInFlight - p.all.left.Load(); held > 64<<10 {
		t.Errorf("holds %d bytes", held)
	}
	answer := make([]byte, 4096)
	conn.SetReadDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // a TCP connection
	n, err := conn.Read(answer)
	if err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 408")) {
		t.Errorf("%v, %q", err, answer[:n])
	}
}

// TestClose: what is under way is answered, what comes later is told to come back.
func TestClose(t *testing.T) {
	p, proxy := newCuttable(t, Options{Known: []string{"usps"}, Rights: everybody, AckTimeout: 5 * time.Second})
	c := newCrowd(p)
	if err := c.post(t.Context(), "{}"); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	waiting := make(chan error, 1)
	go func() { waiting <- c.post(t.Context(), "[]") }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for p.all.left.Load() == p.o.MaxInFlight {
		if proc.Pause(ctx, time.Millisecond) != nil {
			t.Fatal("nothing is under way")
		}
	}
	closed := make(chan struct{})
	go func() { p.Close(); close(closed) }()
	for {
		got := p.send("usps", strings.NewReader("{}"))
		if got.code == http.StatusServiceUnavailable && got.retryAfterSeconds > 0 {
			break
		}
		if got.code != http.StatusTooManyRequests {
			t.Fatalf("%+v", got)
		}
	}
	proxy.Mend()
	if err := <-waiting; err != nil || c.codes[200].Load() != 2 {
		t.Errorf("%v, %d answered with 200, want 2", err, c.codes[200].Load())
	}
	<-closed
	p.records(2)
}

// BenchmarkPush is one push after the other on each of some connections: sender,
// receiver and broker in this process.
func BenchmarkPush(b *testing.B) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, schemas.RawTopicPrefix+"17track"))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	r, err := New(Options{Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, RatePerSecond: 1 << 30,
		Carriers: []Carrier{{Name: "17track", Verify: Verify17TRACK, Secrets: []string{longKey}}}, Metrics: NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for _, kind := range []string{"http", "handler"} {
		b.Run(kind, func(b *testing.B) { benchmarkPush(b, r, kind == "http") })
	}
}

func benchmarkPush(b *testing.B, r *Receiver, overHTTP bool) {
	raw, err := os.ReadFile("../carriers/testdata/17track/hot.json")
	if err != nil {
		b.Fatal(err)
	}
	sign := hash(string(raw) + "/" + longKey)
	server := httptest.NewServer(r)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	b.SetBytes(int64(len(raw)))
	b.SetParallelism(32)
	before := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, err := http.NewRequest(http.MethodPost, server.URL+"/v1/scans/17track", bytes.NewReader(raw))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("sign", sign)
			code := 0
			if overHTTP {
				res, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body) //nolint:errcheck // the connection is used again
				res.Body.Close()              //nolint:errcheck // read
				code = res.StatusCode
			} else {
				w := httptest.NewRecorder()
				r.ServeHTTP(w, req)
				code = w.Code
			}
			if code != http.StatusOK {
				b.Errorf("status %d", code)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric((cpuTime()-before).Seconds()*1e6/float64(b.N), "cpu-us/req")
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) //nolint:errcheck // of itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
