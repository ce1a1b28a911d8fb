package detector

import "encoding/binary"

// An arena hands out blocks of bytes in size classes. Blocks of one class share
// pages; a page whose blocks are all free goes back to a common pool, from
// which any class may take it, so that parcels that grow in step do not leave
// their outgrown blocks behind. Nothing in a page is a pointer: the garbage
// collector sees one slice header per 64 KiB.
type arena struct {
	pages   [][]byte
	meta    []pageMeta
	partial [len(classSize)]uint32 // first page with a free block, plus 1
	empty   uint32                 // first page of the pool, plus 1
	inUse   int64                  // bytes of blocks in use
}

// pageMeta describes one page. Lists are chained by page number plus 1.
type pageMeta struct {
	next, prev uint32
	used       uint16 // blocks in use
	bump       uint16 // blocks ever handed out
	free       uint16 // first freed block, plus 1
	class      uint8
	listed     bool // in the partial list of its class
}

const (
	pageBytes = 1 << 16
	blockBits = 11 // a page of the smallest class holds 2048 blocks

	// maxBlob bounds what one entity may hold.
	maxBlob = 60_000
)

// classSize lists the block sizes: narrow steps where parcels live, then about
// a quarter apart, each near a whole fraction of a page.
var classSize = [...]int{
	32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256,
	288, 320, 352, 384, 416, 448, 480, 512,
	576, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 5120,
	6528, 8192, 10912, 13104, 16384, 21840, 32768, 65536,
}

func classOf(size int) uint8 {
	switch {
	case size <= 32:
		return 0
	case size <= 256:
		return uint8((size+15)/16 - 2)
	case size <= 512:
		return uint8((size+31)/32 + 6)
	}
	c := 23
	for classSize[c] < size {
		c++
	}
	return uint8(c)
}

// alloc returns a reference to a block of at least size bytes (at most
// maxBlob). No reference is 0.
func (a *arena) alloc(size int) uint32 {
	c := classOf(size)
	page := a.partial[c]
	if page == 0 {
		page = a.newPage(c)
	}
	p := &a.meta[page-1]
	var block uint16
	if p.free != 0 {
		block = p.free - 1
		p.free = binary.LittleEndian.Uint16(a.pages[page-1][int(block)*classSize[c]:])
	} else {
		block = p.bump
		p.bump++
	}
	p.used++
	a.inUse += int64(classSize[c])
	if p.free == 0 && (int(p.bump)+1)*classSize[c] > pageBytes {
		a.unlist(page)
	}
	return page<<blockBits | uint32(block)
}

// block returns the whole block.
func (a *arena) block(ref uint32) []byte {
	page, size := ref>>blockBits-1, classSize[a.meta[ref>>blockBits-1].class]
	at := int(ref&(1<<blockBits-1)) * size
	return a.pages[page][at : at+size : at+size]
}

func (a *arena) release(ref uint32) {
	page := ref >> blockBits
	p := &a.meta[page-1]
	p.used--
	a.inUse -= int64(classSize[p.class])
	if p.used == 0 {
		a.unlist(page)
		p.next, a.empty = a.empty, page
		return
	}
	binary.LittleEndian.PutUint16(a.block(ref), p.free)
	p.free = uint16(ref&(1<<blockBits-1)) + 1
	if !p.listed {
		a.list(page)
	}
}

func (a *arena) newPage(c uint8) uint32 {
	page := a.empty
	if page != 0 {
		a.empty = a.meta[page-1].next
	} else {
		a.pages = append(a.pages, make([]byte, pageBytes))
		a.meta = append(a.meta, pageMeta{})
		page = uint32(len(a.pages))
	}
	a.meta[page-1] = pageMeta{class: c}
	a.list(page)
	return page
}

func (a *arena) list(page uint32) {
	p := &a.meta[page-1]
	head := a.partial[p.class]
	p.next, p.prev, p.listed = head, 0, true
	if head != 0 {
		a.meta[head-1].prev = page
	}
	a.partial[p.class] = page
}

func (a *arena) unlist(page uint32) {
	p := &a.meta[page-1]
	if !p.listed {
		return
	}
	if p.prev != 0 {
		a.meta[p.prev-1].next = p.next
	} else {
		a.partial[p.class] = p.next
	}
	if p.next != 0 {
		a.meta[p.next-1].prev = p.prev
	}
	p.next, p.prev, p.listed = 0, 0, false
}

// put stores the parts one after the other and returns the reference of their
// block, which is ref where its class fits them. The parts must not alias the
// block.
func (a *arena) put(ref uint32, parts ...[]byte) uint32 {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if ref == 0 || a.meta[ref>>blockBits-1].class != classOf(size) {
		if ref != 0 {
			a.release(ref)
		}
		ref = a.alloc(size)
	}
	b := a.block(ref)
	for _, p := range parts {
		b = b[copy(b, p):]
	}
	return ref
}
