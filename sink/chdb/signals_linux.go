//go:build !nochdb

package chdb

import (
	"syscall"
	"unsafe"
)

// kernelSigaction is the kernel's struct sigaction on amd64 and arm64.
type kernelSigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// signals is the disposition of every signal of the process.
type signals [65]kernelSigaction

// stackTraceSignal (SIGRTMIN) is ClickHouse's own: system.stack_trace sends it to
// every thread, and without the handler that would end the process.
const stackTraceSignal = 34

// saveSignals reads all handlers, to be put back once the engine has started:
// Go's runtime turns SIGSEGV, SIGBUS and SIGFPE into panics, and a library that
// takes them away turns a recoverable nil dereference into the end of the
// process. libchdb is told to leave them alone; this makes sure of it.
func saveSignals() *signals {
	var s signals
	for n := 1; n < len(s); n++ {
		rtSigaction(n, nil, &s[n])
	}
	return &s
}

// restore puts back every handler that has changed since, and returns how many.
func (s *signals) restore() (changed int) {
	for n := 1; n < len(s); n++ {
		var now kernelSigaction
		rtSigaction(n, nil, &now)
		if n != stackTraceSignal && now != s[n] {
			rtSigaction(n, &s[n], nil)
			changed++
		}
	}
	return changed
}

func rtSigaction(n int, set, get *kernelSigaction) {
	const sigsetSize = 8
	// Signals that cannot be changed answer EINVAL and stay as they are.
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), sigsetSize, 0, 0)
}
