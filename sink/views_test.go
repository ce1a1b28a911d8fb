package sink

import (
	"cmp"
	"context"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
)

// setClock makes the log's clock of a partition known, as a tick does.
func setClock(t *testing.T, conn driver.Conn, partition int32, at int64) {
	t.Helper()
	b := newLedgerBlock()
	l := &ledger{next: 1, tickAt: at}
	l.counts[ticks] = 1
	b.add(partition, l)
	if err := b.insert(context.Background(), conn, &proto.Buffer{}); err != nil {
		t.Fatal(err)
	}
}

// scoreParcels is a small world seen at 10-20 00:00, worked out by hand.
func scoreParcels(t *testing.T) []schemas.ParcelRow {
	at := func(s string) int64 { return ms(t, s) }
	rows := []schemas.ParcelRow{
		{ // all is well: completeness 100
			TrackingNumber: "LX000000001CN", ShopID: "A", OrderedAt: at("10-05 08:00"), ConfirmedAt: at("10-05 10:00"), PromiseAt: at("10-12 08:00"),
			OpenedAt: at("10-06 10:00"), AcceptedAt: at("10-06 10:00"), DeliveredAt: at("10-11 10:00"), EndedAt: at("10-11 10:00"),
			EndMilestone: schemas.Delivered, Required: 7, Due: 7, Observed: 7,
		},
		{ // picked up after exactly 72 h; delivered 25 h after the promise; one of three milestones missing;
			// silent for 24 h beyond 48 h in a life of 121 h: 60 x 2/3 + 40 x (1 - 24/121) = 72.0661
			TrackingNumber: "LX000000002CN", ShopID: "A", OrderedAt: at("10-06 08:00"), ConfirmedAt: at("10-06 08:00"), PromiseAt: at("10-13 08:00"),
			OpenedAt: at("10-06 09:00"), LabelAt: at("10-06 09:00"), AcceptedAt: at("10-09 08:00"), DeliveredAt: at("10-14 09:00"), EndedAt: at("10-14 09:00"),
			EndMilestone: schemas.Delivered, Required: 7, Due: 7, Observed: 5, SilentSecs: 24 * 3600, Gaps48h: 1, Gaps72h: 1,
		},
		{ // promise not passed, not ended: not mature
			TrackingNumber: "LX000000003CN", ShopID: "A", OrderedAt: at("10-07 00:00"), ConfirmedAt: at("10-07 00:00"), PromiseAt: at("10-25 00:00"),
			OpenedAt: at("10-07 00:00"), LastProgressAt: at("10-19 00:00"),
		},
		{ // cancelled: counts nowhere
			TrackingNumber: "LX000000004CN", ShopID: "A", OrderedAt: at("10-07 00:00"), CancelledAt: at("10-08 00:00"), PromiseAt: at("10-10 00:00"),
			OpenedAt: at("10-07 00:00"), LastProgressAt: at("10-07 00:00"),
		},
		{ // without an order; its week is that of its first fact
			TrackingNumber: "LX000000005CN", ShopID: "A", OpenedAt: at("10-08 10:00"), AcceptedAt: at("10-08 10:00"), LastProgressAt: at("10-18 12:00"),
		},
		{ // picked up a minute late; promise and 24 h passed, not delivered; silent for 60 h; an exception
			TrackingNumber: "LX000000006CN", ShopID: "A", OrderedAt: at("10-08 00:00"), ConfirmedAt: at("10-08 00:00"), PromiseAt: at("10-15 00:00"),
			OpenedAt: at("10-11 00:01"), AcceptedAt: at("10-11 00:01"), LastProgressAt: at("10-17 12:00"), Stage: schemas.ExportCleared,
			Required: 7, Due: 3, Observed: 3, Gaps48h: 1, Exceptions: 1,
		},
		{ // nothing due, no promise, no order: only completeness and exceptions count
			TrackingNumber: "LX000000007CN", ShopID: "B", OpenedAt: at("10-12 05:00"), DeliveredAt: at("10-13 05:00"), EndedAt: at("10-13 05:00"),
			EndMilestone: schemas.Delivered,
		},
	}
	for i := range rows {
		r := &rows[i]
		r.ParcelID, r.Version, r.Market, r.Origin, r.Destination = schemas.ParcelID(r.TrackingNumber), 1, "US", "CN", "US"
		r.LastCarrier, r.Policy, r.ProgressFacts = "usps", "default", 5
		if r.LastProgressAt == 0 {
			r.LastProgressAt = r.EndedAt
		}
		if r.FirstProgressAt = r.AcceptedAt; r.FirstProgressAt == 0 {
			r.FirstProgressAt = r.OpenedAt
		}
		judgeByDefault(r)
	}
	return rows
}

// judgeByDefault fills in what the detector finds of the row under the default
// policy: 24 h after the promise, 72 h after the confirmation, 30 days.
func judgeByDefault(r *schemas.ParcelRow) {
	const hour = 3600_000
	r.PolicyNumber, r.FirstPhysicalAt, r.ScoredDue, r.ScoredGaps72h = 1, r.AcceptedAt, r.Due, r.Gaps72h
	r.CohortDay, r.MaturesAt = uint16(cmp.Or(r.OrderedAt, r.OpenedAt)/(24*hour)), r.OpenedAt+30*24*hour
	if r.PromiseAt != 0 {
		r.PromisedAt, r.DeliverBy, r.MaturesAt = r.PromiseAt, r.PromiseAt+24*hour, r.PromiseAt+24*hour
	}
	if r.ConfirmedAt != 0 {
		r.PickupBy = r.ConfirmedAt + 72*hour
	}
	if r.EndedAt == 0 && r.LastProgressAt != 0 {
		r.SilentFrom = r.LastProgressAt + 48*hour
	}
}

// usePolicies makes a policy document known as a control record of this number.
func usePolicies(t *testing.T, conn driver.Conn, number uint32, document string) {
	t.Helper()
	b := newPolicyScoreBlock()
	b.add(&schemas.Control{Number: number, Policy: document})
	if err := b.insert(context.Background(), conn, &proto.Buffer{}); err != nil {
		t.Fatal(err)
	}
}

func TestScoreViews(t *testing.T) {
	conn := migrated(t)
	if err := NewRows(conn).InsertParcels(t.Context(), scoreParcels(t)); err != nil {
		t.Fatal(err)
	}
	usePolicies(t, conn, 1, schemas.DefaultPolicy())
	setClock(t, conn, 0, ms(t, "10-20 00:00"))
	setClock(t, conn, 1, ms(t, "10-20 09:00")) // the slowest partition's clock counts
	for query, want := range map[string]string{
		"SELECT toString(clock) FROM log_clock": "2026-10-20 00:00:00.000",

		`SELECT toString(groupArray((tracking_number, mature, counted, due_milestones, observed_milestones, life_secs, round(completeness, 4))))
			FROM (SELECT * FROM completeness_parcel ORDER BY tracking_number)`: "[('LX000000001CN',1,1,3,3,432000,100),('LX000000002CN',1,1,3,2,435600,72.0661)," +
			"('LX000000003CN',0,0,0,0,1036800,100),('LX000000004CN',1,0,0,0,345600,80),('LX000000005CN',0,0,0,0,871200,100)," +
			"('LX000000006CN',1,1,2,2,561540,100),('LX000000007CN',1,1,0,0,86400,100)]",

		// 100 + 72.0661 + 100 over 3
		`SELECT toString(groupArray((shop_id, week, parcels, counted_parcels, due_milestones, observed_milestones, round(completeness_sum, 4), round(completeness, 4))))
			FROM (SELECT * FROM completeness_shop ORDER BY shop_id)`: "[('A','2026-10-05',6,3,8,7,272.0661,90.6887),('B','2026-10-12',1,1,0,0,100,100)]",
		"SELECT toString(groupArray((carrier, week, counted_parcels))) FROM (SELECT * FROM completeness_carrier ORDER BY week)":          "[('usps','2026-10-05',3),('usps','2026-10-12',1)]",
		"SELECT toString(groupArray((origin, destination, week, counted_parcels))) FROM (SELECT * FROM completeness_lane ORDER BY week)": "[('CN','US','2026-10-05',3),('CN','US','2026-10-12',1)]",

		"SELECT toString(groupArray((shop_id, week, parcels, promised_parcels, late_parcels, round(late_rate, 4)))) FROM (SELECT * FROM late_fulfilment ORDER BY shop_id)": "[('A','2026-10-05',6,3,2,0.6667),('B','2026-10-12',1,0,0,NULL)]",

		// A: 40 x 1/3 + 30 x 0.906887 + 20 x 2/3 + 10 x 1/3 = 57.2066; B: (30 x 1 + 10 x 1) of 40
		`SELECT toString(groupArray((shop_id, week, counted_parcels, promised_parcels, on_time_parcels, pickup_due_parcels, pickup_on_time_parcels, exception_free_parcels, weight, round(lts, 4), policies)))
			FROM (SELECT * FROM lts_weekly ORDER BY shop_id)`: "[('A','2026-10-05',3,3,1,3,2,1,100,57.2066,['default']),('B','2026-10-12',1,0,0,0,0,1,40,100,['default'])]",

		"SELECT toString(groupArray((tracking_number, stage, hours_silent, level))) FROM stalled_now": "[('LX000000006CN','export_cleared',60,1)]",
	} {
		if got := one[string](t, conn, query); got != want {
			t.Errorf("%s\n is %s\nwant %s", query, got, want)
		}
	}
}

// Without a tick nothing is known about time, and nothing is late.
func TestScoreViewsWithoutClock(t *testing.T) {
	conn := migrated(t)
	if err := NewRows(conn).InsertParcels(t.Context(), scoreParcels(t)); err != nil {
		t.Fatal(err)
	}
	usePolicies(t, conn, 1, schemas.DefaultPolicy())
	got := one[string](t, conn, "SELECT toString(groupArray((shop_id, counted_parcels))) FROM (SELECT * FROM lts_weekly ORDER BY shop_id)")
	if want := "[('A',2),('B',1)]"; got != want {
		t.Errorf("counted are %s, want those that ended: %s", got, want)
	}
	if n := one[uint64](t, conn, "SELECT count() FROM stalled_now"); n != 0 {
		t.Errorf("%d stalled, want none", n)
	}
}

func TestOpenAlerts(t *testing.T) {
	conn := migrated(t)
	setClock(t, conn, 0, ms(t, "10-20 00:00"))
	alert := func(id, home byte, version uint64, status schemas.AlertStatus) schemas.Alert {
		return schemas.Alert{AlertID: schemas.ID{id}, Home: schemas.ID{home}, Version: version, Status: status, Rule: schemas.RuleGap48h,
			AnchorAt: ms(t, "10-17 12:00"), OpenedAt: ms(t, "10-19 12:00"), ChangedAt: ms(t, "10-19 12:00")}
	}
	alerts, transitions := newAlertBlock("alerts"), newAlertBlock("alert_transitions")
	for _, a := range []schemas.Alert{
		alert(1, 9, 5, schemas.AlertAtRisk), alert(1, 9, 6, schemas.AlertOpen), // open
		alert(2, 9, 5, schemas.AlertOpen), alert(2, 9, 6, schemas.AlertWithdrawn), // withdrawn
		alert(3, 9, 900, schemas.AlertOpen), alert(3, 1, 7, schemas.AlertResolved), // resolved in its smaller home, whatever the versions
		alert(4, 9, 5, schemas.AlertEscalated),
	} {
		alerts.add(&a)
		transitions.add(&a)
	}
	for _, b := range []*alertBlock{alerts, transitions} {
		if err := b.insert(t.Context(), conn, &proto.Buffer{}); err != nil {
			t.Fatal(err)
		}
	}
	got := one[string](t, conn, "SELECT toString(groupArray((substring(toString(alert_id), 1, 2), status, hours_since_anchor))) FROM (SELECT * FROM open_alerts ORDER BY toString(alert_id))")
	if want := "[('01','open',60),('04','escalated',60)]"; got != want {
		t.Errorf("open_alerts is %s, want %s", got, want)
	}
	if n := one[uint64](t, conn, "SELECT count() FROM alert_transitions FINAL"); n != 7 {
		t.Errorf("%d transitions, want 7", n)
	}
}

// A fact counts once, however often it was sent: as its highest mapping version
// reads it, at the earliest time of these rows, and not at all once it is void.
func TestScansValid(t *testing.T) {
	conn := migrated(t)
	scans, void := newScanBlock(), newVoidBlock()
	offset := int64(0)
	add := func(fact byte, version uint32, milestone schemas.Milestone, occurred, received string, backfill bool) {
		scans.add(0, offset, &schemas.Event{FactID: schemas.ID{fact}, ParcelID: schemas.ID{9}, TrackingNumber: "LX000000001CN", MappingVersion: version,
			Milestone: milestone, OccurredAt: ms(t, occurred), ReceivedAt: ms(t, received), Backfill: backfill})
		offset++
	}
	add(1, 2, schemas.Accepted, "10-05 10:00", "10-05 11:00", true) // sent three times, once live
	add(1, 2, schemas.Accepted, "10-05 10:00", "10-05 12:00", false)
	add(1, 2, schemas.Accepted, "10-05 10:00", "10-05 13:00", true)
	add(2, 2, schemas.InTransit, "11-30 00:00", "10-06 09:00", false) // stated to lie in the future: at its first reception
	add(2, 2, schemas.InTransit, "11-30 00:00", "10-06 08:00", false)
	add(3, 3, schemas.Delivered, "10-07 11:00", "10-09 00:00", true) // read anew by a mapping that knows better
	add(3, 2, schemas.InTransit, "10-07 10:00", "10-08 00:00", false)
	add(4, 2, schemas.Accepted, "10-05 10:00", "10-05 11:00", false) // void
	add(4, 3, schemas.Accepted, "10-05 10:00", "10-05 12:00", false)
	void.add(0, offset, &schemas.Void{EventFactID: schemas.ID{4}, FactID: schemas.ID{5}})
	for _, b := range []*block{&scans.block, &scans.block, &void.block} { // one insert comes twice
		if err := b.insert(t.Context(), conn, &proto.Buffer{}); err != nil {
			t.Fatal(err)
		}
	}
	got := one[string](t, conn, `SELECT toString(groupArray((substring(toString(fact_id), 1, 2), milestone, formatDateTime(effective_at, '%d %H'), backfill, mapping_version, copies)))
		FROM (SELECT * FROM scans_valid WHERE parcel_id = '09000000-0000-0000-0000-000000000000' ORDER BY fact_id)`)
	if want := "[('01','accepted','05 10',false,2,3),('02','in_transit','06 08',false,2,2),('03','delivered','07 11',true,3,2)]"; got != want {
		t.Errorf("scans_valid is %s, want %s", got, want)
	}
}

func TestAuditBlocks(t *testing.T) {
	conn := migrated(t)
	b := newLedgerBlock()
	add := func(partition int32, bucket, next int64, scanned uint64) {
		l := &ledger{next: next}
		l.counts[scans] = scanned
		b.add(partition, l)
		if l.bucket() != bucket {
			t.Fatalf("ledger up to %d is of block %d, want %d", next, l.bucket(), bucket)
		}
	}
	const span = schemas.RangeSpan
	add(0, 0, span, span) // a good chain
	add(0, span, span+7, 7)
	add(1, 0, span, span) // a block is missing
	add(1, 2*span, 2*span+1, 1)
	add(2, 0, span-1, span-1) // not finished, but there is another
	add(2, span, span+1, 1)
	add(3, 0, 10, 9)                        // a record too few
	every := &ledger{next: int64(counters)} // one of each kind adds up
	for i := range every.counts {
		every.counts[i] = 1
	}
	b.add(4, every)
	if err := b.insert(t.Context(), conn, &proto.Buffer{}); err != nil {
		t.Fatal(err)
	}
	got := one[string](t, conn, "SELECT toString(groupArray((partition, bucket, problem))) FROM (SELECT * FROM audit_blocks ORDER BY partition)")
	want := "[(1,131072,'block before it is missing'),(2,65536,'block before it is not finished'),(3,0,'records + holes does not match the span')]"
	if got != want {
		t.Errorf("audit_blocks is %s, want %s", got, want)
	}
}

func TestAuditRanges(t *testing.T) {
	conn := migrated(t)
	const span = schemas.RangeSpan
	b := newRangeBlock()
	for _, r := range []schemas.Range{
		{TopicID: schemas.ID{1}, First: 0, Last: 9, Records: 10}, // an earlier row of the same range
		{TopicID: schemas.ID{1}, First: 0, Last: span - 1, Records: span},
		{TopicID: schemas.ID{1}, First: span, Last: span + 4, Records: 5},
		{TopicID: schemas.ID{2}, First: 2 * span, Last: 2*span + 1, Records: 2}, // the first one of a topic may begin anywhere
		{TopicID: schemas.ID{3}, First: 0, Last: span - 1, Records: span},
		{TopicID: schemas.ID{3}, First: 2 * span, Last: 2 * span, Records: 1},
		{TopicID: schemas.ID{4}, First: 0, Last: 1, Records: 3},
	} {
		b.add(&r)
	}
	if err := b.insert(t.Context(), conn, &proto.Buffer{}); err != nil {
		t.Fatal(err)
	}
	got := one[string](t, conn, "SELECT toString(groupArray((substring(toString(topic_id), 1, 2), bucket, problem))) FROM (SELECT * FROM audit_ranges ORDER BY toString(topic_id))")
	want := "[('03',131072,'range before it is missing'),('04',0,'more records than offsets')]"
	if got != want {
		t.Errorf("audit_ranges is %s, want %s", got, want)
	}
}
