//go:build !nochdb

package chdb

import "syscall"

// threadID is the kernel's number of the calling thread, as in
// system.processes.thread_ids.
func threadID() int { return syscall.Gettid() }
