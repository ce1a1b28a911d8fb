package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// bench is a book with a clock of its own and one partition.
type bench struct {
	*book
	t     *testing.T
	now   time.Time
	part  *part
	stale map[string]bool
	lost  []string // given up
}

func newBench(t *testing.T, change func(*Receiver, *bookOptions)) *bench {
	t.Helper()
	e := &Receiver{Name: "ops", RatePerMinute: 1000, Statuses: DefaultStatuses()}
	o := bookOptions{HoldLimit: 24 * time.Hour, GiveUpAfter: 24 * time.Hour, RetryMin: time.Second, RetryMax: 5 * time.Minute, MaxWaiting: 100, MaxHeld: 100}
	if change != nil {
		change(e, &o)
	}
	b := &bench{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), part: newPart(0, 0, ""), stale: map[string]bool{}}
	b.book = newBook(e, o, NewMetrics(prometheus.NewRegistry()).of("ops"), func(c string) bool { return b.stale[c] })
	b.gaveUp = func(m *message, _ string) { b.lost = append(b.lost, m.id) }
	return b
}

// alert returns transition v of the n-th alert. Its opening is transition 1.
func alert(n int, v uint64, status schemas.AlertStatus, change ...func(*schemas.Alert)) *schemas.Alert {
	a := &schemas.Alert{
		AlertID: schemas.ID{15: byte(n), 14: byte(n >> 8)}, Home: schemas.ID{9}, Version: v, Rule: schemas.RuleGap48h, Level: 1, Status: status,
		TrackingNumber: fmt.Sprintf("LX%09dCN", n), Carrier: "yunexpress", Market: "DE", ShopID: "shop-1",
		AnchorAt: 1e12, OpenedAt: 1e12 + 1, ChangedAt: 1e12 + int64(v),
	}
	switch status {
	case schemas.AlertAtRisk:
		a.Level, a.OpenedAt = 0, 0
	case schemas.AlertEscalated:
		a.Level, a.Rule = 2, schemas.RuleGap72h
	}
	for _, f := range change {
		f(a)
	}
	return a
}

const (
	atRisk    = schemas.AlertAtRisk
	open      = schemas.AlertOpen
	escalated = schemas.AlertEscalated
	resolved  = schemas.AlertResolved
	withdrawn = schemas.AlertWithdrawn
)

// flagged renders an alert that the detector holds.
func flagged(a *schemas.Alert) []byte {
	return []byte(strings.TrimSuffix(string(schemas.AppendAlertJSON(nil, a)), "}}") + `,"held":true}}`)
}

func (b *bench) read(as ...*schemas.Alert) {
	b.t.Helper()
	for _, a := range as {
		b.readRaw(schemas.AppendAlertJSON(nil, a))
	}
}

func (b *bench) readRaw(value []byte) {
	b.t.Helper()
	if err := b.add(b.now, b.part, &kgo.Record{Offset: b.part.next, Value: value, Timestamp: b.now}); err != nil {
		b.t.Fatal(err)
	}
}

// send gives what is due to a receiver that answers with o, and returns it as
// "alert:version".
func (b *bench) send(o outcome) (sent []string) {
	for {
		l := b.next(b.now)
		if l == nil {
			return sent
		}
		m := l.msgs[0]
		sent = append(sent, short(m.id))
		b.start(b.now, l)
		b.finish(b.now, l, o)
	}
}

// short cuts the zeros off an id.
func short(id string) string {
	if strings.HasPrefix(id, "digest") {
		return "digest"
	}
	return strings.TrimLeft(strings.ReplaceAll(id, "-", ""), "0")
}

func (b *bench) pass(d time.Duration) {
	b.now = b.now.Add(d)
	b.tick(b.now)
}

func (b *bench) expect(what string, got []string, want ...string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: sent %q, want %q", what, got, want)
	}
}

func (b *bench) expectCommit(want int64) {
	b.t.Helper()
	if at := b.part.position(); at.offset != want {
		b.t.Errorf("commits %d, want %d", at.offset, want)
	}
}

var took = outcome{verdict: delivered}

func TestRouting(t *testing.T) {
	backfill := func(a *schemas.Alert) { a.Backfill = true }
	never := func(a *schemas.Alert) { a.OpenedAt = 0 }
	for name, c := range map[string]struct {
		change func(*Receiver)
		a      *schemas.Alert
		want   bool
	}{
		"open":                  {nil, alert(1, 1, open), true},
		"at risk":               {nil, alert(1, 1, atRisk), false},
		"at risk asked for":     {func(e *Receiver) { e.Statuses = []string{"at_risk"} }, alert(1, 1, atRisk), true},
		"backfill":              {nil, alert(1, 1, open, backfill), false},
		"backfill resolved":     {nil, alert(1, 2, resolved, backfill), false},
		"resolved":              {nil, alert(1, 2, resolved), true},
		"known after its end":   {nil, alert(1, 2, resolved, never), false},
		"at risk withdrawn":     {nil, alert(1, 2, withdrawn, never), false},
		"at risk and its end":   {func(e *Receiver) { e.Statuses = allStatuses() }, alert(1, 2, withdrawn, never), true},
		"market":                {func(e *Receiver) { e.Markets = []string{"FR", "DE"} }, alert(1, 1, open), true},
		"other market":          {func(e *Receiver) { e.Markets = []string{"FR"} }, alert(1, 1, open), false},
		"other shop":            {func(e *Receiver) { e.Shops = []string{"x"} }, alert(1, 1, open), false},
		"other carrier":         {func(e *Receiver) { e.Carriers = []string{"dhl"} }, alert(1, 1, open), false},
		"carrier":               {func(e *Receiver) { e.Carriers = []string{"yunexpress"} }, alert(1, 1, open), true},
		"other rule":            {func(e *Receiver) { e.Rules = []string{"feed_stale"} }, alert(1, 1, open), false},
		"level":                 {func(e *Receiver) { e.MinLevel = 2 }, alert(1, 1, open), false},
		"level reached":         {func(e *Receiver) { e.MinLevel = 2 }, alert(1, 2, escalated), true},
		"end of low level":      {func(e *Receiver) { e.MinLevel = 2 }, alert(1, 2, resolved), false},
		"only ends":             {func(e *Receiver) { e.Statuses = []string{"resolved"} }, alert(1, 2, resolved), false},
		"end of the unheard":    {func(e *Receiver) { e.Statuses = []string{"escalated", "resolved"} }, alert(1, 2, resolved), false},
		"end of the escalated":  {func(e *Receiver) { e.Statuses = []string{"escalated", "resolved"} }, alert(1, 3, resolved, func(a *schemas.Alert) { a.Level = 2 }), true},
		"rule of the escalated": {func(e *Receiver) { e.Rules = []string{"gap_72h"} }, alert(1, 2, escalated), true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(e *Receiver, _ *bookOptions) {
				if c.change != nil {
					c.change(e)
				}
			})
			b.read(c.a)
			if got := len(b.send(took)) == 1; got != c.want {
				t.Errorf("sent: %t", got)
			}
			b.expectCommit(1)
		})
	}
}

func TestNotAnAlert(t *testing.T) {
	b := newBench(t, nil)
	for _, bad := range []string{"", "{}", `{"specversion":"1.0","data":{}}`} {
		if b.add(b.now, b.part, &kgo.Record{Offset: b.part.next, Value: []byte(bad)}) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	b.expectCommit(3)
}

// TestBodyIsForwardedAsItIs: fields that this program does not know arrive.
func TestBodyIsForwardedAsItIs(t *testing.T) {
	b := newBench(t, nil)
	value := []byte(strings.Replace(string(schemas.AppendAlertJSON(nil, alert(1, 1, open))), `"data":{`, `"data":{ "added_later": [1, 2],`, 1))
	b.readRaw(value)
	if got := b.next(b.now).msgs[0]; string(got.body) != string(value) || got.id != alert(1, 1, open).AlertID.String()+":1" {
		t.Errorf("%s: %s", got.id, got.body)
	}
}

func TestRetryAndRetryAfter(t *testing.T) {
	b := newBench(t, nil)
	b.read(alert(1, 1, open), alert(2, 1, open))
	b.expect("first", b.send(outcome{verdict: failed, after: 2 * time.Minute}), "1:1")
	b.pass(2*time.Minute - time.Second)
	b.expect("before the time that the receiver asked for", b.send(took))
	b.expectCommit(0)
	b.pass(time.Second)
	b.expect("then", b.send(took), "2:1", "1:1")
	b.expectCommit(2)

	b.read(alert(3, 1, open), alert(4, 1, open))
	var at []time.Duration
	for began := b.now; len(at) < 8; b.pass(time.Second) {
		if len(b.send(outcome{verdict: failed, reason: "status 500"})) > 0 {
			at = append(at, b.now.Sub(began))
		}
	}
	var gaps []int
	for i := range at[1:] {
		gaps = append(gaps, int((at[i+1] - at[i]).Seconds()))
	}
	if want := []int{1, 2, 4, 8, 16, 32, 60}; !slices.Equal(gaps, want) {
		t.Errorf("a webhook that fails is tried after %v s, want %v", gaps, want)
	}
	if got := value(b.m.retried); got != 1+6 { // 8 attempts at two messages
		t.Errorf("%v retries", got)
	}
	b.pass(5 * time.Minute)
	b.send(took)
	b.expectCommit(4)
	if b.failures != 0 || b.waiting != 0 || b.bytes != 0 || len(b.lanes) != 0 {
		t.Errorf("left behind: %d failures, %d waiting, %d bytes", b.failures, b.waiting, b.bytes)
	}
}

func TestRejectedIsFinal(t *testing.T) {
	b := newBench(t, nil)
	b.read(alert(1, 1, open), alert(2, 1, open))
	b.expect("each once", b.send(outcome{verdict: rejected}), "1:1", "2:1")
	b.expectCommit(2)
	if value(b.m.rejected) != 2 {
		t.Error("not counted")
	}
}

// TestOrderWithinAnAlert: an end never overtakes its opening, others may.
func TestOrderWithinAnAlert(t *testing.T) {
	b := newBench(t, nil)
	b.read(alert(1, 1, open))
	l := b.next(b.now)
	b.start(b.now, l)
	b.read(alert(1, 2, resolved), alert(2, 1, open))
	b.expect("while the opening is under way", b.send(took), "2:1")
	b.finish(b.now, l, outcome{verdict: failed})
	b.pass(time.Second)
	b.expect("after it", b.send(took), "1:1", "1:2")
	b.expectCommit(3)
}

func TestGiveUp(t *testing.T) {
	b := newBench(t, nil)
	b.read(alert(1, 1, open))
	for range 24 * 60 {
		b.send(outcome{verdict: failed})
		b.pass(time.Minute - time.Second/30)
		if len(b.lost) > 0 {
			t.Fatalf("given up after %s", b.now)
		}
	}
	b.pass(time.Hour)
	if len(b.lost) != 1 || b.waiting != 0 || value(b.m.expired) != 1 {
		t.Errorf("given up: %v", b.lost)
	}
	b.expectCommit(1)
}

// TestOldAlertsAreTried: after a long rest of the role, alerts are old at once;
// one failure does not end them all.
func TestOldAlertsAreTried(t *testing.T) {
	b := newBench(t, nil)
	b.read(alert(1, 1, open), alert(2, 1, open))
	b.now = b.now.Add(72 * time.Hour)
	b.expect("first", b.send(outcome{verdict: failed}), "1:1")
	b.pass(5 * time.Minute)
	b.expect("again", b.send(took), "2:1", "1:1")
	if len(b.lost) > 0 {
		t.Errorf("given up: %v", b.lost)
	}
}

func TestRateAndDigest(t *testing.T) {
	b := newBench(t, func(e *Receiver, _ *bookOptions) { e.RatePerMinute = 3 })
	for n := 1; n <= 30; n++ {
		b.read(alert(n, 1, open, func(a *schemas.Alert) {
			if n%2 == 0 {
				a.Carrier = ""
			}
		}))
	}
	b.read(alert(99, 1, open, func(a *schemas.Alert) { a.Rule = schemas.RuleFeedStale }))
	b.expect("in the first minute", b.send(took), "1:1", "2:1", "3:1", "63:1") // 63 is 99 in hex
	b.expectCommit(3)
	b.pass(59 * time.Second)
	b.expect("before it ends", b.send(took))
	b.pass(time.Second)
	d := b.next(b.now).msgs[0]
	b.expect("after it", b.send(outcome{verdict: failed}), "digest")
	b.pass(time.Second)
	b.expectCommit(3) // until the digest has arrived
	b.expect("again", b.send(took), "digest")
	b.expectCommit(31)
	var got cloudEvent
	if err := json.Unmarshal(d.body, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != d.id || got.Type != digestType || got.SpecVersion != "1.0" || got.Data.Alerts != 27 ||
		got.Data.ByRule["gap_48h"] != 27 || got.Data.ByCarrier["yunexpress"] != 13 || got.Data.ByCarrier["unknown"] != 14 ||
		len(got.Data.AlertIDs) != 20 || got.Data.AlertIDs[0] != (schemas.ID{15: 4}).String() {
		t.Errorf("digest %s", d.body)
	}
	b.read(alert(40, 1, open))
	b.expect("in the next minute", b.send(took), "28:1")
}

func TestDigestIsNamedByItsMembers(t *testing.T) {
	name := func(ids ...string) string {
		d := newDigest()
		for i, id := range ids {
			d.add(&message{id: id, rule: fmt.Sprintf("rule_%d", i)})
		}
		if len(d.rules) > digestGroups+1 {
			t.Errorf("%d groups", len(d.rules))
		}
		return d.message(time.Unix(0, 0)).id
	}
	if id := name("a:1", "b:1"); id != name([]string{"a:1", "b:1"}...) || id == name("a:1", "b:2") || id == name("b:1", "a:1") {
		t.Error("the id does not follow from the members")
	}
	name(make([]string, 500)...)
}

func TestReadingRestsWhenTooMuchWaits(t *testing.T) {
	b := newBench(t, func(e *Receiver, o *bookOptions) { o.MaxWaiting, e.RatePerMinute = 10, 5 })
	for n := 1; n <= 10; n++ {
		if b.full() {
			t.Fatalf("full with %d", n-1)
		}
		b.read(alert(n, 1, open))
	}
	if !b.full() {
		t.Error("not full")
	}
	b.send(took)
	b.pass(time.Minute)
	b.send(took)
	if b.full() || b.waiting != 0 || b.bytes != 0 {
		t.Errorf("%d waiting, %d bytes", b.waiting, b.bytes)
	}
	b.expectCommit(10)
}

// value reads a counter or a gauge.
func value(m prometheus.Metric) float64 {
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		return -1
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}
