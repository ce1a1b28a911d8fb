package detector

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A snapshot is a sequence of chunks. Each holds the version of the format (1
// byte), its place in the sequence (4), whole records, and the CRC-32C of all
// that (4); numbers are little endian. A record is a tag and fields of a fixed
// order: first the header and the policies, then the dictionaries, the entities,
// those that leave, the open questions, the filters of what is gone, the feeds,
// and the end with the counts of them.
// Timers are not in it: they follow from the entities' deadlines.
const snapshotVersion = 4

// entityVersion is the version of an entity's form in the archive.
const entityVersion = 4

const (
	chunkHead = 5
	chunkTail = 4
)

const (
	recordHeader = iota + 1
	recordPolicies
	recordText
	recordPlace
	recordEntity
	recordLeaver
	recordAsk
	recordFeed
	recordFilter
	recordWords
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
	m.hearAll()
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
		c.buf = append(c.buf, asByte(p.uncertain))
		c.end()
	}
	for i := range m.entities.n {
		if e := m.entities.at(i); !e.is(entityFree) {
			row := rowState{}
			if e.is(entityDirty) {
				row = m.unwritten.get(i)
			}
			c.buf = m.appendEntity(append(c.buf, recordEntity), e, row)
			c.end()
		}
		if c.err != nil {
			return c.err
		}
	}
	for i := range m.leaving {
		m.writeLeaver(&c, &m.leaving[i])
	}
	for _, q := range m.asks.list {
		if q != nil {
			m.writeAsk(&c, q)
		}
	}
	m.gone.write(&c)
	for _, f := range m.feeds.list {
		c.buf = appendFeed(append(c.buf, recordFeed), f)
		c.end()
	}
	c.buf = append(c.buf, recordEnd)
	for _, n := range m.counts() {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, n)
	}
	c.end()
	c.flush()
	return c.err
}

func (m *Machine) counts() [7]uint32 {
	return [...]uint32{uint32(len(m.texts.list)), uint32(len(m.places.list)), m.entities.live(), uint32(len(m.leaving)), uint32(len(m.asks.at)), uint32(len(m.gone.filters)), uint32(len(m.feeds.list))}
}

func (m *Machine) writeHeader(c *chunker) {
	le := binary.LittleEndian
	b := append(c.buf, recordHeader)
	b = le.AppendUint32(b, uint32(m.partition))
	b = le.AppendUint16(b, m.generation)
	b = le.AppendUint64(b, uint64(m.offset))
	b = le.AppendUint64(b, uint64(m.clock))
	b = le.AppendUint32(b, m.forwarded)
	b = le.AppendUint32(b, m.slow)
	b = append(le.AppendUint32(b, m.control), asByte(m.feeds.full))
	b = le.AppendUint32(b, m.entities.live())
	b = le.AppendUint16(b, uint16(len(m.stalled)))
	for _, carrier := range m.stalled {
		b = appendString(b, cut(carrier, maxText))
	}
	c.buf = b
	c.end()
	m.writePolicies(c)
}

// appendEntity appends the encoding of e, which the archive keeps as well, with the
// state of its row where that is dirty.
func (m *Machine) appendEntity(b []byte, e *entity, row rowState) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, e.opened)
	b = le.AppendUint32(b, e.deadline)
	b = le.AppendUint16(b, e.flags)
	b = append(b, e.stages, e.policy)
	if e.is(entityDirty) {
		b = le.AppendUint32(le.AppendUint64(b, row.version), row.updated)
	}
	b = le.AppendUint16(b, e.size)
	return append(b, m.blob(e)...)
}

func (m *Machine) writeLeaver(c *chunker, l *leaver) {
	c.buf = m.appendEntity(append(c.buf, recordLeaver), &l.entity, l.row)
	c.buf = binary.LittleEndian.AppendUint64(c.buf, l.version)
	c.buf = binary.LittleEndian.AppendUint32(c.buf, l.at)
	c.buf = append(c.buf, asByte(l.archived))
	c.end()
}

func (m *Machine) writeAsk(c *chunker, q *ask) {
	b := append(c.buf, recordAsk)
	b = append(b, q.EntityID[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(q.Offset))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(q.Name)))
	b = append(b, q.Name...)
	b = append(b, asByte(q.full))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(q.held)))
	for _, r := range q.held {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(r)))
		b = append(b, r...)
	}
	c.buf = b
	c.end()
}

func asByte(on bool) byte {
	if on {
		return 1
	}
	return 0
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
