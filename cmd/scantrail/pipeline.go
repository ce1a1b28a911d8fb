package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/cmd/scantrail/web"
	"scantrail/detector/shell"
	"scantrail/ingest"
	"scantrail/ingest/carriers"
	"scantrail/ingest/push"
	"scantrail/sink"
	"scantrail/sink/lanes"
	"scantrail/sink/notify"
	"scantrail/sink/shops"
)

// roles of a process; "all" is every one of them, and rawRole where it is on.
var roleNames = []string{"ingest", "detect", "sink", "notify", webRole}

// pipelineOptions is the whole service as plain values: from a configuration
// file, or made up by the demo.
type pipelineOptions struct {
	Kafka      []kgo.Opt
	ClickHouse sink.Options
	Raw        rawOptions
	Lifecycle  sink.Lifecycle
	Topics     topicOptions
	Roles      []string // of roleNames, and rawRole
	Migrate    bool     // create the tables first
	Carriers   *carriers.Registry
	Limits     carriers.Limits
	NoBackfill bool // the header that flags history is not believed
	Generation uint16
	TickEvery  time.Duration // 0: somebody else calls Tick
	StallAfter time.Duration
	Snapshot   time.Duration
	FlushRows  int
	FlushEvery time.Duration  // of the sink
	RowsEvery  time.Duration  // of the detector
	Push       push.Options   // what the configuration says; see newPush
	Notify     *notify.Config // nil: no receiver, then the role notify does nothing
	Web        *web.Server    // nil: none, then the role web does nothing; Close closes it
	StateLimit int64          // bytes of the detector's state; 0: none
	AcceptGaps bool           // go on where records were deleted before they were read, and note it
	Now        func() time.Time
	Log        *slog.Logger
}

// pipeline is the running service: the roles, what they share, and what tells
// others how it is doing.
type pipeline struct {
	o        pipelineOptions
	registry *prometheus.Registry
	kafka    *kgo.Client // for topics and readiness
	rows     driver.Conn
	ticker   *ingest.Ticker

	ingest *ingest.Metrics
	detect *shell.Metrics
	sink   *sink.Sink
	lanes  *lanes.Metrics
	shops  *shops.Metrics
	notify *notify.Notifier // nil: no receiver
	push   *push.Receiver   // nil without the role web
	raw    *rawCopy         // nil while the role is off
	*readiness

	migrated func()        // the tables are there
	tables   chan struct{} // closed once ClickHouse has the tables of this release
}

// newPipeline opens the clients, which connect when they are used.
func newPipeline(o pipelineOptions) (*pipeline, error) {
	p := &pipeline{o: o, registry: prometheus.NewRegistry(), migrated: func() {}, tables: make(chan struct{})}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.readiness = newReadiness(p.registry)
	p.ingest, p.detect = ingest.NewMetrics(p.registry), shell.NewMetrics(p.registry)
	p.lanes, p.shops = lanes.NewMetrics(p.registry), shops.NewMetrics(p.registry)
	var err error
	// It asks what is there now, such as a topic that has just been made: an
	// answer of seconds ago would not do.
	fresh := kgo.MetadataMinAge(10 * time.Millisecond)
	if p.kafka, err = kgo.NewClient(append(o.Kafka[:len(o.Kafka):len(o.Kafka)], fresh)...); err != nil {
		return nil, err
	}
	if p.rows, err = sink.Open(o.ClickHouse); err != nil {
		return nil, err
	}
	p.sink, err = sink.New(sink.Config{
		Kafka: o.Kafka, ClickHouse: p.rows, FlushRows: o.FlushRows, FlushInterval: o.FlushEvery, AcceptGaps: o.AcceptGaps,
		Log: o.Log.With("role", "sink"), Metrics: p.registry,
	})
	if err != nil {
		return nil, err
	}
	if p.notify, err = newNotifier(o, p.rows, p.registry); err != nil {
		return nil, err
	}
	if p.raw, err = p.newRawCopy(); err != nil {
		return nil, err
	}
	p.ticker, err = ingest.NewTicker(ingest.TickerConfig{
		Kafka: o.Kafka, Partitions: o.Topics.Partitions, Interval: o.TickEvery,
		StallAfter: o.StallAfter, Now: o.Now, Log: o.Log.With("role", "ticker"), Metrics: p.ingest,
	})
	if err != nil {
		return nil, err
	}
	return p, p.mountWeb()
}

// Close releases the clients. Run must have returned.
func (p *pipeline) Close() {
	if p.o.Web != nil {
		p.o.Web.Close()
	}
	if p.push != nil {
		p.push.Close()
	}
	p.ticker.Close()
	p.kafka.Close()
	p.rows.Close() //nolint:errcheck // nothing is under way
	p.raw.close()
}

// Prepare waits for Kafka and makes what is missing there: topics and the default
// policy. Only where it is also to make the tables does it wait for ClickHouse: a
// process that starts while ClickHouse is away detects and alerts all the same.
func (p *pipeline) Prepare(ctx context.Context) error {
	if slices.Equal(p.o.Roles, []string{rawRole}) && !p.o.Migrate {
		return nil // a login that may read the raw topics and insert into one table is enough
	}
	if err := p.retry(ctx, "Kafka", kafkaRemedy, func() error {
		if err := p.kafka.Ping(ctx); err != nil || slices.Equal(p.o.Roles, []string{webRole}) {
			return err // who serves alone makes nothing there
		}
		if err := ensureTopics(ctx, p.kafka, p.o.Topics); err != nil {
			return err
		}
		return applyPolicyInForce(ctx, p.o.Kafka, p.o.Topics.Partitions)
	}); err != nil {
		return err
	}
	if !p.o.Migrate || !p.usesTables() {
		return nil
	}
	return p.retry(ctx, "ClickHouse", clickHouseRemedy, func() error {
		if err := migrate(ctx, p.o, p.rows); err != nil {
			return err
		}
		p.migrated()
		close(p.tables)
		return nil
	})
}

func (p *pipeline) usesTables() bool {
	return p.runs("detect") || p.runs("sink") || p.runs(webRole) || p.o.Migrate && p.runs(rawRole)
}

// awaitTables waits until somebody else has made the tables of this release. Until
// then no row is written: an older release's tables may take it, and be wrong.
func (p *pipeline) awaitTables(ctx context.Context) {
	err := p.retry(ctx, "ClickHouse", clickHouseRemedy, func() error { return sink.Verify(ctx, p.rows, p.o.ClickHouse.Cluster) })
	if err == nil {
		close(p.tables)
	}
}

var errTables = errors.New("ClickHouse is away, or its tables are not those of this release")

// tablesThere returns nil once awaitTables has seen them.
func (p *pipeline) tablesThere() error {
	select {
	case <-p.tables:
		return nil
	default:
		return errTables
	}
}

// withTables runs a role that is nothing without the tables once they are there.
func (p *pipeline) withTables(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-p.tables:
			return run(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// migrate creates the database and its tables.
func migrate(ctx context.Context, o pipelineOptions, conn driver.Conn) error {
	if err := sink.EnsureDatabase(ctx, o.ClickHouse); err != nil {
		return err
	}
	_, err := sink.Migrate(ctx, conn, sink.MigrateOptions{Cluster: o.ClickHouse.Cluster, Lifecycle: o.Lifecycle, Now: time.Now()})
	return err
}

// retry tries until it works or ctx ends. It says why it waits: once at first,
// then whenever the reason changes.
func (p *pipeline) retry(ctx context.Context, what string, remedy func(error) string, try func() error) error {
	last := ""
	for wait := time.Second; ; wait = min(2*wait, 10*time.Second) {
		err := try()
		if err == nil {
			if last != "" {
				p.o.Log.Info(what + " is there")
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err.Error() != last {
			last = err.Error()
			p.o.Log.Warn(what+" is not ready; waiting for it", "err", err, "remedy", remedy(err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func kafkaRemedy(error) string {
	return "check that the brokers run, that kafka.brokers, kafka.tls and kafka.sasl are right, and that this user may create or describe the topics"
}

func clickHouseRemedy(err error) string {
	if remedy, _ := sink.Remedy(err); remedy != "" {
		return remedy
	}
	return "check that it runs and that clickhouse.addrs is right; the tables are made by: scantrail migrate"
}

func (p *pipeline) runs(role string) bool {
	for _, r := range p.o.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// Run runs the roles until ctx ends, each restarted with backoff when it fails,
// or until one fails for good.
func (p *pipeline) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(name string, run func(context.Context) error) {
		p.set(name, errStarting)
		wg.Go(func() {
			if err := p.supervise(ctx, name, run); err != nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	if p.usesTables() && p.tablesThere() != nil {
		wg.Go(func() { p.awaitTables(ctx) })
	}
	if p.runs("sink") {
		p.ask("sink", joined(p.sink), p.sink.Refused)
		start("sink", p.withTables(p.sink.Run))
		start("lanes", p.withTables(p.runLanes))
		start("shops", p.withTables(p.runShops))
	}
	if p.raw != nil {
		p.ask(rawRole, joined(p.raw), p.raw.Refused)
		start(rawRole, p.raw.Run)
	}
	notYet := func() error { return errApart }
	if p.runs("detect") {
		p.ask("detect", notYet)
		start("detect", p.runDetect)
	}
	if p.runs("ingest") {
		p.ask("ingest", notYet)
		start("ingest", p.runIngest)
		if p.o.TickEvery > 0 {
			p.ask("ticker", p.ticking)
			start("ticker", p.ticker.Run)
		}
	}
	if p.runs("notify") && p.notify != nil {
		start("notify", p.notify.Run)
	}
	if p.runs(webRole) && p.o.Web != nil {
		start(webRole, p.o.Web.Run)
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

var errStarting = errors.New("starting")

// supervise restarts a role that failed: it begins at its last commit or
// snapshot, so a restart loses and doubles nothing. What a restart cannot mend
// ends the process.
func (p *pipeline) supervise(ctx context.Context, name string, run func(context.Context) error) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		started := time.Now()
		p.set(name, nil)
		var err error
		pprof.Do(ctx, pprof.Labels("role", name), func(ctx context.Context) { err = run(ctx) }) // a profile tells the roles apart
		if err == nil || ctx.Err() != nil {
			return nil
		}
		p.set(name, err)
		if forGood(err) {
			return err
		}
		if time.Since(started) > time.Minute {
			wait = time.Second
		}
		p.o.Log.Error("role failed; it starts again from its last commit", "role", name, "in", wait, "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// forGood reports whether a failure needs a person: data that is gone.
func forGood(err error) bool {
	var a *ingest.RetentionError
	var b *shell.RetentionError
	var c *sink.RetentionError
	return errors.As(err, &a) || errors.As(err, &b) || errors.As(err, &c)
}

func (p *pipeline) runIngest(ctx context.Context) error {
	s, err := ingest.New(ingest.Config{
		Kafka: p.o.Kafka, Carriers: p.o.Carriers, Limits: p.o.Limits, DenyBackfill: p.o.NoBackfill, Now: p.o.Now,
		Log: p.o.Log.With("role", "ingest"), Metrics: p.ingest,
	})
	if err != nil {
		return err
	}
	p.ask("ingest", joined(s))
	return s.Run(ctx)
}

func (p *pipeline) runDetect(ctx context.Context) error {
	s, err := shell.New(shell.Config{
		Kafka: p.o.Kafka, Generation: p.o.Generation, SnapshotInterval: p.o.Snapshot, FlushInterval: p.o.RowsEvery,
		Rows: sink.NewRows(p.rows), Archive: sink.NewRows(p.rows), Tables: p.tablesThere, AcceptGaps: p.o.AcceptGaps, MemoryLimit: p.o.StateLimit,
		Now: p.o.Now, Log: p.o.Log.With("role", "detect"), Metrics: p.detect,
	})
	if err != nil {
		return err
	}
	if p.o.TickEvery > 0 {
		p.ask("detect", joined(s), s.Restored, s.Ticking)
	} else { // ticks come when somebody says so
		p.ask("detect", joined(s), s.Restored)
	}
	return s.Run(ctx)
}

// newNotifier returns nil where no receiver is configured.
func newNotifier(o pipelineOptions, rows driver.Conn, registry *prometheus.Registry) (*notify.Notifier, error) {
	if o.Notify == nil {
		return nil, nil
	}
	c := *o.Notify
	c.Kafka, c.Metrics, c.Now = o.Kafka, notify.NewMetrics(registry), time.Now
	c.Recorder, c.Snoozer = notify.NewRecorder(rows, time.Now), notify.NewSnoozer(rows, time.Now)
	return notify.New(c)
}
