package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPushedScansBecomeRows: through the listener with its tokens, with a carrier's
// signature and without, up to ClickHouse.
func TestPushedScansBecomeRows(t *testing.T) {
	t.Setenv("SCANTRAIL_TEST_PUSH", "0123456789-0123456789-0123456789")
	cfg, err := ParseConfig("scantrail.yaml", []byte(`
web:
  listen: 127.0.0.1:18080
  tokens:
    - name: courier
      token: env:SCANTRAIL_TEST_PUSH
      role: push
      carriers: [yunexpress]
push:
  create_topics: true
  carriers:
    - carrier: ems
      verify: token
      header: X-Token
      secrets: [env:SCANTRAIL_TEST_PUSH]
`))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Web.Listen = "127.0.0.1:0"
	var site string
	r := newRigOn(t, newFakeBroker(t), func(o *pipelineOptions) {
		if o.Web, err = cfg.Web.listen(o.Log); err != nil {
			t.Fatal(err)
		}
		site, o.Push = o.Web.URL(), cfg.Push.options()
	})
	r.start()
	post := func(carrier, scan string, headers ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(site, "/")+"/v1/scans/"+carrier, strings.NewReader(scan))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // it was read
		answer, _ := io.ReadAll(res.Body)
		t.Logf("%s: %d %s", carrier, res.StatusCode, answer)
		return res.StatusCode
	}
	const bearer, secret = "Bearer ", "0123456789-0123456789-0123456789"
	scan := fmt.Sprintf(goodScan, "PICKED_UP")
	for _, c := range []struct {
		carrier string
		headers []string
		want    int
	}{
		{"yunexpress", []string{"Authorization", bearer + secret}, 200},
		{"yunexpress", []string{"Authorization", bearer + secret}, 200}, // the same fact
		{"ems", []string{"X-Token", secret, "Authorization", "Basic abc"}, 200},
		{"yunexpress", nil, 401},
		{"yunexpress", []string{"Authorization", bearer + "wrong"}, 401},
		{"usps", []string{"Authorization", bearer + secret}, 401}, // not its carrier
		{"ems", []string{"Authorization", bearer + secret}, 401},
		{"yunexpress", []string{"Authorization", bearer + secret, "scantrail-backfill", "1"}, 403},
		{"yunexpress", []string{"Authorization", bearer + secret, "Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"nordpak", []string{"Authorization", bearer + secret}, 404},
	} {
		if got := post(c.carrier, scan, c.headers...); got != c.want {
			t.Errorf("%s with %q: %d, want %d", c.carrier, c.headers, got, c.want)
		}
	}
	r.settle()
	if n := one[uint64](r, "SELECT uniqExact(fact_id) FROM scans FINAL WHERE carrier = 'yunexpress'"); n != 1 {
		t.Errorf("%d facts, want 1", n)
	}
	if n := r.pipeline.value("scantrail_push_requests_total"); n == 0 {
		t.Error("pushes are not counted")
	}
}
