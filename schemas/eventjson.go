package schemas

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// timeJSON is how instants stand in JSON: RFC 3339, UTC, milliseconds.
const timeJSON = "2006-01-02T15:04:05.000Z"

// FormatTime returns Unix milliseconds as RFC 3339 in UTC with milliseconds.
func FormatTime(unixMilli int64) string { return time.UnixMilli(unixMilli).UTC().Format(timeJSON) }

// EventJSON is the JSON form of an Event, described by event.schema.json. All
// fields are always present; what is not known is "", 0 or "none".
type EventJSON struct {
	EventIndex         uint32 `json:"event_index"`
	Carrier            string `json:"carrier"`
	TrackingNumber     string `json:"tracking_number"`
	ParcelID           ID     `json:"parcel_id"`
	FactID             ID     `json:"fact_id"`
	OccurredAt         string `json:"occurred_at"`
	OccurredAtRaw      string `json:"occurred_at_raw"`
	OffsetMinutes      int32  `json:"offset_minutes"`
	TZSource           string `json:"tz_source"`
	UncertaintySecs    uint32 `json:"uncertainty_secs"`
	Milestone          string `json:"milestone"`
	Physical           bool   `json:"physical"`
	Progress           bool   `json:"progress"`
	Direction          string `json:"direction"`
	DirectionSource    string `json:"direction_source"`
	Reason             string `json:"reason"`
	Fault              string `json:"fault"`
	Leg                uint32 `json:"leg"`
	Rule               string `json:"rule"`
	RawCode            string `json:"raw_code"`
	RawText            string `json:"raw_text"`
	Country            string `json:"country"`
	Region             string `json:"region"`
	City               string `json:"city"`
	Postcode           string `json:"postcode"`
	Facility           string `json:"facility"`
	LocationRaw        string `json:"location_raw"`
	OriginCountry      string `json:"origin_country"`
	DestinationCountry string `json:"destination_country"`
	Product            string `json:"product"`
	Topic              string `json:"topic"`
	TopicID            ID     `json:"topic_id"`
	Partition          int32  `json:"partition"`
	Offset             int64  `json:"offset"`
	ReceivedAt         string `json:"received_at"`
	Backfill           bool   `json:"backfill"`
	Generic            bool   `json:"generic"`
	MappingVersion     uint32 `json:"mapping_version"`
}

// AppendJSON appends the event as one JSON object, in the order of EventJSON's
// fields, without allocating once dst has room.
func (e *Event) AppendJSON(dst []byte) []byte {
	j := jsonObject{b: append(dst, '{')}
	j.number("event_index", int64(e.EventIndex))
	j.string("carrier", e.Carrier)
	j.string("tracking_number", e.TrackingNumber)
	j.id("parcel_id", e.ParcelID)
	j.id("fact_id", e.FactID)
	j.time("occurred_at", e.OccurredAt)
	j.string("occurred_at_raw", e.OccurredAtRaw)
	j.number("offset_minutes", int64(e.OffsetMinutes))
	j.string("tz_source", e.TZSource.String())
	j.number("uncertainty_secs", int64(e.UncertaintySecs))
	j.string("milestone", e.Milestone.String())
	j.bool("physical", e.Physical)
	j.bool("progress", e.Progress)
	j.string("direction", e.Direction.String())
	j.string("direction_source", e.DirectionSource.String())
	j.string("reason", e.Reason)
	j.string("fault", e.Fault.String())
	j.number("leg", int64(e.Leg))
	j.string("rule", e.Rule)
	j.string("raw_code", e.RawCode)
	j.string("raw_text", e.RawText)
	j.string("country", e.Country)
	j.string("region", e.Region)
	j.string("city", e.City)
	j.string("postcode", e.Postcode)
	j.string("facility", e.Facility)
	j.string("location_raw", e.LocationRaw)
	j.string("origin_country", e.OriginCountry)
	j.string("destination_country", e.DestinationCountry)
	j.string("product", e.Product)
	j.string("topic", e.Topic)
	j.id("topic_id", e.TopicID)
	j.number("partition", int64(e.Partition))
	j.number("offset", e.Offset)
	j.time("received_at", e.ReceivedAt)
	j.bool("backfill", e.Backfill)
	j.bool("generic", e.Generic)
	j.number("mapping_version", int64(e.MappingVersion))
	return append(j.b, '}')
}

// jsonObject appends the members of one JSON object.
type jsonObject struct{ b []byte }

func (j *jsonObject) key(k string) {
	if j.b[len(j.b)-1] != '{' {
		j.b = append(j.b, ',')
	}
	j.b = append(j.b, '"')
	j.b = append(j.b, k...)
	j.b = append(j.b, '"', ':')
}

func (j *jsonObject) number(k string, v int64) {
	j.key(k)
	j.b = strconv.AppendInt(j.b, v, 10)
}

func (j *jsonObject) bool(k string, v bool) {
	j.key(k)
	j.b = strconv.AppendBool(j.b, v)
}

func (j *jsonObject) id(k string, v ID) {
	j.key(k)
	j.b = append(j.b, '"')
	const dashes = 1<<4 | 1<<6 | 1<<8 | 1<<10
	for i, c := range v {
		if dashes>>i&1 != 0 {
			j.b = append(j.b, '-')
		}
		j.b = append(j.b, hexDigits[c>>4], hexDigits[c&15])
	}
	j.b = append(j.b, '"')
}

func (j *jsonObject) time(k string, unixMilli int64) {
	j.key(k)
	j.b = append(j.b, '"')
	j.b = time.UnixMilli(unixMilli).UTC().AppendFormat(j.b, timeJSON)
	j.b = append(j.b, '"')
}

func (j *jsonObject) string(k, v string) {
	j.key(k)
	j.b = AppendJSONString(j.b, v)
}

const hexDigits = "0123456789abcdef"

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD; characters that HTML gives a meaning are escaped.
func AppendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == 0x2028 || r == 0x2029 { // line ends in JavaScript
				b = append(b, '\\', 'u', '2', '0', '2', hexDigits[r&15])
			} else {
				b = utf8.AppendRune(b, r)
			}
			i += n
			continue
		default:
			b = append(b, c)
		}
		i++
	}
	return append(b, '"')
}

// UnmarshalJSON reads what AppendJSON writes. Times without a value stay 0..
func (e *Event) UnmarshalJSON(b []byte) error {
	var v EventJSON
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	*e = Event{
		ParcelID: v.ParcelID, FactID: v.FactID, Carrier: v.Carrier, TrackingNumber: v.TrackingNumber, EventIndex: v.EventIndex,
		OccurredAtRaw: v.OccurredAtRaw, OffsetMinutes: v.OffsetMinutes, UncertaintySecs: v.UncertaintySecs,
		Physical: v.Physical, Progress: v.Progress, Reason: v.Reason, Leg: v.Leg, Rule: v.Rule, RawCode: v.RawCode, RawText: v.RawText,
		Country: v.Country, Region: v.Region, City: v.City, Postcode: v.Postcode, Facility: v.Facility, LocationRaw: v.LocationRaw,
		OriginCountry: v.OriginCountry, DestinationCountry: v.DestinationCountry, Product: v.Product,
		Topic: v.Topic, TopicID: v.TopicID, Partition: v.Partition, Offset: v.Offset,
		Backfill: v.Backfill, Generic: v.Generic, MappingVersion: v.MappingVersion,
	}
	return e.setNames(&v)
}

// setNames reads the fields of v that stand as words.
func (e *Event) setNames(v *EventJSON) (err error) {
	if e.Milestone, err = ParseMilestone(v.Milestone); err != nil {
		return fmt.Errorf("event: milestone: %w", err)
	}
	for _, t := range []struct {
		field, value string
		unixMilli    *int64
	}{{"occurred_at", v.OccurredAt, &e.OccurredAt}, {"received_at", v.ReceivedAt, &e.ReceivedAt}} {
		if t.value == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, t.value)
		if err != nil {
			return fmt.Errorf("event: %s: %q is not RFC 3339", t.field, t.value)
		}
		*t.unixMilli = at.UnixMilli()
	}
	for _, n := range []struct {
		field, value string
		names        []string
		set          func(int)
	}{
		{"tz_source", v.TZSource, tzSourceNames[:], func(i int) { e.TZSource = TZSource(i) }},
		{"direction", v.Direction, directionNames[:], func(i int) { e.Direction = Direction(i) }},
		{"direction_source", v.DirectionSource, directionSourceNames[:], func(i int) { e.DirectionSource = DirectionSource(i) }},
		{"fault", v.Fault, faultNames[:], func(i int) { e.Fault = Fault(i) }},
	} {
		i, ok := indexName(n.names, n.value)
		if !ok {
			return fmt.Errorf("event: %s: %q is none of %q", n.field, n.value, n.names)
		}
		n.set(i)
	}
	return nil
}

// indexName returns the number of a name; "" is number 0.
func indexName(names []string, s string) (int, bool) {
	for i, n := range names {
		if n == s || s == "" {
			return i, true
		}
	}
	return 0, false
}
