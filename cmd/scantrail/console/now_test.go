package console

import (
	"context"
	"encoding/csv"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/cmd/scantrail/query/querytest"
	"scantrail/schemas/texts"
	"scantrail/sink"
	"scantrail/sink/chdb/chdbtest"
)

// What stands still is counted, listed with the time that is left, and narrowed by
// links that keep the other filters.
func TestNow(t *testing.T) {
	s := worldSite(t)
	body := s.settled("/", "2026-11-15 00:00", "By carrier", "Just received", `data-refresh="5"`, `class="count level-2"`, "past 72 h", "to 48 h", "Silent on the line-haul")
	if key := regexp.MustCompile(`[>"](now|filter|stage|milestone)\.\w+`).FindString(body); key != "" {
		t.Errorf("a text is missing: %s", key)
	}
	all := listed(body)
	body = s.settled("/?stage=linehaul&level=2", `class="chosen"`, `<option value="linehaul" selected>`)
	if n := listed(body); n == 0 || n >= all {
		t.Errorf("%d of %d parcels are silent for 72 h on the line-haul", n, all)
	}
	if !strings.Contains(body, `carrier=cainiao&amp;level=2&amp;stage=linehaul`) {
		t.Error("the link of a carrier does not keep stage and severity")
	}
	s.settled("/?shop=nobody", "No silent parcel fits these filters")
	s.settled("/?level=7&page=99999&sort=x&stage=%3Cb%3E", "No silent parcel fits", "&lt;b&gt;")
	s.settled("/?lang=zh", "按环节", "距 48 小时还有", "处理建议")
}

func listed(body string) int {
	return strings.Count(body, `<td class="tight"><span class="badge level-`)
}

// asking counts the queries that are asked.
type asking struct {
	driver.Conn
	n atomic.Int32
}

func (a *asking) Select(ctx context.Context, rows any, sql string, args ...any) error {
	a.n.Add(1)
	return a.Conn.Select(ctx, rows, sql, args...)
}

// Whoever looks at the same within seconds shares one answer; other filters have
// their own.
func TestNowIsShared(t *testing.T) {
	w := querytest.Start(t)
	rows, now := &asking{Conn: w.Rows}, w.Clock
	s := siteOf(t, Options{Rows: rows, Now: func() time.Time { return now }})
	asked := func(url string, later time.Duration) int {
		now = now.Add(later)
		before := rows.n.Load()
		s.settled(url)
		return int(rows.n.Load() - before)
	}
	if n := asked("/?lang=zh", 0); n == 0 {
		t.Error("nothing is asked")
	}
	if n := asked("/?lang=en", liveAnswer-1); n != 0 {
		t.Errorf("%d queries are asked again", n)
	}
	if n := asked("/?stage=linehaul", 0); n == 0 {
		t.Error("another filter has the same answer")
	}
	if n := asked("/", 1); n == 0 {
		t.Error("the answer is not renewed")
	}
}

// A refresh brings the content alone.
func TestRefresh(t *testing.T) {
	s := worldSite(t)
	status, header, body := s.computed("/?stage=linehaul", "Scantrail-Refresh", "1")
	if status != http.StatusOK || strings.Contains(body, "<html") || !strings.Contains(body, "By carrier") || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", status, header, body)
	}
}

// The export has every parcel of the filter, in the page's order.
func TestNowCSV(t *testing.T) {
	s := worldSite(t)
	want := listed(s.settled("/?sort=silent"))
	status, header, body := s.get("/?sort=silent&format=csv")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\uFEFF"))).ReadAll()
	must(t, err)
	if status != http.StatusOK || header.Get("Content-Type") != "text/csv; charset=utf-8" || rows[0][0] != "tracking_number" || len(rows) != want+1 {
		t.Errorf("%d %v: %d rows, want %d\n%s", status, header, len(rows)-1, want, body)
	}
	first := one[string](t, "SELECT tracking_number FROM stalled_now ORDER BY hours_silent DESC LIMIT 1")
	if rows[1][0] != first || rows[1][1] != "72 h" || rows[1][17] == "" {
		t.Errorf("first %q, want %s", rows[1], first)
	}
}

// Without tables, without ClickHouse and after a lost patience a page says so.
func TestErrors(t *testing.T) {
	addr, database := chdbtest.Database(t)
	conn, err := sink.Open(sink.Options{URLs: []string{"http://" + addr}, Database: database})
	must(t, err)
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // of a test
	status, header, body := siteOf(t, Options{Rows: conn}).computed("/")
	if status != http.StatusServiceUnavailable || header.Get("Refresh") == "" || !strings.Contains(body, "Scantrail is starting") {
		t.Errorf("without tables: %d %v %s", status, header, body)
	}
	away, err := sink.Open(sink.Options{URLs: []string{"http://127.0.0.1:1"}, Database: database, DialTimeout: time.Second})
	must(t, err)
	t.Cleanup(func() { away.Close() }) //nolint:errcheck // of a test
	if status, _, body = siteOf(t, Options{Rows: away}).computed("/"); status != http.StatusInternalServerError || !strings.Contains(body, "This page could not be made") {
		t.Errorf("without ClickHouse: %d %s", status, body)
	}
}

// Durations name two units, in the words of the language.
func TestDuration(t *testing.T) {
	catalog, err := texts.Load()
	must(t, err)
	en, zh := words{catalog.Language("en")}, words{catalog.Language("zh")}
	for _, c := range []struct {
		secs   any
		en, zh string
	}{
		{0, "0 s", "0 秒"}, {59, "59 s", "59 秒"}, {61, "1 min", "1 分"}, {3661, "1 h 1 min", "1 小时 1 分"}, {3600, "1 h", "1 小时"}, {52 * 3600, "2 d 4 h", "2 天 4 小时"},
		{-90 * time.Minute, "−1 h 30 min", "−1 小时 30 分"}, {int64(40*86400 + 7200), "40 d", "40 天"}, {nil, "–", "–"}, {1.5, "1 s", "1 秒"},
	} {
		if got := en.duration(c.secs); got != c.en {
			t.Errorf("%v: %s, want %s", c.secs, got, c.en)
		}
		if got := zh.duration(c.secs); got != c.zh {
			t.Errorf("%v: %s, want %s", c.secs, got, c.zh)
		}
	}
}
