package shops

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
	"scantrail/sink/watch"
)

// remembered is how long a transition that was published here is held against
// what ClickHouse shows, which the sink may not have written yet.
const remembered = day

// Config says where to look and how often. Durations that are zero have the
// defaults.
type Config struct {
	Kafka []kgo.Opt // brokers and credentials
	// ClickHouse may insert into scores_published, and select from it, the tables
	// alerts, blocks, order_facts, orders, parcels, policy_scores, scans, and the
	// views of scores.
	ClickHouse driver.Conn
	Generation uint16 // of versions

	Every   time.Duration // of the log's clock, between two looks; default 1 h, since a look reads all parcels
	Poll    time.Duration // of the wall clock, between two looks at the log's; default 15 s
	Timeout time.Duration // of one look; default 2 min

	Log     *slog.Logger
	Metrics *Metrics
}

// Metrics of package shops.
type Metrics struct {
	Open     prometheus.Gauge // alerts
	Failures prometheus.Counter
	Clock    prometheus.Gauge // Unix seconds of the log's clock at the last look
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "scantrail_shops_" + name, Help: help})
	}
	m := &Metrics{
		Open:     gauge("alerts_open", "Open alerts about shops."),
		Failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "scantrail_shops_failures_total", Help: "Looks at the scores of shops that failed and are repeated."}),
		Clock:    gauge("clock_timestamp_seconds", "Clock of the log at the last look at the scores of shops."),
	}
	reg.MustRegister(m.Open, m.Failures, m.Clock)
	return m
}

// Watch looks at the scores of shops and publishes what changes.
type Watch struct {
	cfg    Config
	alerts *watch.Alerts

	last int64 // slot of the last look
}

// New connects nothing yet; Run does.
func New(cfg Config) (*Watch, error) {
	cfg.Every = cmp.Or(cfg.Every, time.Hour)
	cfg.Poll = cmp.Or(cfg.Poll, 15*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 2*time.Minute)
	alerts, err := watch.NewAlerts(cfg.Kafka, remembered)
	if err != nil {
		return nil, fmt.Errorf("shops: %w", err)
	}
	return &Watch{cfg: cfg, alerts: alerts}, nil
}

// Run looks until ctx ends. While ClickHouse or Kafka is away it tries again, at
// longer and longer intervals.
func (w *Watch) Run(ctx context.Context) error {
	defer w.alerts.Close()
	l := watch.Loop{What: "the scores of shops", Poll: w.cfg.Poll, Longest: 5 * time.Minute, Failed: w.cfg.Metrics.Failures.Inc, Log: w.cfg.Log}
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
	open        int   // alerts after the changes
	changes     []schemas.Alert
}

// find publishes the weeks that have closed and reads what follows, unless the
// clock's slot was looked at already.
func (w *Watch) find(ctx context.Context) (f finding, err error) {
	if f.clock, err = watch.Clock(ctx, w.cfg.ClickHouse); err != nil {
		return f, err
	}
	f.slot = f.clock - f.clock%w.cfg.Every.Milliseconds()
	if f.slot <= w.last {
		return f, nil
	}
	if err := publishWeeks(ctx, w.cfg.ClickHouse); err != nil {
		return f, err
	}
	breaches, complete, err := readBreaches(ctx, w.cfg.ClickHouse, firstWeek(f.slot))
	if err != nil {
		return f, err
	}
	if !complete {
		w.cfg.Log.Warn("shops: more rules are broken than are looked at: the rest has no alert, and none is withdrawn", "limit", maxBreaches)
	}
	shown, err := readAlerts(ctx, w.cfg.ClickHouse, firstWeek(f.slot))
	if err != nil {
		return f, err
	}
	alerts := w.alerts.Merge(shown, f.slot)
	f.changes = transitions(f.slot, w.cfg.Generation, breaches, complete, alerts)
	f.open = countOpen(alerts, f.changes)
	return f, w.markHistory(ctx, f.changes, alerts)
}

// countOpen returns how many alerts are open after the changes.
func countOpen(alerts, changes []schemas.Alert) int {
	open := map[schemas.ID]bool{}
	for _, list := range [][]schemas.Alert{alerts, changes} {
		for i := range list {
			open[list[i].AlertID] = watch.IsOpen(&list[i])
		}
	}
	n := 0
	for _, is := range open {
		if is {
			n++
		}
	}
	return n
}

// markHistory marks new alerts as backfill that are about weeks of which all is
// history.
func (w *Watch) markHistory(ctx context.Context, changes, alerts []schemas.Alert) error {
	known := map[schemas.ID]bool{}
	for i := range alerts {
		known[alerts[i].AlertID] = true
	}
	var news []*schemas.Alert
	weeks := map[shopWeek]bool{}
	for i := range changes {
		if a := &changes[i]; !known[a.AlertID] && !a.Backfill {
			news = append(news, a)
			weeks[shopWeek{a.ShopID, a.AnchorAt}] = true
		}
	}
	live, err := readLive(ctx, w.cfg.ClickHouse, weeks)
	if err != nil {
		return err
	}
	for _, a := range news {
		if !live[shopWeek{a.ShopID, a.AnchorAt}] {
			a.Backfill = true
			*a = watch.Stamp(*a, w.cfg.Generation, 0)
		}
	}
	return nil
}

// report says what a look found.
func (w *Watch) report(f finding) {
	for i := range f.changes {
		a := &f.changes[i]
		w.cfg.Log.Info("shop alert", "rule", a.Rule, "status", a.Status.String(), "shop_id", a.ShopID, "week", date(a.AnchorAt),
			"backfill", a.Backfill, "alert_id", a.AlertID)
	}
	w.cfg.Metrics.Open.Set(float64(f.open))
	w.cfg.Metrics.Clock.Set(float64(f.clock) / 1000)
}
