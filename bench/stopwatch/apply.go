package stopwatch

import (
	"context"
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

// answerScans is how many new scans of a parcel an answer of a carrier holds that
// was silent for a day.
const answerScans = 4

// Apply measures the detector's state with n open parcels of 12 scans, one
// partition on one core: what it takes of memory, applying facts more with the
// judging at the ticks, taking rows, and deadlines that fire. It returns the rows
// that it has when it fails.
func Apply(ctx context.Context, n, facts int, say Progress) (rows []Row, err error) {
	say("filling a state with %d parcels", n)
	add := func(what string, m Metrics) {
		r := Row{"apply", fmt.Sprintf("%s, %s parcels", what, thousands(n)), m}
		rows = append(rows, r)
		say("%s", r)
	}
	before := held()
	s, fill, err := filled(ctx, 0, n, false, say)
	if err != nil {
		return rows, err
	}
	add("state of 12 scans each", held().since(before, n, s.Machine))
	add("filling, judged once", perFact(fill, n*len(way)))
	lend(min(n, 2*facts) * grownBytes)
	taking, rowsTaken := Lap{}, int64(0)
	for _, load := range []struct {
		what  string
		scans int
	}{
		{"facts, each judged", 1},
		{fmt.Sprintf("facts, %d in an answer", answerScans), answerScans},
	} {
		say("applying %d facts, %d of a parcel at a time", facts, load.scans)
		applying, took, taken, err := s.applyMore(ctx, facts, load.scans)
		if err != nil {
			return rows, err
		}
		add(load.what, perFact(applying, facts))
		taking.add(took)
		rowsTaken += taken
	}
	add("rows for ClickHouse", Metrics{{"cpu_ns_per_row", taking.CPUNanos(rowsTaken)}, {"rows_per_cpu_second", taking.PerCPUSecond(rowsTaken)}})
	end := s.latest() + hour + atRisk
	say("ticks until every parcel has been silent for %d hours", atRisk/hour)
	alerts, next := int64(0), s.Clock()
	w := Begin()
	err = s.advance(ctx, end, 5000, func() {
		alerts += int64(len(s.out.Alerts))
		if s.Clock() >= next {
			say("%d h to go, %d deadlines have fired", (end-s.Clock())/hour, alerts)
			next += 10 * hour
		}
	})
	lap := w.Lap()
	if alerts == 0 && err == nil {
		err = fmt.Errorf("no deadline fired in a state of %d parcels", n)
	}
	if err == nil {
		add("deadlines that fire", Metrics{{"cpu_ns_per_alert", lap.CPUNanos(alerts)}, {"alerts_per_cpu_second", lap.PerCPUSecond(alerts)}})
	}
	return rows, err
}

// grownBytes is what a parcel with another scan may take more while the one with
// 12 scans still stands where it stood.
const grownBytes = 160

func perFact(l Lap, facts int) Metrics {
	n := int64(facts)
	return Metrics{{"cpu_ns_per_fact", l.CPUNanos(n)}, {"facts_per_cpu_second", l.PerCPUSecond(n)}, {"allocs_per_fact", float64(l.Mallocs) / float64(n)}}
}

// applyMore applies facts of known parcels, so many scans of one after the other.
// Between two visits to a parcel the clock moves by six hours, as the scans do.
// Making the facts is not measured; taking the rows after each tick is, apart from
// the rest.
func (s *state) applyMore(ctx context.Context, facts, scans int) (applying, taking Lap, rows int64, err error) {
	batch := make([]schemas.Record, tickFacts)
	runtime.GC()
	for done := 0; done < facts; {
		batch = batch[:min(len(batch), facts-done)]
		visits := s.more(batch, scans)
		done += len(batch)
		w := Begin()
		if err := s.applyAll(batch); err != nil {
			return applying, taking, rows, err
		}
		if err := s.advance(ctx, s.Clock()+max(apart*int64(visits)/int64(s.n), 1), 600_000, nil); err != nil {
			return applying, taking, rows, err
		}
		applying.add(w.Lap())
		w = Begin()
		rows += s.written()
		taking.add(w.Lap())
	}
	return applying, taking, rows, nil
}

// applyAll applies records as the detector's shell does, which reads ahead.
func (s *state) applyAll(batch []schemas.Record) error {
	for k := range batch {
		if k%detector.WarmBatch == 0 {
			s.warm(batch[k:])
		}
		if err := s.apply(&batch[k]); err != nil {
			return err
		}
	}
	return nil
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
