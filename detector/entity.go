package detector

import (
	"encoding/binary"
	"unsafe"

	"scantrail/schemas"
)

// entity is the slot of one parcel or one order: 20 bytes without a pointer. Its
// blob holds, one after the other, where the flags say so its id, its name, where
// they say so what only some have (more), the known alerts and the order facts,
// and then the facts. The name of a parcel is its tracking number, and that of an
// order its shop and order id: the id is the hash of it. An order has no scans.
type entity struct {
	blob     uint32
	opened   uint32 // effective time of the fact that the log showed first
	deadline uint32 // next second to look at it; 0 is never
	bucket   uint16 // timers: bucket plus 1; 0 is not filed
	flags    uint16
	size     uint16 // of the blob
	policy   uint8  // that it was last judged by; 0 is none
	stages   uint8  // reported to parcel.status
}

const (
	entityOrder = 1 << iota
	entityDirty // its row is not known to be written
	entityEnded
	entityQuarantined
	entityPending   // has news since it was last judged
	entityMore      // the blob has a section of what only some have
	entityMoved     // its facts are forwarded to the root of its numbers
	entityBadNumber // a scan's number failed the check of its carrier's format
	entityOrders    // it has order facts
	entityAlerts    // alerts of it are known
	entityKeyed     // its id is not the hash of its name as kept, and stands in the blob
	entityRow       // it has a row, or had one
	entityRestless  // its row has changed since it last came to rest
	entityPutOff    // has news that are not judged while history is read
	entityFlagsEnd

	// entityFree marks a slot that is not in use, entityWaiting one for which scans
	// wait. They are no state: a snapshot does not hold such slots.
	entityFree    = 1 << 15
	entityWaiting = 1 << 14
)

func (e *entity) is(flag uint16) bool { return e.flags&flag != 0 }

// parcel reports whether e is a parcel with a trail of its own.
func (e *entity) parcel() bool { return e.flags&(entityOrder|entityMoved) == 0 }

func sizeOf[T any](v T) uintptr { return unsafe.Sizeof(v) }

// sections are the parts of an entity's blob. They alias it.
type sections struct{ id, name, more, alerts, orders, facts []byte }

// blob returns all that is kept of e beside its slot.
func (m *Machine) blob(e *entity) []byte { return m.blobs.held(e.blob, int(e.size)) }

func (m *Machine) sections(e *entity) sections {
	s, ok := cutSections(m.blob(e), e)
	if !ok {
		panic("detector: sections of an entity do not fit: memory is damaged")
	}
	return s
}

// cutSections cuts e's blob. Before the alerts stands their length, and before the
// order facts, which are the rest of an order; that of more is part of it.
func cutSections(b []byte, e *entity) (s sections, ok bool) {
	r := reader{b: b}
	if e.is(entityKeyed) {
		s.id = r.long(len(schemas.ID{}))
	}
	if e.is(entityOrder) {
		s.name = r.long(orderNameLen(r.b))
	} else {
		s.name = r.long(packedLen(r.b))
	}
	if e.is(entityMore) && len(r.b) >= 2 {
		s.more = r.long(int(binary.LittleEndian.Uint16(r.b)))
	}
	if e.is(entityAlerts) {
		s.alerts = r.long(int(min(r.uvarint(), maxBlob)))
	}
	switch {
	case e.flags&(entityOrder|entityOrders) == entityOrder|entityOrders:
		s.orders, r.b = r.b, nil
	case e.is(entityOrders):
		s.orders = r.long(int(min(r.uvarint(), maxBlob)))
	}
	s.facts = r.b
	return s, !r.bad && e.is(entityMore) == (len(s.more) > 0) && e.is(entityOrders) == (len(s.orders) > 0) && e.is(entityAlerts) == (len(s.alerts) > 0)
}

// maxLengths is what the id and the lengths of the sections need at most.
const maxLengths = 16 + 2*binary.MaxVarintLen16

// store writes a blob of the given sections, which may alias the old one. It
// reports whether they fit.
func (m *Machine) store(e *entity, s sections) bool {
	size := len(s.name) + len(s.more) + len(s.orders) + len(s.alerts) + len(s.facts)
	if size+maxLengths > maxBlob {
		return false
	}
	e.flags &^= entityMore | entityOrders | entityAlerts
	b := append(append(m.buf2[:0], s.id...), s.name...)
	if len(s.more) > 0 {
		e.flags |= entityMore
		b = append(b, s.more...)
	}
	if len(s.alerts) > 0 {
		e.flags |= entityAlerts
		b = append(binary.AppendUvarint(b, uint64(len(s.alerts))), s.alerts...)
	}
	if len(s.orders) > 0 {
		e.flags |= entityOrders
		if !e.is(entityOrder) {
			b = binary.AppendUvarint(b, uint64(len(s.orders)))
		}
		b = append(b, s.orders...)
	}
	b = append(b, s.facts...)
	m.buf2 = b
	e.blob = m.blobs.put(e.blob, b)
	e.size = uint16(len(b))
	return true
}

// appendNew adds a fact that is new and the last in order, behind the encoding
// of the others. It reports false for any other fact, which it leaves alone.
func (m *Machine) appendNew(e *entity, f *fact) bool {
	old := m.blob(e)
	t, found := probe(m.encoded(e), e.opened, f.id)
	if found || t.n >= MaxFacts || t.n > 0 && compareFacts(&t.fact, f) > 0 {
		return false
	}
	m.buf = appendFact(m.buf[:0], f, &t)
	if len(old)+len(m.buf) > maxBlob {
		return false
	}
	e.blob = m.blobs.extend(e.blob, len(old), m.buf)
	e.size += uint16(len(m.buf))
	return true
}

// more is what only some parcels have: a product, other numbers, several lives.
type more struct {
	product uint16   // texts; of all that scans state the first in alphabetical order
	links   [][]byte // other numbers of the parcel, in the order in which they came
	keys    []uint32 // opening times of the rows of the second and later lives
}

const (
	maxLinks = 8
	maxLives = 16
)

// moreOf decodes the section more of e. The links alias the blob.
func (m *Machine) moreOf(e *entity) more {
	if !e.is(entityMore) {
		return more{}
	}
	x, ok := readMore(m.sections(e).more, m.links[:0])
	if !ok {
		panic("detector: section of an entity does not decode: memory is damaged")
	}
	m.links = x.links
	return x
}

func readMore(b []byte, links [][]byte) (x more, ok bool) {
	r := reader{b: b}
	size := int(r.u16())
	x.product = r.u16()
	for n := r.u8(); n > 0 && !r.bad; n-- {
		links = append(links, r.long(int(r.u8())))
	}
	x.links = links
	for n := r.u8(); n > 0 && !r.bad; n-- {
		x.keys = append(x.keys, r.u32())
	}
	return x, !r.bad && len(r.b) == 0 && size == len(b) && size > 0
}

func (x *more) empty() bool { return x.product == 0 && len(x.links) == 0 && len(x.keys) == 0 }

// appendMore appends the encoding of x, nothing where it is empty.
func appendMore(b []byte, x *more) []byte {
	if x.empty() {
		return b
	}
	start := len(b)
	b = binary.LittleEndian.AppendUint16(append(b, 0, 0), x.product)
	b = append(b, uint8(len(x.links)))
	for _, l := range x.links {
		b = append(append(b, uint8(len(l))), l...)
	}
	b = append(b, uint8(len(x.keys)))
	for _, k := range x.keys {
		b = binary.LittleEndian.AppendUint32(b, k)
	}
	binary.LittleEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

// setMore replaces the section more of e.
func (m *Machine) setMore(e *entity, x *more) bool {
	m.buf3 = appendMore(m.buf3[:0], x)
	s := m.sections(e)
	s.more = m.buf3
	return m.store(e, s)
}

// encoded returns the section of e's facts: that of most parcels follows their
// number.
func (m *Machine) encoded(e *entity) []byte {
	if e.flags&(entityKeyed|entityOrder|entityMore|entityAlerts|entityOrders) == 0 {
		b := m.blob(e)
		return b[packedLen(b):]
	}
	return m.sections(e).facts
}

// factsOf decodes the facts of e into the machine's scratch.
func (m *Machine) factsOf(e *entity) []fact {
	var ok bool
	m.facts, ok = readFacts(m.encoded(e), e.opened, m.facts[:0])
	if !ok {
		panic("detector: facts of a parcel do not decode: memory is damaged")
	}
	return m.facts
}

// add creates a parcel or, with entityOrder, an order. name may be scratch.
func (m *Machine) add(id *schemas.ID, name []byte, flags uint16, opened uint32) (uint32, *entity) {
	i, e := m.entities.add(id)
	e.opened, e.flags = opened, flags
	s := sections{name: name}
	if m.idFrom(&s, flags) != *id {
		e.flags |= entityKeyed
		s.id = id[:]
	}
	m.store(e, s)
	m.count(e, 1)
	return i, e
}

// count books e, or with -1 takes it out of the books.
func (m *Machine) count(e *entity, by int) {
	if !e.parcel() {
		return
	}
	m.parcels += by
	if !e.is(entityEnded) {
		m.open += by
	}
}

// remove frees the slot of e.
func (m *Machine) remove(i uint32, e *entity) {
	m.count(e, -1)
	m.setPolicy(e, 0)
	if e.is(entityDirty) {
		m.unwritten.drop(i)
	}
	m.entities.remove(i)
	m.blobs.release(e.blob)
	*e = entity{flags: entityFree}
}

// touch makes the row of e newer and lists it for writing.
func (m *Machine) touch(i uint32, e *entity) {
	m.unwritten.set(i, rowState{m.version, m.nowOf(e)})
	e.flags |= entityRow | entityRestless
	if !e.is(entityDirty) {
		e.flags |= entityDirty
		m.dirty(e).push(i)
	}
}

func (m *Machine) dirty(e *entity) *queue {
	if e.is(entityOrder) {
		return &m.dirtyOrders
	}
	return &m.dirtyParcels
}

// news has the next tick judge e.
func (m *Machine) news(i uint32, e *entity) {
	if !e.is(entityPending) {
		e.flags |= entityPending
		m.pending = append(m.pending, i)
	}
}

// nowOf is the clock that e is judged by: that of the log, or, where facts of it
// may still be on their way from another partition, the time up to which all have
// arrived.
func (m *Machine) nowOf(e *entity) uint32 {
	if !e.is(entityOrders) && !m.linked(e) {
		return m.now()
	}
	return m.slow
}

// linked reports whether e has other numbers. Their count stands behind the size
// of the section and the product.
func (m *Machine) linked(e *entity) bool {
	return e.is(entityMore) && m.sections(e).more[4] != 0
}

func (m *Machine) setPolicy(e *entity, policy uint8) {
	if e.policy == policy {
		return
	}
	if e.policy != 0 {
		m.policies[e.policy].parcels--
	}
	if e.policy = policy; policy != 0 {
		m.policies[policy].parcels++
	}
}

func (m *Machine) setEnded(e *entity, ended bool) {
	if ended == e.is(entityEnded) {
		return
	}
	m.count(e, -1)
	e.flags ^= entityEnded
	m.count(e, 1)
}

const (
	reasonFacts      = "more than 256 scans under one number"
	reasonOrderFacts = "more than 256 order facts under one number"
	reasonOrder      = "more than 256 facts or numbers of one order"
	reasonLinks      = "more than 8 other numbers linked with one parcel"
)

// quarantine freezes the entity as it is: its open alerts are withdrawn, since
// nothing will be known about them any more, and its row says more than
// MaxFacts facts.
func (m *Machine) quarantine(i uint32, e *entity, reason string, out *Output) {
	e.flags = e.flags&^(entityPending|entityPutOff) | entityQuarantined
	e.deadline = 0
	if m.ready() {
		m.ordinal = 0
		m.keepResolved(e)
		m.settle(e, m.livesOf(e), true, out)
	}
	gap := DataGap{Version: m.version, Reason: reason, At: millis(m.now())}
	if e.is(entityOrder) {
		o := summarize(m.ordersOf(e))
		gap.ShopID, gap.OrderID = m.texts.list[o.shop], out.text.of(o.orderID)
	} else {
		gap.ParcelID, gap.TrackingNumber = m.idOf(e), out.text.of(m.numberOf(e))
	}
	out.Gaps = append(out.Gaps, gap)
	m.touch(i, e)
}

// keepResolved makes the verdict call for the alerts that are over, and no
// others.
func (m *Machine) keepResolved(e *entity) {
	m.verdict.wanted = m.verdict.wanted[:0]
	m.known = readKnown(m.sections(e).alerts, m.known[:0])
	for i := range m.known {
		if m.known[i].status == schemas.AlertResolved {
			m.verdict.wanted = append(m.verdict.wanted, m.known[i].wanted)
		}
	}
}
