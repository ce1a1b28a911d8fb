package sink

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"scantrail/schemas"
)

var receivedAt = time.Date(2026, 10, 30, 12, 0, 0, 0, time.UTC).UnixMilli()

// event returns the record of the i-th scan of the test.
func event(i int) schemas.Record {
	number := fmt.Sprintf("LX%09dCN", i%50)
	return schemas.Record{Kind: schemas.KindEvent, Event: schemas.Event{
		ParcelID: schemas.ParcelID(number), FactID: schemas.Hash(fmt.Appendf(nil, "fact %d", i)),
		Carrier: "yunexpress", TrackingNumber: number, OccurredAt: receivedAt - 36e5, OccurredAtRaw: "2026-10-30T19:00:00",
		OffsetMinutes: 480, TZSource: schemas.TZExplicitOffset, Milestone: schemas.Accepted, Physical: true, Progress: true,
		Rule: "code:PU", RawCode: "PU", RawText: "Picked up", Country: "CN", City: "SHENZHEN", OriginCountry: "CN", DestinationCountry: "US",
		Topic: "scans.raw.yunexpress", TopicID: schemas.ID{7}, Partition: 1, Offset: int64(i), ReceivedAt: receivedAt + int64(i), MappingVersion: 3,
		EventID: "e1", NumberCheck: schemas.NumberValid,
	}}
}

func encode(records ...schemas.Record) [][]byte {
	var e schemas.Encoder
	var values [][]byte
	for i := range records {
		values = append(values, e.Append(nil, &records[i]))
	}
	return values
}

func tick(at int64) schemas.Record {
	return schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at}}
}

// label is a fact of an order with all that a fact can say.
func label() schemas.OrderFact {
	return schemas.OrderFact{FactID: schemas.ID{8}, OrderID: "SO-1", ShopID: "shop", Market: "US", Kind: schemas.OrderLabelCreated, At: receivedAt - 1000,
		Carrier: "yunexpress", TrackingNumbers: []string{"LX000000000CN", "LX000000001CN"}, LabelSource: "platform", OriginCountry: "CN",
		DestinationCountry: "US", DestinationPostcode: "90001", PromiseAt: receivedAt + 7*864e5, Accepted: true, Topic: schemas.OrdersTopic,
		TopicID: schemas.ID{6}, Partition: 4, Offset: 5, ReceivedAt: receivedAt, Backfill: true}
}

// records returns one of each kind that the detector or a feed writes, and a
// copy of two kinds, of which only the ledger tells.
func records() []schemas.Record {
	void := schemas.Void{FactID: schemas.ID{5}, EventFactID: event(1).Event.FactID, EventID: "e1", TrackingNumber: "LX000000001CN",
		Carrier: "yunexpress", At: receivedAt, ReceivedAt: receivedAt + 1}
	return []schemas.Record{
		{Kind: schemas.KindVoid, Void: void},
		{Kind: schemas.KindVoid, Void: void, Forwarded: true, Home: "LX000000000CN"},
		{Kind: schemas.KindOrder, Order: label(), Forwarded: true, Home: "LX000000000CN"},
		{Kind: schemas.KindHandover, Handover: schemas.Handover{TrackingNumber: "LX000000001CN", Alerts: []schemas.HandedAlert{{Family: 1}}}},
		{Kind: schemas.KindRebuild, Rebuild: schemas.Rebuild{EntityID: schemas.ID{4}, State: []byte("state")}},
		{Kind: schemas.KindFeed, Feed: schemas.Feed{Carrier: "yunexpress", Topic: "scans.raw.yunexpress", First: receivedAt + 1000, Last: receivedAt + 59_000, Events: 7, MaxLag: 36e5, LagHours: 2}},
	}
}

func TestSinkEndToEnd(t *testing.T) {
	k, conn := startKafka(t, 2), migrated(t)
	november := event(3)
	november.Event.ReceivedAt = receivedAt + 10*864e5
	copied := event(4)
	copied.Forwarded = true
	k.put(schemas.EventsTopic, 0, encode(tick(receivedAt), event(0), event(1), november, copied,
		schemas.Record{Kind: schemas.KindOrder, Order: label()},
		schemas.Record{Kind: schemas.KindAlias, Alias: schemas.Alias{TrackingNumber: "LX000000000CN", OtherNumber: "YT1000000001", Carrier: "yunexpress"}},
		schemas.Record{Kind: schemas.KindRange, Range: schemas.Range{Topic: "scans.raw.yunexpress", TopicID: schemas.ID{7}, Partition: 1, Last: 3, Records: 4, Events: 3, Empty: 1}},
		schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: schemas.DefaultPolicy(), Generation: 2, Detector: 3}})...)
	k.put(schemas.EventsTopic, 0, []byte("\x0f\xff\xff"), nil)
	k.put(schemas.EventsTopic, 0, encode(records()...)...)
	k.put(schemas.EventsTopic, 1, encode(event(5), tick(receivedAt+5000))...)
	alert := schemas.Alert{AlertID: schemas.ID{1}, Home: schemas.ID{2}, Version: 5, Rule: schemas.RuleGap48h, Status: schemas.AlertOpen, Level: 1,
		TrackingNumber: "LX000000000CN", AnchorAt: receivedAt - 48*36e5, OpenedAt: receivedAt, ChangedAt: receivedAt,
		Detail: "a case", Cause: "feed", SilentSecs: 48 * 3600, Held: true, Uncertain: true, Policy: "default"}
	resolved := alert
	resolved.Version, resolved.Status, resolved.EndedAt = 9, schemas.AlertResolved, receivedAt
	k.put(schemas.AlertsTopic, 0, schemas.AppendAlertJSON(nil, &resolved), schemas.AppendAlertJSON(nil, &alert), []byte("{}"))
	dead := schemas.DeadLetter{Reason: "not_json", Carrier: "yunexpress", EventIndex: -1, Topic: "scans.raw.yunexpress",
		TopicID: schemas.ID{7}, Partition: 1, Offset: 3, ReceivedAt: receivedAt, Raw: []byte(strings.Repeat("\xff", deadLetterBytes+1))}
	record := &kgo.Record{Topic: schemas.DeadLettersTopic, Value: dead.Raw}
	for _, h := range dead.Headers() {
		record.Headers = append(record.Headers, kgo.RecordHeader(h))
	}
	if err := k.client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}

	registry := prometheus.NewRegistry()
	cfg := k.config(conn)
	cfg.Metrics = registry
	stop := start(t, cfg)
	k.waitCommitted(schemas.EventsTopic, 0, 17)
	k.waitCommitted(schemas.EventsTopic, 1, 2)
	k.waitCommitted(schemas.AlertsTopic, 0, 3)
	k.waitCommitted(schemas.DeadLettersTopic, 0, 1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	for query, want := range map[string]string{
		"SELECT toString(groupArray((partition, offset, toString(received_at), milestone, milestone_no, tz_source, source_offset))) FROM (SELECT * FROM scans FINAL ORDER BY partition, offset)": "[(0,1,'2026-10-30 12:00:00.000','accepted',20,'explicit_offset',0),(0,2,'2026-10-30 12:00:00.001','accepted',20,'explicit_offset',1)," +
			"(0,3,'2026-11-09 12:00:00.000','accepted',20,'explicit_offset',3),(1,0,'2026-10-30 12:00:00.005','accepted',20,'explicit_offset',5)]",
		"SELECT toString(groupUniqArray((event_id, raw_text, occurred_at_raw))) FROM scan_texts FINAL":                                                                                                                                                            "[('e1','Picked up','2026-10-30T19:00:00')]",
		"SELECT toString(groupArray((tracking_number, other_number, version))) FROM aliases FINAL":                                                                                                                                                                "[('LX000000000CN','YT1000000001',6)]",
		"SELECT toString(groupArray((topic, partition, bucket, last_offset, records, events, dead_letters, empty))) FROM ranges FINAL":                                                                                                                            "[('scans.raw.yunexpress',1,0,3,4,3,0,1)]",
		"SELECT toString(groupArray((reason, partition, offset, event_index, length(raw), raw_bytes))) FROM dead_letters FINAL":                                                                                                                                   fmt.Sprintf("[('not_json',1,3,-1,%d,%d)]", deadLetterBytes, deadLetterBytes+1),
		"SELECT toString(groupArray((status, version, toString(ended_at)))) FROM alerts_current":                                                                                                                                                                  "[('resolved',9,'2026-10-30 12:00:00.000')]",
		"SELECT toString(groupArray((detail, cause, silent_secs, held, uncertain, policy))) FROM alerts_current":                                                                                                                                                  "[('a case','feed',172800,true,true,'default')]",
		"SELECT toString(groupArray((status, version))) FROM (SELECT * FROM alert_transitions FINAL ORDER BY version)":                                                                                                                                            "[('open',5),('resolved',9)]",
		"SELECT toString(groupArray((topic, partition, first_offset, last_offset, kind))) FROM (SELECT * FROM data_gaps FINAL ORDER BY topic)":                                                                                                                    "[('parcel.alerts',0,2,2,'undecodable'),('parcel.events',0,9,9,'undecodable')]",
		"SELECT toString(groupArray((partition, bucket, last_offset, records, scans, orders, aliases, ticks, ranges, controls, voids, handovers, rebuilds, feeds, forwarded, unknown, undecodable, holes))) FROM (SELECT * FROM blocks FINAL ORDER BY partition)": "[(0,0,16,17,3,1,1,1,1,1,1,1,1,1,3,1,1,0),(1,0,1,2,1,0,0,1,0,0,0,0,0,0,0,0,0,0)]",
		"SELECT toString(groupArray((partition, offset, event_fact_id, fact_id, event_id, tracking_number, carrier, toString(at), toString(received_at)))) FROM voids FINAL": "[(0,11,'" + event(1).Event.FactID.String() +
			"','05000000-0000-0000-0000-000000000000','e1','LX000000001CN','yunexpress','2026-10-30 12:00:00.000','2026-10-30 12:00:00.001')]",
		"SELECT toString(groupArray(tuple(*))) FROM (SELECT * EXCEPT (fact_id, source_topic_id) FROM order_facts FINAL)":                                                  "[(0,5,'shop','SO-1','US','label_created','2026-10-30 11:59:59.000','yunexpress',['LX000000000CN','LX000000001CN'],'platform','CN','US','90001','2026-11-06 12:00:00.000',NULL,true,'2026-10-30 12:00:00.000',true,'orders',4,5)]",
		"SELECT toString(groupArray((fact_id, source_topic_id))) FROM order_facts FINAL":                                                                                  "[('08000000-0000-0000-0000-000000000000','06000000-0000-0000-0000-000000000000')]",
		"SELECT toString(groupArray((number, policy))) FROM (SELECT * FROM policy_scores FINAL ORDER BY policy)":                                                          "[(1,'articles-local'),(1,'articles-uk'),(1,'default')]",
		"SELECT toString(groupArray((number, partition, offset, generation, detector, length(document)))) FROM policies FINAL":                                            fmt.Sprintf("[(1,0,8,2,3,%d)]", len(schemas.DefaultPolicy())),
		"SELECT toString(groupArray(tuple(*))) FROM feed_minutes FINAL":                                                                                                   "[('yunexpress','scans.raw.yunexpress','2026-10-30 12:00:00',0,16,'2026-10-30 12:00:01.000','2026-10-30 12:00:59.000',7,3600000,2)]",
		"SELECT toString(groupArray((tracking_number, number_check, void))) FROM (SELECT * FROM parcel_trail ORDER BY partition, offset)":                                 "[('LX000000000CN','valid',0),('LX000000001CN','valid',1),('LX000000003CN','valid',0),('LX000000005CN','valid',0)]",
		"SELECT toString(groupArray((tracking_number, carrier, toString(effective_at), number_check, copies))) FROM (SELECT * FROM scans_valid ORDER BY tracking_number)": "[('LX000000000CN','yunexpress','2026-10-30 11:00:00.000','valid',1),('LX000000003CN','yunexpress','2026-10-30 11:00:00.000','valid',1),('LX000000005CN','yunexpress','2026-10-30 11:00:00.000','valid',1)]",
		"SELECT toString(clock) FROM log_clock":      "2026-10-30 12:00:00.000",
		"SELECT toString(count()) FROM audit_blocks": "0",
		"SELECT toString(count()) FROM parcel_trail WHERE tracking_number = 'LX000000005CN' AND raw_text = 'Picked up'": "1",
		"SELECT toString((carrier, scans_28d, dead_letters_28d, lag_p50_secs)) FROM feed_health":                        "('yunexpress',4,1,3600)",
	} {
		if got := one[string](t, conn, query); got != want {
			t.Errorf("%s\n is %s\nwant %s", query, got, want)
		}
	}
	if n := series(t, registry, "scantrail_sink_rows_total"); n < 8 {
		t.Errorf("%d tables in scantrail_sink_rows_total, want at least 8", n)
	}
}

// series returns the number of series of a metric.
func series(t *testing.T, r *prometheus.Registry, name string) int {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return len(f.GetMetric())
		}
	}
	return 0
}

// checkExact fails unless the first n records of partition 0, of which every
// third is a tick, are in ClickHouse exactly once, and the ledger chains.
func checkExact(t *testing.T, conn driver.Conn, n int) {
	t.Helper()
	want := uint64(n - (n+2)/3)
	for _, query := range []string{
		"SELECT count() FROM scans FINAL",
		"SELECT uniqExact(fact_id) FROM scans",
		"SELECT uniqExact(source_topic_id, source_partition, source_offset, event_index) FROM scans FINAL",
		"SELECT sum(scans) FROM blocks FINAL",
	} {
		if got := one[uint64](t, conn, query); got != want {
			t.Errorf("%s is %d, want %d", query, got, want)
		}
	}
	if got := one[uint64](t, conn, "SELECT sum(records) FROM blocks FINAL"); got != uint64(n) {
		t.Errorf("ledger holds %d records, want %d", got, n)
	}
	if got := one[uint64](t, conn, "SELECT max(last_offset) FROM blocks FINAL"); got != uint64(n-1) {
		t.Errorf("ledger ends at %d, want %d", got, n-1)
	}
	if got := one[string](t, conn, "SELECT toString(groupArray(tuple(*))) FROM audit_blocks"); got != "[]" {
		t.Errorf("audit_blocks: %s", got)
	}
}

// mixed returns n records from the i-th on, every third of them a tick.
func mixed(i, n int) [][]byte {
	var e schemas.Encoder
	values := make([][]byte, n)
	for j := range values {
		r := event(i + j)
		if (i+j)%3 == 0 {
			r = tick(receivedAt + int64(i+j))
		}
		values[j] = e.Append(nil, &r)
	}
	return values
}

func TestSinkCrashBeforeCommit(t *testing.T) {
	k, conn := startKafka(t, 1), migrated(t)
	k.put(schemas.EventsTopic, 0, mixed(0, 30_000)...)
	stop := start(t, k.config(conn))
	k.waitCommitted(schemas.EventsTopic, 0, 30_000)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// Rows are written, and the process is gone before its offsets are.
	fault := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	k.put(schemas.EventsTopic, 0, mixed(30_000, 50_000)...)
	registry := prometheus.NewRegistry()
	cfg := k.config(conn)
	cfg.Metrics, cfg.ShutdownTimeout = registry, 50*time.Millisecond
	stop = start(t, cfg)
	every(t, "all rows are written", func() bool {
		return one[uint64](t, conn, "SELECT max(last_offset) FROM blocks") == 79_999
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if at := k.committed(schemas.EventsTopic, 0).At; at != 30_000 {
		t.Fatalf("committed %d in spite of the fault, want 30000", at)
	}
	fault.Remove()
	k.put(schemas.EventsTopic, 0, mixed(80_000, 60_000)...)
	stop = start(t, k.config(conn))
	k.waitCommitted(schemas.EventsTopic, 0, 140_000)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	checkExact(t, conn, 140_000)
}

func TestSinkWithoutMetadata(t *testing.T) {
	k, conn := startKafka(t, 1), migrated(t)
	k.put(schemas.EventsTopic, 0, mixed(0, 70_000)...)
	stop := start(t, k.config(conn))
	k.waitCommitted(schemas.EventsTopic, 0, 70_000)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// As after a tool that sets a group's offsets: the text is gone.
	var offsets kadm.Offsets
	offsets.AddOffset(schemas.EventsTopic, 0, 68_000, -1)
	if err := k.adm.CommitAllOffsets(t.Context(), schemas.SinkGroup, offsets); err != nil {
		t.Fatal(err)
	}
	k.put(schemas.EventsTopic, 0, mixed(70_000, 10)...)
	stop = start(t, k.config(conn))
	k.waitCommitted(schemas.EventsTopic, 0, 70_010)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	checkExact(t, conn, 70_010)
}

func TestSinkRebalance(t *testing.T) {
	k, conn := startKafka(t, 1), migrated(t)
	var stops []func() error
	for i := range 6 { // one more member each time, and the oldest one leaves
		stops = append(stops, start(t, k.config(conn)))
		k.put(schemas.EventsTopic, 0, mixed(i*15_000, 15_000)...)
		if i > 0 {
			if err := stops[i-1](); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.waitCommitted(schemas.EventsTopic, 0, 90_000)
	checkExact(t, conn, 90_000)
}
