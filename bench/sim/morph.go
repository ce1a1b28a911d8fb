package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"scantrail/schemas"
)

// morph lives through the world of a seed in other ways, and returns where the
// tables differ in the end, whatever the oracles say: facts come later and in
// another order, come twice, are spread over other partitions without any fault,
// and share the cluster with those of another world.
func (r *runner) morph(seed uint32, w *world) (lines []string) {
	w = w.still()
	var err error
	final := func(salt uint64, w *world, faults bool) (rows map[string]string) {
		if err == nil {
			rows, err = r.tables(seed, salt, w, faults)
		}
		return rows
	}
	compare := func(way string, want, got map[string]string) {
		for _, key := range slices.Sorted(maps.Keys(joined(want, got))) {
			if want[key] != got[key] && err == nil {
				lines = append(lines, fmt.Sprintf("%s: %s\n     was %s\n     got %s", way, key, want[key], got[key]))
			}
		}
	}
	random := newRand(seed ^ 1<<31)
	want := final(10, w, r.faults)
	compare("shuffled", want, final(11, w.delayed(random), r.faults))
	compare("doubled", want, final(12, w.with(w.delayed(random)), r.faults))
	compare("other partitions", want, final(13, w, false))

	other, alone := r.world(seed^1<<30).still(), *w
	for _, m := range other.messages { // both have an order SO-0
		if m.order.OrderID != "" {
			m.order.OrderID += "-other"
		}
	}
	alone.from, alone.until = min(w.from, other.from), max(w.until, other.until)
	other.doc, other.from, other.until = w.doc, alone.from, alone.until
	parts := joined(final(14, &alone, r.faults), final(15, other, r.faults))
	compare("merged", parts, final(16, alone.with(other), r.faults))
	if err != nil {
		return []string{err.Error()}
	}
	return lines
}

func joined(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// still is a world without a change of policies: what has ended under others
// depends on when they came. Receptions of feeds are left out: their incidents
// depend on what was known when.
func (w *world) still() *world {
	s := *w
	s.switches = 0
	s.messages = slices.DeleteFunc(slices.Clone(w.messages), func(m *message) bool { return m.kind == schemas.KindFeed })
	return &s
}

// with is a world with the messages of another one.
func (w *world) with(other *world) *world {
	both := *w
	both.messages = append(slices.Clone(w.messages), other.messages...)
	both.sort()
	return &both
}

// delayed is a world in which all that was received is read later.
func (w *world) delayed(r *rand.Rand) *world {
	late := *w
	late.messages = make([]*message, len(w.messages))
	for i, m := range w.messages {
		again := *m
		again.at += r.Int64N(max(1, w.until*1000-m.at))
		late.messages[i] = &again
	}
	late.sort()
	return &late
}

// tables lives through a world and returns what counts of the tables in the end:
// alerts that are open, escalated or resolved, rows of parcels and of orders; not
// of numbers that are quarantined, whose alerts stand as they were known.
func (r *runner) tables(seed uint32, salt uint64, w *world, faults bool) (map[string]string, error) {
	c, err := run(rand.New(rand.NewPCG(uint64(seed), salt)), w, r.yaml, r.parsed, faults, r.strict, newCoverage(), nil)
	if err != nil {
		return nil, err
	}
	rows, quarantined := map[string]string{}, c.aCase(seed).Quarantined()
	for id, a := range c.current() {
		if a.Status >= schemas.AlertOpen && a.Status <= schemas.AlertResolved && !quarantined[a.TrackingNumber] {
			rows[fmt.Sprintf("alert %s %s %s", id, a.Rule, a.Detail)] = fmt.Sprintf("%s %s level %d ended %s", a.Status, when(a.AnchorAt), a.Level, when(a.EndedAt))
		}
	}
	for _, row := range c.tables.parcels {
		if !row.Deleted && !quarantined[row.TrackingNumber] {
			rows[fmt.Sprintf("parcel %s life %d", row.TrackingNumber, row.Life)] = fmt.Sprintf("%+v", said(&row))
		}
	}
	for key, row := range c.tables.orders {
		rows[fmt.Sprintf("order %s", key)] = fmt.Sprintf("%+v", saidOfOrder(&row))
	}
	return rows, nil
}
