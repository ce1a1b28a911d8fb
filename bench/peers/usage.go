package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a process has used so far.
type usage struct {
	CPU  time.Duration
	Peak int64 // bytes of resident memory
}

// usageOf reads /proc. Of a process that has ended it returns false.
func usageOf(pid int) (usage, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, false
	}
	// After the name, which may hold anything, the third field is the state;
	// the 14th and 15th are user and system time in hundredths of a second.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(f) < 13 || f[0] == "Z" {
		return usage{}, false
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	u := usage{CPU: time.Duration(user+system) * 10 * time.Millisecond}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, false
	}
	if _, after, found := strings.Cut(string(status), "VmHWM:"); found {
		kib, _ := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
		u.Peak = kib << 10
	}
	return u, true
}

// usage of a process, also of one that has ended.
func (p *process) usage() usage {
	select {
	case <-p.ended:
		s := p.cmd.ProcessState
		u := usage{CPU: s.UserTime() + s.SystemTime()}
		if r, ok := s.SysUsage().(*syscall.Rusage); ok {
			u.Peak = r.Maxrss << 10
		}
		return u
	default:
		u, _ := usageOf(p.cmd.Process.Pid)
		return u
	}
}

// forgetPeak makes the kernel count the peak of a process anew.
func forgetPeak(pid int) {
	os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0o644) //nolint:errcheck // then the peak is that of its whole life
}
