package notify

import (
	"encoding/base64"
	"strings"
	"testing"
)

var (
	testSecret  = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of thirty-two bytes, no"))
	otherSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another one, of thirty-two bytes"))
)

func TestReceiverProblems(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Receiver)
		field  string
		want   string
	}{
		"fine":            {func(*Receiver) {}, "", ""},
		"loopback http":   {func(e *Receiver) { e.URL, e.InsecureHTTP = "http://127.0.0.1:8080/x", true }, "", ""},
		"no name":         {func(e *Receiver) { e.Name = "" }, "name", "no plain name"},
		"hostile name":    {func(e *Receiver) { e.Name = "a/b" }, "name", "no plain name"},
		"no url":          {func(e *Receiver) { e.URL = "" }, "url", "missing"},
		"no host":         {func(e *Receiver) { e.URL = "https:///x" }, "url", "no URL"},
		"other scheme":    {func(e *Receiver) { e.URL = "file:///etc/passwd" }, "url", "no URL"},
		"gopher":          {func(e *Receiver) { e.URL = "gopher://example.com" }, "url", "scheme"},
		"user":            {func(e *Receiver) { e.URL = "https://a:b@example.com" }, "url", "password"},
		"fragment":        {func(e *Receiver) { e.URL = "https://example.com/#x" }, "url", "fragment"},
		"http":            {func(e *Receiver) { e.URL, e.InsecureHTTP = "http://example.com", true }, "url", "readable"},
		"http unasked":    {func(e *Receiver) { e.URL = "http://localhost/" }, "url", "insecure_http"},
		"no secret":       {func(e *Receiver) { e.Secrets = nil }, "secrets", "no secret"},
		"foreign secret":  {func(e *Receiver) { e.Secrets = append(e.Secrets, "hunter2") }, "secrets[1]", "whsec_"},
		"secret's form":   {func(e *Receiver) { e.Secrets[0] = "whsec_!" }, "secrets[0]", "base64"},
		"short secret":    {func(e *Receiver) { e.Secrets[0] = "whsec_aGk=" }, "secrets[0]", "24 to 64"},
		"rate":            {func(e *Receiver) { e.RatePerMinute = maxRate + 1 }, "rate_per_minute", "out of range"},
		"level":           {func(e *Receiver) { e.MinLevel = 3 }, "min_level", "out of range"},
		"market":          {func(e *Receiver) { e.Markets = []string{"DE", "germany"} }, "markets[1]", "DE"},
		"shop":            {func(e *Receiver) { e.Shops = []string{""} }, "shops[0]", "no alert"},
		"rule":            {func(e *Receiver) { e.Rules = []string{"Gap"} }, "rules[0]", "gap_48h"},
		"status":          {func(e *Receiver) { e.Statuses = []string{"closed"} }, "statuses[0]", "withdrawn"},
		"carrier of none": {func(e *Receiver) { e.Carriers = []string{"dhl", ""} }, "carriers[1]", "no alert"},
	} {
		e := Receiver{Name: "ops", URL: "https://example.com/hook", Secrets: []string{testSecret}}
		c.change(&e)
		ps := e.Problems()
		if c.field == "" {
			if len(ps) > 0 {
				t.Errorf("%s: %v", name, ps)
			}
			continue
		}
		if len(ps) != 1 || ps[0].Field != c.field || !strings.Contains(ps[0].Error(), c.want) {
			t.Errorf("%s: %v, want %s with %q", name, ps, c.field, c.want)
		}
		if strings.Contains(ps[0].Error(), "hunter2") {
			t.Errorf("%s: the message shows the secret", name)
		}
	}
}

func TestAddressesInURLs(t *testing.T) {
	allow := prefixes("10.1.2.0/24")
	for url, want := range map[string]bool{
		"https://8.8.8.8/": true, "https://10.1.2.3:8443/": true, "https://hooks.example.com/": true, "http://127.0.0.1:1/": true,
		"https://10.0.0.1/": false, "https://[::1]/": false, "https://[::ffff:10.0.0.1]/": false, "https://169.254.169.254/": false,
	} {
		e := Receiver{URL: url, InsecureHTTP: strings.HasPrefix(url, "http:")}
		if err := e.CheckAddress(allow); (err == nil) != want {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestParseNetworks(t *testing.T) {
	if got, err := ParseNetworks([]string{"10.1.2.0/24", "fd00::/8"}); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "10.1.2.3", "10.1.2.3/24", "::ffff:10.0.0.0/104", "example.com"} {
		if _, err := ParseNetworks([]string{bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
