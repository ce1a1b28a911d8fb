package detector

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"scantrail/schemas"
)

// The encoding of a fact behind the one before, 8 bytes for a scan at another
// place within nine hours:
//
//	head   1   step to the milestone (headStep), headRest, place (headPlace)
//	time   2+  seconds since the fact before, see appendSpan
//	id     4   big endian
//	kind   1   where the step is none: the milestone
//	rest   1   where headRest: flags that are not as usual
//	place  1   its low byte, the rest is in the head; none where it is that of the
//	           fact before, or 2 where it is out of reach
//	lane   3   where restLaneNew: another lane than the fact before that states one
//	num    1   where restNum: another number than the fact before
//	extra  1+  of accepted and delivered, uvarint
//
// As usual is a fact that is physical and progress as its milestone says, is
// backfill where the fact before is, neither void nor refused, and states its lane.
// The first fact counts from the opening of the parcel, in either direction.
const (
	headStep  = 15 << 4 // from the code of the milestone before, plus stepBack
	headRest  = 1 << 3
	headPlace = 7

	stepBack  = 3
	noStep    = 15
	samePlace = 6
	farPlace  = 7 // lower ones are the high bits of the place

	restLane    = 1 << 4 // states a lane
	restLaneNew = 1 << 5
	restNum     = 1 << 6
	restRefused = 1 << 7

	shortIDBytes = 4
	minFact      = 1 + 2 + shortIDBytes
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

// noCode is that of a milestone that is not among them: no step leads there.
const noCode = 1 << 7

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

// beforeFirst is what the first fact of a parcel is encoded against.
func beforeFirst(opened uint32) tail { return tail{fact: fact{sec: opened}} }

// zigzag folds a difference of seconds in either direction, so that small ones
// stay small, and unfold is the way back.
func zigzag(d uint32) uint32 { return d<<1 ^ uint32(int32(d)>>31) }
func unfold(z uint32) uint32 { return z>>1 ^ -(z & 1) }

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
	head, rest := stepTo(prev.milestone, f.milestone)<<4, f.rest(t)
	switch {
	case f.place == prev.place:
		head |= samePlace
	case f.place < samePlace<<8:
		head |= uint8(f.place >> 8)
	default:
		head |= farPlace
	}
	if rest != t.usual(f.milestone) {
		head |= headRest
	}
	span := f.sec - prev.sec
	if t.n == 0 {
		span = zigzag(span)
	}
	b = appendSpan(append(b, head), span)
	b = binary.BigEndian.AppendUint32(b, uint32(f.id))
	if head>>4 == noStep {
		b = append(b, byte(f.milestone))
	}
	if head&headRest != 0 {
		b = append(b, rest)
	}
	switch head & headPlace {
	case samePlace:
	case farPlace:
		b = append(b, byte(f.place), byte(f.place>>8))
	default:
		b = append(b, byte(f.place))
	}
	if rest&restLaneNew != 0 {
		b = appendLane(b, f.lane)
	}
	if rest&restNum != 0 {
		b = append(b, f.num)
	}
	if hasExtra(f.milestone) {
		b = binary.AppendUvarint(b, uint64(f.extra))
	}
	return b
}

// stepTo returns the step from one milestone to the next, noStep where it is too
// long.
func stepTo(from, to schemas.Milestone) uint8 {
	if codes[to] == noCode {
		return noStep
	}
	return min(codes[to]-codes[from]&^noCode+stepBack, noStep)
}

// rest puts the flags of f and what it has unlike the fact before into one byte.
func (f *fact) rest(t *tail) uint8 {
	rest := f.flags & factMeaning
	if f.flags&factRefused != 0 {
		rest |= restRefused
	}
	if f.lane != 0 {
		rest |= restLane
		if f.lane != t.lane {
			rest |= restLaneNew
		}
	}
	if f.num != t.fact.num {
		rest |= restNum
	}
	return rest
}

func appendFacts(b []byte, opened uint32, facts []fact) []byte {
	t := beforeFirst(opened)
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
	if t.n == 0 {
		span = unfold(span)
	}
	f.sec += span
	b = b[1+width:]
	f.id = uint64(binary.BigEndian.Uint32(b))
	b = b[shortIDBytes:]
	t.n++
	c := codes[f.milestone]&^noCode + head>>4 - stepBack
	if head>>4 == noStep || head&headRest != 0 || int(c) >= len(coded) || hasExtra(coded[c]) {
		return t.long(head, c, b)
	}
	f.milestone, f.extra = coded[c], 0
	f.flags = usualFlags[f.milestone] | f.flags&factBackfill
	switch p := head & headPlace; {
	case p == samePlace:
		return b, true
	case p < samePlace && len(b) > 0:
		f.place = uint16(p)<<8 | uint16(b[0])
		return b[1:], true
	case p == farPlace && len(b) > 1:
		f.place = binary.LittleEndian.Uint16(b)
		return b[2:], true
	}
	return b, false
}

// long takes off b what follows the id of a fact that is not the most usual. c is
// the code that its step leads to.
func (t *tail) long(head, c uint8, b []byte) ([]byte, bool) {
	f, r := &t.fact, reader{b: b}
	switch {
	case head>>4 == noStep:
		f.milestone = schemas.Milestone(r.u8())
	case int(c) < len(coded):
		f.milestone = coded[c]
	default:
		r.bad = true
	}
	rest := t.usual(f.milestone)
	if head&headRest != 0 {
		rest = r.u8()
	}
	f.flags = rest & factMeaning
	if rest&restRefused != 0 {
		f.flags |= factRefused
	}
	switch p := head & headPlace; p {
	case samePlace:
	case farPlace:
		f.place = r.u16()
	default:
		f.place = uint16(p)<<8 | uint16(r.u8())
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
		f.extra = uint32(min(r.uvarint(), 1<<32-1))
	}
	return r.b, !r.bad
}

// readFacts decodes what appendFacts wrote behind dst and reports whether b was
// such an encoding.
func readFacts(b []byte, opened uint32, dst []fact) (_ []fact, ok bool) {
	dst, _, ok = readTail(b, opened, dst)
	return dst, ok
}

// readTail is readFacts that also returns what the next fact is encoded against.
func readTail(b []byte, opened uint32, dst []fact) (_ []fact, t tail, ok bool) {
	t = beforeFirst(opened)
	last := &t.fact
	for len(b) > 0 {
		if b, ok = t.next(b); !ok {
			return dst, t, false
		}
		n := len(dst)
		dst = slices.Grow(dst, 1)[:n+1]
		f := &dst[n]
		// Field by field: a copy of the whole would wait for what was just written.
		f.id, f.sec, f.lane, f.extra, f.place = last.id, last.sec, last.lane, last.extra, last.place
		f.milestone, f.flags, f.num = last.milestone, last.flags, last.num
		b, dst = t.plain(b, dst)
	}
	return dst, t, true
}

// plainBytes is the length of a fact that is as usual at another place than the one
// before, within nine hours: of all facts, most.
const plainBytes = 1 + 2 + shortIDBytes + 1

// plainFact is what the code of a milestone stands for in a plain fact.
var plainFact = func() (t [1 << 8]struct {
	milestone schemas.Milestone
	flags     uint8
	is        bool // there are such facts
}) {
	for c, m := range coded {
		t[c].milestone, t[c].flags, t[c].is = m, usualFlags[m], !hasExtra(m)
	}
	return t
}()

// plain takes the plain facts off the front of b, as next would, and appends them to
// dst. It goes by whole words and writes each fact once: every judgement of a parcel
// reads all of its facts.
func (t *tail) plain(b []byte, dst []fact) ([]byte, []fact) {
	last, n := t.fact, len(dst)
	dst = slices.Grow(dst, len(b)/plainBytes)
	sec, c, backfill := last.sec, codes[last.milestone]&^noCode, last.flags&factBackfill
	for len(b) >= plainBytes {
		word := binary.LittleEndian.Uint64(b)
		head, span := uint8(word), uint32(bits.ReverseBytes16(uint16(word>>8)))
		k := &plainFact[c+head>>4-stepBack]
		if head&headRest != 0 || head>>4 == noStep || head&headPlace >= samePlace || span >= 1<<15 || !k.is {
			break
		}
		c += head>>4 - stepBack
		sec += span
		dst = dst[:len(dst)+1]
		f := &dst[len(dst)-1]
		f.id, f.sec, f.place = uint64(bits.ReverseBytes32(uint32(word>>24))), sec, uint16(head&headPlace)<<8|uint16(word>>56)
		f.milestone, f.flags, f.extra = k.milestone, k.flags|backfill, 0
		f.lane, f.num = last.lane, last.num
		b = b[plainBytes:]
	}
	if len(dst) > n {
		t.n += len(dst) - n
		t.fact = dst[len(dst)-1]
	}
	return b, dst
}

// probe walks over the encoding without building the facts, for the scan that
// comes last and for the first time, as most do: it returns the tail, and
// whether id is there.
func probe(b []byte, opened uint32, id uint64) (t tail, found bool) {
	t = beforeFirst(opened)
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
