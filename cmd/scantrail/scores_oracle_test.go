package main

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"scantrail/schemas"
)

// The oracle computes scores from the lines of a world alone: hours, maps and the
// definitions of SCORES.md, without the detector and without SQL.

// oraclePolicy is what the oracle knows of a policy. Limits are hours.
type oraclePolicy struct {
	name                                        string
	pickup, promise                             int
	milestones, silence                         float64
	onTime, completeness, pickedUp, exceptional float64
	smoothing                                   float64
}

const oracleGrace = 24

// twoPolicies has a policy of its own for Great Britain, with other weights.
const twoPolicies = `
policies:
  - name: britain
    extends: articles-uk
    when: {markets: [GB]}
    score: {milestones_weight: 50, silence_weight: 50, on_time_weight: 25, completeness_weight: 35, pickup_weight: 15, exception_free_weight: 25, smoothing: 5}
  - name: rest
    extends: default
`

var oraclePolicies = map[string]*oraclePolicy{
	"GB": {"britain", 48, 120, 50, 50, 25, 35, 15, 25, 5},
	"US": {"rest", 72, 168, 60, 40, 40, 30, 20, 10, 20},
}

// oracleUnit is what one parcel, or an order without one, adds.
type oracleUnit struct {
	shop, market              string
	week                      int
	open, counted, late       bool // late: an order without a parcel
	promised, onTime          bool
	pickupDue, pickedUp, free bool
	completeness              float64
}

// oracleTrail is the way of one parcel in order.
type oracleTrail struct {
	at      map[schemas.Milestone]int
	scans   []scoreScan
	ended   bool
	end     int
	matures int
	now     int
}

func oracleUnits(world []scoreParcel, policies map[string]*oraclePolicy, now int) (units []oracleUnit) {
	for i := range world {
		p := &world[i]
		pol := policies[p.market]
		u := oracleUnit{shop: p.shop(), market: p.market, week: (p.order[schemas.OrderCreated] + 8) / 168}
		deliverBy := p.order[schemas.OrderCreated] + pol.promise + oracleGrace
		if p.promise != 0 {
			deliverBy = p.promise + oracleGrace
		}
		_, cancelled := p.order[schemas.OrderCancelled]
		if _, labelled := p.order[schemas.OrderLabelCreated]; !labelled {
			u.late = !cancelled && deliverBy < now
			units = append(units, u)
			continue
		}
		t := oracleTrail{at: map[schemas.Milestone]int{}, scans: p.scans, matures: deliverBy, now: now}
		t.walk()
		mature := t.ended || deliverBy < now
		u.open, u.counted = !mature, mature && !cancelled
		u.completeness = pol.milestones*t.milestonesShare() + pol.silence*t.silenceShare()
		delivered, has := t.at[schemas.Delivered]
		u.promised = u.counted
		u.onTime = u.counted && has && delivered <= deliverBy
		confirmed, has := p.order[schemas.OrderConfirmed]
		handled := t.handled()
		u.pickupDue = u.counted && has && (handled >= 0 || t.ended || confirmed+pol.pickup < now)
		u.pickedUp = u.pickupDue && handled >= 0 && handled <= confirmed+pol.pickup
		u.free = u.counted && !t.broken() && !t.troubled()
		units = append(units, u)
	}
	return units
}

func (t *oracleTrail) walk() {
	for _, s := range t.scans {
		if _, has := t.at[s.milestone]; !has {
			t.at[s.milestone] = s.hour
		}
		switch s.milestone {
		case schemas.Delivered, schemas.Returned, schemas.Lost:
			t.ended, t.end = true, s.hour
		}
	}
}

func (t *oracleTrail) any(list ...schemas.Milestone) (int, bool) {
	first, has := 0, false
	for _, m := range list {
		if at, ok := t.at[m]; ok && (!has || at < first) {
			first, has = at, true
		}
	}
	return first, has
}

func (t *oracleTrail) reached(after schemas.Milestone) bool {
	return slices.ContainsFunc(t.scans, func(s scoreScan) bool {
		return s.milestone > after && s.milestone <= schemas.Delivered
	})
}

func (t *oracleTrail) milestonesShare() float64 {
	if len(t.scans) == 0 {
		return 0
	}
	until := min(t.now, t.matures)
	if t.ended {
		until = t.end
	}
	due, observed := 0, 0
	judge := func(seen, passed bool, since int, started bool, limit int) {
		switch {
		case seen:
			due++
			observed++
		case passed || started && until > since+limit:
			due++
		}
	}
	accepted, started := t.at[schemas.Accepted]
	_, seen := t.at[schemas.ExportCleared]
	judge(seen, t.reached(schemas.ExportCleared), accepted, started, 168)
	entry, entered := t.any(schemas.ArrivedDestination, schemas.ImportCustomsStarted, schemas.ImportCustomsHeld, schemas.ImportCleared)
	judge(entered, t.reached(schemas.ImportRejected), accepted, started, 360)
	if _, locker := t.at[schemas.AvailableForPickup]; !locker {
		_, seen = t.at[schemas.OutForDelivery]
		judge(seen, t.reached(schemas.OutForDelivery), entry, entered, 168)
	}
	if due == 0 {
		return 1
	}
	return float64(observed) / float64(due)
}

func (t *oracleTrail) silenceShare() float64 {
	if len(t.scans) == 0 {
		return 0
	}
	silent, last := 0, t.scans[0].hour
	for _, s := range t.scans[1:] {
		silent += max(s.hour-last-48, 0)
		last = s.hour
	}
	end := t.end
	if !t.ended {
		silent += max(t.matures-last-48, 0)
		end = max(t.matures, last)
	}
	life := end - t.scans[0].hour
	if life == 0 {
		return 1
	}
	return 1 - min(float64(silent)/float64(life), 1)
}

func (t *oracleTrail) broken() bool {
	for i := 1; i < len(t.scans); i++ {
		if t.scans[i].hour-t.scans[i-1].hour >= 72 {
			return true
		}
	}
	return len(t.scans) > 0 && !t.ended && t.scans[len(t.scans)-1].hour+72 <= min(t.matures, t.now)
}

func (t *oracleTrail) troubled() bool {
	return slices.ContainsFunc(t.scans, func(s scoreScan) bool {
		return s.milestone >= 100 || s.milestone == schemas.ImportCustomsHeld || s.milestone == schemas.DeliveryAttempted
	})
}

// handled returns the hour of the first physical scan, -1 without one.
func (t *oracleTrail) handled() int {
	for _, s := range t.scans {
		if s.milestone.Physical() {
			return s.hour
		}
	}
	return -1
}

// oracleSums are the numerators and denominators of one group of units.
type oracleSums struct{ onTime, promised, completeness, counted, pickedUp, pickupDue, free float64 }

func (s *oracleSums) add(u *oracleUnit) {
	one := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	s.promised += one(u.promised) + one(u.late)
	s.onTime += one(u.onTime)
	s.counted += one(u.counted)
	s.completeness += one(u.counted) * u.completeness
	s.pickupDue += one(u.pickupDue)
	s.pickedUp += one(u.pickedUp)
	s.free += one(u.free)
}

// addMean adds the means of the market for what the unit counts in.
func (s *oracleSums) addMean(u *oracleUnit, m *oracleSums) {
	if u.promised || u.late {
		s.onTime += m.onTime / m.promised
	}
	if u.counted {
		s.completeness += m.completeness / m.counted
		s.free += m.free / m.counted
	}
	if u.pickupDue {
		s.pickedUp += m.pickedUp / m.pickupDue
	}
}

// oracleJudge returns the market whose policy judged most units, of two the one
// whose policy comes first by name.
func oracleJudge(judged map[string]int, policies map[string]*oraclePolicy) string {
	return slices.MinFunc(slices.Collect(maps.Keys(judged)), func(a, b string) int {
		return cmp.Or(cmp.Compare(judged[b], judged[a]), cmp.Compare(policies[a].name, policies[b].name))
	})
}

// oracleLines are the scores of every shop and week, as printOracle prints lts_weekly.
func oracleLines(world []scoreParcel, policies map[string]*oraclePolicy, now int) (lines []string) {
	type key struct {
		shop string
		week int
	}
	units := oracleUnits(world, policies, now)
	shops, markets, judges := map[key]*oracleSums{}, map[string]*oracleSums{}, map[key]map[string]int{}
	for i := range units {
		u := &units[i]
		k, m := key{u.shop, u.week}, fmt.Sprint(u.market, u.week)
		if shops[k] == nil {
			shops[k], judges[k] = &oracleSums{}, map[string]int{}
		}
		if markets[m] == nil {
			markets[m] = &oracleSums{}
		}
		shops[k].add(u)
		markets[m].add(u)
		judges[k][u.market] += 0
		if u.counted || u.late {
			judges[k][u.market]++
		}
	}
	for k, s := range shops {
		p := policies[oracleJudge(judges[k], policies)]
		var mean oracleSums // of the market of each unit
		for i := range units {
			if u := &units[i]; u.shop == k.shop && u.week == k.week {
				mean.addMean(u, markets[fmt.Sprint(u.market, u.week)])
			}
		}
		raw, smoothed, weight := 0.0, 0.0, 0.0
		part := func(w, sum, n, prior float64) {
			if n == 0 {
				return
			}
			weight += w
			raw += w * sum / n
			smoothed += w * (sum + p.smoothing*prior/n) / (n + p.smoothing)
		}
		part(p.onTime, s.onTime, s.promised, mean.onTime)
		part(p.completeness, s.completeness/100, s.counted, mean.completeness/100)
		part(p.pickedUp, s.pickedUp, s.pickupDue, mean.pickedUp)
		part(p.exceptional, s.free, s.counted, mean.free)
		line := fmt.Sprintf("%s week %d %s on time %.0f/%.0f completeness %.6f/%.0f pickup %.0f/%.0f free %.0f weight %.0f", k.shop, k.week, p.name,
			s.onTime, s.promised, s.completeness, s.counted, s.pickedUp, s.pickupDue, s.free, weight)
		if weight > 0 {
			line += fmt.Sprintf(" lts %.6f smoothed %.6f", 100*raw/weight, 100*smoothed/weight)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// known leaves out the scans after an hour.
func known(world []scoreParcel, until int) []scoreParcel {
	for i := range world {
		world[i].scans = slices.DeleteFunc(world[i].scans, func(s scoreScan) bool { return s.hour > until })
	}
	return world
}

// randomWorld makes n parcels and orders of shop A (US), B (US or GB) and C (GB),
// in two or three weeks.
func randomWorld(rng *rand.Rand, n int) (world []scoreParcel) {
	chance := func(percent int) bool { return rng.IntN(100) < percent }
	for i := range n {
		p := scoreParcel{name: fmt.Sprintf("%c%04d", 'A'+i%3, i), market: "US", order: map[schemas.OrderKind]int{}}
		if i%3 == 2 || i%3 == 1 && chance(50) {
			p.market = "GB"
		}
		created := rng.IntN(300)
		p.order[schemas.OrderCreated] = created
		if chance(90) {
			p.order[schemas.OrderConfirmed] = created + rng.IntN(30)
		}
		if chance(20) {
			p.promise = created + 60 + rng.IntN(180)
		}
		if chance(5) {
			p.order[schemas.OrderCancelled] = created + rng.IntN(60)
		}
		if chance(93) {
			p.order[schemas.OrderLabelCreated] = created + rng.IntN(20)
			p.scans = randomScans(rng, created+20)
		}
		world = append(world, p)
	}
	return world
}

func randomScans(rng *rand.Rand, hour int) (scans []scoreScan) {
	chance := func(percent int) bool { return rng.IntN(100) < percent }
	next := func(m schemas.Milestone) {
		hour += 1 + rng.IntN(28)
		if chance(6) {
			hour += 30 + rng.IntN(100)
		}
		scans = append(scans, scoreScan{m, hour})
	}
	for _, m := range []schemas.Milestone{schemas.Accepted, schemas.ExportCustomsStarted, schemas.ExportCleared, schemas.DepartedOrigin,
		schemas.ArrivedDestination, schemas.ImportCustomsStarted, schemas.ImportCustomsHeld, schemas.ImportCleared, schemas.Misrouted,
		schemas.OutForDelivery, schemas.DeliveryAttempted, schemas.AvailableForPickup, schemas.Delivered} {
		rare := m == schemas.ImportCustomsHeld || m == schemas.Misrouted || m == schemas.DeliveryAttempted || m == schemas.AvailableForPickup
		switch {
		case chance(3):
			return scans
		case chance(2):
			next(schemas.Lost)
			return scans
		case chance(2) && len(scans) > 0:
			next(schemas.ReturnStarted)
			next(schemas.Returned)
			return scans
		case m == schemas.Delivered || rare && chance(8) || !rare && chance(85):
			next(m)
		}
	}
	return scans
}
