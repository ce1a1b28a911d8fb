package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/proc"
	"scantrail/schemas"
)

// webhook is a receiver as an operator would build it: it takes what is signed, and
// remembers the keys of idempotency. Now and then it is slow, out of service, or its
// answer gets lost.
type webhook struct {
	server     *http.Server
	url        string
	key        []byte
	secretFile string

	mu     sync.Mutex
	posts  int
	taken  []post            // each key once, in order
	bodies map[string]string // by key
	digest map[string]int    // by key: how many messages each stands for
	again  int               // posts of a key that was taken already
	cut    int               // posts that were taken, and whose answer got lost
	failed error
}

// post is the first one of a key.
type post struct {
	id        string // alert_id:version, or that of a digest
	alert     schemas.ID
	number    uint64 // version
	standsFor int    // messages, of a digest
}

// webhookConfig is the receiver. It wants gaps in the market and of the carrier that the
// probes have: all alerts together are more in a minute, which is weeks of the world,
// than a receiver can be sent one by one.
const webhookConfig = `{name: chaos, kind: webhook, url: %q, insecure_http: true, secrets: ["file:%s"], rate_per_minute: 6000,
       rules: [` + schemas.RuleGap48h + ", " + schemas.RuleGap72h + `], carriers: [` + probeFeed + `], markets: [` + probeMarket + `]}`

// wanted is what it asks for.
func wanted(m message) bool {
	return (m.Rule == schemas.RuleGap48h || m.Rule == schemas.RuleGap72h) && m.Carrier == probeFeed && m.Market == probeMarket
}

// What goes wrong with the n-th post. The numbers have no common factor, so that a
// message that is tried again does not meet the same.
const (
	slowEach, slowFor = 17, 200 * time.Millisecond
	refusedEach       = 1009
	unansweredEach    = 509
)

func newWebhook(dir string) (*webhook, error) {
	w := &webhook{key: make([]byte, 32), bodies: map[string]string{}, digest: map[string]int{}, secretFile: filepath.Join(dir, "webhook.secret")}
	rand.Read(w.key) //nolint:errcheck // never fails
	if err := os.WriteFile(w.secretFile, []byte("whsec_"+base64.StdEncoding.EncodeToString(w.key)), 0o400); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.url = "http://" + listener.Addr().String() + "/alerts"
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second}
	go w.server.Serve(listener) //nolint:errcheck // it ends with close
	return w, nil
}

// config is the receiver's part of a service's configuration.
func (w *webhook) config() string { return fmt.Sprintf(webhookConfig, w.url, w.secretFile) }

func (w *webhook) close() { w.server.Close() } //nolint:errcheck // the end

// ServeHTTP implements http.Handler.
func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // who sent it was killed
	}
	w.mu.Lock()
	w.posts++
	n := w.posts
	w.mu.Unlock()
	if n%slowEach == 0 {
		if proc.Pause(r.Context(), slowFor) != nil {
			return // killed meanwhile: nothing was taken
		}
	}
	if n%refusedEach == 0 {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.take(r.Header, body)
	if n%unansweredEach == 0 {
		w.mu.Lock()
		w.cut++
		w.mu.Unlock()
		panic(http.ErrAbortHandler) // taken, and the connection dies before the answer
	}
}

// take enters a post, and what is wrong with it.
func (w *webhook) take(h http.Header, body []byte) {
	p, err := w.read(h, body)
	w.mu.Lock()
	defer w.mu.Unlock()
	before, known := w.bodies[p.id]
	switch {
	case err != nil:
		w.failed = errors.Join(w.failed, err)
	case p.standsFor > 0: // the key says which; the time of making is in the body
		if w.digest[p.id] > 0 {
			w.again++
		}
		w.digest[p.id] = p.standsFor
	case known && before != string(body):
		w.failed = errors.Join(w.failed, fmt.Errorf("webhook: two bodies with the key %s:\n  %s\n  %s", p.id, before, body))
	case known:
		w.again++
	default:
		w.taken, w.bodies[p.id] = append(w.taken, p), string(body)
	}
}

// read verifies the signature and reads what the message is about.
func (w *webhook) read(h http.Header, body []byte) (p post, err error) {
	p.id = h.Get("webhook-id")
	mac := hmac.New(sha256.New, w.key)
	fmt.Fprintf(mac, "%s.%s.%s", p.id, h.Get("webhook-timestamp"), body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("webhook-signature") != want {
		return p, fmt.Errorf("webhook: the signature of %q is %q, want %q", p.id, h.Get("webhook-signature"), want)
	}
	var event struct {
		ID, Type string
		Data     struct{ Alerts int }
	}
	err = json.Unmarshal(body, &event)
	switch {
	case err == nil && event.ID == p.id && event.Type == "scantrail.alert.digest" && event.Data.Alerts > 0:
		p.standsFor = event.Data.Alerts
		return p, nil
	case err != nil || event.ID != p.id:
		return p, fmt.Errorf("webhook: the message %q is %.200q of type %q: %w", p.id, event.ID, event.Type, err)
	}
	var a schemas.Alert
	if err := schemas.ParseAlertJSON(body, &a); err != nil {
		return p, fmt.Errorf("webhook: message %q: %w", p.id, err)
	}
	p.alert, p.number = a.AlertID, a.Version
	return p, nil
}

// all waits until everything that a receiver is promised has come, and returns how much
// that is. The error says what has not come, what came that nobody wrote, and what came
// in the wrong order.
func (w *webhook) all(ctx context.Context, brokers []string) (int, error) {
	written, err := readAlerts(ctx, brokers)
	if err != nil {
		return 0, err
	}
	promised := promises(written)
	if len(promised) == 0 {
		return 0, fmt.Errorf("webhook: nothing is promised of %d messages: the feed %s is silent", len(written), probeFeed)
	}
	for deadline := time.Now().Add(3 * time.Minute); ; {
		missing, digested := w.missing(promised)
		if len(missing) <= digested {
			break
		}
		if time.Now().After(deadline) {
			return len(promised), errors.Join(w.verify(written), fmt.Errorf("webhook: %d of %d messages never came, and digests stand for %d. Such as\n  %s",
				len(missing), len(promised), digested, strings.Join(missing[:min(len(missing), 5)], "\n  ")))
		}
		if err := proc.Pause(ctx, 200*time.Millisecond); err != nil {
			return len(promised), err
		}
	}
	if written, err = readAlerts(ctx, brokers); err != nil { // ticks go on: what came is here by now
		return len(promised), err
	}
	return len(promised), w.verify(written)
}

// message is a record of parcel.alerts.
type message struct {
	schemas.Alert
	id, body string
}

// readAlerts reads parcel.alerts as it is now.
func readAlerts(ctx context.Context, brokers []string) (all []message, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(schemas.AlertsTopic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, schemas.AlertsTopic)
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("reading %s: %w", schemas.AlertsTopic, ctx.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			m := message{body: string(r.Value)}
			err = errors.Join(err, schemas.ParseAlertJSON(r.Value, &m.Alert))
			m.id = fmt.Sprintf("%s:%d", m.AlertID, m.Version)
			all = append(all, m)
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return all, err
}

// promises is what must come: what opened or got worse, and the end of what opened.
// Left out is what the documentation does: history, and carriers with an incident,
// whose alerts wait.
func promises(written []message) map[string]bool {
	silent, opened := map[string]bool{}, map[schemas.ID]bool{}
	for _, m := range written {
		if m.Rule == schemas.RuleFeedStale || m.Held {
			silent[m.Carrier] = true
		}
	}
	promised := map[string]bool{}
	for _, m := range written {
		if m.Backfill || silent[m.Carrier] || !wanted(m) {
			continue
		}
		switch m.Status {
		case schemas.AlertOpen, schemas.AlertEscalated:
			opened[m.AlertID], promised[m.id] = true, true
		case schemas.AlertResolved, schemas.AlertWithdrawn:
			if opened[m.AlertID] {
				promised[m.id] = true
			}
		}
	}
	return promised
}

// missing returns what has not come by itself, and for how many messages digests stand.
func (w *webhook) missing(promised map[string]bool) (missing []string, digested int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range promised {
		if _, ok := w.bodies[id]; !ok {
			missing = append(missing, id)
		}
	}
	slices.Sort(missing)
	for _, n := range w.digest {
		digested += n
	}
	return missing, digested
}

// verify holds what came against what was written: the same bytes, and of each alert
// in the order of versions.
func (w *webhook) verify(written []message) error {
	bodies := map[string]map[string]bool{}
	for _, m := range written {
		if bodies[m.id] == nil {
			bodies[m.id] = map[string]bool{}
		}
		bodies[m.id][m.body] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	errs, last := []error{w.failed}, map[schemas.ID]uint64{}
	for _, p := range w.taken {
		if !bodies[p.id][w.bodies[p.id]] {
			errs = append(errs, fmt.Errorf("webhook: nobody wrote what came as %s: %s", p.id, w.bodies[p.id]))
		}
		if p.number < last[p.alert] {
			errs = append(errs, fmt.Errorf("webhook: %s came after version %d of its alert", p.id, last[p.alert]))
		}
		last[p.alert] = p.number
	}
	return errors.Join(errs[:min(len(errs), 10)]...)
}

// counts returns how many messages were taken, for how many more digests stand, how many
// posts repeated one, and of how many the answer got lost.
func (w *webhook) counts() (taken, digested, again, cut int) {
	_, digested = w.missing(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.taken), digested, w.again, w.cut
}
