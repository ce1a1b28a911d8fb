package detector

import (
	"fmt"
	"runtime"
	"testing"

	"scantrail/schemas"
)

// BenchmarkMemory reports what an open parcel with 12 scans and an order of
// five facts takes, by what the process holds and by what is in use.
func BenchmarkMemory(b *testing.B) {
	for _, orders := range []bool{false, true} {
		b.Run(fmt.Sprintf("orders=%t", orders), func(b *testing.B) {
			for range b.N {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				m, _ := filled(b, *parcelsFlag, orders)
				m.verdict.wanted, m.pending, m.due, m.dirtyParcels = nil, nil, nil, queue{}
				runtime.GC()
				runtime.ReadMemStats(&after)
				n := float64(*parcelsFlag)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/parcel")
				b.ReportMetric(float64(m.blobs.inUse)/n, "blob-B/parcel")
				b.ReportMetric(float64(len(m.blobs.pages))*pageBytes/n, "pages-B/parcel")
				b.ReportMetric(float64(m.entities.bytes())/n, "slots-B/parcel")
				runtime.KeepAlive(m)
			}
		})
	}
}

// filledOrders returns a machine with n orders of five facts, which are labelled,
// judged and written.
func filledOrders(b testing.TB, n int) *Machine {
	m, w, out := NewMachine(0, 1), &benchWorld{}, Output{}
	do := func(r *schemas.Record) {
		out.Reset()
		if err := m.Apply(m.Offset()+1, r, &out); err != nil {
			b.Fatal(err)
		}
	}
	p, tick := policyRecord(1, schemas.DefaultPolicy()), tickAt(testBase)
	do(&p)
	do(&tick)
	for from := 0; from < n; from += abreast {
		for k := range 5 {
			for i := from; i < min(from+abreast, n); i++ {
				r := w.order(i, k)
				r.Forwarded = false
				if r.Order.Kind != schemas.OrderLabelCreated {
					r.Order.TrackingNumbers = nil
				}
				do(r)
			}
		}
		do(&tick)
		m.MarkOrdersWritten(m.DirtyOrders(abreast, nil))
	}
	return m
}

// BenchmarkOrderMemory reports what the home of an order of five facts takes.
func BenchmarkOrderMemory(b *testing.B) {
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := filledOrders(b, *parcelsFlag)
		m.verdict.wanted, m.pending, m.due, m.dirtyOrders = nil, nil, nil, queue{}
		runtime.GC()
		runtime.ReadMemStats(&after)
		n := float64(*parcelsFlag)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/order")
		b.ReportMetric(float64(m.blobs.inUse)/n, "blob-B/order")
		runtime.KeepAlive(m)
	}
}

// TestMemory fails when an open parcel with 12 scans and its order need more than
// is promised: 270 bytes, by what the machine counts of itself.
func TestMemory(t *testing.T) {
	const n = 20_000
	alone, _ := filled(t, n, false)
	ordered, _ := filled(t, n, true)
	orders := filledOrders(t, n)
	per := func(m *Machine) float64 {
		m.unwritten = unwritten{} // sized by what is judged at one tick, however many parcels there are
		return float64(m.Bytes()) / n
	}
	for _, c := range []struct {
		what  string
		bytes float64
		limit float64
	}{
		{"a parcel with 12 scans", per(alone), 145},
		{"a parcel with 12 scans and five order facts", per(ordered), 187},
		{"an order of five facts", per(orders), 83},
		{"a parcel and its order", per(ordered) + per(orders), 270},
	} {
		if c.bytes > c.limit || c.bytes < c.limit-8 {
			t.Errorf("%s: %.1f bytes, want at most %.0f, and not much less", c.what, c.bytes, c.limit)
		}
	}
}
