package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"scantrail/cmd/scantrail/api"
	"scantrail/cmd/scantrail/console"
	"scantrail/cmd/scantrail/query"
	"scantrail/cmd/scantrail/web"
	"scantrail/ingest/push"
	"scantrail/schemas/texts"
)

// webRole is the role that serves people and other systems.
const webRole = "web"

// listenWeb opens the listener of the role web; nil where the process has not
// that role.
func listenWeb(cfg *Config, roles []string, log *slog.Logger) (*web.Server, error) {
	if !slices.Contains(roles, webRole) {
		return nil, nil
	}
	s, err := cfg.Web.listen(log)
	if err == nil {
		log.Info("the console is there", "address", s.URL())
	}
	return s, err
}

// mountWeb puts the console, the API and the push receiver behind the listener: at
// once, so that they are there while Kafka is away, or, where Prepare has yet to
// make the tables that they read, once it has.
func (p *pipeline) mountWeb() error {
	if p.o.Web == nil {
		return nil
	}
	p.registry.MustRegister(p.o.Web.Collectors()...)
	h, err := p.handlers()
	if err != nil {
		return err
	}
	if p.o.Migrate {
		p.migrated = func() { p.o.Web.Mount(h) }
	} else {
		p.o.Web.Mount(h)
	}
	return nil
}

func (p *pipeline) handlers() (h web.Handlers, err error) {
	catalog, err := texts.Load()
	if err != nil {
		return h, err
	}
	log := p.o.Log.With("role", webRole)
	figures := &liveFigures{p: p}
	h.Console, err = console.New(console.Options{
		Rows: p.rows, Kafka: p.o.Kafka, Texts: catalog, Log: log, Now: p.o.Now, Live: figures.now,
		Operations: p.operations(),
	})
	if err != nil {
		return h, err
	}
	if h.API, err = api.New(api.Options{Queries: query.New(p.rows), Log: log}); err != nil {
		return h, err
	}
	if p.push, err = newPush(p.o, p.registry); err != nil {
		return h, err
	}
	h.Push = p.push
	return h, nil
}

// newPush returns the receiver of what carriers push. Whoever has no signature of
// his own needs a token, or to be on this machine.
func newPush(o pipelineOptions, registry prometheus.Registerer) (*push.Receiver, error) {
	p := o.Push
	p.Kafka, p.Known, p.MaxBytes = o.Kafka, o.Carriers.Names(), o.Limits.Bytes
	p.Log, p.Metrics = o.Log.With("role", webRole), push.NewMetrics(registry)
	p.Rights = func(r *http.Request, carrier string) push.Rights {
		c := web.CallerOf(r.Context())
		return push.Rights{Push: c.MayPush(carrier), Backfill: c.Role == web.Operator}
	}
	return push.New(p)
}

// liveFigures are what the pipeline of this process does now. They are taken at
// most every two seconds, however many look at them.
type liveFigures struct {
	p *pipeline

	mu    sync.Mutex
	taken time.Time
	scans float64
	last  console.Live
}

const (
	liveEvery = 2 * time.Second
	lagLimit  = 500 * time.Millisecond // a page waits for it, also while Kafka is away
)

// now returns false where this process does not ingest: its own figures would
// say nothing about the others'.
func (l *liveFigures) now() (console.Live, bool) {
	if !l.p.runs("ingest") {
		return console.Live{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	past := now.Sub(l.taken)
	if past < liveEvery {
		return l.last, true
	}
	scans := l.p.value("scantrail_ingest_events_total")
	if !l.taken.IsZero() {
		l.last.ScansPerSecond = (scans - l.scans) / past.Seconds()
	}
	l.scans, l.taken = scans, now
	ctx, cancel := context.WithTimeout(context.Background(), lagLimit)
	defer cancel()
	if n, err := lag(ctx, kadm.NewClient(l.p.kafka)); err == nil {
		l.last.LagRecords = n
	}
	l.last.Behind = -1
	if clock := gauge(l.p.detect.Clock); clock > 0 {
		l.last.Behind = max(0, l.p.o.Now().Sub(time.Unix(int64(clock), 0)))
	}
	return l.last, true
}
