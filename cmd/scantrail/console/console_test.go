package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/cmd/scantrail/query/querytest"
	"scantrail/cmd/scantrail/web"
	"scantrail/schemas/texts"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// site is a console over a database of its own.
type site struct {
	t       *testing.T
	handler http.Handler
	caller  web.Caller
	rows    driver.Conn
}

// newSite serves the console over an empty database with Scantrail's tables.
func newSite(t *testing.T) *site {
	t.Helper()
	addr, database := chdbtest.Database(t)
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: database})
	must(t, err)
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // of a test
	_, err = sink.Migrate(t.Context(), conn, sink.MigrateOptions{Now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)})
	must(t, err)
	return siteOf(t, Options{Rows: conn})
}

// worldSite serves the console over the world of package querytest.
func worldSite(t *testing.T) *site {
	t.Helper()
	w := querytest.Start(t)
	return siteOf(t, Options{Rows: w.Rows, Kafka: w.Kafka, Now: func() time.Time { return w.Clock }})
}

func siteOf(t *testing.T, o Options) *site {
	t.Helper()
	catalog, err := texts.Load()
	must(t, err)
	o.Texts = catalog
	handler, err := New(o)
	must(t, err)
	return &site{t, handler, web.Caller{Name: "local", Role: web.Operator}, o.Rows}
}

// get returns what a GET answers; headers are pairs.
func (s *site) get(url string, headers ...string) (int, http.Header, string) {
	s.t.Helper()
	req := httptest.NewRequestWithContext(web.WithCaller(s.t.Context(), s.caller), http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, req)
	body, err := io.ReadAll(rec.Body)
	must(s.t, err)
	return rec.Code, rec.Result().Header, string(body)
}

// page returns a page that must be there and must have these texts in it.
func (s *site) page(url string, want ...string) string {
	s.t.Helper()
	status, _, body := s.get(url)
	if status != http.StatusOK {
		s.t.Fatalf("%s: status %d\n%s", url, status, body)
	}
	for _, w := range want {
		if !strings.Contains(body, w) {
			s.t.Errorf("%s does not have %q:\n%s", url, w, body)
		}
	}
	return body
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Before anything has come, every page of the navigation says so instead of failing.
func TestEmpty(t *testing.T) {
	s := newSite(t)
	for _, p := range (&console{}).pages() {
		if _, path, _ := strings.Cut(p.pattern, " "); p.nav {
			s.page(strings.TrimSuffix(path, "{$}"), `<html lang="en">`, `aria-current="page"`)
			s.page(strings.TrimSuffix(path, "{$}")+"?lang=zh", `<html lang="zh">`)
		}
	}
	if status, _, body := s.get("/nowhere"); status != http.StatusNotFound || !strings.Contains(body, "There is nothing here") {
		t.Errorf("/nowhere: %d %s", status, body)
	}
	for _, path := range []string{"/static/", "/static/none.css", "/templates/now.html"} {
		if status, header, _ := s.get(path); status != http.StatusNotFound || strings.Contains(header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", path, status, header)
		}
	}
	if status, header, _ := s.get("/static/console.css"); status != http.StatusOK || !strings.Contains(header.Get("Cache-Control"), "immutable") {
		t.Errorf("the style sheet: %d %v", status, header)
	}
	s.caller = web.Caller{Name: "shop", Role: web.Seller, Shops: []string{"A"}}
	if status, _, body := s.get("/"); status != http.StatusForbidden || strings.Contains(body, "Clock") {
		t.Errorf("a seller sees the console: %d %s", status, body)
	}
}

func TestLanguageOf(t *testing.T) {
	s := siteOf(t, Options{})
	for _, c := range []struct{ name, url, header, cookie, want string }{
		{"nothing", "/nowhere", "", "", "en"},
		{"browser", "/nowhere", "fr;q=0.9, zh-Hans-CN, en;q=0.8", "", "zh"},
		{"less wanted", "/nowhere", "en, zh;q=0.9", "", "en"},
		{"cookie before browser", "/nowhere", "en", "zh", "zh"},
		{"URL before all", "/nowhere?lang=en", "zh", "zh", "en"},
		{"a language that is not there", "/nowhere?lang=xx", "zh", "xx", "zh"},
	} {
		_, header, _ := s.get(c.url, "Accept-Language", c.header, "Cookie", languageCookie+"="+c.cookie)
		if got := header.Get("Content-Language"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
