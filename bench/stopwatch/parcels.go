package stopwatch

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"scantrail/detector"
	"scantrail/schemas"
)

// parcels makes facts cheaply: n parcels on the same way from CN to GB, each
// scan of a parcel six hours after the one before.
type parcels struct {
	n          int
	first      int // number of the first parcel: partitions hold different ones
	number     [16]byte
	visit      int // to one of them, since all were there
	record     schemas.Record
	facilities [500]string
}

// way holds the milestones of a parcel's 12 scans: still open after the last.
var way = [...]schemas.Milestone{20, 30, 31, 40, 42, 50, 51, 55, 56, 60, 70, 72}

// onward are the milestones after these.
var onward = [...]schemas.Milestone{80, 81, 82, 83}

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

// numberOf is an S10 number of the Universal Postal Union, with its check digit.
func (p *parcels) numberOf(i int) string {
	copy(p.number[:], "LX000000000CN")
	i += p.first
	sum := 0
	for k, weight := range [...]int{7, 9, 5, 3, 2, 4, 6, 8} {
		p.number[9-k] = byte('0' + i%10)
		sum += weight * (i % 10)
		i /= 10
	}
	p.number[10] = "50987654321"[sum%11]
	return string(p.number[:13])
}

// scan is a scan of parcel i, the id of which no other one of it has, valid until
// the next.
func (p *parcels) scan(i, id int, m schemas.Milestone, at int64) *schemas.Record {
	number := p.numberOf(i)
	p.record.Kind, p.record.Forwarded = schemas.KindEvent, false
	e := &p.record.Event
	e.ParcelID, e.TrackingNumber = schemas.ParcelID(number), number
	binary.BigEndian.PutUint64(e.FactID[:], uint64((p.first+i)*1000+id)*0x9e3779b97f4a7c15)
	e.OccurredAt, e.ReceivedAt = at, at+60_000
	e.Carrier, e.Facility, e.Country = "yunexpress", p.facilities[(i+id)%len(p.facilities)], "CN"
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

// more makes scans for known parcels, as many of each as scans says, and goes on
// where the call before ended. All scans of a visit to a parcel lie within the six
// hours since the one before. It returns how many parcels it visited.
func (p *parcels) more(dst []schemas.Record, scans int) (visits int) {
	for k := range dst {
		parcel, visit := p.visit*7919%p.n, len(way)+p.visit/p.n
		left := scans - 1 - k%scans // in this visit
		at := p.at(parcel, visit) - int64(left)*apart/int64(scans)
		dst[k] = *p.scan(parcel, visit*answerScans-left, onward[visit%len(onward)], at)
		if left == 0 || k == len(dst)-1 {
			p.visit++
			visits++
		}
	}
	return visits
}

// at is the time of the k-th scan of a parcel.
func (p *parcels) at(i, k int) int64 { return base + int64(k)*apart + int64(i%3600)*1000 }

// latest is when the last of all parcels was scanned, at most.
func (p *parcels) latest() int64 { return p.at(3599, len(way)+(p.visit-1)/p.n) }

// state is a machine that is being filled.
type state struct {
	*detector.Machine
	*parcels
	out   detector.Output
	tick  schemas.Record
	batch []schemas.Record
	rows  []schemas.ParcelRow
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
func (s *state) advance(ctx context.Context, ms, step int64, each func()) error {
	for s.Clock() < ms {
		if err := ctx.Err(); err != nil {
			return err
		}
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
// built-in policy, and with orders the facts of one order for each; and what
// applying the scans and judging the parcels took.
func filled(ctx context.Context, partition int32, n int, orders bool, say Progress) (s *state, lap Lap, err error) {
	s = &state{Machine: detector.NewMachine(partition, 1), parcels: newParcels(n, int(partition)*n)}
	control := schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: schemas.DefaultPolicy()}}
	if err := s.apply(&control); err != nil {
		return nil, lap, err
	}
	if err := s.tickAt(base); err != nil {
		return nil, lap, err
	}
	if err := s.advance(ctx, base+int64(len(way)-1)*apart+hour, 600_000, nil); err != nil {
		return nil, lap, err
	}
	for from := 0; from < n; from += abreast {
		if err := ctx.Err(); err != nil {
			return nil, lap, err
		}
		took, err := s.fill(from, min(from+abreast, n), orders)
		if err != nil {
			return nil, lap, err
		}
		lap.add(took)
		if to := from + abreast; to%1_000_000 == 0 {
			say("%d of %d parcels are in the state", to, n)
		}
	}
	return s, lap, nil
}

// fill adds the parcels from one to another, judges them and takes their rows.
func (s *state) fill(from, to int, orders bool) (lap Lap, err error) {
	s.batch = slices.Grow(s.batch[:0], to-from)[:to-from]
	for k := range way {
		if orders && k < orderFacts {
			for i := from; i < to; i++ {
				if err := s.apply(s.order(i, k)); err != nil {
					return lap, err
				}
			}
		}
		for i := range s.batch {
			s.batch[i] = *s.scan(from+i, k, way[k], s.at(from+i, k))
		}
		w := Begin()
		if err := s.applyAll(s.batch); err != nil {
			return lap, err
		}
		lap.add(w.Lap())
	}
	w := Begin()
	err = s.tickAt(s.Clock())
	lap.add(w.Lap())
	s.written()
	return lap, err
}
