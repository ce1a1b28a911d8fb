package detector

import (
	"encoding/binary"
	"slices"

	"scantrail/schemas"
)

// gone remembers which entities have left, in 10 bits each: Bloom filters, so
// that a new number is told from one that was there before without asking. One in
// a hundred new numbers is taken for an old one, which costs a look into the
// archive. What left 13 months ago is forgotten: postal numbers may be used
// again after 12.
type gone struct{ filters []filter }

const (
	goneEpoch  = 30 * day
	goneEpochs = 13
	bitsPerKey = 10
	filterKeys = 1 << 10 // of the first filter of an epoch; each further one holds twice as many
	maxKeys    = 1 << 22
	filterHash = 7
)

// filter holds keys of one epoch.
type filter struct {
	epoch uint32
	keys  uint32
	max   uint32 // keys that it holds at most
	words []uint64
}

func newFilter(epoch, keys uint32) filter {
	return filter{epoch: epoch, max: keys, words: make([]uint64, keys*bitsPerKey/64)}
}

// bit returns the i-th bit of a key among n. Keys are hashes already.
func bit(id *schemas.ID, i, n uint64) (word, mask uint64) {
	h := (binary.LittleEndian.Uint64(id[:8]) + i*(binary.LittleEndian.Uint64(id[8:])|1)) % n
	return h / 64, 1 << (h % 64)
}

func (f *filter) has(id *schemas.ID) bool {
	n := uint64(len(f.words)) * 64
	for i := range uint64(filterHash) {
		if word, mask := bit(id, i, n); f.words[word]&mask == 0 {
			return false
		}
	}
	return true
}

func (g *gone) has(id *schemas.ID) bool {
	for i := range g.filters {
		if g.filters[i].has(id) {
			return true
		}
	}
	return false
}

// add notes that an entity has left at second now.
func (g *gone) add(id *schemas.ID, now uint32) {
	epoch := now / goneEpoch
	n := len(g.filters)
	switch {
	case n == 0 || g.filters[n-1].epoch != epoch:
		g.filters = slices.DeleteFunc(g.filters, func(f filter) bool { return f.epoch+goneEpochs < epoch })
		g.filters = append(g.filters, newFilter(epoch, filterKeys))
	case g.filters[n-1].keys == g.filters[n-1].max:
		g.filters = append(g.filters, newFilter(epoch, min(2*g.filters[n-1].max, maxKeys)))
	}
	f := &g.filters[len(g.filters)-1]
	bits := uint64(len(f.words)) * 64
	for i := range uint64(filterHash) {
		word, mask := bit(id, i, bits)
		f.words[word] |= mask
	}
	f.keys++
}

func (g *gone) bytes() (n int64) {
	for i := range g.filters {
		n += int64(len(g.filters[i].words)) * 8
	}
	return n
}

// pieceWords is how much of a filter one record of a snapshot holds.
const pieceWords = 32 << 10

// write appends every filter to a snapshot: one record with its head, then its
// words in pieces.
func (g *gone) write(c *chunker) {
	le := binary.LittleEndian
	for i := range g.filters {
		f := &g.filters[i]
		b := le.AppendUint32(append(c.buf, recordFilter), f.epoch)
		b = le.AppendUint32(b, f.keys)
		c.buf = le.AppendUint32(b, f.max)
		c.end()
		for words := range slices.Chunk(f.words, pieceWords) {
			b := le.AppendUint32(append(c.buf, recordWords), uint32(len(words)))
			for _, w := range words {
				b = le.AppendUint64(b, w)
			}
			c.buf = b
			c.end()
		}
	}
}

// readFilter takes a filter's head. Its words follow, in order.
func (g *gone) readFilter(r *reader) (ok bool) {
	f := filter{epoch: r.u32(), keys: r.u32(), max: r.u32()}
	if f.max < filterKeys || f.max > maxKeys || f.max&(f.max-1) != 0 || f.keys > f.max || !g.whole() {
		return false
	}
	f.words = make([]uint64, 0, f.max*bitsPerKey/64)
	g.filters = append(g.filters, f)
	return true
}

func (g *gone) readWords(r *reader) (ok bool) {
	n := int(r.u32())
	if len(g.filters) == 0 {
		return false
	}
	f := &g.filters[len(g.filters)-1]
	b := r.long(8 * min(n, pieceWords+1))
	if n > cap(f.words)-len(f.words) || r.bad {
		return false
	}
	for ; len(b) > 0; b = b[8:] {
		f.words = append(f.words, binary.LittleEndian.Uint64(b))
	}
	return true
}

// whole reports whether all words of the last filter are there.
func (g *gone) whole() bool {
	n := len(g.filters)
	return n == 0 || len(g.filters[n-1].words) == cap(g.filters[n-1].words)
}
