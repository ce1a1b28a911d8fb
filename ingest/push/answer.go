package push

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// refusal is an answer other than 200.
type refusal struct {
	code    int
	outcome string
	what    string        // is wrong, for the sender
	remedy  string        //
	retry   time.Duration // 0: it would be the same again
	cause   error         // for the log
}

func (e *refusal) Error() string { return e.what }

func refuse(code int, outcome, what, remedy string) *refusal {
	return &refusal{code: code, outcome: outcome, what: what, remedy: remedy}
}

func comeBack(code int, outcome, what string, after time.Duration) *refusal {
	return &refusal{code: code, outcome: outcome, what: what, remedy: "send it again after Retry-After seconds", retry: after}
}

var (
	errSlow = errors.New("not acknowledged in time")
	errGone = errors.New("the sender went away")
)

// How long a sender is asked to wait.
const (
	retryFull = time.Second
	retrySlow = 5 * time.Second
)

// receive handles one push, from its headers to the answer.
func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	id := requestID(req.Header)
	w.Header().Set("X-Request-Id", id)
	c, label := r.carriers[req.PathValue("carrier")], "other"
	if c != nil {
		label = c.name
	}
	outcome, err := accepted, error(nil)
	if r.enter() {
		defer r.open.Done()
		outcome, err = r.take(w, req, c, id)
	} else {
		err = comeBack(http.StatusServiceUnavailable, stopping, "the service is stopping", retrySlow)
	}
	var no *refusal
	if errors.As(err, &no) {
		outcome = no.outcome
	}
	r.o.Metrics.Requests.WithLabelValues(label, outcome).Inc()
	if outcome != gone {
		answer(w, id, no)
	}
	if c != nil {
		r.log(c, id, outcome, no)
	}
}

// told is the body of an answer; of a refusal it is a problem of RFC 9457, with
// what to do about it.
type told struct {
	Type      string `json:"type,omitempty"`
	Title     string `json:"title,omitempty"`
	Status    int    `json:"status,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Remedy    string `json:"remedy,omitempty"`
	RequestID string `json:"request_id"`
}

// answer tells the sender.
func answer(w http.ResponseWriter, id string, no *refusal) {
	code, kind, body := http.StatusOK, "application/json", told{RequestID: id}
	if no != nil {
		code, kind = no.code, "application/problem+json"
		body = told{"about:blank", http.StatusText(code), code, no.what, no.remedy, id}
		if no.retry > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(no.retry.Seconds()))))
		}
		if code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="scantrail"`)
		}
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body) //nolint:errcheck // the sender is gone
}

// warnEvery is how many seconds lie between two lines about what anybody can cause.
const warnEvery = 60

// log says what an operator has to mend, and when it is mended.
func (r *Receiver) log(c *carrier, id, outcome string, no *refusal) {
	switch outcome {
	case accepted:
		if c.failing.Swap(false) {
			r.o.Log.Info("Kafka takes the carrier's pushed scans again", "carrier", c.name)
		}
	case failed, slow:
		if !c.failing.Swap(true) {
			r.o.Log.Warn("Kafka does not take the carrier's pushed scans; it is told to send them again", "carrier", c.name, "request_id", id, "reason", no.what, "err", no.cause)
		}
	case unverified:
		now := r.o.Now().Unix()
		if last := c.warned.Load(); now-last >= warnEvery && c.warned.CompareAndSwap(last, now) {
			r.o.Log.Warn("a push was refused: it is not the carrier's, or push.carriers names another secret than the carrier has", "carrier", c.name, "request_id", id, "reason", no.what)
		}
	}
}

// take brings one push into Kafka. The error is a *refusal.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request, c *carrier, id string) (outcome string, err error) {
	if c == nil {
		return "", refuse(http.StatusNotFound, unknown, "no carrier of this name is known", "scantrail carrier list names those that are; push.carriers of the configuration adds one without a mapping")
	}
	backfill, err := r.admit(req, c)
	if err != nil {
		return "", err
	}
	h := &hold{carrier: c.budget, all: r.all}
	handedOver := false
	defer func() {
		if !handedOver {
			h.release()
		}
		r.inFlight()
	}()
	body, err := r.read(w, req, h)
	if err != nil {
		return "", err
	}
	if err := r.verify(req, c, body); err != nil {
		return "", err
	}
	if len(body) == 0 {
		return empty, nil
	}
	if isForm(req.Header, body) {
		return "", refuse(http.StatusUnsupportedMediaType, unsupported, "the body is a form", "send the carrier's message itself, such as JSON or XML, with its own Content-Type")
	}
	if wait := c.rate.take(time.Now()); wait > 0 {
		return "", comeBack(http.StatusTooManyRequests, limited, "more requests a second than this carrier may send", max(wait, retryFull))
	}
	if err := c.topic.ready(req.Context(), r.admin, r.o.CreateTopics); err != nil {
		return "", r.refusedBy(c, err)
	}
	handedOver = true
	if err := r.acknowledged(req.Context(), record(c, id, body, backfill), h); err != nil {
		return "", r.refusedBy(c, err)
	}
	r.o.Metrics.Bytes.WithLabelValues(c.name).Add(float64(len(body)))
	return accepted, nil
}

// record is the raw one, with nothing in it that was a secret.
func record(c *carrier, id string, body []byte, backfill bool) *kgo.Record {
	record := &kgo.Record{Topic: c.topic.name, Value: body, Headers: []kgo.RecordHeader{
		{Key: schemas.ReceivedViaHeader, Value: []byte("push")},
		{Key: schemas.RequestIDHeader, Value: []byte(id)},
	}}
	if backfill {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: schemas.BackfillHeader, Value: []byte("1")})
	}
	return record
}

// admit decides what can be decided before the body is read.
func (r *Receiver) admit(req *http.Request, c *carrier) (backfill bool, err error) {
	rights := r.o.Rights(req, c.name)
	asked := req.Header.Get(schemas.BackfillHeader)
	switch {
	case c.verifier == nil && !rights.Push:
		return false, refuse(http.StatusUnauthorized, unverified, "nothing shows that this carrier may be written to",
			"send a token that may push this carrier as Authorization: Bearer, or name the carrier's signature in push.carriers")
	case c.verifier != nil && c.verifier.bodyless:
		if err := c.verifier.check(req.Header, nil, r.o.Now()); err != nil {
			return false, notVerified(err)
		}
	}
	if asked != "" && asked != "0" && !rights.Backfill {
		return false, refuse(http.StatusForbidden, forbidden, "only an operator may flag scans as history", "leave out the header "+schemas.BackfillHeader)
	}
	return asked == "1", nil
}

func (r *Receiver) verify(req *http.Request, c *carrier, body []byte) error {
	if c.verifier == nil || c.verifier.bodyless {
		return nil
	}
	if err := c.verifier.check(req.Header, body, r.o.Now()); err != nil {
		return notVerified(err)
	}
	return nil
}

func notVerified(err error) *refusal {
	return refuse(http.StatusUnauthorized, unverified, err.Error(), "sign the body as it is sent with a secret of push.carriers")
}

// read returns the body, unpacked.
func (r *Receiver) read(w http.ResponseWriter, req *http.Request, h *hold) ([]byte, error) {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(r.o.ReadTimeout)) //nolint:errcheck // a listener that cannot has limits of its own
	src, err := h.unpacked(http.MaxBytesReader(w, req.Body, int64(r.o.MaxBytes)), req.Header.Get("Content-Encoding"))
	var body []byte
	if err == nil {
		if req.ContentLength > int64(r.o.MaxBytes) {
			err = errTooLarge
		} else {
			body, err = h.readAll(src, req.ContentLength, r.o.MaxBytes)
		}
	}
	if err != nil {
		return nil, r.unread(req.Context(), err)
	}
	// Else the connection would be taken for dead while Kafka is waited for.
	control.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	return body, nil
}

// unread turns what kept a body from being read into an answer.
func (r *Receiver) unread(ctx context.Context, err error) *refusal {
	var tooMany *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge) || errors.As(err, &tooMany):
		return refuse(http.StatusRequestEntityTooLarge, tooLarge, fmt.Sprintf("the body is longer than %d bytes", r.o.MaxBytes), "send fewer parcels at a time, or raise ingest.max_record_bytes and the topic's max.message.bytes")
	case errors.Is(err, errFull):
		return comeBack(http.StatusTooManyRequests, full, "too much is under way", retryFull)
	case errors.Is(err, errEncoding):
		return refuse(http.StatusUnsupportedMediaType, unsupported, "the Content-Encoding is not known", "send the body as it is, or with gzip")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, unreadable, fmt.Sprintf("the body did not come within %s", r.o.ReadTimeout), "send it again")
	case ctx.Err() != nil:
		return refuse(http.StatusBadRequest, gone, "the sender went away", "")
	case errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return refuse(http.StatusBadRequest, unreadable, "the body is not whole, or not what its Content-Encoding says", "send it again")
	}
	return refuse(http.StatusBadRequest, unreadable, "the body cannot be read", "send it again")
}

// refusedBy turns what Kafka did into an answer.
func (r *Receiver) refusedBy(c *carrier, err error) *refusal {
	var no *refusal
	var answered *kerr.Error
	switch {
	case errors.Is(err, errGone):
		no = refuse(0, gone, err.Error(), "")
	case errors.Is(err, errNoTopic), errors.Is(err, kerr.UnknownTopicOrPartition):
		if !errors.Is(err, errNoTopic) {
			c.topic.missing()
		}
		no = refuse(http.StatusNotFound, unknown, "Kafka has no topic "+c.topic.name, "create it, or set push.create_topics: true")
	case errors.Is(err, kerr.MessageTooLarge):
		no = refuse(http.StatusRequestEntityTooLarge, tooLarge, "the body is longer than topic "+c.topic.name+" takes", "raise max.message.bytes of the topic")
	case errors.Is(err, kgo.ErrMaxBuffered):
		no = comeBack(http.StatusTooManyRequests, full, "too much is under way", retryFull)
	case errors.Is(err, kgo.ErrClientClosed):
		no = comeBack(http.StatusServiceUnavailable, stopping, "the service is stopping", retrySlow)
	case errors.As(err, &answered) && !answered.Retriable:
		no = comeBack(http.StatusServiceUnavailable, failed, "Kafka refuses the record", retrySlow)
	default: // too late, or connections that broke
		no = comeBack(http.StatusTooManyRequests, slow, "Kafka is slow, or away", retrySlow)
	}
	no.cause = err
	return no
}
