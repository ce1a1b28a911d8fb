package notify

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestGuardAddresses(t *testing.T) {
	refused := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.8.8.8",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1",
		"2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	}
	g := &guard{}
	for _, s := range refused {
		a := netip.MustParseAddr(s)
		err := g.control(networkOf(a), netip.AddrPortFrom(a, 443).String(), nil)
		var want *AddressError
		if !errors.As(err, &want) || want.Addr != a {
			t.Errorf("%s: %v, want it refused", s, err)
		}
	}
	for _, s := range []string{"8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "169.253.1.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"} {
		a := netip.MustParseAddr(s)
		if err := g.control(networkOf(a), netip.AddrPortFrom(a, 443).String(), nil); err != nil {
			t.Errorf("%s: %v, want it permitted", s, err)
		}
	}
	for _, bad := range [][2]string{{"udp4", "8.8.8.8:53"}, {"unix", "/run/docker.sock"}, {"tcp4", "example.com:443"}, {"tcp", ""}} {
		if g.control(bad[0], bad[1], nil) == nil {
			t.Errorf("%v is permitted", bad)
		}
	}
}

func networkOf(a netip.Addr) string {
	if a.Is4() {
		return "tcp4"
	}
	return "tcp6"
}

func TestGuardAllows(t *testing.T) {
	g := &guard{allowed: prefixes("10.1.2.0/24", "fd00::/8")}
	for s, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.1.3.1": false, "fd00::1": true, "fc00::1": false, "127.0.0.1": false,
	} {
		if got := g.permits(netip.MustParseAddr(s)); got != want {
			t.Errorf("%s: %t", s, got)
		}
	}
	local := &guard{loopback: true}
	for s, want := range map[string]bool{"127.0.0.1": true, "::1": true, "10.0.0.1": false, "169.254.169.254": false} {
		if got := local.permits(netip.MustParseAddr(s)); got != want {
			t.Errorf("loopback, %s: %t", s, got)
		}
	}
}

// dns answers every question for an IPv4 address with addr, and others with
// nothing.
func dns(addr netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			var size [2]byte
			for {
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				q := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(server, q); err != nil {
					return
				}
				end := 12
				for q[end] != 0 {
					end += int(q[end]) + 1
				}
				end += 5
				kind := binary.BigEndian.Uint16(q[end-4:])
				answer := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
				if kind == 1 {
					answer[7] = 1
					ip := addr.As4()
					answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
					answer = append(answer, ip[:]...)
				}
				if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

func testSender(url string, g *guard, resolver *net.Resolver) *webhookSender {
	return &webhookSender{url: url, poster: poster{client: newClient(g, nil, resolver, 5*time.Second), now: time.Now}}
}

// just is an attempt at one message.
func just(m *message) []item { return []item{{msgs: []*message{m}}} }

// TestHostnames: what counts is the address that a name has when it is used.
func TestHostnames(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	m := &message{id: "x:1", body: []byte("{}")}
	for _, addr := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.1.1"} {
		s := testSender("http://hooks.example.com:"+port, &guard{}, dns(netip.MustParseAddr(addr)))
		o := s.send(t.Context(), just(m))
		if o.verdict != failed || !strings.Contains(o.reason, addr+" is no public address") {
			t.Errorf("a name that resolves to %s: %+v", addr, o)
		}
	}
	if asked.Load() != 0 {
		t.Fatal("a request went out")
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::ffff:127.0.0.1]"} {
		if o := testSender("http://"+host+":"+port, &guard{}, nil).send(t.Context(), just(m)); !strings.Contains(o.reason, "no public address") {
			t.Errorf("%s: %+v", host, o)
		}
	}
	s := testSender("http://hooks.example.com:"+port, &guard{loopback: true}, dns(netip.MustParseAddr("127.0.0.1")))
	if o := s.send(t.Context(), just(m)); o.verdict != delivered || asked.Load() != 1 {
		t.Errorf("allowed: %+v", o)
	}
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	var proxied atomic.Bool
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Store(true) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	s := testSender("http://hooks.example.com/", &guard{}, dns(netip.MustParseAddr("10.0.0.1")))
	if o := s.send(t.Context(), just(&message{})); o.verdict != failed || proxied.Load() {
		t.Errorf("%+v, proxied %t", o, proxied.Load())
	}
}

func TestRedirectIsRefused(t *testing.T) {
	var followed atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/secret", func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	mux.Handle("/", http.RedirectHandler("/secret", http.StatusTemporaryRedirect))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	o := testSender(srv.URL, &guard{loopback: true}, nil).send(t.Context(), just(&message{body: []byte("{}")}))
	if o.verdict != rejected || followed.Load() || !strings.Contains(o.reason, "redirects are not followed") {
		t.Errorf("%+v, followed %t", o, followed.Load())
	}
}

// TestOversizeReply: a receiver that sends without end is read up to the limit,
// and its status counts.
func TestOversizeReply(t *testing.T) {
	var wrote atomic.Int64
	gone := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for chunk := make([]byte, 32<<10); ; {
			n, err := w.Write(chunk)
			wrote.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer srv.Close()
	o := testSender(srv.URL, &guard{loopback: true}, nil).send(t.Context(), just(&message{body: []byte("{}")}))
	<-gone // the connection was closed
	if o.verdict != delivered || wrote.Load() > 64<<20 {
		t.Errorf("%+v after %d bytes", o, wrote.Load())
	}
	long := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x", strings.Repeat("x", 2*maxReply))
	}))
	defer long.Close()
	if o := testSender(long.URL, &guard{loopback: true}, nil).send(t.Context(), just(&message{})); o.verdict != failed {
		t.Errorf("a head of %d bytes: %+v", 2*maxReply, o)
	}
}

func TestReplies(t *testing.T) {
	var code int
	var after string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("retry-after", after)
		w.WriteHeader(code)
		w.Write([]byte("because\x1b[2J"))
	}))
	defer srv.Close()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	s := testSender(srv.URL, &guard{loopback: true}, nil)
	s.now = func() time.Time { return now }
	for _, c := range []struct {
		code    int
		after   string
		verdict verdict
		wait    time.Duration
	}{
		{200, "", delivered, 0}, {202, "", delivered, 0}, {299, "60", delivered, 0},
		{301, "", rejected, 0}, {400, "", rejected, 0}, {401, "", rejected, 0}, {404, "9", rejected, 0}, {410, "", rejected, 0}, {422, "", rejected, 0},
		{408, "", failed, 0}, {425, "", failed, 0}, {429, "120", failed, 2 * time.Minute},
		{429, now.Add(90 * time.Second).Format(http.TimeFormat), failed, 90 * time.Second},
		{429, "99999999", failed, maxRetryAfter}, {429, "-5", failed, 0}, {429, "soon", failed, 0},
		{500, "", failed, 0}, {502, "", failed, 0}, {503, "7", failed, 7 * time.Second}, {599, "", failed, 0},
	} {
		code, after = c.code, c.after
		o := s.send(t.Context(), just(&message{body: []byte("{}")}))
		if o.verdict != c.verdict || o.after != c.wait {
			t.Errorf("%d %q: %+v, want verdict %d, wait %s", c.code, c.after, o, c.verdict, c.wait)
		}
		if strings.Contains(o.reason, "\x1b") {
			t.Errorf("%d: the reason holds the receiver's control characters: %q", c.code, o.reason)
		}
	}
	srv.Close()
	if o := s.send(t.Context(), just(&message{})); o.verdict != failed || strings.Contains(o.reason, "http://") {
		t.Errorf("no server: %+v", o)
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	s := &webhookSender{url: srv.URL, poster: poster{client: newClient(&guard{loopback: true}, nil, nil, 20*time.Millisecond), now: time.Now}}
	if o := s.send(t.Context(), just(&message{})); o.verdict != failed {
		t.Errorf("%+v", o)
	}
}
