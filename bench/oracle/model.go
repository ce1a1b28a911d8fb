package oracle

import (
	"slices"
	"strings"
)

// judge holds what one entity is judged by at one moment.
type judge struct {
	doc    *Document
	p      *Policy
	now    int64 // C, or min(C, F)
	wake   int64 // the next time at which the clock alone may change something; 0: never
	market string
	life   *life
	origin string
	dest   string
	out    []Alert
}

func (j *judge) add(rule, detail, number string, anchor int64, level uint8, status string, ended int64) {
	family := rule
	switch {
	case rule == "gap_48h" || rule == "gap_72h":
		family = "gap"
	case detail != "":
		family += ":" + detail
	}
	j.out = append(j.out, Alert{Family: family, Rule: rule, Detail: detail, Number: number, Anchor: anchor, Level: level, Status: status, Ended: ended})
}

func matches(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

func onLane(patterns []string, origin, dest string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(l string) bool {
		from, to, _ := strings.Cut(l, "-")
		return (from == "*" || from == origin) && (to == "*" || to == dest)
	})
}

func choose(d *Document, market, shop, carrier, origin, dest string) *Policy {
	for i := range d.Policies {
		p := &d.Policies[i]
		if matches(p.Markets, market) && matches(p.Shops, shop) && matches(p.Carriers, carrier) && onLane(p.Lanes, origin, dest) {
			return p
		}
	}
	panic("oracle: the last policy of a document must match everything")
}

// union is what is known of the numbers of one parcel.
type union struct {
	facts  []fact // in order
	orders []*order
	failed bool // a number failed its check
	linked bool

	stalled []string // carriers whose raw partitions are not read
}

// now is what the clocks of its partition mean for a union.
func (u *union) now(k Clock) int64 {
	if u.linked || len(u.orders) > 0 {
		return k.S
	}
	return k.C
}

// since says whether now has come to a time. If not, it may be that all is the
// same until then.
func (j *judge) since(at int64) bool {
	if j.now >= at {
		return true
	}
	if j.wake == 0 || at < j.wake {
		j.wake = at
	}
	return false
}

// verdict is what an entity calls for at one moment.
type verdict struct {
	alerts    []Alert
	about     func(alert int) About // of each alert
	now, wake int64                 // of the entity; the next now at which the clock alone may change it, 0: never

	lives   int
	ended   bool      // the last life has
	reached [7]int64  // when the last life reached each of Stages, never where it has not
	order   [2]string // shop and id of its main order
}

// newJudge judges a life by the policy of a document that fits it.
func newJudge(d *Document, l *life, now int64) *judge {
	j := &judge{doc: d, now: now, life: l}
	j.origin, j.dest = l.lane()
	o := l.main
	if o == nil {
		o = &order{}
	}
	if j.market = o.market; j.market == "" {
		j.market = j.dest
	}
	j.p = choose(d, j.market, o.shop, o.carrier, j.origin, j.dest)
	return j
}

// judgeParcel returns all that a union calls for.
func judgeParcel(d *Document, u *union, k Clock) (v verdict) {
	lives := assign(split(u.facts), u.orders)
	v.now, v.lives = u.now(k), len(lives)
	var last, lastScans *judge
	var judges []*judge // of each alert
	v.about = func(i int) About { return judges[i].about(&v.alerts[i], u.stalled) }
	add := func(j *judge) {
		for range j.out {
			judges = append(judges, j)
		}
		v.alerts = append(v.alerts, j.out...)
		j.out = nil
		if j.wake != 0 && (v.wake == 0 || j.wake < v.wake) {
			v.wake = j.wake
		}
	}
	for _, l := range lives {
		j := newJudge(d, l, v.now)
		for i := range l.all {
			_ = j.since(l.all[i].at) && j.since(l.all[i].at+1)
		}
		gaps := j.gaps()
		j.missing()
		j.stays(gaps)
		j.episodes("undeliverable", j.p.Undeliverable)
		j.episodes("exception", j.p.Exception)
		j.uploadLate()
		j.warehouse()
		if l.main != nil {
			j.parcelDeadlines(l.main)
			j.atOnce(l.main)
		}
		add(j)
		if last = j; len(l.all) > 0 {
			lastScans = j
		}
	}
	if lastScans != nil {
		lastScans.check(u.failed)
		add(lastScans)
	}
	for i := range v.reached {
		v.reached[i] = never
	}
	if last != nil {
		last.reused(u.orders)
		add(last)
		v.alerts, judges = latest(v.alerts, judges)
		v.ended, v.reached = last.life.ended, last.life.stages()
		if o := last.life.main; o != nil {
			v.order = [2]string{o.shop, o.id}
		}
	}
	return v
}

type silence struct {
	from  int64
	level uint8
}

// ticking says whether a fact ends a silence.
func (j *judge) ticking(s *step) bool {
	if j.p.Physical {
		return s.phys
	}
	return s.progress
}

// numberAt returns the number of the first fact of a second that counts.
func (j *judge) numberAt(at int64, counts func(*step) bool) string {
	return j.life.find(func(s *step) bool { return s.at == at && counts(s) }).number
}

func (j *judge) gaps() []silence {
	var open []silence
	trail := j.life.trail
	for i := range trail {
		s := &trail[i]
		if !j.ticking(s) {
			continue
		}
		var next *step
		for k := i + 1; k < len(trail) && trail[k].part == s.part && next == nil; k++ {
			if j.ticking(&trail[k]) || trail[k].end {
				next = &trail[k]
			}
		}
		until, closed := j.now, false
		if next != nil {
			until, closed = next.at, true
		} else if s.part != trail[len(trail)-1].part || j.life.ended {
			continue
		}
		if closed && until == s.at {
			continue
		}
		risk, limit, more := j.silenceLimits(s.at)
		number := j.numberAt(s.at, j.ticking)
		long := until - s.at
		lasts := func(limit int64) bool { return !closed && j.since(s.at+limit) }
		switch {
		case closed && long >= more:
			j.add("gap_72h", "", number, s.at, 2, "resolved", until)
			open = append(open, silence{s.at, 2})
		case lasts(more):
			j.add("gap_72h", "", number, s.at, 2, "escalated", 0)
			open = append(open, silence{s.at, 2})
		case closed && long >= limit:
			j.add("gap_48h", "", number, s.at, 1, "resolved", until)
			open = append(open, silence{s.at, 1})
		case lasts(limit):
			j.add("gap_48h", "", number, s.at, 1, "open", 0)
			open = append(open, silence{s.at, 1})
		case lasts(risk):
			j.add("gap_48h", "", number, s.at, 0, "at_risk", 0)
		}
	}
	return open
}

func (j *judge) silenceLimits(at int64) (risk, open, more int64) {
	g := group(j.life.station(at))
	for _, o := range j.p.Gaps {
		if slices.Contains(o.Stages, g) && onLane(o.Lanes, j.origin, j.dest) {
			return o.Risk, o.Open, o.Expire
		}
	}
	return j.p.Risk, j.p.Open, j.p.Escalate
}

const customsUnion = " AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE "

func (j *judge) crossBorder() bool {
	eu := func(c string) bool { return strings.Contains(customsUnion, " "+c+" ") }
	return j.origin != "" && j.dest != "" && j.origin != j.dest && !(eu(j.origin) && eu(j.dest))
}

// requirement is how a trail stands to one required milestone.
type requirement struct {
	seen            *step
	due             int64 // its deadline, or never
	excused, missed bool  // missed: not seen, and passed or overdue
}

func (j *judge) requirement(r *Required) (q requirement) {
	among := func(list []uint8) *step {
		return j.life.find(func(s *step) bool { return slices.Contains(list, s.milestone) })
	}
	q.seen, q.excused, q.due = among(r.Satisfied), among(r.Excused) != nil, never
	if since := among(r.Since); since != nil {
		q.due = since.at + r.After
	}
	later := j.life.find(func(s *step) bool {
		return s.progress && s.forward() && s.milestone != 57 && s.milestone > slices.Max(r.Satisfied)
	})
	overdue := q.due != never && j.began() != nil && (!j.life.ended || j.life.end() > q.due) && j.since(q.due+1)
	q.missed = q.seen == nil && (later != nil || overdue)
	return q
}

// began is the anchor of missing milestones.
func (j *judge) began() *step {
	if s := j.life.find(func(s *step) bool { return s.milestone == 20 }); s != nil {
		return s
	}
	return j.life.find(func(s *step) bool { return s.progress })
}

func (j *judge) missing() {
	anchor := j.began()
	if anchor == nil {
		return
	}
	for i := range j.p.Required {
		r := &j.p.Required[i]
		if r.CrossBorder && !j.crossBorder() {
			continue
		}
		switch q := j.requirement(r); {
		case q.seen != nil && q.due != never && q.seen.at > q.due:
			j.add("milestone_missing", r.Name, anchor.number, anchor.at, 1, "resolved", q.seen.at)
		case q.missed && !q.excused:
			j.add("milestone_missing", r.Name, anchor.number, anchor.at, 1, "open", 0)
		}
	}
}

func (j *judge) stays(gaps []silence) {
	if j.p.Stay == 0 {
		return
	}
	trail := j.life.trail
	highest := uint8(1)
	for i := range trail {
		s := &trail[i]
		g := group(s.milestone)
		if !s.progress || g <= highest {
			continue
		}
		highest = g
		until, over := j.now, false
		for k := i; k < len(trail) && !over; k++ {
			if t := &trail[k]; t.end || t.progress && group(t.milestone) > g {
				until, over = t.at, true
			}
		}
		j.stay(s.at, until, over, g, gaps)
	}
}

func (j *judge) stay(from, until int64, over bool, g uint8, gaps []silence) {
	limit := j.p.Stay
	for _, o := range slices.Backward(j.p.Stays) {
		if slices.Contains(o.Stages, g) && onLane(o.Lanes, j.origin, j.dest) {
			limit = o.Open
		}
	}
	moved := j.life.find(func(s *step) bool { return s.progress && s.at > from && s.at < until }) != nil
	silent := slices.ContainsFunc(gaps, func(s silence) bool { return s.from >= from && s.from < until })
	if over && until-from <= limit || !over && !j.since(from+limit+1) || !moved || silent {
		return
	}
	number := j.numberAt(from, func(s *step) bool { return s.progress })
	if over {
		j.add("stage_stalled", "", number, from, 1, "resolved", until)
	} else {
		j.add("stage_stalled", "", number, from, 1, "open", 0)
	}
}

func (j *judge) episodes(rule string, list []uint8) {
	type episode struct {
		anchor, ended int64
		number        string
		station       uint8
	}
	var all []episode
	station, open := uint8(0), false
	for _, s := range j.life.trail {
		if s.progress && s.forward() {
			station = max(station, s.milestone)
		}
		if open {
			e := &all[len(all)-1]
			if s.end || s.progress && s.forward() && s.milestone != 57 && s.milestone > e.station {
				e.ended, open = s.at, false
			}
		}
		refused := rule == "undeliverable" && len(list) > 0 && s.refused && !s.end
		if !open && (refused || slices.Contains(list, s.milestone)) {
			all, open = append(all, episode{anchor: s.at, ended: never, number: s.number, station: station}), true
		}
	}
	for i, e := range all {
		switch {
		case i+1 < len(all) && all[i+1].anchor == e.anchor:
		case e.ended == never:
			j.add(rule, "", e.number, e.anchor, 1, "open", 0)
		default:
			j.add(rule, "", e.number, e.anchor, 1, "resolved", e.ended)
		}
	}
}

func (j *judge) uploadLate() {
	s := j.life.find(func(s *step) bool { return s.milestone == 20 })
	if s == nil || j.p.UploadLate == 0 || s.history {
		return
	}
	if lag := s.first/1000 - s.at; lag > j.p.UploadLate {
		j.add("first_scan_upload_late", "", s.number, s.at, 1, "resolved", s.at+min(lag, 16_777_215))
	}
}

func (j *judge) warehouse() {
	if !j.p.Warehouse || j.origin == "" || j.dest == "" {
		return
	}
	evidence := j.life.find(func(s *step) bool {
		return s.phys && (s.country == j.origin || s.country == "" && s.milestone >= 20 && s.milestone <= 51)
	})
	far := j.life.find(func(s *step) bool { return s.progress && s.forward() && s.milestone >= 60 })
	if j.origin != j.dest && far != nil && evidence == nil {
		j.add("virtual_warehouse", "no_origin", far.number, far.at, 1, "open", 0)
	}
	if o := j.life.main; o != nil && o.origin != "" && o.origin == o.dest {
		if s := j.life.find(func(s *step) bool { return s.phys && s.country != "" && s.country != o.origin }); s != nil {
			j.add("virtual_warehouse", "abroad", s.number, s.at, 1, "open", 0)
		}
	}
}
