package detector

import (
	"cmp"
	"math"

	"scantrail/schemas"
)

// scorePart fills in what scores need of a life besides: the deadlines that the
// policy sets it, which SQL cannot compute (working days, holiday mode), and the
// day to which it belongs. v is its verdict under r at second now.
func (v *verdict) scorePart(l *life, r *rules, now uint32, row *schemas.ParcelRow) {
	row.FirstException, row.FirstExceptionAt = v.exception, millis(v.exceptionAt)
	if v.exception == schemas.Delivered { // on the way back
		row.FirstException = schemas.Returned
	}
	row.SilentCustomsSecs = v.silentCustoms
	var began uint32
	if len(l.facts) > 0 {
		began = l.facts[0].sec
		row.FirstScanAt = millis(began)
	}
	day := began
	if len(l.main) > 0 {
		d := v.docket(l.main, l.texts, r)
		row.PromisedAt, row.DeliverBy = v.promiseBy(&d)
		row.PickupBy = v.lastMoment(&d, pickupLate, d.first[r.rule(pickupLate).from])
		if textOf(l.texts, d.source) == labelPlatform {
			row.CollectBy = v.lastMoment(&d, carrierPickupLate, d.first[schemas.OrderReadyToShip])
		}
		if day = d.at(schemas.OrderCreated); day == 0 {
			day = cmp.Or(began, l.main[0].at)
		}
	}
	row.CohortDay = r.calendar.day(day)
	if row.MaturesAt = row.DeliverBy; row.MaturesAt == 0 && r.maturity > 0 {
		row.MaturesAt = millis(saturate(cmp.Or(began, day), r.maturity))
	}
	v.scored(r, now, row)
}

// scored fills in what counts of an open parcel: of what time alone adds, what it
// added before the parcel was mature.
func (v *verdict) scored(r *rules, now uint32, row *schemas.ParcelRow) {
	row.ScoredDue, row.ScoredGaps72h = v.due, v.gaps72
	if v.ended {
		return
	}
	mature := uint32(math.MaxUint32)
	if row.MaturesAt != 0 {
		mature = seconds(row.MaturesAt)
	}
	if limits := r.limits(v.sinceStage, v.lane); v.since != 0 && limits.open != math.MaxUint32 {
		row.SilentFrom = millis(saturate(v.since, limits.open))
		until := saturate(v.since, limits.escalate)
		if v.gaps72 > 0 && v.gaps72 < math.MaxUint8 && now >= until && until > mature {
			row.ScoredGaps72h--
		}
	}
	for i := range r.required {
		bit, need := uint8(1)<<i, &r.required[i]
		overdueAlone := v.due&bit != 0 && (v.seen.bits(satisfiesAt)|v.seen.bits(passesAt))&bit == 0 && need.milestone > v.furthest
		if overdueAlone && saturate(v.seenAt[startsAt+i], need.after) >= mature {
			row.ScoredDue &^= bit
		}
	}
}

// orderScores is scorePart of an order.
func (v *verdict) orderScores(facts []orderFact, texts []string, r *rules, row *schemas.OrderRow) {
	row.Policy, row.PolicyNumber = r.policy.Name, r.set.number
	if len(facts) == 0 {
		return
	}
	v.reset()
	v.lane = mainLane(facts)
	d := v.docket(facts, texts, r)
	row.ConfirmBy = v.lastMoment(&d, confirmLate, d.first[schemas.OrderCreated])
	row.PromisedAt, row.DeliverBy = v.promiseBy(&d)
	day := d.at(schemas.OrderCreated)
	if day == 0 {
		day = facts[0].at
	}
	row.CohortDay = r.calendar.day(day)
}

// docket puts together what the deadlines of an order depend on.
func (v *verdict) docket(facts []orderFact, texts []string, r *rules) docket {
	d := docket{orderView: view(facts), rules: r, facts: facts, texts: texts}
	if d.market == 0 {
		d.market = v.lane.destination()
	}
	return d
}

// promiseBy returns the promised delivery and the last moment of one in time, in
// Unix milliseconds; 0 is none.
func (v *verdict) promiseBy(d *docket) (promised, by int64) {
	a := v.promiseOf(d)
	if a.sec == 0 || a.sec == math.MaxUint32 {
		return 0, 0
	}
	return millis(a.sec), v.lastMoment(d, deliveredLate, a)
}

// lastMoment returns the deadline of a rule in Unix milliseconds, 0 where there
// is none.
func (v *verdict) lastMoment(d *docket, f family, a anchor) int64 {
	l := d.rules.rule(f)
	if !l.on || a.sec == 0 {
		return 0
	}
	t := d.rules.calendar.deadline(a.sec, l, v.holidays(d, f))
	if t == math.MaxUint32 {
		return 0
	}
	return millis(t)
}

// day returns the date of an instant in the calendar's zone, in days since
// 1970-01-01.
func (c *calendar) day(sec uint32) uint16 {
	return uint16(min(max((int64(sec)+c.offset(int64(sec)))/daySeconds, 0), math.MaxUint16))
}
