package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

// FormatTime returns Unix milliseconds as RFC 3339 in UTC with milliseconds.
func FormatTime(unixMilli int64) string { return time.UnixMilli(unixMilli).UTC().Format(jsonTime) }

// EventJSON is the JSON form of an Event, described by event.schema.json. Empty
// strings and zero IDs are left out.
type EventJSON struct {
	EventIndex         uint32 `json:"event_index"`
	Carrier            string `json:"carrier,omitempty"`
	TrackingNumber     string `json:"tracking_number,omitempty"`
	ParcelID           ID     `json:"parcel_id,omitzero"`
	FactID             ID     `json:"fact_id,omitzero"`
	OccurredAt         string `json:"occurred_at,omitempty"`
	OccurredAtRaw      string `json:"occurred_at_raw,omitempty"`
	OffsetMinutes      int32  `json:"offset_minutes"`
	TZSource           string `json:"tz_source,omitempty"`
	UncertaintySecs    uint32 `json:"uncertainty_secs"`
	Milestone          string `json:"milestone,omitempty"`
	Physical           bool   `json:"physical"`
	Progress           bool   `json:"progress"`
	Direction          string `json:"direction,omitempty"`
	DirectionSource    string `json:"direction_source,omitempty"`
	Reason             string `json:"reason,omitempty"`
	Fault              string `json:"fault,omitempty"`
	Leg                uint32 `json:"leg"`
	Rule               string `json:"rule,omitempty"`
	RawCode            string `json:"raw_code,omitempty"`
	RawText            string `json:"raw_text,omitempty"`
	Country            string `json:"country,omitempty"`
	Region             string `json:"region,omitempty"`
	City               string `json:"city,omitempty"`
	Postcode           string `json:"postcode,omitempty"`
	Facility           string `json:"facility,omitempty"`
	LocationRaw        string `json:"location_raw,omitempty"`
	OriginCountry      string `json:"origin_country,omitempty"`
	DestinationCountry string `json:"destination_country,omitempty"`
	Product            string `json:"product,omitempty"`
	Topic              string `json:"topic,omitempty"`
	TopicID            ID     `json:"topic_id,omitzero"`
	Partition          int32  `json:"partition"`
	Offset             int64  `json:"offset"`
	ReceivedAt         string `json:"received_at,omitempty"`
	Backfill           bool   `json:"backfill"`
	Generic            bool   `json:"generic"`
	MappingVersion     uint32 `json:"mapping_version"`
	EventID            string `json:"event_id,omitempty"`
	NumberCheck        string `json:"number_check,omitempty"`
}

// AppendJSON appends the event as one JSON object, in the order of EventJSON's
// fields, without allocating once dst has room.
func (e *Event) AppendJSON(dst []byte) []byte {
	w := jsonWriter{b: append(dst, '{')}
	w.num("event_index", int64(e.EventIndex))
	w.str("carrier", e.Carrier)
	w.str("tracking_number", e.TrackingNumber)
	w.id("parcel_id", e.ParcelID)
	w.id("fact_id", e.FactID)
	w.time("occurred_at", e.OccurredAt)
	w.str("occurred_at_raw", e.OccurredAtRaw)
	w.num("offset_minutes", int64(e.OffsetMinutes))
	w.str("tz_source", e.TZSource.String())
	w.num("uncertainty_secs", int64(e.UncertaintySecs))
	w.str("milestone", e.Milestone.String())
	w.bool("physical", e.Physical)
	w.bool("progress", e.Progress)
	w.str("direction", e.Direction.String())
	w.str("direction_source", e.DirectionSource.String())
	w.str("reason", e.Reason)
	w.str("fault", e.Fault.String())
	w.num("leg", int64(e.Leg))
	w.str("rule", e.Rule)
	w.str("raw_code", e.RawCode)
	w.str("raw_text", e.RawText)
	w.str("country", e.Country)
	w.str("region", e.Region)
	w.str("city", e.City)
	w.str("postcode", e.Postcode)
	w.str("facility", e.Facility)
	w.str("location_raw", e.LocationRaw)
	w.str("origin_country", e.OriginCountry)
	w.str("destination_country", e.DestinationCountry)
	w.str("product", e.Product)
	w.str("topic", e.Topic)
	w.id("topic_id", e.TopicID)
	w.num("partition", int64(e.Partition))
	w.num("offset", e.Offset)
	w.time("received_at", e.ReceivedAt)
	w.bool("backfill", e.Backfill)
	w.bool("generic", e.Generic)
	w.num("mapping_version", int64(e.MappingVersion))
	w.str("event_id", e.EventID)
	w.str("number_check", e.NumberCheck.String())
	return append(w.b, '}')
}

// UnmarshalJSON reads what AppendJSON writes. Times without a value stay 0.
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
		Backfill: v.Backfill, Generic: v.Generic, MappingVersion: v.MappingVersion, EventID: v.EventID,
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
		if *t.unixMilli, err = parseJSONTime(t.value); err != nil {
			return fmt.Errorf("event: %s: %w", t.field, err)
		}
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
		{"number_check", v.NumberCheck, numberCheckNames[:], func(i int) { e.NumberCheck = NumberCheck(i) }},
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
