package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxKeys bounds the callers that are told apart; those beyond share one rate.
const maxKeys = 4096

// limiter gives each key its own rate.
type limiter struct {
	perMinute int
	now       func() time.Time

	mu    sync.Mutex
	keys  map[string]*rate.Limiter
	swept time.Time
}

func newLimiter(perMinute int, now func() time.Time) *limiter {
	return &limiter{perMinute: perMinute, now: now, keys: map[string]*rate.Limiter{}}
}

// allow takes one request of a key. It returns how many are left at once, and
// otherwise after how long there is one again.
func (l *limiter) allow(key string) (ok bool, left int, retry time.Duration) {
	now := l.now()
	k := l.of(key, now)
	if k.AllowN(now, 1) {
		return true, int(k.TokensAt(now)), 0
	}
	missing := 1 - k.TokensAt(now)
	return false, 0, time.Duration(missing / float64(k.Limit()) * float64(time.Second))
}

func (l *limiter) of(key string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.keys[key]; k != nil {
		return k
	}
	if len(l.keys) >= maxKeys && now.Sub(l.swept) > time.Second {
		l.swept = now
		for name, k := range l.keys {
			if k.TokensAt(now) >= float64(l.perMinute) { // idle: a new one is the same
				delete(l.keys, name)
			}
		}
	}
	if len(l.keys) >= maxKeys {
		key = "others"
		if k := l.keys[key]; k != nil {
			return k
		}
	}
	k := rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)
	l.keys[key] = k
	return k
}

// address returns the client's address. A proxy in front adds the address that
// it sees at the end of X-Forwarded-For; what stands before it is the client's own.
func (s *Server) address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if forwarded := r.Header.Values("X-Forwarded-For"); s.o.BehindProxy && len(forwarded) > 0 {
		last := forwarded[len(forwarded)-1]
		last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
		if _, err := netip.ParseAddr(last); err == nil {
			host = last
		}
	}
	return host
}

// addressKey is what a client without a token is limited by: IPv6 hosts own a
// whole /64.
func addressKey(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}

// boundedListener closes connections beyond a number, in all and from one
// address: whoever holds many open and says nothing must not shut others out.
type boundedListener struct {
	net.Listener
	all, each int // each 0: none, as behind a proxy
	refused   func()

	mu   sync.Mutex
	open map[string]int
	n    int
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		key := addressKey(host)
		if l.enter(key) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { l.leave(key) })}, nil
		}
		l.refused()
		c.Close() //nolint:errcheck // refused
	}
}

func (l *boundedListener) enter(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n >= l.all || l.each > 0 && l.open[key] >= l.each {
		return false
	}
	l.n++
	l.open[key]++
	return true
}

func (l *boundedListener) leave(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n--
	if l.open[key]--; l.open[key] == 0 {
		delete(l.open, key)
	}
}

type boundedConn struct {
	net.Conn
	leave func()
}

func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
