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
// and silences of about the limits in what is lived.
func (g *generator) feed(carrier string) {
	r, w := g.r, g.w
	usual := pick(r, 20*minute, hour, 3*hour)
	night := pick(r, 0, 0, 5*hour, 9*hour)
	receive := func(at, tell int64) {
		first := at * 1000
		f := schemas.Feed{Carrier: carrier, Topic: "scans.raw." + carrier, First: first, Last: first + r.Int64N(60_000-first%60_000), Events: 1}
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
		receive(at, 0)
	}
	for at := w.from + r.Int64N(2*hour); at < w.until; at += pick(r, 1+r.Int64N(usual), 1+r.Int64N(usual), g.about(2*hour), g.about(4*usual), g.about(8*hour), 30*hour) {
		receive(at, at+pick(r, 0, 0, 0, r.Int64N(9*hour)))
	}
}

// compareFeeds returns every transition of feed_stale that differs from what was
// known at each tick.
func (c *cluster) compareFeeds() (lines []string, n int) {
	if !slices.ContainsFunc(c.w.messages, func(m *message) bool { return m.kind == schemas.KindFeed }) {
		return nil, 0
	}
	want, got := map[string][]string{}, map[string][]string{}
	text := func(s oracle.Silence) string {
		return fmt.Sprintf("%d %s anchor %s ended %s opened %s clock %s silent %d", s.Offset, s.Status, when(s.Anchor*1000), when(s.Ended*1000), when(s.Opened*1000), when(s.Changed*1000), s.Silent)
	}
	for _, p := range c.parts {
		for _, s := range oracle.Feeds(p.all) {
			want[s.Carrier] = append(want[s.Carrier], text(s))
			n++
		}
	}
	transitions := map[string]map[uint64]schemas.Alert{}
	for _, changes := range c.tables.changes {
		for v, a := range changes {
			if a.Rule != schemas.RuleFeedStale || a.Detail != "" {
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
			s := oracle.Silence{Carrier: carrier, Offset: offsetOf(v), Status: a.Status.String(), Anchor: a.AnchorAt / 1000, Ended: a.EndedAt / 1000,
				Opened: a.OpenedAt / 1000, Changed: a.ChangedAt / 1000, Silent: int64(a.SilentSecs)}
			got[carrier] = append(got[carrier], text(s))
		}
	}
	for _, carrier := range carriers {
		if !slices.Equal(want[carrier], got[carrier]) {
			lines = append(lines, fmt.Sprintf("feed %s:\n  want %s\n  got  %s", carrier, strings.Join(want[carrier], "\n       "), strings.Join(got[carrier], "\n       ")))
		}
	}
	return lines, n
}
