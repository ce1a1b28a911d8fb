package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/cmd/scantrail/web"
)

// withWeb gives the pipeline a listener on a free port, and says where.
func withWeb(t *testing.T, o *pipelineOptions) *web.Server {
	t.Helper()
	c := WebConfig{Listen: "127.0.0.1:0"}
	var err error
	if o.Web, err = c.listen(o.Log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Web.Close)
	return o.Web
}

func fetchPage(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestWebRole: a process that only serves shows what the others write, makes
// nothing in Kafka, and has no figures of its own.
func TestWebRole(t *testing.T) {
	r := newRig(t)
	r.topic("yunexpress")
	r.start()
	for n := range 5 {
		r.scan(n)
	}
	r.settle()

	o := r.pipeline.o
	o.Roles, o.Migrate = []string{webRole}, false
	site := withWeb(t, &o).URL()
	if status, body := fetchPage(t, site+"/"); status != 503 || !strings.Contains(body, "starting") {
		t.Errorf("before it is up: %d\n%s", status, body)
	}
	alone, err := newPipeline(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := alone.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- alone.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		alone.Close()
	})
	if status, body := fetchPage(t, site+"/"); status != 200 || !strings.Contains(body, "</html>") {
		t.Errorf("the console: %d\n%s", status, body)
	}
	var p struct {
		Trail []struct{ Milestone string }
	}
	status, body := fetchPage(t, site+fmt.Sprintf("/v1/parcels/YT%016d", 2632100000099000+1))
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != 200 || len(p.Trail) != 1 {
		t.Errorf("the API: %d %s", status, body)
	}
	if err := alone.Ready(ctx); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if _, ok := (&liveFigures{p: alone}).now(); ok {
		t.Error("it has figures of an ingest that it does not run")
	}
	live, ok := (&liveFigures{p: r.pipeline}).now()
	if !ok || live.LagRecords != 0 || live.Behind < 0 {
		t.Errorf("live figures %+v, %v", live, ok)
	}
}

// TestWebAloneMakesNoTopics: who may only read must be able to serve.
func TestWebAloneMakesNoTopics(t *testing.T) {
	b := newFakeBroker(t)
	r := newRigOn(t, b) // makes the tables; its topics are removed again
	adm := kadm.NewClient(r.producer)
	all, err := adm.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteTopics(t.Context(), all.Names()...); err != nil {
		t.Fatal(err)
	}
	o := r.pipeline.o
	o.Roles, o.Migrate = []string{webRole}, false
	withWeb(t, &o)
	alone, err := newPipeline(o)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if err := alone.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh, err := kgo.NewClient(r.kafka...)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if left, err := kadm.NewClient(fresh).ListTopics(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("topics %v, %v", left.Names(), err)
	}
}

func TestRolesOfWeb(t *testing.T) {
	cfg := DefaultConfig()
	log := newLogger(LogConfig{Level: "error", Format: "text"})
	o, err := runOptions(cfg, "all", log)
	if err != nil || !slices.Contains(o.Roles, webRole) {
		t.Errorf("all is %v, %v", o.Roles, err)
	}
	cfg.Web.Listen = ""
	if o, err = runOptions(cfg, "all", log); err != nil || slices.Contains(o.Roles, webRole) {
		t.Errorf("without an address all is %v, %v", o.Roles, err)
	}
	if _, err = runOptions(cfg, "web,sink", log); err == nil || !strings.Contains(err.Error(), "web.listen") {
		t.Errorf("--role web without an address: %v", err)
	}
}

// The demo says first where its console is, also when the usual port is taken.
func TestDemoConsoleComesFirst(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // nothing is sent
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	cancel()                                                                                     // it ends with the first thing that waits
	runDemo(ctx, demoFlags{parcels: 100, listen: ln.Addr().String(), http: "127.0.0.1:0"}, &out) //nolint:errcheck // it was cut short
	first, _, _ := strings.Cut(out.String(), "\n")
	if !strings.HasPrefix(first, "Console: http://127.0.0.1:") || !strings.HasSuffix(first, " ("+ln.Addr().String()+" is taken)") {
		t.Errorf("the demo begins with %q", first)
	}
	for _, listen := range []string{"0.0.0.0:8080", ":8080", "example.com:1"} {
		if err := (demoFlags{parcels: 1, listen: listen}).validate(); err == nil {
			t.Errorf("--listen %s is accepted", listen)
		}
	}
}

// Profiles show what the process has in memory: only on request.
func TestProfilesOnRequest(t *testing.T) {
	for _, asked := range []bool{false, true} {
		stop, addr, err := startAdmin(AdminConfig{Listen: "127.0.0.1:0", Pprof: asked}, prometheus.NewRegistry(), func(context.Context) []check { return nil })
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]int{false: 404, true: 200}[asked]
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap?debug=1", "/debug/pprof/symbol"} {
			if status, _ := fetchPage(t, "http://"+addr+path); status != want {
				t.Errorf("pprof %v: %s answers %d, want %d", asked, path, status, want)
			}
		}
		stop()
	}
}
