package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const everyStatus = "status=at_risk,open,escalated,resolved,withdrawn"

// walk follows the cursors of a list to its end.
func (s *service) walk(token, query string, between func(page int)) (all []alert) {
	s.t.Helper()
	for page := 0; ; page++ {
		var list alertList
		r := s.get("/v1/alerts?"+query, token, "AlertList", &list)
		if r.StatusCode != 200 {
			s.t.Fatalf("page %d: %d %s", page, r.StatusCode, r.body)
		}
		all = append(all, list.Alerts...)
		if list.Next == "" {
			return all
		}
		query, _, _ = strings.Cut(query, "&cursor=")
		query += "&cursor=" + list.Next
		if between != nil {
			between(page)
		}
	}
}

// A seller sees exactly the alerts of its own shops, whatever it asks for.
func TestAlertsOfASeller(t *testing.T) {
	s := start(t)
	own := s.strings("SELECT toString(alert_id) FROM alerts_current WHERE shop_id = ? ORDER BY alert_id", ownShop)
	all := s.strings("SELECT toString(alert_id) FROM alerts_current ORDER BY alert_id")
	ids := func(alerts []alert) (ids []string) {
		for _, a := range alerts {
			ids = append(ids, a.AlertID)
		}
		return ids
	}
	sorted := func(ids []string) []string { slices.Sort(ids); return ids }
	slices.Sort(own)
	slices.Sort(all)
	if len(own) < 20 || len(own) > len(all)/2 {
		t.Fatalf("%d of %d alerts are of %s", len(own), len(all), ownShop)
	}
	if got := sorted(ids(s.walk(viewer, everyStatus+"&limit=300", nil))); !slices.Equal(got, all) {
		t.Errorf("a viewer sees %d alerts, want %d", len(got), len(all))
	}
	if got := sorted(ids(s.walk(seller, everyStatus+"&limit=25", nil))); !slices.Equal(got, own) {
		t.Errorf("the seller sees %d alerts, want %d", len(got), len(own))
	}
	foreign := s.strings("SELECT concat(tracking_number, ' ', order_id, ' ', shop_id) FROM alerts_current WHERE shop_id NOT IN (?, '') AND tracking_number != '' AND order_id != '' LIMIT 1", ownShop)
	number, rest, _ := strings.Cut(foreign[0], " ")
	order, shop, _ := strings.Cut(rest, " ")
	for _, filter := range []string{"shop=" + shop, "number=" + number, "order=" + url.QueryEscape(order), "shop=", "shop=%25", "rule=feed_stale", "rule=lane_disruption"} {
		for _, a := range s.walk(seller, everyStatus+"&"+filter, nil) {
			if a.ShopID != ownShop {
				t.Errorf("%s shows %+v", filter, a)
			}
		}
	}
	if got := s.walk(viewer, everyStatus+"&number="+number, nil); len(got) == 0 {
		t.Errorf("the viewer finds nothing of %s", number)
	}
	// A cursor of somebody who sees all leads a seller to its own rows.
	var page alertList
	s.get("/v1/alerts?"+everyStatus+"&limit=50", viewer, "AlertList", &page)
	for _, a := range s.walk(seller, everyStatus+"&limit=50&cursor="+page.Next, nil) {
		if a.ShopID != ownShop {
			t.Errorf("behind the viewer's cursor: %+v", a)
		}
	}
	r := s.do("GET", "/v1/alerts?"+everyStatus+"&limit=1000&format=csv", seller)
	rows := table(t, r.body)
	if len(rows) != len(own) || r.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%d rows of CSV, want %d", len(rows), len(own))
	}
	for _, row := range rows {
		if row["shop_id"] != ownShop {
			t.Errorf("CSV shows %v", row)
		}
	}
}

// What belongs to others is answered to the byte as what is not there.
func TestParcelsOfASeller(t *testing.T) {
	s := start(t)
	none := s.get("/v1/parcels/NOSUCHNUMBER", seller, "", nil)
	noShop := s.get("/v1/shops/nosuch/score", seller, "", nil)
	shops := map[string]int{}
	for _, row := range sample(s.strings("SELECT concat(tracking_number, ' ', shop_id, ' ', toString(toUnixTimestamp64Milli(opened_at))) FROM parcels FINAL ORDER BY shop_id, tracking_number"), 12) {
		number, rest, _ := strings.Cut(row, " ")
		shop, _, _ := strings.Cut(rest, " ")
		var p parcel
		r := s.get("/v1/parcels/"+number, seller, "Parcel", &p)
		if shop != ownShop {
			if r.StatusCode != 404 || !bytes.Equal(r.body, none.body) || fmt.Sprint(headers(r)) != fmt.Sprint(headers(none)) {
				t.Errorf("%s of %s: %d %s", number, shop, r.StatusCode, r.body)
			}
			continue
		}
		shops[shop]++
		if r.StatusCode != 200 || p.ShopID != ownShop {
			t.Fatalf("%s: %d %s", number, r.StatusCode, r.body)
		}
		for _, scan := range p.Trail {
			if scan.RawText != "" {
				t.Errorf("%s: the seller reads %q", number, scan.RawText)
			}
		}
		for _, a := range p.Alerts {
			if a.ShopID != ownShop {
				t.Errorf("%s: %+v", number, a)
			}
		}
	}
	if shops[ownShop] < 8 {
		t.Errorf("%v parcels", shops)
	}
	for shop, want := range map[string]int{ownShop: 200, "shop-01": 404, "shop-03": 404, "shop-99": 404, "": 404, "%20": 404} {
		r := s.get("/v1/shops/"+shop+"/score", seller, "ShopScore", nil)
		if r.StatusCode != want || want == 404 && shop != "" && !bytes.Equal(r.body, noShop.body) {
			t.Errorf("score of %q: %d %s", shop, r.StatusCode, r.body)
		}
	}
}

func headers(r reply) []string {
	var names []string
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// A number that another shop used before and after: each sees the scans and alerts
// of its own life of it, and nobody that there are others.
func TestLivesOfANumber(t *testing.T) {
	s := start(t)
	const number = "LIVES000000001"
	lives := []struct{ shop, opened, ended string }{
		{"shop-01", "2026-01-10 00:00:00", "'2026-01-20 00:00:00'"},
		{ownShop, "2026-03-10 00:00:00", "'2026-03-20 00:00:00'"},
		{"shop-03", "2026-03-30 00:00:00", "NULL"},
	}
	for i, l := range lives {
		s.exec(fmt.Sprintf(`INSERT INTO parcels SELECT * REPLACE('%[1]s' AS tracking_number, toUUID('%[6]s') AS parcel_id,
			toDateTime64('%[3]s', 3, 'UTC') AS opened_at, toNullable(toDateTime64(%[4]s, 3, 'UTC')) AS ended_at, '%[2]s' AS shop_id, 'order-%[5]d' AS order_id, toUInt8(%[5]d) AS life,
			toNullable(toDateTime64('%[3]s', 3, 'UTC')) AS last_progress_at)
			FROM parcels FINAL LIMIT 1`, number, l.shop, l.opened, l.ended, i+1, parcelID(number)))
		s.exec(fmt.Sprintf(`INSERT INTO scans SELECT * EXCEPT number REPLACE('%[1]s' AS tracking_number, toUUID('%[2]s') AS parcel_id, generateUUIDv4(number) AS fact_id,
			toDateTime64('%[3]s', 3, 'UTC') + toIntervalHour(number) AS occurred_at, toDateTime64('%[3]s', 3, 'UTC') + toIntervalHour(number + 1) AS received_at,
			toInt64(1000000 + %[4]d * 100 + number) AS offset, '%[5]s-facility' AS facility)
			FROM (SELECT * FROM scans LIMIT 1) AS s CROSS JOIN numbers(5) AS n`, number, parcelID(number), l.opened, i, l.shop))
		s.exec(fmt.Sprintf(`INSERT INTO alerts SELECT * REPLACE('%[1]s' AS tracking_number, toUUID('%[2]s') AS parcel_id, generateUUIDv4() AS alert_id,
			toDateTime64('%[3]s', 3, 'UTC') AS anchor_at, '%[4]s' AS shop_id, 'order-%[5]d' AS order_id, 'open' AS status) FROM alerts LIMIT 1`, number, parcelID(number), l.opened, l.shop, i+1))
	}
	t.Cleanup(func() {
		for _, table := range []string{"parcels", "scans", "alerts"} {
			s.exec("DELETE FROM " + table + " WHERE tracking_number = '" + number + "'")
		}
	})
	var mine parcel
	r := s.get("/v1/parcels/"+number, seller, "Parcel", &mine)
	if r.StatusCode != 200 || len(mine.Trail) != 5 || len(mine.Alerts) != 1 || len(mine.Lives) != 1 || mine.OrderID != "order-2" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, foreign := range []string{"shop-01", "shop-03", "2026-01-", "2026-03-30"} {
		if bytes.Contains(r.body, []byte(foreign)) {
			t.Errorf("the answer tells of %s:\n%s", foreign, r.body)
		}
	}
	if r := s.get("/v1/parcels/"+number+"?opened_at=2026-01-10T00:00:00Z", seller, "Parcel", nil); r.StatusCode != 404 {
		t.Errorf("another shop's life: %d", r.StatusCode)
	}
	var whole parcel
	s.get("/v1/parcels/"+number, viewer, "Parcel", &whole)
	if whole.ShopID != "shop-03" || len(whole.Lives) != 3 || len(whole.Trail) != 5 || len(whole.Alerts) != 1 {
		t.Errorf("a viewer sees %s, %d lives, %d scans, %d alerts", whole.ShopID, len(whole.Lives), len(whole.Trail), len(whole.Alerts))
	}
	var first parcel
	s.get("/v1/parcels/"+number+"?opened_at=2026-01-10T00:00:00Z", viewer, "Parcel", &first)
	if first.ShopID != "shop-01" || len(first.Trail) != 5 || first.Trail[0].Facility != "shop-01-facility" {
		t.Errorf("the first life: %+v", first)
	}
}

// While somebody walks along a list, alerts change and others come: what was there
// and stays is found once, and only once.
func TestWalkWhileAlertsChange(t *testing.T) {
	s := start(t)
	const query = "status=open,escalated&limit=7"
	before := s.walk(viewer, query, nil)
	if len(before) < 30 {
		t.Fatalf("%d alerts", len(before))
	}
	var added []string
	t.Cleanup(func() { s.exec("DELETE FROM alerts WHERE policy = 'test'") })
	during := s.walk(viewer, query, func(page int) {
		if page > 5 {
			return
		}
		// Every alert changes, and one comes before, and one behind the place of the walk.
		s.exec("INSERT INTO alerts SELECT * REPLACE(version + 1 AS version, changed_at + toIntervalSecond(1) AS changed_at) FROM alerts FINAL WHERE status IN ('open', 'escalated')")
		for _, at := range []string{"max(anchor_at) + toIntervalDay(1)", "min(anchor_at) - toIntervalDay(1)"} {
			s.exec("INSERT INTO alerts SELECT * REPLACE(generateUUIDv4() AS alert_id, 'test' AS policy, 'open' AS status, (SELECT " + at + " FROM alerts) AS anchor_at) FROM alerts LIMIT 1")
		}
		added = append(added, "")
	})
	seen := map[string]int{}
	for _, a := range during {
		seen[a.AlertID]++
	}
	for _, a := range before {
		if seen[a.AlertID] != 1 {
			t.Errorf("%s is found %d times", a.AlertID, seen[a.AlertID])
		}
	}
	if len(added) < 4 || len(during) != len(before)+len(added) { // those behind the walk
		t.Errorf("%d alerts before, %d in the walk, %d added behind it", len(before), len(during), len(added))
	}
	var page alertList
	s.get("/v1/alerts?"+query, viewer, "AlertList", &page)
	if r := s.get("/v1/alerts?status=open&limit=7&cursor="+page.Next, viewer, "AlertList", nil); r.StatusCode != 400 {
		t.Errorf("a cursor with other filters: %d", r.StatusCode)
	}
	csv := s.do("GET", "/v1/alerts?"+query+"&format=csv", viewer)
	link, _, _ := strings.Cut(strings.TrimPrefix(csv.Header.Get("Link"), "<"), ">")
	if rows := table(t, s.do("GET", link, viewer).body); len(rows) != 7 || rows[0]["alert_id"] == table(t, csv.body)[0]["alert_id"] {
		t.Errorf("behind the link %s: %d rows", link, len(rows))
	}
}

// What carriers and shops write comes out harmless, in JSON and in CSV.
func TestHostileText(t *testing.T) {
	s := start(t)
	const number, bad = "HOSTILE0000001", "=HYPERLINK(\"//evil\")\u202egnp.exe\x07<script>"
	id := parcelID(number)
	quoted := "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(bad) + "'"
	s.exec("INSERT INTO parcels SELECT * REPLACE('" + number + "' AS tracking_number, toUUID('" + id + "') AS parcel_id, " + quoted + " AS order_id, '" + ownShop + "' AS shop_id) FROM parcels FINAL LIMIT 1")
	s.exec("INSERT INTO alerts SELECT * REPLACE('" + number + "' AS tracking_number, toUUID('" + id + "') AS parcel_id, generateUUIDv4() AS alert_id, " + quoted + " AS order_id, " + quoted + " AS facility, '" + ownShop + "' AS shop_id, 'open' AS status) FROM alerts LIMIT 1")
	t.Cleanup(func() {
		s.exec("DELETE FROM parcels WHERE tracking_number = '" + number + "'")
		s.exec("DELETE FROM alerts WHERE tracking_number = '" + number + "'")
	})
	for _, path := range []string{"/v1/parcels/" + number, "/v1/alerts?number=" + number, "/v1/alerts?format=csv&number=" + number} {
		r := s.do("GET", path, seller)
		if r.StatusCode != 200 || !bytes.Contains(r.body, []byte("HYPERLINK")) {
			t.Fatalf("%s: %d %s", path, r.StatusCode, r.body)
		}
		if bytes.ContainsAny(r.body, "\u202e\x07") || bytes.Contains(r.body, []byte(`\u202e`)) || bytes.Contains(r.body, []byte(`\u0007`)) {
			t.Errorf("%s: %q", path, r.body)
		}
		if json.Valid(r.body) && bytes.Contains(r.body, []byte("<script")) {
			t.Errorf("%s holds a tag: %s", path, r.body)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
	row := table(t, s.do("GET", "/v1/alerts?format=csv&number="+number, seller).body)[0]
	if row["order_id"] != "'=HYPERLINK(\"//evil\")gnp.exe<script>" {
		t.Errorf("the cell is %q", row["order_id"])
	}
}
