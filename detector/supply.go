package detector

import "unsafe"

// supply hands out memory for values without pointers, piece by piece, which stays
// in use as long as what it is handed to. What is looked up in it lies anywhere, so
// that with pages of 4 KiB nearly every look waits for the address of its page too,
// on a virtual machine several times as long as for the memory itself. So once there
// is much of it, it comes in large parts for which the kernel is asked for pages of
// 2 MiB.
type supply[T any] struct {
	rest  []T
	bytes int // handed out
}

const (
	// hugeFrom is how much is handed out in small pieces first: the last part is
	// in use by half on average, which must not count.
	hugeFrom = 32 << 20
	partSize = 4 << 20
)

// take returns n zero values.
func (s *supply[T]) take(n int) []T {
	var v T
	size := n * int(unsafe.Sizeof(v))
	s.bytes += size
	if s.bytes <= hugeFrom {
		return make([]T, n)
	}
	if len(s.rest) < n {
		s.rest = make([]T, n*(partSize/size))
		adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(&s.rest[0])), len(s.rest)*int(unsafe.Sizeof(v))))
	}
	piece := s.rest[:n:n]
	s.rest = s.rest[n:]
	return piece
}
