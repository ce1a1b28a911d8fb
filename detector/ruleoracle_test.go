package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// The second oracle answers for one life, rule by rule and from the definitions
// alone, over lists and without any of the code of evaluate.

type trailFact struct {
	fact
	as   schemas.Milestone // a delivered after a return counts as returned
	end  bool
	part int // 0 until the trail begins again for the first time
}

type naive struct {
	t        *testing.T
	trail    []trailFact
	policy   *schemas.Policy
	holidays []schemas.Holiday
	l        *life
	now      int64
	from, to string // lane
	alerts   []string
}

func (n *naive) want(family string, at uint32, num uint8, status string, ended int64) {
	n.alerts = append(n.alerts, fmt.Sprintf("%s %s %d#%d %d", family, status, at, num, ended))
}

func (n *naive) read() {
	part, returning := 0, false
	for i, f := range n.l.facts {
		if k := len(n.trail); k > 0 && n.trail[k-1].end {
			if f.milestone != 120 {
				continue
			}
			part++
		}
		returning = returning || f.milestone == 120
		as := f.milestone
		if as == 95 && returning {
			as = 129
		}
		end := as == 95 || as == 106 || as == 107 || as == 129
		if as == 105 || as == 141 {
			end = true
			for _, later := range n.l.facts[i+1:] {
				end = end && !later.progress()
			}
		}
		n.trail = append(n.trail, trailFact{f, as, end, part})
	}
	first := func(dst *string, code uint16) {
		if *dst == "" {
			*dst = countryName(code)
		}
	}
	for _, o := range n.l.main {
		if o.kind == schemas.OrderLabelCreated {
			first(&n.from, o.lane.origin())
			first(&n.to, o.lane.destination())
		}
	}
	for _, f := range n.l.facts {
		first(&n.from, f.lane.origin())
		first(&n.to, f.lane.destination())
	}
}

func (n *naive) ended() bool { return len(n.trail) > 0 && n.trail[len(n.trail)-1].end }

func (n *naive) holds(stages []schemas.Stage, lanes []string, g schemas.Stage) bool {
	for _, s := range stages {
		if s == g {
			return schemas.OnLane(lanes, n.from, n.to)
		}
	}
	return false
}

// gaps returns the beginnings of the gaps.
func (n *naive) gaps() (open []uint32) {
	for i, f := range n.trail {
		if !f.progress() {
			continue
		}
		var next *trailFact
		stage, num, last := schemas.Milestone(0), f.num, true
		for k := range n.trail {
			g := &n.trail[k]
			if g.sec == f.sec && g.progress() && k < i {
				num = g.num
				break
			}
		}
		for k := range n.trail {
			g := &n.trail[k]
			if g.sec <= f.sec && g.part <= f.part && g.progress() && g.as >= 20 && g.as <= 95 {
				stage = max(stage, g.as)
			}
			if next == nil && g.part == f.part && g.sec > f.sec && (g.progress() || g.end) {
				next = g
			}
			last = last && g.part <= f.part && !(g.part == f.part && g.end)
		}
		limits := n.policy.Gap
		for _, o := range n.policy.Gap.Overrides {
			if n.holds(o.Stages, o.Lanes, stage.Stage()) {
				limits.AtRisk, limits.Open, limits.Escalate = o.AtRisk, o.Open, o.Escalate
				break
			}
		}
		length := time.Duration(n.now-int64(f.sec)) * time.Second
		switch {
		case next != nil:
			if length = time.Duration(next.sec-f.sec) * time.Second; length >= limits.Open {
				n.want("gap", f.sec, num, "resolved", int64(next.sec))
				open = append(open, f.sec)
			}
		case !last:
		case length >= limits.Escalate:
			n.want("gap", f.sec, num, "escalated", 0)
			open = append(open, f.sec)
		case length >= limits.Open:
			n.want("gap", f.sec, num, "open", 0)
			open = append(open, f.sec)
		case length >= limits.AtRisk:
			n.want("gap", f.sec, num, "at_risk", 0)
		}
	}
	return open
}

func (n *naive) stalled(gaps []uint32) {
	highest := schemas.Stage(0)
	for i, f := range n.trail {
		g := f.as.Stage()
		if !f.progress() || g <= highest || g == schemas.StageAnnounced {
			continue
		}
		highest = g
		end, status := n.now, "open"
		for _, later := range n.trail[i+1:] {
			if later.end || later.progress() && later.as.Stage() > g {
				end, status = int64(later.sec), "resolved"
				break
			}
		}
		limit := n.policy.StageStalled.After
		for _, o := range n.policy.StageStalled.Overrides {
			if n.holds(o.Stages, o.Lanes, g) {
				limit = o.After
				break
			}
		}
		inside := false
		for _, p := range n.trail {
			inside = inside || p.progress() && p.sec > f.sec && int64(p.sec) < end
		}
		for _, s := range gaps {
			inside = inside && (s < f.sec || int64(s) >= end)
		}
		if time.Duration(end-int64(f.sec))*time.Second <= limit || !inside {
			continue
		}
		num := f.num
		for k := i; k >= 0; k-- {
			if n.trail[k].sec == f.sec && n.trail[k].progress() {
				num = n.trail[k].num
			}
		}
		if status == "open" {
			end = 0
		}
		n.want("stage_stalled", f.sec, num, status, end)
	}
}

func (n *naive) episodes(name string, list []schemas.Milestone) {
	last := map[uint32]string{}
	for i := 0; i < len(n.trail); i++ {
		f := n.trail[i]
		if !listed(list, f.as) {
			continue
		}
		stage := schemas.Milestone(0)
		for _, p := range n.trail[:i+1] {
			if p.progress() && p.as.Forward() {
				stage = max(stage, p.as)
			}
		}
		line := fmt.Sprintf("%s open %d#%d 0", name, f.sec, f.num)
		next := len(n.trail)
		for k := i + 1; k < len(n.trail); k++ {
			p := n.trail[k]
			if p.end || p.progress() && p.as.Forward() && p.as != 57 && p.as > stage {
				line = fmt.Sprintf("%s resolved %d#%d %d", name, f.sec, f.num, p.sec)
				next = k
				break
			}
		}
		last[f.sec] = line
		i = next - 1
	}
	for _, line := range last {
		n.alerts = append(n.alerts, line)
	}
}

func listed(list []schemas.Milestone, m schemas.Milestone) bool {
	for _, x := range list {
		if x == m {
			return true
		}
	}
	return false
}

func (n *naive) virtual() {
	evidence, entry, abroad := false, -1, -1
	from, to := "", ""
	for _, o := range n.l.main {
		if o.kind != schemas.OrderLabelCreated {
			continue
		}
		if from == "" {
			from = countryName(o.lane.origin())
		}
		if to == "" {
			to = countryName(o.lane.destination())
		}
	}
	for i, f := range n.trail {
		country := countryName(n.l.places[f.place].country)
		if f.flags&factPhysical != 0 {
			evidence = evidence || country == n.from || country == "" && f.as >= 20 && f.as <= 51
			if abroad < 0 && country != "" && country != from {
				abroad = i
			}
		}
		if entry < 0 && f.progress() && f.as >= 60 && f.as <= 95 {
			entry = i
		}
	}
	if n.from != "" && n.to != "" && n.from != n.to && entry >= 0 && !evidence {
		n.want("virtual_warehouse:no_origin", n.trail[entry].sec, n.trail[entry].num, "open", 0)
	}
	if from != "" && from == to && abroad >= 0 {
		n.want("virtual_warehouse:abroad", n.trail[abroad].sec, n.trail[abroad].num, "open", 0)
	}
}

// hours judges a shipping rule in hours by walking through the time.
func (n *naive) hours(name string, a *orderFact, limit, warn time.Duration, met, stop int64) {
	if a == nil {
		return
	}
	market := ""
	for i := range n.l.main {
		if market == "" {
			market = countryName(n.l.main[i].market)
		}
	}
	if market == "" {
		market = n.to
	}
	off := func(at int64) bool {
		for _, h := range n.holidays {
			if len(h.Markets) == 1 && h.Markets[0] == market && at >= h.From/1000 && at < h.Until/1000 {
				return true
			}
		}
		for _, o := range n.l.main {
			if o.kind == schemas.OrderHoliday && at >= int64(o.at) && at < int64(o.until) {
				return true
			}
		}
		return false
	}
	deadline := int64(a.at)
	for left := int64(limit / time.Second); left > 0; deadline += 60 { // all times are whole minutes
		if !off(deadline) {
			left -= 60
		}
	}
	until := int64(0)
	if met != 0 && (stop == 0 || met <= stop) {
		until = met
	} else if stop != 0 {
		until = stop
	}
	switch {
	case until > deadline:
		n.want(name, a.at, a.num, "resolved", until)
	case until != 0:
	case n.now > deadline:
		n.want(name, a.at, a.num, "open", 0)
	case warn != 0 && n.now > deadline-int64(warn/time.Second):
		n.want(name, a.at, a.num, "at_risk", 0)
	}
}

func (n *naive) orders() {
	first := map[schemas.OrderKind]*orderFact{}
	for i := range n.l.main {
		o := &n.l.main[i]
		if first[o.kind] == nil {
			first[o.kind] = o
		}
	}
	at := func(k schemas.OrderKind) int64 {
		if first[k] == nil {
			return 0
		}
		return int64(first[k].at)
	}
	earliest := func(a, b int64) int64 {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	handled, stop := int64(0), at(schemas.OrderCancelled)
	for _, f := range n.trail {
		if f.flags&factPhysical != 0 && f.as != 12 {
			handled = earliest(handled, int64(f.sec))
		}
	}
	if n.ended() && n.trail[len(n.trail)-1].as != 95 {
		stop = earliest(stop, int64(n.trail[len(n.trail)-1].sec))
	}
	p := n.policy
	n.hours("shipped_late", first[schemas.OrderCreated], p.ShippedLate.After.Duration, p.ShippedLate.Warn, earliest(handled, at(schemas.OrderMarkedShipped)), stop)
	n.hours("pickup_late", first[p.PickupLate.Since], p.PickupLate.After.Duration, p.PickupLate.Warn, handled, stop)
}

// TestAgainstRuleOracle compares the verdicts on random lives. Times are whole
// minutes, so that the oracle can walk through them.
func TestAgainstRuleOracle(t *testing.T) {
	text := strings.Replace(everyRule, "after: 3wd, warn: 30h", "after: 50h, warn: 30h", 1)
	r := testRules(t, text)
	doc, err := schemas.ParsePolicies([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		w := newWorld(rng)
		m := NewMachine(0, 1)
		for range 20 {
			l := randomLife(w, m)
			minutes(l)
			now := uint32(w.at()/60_000) * 60
			n := naive{t: t, policy: &doc.List[0], holidays: doc.Holidays, l: l, now: int64(now)}
			n.read()
			n.stalled(n.gaps())
			n.episodes("undeliverable", n.policy.Undeliverable)
			n.episodes("exception", n.policy.Exception)
			n.virtual()
			n.orders()
			var v verdict
			v.evaluate(l, r, now)
			var got []string
			for i := range v.wanted {
				a := &v.wanted[i]
				switch a.family {
				case gapFamily, stageStalled, undeliverable, exceptional, virtualNoOrigin, virtualAbroad, shippedLate, pickupLate:
					got = append(got, fmt.Sprintf("%s %s %d#%d %d", a.family.name(), a.status, a.anchor, a.num, a.ended))
				}
			}
			sort.Strings(got)
			sort.Strings(n.alerts) // several scans of one second say the same
			if have, want := strings.Join(got, "\n"), strings.Join(slices.Compact(n.alerts), "\n"); have != want {
				t.Errorf("now %d, have\n%s\nwant\n%s\nfacts %+v\norders %+v", now, have, want, l.facts, l.main)
				return
			}
		}
	})
}

func minutes(l *life) {
	for i := range l.facts {
		l.facts[i].sec -= l.facts[i].sec % 60
	}
	facts := l.facts
	l.facts = nil
	for i := range facts {
		l.facts = insert(l.facts, &facts[i])
	}
	for _, list := range []*[]orderFact{&l.main, &l.orders} {
		all := *list
		*list = nil
		for i := range all {
			all[i].at -= all[i].at % 60
			all[i].until -= all[i].until % 60
			*list, _, _ = insertOrderFact(*list, &all[i], l.texts)
		}
	}
}
