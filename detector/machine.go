// Package detector is the pure core of Scantrail: it turns one partition of
// parcel.events into alerts, stages reached and rows. Everything it answers is
// a function of that log: no I/O, no goroutine, no clock of its own, no
// randomness, and no iteration over a map reaches its output.
//
// The life of a record: Machine.Apply finds the entity (table) and merges the
// fact into its set (facts, orderfacts). The next tick evaluates the parcels
// that have news or whose deadline has come, f(facts, policy, C) (evaluate),
// compares each verdict with the alerts that are known (alerts), and files the
// next second at which the verdict changes by itself (timers).
//
// Judging waits for the tick, 5 s at most, because one answer of a carrier
// holds many scans, often the newest first: judged one by one, every parcel
// would lack its milestones and be silent for a moment, and alert each time.
package detector

import (
	"fmt"
	"time"

	"scantrail/schemas"
)

// MaxTickStep is how far one tick may advance the clock: a single bad tick must
// not open every alert at once.
const MaxTickStep = 10 * time.Minute

// Machine is the state of one partition of the log. It is fed in log order and
// is not safe for concurrent use.
type Machine struct {
	partition  int32
	generation uint16
	offset     int64 // last applied; -1 before the first
	clock      int64 // Unix milliseconds; 0 before the first tick
	control    uint32

	policies [maxPolicies]*rules
	policy   uint8 // index of the one in force; 0 before the first Control

	texts   texts
	places  places
	parcels table[parcel, *parcel]
	orders  table[order, *order]
	blobs   arena
	timers  timers
	open    int // parcels whose trail has not ended

	pending []uint32 // parcels with news since the last tick

	dirtyParcels, dirtyOrders queue

	version uint64 // of the row that the current record writes
	ordinal uint8  // of the entity's last output
	verdict verdict
	scratch
	restore restoring // of ReadChunk
}

// scratch is reused by every Apply.
type scratch struct {
	facts  []fact
	ofacts []orderFact
	known  []known
	next   []known
	due    []uint32
	buf    []byte
	buf2   []byte
	buf3   []byte
	rows   text
}

// maxPolicies bounds the policies that ended parcels may still be judged by;
// index 0 stands for none.
const maxPolicies = 256

// NewMachine returns the state of a partition before its first record.
// generation goes into the versions of all rows.
func NewMachine(partition int32, generation uint16) *Machine {
	return &Machine{partition: partition, generation: generation, offset: -1, texts: newTexts(), places: newPlaces()}
}

// Clock returns the clock of the log in Unix milliseconds, 0 before the first
// tick.
func (m *Machine) Clock() int64 { return m.clock }

// Offset returns the offset of the last record applied, -1 before the first.
func (m *Machine) Offset() int64 { return m.offset }

// Policy returns the policy in force, nil before the first Control.
func (m *Machine) Policy() *schemas.Policy {
	if m.policy == 0 {
		return nil
	}
	return m.policies[m.policy].policy
}

// Parcels returns the number of parcels whose trail has not ended, of those
// whose trail has, and of both.
func (m *Machine) Parcels() (open, closed, total int) {
	return m.open, int(m.parcels.n) - m.open, int(m.parcels.n)
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
func (m *Machine) ready() bool { return m.clock != 0 && m.policy != 0 }

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

// Forward is an order fact for one of the order's parcels. Key is the parcel's
// canonical number, also the only element of Order.TrackingNumbers. The same
// fact is forwarded with the same content each time; the receiver knows it by
// its id.
type Forward struct {
	Key   string
	Order schemas.OrderFact
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
	switch r.Kind {
	case schemas.KindEvent:
		m.applyEvent(&r.Event, out)
	case schemas.KindOrder:
		if r.Forwarded {
			m.applyForwarded(&r.Order, out)
		} else {
			m.applyOrder(&r.Order, out)
		}
	case schemas.KindTick:
		m.applyTick(r.Tick.At, out)
	case schemas.KindControl:
		return m.applyControl(&r.Control, out)
	}
	return nil
}

// maxClock is the end of the range of whole seconds.
const maxClock = int64(1<<32-2) * 1000

func (m *Machine) applyTick(at int64, out *Output) {
	first := m.clock == 0
	if at > m.clock && at >= 1000 && at <= maxClock {
		if !first {
			at = min(at, m.clock+MaxTickStep.Milliseconds())
		}
		m.clock = at
	}
	switch {
	case m.clock == 0:
	case first:
		m.timers.start(m.now())
		m.evaluateAll(out)
	case m.ready():
		m.fire(out)
	default:
		m.timers.start(m.now())
	}
}

// applyControl switches the policy and judges every open parcel by it. What has
// ended keeps the policy that it ended under.
func (m *Machine) applyControl(c *schemas.Control, out *Output) error {
	if c.Number <= m.control {
		return nil
	}
	r, err := newRules(c.Policy)
	if err != nil {
		return fmt.Errorf("detector: partition %d: control record %d: %w", m.partition, c.Number, err)
	}
	m.control = c.Number
	m.policy = m.freePolicy()
	if old := m.policies[m.policy]; old != nil {
		r.parcels = old.parcels
	}
	m.policies[m.policy] = r
	m.evaluateAll(out)
	return nil
}

// freePolicy returns an index whose policy judges no parcel. When there is none
// it takes the one after that in force, whose ended parcels are then judged by
// the new one should another fact of theirs arrive.
func (m *Machine) freePolicy() uint8 {
	for i := 1; i < maxPolicies; i++ {
		if m.policies[i] == nil || m.policies[i].parcels == 0 && i != int(m.policy) {
			return uint8(i)
		}
	}
	return max(m.policy+1, 1)
}

// evaluateAll judges all open parcels at the record that changed what they are
// judged by.
func (m *Machine) evaluateAll(out *Output) {
	if !m.ready() {
		return
	}
	for i := range m.parcels.n {
		p := m.parcels.at(i)
		if p.flags&(parcelEnded|parcelQuarantined) != 0 {
			continue
		}
		m.judge(i, p, out)
		m.touch(i, p)
	}
}
