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
	RowsPending     prometheus.Gauge
	Asks            prometheus.Gauge
	StateBytes      prometheus.Gauge
	Resting         prometheus.Gauge
	Open            prometheus.Gauge
	Parcels         prometheus.Gauge
	Clock           prometheus.Gauge // Unix seconds, of the partition that is furthest behind
	Forwarded       prometheus.Gauge // the same, of the time that absences of parcels with orders wait for
	SnapshotBytes   prometheus.Counter
	SnapshotSeconds prometheus.Histogram
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
	m := &Metrics{
		Applied:       counter("records_total", "Records of the log applied."),
		Undecodable:   counter("undecodable_total", "Records of the log that could not be decoded."),
		Quarantined:   counter("quarantined_total", "Parcels quarantined for having more than 256 facts."),
		RefusedTicks:  counter("refused_ticks_total", "Ticks refused for running ahead of the broker's clock."),
		RowsPending:   gauge("rows_pending", "Rows being written to ClickHouse; 0 when nothing is dirty."),
		Resting:       gauge("reading_rests", "1 while the state is at its limit and reading rests."),
		StateBytes:    gauge("state_bytes", "Memory that the state of the owned partitions takes, about."),
		Asks:          gauge("asks_open", "Parcels and orders that wait for what the archive holds of them."),
		Open:          gauge("parcels_open", "Parcels whose trail has not ended, in the owned partitions."),
		Parcels:       gauge("parcels", "Parcels held in memory, in the owned partitions."),
		Clock:         gauge("clock_timestamp_seconds", "Clock of the owned partition that is furthest behind."),
		Forwarded:     gauge("forwarded_timestamp_seconds", "Time up to which all that other partitions forwarded has come, of the owned partition that is furthest behind."),
		SnapshotBytes: counter("snapshot_bytes_total", "Bytes of state written to parcel.snapshots."),
		Alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scantrail_detector_alerts_total", Help: "Transitions of alerts.",
		}, []string{"rule", "status"}),
		SnapshotSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "scantrail_detector_snapshot_seconds", Help: "Time that one partition's snapshot takes.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
	}
	reg.MustRegister(m.Alerts, m.SnapshotSeconds)
	return m
}

func (m *Metrics) alert(a *schemas.Alert) { m.Alerts.WithLabelValues(a.Rule, a.Status.String()).Inc() }

func (m *Metrics) snapshot(bytes int, took time.Duration) {
	m.SnapshotBytes.Add(float64(bytes))
	m.SnapshotSeconds.Observe(took.Seconds())
}

// observe publishes the state of the owned partitions.
func (s *Shell) observe() {
	var open, total int
	clock, forwarded := int64(0), int64(0)
	for i, p := range s.owned() {
		o, _, t := p.machine.Parcels()
		open, total = open+o, total+t
		if c := p.clock.Load(); clock == 0 || c < clock {
			clock = c
		}
		if f := p.machine.Forwarded(); i == 0 || f < forwarded {
			forwarded = f
		}
	}
	s.cfg.Metrics.Forwarded.Set(float64(forwarded) / 1000)
	s.cfg.Metrics.Open.Set(float64(open))
	s.cfg.Metrics.Parcels.Set(float64(total))
	s.cfg.Metrics.Clock.Set(float64(clock) / 1000)
}
