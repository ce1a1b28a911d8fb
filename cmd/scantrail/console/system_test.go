package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/cmd/scantrail/query/querytest"
	"scantrail/ingest/deadletters"
)

// TestJob: one at a time, and whatever becomes of it is said.
func TestJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j job[int]
		release := make(chan struct{})
		wait := func(ctx context.Context, p progress) (int, error) {
			for i := range 7 {
				p.say(fmt.Sprint("line ", i))
			}
			p.count(3, 9)
			select {
			case <-release:
				return 42, nil
			case <-ctx.Done():
				return 7, ctx.Err()
			}
		}
		if !j.start("Ada", "", time.Hour, time.Now, wait) || j.start("Bo", "", time.Hour, time.Now, wait) {
			t.Fatal("two at once, or none")
		}
		synctest.Wait()
		s := j.now()
		if !s.Running || s.By != "Ada" || s.Done != 3 || s.Total != 9 || !slices.Equal(s.Lines, []string{"line 2", "line 3", "line 4", "line 5", "line 6"}) {
			t.Errorf("%+v", s)
		}
		close(release)
		synctest.Wait()
		if s = j.now(); s.Running || s.Result != 42 || s.Err != nil || s.Ended.IsZero() {
			t.Errorf("%+v", s)
		}
		if j.start("Bo", "another", time.Hour, time.Now, wait) || !j.start("Bo", s.ID, time.Hour, time.Now, wait) {
			t.Error("what may follow what")
		}
		synctest.Wait()
		release = make(chan struct{})
		j.start("Bo", "", time.Minute, time.Now, wait)
		synctest.Wait()
		j.cancel()
		synctest.Wait()
		if s = j.now(); s.Running || !errors.Is(s.Err, errStopped) || s.Result != 7 {
			t.Errorf("stopped: %+v", s)
		}
		j.start("Bo", "", time.Minute, time.Now, wait)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if s = j.now(); s.Running || s.Err == nil || !strings.Contains(s.Err.Error(), "longer than 1m0s") {
			t.Errorf("too long: %+v", s)
		}
		j.start("Bo", "", time.Minute, time.Now, func(context.Context, progress) (int, error) { panic("oh") })
		synctest.Wait()
		if s = j.now(); s.Running || s.Err == nil || !strings.Contains(s.Err.Error(), "oh") {
			t.Errorf("a panic: %+v", s)
		}
	})
}

const hostile = "{\"a\":\"<script>alert(1)</script>\u202e\u0000\"}"

// hostileSite has a dead letter as nobody should send one.
func hostileSite(t *testing.T, o Operations) *site {
	t.Helper()
	s := newSite(t)
	conn := s.rows
	insert := "INSERT INTO dead_letters (topic, topic_id, `partition`, `offset`, `index`, carrier, reason, field, detail, received_at, raw, raw_bytes) VALUES (?, ?, 0, ?, 0, ?, ?, ?, ?, ?, ?, ?)"
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	long := strings.Repeat("长", 100_000)
	for i, raw := range []string{hostile, long} {
		must(t, conn.Exec(t.Context(), insert, "scans.raw.usps", "00000000-0000-0000-0000-000000000001", i, "usps", "<b>reason</b>", fmt.Sprint("field", i), "=cmd()", at, raw, len(raw)))
	}
	must(t, conn.Exec(t.Context(), insert, "orders", "00000000-0000-0000-0000-000000000002", 0, "", "bad_value", "at", "no time", at, "{}", 2))
	return siteOf(t, Options{Rows: conn, Operations: o, Now: func() time.Time { return at.Add(time.Hour) }})
}

func TestHostileDeadLetters(t *testing.T) {
	read := func(_, _ string, raw []byte) Reading {
		return Reading{Facts: []ReadFact{{Number: "<i>LX1</i>", Milestone: "delivered", At: time.Unix(0, 0)}}, Rejected: []string{"bad_time: " + string(raw[:min(30, len(raw))])}}
	}
	s := hostileSite(t, Operations{ReadLetter: read})
	body := s.page("/dead-letters?carrier=usps&reason=%3Cb%3Ereason%3C%2Fb%3E", "&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;b&gt;reason", "&lt;i&gt;LX1", "Still refused", "300,000 bytes")
	for _, bad := range []string{"<script>alert", "<b>reason", "<i>LX1", "\u202e", "\x00"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if len(body) > 100_000 {
		t.Errorf("the page has %d bytes", len(body))
	}
	s.page("/dead-letters?carrier=(orders)&reason=bad_value&lang=zh", "订单", "scans.raw.usps"[:0]+"orders/0/0")
	_, _, csv := s.get("/dead-letters?format=csv")
	if !strings.Contains(csv, "'=cmd()") || !strings.Contains(csv, "(orders),bad_value,1,1,2026-11-01T00:00:00Z") {
		t.Errorf("CSV:\n%s", csv)
	}
	if status, _, body := s.post("/dead-letters/preview"); status != http.StatusBadRequest || !strings.Contains(body, "cannot replay") {
		t.Errorf("without brokers: %d %s", status, body)
	}
}

// TestReplayFails: an error is shown, and nothing can be sent after it.
func TestReplayFails(t *testing.T) {
	s := hostileSite(t, Operations{Replay: func(_ context.Context, r ReplayRequest) (ReplayResult, error) {
		r.Progress(1, 2)
		if r.Carrier == "usps" {
			return ReplayResult{}, errors.New("the <broker> is away")
		}
		return ReplayResult{Groups: []deadletters.Group{{Reason: r.Reason, Records: 3, Mended: 2, Refused: 1, Example: "<u>why</u>"}}}, nil
	}})
	s.post("/dead-letters/preview", "carrier", "usps", "reason", "x")
	s.until("/dead-letters", "the &lt;broker&gt; is away")
	if _, to, _ := s.post("/dead-letters/send", "preview", "x"); to != "/dead-letters?busy=1" {
		t.Errorf("sent after a failure: %s", to)
	}
	s.post("/dead-letters/preview", "carrier", "(orders)", "reason", "bad_value")
	if body := s.until("/dead-letters", "Send 2 records again"); !strings.Contains(body, "&lt;u&gt;why") || strings.Contains(body, `data-refresh`) {
		t.Errorf("the preview:\n%s", body)
	}
	if status, _, _ := s.post("/dead-letters/preview", "carrier", "../x y"); status != http.StatusBadRequest {
		t.Errorf("no name of a carrier: %d", status)
	}
}

// until returns the page once it has a text.
func (s *site) until(url, text string) string {
	s.t.Helper()
	for began := time.Now(); ; <-time.After(10 * time.Millisecond) {
		if body := s.page(url); strings.Contains(body, text) {
			return body
		} else if time.Since(began) > 20*time.Second {
			s.t.Fatalf("%s does not get %q:\n%s", url, text, body)
		}
	}
}

// TestSystem: what can be asked is shown, what cannot is said, each by itself.
func TestSystem(t *testing.T) {
	w := querytest.Start(t)
	registry := prometheus.NewRegistry()
	tick := prometheus.NewGauge(prometheus.GaugeOpts{Name: "scantrail_tick_timestamp_seconds", Help: "x"})
	restores := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "scantrail_detector_restore_seconds", Help: "x"})
	registry.MustRegister(tick, restores)
	tick.Set(float64(w.Clock.Add(-5 * time.Minute).Unix()))
	restores.Observe(2)
	restores.Observe(4)
	audit := &Audit{Took: time.Minute, Violated: 1, Checks: []AuditCheck{{Guarantee: "P1", Name: "chain of ranges", Compared: 9, Unit: "records", Violations: 1}, {Guarantee: "P3", Name: "replay", Skipped: true}},
		Violations: []AuditViolation{{"P1", "chain of ranges", "3 are <missing>", "scans.raw.usps/0", "they are lost", "look"}}}
	s := siteOf(t, Options{Rows: w.Rows, Kafka: w.Kafka, Now: func() time.Time { return w.Clock }, Operations: Operations{Metrics: registry, Generation: 1,
		Audit: func(_ context.Context, say func(string)) (*Audit, error) { say("P1 ..."); return audit, nil }}})
	s.page("/system", "5 min", "2 × 3.00 s", "none yet, or one is being written", "Number 1, in 1 partitions", "Document in force", "ClickHouse", "Run the audit")
	s.post("/system/audit")
	body := s.until("/system?lang=zh", "违规 1 处")
	for _, want := range []string{"3 are &lt;missing&gt;", "接收账本连续", "未执行", "由 local 发起于"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	away := siteOf(t, Options{Rows: w.Rows, Kafka: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1"), kgo.RetryTimeout(time.Second)}})
	body = away.page("/system", "This process gives no metrics", "This process cannot run the audit", "Number 1, in 1 partitions")
	if n := strings.Count(body, "This part could not be asked:"); n != 3 {
		t.Errorf("without brokers %d parts fail, want 3:\n%s", n, body)
	}
}
