package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/cmd/scantrail/web"
	"scantrail/ingest/carriers"
	"scantrail/ingest/push"
	"scantrail/schemas"
	"scantrail/sink"
)

// demoHistory is how much of the past the simulated world lives through.
const demoHistory = 45 * 24 * time.Hour

type demoFlags struct {
	duration time.Duration
	parcels  int
	speed    float64
	seed     uint64
	report   string
	listen   string
	kafka    int
	http     string
	data     string
	verbose  bool
}

func newDemoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo [--for 60s] [--parcels N] [--speed X] [--report FILE]",
		Short: "Watch the whole pipeline at work on a simulated world",
		Long: `Run an embedded Kafka and ClickHouse, a simulated world of carriers, shops and
orders, and the whole pipeline between them. The world lives through the last 45
days on an accelerated clock: carriers send raw scans in their own formats, late,
twice and in any order; feeds fall silent, scans go missing, parcels get stuck.
The world knows the truth, so the summary tells how many of the broken trails were
found, and how many alerts were wrong.

With --for the demo ends after about that time with a summary. Without it, it goes
on in real time once the world has arrived at the present, and says how to query it.
The console is on 127.0.0.1:8080 from the first second on.

The first run fetches the ClickHouse engine through npm into the user's cache
directory; SCANTRAIL_LIBCHDB names another copy of libchdb.so.`,
		Example: `  scantrail demo
  scantrail demo --for 60s --report report.json
  scantrail demo --for 2m --parcels 100000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	cmd.Flags().DurationVar(&f.duration, "for", 0, "end after about this time with a summary (at least 20s)")
	cmd.Flags().IntVar(&f.parcels, "parcels", 10_000, "parcels of the world")
	cmd.Flags().Float64Var(&f.speed, "speed", 0, "simulated seconds per second (default: as --for needs, or 45 days a minute)")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "seed of the world: the same seed is the same world")
	cmd.Flags().StringVar(&f.report, "report", "", "write the report as JSON to this file")
	cmd.Flags().StringVar(&f.listen, "listen", web.DefaultListen, "address of the console on loopback (a free port where this one is taken)")
	cmd.Flags().IntVar(&f.kafka, "kafka-port", 0, "port of the embedded Kafka on 127.0.0.1 (default: a free one)")
	cmd.Flags().StringVar(&f.http, "clickhouse", embeddedClickHouse, "address of the embedded ClickHouse on loopback")
	cmd.Flags().StringVar(&f.data, "data", "", "keep the data in this directory (default: a temporary one)")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the log")
	return cmd
}

func (f demoFlags) validate() error {
	switch {
	case f.duration != 0 && f.duration < 20*time.Second:
		return fmt.Errorf("--for %s: at least 20s, of which some pass before and after the world runs", f.duration)
	case f.parcels < 1 || f.parcels > 5_000_000:
		return fmt.Errorf("--parcels %d: want 1 to 5000000", f.parcels)
	case f.speed < 0:
		return fmt.Errorf("--speed %g: want a positive number", f.speed)
	case f.data != "" && !emptyDir(f.data):
		return fmt.Errorf("--data %s: holds something already; a demo begins in an empty directory", f.data)
	}
	if !isLoopback(f.listen) {
		return fmt.Errorf("--listen %s: want an address on loopback such as %s: the demo has no login", f.listen, web.DefaultListen)
	}
	return nil
}

func emptyDir(dir string) bool {
	entries, err := os.ReadDir(dir)
	return errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0
}

// demo is one run: the world, the clock that it lives by, and the pipeline.
type demo struct {
	flags    demoFlags
	out      io.Writer
	started  time.Time
	from, to time.Time
	clock    *worldClock
	world    *world.World
	truth    *world.Truth
	console  *web.Server
	pipeline *pipeline
	kafka    []kgo.Opt
	sent     int64         // records of the world that Kafka has
	ran      time.Duration // from the first record to the last row
}

func runDemo(ctx context.Context, f demoFlags, out io.Writer) (err error) {
	if err := f.validate(); err != nil {
		return err
	}
	d := &demo{flags: f, out: out, started: time.Now()}
	if err := d.openConsole(); err != nil {
		return err
	}
	defer d.console.Close()
	servers, err := startEmbedded(ctx, embeddedOptions{
		Data: f.data, KafkaPort: f.kafka, ClickHouse: f.http, Log: d.logger(), Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.Close()) }()
	d.to = d.started.UTC().Truncate(time.Second)
	d.from = d.to.Add(-demoHistory)
	fmt.Fprintf(d.out, "A world of %d parcels, %s to %s. Kafka on %s, ClickHouse on http://%s\n", d.flags.parcels,
		d.from.Format("2 Jan"), d.to.Format("2 Jan 2006"), servers.kafka.ListenAddrs()[0], servers.clickhouse.Addr())
	d.world = world.New(world.Config{Seed: d.flags.seed, Parcels: d.flags.parcels, From: d.from, To: d.to})
	if err := d.prepare(ctx, servers.kafka.ListenAddrs(), servers.clickhouse.Addr(), "scantrail"); err != nil {
		return err
	}
	defer d.pipeline.Close()

	pipelineCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- d.pipeline.Run(pipelineCtx) }()
	err = d.play(ctx, servers)
	stop()
	err = errors.Join(err, <-done)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// play lets the world live up to the present, waits until everything is
// through, and tells what came of it.
func (d *demo) play(ctx context.Context, servers *embedded) error {
	live, began := startLive(d), time.Now()
	err := d.drive(ctx)
	if err == nil {
		err = d.settle(ctx)
	}
	d.ran = time.Since(began)
	live.stop()
	if err != nil {
		return err
	}
	report, err := d.makeReport(ctx)
	if err != nil {
		return err
	}
	report.print(d.out)
	if d.flags.verbose {
		for _, line := range report.wrong {
			fmt.Fprintln(os.Stderr, line)
		}
	}
	if d.flags.report != "" {
		if err := report.write(d.flags.report); err != nil {
			return err
		}
		fmt.Fprintf(d.out, "\nThe report is in %s.\n", d.flags.report)
	}
	if d.flags.duration > 0 {
		return nil
	}
	d.howToQuery(servers)
	d.clock.live()
	return d.keepTicking(ctx)
}

// prepare writes down the truth of the world and makes the pipeline, and what
// both need in the servers.
func (d *demo) prepare(ctx context.Context, brokers []string, clickhouse, database string) error {
	d.clock = newWorldClock(d.from)
	d.truth = d.world.Truth()

	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		return err
	}
	d.kafka = []kgo.Opt{kgo.SeedBrokers(brokers...), kgo.ClientID("scantrail")}
	d.pipeline, err = newPipeline(pipelineOptions{
		Kafka:      d.kafka,
		ClickHouse: sink.Options{URLs: []string{"http://" + clickhouse}, Database: database, User: "default"},
		Topics:     topicOptions{Partitions: 12, Replication: 1, Create: true},
		Roles:      roleNames, Migrate: true, Carriers: registry, Generation: 1,
		// On an accelerated clock every moment of lag is hours: time always waits.
		StallAfter: 100 * 365 * 24 * time.Hour,
		Snapshot:   15 * time.Second, FlushRows: 100_000, FlushEvery: time.Second, RowsEvery: time.Second,
		Web: d.console, Push: push.Options{CreateTopics: true}, Now: d.clock.now, Log: d.logger(),
	})
	if err != nil {
		return err
	}
	if err := d.pipeline.Prepare(ctx); err != nil {
		return err
	}
	return ensureRawTopics(ctx, d.pipeline.kafka, d.world.Topics())
}

// openConsole opens the console's listener, on a free port where its own is
// taken, and says where it is before anything else.
func (d *demo) openConsole() (err error) {
	c := WebConfig{Listen: d.flags.listen}
	taken := ""
	d.console, err = c.listen(d.logger())
	if errors.Is(err, syscall.EADDRINUSE) {
		taken = fmt.Sprintf(" (%s is taken)", d.flags.listen)
		host, _, _ := net.SplitHostPort(d.flags.listen)
		c.Listen = net.JoinHostPort(host, "0")
		d.console, err = c.listen(d.logger())
	}
	if err == nil {
		fmt.Fprintf(d.out, "Console: %s%s\n", d.console.URL(), taken)
	}
	return err
}

// logger is silent unless asked: the live line is what a person watches.
func (d *demo) logger() *slog.Logger {
	level := slog.LevelError
	if d.flags.verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// howToQuery tells what a person can do while the demo stays up.
func (d *demo) howToQuery(servers *embedded) {
	addr := servers.clickhouse.Addr()
	fmt.Fprintf(d.out, `
The demo stays up in real time until Ctrl-C. Its console is on %[4]s, and it answers anything:

  curl 'http://%[1]s/?database=scantrail' --data-binary 'SELECT * FROM stalled_now ORDER BY hours_silent DESC LIMIT 5 FORMAT Vertical'
  curl 'http://%[1]s/?database=scantrail&query=SELECT+shop_id,week,round(lts,1)+FROM+lts_weekly+ORDER+BY+lts+LIMIT+10'

  From Go:  clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{%[1]q},
                Auth: clickhouse.Auth{Database: "scantrail", Username: "default"}})
  Kafka:    %[2]s (raw scans in scans.raw.<carrier>, alerts on %[3]s)
`, addr, servers.kafka.ListenAddrs()[0], schemas.AlertsTopic, d.console.URL())
}

// keepTicking goes on in real time until ctx ends.
func (d *demo) keepTicking(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.pipeline.ticker.Tick(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// write stores the report.
func (r *report) write(path string) error {
	b, err := r.json()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
