package schemas

import "google.golang.org/protobuf/encoding/protowire"

// Encoder writes Records in the Protobuf form of event.proto without
// allocating once its buffer has grown. It is not safe for concurrent use.
type Encoder struct{ body []byte }

// Append appends r's wire form to dst.
func (e *Encoder) Append(dst []byte, r *Record) []byte {
	b := e.body[:0]
	switch r.Kind {
	case KindEvent:
		b = appendEvent(b, &r.Event)
	case KindOrder:
		b = appendOrder(b, &r.Order)
	case KindAlias:
		b = appendAlias(b, &r.Alias)
	case KindTick:
		b = appendTick(b, &r.Tick)
	case KindRange:
		b = appendRange(b, &r.Range)
	case KindControl:
		b = protowire.AppendTag(b, 1, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(r.Control.Number))
		b = str(b, 2, r.Control.Policy)
		b = num(b, 3, r.Control.Generation)
		b = num(b, 4, r.Control.Detector)
	case KindVoid:
		b = appendVoid(b, &r.Void)
	case KindHandover:
		b = appendHandover(b, &r.Handover)
	case KindRebuild:
		b = appendRebuild(b, &r.Rebuild)
	case KindFeed:
		b = appendFeed(b, &r.Feed)
	}
	e.body = b
	dst = protowire.AppendTag(dst, protowire.Number(r.Kind), protowire.BytesType)
	dst = protowire.AppendBytes(dst, b)
	dst = str(dst, 14, r.Home)
	return flag(dst, 15, r.Forwarded)
}

func str(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func id(b []byte, n protowire.Number, v *ID) []byte {
	if *v == (ID{}) {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v[:])
}

func num[T ~int32 | ~int64 | ~uint8 | ~uint32](b []byte, n protowire.Number, v T) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}

func flag(b []byte, n protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), 1)
}

func appendEvent(b []byte, e *Event) []byte {
	b = id(b, 1, &e.ParcelID)
	b = id(b, 2, &e.FactID)
	b = str(b, 3, e.Carrier)
	b = str(b, 4, e.TrackingNumber)
	b = num(b, 5, e.EventIndex)
	b = num(b, 6, e.OccurredAt)
	b = str(b, 7, e.OccurredAtRaw)
	if e.OffsetMinutes != 0 {
		b = protowire.AppendTag(b, 8, protowire.VarintType)
		b = protowire.AppendVarint(b, protowire.EncodeZigZag(int64(e.OffsetMinutes)))
	}
	b = num(b, 9, e.TZSource)
	b = num(b, 10, e.UncertaintySecs)
	b = num(b, 11, e.Milestone)
	b = flag(b, 12, e.Physical)
	b = flag(b, 13, e.Progress)
	b = num(b, 14, e.Direction)
	b = num(b, 15, e.DirectionSource)
	b = str(b, 16, e.Reason)
	b = num(b, 17, e.Fault)
	b = num(b, 18, e.Leg)
	b = str(b, 19, e.Rule)
	b = str(b, 20, e.RawCode)
	b = str(b, 21, e.RawText)
	b = str(b, 22, e.Country)
	b = str(b, 23, e.Region)
	b = str(b, 24, e.City)
	b = str(b, 25, e.Postcode)
	b = str(b, 26, e.Facility)
	b = str(b, 27, e.LocationRaw)
	b = str(b, 28, e.OriginCountry)
	b = str(b, 29, e.DestinationCountry)
	b = str(b, 30, e.Product)
	b = str(b, 31, e.Topic)
	b = id(b, 32, &e.TopicID)
	b = num(b, 33, e.Partition)
	b = num(b, 34, e.Offset)
	b = num(b, 35, e.ReceivedAt)
	b = flag(b, 36, e.Backfill)
	b = flag(b, 37, e.Generic)
	b = num(b, 38, e.MappingVersion)
	b = str(b, 39, e.EventID)
	return num(b, 40, e.NumberCheck)
}

func appendOrder(b []byte, o *OrderFact) []byte {
	b = id(b, 1, &o.FactID)
	b = str(b, 2, o.OrderID)
	b = str(b, 3, o.ShopID)
	b = str(b, 4, o.Market)
	b = num(b, 5, o.Kind)
	b = num(b, 6, o.At)
	b = str(b, 7, o.Carrier)
	for _, n := range o.TrackingNumbers {
		b = protowire.AppendString(protowire.AppendTag(b, 8, protowire.BytesType), n)
	}
	b = str(b, 9, o.LabelSource)
	b = str(b, 10, o.OriginCountry)
	b = str(b, 11, o.DestinationCountry)
	b = str(b, 12, o.DestinationPostcode)
	b = num(b, 13, o.PromiseAt)
	b = num(b, 14, o.Until)
	b = flag(b, 15, o.Accepted)
	b = str(b, 16, o.Topic)
	b = id(b, 17, &o.TopicID)
	b = num(b, 18, o.Partition)
	b = num(b, 19, o.Offset)
	b = num(b, 20, o.ReceivedAt)
	return flag(b, 21, o.Backfill)
}

func appendAlias(b []byte, a *Alias) []byte {
	b = id(b, 1, &a.FactID)
	b = str(b, 2, a.TrackingNumber)
	b = str(b, 3, a.OtherNumber)
	b = str(b, 4, a.Carrier)
	return num(b, 5, a.ReceivedAt)
}

func appendTick(b []byte, t *Tick) []byte {
	b = num(b, 1, t.At)
	b = num(b, 2, t.ForwardedThrough)
	for _, s := range t.Stalled {
		b = protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), s)
	}
	return flag(b, 4, t.History)
}

func appendRange(b []byte, r *Range) []byte {
	b = str(b, 1, r.Topic)
	b = id(b, 2, &r.TopicID)
	b = num(b, 3, r.Partition)
	b = num(b, 4, r.First)
	b = num(b, 5, r.Last)
	b = num(b, 6, r.Records)
	b = num(b, 7, r.Events)
	b = num(b, 8, r.DeadLetters)
	return num(b, 9, r.Empty)
}

func appendVoid(b []byte, v *Void) []byte {
	b = id(b, 1, &v.ParcelID)
	b = id(b, 2, &v.FactID)
	b = id(b, 3, &v.EventFactID)
	b = str(b, 4, v.EventID)
	b = str(b, 5, v.TrackingNumber)
	b = str(b, 6, v.Carrier)
	b = num(b, 7, v.At)
	return num(b, 8, v.ReceivedAt)
}
