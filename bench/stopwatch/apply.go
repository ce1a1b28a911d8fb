package stopwatch

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"scantrail/detector"
	"scantrail/schemas"
)

// atRisk is a silence at which the built-in policy has an alert at risk, not yet
// an open one.
const atRisk = 40 * hour

// Progress says what is being done, as fmt.Printf does.
type Progress func(format string, args ...any)

// tickFacts is how many facts a partition that takes 1,000 a second sees between
// two ticks.
const tickFacts = 5000

// Apply measures the detector's state with n open parcels of 12 scans, one
// partition on one core: what it takes of memory, applying facts more with the
// judging at the ticks, taking rows, and deadlines that fire.
func Apply(n, facts int, say Progress) ([]Row, error) {
	say("filling a state with %d parcels", n)
	before := held()
	w := Begin()
	s, err := filled(0, n, false, say)
	if err != nil {
		return nil, err
	}
	fill := w.Lap()
	name := func(of string) string { return fmt.Sprintf("%s, %s parcels", of, thousands(n)) }
	total := int64(n) * int64(len(way))
	rows := []Row{
		{"apply", name("state of 12 scans each"), held().since(before, n, s.Machine)},
		{"apply", name("filling"), Metrics{{"cpu_ns_per_fact", fill.CPUNanos(total)}, {"facts_per_cpu_second", fill.PerCPUSecond(total)}, {"allocs_per_fact", float64(fill.Mallocs) / float64(total)}}},
	}
	say("applying %d facts", facts)
	lap, taking, taken, err := s.applyMore(facts)
	if err != nil {
		return nil, err
	}
	rows = append(rows,
		Row{"apply", name("facts, judged at ticks"), Metrics{{"cpu_ns_per_fact", lap.CPUNanos(int64(facts))}, {"facts_per_cpu_second", lap.PerCPUSecond(int64(facts))}, {"allocs_per_fact", float64(lap.Mallocs) / float64(facts)}}},
		Row{"apply", name("rows for ClickHouse"), Metrics{{"cpu_ns_per_row", taking.CPUNanos(taken)}, {"rows_per_cpu_second", taking.PerCPUSecond(taken)}}})
	end := base + int64(len(way)+(facts-1)/n)*apart + hour + atRisk // of the parcel that was scanned last
	say("ticks until every parcel has been silent for %d hours", atRisk/hour)
	alerts := int64(0)
	w = Begin()
	err = s.advance(end, 5000, func() { alerts += int64(len(s.out.Alerts)) })
	lap = w.Lap()
	if alerts == 0 && err == nil {
		err = fmt.Errorf("no deadline fired in a state of %d parcels", n)
	}
	return append(rows, Row{"apply", name("deadlines that fire"), Metrics{{"cpu_ns_per_alert", lap.CPUNanos(alerts)}, {"alerts_per_cpu_second", lap.PerCPUSecond(alerts)}}}), err
}

// applyMore applies facts of known parcels. Between two scans of a parcel the
// clock moves by six hours, as the scans do. Making the facts is not measured;
// taking the rows after each tick is, apart from the rest.
func (s *state) applyMore(facts int) (applying, taking Lap, rows int64, err error) {
	batch := make([]schemas.Record, tickFacts)
	step := apart * tickFacts / int64(s.n)
	runtime.GC()
	for i := 0; i < facts; {
		batch = batch[:min(len(batch), facts-i)]
		s.batch(batch, i)
		i += len(batch)
		w := Begin()
		for k := range batch {
			if k%detector.WarmBatch == 0 {
				s.warm(batch[k:])
			}
			if err := s.apply(&batch[k]); err != nil {
				return applying, taking, rows, err
			}
		}
		if err := s.advance(s.Clock()+max(step, 1), 600_000, nil); err != nil {
			return applying, taking, rows, err
		}
		applying.add(w.Lap())
		w = Begin()
		rows += s.written()
		taking.add(w.Lap())
	}
	return applying, taking, rows, nil
}

// warm reads ahead as the detector's shell does: the key of a record is the
// number of its parcel, hashed here as well.
func (s *state) warm(next []schemas.Record) {
	var ids [detector.WarmBatch]schemas.ID
	n := min(len(next), len(ids))
	for k := range n {
		ids[k] = schemas.ParcelID(next[k].Event.TrackingNumber)
	}
	s.Warm(ids[:n])
}

// memory is what the process holds.
type memory struct{ heap, rss int64 }

func held() memory {
	runtime.GC() // twice: pools keep what they hold over the first one
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{int64(m.HeapAlloc), rss()}
}

// since returns what n parcels take: on the heap, resident in the process, and by
// the machine's own account.
func (m memory) since(before memory, n int, machines ...*detector.Machine) Metrics {
	own := int64(0)
	for _, machine := range machines {
		own += machine.Bytes()
	}
	out := Metrics{{"heap_bytes_per_parcel", float64(m.heap-before.heap) / float64(n)}}
	if m.rss > 0 {
		out = append(out, Metric{"resident_bytes_per_parcel", float64(m.rss-before.rss) / float64(n)})
	}
	return append(out, Metric{"own_account_bytes_per_parcel", float64(own) / float64(n)})
}

// thousands writes 1000000 as 1 M.
func thousands(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return fmt.Sprintf("%g M", float64(n)/1e6)
	case n >= 1000 && n%100 == 0:
		return fmt.Sprintf("%g k", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}
