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
	n     uint32 // slots ever used
	free  []uint32
	tags  []uint8
	slots []uint32 // slot plus 1; 0 is free
	dead  uint32   // places in slots whose entity was removed
}

// removed stands in slots where an entity was: a search goes on behind it.
const removed = 1<<32 - 1

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
		if t.tags[at] != tag || t.slots[at] == removed {
			continue
		}
		i := t.slots[at] - 1
		if s := t.at(i); *P(s).key() == *id {
			return i, s
		}
	}
	return 0, nil
}

// add takes a slot, that which was freed last or a new one, and returns it; the
// caller has made sure with find that its key is new, and sets it.
func (t *table[T, P]) add(id *schemas.ID) (uint32, *T) {
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		if int(t.n) == len(t.slabs)*slabLen {
			t.slabs = append(t.slabs, make([]T, slabLen))
		}
		i = t.n
		t.n++
	}
	s := t.at(i)
	*s = *new(T)
	*P(s).key() = *id
	if (int(t.live())+int(t.dead))*5 >= len(t.slots)*4 {
		t.reindex(i)
	}
	t.index(id, i)
	return i, s
}

// live is the number of entities, one that is being added included.
func (t *table[T, P]) live() uint32 { return t.n - uint32(len(t.free)) }

// remove frees slot i, whose key is still in it.
func (t *table[T, P]) remove(i uint32) {
	at, _ := spread(P(t.at(i)).key())
	mask := uint64(len(t.slots) - 1)
	for at &= mask; t.slots[at] != i+1; at = (at + 1) & mask {
	}
	t.slots[at] = removed
	t.dead++
	t.free = append(t.free, i)
}

func (t *table[T, P]) index(id *schemas.ID, i uint32) {
	at, tag := spread(id)
	mask := uint64(len(t.slots) - 1)
	for at &= mask; t.slots[at] != 0; at = (at + 1) & mask {
	}
	t.slots[at], t.tags[at] = i+1, tag
}

// reindex makes the index anew, of the size that the entities need. Slot but is
// left out.
func (t *table[T, P]) reindex(but uint32) {
	size := max(len(t.slots), minIndex)
	for int(t.live())*5 >= size*3 {
		size *= 2
	}
	t.slots, t.tags, t.dead = make([]uint32, size), make([]uint8, size), 0
	skip := make([]bool, 0)
	if len(t.free) > 0 {
		skip = make([]bool, t.n)
		for _, i := range t.free {
			skip[i] = true
		}
	}
	for i := range t.n {
		if i != but && (len(skip) == 0 || !skip[i]) {
			t.index(P(t.at(i)).key(), i)
		}
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
