package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// auditRig is a pipeline that has settled, and copies of its tables with which
// damage is undone.
type auditRig struct {
	*rig
	saved map[string]string
}

// auditRecord is one answer of a carrier: a parcel whose scans lie so many hours
// before rigTime.
func auditRecord(number int, hours ...int) []byte {
	var events []string
	for i, h := range hours {
		at := time.UnixMilli(rigTime).UTC().Add(-time.Duration(h) * time.Hour).Add(8 * time.Hour)
		code := []string{"PICKED_UP", "FIRST_MILE_ARRIVE", "EXPORT_CUSTOMS_COMPLETE", "DELIVERED"}[i]
		events = append(events, fmt.Sprintf(`{"process_time":%q,"time_zone":"GMT+08:00","track_node_code":%q,"process_content":"text","process_location":"SHENZHEN","process_country":"CN"}`,
			at.Format("2006-01-02T15:04:05"), code))
	}
	return fmt.Appendf(nil, `{"waybill_number":"YT%016d","origin_country_code":"CN","country_code":"GB","track_events":[%s]}`, 2632100000099000+number, strings.Join(events, ","))
}

func newAuditRig(t *testing.T) *auditRig {
	r := &auditRig{rig: newRig(t), saved: map[string]string{}}
	r.topic("yunexpress")
	stop := r.run()
	for i := range 20 {
		r.send("yunexpress", auditRecord(i, 200, 130, 100+i, 1)) // closed silences of 70 h and of about 100 h
		r.send("yunexpress", auditRecord(100+i, 80+i, 50+i%10))  // silent for 50 h to 59 h
		r.send("yunexpress", auditRecord(200+i, 90, 80))         // silent for 80 h
	}
	r.send("yunexpress", []byte("{"))
	r.put(schemas.OrdersTopic, 0, []byte(`{"shop_id":"s","order_id":"1","market":"GB","kind":"created","at":"2026-09-15T09:30:00Z"}`))
	r.put(schemas.OrdersTopic, 1, []byte(`{"shop_id":"s","order_id":"1","market":"GB","kind":"confirmed","at":"2026-09-15T10:30:00Z"}`))
	r.transaction(schemas.EventsTopic, 1, []byte{0xff})
	r.put(schemas.EventsTopic, 1, []byte{0xff, 0xff})
	r.settle()
	r.settle()
	stop()
	// What ingest wrote while it stopped; from then on nothing moves.
	r.pipeline.o.Roles = []string{"detect", "sink"}
	stop = r.run()
	r.drained(t.Context())
	stop()
	for _, table := range []string{"scans", "order_facts", "dead_letters", "ranges", "blocks", "parcels", "orders", "alerts", "alert_transitions", "data_gaps"} {
		r.saved[table] = "saved_" + table
		r.exec(fmt.Sprintf("CREATE TABLE saved_%s AS %s", table, table))
		r.exec(fmt.Sprintf("INSERT INTO saved_%s SELECT * FROM %s FINAL", table, table))
	}
	return r
}

// run runs the pipeline until stop is called.
func (r *auditRig) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.pipeline.Run(ctx) }()
	return func() {
		r.t.Helper()
		cancel()
		if err := <-done; err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *auditRig) put(topic string, partition int32, value []byte) {
	r.t.Helper()
	if err := r.producer.ProduceSync(r.t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: value}).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *auditRig) exec(query string) {
	r.t.Helper()
	if err := r.pipeline.rows.Exec(r.t.Context(), query); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
}

// become replaces the rows of a table by those of a query over its saved copy,
// which is called saved.
func (r *auditRig) become(table, query string) {
	r.t.Helper()
	r.exec("TRUNCATE TABLE " + table)
	r.exec("INSERT INTO " + table + " " + strings.ReplaceAll(query, "saved", r.saved[table]))
}

func (r *auditRig) newAudit(patience time.Duration) *audit {
	r.t.Helper()
	a, err := newAudit(auditOptions{Kafka: r.kafka, ClickHouse: r.pipeline.o.ClickHouse, Generation: 1, ReplayAll: true, Patience: patience,
		Progress: io.Discard, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.UnixMilli(r.now.Load()) }})
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// auditFor runs the checks that are to find something, and no others.
func (r *auditRig) auditFor(want []found) *auditReport {
	r.t.Helper()
	a := r.newAudit(0)
	defer a.close()
	if err := a.settle(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for _, c := range a.checks() {
		if !slices.ContainsFunc(want, func(w found) bool { return w.guarantee == c.guarantee && strings.Contains(c.name, w.check) }) {
			continue
		}
		a.begin(c.guarantee, c.name)
		if err := c.run(r.t.Context()); err != nil {
			r.t.Errorf("%s %s could not be checked: %v", c.guarantee, c.name, err)
		}
		a.end()
	}
	return a.report
}

func (r *auditRig) audit(patience time.Duration) *auditReport {
	r.t.Helper()
	a := r.newAudit(patience)
	defer a.close()
	report, err := a.run(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range report.Checks {
		if c.Error != "" {
			r.t.Errorf("%s %s could not be checked: %s", c.Guarantee, c.Check, c.Error)
		}
	}
	return report
}

// found is a violation that an audit must name.
type found struct{ guarantee, check, where, what string }

func (f found) in(report *auditReport) bool {
	for _, v := range report.Violations {
		if v.Guarantee == f.guarantee && strings.Contains(v.Check, f.check) && strings.Contains(v.Where, f.where) && strings.Contains(v.What, f.what) && v.Means != "" && v.Do != "" {
			return true
		}
	}
	return false
}

func damages() map[string]struct {
	table, query string
	want         []found
} {
	const number = "YT2632100000099107"
	type damage = struct {
		table, query string
		want         []found
	}
	return map[string]damage{
		"rows of scans deleted": {"scans", "SELECT * FROM saved WHERE tracking_number != '" + number + "'", []found{
			{"P1", "ranges and scans", "scans.raw.yunexpress/0 offsets 0 to", "2 are missing"},
			{"P1", "blocks and rows", "parcel.events/", "into scans"},
			{"P3", "replay", "scans with partition", "scans has no row"}}},
		"row of scans doubled under an offset of its own": {"scans", "SELECT * FROM saved UNION ALL SELECT * REPLACE (toInt64(0) AS offset) FROM saved WHERE tracking_number = '" + number + "' LIMIT 1 BY tracking_number", []found{
			{"P1", "blocks and rows", "parcel.events/", "1 too many"},
			{"P3", "replay", "offset 0", "the log has no event there"}}},
		"row of scans beyond the log": {"scans", "SELECT * FROM saved UNION ALL SELECT * REPLACE (toInt64(1000000) AS offset) FROM saved WHERE tracking_number = '" + number + "' LIMIT 1 BY tracking_number", []found{
			{"P1", "blocks and rows", "offset 1000000", "the log does not have"}}},
		"fact_id of scans altered": {"scans", "SELECT * FROM saved UNION ALL SELECT * REPLACE (toInt64(0) AS offset, generateUUIDv4() AS fact_id) FROM saved WHERE tracking_number = '" + number + "' LIMIT 1 BY tracking_number", []found{
			{"P2", "identities of scans", "scans from scans.raw.yunexpress/0 offset", "2 fact_ids"},
			{"P2", "facts of parcels", number, "scans has 3 distinct facts"}}},
		"milestone of scans altered": {"scans", "SELECT * REPLACE (if(tracking_number = '" + number + "', 'delivered', milestone) AS milestone, if(tracking_number = '" + number + "', 110, milestone_no) AS milestone_no) FROM saved", []found{
			{"P3", "replay", "scans with partition", `milestone is "delivered"`}}},
		"order fact deleted": {"order_facts", "SELECT * FROM saved WHERE kind != 'confirmed'", []found{
			{"P1", "ranges and scans", "orders/1", "1 are missing"},
			{"P2", "facts of orders", "order 1 of s", "has 1 distinct facts"}}},
		"dead letter deleted": {"dead_letters", "SELECT * FROM saved WHERE 0", []found{
			{"P1", "dead letters", "scans.raw.yunexpress/0", "1 are missing"}}},
		"range dropped": {"ranges", "SELECT * FROM saved WHERE topic != 'scans.raw.yunexpress'", []found{
			{"P1", "chain of ranges", "scans.raw.yunexpress/0 offsets 0 to 60", "ranges ends before them"}}},
		"range altered": {"ranges", "SELECT * REPLACE (records - 1 AS records) FROM saved", []found{
			{"P1", "chain of ranges", "scans.raw.yunexpress/0", "accounts for 60 records, the topic has 61"}}},
		"block dropped": {"blocks", "SELECT * FROM saved WHERE partition != 2", []found{
			{"P1", "chain of blocks", "parcel.events/2 offsets 0 to", "no row of blocks"}}},
		"block altered": {"blocks", "SELECT * REPLACE (scans + 1 AS scans) FROM saved", []found{
			{"P1", "chain of blocks", "parcel.events/0", "the kinds add up to"}}},
		"parcel deleted": {"parcels", "SELECT * FROM saved WHERE tracking_number != '" + number + "'", []found{
			{"P2", "facts of parcels", number, "no row"},
			{"P3", "replay", number, "no row"}}},
		"parcel altered": {"parcels", "SELECT * REPLACE (if(tracking_number = '" + number + "', 9, facts) AS facts) FROM saved", []found{
			{"P2", "facts of parcels", number, "parcels 9"},
			{"P3", "replay", number, `facts is "9", the replay has "2"`}}},
		"parcel invented": {"parcels", "SELECT * FROM saved UNION ALL SELECT * REPLACE (generateUUIDv4() AS parcel_id) FROM saved WHERE tracking_number = '" + number + "'", []found{
			{"P2", "facts of parcels", number, "2 rows in parcels 4"},
			{"P3", "replay", "parcels", "never wrote"}}},
		"order altered": {"orders", "SELECT * REPLACE ('US' AS market) FROM saved", []found{
			{"P3", "replay", "order 1 of s", `market is "US", the replay has "GB"`}}},
		"alert altered": {"alerts", "SELECT * REPLACE (if(tracking_number = '" + number + "' AND rule = 'gap_48h', 'withdrawn', status) AS status) FROM saved", []found{
			{"P2", "transitions of alerts", "alert ", "withdrawn"},
			{"P4", "silence", number, "alerts has none"}}},
		"alert deleted": {"alerts", "SELECT * FROM saved WHERE rule != 'gap_72h'", []found{
			{"P2", "totals of views", "alerts_current", "count() is"},
			{"P2", "transitions of alerts", "alert ", "alerts has no row"},
			{"P4", "silence", "YT2632100000099201", "gap_72h"}}},
		"transition altered": {"alert_transitions", "SELECT * FROM saved UNION ALL SELECT * REPLACE (silent_secs + 1 AS silent_secs) FROM saved WHERE tracking_number = '" + number + "'", []found{
			{"P3", "replay", number, "silent_secs"}}},
		"transition deleted": {"alert_transitions", "SELECT * FROM saved WHERE tracking_number != '" + number + "'", []found{
			{"P2", "transitions of alerts", "alert ", "alert_transitions has no row"},
			{"P3", "replay", number, "the table has no row"}}},
		"row of data_gaps removed": {"data_gaps", "SELECT * FROM saved WHERE kind != 'undecodable'", []found{
			{"P5", "holes are said", "parcel.events/1", "could not decode 2 records, data_gaps has 0"}}},
		"hole removed from data_gaps": {"data_gaps", "SELECT * FROM saved WHERE kind != 'hole'", []found{
			{"P5", "holes are said", "parcel.events/1", "stepped over 1 offsets"}}},
		"quarantine not said": {"parcels", "SELECT * REPLACE (toUInt16(if(tracking_number = '" + number + "', 257, facts)) AS facts) FROM saved", []found{
			{"P5", "quarantine is said", number, "data_gaps has no row"}}},
	}
}

// TestAuditFindsDamage damages one table at a time and expects the audit to name
// what is wrong, and where; before and after, it finds nothing.
func TestAuditFindsDamage(t *testing.T) {
	r := newAuditRig(t)
	clean := r.audit(20 * time.Second)
	if !clean.Holds {
		t.Fatalf("the audit of a sound pipeline: %+v", clean.Violations)
	}
	for check, least := range map[string]int64{"chain of ranges": 63, "ranges and scans": 162, "ranges and dead letters": 1, "facts of parcels": 60, "facts of orders": 1, "silence": 60, "transitions of alerts": 100} {
		for _, c := range clean.Checks {
			if c.Check == check && c.Compared < least {
				t.Errorf("%s compared %d, want at least %d (left out: %v)", check, c.Compared, least, c.LeftOut)
			}
		}
	}
	for name, d := range damages() {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.become(d.table, d.query)
			report := r.auditFor(d.want)
			for _, w := range d.want {
				if !w.in(report) {
					t.Errorf("not found: %+v; found: %+v", w, report.Violations)
				}
			}
			r.become(d.table, "SELECT * FROM saved")
		})
	}
	r.t = t
	for table, saved := range r.saved {
		r.exec("INSERT INTO " + table + " SELECT * FROM " + saved) // as after a crash
	}
	if again := r.audit(0); !again.Holds {
		t.Errorf("all rows were written once more, and the audit says: %+v", again.Violations)
	}
	for table := range r.saved {
		r.become(table, "SELECT * FROM saved")
	}
	if again := r.audit(0); !again.Holds {
		t.Errorf("all damage is undone, and the audit says: %+v", again.Violations)
	}
	config := filepath.Join(t.TempDir(), "scantrail.yaml")
	r.checkCommand(config)
	r.checkHistory(config)
}

// checkCommand runs the command as a user does, with a configuration that it writes.
func (r *auditRig) checkCommand(config string) {
	t := r.t
	o := r.pipeline.o.ClickHouse
	text := fmt.Sprintf("kafka:\n  brokers: [%q]\nclickhouse:\n  addrs: [%q]\n  database: %s\n", r.broker, o.URLs[0], o.Database)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if err := runAudit(t.Context(), auditFlags{config: config, replay: "1"}, &out, &progress); err != nil {
		t.Errorf("%v: %s", err, out.String())
	}
	for _, want := range []string{"Everything that was checked holds", "replay of parcel.events/1", "2 records could not be decoded", "63 raw records"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	r.become("blocks", "SELECT * FROM saved WHERE partition != 2")
	out.Reset()
	err := runAudit(t.Context(), auditFlags{config: config, json: true}, &out, &progress)
	if code := exitCodeOf(err); code != 1 || !strings.Contains(out.String(), `"where": "parcel.events/2 offsets 0 to`) {
		t.Errorf("exit code %d, want 1: %s", code, out.String())
	}
	err = runAudit(t.Context(), auditFlags{config: config, replay: "9"}, &out, &progress)
	if code := exitCodeOf(err); code != 1 { // the block is still missing
		t.Errorf("exit code %d, want 1", code)
	}
	r.become("blocks", "SELECT * FROM saved")
	if err := runAudit(t.Context(), auditFlags{config: config, replay: "9"}, &out, &progress); exitCodeOf(err) != 2 {
		t.Errorf("a partition that does not exist: %v, want exit code 2", err)
	}
	if err := runAudit(t.Context(), auditFlags{config: config, since: "2030-01-01T00:00:00Z"}, &out, &progress); err != nil {
		t.Errorf("an audit of the future: %v", err)
	}
}

// checkHistory has a partition's last tick say that history is being read: what that
// puts off is not compared, and the audit says so.
func (r *auditRig) checkHistory(config string) {
	t := r.t
	var encoder schemas.Encoder
	r.put(schemas.EventsTopic, 1, encoder.Append(nil, &schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: r.now.Load(), History: true}}))
	stop := r.run()
	r.drained(t.Context())
	stop()
	var out, progress bytes.Buffer
	err := runAudit(t.Context(), auditFlags{config: config, json: true}, &out, &progress)
	var report auditReport
	if code := exitCodeOf(err); code != 2 || json.Unmarshal(out.Bytes(), &report) != nil {
		t.Fatalf("exit code %d, want 2: %s", code, out.String())
	}
	var unchecked []string
	for _, c := range report.Checks {
		if strings.Contains(c.Error, "history is being read") && strings.Contains(progress.String(), c.Check+" could not be checked: history") {
			unchecked = append(unchecked, c.Guarantee+" "+c.Check)
		} else if c.Error != "" {
			t.Errorf("%s: %s", c.Check, c.Error)
		}
	}
	want := []string{"P2 facts of parcels", "P2 facts of orders", "P4 silence", "P4 missing milestones", "P4 deadlines of parcels", "P4 unconfirmed orders"}
	if !slices.Equal(unchecked, want) || len(report.Violations) > 0 {
		t.Errorf("could not be checked: %q, want %q; violations %+v", unchecked, want, report.Violations)
	}
}

func exitCodeOf(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 0
}

// TestAuditReplaysFromASnapshot deletes the beginning of the log, as retention
// does, between two runs of the service.
func TestAuditReplaysFromASnapshot(t *testing.T) {
	r := &auditRig{rig: newRig(t)}
	r.topic("yunexpress")
	var covered kadm.Offsets
	for run := range 2 {
		stop := r.run()
		for i := range 30 {
			r.send("yunexpress", auditRecord(i+20*run, 80, 20-run))
		}
		r.settle()
		stop() // it snapshots
		if run == 0 {
			commits, err := kadm.NewClient(r.producer).FetchOffsets(t.Context(), schemas.DetectorGroup)
			if err != nil {
				t.Fatal(err)
			}
			covered = commits.Offsets()
		}
	}
	covered.AddOffset(schemas.RawTopicPrefix+"yunexpress", 0, 40, -1)
	if _, err := kadm.NewClient(r.producer).DeleteRecords(t.Context(), covered); err != nil {
		t.Fatal(err)
	}
	report := r.audit(0)
	if !report.Holds {
		t.Errorf("the audit of a sound pipeline: %+v", report.Violations)
	}
	from, records := 0, int64(0)
	for _, c := range report.Checks {
		if c.Guarantee == "P3" {
			records += c.Compared
			from += strings.Count(strings.Join(c.Notes, "\n"), "replayed from the snapshot at")
		}
	}
	if from != 3 || records < 60 {
		t.Errorf("%d partitions were replayed from a snapshot, %d records; want 3 and at least 60", from, records)
	}
	r.exec("ALTER TABLE parcels DELETE WHERE tracking_number = 'YT2632100000099045' SETTINGS mutations_sync = 2")
	if w := (found{"P3", "replay", "YT2632100000099045", "no row"}); !w.in(r.audit(0)) {
		t.Errorf("not found: %+v", w)
	}
}

// transaction writes records in one, which leaves an offset without a record.
func (r *auditRig) transaction(topic string, partition int32, values ...[]byte) {
	r.t.Helper()
	client, err := kgo.NewClient(append(r.kafka, kgo.TransactionalID("carrier"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		r.t.Fatal(err)
	}
	for _, v := range values {
		if err := client.ProduceSync(r.t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: v}).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := client.EndTransaction(r.t.Context(), kgo.TryCommit); err != nil {
		r.t.Fatal(err)
	}
}

// TestAuditOfEveryCarrier audits what the fixtures of all mappings become, sent
// twice: linked numbers, withdrawn events, dead letters, copies.
func TestAuditOfEveryCarrier(t *testing.T) {
	r := &auditRig{rig: newRig(t)}
	all := payloads(t, filepath.Join("..", "..", "ingest", "carriers", "testdata"))
	topics := map[string]bool{}
	for _, p := range append(all, all...) {
		if !topics[p.carrier] {
			r.topic(p.carrier)
			topics[p.carrier] = true
		}
		r.send(p.carrier, p.raw)
	}
	r.transaction(schemas.RawTopicPrefix+"yunexpress", 0, auditRecord(1, 80, 20), auditRecord(2, 80, 20)) // its marker is the topic's end
	r.start()
	r.settle()
	r.settle()
	report := r.audit(20 * time.Second)
	if !report.Holds {
		t.Errorf("the audit of a sound pipeline: %+v", report.Violations)
	}
	var out bytes.Buffer
	if err := report.writeText(&out); err != nil || !strings.Contains(out.String(), "1 offsets hold no record in the topic itself") {
		t.Errorf("the marker of a transaction is not named (%v): %s", err, out.String())
	}
	if n := one[uint64](r.rig, "SELECT count() FROM aliases"); n == 0 {
		t.Error("no linked numbers among the fixtures")
	}
}

func TestAuditRefusesWhatItCannotDo(t *testing.T) {
	for name, f := range map[string]auditFlags{
		"no such file":        {config: filepath.Join(t.TempDir(), "none.yaml")},
		"no partition":        {replay: "first"},
		"no time":             {since: "yesterday"},
		"embedded, no data":   {embedded: true},
		"embedded, empty dir": {embedded: true, data: t.TempDir()},
	} {
		if err := runAudit(t.Context(), f, io.Discard, io.Discard); exitCodeOf(err) != 2 || !strings.Contains(err.Error(), "could not check") {
			t.Errorf("%s: %v, want exit code 2", name, err)
		}
	}
}

func TestOverlapOfSpans(t *testing.T) {
	spans := []span{{2, 4}, {4, 6}, {10, 10}, {12, 20}}
	for _, c := range []struct{ first, last, want int64 }{{0, 30, 15}, {2, 6, 5}, {5, 12, 4}, {7, 9, 0}, {13, 14, 2}} {
		if got := overlap(spans, c.first, c.last); got != c.want {
			t.Errorf("overlap with %d to %d is %d, want %d", c.first, c.last, got, c.want)
		}
	}
	if !covers(spans, 2, 6) || covers(spans, 2, 7) {
		t.Error("2 to 6 are covered, 2 to 7 are not")
	}
}
