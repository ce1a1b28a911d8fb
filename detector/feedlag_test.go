package detector

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// told is what one record tells of a feed's lag: at a second, hours begun.
type told struct {
	at    int64
	hours uint8
}

// A lagOracle answers by the definition of README.md alone, from all that was told.
type lagOracle []told

// lag is the lower median over the minutes of an hour of the largest told of each.
func (o lagOracle) lag(hour int64) int {
	minutes := map[int64]int{}
	for _, r := range o {
		if r.at/3600 == hour && r.hours > 0 {
			minutes[r.at/60] = max(minutes[r.at/60], int(r.hours))
		}
	}
	var all []int
	for _, lag := range minutes {
		all = append(all, lag)
	}
	slices.Sort(all)
	if len(all) == 0 {
		return 0
	}
	return all[(len(all)+1)/2-1]
}

// hours are the lags of all hours; the definition asks for them often.
func (o lagOracle) hours() map[int64]int {
	all := map[int64]int{}
	for _, r := range o {
		if h := r.at / 3600; all[h] == 0 {
			all[h] = o.lag(h)
		}
	}
	return all
}

// runs lists the runs of three late hours or more: beginning and end, 0 for none.
func (o lagOracle) runs(now int64) (runs [][2]int64) {
	lags, last := o.hours(), int64(0)
	for _, r := range o {
		last = max(last, r.at/3600)
	}
	var row []int64
	over := func(end int64) {
		if len(row) >= 3 {
			runs = append(runs, [2]int64{row[0] * 3600, end * 3600})
		}
		row = nil
	}
	for h := last - 166; h <= last && (h+1)*3600 <= now; h++ {
		var weeks []int
		for week := int64(1); week <= 4; week++ {
			if most := max(lags[h-168*week-1], lags[h-168*week], lags[h-168*week+1]); most > 0 {
				weeks = append(weeks, most)
			}
		}
		if lags[h] == 0 || len(weeks) == 0 {
			continue
		}
		slices.Sort(weeks)
		usual := weeks[0]
		if len(weeks) > 1 { // the larger of two, the second largest of more
			usual = weeks[[]int{1, 1, 2}[len(weeks)-2]]
		}
		if lags[h] > 6 && lags[h] > 2*usual {
			row = append(row, h)
		} else {
			over(h)
		}
	}
	over(0)
	return runs
}

func (w *feedWorld) tell(records ...told) {
	w.t.Helper()
	for _, r := range records {
		rec := feedRecord("acme", r.at, r.at)
		rec.Feed.LagHours = r.hours
		w.apply(rec)
	}
}

// randomLags of some weeks: a rhythm of the day, now and then hours that are late,
// and quiet ones.
func randomLags(rng *rand.Rand) (o lagOracle) {
	weeks, base, night := 1+rng.Int64N(6), 1+rng.IntN(5), rng.IntN(24)
	at := feedBase - weeks*7*86400 + rng.Int64N(86400)
	left, extra := 0, 0
	for at < feedBase+rng.Int64N(3)*3600 {
		if left--; left < 0 && rng.IntN(40) == 0 {
			left, extra = 1+rng.IntN(12), rng.IntN(30)
		}
		hours := base + rng.IntN(3)
		if at/3600%24 == int64(night) {
			hours += 8
		}
		if left > 0 {
			hours += extra
		}
		if rng.IntN(20) == 0 {
			hours = 0 // nothing but history
		}
		if rng.IntN(30) == 0 {
			hours = rng.IntN(256)
		}
		o = append(o, told{at, uint8(hours)})
		at += 600 + rng.Int64N(3000)
		if rng.IntN(80) == 0 {
			at += rng.Int64N(8 * 3600)
		}
	}
	return o
}

// TestFeedLagConverges tells the same in different orders, with copies and between
// ticks: the state and what is late at the end are the same, and as the definition
// says.
func TestFeedLagConverges(t *testing.T) {
	seen := map[schemas.AlertStatus]int{}
	calm := 0
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		o := randomLags(rng)
		end := o[len(o)-1].at + rng.Int64N(12)*600
		start := end - rng.Int64N(600)*600
		var want []byte
		for round := range 3 {
			w := newFeedWorld(t)
			facts := slices.Concat(o, o[rng.IntN(len(o)):])
			if round > 0 {
				rng.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			} else { // as it is: what comes in is read at once
				slices.SortFunc(facts, func(a, b told) int { return int(a.at - b.at) })
			}
			w.tick(start)
			for len(facts) > 0 || w.m.Clock() < end*1000 {
				n := min(len(facts), 1+rng.IntN(1+len(o)/50))
				w.tell(facts[:n]...)
				if facts = facts[n:]; rng.IntN(2) == 0 || len(facts) == 0 {
					w.tick(min(end, w.m.Clock()/1000+600))
				}
			}
			f := w.m.feeds.at["acme"]
			checkLate(t, f, o.runs(end), o[len(o)-1].at/3600-166)
			for _, a := range w.out.Alerts {
				if a.Detail == schemas.DetailUploadLag {
					seen[a.Status]++
				}
			}
			if f.late.status != schemas.AlertOpen {
				calm++
			}
			f.incident, f.late = incident{}, incident{}
			state := appendFeed(nil, f)
			if want == nil {
				want = state
			}
			if !bytes.Equal(state, want) {
				t.Fatalf("round %d: the state differs", round)
			}
		}
	})
	if !t.Failed() && (seen[schemas.AlertOpen] < 10 || seen[schemas.AlertResolved] < 10 || seen[schemas.AlertWithdrawn] < 10 || calm < 10) {
		t.Errorf("%v transitions, %d feeds that were not late: the test tests little", seen, calm)
	}
}

// checkLate holds the latest incident against the runs of the definition, as long as
// its beginning is judged.
func checkLate(t *testing.T, f *feed, runs [][2]int64, from int64) {
	t.Helper()
	k := f.late
	lasting := int64(0)
	at := slices.IndexFunc(runs, func(r [2]int64) bool { return r[0] == int64(k.anchor) })
	if n := len(runs); n > 0 && runs[n-1][1] == 0 {
		lasting = runs[n-1][0]
	}
	switch {
	case lasting != 0 && k.status != schemas.AlertOpen:
		t.Fatalf("late since %d, incident %+v", lasting, k)
	case k.status == 0 || int64(k.anchor)/3600 < from:
	case k.status == schemas.AlertOpen && int64(k.anchor) != lasting,
		k.status == schemas.AlertWithdrawn && at >= 0,
		k.status == schemas.AlertResolved && (at < 0 || runs[at][1] != int64(k.ended)):
		t.Fatalf("runs %v, incident %+v", runs, k)
	}
}

// TestFeedLagRestored takes snapshots between ticks: what goes on from them says the
// same.
func TestFeedLagRestored(t *testing.T) {
	defer func(n int) { *seedsFlag = n }(*seedsFlag)
	*seedsFlag = min(*seedsFlag, 20)
	transitions := 0
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		o := randomLags(rng)
		clock := feedBase - 5*86400
		log := []schemas.Record{policyRecord(1, strings.Replace(keyedPolicy, "ENDS", schemas.FormatTime((feedBase+13*86400)*1000), 1))}
		tick := func() {
			clock += 600
			log = append(log, schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: clock * 1000}})
		}
		tick()
		for _, r := range o {
			for clock < r.at-rng.Int64N(1200) {
				tick()
			}
			rec := feedRecord("acme", r.at, r.at+rng.Int64N(30))
			rec.Feed.LagHours = r.hours
			at := len(log) - rng.IntN(min(len(log), 4))
			log = slices.Insert(log, max(at, 1), rec)
		}
		main := NewMachine(5, 2)
		var other *Machine
		for i := range log {
			want := applyAll(t, main, i, &log[i])
			transitions += len(want.Alerts)
			if other != nil {
				if got := applyAll(t, other, i, &log[i]); fmt.Sprint(got.Alerts) != fmt.Sprint(want.Alerts) {
					t.Fatalf("offset %d: have %+v, want %+v", i, got.Alerts, want.Alerts)
				}
			}
			if rng.IntN(len(log)/10) == 0 {
				other = restored(t, 5, 2, snapshotOf(t, main, 40+rng.IntN(3000)))
			}
		}
		if other != nil && fmt.Sprint(snapshotOf(t, other, 1<<20)) != fmt.Sprint(snapshotOf(t, main, 1<<20)) {
			t.Error("the state differs at the end")
		}
	})
	if transitions < 20 {
		t.Errorf("%d transitions: the test tests little", transitions)
	}
}

const keyedPolicy = "policies: [{name: default, extends: default}]\nkeys: [{carrier: acme, expires: ENDS}]\n"

// TestFeedLagAlert: what an alert says, and that one that outlasts what it is
// compared with ends when an hour is as usual.
func TestFeedLagAlert(t *testing.T) {
	w := newFeedWorld(t)
	hour := func(n int64) int64 { return feedBase + n*3600 }
	for n := int64(-5 * 168); n < 0; n++ {
		w.tell(told{hour(n) + 60, 2})
	}
	late := func(from, to int64) {
		for n := from; n < to; n++ {
			w.run(hour(n))
			w.tell(told{hour(n) + 60, 13})
		}
	}
	late(0, 3)
	w.run(hour(3) - 1)
	w.want()
	w.tick(hour(3))
	want := schemas.Alert{
		AlertID: AlertID("feed_stale:upload_lag", "feed:acme", feedBase), Home: schemas.Hash([]byte("feed:acme")),
		Version: schemas.Version(1, w.offset-1, 1), Rule: "feed_stale", Detail: "upload_lag", Level: 1, Status: schemas.AlertOpen, Carrier: "acme",
		AnchorAt: feedBase * 1000, OpenedAt: hour(3) * 1000, ChangedAt: hour(3) * 1000, Cause: schemas.CauseFeedLate,
	}
	if len(w.out.Alerts) != 1 || w.out.Alerts[0] != want {
		t.Fatalf("have %+v\nwant %+v", w.out.Alerts, want)
	}
	w.out.Reset()
	late(3, 9*24) // into a second week: one bad week is not usual yet
	w.run(hour(9 * 24))
	w.want()
	w.tell(told{hour(9*24) + 60, 4})
	w.run(hour(9*24+1) + 60)
	w.want("resolved 0s 216h0m0s @217h0m0s silent 0s")
}

// TestFeedLagOfWhatWeDoNotRead: while our own reading is stuck nothing is judged.
func TestFeedLagOfWhatWeDoNotRead(t *testing.T) {
	w := newFeedWorld(t)
	for n := int64(-168); n < 6; n++ {
		lag := uint8(1)
		if n >= 0 {
			lag = 20
		}
		w.tell(told{feedBase + n*3600, lag})
	}
	w.run(feedBase+5*3600, "scans.raw.acme/0")
	w.want()
	w.tick(feedBase + 5*3600 + 5)
	w.want("open 0s - @5h0m5s silent 0s")
}

// TestReadmeFeeds holds the figures of feeds that are no policy's.
func TestReadmeFeeds(t *testing.T) {
	page := readReadme(t)
	for _, want := range []string{
		fmt.Sprintf("lag(H) > max(%d h, %d x usual(H))", lagFloor, lagFactor),
		fmt.Sprintf("at most %d hours before that of the last reception", lagReach),
		fmt.Sprintf("%d judged hours in a row", lateHours),
		fmt.Sprintf("the latest end, less %d days", time.Duration(keyWarning)*time.Second/(24*time.Hour)),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("README.md does not say %q", want)
		}
	}
}

// BenchmarkFeedLag judges a feed of five whole weeks, a record each minute: what one
// hour of one feed costs.
func BenchmarkFeedLag(b *testing.B) {
	f := &feed{hours: make([]feedHour, feedHours)}
	for at := feedBase - 35*86400; at < feedBase; at += 60 {
		f.receive(uint32(at))
		f.receiveLag(uint32(at), uint8(1+at%5))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, lasts := f.lateRun(uint32(feedBase), -1); lasts {
			b.Fatal("late")
		}
	}
}
