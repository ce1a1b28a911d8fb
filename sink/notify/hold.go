package notify

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"scantrail/schemas"
)

// heldAlert is an alert whose pages wait: for the end of its carrier's incident,
// or for the detector's word.
type heldAlert struct {
	first    ref      // where it began to wait: until the end the group's offset stays there
	latest   *message // what is sent at the end
	unopened bool     // the receiver has not heard of it
	flagged  bool     // the detector holds it
	seq      uint64
}

// holds reports whether m must wait. The carrier's incident itself waits for the
// end of quiet hours only, or where somebody put it aside.
func (b *book) holds(now time.Time, m *message) bool {
	return b.quiet(now, m) || b.snoozed(now, m) || m.rule != schemas.RuleFeedStale && (m.held || m.carrier != "" && b.incident(m.carrier))
}

// quiet reports whether m waits for the end of quiet hours. A digest has an hour
// of its own.
func (b *book) quiet(now time.Time, m *message) bool {
	return !b.s.digests() && b.s.isQuiet(now, m.level)
}

// keep holds m instead of sending it.
func (b *book) keep(now time.Time, m *message) {
	h := b.held[m.key]
	if h == nil {
		b.seq++
		h = &heldAlert{first: m.refs[0], seq: b.seq, unopened: !b.e.heard(m)}
		b.held[m.key] = h
		b.m.held.Set(float64(len(b.held)))
	} else {
		b.supersede(h)
	}
	h.latest, h.flagged = m, m.held
	b.heldBytes += len(m.body)
	if len(b.held) > b.o.MaxHeld || b.heldBytes > maxBytes {
		b.makeRoom(now)
	}
}

// supersede drops the latest message of h, but not where h began.
func (b *book) supersede(h *heldAlert) {
	b.heldBytes -= len(h.latest.body)
	for _, r := range h.latest.refs {
		if r != h.first {
			delete(r.part.undone, r.offset)
		}
	}
}

// unhold takes an alert out and returns what waited, which stands for all that
// did.
func (b *book) unhold(key schemas.ID) *message {
	h := b.held[key]
	delete(b.held, key)
	b.m.held.Set(float64(len(b.held)))
	b.heldBytes -= len(h.latest.body)
	m := h.latest
	if m.refs[0] != h.first {
		m.refs = append(m.refs, h.first)
	}
	return m
}

// release sends what waited for an alert.
func (b *book) release(now time.Time, key schemas.ID, reason string) {
	m := b.unhold(key)
	m.since = now
	b.m.released.WithLabelValues(reason).Inc()
	b.admit(now, m)
}

// oldest sorts held alerts by when they began to wait.
func oldest(hs []*heldAlert) []*heldAlert {
	slices.SortFunc(hs, func(x, y *heldAlert) int { return cmp.Compare(x.seq, y.seq) })
	return hs
}

// makeRoom releases the oldest tenth: memory is bounded, and nothing is lost.
func (b *book) makeRoom(now time.Time) {
	all := oldest(slices.Collect(maps.Values(b.held)))
	for _, h := range all[:(len(all)+9)/10] {
		b.release(now, h.latest.key, releasedFull)
	}
}

// releaseDue sends what has no reason to wait any longer.
func (b *book) releaseDue(now time.Time) {
	var due []*heldAlert
	for _, h := range b.held {
		waits := h.flagged && now.Sub(h.latest.since) < b.o.HoldLimit
		exempt := h.latest.carrier == "" || h.latest.rule == schemas.RuleFeedStale || h.latest.closes()
		if !waits && !b.quiet(now, h.latest) && !b.snoozed(now, h.latest) && (exempt || !b.incident(h.latest.carrier)) {
			due = append(due, h)
		}
	}
	for _, h := range oldest(due) {
		reason := releasedOver
		if h.flagged {
			reason = releasedLimit
		}
		b.release(now, h.latest.key, reason)
	}
}
