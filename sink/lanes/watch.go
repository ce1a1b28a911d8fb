package lanes

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
	"scantrail/sink/watch"
)

// Config says where to look and how often. Durations and numbers that are zero
// have the defaults.
type Config struct {
	Kafka      []kgo.Opt   // brokers and credentials
	ClickHouse driver.Conn // may select from the tables alerts, blocks and parcels, and from their views
	Generation uint16      // of versions

	Every        time.Duration // of the log's clock, between two looks; default 5 min
	Poll         time.Duration // of the wall clock, between two looks at the log's; default 15 s
	Timeout      time.Duration // of one look; default 1 min
	Thresholds   Thresholds    // default DefaultThresholds
	MaxIncidents int           // open at a time; default 1,000

	Log     *slog.Logger
	Metrics *Metrics
}

// Metrics of package lanes.
type Metrics struct {
	Open     prometheus.Gauge // incidents
	Dropped  prometheus.Gauge // disruptions without an incident, for lack of room
	Failures prometheus.Counter
	Clock    prometheus.Gauge // Unix seconds of the log's clock at the last look
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "scantrail_lanes_" + name, Help: help})
	}
	m := &Metrics{
		Open:     gauge("disrupted", "Open alerts of rule lane_disruption."),
		Dropped:  gauge("dropped", "Disruptions that have no alert, since too many are open."),
		Failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "scantrail_lanes_failures_total", Help: "Looks at the lanes that failed and are repeated."}),
		Clock:    gauge("clock_timestamp_seconds", "Clock of the log at the last look at the lanes."),
	}
	reg.MustRegister(m.Open, m.Dropped, m.Failures, m.Clock)
	return m
}

// Watch looks at the lanes and publishes what changes.
type Watch struct {
	cfg    Config
	rules  rules
	alerts *watch.Alerts

	last int64 // slot of the last look
}

// New connects nothing yet; Run does.
func New(cfg Config) (*Watch, error) {
	cfg.Every = cmp.Or(cfg.Every, 5*time.Minute)
	cfg.Poll = cmp.Or(cfg.Poll, 15*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, time.Minute)
	cfg.Thresholds = cmp.Or(cfg.Thresholds, DefaultThresholds())
	cfg.MaxIncidents = cmp.Or(cfg.MaxIncidents, 1000)
	alerts, err := watch.NewAlerts(cfg.Kafka, remembered)
	if err != nil {
		return nil, fmt.Errorf("lanes: %w", err)
	}
	return &Watch{
		cfg: cfg, alerts: alerts,
		rules: rules{cfg.Thresholds, cfg.Generation, cfg.MaxIncidents},
	}, nil
}

// Run looks until ctx ends. While ClickHouse or Kafka is away it tries again, at
// longer and longer intervals, and publishes nothing.
func (w *Watch) Run(ctx context.Context) error {
	defer w.alerts.Close()
	l := watch.Loop{What: "the lanes", Poll: w.cfg.Poll, Longest: w.cfg.Every, Failed: w.cfg.Metrics.Failures.Inc, Log: w.cfg.Log}
	l.Run(ctx, w.look)
	return nil
}

// look does what is due at the clock of the log. A failure leaves everything to
// the next look.
func (w *Watch) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	f, err := w.find(ctx)
	if err != nil || f.slot <= w.last {
		return err
	}
	if err := w.alerts.Publish(ctx, f.changes, key); err != nil {
		return err
	}
	w.last = f.slot
	w.report(f)
	return nil
}

// finding is what one look found.
type finding struct {
	clock, slot int64 // of the log, and the same rounded down; Unix milliseconds
	open        int   // incidents before the changes
	changes     []schemas.Alert
	dropped     int // disruptions that get no incident
}

// find reads ClickHouse, unless the clock's slot was looked at already.
func (w *Watch) find(ctx context.Context) (f finding, err error) {
	if f.clock, err = watch.Clock(ctx, w.cfg.ClickHouse); err != nil {
		return f, err
	}
	f.slot = f.clock - f.clock%w.cfg.Every.Milliseconds()
	if f.slot <= w.last {
		return f, nil
	}
	counts, complete, err := readCounts(ctx, w.cfg.ClickHouse, w.cfg.Thresholds)
	if err != nil {
		return f, err
	}
	shown, err := readIncidents(ctx, w.cfg.ClickHouse, f.slot)
	if err != nil {
		return f, err
	}
	open := slices.DeleteFunc(w.alerts.Merge(shown, f.slot), func(a schemas.Alert) bool { return !watch.IsOpen(&a) })
	f.open = len(open)
	f.changes, f.dropped = w.rules.transitions(f.slot, counts, complete, open)
	return f, nil
}

// report says what a look found.
func (w *Watch) report(f finding) {
	open := f.open
	for i := range f.changes {
		a := &f.changes[i]
		switch {
		case !watch.IsOpen(a):
			open--
		case a.OpenedAt == a.ChangedAt:
			open++
		}
		w.cfg.Log.Info("lane disruption", "status", a.Status.String(), "lane", placeOf(a).lane(), "stage", a.Detail,
			"carrier", a.Carrier, "alert_id", a.AlertID)
	}
	if f.dropped > 0 {
		w.cfg.Log.Warn("lanes: more lanes are disrupted than there may be open alerts: the rest has none",
			"limit", w.cfg.MaxIncidents, "rest", f.dropped)
	}
	w.cfg.Metrics.Open.Set(float64(open))
	w.cfg.Metrics.Dropped.Set(float64(f.dropped))
	w.cfg.Metrics.Clock.Set(float64(f.clock) / 1000)
}
