package schemas

import (
	"bytes"
	stdjson "encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// The canonical event also has a JSON form; these tests hold its schema and
// its code equal to the Go type and so to event.proto.

type propertySchema struct {
	Enum []string `json:"enum"`
}

func eventSchema(t testing.TB) (*jsonschema.Schema, map[string]propertySchema, []string) {
	t.Helper()
	text, err := os.ReadFile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Properties map[string]propertySchema `json:"properties"`
		Required   []string                  `json:"required"`
	}
	if err := stdjson.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return compileSchema(t, text), doc.Properties, doc.Required
}

func TestEventSchemaHasTheSameNames(t *testing.T) {
	var goNames, jsonNames []string
	event := reflect.TypeFor[Event]()
	for i := range event.NumField() {
		goNames = append(goNames, snake(event.Field(i).Name))
	}
	eventJSON := reflect.TypeFor[EventJSON]()
	for i := range eventJSON.NumField() {
		name, _, _ := strings.Cut(eventJSON.Field(i).Tag.Get("json"), ",")
		jsonNames = append(jsonNames, name)
	}
	var protoNames []string
	fields := recordDescriptor(t).Fields().ByNumber(protoreflect.FieldNumber(KindEvent)).Message().Fields()
	for i := range fields.Len() {
		protoNames = append(protoNames, string(fields.Get(i).Name()))
	}
	_, properties, _ := eventSchema(t)
	var schemaNames []string
	for name := range properties {
		schemaNames = append(schemaNames, name)
	}
	for _, names := range [][]string{goNames, jsonNames, protoNames, schemaNames} {
		slices.Sort(names)
		if !slices.Equal(names, goNames) {
			t.Errorf("have %v\nwant %v", names, goNames)
		}
	}
}

func TestEventSchemaHasTheSameWords(t *testing.T) {
	var milestoneNames []string
	for _, m := range Milestones() {
		milestoneNames = append(milestoneNames, m.String())
	}
	_, properties, _ := eventSchema(t)
	for name, want := range map[string][]string{
		"milestone": milestoneNames, "tz_source": tzSourceNames[:], "direction": directionNames[:],
		"direction_source": directionSourceNames[:], "fault": faultNames[:],
		"number_check": numberCheckNames[:],
	} {
		if !slices.Equal(properties[name].Enum, want) {
			t.Errorf("%s: schema %v\nGo %v", name, properties[name].Enum, want)
		}
	}
}

// drawEvent returns an event that a carrier could have sent: random fields
// within what the types mean.
func drawEvent(t *rapid.T) *Event {
	e := &drawRecord(t, KindEvent).Event
	instant := rapid.Int64Range(1, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	country := rapid.StringMatching(`([A-Z]{2})?`)
	e.OccurredAt, e.ReceivedAt = instant.Draw(t, "occurred"), instant.Draw(t, "received")
	e.Milestone = rapid.SampledFrom(Milestones()).Draw(t, "milestone")
	e.TrackingNumber = rapid.StringMatching(`[A-Z0-9]{6,40}`).Draw(t, "number")
	e.Carrier = rapid.StringMatching(`[a-z][a-z0-9_-]{1,20}`).Draw(t, "carrier")
	e.OffsetMinutes = rapid.Int32Range(-14*60, 14*60).Draw(t, "offset")
	e.Country, e.OriginCountry, e.DestinationCountry = country.Draw(t, "country"), country.Draw(t, "origin"), country.Draw(t, "destination")
	e.Partition, e.Offset = rapid.Int32Range(0, 1e6).Draw(t, "partition"), rapid.Int64Range(0, 1<<44).Draw(t, "offset")
	e.Topic = RawTopicPrefix + e.Carrier
	e.ParcelID, e.FactID = ParcelID(e.TrackingNumber), Hash([]byte(e.RawText))
	return e
}

func TestEventJSONFitsItsSchema(t *testing.T) {
	schema, _, _ := eventSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		want := drawEvent(t)
		raw := want.AppendJSON(nil)
		if !schemaAccepts(schema, raw) {
			v, _ := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			t.Fatalf("%s\n%v", raw, schema.Validate(v))
		}
		var got Event
		if err := stdjson.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got != *want {
			t.Fatalf("read back\n%+v\nwant\n%+v", got, *want)
		}
		// The struct and the appender are two ways to write the same object.
		var v EventJSON
		if err := stdjson.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		again, err := stdjson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(raw, again) {
			t.Fatalf("AppendJSON %s\nEventJSON  %s", raw, again)
		}
	})
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return stdjson.Unmarshal(a, &x) == nil && stdjson.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func TestEventSchemaRefuses(t *testing.T) {
	schema, properties, required := eventSchema(t)
	base := sampleEvent().Event.AppendJSON(nil)
	if !schemaAccepts(schema, base) {
		t.Fatalf("the schema refuses %s", base)
	}
	change := func(field string, value any) []byte {
		var fields map[string]any
		if err := stdjson.Unmarshal(base, &fields); err != nil {
			t.Fatal(err)
		}
		if fields[field] = value; value == nil {
			delete(fields, field)
		}
		raw, err := stdjson.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, field := range required {
		if schemaAccepts(schema, change(field, nil)) {
			t.Errorf("accepted without %s", field)
		}
	}
	for field := range properties {
		if schemaAccepts(schema, change(field, []int{1})) {
			t.Errorf("accepted with a list as %s", field)
		}
	}
	for field, value := range map[string]any{
		"milestone": "teleported", "tz_source": "guess", "country": "China", "tracking_number": "a b",
		"occurred_at": "yesterday", "parcel_id": "7",
	} {
		if schemaAccepts(schema, change(field, value)) {
			t.Errorf("accepted with %s = %v", field, value)
		}
	}
}
