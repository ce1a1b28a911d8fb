package notify

import (
	"cmp"
	"container/heap"
	"maps"
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
	maxPast   = 4 // labels that one alert had, of which the ends are repeated
)

// never is when a lane is due whose partition is still being read.
var never = time.Unix(1<<40, 0)

// stand keeps what was delivered of l until it ends, or has ended for long enough.
// What it was before, with other labels, ends too, and that is repeated likewise.
func (b *book) stand(now time.Time, l *lane) {
	for _, m := range l.msgs[l.stood:l.count] {
		b.note(now, m, stateDelivered, "")
		b.waiting--
		l.changed = now
	}
	if l.stood == 0 {
		b.standing++
	}
	l.stood = l.count
	last, repeated := l.msgs[l.stood-1], now.Sub(l.changed) >= endRepeat
	for i := l.stood - 2; i >= 0; i-- {
		if repeated || l.stood > maxPast || maps.Equal(labels(l.msgs[i]), labels(last)) {
			b.drop(l, i)
		}
	}
	l.tries, l.due = 0, now.Add(b.o.Resend)
	if len(l.msgs) > l.stood {
		l.due = now
	} else if last.closes() && repeated {
		b.drop(l, 0)
		return
	}
	heap.Fix(&b.queue, l.index)
	if b.standing > b.o.MaxStanding {
		b.letGo(now)
	}
}

// letGo sends the oldest tenth no more: memory is bounded.
func (b *book) letGo(now time.Time) {
	var all []*lane
	for _, l := range b.lanes {
		if l.stood > 0 && !l.flying {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(x, y *lane) int { return cmp.Compare(x.seq, y.seq) })
	const reason = "too many alerts are open"
	for _, l := range all[:(len(all)+9)/10] {
		b.gaveUp(l.msgs[0], reason)
		b.note(now, l.msgs[0], stateGivenUp, reason)
		b.m.expired.Inc()
		for range len(l.msgs) {
			b.drop(l, 0)
		}
	}
}

// readBacklog lets lanes be sent whose partition has been read up to where it
// ended when it was assigned: before that, what looks open may have ended. An end
// need not wait, and beyond what there is room for nothing does.
func (b *book) readBacklog(now time.Time) {
	if b.catching == 0 {
		return
	}
	full := b.full()
	for _, l := range b.lanes {
		if l.catching && (full || l.msgs[len(l.msgs)-1].closes() || !l.msgs[0].refs[0].part.behind()) {
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
		if l.stood > 0 && !l.flying && !l.catching {
			l.due = now
		}
	}
	heap.Init(&b.queue)
}
