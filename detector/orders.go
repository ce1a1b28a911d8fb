package detector

import (
	"slices"

	"scantrail/schemas"
)

// orderKeyOf returns the id of an order.
func (m *Machine) orderKeyOf(shop, id string) schemas.ID {
	m.buf = appendOrderKey(m.buf[:0], shop, id)
	return schemas.Hash(m.buf)
}

// applyOrder adds a fact to its order and forwards what the order's parcels do
// not know yet: this fact to the numbers known before, everything to new ones.
func (m *Machine) applyOrder(r *schemas.Record, out *Output) {
	o := &r.Order
	f := m.orderFactOf(o)
	i, e := m.reach(m.orderKeyOf(o.ShopID, o.OrderID), schemas.OrderKey(o.ShopID, o.OrderID), r, f.at)
	if e == nil {
		return
	}
	f = m.orderFactOf(o) // its bytes are scratch, which reach may have used
	f.numbers = m.numbersIn(o)
	facts := m.ordersOf(e)
	before := m.numbersOf(facts)
	facts, _, isNew := insertOrderFact(facts, &f, m.texts.list)
	if !isNew {
		return
	}
	m.ofacts = facts
	after := m.numbersOf(facts)
	m.buf3 = m.appendOrdersOf(m.buf3[:0], e, facts)
	if len(facts) > MaxFacts || len(after) > maxNumbers || !m.storeOrders(e, m.buf3) {
		m.quarantineOrder(i, e, &f, out)
		return
	}
	facts = m.ordersOf(e)
	for _, n := range after {
		if slices.Contains(before, n) {
			m.forward(n, n, &f, out)
			continue
		}
		for k := range facts {
			m.forward(n, n, &facts[k], out)
		}
	}
	m.news(i, e)
}

func (m *Machine) storeOrders(e *entity, orders []byte) bool {
	s := m.sections(e)
	s.orders = orders
	return m.store(e, s)
}

// quarantineOrder freezes the order as it was before f. One that had no facts
// keeps f without its numbers, for its name.
func (m *Machine) quarantineOrder(i uint32, e *entity, f *orderFact, out *Output) {
	if !e.is(entityOrders) {
		f.numbers = nil
		m.buf3 = m.appendOrdersOf(m.buf3[:0], e, []orderFact{*f})
		m.storeOrders(e, m.buf3)
	}
	m.quarantine(i, e, reasonOrder, out)
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

// forward sends a copy of an order fact to the home of a number. under is the
// number that the order names.
func (m *Machine) forward(home, under string, f *orderFact, out *Output) {
	l := f.lane
	numbers := []string{home, under}
	if home == under {
		numbers = numbers[:1]
	}
	m.send(home, &schemas.Record{Kind: schemas.KindOrder, Forwarded: true, Home: home, Order: schemas.OrderFact{
		OrderID: string(f.orderID), ShopID: m.texts.list[f.shop], Market: countryName(f.market),
		Kind: f.kind, At: millis(f.at), Carrier: m.texts.list[f.carrier], TrackingNumbers: numbers,
		LabelSource: m.texts.list[f.label], OriginCountry: countryName(l.origin()), DestinationCountry: countryName(l.destination()),
		DestinationPostcode: string(f.postcode), PromiseAt: millis(f.promise), Until: millis(f.until),
		Accepted: f.accepted, Backfill: f.backfill,
	}}, out)
}

// applyForwarded attaches an order's fact to one of its parcels. The record names
// that of this copy, then the number that the order names, where it is another.
func (m *Machine) applyForwarded(r *schemas.Record, out *Output) {
	numbers := r.Order.TrackingNumbers
	if len(numbers) == 0 || len(numbers) > 2 {
		return
	}
	home, under := numbers[0], numbers[len(numbers)-1]
	f := m.orderFactOf(&r.Order)
	i, e := m.reach(schemas.ParcelID(home), home, r, f.at)
	if e == nil {
		return
	}
	if home != under && e.parcel() {
		m.link(i, e, under, out)
	}
	switch {
	case e.is(entityQuarantined):
		return
	case e.is(entityMoved):
		f = m.orderFactOf(&r.Order)
		m.forward(m.passOn(i, e), under, &f, out)
		return
	}
	num := m.link(i, e, under, out)
	f = m.orderFactOf(&r.Order) // its bytes are scratch, which the above has used
	f.num = num
	m.openAt(e, f.at)
	facts, at, changed := insertOrderFact(m.ordersOf(e), &f, m.texts.list)
	m.ofacts = facts
	if !m.renumber(e, &facts[at], &f) && !changed {
		return
	}
	m.buf3 = m.appendOrdersOf(m.buf3[:0], e, facts)
	if len(facts) > MaxFacts || !m.storeOrders(e, m.buf3) {
		m.quarantine(i, e, reasonOrderFacts, out)
		return
	}
	m.news(i, e)
}

// renumber keeps the smallest of the numbers under which a fact came, and reports
// whether that changed.
func (m *Machine) renumber(e *entity, has, f *orderFact) bool {
	if m.numberAt(e, f.num) >= m.numberAt(e, has.num) {
		return false
	}
	has.num = f.num
	return true
}

// numberAt spells a number of e by its index in facts.
func (m *Machine) numberAt(e *entity, num uint8) string {
	if num == 0 {
		return string(m.numberOf(e))
	}
	return string(m.moreOf(e).links[num-1])
}

// ordersOf decodes the order facts of e into the machine's scratch.
func (m *Machine) ordersOf(e *entity) []orderFact {
	m.ofacts = m.ofacts[:0]
	if !e.is(entityOrders) {
		return m.ofacts
	}
	var ok bool
	s := m.sections(e)
	m.obytes = append(append(m.obytes[:0], s.name...), s.orders...) // the blob may move while they are used
	base, spelt := orderBase(e, m.obytes[:len(s.name)], m.digits[:0])
	m.ofacts, m.digits, ok = readOrderFacts(m.obytes[len(s.name):], &base, m.ofacts, spelt)
	if !ok {
		panic("detector: order facts do not decode: memory is damaged")
	}
	return m.ofacts
}

// orderBase is what the first order fact of e is encoded against. What it has is
// in name, or spelt behind spelt.
func orderBase(e *entity, name, spelt []byte) (base orderFact, _ []byte) {
	base.at = e.opened
	if e.is(entityOrder) {
		r := reader{b: name}
		base.shop = r.index()
		base.orderID, spelt = r.orderID(spelt)
	}
	return base, spelt
}

// appendOrdersOf appends the encoding of order facts for e.
func (m *Machine) appendOrdersOf(b []byte, e *entity, facts []orderFact) []byte {
	var digits [maxOrderID]byte
	base, _ := orderBase(e, m.sections(e).name, digits[:0])
	return appendOrderFacts(b, &base, facts)
}

// hasNumber reports whether any fact of an order names a number.
func hasNumber(facts []orderFact) bool {
	return slices.ContainsFunc(facts, func(f orderFact) bool { return len(f.numbers) > 0 })
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
