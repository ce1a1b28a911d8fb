package shops

import (
	"context"
	"strings"
	"testing"

	"scantrail/schemas"
)

// A week is published once it is over in every zone and nothing of it is open any
// more, at the latest 21 days after; a shop of which nothing counts, not before
// something does.
func TestWeeksClose(t *testing.T) {
	w := newWorld(t)
	w.add("all", "10-05", shopsWeek{parcels: 4})
	open := w.add("parcel", "10-05", shopsWeek{parcels: 2, open: 1})
	open[1].MaturesAt, open[1].DeliverBy = at(t, "10-20 00:00"), at(t, "10-20 00:00")
	w.write(open)
	w.add("order", "10-05", shopsWeek{parcels: 2})
	w.writeOrders("order", at(t, "10-05 08:00"), []schemas.OrderRow{{OrderID: "late", DeliverBy: at(t, "12-01 00:00")}})
	none := w.add("none", "10-05", shopsWeek{parcels: 2, open: 2})
	for i := range none {
		none[i].MaturesAt, none[i].DeliverBy = at(t, "12-01 00:00"), at(t, "12-01 00:00")
	}
	w.write(none)
	w.history("", "10-05", shopsWeek{parcels: 2}) // without an order
	w.look("10-12 11:59")
	w.is("before the week is over", w.published(), "")
	w.look("10-12 12:00")
	w.is("when it is over", w.published(), "all 10-05 at 10-12 12:00 4 100")
	w.is("not published", w.text(`SELECT toString(arraySort(groupArray((shop_id, open_parcels, open_orders, settled, closed, toString(publish_by))))) FROM lts_unpublished`),
		"[('none',2,0,0,0,'2026-11-02 12:00:00.000'),('order',0,1,0,0,'2026-11-02 12:00:00.000'),('parcel',1,0,0,0,'2026-11-02 12:00:00.000')]")
	w.look("10-20 00:00")
	w.look("10-20 01:05") // the deadline of the open parcel has passed
	w.look("11-02 11:59")
	w.is("when its last parcel is mature", w.published(), "all 10-05 at 10-12 12:00 4 100\nparcel 10-05 at 10-20 01:05 2 80")
	w.look("11-02 12:30")
	w.look("11-30 12:30")
	want := "all 10-05 at 10-12 12:00 4 100\norder 10-05 at 11-02 12:30 2 100\nparcel 10-05 at 10-20 01:05 2 80"
	w.is("at the latest", w.published(), want)
	w.look("12-01 01:00")
	want = "all 10-05 at 10-12 12:00 4 100\nnone 10-05 at 12-01 01:00 2 60\norder 10-05 at 11-02 12:30 2 100\nparcel 10-05 at 10-20 01:05 2 80"
	w.is("once something counts", w.published(), want)
	// The order without a parcel is late now: a third of 40.
	w.is("side by side", w.text(`SELECT toString(groupArray((shop_id, round(published_lts, 2), round(restated_lts, 2), round(lts_change, 2), parcels_change)))
		FROM (SELECT * FROM lts_published ORDER BY shop_id)`), "[('all',100,100,0,0),('none',60,60,0,0),('order',100,86.67,-13.33,0),('parcel',80,80,0,0)]")
}

// 85, 75, 90 % and 5 % are enough; less is not, or more of the last.
func TestThresholds(t *testing.T) {
	w := newWorld(t)
	for _, monday := range []string{"10-05", "10-12"} {
		w.add("completeness at", monday, shopsWeek{parcels: 3, missing: 3})
		below := w.add("completeness below", monday, shopsWeek{parcels: 3, missing: 3})
		below[0].Observed = 3
		w.write(below)
		w.add("lts at", monday, shopsWeek{parcels: 20, late: 12, pickedLate: 1}) // 16 + 30 + 19 + 10
		w.add("lts below", monday, shopsWeek{parcels: 20, late: 12, pickedLate: 2})
		w.add("kpi at", monday, shopsWeek{parcels: 10, pickedLate: 1})
		w.add("kpi below", monday, shopsWeek{parcels: 10, pickedLate: 2})
		w.add("confirm at", monday, shopsWeek{orders: 20, confirmLate: 1})
		w.add("confirm above", monday, shopsWeek{orders: 19, confirmLate: 1})
	}
	w.look("10-19 12:00")
	w.is("values at the thresholds", w.text(`SELECT toString(arraySort(groupArray((shop_id, rule, value)))) FROM shop_consequences
		WHERE week = '2026-10-05' AND value = threshold`),
		"[('completeness at','completeness_low',85),('confirm at','confirm_late_rate',5),('kpi at','ship_kpi_two_weeks',90),('lts at','lts_low',75),('lts below','ship_kpi_two_weeks',90)]")
	w.is("alerts", w.current(), strings.TrimSpace(`
completeness below 10-05 completeness_low open
completeness below 10-12 completeness_low open
confirm above 10-05 confirm_late_rate open
confirm above 10-12 confirm_late_rate open
kpi below 10-12 ship_kpi_two_weeks open
lts below 10-05 lts_low open
lts below 10-12 lts_low open`))
	w.is("what a view says of it", w.text(`SELECT toString((round(value, 2), threshold, exposure_lost, units, cause)) FROM shop_alerts WHERE rule = 'lts_low' AND week = '2026-10-05'`),
		"(74,75,35,20,'shop_score_low')")
	w.is("open_alerts", w.text(`SELECT toString(groupUniqArray((shop_id, toString(opened_at), policy, hours_since_anchor))) FROM open_alerts WHERE rule = 'ship_kpi_two_weeks'`),
		"[('kpi below','2026-10-19 12:00:00.000','default',180)]")
}

// What one alert says, to the last field.
func TestAlert(t *testing.T) {
	w := newWorld(t)
	w.add("A", "10-05", shopsWeek{parcels: 4, late: 4})
	w.look("10-13 12:34")
	got := w.alerts()
	if len(got) != 1 {
		t.Fatalf("%d alerts, want 1", len(got))
	}
	slot := at(t, "10-13 12:00")
	want := schemas.Alert{
		AlertID: schemas.Hash([]byte("lts_low:A\n2026-10-05")), Home: schemas.Hash([]byte("shop:A")), Version: got[0].Version, Rule: "lts_low", Level: 1,
		Status: schemas.AlertOpen, ShopID: "A", AnchorAt: at(t, "10-05 00:00"), OpenedAt: slot, ChangedAt: slot, Cause: schemas.CauseShopScore, Policy: "default",
	}
	if got[0] != want || want.Version>>20 != 1<<32|uint64(slot)/1000 {
		t.Errorf("alert\n%+v\nwant\n%+v", got[0], want)
	}
	if text := string(schemas.AppendAlertJSON(nil, &want)); !strings.Contains(text, `"subject":"A"`) || !strings.Contains(text, "35 % of the search exposure") {
		t.Errorf("the message says %s", text)
	}
}

// An alert is open until a later week is better, and withdrawn when late scans show
// that its week was. What was published stays, whatever is restated.
func TestAlertFromBeginningToEnd(t *testing.T) {
	w := newWorld(t)
	bad := shopsWeek{parcels: 4, late: 4}
	first := w.add("A", "10-05", bad)
	w.add("A", "10-12", bad)
	p := w.watch()
	w.look("10-14 00:00", p)
	w.is("the first week", w.current(), "A 10-05 lts_low open")
	w.look("10-21 00:00", p, w.watch())
	w.is("a second one", w.current(), "A 10-05 lts_low open\nA 10-12 lts_low open")
	late := w.add("A", "10-19", shopsWeek{parcels: 4})
	w.look("10-28 00:00", p)
	w.is("a better one", w.current(), "A 10-05 lts_low resolved\nA 10-12 lts_low resolved")
	w.is("ends", w.text("SELECT toString(groupUniqArray(toString(ended_at))) FROM shop_alerts"), "['2026-10-19 00:00:00.000']")
	published := w.published()
	for i := range first[:3] { // their scans had not come
		first[i].DeliveredAt -= 100 * hour
	}
	w.write(first)
	w.look("10-28 01:00", p, w.watch())
	w.is("the first one restated", w.current(), "A 10-05 lts_low withdrawn\nA 10-12 lts_low resolved")
	for i := range late {
		late[i].DeliveredAt += 200 * hour
	}
	w.write(late)
	w.look("10-28 02:00", w.watch())
	w.is("the better one restated", w.current(), "A 10-05 lts_low withdrawn\nA 10-12 lts_low open\nA 10-19 lts_low open")
	w.is("published", w.published(), published)
	w.is("the difference", w.text("SELECT toString(groupArray((published_lts, restated_lts, lts_change))) FROM (SELECT * FROM lts_published ORDER BY week)"),
		"[(60,90,30),(60,60,0),(100,60,-40)]")
	for i := range first {
		first[i].DeliveredAt = first[i].OpenedAt + 200*hour
	}
	w.write(first)
	w.look("10-28 03:00", p)
	w.is("restated once more", w.current(), "A 10-05 lts_low open\nA 10-12 lts_low open\nA 10-19 lts_low open")
	n := len(w.alerts())
	w.look("10-28 04:00", p, w.watch())
	if got := len(w.alerts()); got != n {
		t.Errorf("%d messages without a change", got-n)
	}
}

// Processes that look at the same time publish the same; of one week the earliest
// publication stays, in whatever order they were written.
func TestTwoPublishers(t *testing.T) {
	w := newWorld(t)
	w.add("A", "10-05", shopsWeek{parcels: 4, late: 4})
	rows := w.add("B", "10-05", shopsWeek{parcels: 4})
	w.clock("10-14 00:05")
	a, b := w.watch(), w.watch()
	for range 2 {
		found := map[*Watch]finding{}
		for _, p := range []*Watch{a, b} {
			f, err := p.find(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found[p] = f
		}
		for p, f := range found {
			if err := p.alerts.Publish(t.Context(), f.changes, key); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.settle()
	all := w.alerts()
	for _, other := range all[1:] {
		if other != all[0] {
			t.Errorf("two processes say\n%+v\nand\n%+v", all[0], other)
		}
	}
	if len(all) != 2 { // each its own: what is published is not published again
		t.Errorf("%d messages, want 2", len(all))
	}
	want := "A 10-05 at 10-14 00:05 4 60\nB 10-05 at 10-14 00:05 4 100"
	w.is("published", w.published(), want)
	// One that had not seen it writes at another clock, after late scans; one that
	// read before hangs until then.
	w.exec("CREATE TABLE kept AS scores_published ENGINE = MergeTree ORDER BY week")
	w.exec("INSERT INTO kept SELECT * FROM scores_published")
	w.exec("TRUNCATE TABLE scores_published")
	rows[0].DeliveredAt += 200 * hour
	w.write(rows)
	w.look("10-14 00:06", w.watch())
	w.is("published by another", w.published(), "A 10-05 at 10-14 00:06 4 60\nB 10-05 at 10-14 00:06 4 90")
	w.exec("INSERT INTO scores_published SELECT * FROM kept")
	w.is("the earliest stays", w.published(), want)
	w.exec("OPTIMIZE TABLE scores_published FINAL")
	w.is("merged, the earliest stays", w.published(), want)
}

// A process that ends between the two steps leaves the second to the next one.
func TestKilledBetweenPublishing(t *testing.T) {
	w := newWorld(t)
	rows := w.add("A", "10-05", shopsWeek{parcels: 4, late: 4})
	w.clock("10-14 00:05")
	if err := publishWeeks(t.Context(), w.conn); err != nil {
		t.Fatal(err)
	}
	if f, err := w.watch().find(t.Context()); err != nil || len(f.changes) != 1 {
		t.Fatalf("found %+v, %v", f, err) // and is killed before it says so
	}
	if n := len(w.alerts()); n != 0 {
		t.Fatalf("%d alerts", n)
	}
	rows[0].DeliveredAt -= 100 * hour
	w.write(rows)
	w.look("10-14 03:00")
	w.is("alerts", w.current(), "A 10-05 lts_low open")
	w.is("published", w.published(), "A 10-05 at 10-14 00:05 4 60")
	if got := w.alerts(); len(got) != 1 || got[0].OpenedAt != at(t, "10-14 03:00") {
		t.Errorf("alerts %+v", got)
	}
}

// History pages nobody: a week of which every order fact and every scan was
// imported.
func TestHistory(t *testing.T) {
	w := newWorld(t)
	bad := shopsWeek{parcels: 2, late: 2}
	rows := w.history("imported", "10-05", bad)
	w.fact("imported", "10-05", true)
	w.scan(&rows[0], true)
	rows = w.history("orders imported", "10-05", bad)
	w.fact("orders imported", "10-05", true)
	w.scan(&rows[0], true)
	w.scan(&rows[1], false)
	w.history(`o'hara\ "?`, "10-05", bad) // its scans were imported
	w.fact(`o'hara\ "?`, "10-05", false)
	w.add("another week", "09-28", bad)
	w.history("another week", "10-05", bad)
	w.look("10-14 00:00")
	w.is("alerts", w.current(), strings.TrimSpace(`
another week 09-28 lts_low open
another week 10-05 lts_low open backfill
imported 10-05 lts_low open backfill
o'hara\ "? 10-05 lts_low open
orders imported 10-05 lts_low open`))
	// It stays so to its end.
	w.add("imported", "10-12", shopsWeek{parcels: 2})
	w.look("10-21 00:00")
	w.is("the end", w.text("SELECT toString((status, backfill)) FROM shop_alerts WHERE shop_id = 'imported'"), "('resolved',true)")
}

// What was over long before the first start pages nobody; what takes long to
// mature, afterwards, does. The week of 10-05 had to be published by 11-02 12:00.
func TestFirstStart(t *testing.T) {
	w := newWorld(t)
	bad := shopsWeek{parcels: 2, late: 2}
	w.add("old", "10-05", bad)
	w.add("old", "10-26", bad)
	w.look("11-09 12:01")
	w.add("slow", "10-05", bad)
	w.look("11-10 12:01")
	w.is("alerts", w.current(), "old 10-05 lts_low open backfill\nold 10-26 lts_low open\nslow 10-05 lts_low open")
}

// Run finds by itself what look finds.
func TestRun(t *testing.T) {
	w := newWorld(t)
	w.add("A", "10-05", shopsWeek{parcels: 4, late: 4})
	p := w.watch()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }() // there is no clock yet
	w.clock("10-14 00:00")
	w.wait("an alert is there", func() bool { return w.text("SELECT toString(count()) FROM alerts") == "1" })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
