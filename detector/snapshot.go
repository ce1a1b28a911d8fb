package detector

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A snapshot is a sequence of chunks. Each holds the version of the format (1
// byte), its place in the sequence (4), whole records, and the CRC-32C of all
// that (4); numbers are little endian. A record is a tag and fields of a fixed
// order: first the header and the policies, then the dictionaries, the parcels,
// the orders, and the end with the counts of them. Timers are not in it: they
// follow from the parcels' deadlines.
const snapshotVersion = 1

const (
	chunkHead = 5
	chunkTail = 4
)

const (
	recordHeader = iota + 1
	recordPolicy
	recordText
	recordPlace
	recordParcel
	recordOrder
	recordEnd
)

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunker cuts records into chunks.
type chunker struct {
	limit int
	emit  func([]byte) error
	buf   []byte
	start int // of the record being written
	seq   uint32
	err   error
}

// WriteSnapshot writes the state in chunks of about chunkBytes: a chunk is
// longer only where a single record is. emit must not keep its argument. The
// first error of emit ends the snapshot and is returned.
func (m *Machine) WriteSnapshot(chunkBytes int, emit func(chunk []byte) error) error {
	c := chunker{limit: chunkBytes, emit: emit}
	c.begin()
	m.writeHeader(&c)
	for _, s := range m.texts.list[1:] {
		c.buf = appendString(append(c.buf, recordText), s)
		c.end()
	}
	for _, p := range m.places.list[1:] {
		c.buf = appendString(appendString(append(c.buf, recordPlace), p.carrier), p.facility)
		c.buf = binary.LittleEndian.AppendUint16(c.buf, p.country)
		c.buf = binary.LittleEndian.AppendUint32(c.buf, p.mapping)
		c.end()
	}
	for i := range m.parcels.n {
		m.writeParcel(&c, m.parcels.at(i))
		if c.err != nil {
			return c.err
		}
	}
	for i := range m.orders.n {
		m.writeOrder(&c, m.orders.at(i))
		if c.err != nil {
			return c.err
		}
	}
	c.buf = append(c.buf, recordEnd)
	for _, n := range m.counts() {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, n)
	}
	c.end()
	c.flush()
	return c.err
}

func (m *Machine) counts() [4]uint32 {
	return [...]uint32{uint32(len(m.texts.list)), uint32(len(m.places.list)), m.parcels.n, m.orders.n}
}

func (m *Machine) writeHeader(c *chunker) {
	le := binary.LittleEndian
	b := append(c.buf, recordHeader)
	b = le.AppendUint32(b, uint32(m.partition))
	b = le.AppendUint16(b, m.generation)
	b = le.AppendUint64(b, uint64(m.offset))
	b = le.AppendUint64(b, uint64(m.clock))
	b = le.AppendUint32(b, m.control)
	c.buf = append(b, m.policy)
	c.end()
	for i, r := range m.policies {
		if r != nil && (r.parcels > 0 || i == int(m.policy)) {
			c.buf = le.AppendUint32(append(c.buf, recordPolicy, uint8(i)), uint32(len(r.text)))
			c.buf = append(c.buf, r.text...)
			c.end()
		}
	}
}

func (m *Machine) writeParcel(c *chunker, p *parcel) {
	le := binary.LittleEndian
	b := append(c.buf, recordParcel)
	b = append(b, p.id[:]...)
	b = le.AppendUint64(b, p.version)
	b = le.AppendUint32(b, p.opened)
	b = le.AppendUint32(b, p.updated)
	b = le.AppendUint32(b, p.deadline)
	b = append(b, p.stages, p.flags, p.policy, p.number)
	b = le.AppendUint16(b, p.orders)
	b = le.AppendUint16(b, p.alerts)
	b = le.AppendUint16(b, p.factLen)
	c.buf = append(b, m.blobs.block(p.blob)[:p.size()]...)
	c.end()
}

func (m *Machine) writeOrder(c *chunker, o *order) {
	le := binary.LittleEndian
	b := append(c.buf, recordOrder)
	b = append(b, o.id[:]...)
	b = le.AppendUint64(b, o.version)
	b = le.AppendUint32(b, o.updated)
	b = append(b, o.flags)
	b = le.AppendUint16(b, o.size)
	c.buf = append(b, m.blobs.block(o.blob)[:o.size]...)
	c.end()
}

func appendString(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func (c *chunker) begin() {
	c.buf = binary.LittleEndian.AppendUint32(append(c.buf[:0], snapshotVersion), c.seq)
	c.start = len(c.buf)
}

// end completes a record; where it makes the chunk too long, it becomes the
// first of the next one.
func (c *chunker) end() {
	if len(c.buf)+chunkTail > c.limit && c.start > chunkHead {
		last := slices.Clone(c.buf[c.start:])
		c.buf = c.buf[:c.start]
		c.flush()
		c.begin()
		c.buf = append(c.buf, last...)
	}
	c.start = len(c.buf)
}

func (c *chunker) flush() {
	c.buf = binary.LittleEndian.AppendUint32(c.buf, crc32.Checksum(c.buf, castagnoli))
	c.seq++
	if c.err == nil {
		c.err = c.emit(c.buf)
	}
}

// size is the length of p's blob.
func (p *parcel) size() int {
	return int(p.number) + int(p.orders) + int(p.alerts)*knownBytes + int(p.factLen)
}
