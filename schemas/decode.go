package schemas

import (
	"errors"
	"fmt"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrRecord says that a value of parcel.events is not a Record. Only Scantrail
// writes that topic, so it means a foreign writer or a newer version.
var ErrRecord = errors.New("value of parcel.events is not a scantrail.v1.Record")

// field is one decoded field: n for varints, b for length-delimited ones. A
// body sets err where its contents are beyond a limit.
type field struct {
	num protowire.Number
	n   uint64
	b   []byte
	err error
}

func (f *field) str() string { return unsafe.String(unsafe.SliceData(f.b), len(f.b)) }

func (f *field) id(dst *ID) {
	if len(f.b) == len(dst) {
		copy(dst[:], f.b)
	}
}

// next reads one field and returns what follows it.
func (f *field) next(b []byte) ([]byte, error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return nil, ErrRecord
	}
	b = b[n:]
	f.num, f.n, f.b = num, 0, nil
	switch typ {
	case protowire.VarintType:
		f.n, n = protowire.ConsumeVarint(b)
	case protowire.BytesType:
		f.b, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(num, typ, b)
	}
	if n < 0 {
		return nil, ErrRecord
	}
	return b[n:], nil
}

// Decode reads b into r, whose strings then alias b. Unknown fields are
// skipped; a Record without a known body has KindNone, so that an older
// version can step over what a newer one wrote.
func (r *Record) Decode(b []byte) error {
	r.Kind, r.Forwarded, r.Home = KindNone, false, ""
	var f field
	for len(b) > 0 {
		var err error
		if b, err = f.next(b); err != nil {
			return err
		}
		switch {
		case f.num <= protowire.Number(lastKind):
			if err := r.decodeBody(Kind(f.num), f.b); err != nil {
				return fmt.Errorf("field %d: %w", f.num, err)
			}
			r.Kind = Kind(f.num)
		case f.num == 14:
			r.Home = f.str()
		case f.num == 15:
			r.Forwarded = f.n != 0
		}
	}
	return nil
}

// lastKind is the highest Kind.
const lastKind = KindFeed

func (r *Record) decodeBody(k Kind, b []byte) error {
	switch k {
	case KindEvent:
		r.Event = Event{}
		return r.Event.decode(b)
	case KindOrder:
		r.Order = OrderFact{TrackingNumbers: r.Order.TrackingNumbers[:0]}
		return r.Order.decode(b)
	case KindAlias:
		r.Alias = Alias{}
		return decodeBody(b, &r.Alias)
	case KindTick:
		r.Tick = Tick{Stalled: r.Tick.Stalled[:0]}
		return decodeBody(b, &r.Tick)
	case KindRange:
		r.Range = Range{}
		return decodeBody(b, &r.Range)
	case KindControl:
		r.Control = Control{}
		return decodeBody(b, &r.Control)
	case KindVoid:
		r.Void = Void{}
		return decodeBody(b, &r.Void)
	case KindHandover:
		r.Handover = Handover{Alerts: r.Handover.Alerts[:0]}
		return decodeBody(b, &r.Handover)
	case KindRebuild:
		r.Rebuild = Rebuild{}
		return decodeBody(b, &r.Rebuild)
	default:
		r.Feed = Feed{}
		return decodeBody(b, &r.Feed)
	}
}

// body is a message that takes its fields one by one.
type body interface{ set(*field) }

func decodeBody(b []byte, into body) (err error) {
	var f field
	for len(b) > 0 {
		if b, err = f.next(b); err != nil {
			return err
		}
		if into.set(&f); f.err != nil {
			return f.err
		}
	}
	return nil
}

// decode is decodeBody without the interface, which would cost an allocation a
// scan.
func (e *Event) decode(b []byte) (err error) {
	var f field
	for len(b) > 0 {
		if b, err = f.next(b); err != nil {
			return err
		}
		if f.num <= 21 {
			e.setHead(&f)
		} else {
			e.setTail(&f)
		}
	}
	return nil
}

func (e *Event) setHead(f *field) {
	switch f.num {
	case 1:
		f.id(&e.ParcelID)
	case 2:
		f.id(&e.FactID)
	case 3:
		e.Carrier = f.str()
	case 4:
		e.TrackingNumber = f.str()
	case 5:
		e.EventIndex = uint32(f.n)
	case 6:
		e.OccurredAt = int64(f.n)
	case 7:
		e.OccurredAtRaw = f.str()
	case 8:
		e.OffsetMinutes = int32(protowire.DecodeZigZag(f.n))
	case 9:
		e.TZSource = TZSource(f.n)
	case 10:
		e.UncertaintySecs = uint32(f.n)
	case 11:
		e.Milestone = Milestone(f.n)
	case 12:
		e.Physical = f.n != 0
	case 13:
		e.Progress = f.n != 0
	case 14:
		e.Direction = Direction(f.n)
	case 15:
		e.DirectionSource = DirectionSource(f.n)
	case 16:
		e.Reason = f.str()
	case 17:
		e.Fault = Fault(f.n)
	case 18:
		e.Leg = uint32(f.n)
	case 19:
		e.Rule = f.str()
	case 20:
		e.RawCode = f.str()
	case 21:
		e.RawText = f.str()
	}
}

func (e *Event) setTail(f *field) {
	switch f.num {
	case 22:
		e.Country = f.str()
	case 23:
		e.Region = f.str()
	case 24:
		e.City = f.str()
	case 25:
		e.Postcode = f.str()
	case 26:
		e.Facility = f.str()
	case 27:
		e.LocationRaw = f.str()
	case 28:
		e.OriginCountry = f.str()
	case 29:
		e.DestinationCountry = f.str()
	case 30:
		e.Product = f.str()
	case 31:
		e.Topic = f.str()
	case 32:
		f.id(&e.TopicID)
	case 33:
		e.Partition = int32(f.n)
	case 34:
		e.Offset = int64(f.n)
	case 35:
		e.ReceivedAt = int64(f.n)
	case 36:
		e.Backfill = f.n != 0
	case 37:
		e.Generic = f.n != 0
	case 38:
		e.MappingVersion = uint32(f.n)
	case 39:
		e.EventID = f.str()
	case 40:
		e.NumberCheck = NumberCheck(f.n)
	}
}

// decode is decodeBody without the interface, as for events.
func (o *OrderFact) decode(b []byte) (err error) {
	var f field
	for len(b) > 0 {
		if b, err = f.next(b); err != nil {
			return err
		}
		if o.set(&f); f.err != nil {
			return f.err
		}
	}
	return nil
}

func (o *OrderFact) set(f *field) {
	switch f.num {
	case 1:
		f.id(&o.FactID)
	case 2:
		o.OrderID = f.str()
	case 3:
		o.ShopID = f.str()
	case 4:
		o.Market = f.str()
	case 5:
		o.Kind = OrderKind(f.n)
	case 6:
		o.At = int64(f.n)
	case 7:
		o.Carrier = f.str()
	case 8:
		if len(o.TrackingNumbers) >= MaxOrderNumbers {
			f.refuse("more than %d tracking numbers", MaxOrderNumbers)
			return
		}
		o.TrackingNumbers = append(o.TrackingNumbers, f.str())
	case 9:
		o.LabelSource = f.str()
	case 10:
		o.OriginCountry = f.str()
	case 11:
		o.DestinationCountry = f.str()
	case 12:
		o.DestinationPostcode = f.str()
	case 13:
		o.PromiseAt = int64(f.n)
	case 14:
		o.Until = int64(f.n)
	case 15:
		o.Accepted = f.n != 0
	case 16:
		o.Topic = f.str()
	case 17:
		f.id(&o.TopicID)
	case 18:
		o.Partition = int32(f.n)
	case 19:
		o.Offset = int64(f.n)
	case 20:
		o.ReceivedAt = int64(f.n)
	case 21:
		o.Backfill = f.n != 0
	}
}

func (a *Alias) set(f *field) {
	switch f.num {
	case 1:
		f.id(&a.FactID)
	case 2:
		a.TrackingNumber = f.str()
	case 3:
		a.OtherNumber = f.str()
	case 4:
		a.Carrier = f.str()
	case 5:
		a.ReceivedAt = int64(f.n)
	}
}

func (t *Tick) set(f *field) {
	switch f.num {
	case 1:
		t.At = int64(f.n)
	case 2:
		t.ForwardedThrough = int64(f.n)
	case 3:
		if len(t.Stalled) >= maxStalled {
			f.refuse("more than %d partitions", maxStalled)
			return
		}
		t.Stalled = append(t.Stalled, f.str())
	case 4:
		t.History = f.n != 0
	}
}

func (r *Range) set(f *field) {
	switch f.num {
	case 1:
		r.Topic = f.str()
	case 2:
		f.id(&r.TopicID)
	case 3:
		r.Partition = int32(f.n)
	case 4:
		r.First = int64(f.n)
	case 5:
		r.Last = int64(f.n)
	case 6:
		r.Records = int64(f.n)
	case 7:
		r.Events = int64(f.n)
	case 8:
		r.DeadLetters = int64(f.n)
	case 9:
		r.Empty = int64(f.n)
	}
}

func (c *Control) set(f *field) {
	switch f.num {
	case 1:
		c.Number = uint32(f.n)
	case 2:
		c.Policy = f.str()
	case 3:
		c.Generation = uint32(f.n)
	case 4:
		c.Detector = uint32(f.n)
	}
}

func (v *Void) set(f *field) {
	switch f.num {
	case 1:
		f.id(&v.ParcelID)
	case 2:
		f.id(&v.FactID)
	case 3:
		f.id(&v.EventFactID)
	case 4:
		v.EventID = f.str()
	case 5:
		v.TrackingNumber = f.str()
	case 6:
		v.Carrier = f.str()
	case 7:
		v.At = int64(f.n)
	case 8:
		v.ReceivedAt = int64(f.n)
	}
}
