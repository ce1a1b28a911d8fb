//go:build !linux

package kafka

import "syscall"

func diesWithParent() *syscall.SysProcAttr { return nil }
