package shops

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
	"scantrail/sink/watch"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// alertWeeks is how long a published week can raise, change or keep open an
// alert: half a year, after which nobody can mend it any more.
const alertWeeks = 26

// causes holds the rules, and the cause of each.
func causes() map[string]string {
	return map[string]string{
		schemas.RuleCompletenessLow: schemas.CauseShopTrails,
		schemas.RuleLTSLow:          schemas.CauseShopScore,
		schemas.RuleShipKPITwoWeeks: schemas.CauseShopPickups,
		schemas.RuleConfirmLateRate: schemas.CauseShopConfirms,
	}
}

// shopWeek names a week of orders of a shop by the Unix milliseconds of its
// Monday, 00:00 UTC.
type shopWeek struct {
	shop string
	week int64
}

// breach is a rule that a published week breaks, by all that is known now.
type breach struct {
	shopWeek
	rule, policy string
	better       int64 // first published week after it that keeps the rule; 0: none yet
	overdue      bool  // it was over long before anybody published scores
}

func (b *breach) alertID() schemas.ID {
	return schemas.Hash([]byte(b.rule + ":" + b.shop + "\n" + time.UnixMilli(b.week).UTC().Format(time.DateOnly)))
}

// key is the Kafka key of the shop's alerts. It cannot collide with a tracking
// number, which has no colon.
func key(a *schemas.Alert) string { return keyOf(a.ShopID) }

func keyOf(shop string) string { return "shop:" + shop }

// firstWeek is the earliest week that alerts are about at slot.
func firstWeek(slot int64) int64 {
	monday := (4 * day).Milliseconds() // 1970-01-05
	return slot - (slot-monday)%week.Milliseconds() - alertWeeks*week.Milliseconds()
}

// transitions compares the breaches at time slot (Unix milliseconds) with the
// alerts that there are, and returns what changes, in the order of shops, weeks
// and rules. complete says that breaches holds all: then an alert without one was
// disproved. Of a new alert backfill says only that
// its week was overdue: the rest is left to the caller.
func transitions(slot int64, generation uint16, breaches []breach, complete bool, alerts []schemas.Alert) (out []schemas.Alert) {
	known := map[schemas.ID]schemas.Alert{}
	for _, a := range alerts {
		known[a.AlertID] = a
	}
	first := firstWeek(slot)
	for i := range breaches {
		b := &breaches[i]
		was, is := known[b.alertID()]
		delete(known, b.alertID())
		if !is {
			out = append(out, watch.Stamp(b.opened(slot), generation, 0))
		} else if next, changed := b.next(was, slot); changed {
			out = append(out, watch.Stamp(next, generation, was.Version))
		}
	}
	for _, a := range known {
		switch before := a.Version; {
		case a.ChangedAt >= slot:
		case a.AnchorAt < first && watch.IsOpen(&a):
			a.Status, a.EndedAt, a.ChangedAt = schemas.AlertResolved, slot, slot
			out = append(out, watch.Stamp(a, generation, before))
		case a.AnchorAt >= first && complete && a.Status != schemas.AlertWithdrawn:
			a.Status, a.EndedAt, a.ChangedAt = schemas.AlertWithdrawn, 0, slot
			out = append(out, watch.Stamp(a, generation, before))
		}
	}
	slices.SortFunc(out, func(a, b schemas.Alert) int {
		return cmp.Or(strings.Compare(a.ShopID, b.ShopID), cmp.Compare(a.AnchorAt, b.AnchorAt), strings.Compare(a.Rule, b.Rule))
	})
	return out
}

// status is open until a later week keeps the rule, whose Monday is ended.
func (b *breach) status() (status schemas.AlertStatus, ended int64) {
	if b.better == 0 {
		return schemas.AlertOpen, 0
	}
	return schemas.AlertResolved, b.better
}

// opened returns the first transition of the alert. One that is first known after
// its end was never open.
func (b *breach) opened(slot int64) schemas.Alert {
	a := schemas.Alert{
		AlertID: b.alertID(), Home: schemas.Hash([]byte(keyOf(b.shop))), Rule: b.rule, Level: 1,
		ShopID: b.shop, AnchorAt: b.week, ChangedAt: slot, Cause: causes()[b.rule], Policy: b.policy, Backfill: b.overdue,
	}
	if a.Status, a.EndedAt = b.status(); a.Status == schemas.AlertOpen {
		a.OpenedAt = slot
	}
	return a
}

// next returns the alert as it is now.
func (b *breach) next(a schemas.Alert, slot int64) (schemas.Alert, bool) {
	status, ended := b.status()
	if a.ChangedAt >= slot || a.Status == status && a.EndedAt == ended {
		return a, false
	}
	a.Status, a.EndedAt, a.ChangedAt = status, ended, slot
	if status == schemas.AlertOpen && a.OpenedAt == 0 {
		a.OpenedAt = slot
	}
	return a, true
}
