package detector

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run only this seed of the seeded tests")
	seedsFlag = flag.Int("seeds", 150, "number of seeds of the seeded tests")
)

// seeds runs test for each seed and says how to replay one that fails.
func seeds(t *testing.T, test func(t *testing.T, rng *rand.Rand)) {
	first, n := uint64(1), *seedsFlag
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	for seed := first; seed < first+uint64(n); seed++ {
		test(t, rand.New(rand.NewPCG(seed, 7)))
		if t.Failed() {
			t.Fatalf("replay: go test ./detector -run '^%s$' -seed=%d", t.Name(), seed)
		}
	}
}

// world makes random logs without knowing the rules.
type world struct {
	rng     *rand.Rand
	numbers []string
	start   time.Time
	clock   int64 // of the last tick made
}

func newWorld(rng *rand.Rand) *world {
	w := &world{rng: rng, start: time.UnixMilli(testBase)}
	for i := range 1 + rng.IntN(5) {
		w.numbers = append(w.numbers, fmt.Sprintf("PARCEL%04d", i))
	}
	return w
}

// at returns a time of the first 16 days: on the hour, on the border of a limit,
// or anywhere.
func (w *world) at() int64 {
	t := w.start.Add(time.Duration(w.rng.IntN(16*24)) * time.Hour)
	switch w.rng.IntN(6) {
	case 0:
		t = w.start.Add(time.Duration(w.rng.IntN(32)) * 12 * time.Hour)
	case 1:
		t = w.start.Add(time.Duration(w.rng.IntN(8))*48*time.Hour - time.Second)
	case 2:
		t = t.Add(time.Duration(w.rng.IntN(3600_000)) * time.Millisecond)
	}
	return t.UnixMilli()
}

func (w *world) milestone() schemas.Milestone {
	all := schemas.Milestones()
	if w.rng.IntN(5) > 0 { // mostly the way of a parcel, so that trails are long
		return []schemas.Milestone{
			10, 20, 30, 31, 40, 42, 50, 51, 55, 57, 60, 70, 72, 80, 83, 90, 92,
		}[w.rng.IntN(17)]
	}
	return all[w.rng.IntN(len(all))]
}

func (w *world) number() string { return w.numbers[w.rng.IntN(len(w.numbers))] }

func (w *world) event() schemas.Record {
	number := w.number()
	m := w.milestone()
	e := schemas.Event{
		ParcelID: schemas.ParcelID(number), TrackingNumber: number, Milestone: m,
		OccurredAt: w.at(), Carrier: []string{"acme", "post"}[w.rng.IntN(2)], Facility: []string{"", "HUB-1", "HUB-2"}[w.rng.IntN(3)],
		Country: []string{"", "CN", "GB"}[w.rng.IntN(3)], Physical: m.Physical(), Progress: m.Progress(), Backfill: w.rng.IntN(4) == 0,
	}
	e.ReceivedAt = max(e.OccurredAt+int64(w.rng.IntN(72)-8)*3600_000, testBase)
	for i := range e.FactID {
		e.FactID[i] = byte(w.rng.Uint32())
	}
	switch w.rng.IntN(8) {
	case 0:
		e.OriginCountry = []string{"CN", "DE", ""}[w.rng.IntN(3)]
		e.DestinationCountry = []string{"GB", "FR", "CN"}[w.rng.IntN(3)]
	case 1:
		e.Progress = !e.Progress
	}
	return schemas.Record{Kind: schemas.KindEvent, Event: e}
}

func (w *world) tick() schemas.Record {
	switch {
	case w.clock == 0:
		w.clock = w.at()
	case w.rng.IntN(8) > 0:
		w.clock += int64(w.rng.IntN(600_001))
	}
	return schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: w.clock}}
}

func (w *world) order() schemas.Record {
	o := schemas.OrderFact{
		ShopID: []string{"shop-1", "shop-2"}[w.rng.IntN(2)], OrderID: fmt.Sprint("SO-", w.rng.IntN(3)), Market: "GB",
		Kind: schemas.OrderKind(1 + w.rng.IntN(10)), At: w.at(), PromiseAt: w.at(), Backfill: w.rng.IntN(4) == 0,
	}
	for i := range o.FactID {
		o.FactID[i] = byte(w.rng.Uint32())
	}
	if o.Kind == schemas.OrderLabelCreated {
		o.LabelSource, o.OriginCountry, o.DestinationCountry = "platform", "CN", []string{"GB", "DE", ""}[w.rng.IntN(3)]
		for range 1 + w.rng.IntN(2) {
			o.TrackingNumbers = append(o.TrackingNumbers, w.number())
		}
	}
	if w.rng.IntN(2) == 0 { // as another partition forwards it
		o.TrackingNumbers = []string{w.number()}
		return schemas.Record{Kind: schemas.KindOrder, Forwarded: true, Order: o}
	}
	return schemas.Record{Kind: schemas.KindOrder, Order: o}
}

func policyRecord(n uint32, text string) schemas.Record {
	return schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: n, Policy: text}}
}

// log makes n records: shuffled scans with copies, ticks between, orders where
// asked, and a policy early.
func (w *world) log(n int, orders bool) []schemas.Record {
	var log []schemas.Record
	for range n {
		switch k := w.rng.IntN(10); {
		case k < 4:
			log = append(log, w.event())
		case k < 6 && len(log) > 0: // a copy, received at another time
			r := log[w.rng.IntN(len(log))]
			if r.Kind == schemas.KindEvent {
				r.Event.ReceivedAt = max(r.Event.ReceivedAt+int64(w.rng.IntN(48)-24)*3600_000, testBase)
			}
			if r.Kind != schemas.KindTick {
				log = append(log, r)
			}
		case k < 7 && orders:
			log = append(log, w.order())
		default:
			log = append(log, w.tick())
		}
	}
	at := w.rng.IntN(len(log)/4 + 1)
	log = append(log[:at], append([]schemas.Record{policyRecord(1, plainPolicy)}, log[at:]...)...)
	return append(log, w.tick())
}

// published keeps the present state of every alert, by parcel, family and
// anchor, as a reader of parcel.alerts would.
type published map[string]map[string]oracleAlert

func (p published) take(t *testing.T, alerts []schemas.Alert, versions map[schemas.ID]uint64) {
	for _, a := range alerts {
		if a.Version <= versions[a.AlertID] {
			t.Errorf("alert %s: version %d after %d", a.AlertID, a.Version, versions[a.AlertID])
		}
		versions[a.AlertID] = a.Version
		family := "gap"
		if a.Milestone != 0 {
			family = "milestone_missing:" + a.Milestone.String()
		}
		if want := AlertID(family, a.TrackingNumber, a.AnchorAt/1000); want != a.AlertID {
			t.Errorf("alert id %s, want %s", a.AlertID, want)
		}
		of := p[a.TrackingNumber]
		if of == nil {
			of = map[string]oracleAlert{}
			p[a.TrackingNumber] = of
		}
		key := fmt.Sprintf("%s %d", family, a.AnchorAt/1000)
		if a.Status == schemas.AlertWithdrawn {
			if _, ok := of[key]; !ok {
				t.Errorf("%s %s withdrawn without having been published", a.TrackingNumber, key)
			}
			delete(of, key)
			continue
		}
		o := oracleAlert{rule: a.Rule, level: int(a.Level), status: a.Status.String()}
		if a.EndedAt != 0 {
			o.ended = time.UnixMilli(a.EndedAt)
		}
		if of[key] == o {
			t.Errorf("%s %s published twice: %s", a.TrackingNumber, key, o)
		}
		of[key] = o
	}
}

func show(m map[string]oracleAlert) string {
	var lines []string
	for k, a := range m {
		lines = append(lines, k+": "+a.String())
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// TestAgainstOracle compares, after every tick of random logs, everything that
// is published and not withdrawn with what the definitions say about the facts
// received so far: alerts at risk and the moment of opening included.
func TestAgainstOracle(t *testing.T) {
	policies, err := schemas.ParsePolicies([]byte(plainPolicy))
	if err != nil {
		t.Fatal(err)
	}
	policy := &policies.List[0]
	checks := 0
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		w := newWorld(rng)
		m := NewMachine(0, 1)
		var out Output
		have, versions, parcels := published{}, map[schemas.ID]uint64{}, map[string]*oracleParcel{}
		for i, r := range w.log(200, false) {
			out.Reset()
			if err := m.Apply(int64(i), &r, &out); err != nil {
				t.Fatal(err)
			}
			have.take(t, out.Alerts, versions)
			if r.Kind == schemas.KindEvent {
				p := parcels[r.Event.TrackingNumber]
				if p == nil {
					p = &oracleParcel{scans: map[schemas.ID]oracleScan{}}
					parcels[r.Event.TrackingNumber] = p
				}
				p.receive(&r.Event)
			}
			if r.Kind != schemas.KindTick || !m.ready() {
				continue
			}
			for number, p := range parcels {
				checks++
				want, _ := p.judge(policy, time.Unix(m.Clock()/1000, 0))
				if show(have[number]) != show(want) {
					t.Errorf("offset %d, clock %s: %s: have\n%s\nwant\n%s", i, time.UnixMilli(m.Clock()).UTC(), number, show(have[number]), show(want))
					return
				}
			}
		}
		checkRows(t, m, parcels, policy)
	})
	t.Logf("%d comparisons", checks)
}

func checkRows(t *testing.T, m *Machine, parcels map[string]*oracleParcel, policy *schemas.Policy) {
	for _, row := range m.DirtyParcels(1000, nil) {
		_, want := parcels[row.TrackingNumber].judge(policy, time.UnixMilli(row.UpdatedAt))
		have := fmt.Sprintf("silent %d gaps %d %d required %v due %v observed %v", row.SilentSecs, row.Gaps48h, row.Gaps72h,
			names(policy, row.Required), names(policy, row.Due), names(policy, row.Observed))
		if have != want {
			t.Errorf("row of %s: have %s, want %s", row.TrackingNumber, have, want)
		}
	}
}

func names(p *schemas.Policy, bits uint8) (l []string) {
	for i, r := range p.Milestones {
		if bits&(1<<i) != 0 {
			l = append(l, r.Milestone.String())
		}
	}
	return l
}

// TestArrivalOrder feeds the same facts in another order, with copies, and
// expects the same convergent alerts and the same row, up to when it changed.
func TestArrivalOrder(t *testing.T) {
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		w := newWorld(rng)
		var facts []schemas.Record
		for range 40 {
			facts = append(facts, w.event())
		}
		for range 15 {
			facts = append(facts, w.order())
		}
		for i := range 10 { // read again under a newer mapping, which sees something else
			again := w.event()
			again.Event.FactID, again.Event.MappingVersion = facts[i].Event.FactID, uint32(1+i%2)
			again.Event.ParcelID, again.Event.TrackingNumber = facts[i].Event.ParcelID, facts[i].Event.TrackingNumber
			facts = append(facts, again)
		}
		var first string
		for range 4 {
			got := convergent(t, facts, rng)
			if first == "" {
				first = got
			}
			if got != first {
				t.Errorf("have\n%s\nwant\n%s", got, first)
				return
			}
			rng.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			facts = append(facts, facts[rng.IntN(len(facts))])
		}
	})
}

func convergent(t *testing.T, facts []schemas.Record, rng *rand.Rand) string {
	s := &scenario{t: t, m: NewMachine(3, 1)}
	have, versions := published{}, map[schemas.ID]uint64{}
	feed := func(r schemas.Record) {
		s.sent = append(s.sent, r)
		for len(s.sent) > 0 {
			next := s.sent[0]
			s.sent = s.sent[1:]
			s.out.Reset()
			if err := s.m.Apply(s.offset, &next, &s.out); err != nil {
				t.Fatal(err)
			}
			s.offset++
			have.take(t, s.out.Alerts, versions)
			for _, f := range s.out.Forwards {
				s.sent = append(s.sent, decoded(f))
			}
		}
	}
	tick := func(at int64) { feed(schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at}}) }
	feed(policyRecord(1, plainPolicy))
	now := testBase + 10*24*3600_000
	for i, r := range facts {
		feed(r)
		if rng.IntN(3) == 0 {
			tick(now + int64(i))
		}
	}
	tick(now + 300_000)
	var lines []string
	for number, alerts := range have {
		for k, a := range alerts {
			if a.status != "at_risk" {
				lines = append(lines, number+" "+k+" "+a.String())
			}
		}
	}
	rows := s.m.DirtyParcels(1000, nil)
	for _, r := range rows {
		r.Version, r.UpdatedAt, r.OpenedAt = 0, 0, 0
		lines = append(lines, fmt.Sprintf("%+v", r))
	}
	for _, r := range s.m.DirtyOrders(1000, nil) {
		r.Version, r.UpdatedAt = 0, 0
		lines = append(lines, fmt.Sprintf("%+v", r))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}
