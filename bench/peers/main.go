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
	Scans int
	Seed  uint64
	Peers []peer
	Dir   string // for data and output; empty: a temporary one, removed after success
	Out   io.Writer
	began time.Time
}

func (o options) say(format string, args ...any) {
	fmt.Fprintf(o.Out, "%5.0fs %s\n", time.Since(o.began).Seconds(), fmt.Sprintf(format, args...))
}

func main() {
	o := options{Out: os.Stderr, began: time.Now()}
	var list, jsonFile, data, listen string
	flag.IntVar(&o.Scans, "scans", 1_000_000, "scans of the world, about")
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of the world")
	flag.StringVar(&list, "peers", "scantrail,clickhouse,streams,flink", "which, in this order; streams and flink stand for all of theirs")
	flag.StringVar(&jsonFile, "json", "", "file for the report as JSON")
	flag.StringVar(&o.Dir, "dir", "", "directory for data and output, kept (default: a temporary one, removed after success)")
	flag.StringVar(&data, "engine", "", "internal: run the ClickHouse engine with this directory")
	flag.StringVar(&listen, "listen", "", "internal: address of the engine")
	flag.Parse()
	if data != "" {
		exit(runEngine(data, listen))
	}
	var err error
	if o.Peers, err = choose(list); err != nil {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	r, err := run(ctx, o)
	stop()
	if r != nil {
		r.print(os.Stdout)
		if jsonFile != "" && err == nil {
			err = writeJSON(r, jsonFile)
		}
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func writeJSON(r *report, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := r.json(f); err != nil {
		f.Close() //nolint:errcheck // the first error counts
		return err
	}
	return f.Close()
}

// run lets one peer work after the other. The report has those that were done,
// also with an error.
func run(ctx context.Context, o options) (rep *report, err error) {
	temporary := o.Dir == ""
	if temporary {
		if o.Dir, err = os.MkdirTemp("", "scantrail-peers-"); err != nil {
			return nil, err
		}
	}
	defer func() {
		switch {
		case temporary && err == nil:
			os.RemoveAll(o.Dir) //nolint:errcheck // only space
		case err != nil:
			err = fmt.Errorf("%w\n  output and data: %s", err, o.Dir)
		}
	}()
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	rig, err := newRig(ctx, o)
	if err != nil {
		return nil, err
	}
	defer rig.close()
	rep = newReport(rig)
	for _, p := range o.Peers {
		res, err := rig.run(ctx, p)
		if err != nil {
			return rep, err
		}
		rep.Results = append(rep.Results, res)
	}
	return rep, nil
}
