package shell

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"scantrail/schemas"
)

// Metrics of the detector. Labels come from closed sets.
type Metrics struct {
	Applied         prometheus.Counter
	Undecodable     prometheus.Counter
	Quarantined     prometheus.Counter
	RefusedTicks    prometheus.Counter
	Alerts          *prometheus.CounterVec // transitions by rule and status
	AlertDelay      prometheus.Histogram
	Lag             prometheus.Gauge
	RowsPending     prometheus.Gauge
	Rows            *prometheus.CounterVec   // by table, as the next two
	InsertSeconds   *prometheus.HistogramVec // successful ones
	InsertFailures  *prometheus.CounterVec
	Asks            prometheus.Gauge
	StateBytes      prometheus.Gauge
	StateLimit      prometheus.Gauge
	Resting         prometheus.Gauge
	Open            prometheus.Gauge
	Parcels         prometheus.Gauge
	Partitions      prometheus.Gauge
	StaleFeeds      prometheus.Gauge
	Clock           prometheus.Gauge // Unix seconds, of the partition that is furthest behind
	Forwarded       prometheus.Gauge // the same, of the time that absences of parcels with orders wait for
	SnapshotBytes   prometheus.Counter
	SnapshotSeconds prometheus.Histogram
	SnapshotAt      prometheus.Gauge // Unix seconds, of the partition whose last one is oldest
	RestoreSeconds  prometheus.Histogram
	RestoreFailures prometheus.Counter
}

// NewMetrics registers the detector's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "scantrail_detector_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "scantrail_detector_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	histogram := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: "scantrail_detector_" + name, Help: help, Buckets: buckets}
	}
	m := &Metrics{
		Applied:       counter("records_total", "Records of the log applied."),
		Undecodable:   counter("undecodable_total", "Records of the log that could not be decoded."),
		Quarantined:   counter("quarantined_total", "Parcels quarantined for having more than 256 facts."),
		RefusedTicks:  counter("refused_ticks_total", "Ticks refused for running ahead of the broker's clock."),
		Lag:           gauge("lag_records", "Records of the owned partitions that are not applied yet, as of the last fetch."),
		RowsPending:   gauge("rows_pending", "Rows of parcels and orders that ClickHouse does not have yet, about; 0 when nothing waits."),
		Resting:       gauge("reading_rests", "1 while the state is at its limit and reading rests."),
		StateBytes:    gauge("state_bytes", "Memory that the state of the owned partitions takes, about."),
		StateLimit:    gauge("state_limit_bytes", "Size of the state at which reading rests (detector.memory_limit); 0: none."),
		Asks:          gauge("asks_open", "Parcels and orders that wait for what the archive holds of them."),
		Open:          gauge("parcels_open", "Parcels whose trail has not ended, in the owned partitions."),
		Parcels:       gauge("parcels", "Parcels held in memory, in the owned partitions."),
		Partitions:    gauge("partitions", "Partitions of the log that this process owns."),
		StaleFeeds:    gauge("feeds_stale", "Carriers whose feed is silent for longer than it usually is (alert feed_stale), in the owned partitions."),
		Clock:         gauge("clock_timestamp_seconds", "Clock of the owned partition that is furthest behind."),
		Forwarded:     gauge("forwarded_timestamp_seconds", "Time up to which all that other partitions forwarded has come, of the owned partition that is furthest behind."),
		SnapshotBytes: counter("snapshot_bytes_total", "Bytes of state written to parcel.snapshots."),
		SnapshotAt:    gauge("snapshot_timestamp_seconds", "When the last snapshot was taken or restored, of the owned partition where that is longest ago; 0 without partitions."),
		Alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scantrail_detector_alerts_total", Help: "Transitions of alerts.",
		}, []string{"rule", "status"}),
		// Up to one interval of ticks is not in it: the deadline lies between two ticks.
		AlertDelay: prometheus.NewHistogram(histogram("alert_delay_seconds", "Time from the tick that passed an alert's deadline until Kafka has the alert, over those that were opened or escalated in time to be paged.",
			[]float64{0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 900, 3600})),
		SnapshotSeconds: prometheus.NewHistogram(histogram("snapshot_seconds", "Time that one partition's snapshot takes.",
			prometheus.ExponentialBuckets(0.001, 4, 8))),
		RestoreSeconds: prometheus.NewHistogram(histogram("restore_seconds", "Time that the restore of newly assigned partitions from their snapshots takes, all together.",
			[]float64{0.01, 0.1, 0.3, 1, 3, 10, 30, 100})),
		RestoreFailures: counter("restore_failures_total", "Restores that failed and are repeated."),
		Rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scantrail_detector_rows_total", Help: "Rows written to ClickHouse, repeated ones included.",
		}, []string{"table"}),
		InsertSeconds: prometheus.NewHistogramVec(histogram("insert_seconds", "Time of one successful insert.",
			[]float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30}), []string{"table"}),
		InsertFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scantrail_detector_insert_failures_total", Help: "Inserts that failed and are repeated.",
		}, []string{"table"}),
	}
	for _, table := range rowTables() { // so that their first failure is an increase
		m.Rows.WithLabelValues(table)
		m.InsertSeconds.WithLabelValues(table)
		m.InsertFailures.WithLabelValues(table)
	}
	reg.MustRegister(m.Alerts, m.AlertDelay, m.SnapshotSeconds, m.RestoreSeconds, m.Rows, m.InsertSeconds, m.InsertFailures)
	return m
}

func (m *Metrics) alert(a *schemas.Alert) { m.Alerts.WithLabelValues(a.Rule, a.Status.String()).Inc() }

func (m *Metrics) snapshot(bytes int, took time.Duration) {
	m.SnapshotBytes.Add(float64(bytes))
	m.SnapshotSeconds.Observe(took.Seconds())
}

func (m *Metrics) inserted(table string, rows int, took time.Duration, err error) {
	if err != nil {
		m.InsertFailures.WithLabelValues(table).Inc()
		return
	}
	m.Rows.WithLabelValues(table).Add(float64(rows))
	m.InsertSeconds.WithLabelValues(table).Observe(took.Seconds())
}

// observe publishes the state of the owned partitions.
func (s *Shell) observe() {
	var open, total int
	clock, forwarded, lag, stale := int64(0), int64(0), int64(0), 0
	var snapshot time.Time
	owned := s.owned()
	for i, p := range owned {
		o, _, t := p.machine.Parcels()
		open, total, lag, stale = open+o, total+t, lag+p.lag, stale+p.machine.StaleFeeds()
		if c := p.clock.Load(); clock == 0 || c < clock {
			clock = c
		}
		if f := p.machine.Forwarded(); i == 0 || f < forwarded {
			forwarded = f
		}
		if i == 0 || p.snapshotAt.Before(snapshot) {
			snapshot = p.snapshotAt
		}
	}
	m := s.cfg.Metrics
	m.Forwarded.Set(float64(forwarded) / 1000)
	m.Open.Set(float64(open))
	m.Parcels.Set(float64(total))
	m.Partitions.Set(float64(len(owned)))
	m.Lag.Set(float64(lag))
	m.StaleFeeds.Set(float64(stale))
	m.Clock.Set(float64(clock) / 1000)
	if snapshot.IsZero() {
		m.SnapshotAt.Set(0)
	} else {
		m.SnapshotAt.Set(float64(snapshot.UnixMilli()) / 1000)
	}
}
