// Package notify delivers the alerts of parcel.alerts to where people are: signed
// webhooks, chats, Alertmanagers, topics. README.md describes what a receiver sees.
//
// A message is sent at least once: its offset is committed only after the
// receiver took or rejected it, or it was filtered, ended before it was sent, or
// given up. Sent again, it has the same key.
package notify

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config of a Notifier.
type Config struct {
	Kafka     []kgo.Opt // brokers, TLS, SASL, client ID; required
	Receivers []Receiver
	Log       *slog.Logger // required
	Metrics   *Metrics     // required
	Now       func() time.Time

	Recorder Recorder // nil: deliveries are in metrics and logs only
	Snoozer  Snoozer  // nil: nothing is put aside
	Console  string   // address of the console, for links; empty: none

	Allow []netip.Prefix // networks that receivers may reach although they are not public
	Roots *x509.CertPool // authorities; nil: the system's

	HoldLimit     time.Duration // for which the detector may hold an alert; default 24 h
	IncidentLimit time.Duration // after which a feed's incident holds nothing any more; default 168 h
	GiveUpAfter   time.Duration // age at which a message that nobody takes is dropped; default 24 h
	RetryMin      time.Duration // first pause after a failed attempt; default 1 s
	RetryMax      time.Duration // longest pause of one message; default 5 min
	Timeout       time.Duration // of one attempt; default 5 s
	MaxWaiting    int           // messages to be sent in memory, by receiver; default 10,000
	MaxHeld       int           // alerts held in memory, by receiver, and those collected for digests; default 10,000
	MaxStanding   int           // alerts open at one Alertmanager; default 10,000
	Resend        time.Duration // of open alerts to Alertmanagers; default 1 min
	StandLimit    time.Duration // after which an open alert is sent to Alertmanagers no more; default 720 h

	tick     time.Duration // of the loop
	commit   time.Duration // between commits
	resolver *net.Resolver
}

// Notifier delivers alerts to receivers.
type Notifier struct {
	cfg   Config
	began time.Time
}

// New checks the configuration.
func New(cfg Config) (*Notifier, error) {
	switch {
	case len(cfg.Kafka) == 0:
		return nil, errors.New("notify: Kafka is not set")
	case len(cfg.Receivers) == 0:
		return nil, errors.New("notify: there is no receiver")
	case cfg.Log == nil || cfg.Metrics == nil:
		return nil, errors.New("notify: Log or Metrics is not set")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.HoldLimit = cmp.Or(cfg.HoldLimit, 24*time.Hour)
	cfg.IncidentLimit = cmp.Or(cfg.IncidentLimit, 7*24*time.Hour)
	cfg.GiveUpAfter = cmp.Or(cfg.GiveUpAfter, 24*time.Hour)
	cfg.RetryMin = cmp.Or(cfg.RetryMin, time.Second)
	cfg.RetryMax = cmp.Or(cfg.RetryMax, 5*time.Minute)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.MaxWaiting = cmp.Or(cfg.MaxWaiting, 10_000)
	cfg.MaxHeld = cmp.Or(cfg.MaxHeld, 10_000)
	cfg.MaxStanding = cmp.Or(cfg.MaxStanding, 10_000)
	cfg.Resend = cmp.Or(cfg.Resend, defaultResend)
	cfg.StandLimit = cmp.Or(cfg.StandLimit, defaultStandLimit)
	cfg.tick = cmp.Or(cfg.tick, 200*time.Millisecond)
	cfg.commit = cmp.Or(cfg.commit, time.Second)
	var err error
	if cfg.Receivers, err = checked(cfg.Receivers); err != nil {
		return nil, err
	}
	return &Notifier{cfg: cfg, began: cfg.Now()}, nil
}

// checked returns the receivers with their defaults.
func checked(all []Receiver) ([]Receiver, error) {
	names := map[string]bool{}
	out := make([]Receiver, len(all))
	for i, e := range all {
		e.Kind = e.Kind.or()
		for _, p := range e.Problems() {
			return nil, fmt.Errorf("notify: receiver %.40q: %w", e.Name, p)
		}
		if names[e.Name] {
			return nil, fmt.Errorf("notify: two receivers are named %q", e.Name)
		}
		names[e.Name] = true
		e.RatePerMinute = cmp.Or(e.RatePerMinute, e.Kind.rate())
		if len(e.Statuses) == 0 {
			e.Statuses = DefaultStatuses()
		}
		out[i] = e
	}
	return out, nil
}

// Run delivers until ctx ends, which is no error. It waits for as long as Kafka
// or a receiver is away. After an error it may be called again: what is not
// committed is read again.
func (n *Notifier) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(run func() error) {
		wg.Go(func() {
			if err := run(); err != nil {
				cancel(err)
			}
		})
	}
	log := newJournal(n.cfg.Recorder, n.cfg.Log, n.cfg.Now)
	writing, written := context.WithCancel(context.WithoutCancel(ctx))
	var journal sync.WaitGroup
	journal.Go(func() { log.run(writing) })
	defer journal.Wait()
	defer written()
	aside := &snoozes{from: n.cfg.Snoozer, log: n.cfg.Log}
	asked := make(chan struct{})
	wg.Go(func() { aside.run(ctx, asked) })
	feeds := newIncidents(n.cfg.IncidentLimit, n.cfg.Now, n.cfg.Log, n.cfg.Metrics.incidents)
	ready := make(chan struct{})
	start(func() error { return feeds.run(ctx, n.cfg.Kafka, ready) })
	<-asked
	select {
	case <-ready:
		for i := range n.cfg.Receivers {
			w, err := n.newWorker(&n.cfg.Receivers[i], feeds.stale, aside, log)
			if err != nil {
				cancel(err)
				break
			}
			start(func() error { return w.run(ctx, n.cfg.Kafka) })
		}
	case <-ctx.Done():
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// startSlack covers the difference between the clocks of whoever writes alerts
// and ours, when a webhook begins.
const startSlack = 10 * time.Second

func (n *Notifier) newWorker(e *Receiver, stale func(string) bool, aside *snoozes, j *journal) (*worker, error) {
	c := n.cfg
	log, metrics := c.Log.With("receiver", e.Name), c.Metrics.of(e.Name)
	to, err := newSender(&c, e)
	if err != nil {
		return nil, fmt.Errorf("notify: receiver %s: %w", e.Name, err)
	}
	b := newBook(e, bookOptions{
		HoldLimit: c.HoldLimit, GiveUpAfter: c.GiveUpAfter, RetryMin: c.RetryMin, RetryMax: c.RetryMax,
		MaxWaiting: c.MaxWaiting, MaxHeld: c.MaxHeld, MaxStanding: c.MaxStanding, Resend: c.Resend, StandLimit: c.StandLimit,
	}, metrics, stale)
	b.jitter = func(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
	b.gaveUp = func(m *message, reason string) {
		log.Error("notify: a message is given up", "id", m.id, "rule", m.rule, "status", m.status.String(), "since", m.since, "reason", reason)
	}
	b.noted, b.snoozed = j.add, aside.snoozed
	return &worker{
		name: e.Name, log: log, book: b, metrics: metrics, now: c.Now, tick: c.tick, every: c.commit,
		sender: to, journal: j,
		members: &membership{group: GroupPrefix + e.Name, since: n.began.Add(-startSlack), log: log},
		parts:   map[int32]*part{}, fetchErrs: map[int32]string{},
	}, nil
}

// newSender returns what speaks to a receiver.
func newSender(c *Config, e *Receiver) (sender, error) {
	if e.Kind == KindKafka {
		return newKafkaSender(c.Kafka, e.Topic, c.Timeout)
	}
	g := &guard{allowed: c.Allow, loopback: e.InsecureHTTP}
	p := poster{client: newClient(g, c.Roots, c.resolver, c.Timeout), now: c.Now}
	if e.Kind == KindWebhook {
		s := &webhookSender{url: e.URL, poster: p}
		for _, text := range e.Secrets {
			key, _ := parseSecret(text) // checked by New
			s.keys = append(s.keys, key)
		}
		return s, nil
	}
	r, err := newRenderer(e, c.Console)
	if err != nil {
		return nil, err
	}
	secret := ""
	if len(e.Secrets) > 0 {
		secret = e.Secrets[0]
	}
	if e.Kind != KindAlertmanager {
		return &chatSender{kind: e.Kind, url: e.URL, secret: secret, render: r, poster: p}, nil
	}
	g.onlyOwn = e.InsecureHTTP
	s := &amSender{token: secret, render: r, poster: p}
	for _, u := range e.URLs {
		s.urls = append(s.urls, amURL(u))
	}
	return s, nil
}
