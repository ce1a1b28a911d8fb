package main

import (
	"testing"
	"time"

	"scantrail/bench/stopwatch"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/sink/chdb/chdbtest"
)

// BenchmarkPipeline takes raw records that already lie in Kafka to rows and
// alerts in ClickHouse, broker and engine included, and reports scans/s. One
// iteration is one world of 100,000 parcels, 1.5 M scans:
//
//	go test ./cmd/scantrail -run - -bench Pipeline -benchtime 1x -cpuprofile cpu.prof
func BenchmarkPipeline(b *testing.B) {
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		b.Fatal(err)
	}
	run := bench{sizes: benchSizes{flush: time.Second}, registry: registry, servers: &benchServers{clickhouse: chdbtest.Start(b)}, progress: b.Output()}
	for range b.N {
		b.StopTimer()
		p, err := run.load(b.Context(), 100_000)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		var lap stopwatch.Lap
		if lap, err = p.run(b.Context(), 0, lag); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if _, err := p.check(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(lap.PerSecond(p.scans()), "scans/s")
		b.ReportMetric(lap.PerSecond(p.records), "records/s")
		b.ReportMetric(lap.CPUMicros(p.scans()), "cpu-us/scan")
		p.close()
	}
}
