package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/cmd/scantrail/console"
	"scantrail/cmd/scantrail/web"
	"scantrail/schemas"
	"scantrail/schemas/texts"
	"scantrail/sink/chdb/chdbtest"
)

// site is the demo at the present, on a smaller world, with its console.
type site struct {
	t       *testing.T // that looks at it now
	browser context.Context
	axe     string
	demo    *demo
	url     string
}

func (s *site) open(l look) *tab {
	s.t.Helper()
	return openTab(s.t, s.browser, s.url, l)
}

// startSite lets the world live up to now. From then on the pipeline runs in real
// time until the test ends.
func startSite(t *testing.T) *site {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	to := time.Now().UTC().Truncate(time.Second)
	d := &demo{flags: demoFlags{parcels: 400, seed: 7, speed: 1e9, listen: "127.0.0.1:0"}, out: t.Output(), started: time.Now(), from: to.Add(-30 * 24 * time.Hour), to: to}
	d.world = world.New(world.Config{Seed: d.flags.seed, Parcels: d.flags.parcels, Shops: 3, From: d.from, To: d.to})
	if err := d.openConsole(); err != nil {
		t.Fatal(err)
	}
	if err := d.prepare(t.Context(), cluster.ListenAddrs(), chdbtest.Start(t), fmt.Sprintf("browser%d", os.Getpid())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran, ticked := make(chan error, 1), make(chan error, 1)
	go func() { ran <- d.pipeline.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, <-ticked); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		d.pipeline.Close()
	})
	err = d.drive(ctx)
	if err == nil {
		err = d.settle(ctx)
	}
	if err != nil {
		ticked <- nil
		t.Fatal(err)
	}
	d.clock.live()
	go func() { ticked <- d.keepTicking(ctx) }()
	return &site{t: t, demo: d, url: d.console.URL()}
}

// guarded is the console once more, behind a listener that asks for a token.
func (s *site) guarded(token string) (url string) {
	s.t.Helper()
	catalog, err := texts.Load()
	if err != nil {
		s.t.Fatal(err)
	}
	pages, err := console.New(console.Options{Rows: s.demo.pipeline.rows, Kafka: s.demo.kafka, Texts: catalog})
	if err != nil {
		s.t.Fatal(err)
	}
	listener, err := web.Listen(web.Options{
		Listen: "127.0.0.1:0", Tokens: []web.Token{{Name: "eve", Secret: token, Role: web.Viewer}}, Texts: catalog, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(listener.Close)
	listener.Mount(web.Handlers{Console: pages})
	return listener.URL()
}

// send writes a raw record, as a carrier does.
func (s *site) send(carrier string, value []byte) {
	s.t.Helper()
	client, err := kgo.NewClient(s.demo.kafka...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(s.t.Context(), &kgo.Record{Topic: schemas.RawTopicPrefix + carrier, Value: value}).FirstErr(); err != nil {
		s.t.Fatalf("%s: %v", carrier, err)
	}
}

// refused writes the dead letter of a record, as ingest does.
func (s *site) refused(carrier, reason, raw string) {
	s.t.Helper()
	client, err := kgo.NewClient(s.demo.kafka...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	d := schemas.DeadLetter{Topic: schemas.RawTopicPrefix + carrier, TopicID: schemas.ID{1}, Carrier: carrier, Reason: reason, EventIndex: -1, ReceivedAt: time.Now().UnixMilli()}
	record := &kgo.Record{Topic: schemas.DeadLettersTopic, Value: []byte(raw)}
	for _, h := range d.Headers() {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	if err := client.ProduceSync(s.t.Context(), record).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits until a page that refreshes itself has what a selector finds.
func (s *site) shows(b *tab, selector string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.WaitVisible(selector)); err != nil {
		s.t.Fatalf("%s does not show %s: %v\n%.1000s", b.address(), selector, err, b.text("main"))
	}
}

// one returns the single value of a query.
func (s *site) one(query string) (v string) {
	s.t.Helper()
	if err := s.demo.pipeline.rows.QueryRow(s.t.Context(), query).Scan(&v); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return v
}

// until waits for what a query tells, and ticks meanwhile: nobody waits five seconds.
func (s *site) until(what, query, want string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	got := ""
	for got = s.one(query); got != want; got = s.one(query) {
		if err := s.demo.pipeline.ticker.Tick(ctx); err != nil || pause(ctx, 100*time.Millisecond) != nil {
			s.t.Fatalf("%s: %s, want %s (%v)", what, got, want, err)
		}
	}
}

// kindOf is a path whose names are left out, so that pages of one kind are known
// as one.
func kindOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	switch {
	case len(parts) > 2 && parts[1] == "raw":
		return "/raw/*"
	case len(parts) > 2 && parts[2] != "export":
		parts[2] = "*"
	}
	return strings.Join(parts, "/")
}
