package detector

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"scantrail/schemas"
)

// The oracle answers from the definitions alone, over whole facts, wall times
// and maps, quadratic and without any of the machine's code.

type oracleScan struct {
	id                  schemas.ID
	at                  time.Time // effective
	m                   schemas.Milestone
	progress            bool
	origin, destination string
}

type oracleAlert struct {
	rule   string
	level  int
	status string
	ended  time.Time
}

func (a oracleAlert) String() string {
	s := fmt.Sprintf("%s/%d %s", a.rule, a.level, a.status)
	if !a.ended.IsZero() {
		s += " ended " + a.ended.UTC().Format(time.DateTime)
	}
	return s
}

type oracleParcel struct {
	scans               map[schemas.ID]oracleScan
	origin, destination string // of the order
}

// receive adds a copy of a scan.
func (p *oracleParcel) receive(e *schemas.Event) {
	at := time.UnixMilli(e.OccurredAt)
	if r := time.UnixMilli(e.ReceivedAt); r.Before(at) {
		at = r
	}
	at = at.Truncate(time.Second)
	if known, ok := p.scans[e.FactID]; ok && known.at.Before(at) {
		at = known.at
	}
	p.scans[e.FactID] = oracleScan{e.FactID, at, e.Milestone, e.Progress, e.OriginCountry, e.DestinationCountry}
}

func (p *oracleParcel) sorted() []oracleScan {
	var all []oracleScan
	for _, s := range p.scans {
		all = append(all, s)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if !a.at.Equal(b.at) {
			return a.at.Before(b.at)
		}
		if a.m != b.m {
			return a.m < b.m
		}
		return string(a.id[:]) < string(b.id[:])
	})
	return all
}

// oracleTrail is the trail: the scans that count, with the life of each and
// which of them are ends.
type oracleTrail struct {
	scans []oracleScan
	life  []int
	end   []bool
}

func (t *oracleTrail) ended() bool { return len(t.end) > 0 && t.end[len(t.end)-1] }

func trailOf(all []oracleScan) (t oracleTrail) {
	life, returning := 0, false
	for i, s := range all {
		if t.ended() {
			if s.m != schemas.ReturnStarted {
				continue
			}
			life++
		}
		returning = returning || s.m == schemas.ReturnStarted
		if returning && s.m == schemas.Delivered {
			s.m = schemas.Returned
		}
		end := strings.Contains(" delivered destroyed cancelled returned ", " "+s.m.String()+" ")
		if s.m == schemas.Lost || s.m == schemas.TrackingEnded {
			end = true
			for _, later := range all[i+1:] {
				if later.progress {
					end = false
				}
			}
		}
		t.scans, t.life, t.end = append(t.scans, s), append(t.life, life), append(t.end, end)
	}
	return t
}

func (p *oracleParcel) lane(all []oracleScan) (origin, destination string) {
	origin, destination = p.origin, p.destination
	for _, s := range all {
		if origin == "" {
			origin = s.origin
		}
		if destination == "" {
			destination = s.destination
		}
	}
	return origin, destination
}

const oracleUnion = "AT,BE,BG,CY,CZ,DE,DK,EE,ES,FI,FR,GR,HR,HU,IE,IT,LT,LU,LV,MC,MT,NL,PL,PT,RO,SE,SI,SK"

// judge returns the alerts by family and anchor, and the numbers of the row.
func (p *oracleParcel) judge(pol *schemas.Policy, now time.Time) (alerts map[string]oracleAlert, row string) {
	alerts = map[string]oracleAlert{}
	all := p.sorted()
	t := trailOf(all)
	silent, long, longer := p.gaps(&t, pol, now, alerts)
	origin, destination := p.lane(all)
	cross := origin != "" && destination != "" && origin != destination &&
		(!strings.Contains(oracleUnion, origin) || !strings.Contains(oracleUnion, destination))
	var required, due, observed []string
	for _, r := range pol.Milestones {
		if r.Lanes == "cross_border" && !cross {
			continue
		}
		required = append(required, r.Milestone.String())
		d, o := p.required(&t, &r, now, alerts)
		if d {
			due = append(due, r.Milestone.String())
		}
		if d && o {
			observed = append(observed, r.Milestone.String())
		}
	}
	return alerts, fmt.Sprintf("silent %d gaps %d %d required %v due %v observed %v", int(silent.Seconds()), long, longer, required, due, observed)
}

func (p *oracleParcel) gaps(t *oracleTrail, pol *schemas.Policy, now time.Time, alerts map[string]oracleAlert) (silent time.Duration, long, longer int) {
	for i, s := range t.scans {
		if !s.progress {
			continue
		}
		next := -1 // the earliest later thing that ends a silence in the same life
		for j, u := range t.scans {
			if t.life[i] == t.life[j] && (u.progress || t.end[j]) && u.at.After(s.at) && (next < 0 || u.at.Before(t.scans[next].at)) {
				next = j
			}
		}
		a := oracleAlert{rule: "gap_48h", level: 1, status: "resolved"}
		until := now
		if next >= 0 {
			until = t.scans[next].at
			a.ended = until
		} else if t.ended() || t.life[i] != t.life[len(t.life)-1] {
			continue
		} else {
			a.status = "open"
		}
		length := until.Sub(s.at)
		name := fmt.Sprintf("gap %d", s.at.Unix())
		if length < pol.Gap.Open {
			if next < 0 && length >= pol.Gap.AtRisk {
				alerts[name] = oracleAlert{rule: "gap_48h", status: "at_risk"}
			}
			continue
		}
		if length >= pol.Gap.Escalate {
			a.rule, a.level = "gap_72h", 2
			if next < 0 {
				a.status = "escalated"
			}
		}
		if _, seen := alerts[name]; !seen { // several scans of one second are one point in time
			long++
			if a.level == 2 {
				longer++
			}
			if next >= 0 {
				silent += length - pol.Gap.Open
			}
		}
		alerts[name] = a
	}
	return silent, long, longer
}

func (t *oracleTrail) earliest(is func(oracleScan) bool) (at time.Time) {
	for _, s := range t.scans {
		if is(s) && (at.IsZero() || s.at.Before(at)) {
			at = s.at
		}
	}
	return at
}

func oneOf(list []schemas.Milestone) func(oracleScan) bool {
	return func(s oracleScan) bool {
		for _, m := range list {
			if s.m == m {
				return true
			}
		}
		return false
	}
}

func (p *oracleParcel) required(t *oracleTrail, r *schemas.RequiredMilestone, now time.Time, alerts map[string]oracleAlert) (due, observed bool) {
	anchor := t.earliest(oneOf([]schemas.Milestone{schemas.Accepted}))
	if anchor.IsZero() {
		anchor = t.earliest(func(s oracleScan) bool { return s.progress })
	}
	name := fmt.Sprintf("milestone_missing:%s %d", r.Milestone, anchor.Unix())
	seen := t.earliest(oneOf(r.SatisfiedBy))
	excused := !t.earliest(oneOf(r.ExcusedBy)).IsZero()
	var last, furthest schemas.Milestone
	for _, m := range r.SatisfiedBy {
		last = max(last, m)
	}
	for _, s := range t.scans {
		if s.progress && s.m >= 20 && s.m <= 95 && s.m != 57 {
			furthest = max(furthest, s.m)
		}
	}
	until := now
	if t.ended() && t.scans[len(t.scans)-1].at.Before(until) {
		until = t.scans[len(t.scans)-1].at
	}
	deadline := t.earliest(oneOf(r.Since)).Add(r.After)
	if t.earliest(oneOf(r.Since)).IsZero() {
		deadline = time.Unix(1<<40, 0)
	}
	if !seen.IsZero() {
		if seen.After(deadline) && !anchor.IsZero() {
			alerts[name] = oracleAlert{rule: "milestone_missing", level: 1, status: "resolved", ended: seen}
		}
		return !excused, true
	}
	overdue := until.After(deadline)
	if !excused && !anchor.IsZero() && (overdue || furthest > last) {
		alerts[name] = oracleAlert{rule: "milestone_missing", level: 1, status: "open"}
	}
	return !excused && (overdue || furthest >= r.Milestone || furthest > last), false
}
