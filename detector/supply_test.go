package detector

import "testing"

// TestSupply hands out zeroes that nobody else has, small and large parts alike.
func TestSupply(t *testing.T) {
	var s supply[uint32]
	const n = 100_000 // no fraction of a part
	var pieces [][]uint32
	for s.bytes < hugeFrom+2*partSize {
		p := s.take(n)
		if len(p) != n || cap(p) != n {
			t.Fatalf("%d of %d values, want %d", len(p), cap(p), n)
		}
		for i := range p {
			if p[i] != 0 {
				t.Fatal("a value that is in use")
			}
			p[i] = uint32(len(pieces) + 1)
		}
		pieces = append(pieces, p)
	}
	for k, p := range pieces {
		if p[0] != uint32(k+1) || p[n-1] != uint32(k+1) {
			t.Fatalf("piece %d was overwritten", k)
		}
	}
}
