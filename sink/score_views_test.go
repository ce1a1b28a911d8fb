package sink

import (
	"fmt"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
)

// scored is a parcel of shop S, delivered in time, ordered and confirmed on a day
// at 08:00 and picked up so many hours later.
func scored(t *testing.T, n int, day string, pickup int64) schemas.ParcelRow {
	const hour = 3600_000
	at := ms(t, day+" 08:00")
	r := schemas.ParcelRow{
		TrackingNumber: fmt.Sprintf("LX%09dCN", n), ShopID: "S", Market: "US", Origin: "CN", Destination: "US", Version: 1, Policy: "default",
		OpenedAt: at, OrderedAt: at, ConfirmedAt: at, PromiseAt: at + 168*hour, AcceptedAt: at + pickup*hour, FirstProgressAt: at + pickup*hour,
		LastProgressAt: at + 100*hour, DeliveredAt: at + 100*hour, EndedAt: at + 100*hour, EndMilestone: schemas.Delivered, ProgressFacts: 2,
		Required: 7, Due: 7, Observed: 7,
	}
	r.ParcelID = schemas.ParcelID(r.TrackingNumber)
	judgeByDefault(&r)
	return r
}

// scoredOrder is an order of shop S, confirmed so many hours after it.
func scoredOrder(t *testing.T, n int, day string, confirmed int64) schemas.OrderRow {
	const hour = 3600_000
	at := ms(t, day+" 08:00")
	return schemas.OrderRow{ShopID: "S", OrderID: fmt.Sprint(n), Version: 1, Market: "US", TrackingNumbers: []string{"LX000000001CN"}, CreatedAt: at,
		ConfirmedAt: at + confirmed*hour, ConfirmBy: at + 24*hour, DeliverBy: at + 192*hour, CohortDay: uint16(at / (24 * hour)), Policy: "default", PolicyNumber: 1}
}

func insertScored(t *testing.T, conn driver.Conn, parcels []schemas.ParcelRow, orders []schemas.OrderRow) {
	t.Helper()
	w := NewRows(conn)
	if err := w.InsertParcels(t.Context(), parcels); err != nil {
		t.Fatal(err)
	}
	if err := w.InsertOrders(t.Context(), orders); err != nil {
		t.Fatal(err)
	}
	setClock(t, conn, 0, ms(t, "12-20 00:00"))
}

// A KPI is missed in two weeks that follow one another, not in two with a better
// one or none between; a shop is warned above 5 % of orders, not at 5 %.
func TestShopConsequences(t *testing.T) {
	conn := migrated(t)
	usePolicies(t, conn, 1, schemas.DefaultPolicy())
	var parcels []schemas.ParcelRow
	var orders []schemas.OrderRow
	for week, w := range []struct {
		day         string
		pickedLate  int // of 10
		confirmLate int // of 20
	}{{"10-05", 2, 1}, {"10-12", 2, 2}, {"10-19", 1, 0}, {"10-26", 2, 0}, {"11-09", 2, 0}} {
		for i := range 10 {
			pickup := int64(72)
			if i < w.pickedLate {
				pickup = 73
			}
			parcels = append(parcels, scored(t, 100*week+i, w.day, pickup))
		}
		for i := range 20 {
			confirmed := int64(24)
			if i < w.confirmLate {
				confirmed = 25
			}
			orders = append(orders, scoredOrder(t, 100*week+i, w.day, confirmed))
		}
	}
	insertScored(t, conn, parcels, orders)
	got := one[string](t, conn, `SELECT toString(groupArray((formatDateTime(week, '%m-%d'), rule, round(value, 2), threshold, exposure_lost, units)))
		FROM (SELECT * FROM shop_consequences WHERE breached ORDER BY week, rule)`)
	if want := "[('10-12','confirm_late_rate',10,5,0,20),('10-12','ship_kpi_two_weeks',80,90,0,10)]"; got != want {
		t.Errorf("breached are %s, want %s", got, want)
	}
	got = one[string](t, conn, "SELECT toString(groupArray((formatDateTime(week, '%m-%d'), rule, value))) FROM (SELECT * FROM shop_consequences WHERE rule = 'lts_low' ORDER BY week)")
	if want := "[('10-05','lts_low',96),('10-12','lts_low',96),('10-19','lts_low',98),('10-26','lts_low',96),('11-09','lts_low',96)]"; got != want {
		t.Errorf("lts is %s, want %s", got, want)
	}
}

// The corners: which policy weighs a shop's week, what was never judged, what was
// never scanned, and in which week a parcel counts.
func TestScoreCorners(t *testing.T) {
	conn := migrated(t)
	usePolicies(t, conn, 1, schemas.DefaultPolicy())
	usePolicies(t, conn, 2, schemas.DefaultPolicy())
	of := func(n int, shop, policy string, number uint32) schemas.ParcelRow {
		r := scored(t, n, "10-05", 20)
		r.ShopID, r.Policy, r.PolicyNumber = shop, policy, number
		return r
	}
	never := of(9, "never judged", "", 0)
	never.DeliverBy, never.PickupBy, never.MaturesAt = 0, 0, 0
	label := of(10, "label only", "default", 1)
	label.FirstProgressAt, label.LastProgressAt, label.FirstPhysicalAt, label.AcceptedAt, label.DeliveredAt, label.EndedAt = 0, 0, 0, 0, 0, 0
	label.EndMilestone, label.ProgressFacts, label.Due, label.ScoredDue, label.Observed = schemas.Unmapped, 0, 0, 0, 0
	once := of(11, "once", "default", 1) // delivered, and nothing else
	once.FirstProgressAt, once.Observed = once.EndedAt, 0
	unknown := of(12, "policy unknown", "default", 3) // its control record has not been read yet
	sunday, monday := of(13, "zone", "default", 1), of(14, "zone", "default", 1)
	sunday.CohortDay-- // as the detector finds in the zone of the calendar
	insertScored(t, conn, []schemas.ParcelRow{
		of(1, "most", "articles-uk", 2), of(2, "most", "default", 1), of(3, "most", "default", 1),
		of(4, "later", "articles-uk", 1), of(5, "later", "default", 2),
		of(6, "name", "default", 1), of(7, "name", "articles-uk", 1),
		never, label, once, unknown, sunday, monday,
	}, nil)
	got := one[string](t, conn, `SELECT arrayStringConcat(groupArray(concat(shop_id, ' ', formatDateTime(week, '%m-%d'), ' ', toString(parcels), '/', toString(counted_parcels),
		' ', policy, ' ', toString(policy_number), ' ', ifNull(toString(completeness), '-'), ' ', ifNull(toString(lts), '-'))), '\n') FROM (SELECT * FROM lts_weekly ORDER BY shop_id, week)`)
	want := `label only 10-05 1/1 default 1 0 10
later 10-05 2/2 default 2 100 100
most 10-05 3/3 default 1 100 100
name 10-05 2/2 articles-uk 1 100 100
never judged 10-05 1/0  0 - -
once 10-05 1/1 default 1 40 82
policy unknown 10-05 1/0 default 3 - -
zone 09-28 1/1 default 1 100 100
zone 10-05 1/1 default 1 100 100`
	if got != want {
		t.Errorf("lts_weekly is\n%s\nwant\n%s", got, want)
	}
	got = one[string](t, conn, "SELECT toString(groupArray((rule, fault, points))) FROM (SELECT * FROM score_explain WHERE shop_id = 'label only' ORDER BY rule)")
	if want := "[('delivered_late','seller',40),('never_scanned','seller',30),('pickup_late','seller',20)]"; got != want {
		t.Errorf("a parcel that was never scanned costs %s, want %s", got, want)
	}
}

// policy_scores holds what a policy document says.
func TestPolicyScores(t *testing.T) {
	conn := migrated(t)
	official, _ := schemas.BuiltinPolicyText("official-us")
	usePolicies(t, conn, 7, official)
	usePolicies(t, conn, 7, official) // from another partition
	usePolicies(t, conn, 8, "no policy at all")
	got := one[string](t, conn, `SELECT toString(tuple(number, policy, milestones_weight, silence_weight, on_time_weight, completeness_weight, pickup_weight, exception_free_weight,
		completeness_required, lts_required, exposure_lost, ship_kpi_required, confirm_late_allowed, smoothing, maturity_secs, publish_after_secs, gap_open_secs, gap_escalate_secs,
		delivered_late_secs, delivered_late_days, pickup_late_secs, pickup_late_days, pickup_late_since, collect_secs, collect_days, confirm_late_secs, confirm_late_days,
		promise_markets, promise_secs, promise_days, milestones, zone, weekend, arrayMap(d -> toString(toDate(d)), arraySlice(holidays, 1, 2)))) FROM policy_scores FINAL`)
	want := "(7,'official-us',60,40,40,30,20,10,85,75,35,90,5,20,2592000,1814400,172800,259200,1,0,0,2,'created',172800,0,86400,0,[''],[0],[6]," +
		"['export_cleared','arrived_destination','out_for_delivery'],'America/New_York',[6,7],['2026-01-01','2026-01-19'])"
	if got != want {
		t.Errorf("policy_scores is\n%s\nwant\n%s", got, want)
	}
	usePolicies(t, conn, 1, schemas.DefaultPolicy())
	got = one[string](t, conn, "SELECT toString((groupArray(policy), any(promise_markets), any(promise_secs))) FROM (SELECT * FROM policy_scores FINAL WHERE number = 1 ORDER BY policy)")
	if want := "(['articles-local','articles-uk','default'],['GB','US','TH','ID','MY','PH','SG','VN'],[432000,604800,259200,259200,259200,259200,259200,259200])"; got != want {
		t.Errorf("policy_scores of the default document is %s, want %s", got, want)
	}
}
