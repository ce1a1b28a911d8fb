package oracle

import (
	"slices"

	"scantrail/schemas"
)

// onlyHistory says whether something is known of an entity, and all of it as history.
func (e *entity) onlyHistory() bool {
	known := len(e.facts) > 0
	for _, f := range e.facts {
		if !f.history {
			return false
		}
	}
	live := func(all []schemas.OrderFact) bool {
		known = known || len(all) > 0
		return slices.ContainsFunc(all, func(f schemas.OrderFact) bool { return !f.Backfill })
	}
	for _, all := range e.orders {
		if live(all) {
			return false
		}
	}
	return !live(e.own) && known
}

// Kept returns the numbers and the order keys that may be judged by policies of
// before, after others have come into force: parcels of which a life has ended,
// what has been silent so long that it was put away, and orders that wait for
// nothing more, which are put away two weeks after their last fact.
func (c *Case) Kept() map[string]bool {
	const silent, settled = 120 * day, 14 * day
	kept := map[string]bool{}
	of := c.Unions()
	c.each(func(root string, u *union, k Clock) {
		last := int64(0)
		for _, f := range u.facts {
			last = max(last, f.at)
		}
		for _, o := range u.orders {
			last = max(last, o.facts[len(o.facts)-1].At/1000)
		}
		keep := k.C >= last+silent
		for _, l := range assign(split(u.facts), u.orders) {
			keep = keep || l.ended
		}
		for _, n := range of[root].Numbers {
			kept[n] = keep
		}
	})
	for _, o := range c.allOrders() {
		key := OrderKey(o.shop, o.id)
		kept[key] = c.Clocks[c.Home(key)].C >= o.facts[len(o.facts)-1].At/1000+settled
	}
	return kept
}
