package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/sink/chdb/chdbtest"
)

// TestBench runs every part in small and holds its JSON to the shape that
// bench/README.md documents.
func TestBench(t *testing.T) {
	servers := &benchServers{clickhouse: chdbtest.Start(t), progress: t.Output(), options: []kgo.Opt{kgo.HeartbeatInterval(50 * time.Millisecond)}}
	t.Cleanup(func() {
		if err := servers.close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{servers: servers, progress: t.Output(), sizes: benchSizes{
		budget: time.Millisecond, parcels: []int{1000}, facts: 2000, rows: 2000, world: 200,
		ticks: []time.Duration{100 * time.Millisecond}, during: 500 * time.Millisecond, alerts: 20, lead: 1500 * time.Millisecond, flush: 50 * time.Millisecond,
	}}
	report, err := b.run(t.Context(), benchParts)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	page := string(readRepo(t, repoRoot+"/bench/README.md"))
	var parts []string
	for _, row := range decodeReport(t, out.Bytes()) {
		if !slices.Contains(parts, row.Part) {
			parts = append(parts, row.Part)
		}
		for name, v := range row.Metrics {
			if v <= 0 && !strings.HasPrefix(name, "allocs") && !strings.HasSuffix(name, "bytes_per_parcel") { // a small state hides in the noise of the heap
				t.Errorf("%s, %s: %s is %v", row.Part, row.Case, name, v)
			}
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("bench/README.md does not explain `%s` of %s", name, row.Part)
			}
		}
	}
	if !slices.Equal(parts, benchParts) {
		t.Errorf("parts %v, want %v", parts, benchParts)
	}
}

type benchRow struct {
	Part, Case string
	Metrics    map[string]float64
}

// decodeReport reads the document and refuses fields that are not documented.
func decodeReport(t *testing.T, doc []byte) []benchRow {
	t.Helper()
	var r struct {
		StartedAt time.Time `json:"started_at"`
		Seconds   float64
		Machine   struct {
			OS, CPU, Go string
			CPUs        int
			LoadAverage float64 `json:"load_average"`
		}
		Broker string
		Rows   []benchRow
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	if r.StartedAt.IsZero() || r.Seconds <= 0 || r.Machine.CPUs < 1 || r.Machine.Go == "" || r.Broker == "" || len(r.Rows) == 0 {
		t.Errorf("%+v", r)
	}
	return r.Rows
}

func TestBenchFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--only", "decode,fly"}, "--only fly: there is no such part"},
		{[]string{"--parcels", "12"}, "--parcels 12: it must be a number from 1000"},
		{[]string{"--parcels", "1000,many"}, "--parcels many: it must be a number"},
		{[]string{"--world", "-1"}, "--world -1: it must be positive"},
	} {
		cmd := newBenchCommand()
		cmd.SetArgs(c.args)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
	f := benchFlags{only: "pipeline, decode", parcels: []string{"1000000", "10000000"}}
	if parts, err := f.parts(); err != nil || !slices.Equal(parts, []string{"decode", "pipeline"}) {
		t.Errorf("%v, %v", parts, err)
	}
	if s, err := f.sizes(); err != nil || !slices.Equal(s.parcels, []int{1_000_000, 10_000_000}) {
		t.Errorf("%v, %v", s.parcels, err)
	}
}
