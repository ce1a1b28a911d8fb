package notify

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// An Alertmanager forgets what is not said again: an alert stays open there only
// until the end that the last request named. So what is open is sent again and
// again, and its record stays undone, so that the next owner of the partition
// reads it, and goes on.

const (
	defaultResend     = time.Minute
	defaultStandLimit = 30 * 24 * time.Hour
	// endRepeat is how long an end is repeated: an Alertmanager that is killed
	// before it has told its own receivers would have forgotten it.
	endRepeat = 15 * time.Minute
)

// never is when a lane is due whose partition is still being read.
var never = time.Unix(1<<40, 0)

// stand keeps what was delivered of l until it ends, or has ended for long enough.
func (b *book) stand(now time.Time, l *lane) {
	for range l.count - 1 {
		b.noteOnce(now, l)
		b.drop(l, 0)
	}
	b.noteOnce(now, l)
	if !l.standing {
		l.standing = true
		b.standing++
		b.waiting--
	}
	l.tries, l.due = 0, now.Add(b.o.Resend)
	switch {
	case !l.msgs[0].closes():
		l.ended = time.Time{}
	case l.ended.IsZero():
		l.ended = now
	case now.Sub(l.ended) >= endRepeat && len(l.msgs) == 1:
		b.drop(l, 0)
		return
	}
	if len(l.msgs) > 1 {
		l.due = now
	}
	heap.Fix(&b.queue, l.index)
	if b.standing > b.o.MaxStanding {
		b.letGo(now)
	}
}

// noteOnce notes the first delivery of the first message of l.
func (b *book) noteOnce(now time.Time, l *lane) {
	if !l.standing {
		b.note(now, l.msgs[0], stateDelivered, "")
	}
}

// letGo sends the oldest tenth no more: memory is bounded.
func (b *book) letGo(now time.Time) {
	var all []*lane
	for _, l := range b.lanes {
		if l.standing && !l.flying {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(x, y *lane) int { return cmp.Compare(x.seq, y.seq) })
	const reason = "too many alerts are open"
	for _, l := range all[:(len(all)+9)/10] {
		b.gaveUp(l.msgs[0], reason)
		b.note(now, l.msgs[0], stateGivenUp, reason)
		b.m.expired.Inc()
		b.drop(l, 0)
	}
}

// readBacklog lets lanes be sent whose partition has been read up to where it
// ended when it was assigned: before that, what looks open may have ended.
func (b *book) readBacklog(now time.Time) {
	if b.catching == 0 {
		return
	}
	for _, l := range b.lanes {
		if l.catching && !l.msgs[0].refs[0].part.behind() {
			l.catching, l.due = false, now
			b.catching--
		}
	}
	heap.Init(&b.queue)
}

// refresh sends everything that stands at once: the receiver was away, and may
// have forgotten it.
func (b *book) refresh(now time.Time) {
	for _, l := range b.lanes {
		if l.standing && !l.flying && !l.catching {
			l.due = now
		}
	}
	heap.Init(&b.queue)
}
