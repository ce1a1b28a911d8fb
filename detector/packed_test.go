package detector

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"scantrail/schemas"
)

// TestPackedSizes holds what the numbers of usual shapes take.
func TestPackedSizes(t *testing.T) {
	for number, size := range map[string]int{
		"":                                     1,
		"LX000000014CN":                        1 + 6,
		"LX000000015CN":                        1 + 9, // its check digit is wrong
		"YT2412345678901234":                   1 + 2 + 7,
		"9400111899223197428490":               1 + 10,
		"1Z999AA10123456784":                   1 + 12,
		"JD014600003456789012":                 1 + 2 + 8,
		"order:x":                              1 + 7,
		"AB":                                   1 + 2,
		strings.Repeat("Z", schemas.MaxNumber): 1 + 27,
		strings.Repeat("9", schemas.MaxNumber): 1 + 17,
		strings.Repeat("\xff", schemas.MaxNumber):       1 + 40,
		"LX00000001\xb15CN":                             1 + 14,
		"AA" + strings.Repeat("1", schemas.MaxNumber-2): 1 + 2 + 16,
	} {
		if got := len(appendPacked(nil, []byte(number))); got != size {
			t.Errorf("%q: %d bytes, want %d", number, got, size)
		}
	}
}

// FuzzPacked packs any number and spells any bytes: each number has one encoding,
// and what is none is told by its length or by packing again.
func FuzzPacked(f *testing.F) {
	for _, s := range []string{"LX000000015CN", "YT2412345678901234", "9400111899223197428490", "1Z999AA10123456784", "x", "", "\x3f123456"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		number := b[:min(len(b), schemas.MaxNumber)]
		packed := appendPacked([]byte("head"), number)[4:]
		if n := packedLen(append(packed, "behind"...)); n != len(packed) || n > len(number)+1 {
			t.Fatalf("%q: %d bytes, says %d", number, len(packed), n)
		}
		if got := appendSpelt([]byte("head"), packed)[4:]; !bytes.Equal(got, number) {
			t.Fatalf("%q: spelt %q", number, got)
		}
		if parcelID(packed) != schemas.Hash(number) {
			t.Fatalf("%q: another id", number)
		}
		if n := packedLen(b); len(b) > 0 && n <= len(b) {
			appendSpelt(nil, b[:n]) // must not panic
		}
	})
}

// TestHomeCells: rows of parcels that came one after the other are spread over the
// whole of a table, however large it is.
func TestHomeCells(t *testing.T) {
	for bits := 10; bits <= 30; bits += 5 {
		const n = 1 << 10
		mask, parts := uint32(1)<<bits-1, [64]int{}
		for slot := range uint32(n) {
			parts[homeCell(slot, mask)>>(bits-6)]++
		}
		for i, got := range parts {
			if got < n/64/2 || got > n/64*2 {
				t.Errorf("%d bits: %d of %d in part %d of 64", bits, got, n, i)
			}
		}
	}
}

// TestUnwritten compares the table of rows that are not written with a map.
func TestUnwritten(t *testing.T) {
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		var u unwritten
		want := map[uint32]rowState{}
		slots := uint32(1 + rng.IntN(3000))
		for i := range 6000 {
			slot := rng.Uint32N(slots)
			if _, ok := want[slot]; ok && rng.IntN(8) < 4+i/2000 {
				u.drop(slot)
				delete(want, slot)
			} else {
				want[slot] = rowState{rng.Uint64(), rng.Uint32()}
				u.set(slot, want[slot])
			}
			at := rng.Uint32N(slots)
			if u.get(at) != want[at] || u.n != len(want) {
				t.Fatalf("step %d: have %v of %d, want %v of %d", i, u.get(at), u.n, want[at], len(want))
			}
		}
		for slot := range want {
			u.drop(slot)
		}
		for range 2 * len(u.cells) {
			u.set(7, rowState{})
			u.drop(7)
		}
		if len(u.cells) != minCells {
			t.Fatalf("%d cells long after all rows were written, want %d", len(u.cells), minCells)
		}
	})
}

// TestFindByName: the number of a scan finds its parcel only where the id is its hash,
// and is kept whole.
func TestFindByName(t *testing.T) {
	m := ready(t)
	number, long := "LX000000014CN", strings.Repeat("A", schemas.MaxNumber)
	scans := []schemas.Record{scanOf(number, 0, 0, 20), scanOf(number, 0, 0, 20), scanOf(long, 0, 0, 20), scanOf(long+"B", 0, 0, 20)}
	scans[1].Event.ParcelID[15]++ // the index goes by what comes before
	for n := range 3 {
		for i := range scans {
			e := &scans[i].Event
			e.FactID, e.OccurredAt = schemas.Hash([]byte{byte(n)}), testBase+int64(n)*1000
			apply(t, m, scans[i])
		}
		apply(t, m, tickAt(m.Clock()+1000))
	}
	if m.entities.live() != uint32(len(scans)) {
		t.Errorf("%d entities, want %d", m.entities.live(), len(scans))
	}
	for i := range scans {
		_, e := m.entities.find(&scans[i].Event.ParcelID, nil)
		if e == nil || len(m.factsOf(e)) != 3 || m.idOf(e) != scans[i].Event.ParcelID {
			t.Errorf("parcel %d: %+v", i, e)
		}
	}
}
