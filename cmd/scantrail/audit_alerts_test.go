package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"scantrail/schemas"
)

// orderFact is what a shop says of an order, so many hours before rigTime.
func (r *auditRig) orderFact(order string, hours int, kind, more string) {
	at := time.UnixMilli(rigTime).UTC().Add(-time.Duration(hours) * time.Hour).Format(time.RFC3339)
	r.put(schemas.OrdersTopic, 0, fmt.Appendf(nil, `{"shop_id":"s","order_id":%q,"market":"GB","kind":%q,"at":%q%s}`, order, kind, at, more))
}

// TestAuditOfAlerts compares all alerts that SQL knows of with what it makes of
// scans and orders, in time, late and never; then takes each away, and alters it.
func TestAuditOfAlerts(t *testing.T) {
	r := &auditRig{rig: newRig(t), saved: map[string]string{}}
	r.topic("yunexpress")
	stop := r.run()
	label := func(i, hours int, more string) {
		r.orderFact(fmt.Sprint(i), hours, "label_created", fmt.Sprintf(`,"carrier":"yunexpress","tracking_numbers":["YT%016d"]%s`, 2632100000099000+i, more))
	}
	promise := func(hours int) string {
		return fmt.Sprintf(`,"promise_at":%q`, time.UnixMilli(rigTime).UTC().Add(-time.Duration(hours)*time.Hour).Format(time.RFC3339))
	}
	for i := range 12 {
		r.orderFact(fmt.Sprint(i), 240, "created", "")
		switch i % 4 {
		case 0: // picked up in time, delivered late
			r.orderFact(fmt.Sprint(i), 230, "confirmed", "")
			label(i, 229, "")
			r.send("yunexpress", auditRecord(i, 200, 170, 150, 80+i))
		case 1: // confirmed late, picked up late, not delivered, the promise is over
			r.orderFact(fmt.Sprint(i), 200+i, "confirmed", "")
			label(i, 199, promise(30))
			r.send("yunexpress", auditRecord(i, 100, 90))
		case 2: // never picked up
			r.orderFact(fmt.Sprint(i), 230, "confirmed", "")
			label(i, 90, promise(-60))
		case 3: // never confirmed
		}
	}
	label(20, 120, "") // an order of which nothing else is known
	r.orderFact("21", 200, "created", "")
	r.orderFact("21", 100, "cancelled", "")
	r.settle()
	r.settle()
	stop()
	r.pipeline.o.Roles = []string{"detect", "sink"}
	stop = r.run()
	r.drained(t.Context())
	stop()
	r.saved["alerts"] = "saved_alerts"
	r.exec("CREATE TABLE saved_alerts AS alerts")
	r.exec("INSERT INTO saved_alerts SELECT * FROM alerts FINAL")

	report := r.audit(20 * time.Second)
	if !report.Holds {
		t.Errorf("the audit of a sound pipeline: %+v", report.Violations)
	}
	for check, least := range map[string]int64{"silence": 6, "missing milestones": 6, "deadlines of parcels": 9, "unconfirmed orders": 13} {
		i := slices.IndexFunc(report.Checks, func(c *auditCheck) bool { return c.Check == check })
		if i < 0 || report.Checks[i].Compared < least || len(report.Checks[i].Notes) > 0 {
			t.Errorf("%s: want at least %d compared: %+v", check, least, report.Checks[i])
		}
	}
	a := r.newAudit(0)
	defer a.close()
	if err := a.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]uint64{
		"rule = 'milestone_missing' AND status = 'open'": 6,
		"rule = 'pickup_late' AND status = 'open'":       3,
		"rule = 'pickup_late' AND status = 'resolved'":   3,
		"rule = 'delivered_late' AND status = 'open'":    3, "rule = 'delivered_late' AND status = 'resolved'": 3,
		"rule = 'confirm_late' AND status = 'open'": 3, "rule = 'confirm_late' AND status = 'resolved'": 4, // the cancelled one is not compared
	} {
		if n := one[uint64](r.rig, "SELECT count() FROM alerts FINAL WHERE (tracking_number != '' OR rule = 'confirm_late') AND "+of); n != want {
			t.Errorf("%d alerts with %s, want %d", n, of, want)
		}
	}
	checks := map[string]struct {
		run       func(context.Context) error
		different int // parcels or orders
	}{
		"missing milestones":   {a.checkMilestones, 3},
		"deadlines of parcels": {a.checkDeadlines, 9},
		"unconfirmed orders":   {a.checkConfirmations, 6},
	}
	for damage, query := range map[string]string{
		"deleted": "SELECT * FROM saved WHERE rule NOT IN ('milestone_missing', 'pickup_late', 'delivered_late', 'confirm_late')",
		"altered": "SELECT * REPLACE (anchor_at + toIntervalSecond(1) AS anchor_at) FROM saved",
	} {
		r.become("alerts", query)
		for check, c := range checks {
			a.report = &auditReport{}
			a.begin("P4", check)
			if err := c.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := a.current.Violations; n != c.different || !(found{"P4", check, "", "alerts has"}).in(a.report) {
				t.Errorf("alerts %s: %s found %d, want %d: %+v", damage, check, n, c.different, a.report.Violations)
			}
		}
	}
}
