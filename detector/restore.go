package detector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"scantrail/schemas"
)

// ErrSnapshot says that bytes are not a snapshot that this machine can go on
// from: damaged, incomplete, of another partition or of a newer version. The
// remedy is the snapshot before it.
var ErrSnapshot = errors.New("snapshot of the detector's state cannot be used")

// restoring is how far ReadChunk has come.
type restoring struct {
	seq    uint32
	header bool
	ended  bool
	failed error
}

// ReadChunk takes the next chunk of a snapshot into a machine that has applied
// nothing. After an error the machine is of no use. b is not kept.
func (m *Machine) ReadChunk(b []byte) error {
	if m.restore.failed == nil {
		if err := m.readChunk(b); err != nil {
			m.restore.failed = fmt.Errorf("detector: partition %d: %w: chunk %d: %w", m.partition, ErrSnapshot, m.restore.seq, err)
		}
	}
	return m.restore.failed
}

func (m *Machine) readChunk(b []byte) error {
	if len(b) < chunkHead+chunkTail {
		return errors.New("too short")
	}
	body, sum := b[:len(b)-chunkTail], binary.LittleEndian.Uint32(b[len(b)-chunkTail:])
	if crc32.Checksum(body, castagnoli) != sum {
		return errors.New("checksum differs")
	}
	if body[0] != snapshotVersion {
		return fmt.Errorf("version %d of the format, this program knows %d", body[0], snapshotVersion)
	}
	if seq := binary.LittleEndian.Uint32(body[1:]); seq != m.restore.seq {
		return fmt.Errorf("is number %d of its snapshot", seq)
	}
	if m.restore.seq == 0 && (m.offset != -1 || m.clock != 0) {
		return errors.New("the machine has applied records already")
	}
	m.restore.seq++
	r := reader{b: body[chunkHead:]}
	for len(r.b) > 0 {
		if m.restore.ended {
			return errors.New("records after the end")
		}
		if err := m.readRecord(&r); err != nil {
			return err
		}
		if r.bad {
			return errors.New("record cut short")
		}
	}
	return nil
}

func (m *Machine) readRecord(r *reader) error {
	tag := r.u8()
	if (tag == recordHeader) == m.restore.header {
		return errors.New("header missing or repeated")
	}
	switch tag {
	case recordHeader:
		return m.readHeader(r)
	case recordPolicies:
		return m.readPolicies(r)
	case recordText:
		return m.readText(r)
	case recordPlace:
		return m.readPlace(r)
	case recordEntity:
		return m.restoreEntity(r)
	case recordLeaver:
		return m.readLeaver(r)
	case recordAsk:
		return m.readAsk(r)
	case recordFilter:
		if !m.gone.readFilter(r) {
			return errors.New("filter out of range")
		}
		return nil
	case recordWords:
		if !m.gone.readWords(r) {
			return errors.New("filter too long, or its head missing")
		}
		return nil
	case recordFeed:
		return m.readFeed(r)
	case recordEnd:
		if !m.gone.whole() {
			return errors.New("filter cut short")
		}
		for i, n := range m.counts() {
			if has := r.u32(); has != n {
				return fmt.Errorf("count %d is %d, want %d", i, n, has)
			}
		}
		m.restore.ended = true
		return nil
	}
	return fmt.Errorf("record of unknown kind %d", tag)
}

func (m *Machine) readHeader(r *reader) error {
	partition, generation := int32(r.u32()), r.u16()
	m.offset, m.clock, m.forwarded, m.slow = int64(r.u64()), int64(r.u64()), r.u32(), r.u32()
	m.control, m.feeds.full, m.entities.expected = r.u32(), r.u8() != 0, int(r.u32())
	for n := r.u16(); n > 0 && !r.bad; n-- {
		m.stalled = append(m.stalled, string(r.long(int(r.u8()))))
	}
	m.restore.header = true
	m.generation = max(m.generation, generation) // a control record may have raised it
	switch {
	case r.bad:
		return nil
	case partition != m.partition:
		return fmt.Errorf("is of partition %d", partition)
	case generation > schemas.MaxGeneration:
		return fmt.Errorf("is of generation %d, at most %d", generation, schemas.MaxGeneration)
	case m.offset < -1 || m.clock < 0 || m.clock > maxClock:
		return errors.New("offset or clock out of range")
	}
	return nil
}

// long takes a field that may be longer than a fixed one.
func (r *reader) long(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	return r.take(n)
}

func (m *Machine) readText(r *reader) error {
	s := string(r.long(int(r.u8())))
	if n := len(m.texts.list); !r.bad && int(m.texts.of(s)) != n {
		return errors.New("text twice, or too many or too long")
	}
	return nil
}

func (m *Machine) readPlace(r *reader) error {
	p := place{carrier: string(r.long(int(r.u8()))), facility: string(r.long(int(r.u8()))), country: r.u16(), mapping: r.u32(), uncertain: r.u8() != 0}
	n := len(m.places.list)
	if !r.bad && (p.country > maxCountry || int(m.places.of(p)) != n || m.places.list[n] != p) {
		return errors.New("place twice, or too many or out of range")
	}
	return nil
}

// readEntity takes what appendEntity wrote off r: the slot, without a blob, the
// state of its row, and the blob, which aliases r. The id follows from them.
func (m *Machine) readEntity(r *reader, e *entity) (blob []byte, id schemas.ID, row rowState, err error) {
	e.opened, e.deadline = r.u32(), r.u32()
	e.flags, e.stages, e.policy = r.u16(), r.u8(), r.u8()
	if e.is(entityDirty) {
		row = rowState{r.u64(), r.u32()}
	}
	e.size = r.u16()
	blob = r.long(int(e.size))
	s, ok := cutSections(blob, e)
	switch {
	case r.bad:
		return nil, id, row, errors.New("entity cut short")
	case e.flags >= entityFlagsEnd || len(blob) > maxBlob:
		return nil, id, row, errors.New("entity out of range")
	case !ok:
		return nil, id, row, errors.New("entity whose sections do not fit")
	case !m.validName(e, s.name):
		return nil, id, row, errors.New("entity whose name is none")
	}
	id = m.idFrom(&s, e.flags)
	switch {
	case e.is(entityKeyed) && m.idFrom(&s, e.flags&^entityKeyed) == id:
		return nil, id, row, fmt.Errorf("entity %s: its id stands beside the name that it follows from", id)
	case e.is(entityOrder) && (len(s.facts) > 0 || e.is(entityMore)):
		return nil, id, row, fmt.Errorf("order %s: has what only parcels have", id)
	}
	return blob, id, row, m.checkEntity(e, &id, s)
}

// validName reports whether b is a name as appendParcelName and appendOrderName
// write them.
func (m *Machine) validName(e *entity, b []byte) bool {
	if e.is(entityOrder) {
		shop, id, ok := readOrderName(b, m.digits[:0])
		return ok && int(shop) < len(m.texts.list) && len(id) <= maxOrderID && m.encodes(b, appendOrderName(m.buf[:0], shop, id))
	}
	m.spelt = appendSpelt(m.spelt[:0], b)
	return len(m.spelt) <= schemas.MaxNumber && m.encodes(b, appendPacked(m.buf[:0], m.spelt))
}

// checkEntity decodes every section of a restored entity, so that nothing that a
// snapshot says can surprise Apply later.
func (m *Machine) checkEntity(e *entity, id *schemas.ID, s sections) error {
	links := 0
	if e.is(entityMore) {
		x, ok := readMore(s.more, nil)
		links = len(x.links)
		if !ok || links > maxLinks || len(x.keys) >= maxLives || int(x.product) >= len(m.texts.list) || !m.encodes(s.more, appendMore(m.buf[:0], &x)) {
			return fmt.Errorf("parcel %s: numbers or lives do not decode", id)
		}
	}
	var ok bool
	if m.facts, ok = readFacts(s.facts, e.opened, m.facts[:0]); !ok || !validFacts(m.facts, len(m.places.list), links) || !m.encodes(s.facts, appendFacts(m.buf[:0], e.opened, m.facts)) {
		return fmt.Errorf("parcel %s: facts do not decode", id)
	}
	m.known, m.buf = readKnown(s.alerts, m.known[:0]), m.buf[:0]
	for k := range m.known {
		m.buf = appendKnown(m.buf, &m.known[k])
	}
	if len(m.known) > maxKnown || !validKnown(m.known, links) || !bytes.Equal(m.buf, s.alerts) {
		return fmt.Errorf("entity %s: alerts do not decode", id)
	}
	base, spelt := orderBase(e, s.name, m.digits[:0])
	m.ofacts, m.digits, ok = readOrderFacts(s.orders, &base, m.ofacts[:0], spelt)
	if !ok || !validOrderFacts(m.ofacts, m.texts.list, links) || !m.encodes(s.orders, appendOrderFacts(m.buf[:0], &base, m.ofacts)) {
		return fmt.Errorf("entity %s: order facts do not decode", id)
	}
	return nil
}

// encodes reports whether what was decoded is encoded as it was. It keeps the
// buffer that b was made in.
func (m *Machine) encodes(was, b []byte) bool {
	m.buf = b
	return bytes.Equal(was, b)
}

func (m *Machine) restoreEntity(r *reader) error {
	var s entity
	blob, id, row, err := m.readEntity(r, &s)
	if err != nil {
		return err
	}
	if _, e := m.entities.find(&id, nil); e != nil {
		return fmt.Errorf("entity %s twice", id)
	}
	if s.policy != 0 && m.policies[s.policy] == nil {
		return fmt.Errorf("entity %s: its policy is missing", id)
	}
	i, e := m.entities.add(&id)
	s.blob = m.blobs.put(0, blob)
	*e = s
	if e.policy != 0 {
		m.policies[e.policy].parcels++
	}
	m.count(e, 1)
	if e.is(entityDirty) {
		m.dirty(e).push(i)
		m.unwritten.set(i, row)
	}
	if e.is(entityPending) {
		m.pending = append(m.pending, i)
	}
	if e.is(entityPutOff) {
		m.putOff = append(m.putOff, i)
	}
	return nil
}

func (m *Machine) readLeaver(r *reader) error {
	var l leaver
	blob, id, row, err := m.readEntity(r, &l.entity)
	if err != nil {
		return err
	}
	l.id, l.row, l.version, l.at, l.archived = id, row, r.u64(), r.u32(), r.u8() != 0
	if l.policy != 0 && m.policies[l.policy] == nil {
		return fmt.Errorf("entity %s: its policy is missing", l.id)
	}
	if l.policy != 0 {
		m.policies[l.policy].parcels++
	}
	l.blob = m.blobs.put(0, blob)
	m.takeLeave(&l)
	return nil
}

func (m *Machine) readAsk(r *reader) error {
	var id schemas.ID
	copy(id[:], r.take(len(id)))
	offset := int64(r.u64())
	name := string(r.long(int(r.u16())))
	full, n := r.u8() != 0, int(r.u16())
	if r.bad || n > maxHeld || m.asks.find(id) != nil {
		return fmt.Errorf("question about %s: cut short, twice or too long", id)
	}
	q := m.asks.add(id, name, offset)
	for ; n > 0 && !r.bad; n-- {
		q.keep(r.long(int(r.u32())))
	}
	q.full = full
	return nil
}

// FinishRestore checks that the snapshot was whole and rebuilds the timers. The
// next record to apply is the one after Offset.
func (m *Machine) FinishRestore() error {
	fail := func(why string) error {
		return fmt.Errorf("detector: partition %d: %w: %s", m.partition, ErrSnapshot, why)
	}
	switch {
	case m.restore.failed != nil:
		return m.restore.failed
	case !m.restore.ended:
		return fail("its end is missing")
	case m.control != 0 && m.inForce == nil:
		return fail("the policy in force is missing")
	}
	m.entities.expected = 0
	if m.clock == 0 {
		return nil
	}
	m.timers.start(m.now())
	for i := range m.entities.n {
		if e := m.entities.at(i); e.deadline != 0 {
			m.arm(i, e, e.deadline)
		}
	}
	return nil
}
