package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/schemas"
)

// TestSimulate: the whole world comes to an empty cluster, marked as simulated and
// as history; a cluster that holds records is refused unless its id is named.
func TestSimulate(t *testing.T) {
	r := &rig{t: t, broker: newFakeBroker(t).addr()}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	if _, code := r.command("simulate"); code != 1 {
		t.Errorf("without the topic orders: exit %d", code)
	}
	if _, err := adm.CreateTopic(t.Context(), 1, 1, nil, schemas.OrdersTopic); err != nil {
		t.Fatal(err)
	}
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	args := []string{"simulate", "--parcels", "50", "--seed", "9", "--days", "20", "--to", "2026-11-15T00:00:00Z"}
	if out, code := r.command(append(args, "--truth", truth)...); code != 0 || !strings.Contains(out, "seed 9, 2026-10-26T00:00:00Z to 2026-11-15T00:00:00Z") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	to := time.Date(2026, 11, 15, 0, 0, 0, 0, time.UTC)
	want := map[string]int{}
	w := world.New(world.Config{Seed: 9, Parcels: 50, From: to.AddDate(0, 0, -20), To: to})
	if err := w.Emit(to, func(r world.Record) error { want[r.Topic+" "+string(r.Value)]++; return nil }); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range want {
		total += n
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(r.broker), kgo.ConsumeTopics(w.Topics()...), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for range total {
		fetches := reader.PollRecords(t.Context(), 1)
		for _, rec := range fetches.Records() {
			want[rec.Topic+" "+string(rec.Value)]--
			if len(rec.Headers) != 2 || rec.Headers[0].Key != schemas.SimulatedHeader || string(rec.Headers[0].Value) != "9" || rec.Headers[1].Key != schemas.BackfillHeader {
				t.Fatalf("headers %v", rec.Headers)
			}
		}
	}
	for record, n := range want {
		if n != 0 {
			t.Fatalf("%d more than expected of %s", -n, record)
		}
	}
	if b, err := os.ReadFile(truth); err != nil || !strings.HasPrefix(string(b), `{"kind":"summary"`) {
		t.Errorf("truth: %.60s %v", b, err)
	}
	if out, code := r.command(args...); code != 1 || out != "" {
		t.Errorf("a cluster that is used: exit %d\n%s", code, out)
	}
	if _, code := r.command(append(args, "--into-existing", "another")...); code != 1 {
		t.Errorf("the id of another cluster: exit %d", code)
	}
	meta, err := adm.BrokerMetadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if out, code := r.command(append(args, "--into-existing", meta.Cluster, "--for", "20s", "--rate", "1e6")...); code != 0 || !strings.Contains(out, "2026-11-15T00:00:00Z") {
		t.Errorf("into an existing one: exit %d\n%s", code, out)
	}
}

func TestPace(t *testing.T) {
	if d := ahead(500, 1000, 200*time.Millisecond); d != 300*time.Millisecond {
		t.Errorf("500 records after 200 ms at 1000/s are %s early", d)
	}
	if d := ahead(500, 0, 0); d != 0 {
		t.Errorf("without a rate: %s", d)
	}
}
