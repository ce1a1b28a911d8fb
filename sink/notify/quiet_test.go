package notify

import (
	"testing"
	"time"

	"scantrail/schemas"
)

func TestQuietHours(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hours, at string
		want      bool
	}{
		{"22:00-07:00", "2026-11-23 21:59", false}, {"22:00-07:00", "2026-11-23 22:00", true}, {"22:00-07:00", "2026-11-24 06:59", true},
		{"22:00-07:00", "2026-11-24 07:00", false}, {"12:00-13:00", "2026-11-24 12:30", true},
		{"fri 22:00-07:00", "2026-11-27 23:00", true}, // a Friday
		{"fri 22:00-07:00", "2026-11-28 06:00", true}, {"fri 22:00-07:00", "2026-11-28 23:00", false}, {"fri 22:00-07:00", "2026-11-27 06:00", false},
		{"sat,sun 00:00-24:00", "2026-11-29 23:59", true}, {"sat,sun 00:00-24:00", "2026-11-30 00:00", false},
		{"sat-mon 00:00-24:00", "2026-11-30 00:00", true}, {"Mon-Fri 09:00-17:00", "2026-11-27 09:00", true},
	} {
		q, err := ParseQuiet(c.hours)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, zone)
		if err != nil {
			t.Fatal(err)
		}
		if q.covers(at) != c.want {
			t.Errorf("%s at %s: %t", c.hours, c.at, !c.want)
		}
	}
	for _, bad := range []string{"", "22:00", "22:00-25:00", "07:00-07:00", "24:00-07:00", "xyz 22:00-07:00", "mon- 22:00-07:00", "mon 1 22:00-07:00", "9:00-10:00"} {
		if _, err := ParseQuiet(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// quietNight is a receiver with quiet hours; the bench begins at 12:00 UTC, which is
// 20:00 there.
func quietNight(e *Receiver, _ *bookOptions) {
	e.Zone, e.QuietHours, e.QuietExceptLevel = "Asia/Shanghai", []string{"22:00-07:00"}, 2
}

func TestQuietHoursHold(t *testing.T) {
	b := newBench(t, quietNight)
	b.read(alert(1, 1, open))
	b.expect("in the evening", b.send(took), "1:1")
	b.pass(2 * time.Hour)
	b.read(
		alert(2, 1, open),      // 1
		alert(3, 1, open),      // 2: ends in the night
		alert(1, 2, resolved),  // 3: the receiver knows of it
		alert(4, 1, escalated), // 4: breaks through
		alert(3, 2, resolved),  // 5
		alert(9, 1, open, func(a *schemas.Alert) { a.Rule = schemas.RuleFeedStale }),
		alert(5, 1, open), // 7: becomes critical in the night
	)
	b.expect("what is critical", b.send(took), "4:1")
	b.read(alert(5, 2, escalated))
	b.expect("what becomes critical", b.send(took), "5:2")
	b.expectCommit(1)
	b.pass(9*time.Hour - time.Minute)
	b.expect("until the morning", b.send(took))
	b.pass(time.Minute)
	b.expect("then what is still open, and the end of what was known", b.send(took), "2:1", "1:2", "9:1")
	b.expectCommit(9)
	if value(b.m.spared) != 1 || len(b.held) != 0 {
		t.Errorf("%v spared, %d held", value(b.m.spared), len(b.held))
	}
}

// TestRestartInTheNight: nothing is forgotten, nothing comes twice.
func TestRestartInTheNight(t *testing.T) {
	b := newBench(t, quietNight)
	all := []*schemas.Alert{alert(1, 1, open), alert(2, 1, open), alert(1, 2, resolved), alert(3, 1, escalated)}
	b.read(all[0])
	b.send(took)
	b.pass(3 * time.Hour)
	b.read(all[1:]...)
	b.expect("critical", b.send(took), "3:1")
	at := b.part.position()
	next := newBench(t, quietNight)
	next.now, next.part = b.now, newPart(0, at.offset, at.metadata)
	for next.part.next < int64(len(all)) {
		next.read(all[next.part.next])
	}
	next.expect("in the night", next.send(took))
	next.pass(9 * time.Hour)
	next.expect("in the morning", next.send(took), "2:1", "1:2")
	next.expectCommit(4)
}

func TestPaceOfAChat(t *testing.T) {
	b := newBench(t, func(e *Receiver, _ *bookOptions) { e.Kind, e.RatePerMinute = KindDingTalk, 20 })
	for n := 1; n <= 50; n++ {
		b.read(alert(n, 1, open))
	}
	var sent []time.Time
	for range 130 {
		for a := b.begin(b.now); a != nil; a = b.begin(b.now) {
			sent = append(sent, b.now)
			a.outcome = took
			b.end(b.now, a)
		}
		b.pass(time.Second)
	}
	if len(sent) != 21 { // 20 and a digest
		t.Errorf("%d messages", len(sent))
	}
	for i := range sent {
		if i >= 20 && sent[i].Sub(sent[i-20]) < time.Minute {
			t.Errorf("message %d comes %s after the twentieth before it", i, sent[i].Sub(sent[i-20]))
		}
	}
}
