package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/schemas"
)

// command runs scantrail against the rig's broker and returns its exit code.
func (r *rig) command(args ...string) (stdout string, code int) {
	r.t.Helper()
	stdout, stderr, err := runCommand(newRootCommand(), "", append(args, "--brokers", r.broker)...)
	var coded interface{ ExitCode() int }
	switch {
	case errors.As(err, &coded):
		code = coded.ExitCode()
	case err != nil:
		code = 1
	}
	if code == 1 {
		r.t.Logf("%s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout, code
}

// worldFiles writes the records of a world as files for the imports: one of order
// facts, one for each carrier.
func worldFiles(t *testing.T, dir string, to time.Time, parcels int) (orders string, scans map[string]string) {
	t.Helper()
	w := world.New(world.Config{Seed: 7, Parcels: parcels, To: to, WrongZone: -1})
	files := map[string]*bytes.Buffer{}
	err := w.Emit(to, func(r world.Record) error {
		if files[r.Topic] == nil {
			files[r.Topic] = &bytes.Buffer{}
		}
		files[r.Topic].Write(bytes.ReplaceAll(r.Value, []byte("\n"), []byte(" ")))
		files[r.Topic].WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	scans = map[string]string{}
	for topic, b := range files {
		name := filepath.Join(dir, topic+".jsonl")
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if carrier, ok := strings.CutPrefix(topic, schemas.RawTopicPrefix); ok {
			scans[carrier] = name
		} else {
			orders = name
		}
	}
	return orders, scans
}

// shuffled writes the lines of a file twice, in three files and any order.
func shuffled(t *testing.T, file string, r *rand.Rand) (parts []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(slices.Clone(lines[len(lines)-1]), '\n')
	lines = append(lines, lines...)
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	for i := range 3 {
		name := strings.TrimSuffix(file, ".jsonl") + fmt.Sprintf(".%d.jsonl", i)
		if err := os.WriteFile(name, bytes.Join(lines[i*len(lines)/3:(i+1)*len(lines)/3], nil), 0o600); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, name)
	}
	return parts
}

// rows returns the rows of a table as text, without what says when they came.
func (r *rig) rows(table, order, except string) []string {
	r.t.Helper()
	return one[[]string](r, "SELECT groupArray(row) FROM (SELECT toString(tuple(* EXCEPT ("+except+"))) AS row FROM "+table+" FINAL ORDER BY "+order+")")
}

// TestImportsInAnyOrder imports a world's orders and scans once, in their order,
// and once shuffled, twice each, in three portions: the rows of orders and parcels
// are the same in the end. Nobody is paged.
func TestImportsInAnyOrder(t *testing.T) {
	to := time.UnixMilli(rigTime).UTC()
	var want map[string][]string
	for name, mixed := range map[string]bool{"in order": false, "shuffled": true} {
		r := newRig(t)
		orders, scans := worldFiles(t, t.TempDir(), to, 60)
		for carrier := range scans {
			r.topic(carrier) // so that the service need not look for them
		}
		r.start()
		send := func(args ...string) {
			if _, code := r.command(append(args, "--skip-bad")...); code != 0 && code != exitInPart {
				t.Fatalf("%v: exit %d", args, code)
			}
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		files := func(f string) []string {
			if !mixed {
				return []string{f}
			}
			return shuffled(t, f, rnd)
		}
		parts := files(orders)
		send("orders", "import", parts[0])
		for carrier, file := range scans {
			send(append([]string{"scans", "import", "--carrier", carrier}, files(file)...)...)
		}
		r.settle()
		for _, part := range parts[1:] {
			send("orders", "import", part)
			r.settle()
		}
		r.settle()
		got := map[string][]string{
			"orders":  r.rows("orders", "shop_id, order_id", "version, updated_at"),
			"parcels": r.rows("parcels", "parcel_id, life", "version, updated_at, opened_at"), // the time of the fact that came first names the row
		}
		if len(got["orders"]) != 60 || len(got["parcels"]) < 50 {
			t.Errorf("%s: %d orders and %d parcels", name, len(got["orders"]), len(got["parcels"]))
		}
		if want == nil {
			want = got
		}
		for table, rows := range got {
			if !slices.Equal(rows, want[table]) {
				t.Errorf("%s: rows of %s differ:\n%s", name, table, firstDifference(rows, want[table]))
			}
		}
		all := one[uint64](r, "SELECT count() FROM alerts FINAL WHERE status IN ('open', 'escalated', 'resolved')")
		paged := one[uint64](r, "SELECT count() FROM alerts FINAL WHERE status IN ('open', 'escalated', 'resolved') AND NOT backfill")
		if all < 20 || paged != 0 {
			t.Errorf("%s: %d alerts, %d of them would page; want some, and none to page", name, all, paged)
		}
		if n := one[uint64](r, "SELECT count() FROM scans FINAL WHERE NOT backfill") + one[uint64](r, "SELECT count() FROM order_facts FINAL WHERE NOT backfill"); n != 0 {
			t.Errorf("%s: %d facts are not flagged as history", name, n)
		}
		if n := one[uint64](r, "SELECT count() FROM alerts FINAL WHERE rule = 'feed_stale'"); n != 0 {
			t.Errorf("%s: %d feeds fell silent that never spoke", name, n)
		}
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return got[i] + "\n" + want[i]
		}
	}
	return fmt.Sprintf("%d and %d rows", len(got), len(want))
}

// TestWithoutOrders: scans alone have completeness per carrier and lane.
func TestWithoutOrders(t *testing.T) {
	r := newRig(t)
	_, scans := worldFiles(t, t.TempDir(), time.UnixMilli(rigTime).UTC(), 60)
	for carrier := range scans {
		r.topic(carrier)
	}
	r.start()
	for carrier, file := range scans {
		r.command("scans", "import", "--live", "--skip-bad", "--carrier", carrier, file)
	}
	r.settle()
	if n := one[uint64](r, "SELECT count() FROM orders FINAL"); n != 0 {
		t.Fatalf("%d orders", n)
	}
	for _, view := range []string{"completeness_carrier", "completeness_lane"} {
		if n := one[uint64](r, "SELECT sum(counted_parcels) FROM "+view); n < 20 {
			t.Errorf("%s counts %d parcels", view, n)
		}
		if low, high := one[float64](r, "SELECT min(completeness) FROM "+view), one[float64](r, "SELECT max(completeness) FROM "+view); low < 0 || high > 100 || high < 90 {
			t.Errorf("%s lies in %g to %g", view, low, high)
		}
	}
}

// TestImportExitCodes: nothing is sent while a row is bad, unless asked.
func TestImportExitCodes(t *testing.T) {
	r := &rig{t: t, broker: newFakeBroker(t).addr()}
	producer, err := kgo.NewClient(kgo.SeedBrokers(r.broker))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	dir := t.TempDir()
	good := `{"shop_id":"s","order_id":"1","kind":"created","at":"2026-09-01T09:30:00Z"}` + "\n"
	file := writeFile(t, filepath.Join(dir, "x.jsonl"), good+"{}\n"+good)
	if out, code := r.command("orders", "import", file); code != 1 || !strings.Contains(out, "3 rows, 1 of them bad: 2 order facts, 1 of them repeated") {
		t.Errorf("a bad row: exit %d\n%s", code, out)
	}
	if out, code := r.command("orders", "import", "--skip-bad", file); code != 1 || strings.Contains(out, "sent") {
		t.Errorf("no topic orders: exit %d\n%s", code, out)
	}
	if _, err := kadm.NewClient(producer).CreateTopic(t.Context(), 1, 1, nil, schemas.OrdersTopic); err != nil {
		t.Fatal(err)
	}
	if out, code := r.command("orders", "import", "--skip-bad", file); code != exitInPart || !strings.Contains(out, "1 records sent as history to orders") {
		t.Errorf("--skip-bad: exit %d\n%s", code, out)
	}
	bad, err := os.ReadFile(file + ".bad")
	if err != nil || string(bad) != "{}\n" {
		t.Errorf("the bad rows: %q, %v", bad, err)
	}
	if out, code := r.command("orders", "import", "--dry-run", writeFile(t, filepath.Join(dir, "y.jsonl"), good)); code != 0 || !strings.Contains(out, "nothing was sent") {
		t.Errorf("--dry-run: exit %d\n%s", code, out)
	}
	ends, err := kadm.NewClient(producer).ListEndOffsets(context.Background(), schemas.OrdersTopic)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := ends.Lookup(schemas.OrdersTopic, 0); o.Offset != 1 {
		t.Errorf("%d records on the topic, want 1", o.Offset)
	}
}
