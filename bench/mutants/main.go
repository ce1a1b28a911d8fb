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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		slog.Error("mutants failed", "error", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out, progress io.Writer) error {
	fs := flag.NewFlagSet("mutants", flag.ContinueOnError)
	only := fs.String("only", "", "names of mutants to run, comma between; empty: all")
	seeds := fs.Int("seeds", 5000, "seeds that a mutant is looked for with at most")
	limit := fs.Duration("for", 3*time.Minute, "time that a mutant is looked for with at most")
	known := fs.Int("known", 1, "of so many seeds one compares transitions and rows too")
	list := fs.Bool("list", false, "name the mutants and what each does wrong, and run none")
	if err := fs.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(mutants(), *only)
	if err != nil {
		return err
	}
	if *list {
		for _, m := range chosen {
			fmt.Fprintf(out, "%-28s %s\n", m.name, m.what)
		}
		return nil
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	b, err := newBench(root)
	if err != nil {
		return err
	}
	defer b.close()
	h := hunter{bench: b, seeds: *seeds, limit: *limit, known: *known, progress: progress}
	return h.all(ctx, chosen, out)
}

// choose returns the mutants of a list of names, all where it is empty.
func choose(all []mutant, names string) ([]mutant, error) {
	if names == "" {
		return all, nil
	}
	var chosen []mutant
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, m := range all {
			if m.name == name {
				chosen, found = append(chosen, m), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no mutant is called %q: -list names them", name)
		}
	}
	return chosen, nil
}
