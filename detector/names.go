package detector

import (
	"encoding/binary"

	"scantrail/schemas"
)

// Names: a parcel's is its packed number, an order's the number of its shop among
// the texts and its order id.

// idOf returns the id of e.
func (m *Machine) idOf(e *entity) schemas.ID {
	b := m.blob(e)
	if e.flags&(entityKeyed|entityOrder) == 0 {
		return parcelID(b[:packedLen(b)])
	}
	s := m.sections(e)
	return m.idFrom(&s, e.flags)
}

// hasID reports whether id is that of e. name is the packed number that it is the hash
// of, nil where that is not known: a comparison is quicker than a hash.
func (m *Machine) hasID(e *entity, id schemas.ID, name []byte) bool {
	if name == nil || e.flags&(entityKeyed|entityOrder) != 0 {
		return m.idOf(e) == id
	}
	b := m.blob(e) // no name is the beginning of another one
	return len(b) >= len(name) && string(b[:len(name)]) == string(name)
}

// parcelID is schemas.ParcelID of a packed number.
func parcelID(name []byte) schemas.ID {
	if name[0] == packedPostal {
		var s [postalChars]byte
		speltPostal(&s, name[1:])
		return schemas.Hash(s[:])
	}
	var s [schemas.MaxNumber]byte
	return schemas.Hash(appendSpelt(s[:0], name))
}

// idFrom makes the id of what has these sections.
func (m *Machine) idFrom(s *sections, flags uint16) (id schemas.ID) {
	switch {
	case flags&entityKeyed != 0:
		copy(id[:], s.id)
		return id
	case flags&entityOrder == 0:
		return parcelID(s.name)
	}
	var digits [maxOrderID]byte
	var key [4 + maxText + maxOrderID]byte
	shop, order, ok := readOrderName(s.name, digits[:0])
	if !ok || int(shop) >= len(m.texts.list) {
		return id
	}
	return schemas.Hash(appendOrderKey(key[:0], m.texts.list[shop], order))
}

// appendOrderKey appends what the id of an order is the hash of. The length keeps
// shop and order apart.
func appendOrderKey[T, U string | []byte](b []byte, shop T, id U) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(shop)))
	return append(append(b, shop...), id...)
}

// numberOf spells the number of a parcel, in scratch of its own.
func (m *Machine) numberOf(e *entity) []byte {
	m.spelt = appendSpelt(m.spelt[:0], m.sections(e).name)
	return m.spelt
}

// appendParcelName appends the name of a parcel.
func appendParcelName(b []byte, number string) []byte {
	var scratch [schemas.MaxNumber]byte
	return appendPacked(b, scratch[:copy(scratch[:], number)])
}

// appendOrderName appends the name of an order.
func appendOrderName(b []byte, shop uint16, id []byte) []byte {
	return appendOrderID(binary.AppendUvarint(b, uint64(shop)), id)
}

// readOrderName takes a name apart, which it must be as a whole. Digits are spelt
// behind digits.
func readOrderName(b, digits []byte) (shop uint16, id []byte, ok bool) {
	r := reader{b: b}
	shop = r.index()
	id, _ = r.orderID(digits)
	return shop, id, !r.bad && len(r.b) == 0
}

// orderNameLen is the length of the name of an order that b begins with. It is more
// than b has where b is cut short.
func orderNameLen(b []byte) int {
	r := reader{b: b}
	r.uvarint()
	if r.bad || len(r.b) == 0 {
		return len(b) + 1
	}
	return len(b) - len(r.b) + orderIDLen(r.b[0])
}
