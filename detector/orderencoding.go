package detector

import (
	"encoding/binary"

	"scantrail/schemas"
)

// The encoding of an order fact behind the one before, 3 bytes for one that says
// only that something happened:
//
//	head   1   kind (orderKind), orderKey, orderParts, orderAccepted, orderBackfill
//	time   2+  seconds since the fact before, see appendSpan
//	kind   1   where it does not fit
//	key        where orderKey, another order than the fact before: shop, order id
//	parts  1+  where orderParts, uvarint: what follows
//
// Shop, carrier and label source are numbers of texts, as uvarints. Promise and
// until count from the time of the fact, zigzag. The first fact counts from the
// opening of its entity, in either direction, and is of the order that its home
// is named after.
const (
	orderKind  = 1<<4 - 1
	orderKey   = 1 << 4
	orderParts = 1 << 5

	orderAccepted = 1 << 6
	orderBackfill = 1 << 7

	longKind = orderKind // a kind that does not fit
)

// Parts of the encoding.
const (
	orderMarket = 1 << iota
	orderCarrier
	orderLabel
	orderLane
	orderPromise
	orderPostcode
	orderNumbers
	orderUntil
	orderNum // it came under a linked number
	orderPartsEnd
)

func (f *orderFact) parts() (bits uint64) {
	set := func(on bool, bit uint64) {
		if on {
			bits |= bit
		}
	}
	set(f.market != 0, orderMarket)
	set(f.carrier != 0, orderCarrier)
	set(f.label != 0, orderLabel)
	set(f.lane != 0, orderLane)
	set(f.promise != 0, orderPromise)
	set(len(f.postcode) > 0, orderPostcode)
	set(len(f.numbers) > 0, orderNumbers)
	set(f.until != 0, orderUntil)
	set(f.num != 0, orderNum)
	return bits
}

func (f *orderFact) head(prev *orderFact, parts uint64) uint8 {
	head := min(uint8(f.kind), longKind)
	if f.shop != prev.shop || string(f.orderID) != string(prev.orderID) {
		head |= orderKey
	}
	if parts != 0 {
		head |= orderParts
	}
	if f.accepted {
		head |= orderAccepted
	}
	if f.backfill {
		head |= orderBackfill
	}
	return head
}

// appendOrderFact appends the encoding of f behind prev, span seconds later.
func appendOrderFact(b []byte, f, prev *orderFact, span uint32) []byte {
	parts := f.parts()
	head := f.head(prev, parts)
	b = appendSpan(append(b, head), span)
	if head&orderKind == longKind {
		b = append(b, byte(f.kind))
	}
	if head&orderKey != 0 {
		b = appendOrderName(b, f.shop, f.orderID)
	}
	if parts != 0 {
		b = f.appendParts(binary.AppendUvarint(b, parts), parts)
	}
	return b
}

func (f *orderFact) appendParts(b []byte, parts uint64) []byte {
	if parts&orderMarket != 0 {
		b = append(b, byte(f.market), byte(f.market>>8))
	}
	if parts&orderCarrier != 0 {
		b = binary.AppendUvarint(b, uint64(f.carrier))
	}
	if parts&orderLabel != 0 {
		b = binary.AppendUvarint(b, uint64(f.label))
	}
	if parts&orderLane != 0 {
		b = appendLane(b, f.lane)
	}
	if parts&orderPromise != 0 {
		b = binary.AppendVarint(b, int64(f.promise)-int64(f.at))
	}
	if parts&orderPostcode != 0 {
		b = append(append(b, byte(len(f.postcode))), f.postcode...)
	}
	if parts&orderNumbers != 0 {
		n := 0
		eachNumber(f.numbers, func([]byte) { n++ })
		b = binary.AppendUvarint(b, uint64(n))
		eachNumber(f.numbers, func(number []byte) { b = appendPacked(b, number) })
	}
	if parts&orderUntil != 0 {
		b = binary.AppendVarint(b, int64(f.until)-int64(f.at))
	}
	if parts&orderNum != 0 {
		b = append(b, f.num)
	}
	return b
}

// appendOrderID appends an order id behind its length; one of digits alone, as
// those of marketplaces are, takes half.
func appendOrderID(b, id []byte) []byte {
	for _, c := range id {
		if c < '0' || c > '9' {
			return append(append(b, byte(len(id))), id...)
		}
	}
	return appendDigits(append(b, allDigits|byte(len(id))), id)
}

// orderIDLen is the length of the encoding of an order id that begins with head.
func orderIDLen(head byte) int {
	n := int(head &^ allDigits)
	if head&allDigits == 0 {
		return 1 + n
	}
	return 1 + digitsLen(n)
}

// orderID takes an order id off r. Digits are spelt behind digits.
func (r *reader) orderID(digits []byte) (id, _ []byte) {
	head := r.u8()
	b := r.long(orderIDLen(head) - 1)
	if r.bad || head&allDigits == 0 {
		return b, digits
	}
	from := len(digits)
	digits = appendSpeltDigits(digits, b, int(head&^allDigits))
	return digits[from:], digits
}

func appendLane(b []byte, l lane) []byte { return append(b, byte(l), byte(l>>8), byte(l>>16)) }

func readLane(b []byte) lane { return lane(b[0]) | lane(b[1])<<8 | lane(b[2])<<16 }

// appendOrderFacts appends the encoding of the facts of an entity. base has when it
// opened and, of an order, its shop and order id.
func appendOrderFacts(b []byte, base *orderFact, facts []orderFact) []byte {
	for i := range facts {
		f := &facts[i]
		span := f.at - base.at
		if i == 0 {
			span = zigzag(span)
		}
		b = appendOrderFact(b, f, base, span)
		base = f
	}
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// second takes a time off r that counts from another one.
func (r *reader) second(from uint32) uint32 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return uint32(int64(from) + v)
}

// index takes the number of a text off r. One out of range becomes the highest,
// which no text has.
func (r *reader) index() uint16 { return uint16(min(r.uvarint(), 1<<16-1)) }

// readOrderFacts decodes behind dst what appendOrderFacts wrote, and reports
// whether b was such an encoding. What was packed is spelt behind spelt.
func readOrderFacts(b []byte, base *orderFact, dst []orderFact, spelt []byte) ([]orderFact, []byte, bool) {
	r := reader{b: b}
	f := *base
	for first := true; len(r.b) > 0 && !r.bad; first = false {
		f = orderFact{at: f.at, shop: f.shop, orderID: f.orderID}
		head := r.u8()
		span, width := readSpan(r.b)
		if r.take(width); width == 0 {
			r.bad = true
		}
		if first {
			span = unfold(span)
		}
		f.at += span
		if f.kind = schemas.OrderKind(head & orderKind); f.kind == longKind {
			f.kind = schemas.OrderKind(r.u8())
		}
		f.accepted, f.backfill = head&orderAccepted != 0, head&orderBackfill != 0
		if head&orderKey != 0 {
			f.shop = r.index()
			f.orderID, spelt = r.orderID(spelt)
		}
		if head&orderParts != 0 {
			spelt = r.parts(&f, spelt)
		}
		dst = append(dst, f)
	}
	return dst, spelt, !r.bad
}

// parts takes off r what appendParts wrote, and spells its numbers behind spelt.
func (r *reader) parts(f *orderFact, spelt []byte) []byte {
	parts := r.uvarint()
	if parts&orderMarket != 0 {
		f.market = r.u16()
	}
	if parts&orderCarrier != 0 {
		f.carrier = r.index()
	}
	if parts&orderLabel != 0 {
		f.label = r.index()
	}
	if parts&orderLane != 0 {
		f.lane = readLane(r.take(laneBytes))
	}
	if parts&orderPromise != 0 {
		f.promise = r.second(f.at)
	}
	if parts&orderPostcode != 0 {
		f.postcode = r.long(int(r.u8()))
	}
	if parts&orderNumbers != 0 {
		from := len(spelt)
		for n := r.uvarint(); n > 0 && !r.bad; n-- {
			spelt = r.number(append(spelt, 0))
		}
		f.numbers = spelt[from:len(spelt):len(spelt)]
	}
	if parts&orderUntil != 0 {
		f.until = r.second(f.at)
	}
	if parts&orderNum != 0 {
		f.num = r.u8()
	}
	if parts >= orderPartsEnd {
		r.bad = true
	}
	return spelt
}

// number takes a packed number off r and spells it behind spelt, the last byte of
// which becomes its length.
func (r *reader) number(spelt []byte) []byte {
	at := len(spelt) - 1
	if b := r.long(packedLen(r.b)); !r.bad {
		spelt = appendSpelt(spelt, b)
	}
	spelt[at] = byte(len(spelt) - at - 1)
	return spelt
}
