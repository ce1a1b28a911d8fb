package notify

import "github.com/prometheus/client_golang/prometheus"

// Reasons why held alerts are sent, and why messages fail.
const (
	releasedOver  = "over"  // the incident is
	releasedLimit = "limit" // held for as long as is allowed
	releasedFull  = "full"  // too many are held

	failedRejected = "rejected" // the receiver will never take it
	failedExpired  = "expired"  // given up
)

// Metrics of all receivers. Labels are the names of the configured receivers and
// fixed reasons.
type Metrics struct {
	delivered *prometheus.CounterVec // by receiver, as all
	failed    *prometheus.CounterVec // and reason
	retried   *prometheus.CounterVec
	filtered  *prometheus.CounterVec
	repeated  *prometheus.CounterVec
	spared    *prometheus.CounterVec
	released  *prometheus.CounterVec // and reason
	digests   *prometheus.CounterVec
	digested  *prometheus.CounterVec
	bad       *prometheus.CounterVec
	lost      *prometheus.CounterVec
	held      *prometheus.GaugeVec
	queue     *prometheus.GaugeVec
	standing  *prometheus.GaugeVec
	up        *prometheus.GaugeVec
	incidents prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "scantrail", Subsystem: "notify", Name: name, Help: help}, append([]string{"receiver"}, labels...))
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "scantrail", Subsystem: "notify", Name: name, Help: help}, []string{"receiver"})
		reg.MustRegister(v)
		return v
	}
	m := &Metrics{
		delivered: counter("delivered_total", "Messages that the receiver took, digests included."),
		failed:    counter("failed_total", "Messages dropped: rejected by the receiver, or given up.", "reason"),
		retried:   counter("retried_total", "Attempts after the first."),
		filtered:  counter("filtered_total", "Messages not meant for this receiver, and those of backfill."),
		repeated:  counter("repeated_total", "Messages that a detector published again after a crash and that were not sent again."),
		spared:    counter("spared_total", "Alerts that ended while they were held and were never sent."),
		released:  counter("released_total", "Held alerts that were sent.", "reason"),
		digests:   counter("digests_total", "Digests."),
		digested:  counter("digested_total", "Messages that a digest stands for."),
		bad:       counter("bad_records_total", "Records that are no alert."),
		lost:      counter("lost_records_total", "Records that were deleted from the topic before they were read."),
		held:      gauge("held", "Alerts that wait for the end of an incident or of quiet hours."),
		queue:     gauge("queue", "Messages that wait to be sent."),
		standing:  gauge("standing", "Open alerts that an Alertmanager is sent again and again."),
		up:        gauge("up", "1 when the receiver took the last message."),
		incidents: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "scantrail", Subsystem: "notify", Name: "incidents", Help: "Carriers whose feed stands still."}),
	}
	reg.MustRegister(m.incidents)
	return m
}

// receiverMetrics are those of one receiver.
type receiverMetrics struct {
	delivered, rejected, expired, retried, filtered, repeated, spared, digests, digested, bad, lost prometheus.Counter
	released                                                                                        *prometheus.CounterVec
	held, queue, standing, up                                                                       prometheus.Gauge
}

func (m *Metrics) of(receiver string) *receiverMetrics {
	return &receiverMetrics{
		delivered: m.delivered.WithLabelValues(receiver),
		rejected:  m.failed.WithLabelValues(receiver, failedRejected),
		expired:   m.failed.WithLabelValues(receiver, failedExpired),
		retried:   m.retried.WithLabelValues(receiver),
		filtered:  m.filtered.WithLabelValues(receiver),
		repeated:  m.repeated.WithLabelValues(receiver),
		spared:    m.spared.WithLabelValues(receiver),
		digests:   m.digests.WithLabelValues(receiver),
		digested:  m.digested.WithLabelValues(receiver),
		bad:       m.bad.WithLabelValues(receiver),
		lost:      m.lost.WithLabelValues(receiver),
		released:  m.released.MustCurryWith(prometheus.Labels{"receiver": receiver}),
		held:      m.held.WithLabelValues(receiver),
		queue:     m.queue.WithLabelValues(receiver),
		standing:  m.standing.WithLabelValues(receiver),
		up:        m.up.WithLabelValues(receiver),
	}
}
