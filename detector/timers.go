package detector

import "slices"

// timers is a calendar of one-minute buckets, each a list of parcels chained
// through their slots. A parcel is filed once, at or before its deadline: a
// scan that moves the deadline later does not touch the calendar, and the
// parcel is filed anew when its old minute comes.
type timers struct {
	buckets []uint32 // first slot of each minute modulo ringMinutes, plus 1
	minute  uint32   // minute of the clock
}

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

// arm makes sure that the parcel is looked at by second deadline; 0 is never.
func (m *Machine) arm(i uint32, p *entity, deadline uint32) {
	p.deadline = deadline
	if deadline == 0 || m.timers.buckets == nil {
		return
	}
	t := &m.timers
	ahead := min(max(deadline/60, t.minute)-t.minute, ringMinutes-1)
	if p.bucket != 0 {
		filed := (uint32(p.bucket-1) - t.minute) % ringMinutes
		if filed <= ahead {
			return
		}
		m.unfile(p)
	}
	b := (t.minute + ahead) % ringMinutes
	p.bucket = uint16(b + 1)
	p.prev, p.next = 0, t.buckets[b]
	if p.next != 0 {
		m.entities.at(p.next - 1).prev = i + 1
	}
	t.buckets[b] = i + 1
}

func (m *Machine) unfile(p *entity) {
	if p.prev != 0 {
		m.entities.at(p.prev - 1).next = p.next
	} else {
		m.timers.buckets[p.bucket-1] = p.next
	}
	if p.next != 0 {
		m.entities.at(p.next - 1).prev = p.prev
	}
	p.next, p.prev, p.bucket = 0, 0, 0
}

// fire judges the parcels that have news and those whose deadline the clock has
// reached, in the order of their slots: that order survives a restore, the order
// within a bucket does not.
func (m *Machine) fire(out *Output) {
	now := m.now()
	m.due = append(m.due[:0], m.pending...)
	m.pending = m.pending[:0]
	for last := now / 60; ; m.timers.minute++ {
		m.collect(m.timers.minute, now)
		if m.timers.minute >= last {
			break
		}
	}
	slices.Sort(m.due)
	for _, i := range slices.Compact(m.due) {
		e := m.entities.at(i)
		switch {
		case e.flags&(entityFree|entityQuarantined) != 0: // quarantined since it had its news
		case e.is(entityMoved):
			if e.deadline > now {
				m.arm(i, e, e.deadline)
			} else {
				m.leave(i, e)
			}
		case e.is(entityPending) || e.deadline != 0 && e.deadline <= now:
			m.judge(i, e, out)
		default:
			m.arm(i, e, e.deadline)
		}
	}
}

// collect takes off the bucket of a minute all parcels that are due or that
// belong into another bucket.
func (m *Machine) collect(minute, now uint32) {
	next := m.timers.buckets[minute%ringMinutes]
	for next != 0 {
		i := next - 1
		p := m.entities.at(i)
		next = p.next
		if p.deadline > now && p.deadline/60 == minute {
			continue
		}
		m.unfile(p)
		m.due = append(m.due, i)
	}
}
