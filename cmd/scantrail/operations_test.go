package main

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

// rigConsole is the console over a rig's pipeline, as an operator uses it.
type rigConsole struct {
	t       *testing.T
	handler http.Handler
}

func (r *rig) console() *rigConsole {
	r.t.Helper()
	h, err := r.pipeline.handlers()
	must(r.t, err)
	return &rigConsole{r.t, h.Console}
}

// do returns the page at an address, or that to which the answer of a form leads;
// the form is given as pairs.
func (c *rigConsole) do(method, to string, pairs ...string) string {
	c.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req := httptest.NewRequestWithContext(web.WithCaller(c.t.Context(), web.Caller{Name: "Ada", Role: web.Operator}), method, to, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	c.handler.ServeHTTP(rec, req)
	body, err := io.ReadAll(rec.Body)
	must(c.t, err)
	switch rec.Code {
	case http.StatusOK:
		return string(body)
	case http.StatusSeeOther:
		page, _, _ := strings.Cut(rec.Result().Header.Get("Location"), "#")
		return c.do(http.MethodGet, page)
	}
	c.t.Fatalf("%s %s: %d\n%s", method, to, rec.Code, body)
	return ""
}

// until returns the page once it has a text.
func (c *rigConsole) until(page, text string) string {
	c.t.Helper()
	for began := time.Now(); ; <-time.After(50 * time.Millisecond) {
		body := c.do(http.MethodGet, page)
		if strings.Contains(body, text) {
			return body
		}
		if time.Since(began) > time.Minute {
			c.t.Fatalf("%s does not get %q:\n%s", page, text, body)
		}
	}
}

var previewID = regexp.MustCompile(`name="preview" value="([0-9a-f]+)"`)

// replay previews dead letters and sends what is readable; both forms are sent
// twice.
func (c *rigConsole) replay(carrier, reason string) string {
	c.t.Helper()
	c.do(http.MethodPost, "/dead-letters/preview", "carrier", carrier, "reason", reason)
	page := c.until("/dead-letters", `name="preview"`)
	id := previewID.FindStringSubmatch(page)
	if id == nil {
		c.t.Fatalf("no preview:\n%s", page)
	}
	if body := c.do(http.MethodPost, "/dead-letters/send", "preview", "another"); !strings.Contains(body, "the preview was not the last one") {
		c.t.Errorf("a preview that was overtaken is sent:\n%s", body)
	}
	c.do(http.MethodPost, "/dead-letters/send", "preview", id[1])
	c.do(http.MethodPost, "/dead-letters/send", "preview", id[1])
	return c.until("/dead-letters", "Sent again:")
}

// audit runs the audit and returns the page with its result.
func (c *rigConsole) audit() string {
	c.t.Helper()
	c.do(http.MethodPost, "/system/audit")
	if body := c.do(http.MethodPost, "/system/audit"); !strings.Contains(body, "under way already") && !strings.Contains(body, `class="verdict"`) {
		c.t.Errorf("two audits at once:\n%s", body)
	}
	return c.until("/system", `class="verdict"`)
}
