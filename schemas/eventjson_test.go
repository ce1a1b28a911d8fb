package schemas

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func fullEvent() Event {
	return Event{
		ParcelID: ParcelID("LX000000175CN"), FactID: Hash([]byte("x")), Carrier: "ups", TrackingNumber: "LX000000175CN", EventIndex: 2,
		OccurredAt: 1790812353123, OccurredAtRaw: "2026-10-01 08:12:33.123", OffsetMinutes: 480, TZSource: TZLocation, UncertaintySecs: 3600,
		Milestone: ImportCustomsHeld, Physical: true, Progress: true, Direction: Import, DirectionSource: DirectionCountry,
		Reason: "customs_documentation", Fault: FaultCustoms, Leg: 2, Rule: "lexicon:en:held by customs", RawCode: "CD", RawText: "Held <by> \"customs\" 海关",
		Country: "US", Region: "NY", City: "New York", Postcode: "11430", Facility: "JFK", LocationRaw: "JFK, New York",
		OriginCountry: "CN", DestinationCountry: "US", Product: "STD", Topic: "scans.raw.ups", TopicID: Hash([]byte("t")), Partition: 3, Offset: 7,
		ReceivedAt: 1790812400000, Backfill: true, Generic: true, MappingVersion: 4,
	}
}

func TestEventJSON(t *testing.T) {
	want := fullEvent()
	v := reflect.ValueOf(want)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("the test's event leaves %s unset", v.Type().Field(i).Name)
		}
	}
	b := want.AppendJSON(nil)
	var got Event
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// EventJSON has the fields of Event, in its order and by their names.
	form := reflect.TypeFor[EventJSON]()
	var names []string
	for i := range form.NumField() {
		tag, _, _ := strings.Cut(form.Field(i).Tag.Get("json"), ",")
		names = append(names, tag)
		if f, ok := v.Type().FieldByName(form.Field(i).Name); !ok || snake(f.Name) != tag {
			t.Errorf("EventJSON.%s is written %q", form.Field(i).Name, tag)
		}
	}
	if form.NumField() != v.NumField() {
		t.Errorf("EventJSON has %d fields, Event %d", form.NumField(), v.NumField())
	}
	var order []string
	d := json.NewDecoder(bytes.NewReader(b))
	for d.More() || len(order) == 0 {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := token.(string); ok && slices.Contains(names, s) && !slices.Contains(order, s) {
			order = append(order, s)
		}
	}
	if !slices.Equal(order, names) {
		t.Errorf("order %v\nwant  %v", order, names)
	}
}

// event.schema.json lists the same fields, names and milestones.
func TestEventSchema(t *testing.T) {
	b, err := os.ReadFile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("event.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	properties := doc.(map[string]any)["properties"].(map[string]any)
	form := reflect.TypeFor[EventJSON]()
	for i := range form.NumField() {
		tag, _, _ := strings.Cut(form.Field(i).Tag.Get("json"), ",")
		if properties[tag] == nil {
			t.Errorf("the schema lacks %s", tag)
		}
	}
	if len(properties) != form.NumField() {
		t.Errorf("the schema has %d fields, EventJSON %d", len(properties), form.NumField())
	}
	e := fullEvent()
	for _, m := range Milestones() {
		e.Milestone = m
		line, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.AppendJSON(nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(line); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	bad, _ := jsonschema.UnmarshalJSON(strings.NewReader(`{"event_index":0,"milestone":"x"}`))
	if schema.Validate(bad) == nil {
		t.Error("a broken event is valid")
	}
}

func TestEventJSONErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{"milestone":"acepted"}`: "milestone", `{"milestone":"info","occurred_at":"yesterday"}`: "occurred_at",
		`{"milestone":"info","fault":"nobody"}`: "fault", `{"milestone":1}`: "milestone",
	} {
		var e Event
		if err := json.Unmarshal([]byte(in), &e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
}
