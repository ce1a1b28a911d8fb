package sink

import (
	"github.com/prometheus/client_golang/prometheus"

	"scantrail/schemas"
)

// metrics of the sink, or of the raw copy. Labels are names of topics, tables
// and counters, all known beforehand.
type metrics struct {
	records     *prometheus.CounterVec       // by topic
	rows        *prometheus.CounterVec       // by table
	events      *prometheus.CounterVec       // records of parcel.events by kind, as in the table blocks
	kinds       [counters]prometheus.Counter // those of events
	badRecords  *prometheus.CounterVec       // by topic
	gaps        *prometheus.CounterVec       // rows of data_gaps by kind
	insert      *prometheus.HistogramVec
	failures    *prometheus.CounterVec // by table
	lag         *prometheus.GaugeVec   // by topic
	commitFails prometheus.Counter
	buffered    prometheus.Gauge
	up          prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) { return newMetricsOf("sink", r) }

func newMetricsOf(subsystem string, r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "scantrail", Subsystem: subsystem, Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "scantrail", Subsystem: subsystem, Name: name, Help: help})
	}
	m := &metrics{
		records:    counter("records_total", "Records read.", "topic"),
		rows:       counter("rows_total", "Rows written, repeated ones included.", "table"),
		events:     counter("events_total", "Records of parcel.events by kind.", "kind"),
		badRecords: counter("bad_records_total", "Records that could not be read: in data_gaps.", "topic"),
		gaps:       counter("data_gaps_total", "Ranges of records noted in data_gaps, by kind.", "kind"),
		insert: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "scantrail", Subsystem: subsystem, Name: "insert_seconds", Help: "Time of one successful insert.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30},
		}, []string{"table"}),
		failures: counter("insert_failures_total", "Inserts that failed and are repeated.", "table"),
		commitFails: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "scantrail", Subsystem: subsystem, Name: "commit_failures_total", Help: "Offset commits that failed and are repeated."}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "scantrail", Subsystem: subsystem, Name: "lag_records", Help: "Records of the own partitions that are not read yet, as of the last flush."}, []string{"topic"}),
		buffered: gauge("buffered_rows", "Rows in memory that are not written yet."),
		up:       gauge("clickhouse_up", "1 while inserts succeed."),
	}
	for c, name := range counterNames {
		m.kinds[c] = m.events.WithLabelValues(name)
	}
	m.expect(subsystem == "sink")
	if r == nil {
		return m, nil
	}
	all := []prometheus.Collector{m.records, m.rows, m.gaps, m.insert, m.failures, m.lag, m.commitFails, m.buffered, m.up}
	if subsystem == "sink" { // the raw copy reads nothing of its records
		all = append(all, m.events, m.badRecords)
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// expect makes what counts mishaps and inserts begin at 0, so that the first one is
// an increase.
func (m *metrics) expect(sink bool) {
	topics, kinds, tables := []string{rawLabel}, []string{gapRawCopy}, []string{"raw_records", "data_gaps"}
	if sink {
		topics = []string{schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic}
		kinds = []string{gapHole, gapUndecodable}
		tables = []string{"scans", "scan_texts", "voids", "order_facts", "policies", "policy_scores", "feed_minutes", "aliases",
			"ranges", "dead_letters", "alert_transitions", "alerts", "data_gaps", "blocks"}
	}
	for _, topic := range topics {
		m.badRecords.WithLabelValues(topic)
	}
	for _, kind := range kinds {
		m.gaps.WithLabelValues(kind)
	}
	for _, table := range tables {
		m.failures.WithLabelValues(table)
		m.insert.WithLabelValues(table)
	}
}
