package importer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// BenchmarkOrders reads a wide table, seven facts a row: as Check does, and as Send
// does before it produces.
func BenchmarkOrders(b *testing.B) {
	var file bytes.Buffer
	file.WriteString("order_id,shop_id,market,created_at,confirmed_at,ready_to_ship_at,label_created_at,shipped_at,delivered_at,promise_at,carrier,tracking_number,origin_country,destination_country,destination_postcode\n")
	const rows = 20_000
	for i := range rows {
		fmt.Fprintf(&file, "SO-%09d,shop-7,GB,2026-09-01 10:%02d:00,2026-09-01 12:00:00,2026-09-01 20:00:00,2026-09-01 19:00:00,2026-09-02 08:00:00,2026-09-09 16:00:00,2026-09-12,yunexpress,YT%013d,CN,GB,M1 1AE\n", i, i%60, i)
	}
	benchFile(b, Config{Kind: Orders, Zone: "Asia/Shanghai"}, file.Bytes(), rows)
}

// BenchmarkScans reads a table of scans.
func BenchmarkScans(b *testing.B) {
	var file bytes.Buffer
	file.WriteString("tracking_number,occurred_at,status,country,city\n")
	const rows = 50_000
	for i := range rows {
		fmt.Fprintf(&file, "YT%013d,2026-09-01 10:%02d:00,Arrived at sort facility,CN,Shenzhen\n", i, i%60)
	}
	benchFile(b, Config{Kind: Scans, Carrier: "yunexpress", Zone: "Asia/Shanghai"}, file.Bytes(), rows)
}

func benchFile(b *testing.B, c Config, content []byte, rows int) {
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		b.Fatal(err)
	}
	c.Registry = registry
	im, err := New(c)
	if err != nil {
		b.Fatal(err)
	}
	name := filepath.Join(b.TempDir(), "bench.csv")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		b.Fatal(err)
	}
	job := &Job{Importer: im, Files: []string{name}, Problem: func(p Problem) { b.Error(p) }}
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if _, err := job.Check(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if err := im.Read(context.Background(), name, false, func(r *Row, _ int64) error {
				for i := range r.Records {
					job.seen.add(idOf(&r.Records[i]))
				}
				return nil
			}); err != nil && err != io.EOF {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}
