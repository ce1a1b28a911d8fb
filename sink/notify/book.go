package notify

import (
	"container/heap"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

const (
	maxBytes = 64 << 20    // of messages that wait to be sent, and of those held
	window   = time.Minute // in which the rate is counted
	maxPause = time.Minute // longest rest of a receiver that does not answer
	// A message is given up only after this long without success, however old it
	// is: the role itself may have been away for days.
	giveUpGrace = 10 * time.Minute
)

// bookOptions are the limits of one receiver.
type bookOptions struct {
	HoldLimit   time.Duration
	GiveUpAfter time.Duration
	Resend      time.Duration // of an alert that stands with an Alertmanager
	StandLimit  time.Duration // after which it is sent no more
	RetryMin    time.Duration
	RetryMax    time.Duration
	MaxWaiting  int // messages; beyond it, reading rests
	MaxHeld     int // alerts; beyond it, the oldest are sent
	MaxStanding int // alerts; beyond it, the oldest are sent no more
}

// lane is the messages of one alert that wait to be sent, in their order.
type lane struct {
	key    schemas.ID
	msgs   []*message
	due    time.Time
	seq    uint64
	tries  int       // attempts of msgs[0]
	tried  time.Time // the first of them
	flying bool
	count  int // of msgs, those under way
	index  int // in the heap, -1 while flying

	stood    int       // of msgs, those that were delivered and are sent again
	changed  time.Time // when the last of them was first delivered
	catching bool      // what stands is not known yet: see readBacklog
}

// book is everything that one receiver has read and not done with, as a state
// machine without I/O: time comes as an argument, one goroutine owns it.
type book struct {
	e        *Receiver
	o        bookOptions
	s        schedule
	m        *receiverMetrics
	incident func(carrier string) bool
	snoozed  func(time.Time, *message) bool
	jitter   func(time.Duration) time.Duration
	gaveUp   func(*message, string)
	noted    func(...Delivery)

	held      map[schemas.ID]*heldAlert
	heldBytes int

	lanes   map[schemas.ID]*lane
	queue   laneHeap
	waiting int // messages in lanes and in the digest
	bytes   int // of those in lanes
	seq     uint64

	opened time.Time // of the window
	sent   int       // in it
	digest *digest
	shops  map[shopKey]*shopDigest // digests that are being collected
	listed int                     // messages in them
	paced  time.Time               // before which nothing is begun
	pace   time.Duration

	standing int // lanes that are
	catching int

	failures  int // one after the other
	failing   time.Time
	failed    time.Time // the last one
	reason    string    // of it
	succeeded time.Time
	resume    time.Time
	flying    int
	attempts  int // under way; each carries one lane, to an Alertmanager several
}

func newBook(e *Receiver, o bookOptions, m *receiverMetrics, incident func(string) bool) *book {
	return &book{
		e: e, o: o, s: newSchedule(e), m: m, incident: incident, digest: newDigest(),
		shops: map[shopKey]*shopDigest{}, pace: e.Kind.pace(),
		jitter: func(d time.Duration) time.Duration { return d }, gaveUp: func(*message, string) {}, noted: func(...Delivery) {},
		snoozed: func(time.Time, *message) bool { return false },
		held:    map[schemas.ID]*heldAlert{}, lanes: map[schemas.ID]*lane{},
	}
}

// full reports whether reading should rest.
func (b *book) full() bool { return b.waiting >= b.o.MaxWaiting || b.bytes >= maxBytes }

// add takes a record of partition p. The error says that it is no alert; it is
// passed over.
func (b *book) add(now time.Time, p *part, r *kgo.Record) error {
	done := p.read(r)
	m, err := parse(r.Value)
	if err != nil && done {
		return nil // an earlier owner said so
	}
	if err != nil {
		delete(p.undone, r.Offset)
		return err
	}
	m.since, m.refs = r.Timestamp, []ref{{p, r.Offset}}
	switch again := b.e.wants(m) && p.told.again(m); {
	case done:
	case again:
		b.m.repeated.Inc()
		m.done()
	default:
		b.route(now, m)
	}
	return nil
}

// route decides what becomes of a message: it is dropped, held or sent.
func (b *book) route(now time.Time, m *message) {
	h := b.held[m.key]
	switch {
	case h != nil && m.version < h.latest.version: // published again after a crash
		m.done()
	case m.closes():
		b.close(now, m, h)
	case m.backfill || !b.e.wants(m):
		if h != nil {
			h.flagged = m.held
		}
		b.m.filtered.Inc()
		m.done()
	case b.holds(now, m):
		b.keep(now, m)
	case h != nil: // the detector holds it no longer
		b.keep(now, m)
		if b.held[m.key] != nil {
			b.release(now, m.key, releasedOver)
		}
	default:
		b.admit(now, m)
	}
}

// close ends an alert. The end is not held for an incident: it is sent at once to
// a receiver that knows of the alert, and to no other. In quiet hours it waits.
func (b *book) close(now time.Time, m *message, h *heldAlert) {
	known := b.e.heard(m)
	if h != nil && h.unopened {
		b.m.spared.Inc()
		known = false
	}
	switch {
	case !known || m.backfill || !b.e.wants(m):
		if h != nil {
			b.unhold(m.key).done()
		}
		b.m.filtered.Inc()
		m.done()
	case b.quiet(now, m):
		b.keep(now, m)
	default:
		if h != nil {
			b.unhold(m.key).done()
		}
		b.admit(now, m)
	}
}

// admit sends m by itself, or in the digest when the minute is full.
func (b *book) admit(now time.Time, m *message) {
	b.roll(now)
	if b.s.digests() && m.rule != schemas.RuleFeedStale && m.shop != "" {
		b.list(now, m)
		return
	}
	if b.sent >= b.e.RatePerMinute && m.rule != schemas.RuleFeedStale {
		b.digest.add(m)
		b.waiting++
		b.m.digested.Inc()
		return
	}
	b.sent++
	b.enqueue(now, m)
}

// roll begins a new minute, with the digest of the last one.
func (b *book) roll(now time.Time) {
	if d := now.Sub(b.opened); d >= 0 && d < window {
		return
	}
	b.opened, b.sent = now, 0
	d := b.digest
	if d.alerts == 0 {
		return
	}
	b.digest, b.waiting = newDigest(), b.waiting-d.alerts
	if len(d.refs) > 0 {
		b.m.digests.Inc()
		if b.pace > 0 {
			b.sent++ // the vendor counts it too
		}
		b.enqueue(now, d.message(now))
	}
}

// enqueue puts m behind what waits of its alert.
func (b *book) enqueue(now time.Time, m *message) {
	b.waiting++
	b.bytes += len(m.body)
	if l := b.lanes[m.key]; l != nil {
		if before := l.msgs[len(l.msgs)-1]; b.e.Kind.standing() && m.closes() {
			m.ends = before.shown()
		}
		l.msgs = append(l.msgs, m)
		if l.stood > 0 && !l.flying { // it no longer waits for its next turn
			l.due = now
			heap.Fix(&b.queue, l.index)
		}
		return
	}
	b.seq++
	l := &lane{key: m.key, msgs: []*message{m}, due: now, seq: b.seq}
	b.lanes[m.key] = l
	if b.e.Kind.standing() && m.refs[0].part.behind() {
		l.due, l.catching = never, true
		b.catching++
	}
	heap.Push(&b.queue, l)
}

// tick does what is due at now.
func (b *book) tick(now time.Time) {
	b.roll(now)
	b.readBacklog(now)
	b.sendDigests(now)
	b.releaseDue(now)
	b.giveUp(now)
	b.m.standing.Set(float64(b.standing))
	b.m.queue.Set(float64(b.waiting))
}

// forget drops what belongs to partitions that went to another member, which
// reads them from what was committed.
func (b *book) forget(now time.Time) {
	for key, h := range b.held {
		if !h.first.part.gone {
			continue
		}
		if m := b.unhold(key); m.live() {
			b.admit(now, m)
		}
	}
	b.digest.forget()
	b.forgetDigests()
	for _, l := range b.lanes {
		keep := 0
		if l.flying {
			keep = l.count
		}
		for i := len(l.msgs) - 1; i >= keep; i-- {
			if !l.msgs[i].live() {
				b.drop(l, i)
			}
		}
	}
}
