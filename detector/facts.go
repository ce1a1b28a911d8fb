package detector

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"scantrail/schemas"
)

// MaxFacts is the number of scans, and of order facts, beyond which an entity
// is no parcel: placeholder numbers merge the world.
const MaxFacts = schemas.MaxFacts

// fact is one scan as f needs it. 40 bits of the fact id are kept: within a
// parcel of 12 facts two share them with a probability of 6e-11, within one of
// 256 with 3e-8; the later one would then count as a copy of the first.
type fact struct {
	id        uint64 // first 40 bits of the fact id, big endian: keeps its order
	sec       uint32 // effective time, Unix seconds
	lane      lane   // as this fact states it
	extra     uint32 // of accepted: seconds from sec to the reception; of delivered: postcodeMark; 24 bits
	place     uint16
	milestone schemas.Milestone
	flags     uint8
	num       uint8 // number that it came under: 0 is the parcel's own, else a link's place plus 1
}

const (
	factPhysical = 1 << iota
	factProgress
	factBackfill // every copy received so far was flagged as backfill
	factVoid     // withdrawn by the carrier; with no milestone it has not been received
	factLane     // encoding: states a lane
	factLaneNew  // encoding: another lane than the fact before that states one
	factPlaceNew // encoding: another place than the fact before
	factNumNew   // encoding: another number than the fact before

	factMeaning = factPhysical | factProgress | factBackfill | factVoid
)

func (f *fact) progress() bool { return f.flags&factProgress != 0 }

// seconds floors a time in Unix milliseconds to seconds. Times before 1970 or
// after 2105 become the ends of that range: 0 means not set.
func seconds(ms int64) uint32 {
	s := ms / 1000
	if ms%1000 < 0 {
		s--
	}
	return uint32(min(max(s, 1), math.MaxUint32-1))
}

// millis is the way back; 0 stays 0.
func millis(sec uint32) int64 { return int64(sec) * 1000 }

func shortID(id *schemas.ID) uint64 { return binary.BigEndian.Uint64(id[:8]) >> 24 }

func compareFacts(a, b *fact) int {
	if a.sec != b.sec {
		return cmp.Compare(a.sec, b.sec)
	}
	if a.milestone != b.milestone {
		return cmp.Compare(a.milestone, b.milestone)
	}
	return cmp.Compare(a.id, b.id)
}

// hasExtra reports whether facts of a milestone carry fact.extra.
func hasExtra(m schemas.Milestone) bool { return m == schemas.Accepted || m == schemas.Delivered }

// maxExtra is the largest value of fact.extra: a later reception counts as this
// (194 days).
const maxExtra = 1<<24 - 1

// unseen is the time of a void whose fact has not been received.
const unseen = 1

func (f *fact) void() bool { return f.flags&factVoid != 0 }

// received returns the earliest reception that is known.
func (f *fact) received() uint32 {
	if f.milestone == schemas.Accepted {
		return f.sec + f.extra
	}
	return f.sec
}

// appendFact appends the encoding of f behind that of prev (zero for the
// first): 9 bytes for a scan at the same place within four hours, 12 for a
// usual one, 20 at most.
func appendFact(b []byte, f, prev *fact, lastLane lane) []byte {
	flags := f.flags & factMeaning
	if f.lane != 0 {
		flags |= factLane
		if f.lane != lastLane {
			flags |= factLaneNew
		}
	}
	if f.place != prev.place {
		flags |= factPlaceNew
	}
	if f.num != prev.num {
		flags |= factNumNew
	}
	b = binary.AppendUvarint(b, uint64(f.sec-prev.sec))
	b = append(b, byte(f.id>>32), byte(f.id>>24), byte(f.id>>16), byte(f.id>>8), byte(f.id), byte(f.milestone), flags)
	if flags&factPlaceNew != 0 {
		b = append(b, byte(f.place), byte(f.place>>8))
	}
	if flags&factLaneNew != 0 {
		b = appendLane(b, f.lane)
	}
	if flags&factNumNew != 0 {
		b = append(b, f.num)
	}
	if hasExtra(f.milestone) {
		b = append(b, byte(f.extra), byte(f.extra>>8), byte(f.extra>>16))
	}
	return b
}

func appendFacts(b []byte, facts []fact) []byte {
	var last lane
	prev := &fact{}
	for i := range facts {
		f := &facts[i]
		b = appendFact(b, f, prev, last)
		if prev = f; f.lane != 0 {
			last = f.lane
		}
	}
	return b
}

// minFact is the shortest encoding: a delta of one byte, id, milestone, flags.
const minFact = 8

// readFacts decodes what appendFacts wrote behind dst and reports whether b was
// such an encoding.
func readFacts(b []byte, dst []fact) ([]fact, bool) {
	var f fact
	var last lane
	for len(b) >= minFact {
		delta, n := uint64(b[0]), 1
		if delta >= 0x80 {
			if delta, n = binary.Uvarint(b); n <= 0 || len(b) < n+minFact-1 {
				return dst, false
			}
		}
		if delta > uint64(math.MaxUint32-f.sec) {
			return dst, false
		}
		f.sec += uint32(delta)
		h := binary.BigEndian.Uint32(b[n:])
		f.id, f.milestone, f.flags = uint64(h)<<8|uint64(b[n+4]), schemas.Milestone(b[n+5]), b[n+6]
		b = b[n+7:]
		if f.flags&(factPlaceNew|factLaneNew|factNumNew) != 0 || hasExtra(f.milestone) {
			var ok bool
			if b, ok = f.readRest(b, &last); !ok {
				return dst, false
			}
		}
		f.lane = 0
		if f.flags&factLane != 0 {
			f.lane = last
		}
		f.flags &= factMeaning
		dst = append(dst, f)
		f.extra = 0
	}
	return dst, len(b) == 0
}

// readRest takes what only some facts have off b. Place and number go on from
// the fact before where they are not stated, and last is the lane stated last.
func (f *fact) readRest(b []byte, last *lane) ([]byte, bool) {
	need := 0
	if f.flags&factPlaceNew != 0 {
		need += 2
	}
	if f.flags&factLaneNew != 0 {
		need += laneBytes
	}
	if f.flags&factNumNew != 0 {
		need++
	}
	if hasExtra(f.milestone) {
		need += 3
	}
	if len(b) < need {
		return b, false
	}
	if f.flags&factPlaceNew != 0 {
		f.place = binary.LittleEndian.Uint16(b)
		b = b[2:]
	}
	if f.flags&factLaneNew != 0 {
		*last = readLane(b)
		b = b[laneBytes:]
	}
	if f.flags&factNumNew != 0 {
		f.num = b[0]
		b = b[1:]
	}
	if hasExtra(f.milestone) {
		f.extra = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		b = b[3:]
	}
	return b, true
}

// validFacts reports whether facts can be those of a parcel: in order, each id
// once, every number in its range.
func validFacts(facts []fact, places, links int) bool {
	if len(facts) > MaxFacts {
		return false
	}
	for i := range facts {
		f := &facts[i]
		if int(f.place) >= places || int(f.num) > links || !f.lane.valid() || f.sec == 0 {
			return false
		}
		if i > 0 && compareFacts(&facts[i-1], f) >= 0 {
			return false
		}
		if slices.ContainsFunc(facts[:i], func(g fact) bool { return g.id == f.id }) {
			return false
		}
	}
	return true
}

// merge adds f to the facts, which stay in order, and reports whether that
// changed them.
func (m *Machine) merge(facts []fact, f *fact) ([]fact, bool) {
	for i := range facts {
		if facts[i].id != f.id {
			continue
		}
		old := facts[i]
		merged := m.mergeCopies(&old, f)
		if merged == old {
			return facts, false
		}
		return insert(slices.Delete(facts, i, i+1), &merged), true
	}
	return insert(facts, f), true
}

// mergeCopies puts two copies of one fact together, in either order of arrival.
// Those read by the highest mapping version count, and among these the earliest
// effective time and reception; the fact is live when any copy is. A void stays,
// whenever it came.
func (m *Machine) mergeCopies(old, f *fact) fact {
	void := (old.flags | f.flags) & factVoid
	if f.sec == unseen && f.void() {
		old, f = f, old
	}
	if old.sec == unseen && old.void() {
		merged := *f
		merged.flags |= void
		return merged
	}
	merged := *f
	switch has, comes := m.places.list[old.place].mapping, m.places.list[f.place].mapping; {
	case comes < has:
		merged = *old
	case comes == has:
		if old.sec < merged.sec || old.sec == merged.sec && old.num < merged.num {
			merged = *old
		}
		if merged.milestone == schemas.Accepted {
			merged.extra = min(max(min(old.received(), f.received()), merged.sec)-merged.sec, maxExtra)
		}
	}
	merged.flags = old.flags&f.flags&factBackfill | merged.flags&^factBackfill | void
	return merged
}

func insert(facts []fact, f *fact) []fact {
	at := len(facts)
	for at > 0 && compareFacts(&facts[at-1], f) > 0 {
		at--
	}
	return slices.Insert(facts, at, *f)
}

// tail is what the next fact is encoded against.
type tail struct {
	fact fact // the last one
	lane lane // that was stated last
}

// probe walks over the encoding without building the facts, for the scan that
// comes last and for the first time, as most do: it returns the tail, and
// whether id is there.
func probe(b []byte, id uint64) (t tail, found bool) {
	f := &t.fact
	for len(b) >= minFact {
		delta, n := uint32(b[0]), 1
		if delta >= 0x80 {
			long, width := binary.Uvarint(b)
			delta, n = uint32(long), width
		}
		f.sec += delta
		f.id = uint64(binary.BigEndian.Uint32(b[n:]))<<8 | uint64(b[n+4])
		if f.id == id {
			return t, true
		}
		f.milestone, f.flags = schemas.Milestone(b[n+5]), b[n+6]
		b = b[n+7:]
		if f.flags&(factPlaceNew|factLaneNew|factNumNew) != 0 || hasExtra(f.milestone) {
			b, _ = f.readRest(b, &t.lane)
		}
	}
	return t, false
}
