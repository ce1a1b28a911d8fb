package detector

import (
	"cmp"
	"encoding/binary"
	"slices"

	"scantrail/schemas"
)

// orderFact is one order fact as kept: with an order whole, with a parcel
// without its numbers and postcode and with 40 bits of its id (like scans).
// Byte slices alias what was decoded.
type orderFact struct {
	id       schemas.ID
	kind     schemas.OrderKind
	accepted bool
	backfill bool
	at       uint32 // Unix seconds
	promise  uint32 // 0: not stated
	until    uint32
	shop     uint16 // texts
	market   uint16 // packed country
	carrier  uint16
	label    uint16
	lane     lane
	num      uint8 // number that it came under, like fact.num
	orderID  []byte
	postcode []byte
	numbers  []byte // each with its length before it
}

// Bits of the encoding: what follows.
const (
	orderKey = 1 << iota // another order than the fact before
	orderMarket
	orderCarrier
	orderLabel
	orderLane
	orderPromise
	orderUntil
	orderPostcode
	orderNumbers
	orderAccepted
	orderBackfill
	orderNum // it came under a linked number
	orderBitsEnd
)

const (
	maxOrderID     = 64
	maxPostcode    = 16
	maxNumbers     = 256 // of one order, over all its facts
	shortIDBytes   = 5
	idBytes        = 16
	laneBytes      = 3
	orderFactFixed = 1 + 2 + 4 // kind, bits, at
)

func compareOrderFacts(a, b *orderFact) int {
	if a.at != b.at {
		return cmp.Compare(a.at, b.at)
	}
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	return slices.Compare(a.id[:], b.id[:])
}

func (f *orderFact) bits(prev *orderFact) (bits uint16) {
	set := func(on bool, bit uint16) {
		if on {
			bits |= bit
		}
	}
	set(f.shop != prev.shop || string(f.orderID) != string(prev.orderID), orderKey)
	set(f.market != 0, orderMarket)
	set(f.carrier != 0, orderCarrier)
	set(f.label != 0, orderLabel)
	set(f.lane != 0, orderLane)
	set(f.promise != 0, orderPromise)
	set(f.until != 0, orderUntil)
	set(len(f.postcode) > 0, orderPostcode)
	set(len(f.numbers) > 0, orderNumbers)
	set(f.accepted, orderAccepted)
	set(f.backfill, orderBackfill)
	set(f.num != 0, orderNum)
	return bits
}

// appendOrderFact appends the encoding of f behind prev, with idLen bytes of
// the id.
func appendOrderFact(b []byte, f, prev *orderFact, idLen int) []byte {
	le := binary.LittleEndian
	bits := f.bits(prev)
	b = append(b, byte(f.kind))
	b = le.AppendUint16(b, bits)
	b = le.AppendUint32(b, f.at)
	b = append(b, f.id[:idLen]...)
	if bits&orderKey != 0 {
		b = le.AppendUint16(b, f.shop)
		b = append(append(b, byte(len(f.orderID))), f.orderID...)
	}
	for _, part := range [...]struct {
		bit uint16
		v   uint16
	}{{orderMarket, f.market}, {orderCarrier, f.carrier}, {orderLabel, f.label}} {
		if bits&part.bit != 0 {
			b = le.AppendUint16(b, part.v)
		}
	}
	if bits&orderLane != 0 {
		b = appendLane(b, f.lane)
	}
	if bits&orderPromise != 0 {
		b = le.AppendUint32(b, f.promise)
	}
	if bits&orderUntil != 0 {
		b = le.AppendUint32(b, f.until)
	}
	if bits&orderPostcode != 0 {
		b = append(append(b, byte(len(f.postcode))), f.postcode...)
	}
	if bits&orderNumbers != 0 {
		b = append(le.AppendUint16(b, uint16(len(f.numbers))), f.numbers...)
	}
	if bits&orderNum != 0 {
		b = append(b, f.num)
	}
	return b
}

func appendLane(b []byte, l lane) []byte { return append(b, byte(l), byte(l>>8), byte(l>>16)) }

func readLane(b []byte) lane { return lane(b[0]) | lane(b[1])<<8 | lane(b[2])<<16 }

func appendOrderFacts(b []byte, facts []orderFact, idLen int) []byte {
	prev := &orderFact{}
	for i := range facts {
		b = appendOrderFact(b, &facts[i], prev, idLen)
		prev = &facts[i]
	}
	return b
}

// reader takes bytes off a buffer and remembers whether they were there.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return zeros[:n&(len(zeros)-1)]
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

// zeros stands for missing bytes; no fixed field is longer.
var zeros [32]byte

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// readOrderFacts decodes behind dst what appendOrderFacts wrote, and reports
// whether b was such an encoding.
func readOrderFacts(b []byte, dst []orderFact, idLen int) ([]orderFact, bool) {
	r := reader{b: b}
	var f orderFact
	for len(r.b) > 0 && !r.bad {
		f = orderFact{kind: schemas.OrderKind(r.u8()), shop: f.shop, orderID: f.orderID}
		bits := r.u16()
		f.at = r.u32()
		copy(f.id[:], r.take(idLen))
		f.accepted, f.backfill = bits&orderAccepted != 0, bits&orderBackfill != 0
		if bits&orderKey != 0 {
			f.shop = r.u16()
			f.orderID = r.long(int(r.u8()))
		}
		r.optional(&f, bits)
		dst = append(dst, f)
		if bits >= orderBitsEnd {
			r.bad = true
		}
	}
	return dst, !r.bad
}

func (r *reader) optional(f *orderFact, bits uint16) {
	if bits&orderMarket != 0 {
		f.market = r.u16()
	}
	if bits&orderCarrier != 0 {
		f.carrier = r.u16()
	}
	if bits&orderLabel != 0 {
		f.label = r.u16()
	}
	if bits&orderLane != 0 {
		f.lane = readLane(r.take(laneBytes))
	}
	if bits&orderPromise != 0 {
		f.promise = r.u32()
	}
	if bits&orderUntil != 0 {
		f.until = r.u32()
	}
	if bits&orderPostcode != 0 {
		f.postcode = r.long(int(r.u8()))
	}
	if bits&orderNumbers != 0 {
		f.numbers = r.long(int(r.u16()))
	}
	if bits&orderNum != 0 {
		f.num = r.u8()
	}
}

// validOrderFacts reports whether facts can be those of one entity.
func validOrderFacts(facts []orderFact, texts, links int) bool {
	if len(facts) > MaxFacts {
		return false
	}
	for i := range facts {
		f := &facts[i]
		if !f.lane.valid() || f.market > maxCountry || int(max(f.shop, f.carrier, f.label)) >= texts {
			return false
		}
		if len(f.orderID) > maxOrderID || len(f.postcode) > maxPostcode || int(f.num) > links || !validNumbers(f.numbers) {
			return false
		}
		if i > 0 && compareOrderFacts(&facts[i-1], f) >= 0 {
			return false
		}
		if slices.ContainsFunc(facts[:i], func(g orderFact) bool { return g.id == f.id }) {
			return false
		}
	}
	return true
}

func validNumbers(b []byte) bool {
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 || n > schemas.MaxNumber || n >= len(b) {
			return false
		}
		b = b[1+n:]
	}
	return true
}

// eachNumber calls do for each number of an encoded list.
func eachNumber(b []byte, do func(number []byte)) {
	for len(b) > 0 {
		n := int(b[0])
		do(b[1 : 1+n])
		b = b[1+n:]
	}
}

// orderFactOf turns a record's fact into the form that is kept, without its
// numbers; its byte slices are in the machine's scratch.
func (m *Machine) orderFactOf(o *schemas.OrderFact) orderFact {
	at := o.At
	if at == 0 {
		at = o.ReceivedAt
	}
	f := orderFact{
		id: o.FactID, kind: o.Kind, accepted: o.Accepted, backfill: o.Backfill, at: seconds(at),
		shop: m.texts.of(o.ShopID), market: packCountry(o.Market), carrier: m.texts.of(o.Carrier), label: m.texts.of(o.LabelSource),
		lane: newLane(packCountry(o.OriginCountry), packCountry(o.DestinationCountry)),
	}
	if o.PromiseAt > 0 {
		f.promise = seconds(o.PromiseAt)
	}
	if o.Until > 0 {
		f.until = seconds(o.Until)
	}
	b := append(m.buf[:0], cut(o.OrderID, maxOrderID)...)
	id := len(b)
	b = append(b, cut(o.DestinationPostcode, maxPostcode)...)
	m.buf = b
	f.orderID, f.postcode = b[:id:id], b[id:]
	return f
}

// parcelFactOf is orderFactOf for the copy that a parcel keeps.
func (m *Machine) parcelFactOf(o *schemas.OrderFact) orderFact {
	f := m.orderFactOf(o)
	clear(f.id[shortIDBytes:])
	return f
}

// numbersIn encodes the numbers that a fact names, in scratch of their own.
func (m *Machine) numbersIn(o *schemas.OrderFact) []byte {
	m.numbers = appendNumbers(m.numbers[:0], o.TrackingNumbers)
	return m.numbers
}

// appendNumbers appends the canonical ones of the numbers, in order and each
// once.
func appendNumbers(b []byte, numbers []string) []byte {
	for i, n := range numbers[:min(len(numbers), maxNumbers+1)] {
		if slices.Contains(numbers[:i], n) {
			continue
		}
		b = append(b, 0)
		start := len(b)
		var ok bool
		if b, ok = schemas.AppendNumber(b, n); ok {
			b[start-1] = byte(len(b) - start)
		} else {
			b = b[:start-1]
		}
	}
	return b
}

// insertOrderFact adds f in order unless its id is there already.
func insertOrderFact(facts []orderFact, f *orderFact) ([]orderFact, bool) {
	if slices.ContainsFunc(facts, func(g orderFact) bool { return g.id == f.id }) {
		return facts, false
	}
	at := len(facts)
	for at > 0 && compareOrderFacts(&facts[at-1], f) > 0 {
		at--
	}
	return slices.Insert(facts, at, *f), true
}
