package detector

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"scantrail/schemas"
)

// cluster is several partitions with what lies between them: forwarded records
// reach the partition of their key in the end, what has left comes back.
type cluster struct {
	t        *testing.T
	machines []*Machine
	queues   [][]schemas.Record // forwarded, not yet applied
	alerts   map[[2]schemas.ID]schemas.Alert
	rows     map[string]schemas.ParcelRow
	archive  map[schemas.ID][]schemas.ArchiveRow
	rebuilds int
}

func newCluster(t *testing.T, partitions int, policy string) *cluster {
	c := &cluster{t: t, queues: make([][]schemas.Record, partitions), alerts: map[[2]schemas.ID]schemas.Alert{},
		rows: map[string]schemas.ParcelRow{}, archive: map[schemas.ID][]schemas.ArchiveRow{}}
	for p := range partitions {
		c.machines = append(c.machines, NewMachine(int32(p), 1))
		c.apply(p, &schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: policy}})
	}
	return c
}

func (c *cluster) home(key string) int {
	id := schemas.ParcelID(key)
	return int(id[0]) % len(c.machines)
}

func keyOf(r *schemas.Record) string {
	switch {
	case r.Home != "":
		return r.Home
	case r.Kind == schemas.KindOrder && r.Forwarded:
		return r.Order.TrackingNumbers[0]
	case r.Kind == schemas.KindOrder:
		return schemas.OrderKey(r.Order.ShopID, r.Order.OrderID)
	case r.Kind == schemas.KindAlias:
		return r.Alias.TrackingNumber
	case r.Kind == schemas.KindVoid:
		return r.Void.TrackingNumber
	}
	return r.Event.TrackingNumber
}

func (c *cluster) apply(p int, r *schemas.Record) {
	m := c.machines[p]
	var out Output
	if err := m.Apply(m.Offset()+1, r, &out); err != nil {
		c.t.Fatal(err)
	}
	for _, a := range out.Alerts {
		key := [2]schemas.ID{a.AlertID, a.Home}
		if was, ok := c.alerts[key]; ok && a.Version <= was.Version {
			c.t.Fatalf("alert %s: version %x after %x", a.AlertID, a.Version, was.Version)
		}
		c.alerts[key] = a
	}
	for _, f := range out.Forwards {
		to := c.home(f.Key)
		c.queues[to] = append(c.queues[to], decoded(f))
	}
	for _, q := range m.Asks(100, nil) {
		c.rebuilds++
		rows := append(slices.Clone(c.archive[q.EntityID]), m.Unwritten(q.EntityID)...)
		c.apply(p, &schemas.Record{Kind: schemas.KindRebuild, Rebuild: schemas.Rebuild{EntityID: q.EntityID, Ask: q.Offset, State: AppendStates(nil, rows)}})
	}
}

// write appends a record to the partition of its key.
func (c *cluster) write(r schemas.Record) { c.apply(c.home(keyOf(&r)), &r) }

// settle delivers what was forwarded until nothing is under way.
func (c *cluster) settle() {
	for busy := true; busy; {
		busy = false
		for p := range c.queues {
			for len(c.queues[p]) > 0 {
				r := c.queues[p][0]
				c.queues[p] = c.queues[p][1:]
				c.apply(p, &r)
				busy = true
			}
		}
	}
}

func (c *cluster) tick(at int64) {
	c.settle()
	for p := range c.machines {
		c.apply(p, tickThrough(at))
	}
	c.settle()
}

func tickThrough(at int64) *schemas.Record {
	return &schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at, ForwardedThrough: at}}
}

// run ticks up to a time.
func (c *cluster) run(to int64) {
	for at := max(c.machines[0].Clock(), testBase); at < to; {
		at = min(at+schemas.MaxTickStep.Milliseconds(), to)
		c.tick(at)
	}
}

// flush writes rows and archive.
func (c *cluster) flush() {
	for _, m := range c.machines {
		rows := m.DirtyParcels(1<<20, nil)
		for _, r := range rows {
			key := fmt.Sprint(r.ParcelID, r.OpenedAt)
			if was, ok := c.rows[key]; !ok || was.Version <= r.Version {
				c.rows[key] = r
			}
		}
		m.MarkParcelsWritten(rows)
		m.MarkOrdersWritten(m.DirtyOrders(1<<20, nil))
		states := m.DirtyArchives(1<<20, nil)
		for _, r := range states {
			c.archive[r.EntityID] = append(slices.DeleteFunc(c.archive[r.EntityID], func(x schemas.ArchiveRow) bool { return x.OpenedAt == r.OpenedAt }), r)
		}
		m.MarkArchivesWritten(states)
	}
}

// final is what readers see at the end: alerts in their smallest home that are
// not withdrawn, and rows that are not deleted, without what depends on the way.
func (c *cluster) final() string {
	c.flush()
	least := map[schemas.ID]schemas.Alert{}
	for _, a := range c.alerts {
		if has, ok := least[a.AlertID]; !ok || bytes.Compare(a.Home[:], has.Home[:]) < 0 {
			least[a.AlertID] = a
		}
	}
	var lines []string
	for _, a := range least {
		if a.Status >= schemas.AlertOpen && a.Status <= schemas.AlertResolved {
			lines = append(lines, fmt.Sprintf("%s %s %s %s/%d anchor %d ended %d", a.AlertID, a.Status, a.Rule, a.Detail, a.Level, a.AnchorAt, a.EndedAt))
		}
	}
	for _, r := range c.rows {
		if !r.Deleted {
			r.Version, r.UpdatedAt, r.OpenedAt = 0, 0, 0
			lines = append(lines, fmt.Sprintf("%+v", r))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// unionFacts makes scans, voids, aliases and order facts of one parcel with
// several numbers and perhaps several lives.
func unionFacts(rng *rand.Rand) []schemas.Record {
	numbers := []string{"AAAA0001", "BBBB0002", "CCCC0003", "DDDD0004"}[:1+rng.IntN(4)]
	milestones := []schemas.Milestone{10, 20, 20, 30, 31, 42, 43, 51, 57, 60, 71, 72, 81, 83, 90, 91, 92, 95, 95, 102, 105, 106, 120, 129, 142}
	var facts []schemas.Record
	hours := []int{1, 10, 36, 47, 48, 49, 71, 72, 80, 31 * 24, 125 * 24}
	at := testBase
	for i := range 3 + rng.IntN(14) {
		at += int64(hours[rng.IntN(len(hours)-rng.IntN(3))]) * 3600_000
		r := scanOf(numbers[rng.IntN(len(numbers))], i, at, milestones[rng.IntN(len(milestones))])
		r.Event.OriginCountry, r.Event.DestinationCountry = "CN", "GB"
		r.Event.Country = []string{"", "CN", "GB"}[rng.IntN(3)]
		r.Event.ReceivedAt = at + int64(rng.IntN(30))*3600_000
		facts = append(facts, r)
		if rng.IntN(8) == 0 {
			facts = append(facts, schemas.Record{Kind: schemas.KindVoid, Void: schemas.Void{EventFactID: r.Event.FactID, TrackingNumber: r.Event.TrackingNumber}})
		}
	}
	for i := 1; i < len(numbers); i++ {
		a, b := numbers[i], numbers[rng.IntN(i)]
		facts = append(facts,
			schemas.Record{Kind: schemas.KindAlias, Alias: schemas.Alias{TrackingNumber: a, OtherNumber: b, ReceivedAt: testBase}},
			schemas.Record{Kind: schemas.KindAlias, Alias: schemas.Alias{TrackingNumber: b, OtherNumber: a, ReceivedAt: testBase}})
	}
	if rng.IntN(2) == 0 {
		for i, k := range []schemas.OrderKind{schemas.OrderCreated, schemas.OrderConfirmed, schemas.OrderLabelCreated, schemas.OrderMarkedShipped} {
			o := schemas.OrderFact{FactID: schemas.Hash([]byte{byte(i)}), ShopID: "shop", OrderID: "o", Kind: k, At: testBase + int64(i)*3600_000, Market: "GB"}
			if k == schemas.OrderLabelCreated {
				o.TrackingNumbers, o.OriginCountry, o.DestinationCountry, o.LabelSource = numbers[:1+rng.IntN(len(numbers))], "CN", "GB", "seller"
			}
			facts = append(facts, schemas.Record{Kind: schemas.KindOrder, Order: o})
		}
	}
	return facts
}

// TestUnionsConverge: whatever the order in which the facts of a parcel with
// several numbers come, doubled or not, over however many partitions, the final
// alerts and rows are the same.
func TestUnionsConverge(t *testing.T) {
	policy, rebuilds := allRules(t), 0
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		facts := unionFacts(rng)
		var want string
		for way := range 4 {
			c := newCluster(t, 1+way, policy)
			mixed := slices.Clone(facts)
			if way > 0 {
				mixed = append(mixed, facts[:rng.IntN(len(facts))]...)
				rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			}
			c.tick(testBase)
			away, far := rng.IntN(len(mixed)), false
			for i := range mixed {
				if way > 1 && i == away { // what has come so far leaves before the rest comes
					c.settle()
					far = true
					c.tickTo(testBase + 190*24*3600_000)
					c.tick(testBase + 191*24*3600_000)
					if way == 2 {
						c.flush()
					}
				}
				c.write(mixed[i])
				if rng.IntN(3) == 0 {
					c.settle()
				}
				if way > 0 && !far && rng.IntN(4) == 0 {
					c.tick(testBase + int64(i)*60_000)
				}
			}
			if !far {
				c.run(testBase + 6*3600_000)
			}
			c.tickTo(testBase + 200*24*3600_000)
			rebuilds += c.rebuilds
			if got := c.final(); way == 0 {
				want = got
			} else if got != want {
				t.Fatalf("way %d: have\n%s\nwant\n%s", way, got, want)
			}
		}
	})
	if rebuilds == 0 {
		t.Error("nothing came back from the archive")
	}
}

// tickTo lets the clock run far: a snapshot's clock is set, which spares the
// ticks in between.
func (c *cluster) tickTo(to int64) {
	for _, m := range c.machines {
		m.clock = to - schemas.MaxTickStep.Milliseconds()
		m.timers = timers{}
		m.timers.start(m.now())
		for i := range m.entities.n {
			if e := m.entities.at(i); !e.is(entityFree) {
				e.bucket = 0
				m.arm(i, e, e.deadline)
			}
		}
	}
	c.tick(to)
}

func allRules(t *testing.T) string {
	if _, err := schemas.ParsePolicies([]byte(schemas.DefaultPolicy())); err != nil {
		t.Fatal(err)
	}
	return schemas.DefaultPolicy()
}
