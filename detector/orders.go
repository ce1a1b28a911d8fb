package detector

import (
	"encoding/binary"
	"slices"

	"scantrail/schemas"
)

// order is the slot of one order. Its blob holds its facts.
type order struct {
	id      schemas.ID // hash of shop and order
	version uint64
	blob    uint32
	updated uint32
	size    uint16
	facts   uint16
	flags   uint8
}

const (
	orderDirty = 1 << iota
	orderQuarantined
	orderFlagsEnd
)

func (o *order) key() *schemas.ID { return &o.id }

// orderKeyOf names an order. The length keeps shop and order apart.
func (m *Machine) orderKeyOf(shop, id string) schemas.ID {
	b := binary.LittleEndian.AppendUint32(m.buf[:0], uint32(len(shop)))
	b = append(append(b, shop...), id...)
	m.buf = b
	return schemas.Hash(b)
}

func (m *Machine) touchOrder(i uint32, o *order) {
	o.version, o.updated = m.version, m.now()
	if o.flags&orderDirty == 0 {
		o.flags |= orderDirty
		m.dirtyOrders.push(i)
	}
}

func (m *Machine) orderFacts(o *order) []orderFact {
	var ok bool
	m.ofacts, ok = readOrderFacts(m.blobs.block(o.blob)[:o.size], m.ofacts[:0], idBytes)
	if !ok {
		panic("detector: facts of an order do not decode: memory is damaged")
	}
	return m.ofacts
}

// applyOrder adds a fact to its order and forwards what the order's parcels do
// not know yet: this fact to the numbers known before, everything to new ones.
func (m *Machine) applyOrder(r *schemas.OrderFact, out *Output) {
	id := m.orderKeyOf(r.ShopID, r.OrderID)
	i, o := m.orders.find(&id)
	var facts []orderFact
	if o == nil {
		i, o = m.orders.add(&id)
		o.blob = m.blobs.alloc(0)
	} else {
		if o.flags&orderQuarantined != 0 {
			return
		}
		facts = m.orderFacts(o)
	}
	f := m.orderFactOf(r, true)
	before := m.numbersOf(facts)
	facts, isNew := insertOrderFact(facts, &f)
	if !isNew {
		return
	}
	m.ofacts = facts
	after := m.numbersOf(facts)
	m.buf2 = appendOrderFacts(m.buf2[:0], facts, idBytes)
	if len(facts) > MaxFacts || len(after) > maxNumbers || len(m.buf2) > maxBlob {
		m.quarantineOrder(i, o, &f, out)
		return
	}
	for _, n := range after {
		if slices.Contains(before, n) {
			m.forward(n, &f, out)
			continue
		}
		for k := range facts {
			m.forward(n, &facts[k], out)
		}
	}
	o.blob = m.blobs.put(o.blob, m.buf2)
	o.size, o.facts = uint16(len(m.buf2)), uint16(len(facts))
	m.touchOrder(i, o)
}

// quarantineOrder freezes the order as it was before f. One that had no facts
// keeps f without its numbers, for its name.
func (m *Machine) quarantineOrder(i uint32, o *order, f *orderFact, out *Output) {
	o.flags |= orderQuarantined
	if o.facts == 0 {
		f.numbers = nil
		m.buf2 = appendOrderFact(m.buf2[:0], f, &orderFact{}, idBytes)
		o.blob, o.size, o.facts = m.blobs.put(o.blob, m.buf2), uint16(len(m.buf2)), 1
	}
	out.Gaps = append(out.Gaps, DataGap{
		Version: m.version, ShopID: m.texts.list[f.shop], OrderID: out.text.of(f.orderID),
		Reason: reasonOrder, At: millis(m.now()),
	})
	m.touchOrder(i, o)
}

// numbersOf lists the numbers of an order, in the order of its facts. The
// strings are kept by what they are forwarded in.
func (m *Machine) numbersOf(facts []orderFact) []string {
	var all []string
	for i := range facts {
		eachNumber(facts[i].numbers, func(b []byte) {
			if !slices.Contains(all, string(b)) {
				all = append(all, m.rows.of(b))
			}
		})
	}
	return all
}

func (m *Machine) forward(number string, f *orderFact, out *Output) {
	l := f.lane
	out.Forwards = append(out.Forwards, Forward{Key: number, Order: schemas.OrderFact{
		FactID: f.id, OrderID: out.text.of(f.orderID), ShopID: m.texts.list[f.shop], Market: countryName(f.market),
		Kind: f.kind, At: millis(f.at), Carrier: m.texts.list[f.carrier], TrackingNumbers: []string{number},
		LabelSource: m.texts.list[f.label], OriginCountry: countryName(l.origin()), DestinationCountry: countryName(l.destination()),
		DestinationPostcode: out.text.of(f.postcode), PromiseAt: millis(f.promise), Until: millis(f.until),
		Accepted: f.accepted, Backfill: f.backfill,
	}})
}

// applyForwarded attaches an order's fact to one of its parcels, that of the
// only number of this copy.
func (m *Machine) applyForwarded(r *schemas.OrderFact, out *Output) {
	if len(r.TrackingNumbers) != 1 {
		return
	}
	f := m.orderFactOf(r, false)
	id := schemas.ParcelID(r.TrackingNumbers[0])
	i, p := m.parcels.find(&id)
	if p == nil {
		f.orderID = slices.Clone(f.orderID) // a new parcel: not the hot path
		i, p = m.addParcel(&id, r.TrackingNumbers[0], f.at)
	}
	if p.flags&parcelQuarantined != 0 {
		return
	}
	s := m.sections(p)
	facts, isNew := insertOrderFact(m.parcelOrders(s.orders), &f)
	m.ofacts = facts
	if !isNew {
		return
	}
	b := appendLane(m.buf3[:0], mainLane(facts))
	b = appendOrderFacts(b, facts, shortIDBytes)
	m.buf3 = b
	s.orders = b
	if len(facts) > MaxFacts || !m.store(p, s) {
		m.quarantine(i, p, reasonOrderFacts, out)
		return
	}
	m.news(i, p)
}

// parcelOrders decodes the order section of a parcel: the lane that the order
// states, kept ready, and the facts.
func (m *Machine) parcelOrders(b []byte) []orderFact {
	m.ofacts = m.ofacts[:0]
	if len(b) == 0 {
		return m.ofacts
	}
	var ok bool
	m.ofacts, ok = readOrderFacts(b[laneBytes:], m.ofacts, shortIDBytes)
	if !ok {
		panic("detector: order facts of a parcel do not decode: memory is damaged")
	}
	return m.ofacts
}

func orderedLane(orders []byte) lane {
	if len(orders) == 0 {
		return 0
	}
	return readLane(orders)
}

// mainOrder returns the fact that names the order of a parcel: its earliest
// label_created, else its earliest fact. Facts of any other order under the
// same number do not count in the parcel's row.
func mainOrder(facts []orderFact) *orderFact {
	for i := range facts {
		if facts[i].kind == schemas.OrderLabelCreated {
			return &facts[i]
		}
	}
	if len(facts) > 0 {
		return &facts[0]
	}
	return &orderFact{}
}

func (f *orderFact) sameOrder(g *orderFact) bool {
	return f.shop == g.shop && string(f.orderID) == string(g.orderID)
}

// mainLane is the lane of a parcel as its order's labels state it.
func mainLane(facts []orderFact) (l lane) {
	main := mainOrder(facts)
	for i := range facts {
		if facts[i].kind == schemas.OrderLabelCreated && facts[i].sameOrder(main) {
			l = l.or(facts[i].lane)
		}
	}
	return l
}

// summary is what the facts of one order say together.
type summary struct {
	orderID  []byte
	shop     uint16
	market   uint16
	label    uint16
	carrier  uint16
	lane     lane
	postcode []byte
	promise  uint32     // the last stated
	first    [16]uint32 // earliest time of each kind
	facts    int
}

// summarize puts together what the facts of the main order say.
func summarize(facts []orderFact) (s summary) {
	main := mainOrder(facts)
	s.orderID, s.shop = main.orderID, main.shop
	for i := range facts {
		f := &facts[i]
		if !f.sameOrder(main) {
			continue
		}
		s.facts++
		if f.kind.Known() && s.first[f.kind] == 0 {
			s.first[f.kind] = f.at
		}
		keepFirst(&s.market, f.market)
		keepFirst(&s.label, f.label)
		keepFirst(&s.carrier, f.carrier)
		if len(s.postcode) == 0 {
			s.postcode = f.postcode
		}
		if f.promise != 0 {
			s.promise = f.promise
		}
		if f.kind == schemas.OrderLabelCreated {
			s.lane = s.lane.or(f.lane)
		}
	}
	return s
}

func keepFirst(dst *uint16, v uint16) {
	if *dst == 0 {
		*dst = v
	}
}

// ordered summarizes the order facts of a parcel's section.
func (m *Machine) ordered(orders []byte) summary {
	if len(orders) == 0 {
		return summary{}
	}
	return summarize(m.parcelOrders(orders))
}
