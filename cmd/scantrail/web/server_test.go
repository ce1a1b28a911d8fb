package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"scantrail/schemas/texts"
)

const (
	opsToken    = "ops-0123456789-0123456789"
	viewerToken = "viewer-0123456789-0123456789"
	sellerToken = "seller-0123456789-0123456789"
	pushToken   = "push-0123456789-0123456789"
)

func allTokens() []Token {
	return []Token{
		{Name: "ops", Secret: opsToken, Role: Operator}, {Name: "eve", Secret: viewerToken, Role: Viewer},
		{Name: "acme", Secret: sellerToken, Role: Seller, Shops: []string{"shop-1"}},
		{Name: "usps", Secret: pushToken, Role: Push, Carriers: []string{"usps"}},
	}
}

// world is a listener with handlers that say who they think asks.
type world struct {
	*Server
	t   *testing.T
	log *syncBuffer
	now time.Time
	mu  sync.Mutex
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func who(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := CallerOf(r.Context())
		fmt.Fprintf(w, "%s: %s %s %s", name, c.Name, c.Role, r.URL.Path)
	})
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	catalog, err := texts.Load()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, log: &syncBuffer{}, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	o := Options{Listen: "127.0.0.1:0", Texts: catalog, Now: w.clock, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&o)
	}
	if w.Server, err = Listen(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.Mount(Handlers{Console: who("console"), API: who("api"), Push: who("push")})
	return w
}

type answer struct {
	*http.Response
	body string
}

// ask sends a request. Headers are "Name: value"; Host sets the host.
func (w *world) ask(method, path, body string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://"+w.Addr()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if req.Header.Add(name, value); name == "Host" {
			req.Host = value
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp, string(b)}
}

func bearerOf(token string) string { return "Authorization: Bearer " + token }

func TestProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Options)
		fields string // that have a problem
	}{
		"loopback alone":            {func(o *Options) {}, ""},
		"IPv6 loopback":             {func(o *Options) { o.Listen = "[::1]:8080" }, ""},
		"localhost":                 {func(o *Options) { o.Listen = "localhost:8080" }, ""},
		"every address":             {func(o *Options) { o.Listen = "0.0.0.0:8080" }, "listen tokens"},
		"every IPv6 address":        {func(o *Options) { o.Listen = "[::]:8080" }, "listen tokens"},
		"a name of one's own":       {func(o *Options) { o.Listen = "scantrail.example.com:8080" }, "listen tokens"},
		"no host":                   {func(o *Options) { o.Listen = ":8080" }, "listen"},
		"no port":                   {func(o *Options) { o.Listen = "127.0.0.1" }, "listen"},
		"tokens, but in the clear":  {func(o *Options) { o.Listen, o.Tokens = "10.0.0.5:8080", allTokens() }, "listen"},
		"behind a proxy, no token":  {func(o *Options) { o.Listen, o.BehindProxy = "10.0.0.5:8080", true }, "behind_proxy"},
		"loopback, proxy, no token": {func(o *Options) { o.BehindProxy = true }, "behind_proxy"},
		"behind a proxy":            {func(o *Options) { o.Listen, o.BehindProxy, o.Tokens = "0.0.0.0:8080", true, allTokens() }, ""},
		"half a certificate":        {func(o *Options) { o.CertFile = "x" }, "tls"},
		"no certificate":            {func(o *Options) { o.CertFile, o.KeyFile = "none", "none" }, "tls.cert_file"},
		"an address of a path":      {func(o *Options) { o.URL = "https://example.com/scantrail" }, "url"},
		"an address of nothing":     {func(o *Options) { o.URL = "javascript:alert(1)" }, "url"},
		"an address":                {func(o *Options) { o.URL = "https://example.com/" }, ""},
		"a short token":             {func(o *Options) { o.Tokens = []Token{{Name: "a", Secret: "short", Role: Viewer}} }, "tokens[0].token"},
		"a token with a space":      {func(o *Options) { o.Tokens = []Token{{Name: "a", Secret: opsToken + " x", Role: Viewer}} }, "tokens[0].token"},
		"one token for two": {func(o *Options) {
			o.Tokens = []Token{{Name: "a", Secret: opsToken, Role: Viewer}, {Name: "b", Secret: opsToken, Role: Operator}}
		}, "tokens[1].token"},
		"a seller without a shop": {func(o *Options) { o.Tokens = []Token{{Name: "a", Secret: opsToken, Role: Seller}} }, "tokens[0].shops"},
		"a seller of the shop ''": {func(o *Options) { o.Tokens = []Token{{Name: "a", Secret: opsToken, Role: Seller, Shops: []string{""}}} }, "tokens[0].shops"},
		"push without a carrier":  {func(o *Options) { o.Tokens = []Token{{Name: "a", Secret: opsToken, Role: Push}} }, "tokens[0].carriers"},
		"an operator of one shop": {func(o *Options) {
			o.Tokens = []Token{{Name: "a", Secret: opsToken, Role: Operator, Shops: []string{"x"}}}
		}, "tokens[0].shops"},
		"a role that is not there":    {func(o *Options) { o.Tokens = []Token{{Name: "a", Secret: opsToken, Role: "root"}} }, "tokens[0].role"},
		"a name that logs would show": {func(o *Options) { o.Tokens = []Token{{Name: "a\nb", Secret: opsToken, Role: Viewer}} }, "tokens[0].name"},
	} {
		o := Options{Listen: DefaultListen}
		tc.change(&o)
		var fields []string
		for _, p := range o.Problems() {
			fields = append(fields, p.Field)
			if p.What == "" || p.Remedy == "" && p.Field != "tls.cert_file" {
				t.Errorf("%s: %v says not what to do", name, p)
			}
		}
		if got := strings.Join(fields, " "); got != tc.fields {
			t.Errorf("%s: problems with %q, want %q", name, got, tc.fields)
		}
		if tc.fields != "" {
			if s, err := Listen(o); err == nil {
				s.Close()
				t.Errorf("%s: it listens", name)
			}
		}
	}
}

func TestStarting(t *testing.T) {
	w := newWorld(t, nil)
	w.handlers.Store(nil)
	page := w.ask("GET", "/?carrier=usps", "")
	if page.StatusCode != 503 || !strings.Contains(page.body, `content="1; url=/?carrier=usps"`) || page.Header.Get("Retry-After") == "" {
		t.Errorf("the page says %d %v:\n%s", page.StatusCode, page.Header, page.body)
	}
	if api := w.ask("GET", "/v1/alerts", ""); api.StatusCode != 503 || api.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the API says %d %v", api.StatusCode, api.Header)
	}
	w.Mount(Handlers{Console: who("console")})
	if got := w.ask("GET", "/", "").body; got != "console: local operator /" {
		t.Errorf("then %q", got)
	}
	if api := w.ask("GET", "/v1/alerts", ""); api.StatusCode != 404 {
		t.Errorf("an API that is not there says %d", api.StatusCode)
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/", "/v1/alerts", "/login", "/login.css"} {
		h := w.ask("GET", path, "").Header
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if !strings.HasPrefix(h.Get(name), want) {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
		if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") || h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	if got := w.ask("DELETE", "/", ""); got.StatusCode != 405 || got.Header.Get("Allow") == "" {
		t.Errorf("DELETE: %d", got.StatusCode)
	}
}

// A name of an attacker's that resolves to 127.0.0.1 reads nothing.
func TestRebinding(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Hosts, o.URL = []string{"Console.example.com"}, "http://scantrail.example.com:81" })
	_, port, _ := net.SplitHostPort(w.Addr())
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "LOCALHOST": 200, "[::1]:" + port: 200, "[::1]": 200, "192.168.1.7": 200,
		"console.example.com": 200, "console.example.com.": 200, "scantrail.example.com:81": 200, "scantrail.example.com": 200,
		"evil.example.com:" + port: 421, "localhost.evil.example.com": 421, "example.com": 421, "127.0.0.1.evil.example.com": 421, "xlocalhost": 421,
	} {
		for _, path := range []string{"/", "/v1/alerts", "/static/x", "/v1/scans/usps"} {
			if got := w.ask("GET", path, "", "Host: "+host); got.StatusCode != want || want == 421 && strings.Contains(got.body, "operator") {
				t.Errorf("%s at %s: %d, want %d", path, host, got.StatusCode, want)
			}
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.URL = "https://scantrail.example.com" })
	for _, tc := range []struct {
		headers []string
		want    int
	}{
		{nil, 200}, // no browser
		{[]string{"Sec-Fetch-Site: same-origin"}, 200},
		{[]string{"Sec-Fetch-Site: none"}, 200},
		{[]string{"Sec-Fetch-Site: cross-site"}, 403},
		{[]string{"Sec-Fetch-Site: same-site"}, 403},
		{[]string{"Origin: https://evil.example.com"}, 403},
		{[]string{"Origin: null"}, 403},
		{[]string{"Origin: http://" + w.Addr()}, 200},
		{[]string{"Origin: https://scantrail.example.com"}, 200},
		{[]string{"Origin: http://127.0.0.1:1"}, 403},
	} {
		if got := w.ask("POST", "/alerts", "a=b", tc.headers...); got.StatusCode != tc.want {
			t.Errorf("POST with %v: %d, want %d", tc.headers, got.StatusCode, tc.want)
		}
	}
	if got := w.ask("GET", "/", "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"); got.StatusCode != 200 {
		t.Errorf("a link to the console: %d", got.StatusCode)
	}
}

// Whoever reaches a loopback listener through a proxy is not on this machine.
func TestProxyInFrontOfNoLogin(t *testing.T) {
	w := newWorld(t, nil)
	for _, h := range []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Forwarded-Host: example.com", "X-Real-Ip: 203.0.113.9"} {
		if got := w.ask("GET", "/", "", h); got.StatusCode != 403 || strings.Contains(got.body, "console:") {
			t.Errorf("%s: %d %s", h, got.StatusCode, got.body)
		}
	}
}

func TestPanic(t *testing.T) {
	w := newWorld(t, nil)
	w.Mount(Handlers{Console: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begun" {
			w.Write([]byte("half of an answer")) //nolint:errcheck // the point is what follows
		}
		panic("no such parcel")
	})})
	page := w.ask("GET", "/now", "")
	_, rest, _ := strings.Cut(page.body, "under the number ")
	if len(rest) < 8 || page.StatusCode != 500 || strings.Contains(page.body, "no such parcel") {
		t.Fatalf("%d\n%s", page.StatusCode, page.body)
	}
	if log := w.log.String(); !strings.Contains(log, "id="+rest[:8]) || !strings.Contains(log, "no such parcel") {
		t.Errorf("the log does not say so under %s:\n%s", rest[:8], log)
	}
	resp, err := http.Get("http://" + w.Addr() + "/begun")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half of an answer looks like a whole one")
	}
}

func TestAccessLogHasNoQuery(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens = allTokens() })
	w.ask("GET", "/parcels?q=secret-thing", "", bearerOf(opsToken))
	log := w.log.String()
	if !strings.Contains(log, "path=/parcels") || !strings.Contains(log, "caller=ops") {
		t.Errorf("no line for the request:\n%s", log)
	}
	if strings.Contains(log, "secret-thing") || strings.Contains(log, opsToken) {
		t.Errorf("the log tells too much:\n%s", log)
	}
}

func TestClose(t *testing.T) {
	w := newWorld(t, nil)
	entered, leave := make(chan bool), make(chan bool)
	w.Mount(Handlers{Console: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "whole") //nolint:errcheck // the client reads it
	})})
	body := make(chan string, 1)
	go func() { body <- w.ask("GET", "/", "").body }()
	<-entered
	closed := make(chan bool)
	go func() { w.Close(); close(closed) }()
	// New connections are refused while the request goes on.
	for {
		c, err := net.Dial("tcp", w.Addr())
		if err != nil {
			break
		}
		c.Close() //nolint:errcheck // it was let in before the listener closed
	}
	close(leave)
	if got := <-body; got != "whole" {
		t.Errorf("the request under way got %q", got)
	}
	<-closed
	if err := w.Run(context.Background()); err == nil {
		t.Error("Run does not tell that the listener is closed")
	}
}
