package detector

import (
	"cmp"
	"slices"
)

// judge evaluates every life of an entity, publishes what changed, makes its row
// newer where it has news or an alert changed, and files its next deadline or
// has it leave. facts are those of a parcel where they are decoded already.
func (m *Machine) judge(i uint32, e *entity, facts []fact, out *Output) {
	m.ordinal = 0
	news := e.is(entityPending | entityPutOff)
	e.flags &^= entityPending | entityPutOff
	v, end := &m.verdict, uint32(0)
	var lives []life
	if e.is(entityOrder) {
		m.lives = append(m.lives[:0], life{main: m.ordersOf(e)})
		lives = m.lives
		orders := lives[0].main
		m.setPolicy(e, m.choose(m.inForce, e, &lives[0]))
		v.evaluateOrder(orders, m.texts.list, hasNumber(orders), m.policies[e.policy], m.nowOf(e))
	} else {
		if facts == nil {
			facts = m.factsOf(e)
		}
		lives = m.livesFrom(e, facts)
		m.evaluateLives(e, lives)
		m.setEnded(e, v.ended)
		if v.ended {
			end = v.end
		}
		m.noteLives(e, lives)
	}
	changed := m.settle(e, lives, news, out)
	last := &lives[len(lives)-1]
	m.announce(e, last, out)
	// Of what has no row yet and only links or withdrawn scans, nothing is known.
	unheard := !e.is(entityRow) && len(last.facts) == 0 && !e.is(entityOrders)
	if (changed || news) && !unheard {
		m.touch(i, e)
	}
	m.rest(i, e, end)
}

// evaluateLives leaves in the verdict what the last life says, with the alerts
// and the next deadline of all. Each life is judged by its own policy: one of
// those in force, or, after the end of the last, of the document that it ended
// under.
func (m *Machine) evaluateLives(e *entity, lives []life) {
	set := m.documentOf(e)
	policy := m.evaluateUnder(set, e, lives)
	if !m.verdict.ended && set != m.inForce { // its trail goes on
		policy = m.evaluateUnder(m.inForce, e, lives)
	}
	m.setPolicy(e, policy)
}

func (m *Machine) evaluateUnder(set *ruleSet, e *entity, lives []life) (policy uint8) {
	v, now := &m.verdict, m.nowOf(e)
	m.older = m.older[:0]
	deadline := uint32(0)
	n := len(lives) - 1
	for i := range lives[:n] {
		v.evaluate(&lives[i], m.policies[m.choose(set, e, &lives[i])], now)
		m.older = append(m.older, v.wanted...)
		for k := len(m.older) - len(v.wanted); k < len(m.older); k++ {
			m.older[k].life = uint8(i)
		}
		if v.deadline != 0 && (deadline == 0 || v.deadline < deadline) {
			deadline = v.deadline
		}
	}
	policy = m.choose(set, e, &lives[n])
	v.evaluate(&lives[n], m.policies[policy], now)
	if n > 0 {
		for k := range v.wanted {
			v.wanted[k].life = uint8(n)
		}
		v.wanted = mergeWanted(v.wanted, m.older)
	}
	if deadline != 0 {
		v.wake(deadline)
	}
	return policy
}

// mergeWanted puts alerts of several lives in order. Should two lives call for
// the same one, the later life counts.
func mergeWanted(last, older []wanted) []wanted {
	all := append(last, older...)
	slices.SortStableFunc(all, func(a, b wanted) int { return cmp.Or(compareWanted(&a, &b), cmp.Compare(b.life, a.life)) })
	return slices.CompactFunc(all, func(a, b wanted) bool { return compareWanted(&a, &b) == 0 })
}

// noteLives fixes the opening time of the row of every life. A new life has
// reached no stage yet.
func (m *Machine) noteLives(e *entity, lives []life) {
	if len(lives) == 1 && !e.is(entityMore) {
		return
	}
	x := m.moreOf(e)
	known := len(x.keys) + 1
	for n := known; n < len(lives); n++ {
		key := e.opened + uint32(n)
		if l := &lives[n]; len(l.facts) > 0 {
			key = l.facts[0].sec
		} else if len(l.main) > 0 {
			key = l.main[0].at
		}
		for key == e.opened || slices.Contains(x.keys, key) {
			key++
		}
		x.keys = append(x.keys, key)
	}
	if len(lives) > known {
		m.setMore(e, &x)
		e.stages = 0
	}
}

// rest files the next second at which e is looked at: its verdict changes by
// itself, or it leaves. end is when its last life ended, 0 while it goes on.
func (m *Machine) rest(i uint32, e *entity, end uint32) {
	deadline := m.verdict.deadline
	if deadline == 0 {
		if deadline = m.over(e, end); m.now() >= deadline {
			m.leave(i, e)
			return
		}
	}
	m.arm(i, e, deadline)
}
