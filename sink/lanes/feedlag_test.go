package lanes

import (
	"testing"

	"scantrail/schemas"
)

// Noon of the tests is a Tuesday: hour 36 of the week.
func TestFeedLag(t *testing.T) {
	w := newWorld(t)
	var values [][]byte
	scan := func(carrier string, received, lag int64, backfill bool) {
		r := schemas.Record{Kind: schemas.KindEvent, Event: schemas.Event{
			FactID: schemas.ID{byte(len(values))}, ParcelID: schemas.ParcelID("LX000000001CN"), TrackingNumber: "LX000000001CN", Carrier: carrier,
			Milestone: schemas.InTransit, ReceivedAt: at(received), OccurredAt: at(received - lag), Backfill: backfill,
		}}
		values = append(values, w.encoder.Append(nil, &r))
	}
	const week = 7 * 24 * hour
	for i := int64(1); i <= 4; i++ { // noon of the four Tuesdays before
		scan("usps", -i*week+10, 10*i, false)
		scan("usps", -i*week+20, 10*i, false)
	}
	scan("usps", 15, 240, false)           // the present hour: four hours late
	scan("usps", -23*hour+15, 30, false)   // Monday 13:15: within the last 24 hours
	scan("usps", -24*hour+15, 60, false)   // Monday 12:15: before them
	scan("usps", -5*week, 9999, false)     // too long ago
	scan("usps", -1*week+30, 99_999, true) // history
	scan("gls", -1*week+30, -60, false)    // ahead of its reception: no lag
	w.put(schemas.EventsTopic, values...)
	w.clock(50)
	got := w.text(`SELECT toString(groupArray((carrier, hour_of_week, scans_4w, lag_p50_secs_4w, lag_p95_secs_4w, ifNull(toString(hour_24h), ''), scans_24h, lag_p50_secs_24h, lag_p95_secs_24h)))
		FROM (SELECT * FROM feed_lag ORDER BY carrier, hour_of_week)`)
	want := "[('gls',36,1,0,0,'',0,NULL,NULL)," +
		"('usps',12,1,3600,3600,'',0,NULL,NULL)," +
		"('usps',13,0,NULL,NULL,'2026-10-19 13:00:00',1,1800,1800)," +
		"('usps',36,8,1500,2400,'2026-10-20 12:00:00',1,14400,14400)]"
	if got != want {
		t.Errorf("feed_lag is\n%s\nwant\n%s", got, want)
	}
}
