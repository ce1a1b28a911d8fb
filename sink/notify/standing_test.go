package notify

import (
	"maps"
	"testing"
	"time"

	"scantrail/schemas"
)

// newStanding is a book of an Alertmanager.
func newStanding(t *testing.T) *bench {
	return newBench(t, func(e *Receiver, o *bookOptions) {
		e.Kind, o.Resend, o.StandLimit, o.MaxStanding, e.RatePerMinute = KindAlertmanager, time.Minute, 30*24*time.Hour, 100, unlimited
	})
}

// push gives one request to a receiver that answers with o, and returns for each
// alert in it the last of what it was told.
func (b *bench) push(o outcome) (sent []string) {
	for a := b.begin(b.now); a != nil; a = b.begin(b.now) {
		for _, it := range a.items {
			sent = append(sent, short(it.msgs[len(it.msgs)-1].id))
		}
		a.outcome = o
		b.end(b.now, a)
		if o.verdict == failed {
			break
		}
	}
	return sent
}

func TestOpenAlertsAreSentAgain(t *testing.T) {
	b := newStanding(t)
	b.read(alert(1, 1, open), alert(2, 1, open))
	b.expect("first", b.push(took), "1:1", "2:1")
	b.expectCommit(0) // what stands is read again after a restart
	b.pass(59 * time.Second)
	b.expect("too early", b.push(took))
	b.pass(time.Second)
	b.expect("again", b.push(took), "1:1", "2:1")
	b.read(alert(1, 2, escalated))
	b.expect("a transition does not wait", b.push(took), "1:2")
	b.read(alert(2, 2, resolved))
	b.expect("an end does not wait", b.push(took), "2:2")
	if at := b.part.position(); at.offset != 0 || len(b.part.undone) != 3 { // 0 ended with its labels, 1 has them from its end
		t.Errorf("commits %d with %v undone", at.offset, b.part.undone)
	}
	for range 16 {
		b.pass(time.Minute)
		b.push(took)
	}
	if len(b.lanes) != 1 || b.waiting != 0 || b.standing != 1 || len(b.part.undone) != 1 {
		t.Errorf("after the end was repeated: %d lanes, %d waiting, %d standing, %v undone", len(b.lanes), b.waiting, b.standing, b.part.undone)
	}
	if got := value(b.m.delivered); got < 16 {
		t.Errorf("%v deliveries counted", got)
	}
}

// TestStandingAfterARestart: what has ended meanwhile never looks open.
func TestStandingAfterARestart(t *testing.T) {
	b := newStanding(t)
	log := []*schemas.Alert{alert(1, 1, open), alert(2, 1, open), alert(1, 2, resolved)}
	b.read(log[:2]...)
	b.push(took)
	at := b.part.position()
	next := newStanding(t)
	next.part = newPart(0, at.offset, at.metadata)
	next.part.end = 3
	next.read(log[:2]...)
	next.pass(time.Second)
	next.expect("while the rest is not read", next.push(took))
	next.read(log[2])
	next.pass(time.Second)
	a := next.begin(next.now)
	if a == nil || len(a.items) != 2 {
		t.Fatalf("sends %+v", a)
	}
	for _, it := range a.items {
		last := it.msgs[len(it.msgs)-1]
		if (it.lane.key == schemas.ID{15: 1}) != last.closes() {
			t.Errorf("%s: %s", short(last.id), last.status)
		}
	}
}

// TestLongBacklog: reading does not wait for what waits for reading.
func TestLongBacklog(t *testing.T) {
	b := newStanding(t) // with room for 100 messages
	b.part.end = 400
	for n := 1; n <= 200; n++ {
		for b.full() {
			if b.pass(time.Second); len(b.push(took)) == 0 {
				t.Fatalf("nothing is sent after %d records", b.part.next)
			}
		}
		b.read(alert(n, 1, open), alert(n, 2, resolved))
	}
}

// TestOneAttemptIsOneFailure: the pause does not grow with the alerts in a request.
func TestOneAttemptIsOneFailure(t *testing.T) {
	b := newStanding(t)
	for n := 1; n <= 50; n++ {
		b.read(alert(n, 1, open))
	}
	b.push(outcome{verdict: failed})
	if b.failures != 1 || b.resume.Sub(b.now) != time.Second {
		t.Errorf("%d failures, a pause of %s", b.failures, b.resume.Sub(b.now))
	}
}

func TestReceiverThatComesBackGetsEverything(t *testing.T) {
	b := newStanding(t)
	b.read(alert(1, 1, open), alert(2, 1, open))
	b.push(took)
	b.read(alert(3, 1, open))
	b.push(outcome{verdict: failed})
	b.pass(2 * time.Second)
	b.expect("the new one, then all", b.push(took), "3:1", "1:1", "2:1", "3:1")
}

// TestRefusedTogether: one bad alert in a request does not take the others along.
func TestRefusedTogether(t *testing.T) {
	b := newStanding(t)
	b.read(alert(1, 1, open), alert(2, 1, open))
	a := b.begin(b.now)
	a.outcome = outcome{verdict: rejected}
	b.end(b.now, a)
	b.pass(5 * time.Minute)
	a = b.begin(b.now)
	if len(a.items) != 1 {
		t.Fatalf("%d alerts are tried again together", len(a.items))
	}
	bad := a.items[0].lane.key
	a.outcome = outcome{verdict: rejected}
	b.end(b.now, a)
	b.pass(5 * time.Minute)
	b.push(took)
	if b.standing != 1 || b.lanes[bad] != nil || value(b.m.rejected) != 1 {
		t.Errorf("%d stand, %v rejected", b.standing, value(b.m.rejected))
	}
}

func TestTooManyStand(t *testing.T) {
	b := newBench(t, func(e *Receiver, o *bookOptions) {
		e.Kind, o.Resend, o.StandLimit, o.MaxStanding, e.RatePerMinute = KindAlertmanager, time.Minute, 48*time.Hour, 20, unlimited
	})
	for n := 1; n <= 21; n++ {
		b.read(alert(n, 1, open))
		b.push(took)
	}
	if b.standing != 18 || len(b.lost) != 3 || b.lost[0] != (schemas.ID{15: 1}).String()+":1" {
		t.Errorf("%d stand, given up %q", b.standing, b.lost)
	}
	b.expectCommit(3)
	b.pass(48 * time.Hour)
	if b.standing != 0 || len(b.lanes) != 0 {
		t.Errorf("%d stand beyond the limit", b.standing)
	}
}

func TestAlertsForAlertmanager(t *testing.T) {
	b := newStanding(t)
	r, err := newRenderer(&Receiver{Kind: KindAlertmanager}, "https://console.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	s := &amSender{render: r}
	hostile := func(a *schemas.Alert) {
		a.ShopID, a.Carrier, a.Facility = "<script>", "Bad Carrier\n", "see https://evil.example.com \u202e"
	}
	b.read(alert(1, 1, open, hostile), alert(1, 2, escalated, hostile), alert(1, 3, resolved, hostile, func(a *schemas.Alert) { a.Level, a.Rule = 2, schemas.RuleGap72h }))
	a := b.begin(b.now)
	got := s.alerts(a.items[0].msgs, b.now)
	want := []map[string]string{
		{"alertname": "ScantrailGap72h", "severity": "critical", "rule": "gap_72h"},
		{"alertname": "ScantrailGap48h", "severity": "warning", "rule": "gap_48h"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d alerts: %+v", len(got), got)
	}
	for i, w := range want {
		w["alert_id"], w["source"], w["market"] = (schemas.ID{15: 1}).String(), "scantrail", "DE"
		if !maps.Equal(got[i].Labels, w) {
			t.Errorf("labels %v, want %v", got[i].Labels, w)
		}
		if got[i].EndsAt <= got[i].StartsAt || got[i].EndsAt > rfc3339(b.now) {
			t.Errorf("from %s to %s at %s", got[i].StartsAt, got[i].EndsAt, rfc3339(b.now))
		}
		if f := got[i].Annotations["facility"]; f != "see https: //evil .example .com" {
			t.Errorf("facility %q", f)
		}
		if got[i].GeneratorURL != "https://console.example.com/parcels/LX000000001CN" {
			t.Errorf("link %s", got[i].GeneratorURL)
		}
	}
}
