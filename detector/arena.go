package detector

import "encoding/binary"

// An arena hands out blocks of bytes in size classes. Blocks of one class share
// pages; a page whose blocks are all free goes back to a common pool, from
// which any class may take it, so that parcels that grow in step do not leave
// their outgrown blocks behind. Nothing in a page is a pointer: the garbage
// collector sees one pointer per 64 KiB.
type arena struct {
	memory  [][]byte // of each page: a pointer to an array would cost a read, to see that it is not nil
	pages   []page
	fresh   supply[byte]           // memory of new pages
	partial [len(classSize)]uint32 // first page with a free block, plus 1
	empty   uint32                 // first page of the pool, plus 1
	inUse   int64                  // bytes of blocks in use
}

// page describes one page. Lists are chained by page number plus 1.
type page struct {
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

// Block sizes are fineStep apart where parcels live, then 16, then about a quarter,
// each near a whole fraction of a page.
const (
	minBlock = 32
	maxFine  = 320
	fineStep = 4
	fine     = (maxFine-minBlock)/fineStep + 1 // classes up to maxFine
	maxEven  = 512
	even     = (maxEven - maxFine) / 16
)

var largeSizes = [...]int{
	576, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 4096, 5120,
	6528, 8192, 10912, 13104, 16384, 21840, 32768, 65536,
}

// classSize lists the block sizes.
var classSize = func() (t [fine + even + len(largeSizes)]int) {
	for c := range fine {
		t[c] = minBlock + c*fineStep
	}
	for c := range even {
		t[fine+c] = maxFine + (c+1)*16
	}
	copy(t[fine+even:], largeSizes[:])
	return t
}()

func classOf(size int) uint8 {
	switch {
	case size <= minBlock:
		return 0
	case size <= maxFine:
		return uint8((size - minBlock + fineStep - 1) / fineStep)
	case size <= maxEven:
		return uint8((size-maxFine+15)/16 + fine - 1)
	}
	c := fine + even
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
	p := &a.pages[page-1]
	var block uint16
	if p.free != 0 {
		block = p.free - 1
		p.free = binary.LittleEndian.Uint16(a.memory[page-1][int(block)*classSize[c]:])
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
	size := classSize[a.pages[ref>>blockBits-1].class]
	at := int(ref&(1<<blockBits-1)) * size
	return a.memory[ref>>blockBits-1][at : at+size : at+size]
}

// held returns what was put into a block, size bytes. Their number tells the class
// of the block, so that this waits for nothing that describes the page.
func (a *arena) held(ref uint32, size int) []byte {
	block := max(minBlock, (size+fineStep-1)&^(fineStep-1))
	if size > maxFine {
		block = classSize[classOf(size)]
	}
	at := int(ref&(1<<blockBits-1)) * block
	return a.memory[ref>>blockBits-1][at : at+size : at+size]
}

func (a *arena) release(ref uint32) {
	page := ref >> blockBits
	p := &a.pages[page-1]
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
	at := a.empty
	if at != 0 {
		a.empty = a.pages[at-1].next
	} else {
		a.memory = append(a.memory, a.fresh.take(pageBytes))
		a.pages = append(a.pages, page{})
		at = uint32(len(a.pages))
	}
	a.pages[at-1] = page{class: c}
	a.list(at)
	return at
}

func (a *arena) list(page uint32) {
	p := &a.pages[page-1]
	head := a.partial[p.class]
	p.next, p.prev, p.listed = head, 0, true
	if head != 0 {
		a.pages[head-1].prev = page
	}
	a.partial[p.class] = page
}

func (a *arena) unlist(page uint32) {
	p := &a.pages[page-1]
	if !p.listed {
		return
	}
	if p.prev != 0 {
		a.pages[p.prev-1].next = p.next
	} else {
		a.partial[p.class] = p.next
	}
	if p.next != 0 {
		a.pages[p.next-1].prev = p.prev
	}
	p.next, p.prev, p.listed = 0, 0, false
}

// put stores b and returns the reference of its block, which is ref where its
// class fits. b must not alias that block.
func (a *arena) put(ref uint32, b []byte) uint32 {
	if ref == 0 || a.pages[ref>>blockBits-1].class != classOf(len(b)) {
		if ref != 0 {
			a.release(ref)
		}
		ref = a.alloc(len(b))
	}
	copy(a.block(ref), b)
	return ref
}

// extend appends more to the first used bytes of a block and returns the
// reference of the block that they are in then.
func (a *arena) extend(ref uint32, used int, more []byte) uint32 {
	b := a.block(ref)
	if used+len(more) <= len(b) {
		copy(b[used:], more)
		return ref
	}
	next := a.alloc(used + len(more))
	to := a.block(next)
	copy(to[copy(to, b[:used]):], more)
	a.release(ref)
	return next
}
