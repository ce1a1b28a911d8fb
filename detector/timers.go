package detector

// timers is a calendar of one-minute buckets, each a chain of blocks of slot
// numbers. A parcel is filed once, at or before its deadline: a scan that moves
// the deadline later does not touch the calendar, and the parcel is filed anew
// when its old minute comes. One that moves it earlier files the parcel a second
// time: what stands in a bucket that is not the parcel's own no longer counts.
type timers struct {
	buckets []uint32 // first block of each minute modulo ringMinutes, plus 1
	slabs   [][]timerBlock
	used    uint32 // blocks ever handed out
	free    uint32 // first of the blocks that were given back, plus 1
	minute  uint32 // minute of the clock
}

// timerBlock is one cache line.
type timerBlock struct {
	next  uint32 // plus 1
	n     uint32
	slots [14]uint32
}

const timerSlab = 1 << 8 // blocks

// ringMinutes is how far ahead the calendar reaches (22 days); a later deadline
// waits in its last bucket and is filed again from there.
const ringMinutes = 1 << 15

// start sets the minute of a calendar in which nothing is filed.
func (t *timers) start(now uint32) {
	if t.buckets == nil {
		t.buckets = make([]uint32, ringMinutes)
	}
	t.minute = now / 60
}

func (t *timers) block(i uint32) *timerBlock { return &t.slabs[i/timerSlab][i%timerSlab] }

func (t *timers) bytes() int64 { return int64(t.used) * int64(sizeOf(timerBlock{})) }

// file puts a slot into a bucket.
func (t *timers) file(bucket, slot uint32) {
	i := t.buckets[bucket]
	if i == 0 || int(t.block(i-1).n) == len(timerBlock{}.slots) {
		i = t.newBlock(i)
		t.buckets[bucket] = i
	}
	b := t.block(i - 1)
	b.slots[b.n] = slot
	b.n++
}

func (t *timers) newBlock(next uint32) uint32 {
	i := t.free
	if i != 0 {
		t.free = t.block(i - 1).next
	} else {
		if int(t.used) == len(t.slabs)*timerSlab {
			t.slabs = append(t.slabs, make([]timerBlock, timerSlab))
		}
		t.used++
		i = t.used
	}
	*t.block(i - 1) = timerBlock{next: next}
	return i
}

// arm makes sure that the parcel is looked at by second deadline; 0 is never.
func (m *Machine) arm(i uint32, p *entity, deadline uint32) {
	p.deadline = deadline
	if deadline == 0 || m.timers.buckets == nil {
		return
	}
	t := &m.timers
	ahead := min(max(deadline/60, t.minute)-t.minute, ringMinutes-1)
	if p.bucket != 0 && (uint32(p.bucket-1)-t.minute)%ringMinutes <= ahead {
		return
	}
	b := (t.minute + ahead) % ringMinutes
	p.bucket = uint16(b + 1)
	t.file(b, i)
}

// fire judges the parcels that have news and those whose deadline the clock has
// reached, in the order of their slots: that order survives a restore, the order
// within a bucket does not.
func (m *Machine) fire(out *Output) {
	now := m.now()
	m.due = m.due[:0]
	m.wake()
	for _, i := range m.pending {
		m.due = append(m.due, turnOf(i, 0))
	}
	m.pending = m.pending[:0]
	if !m.history {
		for _, i := range m.putOff {
			m.due = append(m.due, turnOf(i, 0))
		}
		m.putOff = m.putOff[:0]
	}
	for last := now / 60; ; m.timers.minute++ {
		m.collect(m.timers.minute, now)
		if m.timers.minute >= last {
			break
		}
	}
	m.eachDue(func(i uint32, e *entity, turns []turn) { m.look(i, e, turns, now, out) })
}

// look judges an entity whose turns have come, if there is anything to judge.
func (m *Machine) look(i uint32, e *entity, turns []turn, now uint32, out *Output) {
	var facts []fact
	if e.is(entityWaiting) {
		facts, _ = m.hear(e, turns)
	}
	switch {
	case e.flags&(entityFree|entityQuarantined) != 0: // quarantined since it had its news
	case e.is(entityMoved):
		if e.deadline > now {
			m.arm(i, e, e.deadline)
		} else {
			m.leave(i, e)
		}
	case !e.is(entityPending|entityPutOff) && (e.deadline == 0 || e.deadline > now):
		m.arm(i, e, e.deadline)
	case m.history && m.onlyHistory(e, facts):
		m.putItOff(i, e)
	default:
		m.judge(i, e, facts, out)
	}
}

// putItOff leaves e for the first tick after history has been read.
func (m *Machine) putItOff(i uint32, e *entity) {
	if e.is(entityPending) {
		if !e.is(entityPutOff) {
			m.putOff = append(m.putOff, i)
		}
		e.flags = e.flags&^entityPending | entityPutOff
	}
	m.arm(i, e, e.deadline)
}

// onlyHistory reports whether all that is known of e, of which something is, lay
// in the topics before Scantrail first read them, or was imported. facts are those of
// a parcel where they are decoded already.
func (m *Machine) onlyHistory(e *entity, facts []fact) bool {
	any := false
	if !e.is(entityOrder) {
		if facts == nil {
			facts = m.factsOf(e)
		}
		for i := range facts {
			if f := &facts[i]; f.sec != unseen || !f.void() {
				if any = true; f.flags&factBackfill == 0 {
					return false
				}
			}
		}
	}
	for _, o := range m.ordersOf(e) {
		if any = true; !o.backfill {
			return false
		}
	}
	return any
}

// collect takes off the bucket of a minute all parcels that are due or that
// belong into another bucket.
func (m *Machine) collect(minute, now uint32) {
	t, bucket := &m.timers, minute%ringMinutes
	next := t.buckets[bucket]
	t.buckets[bucket] = 0
	for next != 0 {
		this := next
		b := *t.block(this - 1)
		next = b.next
		t.block(this-1).next, t.free = t.free, this
		for _, i := range b.slots[:b.n] {
			p := m.entities.at(i)
			switch {
			case uint32(p.bucket) != bucket+1: // gone, or filed elsewhere since
			case p.deadline > now && p.deadline/60 == minute:
				t.file(bucket, i)
			default:
				p.bucket = 0
				m.due = append(m.due, turnOf(i, 0))
			}
		}
	}
}
