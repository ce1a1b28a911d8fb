package oracle

import (
	"cmp"
	"slices"

	"scantrail/schemas"
)

// Evaluate returns what Go makes of a case: every alert that is called for in
// the end, those at risk included.
func (c *Case) Evaluate(docs []Document) []Alert {
	var out []Alert
	add := func(entity string, alerts []Alert) {
		for _, a := range alerts {
			a.Seed, a.Entity = c.Seed, entity
			out = append(out, a)
		}
	}
	d := &docs[c.Doc]
	for _, o := range c.allOrders() {
		key := OrderKey(o.shop, o.id)
		add(key, judgeOrder(d, o, c.Clocks[c.Home(key)].S, nil).alerts)
	}
	c.each(func(root string, u *union, k Clock) {
		add(root, judgeParcel(d, u, k).alerts)
	})
	return out
}

func (c *Case) allOrders() []*order {
	facts := map[[2]string][]schemas.OrderFact{}
	for i := range c.Orders {
		o := &c.Orders[i]
		facts[[2]string{o.ShopID, o.OrderID}] = append(facts[[2]string{o.ShopID, o.OrderID}], *o)
	}
	var all []*order
	for key, list := range facts {
		all = append(all, newOrder(key[0], key[1], list))
	}
	slices.SortFunc(all, func(a, b *order) int { return cmp.Or(cmp.Compare(a.shop, b.shop), cmp.Compare(a.id, b.id)) })
	return all
}

// each calls f for every union that is not quarantined and of which anything is known.
func (c *Case) each(f func(root string, u *union, k Clock)) {
	e := entities{}
	for i := range c.Scans {
		e.scan(c.Scans[i].TrackingNumber, &c.Scans[i])
	}
	orders := c.allOrders()
	quarantined := c.Quarantined()
	for n, u := range c.Unions() {
		if n != u.Root || quarantined[n] {
			continue
		}
		facts := map[schemas.ID]*fact{}
		one := union{orders: ofUnion(orders, u.Numbers), linked: len(u.Numbers) > 1}
		for _, m := range u.Numbers {
			for id, f := range e[m] {
				facts[id] = f
				one.failed = one.failed || f.invalid
			}
		}
		one.facts = sorted(facts, func(id schemas.ID) bool { return slices.Contains(c.Voids, id) })
		f(u.Root, &one, c.Clocks[c.Home(u.Root)])
	}
}

// entities is facts by the number under which they came.
type entities map[string]map[schemas.ID]*fact

func (e entities) scan(home string, s *schemas.Event) {
	of := e[home]
	if of == nil {
		of = map[schemas.ID]*fact{}
		e[home] = of
	}
	f := newFact(s)
	if known := of[f.id]; known != nil {
		known.merge(f)
	} else {
		of[f.id] = &f
	}
}

// under is an order of which all facts came to a parcel under one number.
func (o *order) under(number string) *order {
	own := *o
	own.facts = slices.Clone(o.facts)
	for i := range own.facts {
		own.facts[i].TrackingNumbers = []string{number}
	}
	return &own
}

// ofUnion returns copies of the orders that name a number of a union.
func ofUnion(all []*order, numbers []string) []*order {
	var list []*order
	for _, o := range all {
		var named []string
		for i := range o.facts {
			for _, n := range o.facts[i].TrackingNumbers {
				if slices.Contains(numbers, n) {
					named = append(named, n)
				}
			}
		}
		if len(named) > 0 {
			list = append(list, o.under(slices.Min(named)))
		}
	}
	return list
}

// latest leaves out what a later life calls for as well.
func latest(alerts []Alert, judges []*judge) (kept []Alert, of []*judge) {
	for i, a := range alerts {
		if !slices.ContainsFunc(alerts[i+1:], func(b Alert) bool { return a.Family == b.Family && a.Number == b.Number && a.Anchor == b.Anchor }) {
			kept, of = append(kept, a), append(of, judges[i])
		}
	}
	return kept, of
}
