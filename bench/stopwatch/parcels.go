package stopwatch

import (
	"encoding/binary"
	"fmt"
	"strings"

	"scantrail/detector"
	"scantrail/schemas"
)

// parcels makes facts cheaply: n parcels on the same way from CN to GB, each
// scan of a parcel six hours after the one before.
type parcels struct {
	n          int
	first      int // number of the first parcel: partitions hold different ones
	number     [16]byte
	record     schemas.Record
	facilities [500]string
}

// way holds the milestones of a parcel's 12 scans: still open after the last.
var way = [...]schemas.Milestone{20, 30, 31, 40, 42, 50, 51, 55, 56, 60, 70, 72}

const (
	base       = int64(1_790_812_800_000) // 2026-10-01T00:00:00Z
	hour       = int64(3_600_000)
	apart      = 6 * hour // two scans of a parcel
	orderFacts = 5
	// abreast is how many parcels' scans are mixed while a state is filled, as
	// carriers' feeds mix them.
	abreast = 5000
)

func newParcels(n, first int) *parcels {
	p := &parcels{n: n, first: first}
	for i := range p.facilities {
		p.facilities[i] = fmt.Sprintf("FACILITY-%03d", i)
	}
	return p
}

func (p *parcels) numberOf(i int) string {
	copy(p.number[:], "LX000000000CN")
	i += p.first
	for k := 10; k >= 2; k-- {
		p.number[k] = byte('0' + i%10)
		i /= 10
	}
	return string(p.number[:13])
}

// scan is the k-th scan of parcel i, valid until the next record.
func (p *parcels) scan(i, k int) *schemas.Record {
	number, m := p.numberOf(i), way[k%len(way)]
	p.record.Kind, p.record.Forwarded = schemas.KindEvent, false
	e := &p.record.Event
	e.ParcelID, e.TrackingNumber = schemas.ParcelID(number), number
	binary.BigEndian.PutUint64(e.FactID[:], uint64((p.first+i)*1000+k)*0x9e3779b97f4a7c15)
	e.OccurredAt = base + int64(k)*apart + int64(i%3600)*1000
	e.ReceivedAt = e.OccurredAt + 60_000
	e.Carrier, e.Facility, e.Country = "yunexpress", p.facilities[(i+k)%len(p.facilities)], "CN"
	e.Milestone, e.Physical, e.Progress, e.MappingVersion = m, m.Physical(), m.Progress(), 3
	e.OriginCountry, e.DestinationCountry = "CN", "GB"
	return &p.record
}

// order is the k-th fact of the order of parcel i, as its home forwards it to
// the parcel.
func (p *parcels) order(i, k int) *schemas.Record {
	kind := [orderFacts]schemas.OrderKind{
		schemas.OrderCreated, schemas.OrderConfirmed, schemas.OrderReadyToShip, schemas.OrderLabelCreated, schemas.OrderMarkedShipped,
	}[k]
	number := p.numberOf(i)
	p.record.Kind, p.record.Forwarded = schemas.KindOrder, true
	p.record.Order = schemas.OrderFact{
		FactID: schemas.Hash(fmt.Appendf(nil, "%d/%d", p.first+i, k)), OrderID: fmt.Sprintf("5760%014d", p.first+i), ShopID: "shop-" + p.facilities[i%500],
		Kind: kind, At: base - int64(9-k)*hour, ReceivedAt: base, TrackingNumbers: []string{number},
	}
	switch kind {
	case schemas.OrderCreated:
		p.record.Order.Market, p.record.Order.PromiseAt = "GB", base+240*hour
	case schemas.OrderLabelCreated:
		p.record.Order.Carrier, p.record.Order.LabelSource = "yunexpress", "platform"
		p.record.Order.OriginCountry, p.record.Order.DestinationCountry = "CN", "GB"
	}
	return &p.record
}

// batch makes the next scans from the i-th on, spread over all parcels.
func (p *parcels) batch(dst []schemas.Record, i int) {
	for k := range dst {
		dst[k] = *p.scan((i+k)*7919%p.n, len(way)+(i+k)/p.n)
		dst[k].Event.TrackingNumber = strings.Clone(dst[k].Event.TrackingNumber)
	}
}

// state is a machine that is being filled.
type state struct {
	*detector.Machine
	*parcels
	out  detector.Output
	tick schemas.Record
	rows []schemas.ParcelRow
}

func (s *state) apply(r *schemas.Record) error {
	s.out.Reset()
	return s.Apply(s.Offset()+1, r, &s.out)
}

func (s *state) tickAt(ms int64) error {
	s.tick = schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: ms}}
	return s.apply(&s.tick)
}

// advance ticks every step until the clock has come to ms.
func (s *state) advance(ms, step int64, each func()) error {
	for s.Clock() < ms {
		if err := s.tickAt(min(s.Clock()+step, ms)); err != nil {
			return err
		}
		if each != nil {
			each()
		}
	}
	return nil
}

// written takes the rows of all parcels that have news, as the writer does, and
// returns how many there were.
func (s *state) written() (n int64) {
	for {
		s.rows = s.DirtyParcels(20_000, s.rows[:0])
		if len(s.rows) == 0 {
			return n
		}
		s.MarkParcelsWritten(s.rows)
		n += int64(len(s.rows))
	}
}

// filled returns a machine that holds n open parcels of 12 scans each, under the
// built-in policy, and with orders the facts of one order for each.
func filled(partition int32, n int, orders bool, say Progress) (*state, error) {
	s := &state{Machine: detector.NewMachine(partition, 1), parcels: newParcels(n, int(partition)*n)}
	control := schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: schemas.DefaultPolicy()}}
	if err := s.apply(&control); err != nil {
		return nil, err
	}
	if err := s.tickAt(base); err != nil {
		return nil, err
	}
	if err := s.advance(base+int64(len(way)-1)*apart+hour, 600_000, nil); err != nil {
		return nil, err
	}
	for from := 0; from < n; from += abreast {
		if err := s.fill(from, min(from+abreast, n), orders); err != nil {
			return nil, err
		}
		if to := from + abreast; to%1_000_000 == 0 {
			say("%d of %d parcels are in the state", to, n)
		}
	}
	return s, nil
}

// fill adds the parcels from one to another, judges them and takes their rows.
func (s *state) fill(from, to int, orders bool) error {
	for k := range way {
		for i := from; i < to; i++ {
			if orders && k < orderFacts {
				if err := s.apply(s.order(i, k)); err != nil {
					return err
				}
			}
			if err := s.apply(s.scan(i, k)); err != nil {
				return err
			}
		}
	}
	err := s.tickAt(s.Clock())
	s.written()
	return err
}
