package notify

import (
	"testing"
	"time"

	"scantrail/schemas"
)

func TestIncidentHoldsPagesOfItsCarrier(t *testing.T) {
	b := newBench(t, nil)
	other := func(a *schemas.Alert) { a.Carrier = "dhl" }
	b.read(alert(1, 1, open), alert(2, 1, open))
	b.expect("before", b.send(took), "1:1", "2:1")
	b.stale["yunexpress"] = true
	b.read(
		alert(9, 1, open, func(a *schemas.Alert) { a.Rule = schemas.RuleFeedStale }),
		alert(8, 1, open, func(a *schemas.Alert) { a.Rule, a.Detail = schemas.RuleFeedStale, schemas.DetailUploadLag }),
		alert(1, 2, escalated), // 4: held, the receiver knows of it
		alert(3, 1, open),      // 5: held
		alert(4, 1, open),      // 6: held, ends meanwhile
		alert(3, 2, escalated), // 7: takes the place of 5
		alert(5, 1, open, other),
		alert(4, 2, withdrawn),
		alert(2, 2, resolved),
	)
	b.expect("the incident itself, others, and the end of what is known", b.send(took), "9:1", "8:1", "5:1", "2:2")
	b.expectCommit(4)
	if value(b.m.spared) != 1 || value(b.m.held) != 2 {
		t.Error("not counted")
	}
	b.pass(48 * time.Hour)
	b.expect("as long as it lasts", b.send(took))
	b.read(alert(6, 1, open))
	b.stale["yunexpress"] = false
	b.pass(time.Second)
	b.expect("the latest of each", b.send(took), "1:2", "3:2", "6:1")
	b.expectCommit(12)
	if len(b.held) != 0 || b.heldBytes != 0 {
		t.Errorf("%d held, %d bytes", len(b.held), b.heldBytes)
	}
	b.read(alert(3, 3, resolved))
	b.expect("the end of what was released", b.send(took), "3:3")
}

func TestHeldByTheDetector(t *testing.T) {
	b := newBench(t, nil)
	b.readRaw(flagged(alert(1, 1, open)))
	b.readRaw(flagged(alert(2, 1, open)))
	b.readRaw(flagged(alert(3, 1, open)))
	b.pass(23 * time.Hour)
	b.expect("held", b.send(took))
	b.read(alert(1, 2, escalated), alert(2, 2, withdrawn))
	b.expect("the detector says otherwise; ended", b.send(took), "1:2")
	b.expectCommit(2)
	b.pass(time.Hour)
	b.expect("after the limit", b.send(took), "3:1")
	b.expectCommit(5)
}

func TestHeldByTheDetectorAndAnIncident(t *testing.T) {
	b := newBench(t, nil)
	b.readRaw(flagged(alert(1, 1, open)))
	b.stale["yunexpress"] = true
	b.read(alert(1, 2, escalated))
	b.expect("the incident goes on", b.send(took))
	b.stale["yunexpress"] = false
	b.pass(time.Second)
	b.expect("over", b.send(took), "1:2")
	b.expectCommit(2)
}

// TestOlderVersionIsIgnored: after a crash the detector publishes again.
func TestOlderVersionIsIgnored(t *testing.T) {
	b := newBench(t, nil)
	b.stale["yunexpress"] = true
	b.read(alert(1, 1, open), alert(1, 2, escalated), alert(1, 1, open), alert(1, 3, escalated))
	b.stale["yunexpress"] = false
	b.pass(time.Second)
	b.expect("the latest", b.send(took), "1:3")
	b.expectCommit(4)
}

func TestTooManyHeld(t *testing.T) {
	b := newBench(t, func(_ *Receiver, o *bookOptions) { o.MaxHeld = 20 })
	b.stale["yunexpress"] = true
	for n := 1; n <= 21; n++ {
		b.read(alert(n, 1, open))
	}
	b.expect("the oldest", b.send(took), "1:1", "2:1", "3:1")
	b.expectCommit(3)
	if got := value(b.m.released.WithLabelValues(releasedFull)); got != 3 {
		t.Errorf("counted %v", got)
	}
}

// TestRestartDuringAnIncident: another member goes on where this one stopped,
// sends nothing twice that was delivered, and forgets nothing that is held.
func TestRestartDuringAnIncident(t *testing.T) {
	b := newBench(t, nil)
	other := func(a *schemas.Alert) { a.Carrier = "dhl" }
	all := []*schemas.Alert{
		alert(1, 1, open, other), alert(2, 1, open), alert(3, 1, open, other), alert(4, 1, open), alert(2, 2, escalated), alert(5, 1, open, other),
	}
	b.stale["yunexpress"] = true
	b.read(all...)
	b.expect("others", b.send(took), "1:1", "3:1", "5:1")
	at := b.part.position()
	if at.offset != 1 {
		t.Fatalf("commits %d, want 1", at.offset)
	}
	next := newBench(t, nil)
	next.stale["yunexpress"] = true
	next.part = newPart(0, at.offset, at.metadata)
	for next.part.next < int64(len(all)) {
		if got := next.part.position(); got.offset != 1 {
			t.Errorf("commits %d halfway, want 1", got.offset)
		}
		next.read(all[next.part.next])
	}
	next.expect("nothing twice", next.send(took))
	next.read(alert(2, 3, withdrawn), alert(6, 1, open, other))
	next.expect("never sent, so its end is not either", next.send(took), "6:1")
	next.stale["yunexpress"] = false
	next.pass(time.Second)
	next.expect("after the incident", next.send(took), "4:1")
	next.expectCommit(8)
}

// TestPartitionGoes: what belongs to it is forgotten, the rest is not.
func TestPartitionGoes(t *testing.T) {
	b := newBench(t, func(e *Receiver, _ *bookOptions) { e.RatePerMinute = 2 })
	b.stale["dhl"] = true
	dhl := func(a *schemas.Alert) { a.Carrier = "dhl" }
	b.read(alert(1, 1, open), alert(2, 1, open, dhl), alert(3, 1, open))
	b.read(alert(4, 1, open), alert(5, 1, open)) // in the digest
	flying := b.next(b.now)
	b.start(b.now, flying)
	b.read(alert(1, 2, resolved))
	gone := b.part
	gone.gone = true
	b.part = newPart(1, 0, "")
	b.forget(b.now)
	b.read(alert(7, 1, open), alert(8, 1, open, dhl))
	b.finish(b.now, flying, outcome{verdict: delivered})
	b.stale["dhl"] = false
	b.pass(time.Minute)
	b.expect("of the partition that is left", b.send(took), "digest", "8:1")
	b.expectCommit(2)
	if b.waiting != 0 || b.bytes != 0 || len(b.lanes) != 0 || len(b.held) != 0 {
		t.Errorf("left behind: %d waiting, %d bytes, %d lanes, %d held", b.waiting, b.bytes, len(b.lanes), len(b.held))
	}
}

func TestFeedsStandStill(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := newIncidents(7*24*time.Hour, func() time.Time { return now }, quiet(), NewMetrics(prometheusRegistry()).incidents)
	feed := func(n int, v uint64, status schemas.AlertStatus) {
		s.note(schemas.AppendAlertJSON(nil, alert(n, v, status, func(a *schemas.Alert) { a.Rule = schemas.RuleFeedStale })), now)
	}
	s.note(schemas.AppendAlertJSON(nil, alert(1, 1, open)), now)
	s.note([]byte("feed_stale"), now)
	for n, detail := range []string{schemas.DetailUploadLag, schemas.DetailKeyExpiring} {
		s.note(schemas.AppendAlertJSON(nil, alert(n, 9, open, func(a *schemas.Alert) { a.Rule, a.Detail = schemas.RuleFeedStale, detail })), now)
	}
	if s.stale("yunexpress") {
		t.Error("another rule, or a feed that still sends, counts")
	}
	feed(1, 5, open)
	feed(2, 5, escalated)
	feed(1, 9, resolved)
	feed(1, 5, open) // published again
	if !s.stale("yunexpress") || s.stale("dhl") {
		t.Error("one of two feeds stands still")
	}
	feed(2, 8, withdrawn)
	if !s.stale("yunexpress") {
		t.Error("both are over, and what they missed is on its way")
	}
	now = now.Add(catchUp)
	s.expire()
	if s.stale("yunexpress") {
		t.Error("both are over")
	}
	feed(3, 1, open)
	now = now.Add(6 * 24 * time.Hour)
	feed(3, 2, escalated)
	s.expire()
	if !s.stale("yunexpress") {
		t.Error("over before the limit")
	}
	now = now.Add(25 * time.Hour)
	s.expire()
	if s.stale("yunexpress") {
		t.Error("not over after the limit")
	}
}
