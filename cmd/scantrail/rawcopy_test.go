package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"scantrail/schemas"
	"scantrail/sink"
)

func TestRawIsOffByDefault(t *testing.T) {
	t.Setenv("SCANTRAIL_TEST_PASSWORD", "staple")
	log := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		yaml, roles string
		want        string // roles, or what the error says
	}{
		{"", "all", "ingest,detect,sink,web"},
		{"raw: {days: 3}", "all", "ingest,detect,sink,web"},
		{"", "raw", "--role: raw is off: set raw.enabled: true"},
		{"", "sink,raw", "--role: raw is off"},
		{"", "row", `"row" is no role: want all, or some of ingest,detect,sink,`},
		{"raw: {enabled: true}", "all", "ingest,detect,sink,web,raw"},
		{"raw: {enabled: true}", "sink", "sink"},
		{"raw: {enabled: true}", "raw", "raw"},
	} {
		cfg, err := ParseConfig("scantrail.yaml", []byte(c.yaml))
		if err != nil {
			t.Fatal(err)
		}
		o, err := runOptions(cfg, c.roles, log)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q, role %s: %v, want %q", c.yaml, c.roles, err, c.want)
			}
			continue
		}
		if got := strings.Join(o.Roles, ","); got != c.want {
			t.Errorf("%q, role %s: %s, want %s", c.yaml, c.roles, got, c.want)
		}
		if on := o.Raw.Days > 0; on != cfg.Raw.Enabled {
			t.Errorf("%q: raw options %+v", c.yaml, o.Raw)
		}
	}
	cfg, err := ParseConfig("scantrail.yaml", []byte("clickhouse: {addrs: ['http://a:8123'], user: writer}\n"+
		"raw: {enabled: true, days: 3, max_value_bytes: 64KiB, clickhouse: {password: env:SCANTRAIL_TEST_PASSWORD}}"))
	if err != nil {
		t.Fatal(err)
	}
	got := rawCopyOptions(cfg)
	if u := got.ClickHouse; u.User != "scantrail_raw" || u.Password != "staple" || !slices.Equal(u.URLs, cfg.ClickHouse.Addrs) || got.Days != 3 || got.ValueBytes != 64<<10 {
		t.Errorf("raw options %+v", got)
	}
	if main := sinkOptions(cfg); main.User != "writer" || main.Password != "" {
		t.Errorf("the other roles log in as %q, password set: %t", main.User, main.Password != "")
	}
}

// TestRawRole runs the role alone, with nothing else there than raw topics and
// tables: it needs no other topic and makes none.
func TestRawRole(t *testing.T) {
	r := newRig(t)
	r.topic("usps")
	o := r.pipeline.o
	o.Roles, o.Migrate, o.Now = []string{rawRole}, false, time.Now
	o.Raw = rawOptions{ClickHouse: o.ClickHouse, Days: sink.DefaultRawDays, FlushEvery: 20 * time.Millisecond}
	o.Raw.ClickHouse.User = "scantrail_raw"
	p, err := newPipeline(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	adm := kadm.NewClient(r.producer)
	if _, err := adm.DeleteTopics(t.Context(), schemas.EventsTopic); err != nil {
		t.Fatal(err)
	}
	if err := p.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	topics, err := adm.ListTopics(t.Context())
	if err != nil || topics.Has(schemas.EventsTopic) {
		t.Errorf("the role raw made the log: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r.send("usps", []byte("\x00 no format at all"))
	waiting, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	for {
		commits, err := adm.FetchOffsets(waiting, schemas.RawGroup)
		if at, ok := commits.Lookup("scans.raw.usps", 0); err == nil && ok && at.At == 1 {
			break
		}
		if err := pause(waiting, 10*time.Millisecond); err != nil {
			t.Fatalf("not copied within 30 s: %v", p.Ready(t.Context()))
		}
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := one[string](r, "SELECT raw FROM raw_records FINAL"); got != "\x00 no format at all" {
		t.Errorf("raw is %q", got)
	}
	groups, err := adm.ListGroups(t.Context())
	if names := groups.Groups(); err != nil || !slices.Equal(names, []string{schemas.RawGroup}) {
		t.Errorf("groups %v, %v: want %s alone", names, err, schemas.RawGroup)
	}
}
