package detector

import (
	"bytes"
	"cmp"
	"slices"

	"scantrail/schemas"
)

// orderFact is one order fact as kept: with an order whole, with a parcel
// without its numbers. Its id is the hash of what it says, and is not kept: what
// says the same of the same second is the same fact. Byte slices alias what was
// decoded.
type orderFact struct {
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

const (
	maxOrderID  = 64
	maxPostcode = 16
	maxNumbers  = 256 // of one order, over all its facts
	laneBytes   = 3
	allDigits   = 1 << 7 // of an order id: its length counts digits, two in a byte
)

// compareOrderFacts orders facts by second and kind, and those of one second and
// kind by what they say, which is the same in every partition: texts spells the
// numbers that differ there. Facts that compare equal are one.
func compareOrderFacts(a, b *orderFact, texts []string) int {
	if a.at != b.at {
		return cmp.Compare(a.at, b.at)
	}
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	return cmp.Or(
		cmp.Compare(texts[a.shop], texts[b.shop]), bytes.Compare(a.orderID, b.orderID),
		cmp.Compare(a.market, b.market), cmp.Compare(texts[a.carrier], texts[b.carrier]), cmp.Compare(texts[a.label], texts[b.label]),
		cmp.Compare(a.lane, b.lane), bytes.Compare(a.postcode, b.postcode), cmp.Compare(a.promise, b.promise), cmp.Compare(a.until, b.until),
		cmp.Compare(asByte(a.accepted), asByte(b.accepted)), bytes.Compare(a.numbers, b.numbers))
}

// validOrderFacts reports whether facts can be those of one entity.
func validOrderFacts(facts []orderFact, texts []string, links int) bool {
	if len(facts) > MaxFacts {
		return false
	}
	for i := range facts {
		f := &facts[i]
		if !f.lane.valid() || f.market > maxCountry || int(max(f.shop, f.carrier, f.label)) >= len(texts) {
			return false
		}
		if len(f.orderID) > maxOrderID || len(f.postcode) > maxPostcode || int(f.num) > links || !validNumbers(f.numbers) {
			return false
		}
		if i > 0 && compareOrderFacts(&facts[i-1], f, texts) >= 0 {
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
		kind: o.Kind, accepted: o.Accepted, backfill: o.Backfill, at: seconds(at),
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

// insertOrderFact adds f in order, unless it is there already, and returns where
// it is. As with scans, a fact is history only while every copy of it is. It reports
// whether facts changed.
func insertOrderFact(facts []orderFact, f *orderFact, texts []string) (_ []orderFact, at int, changed bool) {
	for at = len(facts); at > 0; at-- {
		switch order := compareOrderFacts(&facts[at-1], f, texts); {
		case order == 0:
			has := &facts[at-1]
			fresh := has.backfill && !f.backfill
			has.backfill = has.backfill && f.backfill
			return facts, at - 1, fresh
		case order < 0:
			return slices.Insert(facts, at, *f), at, true
		}
	}
	return slices.Insert(facts, 0, *f), 0, true
}
