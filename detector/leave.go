package detector

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"scantrail/schemas"
)

// What is over leaves memory for the table archive, by the clock of the log.
// When it is heard of again, nobody here knows whether it was there: the records
// are held, and what ClickHouse keeps comes back as a record of the log (ask and
// rebuild), so that the answer is part of what is replayed.

const (
	day = 24 * 3600
	// A beginning so long after the end of a life opens another one, and by then
	// what has ended leaves.
	newLifeAfter = 30 * day
	// The same so long after the last fact: the trail has expired.
	expired = 120 * day
	// The same for an order that waits for nothing more: its parcels have its facts.
	settledAfter = 14 * day
	// A row stays so long in memory at least: an answer that holds a whole old
	// trail, read every hour, must not bring its parcel back every hour.
	restless = day
)

// leaver is an entity that has left, until its last row and its state are
// written.
type leaver struct {
	entity
	id       schemas.ID
	row      rowState // of its last row, where that is not written
	version  uint64   // of its leaving: that of its state in the archive
	at       uint32   // when it left
	archived bool
}

// leftBytes is about what an id among those that have left needs beside.
const leftBytes = 48

// over returns the second at which e may leave: its last life ended at second end,
// or goes on (0). Where its row has changed since it was asked last, that is a day
// from now at least.
func (m *Machine) over(e *entity, end uint32) uint32 {
	leaves := saturate(end, newLifeAfter)
	if end == 0 {
		last := m.lastFact(e)
		if last <= unseen {
			last = e.opened
		}
		leaves = saturate(last, expired)
		if e.is(entityOrder) && settled(m.ordersOf(e)) {
			leaves = saturate(last, settledAfter)
		}
	}
	if e.is(entityRestless) {
		e.flags &^= entityRestless
		leaves = max(leaves, saturate(m.nowOf(e), restless))
	}
	return leaves
}

// settled reports whether an order waits for nothing more: it was cancelled, or it
// is confirmed and has a number, and no request to cancel it is open.
func settled(facts []orderFact) bool {
	var has [numOrderKinds]bool
	for i := range facts {
		if k := facts[i].kind; k.Known() {
			has[k] = true
		}
	}
	if has[schemas.OrderCancelled] {
		return true
	}
	return has[schemas.OrderConfirmed] && hasNumber(facts) && (!has[schemas.OrderCancelRequested] || has[schemas.OrderCancelAnswered])
}

// lastFact returns the time of the latest scan or order fact of e, 0 for none.
func (m *Machine) lastFact(e *entity) (last uint32) {
	if t, _ := probe(m.encoded(e), e.opened, math.MaxUint64); t.n > 0 {
		last = t.fact.sec
	}
	for _, f := range m.ordersOf(e) {
		last = max(last, f.at)
	}
	return last
}

// leave takes the entity out of the table.
func (m *Machine) leave(i uint32, e *entity) {
	l := leaver{entity: *e, id: m.idOf(e), version: m.version, at: m.now()}
	if e.is(entityDirty) {
		l.row = m.unwritten.get(i)
	}
	m.gone.add(&l.id, m.now())
	l.blob = m.blobs.put(0, m.blob(e))
	if e.policy != 0 {
		m.policies[e.policy].parcels++ // until the row is written
	}
	l.bucket, l.deadline = 0, 0
	m.takeLeave(&l)
	m.remove(i, e)
}

// takeLeave lists one that has left.
func (m *Machine) takeLeave(l *leaver) {
	if m.left == nil {
		m.left = map[schemas.ID]int{}
	}
	m.leaving = append(m.leaving, *l)
	m.left[l.id]++
}

// DirtyArchives appends to dst the states of up to limit entities that have left
// and are not known to be in the archive.
func (m *Machine) DirtyArchives(limit int, dst []schemas.ArchiveRow) []schemas.ArchiveRow {
	for k := range m.leaving {
		if l := &m.leaving[k]; !l.archived && limit > 0 {
			dst = append(dst, m.archiveRow(l))
			limit--
		}
	}
	return dst
}

func (m *Machine) archiveRow(l *leaver) schemas.ArchiveRow {
	e := l.entity
	e.policy, e.flags = 0, e.flags&^(entityDirty|entityEnded)
	row := schemas.ArchiveRow{EntityID: l.id, OpenedAt: millis(l.opened), Version: l.version, Kind: "parcel", EvictedAt: millis(l.at),
		State: m.appendEntity([]byte{entityVersion}, &e, rowState{})}
	if l.is(entityOrder) {
		o := summarize(m.ordersOf(&l.entity))
		row.Kind, row.Name = "order", schemas.OrderKey(m.texts.list[o.shop], string(o.orderID))
	} else {
		row.Name = string(m.numberOf(&l.entity))
	}
	return row
}

// MarkArchivesWritten says that these states are durable.
func (m *Machine) MarkArchivesWritten(rows []schemas.ArchiveRow) {
	written := make(map[rowKey]bool, len(rows))
	for i := range rows {
		written[rowKey{rows[i].EntityID, rows[i].Version}] = true
	}
	for k := range m.leaving {
		if l := &m.leaving[k]; written[rowKey{l.id, l.version}] {
			l.archived = true
		}
	}
	m.forget()
}

// forget drops the leavers of which nothing is left to write.
func (m *Machine) forget() {
	m.leaving = slices.DeleteFunc(m.leaving, func(l leaver) bool {
		if !l.archived || l.is(entityDirty) {
			return false
		}
		if l.policy != 0 {
			m.policies[l.policy].parcels--
		}
		m.blobs.release(l.blob)
		if m.left[l.id]--; m.left[l.id] == 0 {
			delete(m.left, l.id)
		}
		return true
	})
}

// Unwritten returns the states of entities that have left and are not known to
// be in the archive.
func (m *Machine) Unwritten(id schemas.ID) []schemas.ArchiveRow {
	if m.left[id] == 0 {
		return nil // as nearly always: what is asked for is in the archive
	}
	var rows []schemas.ArchiveRow
	for k := range m.leaving {
		if l := &m.leaving[k]; l.id == id {
			rows = append(rows, m.archiveRow(l))
		}
	}
	return rows
}

// Ask is an entity that is heard of and may have left. The answer is a record of
// kind Rebuild in the same partition: the states that the archive holds of it,
// with Unwritten ones, in one (see AppendStates).
type Ask struct {
	EntityID schemas.ID
	Name     string // tracking number, or key of an order
	Offset   int64  // of the record that asked
}

type ask struct {
	Ask
	held []string        // records, each once, in the order of the log
	has  map[string]bool // the same
	size int             // bytes of them
	full bool            // more came than are held
}

// asks are the open questions, in the order in which they came up.
type asks struct {
	list []*ask // nil where answered
	at   map[schemas.ID]int
}

func (a *asks) find(id schemas.ID) *ask {
	if i, ok := a.at[id]; ok {
		return a.list[i]
	}
	return nil
}

func (a *asks) add(id schemas.ID, name string, offset int64) *ask {
	if a.at == nil {
		a.at = map[schemas.ID]int{}
	}
	q := &ask{Ask: Ask{EntityID: id, Name: strings.Clone(name), Offset: offset}}
	a.at[id] = len(a.list)
	a.list = append(a.list, q)
	return q
}

func (a *asks) remove(id schemas.ID) {
	a.list[a.at[id]] = nil
	delete(a.at, id)
	if len(a.list) < 2*len(a.at)+64 {
		return
	}
	a.list = slices.DeleteFunc(a.list, func(q *ask) bool { return q == nil })
	for i, q := range a.list {
		a.at[q.EntityID] = i
	}
}

// Bounds of what is held for one entity, all of which stands in one record of a
// snapshot: what has more is no parcel.
const (
	maxHeld      = 16 * MaxFacts
	maxHeldBytes = 512 << 10
)

// hold keeps a record until it is known what it is about: of a scan, what the
// machine reads of it.
func (m *Machine) hold(a *ask, r *schemas.Record) {
	c := *r
	if c.Kind == schemas.KindEvent {
		e := &r.Event
		c.Event = schemas.Event{
			ParcelID: e.ParcelID, FactID: e.FactID, Carrier: e.Carrier, TrackingNumber: e.TrackingNumber,
			OccurredAt: e.OccurredAt, ReceivedAt: e.ReceivedAt, UncertaintySecs: e.UncertaintySecs, Milestone: e.Milestone,
			Physical: e.Physical, Progress: e.Progress, Backfill: e.Backfill, Country: e.Country, Postcode: e.Postcode,
			Facility: e.Facility, Product: e.Product, OriginCountry: e.OriginCountry, DestinationCountry: e.DestinationCountry,
			MappingVersion: e.MappingVersion, NumberCheck: e.NumberCheck, Reason: e.Reason,
		}
	}
	m.sending = m.encoder.Append(m.sending[:0], &c)
	a.keep(m.sending)
}

func (a *ask) keep(record []byte) {
	if a.has[string(record)] {
		return
	}
	if len(a.held) == maxHeld || a.size+len(record) > maxHeldBytes {
		a.full = true
		return
	}
	if a.has == nil {
		a.has = map[string]bool{}
	}
	s := string(record)
	a.held, a.has[s], a.size = append(a.held, s), true, a.size+len(s)
}

// Asks appends to dst the first limit open questions.
func (m *Machine) Asks(limit int, dst []Ask) []Ask {
	for _, q := range m.asks.list {
		if q != nil && limit > 0 {
			dst = append(dst, q.Ask)
			limit--
		}
	}
	return dst
}

// AppendStates packs the states of one entity into Rebuild.State.
func AppendStates(dst []byte, rows []schemas.ArchiveRow) []byte {
	for i := range rows {
		dst = binary.AppendUvarint(dst, uint64(len(rows[i].State)))
		dst = append(dst, rows[i].State...)
	}
	return dst
}

// applyRebuild brings an entity back and applies what was held for it. A second
// answer, or one to a question of an earlier life of the log, is ignored.
func (m *Machine) applyRebuild(b *schemas.Rebuild, out *Output) {
	a := m.asks.find(b.EntityID)
	if a == nil || a.Offset != b.Ask {
		return
	}
	m.asks.remove(b.EntityID)
	for state := b.State; len(state) > 0; {
		n, width := binary.Uvarint(state)
		if width <= 0 || n > uint64(len(state)-width) {
			break
		}
		m.comeBack(b.EntityID, state[width:width+int(n)], out)
		state = state[width+int(n):]
	}
	m.answering = true
	for _, raw := range a.held {
		// A record of its own each time: what a decoded one holds aliases raw.
		var r schemas.Record
		if r.Decode([]byte(raw)) == nil {
			m.dispatch(&r, out)
		}
	}
	m.answering = false
	if i, e := m.entities.find(&b.EntityID, nil); a.full && e != nil && !e.is(entityQuarantined) {
		m.quarantine(i, e, reasonFacts, out)
	}
}

// comeBack adds what the archive holds to an entity, which it creates. A state
// that does not decode, as one of another partition's count, is said and left
// out.
func (m *Machine) comeBack(id schemas.ID, state []byte, out *Output) {
	r := reader{b: state}
	var s entity
	version := r.u8()
	blob, is, _, err := m.readEntity(&r, &s)
	if version != entityVersion || err != nil || r.bad || is != id {
		out.Gaps = append(out.Gaps, DataGap{Version: m.version, ParcelID: id, Reason: "state in the archive is damaged", At: millis(m.now())})
		return
	}
	s.flags &^= entityDirty | entityPending | entityPutOff | entityEnded
	s.policy, s.deadline = 0, 0
	i, e := m.entities.find(&id, nil)
	if e == nil {
		i, e = m.entities.add(&id)
		s.blob = m.blobs.put(0, blob)
		*e = s
		m.count(e, 1)
	} else {
		m.mergeState(i, e, &s, blob, out)
	}
	if e.is(entityQuarantined) {
		return
	}
	if e.is(entityMoved) {
		m.arm(i, e, saturate(m.now(), expired))
		return
	}
	m.touch(i, e)
	m.news(i, e)
}

// mergeState adds an older life of a number to the one that came back first.
func (m *Machine) mergeState(i uint32, e, s *entity, blob []byte, out *Output) {
	other := *s
	other.blob = m.blobs.put(0, blob)
	facts := slices.Clone(m.factsOf(&other))
	alerts := slices.Clone(readKnown(m.sections(&other).alerts, nil))
	merged := m.factsOf(e)
	for k := range facts {
		merged, _ = m.merge(merged, &facts[k])
	}
	m.facts = merged
	orders := m.ordersOf(e)
	if len(orders) == 0 {
		orders = m.ordersOf(&other)
	}
	opened := e.opened
	e.opened = min(opened, other.opened) // from which all of it counts
	m.buf = appendFacts(m.buf[:0], e.opened, merged)
	m.buf3 = m.appendOrdersOf(m.buf3[:0], e, orders)
	sec := m.sections(e)
	sec.facts, sec.orders = m.buf, m.buf3
	if tooMany(merged) || !m.store(e, sec) {
		e.opened = opened
		m.blobs.release(other.blob)
		m.quarantine(i, e, reasonFacts, out)
		return
	}
	for k := range alerts {
		a := &alerts[k]
		m.takeOver(e, &schemas.HandedAlert{Family: uint8(a.family), Status: a.status, Level: a.level, Backfill: a.backfill,
			Anchor: a.anchor, Ended: a.ended, Opened: a.opened}, a.num)
	}
	m.blobs.release(other.blob)
}
