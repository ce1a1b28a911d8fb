package webhook

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
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = time.Hour

// sender posts the messages of one webhook.
type sender struct {
	url    string
	keys   [][]byte
	client *http.Client
	now    func() time.Time
}

// post sends m once.
func (s *sender) post(ctx context.Context, m *message) outcome {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(m.body))
	if err != nil {
		return outcome{verdict: rejected, reason: "the URL cannot be used"}
	}
	at := s.now()
	req.Header.Set("content-type", "application/cloudevents+json")
	req.Header.Set("user-agent", "scantrail")
	req.Header.Set("webhook-id", m.id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", signature(s.keys, m.id, at, m.body))
	res, err := s.client.Do(req)
	if err != nil {
		return outcome{verdict: failed, reason: withoutURL(err)}
	}
	defer res.Body.Close() //nolint:errcheck // the status is known
	// The status has decided: what follows is read for the log, and so that the
	// connection can be used again.
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxReply))
	return judge(res, text, at)
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
