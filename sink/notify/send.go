package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// verdict is what became of one attempt.
type verdict uint8

const (
	delivered verdict = iota + 1
	rejected          // for good: the receiver will never take it
	failed            // try again
)

// outcome of one attempt.
type outcome struct {
	verdict verdict
	after   time.Duration // what the receiver asks us to wait; 0: nothing
	reason  string        // why not, for the log
	status  int           // of HTTP; 0: no answer
	answer  string        // what the receiver said
	refresh bool          // a peer is back that may have forgotten what stands
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = time.Hour

// webhookSender posts messages as Standard Webhooks.
type webhookSender struct {
	url  string
	keys [][]byte
	poster
}

// send sends one message once.
func (s *webhookSender) send(ctx context.Context, items []item) outcome {
	m, at := items[0].msgs[0], s.now()
	return s.post(ctx, s.url, m.body, func(h http.Header) {
		h.Set("content-type", "application/cloudevents+json")
		h.Set("webhook-id", m.id)
		h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		h.Set("webhook-signature", signature(s.keys, m.id, at, m.body))
	}, nil)
}

// poster sends requests to one receiver.
type poster struct {
	client *http.Client
	now    func() time.Time
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// post sends a body once. Where the status says that it was taken, or was bad,
// verdict, if there is one, reads what the answer says of it.
func (p *poster) post(ctx context.Context, url string, body []byte, header func(http.Header), verdict func([]byte) outcome) outcome {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return outcome{verdict: rejected, reason: "the URL cannot be used"}
	}
	at := p.now()
	req.Header.Set("content-type", "application/json; charset=utf-8")
	req.Header.Set("user-agent", "scantrail")
	if header != nil {
		header(req.Header)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return outcome{verdict: failed, reason: withoutURL(err)}
	}
	defer res.Body.Close() //nolint:errcheck // the status is known
	// What follows is read for the log, and so that the connection can be used again.
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxReply))
	o := judge(res, text, at)
	if verdict != nil && (o.verdict == delivered || res.StatusCode == http.StatusBadRequest) {
		o = verdict(text)
	}
	o.status = res.StatusCode
	o.answer = fmt.Sprintf("%s %.200q", res.Status, text)
	return o
}

// withoutURL takes the URL out of an error: with some receivers its path is a
// secret.
func withoutURL(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

func judge(res *http.Response, text []byte, at time.Time) outcome {
	if res.StatusCode >= 200 && res.StatusCode <= 299 {
		return outcome{verdict: delivered}
	}
	o := outcome{verdict: rejected, reason: fmt.Sprintf("status %d: %.200q", res.StatusCode, text)}
	switch code := res.StatusCode; {
	case code >= 300 && code <= 399:
		o.reason = fmt.Sprintf("status %d: redirects are not followed; configure the URL that it leads to", code)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		o.verdict, o.after = failed, retryAfter(res.Header.Get("retry-after"), at)
	}
	return o
}

// retryAfter reads seconds or an HTTP date.
func retryAfter(s string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(s); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
