// Package detector is the pure core of Scantrail: it turns one partition of
// parcel.events into alerts, stages reached and rows. Everything it answers is
// a function of that log: no I/O, no goroutine, no clock of its own, no
// randomness, and no iteration over a map reaches its output.
//
// The life of a record: Machine.Apply finds the entity (table) and merges the
// fact into its set (facts, orderfacts), a scan mostly at the next tick only
// (waiting). That tick evaluates the parcels that have news or whose deadline has
// come, f(facts, policy, C) (evaluate), compares each verdict with the alerts that
// are known (alerts), and files the next second at which the verdict changes by
// itself (timers).
//
// Judging waits for the tick, 5 s at most, because one answer of a carrier
// holds many scans, often the newest first: judged one by one, every parcel
// would lack its milestones and be silent for a moment, and alert each time.
package detector

import (
	"fmt"
	"slices"
	"strings"

	"scantrail/schemas"
)

// Machine is the state of one partition of the log. It is fed in log order and
// is not safe for concurrent use.
type Machine struct {
	partition  int32
	generation uint16
	offset     int64  // last applied; -1 before the first
	clock      int64  // Unix milliseconds; 0 before the first tick
	forwarded  uint32 // second up to which all that other partitions forwarded is here; 0: not stated
	slow       uint32 // the same as a clock that only rises: that of the log while nothing is stated
	control    uint32
	stalled    []string // carriers whose raw partitions time no longer waits for

	documents *Documents
	policies  [maxPolicies]*rules
	inForce   *ruleSet // nil before the first Control

	texts    texts
	places   places
	entities table
	blobs    arena
	timers   timers
	gone     gone
	asks     asks
	leaving  []leaver
	left     map[schemas.ID]int // how many of leaving each id has
	feeds    feeds
	parcels  int // with a trail of their own
	open     int // of these, whose trail has not ended

	pending []uint32  // entities with news since the last tick
	putOff  []uint32  // those of which nothing but history is known, while that is read
	history bool      // it is, said the last tick
	waiting []waiting // scans of others

	impatient bool // nothing waits: tests compare

	dirtyParcels, dirtyOrders queue
	unwritten                 unwritten // rows of what is dirty

	version   uint64 // of the row that the current record writes
	ordinal   uint8  // of the entity's last output
	answering bool   // records that were held are applied
	verdict   verdict
	warm      warmed
	recent    *[recentPlaces]uint16 // numbers of places
	scratch
	restore restoring // of ReadChunk
}

// scratch is reused by every Apply.
type scratch struct {
	facts   []fact
	ofacts  []orderFact
	obytes  []byte
	sorted  []orderFact
	lives   []life
	links   [][]byte
	known   []known
	next    []known
	older   []wanted
	due     []turn
	due2    []turn
	buf     []byte
	buf2    []byte
	buf3    []byte
	sending []byte
	naming  []byte
	numbers []byte
	digits  []byte // of order ids and numbers that order facts name
	spelt   []byte // number
	encoder schemas.Encoder
	rows    text
}

// NewMachine returns the state of a partition before its first record.
// generation goes into the versions of all rows.
func NewMachine(partition int32, generation uint16, options ...Option) *Machine {
	m := &Machine{partition: partition, generation: generation, offset: -1, texts: newTexts(), places: newPlaces()}
	m.entities.hasID, m.entities.idOf, m.entities.warm = m.hasID, m.idOf, m.warmName
	for _, o := range options {
		o(m)
	}
	if m.documents == nil {
		m.documents = new(Documents)
	}
	return m
}

// Clock returns the clock of the log in Unix milliseconds, 0 before the first
// tick.
func (m *Machine) Clock() int64 { return m.clock }

// Bytes returns about how much memory the state needs.
func (m *Machine) Bytes() int64 {
	n := m.entities.bytes() + m.blobs.inUse + m.timers.bytes() + m.gone.bytes() + m.unwritten.bytes() +
		int64(len(m.leaving))*int64(sizeOf(leaver{})+leftBytes)
	for _, q := range m.asks.list {
		if q != nil {
			for _, r := range q.held {
				n += int64(len(r)) + 24
			}
		}
	}
	return n
}

// Forwarded returns the time up to which all that other partitions forwarded has
// come, in Unix milliseconds, 0 when no tick stated it.
func (m *Machine) Forwarded() int64 { return millis(m.forwarded) }

// Offset returns the offset of the last record applied, -1 before the first.
func (m *Machine) Offset() int64 { return m.offset }

// Policy returns the policy in force of that name, nil where there is none.
func (m *Machine) Policy(name string) *schemas.Policy {
	if m.inForce != nil {
		for _, r := range m.inForce.list {
			if r.policy.Name == name {
				return r.policy
			}
		}
	}
	return nil
}

// Parcels returns the number of parcels whose trail has not ended, of those
// whose trail has, and of both.
func (m *Machine) Parcels() (open, closed, total int) {
	return m.open, m.parcels - m.open, m.parcels
}

// now is the clock in the unit of all definitions, whole seconds.
func (m *Machine) now() uint32 {
	if m.clock == 0 {
		return 0
	}
	return seconds(m.clock)
}

// ready reports whether parcels can be evaluated: the log has stated a time and
// a policy.
func (m *Machine) ready() bool { return m.clock != 0 && m.inForce != nil }

// Output is what one or more records caused, in the order in which it happened.
// Apply appends to it; the caller resets it. Strings in it are never
// overwritten: they may be kept.
type Output struct {
	Alerts   []schemas.Alert
	Statuses []schemas.Status
	Forwards []Forward
	Gaps     []DataGap
	text     text
}

// Forward is a record for an entity of another partition: Value, encoded, for the
// partition of Key. The receiver knows scans by their ids and order facts by what
// they say, so that the same one may come any number of times.
type Forward struct {
	Key   string
	Value []byte
}

// DataGap says that facts of an entity are no longer looked at. ParcelID and
// TrackingNumber, or ShopID and OrderID, name it.
type DataGap struct {
	Version        uint64
	ParcelID       schemas.ID
	TrackingNumber string
	ShopID         string
	OrderID        string
	Reason         string
	At             int64 // log clock, Unix milliseconds
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	o.Alerts, o.Statuses, o.Forwards, o.Gaps = o.Alerts[:0], o.Statuses[:0], o.Forwards[:0], o.Gaps[:0]
}

// Apply takes the next record of the log and appends to out what it causes. r
// is not kept. An error means a broken invariant (offsets that do not rise, a
// policy that cannot be read): the partition must stop.
//
// Outputs of one record come in a fixed order, that of the parcels' first
// facts; readers must not depend on it across parcels all the same, since
// versions order only the rows of one entity.
func (m *Machine) Apply(offset int64, r *schemas.Record, out *Output) error {
	if offset <= m.offset {
		return fmt.Errorf("detector: partition %d: offset %d after %d: records must come once and in order", m.partition, offset, m.offset)
	}
	m.offset = offset
	m.version = schemas.Version(m.generation, offset, 0)
	if r.Kind == schemas.KindControl {
		return m.applyControl(&r.Control, out)
	}
	m.dispatch(r, out)
	return nil
}

func (m *Machine) dispatch(r *schemas.Record, out *Output) {
	switch r.Kind {
	case schemas.KindAlias, schemas.KindVoid, schemas.KindHandover, schemas.KindRebuild:
		m.hearAll()
	}
	switch r.Kind {
	case schemas.KindEvent:
		m.applyEvent(r, out)
	case schemas.KindOrder:
		if r.Forwarded {
			m.applyForwarded(r, out)
		} else {
			m.applyOrder(r, out)
		}
	case schemas.KindTick:
		m.applyTick(&r.Tick, out)
	case schemas.KindAlias:
		m.applyAlias(r, out)
	case schemas.KindVoid:
		m.applyVoid(r, out)
	case schemas.KindHandover:
		m.applyHandover(r, out)
	case schemas.KindRebuild:
		m.applyRebuild(&r.Rebuild, out)
	case schemas.KindFeed:
		m.applyFeed(&r.Feed, out)
	}
}

// maxClock is the end of the range of whole seconds.
const maxClock = schemas.MaxClock

func (m *Machine) applyTick(t *schemas.Tick, out *Output) {
	first := m.clock == 0
	m.clock = schemas.TickClock(m.clock, t.At)
	if f := t.ForwardedThrough; f >= 1000 && f <= maxClock {
		m.forwarded = max(m.forwarded, seconds(f))
	}
	if m.forwarded == 0 {
		m.slow = m.now()
	} else {
		m.slow = max(m.slow, min(m.now(), m.forwarded))
	}
	m.stalled = stalledCarriers(m.stalled[:0], t.Stalled)
	m.history = t.History
	if first && m.clock != 0 {
		m.timers.start(m.now())
	}
	switch {
	case m.clock == 0:
	case first && !m.history:
		m.evaluateAll(out)
	case m.ready():
		m.fire(out)
	default:
		m.timers.start(m.now())
	}
	m.judgeFeeds(out)
}

// stalledCarriers names the carriers of the raw partitions (topic/partition) that
// time no longer waits for.
func stalledCarriers(dst, partitions []string) []string {
	for _, p := range partitions {
		topic, _, _ := strings.Cut(p, "/")
		if carrier, ok := strings.CutPrefix(topic, schemas.RawTopicPrefix); ok && !slices.Contains(dst, carrier) {
			dst = append(dst, strings.Clone(carrier))
		}
	}
	return dst
}

// evaluateAll judges all open parcels at the record that changed what they are
// judged by.
func (m *Machine) evaluateAll(out *Output) {
	if !m.ready() {
		return
	}
	m.hearAll()
	for i := range m.entities.n {
		e := m.entities.at(i)
		switch {
		case e.flags&(entityFree|entityEnded|entityQuarantined) != 0:
		case e.is(entityMoved):
			m.arm(i, e, max(e.deadline, saturate(m.now(), restless)))
		default:
			e.flags |= entityPending
			m.judge(i, e, nil, out)
		}
	}
}
