package importer

import (
	"encoding/binary"

	"scantrail/schemas"
)

// maxSeen bounds how many records a file's duplicates are told from: 128 MiB.
const maxSeen = 6 << 20

// seen is a set of record ids: a table with open addressing, at most three
// quarters full. Ids are hashes, so their own bytes spread them.
type seen struct {
	slots []schemas.ID
	n     int
	full  bool // later records are not looked for any more
}

// add reports whether id was there already. Once the set is full, only what was
// there before is found.
func (s *seen) add(id schemas.ID) bool {
	if s.n*4 >= len(s.slots)*3 && !s.full {
		s.grow()
	}
	slot := s.find(id)
	if *slot == id {
		return true
	}
	if !s.full {
		*slot = id
		s.n++
		s.full = s.n >= maxSeen
	}
	return false
}

func (s *seen) find(id schemas.ID) *schemas.ID {
	mask := uint64(len(s.slots) - 1)
	for i := binary.LittleEndian.Uint64(id[:8]) & mask; ; i = (i + 1) & mask {
		if slot := &s.slots[i]; *slot == id || *slot == (schemas.ID{}) {
			return slot
		}
	}
}

func (s *seen) grow() {
	old := s.slots
	s.slots = make([]schemas.ID, max(1<<12, 2*len(old)))
	for _, id := range old {
		if id != (schemas.ID{}) {
			*s.find(id) = id
		}
	}
}
