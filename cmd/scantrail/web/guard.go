package web

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// contentPolicy lets a page load what this host serves, and nothing else: no
// script and no style in the page itself.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// handler returns the guards, from the outside in.
func (s *Server) handler() (http.Handler, error) {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, "origin", http.StatusForbidden)
	}))
	if s.o.URL != "" {
		if err := cross.AddTrustedOrigin(strings.TrimRight(s.o.URL, "/")); err != nil {
			return nil, fmt.Errorf("web.url: %w", err)
		}
	}
	var h http.Handler = s.routes()
	h = s.identify(h)
	h = s.bound(h)
	h = cross.Handler(h)
	h = s.checkRequest(h)
	h = s.secureHeaders(h)
	return s.observe(h), nil
}

// observe counts, logs, and turns a panic into an answer.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w}
		s.metrics.active.Inc()
		defer func() {
			s.metrics.active.Dec()
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel that is panicked with as it is
					panic(p)
				}
				s.recovered(rec, r, p)
			}
			took, area := time.Since(began), surface(r.URL.Path)
			s.metrics.requests.WithLabelValues(area, strconv.Itoa(rec.code()/100)+"xx").Inc()
			s.metrics.seconds.WithLabelValues(area).Observe(took.Seconds())
			// The query holds what people search for, and could hold what they paste.
			s.o.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", rec.code(), "bytes", rec.bytes, "took", took, "caller", rec.caller, "from", s.address(r))
		}()
		next.ServeHTTP(rec, r)
	})
}

// recovered answers a request whose handler has failed: with a number that the
// log has too. An answer that has begun is cut off: it must not look whole.
func (s *Server) recovered(rec *recorder, r *http.Request, p any) {
	id := rand.Text()[:8]
	s.o.Log.Error("a request failed", "id", id, "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.answer(rec, r, http.StatusInternalServerError, "failed", id)
}

func surface(path string) string {
	switch {
	case strings.HasPrefix(path, "/v1/scans/"):
		return "push"
	case strings.HasPrefix(path, "/v1/"):
		return "api"
	case path == "/login" || path == "/logout" || path == "/login.css":
		return "login"
	}
	return "console"
}

// recorder notes what was answered, and to whom.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	caller string
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func (s *Server) secureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		// Not for localhost: a browser would ask every other server of this machine
		// for TLS.
		if r.TLS != nil && hostOf(r.Host) != "localhost" {
			h.Set("Strict-Transport-Security", fmt.Sprintf("max-age=%d", secondsOfOneYear))
		}
		next.ServeHTTP(w, r)
	})
}

// checkRequest refuses requests for another host: a page elsewhere whose name
// was made to point here (DNS rebinding) would otherwise read everything. An IP
// address cannot be rebound.
func (s *Server) checkRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !s.knownHost(r.Host):
			s.refuse(w, r, "host", http.StatusMisdirectedRequest)
		case len(s.tokens) == 0 && forwarded(r):
			s.refuse(w, r, "proxy", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
			w.Header().Set("Allow", "GET, HEAD, POST")
			s.answer(w, r, http.StatusMethodNotAllowed, "method")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// forwarded reports whether a proxy says that it passes on somebody else's
// request: then loopback says nothing about who asks.
func forwarded(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
}

func hostKey(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// hostOf returns the host of a Host header, without its port.
func hostOf(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostPort, "["), "]")
	}
	return hostKey(host)
}

func (s *Server) knownHost(hostPort string) bool {
	host := hostOf(hostPort)
	return host == "localhost" || net.ParseIP(host) != nil || s.hosts[host]
}

// bound limits what goes on at the same time, and how long and large a request is.
func (s *Server) bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pushPath(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case s.busy <- struct{}{}:
			defer func() { <-s.busy }()
		default:
			w.Header().Set("Retry-After", "1")
			s.refuse(w, r, "busy", http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestLimit)
		defer cancel()
		limitBody(w, r, s.o.MaxBodyBytes)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// limitBody bounds what a handler may read. Beyond it the connection is closed,
// which net/http does only for its own writer.
func limitBody(w http.ResponseWriter, r *http.Request, n int64) {
	if rec, ok := w.(*recorder); ok {
		w = rec.ResponseWriter
	}
	r.Body = http.MaxBytesReader(w, r.Body, n)
}

// identify finds out who asks and takes the request from their rate. Who is
// nobody gets no further than the login.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, key, known := s.callerOf(r)
		push := pushPath(r.URL.Path)
		if !push && !s.allowed(w, r, s.rates, key, s.o.RatePerMinute) {
			return
		}
		if rec, ok := w.(*recorder); ok {
			rec.caller = caller.Name
		}
		if known {
			r = r.WithContext(WithCaller(r.Context(), caller))
		} else if !openPath(r.URL.Path) || r.Header.Get("Authorization") != "" && !push { // which may be the carrier's own token
			s.askWho(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// openPath reports whether a path shows nothing of anybody's parcels, or, as the
// push receiver, checks itself who asks.
func openPath(path string) bool {
	if strings.Contains(path, "..") {
		return false
	}
	return pushPath(path) || path == "/login" || path == "/logout" || path == "/login.css" || path == "/v1/openapi.json" ||
		strings.HasPrefix(path, "/static/")
}

// pushPath reports whether a path is the push receiver's. It bounds rates, bytes
// and times itself, by carrier: an aggregator sends from one address what many
// people would, and a push that waits for Kafka must not keep people out.
func pushPath(path string) bool {
	return strings.HasPrefix(path, "/v1/scans/") && !strings.Contains(path, "..")
}

// callerOf returns who asks, and what their requests are counted by.
func (s *Server) callerOf(r *http.Request) (c Caller, key string, ok bool) {
	if len(s.tokens) == 0 {
		return Caller{Name: "local", Role: Operator}, "local", true
	}
	if secret, found := bearer(r); found {
		if c, ok = s.tokens.caller(secret); ok {
			return c, "token " + c.Name, true
		}
	} else if cookie, err := r.Cookie(s.cookieName()); err == nil {
		if c, ok = s.sessions.caller(cookie.Value); ok {
			return c, "session " + cookie.Value, true
		}
	}
	return Caller{}, "address " + addressKey(s.address(r)), false
}

func bearer(r *http.Request) (string, bool) {
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), ok && strings.EqualFold(scheme, "Bearer")
}

// allowed takes a request from a rate and says in the headers of an API answer
// what is left (draft-ietf-httpapi-ratelimit-headers).
func (s *Server) allowed(w http.ResponseWriter, r *http.Request, l *limiter, key string, perMinute int) bool {
	ok, left, retry := l.allow(key)
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		wait := int(math.Ceil(float64(perMinute-left) * 60 / float64(perMinute)))
		w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"caller";q=%d;w=60`, perMinute))
		w.Header().Set("RateLimit", fmt.Sprintf(`"caller";r=%d;t=%d`, left, wait))
	}
	if !ok {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(retry.Seconds())))))
		s.refuse(w, r, "rate", http.StatusTooManyRequests)
	}
	return ok
}

// quiet passes on what net/http complains about as debug lines: any scanner of
// ports can cause them.
func quiet(l *slog.Logger) *log.Logger {
	if l == nil {
		return log.New(io.Discard, "", 0)
	}
	return slog.NewLogLogger(l.Handler(), slog.LevelDebug)
}
