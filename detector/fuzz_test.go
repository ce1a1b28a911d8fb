package detector

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"scantrail/schemas"
)

// sealed makes a chunk of any records: right version, place and checksum, so
// that the fuzzer gets past them.
func sealed(records []byte) []byte {
	b := append([]byte{snapshotVersion, 0, 0, 0, 0}, records...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// FuzzReadChunk restores any bytes. What is accepted must go on as a machine
// does: take records, give rows, write a snapshot that can be read.
func FuzzReadChunk(f *testing.F) {
	w := newWorld(rand.New(rand.NewPCG(1, 1)))
	m := NewMachine(0, 1)
	for i, r := range w.log(150, true) {
		if err := m.Apply(int64(i), &r, &Output{}); err != nil {
			f.Fatal(err)
		}
	}
	chunk := snapshotOf(f, m, 1<<20)[0]
	f.Add(chunk[chunkHead : len(chunk)-chunkTail])
	f.Add([]byte{recordHeader})
	f.Fuzz(func(t *testing.T, records []byte) {
		m := NewMachine(0, 1)
		if err := m.ReadChunk(records); err == nil {
			t.Log("a chunk without a checksum was accepted")
		}
		m = NewMachine(0, 1)
		if m.ReadChunk(sealed(records)) != nil || m.FinishRestore() != nil {
			return
		}
		carryOn(t, m)
	})
}

func carryOn(t *testing.T, m *Machine) {
	w := newWorld(rand.New(rand.NewPCG(2, 2)))
	for i := range m.entities.n { // meet the parcels that were restored
		p := m.entities.at(i)
		if p.flags&(entityFree|entityOrder|entityKeyed) == 0 && i < 4 {
			n := string(m.numberOf(p))
			w.numbers = append(w.numbers, n)
		}
	}
	w.clock = m.Clock()
	for _, r := range w.log(60, true) {
		if m.Offset() >= 1<<60 || m.Apply(m.Offset()+1, &r, &Output{}) != nil {
			return
		}
	}
	m.MarkParcelsWritten(m.DirtyParcels(1000, nil))
	m.MarkOrdersWritten(m.DirtyOrders(1000, nil))
	restored(t, 0, 1, snapshotOf(t, m, 1000))
}

// FuzzApply feeds any records, each decoded from the fuzzer's bytes as the log
// would hold them.
func FuzzApply(f *testing.F) {
	w := newWorld(rand.New(rand.NewPCG(3, 3)))
	var enc schemas.Encoder
	var seed []byte
	for _, r := range w.log(60, true) {
		value := enc.Append(nil, &r)
		seed = append(binary.LittleEndian.AppendUint16(seed, uint16(len(value))), value...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, log []byte) {
		m := NewMachine(0, 1)
		var r schemas.Record
		var out Output
		for offset := int64(0); len(log) > 2; offset++ {
			n := min(int(binary.LittleEndian.Uint16(log)), len(log)-2)
			value := log[2 : 2+n]
			log = log[2+n:]
			if r.Decode(value) != nil {
				continue
			}
			if m.Apply(offset, &r, &out) != nil {
				return
			}
		}
		m.DirtyParcels(1000, nil)
		m.DirtyOrders(1000, nil)
		restored(t, 0, 1, snapshotOf(t, m, 1000))
	})
}

// TestDamagedSnapshot: any chunk missing, repeated, out of order or with a
// changed byte is an error, as is one of another partition or a later
// generation.
func TestDamagedSnapshot(t *testing.T) {
	m := NewMachine(4, 2)
	w := newWorld(rand.New(rand.NewPCG(5, 5)))
	for i, r := range w.log(150, true) {
		if err := m.Apply(int64(i), &r, &Output{}); err != nil {
			t.Fatal(err)
		}
	}
	chunks := snapshotOf(t, m, 500)
	read := func(partition int32, generation uint16, chunks ...[]byte) error {
		m := NewMachine(partition, generation)
		for _, c := range chunks {
			if err := m.ReadChunk(c); err != nil {
				return err
			}
		}
		return m.FinishRestore()
	}
	if err := read(4, 2, chunks...); err != nil || len(chunks) < 5 {
		t.Fatal(len(chunks), err)
	}
	swapped := append([][]byte{chunks[1], chunks[0]}, chunks[2:]...)
	for name, err := range map[string]error{
		"nothing":     read(4, 2),
		"no end":      read(4, 2, chunks[:len(chunks)-1]...),
		"no start":    read(4, 2, chunks[1:]...),
		"twice":       read(4, 2, append(chunks[:len(chunks):len(chunks)], chunks[len(chunks)-1])...),
		"swapped":     read(4, 2, swapped...),
		"partition":   read(5, 2, chunks...),
		"empty chunk": read(4, 2, nil),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for i, c := range chunks[2] {
		chunks[2][i] ^= 1
		if read(4, 2, chunks...) == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
		chunks[2][i] = c
	}
	if err := m.ReadChunk(chunks[0]); err == nil {
		t.Error("a machine at work took a snapshot")
	}
}
