package push

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// Defaults of Options.
const (
	DefaultMaxBytes    = 1 << 20
	DefaultMaxInFlight = 64 << 20
	// DefaultAckTimeout leaves a second of the five that the least patient sender
	// known waits for an answer (DHL eCommerce).
	DefaultAckTimeout  = 4 * time.Second
	DefaultReadTimeout = 10 * time.Second
	DefaultRate        = 1000
)

// carrierShare is the part of MaxInFlight that one carrier may hold: a flood in one
// name must not shut out the others.
const carrierShare = 4

// Rights are what the listener knows of a caller.
type Rights struct {
	Push     bool // write raw scans of this carrier
	Backfill bool // flag them as history
}

// Options is what the receiver needs from outside; zero takes the default.
type Options struct {
	Kafka    []kgo.Opt // seeds, TLS, SASL
	Known    []string  // carriers with a mapping
	Carriers []Carrier // that push with a signature or a token of their own
	// Rights tells what the caller of a request may do for a carrier that is not
	// among Carriers; nil: nothing. One of Carriers is verified whoever calls: on
	// this machine a caller may be a proxy that passes on what anybody sent.
	Rights        func(r *http.Request, carrier string) Rights
	CreateTopics  bool // make a carrier's raw topic when it is missing
	MaxBytes      int  // of a body
	MaxInFlight   int64
	AckTimeout    time.Duration // after which a sender is asked to come back
	ReadTimeout   time.Duration // for a body to come
	RatePerSecond int           // of a carrier
	Now           func() time.Time
	Log           *slog.Logger
	Metrics       *Metrics
}

// Receiver is an http.Handler for POST /v1/scans/{carrier}.
type Receiver struct {
	o        Options
	mux      *http.ServeMux
	client   *kgo.Client
	admin    *kadm.Client
	carriers map[string]*carrier
	all      *budget

	mu      sync.RWMutex
	stopped bool
	open    sync.WaitGroup // requests
}

// carrier is what is kept of each; there are no more than mappings and
// configured ones.
type carrier struct {
	name     string
	verifier *verifier // nil: Rights decide
	topic    topic
	rate     *bucket
	budget   *budget
	failing  atomic.Bool  // Kafka did not take the last record
	warned   atomic.Int64 // Unix seconds of the last line about a wrong signature
}

// New returns a receiver, which connects with the first request.
func New(o Options) (*Receiver, error) {
	o.setDefaults()
	r := &Receiver{o: o, mux: http.NewServeMux(), carriers: map[string]*carrier{}, all: newBudget(o.MaxInFlight)}
	for _, name := range o.Known {
		r.carriers[name] = r.newCarrier(name, o.RatePerSecond)
	}
	for i := range o.Carriers {
		c := &o.Carriers[i]
		if ps := c.Problems(); len(ps) > 0 {
			return nil, fmt.Errorf("push: carrier %s: %s: %s; %s", c.Name, ps[0].Field, ps[0].What, ps[0].Remedy)
		}
		if !schemas.IsCarrierName([]byte(c.Name)) {
			return nil, fmt.Errorf("push: %.80q is no carrier's name: want at most 64 of a-z, 0-9, _ and -", c.Name)
		}
		rate := o.RatePerSecond
		if c.RatePerSecond > 0 {
			rate = c.RatePerSecond
		}
		r.carriers[c.Name] = r.newCarrier(c.Name, rate)
		r.carriers[c.Name].verifier = c.verifier()
	}
	var err error
	if r.client, err = kgo.NewClient(r.kafkaOptions()...); err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	r.admin = kadm.NewClient(r.client)
	r.mux.HandleFunc("POST /v1/scans/{carrier}", r.receive)
	return r, nil
}

func (o *Options) setDefaults() {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = DefaultMaxInFlight
	}
	// One body of the greatest length must have room while it grows.
	o.MaxInFlight = max(o.MaxInFlight, carrierShare*int64(o.MaxBytes+leastHold+inflaterHold))
	if o.AckTimeout == 0 {
		o.AckTimeout = DefaultAckTimeout
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = DefaultReadTimeout
	}
	if o.RatePerSecond == 0 {
		o.RatePerSecond = DefaultRate
	}
	if o.Rights == nil {
		o.Rights = func(*http.Request, string) Rights { return Rights{} }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func (r *Receiver) newCarrier(name string, rate int) *carrier {
	return &carrier{name: name, topic: topic{name: schemas.RawTopicPrefix + name}, rate: newBucket(rate),
		budget: newBudget(r.o.MaxInFlight / carrierShare)}
}

// kafkaOptions: idempotent and acknowledged by all in-sync replicas, as the client
// is by default.
func (r *Receiver) kafkaOptions() []kgo.Opt {
	return append(r.o.Kafka[:len(r.o.Kafka):len(r.o.Kafka)],
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(2*time.Millisecond), // somebody waits for each record
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(int32(r.o.MaxBytes)+64<<10),
		kgo.MaxBufferedRecords(int(r.o.MaxInFlight/leastHold)+1), // never reached: a record holds more
		// What was not sent by then is given up, so that it does not hold memory
		// while Kafka is away; its sender has been told to come back.
		kgo.RecordDeliveryTimeout(max(r.o.AckTimeout, time.Second)),
		kgo.MetadataMinAge(250*time.Millisecond),
	)
}

// ServeHTTP answers one push.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// closeTime is how long Close waits for what is under way.
const closeTime = 10 * time.Second

// Close refuses new requests, waits until those under way are answered, and
// releases the client.
func (r *Receiver) Close() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		r.open.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	r.client.Close()
}

// enter counts a request as under way, unless the receiver is stopping.
func (r *Receiver) enter() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.stopped {
		return false
	}
	r.open.Add(1)
	return true
}

// requestID is the caller's, where it is fit to be shown, or a new one.
func requestID(h http.Header) string {
	id := h.Get("X-Request-Id")
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return rand.Text()
		}
	}
	if id == "" || len(id) > 64 {
		return rand.Text()
	}
	return id
}

// inFlight notes what requests hold.
func (r *Receiver) inFlight() {
	r.o.Metrics.InFlight.Set(float64(r.o.MaxInFlight - r.all.left.Load()))
}

// acknowledged waits until Kafka has the record, or for as long as the sender may
// be kept. A record that is given up may still arrive: it is sent again, and is
// the same fact.
func (r *Receiver) acknowledged(ctx context.Context, record *kgo.Record, h *hold) error {
	acked := make(chan error, 1)
	began := time.Now()
	// Not the request's context: a sender that goes away must not take the records
	// of others with it, which a cancelled one in the middle of a batch would.
	r.client.TryProduce(context.Background(), record, func(_ *kgo.Record, err error) {
		h.release()
		r.inFlight()
		acked <- err
	})
	timer := time.NewTimer(r.o.AckTimeout)
	defer timer.Stop()
	select {
	case err := <-acked:
		if err == nil {
			r.o.Metrics.AckTime.Observe(time.Since(began).Seconds())
		}
		return err
	case <-timer.C:
		return errSlow
	case <-ctx.Done():
		return errGone
	}
}
