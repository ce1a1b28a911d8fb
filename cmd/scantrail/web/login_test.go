package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestWhoMayComeIn(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens = allTokens() })
	for _, tc := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/", "", 303, ""},
		{"/parcels/LX1?lang=zh", "", 303, ""},
		{"/v1/alerts", "", 401, ""},
		{"/v1/alerts", "wrong", 401, ""},
		{"/", "wrong", 401, ""},
		{"/v1/alerts", opsToken, 200, "api: ops operator /v1/alerts"},
		{"/v1/alerts", viewerToken, 200, "api: eve viewer /v1/alerts"},
		{"/v1/alerts", sellerToken, 200, "api: acme seller /v1/alerts"},
		{"/", viewerToken, 200, "console: eve viewer /"},
		{"/v1/scans/usps", "", 200, "push:   /v1/scans/usps"},
		{"/v1/scans/usps", "wrong", 200, "push:   /v1/scans/usps"}, // it could be the carrier's own
		{"/v1/scans/usps", pushToken, 200, "push: usps push /v1/scans/usps"},
		{"/v1/openapi.json", "", 200, "api:   /v1/openapi.json"},
		{"/static/console.css", "", 200, "console:   /static/console.css"},
		{"/static/../parcels/x", "", 303, ""},
		{"/v1/scans/../alerts", "", 401, ""},
		{"/%2e%2e/v1/alerts", "", 303, ""},
		{"/static/%2e%2e/parcels/x", "", 303, ""},
		{"/v1/scans/%2e%2e/alerts", "", 401, ""},
		{"/login.css", "", 200, ""},
	} {
		var headers []string
		if tc.token != "" {
			headers = append(headers, bearerOf(tc.token))
		}
		got := w.ask("GET", tc.path, "", headers...)
		if got.StatusCode != tc.status || tc.body != "" && got.body != tc.body {
			t.Errorf("%s with %q: %d %q, want %d %q", tc.path, tc.token, got.StatusCode, got.body, tc.status, tc.body)
		}
		if got.StatusCode == 401 && got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no challenge", tc.path)
		}
	}
	if got := w.ask("POST", "/alerts", "x=y"); got.StatusCode != 401 {
		t.Errorf("POST without a token: %d", got.StatusCode)
	}
}

// logIn returns the answer to a form.
func (w *world) logIn(token, next string, headers ...string) answer {
	form := url.Values{"token": {token}, "next": {next}}
	return w.ask("POST", "/login", form.Encode(), append(headers, "Content-Type: application/x-www-form-urlencoded")...)
}

func TestSession(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens = allTokens() })
	to := w.ask("GET", "/alerts?rule=gap_48h&q=a%26b", "").Header.Get("Location")
	form := w.ask("GET", to, "", "Accept-Language: zh-CN,zh;q=0.9")
	if form.StatusCode != 200 || !strings.Contains(form.body, "访问令牌") || !strings.Contains(form.body, `value="/alerts?rule=gap_48h&amp;q=a%26b"`) {
		t.Fatalf("GET %s: %d\n%s", to, form.StatusCode, form.body)
	}
	wrong := w.logIn("wrong-0123456789-0123456789", "/")
	if wrong.StatusCode != 401 || len(wrong.Cookies()) != 0 || !strings.Contains(wrong.body, "not known") {
		t.Errorf("a wrong token: %d\n%s", wrong.StatusCode, wrong.body)
	}
	if seller := w.logIn(sellerToken, "/"); seller.StatusCode != 403 || len(seller.Cookies()) != 0 {
		t.Errorf("a seller's token: %d", seller.StatusCode)
	}
	in := w.logIn(" "+opsToken+"\n", "/alerts?rule=gap_48h&q=a%26b")
	if in.StatusCode != 303 || in.Header.Get("Location") != "/alerts?rule=gap_48h&q=a%26b" || len(in.Cookies()) != 1 {
		t.Fatalf("login: %d %v", in.StatusCode, in.Header)
	}
	c := in.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || strings.Contains(c.Value, opsToken) || len(c.Value) < 26 {
		t.Errorf("cookie %v", c)
	}
	session := "Cookie: " + c.Name + "=" + c.Value
	if got := w.ask("GET", "/", "", session).body; got != "console: ops operator /" {
		t.Errorf("with the session: %q", got)
	}
	if got := w.ask("GET", "/login?next=/lanes", "", session); got.StatusCode != 303 || got.Header.Get("Location") != "/lanes" {
		t.Errorf("a login of who is logged in: %d %v", got.StatusCode, got.Header)
	}
	second := w.logIn(opsToken, "/").Cookies()[0]
	if second.Value == c.Value {
		t.Error("two sessions have one id")
	}
	out := w.ask("POST", "/logout", "", session)
	if out.StatusCode != 303 || out.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout: %d %v", out.StatusCode, out.Header)
	}
	if got := w.ask("GET", "/", "", session); got.StatusCode != 303 {
		t.Errorf("after the logout: %d", got.StatusCode)
	}
	session = "Cookie: " + second.Name + "=" + second.Value
	w.pass(11 * time.Hour)
	if got := w.ask("GET", "/", "", session); got.StatusCode != 200 {
		t.Errorf("after 11 h: %d", got.StatusCode)
	}
	w.pass(2 * time.Hour)
	if got := w.ask("GET", "/", "", session); got.StatusCode != 303 {
		t.Errorf("after 13 h: %d", got.StatusCode)
	}
	if strings.Contains(w.log.String(), opsToken) || strings.Contains(w.log.String(), c.Value) {
		t.Error("the log has a secret")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	now := time.Unix(0, 0)
	s := newSessions(time.Hour, func() time.Time { now = now.Add(time.Millisecond); return now })
	first := s.start(Caller{Name: "first"})
	for range maxSessions {
		s.start(Caller{})
	}
	if len(s.open) != maxSessions {
		t.Errorf("%d sessions, want %d", len(s.open), maxSessions)
	}
	if _, ok := s.caller(first); ok {
		t.Error("the oldest did not go")
	}
}

// A cross-site link carries no cookie that is SameSite=Strict: the page that
// answers leads on from this site, once.
func TestLinkFromElsewhere(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens = allTokens() })
	from := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}
	page := w.ask("GET", `/parcels/LX1?x="><script>`, "", from...)
	if page.StatusCode != 200 || !strings.Contains(page.body, `content="0; url=/parcels/LX1?x=`) || strings.Contains(page.body, "<script") {
		t.Errorf("%d\n%s", page.StatusCode, page.body)
	}
	if again := w.ask("GET", "/parcels/LX1", "", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate"); again.StatusCode != 303 {
		t.Errorf("then: %d", again.StatusCode)
	}
	if img := w.ask("GET", "/v1/alerts", "", from...); img.StatusCode != 401 {
		t.Errorf("the API: %d", img.StatusCode)
	}
}

func TestLoginAttemptsAreLimited(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens = allTokens() })
	for range loginsPerMinute {
		w.logIn("wrong-0123456789-0123456789", "/")
	}
	if got := w.logIn(opsToken, "/"); got.StatusCode != 429 || got.Header.Get("Retry-After") == "" {
		t.Errorf("after %d attempts: %d", loginsPerMinute, got.StatusCode)
	}
	w.pass(time.Minute)
	if got := w.logIn(opsToken, "/"); got.StatusCode != 303 {
		t.Errorf("a minute later: %d", got.StatusCode)
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "/alerts?x=y#z", "//evil.example.com", "/\\evil.example.com", "https://evil.example.com", "/\t/evil.example.com", "javascript:alert(1)", "", "/..//evil.example.com", "/%2f%2fevil.example.com"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "scantrail.example.com"}
	f.Fuzz(func(t *testing.T, next string) {
		got := localPath(next)
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != "https" || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t") {
			t.Errorf("%q leads to %q (%v)", next, got, u)
		}
	})
}
