package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"scantrail/cmd/scantrail/web"
)

// post returns what a POST of a form answers: its status and where it leads to.
func (s *site) post(to string, pairs ...string) (status int, location, body string) {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req := httptest.NewRequestWithContext(web.WithCaller(s.t.Context(), s.caller), http.MethodPost, to, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, req)
	out, err := io.ReadAll(rec.Body)
	must(s.t, err)
	return rec.Code, rec.Result().Header.Get("Location"), string(out)
}

var (
	alertBox  = regexp.MustCompile(`name="alert" value="([0-9a-f-]{36}:\d)"`)
	formToken = regexp.MustCompile(`name="token" value="([0-9a-f]+)"`)
)

func first(t *testing.T, pattern *regexp.Regexp, body string) string {
	t.Helper()
	m := pattern.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no %s in\n%s", pattern, body)
	}
	return m[1]
}

// TestAlerts: filters narrow the list and stay in the form; what is done shows.
func TestAlerts(t *testing.T) {
	s := worldSite(t)
	list := s.page("/alerts?rule=gap_72h&sort=oldest&state=all", `<option value="gap_72h" selected>`, `<option value="oldest" selected>`, "No tracking update for 72 hours")
	if strings.Contains(list, `href="/alerts/`+first(t, alertBox, list)[:8]) && strings.Contains(list, "Scan uploaded late") {
		t.Error("the filter lets another rule through")
	}
	s.page("/alerts?rule=no_such_rule", "No open alert fits these filters", `<option value="no_such_rule" selected>`)
	s.page("/alerts?page=999&lang=zh&state=all", "预警", "严重")

	box, token := first(t, alertBox, list), first(t, formToken, list)
	status, to, _ := s.post("/alerts", "token", token, "action", "acknowledged", "alert", box, "comment", "=asked <b>them</b>\u202e", "back", "/alerts?rule=gap_72h&state=handled")
	if status != http.StatusSeeOther || to != "/alerts?done=acknowledged&n=1&rule=gap_72h&state=handled" {
		t.Fatalf("%d to %s", status, to)
	}
	s.post("/alerts", "token", token, "action", "acknowledged", "alert", box, "comment", "=asked <b>them</b>\u202e")
	s.page(to, "Acknowledged: 1.", "in hand: local", "said 1×", "=asked &lt;b&gt;them&lt;/b&gt;")
	id, _, _ := strings.Cut(box, ":")
	s.page("/alerts/"+id, "Transitions", "What to do", "acknowledged it", "Open the trail")
	must(t, s.rows.Exec(t.Context(), "INSERT INTO alert_deliveries (alert_id, receiver, kind, alert_version, outcome, reason, at) VALUES (?, 'ops', 'slack', 1, 'rejected', '<b>404</b>', ?)", id, time.Unix(1e9, 0)))
	s.page("/alerts/"+id, "Who was told", "ops", "rejected", "&lt;b&gt;404&lt;/b&gt;")
	s.post("/alerts", "token", "x", "action", "mine", "alert", box)
	s.post("/alerts", "token", "y", "action", "snoozed", "snooze", "tomorrow", "alert", box)
	s.page("/alerts/"+id+"?lang=zh", "暂缓至", "由 local 处理", "分配了处理人")
	for url, want := range map[string]bool{"/alerts?rule=gap_72h": false, "/alerts?rule=gap_72h&state=snoozed": true, "/alerts?assignee=local&state=all": true} {
		if got := strings.Contains(s.page(url), "/alerts/"+id); got != want {
			t.Errorf("%s has it: %v", url, got)
		}
	}
	_, header, csv := s.get("/alerts?state=snoozed&format=csv")
	if !strings.Contains(csv, id) || !strings.Contains(csv, "'=asked <b>them</b>,") && !strings.Contains(csv, "'=asked <b>them</b>\n") || !strings.HasPrefix(header.Get("Content-Type"), "text/csv") {
		t.Errorf("CSV: %s", csv)
	}
	s.post("/alerts", "token", "z", "action", "reopened", "alert", box)
	s.page("/alerts?rule=gap_72h", "/alerts/"+id)
}

// TestHandleAll: "all of this list" means its filter, whatever is marked.
func TestHandleAll(t *testing.T) {
	s := worldSite(t)
	status, to, _ := s.post("/alerts", "token", "t", "action", "commented", "comment", "all of them", "scope", "all", "query", "rule=milestone_missing&state=all")
	if status != http.StatusSeeOther || !strings.Contains(to, "done=commented") || strings.Contains(to, "n=0") {
		t.Fatalf("%d to %s", status, to)
	}
	if body := s.page("/alerts?rule=milestone_missing&state=all"); strings.Count(body, "all of them") < 2 {
		t.Error("the comment is not at the alerts of the filter")
	}
	if body := s.page("/alerts?rule=gap_72h&state=all"); strings.Contains(body, "all of them") {
		t.Error("the comment is at alerts of another rule")
	}
}

// TestHandlingRefused: who may not, what cannot be, and where nobody is led to.
func TestHandlingRefused(t *testing.T) {
	s := worldSite(t)
	box := first(t, alertBox, s.page("/alerts?state=all"))
	for _, c := range []struct {
		name, want string
		status     int
		form       []string
	}{
		{"no such action", "no action", 400, []string{"action", "drop", "alert", box}},
		{"no words", "without words", 400, []string{"action", "commented", "alert", box}},
		{"no time", "want a time within a year", 400, []string{"action", "snoozed", "snooze", "custom", "until", "<script>", "alert", box}},
		{"a time that has passed", "has passed", 400, []string{"action", "snoozed", "snooze", "custom", "until", "2001-01-01T09:00", "alert", box}},
		{"no duration", "none of 2h", 400, []string{"action", "snoozed", "snooze", "ever", "alert", box}},
		{"no such alert", "nothing here", 404, []string{"action", "acknowledged", "alert", "00000000-0000-0000-0000-000000000000:1"}},
		{"nothing marked", "/alerts?done=nothing&n=0", 303, []string{"action", "acknowledged"}},
		{"another site", "/alerts?done=nothing&n=0", 303, []string{"action", "acknowledged", "back", "https://elsewhere.example/alerts"}},
		{"another page", "/alerts?done=nothing&n=0", 303, []string{"action", "acknowledged", "back", "//elsewhere.example/alerts"}},
	} {
		status, to, body := s.post("/alerts", c.form...)
		if status != c.status || !strings.Contains(to+body, c.want) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d to %s\n%s", c.name, status, to, body)
		}
	}
	s.caller = web.Caller{Name: "eve", Role: web.Viewer}
	for _, page := range []string{"/alerts", "/alerts/" + box[:36], "/dead-letters", "/system"} {
		if body := s.page(page); strings.Contains(body, `method="post"`) {
			t.Errorf("a viewer has a form on %s", page)
		}
	}
	for _, to := range []string{"/alerts", "/dead-letters/preview", "/dead-letters/send", "/dead-letters/stop", "/system/audit", "/system/audit/stop"} {
		if status, _, _ := s.post(to, "action", "acknowledged", "alert", box); status != http.StatusForbidden {
			t.Errorf("a viewer's POST to %s: %d", to, status)
		}
	}
}

func TestTicketPage(t *testing.T) {
	s := worldSite(t)
	s.page("/alerts/export?carrier=cainiao&state=all", "Ticket for cainiao", "Dear team", "您好", `lang="zh"`)
	_, header, numbers := s.get("/alerts/export?carrier=cainiao&state=all&format=numbers")
	if lines := strings.Fields(numbers); len(lines) < 3 || !regexp.MustCompile(`(?m)\A([A-Z0-9]{6,40}\n)+\z`).MatchString(numbers) || !strings.Contains(header.Get("Content-Disposition"), "cainiao-numbers.txt") {
		t.Errorf("%v\n%s", header, numbers)
	}
	_, _, zh := s.get("/alerts/export?carrier=cainiao&state=all&format=text&in=zh")
	if !strings.Contains(zh, "【cainiao】") || !regexp.MustCompile(`最后轨迹：\d{4}-\d\d-\d\d \d\d:\d\d [+-]\d\d:\d\d`).MatchString(zh) || !strings.Contains(zh, "天无更新") {
		t.Error(zh)
	}
	_, header, csv := s.get("/alerts/export?carrier=cainiao&state=all&format=csv")
	if !strings.Contains(csv, "days_silent") || !strings.Contains(header.Get("Content-Disposition"), "ticket-cainiao.csv") {
		t.Errorf("%v\n%s", header, csv)
	}
	s.page("/alerts/export?carrier=nobody%22%0d%0aX:", "No open alert of this carrier")
	if _, header, _ := s.get("/alerts/export?carrier=nobody%22%0d%0aX:&format=numbers"); header.Get("X") != "" || strings.Contains(header.Get("Content-Disposition"), "X:") {
		t.Errorf("%v", header)
	}
}

func TestTomorrow(t *testing.T) {
	zone := time.FixedZone("", 8*3600)
	if got := tomorrow(time.Date(2026, 12, 31, 23, 30, 0, 0, zone)); got.Format(time.RFC3339) != "2027-01-01T09:00:00+08:00" {
		t.Error(got)
	}
}
