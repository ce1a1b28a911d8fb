package notify

import (
	"container/heap"
	"time"
)

// maxBatch is how many alerts one request to an Alertmanager carries.
const maxBatch = 64

// begin takes what is to be sent now, nil when there is nothing: the first message
// of one lane, or all messages of several lanes that stand.
func (b *book) begin(now time.Time) *attempt {
	most := 1
	if b.e.Kind.standing() {
		most = maxBatch
	}
	var a *attempt
	for l := b.next(now); l != nil && (a == nil || len(a.items) < most); l = b.next(now) {
		if a == nil {
			a = &attempt{}
		}
		b.start(now, l)
		a.items = append(a.items, item{l, l.msgs[:l.count:l.count]})
	}
	if a != nil {
		b.attempts++
		b.paced = now.Add(b.pace)
	}
	return a
}

// next returns the lane whose first message is to be sent now, nil when there is
// none. A receiver that fails is tried by one message at a time.
func (b *book) next(now time.Time) *lane {
	if len(b.queue) == 0 || now.Before(b.resume) || now.Before(b.paced) || b.failures > 0 && b.flying > 0 || b.queue[0].due.After(now) {
		return nil
	}
	return b.queue[0]
}

// start notes that messages of l are being sent.
func (b *book) start(now time.Time, l *lane) {
	heap.Remove(&b.queue, l.index)
	l.flying, l.count = true, 1
	if b.e.Kind.standing() {
		l.count = len(l.msgs)
	}
	b.flying++
	l.tries++
	if l.tries == 1 {
		l.tried = now
	} else {
		b.m.retried.Inc()
	}
}

// end notes what became of an attempt. Where several alerts were refused together,
// nobody knows which of them was meant: each is tried by itself.
func (b *book) end(now time.Time, a *attempt) {
	b.attempts--
	if a.verdict == rejected && len(a.items) > 1 {
		a.verdict = failed
	}
	recovered, failures := b.failures > 0 && a.verdict == delivered || a.refresh, b.failures
	for _, it := range a.items {
		if a.verdict == failed {
			b.failures = failures // one attempt is one failure, whatever it carried
		}
		b.finish(now, it.lane, a.outcome)
	}
	if recovered {
		b.refresh(now)
	}
}

// finish notes what became of the messages of l that were sent.
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
		b.succeeded = now
		b.settled(now, l)
		return
	}
	b.m.rejected.Inc()
	b.m.up.Set(0)
	b.failed, b.reason = now, o.reason
	for range l.count {
		b.note(now, l.msgs[0], stateRejected, o.reason)
		b.drop(l, 0)
	}
}

// settled ends what was delivered, unless it is an alert that stands.
func (b *book) settled(now time.Time, l *lane) {
	if b.e.Kind.standing() {
		b.stand(now, l)
		return
	}
	b.note(now, l.msgs[0], stateDelivered, "")
	b.drop(l, 0)
}

// fail sets when to try again: this message, and the webhook at all.
func (b *book) fail(now time.Time, l *lane, o outcome) {
	if b.failures == 0 {
		b.failing = now
	}
	b.failures++
	b.failed, b.reason = now, o.reason
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
			b.note(now, l.msgs[0], stateGivenUp, b.reason)
			b.m.expired.Inc()
			b.drop(l, 0)
		}
	}
}

// hopeless reports whether the first message of l is too old, and neither it nor
// any other has been taken for a while.
func (b *book) hopeless(now time.Time, l *lane) bool {
	if b.e.Kind.standing() && !l.msgs[len(l.msgs)-1].closes() {
		return now.Sub(l.msgs[0].since) >= b.o.StandLimit
	}
	if now.Sub(l.msgs[0].since) < b.o.GiveUpAfter {
		return false
	}
	return l.tries > 0 && now.Sub(l.tried) >= giveUpGrace || b.failures > 0 && now.Sub(b.failing) >= giveUpGrace
}

// drop ends the i-th message of l, and l with the last one.
func (b *book) drop(l *lane, i int) {
	m := l.msgs[i]
	m.done()
	switch {
	case i >= l.stood:
		b.waiting--
	case l.stood == 1:
		b.standing--
		fallthrough
	default:
		l.stood--
	}
	b.bytes -= len(m.body)
	l.msgs = append(l.msgs[:i], l.msgs[i+1:]...)
	if len(l.msgs) == 0 {
		heap.Remove(&b.queue, l.index)
		delete(b.lanes, l.key)
		if l.catching {
			b.catching--
		}
		return
	}
	if i == 0 && !l.catching {
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
