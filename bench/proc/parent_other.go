//go:build !linux

package proc

import "syscall"

// DiesWithParent cannot be had here: a child that its parent does not end goes on.
func DiesWithParent() *syscall.SysProcAttr { return nil }
