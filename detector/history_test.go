package detector

import (
	"slices"
	"testing"

	"scantrail/schemas"
)

// backlogOf is the history of parcels that are read while the clock stands: each is
// accepted, scanned every 30 h for two weeks, and in half of the cases delivered.
// The raw partitions are read abreast, so that every parcel is read in parts.
func backlogOf(parcels int) (scans [][]schemas.Record) {
	const way, hour = 12, 3600_000
	for k := range way {
		var part []schemas.Record
		for i := range parcels {
			m := benchWay[k]
			if k == way-1 && i%2 == 0 {
				m = schemas.Delivered
			}
			r := scanOf((&benchWorld{}).set(i), k, testBase-int64(way-k)*30*hour+int64(i%hour), m)
			r.Event.Backfill, r.Event.ReceivedAt = true, testBase
			part = append(part, r)
		}
		scans = append(scans, part)
	}
	return scans
}

// readHistory returns the transitions of a backlog that is read with a tick after
// each part of it, at a clock that stands, and a last tick that says it is read.
func readHistory(t testing.TB, scans [][]schemas.Record, says bool) (alerts []schemas.Alert) {
	m := NewMachine(0, 1)
	apply(t, m, policyRecord(1, schemas.DefaultPolicy()))
	take := func(r schemas.Record) { alerts = append(alerts, apply(t, m, r).Alerts...) }
	tick := func(history bool) {
		r := tickAt(testBase)
		r.Tick.History = history
		take(r)
	}
	tick(says)
	for _, part := range scans {
		for _, r := range part {
			take(r)
		}
		tick(says)
	}
	tick(false)
	return alerts
}

// TestHistoryIsJudgedOnce reads a backlog with ticks meanwhile: what is known only
// as history waits until all is read, and then is as if no tick had come between.
func TestHistoryIsJudgedOnce(t *testing.T) {
	scans := backlogOf(100)
	said, unsaid := readHistory(t, scans, true), readHistory(t, scans, false)
	whole := readHistory(t, [][]schemas.Record{slices.Concat(scans...)}, false)
	if len(said) == 0 || len(said) != len(whole) || len(unsaid) < 3*len(whole) {
		t.Errorf("%d transitions in parts, %d at once, %d where no tick says that it is history", len(said), len(whole), len(unsaid))
	}
	for i := range said {
		if said[i].AlertID != whole[i].AlertID || said[i].Status != whole[i].Status || said[i].AnchorAt != whole[i].AnchorAt {
			t.Errorf("transition %d in parts: %+v\nat once: %+v", i, said[i], whole[i])
		}
	}
	for _, a := range unsaid {
		if !a.Backfill {
			t.Fatalf("of history, and paged: %+v", a)
		}
	}
	// A scan that is no history ends the wait of its parcel.
	live := scans[3]
	live[0].Event.Backfill = false
	m := NewMachine(0, 1)
	apply(t, m, policyRecord(1, schemas.DefaultPolicy()))
	for _, r := range live[:2] {
		apply(t, m, r)
	}
	r := tickAt(testBase)
	r.Tick.History = true
	out := apply(t, m, r)
	for _, a := range out.Alerts {
		if a.TrackingNumber != live[0].Event.TrackingNumber {
			t.Errorf("%s is judged in parts", a.TrackingNumber)
		}
	}
	if len(out.Alerts) == 0 {
		t.Error("a parcel with a live scan is not judged")
	}
}

// BenchmarkHistory reads a backlog in parts, with ticks that say so and that do not.
func BenchmarkHistory(b *testing.B) {
	for _, says := range []bool{true, false} {
		b.Run(map[bool]string{true: "said", false: "unsaid"}[says], func(b *testing.B) {
			scans := backlogOf(*parcelsFlag / 10)
			spent, transitions := cpuTime(), 0
			for range b.N {
				transitions += len(readHistory(b, scans, says))
			}
			n := float64(b.N * len(scans) * len(scans[0]))
			b.ReportMetric(float64((cpuTime()-spent).Nanoseconds())/n, "cpu-ns/scan")
			b.ReportMetric(float64(transitions)/n, "transitions/scan")
		})
	}
}
