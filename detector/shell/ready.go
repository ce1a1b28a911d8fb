package shell

import (
	"fmt"
	"sync"
	"time"
)

// tickLimit is how long an owned partition may have no tick: several times the
// longest interval of ticks, so that a slow round of all partitions is none.
const tickLimit = 5 * time.Minute

// assigning is what is known of the partitions that are being restored.
type assigning struct {
	mu    sync.Mutex
	parts int // 0: none
	since time.Time
	err   error // of the last attempt
}

func (a *assigning) start(parts int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parts, a.since = parts, time.Now()
}

func (a *assigning) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err = err; err == nil {
		a.parts = 0
	}
}

func (a *assigning) problem(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.parts == 0:
		return nil
	case a.err != nil:
		return fmt.Errorf("%d partitions cannot be restored, trying again: %w", a.parts, a.err)
	}
	return fmt.Errorf("restoring %d partitions for %s", a.parts, now.Sub(a.since).Round(time.Second))
}

// Joined reports whether the detector is a member of its group. It may have no
// partition all the same: there may be more members than partitions.
func (s *Shell) Joined() bool {
	_, generation := s.client.GroupMetadata()
	return generation >= 0
}

// Restored returns why what this process owns is not where its former owner left
// it: partitions are read from their snapshots, or the log behind those is read
// again. nil when all of it is.
func (s *Shell) Restored() error {
	if err := s.begins.problem(time.Now()); err != nil {
		return err
	}
	behind, records := 0, int64(0)
	for _, p := range s.owned() {
		if n := p.replay - p.next.Load(); n > 0 {
			behind, records = behind+1, records+n
		}
	}
	if behind > 0 {
		return fmt.Errorf("reading the log again behind the snapshots of %d partitions, %d records left", behind, records)
	}
	return nil
}

// Ticking returns why the clock of an owned partition stands still: no tick was
// read for long. nil when all of them move. How far a clock that moves is behind
// the present is not said here: it may wait for raw records on purpose.
func (s *Shell) Ticking() error {
	limit, silent, oldest := time.Now().Add(-tickLimit).UnixMilli(), 0, int64(0)
	for _, p := range s.owned() {
		if at := p.tickAt.Load(); at < limit {
			if silent++; oldest == 0 || at < oldest {
				oldest = at
			}
		}
	}
	if silent > 0 {
		return fmt.Errorf("%d partitions have read no tick for %s: does the role ingest run, and is the state below detector.memory_limit?",
			silent, time.Since(time.UnixMilli(oldest)).Round(time.Second))
	}
	return nil
}
