package web

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens, o.RatePerMinute = allTokens(), 3 })
	ask := func(token string) answer { return w.ask("GET", "/v1/alerts", "", bearerOf(token)) }
	for i, left := range []string{"2", "1", "0"} {
		got := ask(sellerToken)
		if want := `"caller";r=` + left + `;t=` + []string{"20", "40", "60"}[i]; got.StatusCode != 200 || got.Header.Get("RateLimit") != want {
			t.Errorf("request %d: %d, RateLimit %q, want %q", i, got.StatusCode, got.Header.Get("RateLimit"), want)
		}
	}
	got := ask(sellerToken)
	if got.StatusCode != 429 || got.Header.Get("Retry-After") != "20" || got.Header.Get("RateLimit-Policy") != `"caller";q=3;w=60` || !strings.Contains(got.body, `"remedy"`) {
		t.Errorf("the fourth: %d %v %s", got.StatusCode, got.Header, got.body)
	}
	if got := ask(viewerToken); got.StatusCode != 200 {
		t.Errorf("another token: %d", got.StatusCode)
	}
	w.pass(20 * time.Second)
	if got := ask(sellerToken); got.StatusCode != 200 {
		t.Errorf("20 s later: %d", got.StatusCode)
	}
}

// Callers that come once each must not fill the memory.
func TestRatesAreBounded(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLimiter(60, func() time.Time { return now })
	for i := range 3 * maxKeys {
		l.allow(fmt.Sprint("address ", i))
	}
	if len(l.keys) > maxKeys+1 {
		t.Errorf("%d keys", len(l.keys))
	}
	now = now.Add(time.Hour)
	if ok, left, _ := l.allow("new"); !ok || left != 59 || len(l.keys) > 2 {
		t.Errorf("an hour later %v, %d left, %d keys", ok, left, len(l.keys))
	}
}

func TestAddressBehindProxy(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens, o.BehindProxy = allTokens(), true })
	for _, tc := range []struct{ remote, forwarded, want string }{
		{"10.0.0.1:5", "203.0.113.9", "203.0.113.9"},
		{"10.0.0.1:5", "198.51.100.1, 203.0.113.9", "203.0.113.9"}, // what the client itself says does not count
		{"10.0.0.1:5", "203.0.113.9, nonsense", "10.0.0.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"[::ffff:10.0.0.1]:5", "", "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: tc.remote, Header: http.Header{}}
		if tc.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tc.forwarded)
		}
		if got := addressKey(w.address(r)); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

func TestBusy(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxRequests = 1 })
	entered, leave := make(chan bool), make(chan bool)
	w.Mount(Handlers{Console: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered <- true; <-leave })})
	done := make(chan int)
	go func() { done <- w.ask("GET", "/", "").StatusCode }()
	<-entered
	if got := w.ask("GET", "/v1/alerts", ""); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("the second: %d", got.StatusCode)
	}
	leave <- true
	if got := <-done; got != 200 {
		t.Errorf("the first: %d", got)
	}
}

// TestPushIsNotBounded: what carriers push is bounded by its receiver. A push that
// waits keeps nobody out, and an aggregator may send often from one address.
func TestPushIsNotBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens, o.MaxRequests, o.RatePerMinute, o.MaxBodyBytes = allTokens(), 1, 1, 10 })
	entered, leave := make(chan bool), make(chan bool)
	w.Mount(Handlers{API: who("api"), Push: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/scans/slow" {
			entered <- true
			<-leave
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	})})
	done := make(chan int)
	go func() { done <- w.ask("POST", "/v1/scans/slow", "").StatusCode }()
	<-entered
	for range 5 {
		if got := w.ask("POST", "/v1/scans/usps", strings.Repeat("x", 1000)); got.StatusCode != 200 || got.body != "1000 <nil>" {
			t.Errorf("a push: %d %s", got.StatusCode, got.body)
		}
	}
	if got := w.ask("GET", "/v1/alerts", "", bearerOf(opsToken)); got.StatusCode != 200 {
		t.Errorf("beside a push that waits: %d", got.StatusCode)
	}
	leave <- true
	if got := <-done; got != 200 {
		t.Errorf("the push that waited: %d", got)
	}
	for _, path := range []string{"/v1/scans/../alerts", "/v1/scans/%2e%2e/alerts"} {
		if got := w.ask("GET", path, ""); got.StatusCode != 429 && got.StatusCode != 401 {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}

func TestSizes(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxBodyBytes = 1000 })
	w.Mount(Handlers{Console: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})})
	if got := w.ask("POST", "/alerts", strings.Repeat("x", 1000)); got.StatusCode != 200 {
		t.Errorf("1000 bytes: %d", got.StatusCode)
	}
	if got := w.ask("POST", "/alerts", strings.Repeat("x", 1001)); got.StatusCode != 413 {
		t.Errorf("1001 bytes: %d", got.StatusCode)
	}
	for name, request := range map[string]string{
		"large headers": "GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + strings.Repeat("x", 2*maxHeaderBytes) + "\r\n\r\n",
		"a large form":  fmt.Sprintf("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\ntoken=%s", 50*maxLoginBytes, strings.Repeat("x", 2*maxLoginBytes)),
	} {
		// The answer may be lost with the connection, which the server does not read on.
		if got := w.raw(request); got != "" && !strings.HasPrefix(got, "HTTP/1.1 4") {
			t.Errorf("%s: %.80s", name, got)
		}
	}
}

// raw returns what comes until the server closes the connection.
func (w *world) raw(request string) string {
	w.t.Helper()
	c, err := net.Dial("tcp", w.Addr())
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // a socket
	io.WriteString(c, request)                      //nolint:errcheck // it may stop reading
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("the connection stays open after %.60q", request)
	}
	return string(b)
}

// A client that says half of its headers and then nothing is cut off, and while
// it hangs on nobody else waits.
func TestSlowLoris(t *testing.T) {
	base := newWorld(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(base.o, ln)
	if err != nil {
		t.Fatal(err)
	}
	if s.http.ReadHeaderTimeout == 0 || s.http.ReadTimeout == 0 || s.http.WriteTimeout == 0 || s.http.IdleTimeout == 0 {
		t.Error("a limit is missing")
	}
	s.http.ReadHeaderTimeout = 50 * time.Millisecond
	s.close = s.shutdown
	go s.serve()
	defer s.Close()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\n")
	c.SetReadDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // a socket
	// It answers 408 or nothing, and closes.
	if b, err := io.ReadAll(c); err != nil || strings.Contains(string(b), "200 OK") {
		t.Errorf("after half a request: %v %q", err, b)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan bool, 10)
	l := &boundedListener{Listener: ln, all: 10, each: 2, open: map[string]int{}, refused: func() { refused <- true }}
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	defer l.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	first, second := <-accepted, <-accepted
	if _, err := bufio.NewReader(dial()).ReadByte(); err == nil {
		t.Error("the third is not closed")
	}
	<-refused
	first.Close()
	first.Close() // counts once
	dial()
	third := <-accepted
	if _, err := bufio.NewReader(dial()).ReadByte(); err == nil {
		t.Error("beyond two again")
	}
	second.Close()
	third.Close()
}

// writePair writes a new certificate and its key.
func writePair(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, "first")
	w := newWorld(t, func(o *Options) {
		o.CertFile, o.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		o.Tokens, o.Hosts = allTokens(), []string{"scantrail.example.com"}
		o.Listen = "0.0.0.0:0" // other machines reach it
	})
	if !strings.HasPrefix(w.URL(), "https://localhost:") {
		t.Errorf("URL %s", w.URL())
	}
	_, port, _ := net.SplitHostPort(w.Addr())
	ask := func(method, path, body string) (*http.Response, string) {
		t.Helper()
		client := &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		}
		req, err := http.NewRequest(method, "https://localhost:"+port+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if method == "POST" {
			req.Host = "scantrail.example.com"
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp, resp.TLS.PeerCertificates[0].Subject.CommonName
	}
	resp, name := ask("POST", "/login", "token="+opsToken)
	if resp.StatusCode != 303 || name != "first" || resp.Header.Get("Strict-Transport-Security") == "" || resp.ProtoMajor != 2 {
		t.Errorf("login over TLS: %s %d %v", name, resp.StatusCode, resp.Header)
	}
	if c := resp.Cookies()[0]; !c.Secure || c.Name != "__Host-scantrail" {
		t.Errorf("cookie %v", c)
	}
	if resp, _ := ask("GET", "/login", ""); resp.Header.Get("Strict-Transport-Security") != "" {
		t.Error("it asks for TLS of everything on localhost")
	}
	// Half of a pair leaves the old one in use, and says so once.
	key, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	writePair(t, dir, "second")
	second, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		key  []byte
		want string
	}{{key, "first"}, {second, "second"}} {
		if err := os.WriteFile(filepath.Join(dir, "key.pem"), step.key, 0o600); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Duration(len(step.want)) * time.Second) // the resolution of file times does not matter
		if err := os.Chtimes(filepath.Join(dir, "key.pem"), later, later); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w.pass(2 * certificateEvery)
			if _, name := ask("GET", "/login", ""); name != step.want {
				t.Errorf("certificate %s, want %s", name, step.want)
			}
		}
	}
	if n := strings.Count(w.log.String(), "the former one stays in use"); n != 1 {
		t.Errorf("said %d times", n)
	}
}
