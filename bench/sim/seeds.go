package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"scantrail/bench/oracle"
	"scantrail/detector"
	"scantrail/schemas"
)

// options say what a run does with its seeds.
type options struct {
	faults bool
	strict bool
	batch  int
	morphs int    // every so many seeds the world is lived in other ways too; 0: never
	often  int    // cells met less often than this are listed; 0: no counts are printed
	asked  int    // every so many seeds SQL is asked too; 0: never
	omit   string // see omitted
	known  int    // every so many seeds the transitions are compared too; 0: never
}

// runner runs seeds, many of them for each question to the oracle.
type runner struct {
	options
	docs   []oracle.Document
	yaml   []string
	byText map[string]*oracle.Document
	sql    *oracle.SQL // nil: the oracle in Go alone
	cover  *coverage

	parsed *detector.Documents // of all seeds

	until     time.Time // no seed begins later; zero: never
	ran       int       // seeds
	compared  int       // transitions
	questions int       // seeds that SQL was asked about
}

func newRunner(o options, sql *oracle.SQL) *runner {
	r := &runner{options: o, docs: documents(), sql: sql, cover: newCoverage(), parsed: &detector.Documents{Guard: new(sync.Mutex)}, byText: map[string]*oracle.Document{}}
	for i := range r.docs {
		text := r.docs[i].ShortYAML(builtin())
		r.yaml = append(r.yaml, text)
		r.byText[text] = &r.docs[i]
	}
	return r
}

// result is a seed that failed.
type result struct {
	seed  uint32
	lines []string
}

// newRand is the source of a seed's world.
func newRand(seed uint32) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 1)) }

func (r *runner) world(seed uint32) *world {
	return newWorld(newRand(seed), len(r.docs), r.omit)
}

func (r *runner) live(seed uint32, w *world, faults bool, cover *coverage, trace *strings.Builder) (*cluster, error) {
	return run(rand.New(rand.NewPCG(uint64(seed), 2)), w, r.yaml, r.parsed, faults, r.strict, cover, trace)
}

// outcome is what is kept of a seed until SQL has answered.
type outcome struct {
	ran      bool
	known    *oracle.Case // nil when SQL is not asked
	but      exempt
	table    map[schemas.ID]schemas.Alert
	lines    []string
	compared int
}

// one runs a seed, and compares all that Go has to say of it.
func (r *runner) one(seed uint32, cover *coverage) (o outcome) {
	c, err := r.live(seed, r.world(seed), r.faults, cover, nil)
	if err != nil {
		return outcome{lines: []string{err.Error()}}
	}
	k := c.aCase(seed)
	if r.known > 0 && seed%uint32(r.known) == 0 {
		o.lines, o.compared = r.compareAll(c, k)
	}
	if r.morphs > 0 && seed%uint32(r.morphs) == 0 {
		o.lines = append(o.lines, r.morph(seed, c.w)...)
	}
	table, but := c.current(), c.exempt(k)
	o.lines = append(o.lines, compare(k.Evaluate(r.docs), table, but)...)
	if len(o.lines) == 0 && r.sql != nil && r.asked > 0 && seed%uint32(r.asked) == 0 {
		o.known, o.table, o.but = k, table, but
	}
	return o
}

// compareAll compares what was known at each tick, and rows; these only where the
// policies stay the same.
func (r *runner) compareAll(c *cluster, k *oracle.Case) (lines []string, n int) {
	lines, n = c.compareKnown(r.byText, k.Quarantined())
	silent, more := c.compareFeeds(r.byText)
	lines, n = append(lines, silent...), n+more
	if c.w.switches == 0 {
		lines = append(lines, c.compareRows(k.Rows(r.docs))...)
		lines = append(lines, c.compareOrderRows(k.OrderRows())...)
	}
	return lines, n
}

func (c *cluster) exempt(k *oracle.Case) exempt {
	but := exempt{quarantined: k.Quarantined()}
	if c.w.switches > 0 {
		but.kept = k.Kept()
	}
	return but
}

// all runs a batch of seeds, each by itself, on every core. The collector may let
// five times as much pile up as lives: a seed lets go of all that it took.
func (r *runner) all(first uint32, n int) []outcome {
	defer debug.SetGCPercent(debug.SetGCPercent(500))
	outcomes := make([]outcome, n)
	covers := make([]*coverage, runtime.GOMAXPROCS(0))
	var next atomic.Int64
	var done sync.WaitGroup
	for i := range covers {
		covers[i] = newCoverage()
		done.Go(func() {
			for k := next.Add(1) - 1; k < int64(n) && !r.late(); k = next.Add(1) - 1 {
				outcomes[k] = r.one(first+uint32(k), covers[i])
				outcomes[k].ran = true
			}
		})
	}
	done.Wait()
	for _, c := range covers {
		r.cover.add(c)
	}
	return outcomes
}

func (r *runner) late() bool { return !r.until.IsZero() && time.Now().After(r.until) }

// seeds runs a batch of seeds and returns those that failed.
func (r *runner) seeds(ctx context.Context, first uint32, n int) ([]result, error) {
	var failed []result
	var cases []*oracle.Case
	outcomes := r.all(first, n)
	for i, o := range outcomes {
		if o.ran {
			r.ran++
		}
		r.compared += o.compared
		switch {
		case len(o.lines) > 0:
			failed = append(failed, result{first + uint32(i), o.lines})
		case o.known != nil:
			cases = append(cases, o.known)
		}
	}
	want := map[uint32][]oracle.Alert{}
	if len(cases) > 0 {
		all, err := r.sql.Converged(ctx, cases)
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			want[a.Seed] = append(want[a.Seed], a)
		}
		r.questions += len(cases)
	}
	for _, k := range cases {
		if lines := compare(want[k.Seed], outcomes[k.Seed-first].table, outcomes[k.Seed-first].but); len(lines) > 0 {
			failed = append(failed, result{k.Seed, lines})
		}
	}
	slices.SortFunc(failed, func(a, b result) int { return cmp.Compare(a.seed, b.seed) })
	return failed, nil
}

// check runs one world and compares with the oracle in Go.
func (r *runner) check(seed uint32, w *world, faults bool, trace *strings.Builder) []string {
	c, err := r.live(seed, w, faults, newCoverage(), trace)
	if err != nil {
		return []string{err.Error()}
	}
	k := c.aCase(seed)
	lines := compare(k.Evaluate(r.docs), c.current(), c.exempt(k))
	if len(lines) == 0 && r.known > 0 {
		lines, _ = r.compareAll(c, k)
	}
	if len(lines) == 0 && r.morphs > 0 && seed%uint32(r.morphs) == 0 {
		lines = r.morph(seed, w)
	}
	return lines
}

// shrink leaves out of a failing world what it fails without, in the same rules.
func (r *runner) shrink(seed uint32) (w *world, faults bool, lines []string) {
	w = r.world(seed)
	lines = r.check(seed, w, r.faults, nil)
	if len(lines) == 0 {
		return w, r.faults, nil
	}
	fails := func(w *world, faults bool) bool {
		got := r.check(seed, w, faults, nil)
		return len(got) > 0 && sameKind(got, lines)
	}
	faults = r.faults && !fails(w, false)
	for size := max(1, len(w.messages)/2); size > 0; size /= 2 {
		for i := 0; i+size <= len(w.messages); {
			less := *w
			less.messages = append(append([]*message(nil), w.messages[:i]...), w.messages[i+size:]...)
			if fails(&less, faults) {
				w = &less
			} else {
				i += size
			}
		}
	}
	return w, faults, r.check(seed, w, faults, nil)
}

func sameKind(got, want []string) bool {
	if strings.HasPrefix(want[0], "row ") || strings.HasPrefix(got[0], "row ") {
		return strings.HasPrefix(want[0], "row ") && strings.HasPrefix(got[0], "row ")
	}
	if known := "partition "; strings.HasPrefix(want[0], known) || strings.HasPrefix(got[0], known) {
		return strings.HasPrefix(want[0], known) && strings.HasPrefix(got[0], known)
	}
	if !strings.Contains(want[0], "got ") {
		return !strings.Contains(got[0], "got ")
	}
	if !strings.Contains(got[0], "got ") {
		return false
	}
	for _, k := range strings.Fields(kinds(got)) {
		if strings.Contains(kinds(want), k) {
			return true
		}
	}
	return false
}

// report writes a failed seed with the least that makes it fail.
func (r *runner) report(f result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d failed: go run ./bench/sim -strict=%t -morph %d -seed %d\n", f.seed, r.strict, r.morphs, f.seed)
	for _, l := range f.lines {
		fmt.Fprintf(&b, "     %s\n", l)
	}
	w, faults, lines := r.shrink(f.seed)
	var trace strings.Builder
	r.check(f.seed, w, faults, &trace)
	fmt.Fprintf(&b, "  least: %d messages, faults %t, policy document %d; seconds since %s\n", len(w.messages), faults, w.doc, when(w.from*1000))
	for l := range strings.Lines(trace.String()) {
		b.WriteString("    " + l)
	}
	for _, l := range lines {
		fmt.Fprintf(&b, "     %s\n", l)
	}
	return b.String()
}
