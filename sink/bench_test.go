package sink

import (
	"testing"

	"scantrail/schemas"
)

// BenchmarkRun is the whole sink: from records in an in-process broker to rows
// in the embedded engine, offsets committed. CPU is that of all three.
func BenchmarkRun(b *testing.B) {
	const n = 500_000
	k, conn := startKafka(b, 1), migrated(b)
	values := make([][]byte, 0, 10_000)
	for i := range n {
		values = append(values, encode(event(i))[0])
		if len(values) == cap(values) {
			k.put(schemas.EventsTopic, 0, values...)
			values = values[:0]
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		cpu := cpuTime(b)
		cfg := k.config(conn)
		cfg.FlushInterval, cfg.Group = 0, b.Name()
		stop := start(b, cfg)
		every(b, "all is committed", func() bool {
			offsets, err := k.adm.FetchOffsets(b.Context(), cfg.Group)
			if err != nil {
				return false
			}
			o, ok := offsets.Lookup(schemas.EventsTopic, 0)
			return ok && o.At == n
		})
		if err := stop(); err != nil {
			b.Fatal(err)
		}
		if _, err := k.adm.DeleteGroup(b.Context(), cfg.Group); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(cpuTime(b)-cpu)/n, "cpu-ns/scan")
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "scans/s")
}
