package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// validity is for how long an open alert stays open at an Alertmanager that hears
// nothing more of it: a restart of the notifier or an upgrade fits in.
const validity = 10 * time.Minute

// amAlert is an alert as POST /api/v2/alerts takes it.
type amAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// amSender posts alerts to the peers of one Alertmanager. They do not pass alerts
// on to one another: each is sent everything, and one that took it is enough, since
// what stands is sent again.
type amSender struct {
	urls   []string // of POST
	token  string   // empty: none
	render *renderer
	poster

	mu   sync.Mutex
	away map[string]bool // peers that failed last
}

// amURL returns where alerts are posted, for the address of an Alertmanager.
func amURL(base string) string { return strings.TrimRight(base, "/") + "/api/v2/alerts" }

// send tells every peer what holds now.
func (s *amSender) send(ctx context.Context, items []item) outcome {
	now := s.now()
	var alerts []amAlert
	for _, it := range items {
		alerts = append(alerts, s.alerts(it.msgs, now)...)
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return outcome{verdict: rejected, reason: err.Error()}
	}
	outcomes := make([]outcome, len(s.urls))
	var wg sync.WaitGroup
	for i, u := range s.urls {
		wg.Go(func() {
			outcomes[i] = s.post(ctx, u, body, func(h http.Header) {
				if s.token != "" {
					h.Set("authorization", "Bearer "+s.token)
				}
			}, nil)
		})
	}
	wg.Wait()
	return s.sum(outcomes)
}

// sum makes one outcome of those of all peers: delivered once one of them has it.
func (s *amSender) sum(outcomes []outcome) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away == nil {
		s.away = map[string]bool{}
	}
	total := outcome{verdict: rejected}
	var reasons, answers []string
	for i, o := range outcomes {
		if o.status != http.StatusBadRequest && o.verdict == rejected {
			o.verdict = failed // the address or the token is wrong, the alert is not
		}
		host := s.urls[i]
		if u, err := url.Parse(host); err == nil {
			host = u.Host
		}
		if o.verdict == delivered {
			total.refresh = total.refresh || s.away[host]
		} else {
			reasons = append(reasons, host+": "+o.reason)
		}
		s.away[host] = o.verdict != delivered
		answers = append(answers, host+": "+cmp.Or(o.answer, o.reason))
		if total.verdict != delivered && o.verdict != rejected {
			total.verdict = o.verdict
		}
		total.after = max(total.after, o.after)
	}
	total.reason, total.answer = strings.Join(reasons, "; "), strings.Join(answers, "; ")
	return total
}

// alerts returns what is to be known of one alert: what msgs, in their order, lead
// to. Where its labels changed, such as the severity, it is another alert to an
// Alertmanager, and the one with the labels before ends.
func (s *amSender) alerts(msgs []*message, now time.Time) []amAlert {
	out := []amAlert{s.alert(msgs[len(msgs)-1], now)}
	for i := len(msgs) - 2; i >= 0; i-- {
		before := s.alert(msgs[i], now)
		known := false
		for _, a := range out {
			known = known || maps.Equal(a.Labels, before.Labels)
		}
		if !known {
			before.EndsAt = rfc3339(laterOf(msgs[i].start(now).Add(time.Second), msgs[i+1].start(now)))
			out = append(out, before)
		}
	}
	return out
}

// shown is the message whose labels m has: an end has those of what it ends.
func (m *message) shown() *message {
	if m.ends != nil {
		return m.ends
	}
	return m
}

// start is when m's alert began, with the labels that it has.
func (m *message) start(now time.Time) time.Time {
	m = m.shown()
	ms := m.alert.ChangedAt
	if m.level == 1 && m.opened != 0 {
		ms = m.opened
	}
	if t := time.UnixMilli(ms); t.Before(now) {
		return t
	}
	return now.Add(-time.Second)
}

func laterOf(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}

func rfc3339(t time.Time) string { return t.UTC().Format(jsonTime) }

func (s *amSender) alert(m *message, now time.Time) amAlert {
	a := &m.alert
	starts := m.start(now)
	ends := now.Add(validity)
	if m.test {
		ends = now.Add(time.Minute)
	}
	if m.closes() {
		if ms := time.UnixMilli(a.ChangedAt); ms.Before(now) {
			ends = laterOf(ms, starts.Add(time.Second))
		} else {
			ends = now
		}
	}
	in := plainMedium()
	v := s.render.alertView(m, &in, now)
	text := map[string]string{
		"summary": v.RuleName + ": " + v.Subject, "tracking_number": v.Number, "order_id": v.Order, "carrier": v.Carrier,
		"shop_id": v.Shop, "facility": v.Facility, "cause": v.CauseName, "action": v.Do, "since": v.Since, "console": v.Link,
	}
	maps.DeleteFunc(text, func(_, value string) bool { return value == "" })
	return amAlert{Labels: labels(m), Annotations: text, StartsAt: rfc3339(starts), EndsAt: rfc3339(ends), GeneratorURL: v.Link}
}

var (
	word       = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)
)

// labels are what an Alertmanager routes and groups by: words of closed sets and
// identifiers of a plain form. Another is left out; the annotations have it.
func labels(m *message) map[string]string {
	m = m.shown()
	a := &m.alert
	all := map[string]string{"alertname": "Scantrail" + camel(a.Rule), "severity": severity(m.level), "alert_id": a.AlertID.String(), "source": "scantrail"}
	if m.test {
		all["test"] = "true"
	}
	for _, l := range []struct {
		name, value string
		form        *regexp.Regexp
	}{
		{"rule", a.Rule, word}, {"detail", a.Detail, word}, {"carrier", a.Carrier, word}, {"market", a.Market, market},
		{"origin", a.Origin, market}, {"destination", a.Destination, market}, {"shop_id", a.ShopID, identifier},
	} {
		if l.form.MatchString(l.value) {
			all[l.name] = l.value
		}
	}
	return all
}

// camel writes gap_48h as Gap48h, as names of alerts are written.
func camel(rule string) string {
	if !word.MatchString(rule) {
		return "Alert"
	}
	var b strings.Builder
	for _, part := range strings.Split(rule, "_") {
		if part != "" {
			fmt.Fprintf(&b, "%s%s", strings.ToUpper(part[:1]), part[1:])
		}
	}
	return b.String()
}
