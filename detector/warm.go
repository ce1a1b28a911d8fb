package detector

import (
	"unsafe"

	"scantrail/schemas"
)

// WarmBatch is how many records ahead it pays to call Warm.
const WarmBatch = 64

// Warm asks for the memory that the next records will need, those of entities by
// these ids, and changes nothing. One after the other, each record waits for memory
// twice, for the index and for the slot, and where its parcel was not judged yet for
// the blob too. Asked for together, they wait once.
func (m *Machine) Warm(ids []schemas.ID) {
	ids = ids[:min(len(ids), WarmBatch)]
	w, n := &m.warm, 0
	for i := range ids {
		if i > 0 && ids[i] == ids[i-1] { // answers of carriers hold several scans of a parcel
			continue
		}
		if l, tag := m.entities.home(&ids[i]); l != nil {
			prefetch(unsafe.Pointer(l))
			w.lines[n], w.tags[n] = l, tag
			n++
		}
	}
	found := 0
	for i, l := range w.lines[:n] {
		// The first entity whose tag is that of the id: nearly always its own.
		if places := l.match(w.tags[i]); places != 0 {
			w.found[found] = m.entities.at(l.slots[places.first()])
			warmSlot(w.found[found])
			found++
		}
	}
	for _, e := range w.found[:found] {
		if e.is(entityRow) { // its scans wait for the tick, which warms the rest
			m.warmName(e)
		} else {
			m.warmBlob(e)
		}
	}
}

// warmed is the scratch of Warm.
type warmed struct {
	lines [WarmBatch]*line
	tags  [WarmBatch]uint8
	found [WarmBatch]*entity
}

const cacheLine = 64

// warmSlot asks for e, which may lie in two lines.
func warmSlot(e *entity) {
	prefetch(unsafe.Pointer(e))
	prefetch(unsafe.Pointer(&e.stages))
}

// warmBlob asks for the blob of e.
func (m *Machine) warmBlob(e *entity) {
	if e.blob == 0 {
		return
	}
	b := m.blob(e)
	for k := 0; k < len(b); k += cacheLine {
		prefetch(unsafe.Pointer(&b[k]))
	}
	prefetch(unsafe.Pointer(&b[len(b)-1])) // blocks begin anywhere in a line
}

// warmName asks for the beginning of e's name.
func (m *Machine) warmName(e *entity) { prefetch(unsafe.Pointer(&m.blob(e)[0])) }
