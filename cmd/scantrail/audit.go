package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/sink"
)

type auditFlags struct {
	config   string
	embedded bool
	data     string
	kafka    int
	http     string
	replay   string
	since    string
	patience time.Duration
	json     bool
}

func newAuditCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit [-c scantrail.yaml] [--embedded --data DIR] [--replay PARTITION|all] [--since T] [--json]",
		Short: "Prove the guarantees P1 to P5 on a live cluster",
		Long: `Check, by reading alone, that what stands in ClickHouse is what was in Kafka. It
runs beside the live service: what the service has not committed yet is no part of
the question, and what is under way is waited for (--patience).

  P1 nothing lost       Every offset of every raw topic up to the commit of ingest
                        stands in the ledger ranges, every offset of parcel.events
                        up to the commit of the sink in the ledger blocks; both
                        chain without a hole, and agree with the rows of scans,
                        order_facts, dead_letters and the others.
  P2 nothing twice      Totals equal the number of distinct identities over the raw
                        rows: facts of parcels and orders, rows of the views. One
                        identity never has two contents.
  P3 deterministic      With --replay, one partition of parcel.events (or all) is
                        judged once more in this process. Every row of scans,
                        parcels, orders and alert_transitions must come out the
                        same, versions included. Without it P3 is not checked.
  P4 convergent         Alerts for silence, missing milestones, pickup_late and
                        delivered_late of parcels and confirm_late of orders equal
                        what SQL alone makes of scans and order facts, where that is
                        simple; the others are counted, with the reason.
  P5 bounded honesty    What could not be read stands in data_gaps, by kind; a hole
                        without a row there is a violation.

Each violation is said in full: what, where, what it means, what to do. The table
at the end has the figures that were compared, and those that were left out.

Exit code: 0 all that was checked holds, 1 a violation, 2 it could not be checked.

A replay begins at offset 0, or, where retention has passed that, at the oldest
snapshot; it then says so, and compares what has changed since. It keeps one
partition in memory, about what the detector needs for it, and judges some 100,000
records a second.`,
		Example: `  scantrail audit -c scantrail.yaml
  scantrail audit -c scantrail.yaml --since 2026-11-20T00:00:00Z --json
  scantrail audit -c scantrail.yaml --replay 3
  scantrail audit --embedded --data ./data --replay all   # the service is stopped`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAudit(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file; without it the defaults")
	cmd.Flags().BoolVar(&f.embedded, "embedded", false, "open the data of an embedded service that is stopped")
	cmd.Flags().StringVar(&f.data, "data", "", "directory of that data")
	cmd.Flags().IntVar(&f.kafka, "kafka-port", 0, "port for the embedded Kafka meanwhile (default: a free one)")
	cmd.Flags().StringVar(&f.http, "clickhouse", "127.0.0.1:0", "address for the embedded ClickHouse meanwhile")
	cmd.Flags().StringVar(&f.replay, "replay", "", "check P3 on this partition of parcel.events, or on all")
	cmd.Flags().StringVar(&f.since, "since", "", "to be quicker, leave out P1 blocks of 65,536 offsets, and identities, from before this time (RFC 3339)")
	cmd.Flags().DurationVar(&f.patience, "patience", 30*time.Second, "how long to wait for what is under way")
	cmd.Flags().BoolVar(&f.json, "json", false, "write the report as JSON")
	return cmd
}

// auditError ends the process with an exit code of its own.
type auditError struct {
	code int
	err  error
}

func (e *auditError) Error() string { return e.err.Error() }
func (e *auditError) Unwrap() error { return e.err }
func (e *auditError) ExitCode() int { return e.code }

// unchecked says that the audit itself failed.
func unchecked(err error) error {
	return &auditError{code: 2, err: fmt.Errorf("audit: could not check: %w", err)}
}

var errViolated = errors.New("audit: not all guarantees hold")

func runAudit(ctx context.Context, f auditFlags, stdout, stderr io.Writer) error {
	o, stop, err := auditOptionsOf(ctx, f, stderr)
	if err != nil {
		return unchecked(err)
	}
	defer stop()
	a, err := newAudit(o)
	if err != nil {
		return unchecked(err)
	}
	defer a.close()
	report, err := a.run(ctx)
	if err != nil {
		return unchecked(err)
	}
	if f.json {
		err = report.writeJSON(stdout)
	} else {
		err = report.writeText(stdout)
	}
	switch {
	case err != nil:
		return unchecked(err)
	case report.Violated > 0:
		return &auditError{code: 1, err: errViolated}
	case report.Failed > 0:
		return &auditError{code: 2, err: errors.New("audit: some of it could not be checked")}
	}
	return nil
}

// auditOptions is an audit as plain values.
type auditOptions struct {
	Kafka      []kgo.Opt
	ClickHouse sink.Options
	Generation uint16
	Replay     []int32 // partitions of parcel.events
	ReplayAll  bool
	Since      time.Time // zero: everything
	// TransitionDays is how long alert_transitions keeps its rows; 0: for good.
	TransitionDays int
	Patience       time.Duration
	Progress       io.Writer
	Log            *slog.Logger
	Now            func() time.Time
}

// auditOptionsOf reads the flags and the configuration, and starts the embedded
// servers where they are asked for.
func auditOptionsOf(ctx context.Context, f auditFlags, progress io.Writer) (o auditOptions, stop func(), err error) {
	cfg, stop := DefaultConfig(), func() {}
	if f.config != "" {
		if cfg, err = LoadConfig(f.config); err != nil {
			return o, stop, err
		}
	}
	o = auditOptions{Patience: f.patience, Progress: progress, Now: time.Now, Generation: uint16(cfg.Detector.Generation)}
	if err := o.parse(f); err != nil {
		return o, stop, err
	}
	o.leaveOutDeleted(cfg.ClickHouse.KeepDays)
	cfg.Log.Level = "warn"
	o.Log = newLogger(cfg.Log)
	if f.embedded {
		if f.data == "" || emptyDir(f.data) {
			return o, stop, errors.New("--embedded needs --data DIR: the directory of a service that has run and is stopped")
		}
		e, err := startEmbedded(ctx, embeddedOptions{Data: f.data, KafkaPort: f.kafka, ClickHouse: f.http, Log: o.Log, Progress: progress})
		if err != nil {
			return o, stop, fmt.Errorf("%w (a service that runs is audited without --embedded)", err)
		}
		stop = func() { e.Close() } //nolint:errcheck // nothing was written
		cfg.Kafka.Brokers, cfg.ClickHouse.Addrs = e.kafka.ListenAddrs(), []string{"http://" + e.clickhouse.Addr()}
		cfg.Kafka.TLS, cfg.Kafka.SASL, cfg.ClickHouse.TLS = TLSConfig{}, SASLConfig{}, TLSConfig{}
		o.Patience = 0 // nobody is at work
	}
	if o.Kafka, err = cfg.KafkaOptions(o.Log); err != nil {
		return o, stop, err
	}
	o.ClickHouse = sinkOptions(cfg)
	return o, stop, nil
}

// leaveOutDeleted keeps the audit from missing what ClickHouse was told to
// delete.
func (o *auditOptions) leaveOutDeleted(keep KeepDaysConfig) {
	o.TransitionDays = keep.AlertTransitions
	if keep.Scans == 0 {
		return
	}
	if kept := o.Now().Add(2*24*time.Hour).AddDate(0, 0, -keep.Scans); kept.After(o.Since) {
		o.Since = kept
	}
}

func (o *auditOptions) parse(f auditFlags) error {
	switch f.replay {
	case "":
	case "all":
		o.ReplayAll = true
	default:
		p, err := strconv.ParseInt(f.replay, 10, 32)
		if err != nil || p < 0 {
			return fmt.Errorf("--replay %s: want the number of a partition, or all", f.replay)
		}
		o.Replay = []int32{int32(p)}
	}
	if f.since != "" {
		at, err := time.Parse(time.RFC3339, f.since)
		if err != nil {
			return fmt.Errorf("--since %s: want a time such as 2026-11-20T00:00:00Z", f.since)
		}
		o.Since = at
	}
	return nil
}

// audit holds what the checks share.
type audit struct {
	o      auditOptions
	kafka  *kgo.Client
	admin  *kadm.Client
	rows   driver.Conn
	report *auditReport

	state   clusterState
	ranges  map[sourceKey][]rangeRow
	clocks  map[int32]int64 // of partitions that were replayed, Unix milliseconds
	current *auditCheck
}

func newAudit(o auditOptions) (*audit, error) {
	if o.Progress == nil {
		o.Progress = os.Stderr
	}
	o.ClickHouse.ReadTimeout = time.Hour // one answer may count billions of rows
	rows, err := sink.Open(o.ClickHouse)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, err
	}
	return &audit{o: o, kafka: client, admin: kadm.NewClient(client), rows: rows, clocks: map[int32]int64{},
		report: &auditReport{Started: o.Now().UTC()}}, nil
}

func (a *audit) close() {
	a.kafka.Close()
	a.rows.Close() //nolint:errcheck // nothing is under way
}

// run does all checks. An error means that there is no report at all.
func (a *audit) run(ctx context.Context) (*auditReport, error) {
	pinging, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	if err := a.kafka.Ping(pinging); err != nil {
		return nil, fmt.Errorf("no answer from Kafka: %w; check kafka.brokers, kafka.tls and kafka.sasl", err)
	}
	if err := sink.Verify(pinging, a.rows, a.o.ClickHouse.Cluster); err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	for _, c := range a.checks() {
		a.begin(c.guarantee, c.name)
		if err := c.run(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			a.current.Error = err.Error()
		}
		a.end()
	}
	a.report.finish(a.o.Now())
	return a.report, nil
}

type namedCheck struct {
	guarantee, name string
	run             func(context.Context) error
}

func (a *audit) checks() []namedCheck {
	all := []namedCheck{
		{"P1", "chain of ranges", a.checkRangeChain},
		{"P1", "ranges and scans", a.checkSources},
		{"P1", "ranges and dead letters", a.checkDeadLetters},
		{"P1", "chain of blocks", a.checkBlockChain},
		{"P1", "blocks and rows", a.checkBlockRows},
		{"P2", "identities of scans", a.checkIdentities},
		{"P2", "facts of parcels", a.checkParcelFacts},
		{"P2", "facts of orders", a.checkOrderFacts},
		{"P2", "totals of views", a.checkViews},
		{"P2", "transitions of alerts", a.checkTransitions},
	}
	all = append(all, a.replayChecks()...)
	return append(all,
		namedCheck{"P4", "silence", a.checkGaps},
		namedCheck{"P4", "missing milestones", a.checkMilestones},
		namedCheck{"P4", "deadlines of parcels", a.checkDeadlines},
		namedCheck{"P4", "unconfirmed orders", a.checkConfirmations},
		namedCheck{"P5", "data_gaps", a.checkKinds},
		namedCheck{"P5", "holes are said", a.checkHoles},
		namedCheck{"P5", "quarantine is said", a.checkQuarantine},
	)
}

// auditSettings bound the memory of one query: what does not fit goes to disk.
var auditSettings = clickhouse.Settings{
	"max_bytes_before_external_group_by": 1 << 30,
	"max_bytes_before_external_sort":     1 << 30,
	"join_algorithm":                     "grace_hash,hash",
	"compile_expressions":                0, // each query runs once: compiling takes longer than it saves
}

// each runs a query and calls fn for every row, which scans it.
func (a *audit) each(ctx context.Context, query string, fn func(scan func(...any) error) error) error {
	rows, err := a.rows.Query(clickhouse.Context(ctx, clickhouse.WithSettings(auditSettings)), query)
	if err != nil {
		return fmt.Errorf("ClickHouse: %w (asked: %.300s)", err, query)
	}
	defer rows.Close() //nolint:errcheck // read to its end
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return fmt.Errorf("ClickHouse: %w (asked: %.300s)", err, query)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ClickHouse: %w (asked: %.300s)", err, query)
	}
	return nil
}
