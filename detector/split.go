package detector

import (
	"cmp"
	"slices"

	"scantrail/schemas"
)

// livesOf decodes what e holds into the lives of its number, in the machine's
// scratch: one for nearly all, more where a number was used again.
func (m *Machine) livesOf(e *entity) []life { return m.livesFrom(e, m.factsOf(e)) }

// livesFrom is livesOf of an entity whose facts are decoded. It moves them.
func (m *Machine) livesFrom(e *entity, facts []fact) []life {
	for i := range facts {
		if facts[i].void() {
			facts = slices.DeleteFunc(facts, func(f fact) bool { return f.void() })
			break
		}
	}
	m.lives = slices.Grow(m.lives[:0], 1)[:1]
	m.lives[0] = life{} // in place: a copy of the whole would wait for what was just written
	m.lives[0].facts = facts
	if n := len(facts); n > 0 && facts[n-1].sec-facts[0].sec >= newLifeAfter {
		m.splitLives(facts)
	}
	if e.is(entityOrders) {
		m.assign(m.ordersOf(e))
	}
	n := len(m.lives)
	m.lives[n-1].last = true
	for i := range m.lives {
		l := &m.lives[i]
		l.places, l.texts = m.places.list, m.texts.list
		// The check is that of the last life with scans.
		l.badNumber = e.is(entityBadNumber) && len(l.facts) > 0 && (i == n-1 || len(m.lives[i+1].facts) == 0)
	}
	return m.lives
}

// begins reports whether a scan can be the first of a life.
func (f *fact) begins() bool {
	return f.milestone == schemas.Accepted || f.milestone.Stage() == schemas.StageAnnounced
}

// splitLives cuts the facts where a life begins.
func (m *Machine) splitLives(facts []fact) {
	m.lives = m.lives[:0]
	var end trailEnd
	from := 0
	for i := range facts {
		f := &facts[i]
		if i > from && f.begins() && len(m.lives) < maxLives-1 &&
			(f.sec-facts[i-1].sec >= expired || end.at() != 0 && f.sec-end.at() >= newLifeAfter) {
			m.lives = append(m.lives, life{facts: facts[from:i:i]})
			from, end = i, trailEnd{}
		}
		end.step(f)
	}
	m.lives = append(m.lives, life{facts: facts[from:]})
}

// trailEnd walks over the facts of a life, in order, and knows when its trail
// ended so far.
type trailEnd struct {
	soft uint32 // lost or tracking_ended, since when nothing went on; 0 is none
	hard uint32 // the first other end
}

func (t *trailEnd) step(f *fact) {
	if f.milestone == schemas.ReturnStarted {
		*t = trailEnd{}
	}
	if f.progress() {
		t.soft = 0
	}
	switch f.milestone {
	case schemas.Delivered, schemas.Destroyed, schemas.Cancelled, schemas.Returned:
		if t.hard == 0 {
			t.hard = f.sec
		}
	case schemas.Lost, schemas.TrackingEnded:
		if t.hard == 0 && t.soft == 0 {
			t.soft = f.sec
		}
	}
}

// at returns when the trail ended, 0 where it goes on. A soft end comes before a
// hard one.
func (t *trailEnd) at() uint32 {
	if t.soft != 0 {
		return t.soft
	}
	return t.hard
}

func endOf(facts []fact) uint32 {
	var end trailEnd
	for i := range facts {
		end.step(&facts[i])
	}
	return end.at()
}

// group is the facts of one order under a number.
type group struct {
	first int // of its facts, which stand together
	n     int
	label bool
	at    uint32 // of its earliest label, else of its earliest fact
}

// assign gives each life the facts of its order. All orders stay with the last
// one as well.
func (m *Machine) assign(orders []orderFact) {
	if len(m.lives) == 1 && oneOrder(orders) {
		l := &m.lives[0]
		if len(l.facts) == 0 || groupAt(orders, 0).at < saturate(l.facts[0].sec, newLifeAfter) {
			l.main, l.orders = orders, orders
			return
		}
	}
	sorted := append(m.sorted[:0], orders...)
	slices.SortStableFunc(sorted, func(a, b orderFact) int {
		return cmp.Or(cmp.Compare(m.texts.list[a.shop], m.texts.list[b.shop]), slices.Compare(a.orderID, b.orderID))
	})
	m.sorted = sorted
	ends := make([]uint32, len(m.lives))
	for i := range m.lives {
		ends[i] = endOf(m.lives[i].facts)
	}
	mains := make([]group, len(m.lives)+1)
	for from := 0; from < len(sorted); {
		g := groupAt(sorted, from)
		if main := &mains[lifeOf(g.at, ends)]; main.n == 0 || g.before(main) {
			*main = g
		}
		from += g.n
	}
	if mains[len(m.lives)].n > 0 {
		m.lives = append(m.lives, life{})
	}
	for i := range m.lives {
		if g := mains[i]; g.n > 0 {
			m.lives[i].main = sorted[g.first : g.first+g.n]
		}
	}
	m.lives[len(m.lives)-1].orders = orders
}

func oneOrder(orders []orderFact) bool {
	for i := range orders {
		if !orders[i].sameOrder(&orders[0]) {
			return false
		}
	}
	return true
}

func groupAt(sorted []orderFact, from int) group {
	g := group{first: from, at: sorted[from].at}
	for i := from; i < len(sorted) && sorted[i].sameOrder(&sorted[from]); i++ {
		g.n++
		if sorted[i].kind == schemas.OrderLabelCreated && !g.label {
			g.label, g.at = true, sorted[i].at
		}
	}
	return g
}

// before orders the orders of one life: the first of them is its main one.
// Groups come by shop and order id, so that equal ones stay as they are.
func (g *group) before(o *group) bool {
	if g.label != o.label {
		return g.label
	}
	return g.at < o.at
}

// lifeOf returns the life that an order of time at belongs to: the number of
// lives stands for one without scans.
func lifeOf(at uint32, ends []uint32) int {
	for i, end := range ends {
		if end == 0 || end >= at {
			return i
		}
	}
	n := len(ends)
	if at-ends[n-1] < newLifeAfter {
		return n - 1
	}
	return n
}
