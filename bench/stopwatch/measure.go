package stopwatch

import (
	"runtime"
	"slices"
	"time"
)

// Lap is what something took.
type Lap struct {
	CPU     time.Duration // of the whole process, user and system
	Elapsed time.Duration
	Mallocs uint64
}

// Watch is a running measurement.
type Watch struct {
	began   time.Time
	cpu     time.Duration
	mallocs uint64
}

// Begin starts a measurement.
func Begin() Watch {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Watch{mallocs: m.Mallocs, cpu: cpuTime(), began: time.Now()}
}

// Lap returns what was used since Begin.
func (w Watch) Lap() Lap {
	l := Lap{Elapsed: time.Since(w.began), CPU: cpuTime() - w.cpu}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	l.Mallocs = m.Mallocs - w.mallocs
	return l
}

// add sums laps of which something else happened in between.
func (l *Lap) add(o Lap) {
	l.CPU += o.CPU
	l.Elapsed += o.Elapsed
	l.Mallocs += o.Mallocs
}

// PerSecond returns n things over the time that passed.
func (l Lap) PerSecond(n int64) float64 { return float64(n) / max(l.Elapsed.Seconds(), 1e-9) }

// PerCPUSecond returns n things over the CPU time: what one core does alone.
func (l Lap) PerCPUSecond(n int64) float64 { return float64(n) / max(l.CPU.Seconds(), 1e-9) }

// CPUMicros returns the microseconds of CPU that each of n things took.
func (l Lap) CPUMicros(n int64) float64 { return l.CPUNanos(n) / 1000 }

// CPUNanos is CPUMicros in nanoseconds.
func (l Lap) CPUNanos(n int64) float64 { return float64(l.CPU.Nanoseconds()) / float64(max(n, 1)) }

// repeat calls f, after once to warm up, until it has had budget of CPU.
func repeat(budget time.Duration, f func() error) (times int64, l Lap, err error) {
	if err := f(); err != nil {
		return 0, l, err
	}
	w := Begin()
	for {
		if err := f(); err != nil {
			return 0, l, err
		}
		times++
		if cpuTime()-w.cpu >= budget || time.Since(w.began) >= 10*budget {
			return times, w.Lap(), nil
		}
	}
}

// Percentiles returns the median, the 99th percentile and the largest of d, which
// it sorts.
func Percentiles(d []time.Duration) (p50, p99, most time.Duration) {
	if len(d) == 0 {
		return 0, 0, 0
	}
	slices.Sort(d)
	at := func(share float64) time.Duration { return d[min(int(float64(len(d))*share), len(d)-1)] }
	return at(0.50), at(0.99), d[len(d)-1]
}
