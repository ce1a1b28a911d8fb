package detector

import (
	"encoding/binary"
	"flag"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"scantrail/schemas"
)

var warmFlag = flag.Bool("warm", true, "read ahead in the benchmarks of Apply")

var parcelsFlag = flag.Int("parcels", 100_000, "open parcels of the benchmarks")

// benchWorld makes records cheaply: n parcels on the same way, each scan of a
// parcel six hours after the one before.
type benchWorld struct {
	n      int
	number [16]byte
	r      schemas.Record
}

var benchWay = [...]schemas.Milestone{20, 30, 31, 40, 42, 50, 51, 55, 56, 60, 70, 72}

func (w *benchWorld) set(i int) string {
	copy(w.number[:], "LX000000000CN")
	for k := 9; k >= 2; k-- {
		w.number[k] = byte('0' + i%10)
		i /= 10
	}
	w.number[10] = checkDigit(w.number[2:10])
	return string(w.number[:13])
}

func (w *benchWorld) scan(i, k int) *schemas.Record {
	m := benchWay[k%len(benchWay)]
	number := w.set(i)
	h := uint64(i*1000+k) * 0x9e3779b97f4a7c15
	w.r.Kind, w.r.Forwarded = schemas.KindEvent, false
	e := &w.r.Event
	e.ParcelID, e.TrackingNumber = schemas.ParcelID(number), number
	for b := range 8 {
		e.FactID[b] = byte(h >> (56 - 8*b))
	}
	e.OccurredAt = testBase + int64(k)*6*3600_000 + int64(i%3600)*1000
	e.ReceivedAt = e.OccurredAt + 60_000
	e.Carrier, e.Facility, e.Country = "yunexpress", facilities[(i+k)%len(facilities)], "CN"
	e.Milestone, e.Physical, e.Progress, e.MappingVersion = m, m.Physical(), m.Progress(), 3
	e.OriginCountry, e.DestinationCountry = "CN", "GB"
	return &w.r
}

// batch makes the scans from i on, spread over the parcels.
func (w *benchWorld) batch(dst []schemas.Record, i int) {
	for k := range dst {
		dst[k] = *w.scan((i+k)*7919%w.n, 12+(i+k)/w.n)
		dst[k].Event.TrackingNumber = strings.Clone(dst[k].Event.TrackingNumber)
	}
}

var facilities = func() (f [500]string) {
	for i := range f {
		f[i] = fmt.Sprintf("FACILITY-%03d", i)
	}
	return f
}()

func (w *benchWorld) order(i, k int) *schemas.Record {
	kind := [...]schemas.OrderKind{1, 2, 3, 6, 4}[k]
	number := w.set(i)
	w.r.Kind, w.r.Forwarded = schemas.KindOrder, true
	w.r.Order = schemas.OrderFact{
		FactID: schemas.Hash(fmt.Appendf(nil, "%d/%d", i, k)), OrderID: fmt.Sprintf("5760%014d", i), ShopID: "shop-" + facilities[i%500],
		Kind: kind, At: testBase - int64(9-k)*3600_000, ReceivedAt: testBase, TrackingNumbers: []string{number},
	}
	switch kind {
	case schemas.OrderCreated:
		w.r.Order.Market, w.r.Order.PromiseAt = "GB", testBase+240*3600_000
	case schemas.OrderLabelCreated:
		w.r.Order.Carrier, w.r.Order.LabelSource = "yunexpress", "platform"
		w.r.Order.OriginCountry, w.r.Order.DestinationCountry = "CN", "GB"
	}
	return &w.r
}

const abreast = 5000

// filled returns a machine with n open parcels of 12 scans, and of an order
// with five facts where asked. The scans of 5,000 parcels at a time are
// interleaved, as those of carriers are.
func filled(b testing.TB, n int, orders bool) (*Machine, *benchWorld) {
	m, w := NewMachine(0, 1), &benchWorld{n: n}
	var out Output
	do := func(r *schemas.Record) {
		out.Reset()
		if err := m.Apply(m.Offset()+1, r, &out); err != nil {
			b.Fatal(err)
		}
	}
	p := policyRecord(1, schemas.DefaultPolicy())
	do(&p)
	tick := tickAt(testBase)
	do(&tick)
	for end := testBase + int64(len(benchWay)-1)*6*3600_000 + 3600_000; m.Clock() < end; {
		tick.Tick.At = m.Clock() + 600_000
		do(&tick)
	}
	var rows []schemas.ParcelRow
	for from := 0; from < n; from += abreast {
		for k := range benchWay {
			for i := from; i < min(from+abreast, n); i++ {
				if orders && k < 5 {
					do(w.order(i, k))
				}
				do(w.scan(i, k))
			}
		}
		do(&tick)
		rows = m.DirtyParcels(abreast, rows[:0])
		m.MarkParcelsWritten(rows)
	}
	return m, w
}

// BenchmarkApply adds scans to parcels of 12, with a tick every 5,000 scans as
// a partition that takes 1,000 a second sees them: the evaluation is included.
// No parcel has two scans between two ticks, so that each is judged once for
// each of its scans, and between two scans of a parcel the clock moves by six
// hours, as the scans do.
func BenchmarkApply(b *testing.B) {
	for _, tickEvery := range []int{5000, 1, 1 << 30} {
		b.Run(fmt.Sprintf("tick_every=%d", tickEvery), func(b *testing.B) { benchmarkApply(b, tickEvery) })
	}
}

func benchmarkApply(b *testing.B, tickEvery int) {
	m, w := filled(b, *parcelsFlag, false)
	var out Output
	tick := tickAt(0)
	step := max(int64(6*3600_000)*int64(tickEvery)/int64(w.n), 0)
	batch := make([]schemas.Record, 50_000)
	b.ReportAllocs()
	b.ResetTimer()
	var making time.Duration
	began := cpuTime()
	for i := range b.N {
		if i%len(batch) == 0 {
			b.StopTimer()
			from := cpuTime()
			w.batch(batch, i)
			making += cpuTime() - from
			b.StartTimer()
		}
		r := &batch[i%len(batch)]
		if i%WarmBatch == 0 && *warmFlag {
			warmNext(m, batch[i%len(batch):])
		}
		out.Reset()
		if err := m.Apply(m.Offset()+1, r, &out); err != nil {
			b.Fatal(err)
		}
		if i%tickEvery == 0 {
			tick.Tick.At = m.Clock() + step
			if err := m.Apply(m.Offset()+1, &tick, &out); err != nil {
				b.Fatal(err)
			}
			from := cpuTime()
			writeAll(m)
			making += cpuTime() - from
		}
	}
	b.ReportMetric(float64((cpuTime()-began-making).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// writeAll is as if all rows had been written.
func writeAll(m *Machine) {
	for _, i := range m.dirtyParcels.slots[m.dirtyParcels.head:] {
		m.entities.at(i).flags &^= entityDirty
		m.unwritten.drop(i)
	}
	m.dirtyParcels.slots, m.dirtyParcels.head = m.dirtyParcels.slots[:0], 0
}

// warmNext warms what the next records are about, by their keys, as the shell
// does.
func warmNext(m *Machine, next []schemas.Record) {
	var ids [WarmBatch]schemas.ID
	n := min(len(next), WarmBatch)
	for k := range n {
		ids[k] = schemas.ParcelID(next[k].Event.TrackingNumber)
	}
	m.Warm(ids[:n])
}

// cpuTime is what this process has used: on a machine that others use too, it
// says more than the time that has passed.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDue fires the at-risk deadline of every parcel.
func BenchmarkDue(b *testing.B) {
	var out Output
	alerts, spent := 0, time.Duration(0)
	for range b.N {
		b.StopTimer()
		m, _ := filled(b, *parcelsFlag, false)
		before := cpuTime()
		b.StartTimer()
		tick := tickAt(0)
		for end := m.Clock() + 40*3600_000; m.Clock() < end; {
			tick.Tick.At = m.Clock() + 5_000
			out.Reset()
			if err := m.Apply(m.Offset()+1, &tick, &out); err != nil {
				b.Fatal(err)
			}
			alerts += len(out.Alerts)
		}
		spent += cpuTime() - before
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(max(alerts, 1)), "cpu-ns/alert")
}

func BenchmarkSnapshot(b *testing.B) {
	m, _ := filled(b, *parcelsFlag, true)
	size := 0
	b.ResetTimer()
	began := cpuTime()
	for range b.N {
		size = 0
		if err := m.WriteSnapshot(900_000, func(c []byte) error { size += len(c); return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/float64(*parcelsFlag), "B/parcel")
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N)/float64(*parcelsFlag), "cpu-ns/parcel")
}

func BenchmarkRestore(b *testing.B) {
	m, _ := filled(b, *parcelsFlag, true)
	chunks := snapshotOf(b, m, 900_000)
	b.ResetTimer()
	began := cpuTime()
	for range b.N {
		restored(b, 0, 1, chunks)
	}
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N)/float64(*parcelsFlag), "cpu-ns/parcel")
}

func BenchmarkRows(b *testing.B) {
	m, _ := filled(b, *parcelsFlag, true)
	var rows []schemas.ParcelRow
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		rows = m.parcelRows(m.entities.at(uint32(i%*parcelsFlag)), rowState{}, rows[:0])
	}
}

// TestApplyAllocates nothing in a parcel that exists, ticks included.
func TestApplyAllocates(t *testing.T) {
	m, w := filled(t, 1000, false)
	var out Output
	tick := tickAt(m.Clock())
	next := 0
	step := func() {
		out.Reset()
		r := w.scan(next%1000, 12+next/1000)
		next++
		if err := m.Apply(m.Offset()+1, r, &out); err != nil {
			t.Fatal(err)
		}
		if err := m.Apply(m.Offset()+1, &tick, &out); err != nil {
			t.Fatal(err)
		}
	}
	w.set(0)
	base := testing.AllocsPerRun(1000, func() { w.scan(next%1000, 12) })
	for range 2000 {
		step()
	}
	if got := testing.AllocsPerRun(2000, step) - base; got > 0.05 { // pages of the arena
		t.Errorf("%.2f allocations per scan and tick", got)
	}
}

// BenchmarkTimers files every parcel once, over 36 hours, and takes all off again;
// with -parcels 50000000 it needs 2 GiB and some minutes.
func BenchmarkTimers(b *testing.B) {
	n := *parcelsFlag
	for range b.N {
		m := NewMachine(0, 1)
		m.entities.idOf = func(e *entity) (id schemas.ID) {
			binary.LittleEndian.PutUint64(id[:], uint64(e.opened)*0x9e3779b97f4a7c15)
			return id
		}
		m.entities.warm = func(*entity) {}
		for i := range uint32(n) {
			id := m.entities.idOf(&entity{opened: i})
			_, e := m.entities.add(&id)
			e.opened = i
		}
		now := uint32(testBase / 1000)
		m.timers.start(now)
		began := cpuTime()
		for i := range uint32(n) {
			m.arm(i, m.entities.at(i), now+i*2654435761%(36*3600))
		}
		armed := cpuTime()
		for minute := now / 60; minute <= now/60+36*60; minute++ {
			m.collect(minute, minute*60+60)
			m.due = m.due[:0]
		}
		b.ReportMetric(float64(m.timers.bytes())/float64(n), "B/timer")
		b.ReportMetric(float64((armed-began).Nanoseconds())/float64(n), "cpu-ns/filed")
		b.ReportMetric(float64((cpuTime()-armed).Nanoseconds())/float64(n), "cpu-ns/fired")
	}
}
