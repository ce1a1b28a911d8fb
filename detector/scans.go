package detector

import (
	"scantrail/schemas"
)

// applyEvent adds a scan to its parcel. home is the number of the parcel that a
// forwarded copy is for, empty for the carrier's own record.
func (m *Machine) applyEvent(r *schemas.Record, out *Output) {
	e := &r.Event
	f := m.factOf(e)
	home, id := e.TrackingNumber, e.ParcelID
	if r.Home != "" {
		home, id = r.Home, schemas.ParcelID(r.Home)
	}
	i, p := m.reach(id, home, r, f.sec)
	if p == nil {
		return
	}
	if p.is(entityMoved) {
		m.forwardFact(m.passOn(i, p), &f, e.TrackingNumber, m.product(e.Product), e.NumberCheck, out)
		return
	}
	if home != e.TrackingNumber {
		if f.num = m.link(i, p, e.TrackingNumber, out); p.is(entityQuarantined) {
			return
		}
		if p.is(entityMoved) {
			m.forwardFact(m.passOn(i, p), &f, e.TrackingNumber, m.product(e.Product), e.NumberCheck, out)
			return
		}
	}
	m.openAt(p, f.sec)
	m.noteProduct(p, e.Product)
	changed := e.NumberCheck == schemas.NumberInvalid && !p.is(entityBadNumber)
	if changed {
		p.flags |= entityBadNumber
	}
	if changed {
		m.news(i, p)
	}
	if m.wait(i, p, &f) {
		return
	}
	if m.appendNew(p, &f) || m.mergeFact(i, p, &f, out) {
		m.news(i, p)
	}
}

// openAt sets the opening time of a parcel of which only links or voids were known,
// by its first fact.
func (m *Machine) openAt(e *entity, sec uint32) {
	if !e.is(entityRow) && !e.is(entityOrders) && len(m.sections(e).facts) == 0 {
		e.opened = sec
	}
}

// applyVoid takes a scan out of its parcel, now or when it comes.
func (m *Machine) applyVoid(r *schemas.Record, out *Output) {
	v := &r.Void
	f := fact{id: shortID(&v.EventFactID), sec: unseen, flags: factVoid}
	home := v.TrackingNumber
	if r.Home != "" {
		home = r.Home
	}
	i, p := m.reach(schemas.ParcelID(home), home, r, 0)
	switch {
	case p == nil:
	case p.is(entityMoved):
		m.forwardFact(m.passOn(i, p), &f, v.TrackingNumber, "", 0, out)
	case m.mergeFact(i, p, &f, out):
		m.news(i, p)
	}
}

// reach returns the entity that a record is for, which it creates. It returns
// nil where nothing is to be done: the entity is quarantined, or it is not known
// whether it was there before, and the record is held until that is. at is the
// record's time, 0 where it has none.
func (m *Machine) reach(id schemas.ID, name string, r *schemas.Record, at uint32) (uint32, *entity) {
	i, e := m.reachAny(id, name, r, at)
	if e != nil && e.is(entityQuarantined) {
		return 0, nil
	}
	return i, e
}

// reachAny is reach that returns what is quarantined too.
func (m *Machine) reachAny(id schemas.ID, name string, r *schemas.Record, at uint32) (uint32, *entity) {
	if a := m.asks.find(id); a != nil {
		m.hold(a, r)
		return 0, nil
	}
	isOrder := r.Kind == schemas.KindOrder && !r.Forwarded
	var packed []byte
	if !isOrder && len(name) <= schemas.MaxNumber && schemas.ParcelID(name) == id {
		m.buf = appendParcelName(m.buf[:0], name)
		packed = m.buf
	}
	i, e := m.entities.find(&id, packed)
	if e != nil && (r.Kind == schemas.KindOrder || r.Home != "") {
		m.hearOf(e)
	}
	if e == nil {
		if !m.answering && m.gone.has(&id) {
			m.hold(m.asks.add(id, name, m.offset), r)
			return 0, nil
		}
		if at == 0 {
			at = max(m.now(), 1)
		}
		if isOrder {
			m.buf = appendOrderName(m.buf[:0], m.texts.of(r.Order.ShopID), []byte(cut(r.Order.OrderID, maxOrderID)))
			i, e = m.add(&id, m.buf, entityOrder, at)
		} else {
			m.buf = appendParcelName(m.buf[:0], name)
			i, e = m.add(&id, m.buf, 0, at)
		}
	}
	return i, e
}

// mergeFact adds any fact, or quarantines a parcel that has too many. It reports
// whether there are news to judge.
func (m *Machine) mergeFact(i uint32, e *entity, f *fact, out *Output) bool {
	facts, changed := m.merge(m.factsOf(e), f)
	m.facts = facts
	if !changed {
		return false
	}
	m.buf = appendFacts(m.buf[:0], e.opened, facts)
	s := m.sections(e)
	s.facts = m.buf
	if tooMany(facts) || !m.store(e, s) {
		m.quarantine(i, e, reasonFacts, out)
		return false
	}
	return true
}

// product keeps what a scan states as the carrier's product within bounds.
func (m *Machine) product(s string) string { return cut(s, maxText) }

// noteProduct keeps the first of all stated products in alphabetical order:
// whatever order they come in, the same one is left.
func (m *Machine) noteProduct(e *entity, s string) {
	if s = m.product(s); s == "" {
		return
	}
	x := m.moreOf(e)
	n := m.texts.of(s)
	if n == 0 || x.product == n || x.product != 0 && m.texts.list[x.product] < s {
		return
	}
	x.product = n
	m.setMore(e, &x)
}

// factOf turns an event into a fact. A time of reception that is not stated
// does not bound the event's.
func (m *Machine) factOf(e *schemas.Event) fact {
	at := e.OccurredAt
	if e.ReceivedAt > 0 {
		at = e.EffectiveAt()
	}
	f := fact{
		id: shortID(&e.FactID), sec: seconds(at), milestone: e.Milestone,
		lane:  newLane(packCountry(e.OriginCountry), packCountry(e.DestinationCountry)),
		place: m.placeAt(e),
	}
	switch {
	case f.milestone == schemas.Accepted && e.ReceivedAt > 0:
		f.extra = min(max(seconds(e.ReceivedAt), f.sec)-f.sec, maxExtra)
	case f.milestone == schemas.Delivered:
		f.extra = postcodeMark(e.Postcode)
	}
	if e.Physical {
		f.flags |= factPhysical
	}
	if e.Progress {
		f.flags |= factProgress
	}
	if e.Backfill {
		f.flags |= factBackfill
	}
	if e.Reason == reasonRefused {
		f.flags |= factRefused
	}
	return f
}

// recentPlaces is how many of the places that came last are found without a look
// into the dictionary.
const recentPlaces = 1 << 12

// placeAt returns the number of the place of an event.
func (m *Machine) placeAt(e *schemas.Event) uint16 {
	p := place{e.Carrier, e.Facility, packCountry(e.Country), e.MappingVersion, e.UncertaintySecs > certainSecs}
	if m.recent == nil {
		m.recent = new([recentPlaces]uint16)
	}
	h := uint32(p.country)*31 + p.mapping + uint32(len(p.carrier))
	for _, c := range []byte(p.facility[max(0, len(p.facility)-4):]) {
		h = h*31 + uint32(c)
	}
	at := &m.recent[h*0x9e3779b1>>20]
	if known := &m.places.list[*at]; *known != p {
		*at = m.places.of(p)
	}
	return *at
}

// certainSecs is the doubt about a time up to which it counts as certain.
const certainSecs = 3600

// postcodeOf spells a postcodeMark, for the copy that another partition gets.
func postcodeOf(mark uint32) string {
	if mark == 0 {
		return ""
	}
	return string([]byte{byte(mark >> 16), byte(mark >> 8), byte(mark)})
}

// postcodeMark keeps what number_invalid compares of a postcode: its first three
// letters or digits, in upper case, as a number; 0 when there are fewer, or when
// part of it is masked.
func postcodeMark[T string | []byte](code T) uint32 {
	mark, n := uint32(0), 0
	for i := range len(code) {
		c := code[i]
		switch {
		case c == '*':
			return 0
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		default:
			continue
		}
		if n < 3 {
			mark = mark<<8 | uint32(c)
			n++
		}
	}
	if n < 3 {
		return 0
	}
	return mark
}
