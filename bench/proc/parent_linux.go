package proc

import "syscall"

// DiesWithParent has the kernel end a child when this process ends, however.
func DiesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
