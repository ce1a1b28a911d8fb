package kafka

import "syscall"

// diesWithParent has the kernel end the broker when this process ends, however.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
