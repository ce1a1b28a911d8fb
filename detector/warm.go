package detector

import "scantrail/schemas"

// WarmBatch is how many records ahead it pays to call Warm.
const WarmBatch = 64

// Warm reads what the next records will need, those of entities by these ids, and
// changes nothing. One after the other, each record waits for memory twice, for the
// index and for the slot, and where its parcel was not judged yet for the blob too.
// Asked for together, they wait once.
func (m *Machine) Warm(ids []schemas.ID) {
	ids = ids[:min(len(ids), WarmBatch)]
	sum := uint32(0)
	for i := range ids {
		sum += m.entities.warmIndex(&ids[i])
	}
	w := &m.warm
	w.n = 0
	for i := range ids {
		e := m.entities.guess(&ids[i])
		if e == nil {
			continue
		}
		sum += e.blob
		w.found[w.n] = e
		w.n++
	}
	for _, e := range w.found[:w.n] {
		if e.is(entityRow) { // its scans wait for the tick, which warms the rest
			sum += m.warmName(e)
		} else {
			sum += m.warmBlob(e)
		}
	}
	w.sum = sum
}

// warmed is the scratch of Warm. The sum is what keeps its reads from being
// left out.
type warmed struct {
	found [WarmBatch]*entity
	n     int
	sum   uint32
}

const cacheLine = 64

func (m *Machine) warmBlob(e *entity) (sum uint32) {
	if e.blob == 0 {
		return 0
	}
	b := m.blob(e)
	for k := 0; k < len(b); k += cacheLine {
		sum += uint32(b[k])
	}
	return sum + uint32(b[len(b)-1]) // blocks begin anywhere in a line
}

// warmName reads where the name of e begins.
func (m *Machine) warmName(e *entity) uint32 { return uint32(m.blob(e)[0]) }

func (t *table) warmIndex(id *schemas.ID) uint32 {
	s, hash, _ := t.segment(id)
	if len(s.lines) == 0 {
		return 0
	}
	return s.lines[s.home(hash)].spilled
}

// guess returns the first entity whose tag is that of id: nearly always its own.
func (t *table) guess(id *schemas.ID) *entity {
	s, hash, tag := t.segment(id)
	if len(s.lines) == 0 {
		return nil
	}
	l := &s.lines[s.home(hash)]
	if places := l.match(tag); places != 0 {
		return t.at(l.slots[places.first()])
	}
	return nil
}
