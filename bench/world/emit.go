package world

import "time"

// Record is one record of a topic. Key and Value are valid until the next call
// of emit.
type Record struct {
	Topic string
	Key   []byte
	Value []byte
	At    time.Time // of emission, UTC, whole seconds
}

// pending is a parcel in flight: when its next record is due.
type pending struct {
	at    int64
	index uint32
	next  uint8 // place among the parcel's emissions
}

func (a pending) before(b pending) bool {
	return a.at < b.at || a.at == b.at && a.index < b.index
}

// queue is a 4-ary heap of pending parcels.
type queue []pending

func (q *queue) push(e pending) {
	*q = append(*q, e)
	h := *q
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = e
}

// replace puts e where the first one was.
func (q queue) replace(e pending) {
	i := 0
	for {
		first := 4*i + 1
		if first >= len(q) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(q)); c++ {
			if q[c].before(q[least]) {
				least = c
			}
		}
		if !q[least].before(e) {
			break
		}
		q[i] = q[least]
		i = least
	}
	q[i] = e
}

// pop removes the first one.
func (q *queue) pop() {
	h := *q
	last := h[len(h)-1]
	*q = h[:len(h)-1]
	if len(*q) > 0 {
		q.replace(last)
	}
}

// Emit calls emit with every record whose time is at or before until and that
// was not emitted yet, in the order of their times. An error of emit ends the
// call and is returned; the next call begins with the same record again.
// Records may be asked for beyond To: what is under way goes on, and no new
// parcel begins.
func (w *World) Emit(until time.Time, emit func(Record) error) error {
	return w.each(until.Unix(), func(p *plan, e emission) error { return emit(w.render(p, e)) })
}

// each calls f with every emission up to end that is still to come.
func (w *World) each(end int64, f func(*plan, emission) error) error {
	p := &w.scratch
	for {
		w.open(end)
		if len(w.queue) == 0 || w.queue[0].at > end {
			return nil
		}
		e := w.queue[0]
		w.plan(p, int(e.index))
		if err := f(p, p.emissions[e.next]); err != nil {
			return err
		}
		if int(e.next)+1 < p.nEmissions {
			e.next++
			e.at = p.emissions[e.next].at
			w.queue.replace(e)
		} else {
			w.queue.pop()
		}
	}
}

// open puts every parcel on the queue that may be heard of before the first
// one there.
func (w *World) open(end int64) {
	for w.opened < w.config.Parcels {
		at := w.start(w.opened)
		if at > end || len(w.queue) > 0 && w.queue[0].at < at {
			return
		}
		w.plan(&w.scratch, w.opened)
		w.queue.push(pending{at: w.scratch.emissions[0].at, index: uint32(w.opened)})
		w.opened++
	}
}

// Rewind makes the next Emit begin at the first record again.
func (w *World) Rewind() { w.queue, w.opened = w.queue[:0], 0 }

// InFlight returns the parcels of which more is to come: what the memory of a
// world grows with.
func (w *World) InFlight() int { return len(w.queue) }
