package schemas

import (
	"bytes"
	stdjson "encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// The messages on parcel.alerts and parcel.status are described by schemas;
// these tests hold them equal to the Go types and to what is written.

// messageSchema is the schema of a CloudEvent with its data.
type messageSchema struct {
	*jsonschema.Schema
	Properties map[string]struct {
		Enum       []string                  `json:"enum"`
		Properties map[string]propertySchema `json:"properties"`
		Required   []string                  `json:"required"`
	} `json:"properties"`
	Required []string                  `json:"required"`
	Defs     map[string]propertySchema `json:"$defs"`
}

func readMessageSchema(t *testing.T, name string) *messageSchema {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &messageSchema{Schema: compileSchema(t, text)}
	if err := stdjson.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	return s
}

// names returns the fields of a type as the schema names them, sorted.
func names(typ reflect.Type, more ...string) []string {
	for i := range typ.NumField() {
		name := typ.Field(i).Tag.Get("json")
		if name == "" {
			name = snake(typ.Field(i).Name)
		}
		more = append(more, name)
	}
	slices.Sort(more)
	return more
}

func keys[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func TestMessageSchemasHaveTheSameNames(t *testing.T) {
	alert := keys(readMessageSchema(t, "alert.schema.json").Properties["data"].Properties)
	if want := names(reflect.TypeFor[Alert](), "action"); !slices.Equal(alert, want) {
		t.Errorf("alert.schema.json has %v\nAlert and the action %v", alert, want)
	}
	if want := names(reflect.TypeFor[alertData](), "action"); !slices.Equal(alert, want) {
		t.Errorf("alert.schema.json has %v\nParseAlertJSON reads, beside the action, %v", alert, want)
	}
	status := keys(readMessageSchema(t, "status.schema.json").Properties["data"].Properties)
	if want := names(reflect.TypeFor[Status]()); !slices.Equal(status, want) {
		t.Errorf("status.schema.json has %v\nStatus %v", status, want)
	}
}

// constants returns the values of the string constants of a file whose names
// begin with prefix.
func constants(t *testing.T, path, prefix string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) != 1 {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, value)
		return true
	})
	return all
}

// Rules and Causes leave out nothing that is declared.
func TestRulesAndCausesAreComplete(t *testing.T) {
	for name, lists := range map[string][2][]string{
		"rules":  {Rules(), constants(t, "alert.go", "Rule")},
		"causes": {Causes(), constants(t, "advice.go", "Cause")},
	} {
		have, declared := slices.Sorted(slices.Values(lists[0])), slices.Sorted(slices.Values(lists[1]))
		if len(declared) == 0 || !slices.Equal(have, declared) {
			t.Errorf("%s are %v, declared %v", name, have, declared)
		}
	}
}

func TestMessageSchemasHaveTheSameWords(t *testing.T) {
	s := readMessageSchema(t, "alert.schema.json")
	data := s.Properties["data"].Properties
	for name, want := range map[string][]string{
		"rule": constants(t, "alert.go", "Rule"), "cause": constants(t, "advice.go", "Cause"), "status": alertStatusNames[1:],
	} {
		if !slices.Equal(data[name].Enum, want) {
			t.Errorf("%s: schema %v\nGo %v", name, data[name].Enum, want)
		}
	}
	var milestones []string
	for _, m := range Milestones() {
		if m != Unmapped {
			milestones = append(milestones, m.String())
		}
	}
	if got := s.Defs["milestone"].Enum; !slices.Equal(got, milestones) {
		t.Errorf("milestone: schema %v\nGo %v", got, milestones)
	}
	checkTypes(t, "scantrail.alert.", s.Properties["type"].Enum, data["status"].Enum)
	s = readMessageSchema(t, "status.schema.json")
	checkTypes(t, "scantrail.status.", s.Properties["type"].Enum, s.Properties["data"].Properties["stage"].Enum)
}

// checkTypes compares the types of a CloudEvent with the words that they end in.
func checkTypes(t *testing.T, prefix string, types, words []string) {
	t.Helper()
	var want []string
	for _, w := range words {
		want = append(want, prefix+w)
	}
	if len(want) == 0 || !slices.Equal(types, want) {
		t.Errorf("types of the message are %v, want %v", types, want)
	}
}

// drawMessage returns an alert as the detector makes them.
func drawMessage(t *rapid.T, rules, causes []string) Alert {
	country := rapid.StringMatching(`([A-Z]{2})?`)
	a := anyAlert(t)
	a.Rule = rapid.SampledFrom(rules).Draw(t, "a rule")
	a.Cause = rapid.SampledFrom(append(causes, "")).Draw(t, "a cause")
	a.Market, a.Origin = country.Draw(t, "a market"), country.Draw(t, "an origin")
	a.Destination, a.Country = country.Draw(t, "a destination"), country.Draw(t, "a country")
	a.ChangedAt = max(a.ChangedAt, 1)
	if rapid.Bool().Draw(t, "no parcel") {
		a.ParcelID, a.TrackingNumber = ID{}, ""
	}
	return a
}

func TestMessagesFitTheirSchemas(t *testing.T) {
	alert, status := readMessageSchema(t, "alert.schema.json"), readMessageSchema(t, "status.schema.json")
	rules, causes := constants(t, "alert.go", "Rule"), constants(t, "advice.go", "Cause")
	stages := status.Properties["data"].Properties["stage"].Enum
	check := func(t *rapid.T, s *messageSchema, raw []byte) {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := drawMessage(t, rules, causes)
		check(t, alert, AppendAlertJSON(nil, &a))
		s := Status{
			ParcelID: a.Home, TrackingNumber: rapid.StringMatching(`[A-Z0-9]{6,40}`).Draw(t, "number"), ShopID: a.ShopID, OrderID: a.OrderID,
			Version: a.Version, Stage: rapid.SampledFrom(stages).Draw(t, "a stage"), At: a.ChangedAt, ChangedAt: a.ChangedAt,
		}
		check(t, status, AppendStatusJSON(nil, &s))
	})
}

// sampleMessages returns a full message for each schema.
func sampleMessages() map[string][]byte {
	a := Alert{
		AlertID: ID{1}, Home: ID{2}, Version: 1 << 60, Rule: RuleMilestoneMissing, Detail: "overdue", Level: 1, Status: AlertOpen,
		Milestone: ExportCleared, Stage: Accepted, ParcelID: ID{2}, TrackingNumber: "LX000000175CN", Carrier: "usps", ShopID: "shop-1",
		OrderID: "SO-1", Market: "US", Origin: "CN", Destination: "US", Facility: "LAX", Country: "US", AnchorAt: 1790812353000,
		EndedAt: 1790985153000, OpenedAt: 1790985153000, ChangedAt: 1790985153000, SilentSecs: 172800, Cause: CauseMilestoneOverdue, Policy: "default",
	}
	s := Status{ParcelID: ID{3}, TrackingNumber: "LX000000175CN", ShopID: "shop-1", OrderID: "SO-1", Version: 7, Stage: "delivered", At: 1, ChangedAt: 2}
	return map[string][]byte{
		"alert.schema.json": AppendAlertJSON(nil, &a), "status.schema.json": AppendStatusJSON(nil, &s),
	}
}

func TestMessageSchemasRefuse(t *testing.T) {
	for name, raw := range sampleMessages() {
		s := readMessageSchema(t, name)
		if !schemaAccepts(s.Schema, raw) {
			t.Fatalf("%s refuses %s", name, raw)
		}
		// refused changes a field of the message, or of its data.
		refused := func(inData bool, field string, value any) {
			t.Helper()
			var message map[string]any
			if err := stdjson.Unmarshal(raw, &message); err != nil {
				t.Fatal(err)
			}
			fields := message
			if inData {
				fields = message["data"].(map[string]any)
			}
			if fields[field] = value; value == nil {
				delete(fields, field)
			}
			changed, err := stdjson.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			if schemaAccepts(s.Schema, changed) {
				t.Errorf("%s accepts %s", name, changed)
			}
		}
		for _, field := range s.Required {
			refused(false, field, nil)
		}
		for _, field := range s.Properties["data"].Required {
			refused(true, field, nil)
		}
		for _, field := range keys(s.Properties) {
			refused(false, field, []int{1})
		}
		for _, field := range keys(s.Properties["data"].Properties) {
			refused(true, field, []int{1})
		}
		refused(false, "type", "scantrail.other.open")
		refused(true, "changed_at", "yesterday")
		refused(true, "version", 7)
	}
}
