package oracle

import (
	"bytes"
	"slices"

	"scantrail/schemas"
)

// Case is what one seed was told: raw facts in all their copies, and where the
// clocks stood in the end.
type Case struct {
	Seed    uint32
	Doc     int // index of the policy document
	Scans   []schemas.Event
	Voids   []schemas.ID
	Aliases [][2]string
	Orders  []schemas.OrderFact
	Home    func(key string) int // partition of a key
	Clocks  []Clock              // by partition
}

// Clock is where the ticks of a partition leave its clocks, Unix seconds: C, and
// S of those that wait for copies from other partitions. S is C until a tick
// states how far copies have been forwarded (F), then the lower of C and the
// highest F; neither ever falls.
type Clock struct {
	C, S int64
	F    int64
}

// Tick goes on to the next tick.
func (k *Clock) Tick(t *schemas.Tick) {
	at := t.At / 1000
	if k.C != 0 {
		at = max(k.C, min(at, k.C+600))
	}
	k.C = at
	k.F = max(k.F, t.ForwardedThrough/1000)
	if k.F == 0 {
		k.S = k.C
	} else {
		k.S = max(k.S, min(k.C, k.F))
	}
}

// Alert is what both oracles answer. Ended is 0 while it lasts.
type Alert struct {
	Seed   uint32
	Entity string // root number, or key of the order
	Family string
	Rule   string
	Detail string
	Number string
	Anchor int64
	Level  uint8
	Status string
	Ended  int64
}

// ID is the alert's name in the table.
func (a *Alert) ID() schemas.ID {
	b := append([]byte(a.Family), '\n')
	b = append(append(b, a.Number...), '\n')
	return schemas.Hash(appendInt(b, a.Anchor))
}

// OrderKey names an order as its alerts do.
func OrderKey(shop, order string) string { return "order:" + shop + ":" + order }

// Union is a set of numbers that alias facts link.
type Union struct {
	Root    string // the number with the smallest id
	Numbers []string
}

// Unions returns the union of every number that a case names.
func (c *Case) Unions() map[string]*Union {
	return unions(c.numbers(), c.Aliases)
}

// maxLinks and maxFacts are what one parcel may have; with more it is quarantined.
const (
	maxLinks = 8
	maxFacts = 256
)

// Quarantined returns the numbers that are linked with too many others, or have
// too many scans together.
func (c *Case) Quarantined() map[string]bool {
	of := c.Unions()
	scans := map[*Union]map[schemas.ID]bool{}
	for i := range c.Scans {
		u := of[c.Scans[i].TrackingNumber]
		if scans[u] == nil {
			scans[u] = map[schemas.ID]bool{}
		}
		scans[u][c.Scans[i].FactID] = true
	}
	set := map[string]bool{}
	for n, u := range of {
		if len(u.Numbers)-1 > maxLinks || len(scans[u]) > maxFacts {
			set[n] = true
		}
	}
	return set
}

func (c *Case) numbers() []string {
	var all []string
	for i := range c.Scans {
		all = append(all, c.Scans[i].TrackingNumber)
	}
	for _, a := range c.Aliases {
		all = append(all, a[0], a[1])
	}
	for i := range c.Orders {
		all = append(all, c.Orders[i].TrackingNumbers...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func unions(numbers []string, links [][2]string) map[string]*Union {
	parent := make(map[string]string, len(numbers))
	for _, n := range numbers {
		parent[n] = n
	}
	find := func(n string) string {
		for parent[n] != n {
			n = parent[n]
		}
		return n
	}
	for _, l := range links {
		a, b := find(l[0]), find(l[1])
		ida, idb := schemas.ParcelID(a), schemas.ParcelID(b)
		if bytes.Compare(ida[:], idb[:]) > 0 {
			a, b = b, a
		}
		parent[b] = a
	}
	sets := make(map[string]*Union, len(numbers))
	of := make(map[string]*Union, len(numbers))
	for _, n := range numbers {
		root := find(n)
		u := sets[root]
		if u == nil {
			u = &Union{Root: root}
			sets[root] = u
		}
		u.Numbers = append(u.Numbers, n)
		of[n] = u
	}
	return of
}
