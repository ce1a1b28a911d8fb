package detector

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// A feedOracle answers by the definition alone, from the list of all receptions
// in seconds.
type feedOracle []int64

func (o feedOracle) sorted() feedOracle {
	s := slices.Clone(o)
	slices.Sort(s)
	return slices.Compact(s)
}

// peak is the longest silence reached in an hour, between starts of minutes.
func (o feedOracle) peak(hour int64) (longest int64) {
	begin, end := hour*3600, hour*3600+3600
	for i, p := range o {
		p = p / 60 * 60
		reached := end
		if i+1 < len(o) {
			reached = min(reached, o[i+1]/60*60)
		}
		if p < end && reached >= begin {
			longest = max(longest, reached-p)
		}
	}
	return longest
}

// stale looks for a second x of the silence after a at which it is too long.
func (o feedOracle) stale(a, until int64) bool {
	var at []int64
	for h := a / 3600; h <= until/3600; h++ {
		at = append(at, min(until, h*3600+3599))
	}
	for _, x := range at {
		usual := int64(0)
		for week := int64(1); week <= 4; week++ {
			usual = max(usual, o.peak(x/3600-168*week))
		}
		if x >= o[0]+7*86400 && x-a > max(2*3600, 4*usual) {
			return true
		}
	}
	return false
}

// next is the first reception after a, 0 without one.
func (o feedOracle) next(a int64) int64 {
	for _, r := range o {
		if r > a {
			return r
		}
	}
	return 0
}

// feedWorld drives a machine with feeds.
type feedWorld struct {
	t      *testing.T
	m      *Machine
	offset int64
	out    Output
}

func newFeedWorld(t *testing.T) *feedWorld {
	w := &feedWorld{t: t, m: NewMachine(2, 1)}
	w.apply(policyRecord(1, plainPolicy))
	return w
}

func (w *feedWorld) apply(r schemas.Record) {
	w.t.Helper()
	if err := w.m.Apply(w.offset, &r, &w.out); err != nil {
		w.t.Fatal(err)
	}
	w.offset++
}

func feedRecord(carrier string, first, last int64) schemas.Record {
	return schemas.Record{Kind: schemas.KindFeed, Feed: schemas.Feed{
		Carrier: carrier, Topic: "scans.raw." + carrier, First: first * 1000, Last: last*1000 + 999, Events: 1,
	}}
}

func (w *feedWorld) receive(at ...int64) {
	w.t.Helper()
	for _, a := range at {
		w.apply(feedRecord("acme", a, a))
	}
}

func (w *feedWorld) tick(at int64, stalled ...string) {
	w.t.Helper()
	w.apply(schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at * 1000, Stalled: stalled}})
}

// run ticks every 10 minutes up to a time.
func (w *feedWorld) run(until int64, stalled ...string) {
	w.t.Helper()
	for w.m.Clock() < until*1000 {
		at := until
		if c := w.m.Clock() / 1000; c != 0 {
			at = min(until, c+600)
		}
		w.tick(at, stalled...)
	}
}

// want compares the transitions since the last call: status, anchor, end and
// clock, all as durations since feedBase.
func (w *feedWorld) want(lines ...string) {
	w.t.Helper()
	var have []string
	since := func(ms int64) string {
		if ms == 0 {
			return "-"
		}
		return (time.Duration(ms-feedBase*1000) * time.Millisecond).String()
	}
	for _, a := range w.out.Alerts {
		have = append(have, fmt.Sprintf("%s %s %s @%s silent %s", a.Status, since(a.AnchorAt), since(a.EndedAt), since(a.ChangedAt), time.Duration(a.SilentSecs)*time.Second))
	}
	w.out.Reset()
	if !slices.Equal(have, lines) {
		w.t.Errorf("have\n\t%s\nwant\n\t%s", strings.Join(have, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

// feedBase is a Monday, 00:00 UTC.
const feedBase = int64(1790553600)

func feedAt(n int64) int64 { return feedBase + 60*n }

// history receives every period minutes from weeks before feedBase up to it, but
// not while quiet says so.
func (w *feedWorld) history(weeks, period int64, quiet func(time.Time) bool) {
	for at := feedAt(-weeks * 7 * 1440); at <= feedBase; at += period * 60 {
		if quiet == nil || !quiet(time.Unix(at, 0).UTC()) {
			w.receive(at)
		}
	}
}

func TestFeedFallsSilentAndComesBack(t *testing.T) {
	w := newFeedWorld(t)
	w.history(5, 10, nil)
	w.run(feedAt(120))
	w.want() // two hours to the second
	w.tick(feedAt(120) + 1)
	w.want("open 0s - @2h0m1s silent 2h0m1s")
	a := schemas.Alert{}
	w.run(feedAt(300))
	w.receive(feedAt(299))
	w.want()
	w.tick(feedAt(301))
	if len(w.out.Alerts) == 1 {
		a = w.out.Alerts[0]
	}
	w.want("resolved 0s 4h59m0s @5h1m0s silent 4h59m0s")
	want := schemas.Alert{
		AlertID: AlertID("feed_stale", "feed:acme", feedBase), Home: schemas.Hash([]byte("feed:acme")),
		Version: schemas.Version(1, w.offset-1, 1), Rule: "feed_stale", Level: 1, Status: schemas.AlertResolved, Carrier: "acme",
		AnchorAt: feedBase * 1000, EndedAt: feedAt(299) * 1000, OpenedAt: (feedAt(120) + 1) * 1000, ChangedAt: feedAt(301) * 1000,
		SilentSecs: 299 * 60, Cause: schemas.CauseFeedSilent,
	}
	if a != want {
		t.Errorf("have %+v\nwant %+v", a, want)
	}
	w.run(feedAt(418))
	w.want()
	w.run(feedAt(420)) // the next silence is another incident
	w.want("open 4h59m0s - @7h0m0s silent 2h1m0s")
}

func TestFeedUsualSilence(t *testing.T) {
	night := func(at time.Time) bool { return at.Hour() < 6 && at.Unix() != feedBase }
	weekend := func(at time.Time) bool {
		return at.Weekday() == time.Saturday || at.Weekday() == time.Sunday || at.Unix() == feedBase
	}
	for _, c := range []struct {
		name          string
		weeks, period int64
		quiet         func(time.Time) bool
		calm, stale   int64 // minutes after feedBase
	}{
		{"hourly: four hours", 5, 60, nil, 4 * 60, 4*60 + 1},
		{"hourly, first heard of 6 days ago", 0, 60, func(at time.Time) bool { return false }, 7*1440 - 1, 7 * 1440},
		{"nothing at night: the last hour that is often silent is the one after it", 5, 10, night, 6*60 + 59, 7 * 60},
		{"nothing at weekends: the last hour that is often silent is the first of Monday", 5, 10, weekend, 59, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newFeedWorld(t)
			w.history(c.weeks, c.period, c.quiet)
			w.run(feedAt(c.calm))
			w.want()
			w.run(feedAt(c.stale))
			if n := len(w.out.Alerts); n != 1 || w.out.Alerts[0].Status != schemas.AlertOpen {
				t.Errorf("%d transitions, want an opening", n)
			}
		})
	}
}

func TestFeedLateFacts(t *testing.T) {
	t.Run("there was no silence", func(t *testing.T) {
		w := newFeedWorld(t)
		w.history(5, 10, nil)
		w.run(feedAt(121))
		w.want("open 0s - @2h1m0s silent 2h1m0s")
		w.receive(feedAt(60))
		w.tick(feedAt(122))
		w.want("withdrawn 0s - @2h2m0s silent 1h2m0s")
		w.run(feedAt(181)) // the silence since the late fact
		w.want("open 1h0m0s - @3h1m0s silent 2h1m0s")
	})
	t.Run("there were two", func(t *testing.T) {
		w := newFeedWorld(t)
		w.history(5, 10, nil)
		w.run(feedAt(600))
		w.out.Reset()
		w.receive(feedAt(300))
		w.tick(feedAt(601))
		w.want("resolved 0s 5h0m0s @10h1m0s silent 5h0m0s", "open 5h0m0s - @10h1m0s silent 5h1m0s")
	})
	t.Run("it ended earlier", func(t *testing.T) {
		w := newFeedWorld(t)
		w.history(5, 10, nil)
		w.run(feedAt(600))
		w.receive(feedAt(599))
		w.tick(feedAt(601))
		w.out.Reset()
		w.receive(feedAt(300), feedAt(590))
		w.tick(feedAt(602))
		w.want("resolved 0s 5h0m0s @10h2m0s silent 5h0m0s")
	})
	t.Run("after more than the window", func(t *testing.T) {
		w := newFeedWorld(t)
		w.history(5, 10, nil)
		w.run(feedAt(130))
		w.out.Reset()
		w.receive(feedAt(130 + 40*1440))
		w.run(feedAt(130 + 40*1440))
		w.receive(feedAt(1000))
		w.run(feedAt(130 + 40*1440 + 60))
		w.want("resolved 0s 962h10m0s @2h20m0s silent 962h10m0s", "resolved 0s 16h40m0s @962h20m0s silent 16h40m0s")
	})
}

// TestFeedRestoredBeforeTheTick restores between a reception and the tick that
// finds out what it means.
func TestFeedRestoredBeforeTheTick(t *testing.T) {
	w := newFeedWorld(t)
	w.history(5, 10, nil)
	w.run(feedAt(130))
	w.out.Reset()
	w.receive(feedAt(129))
	w.m = restored(t, 2, 1, snapshotOf(t, w.m, 1000))
	w.tick(feedAt(131))
	w.want("resolved 0s 2h9m0s @2h11m0s silent 2h9m0s")
}

// TestFeedOwnLag: what was received while the clock waited for us is no silence.
func TestFeedOwnLag(t *testing.T) {
	w := newFeedWorld(t)
	w.history(5, 10, nil)
	w.tick(feedBase)
	w.receive(feedAt(300)) // after five hours in which nobody read
	w.run(feedAt(300))
	w.want()
	w.run(feedAt(360), "scans.raw.other/0", "scans.raw.acme/3")
	w.run(feedAt(480), "scans.raw.acme/3")
	w.want() // our reading is stuck
	w.tick(feedAt(481))
	w.want("open 5h0m0s - @8h1m0s silent 3h1m0s")
}

func TestFeedsAreBounded(t *testing.T) {
	w := newFeedWorld(t)
	w.tick(feedBase)
	for _, bad := range []schemas.Feed{
		{}, {Carrier: "x"}, {Carrier: "x", First: 5000, Last: 4000}, {Carrier: "x", First: -1, Last: 5000}, {Carrier: "x", First: 1000, Last: 1 << 62},
		{Carrier: "x", First: 1000, Last: 1000 + 3600_000}, {First: 1000, Last: 1000}, {Carrier: strings.Repeat("x", 250), First: 1000, Last: 1000},
	} {
		w.apply(schemas.Record{Kind: schemas.KindFeed, Feed: bad})
	}
	if n := len(w.m.feeds.list); n != 0 {
		t.Fatalf("%d feeds of records that say nothing", n)
	}
	one := &feed{hours: make([]feedHour, feedHours)} // memory is not what is tested
	for i := range maxFeeds {
		w.m.feeds.add(fmt.Sprint(i)).hours = one.hours
	}
	w.apply(feedRecord("acme", feedBase, feedBase))
	w.apply(feedRecord("beta", feedBase, feedBase))
	if n := len(w.m.feeds.list); n != maxFeeds || len(w.out.Gaps) != 1 {
		t.Errorf("%d feeds and %d gaps, want %d and 1", n, len(w.out.Gaps), maxFeeds)
	}
}

// TestFeedTimesAtTheEnds takes the earliest and the latest second there is.
func TestFeedTimesAtTheEnds(t *testing.T) {
	w := newFeedWorld(t)
	for _, at := range []int64{1, maxClock/1000 - 1, 3599, 1, 86400 * 40, maxClock/1000 - 1} {
		w.receive(at)
		w.tick(maxClock / 1000)
	}
	restored(t, 2, 1, snapshotOf(t, w.m, 1000))
}

// randomReceptions of some weeks: a rhythm with pauses, and something missing.
func randomReceptions(rng *rand.Rand) (o feedOracle) {
	weeks, period := 1+rng.Int64N(7), []int64{600, 3600, 5 * 3600, 86400}[rng.IntN(4)]
	at := feedBase - weeks*7*86400 + rng.Int64N(86400)
	pause := rng.Int64N(12)
	for at < feedBase {
		if at/3600%24 >= pause {
			o = append(o, at)
		}
		at += period/2 + rng.Int64N(period)
		if rng.IntN(60) == 0 {
			at += rng.Int64N(5 * period)
		}
	}
	if rng.IntN(20) == 0 {
		o = append(o, feedBase-rng.Int64N(80*86400))
	}
	return append(o, at-period)
}

// TestFeedConverges applies the same receptions in different orders, with copies
// and between ticks: the state and what is stale at the end are the same, and as
// the definition says.
func TestFeedConverges(t *testing.T) {
	opened, calm := 0, 0
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		o := randomReceptions(rng)
		end := slices.Max(o) + rng.Int64N(200)*600
		start := end - rng.Int64N(150)*600
		sorted := o.sorted()
		last := sorted[len(sorted)-1]
		stale := last < end && sorted.stale(last, end)
		var want []byte
		for round := range 3 {
			w := newFeedWorld(t)
			facts := slices.Concat(o, o[rng.IntN(len(o)):])
			if round > 0 {
				rng.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			}
			w.tick(start)
			for len(facts) > 0 || w.m.Clock() < end*1000 {
				n := min(len(facts), 1+rng.IntN(1+len(o)/20))
				w.receive(facts[:n]...)
				if facts = facts[n:]; rng.IntN(2) == 0 || len(facts) == 0 {
					w.tick(min(end, w.m.Clock()/1000+600))
				}
			}
			f := w.m.feeds.at["acme"]
			open := f.incident.status == schemas.AlertOpen && int64(f.incident.anchor) == last
			if open != stale {
				t.Fatalf("round %d: open %v, want %v: last %d, clock %d, incident %+v", round, open, stale, last, end, f.incident)
			}
			checkIncident(t, f, sorted)
			for h := last/3600 - 673; h < last/3600; h += 1 + rng.Int64N(20) {
				if have, want := f.peak(h), sorted.peak(h); have != want {
					t.Fatalf("round %d: hour %d, %d before the last: peak %d, want %d", round, h, last/3600-h, have, want)
				}
			}
			f.incident = incident{}
			state := appendFeed(nil, f)
			if want == nil {
				want = state
			}
			if !bytes.Equal(state, want) {
				t.Fatalf("round %d: the state differs", round)
			}
		}
		if stale {
			opened++
		} else {
			calm++
		}
	})
	if !t.Failed() && (opened < 3 || calm < 3) {
		t.Errorf("%d feeds were stale and %d were not: the test tests little", opened, calm)
	}
}

// checkIncident holds the latest incident against all receptions, as long as its
// window is whole.
func checkIncident(t *testing.T, f *feed, o feedOracle) {
	t.Helper()
	k, last := f.incident, o[len(o)-1]
	if k.status != schemas.AlertResolved || last/3600-int64(k.anchor)/3600 >= weekHours {
		return
	}
	if end := o.next(int64(k.anchor)); end != int64(k.ended) || !o.stale(int64(k.anchor), end) {
		t.Fatalf("incident %+v: the next reception is %d, stale before it: %v", k, end, o.stale(int64(k.anchor), end))
	}
}

func TestFeedsInSnapshots(t *testing.T) {
	defer func(n int) { *seedsFlag = n }(*seedsFlag)
	*seedsFlag = min(*seedsFlag, 12)
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		log := []schemas.Record{policyRecord(1, plainPolicy)}
		start := int64(1 << 62)
		for _, carrier := range []string{"acme", "beta"} {
			o := randomReceptions(rng)
			rng.Shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] })
			start = min(start, slices.Max(o))
			for _, at := range o {
				log = append(log, feedRecord(carrier, at, at+rng.Int64N(30)))
			}
		}
		tick := func(n int) schemas.Record {
			return schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: (start + int64(n)*600) * 1000}}
		}
		for n := range 60 {
			at := len(log) - rng.IntN(max(len(log)/10, 1))
			log = slices.Insert(log, at, tick(n))
		}
		for n := range 200 {
			log = append(log, tick(60+n))
		}
		main := NewMachine(5, 2)
		var machines []*Machine
		for i := range log {
			want := applyAll(t, main, i, &log[i])
			for k, m := range machines {
				if got := applyAll(t, m, i, &log[i]); !reflect.DeepEqual(got, want) {
					t.Fatalf("offset %d, machine %d: have %+v, want %+v", i, k, got, want)
				}
			}
			if rng.IntN(len(log)/10) == 0 {
				machines = append(machines, restored(t, 5, 2, snapshotOf(t, main, 40+rng.IntN(3000))))
			}
		}
		want := snapshotOf(t, main, 1<<20)
		for k, m := range machines {
			if !reflect.DeepEqual(snapshotOf(t, m, 1<<20), want) {
				t.Errorf("machine %d: the state differs at the end", k)
			}
		}
	})
}

// TestFeedsDamaged changes single bytes of a snapshot: it is refused, or read as
// what it says.
func TestFeedsDamaged(t *testing.T) {
	w := newFeedWorld(t)
	w.history(1, 300, nil)
	w.receive(feedAt(-60 * 1440))
	w.run(feedAt(3000))
	chunk := snapshotOf(t, w.m, 1<<20)[0]
	from := bytes.Index(chunk, []byte("\x04acme"))
	refused := 0
	for i := from; i < len(chunk)-chunkTail; i++ {
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := bytes.Clone(chunk)
			b[i] ^= flip
			binary.LittleEndian.PutUint32(b[len(b)-chunkTail:], crc32.Checksum(b[:len(b)-chunkTail], castagnoli))
			m := NewMachine(2, 1)
			if m.ReadChunk(b) != nil || m.FinishRestore() != nil {
				refused++
				continue
			}
			if again := snapshotOf(t, m, 1<<20)[0]; !bytes.Equal(again, b) {
				t.Fatalf("byte %d: is read as something else", i)
			}
			var out Output
			tick := schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: feedAt(3010) * 1000}}
			if err := m.Apply(w.offset, &tick, &out); err != nil {
				t.Fatal(err)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}
