package stopwatch

import (
	"runtime"
	"syscall"
)

// lend has the process own n bytes more of memory, in pages of 2 MiB, which the heap
// takes from then. A virtual machine may have to ask its host for memory that it
// never used: about 2 ns a byte where this was measured, several times as long as
// what the detector does with it, and only once in the life of a service.
func lend(n int) {
	const part, page = 64 << 20, 4096
	var lent [][]byte
	for ; n > 0; n -= part {
		b := make([]byte, part)
		_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) // advice
		for i := 0; i < len(b); i += page {
			b[i] = 1
		}
		lent = append(lent, b)
	}
	runtime.KeepAlive(lent)
	runtime.GC()
}
