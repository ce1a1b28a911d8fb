package carriers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// TestRowsOfEveryCarrier: a row of a table is read under every mapping, and
// without one, with the time it names and the carrier it is of.
func TestRowsOfEveryCarrier(t *testing.T) {
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	d := registry.NewDecoder(carriers.Limits{})
	raw := []byte(`{"scantrail_scan":{"tracking_number":"AB 123456789 CD","occurred_at":"2026-09-03T09:10:00.5+08:00","text":"Delivered","country":"GB","city":"Leeds","origin_country":"CN","destination_country":"GB"}}`)
	for _, name := range append(registry.Names(), "nobody_knows") {
		res := d.Decode(name, raw, carriers.Source{ReceivedAt: time.Date(2026, 9, 4, 0, 0, 0, 0, time.UTC).UnixMilli()})
		if len(res.Events) != 1 || len(res.Rejected) != 0 {
			t.Errorf("%s: %d events, %+v", name, len(res.Events), res.Rejected)
			continue
		}
		e, delivered := res.Events[0], schemas.Delivered
		if name == "allied_express" { // a scan without a status code is on its way, says its mapping
			delivered = schemas.InTransit
		}
		got := fmt.Sprint(e.Carrier, e.TrackingNumber, e.Milestone, e.OccurredAt, e.OffsetMinutes, e.Country, e.City, e.OriginCountry, e.DestinationCountry)
		if want := fmt.Sprint(name, "AB123456789CD", delivered, time.Date(2026, 9, 3, 1, 10, 0, 5e8, time.UTC).UnixMilli(), 480, "GB", "Leeds", "CN", "GB"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	res := d.Decode("yunexpress", []byte(`{"scantrail_scan":{"tracking_number":"YT2632100000099917","occurred_at":"2026-09-03T09:10:00Z","code":"FIRST_MILE_ARRIVE"}}`), carriers.Source{})
	if len(res.Events) != 1 || res.Events[0].Milestone != schemas.OriginFacilityArrived {
		t.Errorf("the code of a mapping: %+v %+v", res.Events, res.Rejected)
	}
	for _, bad := range []string{`{"scantrail_scan":{}}`, `{"scantrail_scan":{"tracking_number":"AB123456789CD","text":"x"}}`, `{"scantrail_scan":[]}`,
		`{"scantrail_scan":{"tracking_number":"AB123456789CD","occurred_at":"2026-09-03 09:10","text":"x"}}`} {
		for _, name := range []string{"usps", "nobody_knows"} {
			if res := d.Decode(name, []byte(bad), carriers.Source{}); len(res.Events) != 0 || len(res.Rejected) == 0 {
				t.Errorf("%s: %s: %d events, nothing rejected", name, bad, len(res.Events))
			}
		}
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		layouts    []string
		zone, time string
		want       string // or what the error says
		day        bool
	}{
		{nil, "", "2026-09-03T09:10:00+08:00", "2026-09-03T01:10:00Z", false},
		{nil, "", "2026-09-03 09:10:11.250 +0800", "2026-09-03T01:10:11.25Z", false},
		{nil, "", "2026-09-03 09:10", "names no zone", false},
		{nil, "Asia/Shanghai", "2026-09-03 09:10", "2026-09-03T01:10:00Z", false},
		{nil, "Asia/Shanghai", "2026/9/3 9:10", "2026-09-03T01:10:00Z", false},
		{nil, "Asia/Shanghai", "20260903091000", "2026-09-03T01:10:00Z", false},
		{nil, "Asia/Shanghai", "2026-09-03", "2026-09-03T16:00:00Z", true},
		{nil, "", "1788393600", "2026-09-03T00:00:00Z", false},
		{nil, "", "1788393600250", "2026-09-03T00:00:00.25Z", false},
		{nil, "Europe/London", "2026-10-25 01:30", "2026-10-25T01:30:00Z", false}, // twice: the later one
		{nil, "UTC", "03/09/2026 09:10", "none of the forms", false},
		{nil, "UTC", "2026-02-30 09:10", "does not exist", false},
		{nil, "UTC", "0001-01-01 00:00", "stands for no time", false},
		{nil, "Mars/Olympus", "", "no IANA time zone", false},
		{[]string{"DD/MM/YYYY HH:mm"}, "UTC", "03/09/2026 09:10", "2026-09-03T09:10:00Z", false},
		{[]string{"DD/MM/YYYY QQ"}, "UTC", "", "is no token", false},
	} {
		got, day := "", false
		clock, err := carriers.NewClock(c.layouts, c.zone)
		if err == nil {
			var ms int64
			ms, _, day, err = clock.Read(c.time)
			got = time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || day != c.day {
			t.Errorf("%q in %q: %s, day %v; want %s, %v", c.time, c.zone, got, day, c.want, c.day)
		}
	}
}
