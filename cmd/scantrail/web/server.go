package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits of the listener. What a person or another system sends fits well below
// them; a client that dribbles is cut off.
const (
	readHeaderLimit  = 5 * time.Second
	readLimit        = 30 * time.Second
	writeLimit       = 2 * time.Minute // the export of a large table to a slow client
	idleLimit        = time.Minute
	requestLimit     = time.Minute // a query to ClickHouse takes at most 10 s
	shutdownLimit    = 5 * time.Second
	maxHeaderBytes   = 16 << 10
	maxConnections   = 1024
	maxOfOneAddress  = 128
	loginsPerMinute  = 10 // of one address
	maxLoginBytes    = 8 << 10
	secondsOfOneYear = 365 * 24 * 3600
)

// Handlers are what stands behind the listener. nil: that part is not there.
type Handlers struct {
	Console http.Handler // everything but what follows
	API     http.Handler // /v1/
	Push    http.Handler // /v1/scans/; it lets callers in by their signatures itself
}

// Server is the listener.
type Server struct {
	o        Options
	ln       net.Listener
	secure   bool // browsers reach it over TLS
	hosts    map[string]bool
	tokens   tokens
	sessions *sessions
	rates    *limiter
	logins   *limiter
	busy     chan struct{}
	pages    *pages
	metrics  *metrics
	handlers atomic.Pointer[Handlers]
	http     http.Server
	served   chan struct{} // closed once it serves no more
	failed   error         // why, before Close; read after served
	close    func()
}

// Listen opens the listener and serves: until Mount, a page that says that
// Scantrail is starting. The error says what to change.
func Listen(o Options) (*Server, error) {
	o = o.withDefaults()
	if ps := o.Problems(); len(ps) > 0 {
		errs := make([]error, len(ps))
		for i, p := range ps {
			errs[i] = errors.New(p.String())
		}
		return nil, errors.Join(errs...)
	}
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w; choose another address with web.listen", err)
	}
	s, err := newServer(o, ln)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	s.close = sync.OnceFunc(s.shutdown)
	go s.serve()
	return s, nil
}

func newServer(o Options, ln net.Listener) (*Server, error) {
	s := &Server{
		o: o, ln: ln, secure: o.CertFile != "" || strings.HasPrefix(o.URL, "https:"), hosts: map[string]bool{},
		tokens: newTokens(o.Tokens), sessions: newSessions(o.SessionLimit, o.Now),
		rates: newLimiter(o.RatePerMinute, o.Now), logins: newLimiter(loginsPerMinute, o.Now),
		busy: make(chan struct{}, o.MaxRequests), metrics: newMetrics(), served: make(chan struct{}),
	}
	for _, h := range o.Hosts {
		s.hosts[hostKey(h)] = true
	}
	if u, err := url.Parse(o.URL); err == nil && u.Host != "" {
		s.hosts[hostKey(u.Hostname())] = true
	}
	var err error
	if s.pages, err = newPages(o.Texts); err != nil {
		return nil, err
	}
	handler, err := s.handler()
	if err != nil {
		return nil, err
	}
	s.http = http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderLimit, ReadTimeout: readLimit, WriteTimeout: writeLimit,
		IdleTimeout: idleLimit, MaxHeaderBytes: maxHeaderBytes, ErrorLog: quiet(o.Log),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 64},
	}
	if o.CertFile != "" {
		c, err := newCertificate(o)
		if err != nil {
			return nil, err
		}
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	}
	return s, nil
}

// Addr returns the address that it listens on, as host:port.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// URL returns the address that people open, without a slash at its end.
func (s *Server) URL() string {
	if s.o.URL != "" {
		return strings.TrimRight(s.o.URL, "/")
	}
	scheme := "http"
	if s.o.CertFile != "" {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(s.Addr())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost" // every address of this machine, of which none can be opened by that name
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Mount puts the handlers behind the listener. Until then it says that Scantrail
// is starting.
func (s *Server) Mount(h Handlers) { s.handlers.Store(&h) }

func (s *Server) serve() {
	defer close(s.served)
	bounded := &boundedListener{Listener: s.ln, all: maxConnections, each: maxOfOneAddress, open: map[string]int{}, refused: s.metrics.refused("connections").Inc}
	if s.o.BehindProxy || s.local() {
		bounded.each = 0 // all come from one address
	}
	if s.http.TLSConfig != nil {
		s.failed = s.http.ServeTLS(bounded, "", "")
		return
	}
	s.failed = s.http.Serve(bounded)
}

// Run waits until ctx ends, or until the listener fails, which is its error.
func (s *Server) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.served:
		return fmt.Errorf("web: %w", s.failed)
	}
}

// Close takes no more requests, lets those under way finish for a few seconds,
// and waits for them.
func (s *Server) Close() { s.close() }

func (s *Server) shutdown() {
	closing, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := s.http.Shutdown(closing); err != nil {
		s.http.Close() //nolint:errcheck // nothing waits for it
	}
	<-s.served
}

// local reports whether other machines cannot reach the listener.
func (s *Server) local() bool {
	host, _, err := net.SplitHostPort(s.o.Listen)
	return err == nil && loopbackHost(host)
}

// metrics has labels from closed sets alone: no name of a caller, no path.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	active   prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scantrail_web_requests_total",
			Help: "Requests to the web listener, by surface (console, api, push, login) and class of the answer (2xx, 3xx, 4xx, 5xx)."}, []string{"surface", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "scantrail_web_request_seconds",
			Help: "Time to answer a request to the web listener, by surface.", Buckets: []float64{.005, .02, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"surface"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scantrail_web_refused_total",
			Help: "Requests and connections that the web listener refused, by reason."}, []string{"reason"}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "scantrail_web_requests_active", Help: "Requests to the web listener under way."}),
	}
	for _, surface := range []string{"console", "api", "push", "login"} { // so that the first failure is an increase
		m.seconds.WithLabelValues(surface)
		m.requests.WithLabelValues(surface, "5xx")
	}
	return m
}

// Collectors are the metrics of the listener, to be registered.
func (s *Server) Collectors() []prometheus.Collector {
	m := s.metrics
	return []prometheus.Collector{m.requests, m.seconds, m.refusals, m.active}
}

func (m *metrics) refused(reason string) prometheus.Counter {
	return m.refusals.WithLabelValues(reason)
}
