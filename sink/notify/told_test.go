package notify

import (
	"slices"
	"testing"
	"time"

	"scantrail/schemas"
)

// TestPublishedAgain: a detector that was killed repeats itself, and nobody is told
// twice; what waits goes on waiting, once.
func TestPublishedAgain(t *testing.T) {
	b := newBench(t, nil)
	other := func(a *schemas.Alert) { a.Carrier = "dhl" }
	log := []*schemas.Alert{alert(1, 1, open, other), alert(2, 1, open), alert(1, 2, resolved, other), alert(2, 2, escalated)}
	b.stale["yunexpress"] = true
	b.read(log...)
	b.expect("first", b.send(took), "1:1", "1:2")
	b.read(log...)
	b.expect("published again", b.send(took))
	b.read(alert(1, 3, open, other))
	b.expect("news", b.send(took), "1:3")
	b.stale["yunexpress"] = false
	b.pass(0)
	b.expect("what was held", b.send(took), "2:2")
	b.expectCommit(9)
	if got := value(b.m.repeated); got != 4 {
		t.Errorf("%v counted as repeated, want 4", got)
	}
}

// TestToldIsBounded: the last transitions are remembered, and not all that there ever
// were.
func TestToldIsBounded(t *testing.T) {
	var k told
	m := func(n int) *message { return &message{key: schemas.ID{1}, version: uint64(n)} }
	const all = 10*rememberLast + rememberLast/2
	for n := range all {
		if k.again(m(n)) {
			t.Fatalf("transition %d was there before", n)
		}
	}
	for n := all - rememberLast; n < all; n++ {
		if !k.again(m(n)) {
			t.Fatalf("transition %d of %d is forgotten", n, all)
		}
	}
	if n := len(k.recent) + len(k.before); n > 2*rememberLast {
		t.Errorf("%d transitions are remembered", n)
	}
}

// TestKilledWithItsDetector: a process that was killed starts again, and its detector
// publishes again what its notifier had delivered.
func TestKilledWithItsDetector(t *testing.T) {
	k, r := startKafka(t, 1), startReceiver(t)
	stop := start(t, k.config(r))
	k.committed("a", 0, 0)
	log := []*schemas.Alert{alert(1, 1, open), alert(2, 1, open), alert(1, 2, resolved)}
	k.put(0, log...)
	k.putRaw(0, []byte("no alert"), time.Time{})
	k.committed("a", 0, 4)
	stop()
	c := k.config(r)
	start(t, c)
	k.put(0, log...)
	k.put(0, alert(3, 1, open))
	k.committed("a", 0, 8)
	got := r.took()
	if slices.Sort(got); !slices.Equal(got, []string{"1:1", "1:2", "2:1", "3:1"}) {
		t.Errorf("took %v", got)
	}
	if m := c.Metrics.of("a"); value(m.repeated) != 3 || value(m.bad) != 0 {
		t.Errorf("%v counted as repeated, want 3; %v as bad, want 0: the one was told before", value(m.repeated), value(m.bad))
	}
}
