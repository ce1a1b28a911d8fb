package main

import "syscall"

// diesWithParent has the kernel end the process when this process ends, however.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
