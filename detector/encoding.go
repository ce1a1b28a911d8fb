package detector

import (
	"encoding/binary"

	"scantrail/schemas"
)

// The encoding of a fact behind the one before (usualFact before the first), 10
// bytes for a scan at another place within nine hours:
//
//	head   1   code of the milestone (headCode), headPlace, headRest
//	time   2+  seconds since the fact before, see appendSpan
//	id     5   big endian
//	kind   1   the milestone, where it has no code
//	rest   1   where headRest: flags that are not as usual
//	place  2   where headPlace: another place than the fact before
//	lane   3   where restLaneNew: another lane than the fact before that states one
//	num    1   where restNum: another number than the fact before
//	extra  3   of accepted and delivered
//
// As usual is a fact that is physical and progress as its milestone says, is
// backfill where the fact before is, not void, and states its lane.
const (
	headCode  = 1<<6 - 1
	headPlace = 1 << 6
	headRest  = 1 << 7

	restLane    = 1 << 4 // states a lane
	restLaneNew = 1 << 5
	restNum     = 1 << 6

	noCode       = headCode // a milestone without a code
	shortIDBytes = 5

	minFact = 1 + 2 + shortIDBytes
)

// coded lists the milestones by their codes. What is written stays readable: new
// ones go to the end.
var coded = [...]schemas.Milestone{
	schemas.Unmapped, schemas.LabelCreated, schemas.PickupScheduled, schemas.PickupFailed, schemas.Accepted,
	schemas.OriginFacilityArrived, schemas.OriginFacilityDeparted, schemas.ExportCustomsStarted, schemas.ExportCustomsHeld,
	schemas.ExportCleared, schemas.ExportRejected, schemas.HandedToLinehaul, schemas.DepartedOrigin, schemas.TransitHubArrived,
	schemas.TransitHubDeparted, schemas.InTransit, schemas.ArrivedDestination, schemas.ImportCustomsStarted, schemas.ImportCustomsHeld,
	schemas.ImportCleared, schemas.ImportRejected, schemas.HandedToLastMile, schemas.DestinationFacilityArrived,
	schemas.DestinationFacilityDeparted, schemas.DeliveryFacilityArrived, schemas.OutForDelivery, schemas.DeliveryAttempted,
	schemas.AvailableForPickup, schemas.Delivered, schemas.Delayed, schemas.Held, schemas.AddressIssue, schemas.Misrouted,
	schemas.Damaged, schemas.Lost, schemas.Destroyed, schemas.Cancelled, schemas.Seized, schemas.ReturnStarted,
	schemas.ReturnInTransit, schemas.Returned, schemas.NumberChanged, schemas.TrackingEnded, schemas.Info,
}

// codes are coded by milestone, and usualFlags what is usual of each.
var codes, usualFlags = func() (code, flags [256]uint8) {
	for m := range code {
		code[m] = noCode
	}
	for c, m := range coded {
		code[m] = uint8(c)
		if m.Physical() {
			flags[m] |= factPhysical
		}
		if m.Progress() {
			flags[m] |= factProgress
		}
	}
	return code, flags
}()

// era is the second from which the first time of an encoding counts (2020).
const era = 1_577_836_800

// beforeFirst is what the first fact is encoded against.
var beforeFirst = tail{fact: fact{sec: era}}

// appendSpan appends a number of seconds: 2 bytes up to 9 hours, 3 up to 48 days,
// 4 up to 17 years, else 5.
func appendSpan(b []byte, n uint32) []byte {
	switch {
	case n < 1<<15:
		return append(b, byte(n>>8), byte(n))
	case n < 1<<22:
		return append(b, 1<<7|byte(n>>16), byte(n>>8), byte(n))
	case n < 1<<29:
		return append(b, 3<<6|byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, 7<<5, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// readSpan decodes what appendSpan wrote, at the front of b, and its width: 0
// where b is too short.
func readSpan(b []byte) (n uint32, width int) {
	switch {
	case len(b) >= 2 && b[0] < 1<<7:
		return uint32(b[0])<<8 | uint32(b[1]), 2
	case len(b) >= 3 && b[0] < 3<<6:
		return uint32(b[0]&(1<<6-1))<<16 | uint32(b[1])<<8 | uint32(b[2]), 3
	case len(b) >= 4 && b[0] < 7<<5:
		return binary.BigEndian.Uint32(b) & (1<<29 - 1), 4
	case len(b) >= 5:
		return binary.BigEndian.Uint32(b[1:]), 5
	}
	return 0, 0
}

// appendFact appends the encoding of f behind t.
func appendFact(b []byte, f *fact, t *tail) []byte {
	prev := &t.fact
	head, rest := codes[f.milestone], f.flags&factMeaning
	if f.place != prev.place {
		head |= headPlace
	}
	if f.lane != 0 {
		rest |= restLane
		if f.lane != t.lane {
			rest |= restLaneNew
		}
	}
	if f.num != prev.num {
		rest |= restNum
	}
	if rest != t.usual(f.milestone) {
		head |= headRest
	}
	b = appendSpan(append(b, head), f.sec-prev.sec)
	b = append(b, byte(f.id>>32), byte(f.id>>24), byte(f.id>>16), byte(f.id>>8), byte(f.id))
	if head&headCode == noCode {
		b = append(b, byte(f.milestone))
	}
	if head&headRest != 0 {
		b = append(b, rest)
	}
	if head&headPlace != 0 {
		b = append(b, byte(f.place), byte(f.place>>8))
	}
	if rest&restLaneNew != 0 {
		b = appendLane(b, f.lane)
	}
	if rest&restNum != 0 {
		b = append(b, f.num)
	}
	if hasExtra(f.milestone) {
		b = append(b, byte(f.extra), byte(f.extra>>8), byte(f.extra>>16))
	}
	return b
}

func appendFacts(b []byte, facts []fact) []byte {
	t := beforeFirst
	for i := range facts {
		b = appendFact(b, &facts[i], &t)
		t.follow(&facts[i])
	}
	return b
}

// tail is what the next fact is encoded against.
type tail struct {
	fact fact // the last one
	lane lane // that was stated last
	n    int  // facts so far
}

// usual is the rest of a fact that needs none.
func (t *tail) usual(m schemas.Milestone) uint8 {
	rest := usualFlags[m] | t.fact.flags&factBackfill
	if t.fact.lane != 0 {
		rest |= restLane
	}
	return rest
}

func (t *tail) follow(f *fact) {
	t.fact = *f
	t.n++
	if f.lane != 0 {
		t.lane = f.lane
	}
}

// next takes a fact off b, which becomes t's last one. It returns false where b
// is cut short.
func (t *tail) next(b []byte) ([]byte, bool) {
	f := &t.fact
	if len(b) < minFact {
		return b, false
	}
	head := b[0]
	span, width := uint32(b[1])<<8|uint32(b[2]), 2
	if span >= 1<<15 {
		if span, width = readSpan(b[1:]); width == 0 || len(b) < 1+width+shortIDBytes {
			return b, false
		}
	}
	f.sec += span
	b = b[1+width:]
	f.id = uint64(binary.BigEndian.Uint32(b))<<8 | uint64(b[4])
	b = b[shortIDBytes:]
	t.n++
	c := head & headCode
	if head&headRest == 0 && int(c) < len(coded) && !hasExtra(coded[c]) {
		f.milestone, f.extra = coded[c], 0
		f.flags = usualFlags[f.milestone] | f.flags&factBackfill
		if head&headPlace == 0 {
			return b, true
		}
		if len(b) < 2 {
			return b, false
		}
		f.place = binary.LittleEndian.Uint16(b)
		return b[2:], true
	}
	return t.long(head, b)
}

// long takes off b what follows the id of a fact that is not the most usual.
func (t *tail) long(head uint8, b []byte) ([]byte, bool) {
	f, r := &t.fact, reader{b: b}
	if c := head & headCode; int(c) < len(coded) {
		f.milestone = coded[c]
	} else {
		f.milestone = schemas.Milestone(r.u8())
	}
	rest := t.usual(f.milestone)
	if head&headRest != 0 {
		rest = r.u8()
	}
	f.flags = rest & factMeaning
	if head&headPlace != 0 {
		f.place = r.u16()
	}
	if rest&restLaneNew != 0 {
		t.lane = readLane(r.take(laneBytes))
	}
	f.lane = 0
	if rest&restLane != 0 {
		f.lane = t.lane
	}
	if rest&restNum != 0 {
		f.num = r.u8()
	}
	f.extra = 0
	if hasExtra(f.milestone) {
		e := r.take(3)
		f.extra = uint32(e[0]) | uint32(e[1])<<8 | uint32(e[2])<<16
	}
	return r.b, !r.bad
}

// readFacts decodes what appendFacts wrote behind dst and reports whether b was
// such an encoding.
func readFacts(b []byte, dst []fact) (_ []fact, ok bool) {
	t := beforeFirst
	for len(b) > 0 {
		if b, ok = t.next(b); !ok {
			return dst, false
		}
		dst = append(dst, t.fact)
	}
	return dst, true
}

// probe walks over the encoding without building the facts, for the scan that
// comes last and for the first time, as most do: it returns the tail, and
// whether id is there.
func probe(b []byte, id uint64) (t tail, found bool) {
	t = beforeFirst
	for len(b) > 0 {
		var ok bool
		if b, ok = t.next(b); !ok {
			panic("detector: facts of a parcel do not decode: memory is damaged")
		}
		if t.fact.id == id {
			return t, true
		}
	}
	return t, false
}
