package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/detector"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
	"scantrail/sink"
)

// viewWorld is the simulated world that schemas/clickhouse/README.md shows: its
// records through decoders, a detector and a sink, always with the same result.
type viewWorld struct {
	t       *testing.T
	decoder *carriers.Decoder
	found   detection
	log     []*kgo.Record
	next    int64 // of the following tick
	offsets map[string]int64
}

const viewPolicy = 1

func newViewWorld(t *testing.T) *scoreDatabase {
	t.Helper()
	registry, err := carriers.Load(schemas.Carriers, "")
	must(t, err)
	w := &viewWorld{t: t, decoder: registry.NewDecoder(carriers.Limits{}), offsets: map[string]int64{},
		found: detection{machine: detector.NewMachine(0, 1), alerts: map[alertKey]schemas.Alert{}}}
	w.add(&schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: viewPolicy, Policy: schemas.DefaultPolicy()}})
	simulated := world.New(world.Config{Seed: 7, Parcels: 400, Shops: 3})
	end := simulated.Config().To
	must(t, simulated.Emit(end, w.record))
	w.tick(end.UnixMilli())
	const all = 1 << 30
	db := writeScoreRows(t, &schemas.Control{Number: viewPolicy, Policy: schemas.DefaultPolicy()},
		w.found.machine.DirtyParcels(all, nil), w.found.machine.DirtyOrders(all, nil), 0)
	w.sink(db)
	return db
}

// tick moves the clock up to ms, ten minutes at a time.
func (w *viewWorld) tick(ms int64) {
	const step = 10 * minuteMillis
	if w.next == 0 {
		w.next = ms - ms%step
	}
	for ; w.next <= ms; w.next += step {
		w.add(&schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: w.next, ForwardedThrough: w.next}})
	}
}

// record reads one raw record of the world, as ingest does.
func (w *viewWorld) record(r world.Record) error {
	at := r.At.UnixMilli()
	w.tick(at)
	offset := w.offsets[r.Topic]
	w.offsets[r.Topic]++
	if r.Topic == world.OrdersTopic {
		var o schemas.OrderFact
		if err := schemas.ParseOrderFact(r.Value, &o); err != nil {
			return err
		}
		o.Topic, o.Offset, o.ReceivedAt = r.Topic, offset, at
		w.add(&schemas.Record{Kind: schemas.KindOrder, Order: o})
		return nil
	}
	carrier := strings.TrimPrefix(r.Topic, schemas.RawTopicPrefix)
	got := w.decoder.Decode(carrier, r.Value, carriers.Source{Topic: r.Topic, Offset: offset, Key: r.Key, ReceivedAt: at})
	for i := range got.Events {
		w.add(&schemas.Record{Kind: schemas.KindEvent, Event: got.Events[i]})
	}
	for _, x := range got.Rejected {
		dead := schemas.DeadLetter{Reason: string(x.Reason), Field: x.Field, Detail: x.Detail, Carrier: carrier, EventIndex: int32(x.EventIndex),
			Topic: r.Topic, Offset: offset, ReceivedAt: at, Raw: r.Value}
		letter := &kgo.Record{Topic: schemas.DeadLettersTopic, Value: slices.Clone(r.Value)}
		for _, h := range dead.Headers() {
			letter.Headers = append(letter.Headers, kgo.RecordHeader(h))
		}
		w.log = append(w.log, letter)
	}
	return nil
}

// add appends a record to the log and has the detector read it from there.
func (w *viewWorld) add(r *schemas.Record) {
	w.t.Helper()
	var e schemas.Encoder
	value := e.Append(nil, r)
	var read schemas.Record
	must(w.t, read.Decode(value))
	must(w.t, w.found.apply(&read))
	w.log = append(w.log, &kgo.Record{Topic: schemas.EventsTopic, Value: value})
}

// sink writes the log and the alerts with a real sink, and waits for the last.
func (w *viewWorld) sink(db *scoreDatabase) {
	w.t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, schemas.EventsTopic, schemas.AlertsTopic, schemas.DeadLettersTopic))
	must(w.t, err)
	w.t.Cleanup(cluster.Close)
	brokers := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	client, err := kgo.NewClient(brokers...)
	must(w.t, err)
	w.t.Cleanup(client.Close)
	for _, a := range w.found.current() {
		w.log = append(w.log, &kgo.Record{Topic: schemas.AlertsTopic, Value: schemas.AppendAlertJSON(nil, &a)})
	}
	counts := map[string]int{}
	for _, r := range w.log {
		counts[r.Topic]++
	}
	must(w.t, client.ProduceSync(w.t.Context(), w.log...).FirstErr())
	runSink(w.t, brokers, db)
	for table, want := range map[string]string{
		"(SELECT max(last_offset) + 1 AS n FROM blocks)": fmt.Sprint(counts[schemas.EventsTopic]),
		"(SELECT count() AS n FROM alerts_current)":      fmt.Sprint(counts[schemas.AlertsTopic]),
		"(SELECT count() AS n FROM dead_letters FINAL)":  fmt.Sprint(counts[schemas.DeadLettersTopic]),
	} {
		tick := time.NewTicker(20 * time.Millisecond)
		for began := time.Now(); strings.TrimSpace(db.text(w.t, "SELECT max(n) FROM "+table+" FORMAT TSV")) != want; <-tick.C {
			if time.Since(began) > time.Minute {
				w.t.Fatalf("after a minute %s is not %s", table, want)
			}
		}
		tick.Stop()
	}
}

func runSink(t *testing.T, brokers []kgo.Opt, db *scoreDatabase) {
	t.Helper()
	s, err := sink.New(sink.Config{Kafka: brokers, ClickHouse: db, Log: slog.New(slog.DiscardHandler), FlushInterval: 20 * time.Millisecond})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-done)
	})
}

var (
	fromEngine = regexp.MustCompile(`(?s)<!-- (table|view) (\w+) -->\n.*?<!-- end -->\n`)
	digits     = regexp.MustCompile(`\d+`)
)

// schemas/clickhouse/README.md says of every table and view what the engine says
// of it, shows what its queries really answer, and explains every column.
func TestClickHousePage(t *testing.T) {
	path := filepath.Join(repoRoot, "schemas", "clickhouse", "README.md")
	page := string(readRepo(t, path))
	db := newViewWorld(t)
	shown := map[string]bool{}
	fresh := fromEngine.ReplaceAllStringFunc(page, func(block string) string {
		m := fromEngine.FindStringSubmatch(block)
		shown[m[2]] = true
		return fmt.Sprintf("<!-- %s %s -->\n%s<!-- end -->\n", m[1], m[2], describe(t, db, m[1], m[2]))
	})
	fresh = sqlWithResult.ReplaceAllStringFunc(fresh, func(block string) string {
		m := sqlWithResult.FindStringSubmatch(block)
		query := m[1]
		if !strings.Contains(query, "\nFORMAT ") {
			query += "FORMAT PrettyCompactMonoBlock SETTINGS output_format_pretty_row_numbers = 0, output_format_pretty_color = 0"
		}
		return "```sql\n" + m[1] + "```\n\n```\n" + db.text(t, query) + "```\n"
	})
	if fresh != page {
		if *updateGuide {
			must(t, os.WriteFile(path, []byte(fresh), 0o644))
		} else {
			t.Error("schemas/clickhouse/README.md is not what the engine says: go test ./cmd/scantrail -run TestClickHousePage -update")
		}
	}
	scores := string(readRepo(t, filepath.Join(repoRoot, "schemas", "clickhouse", "0003_score_views.sql")))
	names := strings.Fields(db.text(t, "SELECT name FROM system.tables WHERE database = currentDatabase() FORMAT TSV"))
	for _, name := range names {
		if !shown[name] && !strings.Contains(scores, "VIEW "+name+"{{") && !strings.HasPrefix(name, "completeness_") {
			t.Errorf("README.md does not have %s", name)
		}
	}
	for name := range strings.Lines(db.text(t, `SELECT DISTINCT c.name, t.name FROM system.columns AS c JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
		WHERE c.database = currentDatabase() AND t.engine = 'View' AND c.name NOT IN (SELECT name FROM system.columns WHERE database = currentDatabase() AND comment != '') FORMAT TSV`)) {
		column, view, _ := strings.Cut(strings.TrimSpace(name), "\t")
		if shown[view] && !strings.Contains(page, "| `"+pattern(column)+"` |") {
			t.Errorf("README.md does not explain the column %s of %s", column, view)
		}
	}
}

// pattern is the name under which the page explains a column of views.
func pattern(column string) string {
	for _, end := range []string{"_due", "_observed"} {
		if name, ok := strings.CutSuffix(column, end); ok {
			if _, err := schemas.ParseMilestone(name); err == nil {
				return "MILESTONE" + end
			}
		}
	}
	switch strings.TrimSuffix(column, "_secs") {
	case "announced", "origin", "linehaul", "import", "destination", "domestic", "delivery":
		return "STAGE_secs"
	}
	return digits.ReplaceAllString(column, "N")
}

// describe says of a table or view what its comments say.
func describe(t *testing.T, db *scoreDatabase, kind, name string) string {
	t.Helper()
	of := " WHERE database = currentDatabase() AND "
	text := db.text(t, "SELECT comment FROM system.tables"+of+"name = '"+name+"' FORMAT TSVRaw") + "\n"
	columns := "`" + strings.TrimSpace(db.text(t, "SELECT arrayStringConcat(groupArray(name), '`, `') FROM (SELECT name FROM system.columns"+of+"table = '"+name+"' ORDER BY position) FORMAT TSVRaw")) + "`"
	if kind == "view" && columns == "``" {
		return text // a view with parameters lists none
	}
	if kind == "view" {
		return text + columns + "\n"
	}
	key := strings.TrimSpace(db.text(t, "SELECT sorting_key FROM system.tables"+of+"name = '"+name+"' FORMAT TSVRaw"))
	return text + "Key: `" + strings.ReplaceAll(key, "`", "") + "`\n\n| column | type | |\n|---|---|---|\n" +
		db.text(t, "SELECT format('| `{}` | {} | {} |', name, type, replaceAll(comment, '|', '\\\\|')) FROM system.columns"+of+"table = '"+name+"' ORDER BY position FORMAT TSVRaw")
}
