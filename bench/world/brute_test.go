package world

import (
	"cmp"
	"slices"
	"testing"

	"scantrail/schemas"
)

// The brute force: it listens to the emission, keeps what it hears, and applies
// the definitions word by word and in quadratic time. It shares nothing with
// walk, gaps and missing.

type heard struct {
	at, received int64
	milestone    schemas.Milestone
	feed         feed
	code         uint8
}

type parcelHeard struct {
	cross bool
	facts []heard
}

func listen(t *testing.T, w *World) map[string]*parcelHeard {
	t.Helper()
	all := map[string]*parcelHeard{}
	err := w.each(w.to, func(p *plan, e emission) error {
		n := string(p.Number())
		if all[n] == nil {
			all[n] = &parcelHeard{cross: places[p.origin].country == "CN"}
		}
		if e.kind != emitScan && e.kind != emitAll {
			return nil
		}
		p.scansOf(e, func(_ int, s *scan) {
			h := heard{at: min(s.at, e.at), received: e.at, milestone: s.milestone, feed: s.feed, code: s.code}
			same := func(o heard) bool { h.received = o.received; return o == h }
			if !slices.ContainsFunc(all[n].facts, same) {
				h.received = e.at
				all[n].facts = append(all[n].facts, h)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		slices.SortFunc(p.facts, func(a, b heard) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.milestone, b.milestone))
		})
	}
	return all
}

// stretches cuts facts into the parts that count.
func stretches(facts []heard) (parts [][]heard, end int64) {
	e := slices.IndexFunc(facts, func(f heard) bool {
		return slices.Contains([]schemas.Milestone{95, 106, 107, 129}, f.milestone)
	})
	if e >= 0 {
		rest := facts[e+1:]
		if r := slices.IndexFunc(rest, func(f heard) bool { return f.milestone == 120 }); r >= 0 {
			more, end := stretches(rest[r:])
			return append([][]heard{facts[:e+1]}, more...), end
		}
		return [][]heard{facts[:e+1]}, facts[e].at
	}
	for i, f := range facts {
		later := slices.ContainsFunc(facts[i+1:], func(f heard) bool { return f.milestone.Progress() })
		if (f.milestone == 105 || f.milestone == 141) && !later {
			return [][]heard{facts[:i+1]}, f.at
		}
	}
	return [][]heard{facts}, 0
}

type bruteCase struct {
	number, rule, milestone string
	anchor, end             int64
}

func bruteGaps(number string, parts [][]heard, end, clock int64) (cases []bruteCase) {
	rule := func(d int64) string {
		if d >= 72*3600 {
			return "gap_72h"
		}
		return "gap_48h"
	}
	for i, part := range parts {
		for _, f := range part {
			if !f.milestone.Progress() {
				continue
			}
			next := int64(0) // the nearest later time that closes the silence
			for k, g := range part {
				closes := g.milestone.Progress() || end != 0 && i == len(parts)-1 && k == len(part)-1
				if closes && g.at > f.at && (next == 0 || g.at < next) {
					next = g.at
				}
			}
			c := bruteCase{number: number, anchor: f.at, end: next}
			switch {
			case next != 0 && next-f.at >= 48*3600:
				c.rule = rule(next - f.at)
			case next == 0 && end == 0 && i == len(parts)-1 && clock-f.at >= 48*3600:
				c.rule = rule(clock - f.at)
			default:
				continue
			}
			if !slices.Contains(cases, c) {
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func bruteMissing(number string, p *parcelHeard, parts [][]heard, end, clock int64) (cases []bruteCase) {
	trail := slices.Concat(parts...)
	if end == 0 {
		end = clock
	}
	earliest := func(of ...schemas.Milestone) int64 {
		var at int64
		for _, f := range trail {
			if slices.Contains(of, f.milestone) && (at == 0 || f.at < at) {
				at = f.at
			}
		}
		return at
	}
	later := func(than schemas.Milestone) bool {
		return slices.ContainsFunc(trail, func(f heard) bool {
			return f.milestone > than && f.milestone <= 95 && f.milestone != 57
		})
	}
	accepted := earliest(20)
	anchor := accepted
	for i := len(trail) - 1; accepted == 0 && i >= 0; i-- {
		if trail[i].milestone.Progress() {
			anchor = trail[i].at
		}
	}
	verdict := func(name string, observed, deadline int64, excused, laterSeen bool) {
		c := bruteCase{number, "milestone_missing", name, anchor, 0}
		switch {
		case observed != 0 && deadline != 0 && observed > deadline:
			c.end = observed
			cases = append(cases, c)
		case observed == 0 && !excused && (laterSeen || deadline != 0 && end > deadline):
			cases = append(cases, c)
		}
	}
	after := func(t, d int64) int64 {
		if t == 0 {
			return 0
		}
		return t + d
	}
	in := earliest(60, 70, 71, 72, 73)
	if p.cross {
		verdict("export_cleared", earliest(42), after(accepted, 7*86400), false, later(42))
		verdict("arrived_destination", in, after(accepted, 15*86400), false, later(73))
	}
	verdict("out_for_delivery", earliest(90), after(in, 7*86400), earliest(92) != 0, later(90))
	return cases
}

func TestTruthAgreesWithBruteForce(t *testing.T) {
	for seed := range uint64(3) {
		w := New(Config{Seed: seed, Parcels: 3000})
		want := map[bruteCase]bool{}
		for number, p := range listen(t, w) {
			parts, end := stretches(p.facts)
			for _, c := range append(bruteGaps(number, parts, end, w.to), bruteMissing(number, p, parts, end, w.to)...) {
				want[c] = true
			}
		}
		truth := w.Truth()
		for _, c := range truth.Cases {
			b := bruteCase{c.TrackingNumber, c.Rule, c.Milestone, c.AnchorAt.Unix(), 0}
			if !c.EndedAt.IsZero() {
				b.end = c.EndedAt.Unix()
			}
			if !want[b] {
				t.Errorf("seed %d: the truth has %+v, the brute force does not", seed, c)
			}
			delete(want, b)
		}
		for b := range want {
			t.Errorf("seed %d: the truth lacks %+v", seed, b)
		}
	}
}

// Trails that the world seldom or never plans.
func TestTrail(t *testing.T) {
	at := func(hours int64, m schemas.Milestone) fact { return fact{hours * hour, m} }
	to := 3000 * hour
	for name, test := range map[string]struct {
		facts []fact
		gaps  int
		ended bool
	}{
		"label only":              {[]fact{at(10, 10)}, 0, false},
		"trailing":                {[]fact{at(10, 10), at(100, 20)}, 1, false},
		"delivered then late":     {[]fact{at(10, 20), at(20, 95), at(200, 57)}, 0, true},
		"return after delivery":   {[]fact{at(10, 20), at(20, 95), at(200, 120), at(210, 129)}, 0, true},
		"return with a gap":       {[]fact{at(10, 20), at(20, 95), at(200, 120), at(300, 95)}, 1, true},
		"return goes on":          {[]fact{at(10, 20), at(20, 95), at(200, 120)}, 1, false},
		"lost ends":               {[]fact{at(10, 20), at(100, 105), at(101, 142)}, 1, true},
		"lost and found":          {[]fact{at(10, 20), at(20, 105), at(30, 57), at(40, 95)}, 0, true},
		"given up closes the gap": {[]fact{at(10, 20), at(100, 141)}, 1, true},
		"two at one second":       {[]fact{at(10, 20), at(10, 30), at(60, 95)}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := walk(test.facts)
			n := 0
			tr.gaps(to, func(_, _ int64, _ string) { n++ })
			if n != test.gaps || tr.ended != test.ended {
				t.Errorf("%d gaps, ended %v; want %d, %v", n, tr.ended, test.gaps, test.ended)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	const d = 24
	at := func(hours int64, m schemas.Milestone) fact { return fact{hours * hour, m} }
	for name, test := range map[string]struct {
		facts []fact
		of    int // place in required
		to    int64
		want  string // "", open or late
	}{
		"export observed":            {[]fact{at(1, 20), at(30, 42)}, 0, 300, ""},
		"export late":                {[]fact{at(1, 20), at(8*d, 42)}, 0, 300, "late"},
		"export overdue":             {[]fact{at(1, 20)}, 0, 7*d + 2, "open"},
		"export not yet due":         {[]fact{at(1, 20)}, 0, 7 * d, ""},
		"export passed over":         {[]fact{at(1, 20), at(30, 51)}, 0, 40, "open"},
		"in transit proves nothing":  {[]fact{at(1, 20), at(30, 57)}, 0, 40, ""},
		"nor does an exception":      {[]fact{at(1, 20), at(30, 101)}, 0, 40, ""},
		"nor a return":               {[]fact{at(1, 20), at(30, 120)}, 0, 40, ""},
		"ended before the deadline":  {[]fact{at(1, 20), at(30, 107)}, 0, 3000, ""},
		"entry by customs":           {[]fact{at(1, 20), at(90, 72), at(99, 95)}, 1, 200, ""},
		"entry passed over":          {[]fact{at(1, 20), at(90, 81)}, 1, 200, "open"},
		"entry overdue":              {[]fact{at(1, 20)}, 1, 15*d + 2, "open"},
		"no acceptance, no deadline": {[]fact{at(1, 30)}, 1, 3000, ""},
		"delivered without going":    {[]fact{at(1, 20), at(99, 95)}, 2, 200, "open"},
		"excused by the locker":      {[]fact{at(1, 20), at(90, 92), at(99, 95)}, 2, 200, ""},
		"out overdue":                {[]fact{at(1, 60), at(90, 83)}, 2, 7*d + 2, "open"},
		"out late":                   {[]fact{at(1, 60), at(9*d, 90)}, 2, 3000, "late"},
		"no entry, no deadline":      {[]fact{at(1, 20), at(90, 83)}, 2, 3000, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := walk(test.facts)
			_, end, missing := tr.missing(required[test.of], test.to*hour)
			got := map[bool]string{true: "open"}[missing]
			if missing && end != 0 {
				got = "late"
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
