package detector

import (
	"syscall"
	"unsafe"
)

// adviseHuge asks for large pages for b and, since they lie at whole multiples of
// their size, for what shares the first and the last of them with b. It is advice:
// where there are none, or the system does not want to give them, everything works
// as well, but slower.
func adviseHuge(b []byte) {
	const huge = 2 << 20
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	from, to := at&^(huge-1), (at+uintptr(len(b))+huge-1)&^(huge-1)
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_HUGEPAGE)
}
