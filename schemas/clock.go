package schemas

import "time"

// MaxTickStep is how far one tick may advance the clock of a partition: a single
// bad tick must not open every alert at once.
const MaxTickStep = 10 * time.Minute

// MaxClock is the latest clock, Unix milliseconds: the end of the range of whole
// seconds in 32 bits.
const MaxClock = int64(1<<32-2) * 1000

// TickClock returns the clock of a partition after a tick, both in Unix
// milliseconds; a clock of 0 has seen none. The first tick sets it, and each later
// one only advances it, by MaxTickStep at most. Whoever follows a partition from
// its start, or goes on with the clock that was kept, has the same.
func TickClock(clock, tick int64) int64 {
	switch {
	case tick <= clock || tick < 1000 || tick > MaxClock:
		return clock
	case clock == 0:
		return tick
	}
	return min(tick, clock+MaxTickStep.Milliseconds())
}
