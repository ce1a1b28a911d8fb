package querytest

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"scantrail/bench/world"
	"scantrail/schemas"
)

// Numbers of parcels that stand beside those of the simulated world.
const (
	Linked      = "YT2600000000000017" // and LinkedOther name one parcel
	LinkedOther = "LX900000017CN"
	Hostile     = "YT2600000000000025" // its texts would break a page that trusts them
	Refused     = "YT2600000000000041" // a text that is too long: its record is a dead letter of 100 kB
	Reused      = "YT2600000000000033" // delivered, and in use again a month later
)

// Texts of the parcel Hostile.
const (
	HostileScript = `"'><script>alert("scan")</script><svg onload=alert(1) a` // ingest takes whole tags away
	HostileRTL    = "left \u202eright-to-left\u2066 \x1b[31m end"
	HostileSize   = 14_000 // bytes of each of its six long texts
)

// special is a record that is sent among those of the world.
type special struct {
	at     time.Time
	number string
	other  string
	events [][2]string // code and text, an hour apart, the last an hour before at
}

func specials(end time.Time) []special {
	day := func(n int) time.Time { return end.Add(-time.Duration(n) * 24 * time.Hour) }
	way := [][2]string{{"ORDER_CREATION", "Order created"}, {"PICKED_UP", "Picked up"}}
	hostile := append(way, [2]string{"FIRST_MILE_ARRIVE", HostileScript}, [2]string{"FIRST_MILE_DEPART", HostileRTL})
	for i, code := range []string{"ARRIVE_ORIN_CUSTOMS", "EXPORT_CUSTOMS_COMPLETE", "MAIN_LINE_DEPART", "MAIN_LINE_ARRIVE", "CUSTOMS_PROCESSING", "CUSTOMS_COMPLETE"} {
		long := strings.Repeat("long", HostileSize/4)
		if i == 0 {
			long = strings.Repeat("long ", HostileSize/5)
		}
		hostile = append(hostile, [2]string{code, long})
	}
	return []special{
		{day(40), Reused, "", append(way, [2]string{"DELIVERED", "Delivered"})},
		{day(20), Linked, LinkedOther, way},
		{day(6), Reused, "", way},
		{day(4), Hostile, "", hostile},
		{day(3), Refused, "", append(way, [2]string{"EXPORT_CUSTOMS_COMPLETE", strings.Repeat("long ", 20_000)})},
	}
}

// record is what YunExpress would push.
func (s *special) record() world.Record {
	type event struct {
		Time     string `json:"process_time"`
		Zone     string `json:"time_zone"`
		Code     string `json:"track_node_code"`
		Content  string `json:"process_content"`
		Location string `json:"process_location"`
		Country  string `json:"process_country"`
		City     string `json:"process_city"`
	}
	var events []event
	for i, e := range s.events {
		at := s.at.Add(time.Duration(i-len(s.events)) * time.Hour).In(time.FixedZone("", 8*3600))
		events = append(events, event{at.Format("2006-01-02T15:04:05"), "GMT+8", e[0], e[1], "Guangzhou", "CN", "Guangzhou"})
	}
	var value bytes.Buffer
	e := json.NewEncoder(&value)
	e.SetEscapeHTML(false)
	e.Encode(map[string]any{"waybill_number": s.number, "tracking_number": s.other, "product_code": "THPHR", //nolint:errcheck // strings alone
		"origin_country_code": "CN", "country_code": "US", "package_status": "T", "track_events": events})
	return world.Record{Topic: schemas.RawTopicPrefix + "yunexpress", Key: []byte(s.number), Value: value.Bytes(), At: s.at}
}
