package notify

import (
	"encoding/json"
	"testing"
	"time"

	"scantrail/schemas"
)

func inShop(shop string) func(*schemas.Alert) {
	return func(a *schemas.Alert) { a.ShopID = shop }
}

// daily is a receiver of digests at 21:00 in Shanghai, an hour after a bench begins.
func daily(e *Receiver, _ *bookOptions) { e.Zone, e.DigestAt = "Asia/Shanghai", "21:00" }

func TestDigestOfAShop(t *testing.T) {
	b := newBench(t, daily)
	gone := func(hours int) func(*schemas.Alert) {
		return func(a *schemas.Alert) { a.AnchorAt = b.now.Add(-time.Duration(hours) * time.Hour).UnixMilli() }
	}
	b.read(
		alert(1, 1, open, inShop("a"), gone(50)), alert(2, 1, open, inShop("a"), gone(70)), alert(3, 1, open, inShop("b"), gone(49)),
		alert(1, 2, resolved, inShop("a")), alert(4, 1, escalated, inShop("a"), gone(80)),
		alert(9, 1, open, func(a *schemas.Alert) { a.Rule = schemas.RuleFeedStale }),
		alert(8, 1, open, inShop("")),
	)
	b.expect("feeds, and what has no shop", b.send(took), "9:1", "8:1")
	b.pass(time.Hour - time.Second)
	b.expect("before it is due", b.send(took))
	b.expectCommit(0)
	b.pass(time.Second)
	var got []cloudEvent
	for a := b.begin(b.now); a != nil; a = b.begin(b.now) {
		var e cloudEvent
		if err := json.Unmarshal(a.items[0].msgs[0].body, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
		a.outcome = took
		b.end(b.now, a)
	}
	b.expectCommit(7)
	if len(got) != 2 || got[0].Data.ShopID != "a" || got[1].Data.ShopID != "b" {
		t.Fatalf("digests %+v", got)
	}
	d := got[0].Data
	if d.Alerts != 3 || *d.Open != 2 || *d.Ended != 1 || d.ByStatus["resolved"] != 1 || len(d.Urgent) != 2 {
		t.Errorf("digest %+v", d)
	}
	if d.Urgent[0].Rule != schemas.RuleGap72h || *d.Urgent[1].HoursLeft != 1 || d.Urgent[1].Number != "LX000000002CN" {
		t.Errorf("the most urgent are %+v", d.Urgent)
	}
	if b.listed != 0 || len(b.shops) != 0 || b.waiting != 0 {
		t.Errorf("left behind: %d, %d, %d", b.listed, len(b.shops), b.waiting)
	}
}

// TestDigestAfterARestart: what was written before a digest was due comes in a digest
// of its own, with the same key, also where it is read afterwards and in another order.
func TestDigestAfterARestart(t *testing.T) {
	b := newBench(t, daily)
	b.read(alert(1, 1, open), alert(2, 1, open))
	id := func(b *bench) string {
		a := b.begin(b.now)
		if a == nil {
			t.Fatal("no digest")
		}
		return a.items[0].msgs[0].id
	}
	written := b.now
	b.pass(time.Hour)
	first := id(b)
	next := newBench(t, daily)
	next.now = written
	next.read(alert(2, 1, open), alert(1, 1, open))
	next.pass(3 * time.Hour)
	if got := id(next); got != first {
		t.Errorf("the digest made anew is %s, was %s", got, first)
	}
	next.read(alert(3, 1, open))
	next.pass(time.Hour)
	next.expect("a later one waits for the next", next.send(took))
}

func TestTooManyForADigest(t *testing.T) {
	b := newBench(t, func(e *Receiver, o *bookOptions) { e.DigestEvery, o.MaxHeld = time.Hour, 20 })
	for n := 1; n <= 21; n++ {
		b.read(alert(n, 1, open))
	}
	b.expect("early", b.send(took), "digest")
	b.expectCommit(21)
}

func TestWhenDigestsAreDue(t *testing.T) {
	s := newSchedule(&Receiver{Zone: "Europe/Berlin", DigestAt: "02:30"})
	for at, want := range map[string]string{
		"2026-11-23T00:00:00Z": "2026-11-23T01:30:00Z", "2026-11-23T01:30:00Z": "2026-11-24T01:30:00Z",
		"2026-03-28T12:00:00Z": "2026-03-29T01:30:00Z", // the hour that is left out: 03:30 in summer time
	} {
		from, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.digestFor(from).UTC().Format(time.RFC3339); got != want {
			t.Errorf("after %s: %s, want %s", at, got, want)
		}
	}
	every := newSchedule(&Receiver{DigestEvery: 30 * time.Minute})
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if got := every.digestFor(at); !got.Equal(at.Add(30 * time.Minute)) {
		t.Errorf("%s", got)
	}
}
