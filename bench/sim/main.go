package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"

	"scantrail/bench/oracle"
	"scantrail/sink/chdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		slog.Error("sim failed", "error", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("sim", flag.ContinueOnError)
	n := fs.Int("seeds", 1000, "number of seeds")
	first := fs.Uint("from", 0, "first seed")
	one := fs.Int64("seed", -1, "run this seed alone and print the least that makes it fail")
	limit := fs.Duration("for", 0, "stop after this time; 0: never")
	faults := fs.Bool("faults", true, "crashes and other faults")
	strict := fs.Bool("strict", false, "rows of one version must be the same")
	omit := fs.String("omit", "", omitted)
	known := fs.Int("known", 1, "compare all transitions of one in so many seeds; 0: never")
	asked := fs.Int("sql", 10, "compare one in so many seeds with the oracle in SQL, besides that in Go; 0: never")
	show := fs.Int("show", 3, "failed seeds to print in full")
	morphs := fs.Int("morph", 50, "live one in so many worlds in other ways too, for the same tables; 0: never")
	often := fs.Int("often", 1000, "list what was met less often than this; 0: no counts at all")
	batch := fs.Int("batch", 2500, "seeds that are run before SQL is asked")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o := options{faults: *faults, strict: *strict, omit: *omit, known: *known, batch: *batch, asked: *asked, often: *often, morphs: *morphs}
	if *one >= 0 {
		r := newRunner(o, nil)
		lines := r.check(uint32(*one), r.world(uint32(*one)), o.faults, nil)
		if len(lines) == 0 {
			fmt.Fprintln(out, "seed", *one, "passed")
			return nil
		}
		fmt.Fprint(out, r.report(result{uint32(*one), lines}))
		return fmt.Errorf("seed %d failed", *one)
	}
	var sql *oracle.SQL
	if *asked > 0 {
		close, opened, err := openSQL(ctx)
		if err != nil {
			return err
		}
		defer close()
		sql = opened
	}
	return newRunner(o, sql).many(ctx, uint32(*first), *n, *limit, *show, out)
}

// openSQL starts the engine on a directory of its own.
func openSQL(ctx context.Context) (close func(), sql *oracle.SQL, err error) {
	dir, err := os.MkdirTemp("", "scantrail-sim-")
	if err != nil {
		return nil, nil, err
	}
	server, err := chdb.Start(ctx, chdb.Options{DataDir: dir, Progress: os.Stderr})
	if err != nil {
		return nil, nil, err
	}
	close = func() {
		server.Close()
		os.RemoveAll(dir)
	}
	sql, err = oracle.NewSQL(ctx, server.Engine(), "default", documents())
	return close, sql, err
}

// many runs seeds and prints the failed ones and what was covered.
func (r *runner) many(ctx context.Context, first uint32, n int, limit time.Duration, show int, out io.Writer) error {
	start := time.Now()
	told := start
	failed := 0
	if limit > 0 {
		r.until = start.Add(limit)
	}
	for r.ran < n && !r.late() && ctx.Err() == nil {
		results, err := r.seeds(ctx, first+uint32(r.ran), min(r.batch, n-r.ran))
		if err != nil && ctx.Err() == nil {
			return err
		}
		if time.Since(told) > time.Minute {
			told = time.Now()
			slog.Info("simulation goes on", "seeds", r.ran, "failed", failed, "seconds", int(time.Since(start).Seconds()))
		}
		for _, f := range results {
			if failed++; failed <= show {
				fmt.Fprint(out, r.report(f))
			} else if failed < 200 {
				fmt.Fprintf(out, "seed %d failed: %.150s\n", f.seed, f.lines[0])
			}
		}
	}
	if below := r.cover.below(r.often); r.often > 0 {
		fmt.Fprintf(out, "%s\n%d cells met less than %d times: %s\n", r.cover, len(below), r.often, strings.Join(below, ", "))
		if met := r.cover.impossible(); len(met) > 0 {
			fmt.Fprintf(out, "%d cells met that are left out as impossible: %s\n", len(met), strings.Join(met, ", "))
		}
	}
	fmt.Fprintf(out, "%d seeds, %d failed, %d also in SQL, %d transitions compared, %.0f seeds/s\n", r.ran, failed, r.questions, r.compared, float64(r.ran)/time.Since(start).Seconds())
	if failed > 0 {
		return fmt.Errorf("%d of %d seeds failed", failed, r.ran)
	}
	return nil
}
