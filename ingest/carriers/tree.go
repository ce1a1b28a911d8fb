package carriers

import "unsafe"

// kind tells the nodes of a tree apart.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindObject
	kindArray
)

// Flags of a node.
const (
	keyInArena = 1 << iota // the key stands in tree.keys, not in tree.src
	escaped                // the value needs unescaping
)

// node is one value of a tree. Children follow their parent directly; next is
// the index of the node that follows the whole subtree.
type node struct {
	key        uint32
	start, end uint32 // value in src, without quotes; of an object or array with its brackets
	next       uint32
	mark       uint32 // of the key, to tell most keys apart at one comparison
	keyLen     uint16
	kind       kind
	flags      uint8
}

// tree is one parsed record, whatever its format: an index into its bytes,
// reused from record to record. XML elements are objects whose attributes are
// members named "@name" and whose own text, beside children or attributes, is
// a member "#text"; repeated elements are repeated members. EDI
// segments and CSV rows are objects too (parseEDI, parseCSV).
type tree struct {
	src   []byte
	nodes []node
	keys  []byte // keys that had to be unescaped
	xml   bool

	format  string // one of formats
	release byte   // what makes the next character plain; of a CSV, the quote
	columns []column

	limits Limits
	seen   keySet
	reason Reason // of a failure
	at     int    // where it failed
	detail string
}

func (t *tree) reset(src []byte, limits Limits) {
	t.src, t.nodes, t.keys, t.xml = src, t.nodes[:0], t.keys[:0], false
	t.format, t.release = "json", 0
	t.limits = limits
	t.reason, t.at, t.detail = "", 0, ""
}

// fail records the first failure and returns -1, the position of no byte.
func (t *tree) fail(reason Reason, at int, detail string) int {
	if t.reason == "" {
		t.reason, t.at, t.detail = reason, at, detail
	}
	return -1
}

// text returns bytes as a string that shares their memory.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (t *tree) key(i int) string {
	n := &t.nodes[i]
	src := t.src
	if n.flags&keyInArena != 0 {
		src = t.keys
	}
	return text(src[n.key : n.key+uint32(n.keyLen)])
}

// raw returns the bytes of a value as they stand in the record.
func (t *tree) raw(i int) string {
	n := &t.nodes[i]
	return text(t.src[n.start:n.end])
}

// empty reports whether a value says nothing: null, "", {} or [].
func (t *tree) empty(i int) bool {
	n := &t.nodes[i]
	switch n.kind {
	case kindNull:
		return true
	case kindObject, kindArray:
		return int(n.next) == i+1
	}
	return n.start == n.end
}

// keySet finds repeated keys of one object at a time.
type keySet struct {
	slots      [1024]uint32 // index of a node, valid where gens holds the current generation
	gens       [1024]uint32
	generation uint32
}

// duplicate returns a member of object i whose key stands in it twice, or -1.
// Up to 32 members a bit per key's hash rules nearly all comparisons out.
func (t *tree) duplicate(i, members int) int {
	if members > 32 {
		return t.duplicateLarge(i)
	}
	var bits uint64
	end := int(t.nodes[i].next)
	for c := i + 1; c < end; c = int(t.nodes[c].next) {
		n := &t.nodes[c]
		bit := uint64(1) << markBit(n.mark)
		if bits&bit != 0 {
			for b := i + 1; b < c; b = int(t.nodes[b].next) {
				if t.nodes[b].mark == n.mark && t.key(b) == t.key(c) {
					return c
				}
			}
		}
		bits |= bit
	}
	return -1
}

func (t *tree) duplicateLarge(i int) int {
	s := &t.seen
	s.generation++
	if s.generation == 0 {
		s.gens = [1024]uint32{}
		s.generation = 1
	}
	end := int(t.nodes[i].next)
	for c := i + 1; c < end; c = int(t.nodes[c].next) {
		k := t.key(c)
		h := fullHash(k) & 1023
		for s.gens[h] == s.generation {
			if t.key(int(s.slots[h])) == k {
				return c
			}
			h = (h + 1) & 1023
		}
		s.gens[h], s.slots[h] = s.generation, uint32(c)
	}
	return -1
}

// markOf packs the length and three characters of a key.
func markOf(key string) uint32 {
	n := len(key)
	if n == 0 {
		return 0
	}
	return uint32(n)<<24 ^ uint32(key[0])<<16 ^ uint32(key[n/2])<<8 ^ uint32(key[n-1])
}

// markBit spreads marks over the bits of a word.
func markBit(mark uint32) uint32 { return mark * 0x9e3779b1 >> 26 }

func fullHash(s string) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

// appendPlain appends what an escaped value stands for.
func (t *tree) appendPlain(dst, s []byte) []byte {
	switch t.format {
	case "json":
		return appendUnescaped(dst, s)
	case "xml":
		return appendXMLText(dst, s)
	case "csv":
		return appendUnquoted(dst, s)
	}
	return appendReleased(dst, s, t.release)
}
