package schemas

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Limits of the records that the detector writes. What exceeds them is refused
// when it is read, so the writer keeps within them.
const (
	MaxHandedAlerts = 1024         // alerts of one Handover
	MaxState        = 64 << 10     // bytes of ArchiveRow.State
	MaxRebuild      = 8 * MaxState // bytes of Rebuild.State, which may hold several of them
	maxStalled      = 1 << 16      // partitions that one Tick names
)

func appendHandover(b []byte, h *Handover) []byte {
	b = str(b, 1, h.TrackingNumber)
	b = num(b, 2, h.Stages)
	for i := range h.Alerts {
		a := &h.Alerts[i]
		b = protowire.AppendTag(b, 3, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(sizeHandedAlert(a)))
		b = appendHandedAlert(b, a)
	}
	return flag(b, 4, h.BadNumber)
}

func appendHandedAlert(b []byte, a *HandedAlert) []byte {
	b = num(b, 1, a.Family)
	b = num(b, 2, a.Status)
	b = num(b, 3, a.Level)
	b = flag(b, 4, a.Backfill)
	b = str(b, 5, a.TrackingNumber)
	b = num(b, 6, a.Anchor)
	b = num(b, 7, a.Ended)
	return num(b, 8, a.Opened)
}

// sizeHandedAlert is the length of what appendHandedAlert writes. All tags are
// of one byte.
func sizeHandedAlert(a *HandedAlert) int {
	size := 0
	for _, n := range [...]uint64{uint64(a.Family), uint64(a.Status), uint64(a.Level), uint64(a.Anchor), uint64(a.Ended), uint64(a.Opened)} {
		if n != 0 {
			size += 1 + protowire.SizeVarint(n)
		}
	}
	if a.Backfill {
		size += 2
	}
	if a.TrackingNumber != "" {
		size += 1 + protowire.SizeBytes(len(a.TrackingNumber))
	}
	return size
}

func appendRebuild(b []byte, r *Rebuild) []byte {
	b = id(b, 1, &r.EntityID)
	b = num(b, 2, r.Ask)
	if len(r.State) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), r.State)
}

func appendFeed(b []byte, f *Feed) []byte {
	b = str(b, 1, f.Carrier)
	b = str(b, 2, f.Topic)
	b = num(b, 3, f.First)
	b = num(b, 4, f.Last)
	b = num(b, 5, f.Events)
	b = num(b, 6, f.MaxLag)
	return num(b, 7, f.LagHours)
}

// refuse makes decoding fail: the field's contents are beyond a limit.
func (f *field) refuse(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: field %d: %s", ErrRecord, f.num, fmt.Sprintf(format, args...))
	}
}

// narrow returns a varint that must not exceed limit.
func (f *field) narrow(limit uint64) uint64 {
	if f.n > limit {
		f.refuse("%d, at most %d", f.n, limit)
		return 0
	}
	return f.n
}

func (h *Handover) set(f *field) {
	switch f.num {
	case 1:
		h.TrackingNumber = f.str()
	case 2:
		h.Stages = uint8(f.narrow(math.MaxUint8))
	case 3:
		if len(h.Alerts) >= MaxHandedAlerts {
			f.refuse("more than %d alerts", MaxHandedAlerts)
			return
		}
		h.Alerts = append(h.Alerts, HandedAlert{})
		if err := decodeBody(f.b, &h.Alerts[len(h.Alerts)-1]); err != nil {
			f.err = err
		}
	case 4:
		h.BadNumber = f.n != 0
	}
}

func (a *HandedAlert) set(f *field) {
	switch f.num {
	case 1:
		a.Family = uint8(f.narrow(math.MaxUint8))
	case 2:
		a.Status = AlertStatus(f.narrow(math.MaxUint8))
	case 3:
		a.Level = uint8(f.narrow(math.MaxUint8))
	case 4:
		a.Backfill = f.n != 0
	case 5:
		a.TrackingNumber = f.str()
	case 6:
		a.Anchor = uint32(f.narrow(math.MaxUint32))
	case 7:
		a.Ended = uint32(f.narrow(math.MaxUint32))
	case 8:
		a.Opened = uint32(f.narrow(math.MaxUint32))
	}
}

func (r *Rebuild) set(f *field) {
	switch f.num {
	case 1:
		f.id(&r.EntityID)
	case 2:
		r.Ask = int64(f.n)
	case 3:
		if len(f.b) > MaxRebuild {
			f.refuse("state of %d bytes, at most %d", len(f.b), MaxRebuild)
			return
		}
		r.State = f.b[:len(f.b):len(f.b)] // aliases the record, as strings do
	}
}

func (v *Feed) set(f *field) {
	switch f.num {
	case 1:
		v.Carrier = f.str()
	case 2:
		v.Topic = f.str()
	case 3:
		v.First = int64(f.n)
	case 4:
		v.Last = int64(f.n)
	case 5:
		v.Events = int64(f.n)
	case 6:
		v.MaxLag = int64(f.n)
	case 7:
		v.LagHours = uint8(f.narrow(math.MaxUint8))
	}
}
