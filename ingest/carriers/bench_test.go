package carriers

import (
	standard "encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/segmentio/encoding/json"
)

// hotFixtures are records of one carrier each as they stream through Kafka.
func hotFixtures(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*/hot.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Ext(f) == ".golden" })
	slices.Sort(files)
	return files
}

func BenchmarkDecode(b *testing.B) {
	r := load(b)
	for _, file := range hotFixtures(b) {
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		carrier := filepath.Base(filepath.Dir(file))
		d := r.NewDecoder(Limits{})
		got := d.Decode(carrier, raw, Source{})
		scans := len(got.Events)
		if scans == 0 || len(got.Rejected) > 0 {
			b.Fatalf("%s: %d events, %v", file, scans, got.Rejected)
		}
		b.Run(carrier, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				d.Decode(carrier, raw, Source{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*scans), "ns/scan")
			b.ReportMetric(float64(len(raw))/float64(scans), "B/scan")
		})
	}
}

// BenchmarkValid is the yardstick: a whole JSON parser that keeps nothing.
func BenchmarkValid(b *testing.B) {
	for _, file := range hotFixtures(b) {
		if filepath.Ext(file) != ".json" {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(filepath.Dir(file)), func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if !json.Valid(raw) {
					b.Fatal("not JSON")
				}
			}
		})
	}
}

// BenchmarkStandardValid is the other yardstick: the parser of the standard
// library.
func BenchmarkStandardValid(b *testing.B) {
	for _, file := range hotFixtures(b) {
		if filepath.Ext(file) != ".json" {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Base(filepath.Dir(file)), func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if !standard.Valid(raw) {
					b.Fatal("not JSON")
				}
			}
		})
	}
}

// A scan costs no allocation once the decoder's buffers have grown.
func TestDecodeAllocatesNothing(t *testing.T) {
	r := load(t)
	for _, file := range hotFixtures(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		carrier := filepath.Base(filepath.Dir(file))
		d := r.NewDecoder(Limits{})
		if n := testing.AllocsPerRun(100, func() { d.Decode(carrier, raw, Source{}) }); n != 0 {
			t.Errorf("%s: %v allocations per record, want 0", file, n)
		}
	}
}
