package detector

import (
	"encoding/binary"
	"math/bits"

	"scantrail/schemas"
)

// table holds entity slots in the order in which they were created, and finds them
// by id: hasID compares that of a slot, and idOf makes it. Ids are hashes: their
// highest bits choose a segment of the index, each of which grows on its own, so that
// growth takes neither a long pause nor twice the memory.
type table struct {
	slabs    [][]entity
	memory   supply[entity] // of slabs
	n        uint32         // slots ever used
	free     []uint32
	segments [1 << segmentBits]segment
	expected int        // entities; what a snapshot says may be wrong
	recent   schemas.ID // that was found last: answers of carriers hold several scans of a parcel
	recentAt uint32     // its slot plus 1; 0 is none
	hasID    func(*entity, schemas.ID, []byte) bool
	idOf     func(*entity) schemas.ID
	warm     func(*entity) // asks for what idOf reads
}

// segment is open addressing over cache lines.
type segment struct {
	lines []line
	live  int
}

// line holds slots and a byte of the id of each, so that a search touches one
// line and, nearly always, only the slot that it is for. What finds its line full
// goes to the next one that is not.
type line struct {
	tags    [lineSlots]uint8 // 0 is free
	spilled uint32           // entities whose search goes on behind this line
	slots   [lineSlots]uint32
}

const (
	slabBits    = 10
	slabLen     = 1 << slabBits
	segmentBits = 7
	lineSlots   = 12

	// A segment grows when linePart of fullLine slots are taken.
	linePart, fullLine = 9, 10
)

func (t *table) at(i uint32) *entity { return &t.slabs[i>>slabBits][i&(slabLen-1)] }

// segment returns the segment of an id, the bits that choose a line in it, and the
// tag.
func (t *table) segment(id *schemas.ID) (s *segment, hash uint64, tag uint8) {
	h := binary.LittleEndian.Uint64(id[:8])
	return &t.segments[h>>(64-segmentBits)], h << segmentBits, max(uint8(h), 1)
}

// home returns the line that the search for an id begins at, nil where there is none
// yet, and the tag of the id.
func (t *table) home(id *schemas.ID) (l *line, tag uint8) {
	s, hash, tag := t.segment(id)
	if len(s.lines) == 0 {
		return nil, tag
	}
	return &s.lines[s.home(hash)], tag
}

// home returns the line that an id's search begins at.
func (s *segment) home(hash uint64) uint64 {
	at, _ := bits.Mul64(hash, uint64(len(s.lines)))
	return at
}

func (s *segment) after(at uint64) uint64 {
	if at++; at == uint64(len(s.lines)) {
		return 0
	}
	return at
}

// find returns the slot with an id, and nil where there is none. name is the packed
// number that the id is the hash of, nil where that is not known.
func (t *table) find(id *schemas.ID, name []byte) (uint32, *entity) {
	if t.recentAt != 0 && t.recent == *id {
		return t.recentAt - 1, t.at(t.recentAt - 1)
	}
	s, hash, tag := t.segment(id)
	at := s.home(hash)
	for range s.lines {
		l := &s.lines[at]
		for places := l.match(tag); places != 0; places &= places - 1 {
			i := l.slots[places.first()]
			if e := t.at(i); t.hasID(e, *id, name) {
				t.recent, t.recentAt = *id, i+1
				return i, e
			}
		}
		if l.spilled == 0 {
			break
		}
		at = s.after(at)
	}
	return 0, nil
}

// placeSet is a set of places in a line, a bit for each: at 8k+7 for place k of the
// first eight, at 8(k-8)+3 for the others.
type placeSet uint64

// first returns a place of the set, which is not empty; s&(s-1) are the others.
func (s placeSet) first() int {
	at := bits.TrailingZeros64(uint64(s))
	return at>>3 | (^at&4)<<1
}

// match returns the places that have a tag. Where it stands in the line cannot be
// foreseen, so that a loop over the places would be mispredicted by the processor
// nearly each time.
func (l *line) match(tag uint8) placeSet {
	const ones = 0x0101010101010101
	low := binary.LittleEndian.Uint64(l.tags[:8]) ^ ones*uint64(tag)
	high := uint64(binary.LittleEndian.Uint32(l.tags[8:])) ^ ones>>32*uint64(tag)
	return placeSet(zeroBytes(low) | zeroBytes(high)&(1<<32-1)>>4)
}

// zeroBytes returns the highest bit of each byte of x that is 0.
func zeroBytes(x uint64) uint64 {
	const most = 0x7f7f7f7f7f7f7f7f
	return ^(x&most + most | x | most)
}

// add takes a slot, that which was freed last or a new one, and returns it. The
// caller has made sure with find that its id is new, and fills it in so that idOf
// says the same.
func (t *table) add(id *schemas.ID) (uint32, *entity) {
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		if int(t.n) == len(t.slabs)*slabLen {
			t.slabs = append(t.slabs, t.memory.take(slabLen))
		}
		i = t.n
		t.n++
	}
	e := t.at(i)
	*e = entity{}
	s, hash, tag := t.segment(id)
	if fullLine*(s.live+1) > linePart*lineSlots*len(s.lines) {
		t.grow(s)
	}
	s.live++
	s.put(hash, tag, i)
	return i, e
}

func (s *segment) put(hash uint64, tag uint8, i uint32) {
	for at := s.home(hash); ; at = s.after(at) {
		l := &s.lines[at]
		if free := l.match(0); free != 0 {
			k := free.first()
			l.tags[k], l.slots[k] = tag, i
			return
		}
		l.spilled++
	}
}

// grow makes a segment a fifth larger, or more while fewer entities are there than
// are expected.
func (t *table) grow(s *segment) {
	old := s.lines
	n := len(old) + len(old)/5 + 1
	// 2 % more than on average, since hashes do not fill segments alike.
	if want := t.expected/len(t.segments)*fullLine*51/50/lineSlots/linePart + 2; n < want {
		n = min(want, 8*n)
	}
	s.lines = make([]line, n)
	for len(old) > 0 {
		part := old[:min(8, len(old))]
		t.warmLines(part)
		for k := range part {
			for j, tag := range part[k].tags {
				if i := part[k].slots[j]; tag != 0 {
					id := t.idOf(t.at(i))
					_, hash, _ := t.segment(&id)
					s.put(hash, tag, i)
				}
			}
		}
		old = old[len(part):]
	}
}

// warmLines asks for what the ids in some lines are made of, all of it at a time: one
// after the other, each would wait for memory twice.
func (t *table) warmLines(lines []line) {
	for _, warm := range [...]func(*entity){warmSlot, t.warm} {
		for k := range lines {
			for j, tag := range lines[k].tags {
				if tag != 0 {
					warm(t.at(lines[k].slots[j]))
				}
			}
		}
	}
}

// live is the number of entities.
func (t *table) live() uint32 { return t.n - uint32(len(t.free)) }

// remove frees slot i, whose id idOf still says.
func (t *table) remove(i uint32) {
	id := t.idOf(t.at(i))
	if t.recentAt == i+1 {
		t.recentAt = 0
	}
	s, hash, tag := t.segment(&id)
	s.live--
	t.free = append(t.free, i)
	for at := s.home(hash); ; at = s.after(at) {
		l := &s.lines[at]
		for places := l.match(tag); places != 0; places &= places - 1 {
			if k := places.first(); l.slots[k] == i {
				l.tags[k] = 0
				return
			}
		}
		l.spilled--
	}
}

func (t *table) bytes() int64 {
	n := int64(t.live()) * int64(sizeOf(entity{}))
	for i := range t.segments {
		n += int64(len(t.segments[i].lines)) * int64(sizeOf(line{}))
	}
	return n
}

// queue lists the slots whose row has not been written. A slot is in it if and
// only if its dirty flag is set, apart from those written since the last trim.
type queue struct {
	slots []uint32
	head  int
}

func (q *queue) push(i uint32) {
	if q.head > 1024 && q.head > len(q.slots)/2 {
		q.slots = q.slots[:copy(q.slots, q.slots[q.head:])]
		q.head = 0
	}
	q.slots = append(q.slots, i)
}

func (q *queue) len() int { return len(q.slots) - q.head }

// trim takes the first n off and puts those that are still dirty at the end.
func (q *queue) trim(n int, dirty func(uint32) bool) {
	for ; n > 0 && q.head < len(q.slots); n-- {
		i := q.slots[q.head]
		q.head++
		if dirty(i) {
			q.push(i)
		}
	}
}
