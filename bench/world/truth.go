package world

import (
	"cmp"
	"slices"
	"time"

	"scantrail/schemas"
)

// The rules that the truth is told for.
const (
	RuleGap48            = "gap_48h"
	RuleGap72            = "gap_72h"
	RuleMilestoneMissing = "milestone_missing"
)

// Rules are those of which a world knows every true case.
var Rules = []string{RuleGap48, RuleGap72, RuleMilestoneMissing}

// Case is one alert that a correct detector holds at To: open, escalated or
// resolved.
type Case struct {
	Rule           string
	TrackingNumber string
	Milestone      string // of milestone_missing: the one that is missing
	AnchorAt       time.Time
	EndedAt        time.Time // zero while open
	ShopID         string
	WrongZone      bool // a scan of the parcel states a wrong time: expect another answer
}

// Level is 1 or, for gap_72h, 2.
func (c *Case) Level() int {
	if c.Rule == RuleGap72 {
		return 2
	}
	return 1
}

// ShopTruth counts what belongs to one shop.
type ShopTruth struct {
	Shop             Shop
	Parcels          int
	Gap48            int
	Gap72            int
	MilestoneMissing int
}

// Truth is what must be found in everything emitted up to At.
type Truth struct {
	At               time.Time
	Cases            []Case // by time of the order, then as found along the trail
	Shops            []ShopTruth
	Parcels          int // of which anything was emitted
	ParcelsWithCases int
	OrderRecords     int
	RawRecords       int // rubbish included
	Scans            int // in raw records, copies included
	DistinctScans    int
	Duplicates       int            // Scans - DistinctScans
	Unmapped         int            // distinct scans with an unknown code
	Late             int            // distinct scans first heard more than 24 h after they happened
	DeadLetters      map[string]int // truncated, not_found, unknown_layout: records that hold no scan
	WrongZone        []string       // numbers of parcels with a scan that states a wrong time
}

// CasesOf returns how many cases a rule has.
func (t *Truth) CasesOf(rule string) int {
	n := 0
	for i := range t.Cases {
		if t.Cases[i].Rule == rule {
			n++
		}
	}
	return n
}

// Missing returns the cases of milestone_missing by milestone.
func (t *Truth) Missing() map[string]int {
	n := map[string]int{}
	for i := range t.Cases {
		if t.Cases[i].Rule == RuleMilestoneMissing {
			n[t.Cases[i].Milestone]++
		}
	}
	return n
}

// Truth works out, from the plans alone, what is true at To of the records that
// are emitted by then. It neither reads nor disturbs what Emit does.
func (w *World) Truth() *Truth { return w.TruthAt(time.Unix(w.to, 0)) }

// TruthAt is Truth for a later look at the same records: when the clock shows
// at, and nothing has been heard since To.
func (w *World) TruthAt(at time.Time) *Truth {
	t := &Truth{At: at.UTC(), DeadLetters: map[string]int{}}
	for _, s := range w.shops {
		t.Shops = append(t.Shops, ShopTruth{Shop: s})
	}
	var p plan
	var facts []fact
	for i := range w.config.Parcels {
		w.plan(&p, i)
		if !t.count(&p, w.to) {
			continue
		}
		facts = factsOf(facts[:0], &p, w.to)
		t.judge(&p, facts, at.Unix())
	}
	return t
}

// count adds the records and scans of a parcel, and reports whether there are
// any.
func (t *Truth) count(p *plan, to int64) bool {
	heard := false
	for _, e := range p.emissions[:p.nEmissions] {
		if e.at > to {
			break
		}
		heard = true
		if e.kind == emitOrder {
			t.OrderRecords++
			continue
		}
		t.RawRecords++
		switch {
		case e.kind == emitTruncated:
			t.DeadLetters["truncated"]++
		case e.kind == emitNotFound && notFound[p.scans[e.i].feed] != "":
			t.DeadLetters["not_found"]++
		case e.kind == emitNotFound || e.kind == emitLayout:
			t.DeadLetters["unknown_layout"]++
		default:
			t.Scans += p.scansOf(e, nil)
		}
	}
	for i := range p.scans[:p.nScans] {
		s := &p.scans[i]
		if s.emit > to {
			continue
		}
		t.DistinctScans++
		if s.milestone == schemas.Unmapped {
			t.Unmapped++
		}
		if s.emit-s.at > day {
			t.Late++
		}
	}
	t.Duplicates = t.Scans - t.DistinctScans
	return heard
}

// fact is a scan as the rules see it.
type fact struct {
	at        int64
	milestone schemas.Milestone
}

// factsOf returns the facts known at To in their order.
func factsOf(facts []fact, p *plan, to int64) []fact {
	for i := range p.scans[:p.nScans] {
		if s := &p.scans[i]; s.emit <= to {
			facts = append(facts, fact{at: s.at, milestone: s.milestone})
		}
	}
	slices.SortFunc(facts, func(a, b fact) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.milestone, b.milestone))
	})
	return facts
}

// judge adds the cases of one parcel.
func (t *Truth) judge(p *plan, facts []fact, to int64) {
	shop := &t.Shops[p.shop]
	t.Parcels++
	shop.Parcels++
	wrong := false
	for i := range p.scans[:p.nScans] {
		s := &p.scans[i]
		wrong = wrong || s.stated != s.at && s.emit <= to
	}
	if wrong {
		t.WrongZone = append(t.WrongZone, string(p.Number()))
	}
	before := len(t.Cases)
	add := func(rule, milestone string, anchor, end int64) {
		c := Case{Rule: rule, TrackingNumber: string(p.Number()), Milestone: milestone,
			AnchorAt: time.Unix(anchor, 0).UTC(), ShopID: shop.Shop.ID, WrongZone: wrong}
		if end != 0 {
			c.EndedAt = time.Unix(end, 0).UTC()
		}
		t.Cases = append(t.Cases, c)
		switch rule {
		case RuleGap48:
			shop.Gap48++
		case RuleGap72:
			shop.Gap72++
		default:
			shop.MilestoneMissing++
		}
	}
	tr := walk(facts)
	tr.gaps(to, func(s, e int64, rule string) { add(rule, "", s, e) })
	for _, m := range required {
		if m.crossBorderOnly && !p.crossBorder() {
			continue
		}
		if anchor, end, missing := tr.missing(m, to); missing {
			add(RuleMilestoneMissing, m.name, anchor, end)
		}
	}
	if len(t.Cases) > before {
		t.ParcelsWithCases++
	}
}
