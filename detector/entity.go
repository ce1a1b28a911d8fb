package detector

import (
	"encoding/binary"
	"unsafe"

	"scantrail/schemas"
)

// entity is the slot of one parcel or one order: one cache line without a
// pointer. Its blob holds, one after the other, the tracking number, what only
// some have (more), the order facts, the known alerts and the facts. An order has
// no number, no scans and its facts whole.
type entity struct {
	id       schemas.ID // of a parcel its hash, of an order that of shop and order
	version  uint64     // of its row
	blob     uint32
	opened   uint32 // effective time of the fact that the log showed first
	updated  uint32 // clock at version
	deadline uint32 // next second to look at it; 0 is never
	next     uint32 // timers: slot plus 1
	prev     uint32
	bucket   uint16 // timers: bucket plus 1; 0 is not filed
	flags    uint16
	orders   uint16 // bytes of order facts
	factLen  uint16 // bytes of facts
	facts    uint16
	alerts   uint16
	number   uint8 // bytes of the tracking number
	stages   uint8 // reported to parcel.status
	policy   uint8 // that it was last judged by; 0 is none
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
	entityFlagsEnd

	// entityFree marks a slot that is not in use. It is no state: a snapshot
	// does not hold such slots.
	entityFree = 1 << 15
)

func (e *entity) key() *schemas.ID    { return &e.id }
func (e *entity) is(flag uint16) bool { return e.flags&flag != 0 }

// parcel reports whether e is a parcel with a trail of its own.
func (e *entity) parcel() bool { return e.flags&(entityOrder|entityMoved) == 0 }

func sizeOf[T any](v T) uintptr { return unsafe.Sizeof(v) }

// size is the length of e's blob, but for the section more.
func (e *entity) size() int {
	return int(e.number) + int(e.orders) + int(e.alerts)*knownBytes + int(e.factLen)
}

// used is the length of e's blob, block.
func (e *entity) used(block []byte) int {
	if e.is(entityMore) {
		return e.size() + int(binary.LittleEndian.Uint16(block[e.number:]))
	}
	return e.size()
}

// sections are the parts of an entity's blob. They alias it.
type sections struct{ number, more, orders, alerts, facts []byte }

func (m *Machine) sections(e *entity) (s sections) {
	b := m.blobs.block(e.blob)
	s.number, b = b[:e.number], b[e.number:]
	if e.is(entityMore) {
		n := int(binary.LittleEndian.Uint16(b))
		s.more, b = b[:n], b[n:]
	}
	s.orders, b = b[:e.orders], b[e.orders:]
	n := int(e.alerts) * knownBytes
	s.alerts, b = b[:n], b[n:]
	s.facts = b[:e.factLen]
	return s
}

// store writes a blob of the given sections, which may alias the old one.
// alerts and facts are counted by the caller. It reports whether they fit.
func (m *Machine) store(e *entity, s sections) bool {
	if len(s.number)+len(s.more)+len(s.orders)+len(s.alerts)+len(s.facts) > maxBlob {
		return false
	}
	b := append(m.buf2[:0], s.number...)
	b = append(b, s.more...)
	b = append(b, s.orders...)
	b = append(b, s.alerts...)
	b = append(b, s.facts...)
	m.buf2 = b
	e.blob = m.blobs.put(e.blob, b)
	e.number, e.orders, e.factLen = uint8(len(s.number)), uint16(len(s.orders)), uint16(len(s.facts))
	if e.flags &^= entityMore; len(s.more) > 0 {
		e.flags |= entityMore
	}
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

// factsOf decodes the facts of e into the machine's scratch.
func (m *Machine) factsOf(e *entity) []fact {
	var ok bool
	m.facts, ok = readFacts(m.sections(e).facts, m.facts[:0])
	if !ok {
		panic("detector: facts of a parcel do not decode: memory is damaged")
	}
	return m.facts
}

// add creates a parcel, or with an empty number an order.
func (m *Machine) add(id *schemas.ID, number string, flags uint16, opened uint32) (uint32, *entity) {
	i, e := m.entities.add(id)
	e.opened, e.flags = opened, flags
	m.buf = append(m.buf[:0], number[:min(len(number), schemas.MaxNumber)]...)
	m.store(e, sections{number: m.buf})
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
	if e.bucket != 0 {
		m.unfile(e)
	}
	m.blobs.release(e.blob)
	m.entities.remove(i)
	*e = entity{flags: entityFree}
}

// touch makes the row of e newer and lists it for writing.
func (m *Machine) touch(i uint32, e *entity) {
	e.version, e.updated = m.version, m.nowOf(e)
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
	if m.forwarded == 0 || e.orders == 0 && !m.linked(e) {
		return m.now()
	}
	return min(m.now(), m.forwarded)
}

// linked reports whether e has other numbers. Their count stands behind the size
// of the section and the product.
func (m *Machine) linked(e *entity) bool {
	return e.is(entityMore) && m.blobs.block(e.blob)[int(e.number)+4] != 0
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
	e.flags = e.flags&^entityPending | entityQuarantined
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
		gap.ParcelID, gap.TrackingNumber = e.id, out.text.of(m.sections(e).number)
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
