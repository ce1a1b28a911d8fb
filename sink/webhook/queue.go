package webhook

import (
	"container/heap"
	"time"
)

// next returns the lane whose first message is to be sent now, nil when there is
// none. A webhook that fails is tried by one message at a time.
func (b *book) next(now time.Time) *lane {
	if len(b.queue) == 0 || now.Before(b.resume) || b.failures > 0 && b.flying > 0 || b.queue[0].due.After(now) {
		return nil
	}
	return b.queue[0]
}

// start notes that the first message of l is being sent.
func (b *book) start(now time.Time, l *lane) {
	heap.Remove(&b.queue, l.index)
	l.flying = true
	b.flying++
	l.tries++
	if l.tries == 1 {
		l.tried = now
	} else {
		b.m.retried.Inc()
	}
}

// finish notes what became of the first message of l.
func (b *book) finish(now time.Time, l *lane, o outcome) {
	l.flying = false
	b.flying--
	heap.Push(&b.queue, l)
	if o.verdict == failed {
		b.fail(now, l, o)
		return
	}
	b.failures, b.failing, b.resume = 0, time.Time{}, time.Time{}
	if o.verdict == delivered {
		b.m.delivered.Inc()
		b.m.up.Set(1)
	} else {
		b.m.rejected.Inc()
		b.m.up.Set(0)
	}
	b.drop(l, 0)
}

// fail sets when to try again: this message, and the webhook at all.
func (b *book) fail(now time.Time, l *lane, o outcome) {
	if b.failures == 0 {
		b.failing = now
	}
	b.failures++
	b.reason = o.reason
	b.m.up.Set(0)
	own := b.jitter(backoff(b.o.RetryMin, b.o.RetryMax, l.tries))
	all := b.jitter(backoff(b.o.RetryMin, min(b.o.RetryMax, maxPause), b.failures))
	l.due = now.Add(max(own, o.after))
	heap.Fix(&b.queue, l.index)
	if resume := now.Add(max(all, o.after)); resume.After(b.resume) {
		b.resume = resume
	}
}

// backoff is the pause after the n-th attempt: twice as long each time.
func backoff(first, longest time.Duration, n int) time.Duration {
	return min(first<<min(n-1, 20), longest)
}

// giveUp drops what nobody took for too long.
func (b *book) giveUp(now time.Time) {
	for _, l := range b.lanes {
		for !l.flying && len(l.msgs) > 0 && b.hopeless(now, l) {
			b.gaveUp(l.msgs[0], b.reason)
			b.m.expired.Inc()
			b.drop(l, 0)
		}
	}
}

// hopeless reports whether the first message of l is too old, and neither it nor
// any other has been taken for a while.
func (b *book) hopeless(now time.Time, l *lane) bool {
	if now.Sub(l.msgs[0].since) < b.o.GiveUpAfter {
		return false
	}
	return l.tries > 0 && now.Sub(l.tried) >= giveUpGrace || b.failures > 0 && now.Sub(b.failing) >= giveUpGrace
}

// drop ends the i-th message of l, and l with the last one.
func (b *book) drop(l *lane, i int) {
	m := l.msgs[i]
	m.done()
	b.waiting--
	b.bytes -= len(m.body)
	l.msgs = append(l.msgs[:i], l.msgs[i+1:]...)
	if len(l.msgs) == 0 {
		heap.Remove(&b.queue, l.index)
		delete(b.lanes, l.key)
		return
	}
	if i == 0 {
		l.tries, l.due = 0, time.Time{}
		heap.Fix(&b.queue, l.index)
	}
}

// laneHeap orders lanes by when they are due, then by age.
type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }
func (h laneHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.index = len(*h)
	*h = append(*h, l)
}
func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	*h = old[:len(old)-1]
	l.index = -1
	return l
}
