package ingest

import (
	"github.com/prometheus/client_golang/prometheus"

	"scantrail/ingest/carriers"
)

// Metrics of ingest. Labels come from closed sets only: mapped carriers and
// reason codes; anything else is counted as "other".
type Metrics struct {
	Records       *prometheus.CounterVec // by carrier
	Events        *prometheus.CounterVec // by carrier
	Imported      *prometheus.CounterVec // by carrier: raw records whose header says that they are history
	Unmapped      *prometheus.CounterVec // by carrier: events whose code has no milestone
	DeadLetters   *prometheus.CounterVec // by carrier and reason
	LastRecord    *prometheus.GaugeVec   // by carrier: Unix seconds of the last read
	RawLag        prometheus.Gauge       // raw records not yet ingested
	Orders        prometheus.Counter
	RangesPending prometheus.Gauge // raw partitions whose account is not yet in the log
	Ticks         prometheus.Counter
	TickTime      prometheus.Gauge // Unix seconds of the last tick
	Behind        prometheus.Gauge // raw partitions with records not yet ingested
	Stalled       prometheus.Gauge // raw partitions that time no longer waits for
	Forwarded     prometheus.Gauge // Unix seconds up to which the detector has forwarded; 0 while not stated
	OwnersStuck   prometheus.Gauge // partitions of parcel.events that Forwarded no longer waits for
}

// NewMetrics registers ingest's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scantrail_ingest_" + name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "scantrail_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	m := &Metrics{
		Records:     vec("records_total", "Raw records read.", "carrier"),
		Events:      vec("events_total", "Canonical events produced.", "carrier"),
		Imported:    vec("backfill_records_total", "Raw records whose header says that they are history: not paged, not counted as late.", "carrier"),
		Unmapped:    vec("unmapped_total", "Events whose code and text have no milestone.", "carrier"),
		DeadLetters: vec("dead_letters_total", "Records and events rejected; those of the topic orders under the carrier orders.", "carrier", "reason"),
		LastRecord: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "scantrail_ingest_last_record_timestamp_seconds", Help: "When the last raw record was read.",
		}, []string{"carrier"}),
		RawLag:        gauge("raw_lag_records", "Raw records and order facts that are not ingested yet, of all partitions."),
		Orders:        prometheus.NewCounter(prometheus.CounterOpts{Name: "scantrail_ingest_orders_total", Help: "Order facts produced."}),
		Ticks:         prometheus.NewCounter(prometheus.CounterOpts{Name: "scantrail_ticks_total", Help: "Ticks written to the log."}),
		RangesPending: gauge("ingest_ranges_pending", "Raw partitions whose account is not yet in the log."),
		TickTime:      gauge("tick_timestamp_seconds", "Time of the last tick."),
		Behind:        gauge("raw_partitions_behind", "Raw partitions with records not yet ingested."),
		Stalled:       gauge("raw_partitions_stalled", "Raw partitions without progress that time no longer waits for."),
		Forwarded:     gauge("forwarded_through_timestamp_seconds", "Clock up to which the detector has forwarded facts between partitions; 0 while not stated."),
		OwnersStuck:   gauge("detector_partitions_stuck", "Partitions whose detector stands still, so that absences no longer wait for it."),
	}
	reg.MustRegister(m.Orders, m.Ticks, m.LastRecord)
	return m
}

func (m *Metrics) scanned(carrier string, res *carriers.Result) {
	m.Records.WithLabelValues(carrier).Inc()
	m.Events.WithLabelValues(carrier).Add(float64(len(res.Events)))
	unmapped := 0
	for i := range res.Events {
		if res.Events[i].Milestone == 0 {
			unmapped++
		}
	}
	if unmapped > 0 {
		m.Unmapped.WithLabelValues(carrier).Add(float64(unmapped))
	}
}

func (m *Metrics) rejected(carrier, reason string) {
	m.DeadLetters.WithLabelValues(carrier, reason).Inc()
}
