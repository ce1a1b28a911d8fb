package detector

import "slices"

// A scan of a parcel that was judged before waits for the next tick beside the
// parcel, and both are looked at once: the facts are decoded for the judgement
// anyway, and then show whether the scan is new. Nobody else notices: what reads or
// changes the facts of such a parcel has all that waits heard first.

// waiting is a scan that its parcel has not been given yet.
type waiting struct {
	fact fact
	slot uint32
	nth  uint16 // of those that wait for its parcel
	news bool   // the parcel had other news when the first of them came
}

const (
	// maxWaiting bounds what waits where ticks are rare: while a backlog is read.
	maxWaiting = 8192
	// nearWaiting is how far back the scan before is looked for: an answer of a
	// carrier holds all those of one parcel, one after the other.
	nearWaiting = 64
	// Parcels of so many bytes have at most half of the facts that they may have,
	// and no more than the other half waits: what waits never fills a parcel.
	maxWaitingSize = MaxFacts / 2 * minFact
	maxWaitingEach = MaxFacts / 2
)

// wait has scan f of e wait for the next tick. It reports false where e must have it
// now, and then nothing waits for e.
func (m *Machine) wait(i uint32, e *entity, f *fact) bool {
	if !e.is(entityRow) || int(e.size) > maxWaitingSize || m.answering || m.impatient || !m.ready() {
		m.hearOf(e)
		return false
	}
	w := waiting{fact: *f, slot: i, nth: 1, news: e.is(entityPending)}
	if e.is(entityWaiting) {
		w.nth = m.waitingOf(i) + 1
	}
	if w.nth == 0 || w.nth > maxWaitingEach || len(m.waiting) == maxWaiting {
		m.hearAll()
		w.nth, w.news = 1, e.is(entityPending)
	}
	m.waiting = append(m.waiting, w)
	e.flags |= entityPending | entityWaiting
	return true
}

// waitingOf returns how many scans wait for a parcel, MaxUint16 where the last of
// them is not near.
func (m *Machine) waitingOf(i uint32) uint16 {
	for k := len(m.waiting) - 1; k >= max(0, len(m.waiting)-nearWaiting); k-- {
		if w := &m.waiting[k]; w.slot == i {
			return w.nth
		}
	}
	return 1<<16 - 1
}

// hearOf gives e what waits for it, and all others theirs.
func (m *Machine) hearOf(e *entity) {
	if e.is(entityWaiting) {
		m.hearAll()
	}
}

// hearAll gives every parcel what waits for it.
func (m *Machine) hearAll() {
	m.due = m.due[:0]
	m.wake()
	m.eachDue(func(i uint32, e *entity, turns []turn) {
		if _, other := m.hear(e, turns); e.is(entityPending) && !other {
			m.pending = append(m.pending, i)
		}
	})
}

// eachDue visits the entities whose turns have come, in the order of their slots:
// that order survives a restore. Nothing waits any more afterwards.
func (m *Machine) eachDue(visit func(i uint32, e *entity, turns []turn)) {
	m.sortDue()
	for k, warm := 0, 0; k < len(m.due); {
		if k >= warm {
			warm = m.warmDue(warm)
		}
		turns := m.turnsOf(k)
		k += len(turns)
		visit(slotOf(turns[0]), m.entities.at(slotOf(turns[0])), turns)
	}
	m.waiting = m.waiting[:0]
}

// hear gives e the scans that wait for it, whose turns have come, and returns its
// facts. other says that it had other news too.
func (m *Machine) hear(e *entity, turns []turn) (facts []fact, other bool) {
	facts, t, ok := readTail(m.encoded(e), e.opened, m.facts[:0])
	if !ok {
		panic("detector: facts of a parcel do not decode: memory is damaged")
	}
	m.buf = m.buf[:0]
	changed, anew := false, false
	for _, n := range turns {
		w := m.waitingAt(n)
		if w == nil {
			continue
		}
		if w.nth == 1 {
			other = w.news
		}
		if !anew && isNewest(facts, &w.fact) {
			m.buf = appendFact(m.buf, &w.fact, &t)
			t.follow(&w.fact)
			facts = append(facts, w.fact)
			changed = true
			continue
		}
		was := false
		if facts, was = m.merge(facts, &w.fact); was {
			changed, anew = true, true
		}
	}
	m.facts = facts
	e.flags &^= entityWaiting
	switch {
	case anew:
		m.buf = appendFacts(m.buf[:0], e.opened, facts)
		s := m.sections(e)
		s.facts = m.buf
		if !m.store(e, s) {
			panic("detector: scans that waited for a parcel do not fit: the bounds are wrong")
		}
	case changed:
		e.blob = m.blobs.extend(e.blob, int(e.size), m.buf)
		e.size += uint16(len(m.buf))
	case !other:
		e.flags &^= entityPending
	}
	return facts, other
}

// isNewest reports whether f is none of the facts and the last in order.
func isNewest(facts []fact, f *fact) bool {
	n := len(facts)
	if n > 0 && compareFacts(&facts[n-1], f) > 0 {
		return false
	}
	for i := range facts {
		if facts[i].id == f.id {
			return false
		}
	}
	return true
}

// turn is when an entity is looked at: its slot, in whose order all are, and the
// place plus 1 of a scan that waits for it, 0 for any other reason.
type turn uint64

func turnOf(slot uint32, waiting int) turn { return turn(slot)<<32 | turn(waiting) }

func slotOf(t turn) uint32 { return uint32(t >> 32) }

func (m *Machine) waitingAt(t turn) *waiting {
	if n := uint32(t); n > 0 {
		return &m.waiting[n-1]
	}
	return nil
}

// wake has the turns of all come for which something waits.
func (m *Machine) wake() {
	for k := range m.waiting {
		m.due = append(m.due, turnOf(m.waiting[k].slot, k+1))
	}
}

// turnsOf returns the turns of one entity, whose first is the k-th.
func (m *Machine) turnsOf(k int) []turn {
	slot, end := slotOf(m.due[k]), k+1
	for end < len(m.due) && slotOf(m.due[end]) == slot {
		end++
	}
	return m.due[k:end]
}

// sortDue sorts the turns by slot. Those of one slot stay in the order in which
// they came.
func (m *Machine) sortDue() {
	const bits, few = 12, 256
	if len(m.due) < few {
		slices.SortStableFunc(m.due, func(a, b turn) int { return int(slotOf(a)) - int(slotOf(b)) })
		return
	}
	m.due2 = slices.Grow(m.due2[:0], len(m.due))[:len(m.due)]
	for shift := 32; m.entities.n>>(shift-32) != 0; shift += bits {
		var ends [1<<bits + 1]uint32
		for _, t := range m.due {
			ends[t>>shift&(1<<bits-1)+1]++
		}
		for d := range 1 << bits {
			ends[d+1] += ends[d]
		}
		for _, t := range m.due {
			d := t >> shift & (1<<bits - 1)
			m.due2[ends[d]] = t
			ends[d]++
		}
		m.due, m.due2 = m.due2, m.due
	}
}

// warmDue asks for the memory of the turns from the k-th on, which are all looked at
// before it is called again with what it returns: the blobs of these, whose slots it
// asked for the time before, and the slots of the next.
func (m *Machine) warmDue(k int) int {
	const ahead = 64
	last := ^uint32(0)
	each := func(turns []turn, warm func(*entity)) {
		for _, t := range turns {
			if slot := slotOf(t); slot != last {
				warm(m.entities.at(slot))
				last = slot
			}
		}
	}
	if k == 0 {
		each(m.due[:min(ahead, len(m.due))], warmSlot)
	}
	end := min(k+ahead, len(m.due))
	each(m.due[k:end], m.warmBlob)
	each(m.due[end:min(end+ahead, len(m.due))], warmSlot)
	return end
}
