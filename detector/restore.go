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
	case recordPolicy:
		return m.readPolicy(r)
	case recordText:
		return m.readText(r)
	case recordPlace:
		return m.readPlace(r)
	case recordParcel:
		return m.readParcel(r)
	case recordOrder:
		return m.readOrder(r)
	case recordEnd:
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
	m.offset, m.clock, m.control, m.policy = int64(r.u64()), int64(r.u64()), r.u32(), r.u8()
	m.restore.header = true
	switch {
	case r.bad:
		return nil
	case partition != m.partition:
		return fmt.Errorf("is of partition %d", partition)
	case generation > m.generation:
		return fmt.Errorf("is of generation %d, after %d", generation, m.generation)
	case m.offset < -1 || m.clock < 0 || m.clock > maxClock:
		return errors.New("offset or clock out of range")
	}
	return nil
}

func (m *Machine) readPolicy(r *reader) error {
	i := r.u8()
	text := string(r.long(int(r.u32())))
	if r.bad {
		return nil
	}
	if i == 0 || m.policies[i] != nil {
		return fmt.Errorf("policy %d twice", i)
	}
	var err error
	m.policies[i], err = newRules(text)
	return err
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
	p := place{carrier: string(r.long(int(r.u8()))), facility: string(r.long(int(r.u8()))), country: r.u16(), mapping: r.u32()}
	n := len(m.places.list)
	if !r.bad && (p.country > maxCountry || int(m.places.of(p)) != n || m.places.list[n] != p) {
		return errors.New("place twice, or too many or out of range")
	}
	return nil
}

func (m *Machine) readParcel(r *reader) error {
	var id schemas.ID
	copy(id[:], r.take(len(id)))
	var s parcel
	s.version, s.opened, s.updated, s.deadline = r.u64(), r.u32(), r.u32(), r.u32()
	s.stages, s.flags, s.policy, s.number = r.u8(), r.u8(), r.u8(), r.u8()
	s.orders, s.alerts, s.factLen = r.u16(), r.u16(), r.u16()
	if s.size() > maxBlob {
		return errors.New("parcel too large")
	}
	blob := r.long(s.size())
	if r.bad {
		return nil
	}
	if _, p := m.parcels.find(&id); p != nil {
		return fmt.Errorf("parcel %s twice", id)
	}
	if s.flags >= parcelFlagsEnd || s.number > schemas.MaxNumber || s.policy != 0 && m.policies[s.policy] == nil {
		return fmt.Errorf("parcel %s: state out of range", id)
	}
	if s.policy == 0 && s.flags&parcelEnded != 0 {
		return fmt.Errorf("parcel %s: ended without a policy", id)
	}
	i, p := m.parcels.add(&id)
	s.id, s.blob = id, m.blobs.put(0, blob)
	*p = s
	return m.checkParcel(i, p)
}

// checkParcel decodes every section of a restored parcel, so that nothing that
// a snapshot says can surprise Apply later, and counts what is counted.
func (m *Machine) checkParcel(i uint32, p *parcel) error {
	s := m.sections(p)
	var ok bool
	if m.facts, ok = readFacts(s.facts, m.facts[:0]); !ok || !validFacts(m.facts, len(m.places.list)) || !bytes.Equal(appendFacts(m.buf[:0], m.facts), s.facts) {
		return fmt.Errorf("parcel %s: facts do not decode", p.id)
	}
	p.facts = uint16(len(m.facts))
	m.known, m.buf = readKnown(s.alerts, m.known[:0]), m.buf[:0]
	for k := range m.known {
		m.buf = appendKnown(m.buf, &m.known[k])
	}
	if p.alerts > maxKnown || !validKnown(m.known) || !bytes.Equal(m.buf, s.alerts) {
		return fmt.Errorf("parcel %s: alerts do not decode", p.id)
	}
	if !m.validOrders(s.orders) {
		return fmt.Errorf("parcel %s: order facts do not decode", p.id)
	}
	if p.policy != 0 {
		m.policies[p.policy].parcels++
	}
	if p.flags&parcelEnded == 0 {
		m.open++
	}
	if p.flags&parcelDirty != 0 {
		m.dirtyParcels.push(i)
	}
	if p.flags&parcelPending != 0 {
		m.pending = append(m.pending, i)
	}
	return nil
}

// validOrders reports whether b is the order section of a parcel.
func (m *Machine) validOrders(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if len(b) < laneBytes {
		return false
	}
	var ok bool
	m.ofacts, ok = readOrderFacts(b[laneBytes:], m.ofacts[:0], shortIDBytes)
	if !ok || !validOrderFacts(m.ofacts, len(m.texts.list)) || readLane(b) != mainLane(m.ofacts) {
		return false
	}
	for i := range m.ofacts {
		if len(m.ofacts[i].numbers) > 0 || len(m.ofacts[i].postcode) > 0 {
			return false
		}
	}
	return bytes.Equal(appendOrderFacts(m.buf[:0], m.ofacts, shortIDBytes), b[laneBytes:])
}

func (m *Machine) readOrder(r *reader) error {
	var id schemas.ID
	copy(id[:], r.take(len(id)))
	s := order{id: id, version: r.u64(), updated: r.u32(), flags: r.u8(), size: r.u16()}
	blob := r.long(int(s.size))
	if r.bad {
		return nil
	}
	if _, o := m.orders.find(&id); o != nil || s.flags >= orderFlagsEnd || s.size > maxBlob {
		return fmt.Errorf("order %s: twice, or state out of range", id)
	}
	var ok bool
	m.ofacts, ok = readOrderFacts(blob, m.ofacts[:0], idBytes)
	if !ok || !validOrderFacts(m.ofacts, len(m.texts.list)) || !bytes.Equal(appendOrderFacts(m.buf[:0], m.ofacts, idBytes), blob) {
		return fmt.Errorf("order %s: facts do not decode", id)
	}
	i, o := m.orders.add(&id)
	s.blob, s.facts = m.blobs.put(0, blob), uint16(len(m.ofacts))
	*o = s
	if o.flags&orderDirty != 0 {
		m.dirtyOrders.push(i)
	}
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
	case m.policy != 0 && m.policies[m.policy] == nil:
		return fail("the policy in force is missing")
	}
	if m.clock == 0 {
		return nil
	}
	m.timers.start(m.now())
	for i := range m.parcels.n {
		if p := m.parcels.at(i); p.deadline != 0 {
			m.arm(i, p, p.deadline)
		}
	}
	return nil
}
