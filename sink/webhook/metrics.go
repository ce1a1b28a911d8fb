package webhook

import "github.com/prometheus/client_golang/prometheus"

// Reasons why held alerts are sent, and why messages fail.
const (
	releasedOver  = "over"  // the incident is
	releasedLimit = "limit" // held for as long as is allowed
	releasedFull  = "full"  // too many are held

	failedRejected = "rejected" // the receiver will never take it
	failedExpired  = "expired"  // given up
)

// Metrics of all webhooks. Labels are the names of the configured webhooks and
// fixed reasons.
type Metrics struct {
	delivered *prometheus.CounterVec // by webhook, as all
	failed    *prometheus.CounterVec // and reason
	retried   *prometheus.CounterVec
	filtered  *prometheus.CounterVec
	spared    *prometheus.CounterVec
	released  *prometheus.CounterVec // and reason
	digests   *prometheus.CounterVec
	digested  *prometheus.CounterVec
	bad       *prometheus.CounterVec
	lost      *prometheus.CounterVec
	held      *prometheus.GaugeVec
	queue     *prometheus.GaugeVec
	up        *prometheus.GaugeVec
	incidents prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "scantrail", Subsystem: "notify", Name: name, Help: help}, append([]string{"webhook"}, labels...))
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "scantrail", Subsystem: "notify", Name: name, Help: help}, []string{"webhook"})
		reg.MustRegister(v)
		return v
	}
	m := &Metrics{
		delivered: counter("delivered_total", "Messages that the receiver took, digests included."),
		failed:    counter("failed_total", "Messages dropped: rejected by the receiver, or given up.", "reason"),
		retried:   counter("retried_total", "Attempts after the first."),
		filtered:  counter("filtered_total", "Messages not meant for this webhook, and those of backfill."),
		spared:    counter("spared_total", "Alerts that ended while they were held and were never sent."),
		released:  counter("released_total", "Held alerts that were sent.", "reason"),
		digests:   counter("digests_total", "Digests."),
		digested:  counter("digested_total", "Messages that a digest stands for."),
		bad:       counter("bad_records_total", "Records that are no alert."),
		lost:      counter("lost_records_total", "Records that were deleted from the topic before they were read."),
		held:      gauge("held", "Alerts that wait for the end of an incident."),
		queue:     gauge("queue", "Messages that wait to be sent."),
		up:        gauge("up", "1 when the receiver took the last message."),
		incidents: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "scantrail", Subsystem: "notify", Name: "incidents", Help: "Carriers whose feed stands still."}),
	}
	reg.MustRegister(m.incidents)
	return m
}

// endpointMetrics are those of one webhook.
type endpointMetrics struct {
	delivered, rejected, expired, retried, filtered, spared, digests, digested, bad, lost prometheus.Counter
	released                                                                              *prometheus.CounterVec
	held, queue, up                                                                       prometheus.Gauge
}

func (m *Metrics) of(webhook string) *endpointMetrics {
	return &endpointMetrics{
		delivered: m.delivered.WithLabelValues(webhook),
		rejected:  m.failed.WithLabelValues(webhook, failedRejected),
		expired:   m.failed.WithLabelValues(webhook, failedExpired),
		retried:   m.retried.WithLabelValues(webhook),
		filtered:  m.filtered.WithLabelValues(webhook),
		spared:    m.spared.WithLabelValues(webhook),
		digests:   m.digests.WithLabelValues(webhook),
		digested:  m.digested.WithLabelValues(webhook),
		bad:       m.bad.WithLabelValues(webhook),
		lost:      m.lost.WithLabelValues(webhook),
		released:  m.released.MustCurryWith(prometheus.Labels{"webhook": webhook}),
		held:      m.held.WithLabelValues(webhook),
		queue:     m.queue.WithLabelValues(webhook),
		up:        m.up.WithLabelValues(webhook),
	}
}
