package stopwatch

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// positive fails t where a figure is missing or not above 0; allocations may be 0.
func positive(t *testing.T, rows []Row, err error, cases int, names ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != cases {
		t.Fatalf("%d rows, want %d: %+v", len(rows), cases, rows)
	}
	for _, r := range rows {
		for _, m := range r.Metrics {
			if m.Value <= 0 && !strings.HasPrefix(m.Name, "allocs") {
				t.Errorf("%s, %s: %s is %v", r.Part, r.Case, m.Name, m.Value)
			}
		}
		for _, name := range names {
			if _, ok := r.Metrics.Get(name); !ok {
				t.Errorf("%s, %s has no %s", r.Part, r.Case, name)
			}
		}
	}
}

func registry(t *testing.T) *carriers.Registry {
	t.Helper()
	reg, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestDecodeAndLog(t *testing.T) {
	reg := registry(t)
	rows, err := Decode(reg, 4*time.Millisecond)
	positive(t, rows, err, 10, "cpu_ns_per_scan", "scans_per_cpu_second", "allocs_per_scan")
	for _, r := range rows {
		_, compared := r.Metrics.Get("times_json_valid")
		if compared != strings.Contains(r.Case, "JSON") {
			t.Errorf("%s: compared with json.Valid: %t", r.Case, compared)
		}
		if n, _ := r.Metrics.Get("allocs_per_scan"); n > 0.05 {
			t.Errorf("%s: %v allocations for a scan", r.Case, n)
		}
	}
	rows, err = Log(reg, 4*time.Millisecond)
	positive(t, rows, err, 2, "cpu_ns_per_event", "allocs_per_event")
}

// The copies that the program carries are the fixtures of the carriers' tests.
func TestSamplesAreFixtures(t *testing.T) {
	for file, fixture := range map[string]string{
		"gs1_epcis.json": "gs1_epcis/hot.json", "edifact_iftsta.edi": "edifact_iftsta/hot.edi",
		"x12_214.x12": "x12_214/hot.x12", "usps_extract.csv": "usps_extract/extract.csv",
	} {
		want, err := os.ReadFile(filepath.Join("../../ingest/carriers/testdata", fixture))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := samples.ReadFile("samples/" + file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("samples/%s differs from the fixture %s (%v): copy it again", file, fixture, err)
		}
	}
}

func TestApplyRows(t *testing.T) {
	rows, err := Apply(t.Context(), 2000, 5000, t.Logf)
	if err != nil || len(rows) != 6 {
		t.Fatalf("%+v, %v", rows, err)
	}
	positive(t, rows[1:], nil, 5)
	if own, _ := rows[0].Metrics.Get("own_account_bytes_per_parcel"); own < 50 || own > 2000 {
		t.Errorf("a parcel takes %v bytes by the machine's own account", own)
	}
}

func TestRecoveryRestoresEveryParcel(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	rows, err := Recovery(t.Context(), []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, 2000, t.Logf)
	if err != nil || len(rows) != 4 {
		t.Fatalf("%+v, %v", rows, err)
	}
	positive(t, rows[2:], nil, 2, "cpu_ns_per_parcel", "bytes_per_parcel", "seconds")
}

func TestReport(t *testing.T) {
	r := Report{Broker: "embedded", Rows: []Row{
		{"a", "first", Metrics{{"cpu_ns_per_scan", 1234.5678}, {"allocs_per_scan", 0}}},
		{"a", "second", Metrics{{"cpu_ns_per_scan", 12.345}, {"allocs_per_scan", 1}}},
		{"a", "other figures", Metrics{{"rows_per_second", 1234567.8}}},
		{"b", "first", Metrics{{"rows_per_second", 0.5}}},
	}}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cpu ns/scan", "1,235", "12.3", "1,234,568", "rows/second", "0.50"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows []struct {
			Part, Case string
			Metrics    map[string]float64
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if len(got.Rows) != 4 || got.Rows[0].Metrics["cpu_ns_per_scan"] != 1235 || got.Rows[2].Metrics["rows_per_second"] != 1234568 {
		t.Errorf("%+v", got)
	}
}

func TestPercentiles(t *testing.T) {
	d := make([]time.Duration, 100)
	for i := range d {
		d[i] = time.Duration(100 - i)
	}
	if p50, p99, most := Percentiles(d); p50 != 51 || p99 != 100 || most != 100 {
		t.Errorf("%d %d %d", p50, p99, most)
	}
	if p50, p99, most := Percentiles(nil); p50+p99+most != 0 {
		t.Errorf("%d %d %d of nothing", p50, p99, most)
	}
}
