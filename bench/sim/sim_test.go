package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"scantrail/bench/oracle"
	"scantrail/sink/chdb/chdbtest"
)

// TestSeeds runs 20,000 seeds (SIM_SEEDS), some of them against the oracle in SQL too,
// from a fixed first one on (SIM_FROM). A slow machine stops after two minutes
// (SIM_SECONDS) and says how many it had.
func TestSeeds(t *testing.T) {
	engine := chdbtest.Engine(t)
	_, database := chdbtest.Database(t)
	sql, err := oracle.NewSQL(context.Background(), engine, database, documents())
	if err != nil {
		t.Fatal(err)
	}
	limit := time.Duration(number("SIM_SECONDS", 120)) * time.Second
	var out strings.Builder
	r := newRunner(options{faults: true, strict: true, known: 1, batch: 2000, asked: 10, often: 1, morphs: 50}, sql)
	if err := r.many(context.Background(), uint32(number("SIM_FROM", 0)), number("SIM_SEEDS", 20_000), limit, 2, &out); err != nil {
		t.Fatal(out.String())
	}
	t.Log(out.String())
	for _, needed := range []string{"open>res", "open>wdr", "risk>open", "open>esc"} {
		if !strings.Contains(out.String(), needed) {
			t.Errorf("no transition %s in any seed", needed)
		}
	}
	if met := r.cover.impossible(); len(met) > 0 {
		t.Errorf("met although cells.go leaves them out: %s", met)
	}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestSameSeedSameTrace runs a seed twice: a failure must be replayed exactly.
func TestSameSeedSameTrace(t *testing.T) {
	r := newRunner(options{faults: true, strict: true, known: 1}, nil)
	for seed := range uint32(20) {
		var a, b strings.Builder
		r.check(seed, r.world(seed), true, &a)
		r.check(seed, r.world(seed), true, &b)
		if a.String() != b.String() || a.Len() == 0 {
			t.Fatalf("seed %d: two traces", seed)
		}
	}
}

func BenchmarkSeeds(b *testing.B) {
	r := newRunner(options{faults: true, known: 1}, nil)
	for i := range b.N {
		if _, err := r.seeds(context.Background(), uint32(i), 1); err != nil {
			b.Fatal(err)
		}
	}
}
