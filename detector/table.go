package detector

import (
	"encoding/binary"

	"scantrail/schemas"
)

// keyed is a pointer-free entity slot that knows its key.
type keyed[T any] interface {
	*T
	key() *schemas.ID
}

// table holds entity slots in the order in which they were created, and finds
// them by key: open addressing over slot numbers with a byte of the key beside
// each, so that a probe rarely touches a slot that is not the one. Keys are
// hashes already.
type table[T any, P keyed[T]] struct {
	slabs [][]T
	n     uint32
	tags  []uint8
	slots []uint32 // slot plus 1; 0 is free
}

const (
	slabBits = 10
	slabLen  = 1 << slabBits
	minIndex = 1 << 8
)

func (t *table[T, P]) at(i uint32) *T { return &t.slabs[i>>slabBits][i&(slabLen-1)] }

func spread(id *schemas.ID) (at uint64, tag uint8) {
	h := binary.LittleEndian.Uint64(id[:8])
	return h, uint8(h>>56) | 1
}

func (t *table[T, P]) find(id *schemas.ID) (uint32, *T) {
	if t.n == 0 {
		return 0, nil
	}
	at, tag := spread(id)
	mask := uint64(len(t.slots) - 1)
	for at &= mask; t.slots[at] != 0; at = (at + 1) & mask {
		if t.tags[at] != tag {
			continue
		}
		i := t.slots[at] - 1
		if s := t.at(i); *P(s).key() == *id {
			return i, s
		}
	}
	return 0, nil
}

// add appends a slot and returns it; the caller has made sure with find that
// its key is new, and sets it.
func (t *table[T, P]) add(id *schemas.ID) (uint32, *T) {
	if int(t.n) == len(t.slabs)*slabLen {
		t.slabs = append(t.slabs, make([]T, slabLen))
	}
	if int(t.n)*5 >= len(t.slots)*4 {
		t.grow()
	}
	i := t.n
	t.n++
	t.index(id, i)
	s := t.at(i)
	*P(s).key() = *id
	return i, s
}

func (t *table[T, P]) index(id *schemas.ID, i uint32) {
	at, tag := spread(id)
	mask := uint64(len(t.slots) - 1)
	for at &= mask; t.slots[at] != 0; at = (at + 1) & mask {
	}
	t.slots[at], t.tags[at] = i+1, tag
}

func (t *table[T, P]) grow() {
	size := max(2*len(t.slots), minIndex)
	t.slots, t.tags = make([]uint32, size), make([]uint8, size)
	for i := range t.n {
		t.index(P(t.at(i)).key(), i)
	}
}

func (t *table[T, P]) bytes() int64 {
	var zero T
	return int64(len(t.slabs))*slabLen*int64(sizeOf(zero)) + int64(len(t.slots))*5
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
