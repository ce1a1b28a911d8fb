package main

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"scantrail/bench/oracle"
	"scantrail/schemas"
	"scantrail/sink/chdb/chdbtest"
)

// caseOf is the case of a world that was received as a whole, with random clocks.
func caseOf(seed uint32, r *rand.Rand, w *world, parts int) *oracle.Case {
	c := &oracle.Case{Seed: seed, Doc: w.doc, Home: func(key string) int {
		h := fnv.New32a()
		h.Write([]byte(key))
		return int(h.Sum32()) % parts
	}}
	for i := range w.messages {
		m := w.messages[i]
		switch m.kind {
		case schemas.KindEvent:
			c.Scans = append(c.Scans, m.event)
		case schemas.KindOrder:
			c.Orders = append(c.Orders, m.order)
		case schemas.KindAlias:
			c.Aliases = append(c.Aliases, m.alias)
		case schemas.KindVoid:
			c.Voids = append(c.Voids, m.void)
		}
	}
	for range parts {
		c.Clocks = append(c.Clocks, oracle.Clock{C: w.until + 2*day + r.Int64N(2*day), S: w.until + r.Int64N(2*day)})
	}
	return c
}

// TestOraclesAgree compares the oracle in SQL with the one in Go.
func TestOraclesAgree(t *testing.T) {
	engine := chdbtest.Engine(t)
	_, database := chdbtest.Database(t)
	ctx := context.Background()
	sql, err := oracle.NewSQL(ctx, engine, database, documents())
	if err != nil {
		t.Fatal(err)
	}
	rounds, batch := number("SIM_CROSS", 2), 400
	count := map[string]int{}
	for round := range rounds {
		var cases []*oracle.Case
		for i := range batch {
			seed := uint32(round*batch + i)
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			cases = append(cases, caseOf(seed, r, newWorld(r, len(documents()), ""), 1+r.IntN(4)))
		}
		start := time.Now()
		found, err := sql.Converged(ctx, cases)
		if err != nil {
			t.Fatal(err)
		}
		spent := time.Since(start)
		var want []oracle.Alert
		start = time.Now()
		for _, c := range cases {
			want = append(want, c.Evaluate(documents())...)
		}
		t.Logf("%d cases: SQL %v, Go %v, %d alerts", len(cases), spent, time.Since(start), len(found))
		want = slices.DeleteFunc(want, func(a oracle.Alert) bool { return a.Status == "at_risk" })
		for _, a := range want {
			count[a.Family+" "+a.Status]++
		}
		if d := diff(want, found); d != "" {
			t.Fatal(d)
		}
	}
	for k, v := range sql.Spent {
		if v > 300*time.Millisecond {
			t.Log(k, v)
		}
	}
	t.Log(count)
}

func compareAlerts(a, b oracle.Alert) int {
	return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Anchor, b.Anchor),
		cmp.Compare(a.Number, b.Number), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Ended, b.Ended))
}

// diff says where two sets of alerts differ, "" when they do not.
func diff(want, got []oracle.Alert) string {
	slices.SortFunc(want, compareAlerts)
	slices.SortFunc(got, compareAlerts)
	want, got = slices.Compact(want), slices.Compact(got)
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			return fmt.Sprintf("got besides %+v", got[i])
		case i >= len(got):
			return fmt.Sprintf("not got     %+v", want[i])
		case want[i] != got[i]:
			return fmt.Sprintf("want %+v\ngot  %+v", want[i], got[i])
		}
	}
	return ""
}
