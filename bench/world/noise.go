package world

import "scantrail/schemas"

// oneByOne feeds push single scans; the others answer with as many as they
// like.
func (f feed) oneByOne() bool { return f == ups }

// noise decides when and how often each fact is heard, and what else is.
func (b *builder) noise() {
	p, r, c := b.p, b.r, &b.w.config
	if r.chance(c.Unmapped * 10) { // ten scans to a parcel, one chance for all
		b.unmapped()
	}
	for i := range p.orders[:p.nOrders] {
		o := &p.orders[i]
		o.emit = b.w.clear(o.emit)
		p.add(emission{at: o.emit, kind: emitOrder, i: uint8(i)})
	}
	for i := range p.scans[:p.nScans] {
		s := &p.scans[i]
		s.emit = b.w.clear(b.w.hold(s.feed, s.at+b.delay(), r))
		if r.chance(c.WrongZone) {
			s.stated += [...]int64{-8, -7, -6, -5, 5, 7}[r.below(6)] * hour
			p.wrongZone = true
		}
		k := emitScan
		if r.chance(c.Cumulative) && !s.feed.oneByOne() {
			k = emitAll
		}
		p.add(emission{at: s.emit, kind: k, i: uint8(i)})
		if r.chance(c.Duplicates) {
			again := b.w.clear(b.w.hold(s.feed, s.emit+r.between(minute, 6*hour), r))
			p.add(emission{at: again, kind: emitScan, i: uint8(i)})
		}
	}
	if p.nScans > 0 && r.chance(c.Rubbish) {
		i := r.below(p.nScans)
		k := [...]kind{emitTruncated, emitNotFound, emitLayout}[r.below(3)]
		at := b.w.clear(p.scans[i].emit + r.between(minute, hour))
		p.add(emission{at: at, kind: k, i: uint8(i)})
	}
}

// delay is the time from a scan to its report.
func (b *builder) delay() int64 {
	r := b.r
	switch {
	case r.chance(b.w.config.Late):
		return r.between(day, 3*day)
	case r.chance(0.06):
		return r.between(2*hour, 12*hour)
	}
	return r.between(minute, 50*minute)
}

// hold keeps a report back while its feed is silent.
func (w *World) hold(f feed, at int64, r *random) int64 {
	for i := range w.outages {
		if o := &w.outages[i]; o.feed == f && at >= o.from && at < o.to {
			return o.to + r.between(0, 30*minute)
		}
	}
	return at
}

// clear keeps reports away from To, so that nobody argues about which of them
// counted.
func (w *World) clear(at int64) int64 {
	if at > w.to-guard && at <= w.to+guard {
		return at + 2*guard
	}
	return at
}

// unmapped plans a scan with an unknown code somewhere on the way.
func (b *builder) unmapped() {
	p := b.p
	if p.nScans < 2 {
		return
	}
	i := b.r.below(p.nScans - 1)
	s := p.scans[i]
	b.t = s.at + 13*minute
	b.put(s.feed, codeUnknown, schemas.Unmapped, s.place)
}
