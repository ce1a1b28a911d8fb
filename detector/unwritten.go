package detector

// rowState is what makes one state of a row the same whenever it is written.
type rowState struct {
	version uint64 // without the ordinal, which is 0
	updated uint32 // clock at version
}

// unwritten holds the states of the rows that are not known to be written, by
// slot: all others need none. It is a hash table with open addressing.
type unwritten struct {
	cells []rowCell // a power of two of them
	n     int
	quiet int // dropped since the cells were in use last, as far as they ever are
}

type rowCell struct {
	version uint64
	updated uint32
	slot    uint32 // plus 1; 0 is free
}

const minCells = 1 << 6

// at returns the place of slot, or else the free one where it belongs.
func (u *unwritten) at(slot uint32) int {
	mask := uint32(len(u.cells) - 1)
	i := homeCell(slot, mask)
	for u.cells[i].slot != 0 && u.cells[i].slot != slot+1 {
		i = (i + 1) & mask
	}
	return int(i)
}

// homeCell is where the search for a slot begins. All bits of a mask must be reached:
// while ClickHouse is away, every parcel may wait.
func homeCell(slot, mask uint32) uint32 {
	return uint32(uint64(slot+1)*0x9e3779b97f4a7c15>>32) & mask
}

// get returns the state of a slot that is dirty.
func (u *unwritten) get(slot uint32) rowState {
	if len(u.cells) == 0 {
		return rowState{}
	}
	c := &u.cells[u.at(slot)]
	return rowState{c.version, c.updated}
}

func (u *unwritten) set(slot uint32, s rowState) {
	if 4*(u.n+1) > 3*len(u.cells) {
		u.resize(max(minCells, 2*len(u.cells)))
	}
	c := &u.cells[u.at(slot)]
	if c.slot == 0 {
		u.n++
		if !u.sparse() {
			u.quiet = 0
		}
	}
	*c = rowCell{s.version, s.updated, slot + 1}
}

func (u *unwritten) drop(slot uint32) {
	if len(u.cells) == 0 {
		return
	}
	i := u.at(slot)
	if u.cells[i].slot == 0 {
		return
	}
	u.n--
	mask := len(u.cells) - 1
	u.cells[i] = rowCell{}
	for i = (i + 1) & mask; u.cells[i].slot != 0; i = (i + 1) & mask { // what stands behind may be found no more
		c := u.cells[i]
		u.cells[i] = rowCell{}
		u.cells[u.at(c.slot-1)] = c
	}
	// Rows come and go between two ticks: not every time is a table made for it.
	if u.sparse() {
		if u.quiet++; u.quiet > len(u.cells) {
			u.resize(max(minCells, len(u.cells)/4))
		}
	}
}

// sparse reports whether a quarter of the cells would do, with room to spare.
func (u *unwritten) sparse() bool { return len(u.cells) > minCells && 16*u.n < len(u.cells) }

func (u *unwritten) resize(n int) {
	old := u.cells
	u.cells, u.quiet = make([]rowCell, n), 0
	for _, c := range old {
		if c.slot != 0 {
			u.cells[u.at(c.slot-1)] = c
		}
	}
}

func (u *unwritten) bytes() int64 { return int64(len(u.cells)) * int64(sizeOf(rowCell{})) }
