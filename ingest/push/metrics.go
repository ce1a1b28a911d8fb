package push

import "github.com/prometheus/client_golang/prometheus"

// Outcomes of a request, the values of the label outcome.
const (
	accepted    = "accepted"    // Kafka has it
	empty       = "empty"       // a ping: an empty body, of which nothing is kept
	unknown     = "unknown"     // no such carrier, or it has no topic
	unverified  = "unverified"  // wrong signature or token
	forbidden   = "forbidden"   // the caller may not do this
	unreadable  = "unreadable"  // a broken body, or one that did not come
	tooLarge    = "too_large"   //
	unsupported = "unsupported" // of a type or an encoding that is not read
	limited     = "limited"     // more requests than the carrier's rate
	full        = "full"        // too much is under way
	slow        = "slow"        // Kafka did not acknowledge in time
	failed      = "failed"      // Kafka refused it
	stopping    = "stopping"    //
	gone        = "gone"        // the sender did not wait for the answer
)

// Metrics of the receiver. The label carrier is the name of a carrier with a
// mapping or of the configuration, else "other".
type Metrics struct {
	Requests *prometheus.CounterVec // by carrier and outcome
	Bytes    *prometheus.CounterVec // by carrier: of the bodies that Kafka has
	InFlight prometheus.Gauge       // bytes that requests hold
	AckTime  prometheus.Histogram   // seconds until Kafka acknowledged
}

// NewMetrics registers the receiver's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scantrail_push_requests_total", Help: "Requests of carriers that push."}, []string{"carrier", "outcome"}),
		Bytes:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scantrail_push_bytes_total", Help: "Bytes of pushed bodies that Kafka has acknowledged."}, []string{"carrier"}),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "scantrail_push_in_flight_bytes", Help: "Bytes of pushed bodies that Kafka has not acknowledged yet."}),
		AckTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "scantrail_push_ack_seconds", Help: "Time until Kafka acknowledged a pushed body.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}),
	}
	reg.MustRegister(m.Requests, m.Bytes, m.InFlight, m.AckTime)
	return m
}
