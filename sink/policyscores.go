package sink

import (
	"context"
	"time"

	"scantrail/schemas"
)

// policyScoreBlock is a block of policy_scores.
type policyScoreBlock struct {
	block
	number                                      u32s
	policy                                      strs
	milestones, silence                         u8s
	onTime, completeness, pickup, exceptionFree u8s
	completenessRequired, ltsRequired           u8s
	exposure, kpi, confirmAllowed               u8s
	smoothing, maturity, gapOpen, gapEscalate   u32s
	publish                                     u32s
	deliveredSecs, pickupSecs, collect, confirm u32s
	deliveredDays, pickupDays                   u16s
	collectDays, confirmDays                    u16s
	pickupSince, zone                           strs
	promiseMarkets, required                    arrays
	promiseSecs, promiseDays, weekend, holidays numbers
}

func newPolicyScoreBlock() *policyScoreBlock {
	b := &policyScoreBlock{}
	b.block = newBlock("policy_scores",
		u32Col("number", &b.number), strCol("policy", &b.policy),
		u8Col("milestones_weight", &b.milestones), u8Col("silence_weight", &b.silence),
		u8Col("on_time_weight", &b.onTime), u8Col("completeness_weight", &b.completeness),
		u8Col("pickup_weight", &b.pickup), u8Col("exception_free_weight", &b.exceptionFree),
		u8Col("completeness_required", &b.completenessRequired), u8Col("lts_required", &b.ltsRequired),
		u8Col("exposure_lost", &b.exposure), u8Col("ship_kpi_required", &b.kpi), u8Col("confirm_late_allowed", &b.confirmAllowed),
		u32Col("smoothing", &b.smoothing), u32Col("maturity_secs", &b.maturity), u32Col("publish_after_secs", &b.publish),
		u32Col("gap_open_secs", &b.gapOpen), u32Col("gap_escalate_secs", &b.gapEscalate),
		u32Col("delivered_late_secs", &b.deliveredSecs), u16Col("delivered_late_days", &b.deliveredDays),
		u32Col("pickup_late_secs", &b.pickupSecs), u16Col("pickup_late_days", &b.pickupDays), strCol("pickup_late_since", &b.pickupSince),
		u32Col("collect_secs", &b.collect), u16Col("collect_days", &b.collectDays),
		u32Col("confirm_late_secs", &b.confirm), u16Col("confirm_late_days", &b.confirmDays),
		arrCol("promise_markets", &b.promiseMarkets), numsCol("promise_secs", &b.promiseSecs), numsCol("promise_days", &b.promiseDays),
		arrCol("milestones", &b.required), strCol("zone", &b.zone), numsCol("weekend", &b.weekend), numsCol("holidays", &b.holidays))
	return b
}

// add appends the policies of a control record. One that this program cannot
// read stops its detector as well, so that no row refers to it.
func (b *policyScoreBlock) add(c *schemas.Control) {
	doc, err := schemas.ParsePolicies([]byte(c.Policy))
	if err != nil {
		return
	}
	for i := range doc.List {
		b.addPolicy(c.Number, &doc.List[i])
	}
}

func (b *policyScoreBlock) addPolicy(number uint32, p *schemas.Policy) {
	b.rows++
	b.number.add(number)
	b.policy.add(p.Name)
	b.addScore(&p.Score)
	b.gapOpen.add(wholeSeconds(p.Gap.Open))
	b.gapEscalate.add(wholeSeconds(p.Gap.Escalate))
	for _, l := range []struct {
		limit schemas.Limit
		secs  *u32s
		days  *u16s
	}{
		{p.DeliveredLate.After, &b.deliveredSecs, &b.deliveredDays}, {p.PickupLate.After, &b.pickupSecs, &b.pickupDays},
		{p.CarrierPickupLate.After, &b.collect, &b.collectDays}, {p.ConfirmLate.After, &b.confirm, &b.confirmDays},
	} {
		l.secs.add(wholeSeconds(l.limit.Duration))
		l.days.add(uint16(l.limit.WorkingDays))
	}
	b.pickupSince.add(p.PickupLate.Since.String())
	b.addPromises(p.Promise)
	var milestones []string
	for i := range p.Milestones {
		milestones = append(milestones, p.Milestones[i].Milestone.String())
	}
	b.required.add(milestones)
	b.addCalendar(&p.Calendar)
}

func (b *policyScoreBlock) addScore(s *schemas.ScoreRule) {
	for _, n := range []struct {
		col   *u8s
		value int
	}{
		{&b.milestones, s.MilestonesWeight}, {&b.silence, s.SilenceWeight}, {&b.onTime, s.OnTimeWeight},
		{&b.completeness, s.CompletenessWeight}, {&b.pickup, s.PickupWeight}, {&b.exceptionFree, s.ExceptionFreeWeight},
		{&b.completenessRequired, s.CompletenessRequired}, {&b.ltsRequired, s.LTSRequired},
		{&b.exposure, s.ExposureLost}, {&b.kpi, s.ShipKPIRequired}, {&b.confirmAllowed, s.ConfirmLateAllowed},
	} {
		n.col.add(uint8(n.value))
	}
	b.smoothing.add(uint32(s.Smoothing))
	b.maturity.add(wholeSeconds(s.Maturity))
	b.publish.add(wholeSeconds(s.PublishAfter))
}

// addPromises writes one element for each market, in the order in which they are
// looked at.
func (b *policyScoreBlock) addPromises(list []schemas.PromiseRule) {
	var markets []string
	var secs, days []uint32
	for _, r := range list {
		names := r.Markets
		if len(names) == 0 {
			names = []string{""}
		}
		for _, m := range names {
			markets = append(markets, m)
			secs = append(secs, wholeSeconds(r.Within.Duration))
			days = append(days, uint32(r.Within.WorkingDays))
		}
	}
	b.promiseMarkets.add(markets)
	b.promiseSecs.add(secs)
	b.promiseDays.add(days)
}

func (b *policyScoreBlock) addCalendar(c *schemas.Calendar) {
	b.zone.add(c.Zone)
	var weekend, holidays []uint32
	for _, d := range c.Weekend {
		weekend = append(weekend, uint32((d+6)%7+1)) // ClickHouse counts from Monday, 1
	}
	for _, d := range c.Holidays {
		holidays = append(holidays, uint32(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix()/86400))
	}
	b.weekend.add(weekend)
	b.holidays.add(holidays)
}

// wholeSeconds rounds down, as the detector does.
func wholeSeconds(d time.Duration) uint32 { return uint32(d / time.Second) }

// InsertPolicies writes the policies of a control record into policy_scores, as
// the sink does when it reads one.
func (w *Rows) InsertPolicies(ctx context.Context, c *schemas.Control) error {
	b := newPolicyScoreBlock()
	b.add(c)
	return b.insert(ctx, w.conn, &w.buf)
}
