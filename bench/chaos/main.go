package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// options of one run.
type options struct {
	Kills     int           // SIGKILLs, of any process
	Seed      uint64        // of the faults and of the world
	Processes int           // scantrail run
	Brokers   int           // of Apache Kafka
	Parcels   int           // of the world
	Every     time.Duration // between two faults, on average
	Pause     time.Duration // longest SIGSTOP and longest cut; the shortest is a quarter of it
	Away      time.Duration // with this, one fault more: ClickHouse is away so long, with kills in the middle
	DiskFull  time.Duration // the same, with a full disk below ClickHouse
	Dir       string        // for data, configurations and output; empty: a temporary one, removed after success
	Out       io.Writer
}

func main() {
	o := options{Out: os.Stdout}
	flag.IntVar(&o.Kills, "kills", 50, "how many SIGKILLs")
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of the faults and of the world")
	flag.IntVar(&o.Processes, "processes", 3, "how many scantrail run")
	flag.IntVar(&o.Brokers, "brokers", 1, "how many brokers: 1 or 3")
	flag.IntVar(&o.Parcels, "parcels", 10_000, "parcels of the world, of about 17 records each")
	flag.DurationVar(&o.Every, "every", 2*time.Second, "mean time between two faults")
	flag.DurationVar(&o.Pause, "pause", 8*time.Second, "longest time that a process is stopped or cut off")
	flag.DurationVar(&o.Away, "away", 0, "ClickHouse is also away once for this long, with kills in the middle")
	flag.DurationVar(&o.DiskFull, "disk-full", 0, "the disk of ClickHouse is also full once for this long, with kills in the middle (Linux)")
	flag.StringVar(&o.Dir, "dir", "", "directory for data and output, kept (default: a temporary one, removed after success)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report, err := run(ctx, o)
	if report != nil {
		report.print(o.Out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		stop()
		os.Exit(1)
	}
}

// run lives through one run. The report is there once the faults are over; the
// error says what does not hold.
func run(ctx context.Context, o options) (r *report, err error) {
	if o.Processes < 2 {
		return nil, fmt.Errorf("-processes %d: want 2 at least, of which one goes on", o.Processes)
	}
	temporary := o.Dir == ""
	if temporary {
		if o.Dir, err = os.MkdirTemp("", "scantrail-chaos-"); err != nil {
			return nil, err
		}
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	defer func() {
		switch {
		case temporary && err == nil:
			os.RemoveAll(o.Dir) //nolint:errcheck // only space
		case err != nil:
			err = fmt.Errorf("%w\n  output and data: %s\n  again: go run ./bench/chaos -kills %d -seed %d -processes %d -brokers %d -parcels %d -every %s -pause %s -away %s -disk-full %s",
				err, o.Dir, o.Kills, o.Seed, o.Processes, o.Brokers, o.Parcels, o.Every, o.Pause, o.Away, o.DiskFull)
		}
	}()
	c, err := startCluster(ctx, o)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	load, err := startLoad(ctx, c, o)
	if err != nil {
		return nil, err
	}
	defer load.close()
	r = &report{Began: time.Now(), Faults: map[string]int{}}
	go c.memory.watch(ctx, c)
	if err := c.torment(ctx, load, r); err != nil {
		return r, err
	}
	if err := load.finish(ctx); err != nil {
		return r, err
	}
	r.Tormented = time.Since(r.Began)
	return r, c.judge(ctx, load, r)
}
