package world

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/xxh3"
)

// emitted runs a world up to an instant and returns the hash and number of its
// records.
func emitted(t *testing.T, w *World, until time.Time) (uint64, int) {
	t.Helper()
	h, n := xxh3.New(), 0
	if err := w.Emit(until, func(r Record) error {
		h.WriteString(r.Topic)
		h.Write(r.Key)
		h.Write(r.Value)
		h.WriteString(r.At.String())
		n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return h.Sum64(), n
}

func TestSameSeedSameBytes(t *testing.T) {
	c := Config{Seed: 7, Parcels: 500}
	w := New(c)
	a, n := emitted(t, w, w.Config().To)
	b, _ := emitted(t, New(c), w.Config().To)
	if a != b || n == 0 {
		t.Fatalf("two worlds of one seed differ after %d records", n)
	}
	w.Rewind()
	if again, _ := emitted(t, w, w.Config().To); again != a {
		t.Error("a rewound world emits something else")
	}
	c.Seed = 8
	if other, _ := emitted(t, New(c), w.Config().To); other == a {
		t.Error("two seeds give the same bytes")
	}
}

func TestEmitGoesOn(t *testing.T) {
	c := Config{Seed: 3, Parcels: 400}
	whole := New(c)
	to := whole.Config().To
	want := []string{}
	collect := func(r Record) error {
		want = append(want, r.At.String()+r.Topic+string(r.Value))
		return nil
	}
	if err := whole.Emit(to.Add(20*24*time.Hour), collect); err != nil {
		t.Fatal(err)
	}
	w, got := New(c), 0
	broken := errors.New("broken")
	for at := whole.Config().From; !at.After(to.Add(20 * 24 * time.Hour)); at = at.Add(7 * time.Hour) {
		for failed := false; ; {
			err := w.Emit(at, func(r Record) error {
				if got%500 == 3 && !failed {
					failed = true
					return broken
				}
				if s := r.At.String() + r.Topic + string(r.Value); s != want[got] {
					t.Fatalf("record %d is\n%s\nwant\n%s", got, s, want[got])
				}
				failed = false
				got++
				return nil
			})
			if err == nil {
				break
			}
			if !errors.Is(err, broken) {
				t.Fatal(err)
			}
		}
	}
	if got < len(want)-20 {
		t.Errorf("%d records in steps, %d at once", got, len(want))
	}
}

// What the truth counts is what is emitted, in order, readable or rubbish as it
// says.
func TestEmissionIsOrderedAndComplete(t *testing.T) {
	w := New(Config{Seed: 11, Parcels: 1500})
	truth := w.Truth()
	var last time.Time
	var orders, raw, unreadable, layouts, found int
	var doc struct{ Heartbeat *struct{ Seq int } }
	err := w.Emit(w.Config().To, func(r Record) error {
		if r.At.Before(last) || r.At.After(w.Config().To) || r.At.Before(w.Config().From) {
			t.Fatalf("a record of %v follows one of %v", r.At, last)
		}
		last = r.At
		switch {
		case r.Topic == OrdersTopic:
			orders++
			if !json.Valid(r.Value) {
				t.Fatalf("not JSON: %s", r.Value)
			}
			return nil
		case !strings.HasPrefix(r.Topic, "scans.raw."):
			t.Fatalf("topic %q", r.Topic)
		}
		raw++
		doc.Heartbeat = nil
		switch {
		case r.Value[0] == '{' && !json.Valid(r.Value), r.Value[0] == '<' && !validXML(r.Value):
			unreadable++
		case r.Value[0] == '{' && json.Unmarshal(r.Value, &doc) == nil && doc.Heartbeat != nil:
			layouts++
		case isNotFound(r.Value):
			found++
		case !bytes.Contains(r.Value, r.Key):
			t.Fatalf("no number %s in %s", r.Key, r.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if orders != truth.OrderRecords || raw != truth.RawRecords {
		t.Errorf("emitted %d order facts and %d raw records, the truth counts %d and %d", orders, raw, truth.OrderRecords, truth.RawRecords)
	}
	d := truth.DeadLetters
	if unreadable != d["truncated"] || layouts != d["unknown_layout"] || found != d["not_found"] || unreadable*layouts*found == 0 {
		t.Errorf("rubbish: %d unreadable, %d unknown, %d not found; the truth counts %v", unreadable, layouts, found, d)
	}
}

func validXML(b []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); err == io.EOF {
			return true
		} else if err != nil {
			return false
		}
	}
}

func isNotFound(b []byte) bool {
	return bytes.Contains(b, []byte("No Pin History")) || bytes.Contains(b, []byte("No Shipments Found")) ||
		bytes.Contains(b, []byte(`"data":[]`)) || bytes.Contains(b, []byte("TV1002")) || bytes.Contains(b, []byte("<Error>"))
}

func TestPlansHold(t *testing.T) {
	w := New(Config{Seed: 5, Parcels: 4000})
	var p plan
	numbers := map[string]bool{}
	edges, naive := 0, 0
	for i := range w.config.Parcels {
		w.plan(&p, i)
		if p.dropped > 0 {
			t.Fatalf("parcel %d: %d things found no room", i, p.dropped)
		}
		if numbers[string(p.Number())] {
			t.Fatalf("number %s is given twice", p.Number())
		}
		numbers[string(p.Number())] = true
		if w.onEdge(&p) {
			edges++
		}
		if p.emissions[0].at < w.start(i) {
			t.Fatalf("parcel %d is heard of before its start", i)
		}
		seen := map[scan]bool{}
		for _, s := range p.scans[:p.nScans] {
			if s.at > s.emit || s.stated == s.at && s.stated > s.emit {
				t.Fatalf("parcel %d: scan of %d is reported at %d", i, s.at, s.emit)
			}
			if s.emit > w.to-guard && s.emit <= w.to+guard {
				t.Fatalf("parcel %d: a report at the very instant of the truth", i)
			}
			if (s.feed == usps) && s.at%60 != 0 {
				t.Fatalf("parcel %d: USPS reports to the minute", i)
			}
			if s.feed == dhlExpress && s.stated == s.at && w.summer.ambiguous(places[s.place].zone, s.at) {
				naive++
			}
			key := scan{stated: s.stated, feed: s.feed, code: s.code, place: s.place}
			if seen[key] {
				t.Fatalf("parcel %d: two scans cannot be told apart", i)
			}
			seen[key] = true
		}
	}
	if edges > 0 || naive > 0 {
		t.Errorf("%d parcels on the edge, %d ambiguous local times", edges, naive)
	}
}

func TestEnoughOfEach(t *testing.T) {
	for seed := range uint64(4) {
		truth := New(Config{Seed: seed}).Truth()
		for rule, least := range map[string]int{RuleGap48: 100, RuleGap72: 100, RuleMilestoneMissing: 150} {
			if n := truth.CasesOf(rule); n < least {
				t.Errorf("seed %d: %d cases of %s, want at least %d", seed, n, rule, least)
			}
		}
		missing := truth.Missing()
		for _, m := range required {
			if missing[m.name] < 50 {
				t.Errorf("seed %d: %d cases of %s missing, want at least 50", seed, missing[m.name], m.name)
			}
		}
		if share := float64(truth.ParcelsWithCases) / float64(truth.Parcels); share > 0.3 {
			t.Errorf("seed %d: %.0f %% of the parcels have a case", seed, 100*share)
		}
		wrong := float64(len(truth.WrongZone)) / float64(truth.DistinctScans)
		if math.Abs(wrong-0.002) > 0.001 || truth.Duplicates < 1000 || truth.Unmapped < 100 || truth.Late < 300 {
			t.Errorf("seed %d: too little or too much noise: %d wrong zones, %d duplicates, %d unmapped, %d late of %d", seed,
				len(truth.WrongZone), truth.Duplicates, truth.Unmapped, truth.Late, truth.DistinctScans)
		}
	}
}

func TestCodesOfAMilestoneStandTogether(t *testing.T) {
	for f := range codes {
		for m, s := range spans[f] {
			for i := range s.n {
				if c := codes[f][s.first+i]; int(c.milestone) != m {
					t.Errorf("%s: %s stands among the codes of milestone %d", feedNames[f], c.code, m)
				}
			}
		}
	}
}

func TestNoiseOff(t *testing.T) {
	w := New(Config{Parcels: 800, WrongZone: -1, Late: -1, Duplicates: -1, Cumulative: -1, Unmapped: -1, Rubbish: -1, Outages: -1})
	truth := w.Truth()
	if len(truth.WrongZone)+truth.Duplicates+truth.Unmapped+truth.Late+len(truth.DeadLetters)+len(w.Outages()) != 0 {
		t.Errorf("noise that was turned off: %+v", truth.DeadLetters)
	}
	if truth.RawRecords != truth.DistinctScans || truth.Scans != truth.DistinctScans {
		t.Errorf("%d records, %d scans, %d distinct", truth.RawRecords, truth.Scans, truth.DistinctScans)
	}
}

func TestOutage(t *testing.T) {
	w := New(Config{Seed: 1, Parcels: 3000})
	if len(w.Outages()) == 0 {
		t.Fatal("no outage in 45 days")
	}
	o := w.Outages()[0]
	during, after := 0, 0
	if err := w.Emit(w.Config().To, func(r Record) error {
		switch {
		case r.Topic != "scans.raw."+o.Carrier:
		case !r.At.Before(o.From) && r.At.Before(o.To):
			during++
		case !r.At.Before(o.To) && r.At.Before(o.To.Add(30*time.Minute)):
			after++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if during > 2 || after < 50 { // rubbish does not wait
		t.Errorf("%s sent %d records in its outage and %d as its backlog", o.Carrier, during, after)
	}
}

func TestWriteTo(t *testing.T) {
	truth := New(Config{Parcels: 600}).Truth()
	var out bytes.Buffer
	n, err := truth.WriteTo(&out)
	if err != nil || n != int64(out.Len()) {
		t.Fatalf("%d bytes, %d said, %v", out.Len(), n, err)
	}
	lines := map[string]int{}
	d := json.NewDecoder(&out)
	for {
		var line struct{ Kind, Rule string }
		if err := d.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		lines[line.Kind]++
	}
	if lines["summary"] != 1 || lines["shop"] != 24 || lines["case"] != len(truth.Cases) || len(truth.Cases) == 0 {
		t.Errorf("lines %v for %d cases", lines, len(truth.Cases))
	}
}

func TestEmitDoesNotAllocate(t *testing.T) {
	w := New(Config{Parcels: 20_000})
	stop := errors.New("stop")
	n := 0
	some := func(Record) error {
		if n++; n%2000 == 0 {
			return stop
		}
		return nil
	}
	for range 30 { // let the buffers and the queue grow
		_ = w.Emit(w.Config().To, some)
	}
	allocs := testing.AllocsPerRun(10, func() { _ = w.Emit(w.Config().To, some) })
	if allocs > 20 { // of 2,000 records
		t.Errorf("%v allocations for 2,000 records", allocs)
	}
}

func BenchmarkEmit(b *testing.B) {
	w := New(Config{Parcels: 300_000})
	b.ReportAllocs()
	stop := errors.New("enough")
	n, size := 0, int64(0)
	for n < b.N {
		if w.Emit(w.Config().To, func(r Record) error {
			n++
			size += int64(len(r.Value))
			if n >= b.N {
				return stop
			}
			return nil
		}) == nil {
			w.Rewind()
		}
	}
	b.SetBytes(size / int64(n))
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(w.InFlight()), "in-flight")
}

func BenchmarkTruth(b *testing.B) {
	w := New(Config{Parcels: 10_000})
	for b.Loop() {
		w.Truth()
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "parcels/s")
}
