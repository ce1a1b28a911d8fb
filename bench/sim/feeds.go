package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"scantrail/bench/oracle"
	"scantrail/schemas"
)

// feed draws the receptions of a carrier: weeks with quiet nights, told at once,
// and silences of about the limits in what is lived; and how late they are.
func (g *generator) feed(carrier string) {
	r, w := g.r, g.w
	usual := pick(r, 20*minute, hour, 3*hour)
	night := pick(r, 0, 0, 5*hour, 9*hour)
	lag := g.lateness()
	receive := func(at, tell int64, lag uint8) {
		first := at * 1000
		f := schemas.Feed{Carrier: carrier, Topic: "scans.raw." + carrier, First: first, Last: first + r.Int64N(60_000-first%60_000), Events: 1, LagHours: lag}
		g.w.messages = append(g.w.messages, &message{kind: schemas.KindFeed, feed: f, at: min(max(tell, w.from, at+60), w.until) * 1000})
	}
	start := w.from - pick(r, 6*day, 7*day+r.Int64N(day), 7*day+r.Int64N(day), 7*day-r.Int64N(w.until-w.from), 7*day-r.Int64N(w.until-w.from), 16*day, 29*day)
	for at := start; at < w.from-r.Int64N(3*hour); at += 1 + usual/2 + r.Int64N(usual) {
		if at%day < night {
			at += night - at%day
		}
		if r.IntN(40) == 0 {
			at += pick(r, 2*hour, 8*hour)
		}
		receive(at, 0, lag(at))
	}
	quiet := pick(r, 1, 1, 4, 20) // one of so many receptions is followed by a silence
	next := func() int64 {
		if r.IntN(quiet) > 0 {
			return 1 + r.Int64N(usual)
		}
		return pick(r, 1+r.Int64N(usual), 1+r.Int64N(usual), g.about(2*hour), g.about(4*usual), g.about(8*hour), 30*hour)
	}
	for at := w.from + r.Int64N(2*hour); at < w.until; at += next() {
		tell := at + pick(r, 0, 0, 0, r.Int64N(9*hour))
		receive(at, tell, lag(at))
		for r.IntN(4) == 0 { // another process read more in that minute, or in that hour
			again := at + pick(r, 0, r.Int64N(hour))
			receive(again, tell+pick(r, 0, r.Int64N(4*hour)), pick(r, lag(again), uint8(r.IntN(20))))
		}
	}
}

// lateness draws how late a carrier's scans are, in hours begun: mostly as usual at
// that hour of the day, and now and then for some hours about as late as is allowed,
// or more; some from before what is lived to its end.
func (g *generator) lateness() func(at int64) uint8 {
	r := g.r
	base, night := pick(r, 1, 1, 2, 3, 5), pick(r, 0, 0, 8)
	until, hours := int64(0), 0
	lasting := g.w.until
	if r.IntN(4) == 0 {
		lasting = g.w.from - 7*day + r.Int64N(4*day)
	}
	return func(at int64) uint8 {
		usual := base + r.IntN(2)
		if at%day >= 20*hour {
			usual += night
		}
		often := 8
		if at < g.w.from {
			often = 100
		}
		if at >= until && r.IntN(often) == 0 {
			until, hours = at+pick(r, hour, 4*hour, 12*hour, 9*day), pick(r, 6, 7, 2*usual, 2*usual+1, 2*usual+2, 40, 255)
		}
		if at >= lasting {
			until, hours = g.w.until, 40
		}
		switch {
		case r.IntN(40) == 0:
			return 0 // nothing but history
		case at < until:
			return uint8(max(hours, usual))
		}
		return uint8(usual)
	}
}

// compareFeeds returns every transition of feed_stale that differs from what was
// known at each tick.
func (c *cluster) compareFeeds(docs map[string]*oracle.Document) (lines []string, n int) {
	if !slices.ContainsFunc(c.w.messages, func(m *message) bool { return m.kind == schemas.KindFeed }) {
		return nil, 0
	}
	want, got := map[string][]string{}, map[string][]string{}
	say := func(said map[string][]string, k oracle.Incident) {
		feed := k.Carrier + " " + k.Detail
		said[feed] = append(said[feed], fmt.Sprintf("%d %s anchor %s ended %s opened %s clock %s silent %d", k.Offset, k.Status,
			when(k.Anchor*1000), when(k.Ended*1000), when(k.Opened*1000), when(k.Changed*1000), k.Silent))
	}
	for _, p := range c.parts {
		for _, k := range oracle.Feeds(docs, p.all) {
			say(want, k)
			n++
		}
	}
	transitions := map[string]map[uint64]schemas.Alert{} // by carrier
	for _, changes := range c.tables.changes {
		for v, a := range changes {
			if a.Rule != schemas.RuleFeedStale {
				continue
			}
			if transitions[a.Carrier] == nil {
				transitions[a.Carrier] = map[uint64]schemas.Alert{}
			}
			transitions[a.Carrier][v] = a
		}
	}
	for carrier, changes := range transitions {
		for _, v := range slices.Sorted(maps.Keys(changes)) {
			a := changes[v]
			say(got, oracle.Incident{Carrier: carrier, Detail: a.Detail, Offset: offsetOf(v), Status: a.Status.String(), Anchor: a.AnchorAt / 1000, Ended: a.EndedAt / 1000,
				Opened: a.OpenedAt / 1000, Changed: a.ChangedAt / 1000, Silent: int64(a.SilentSecs)})
		}
	}
	feeds := map[string]bool{}
	for _, said := range []map[string][]string{want, got} {
		for feed := range said {
			feeds[feed] = true
		}
	}
	for _, feed := range slices.Sorted(maps.Keys(feeds)) {
		if !slices.Equal(want[feed], got[feed]) {
			lines = append(lines, fmt.Sprintf("feed %s:\n  want %s\n  got  %s", feed, strings.Join(want[feed], "\n       "), strings.Join(got[feed], "\n       ")))
		}
	}
	return lines, n
}
