package sink

import (
	"cmp"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
)

// measuredParcels is a small world seen at 10-20 00:00, worked out by hand. All
// orders are of the week of 10-05 but where a row says otherwise.
func measuredParcels(t *testing.T) []schemas.ParcelRow {
	at := func(s string) int64 { return ms(t, s) }
	rows := []schemas.ParcelRow{
		{ // all is well: scanned 23 h after confirmation, delivered 122 h after the order and 96 h after the scan
			TrackingNumber: "P1", OrderedAt: at("10-05 08:00"), ConfirmedAt: at("10-05 11:00"), PromiseAt: at("10-12 08:00"), LabelAt: at("10-05 12:00"),
			AcceptedAt: at("10-06 10:00"), ExportClearedAt: at("10-07 10:00"), ArrivedAt: at("10-08 10:00"), ImportClearedAt: at("10-08 12:00"),
			OutForDeliveryAt: at("10-10 06:00"), DeliveredAt: at("10-10 10:00"), Stage: schemas.Delivered, Required: 7, Due: 7, Observed: 7,
		},
		{ // scanned 72 h and a minute after confirmation; neither clearance nor van in the trail; a gap of more than 72 h
			TrackingNumber: "P2", OrderedAt: at("10-06 08:00"), ConfirmedAt: at("10-06 08:00"), PromiseAt: at("10-13 08:00"), LabelAt: at("10-06 09:00"),
			AcceptedAt: at("10-09 08:01"), ArrivedAt: at("10-13 00:00"), DeliveredAt: at("10-14 09:00"),
			Stage: schemas.Delivered, Required: 7, Due: 7, Observed: 2, Gaps48h: 1, Gaps72h: 1,
		},
		{ // within one country, to a locker: the van is excused, so nothing is due
			TrackingNumber: "P3", Origin: "US", OrderedAt: at("10-07 00:00"), ConfirmedAt: at("10-07 00:00"), PromiseAt: at("10-14 00:00"),
			AcceptedAt: at("10-07 10:00"), DeliveredAt: at("10-09 10:00"), Stage: schemas.Delivered, Required: 4, Gaps48h: 1,
		},
		{ // not mature, not scanned; confirmed exactly 24 h ago: the window of 24 h is not closed yet
			TrackingNumber: "P4", OrderedAt: at("10-10 00:00"), ConfirmedAt: at("10-19 00:00"), PromiseAt: at("10-25 00:00"), LabelAt: at("10-19 01:00"),
		},
		{ // cancelled
			TrackingNumber: "P5", OrderedAt: at("10-07 00:00"), ConfirmedAt: at("10-07 00:00"), CancelledAt: at("10-08 00:00"), PromiseAt: at("10-10 00:00"), LabelAt: at("10-07 01:00"),
		},
		{ // within the customs union; said to be on the van an hour after its delivery; its number is wrong
			TrackingNumber: "P6", Origin: "DE", Destination: "FR", OrderedAt: at("10-11 23:59"), ConfirmedAt: at("10-11 23:59"), PromiseAt: at("10-16 00:00"),
			AcceptedAt: at("10-12 10:00"), OutForDeliveryAt: at("10-13 11:00"), DeliveredAt: at("10-13 10:00"), Stage: schemas.Delivered, Required: 4, Due: 4, Observed: 4,
		},
		{ // an earlier life of a number that is wrong in a later one; of the week of 08-03
			TrackingNumber: "P7", OrderedAt: at("08-03 00:00"), PromiseAt: at("08-10 00:00"), LabelAt: at("08-03 00:00"),
			AcceptedAt: at("08-04 00:00"), DeliveredAt: at("08-06 00:00"), Stage: schemas.Delivered, Required: 4, Due: 4,
		},
		{ // a label alone, 80 h old: mature, and never scanned
			TrackingNumber: "P7", OpenedAt: at("10-08 00:00"), OrderedAt: at("10-08 00:00"), PromiseAt: at("10-15 00:00"), LabelAt: at("10-16 16:00"),
		},
		{ // without an order, on its way, silent since customs; of the week of 10-12, not mature
			TrackingNumber: "P8", ShopID: "-", OpenedAt: at("10-13 00:00"), AcceptedAt: at("10-13 00:00"), ExportClearedAt: at("10-14 00:00"),
			ArrivedAt: at("10-15 00:00"), LastProgressAt: at("10-16 00:00"), Stage: schemas.ImportCustomsHeld, Required: 7, Due: 3, Observed: 3, Gaps72h: 1, Gaps48h: 1,
		},
	}
	for i := range rows {
		finish(&rows[i])
	}
	return rows
}

// finish fills what is the same in all rows, or follows from the others.
func finish(r *schemas.ParcelRow) {
	r.ParcelID, r.Version, r.Life, r.Market, r.Policy = schemas.ParcelID(r.TrackingNumber), 1, 1, "US", "default"
	r.Origin, r.Destination = cmp.Or(r.Origin, "CN"), cmp.Or(r.Destination, "US")
	r.FirstPhysicalAt, r.FirstProgressAt, r.EndedAt = r.AcceptedAt, r.AcceptedAt, r.DeliveredAt
	r.LastProgressAt = cmp.Or(r.LastProgressAt, r.DeliveredAt)
	r.OpenedAt = cmp.Or(r.OpenedAt, r.LabelAt, r.AcceptedAt)
	if r.ShopID == "-" {
		r.ShopID = ""
	} else {
		r.ShopID, r.OrderID = "A", "SO-"+r.TrackingNumber
	}
	if r.AcceptedAt != 0 {
		r.Carriers, r.LastCarrier, r.ProgressFacts, r.LastMilestone = []string{"yunexpress", "usps"}, "usps", 5, r.Stage
	}
	r.PolicyNumber, r.CohortDay = 1, uint16(cmp.Or(r.OrderedAt, r.OpenedAt)/864e5)
	r.MaturesAt = r.OpenedAt + 30*864e5
	if r.PromiseAt != 0 {
		r.MaturesAt = r.PromiseAt + 864e5
	}
	if r.ConfirmedAt != 0 {
		r.PickupBy = r.ConfirmedAt + 3*864e5
	}
	if r.DeliveredAt != 0 {
		r.EndMilestone = schemas.Delivered
	}
}

// measuredAlerts are those of the same world.
func measuredAlerts(t *testing.T) []schemas.Alert {
	at := func(s string) int64 { return ms(t, s) }
	all := []schemas.Alert{
		{Rule: schemas.RuleGap72h, Status: schemas.AlertResolved, TrackingNumber: "P2", Stage: schemas.Accepted, Carrier: "yunexpress", AnchorAt: at("10-09 08:01")},
		{Rule: schemas.RuleGap72h, Status: schemas.AlertEscalated, TrackingNumber: "P8", Stage: schemas.ImportCustomsHeld, Carrier: "usps", AnchorAt: at("10-16 00:00"), Cause: schemas.CauseCustomsHold},
		{Rule: schemas.RuleGap48h, Status: schemas.AlertResolved, TrackingNumber: "P3", Origin: "US", Stage: schemas.Accepted, Carrier: "usps", AnchorAt: at("10-07 10:00")},
		{Rule: schemas.RuleGap48h, Status: schemas.AlertWithdrawn, TrackingNumber: "P1", Stage: schemas.Accepted, Carrier: "usps", AnchorAt: at("10-07 10:00")},
		{Rule: schemas.RuleNumberInvalid, Detail: "check", Status: schemas.AlertOpen, TrackingNumber: "P6", Origin: "DE", Destination: "FR", AnchorAt: at("10-12 10:00"), Cause: schemas.CauseNumberFormat, Carrier: "usps"},
		{Rule: schemas.RuleNumberInvalid, Detail: "reused", Status: schemas.AlertOpen, TrackingNumber: "P7", AnchorAt: at("10-08 00:00"), Cause: schemas.CauseNumberReused},
		{Rule: schemas.RuleNumberInvalid, Detail: "postcode", Status: schemas.AlertWithdrawn, TrackingNumber: "P1", AnchorAt: at("10-10 10:00")},
		{Rule: schemas.RuleFirstScanUploadLate, Status: schemas.AlertResolved, TrackingNumber: "P1", Carrier: "yunexpress", AnchorAt: at("10-06 10:00")},
	}
	for i := range all {
		a := &all[i]
		a.AlertID, a.ParcelID, a.Version, a.Level = schemas.ID{byte(i + 1)}, schemas.ParcelID(a.TrackingNumber), 1, 1
		a.Home, a.OpenedAt, a.ChangedAt = a.ParcelID, a.AnchorAt, a.AnchorAt
		a.Origin, a.Destination = cmp.Or(a.Origin, "CN"), cmp.Or(a.Destination, "US")
	}
	return all
}

func measuredWorld(t *testing.T) driver.Conn {
	t.Helper()
	conn := migrated(t)
	if err := NewRows(conn).InsertParcels(t.Context(), measuredParcels(t)); err != nil {
		t.Fatal(err)
	}
	if err := NewRows(conn).InsertPolicies(t.Context(), &schemas.Control{Number: 1, Policy: schemas.DefaultPolicy()}); err != nil {
		t.Fatal(err)
	}
	alerts := newAlertBlock("alerts")
	for _, a := range measuredAlerts(t) {
		alerts.add(&a)
	}
	scans := newScanBlock()
	for i := range 3 { // an hour, two and three late
		e := event(i).Event
		e.Carrier, e.OccurredAt, e.ReceivedAt = "usps", ms(t, "10-19 00:00"), ms(t, "10-19 01:00")+int64(i)*3_600_000
		scans.add(0, int64(i), &e)
	}
	for _, b := range []*block{&alerts.block, &scans.block} {
		if err := b.insert(t.Context(), conn, &proto.Buffer{}); err != nil {
			t.Fatal(err)
		}
	}
	setClock(t, conn, 0, ms(t, "10-20 00:00"))
	return conn
}

// check runs queries, each of which gives one text.
func check(t *testing.T, conn driver.Conn, wants map[string]string) {
	t.Helper()
	for query, want := range wants {
		var got string
		if err := conn.QueryRow(t.Context(), query).Scan(&got); err != nil {
			t.Errorf("%s\n%v", query, err)
		} else if got != want {
			t.Errorf("%s\n is %s\nwant %s", query, got, want)
		}
	}
}

func TestRateViews(t *testing.T) {
	conn := measuredWorld(t)
	const of = "SELECT arrayStringConcat(groupArray(toString((%))), ' ') FROM (SELECT * FROM @)"
	query := func(columns, from string) string {
		return strings.NewReplacer("%", columns, "@", from).Replace(of)
	}
	check(t, conn, map[string]string{
		query("shop_id, toString(week), parcels, counted_parcels", "rates_shop ORDER BY week, shop_id"):              "('A','2026-08-03',1,1) ('A','2026-10-05',7,5) ('','2026-10-12',1,0)",
		query("toString(day), parcels", "rates_shop_daily WHERE shop_id = 'A' AND week = '2026-10-05' ORDER BY day"): "('2026-10-05',1) ('2026-10-06',1) ('2026-10-07',2) ('2026-10-08',1) ('2026-10-10',1) ('2026-10-11',1)",

		// P1, P2 (late), P3, P6
		query("pickup_due_parcels, pickup_on_time_parcels, on_time_pickup_rate", "rates_shop WHERE week = '2026-10-05'"): "(4,3,0.75)",
		// P1 after 23 h, P2 after 72 h and a minute, P3 and P6 after 10 h; P4 is 24 h old, P7 80 h and never scanned.
		query("first_scan_due_12h_parcels, first_scan_in_12h_parcels, first_scan_due_24h_parcels, first_scan_in_24h_parcels, first_scan_due_48h_parcels, first_scan_due_72h_parcels, first_scan_in_72h_parcels",
			"rates_shop WHERE week = '2026-10-05'"): "(6,2,5,3,5,5,3)",
		query("first_scan_rate_12h, first_scan_rate_24h", "rates_shop WHERE week = '2026-08-03'"): "(0,1)",
		// P1, P2, P3, P6 have a trail
		query("tracked_parcels, gap_48h_parcels, gap_72h_parcels, gap_48h_rate, gap_72h_rate", "rates_shop WHERE week = '2026-10-05'"): "(4,2,1,0.5,0.25)",
		// P1 and P2 crossed a border with customs
		query("origin, destination, customs_due_parcels, export_visible_parcels, import_visible_parcels, customs_visible_parcels, customs_visibility",
			"rates_lane WHERE week = '2026-10-05' ORDER BY origin"): "('CN','US',2,1,1,1,0.5) ('DE','FR',0,0,0,0,NULL) ('US','US',0,0,0,0,NULL)",
		// P1, P2, P6; P3 is excused
		query("ofd_due_parcels, ofd_visible_parcels, round(ofd_visibility, 4)", "rates_shop WHERE week = '2026-10-05'"): "(3,2,0.6667)",
		// P1, P2 and P3 are valid, P6 is wrong, P7 not scanned
		query("toString(week), tracking_due_parcels, tracking_scanned_parcels, tracking_valid_parcels, valid_tracking_rate", "rates_shop WHERE shop_id = 'A' ORDER BY week"): "('2026-08-03',1,1,1,1) ('2026-10-05',5,4,3,0.6)",
		query("carrier, counted_parcels", "rates_carrier WHERE week = '2026-10-05' ORDER BY carrier"):                                                                        "('',1) ('usps',4)",
		// Without anything due there is no rate.
		query("parcels, on_time_pickup_rate, first_scan_rate_12h, gap_48h_rate, ofd_visibility, valid_tracking_rate", "rates_shop WHERE shop_id = ''"): "(1,NULL,NULL,NULL,NULL,NULL)",
	})
}

func TestTimeViews(t *testing.T) {
	conn := measuredWorld(t)
	check(t, conn, map[string]string{
		// From the order: P3 58 h, P1 122 h, P2 193 h, P6 34.0 h; from the scan: P1 96 h, P2 121.0 h, P3 48 h, P6 24 h.
		`SELECT toString((parcels, counted_parcels, delivered_parcels, order_to_delivery_parcels, order_to_delivery_p50_hours, order_to_delivery_p95_hours,
			first_scan_to_delivery_parcels, first_scan_to_delivery_p50_hours, first_scan_to_delivery_p90_hours))
			FROM delivery_time_shop WHERE week = '2026-10-05'`: "(7,5,4,4,122,193,4,96,121)",
		"SELECT toString((parcels, delivered_parcels, order_to_delivery_p50_hours)) FROM delivery_time_lane WHERE week = '2026-10-12'": "(1,0,NULL)",

		`SELECT arrayStringConcat(groupArray(toString((stage, entered_parcels, measured_parcels, backward_parcels, dwell_p50_hours))), ' ')
			FROM (SELECT * FROM stage_dwell_shop WHERE week = '2026-10-05' ORDER BY stage)`: "('announced',5,2,0,71) ('delivery',4,1,1,4) ('destination',2,1,0,42) ('domestic',2,1,0,25) " +
			"('import',2,1,0,2) ('linehaul',2,1,0,24) ('origin',2,1,0,24)",
		// The first carrier answers up to the arrival, the last one from there on.
		`SELECT arrayStringConcat(groupArray(toString((carrier, stage, entered_parcels))), ' ') FROM (SELECT * FROM stage_dwell_carrier WHERE week = '2026-10-05' AND carrier != '' ORDER BY carrier, stage)`: "('usps','delivery',4) ('usps','destination',2) ('usps','domestic',2) ('usps','import',2) " +
			"('yunexpress','announced',4) ('yunexpress','linehaul',2) ('yunexpress','origin',2)",
	})
}

func TestOperatorsViews(t *testing.T) {
	conn := measuredWorld(t)
	check(t, conn, map[string]string{
		// Moved in the last 8 weeks: P1, P2, P3, P6, P8.
		`SELECT arrayStringConcat(groupArray(toString((carrier, parcels, gap_48h_parcels, gap_72h_parcels, accepted_due, accepted_observed, export_cleared_due, export_cleared_observed,
			import_cleared_due, import_cleared_observed, out_for_delivery_due, out_for_delivery_observed, delivered_due, delivered_observed))), ' ')
			FROM (SELECT * FROM carrier_scorecard ORDER BY carrier)`: "('usps',5,2,1,0,0,0,0,2,1,3,2,4,4) ('yunexpress',5,1,1,4,4,2,1,0,0,0,0,0,0)",
		`SELECT arrayStringConcat(groupArray(toString((carrier, completeness_parcels, first_scan_late_parcels, delivered_parcels, delivery_p50_hours, open_alerts, scans_28d, silent_secs, lag_p50_secs))), ' ')
			FROM (SELECT * FROM carrier_scorecard ORDER BY carrier)`: "('usps',4,0,4,96,2,3,75600,7200) ('yunexpress',0,1,0,NULL,0,0,NULL,NULL)",
		`SELECT arrayStringConcat(groupArray(toString((stage, milestone, entered_parcels, due_parcels, observed_parcels, observed_share, gap_parcels, measured_parcels, dwell_p50_hours, stalled_now))), ' ')
			FROM (SELECT * FROM lane_heatmap WHERE origin = 'CN' ORDER BY stage)`: "('announced','accepted',3,2,2,1,0,2,71,0) ('delivery','delivered',2,2,2,1,0,1,4,0) " +
			"('destination','out_for_delivery',2,2,1,0.5,0,1,42,0) ('import','import_cleared',3,2,1,0.5,1,1,2,1) ('linehaul','arrived_destination',3,2,2,1,0,1,24,0) " +
			"('origin','export_cleared',3,2,1,0.5,1,1,24,0)",
		"SELECT toString(groupArray((stage, gap_parcels))) FROM (SELECT * FROM lane_heatmap WHERE origin = 'US' ORDER BY stage)": "[('announced',0),('delivery',0),('domestic',1)]",
		"SELECT toString(groupArray((rule, advice = ''))) FROM (SELECT * FROM open_alerts ORDER BY alert_id)":                    "[('gap_72h',0),('number_invalid',0),('number_invalid',0)]",
		"SELECT advice FROM open_alerts WHERE rule = 'gap_72h'":                                                                  schemas.Advice(schemas.RuleGap72h, "", schemas.CauseCustomsHold),
	})
}

// On empty tables, and before the first tick, every view answers, and nothing is
// due whose time the clock would have to tell.
func TestViewsOnLittle(t *testing.T) {
	conn := migrated(t)
	each := func(f func(view string)) {
		rows, err := conn.Query(t.Context(), "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' AND create_table_query NOT LIKE '%{%:%}%'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var view string
			if err := rows.Scan(&view); err != nil {
				t.Fatal(err)
			}
			f(view)
		}
	}
	views := 0
	each(func(view string) {
		views++
		if err := conn.Exec(t.Context(), "SELECT * FROM "+view+" FORMAT Null"); err != nil {
			t.Errorf("%s of nothing: %v", view, err)
		}
	})
	if views < 20 {
		t.Errorf("%d views", views)
	}
	if err := NewRows(conn).InsertParcels(t.Context(), measuredParcels(t)); err != nil {
		t.Fatal(err)
	}
	check(t, conn, map[string]string{
		// Without a clock: those that ended.
		"SELECT toString((sum(counted_parcels), sum(first_scan_due_12h_parcels), sum(pickup_due_parcels))) FROM rates_shop": "(5,0,4)",
		"SELECT toString(count()) FROM carrier_scorecard":                                                                   "0",
		"SELECT toString(count()) FROM lane_heatmap":                                                                        "0",
	})
}
