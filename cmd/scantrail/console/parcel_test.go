package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"scantrail/cmd/scantrail/query/querytest"
)

// one returns one value of the world's database.
func one[T any](t *testing.T, sql string) T {
	t.Helper()
	var v T
	must(t, querytest.Start(t).Rows.QueryRow(t.Context(), sql).Scan(&v))
	return v
}

// A silent parcel is a break in its trail, with what happens next at the top.
func TestParcelSilent(t *testing.T) {
	s := worldSite(t)
	number := one[string](t, "SELECT tracking_number FROM stalled_now WHERE order_id != '' ORDER BY hours_silent LIMIT 1")
	body := s.page("/parcels/"+number, "Last seen: ", "The limit of 72 h passed on", `class="gap level-2 open"`, "and still none",
		"No tracking update for 72 hours", "escalated", "Judged by policy", "Promised", "Marked shipped", `href="/raw/scans.raw.`)
	if key := regexp.MustCompile(`[>"](parcel|now|alert|milestone)\.\w+`).FindString(body); key != "" {
		t.Errorf("a text is missing: %s", key)
	}
	s.page("/parcels/"+number+"?lang=zh", "最近轨迹：", "买家可申请退款", "物流轨迹", "仍在持续")
}

// Milestones are seen, passed unseen, or missing.
func TestParcelMilestones(t *testing.T) {
	s := worldSite(t)
	number := one[string](t, "SELECT tracking_number FROM open_alerts WHERE rule = 'milestone_missing' AND milestone = 'export_cleared' ORDER BY tracking_number LIMIT 1")
	body := s.page("/parcels/"+number, `<li class="step observed">`, `<li class="step missing">`, "Required scan missing")
	if missing := regexp.MustCompile(`(?s)step missing">.*?step-name">([^<]*)<`).FindStringSubmatch(body); missing == nil || missing[1] != "export cleared" {
		t.Errorf("missing: %q", missing)
	}
	number = one[string](t, `SELECT tracking_number FROM parcels FINAL WHERE isNotNull(delivered_at) AND origin != destination
		AND (isNull(departed_at) OR isNull(import_cleared_at) OR isNull(label_at)) ORDER BY tracking_number LIMIT 1`)
	s.page("/parcels/"+number, "Delivered on", `<li class="step implied">`, "implied: passed, but not scanned")
	number = one[string](t, "SELECT tracking_number FROM alerts_current WHERE rule = 'gap_72h' AND status = 'resolved' ORDER BY tracking_number LIMIT 1")
	s.page("/parcels/"+number, `class="gap level-2"`, "without an update", "resolved", "History (")
}

// A parcel is found by all its numbers, however they are written, and by its order.
func TestSearch(t *testing.T) {
	s := worldSite(t)
	order := one[string](t, "SELECT order_id FROM parcels FINAL WHERE order_id != '' ORDER BY order_id LIMIT 1")
	parcel := one[string](t, "SELECT tracking_number FROM parcels FINAL WHERE order_id = '"+order+"'")
	for asked, want := range map[string]string{
		parcel: parcel, " " + strings.ToLower(parcel[:4]) + " - " + parcel[4:]: parcel, order: parcel,
		querytest.Linked: querytest.Linked, querytest.LinkedOther: querytest.LinkedOther,
	} {
		status, header, _ := s.get("/parcels?q=" + url.QueryEscape(asked))
		if status != http.StatusSeeOther || header.Get("Location") != "/parcels/"+want {
			t.Errorf("%q: %d %s, want %s", asked, status, header.Get("Location"), want)
		}
	}
	s.page("/parcels/"+querytest.LinkedOther, querytest.Linked, "Picked up")
	s.page("/parcels?q="+querytest.Reused, "More than one parcel", "?life=1", "?life=2")
	s.page("/parcels/"+querytest.Reused, "used more than once", "Last seen: accepted")
	s.page("/parcels/"+querytest.Reused+"?life=1", "Delivered on 2026-10-05 23:00")
	s.page("/parcels", "Which parcel?")
	for _, nothing := range []string{"/parcels?q=XX000000000", "/parcels/XX000000000", "/parcels?q=%3Cscript%3E"} {
		if status, _, body := s.get(nothing); status != http.StatusNotFound || !strings.Contains(body, "Nothing is known") || strings.Contains(body, "<script>") {
			t.Errorf("%s: %d %s", nothing, status, body)
		}
	}
}

// What carriers write is text, and nothing else, wherever it is shown.
func TestHostileText(t *testing.T) {
	s := worldSite(t)
	topic, offset := "scans.raw.yunexpress", one[int64](t, "SELECT any(source_offset) FROM scans WHERE tracking_number = '"+querytest.Hostile+"'")
	raw := "/raw/" + topic + "/0/" + number(offset)
	raw = strings.ReplaceAll(raw, ",", "")
	for _, page := range []string{"/parcels/" + querytest.Hostile, raw} {
		body := s.page(page, "&lt;svg onload")
		if strings.Contains(body, "<script>") || strings.Contains(body, "<svg") || strings.ContainsAny(body, "\u202e\u2066\x1b") {
			t.Errorf("%s holds hostile text as it came", page)
		}
		if len(body) > 200_000 {
			t.Errorf("%s is %d bytes", page, len(body))
		}
	}
	s.page(raw, "&lt;script&gt;", "The page stops at 64 KiB", "Indented for reading")
	status, header, body := s.get(raw + "?download=1")
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") ||
		header.Get("X-Content-Type-Options") != "nosniff" || len(body) < 6*querytest.HostileSize {
		t.Errorf("the download: %d %v, %d bytes", status, header, len(body))
	}
}

// Raw records are shown while Kafka has them; nothing else of Kafka is.
func TestRaw(t *testing.T) {
	s := worldSite(t)
	s.page("/raw/scans.raw.yunexpress/0/0", "waybill_number")
	s.page("/raw/scans.raw.usps/0/0", "Raw record")
	for _, gone := range []string{
		"/raw/scans.raw.yunexpress/0/99999999", "/raw/scans.raw.yunexpress/7/0", "/raw/scans.raw.nobody/0/0",
		"/raw/scans.raw.yunexpress/0/0?id=11111111-2222-3333-4444-555555555555",
	} {
		began := time.Now()
		s.page(gone, "No longer kept")
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s took %s", gone, took)
		}
	}
	for _, not := range []string{"/raw/parcel.events/0/0", "/raw/scans.raw.usps/x/0", "/raw/scans.raw.usps/0/-1", "/raw/__consumer_offsets/0/0"} {
		if status, _, _ := s.get(not); status != http.StatusNotFound {
			t.Errorf("%s: status %d", not, status)
		}
	}
}

func TestPretty(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":[1,"<b>"]}`:                "{\n  \"a\": [\n    1,\n    \"<b>\"\n  ]\n}",
		`<a x="1"><b>t</b><c/></a>`:      "<a x=\"1\">\n  <b>t</b>\n  <c></c>\n</a>",
		`{"broken`:                       `{"broken`,
		"<a><b></a":                      "<a><b></a",
		"UNB+UNOA:1+X'":                  "UNB+UNOA:1+X'",
		"\xff\xfe":                       "\uFFFD",
		strings.Repeat("<a>", 1000):      strings.Repeat("<a>", 1000),
		`<!DOCTYPE x [<!ENTITY e "f">]>`: "",
	} {
		if got, _ := pretty([]byte(in)); got != want {
			t.Errorf("pretty(%q) = %q, want %q", in, got, want)
		}
	}
}
