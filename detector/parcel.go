package detector

import (
	"unsafe"

	"scantrail/schemas"
)

// parcel is the slot of one parcel: one cache line without a pointer. Its blob
// holds, one after the other, the tracking number, the order facts, the known
// alerts and the facts.
type parcel struct {
	id       schemas.ID
	version  uint64 // of its row
	blob     uint32
	opened   uint32 // effective time of the fact that the log showed first
	updated  uint32 // clock at version
	deadline uint32 // next second to look at it; 0 is never
	next     uint32 // timers: slot plus 1
	prev     uint32
	bucket   uint16 // timers: bucket plus 1; 0 is not filed
	orders   uint16 // bytes of order facts
	factLen  uint16 // bytes of facts
	facts    uint16
	alerts   uint16
	number   uint8 // bytes of the tracking number
	stages   uint8 // reported to parcel.status
	flags    uint8
	policy   uint8 // that it was last judged by; 0 is none
}

const (
	parcelDirty = 1 << iota
	parcelEnded
	parcelQuarantined
	parcelPending // has news since it was last judged
	parcelFlagsEnd
)

func (p *parcel) key() *schemas.ID { return &p.id }

func sizeOf[T any](v T) uintptr { return unsafe.Sizeof(v) }

// sections are the parts of a parcel's blob. They alias it.
type sections struct{ number, orders, alerts, facts []byte }

func (m *Machine) sections(p *parcel) (s sections) {
	b := m.blobs.block(p.blob)
	s.number, b = b[:p.number], b[p.number:]
	s.orders, b = b[:p.orders], b[p.orders:]
	n := int(p.alerts) * knownBytes
	s.alerts, b = b[:n], b[n:]
	s.facts = b[:p.factLen]
	return s
}

// store writes a blob of the given sections, which may alias the old one.
// alerts and facts are counted by the caller. It reports whether they fit.
func (m *Machine) store(p *parcel, s sections) bool {
	if len(s.number)+len(s.orders)+len(s.alerts)+len(s.facts) > maxBlob {
		return false
	}
	b := append(m.buf2[:0], s.number...)
	b = append(b, s.orders...)
	b = append(b, s.alerts...)
	b = append(b, s.facts...)
	m.buf2 = b
	p.blob = m.blobs.put(p.blob, b)
	p.number, p.orders, p.factLen = uint8(len(s.number)), uint16(len(s.orders)), uint16(len(s.facts))
	return true
}

// factsOf decodes the facts of p into the machine's scratch.
func (m *Machine) factsOf(p *parcel) []fact {
	var ok bool
	m.facts, ok = readFacts(m.sections(p).facts, m.facts[:0])
	if !ok {
		panic("detector: facts of a parcel do not decode: memory is damaged")
	}
	return m.facts
}

func (m *Machine) addParcel(id *schemas.ID, number string, opened uint32) (uint32, *parcel) {
	i, p := m.parcels.add(id)
	p.opened = opened
	m.buf = append(m.buf[:0], number[:min(len(number), schemas.MaxNumber)]...)
	m.store(p, sections{number: m.buf})
	m.open++
	return i, p
}

// touch makes the row of p newer and lists it for writing.
func (m *Machine) touch(i uint32, p *parcel) {
	p.version, p.updated = m.version, m.now()
	if p.flags&parcelDirty == 0 {
		p.flags |= parcelDirty
		m.dirtyParcels.push(i)
	}
}

func (m *Machine) applyEvent(e *schemas.Event, out *Output) {
	f := m.factOf(e)
	i, p := m.parcels.find(&e.ParcelID)
	if p == nil {
		i, p = m.addParcel(&e.ParcelID, e.TrackingNumber, f.sec)
	}
	if p.flags&parcelQuarantined != 0 {
		return
	}
	if !m.appendNew(p, &f) && !m.mergeFact(i, p, &f, out) {
		return
	}
	m.news(i, p)
}

// appendNew adds a fact that is new and the last in order, behind the encoding
// of the others. It reports false for any other fact, which it leaves alone.
func (m *Machine) appendNew(p *parcel, f *fact) bool {
	block := m.blobs.block(p.blob)
	used := p.size()
	t, found := probe(block[used-int(p.factLen):used], f.id)
	if found || p.facts >= MaxFacts || p.facts > 0 && compareFacts(&t.fact, f) > 0 {
		return false
	}
	m.buf = appendFact(m.buf[:0], f, &t.fact, t.lane)
	if used+len(m.buf) <= len(block) && used+len(m.buf) <= maxBlob {
		p.factLen += uint16(copy(block[used:], m.buf))
		p.facts++
		return true
	}
	s := m.sections(p)
	m.buf3 = append(append(m.buf3[:0], s.facts...), m.buf...)
	s.facts = m.buf3
	if !m.store(p, s) {
		return false
	}
	p.facts++
	return true
}

// mergeFact adds any fact, or quarantines a parcel that has too many. It reports
// whether there are news to judge.
func (m *Machine) mergeFact(i uint32, p *parcel, f *fact, out *Output) bool {
	facts, changed := m.merge(m.factsOf(p), f)
	m.facts = facts
	if !changed {
		return false
	}
	m.buf = appendFacts(m.buf[:0], facts)
	s := m.sections(p)
	s.facts = m.buf
	if len(facts) > MaxFacts || !m.store(p, s) {
		m.quarantine(i, p, reasonFacts, out)
		return false
	}
	p.facts = uint16(len(facts))
	return true
}

// news has the next tick judge p.
func (m *Machine) news(i uint32, p *parcel) {
	if p.flags&parcelPending == 0 {
		p.flags |= parcelPending
		m.pending = append(m.pending, i)
	}
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
		place: m.places.of(place{e.Carrier, e.Facility, packCountry(e.Country), e.MappingVersion}),
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
	return f
}

const (
	reasonFacts      = "more than 256 scans under one number"
	reasonOrderFacts = "more than 256 order facts under one number"
	reasonOrder      = "more than 256 facts or numbers of one order"
)

// quarantine freezes the parcel as it is: its open alerts are withdrawn, since
// nothing will be known about them any more, and its row says more than
// MaxFacts facts.
func (m *Machine) quarantine(i uint32, p *parcel, reason string, out *Output) {
	p.flags = p.flags&^parcelPending | parcelQuarantined
	p.deadline = 0
	if m.ready() {
		m.ordinal = 0
		m.keepResolved(p)
		m.settle(p, m.factsOf(p), true, out)
	}
	out.Gaps = append(out.Gaps, DataGap{
		Version: m.version, ParcelID: p.id, TrackingNumber: out.text.of(m.sections(p).number),
		Reason: reason, At: millis(m.now()),
	})
	m.touch(i, p)
}

// keepResolved makes the verdict call for the alerts that are over, and no
// others.
func (m *Machine) keepResolved(p *parcel) {
	m.verdict.wanted = m.verdict.wanted[:0]
	m.known = readKnown(m.sections(p).alerts, m.known[:0])
	for i := range m.known {
		if m.known[i].status == schemas.AlertResolved {
			m.verdict.wanted = append(m.verdict.wanted, m.known[i].wanted)
		}
	}
}

// judge evaluates the parcel, publishes what changed and files its next
// deadline. It reports whether any alert changed.
func (m *Machine) judge(i uint32, p *parcel, out *Output) bool {
	m.ordinal = 0
	news := p.flags&parcelPending != 0
	p.flags &^= parcelPending
	v, facts := &m.verdict, m.factsOf(p)
	ordered := orderedLane(m.sections(p).orders)
	policy := m.policy
	if p.flags&parcelEnded != 0 {
		policy = p.policy
	}
	v.evaluate(facts, ordered, m.policies[policy], m.now())
	if !v.ended && policy != m.policy {
		policy = m.policy // its trail goes on: back under the policy in force
		v.evaluate(facts, ordered, m.policies[policy], m.now())
	}
	m.setPolicy(p, policy)
	m.setEnded(p, v.ended)
	changed := m.settle(p, facts, news, out)
	m.announce(p, out)
	m.arm(i, p, v.deadline)
	return changed
}

func (m *Machine) setPolicy(p *parcel, policy uint8) {
	if p.policy == policy {
		return
	}
	if p.policy != 0 {
		m.policies[p.policy].parcels--
	}
	p.policy = policy
	m.policies[policy].parcels++
}

func (m *Machine) setEnded(p *parcel, ended bool) {
	switch was := p.flags&parcelEnded != 0; {
	case ended && !was:
		p.flags |= parcelEnded
		m.open--
	case !ended && was:
		p.flags &^= parcelEnded
		m.open++
	}
}
