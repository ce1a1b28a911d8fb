package stopwatch

import (
	"embed"
	standard "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/encoding/json"

	"scantrail/bench/world"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// samples are records in the formats that the simulated world does not speak.
//
//go:embed samples
var samples embed.FS

// raw is one raw record.
type raw struct {
	carrier string
	value   []byte
}

// sample is a set of raw records that are decoded one after the other.
type sample struct {
	name    string
	json    bool
	records []raw
	scans   int64
}

// Decode measures carriers' records becoming canonical events, one core, each
// sample for budget of CPU. times_json_valid compares with encoding/json.Valid
// on the same bytes, times_fast_valid with the faster parser that the decoder is
// built on.
func Decode(reg *carriers.Registry, budget time.Duration) ([]Row, error) {
	all, err := decodeSamples(reg)
	if err != nil {
		return nil, err
	}
	d := reg.NewDecoder(carriers.Limits{})
	var rows []Row
	for _, s := range all {
		row, err := s.measure(d, budget)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (s *sample) measure(d *carriers.Decoder, budget time.Duration) (Row, error) {
	size := 0
	for _, r := range s.records {
		size += len(r.value)
	}
	times, lap, err := repeat(budget, func() error {
		for i := range s.records {
			d.Decode(s.records[i].carrier, s.records[i].value, carriers.Source{})
		}
		return nil
	})
	if err != nil {
		return Row{}, err
	}
	n := times * s.scans
	m := Metrics{
		{"cpu_ns_per_scan", lap.CPUNanos(n)}, {"scans_per_cpu_second", lap.PerCPUSecond(n)},
		{"allocs_per_scan", float64(lap.Mallocs) / float64(n)}, {"bytes_per_scan", float64(size) / float64(s.scans)},
		{"scans_per_record", float64(s.scans) / float64(len(s.records))},
	}
	if s.json {
		for _, v := range []struct {
			name  string
			valid func([]byte) bool
		}{{"times_json_valid", standard.Valid}, {"times_fast_valid", json.Valid}} {
			again, took, err := s.valid(budget, v.valid)
			if err != nil {
				return Row{}, err
			}
			m = append(m, Metric{v.name, lap.CPUNanos(times) / max(took.CPUNanos(again), 1)})
		}
	}
	return Row{"decode", s.name, m}, nil
}

// valid times the yardstick on the sample's bytes.
func (s *sample) valid(budget time.Duration, valid func([]byte) bool) (int64, Lap, error) {
	return repeat(budget, func() error {
		for i := range s.records {
			if !valid(s.records[i].value) {
				return fmt.Errorf("sample %s is not JSON", s.name)
			}
		}
		return nil
	})
}

func decodeSamples(reg *carriers.Registry) ([]sample, error) {
	all := []sample{
		{name: "JSON, one scan (yunexpress)", json: true}, {name: "JSON, one scan (ups)", json: true},
		{name: "JSON, list (cainiao)", json: true}, {name: "JSON, list (17track)", json: true},
		{name: "XML (usps)"}, {name: "the simulated world, all carriers"},
	}
	d := reg.NewDecoder(carriers.Limits{})
	err := eachRaw(world.New(world.Config{Seed: 1, Parcels: 500, Rubbish: -1}), func(carrier string, value []byte) error {
		r := raw{carrier, value}
		n := int64(len(d.Decode(carrier, value, carriers.Source{}).Events))
		xml := value[0] == '<'
		for i, fits := range []bool{
			carrier == "yunexpress" && n == 1, carrier == "ups" && n == 1,
			carrier == "cainiao" && n > 1, carrier == "17track" && n > 1, carrier == "usps" && xml, true,
		} {
			if fits && n > 0 {
				all[i].records, all[i].scans = append(all[i].records, r), all[i].scans+n
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range []struct{ name, carrier, file string }{
		{"EPCIS, JSON (gs1_epcis)", "gs1_epcis", "gs1_epcis.json"}, {"EDIFACT (edifact_iftsta)", "edifact_iftsta", "edifact_iftsta.edi"},
		{"X12 (x12_214)", "x12_214", "x12_214.x12"}, {"CSV (usps_extract)", "usps_extract", "usps_extract.csv"},
	} {
		value, err := samples.ReadFile("samples/" + f.file)
		if err != nil {
			return nil, err
		}
		s := sample{name: f.name, json: strings.HasSuffix(f.file, ".json")}
		n := int64(len(d.Decode(f.carrier, value, carriers.Source{}).Events))
		for range 64 { // so that a round outlasts a look at the clock
			s.records, s.scans = append(s.records, raw{f.carrier, value}), s.scans+n
		}
		all = append(all, s)
	}
	for _, s := range all {
		if s.scans == 0 {
			return nil, fmt.Errorf("sample %s holds no scan: the carrier's mapping does not read it", s.name)
		}
	}
	slices.SortStableFunc(all, func(a, b sample) int { // those with the same figures stand together
		switch {
		case a.json == b.json:
			return 0
		case a.json:
			return -1
		}
		return 1
	})
	return all, nil
}

// errEnough ends a world early.
var errEnough = errors.New("enough")

// eachRaw calls f with the raw records of a world, which f may keep.
func eachRaw(w *world.World, f func(carrier string, value []byte) error) error {
	err := w.Emit(w.Config().To, func(r world.Record) error {
		carrier, ok := strings.CutPrefix(r.Topic, schemas.RawTopicPrefix)
		if !ok {
			return nil
		}
		return f(carrier, append([]byte(nil), r.Value...))
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
