package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scantrail/bench/stopwatch"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// benchParts are the names of --only, in the order in which they run.
var benchParts = []string{"decode", "log", "apply", "recovery", "consume", "insert", "pipeline", "latency"}

type benchFlags struct {
	only    string
	parcels []string
	world   int
	quick   bool
	json    bool
	apache  bool
	profile string
}

func newBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [--only PART,...] [--quick] [--json] [--parcels N,...]",
		Short: "Measure how fast each part is on this machine",
		Long: `Measure every part of Scantrail on this machine, alone and then together, with a
Kafka and a ClickHouse inside this process. Nothing else is touched. Parts:

  decode    raw records of carriers into canonical events, by format; beside it,
            how many times as long as only checking that the bytes are JSON
  log       one event of parcel.events encoded and decoded
  apply     the detector's state: memory of a parcel with 12 scans; facts applied and
            judged, one by one and by answers; rows taken; deadlines that fire
  recovery  memory of a parcel with its order too; snapshots written; a process
            that starts from the snapshots in Kafka
  consume   the ceiling on the left: reading raw records from Kafka, nothing else
  insert    the ceiling on the right: inserting scans into ClickHouse, nothing else
  pipeline  from raw records in Kafka to rows and alerts in ClickHouse, beside the
            two ceilings of the same run, then each role alone
  latency   from the second at which a parcel has been silent for 48 h to the alert
            on parcel.alerts, and to its row in ClickHouse

How to read it: "cpu" is what the whole process used, with garbage collection and,
where they take part, the broker and the engine. On a machine that others use
too, believe it and the ratios; figures of seconds that passed are then too low.
"/cpu second" is what one core does. The pipeline cannot be faster than either
ceiling; "of reading" and "of inserting" say how close it comes. Its ceilings and
itself share all cores with the broker and the engine.

The first run that needs ClickHouse fetches the engine through npm, as the demo
does. --apache runs the parts that need Kafka on Apache Kafka instead (java and
mvn needed); its CPU is that of another process and is not counted. Where a part
fails, or Ctrl-C ends the run, what was measured before is printed all the same.`,
		Example: `  scantrail bench --quick
  scantrail bench --json > before.json
  scantrail bench --only apply,recovery --parcels 1000000,10000000
  scantrail bench --only pipeline --cpuprofile cpu.prof && go tool pprof -tags cpu.prof`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBench(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&f.only, "only", "", "parts to run, separated by commas (default: all)")
	cmd.Flags().StringSliceVar(&f.parcels, "parcels", nil, "open parcels of apply and recovery, one run for each (default 1000000; 50000000 take 14 GB and ten minutes in apply, 20 GB in recovery)")
	cmd.Flags().IntVar(&f.world, "world", 0, "parcels of the simulated world that the pipeline reads, 15 scans each (default 100000)")
	cmd.Flags().BoolVar(&f.quick, "quick", false, "small sizes, figures to within a factor of two")
	cmd.Flags().BoolVar(&f.json, "json", false, "write one JSON document instead of tables")
	cmd.Flags().BoolVar(&f.apache, "apache", false, "run on Apache Kafka, started for this run, instead of the embedded broker")
	cmd.Flags().StringVar(&f.profile, "cpuprofile", "", "write a CPU profile of the pipeline part, labelled by role, to this file")
	return cmd
}

// benchSizes says how much each part does.
type benchSizes struct {
	budget  time.Duration // CPU of each case of decode and log
	parcels []int
	facts   int // applied to the state
	rows    int // inserted alone
	world   int // parcels of the pipeline's world; a quarter for the roles alone
	ticks   []time.Duration
	during  time.Duration // in which deadlines fall
	alerts  int           // deadlines in that time
	lead    time.Duration // from sending the scans to the first deadline
	flush   time.Duration // of sink and detector, as the default configuration has it
}

func (f benchFlags) sizes() (benchSizes, error) {
	s := benchSizes{
		budget: time.Second, parcels: []int{1_000_000}, facts: 2_000_000, rows: 500_000, world: 100_000,
		ticks: []time.Duration{time.Second, 5 * time.Second}, during: 30 * time.Second, alerts: 3000, lead: 15 * time.Second, flush: time.Second,
	}
	if f.quick { // the same in small
		s = benchSizes{
			budget: 100 * time.Millisecond, parcels: []int{50_000}, facts: 200_000, rows: 100_000, world: 5000,
			ticks: []time.Duration{time.Second}, during: 6 * time.Second, alerts: 600, lead: 5 * time.Second, flush: time.Second,
		}
	}
	if f.world < 0 {
		return s, fmt.Errorf("--world %d: it must be positive", f.world)
	}
	if f.world > 0 {
		s.world = f.world
	}
	for i, p := range f.parcels {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1000 || n > 100_000_000 {
			return s, fmt.Errorf("--parcels %s: it must be a number from 1000 to 100000000", p)
		}
		if i == 0 {
			s.parcels = nil
		}
		s.parcels = append(s.parcels, n)
	}
	return s, nil
}

// parts returns those that --only names, in the order in which they run.
func (f benchFlags) parts() ([]string, error) {
	if f.only == "" {
		return benchParts, nil
	}
	chosen := strings.Split(f.only, ",")
	for i, name := range chosen {
		chosen[i] = strings.TrimSpace(name)
		if !slices.Contains(benchParts, chosen[i]) {
			return nil, fmt.Errorf("--only %s: there is no such part; there are %s", chosen[i], strings.Join(benchParts, ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(benchParts), func(name string) bool { return !slices.Contains(chosen, name) }), nil
}

func runBench(ctx context.Context, f benchFlags, out, progress io.Writer) (err error) {
	sizes, err := f.sizes()
	if err != nil {
		return err
	}
	parts, err := f.parts()
	if err != nil {
		return err
	}
	servers := &benchServers{apache: f.apache, progress: progress}
	defer func() { err = errors.Join(err, servers.close()) }()
	b := &bench{sizes: sizes, servers: servers, progress: progress, profile: f.profile}
	report, err := b.run(ctx, parts)
	if len(report.Rows) == 0 {
		return err
	}
	if f.json {
		return errors.Join(err, report.WriteJSON(out))
	}
	return errors.Join(err, report.Write(out))
}

// bench is one run of the stopwatch.
type bench struct {
	sizes    benchSizes
	servers  *benchServers
	registry *carriers.Registry
	progress io.Writer
	profile  string // file for the pipeline's CPU profile; empty: none
	part     string // that is running
	began    time.Time
}

// say tells what is being done.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%5.0fs %s: %s\n", time.Since(b.began).Seconds(), b.part, fmt.Sprintf(format, args...)) //nolint:errcheck // for people
}

// run returns what was measured before the first error, too.
func (b *bench) run(ctx context.Context, parts []string) (report *stopwatch.Report, err error) {
	b.began = time.Now()
	report = &stopwatch.Report{StartedAt: b.began.UTC().Truncate(time.Second), Machine: stopwatch.ThisMachine(), Broker: b.servers.brokerName()}
	defer func() { report.Seconds = time.Since(b.began).Seconds() }()
	if b.registry, err = carriers.Load(schemas.Carriers, ""); err != nil {
		return report, err
	}
	for _, part := range parts {
		b.part = part
		b.say("starts")
		rows, err := b.measure(ctx, part)
		report.Rows = append(report.Rows, rows...)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return report, fmt.Errorf("%s: %w", part, err)
		}
	}
	return report, nil
}

func (b *bench) measure(ctx context.Context, part string) ([]stopwatch.Row, error) {
	switch part {
	case "decode":
		return stopwatch.Decode(b.registry, b.sizes.budget)
	case "log":
		return stopwatch.Log(b.registry, b.sizes.budget)
	case "apply":
		return b.eachSize(func(n int) ([]stopwatch.Row, error) { return stopwatch.Apply(ctx, n, b.sizes.facts, b.say) })
	case "recovery":
		return b.eachSize(func(n int) ([]stopwatch.Row, error) { return b.recovery(ctx, n) })
	case "consume":
		return b.consume(ctx)
	case "insert":
		return b.insert(ctx)
	case "pipeline":
		return b.pipeline(ctx)
	case "latency":
		return b.latency(ctx)
	}
	return nil, fmt.Errorf("no such part: %s", part)
}

func (b *bench) eachSize(f func(n int) ([]stopwatch.Row, error)) (all []stopwatch.Row, err error) {
	for _, n := range b.sizes.parcels {
		rows, err := f(n)
		all = append(all, rows...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (b *bench) recovery(ctx context.Context, n int) ([]stopwatch.Row, error) {
	broker, err := b.servers.broker(ctx)
	if err != nil {
		return nil, err
	}
	defer broker.stop()
	return stopwatch.Recovery(ctx, broker.kafka, n, b.say)
}

// writeProfile writes a CPU profile while f runs, where one is asked for.
func (b *bench) writeProfile(f func() error) (err error) {
	if b.profile == "" {
		return f()
	}
	file, err := os.Create(b.profile)
	if err != nil {
		return fmt.Errorf("--cpuprofile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return profiled(file, f)
}
