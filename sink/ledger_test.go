package sink

import (
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"scantrail/schemas"
)

// row is what a ledger says of one block when it is written.
type row struct {
	bucket, last int64
	counts       [counters]uint64
}

func rowOf(l *ledger) row { return row{l.bucket(), l.next - 1, l.counts} }

// However a partition is cut by restarts, the rows are the same, they chain,
// and records and holes add up to the offsets they cover.
func TestLedgerChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type step struct {
			to   int64
			kind counter
		}
		var steps []step
		first := rapid.Int64Range(0, 3*schemas.RangeSpan).Draw(t, "first")
		end := first
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			end += rapid.SampledFrom([]int64{1, 1, 1, 2, 17, schemas.RangeSpan - 1, schemas.RangeSpan, 3 * schemas.RangeSpan}).Draw(t, "ahead")
			steps = append(steps, step{end, counter(rapid.IntRange(0, int(holes)-1).Draw(t, "kind"))})
		}
		walk := func(restart bool) map[int64]row {
			rows := map[int64]row{}
			full := func(l *ledger) { rows[l.bucket()] = rowOf(l) }
			l, _ := ledgerAt(first)
			for _, s := range steps {
				l.skip(s.to, full)
				l.count(s.kind, full)
				if restart && rapid.Bool().Draw(t, "restart") {
					again, err := parseMetadata(l.metadata(), l.next)
					if err != nil {
						t.Fatal(err)
					}
					l = again
				}
			}
			full(l)
			return rows
		}
		want, got := walk(false), walk(true)
		next := blockStart(first)
		for ; next <= end; next += schemas.RangeSpan {
			r, ok := want[next]
			if !ok {
				t.Fatalf("block %d is missing", next)
			}
			if got[next] != r {
				t.Fatalf("block %d with restarts is %+v, without %+v", next, got[next], r)
			}
			var sum uint64
			for _, n := range r.counts {
				sum += n
			}
			if int64(sum) != r.last-r.bucket+1 {
				t.Fatalf("block %d holds %d offsets, covers %d", next, sum, r.last-r.bucket+1)
			}
		}
		if len(want) != len(got) || end != want[next-schemas.RangeSpan].last {
			t.Fatalf("%d blocks up to %d, with restarts %d; want up to %d", len(want), want[next-schemas.RangeSpan].last, len(got), end)
		}
	})
}

func TestParseMetadataErrors(t *testing.T) {
	l := &ledger{next: 10}
	l.counts[scans] = 10
	good := l.metadata()
	for _, c := range []struct {
		text   string
		offset int64
		want   string
	}{
		{"", 10, "not of this version"},
		{strings.Replace(good, metadataVersion, "v1", 1), 10, "not of this version"},
		{good + " 1", 10, "not of this version"},
		{good, 11, "not that of offset 11"},
		{strings.Replace(good, " 10 0 10 ", " 10 0 9 ", 1), 10, "does not add up"},
		{strings.Replace(good, " 10 0 10 ", " 10 0 x ", 1), 10, "invalid syntax"},
	} {
		if _, err := parseMetadata(c.text, c.offset); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q at %d: error %v, want %q", c.text, c.offset, err, c.want)
		}
	}
	if _, err := parseMetadata(good, 10); err != nil {
		t.Error(err)
	}
}

func TestScanMonths(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	var m scanMonths
	october := m.of(at("2026-10-01T00:00:00Z"))
	november := m.of(at("2026-11-01T00:00:00Z"))
	for s, want := range map[string]*scanBlock{
		"2026-10-31T23:59:59.999Z": october, "2026-11-30T23:59:59.999Z": november, "2026-10-15T12:00:00Z": october,
	} {
		if got := m.of(at(s)); got != want {
			t.Errorf("%s is in another block", s)
		}
	}
	if len(m.blocks) != 2 {
		t.Fatalf("%d blocks, want 2", len(m.blocks))
	}
	m.of(at("9999-12-31T00:00:00Z"))
	if m.of(maxMillis) != m.blocks[2].scanBlock {
		t.Error("a time beyond the range is not in the block of the last time that can be stored")
	}
	m.done()
	if got := m.of(at("2026-12-01T00:00:00Z")); got != october {
		t.Error("the buffers of a written block are not used again")
	}
}

// A record read twice after a rebalance counts once; a hole counts as one.
func TestCountOnce(t *testing.T) {
	metrics, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, m := newPending(metrics), newMembership("g", false, nil)
	add := func(offsets ...int64) {
		t.Helper()
		var records []*kgo.Record
		for _, o := range offsets {
			records = append(records, &kgo.Record{Offset: o, Value: encode(event(int(o)))[0]})
		}
		if err := p.addEvents(0, records, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.addEvents(0, []*kgo.Record{{}}, m); err != errNoLedger {
		t.Errorf("without a ledger: %v", err)
	}
	m.ledgers[0] = &ledger{}
	add(0, 1, 2)
	add(1, 2, 3)
	add(6)
	l := p.ledgers[0]
	if l.next != 7 || l.counts[scans] != 5 || l.counts[holes] != 2 {
		t.Errorf("ledger is %+v, want 5 scans and 2 holes up to 7", *l)
	}
	// Somebody else went on up to 100; a ledger from before is of no use.
	m.ledgers[0] = &ledger{next: 5}
	add(7)
	other := &ledger{next: 100}
	other.counts[scans] = 100
	m.ledgers[0] = other
	add(100)
	if l = p.ledgers[0]; l.next != 101 || l.counts[scans] != 101 || l.counts[holes] != 0 {
		t.Errorf("ledger is %+v, want 101 scans", *l)
	}
}

// TestLedgerClock: a tick that jumps moves the clock of blocks as it moves the
// detector's, by 10 minutes at most, and whoever goes on from a commit has the
// same. Only who has lost the commit's text begins with the first tick he reads.
func TestLedgerClock(t *testing.T) {
	metrics, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	const step = int64(600_000)
	jump := receivedAt + 5*3600_000
	ticks := []int64{receivedAt, jump, jump + 5000, jump + 4000, schemas.MaxClock + 1, jump + 9000}
	want := []int64{receivedAt, receivedAt + step, receivedAt + 2*step, receivedAt + 3*step, receivedAt + 3*step, receivedAt + 4*step}
	p, m := newPending(metrics), newMembership("g", false, nil)
	m.ledgers[0] = &ledger{}
	for i, at := range ticks {
		if err := p.addEvents(0, []*kgo.Record{{Offset: int64(i), Value: encode(tick(at))[0]}}, m); err != nil {
			t.Fatal(err)
		}
		l := p.ledgers[0]
		if l.tickAt != want[i] {
			t.Errorf("after tick %d the clock is %d s after the first, want %d", i, (l.tickAt-receivedAt)/1000, (want[i]-receivedAt)/1000)
		}
		p, m = newPending(metrics), newMembership("g", false, nil)
		m.begin(topicPartition{schemas.EventsTopic, 0}, l.next, l.metadata(), 0)
	}
	m = newMembership("g", false, slog.New(slog.DiscardHandler))
	if at := m.begin(topicPartition{schemas.EventsTopic, 0}, 1, "of another writer", 0); at != 0 || m.ledgers[0].tickAt != 0 {
		t.Errorf("without the text of the commit: from offset %d with clock %d, want the start of the block and none", at, m.ledgers[0].tickAt)
	}
}

// benchRecords returns n records of parcel.events as they are polled.
func benchRecords(n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Offset: int64(i), Value: encode(event(i))[0]}
	}
	return records
}

func TestAddEventsDoesNotAllocate(t *testing.T) {
	metrics, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, m := newPending(metrics), newMembership("g", false, nil)
	records := benchRecords(1000)
	run := func() {
		p.ledgers[0] = &ledger{}
		if err := p.addEvents(0, records, m); err != nil {
			t.Fatal(err)
		}
		for len(p.months.blocks) > 0 {
			p.months.done()
		}
	}
	run()
	if n := testing.AllocsPerRun(20, run); n > 10 {
		t.Errorf("%.0f allocations for 1,000 scans, want at most 10", n)
	}
}

func BenchmarkAddEvents(b *testing.B) {
	metrics, err := newMetrics(nil)
	if err != nil {
		b.Fatal(err)
	}
	p, m := newPending(metrics), newMembership("g", false, nil)
	records := benchRecords(10_000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		p.ledgers[0] = &ledger{}
		if err := p.addEvents(0, records, m); err != nil {
			b.Fatal(err)
		}
		p.months.done()
		n += len(records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/scan")
}

// cpuTime is what the process has used so far, the embedded engine included.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInsertScans compares the own encoding of blocks with the driver's
// batches. CPU is that of everything: decoding, encoding, gateway, engine and
// merges.
func BenchmarkInsertScans(b *testing.B) {
	for _, batches := range []bool{false, true} {
		b.Run(map[bool]string{false: "encoded", true: "batch"}[batches], func(b *testing.B) {
			conn := migrated(b)
			if batches {
				conn = compressing{conn}
			}
			metrics, err := newMetrics(nil)
			if err != nil {
				b.Fatal(err)
			}
			p, m := newPending(metrics), newMembership("g", false, nil)
			p.ledgers[0] = &ledger{}
			records := benchRecords(100_000)
			b.ReportAllocs()
			n, cpu := 0, cpuTime(b)
			for b.Loop() {
				for _, r := range records {
					r.Offset = int64(n)
					n++
				}
				if err := p.addEvents(0, records, m); err != nil {
					b.Fatal(err)
				}
				p.seal()
				if err := p.write(b.Context(), conn); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(cpuTime(b)-cpu)/float64(n), "cpu-ns/row")
		})
	}
}
