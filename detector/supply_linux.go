package detector

import "syscall"

// adviseHuge asks for large pages. It is advice: where there are none, or the
// system does not want to give them, everything works as well, but slower.
func adviseHuge(b []byte) {
	const page = 4096
	if n := len(b) &^ (page - 1); n > 0 {
		_ = syscall.Madvise(b[:n], syscall.MADV_HUGEPAGE)
	}
}
