package detector

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

func apply(t testing.TB, m *Machine, r schemas.Record) Output {
	t.Helper()
	var out Output
	if err := m.Apply(m.Offset()+1, &r, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func tickAt(ms int64) schemas.Record {
	return schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: ms}}
}

func scanOf(number string, n int, at int64, m schemas.Milestone) schemas.Record {
	return schemas.Record{Kind: schemas.KindEvent, Event: schemas.Event{
		ParcelID: schemas.ParcelID(number), TrackingNumber: number, FactID: schemas.Hash(fmt.Appendf(nil, "%s/%d", number, n)),
		Carrier: "acme", OccurredAt: at, ReceivedAt: at, Milestone: m, Physical: m.Physical(), Progress: m.Progress(),
	}}
}

func ready(t testing.TB) *Machine {
	m := NewMachine(0, 1)
	apply(t, m, policyRecord(1, plainPolicy))
	apply(t, m, tickAt(testBase))
	return m
}

func TestClock(t *testing.T) {
	m := NewMachine(0, 1)
	for _, step := range []struct{ at, want int64 }{
		{0, 0}, {-5, 0}, {math.MaxInt64, 0}, {testBase, testBase}, {testBase - 1, testBase}, {testBase + 1, testBase + 1},
		{testBase + 3600_000, testBase + 600_001}, {math.MaxInt64, testBase + 600_001},
	} {
		apply(t, m, tickAt(step.at))
		if m.Clock() != step.want {
			t.Errorf("tick %d: clock %d, want %d", step.at, m.Clock(), step.want)
		}
	}
}

func TestInvariants(t *testing.T) {
	m := NewMachine(7, 1)
	var out Output
	tick := tickAt(testBase)
	if err := m.Apply(5, &tick, &out); err != nil {
		t.Fatal(err)
	}
	if err := m.Apply(5, &tick, &out); err == nil || !strings.Contains(err.Error(), "offset 5 after 5") {
		t.Errorf("repeated offset: %v", err)
	}
	bad := policyRecord(1, "name: x\n")
	if err := m.Apply(6, &bad, &out); err == nil || !strings.Contains(err.Error(), "control record 1") {
		t.Errorf("bad policy: %v", err)
	}
	for i, r := range []schemas.Record{{}, {Kind: schemas.KindRange}, {Kind: schemas.KindAlias}, {Kind: 99}} {
		if err := m.Apply(int64(7+i), &r, &out); err != nil {
			t.Errorf("kind %d: %v", r.Kind, err)
		}
	}
	if _, _, n := m.Parcels(); n != 0 || m.Clock() != testBase || len(out.Alerts) != 0 {
		t.Error("records without meaning here changed something")
	}
}

func TestQuarantine(t *testing.T) {
	m := ready(t)
	apply(t, m, scanOf("P10000", 0, testBase-100*3600_000, schemas.Accepted))
	if out := apply(t, m, tickAt(testBase+1)); len(out.Alerts) != 1 || out.Alerts[0].Status != schemas.AlertEscalated {
		t.Fatalf("alerts %+v", out.Alerts)
	}
	var last Output
	for i := 1; i <= MaxFacts; i++ {
		last = apply(t, m, scanOf("P10000", i, testBase-200*3600_000-int64(i)*1000, schemas.InTransit))
		if got := len(last.Gaps); got != i/MaxFacts {
			t.Fatalf("fact %d: %d gaps", i+1, got)
		}
	}
	if g := last.Gaps[0]; g.TrackingNumber != "P10000" || g.Reason != reasonFacts {
		t.Errorf("gap %+v", g)
	}
	if len(last.Alerts) != 1 || last.Alerts[0].Status != schemas.AlertWithdrawn {
		t.Errorf("at quarantine: %+v", last.Alerts)
	}
	after := apply(t, m, scanOf("P10000", 999, testBase, schemas.Delivered))
	later := apply(t, m, tickAt(testBase+600_000))
	if len(after.Gaps)+len(after.Alerts)+len(later.Alerts)+len(later.Statuses) != 0 {
		t.Errorf("a frozen parcel spoke: %+v %+v", after, later)
	}
	rows := m.DirtyParcels(10, nil)
	if len(rows) != 1 || rows[0].Facts != MaxFacts+1 {
		t.Errorf("rows %+v", rows)
	}
}

// TestQuarantinedByHandover hands over an alert that both homes know, and one that
// they do not, by the ninth other number: one version says one thing of each.
func TestQuarantinedByHandover(t *testing.T) {
	const number, at = "P10000", testBase - 100*3600_000
	m := ready(t)
	apply(t, m, scanOf(number, 0, at, schemas.Accepted))
	apply(t, m, tickAt(testBase+1))
	own := schemas.ParcelID(number)
	var others []string
	for i := 0; len(others) <= maxLinks; i++ {
		other := fmt.Sprintf("Q%05d", i)
		if id := schemas.ParcelID(other); bytes.Compare(id[:], own[:]) > 0 {
			others = append(others, other)
		}
	}
	for _, other := range others[:maxLinks] {
		apply(t, m, schemas.Record{Kind: schemas.KindAlias, Alias: schemas.Alias{TrackingNumber: number, OtherNumber: other}})
	}
	gap := func(number string) schemas.HandedAlert {
		sec := seconds(at)
		return schemas.HandedAlert{Family: uint8(gapFamily), Status: schemas.AlertEscalated, Level: 2, TrackingNumber: number, Anchor: sec, Opened: sec + 72*3600}
	}
	out := apply(t, m, schemas.Record{Kind: schemas.KindHandover, Forwarded: true, Home: number,
		Handover: schemas.Handover{TrackingNumber: others[maxLinks], Alerts: []schemas.HandedAlert{gap(number), gap(others[maxLinks])}}})
	if len(out.Gaps) != 1 || len(out.Alerts) != 2 {
		t.Fatalf("%d quarantined, alerts %+v", len(out.Gaps), out.Alerts)
	}
	for i, number := range []string{number, others[maxLinks]} {
		if a := &out.Alerts[i]; a.AlertID != AlertID("gap", number, at/1000) || a.Status != schemas.AlertWithdrawn || (a.Carrier == "acme") != (i == 0) {
			t.Errorf("of %s: %+v", number, a)
		}
	}
}

func TestQuarantineOrders(t *testing.T) {
	m := ready(t)
	fact := func(i int, numbers ...string) schemas.Record {
		return schemas.Record{Kind: schemas.KindOrder, Order: schemas.OrderFact{
			FactID: schemas.Hash(fmt.Append(nil, i)), ShopID: "s", OrderID: "o", Kind: schemas.OrderLabelCreated, At: testBase + int64(i)*1000, TrackingNumbers: numbers,
		}}
	}
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("NUMBER%04d", i))
	}
	if out := apply(t, m, fact(0, many...)); len(out.Gaps) != 1 || len(out.Forwards) != 0 || out.Gaps[0].OrderID != "o" {
		t.Errorf("%d gaps, %d forwards", len(out.Gaps), len(out.Forwards))
	}
	if out := apply(t, m, fact(1, "NUMBER0000")); len(out.Gaps)+len(out.Forwards) != 0 {
		t.Error("a frozen order spoke")
	}
	rows := m.DirtyOrders(10, nil)
	if len(rows) != 1 || rows[0].Facts != MaxFacts+1 || rows[0].OrderID != "o" {
		t.Errorf("rows %+v", rows)
	}
	for i := range MaxFacts + 1 {
		r := fact(1000 + i)
		r.Forwarded, r.Order.TrackingNumbers = true, []string{"P10000"}
		if out := apply(t, m, r); len(out.Gaps) != i/MaxFacts {
			t.Fatalf("order fact %d of a parcel: %d gaps", i, len(out.Gaps))
		}
	}
}

// TestNumbers: numbers that are none are no parcels of an order, one that is
// repeated is one parcel.
func TestNumbers(t *testing.T) {
	m := ready(t)
	out := apply(t, m, schemas.Record{Kind: schemas.KindOrder, Order: schemas.OrderFact{
		FactID: schemas.Hash([]byte("x")), ShopID: "s", OrderID: "o", Kind: schemas.OrderLabelCreated, At: testBase,
		TrackingNumbers: []string{"ABCDEF1", "?", "ABCDEF1", "", strings.Repeat("9", 41), "ABCDEF2"},
	}})
	if len(out.Forwards) != 2 || out.Forwards[0].Key != "ABCDEF1" || out.Forwards[1].Key != "ABCDEF2" {
		t.Errorf("forwards %+v", out.Forwards)
	}
}

// TestDirtyRows: rows come until they are marked as written in the version that
// the parcel still has.
func TestDirtyRows(t *testing.T) {
	m := ready(t)
	for i := range 5 {
		apply(t, m, scanOf(fmt.Sprint("P1000", i), 0, testBase, schemas.Accepted))
	}
	apply(t, m, tickAt(testBase+1))
	first := m.DirtyParcels(3, nil)
	if len(first) != 3 || len(m.DirtyParcels(10, nil)) != 5 {
		t.Fatalf("%d rows, want 3", len(first))
	}
	kept := fmt.Sprintf("%+v", first)
	apply(t, m, scanOf("P10001", 1, testBase+1000, schemas.Delivered))
	apply(t, m, tickAt(testBase+2000))
	m.MarkParcelsWritten(first)
	if fmt.Sprintf("%+v", first) != kept {
		t.Error("rows changed after they were handed out")
	}
	var left []string
	for _, r := range m.DirtyParcels(10, first) {
		left = append(left, r.TrackingNumber)
	}
	if got := strings.Join(left[3:], " "); got != "P10003 P10004 P10001" {
		t.Errorf("still dirty: %s", got)
	}
	m.MarkParcelsWritten(m.DirtyParcels(10, nil))
	if len(m.DirtyParcels(10, nil)) != 0 || m.dirtyParcels.len() != 0 {
		t.Error("rows left")
	}
	m.MarkParcelsWritten(first) // an unknown or old row does nothing
}

// TestForgetsWarnings: a warning that came to nothing leaves nothing behind.
func TestForgetsWarnings(t *testing.T) {
	m := ready(t)
	for i := range 10 {
		at := testBase - int64(400-40*i)*3600_000
		apply(t, m, scanOf("P10000", i, at, schemas.InTransit))
	}
	apply(t, m, tickAt(testBase+1))
	apply(t, m, scanOf("P10000", 99, testBase, schemas.InTransit))
	out := apply(t, m, tickAt(testBase+2))
	if len(out.Alerts) != 1 || out.Alerts[0].Status != schemas.AlertWithdrawn || out.Alerts[0].OpenedAt != 0 {
		t.Errorf("alerts %+v", out.Alerts)
	}
	if p := m.entities.at(0); p.is(entityAlerts) {
		t.Error("alerts kept")
	}
}

// TestTimerHorizon: a deadline beyond the calendar fires on its second too.
func TestTimerHorizon(t *testing.T) {
	m := NewMachine(0, 1)
	text := strings.NewReplacer("at_risk: 36h", "at_risk: 800h", "open: 48h", "open: 900h", "escalate: 72h", "escalate: 1000h").Replace(plainPolicy)
	apply(t, m, policyRecord(1, text))
	apply(t, m, tickAt(testBase))
	apply(t, m, scanOf("P10000", 0, testBase, schemas.OriginFacilityArrived))
	var got []string
	for at := testBase; at <= testBase+1001*3600_000; at += 300_000 {
		for _, a := range apply(t, m, tickAt(at)).Alerts {
			got = append(got, a.Status.String()+" "+(time.Duration(a.ChangedAt-testBase)*time.Millisecond).String())
		}
	}
	if want := "at_risk 800h0m0s, open 900h0m0s, escalated 1000h0m0s"; strings.Join(got, ", ") != want {
		t.Errorf("have %v, want %s", got, want)
	}
}

// TestEarlierDeadline: a parcel that is filed for later is looked at in time
// when a new fact brings its deadline forward.
func TestEarlierDeadline(t *testing.T) {
	m := ready(t)
	text := strings.Replace(plainPolicy, "after: 168h", "after: 1h", 1)
	apply(t, m, policyRecord(2, text))
	r := scanOf("P10000", 0, testBase, schemas.ExportCustomsStarted)
	r.Event.OriginCountry, r.Event.DestinationCountry = "CN", "US"
	apply(t, m, r)
	apply(t, m, tickAt(testBase+1000))
	apply(t, m, scanOf("P10000", 1, testBase+60_000, schemas.Accepted))
	apply(t, m, tickAt(testBase+61_000))
	for at := testBase + 120_000; ; at += 1000 {
		if out := apply(t, m, tickAt(at)); len(out.Alerts) > 0 {
			if at != testBase+60_000+3600_000+1000 || out.Alerts[0].Rule != schemas.RuleMilestoneMissing {
				t.Errorf("after %d s: %+v", (at-testBase)/1000, out.Alerts)
			}
			return
		}
	}
}

// TestPolicies: more policies than there is room for do not stop the partition.
func TestPolicies(t *testing.T) {
	m := ready(t)
	for i := range 600 {
		number := fmt.Sprintf("P1%04d", i)
		apply(t, m, scanOf(number, 0, testBase, schemas.Delivered))
		apply(t, m, tickAt(testBase+int64(i)))
		apply(t, m, policyRecord(uint32(10+i), strings.Replace(plainPolicy, "name: default", fmt.Sprintf("name: p%d", i), 1)))
	}
	if m.Policy("p599") == nil {
		t.Error("the policy in force is not the last one")
	}
	again := restored(t, 0, 1, snapshotOf(t, m, 1<<16))
	if again.Policy("p599") == nil {
		t.Error("the policy in force after a restore is not the last one")
	}
	if open, closed, total := again.Parcels(); open != 0 || closed != 600 || total != 600 {
		t.Errorf("parcels %d %d %d", open, closed, total)
	}
}

// TestDictionaries: beyond their bounds names become empty, nothing else
// changes.
func TestDictionaries(t *testing.T) {
	p := newPlaces()
	for i := range maxEntries + 5000 {
		p.of(place{carrier: "c", facility: fmt.Sprint(i)})
	}
	if n := p.of(place{carrier: "c", facility: "another", country: 5, mapping: 3}); p.list[n] != (place{carrier: "c", country: 5, mapping: 3}) {
		t.Errorf("a late place is %+v", p.list[n])
	}
	for i := range maxEntries + 5000 {
		p.of(place{carrier: fmt.Sprint(i)})
	}
	if n := p.of(place{carrier: "new"}); n != 0 || len(p.list) != maxEntries {
		t.Errorf("place %d of %d", n, len(p.list))
	}
	texts := newTexts()
	for i := range maxEntries + 10 {
		texts.of(fmt.Sprint(i))
	}
	if texts.of("new") != 0 || texts.of("5") != 6 || len(texts.list) != maxEntries {
		t.Error("texts")
	}
}

func TestCountries(t *testing.T) {
	for c := range strings.FieldsSeq(schemas.CustomsUnion) {
		if got := countryName(packCountry(c)); got != c {
			t.Errorf("%s comes back as %s", c, got)
		}
	}
	for _, bad := range []string{"", "C", "cn", "CHN", "C1"} {
		if packCountry(bad) != 0 {
			t.Errorf("%q is a country", bad)
		}
	}
	if countryName(packCountry("ZZ")) != "ZZ" || countryName(packCountry("AA")) != "AA" {
		t.Error("ends of the range")
	}
}

// TestArena frees and takes blocks at random and expects none to overlap.
func TestArena(t *testing.T) {
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		var a arena
		live := map[uint32]byte{}
		for i := range 3000 {
			if rng.IntN(5) < 3 || len(live) == 0 {
				size := rng.IntN(rng.IntN(3000) + 1)
				ref := a.alloc(size)
				if _, taken := live[ref]; taken || ref == 0 || len(a.block(ref)) < size {
					t.Fatalf("block %d of %d bytes", ref, size)
				}
				if held := a.held(ref, size); size > 0 && (len(held) != size || &held[0] != &a.block(ref)[0]) {
					t.Fatalf("block %d of %d bytes is found elsewhere by its size", ref, size)
				}
				live[ref] = byte(i)
				fill(a.block(ref), byte(i))
				continue
			}
			ref := uint32(math.MaxUint32)
			for r := range live {
				ref = min(ref, r)
			}
			for _, b := range a.block(ref) {
				if b != live[ref] {
					t.Fatal("blocks overlap")
				}
			}
			a.release(ref)
			delete(live, ref)
		}
		for ref := range live {
			a.release(ref)
		}
		if a.inUse != 0 {
			t.Errorf("%d bytes in use", a.inUse)
		}
	})
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
