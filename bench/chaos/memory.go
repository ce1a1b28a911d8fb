package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// memory is what the services took, looked at every second: resident bytes of
// the largest one. Empty where there is no /proc.
type memory struct {
	mu    sync.Mutex
	looks []look
}

type look struct {
	at  time.Time
	mib int
}

func (m *memory) watch(ctx context.Context, c *cluster) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			most := 0
			for _, s := range c.services {
				most = max(most, residentMiB(s.pid()))
			}
			m.mu.Lock()
			m.looks = append(m.looks, look{at, most})
			m.mu.Unlock()
		}
	}
}

// most is the largest of a time, in MiB.
func (m *memory) most(from, to time.Time) (mib int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.looks {
		if !l.at.Before(from) && !l.at.After(to) {
			mib = max(mib, l.mib)
		}
	}
	return mib
}

// residentMiB is 0 for a process that is not there.
func residentMiB(pid int) (mib int) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	if _, after, ok := strings.Cut(string(status), "VmRSS:"); ok {
		fmt.Sscan(after, &mib) //nolint:errcheck // then it is 0
	}
	return mib >> 10
}
