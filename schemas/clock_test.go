package schemas

import "testing"

func TestTickClock(t *testing.T) {
	const at, step = int64(1_790_000_000_000), int64(600_000)
	for _, c := range []struct{ clock, tick, want int64 }{
		{0, at, at},
		{at, at + 5000, at + 5000},
		{at, at - 5000, at},
		{at, at, at},
		{at, at + step, at + step},
		{at, at + step + 1, at + step},
		{at, MaxClock, at + step},
		{at, MaxClock + 1, at},
		{0, MaxClock + 1, 0},
		{0, 999, 0},
		{0, -1, 0},
		{MaxClock - 1, MaxClock, MaxClock},
	} {
		if got := TickClock(c.clock, c.tick); got != c.want {
			t.Errorf("clock %d after a tick of %d is %d, want %d", c.clock, c.tick, got, c.want)
		}
	}
}
