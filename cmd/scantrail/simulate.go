package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/schemas"
)

type simulateFlags struct {
	kafkaTarget
	parcels  int
	days     int
	seed     uint64
	rate     float64
	speed    float64
	duration time.Duration
	to       string
	follow   bool
	live     bool
	existing string
	truth    string
}

func newSimulateCommand() *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate [-c scantrail.yaml] [--parcels N] [--rate R] [--for D]",
		Short: "Write a simulated world to Kafka: load and rehearsal",
		Long: `Write the records of a simulated world to the raw topics and to orders: the carriers,
shops and orders of scantrail demo, in the carriers' own formats, late, twice and in any
order, for a service that runs elsewhere (scantrail run), embedded or not.

The world has lived through the last --days days. Its past is sent as fast as --rate
and --speed allow, flagged as history, which pages nobody; --live leaves the flag
out. With --follow it then goes on in real time, and that pages. The same --seed,
--parcels, --days and --to are the same world, byte for byte.

Its parcels, shops and orders do not exist, and nothing removes them from the tables
and scores again. So it refuses a cluster whose raw topics or orders hold, or ever
held, a record: --into-existing overrides that, and wants the id of that cluster, which
the refusal tells. Every record carries the header ` + schemas.SimulatedHeader + `.`,
		Example: `  scantrail simulate --parcels 10000
  scantrail simulate -c rehearsal.yaml --parcels 2000000 --rate 50000
  scantrail simulate -c rehearsal.yaml --to 2026-11-20T00:00:00Z --truth truth.jsonl
  scantrail simulate -c rehearsal.yaml --follow --for 1h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.kafkaTarget.flags(cmd)
	fs := cmd.Flags()
	fs.IntVar(&f.parcels, "parcels", 10_000, "parcels of the world")
	fs.IntVar(&f.days, "days", 45, "days of its past")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of the world")
	fs.Float64Var(&f.rate, "rate", 0, "records per second (default: as fast as Kafka takes them)")
	fs.Float64Var(&f.speed, "speed", 0, "simulated seconds per second in its past (default: as --rate allows)")
	fs.DurationVar(&f.duration, "for", 0, "end after this time at the latest")
	fs.StringVar(&f.to, "to", "", "end of its past, RFC 3339 (default: now)")
	fs.BoolVar(&f.follow, "follow", false, "go on in real time after its past, until --for or Ctrl-C")
	fs.BoolVar(&f.live, "live", false, "do not flag its past as history")
	fs.StringVar(&f.existing, "into-existing", "", "id of the cluster: write although topics hold records")
	fs.StringVar(&f.truth, "truth", "", "write what a correct detector finds at the end of its past to this file, as JSON lines")
	return cmd
}

// world checks the flags and makes the world.
func (f *simulateFlags) world(now time.Time) (w *world.World, from, to time.Time, err error) {
	to = now.UTC().Truncate(time.Second)
	if f.to != "" {
		if to, err = time.Parse(time.RFC3339, f.to); err != nil || to.After(now) {
			return nil, from, to, fmt.Errorf("--to %s: want a time that has passed, such as 2026-11-20T00:00:00Z", f.to)
		}
		to = to.UTC()
	}
	switch {
	case f.parcels < 1 || f.parcels > 50_000_000:
		err = fmt.Errorf("--parcels %d: want 1 to 50000000", f.parcels)
	case f.days < 1 || f.days > 365:
		err = fmt.Errorf("--days %d: want 1 to 365", f.days)
	case f.rate < 0 || f.speed < 0 || f.duration < 0:
		err = errors.New("--rate, --speed and --for: want positive numbers")
	case f.follow && f.to != "":
		err = errors.New("--follow goes on from now: leave --to out")
	case f.follow && f.truth != "":
		err = errors.New("--truth is told for the end of the past: leave --follow out")
	}
	from = to.Add(-time.Duration(f.days) * 24 * time.Hour)
	end := to
	if f.follow { // orders go on as densely as before
		end = to.Add(max(f.duration, 24*time.Hour))
	}
	if err != nil {
		return nil, from, to, err
	}
	return world.New(world.Config{Seed: f.seed, Parcels: f.parcels, From: from, To: end}), from, to, nil
}

func (f *simulateFlags) run(cmd *cobra.Command) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	w, from, to, err := f.world(time.Now())
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	client, err := f.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := refuseUsed(ctx, client, w.Topics(), f.existing); err != nil {
		return err
	}
	if err := ensureTargets(ctx, client, cfg, w.Topics()); err != nil {
		return err
	}
	if f.truth != "" {
		if err := writeTruth(f.truth, w); err != nil {
			return err
		}
	}
	s := &simulation{flags: f, sender: worldSender{world: w, producer: client, rate: f.rate}, from: from, to: to,
		out: cmd.ErrOrStderr(), began: time.Now()}
	err = errors.Join(s.play(ctx), s.sender.flush(ctx))
	s.account(cmd.OutOrStdout())
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// refuseUsed protects a cluster with real parcels from simulated ones.
func refuseUsed(ctx context.Context, client *kgo.Client, topics []string, allowed string) error {
	adm := kadm.NewClient(client)
	meta, err := adm.Metadata(ctx)
	if err != nil {
		return fmt.Errorf("asking Kafka for topics: %w", err)
	}
	var there []string
	for _, t := range meta.Topics.Names() {
		if slices.Contains(topics, t) {
			there = append(there, t)
		}
	}
	if allowed != "" && allowed != meta.Cluster {
		return fmt.Errorf("--into-existing %s: this is cluster %s", allowed, meta.Cluster)
	}
	if allowed != "" || len(there) == 0 {
		return nil
	}
	ends, err := adm.ListEndOffsets(ctx, there...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("asking Kafka for end offsets: %w", err)
	}
	name, records := "", int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > records {
			name, records = o.Topic, o.Offset
		}
	})
	if records == 0 {
		return nil
	}
	return fmt.Errorf("topic %s of cluster %s has held records (%d in one partition): simulated parcels would mix with real ones, in tables and scores, for good. "+
		"Use an empty cluster; if this one is for tests, say so: --into-existing %s", name, meta.Cluster, records, meta.Cluster)
}

func writeTruth(path string, w *world.World) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = w.Truth().WriteTo(f)
	return errors.Join(err, f.Close())
}

// simulation is one run.
type simulation struct {
	flags    *simulateFlags
	sender   worldSender
	from, to time.Time
	at       time.Time // up to where the world has been sent
	out      io.Writer
	began    time.Time
	next     time.Time // of the next line of progress
}

// play sends the world's past, then, where asked, goes on in real time.
func (s *simulation) play(ctx context.Context) error {
	if s.flags.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.flags.duration)
		defer cancel()
	}
	err := s.past(ctx)
	if err == nil && s.flags.follow {
		err = s.present(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // --for is over
	}
	return err
}

func (s *simulation) headers(history bool) []kgo.RecordHeader {
	h := []kgo.RecordHeader{{Key: schemas.SimulatedHeader, Value: strconv.AppendUint(nil, s.flags.seed, 10)}}
	if history && !s.flags.live {
		h = append(h, kgo.RecordHeader{Key: schemas.BackfillHeader, Value: []byte("1")})
	}
	return h
}

func (s *simulation) past(ctx context.Context) error {
	s.sender.headers = s.headers(true)
	for s.at = s.from; s.at.Before(s.to); {
		at := s.at.Add(worldStep)
		if at.After(s.to) {
			at = s.to
		}
		if err := s.sender.until(ctx, at); err != nil {
			return err
		}
		s.at = at
		s.progress()
		if s.flags.speed > 0 {
			due := s.began.Add(time.Duration(float64(at.Sub(s.from)) / s.flags.speed))
			if err := pause(ctx, time.Until(due)); err != nil {
				return err
			}
		}
	}
	return nil
}

// present sends what happens as it happens.
func (s *simulation) present(ctx context.Context) error {
	s.sender.headers = s.headers(false)
	for {
		now := time.Now().UTC()
		if err := s.sender.until(ctx, now); err != nil {
			return err
		}
		s.at = now
		s.progress()
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (s *simulation) progress() {
	if now := time.Now(); now.After(s.next) {
		s.next = now.Add(5 * time.Second)
		fmt.Fprintf(s.out, "%s  %d records, %.0f a second\n", s.at.Format("2 Jan 15:04"), s.sender.sent, float64(s.sender.sent)/now.Sub(s.began).Seconds())
	}
}

// account prints what Kafka has.
func (s *simulation) account(w io.Writer) {
	fmt.Fprintf(w, "a world of %d parcels, seed %d, %s to %s\n", s.flags.parcels, s.flags.seed, s.from.Format(time.RFC3339), s.at.Format(time.RFC3339))
	for _, topic := range slices.Sorted(maps.Keys(s.sender.topics)) {
		fmt.Fprintf(w, "  %-28s %d\n", topic, s.sender.topics[topic])
	}
	took := time.Since(s.began)
	fmt.Fprintf(w, "%d of %d records are in Kafka, %.0f a second\n", s.sender.acked.Load(), s.sender.sent, float64(s.sender.acked.Load())/took.Seconds())
}
