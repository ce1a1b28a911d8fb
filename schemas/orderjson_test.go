package schemas

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

const labelCreated = `{
  "order_id": "5771-0042", "shop_id": "shop-7", "market": "GB", "kind": "label_created",
  "at": "2026-03-01T09:30:00.5+08:00", "carrier": "yanwen", "label_source": "platform",
  "tracking_numbers": ["LX 123 456 785 CN", "UA123456789YP"],
  "origin_country": "CN", "destination_country": "GB", "destination_postcode": "M1 1AE",
  "promise_at": "2026-03-12T00:00:00Z", "until": null
}`

// goodFacts are accepted by the parser and by the schema.
var goodFacts = []string{
	labelCreated,
	`{"shop_id":"s","order_id":"1","kind":"created","at":"2026-03-01T09:30:00Z"}`,
	`{"shop_id":"s","order_id":"a:b","kind":"cancel_answered","at":"2026-03-01T09:30:00-05:30","accepted":false}`,
	`{"shop_id":"s","order_id":"1","kind":"promise_extended","at":"2026-03-01T09:30:00Z","promise_at":"2026-03-09T00:00:00Z"}`,
	`{"shop_id":"s","kind":"holiday","at":"2026-02-14T00:00:00Z","until":"2026-02-24T00:00:00Z"}`,
	`{"shop_id":"s","order_id":"1","kind":"confirmed","at":"2099-12-31T23:59:59.123456789Z","carrier":null,"market":null}`,
	`{"shop_id":"s","order_id":"1","kind":"marked_shipped","at":"2026-03-01T09:30:00Z","carrier":"\u4e2d\u56fd\u90ae\u653f"}`,
}

// badFacts are refused with this field and reason.
var badFacts = []struct{ json, field, reason string }{
	{``, "", ReasonNotJSON},
	{`{`, "", ReasonNotJSON},
	{`{"shop_id":"s",}`, "", ReasonNotJSON},
	{"{\"shop_id\":\"\xff\"}", "", ReasonNotJSON},
	{`[]`, "", ReasonType},
	{`"created"`, "", ReasonType},
	{`null`, "", ReasonType},
	{`{}`, "shop_id", ReasonMissing},
	{`{"shop_id":null}`, "shop_id", ReasonMissing},
	{`{"order_id":"1","shop_id":"s","at":"2026-03-01T09:30:00Z"}`, "kind", ReasonMissing},
	{`{"order_id":"1","shop_id":"s","kind":"created"}`, "at", ReasonMissing},
	{`{"shop_id":"s","kind":"created","at":"2026-03-01T09:30:00Z"}`, "order_id", ReasonMissing},
	{`{"shop_id":"s","kind":"holiday","at":"2026-03-01T09:30:00Z"}`, "until", ReasonMissing},
	{`{"order_id":"1","shop_id":"s","kind":"label_created","at":"2026-03-01T09:30:00Z"}`, "tracking_numbers", ReasonMissing},
	{`{"order_id":"1","shop_id":"s","kind":"promise_extended","at":"2026-03-01T09:30:00Z"}`, "promise_at", ReasonMissing},
	{`{"order_id":"1","shop_id":"s","kind":"cancel_answered","at":"2026-03-01T09:30:00Z"}`, "accepted", ReasonMissing},
	{`{"orderId":"1"}`, `"orderId"`, ReasonUnknownField},
	{`{"Kind":"created"}`, `"Kind"`, ReasonUnknownField},
	{`{"kind":"created","kind":"cancelled"}`, "kind", ReasonDuplicate},
	{`{"kind":null,"kind":"cancelled"}`, "kind", ReasonDuplicate},
	{`{"k\u0069nd":"created","kind":"cancelled"}`, "kind", ReasonDuplicate},
	{`{"order_id":1}`, "order_id", ReasonType},
	{`{"order_id":{"a":1}}`, "order_id", ReasonType},
	{`{"order_id":[["1"]]}`, "order_id", ReasonType},
	{`{"accepted":"yes"}`, "accepted", ReasonType},
	{`{"accepted":1}`, "accepted", ReasonType},
	{`{"kind":"delivered"}`, "kind", ReasonValue},
	{`{"kind":""}`, "kind", ReasonValue},
	{`{"order_id":""}`, "order_id", ReasonValue},
	{`{"order_id":"` + strings.Repeat("9", 65) + `"}`, "order_id", ReasonValue},
	{`{"order_id":"a b"}`, "order_id", ReasonValue},
	{`{"shop_id":"a:b"}`, "shop_id", ReasonValue},
	{`{"shop_id":"Ä"}`, "shop_id", ReasonValue},
	{`{"label_source":"buyer"}`, "label_source", ReasonValue},
	{`{"carrier":""}`, "carrier", ReasonValue},
	{`{"carrier":"a\u0000b"}`, "carrier", ReasonValue},
	{`{"destination_postcode":"12345678901234567"}`, "destination_postcode", ReasonValue},
	{`{"market":"UK"}`, "market", ReasonCountry},
	{`{"market":"gb"}`, "market", ReasonCountry},
	{`{"origin_country":"CHN"}`, "origin_country", ReasonCountry},
	{`{"destination_country":""}`, "destination_country", ReasonCountry},
	{`{"at":"2026-03-01 09:30:00"}`, "at", ReasonTime},
	{`{"at":"2026-03-01T09:30:00"}`, "at", ReasonTime},
	{`{"at":"2026-03-01T09:30:00CST"}`, "at", ReasonTime},
	{`{"at":"2026-02-30T09:30:00Z"}`, "at", ReasonTime},
	{`{"at":"2026-03-01T09:30:00,5Z"}`, "at", ReasonTime},
	{`{"at":"1970-01-01T00:00:00Z"}`, "at", ReasonTime},
	{`{"at":"2100-01-01T00:00:00Z"}`, "at", ReasonTime},
	{`{"at":1772330400}`, "at", ReasonType},
	{`{"tracking_numbers":"LX123456785CN"}`, "tracking_numbers", ReasonType},
	{`{"tracking_numbers":[1]}`, "tracking_numbers", ReasonType},
	{`{"tracking_numbers":[["LX123456785CN"]]}`, "tracking_numbers", ReasonType},
	{`{"tracking_numbers":[null]}`, "tracking_numbers", ReasonType},
	{`{"tracking_numbers":[]}`, "tracking_numbers", ReasonMissing},
	{`{"tracking_numbers":["12345"]}`, "tracking_numbers", ReasonNumber},
	{`{"tracking_numbers":["LX123456785CN","not a number!"]}`, "tracking_numbers", ReasonNumber},
	{`{"tracking_numbers":["` + strings.Repeat("1 ", 65) + `"]}`, "tracking_numbers", ReasonNumber},
	{`{"tracking_numbers":["123456"` + strings.Repeat(`,"123456"`, MaxOrderNumbers) + `]}`, "tracking_numbers", ReasonTooLarge},
	{`{"carrier":"` + strings.Repeat("x", MaxOrderFactBytes) + `"}`, "", ReasonTooLarge},
}

func TestParseOrderFact(t *testing.T) {
	got := OrderFact{TrackingNumbers: []string{"left over"}, Accepted: true, Topic: OrdersTopic, Offset: 9, ReceivedAt: 77}
	if err := ParseOrderFact([]byte(labelCreated), &got); err != nil {
		t.Fatal(err)
	}
	want := Record{Kind: KindOrder, Order: OrderFact{
		FactID: got.FactID, OrderID: "5771-0042", ShopID: "shop-7", Market: "GB", Kind: OrderLabelCreated,
		At: 1772328600500, Carrier: "yanwen", TrackingNumbers: []string{"LX123456785CN", "UA123456789YP"},
		LabelSource: "platform", OriginCountry: "CN", DestinationCountry: "GB", DestinationPostcode: "M1 1AE",
		PromiseAt: 1773273600000, Topic: OrdersTopic, Offset: 9, ReceivedAt: 77,
	}}
	if !sameRecord(&Record{Kind: KindOrder, Order: got}, &want) {
		t.Errorf("have %+v\nwant %+v", got, want.Order)
	}
	if got.FactID == (ID{}) {
		t.Error("the fact has no id")
	}
}

func TestParseOrderFactRefuses(t *testing.T) {
	for _, tc := range badFacts {
		var dst OrderFact
		err := ParseOrderFact([]byte(tc.json), &dst)
		var fe *FieldError
		if !errors.As(err, &fe) {
			t.Errorf("%.80s: error %v of type %T", tc.json, err, err)
			continue
		}
		if fe.Field != tc.field || fe.Reason != tc.reason {
			t.Errorf("%.80s: field %q, reason %s, want %q, %s (%v)", tc.json, fe.Field, fe.Reason, tc.field, tc.reason, err)
		}
		if len(err.Error()) > 400 {
			t.Errorf("%.80s: message of %d bytes", tc.json, len(err.Error()))
		}
	}
}

// TestOrderFactID: the same fact has the same id whatever it looks like and
// wherever it stands; another one has another.
func TestOrderFactID(t *testing.T) {
	idOf := func(raw string, src OrderFact) ID {
		if err := ParseOrderFact([]byte(raw), &src); err != nil {
			t.Fatal(err)
		}
		return src.FactID
	}
	base := `{"shop_id":"s","order_id":"1","kind":"created","at":"2026-03-01T09:30:00Z"}`
	want := idOf(base, OrderFact{})
	for _, same := range []string{
		`{ "kind":"created", "at":"2026-03-01T09:30:00.000Z", "order_id":"1", "shop_id":"s", "carrier":null }`,
		`{"shop_id":"\u0073","order_id":"1","kind":"created","at":"2026-03-01T17:30:00+08:00"}`,
	} {
		if idOf(same, OrderFact{Topic: "orders", Offset: 5, ReceivedAt: 1, Backfill: true}) != want {
			t.Errorf("%s has another id", same)
		}
	}
	seen := map[ID]string{want: base}
	for _, other := range []string{
		strings.Replace(base, `"s"`, `"t"`, 1), strings.Replace(base, `"1"`, `"2"`, 1),
		strings.Replace(base, "created", "confirmed", 1), strings.Replace(base, "00Z", "01Z", 1),
		strings.Replace(base, "}", `,"market":"GB"}`, 1), strings.Replace(base, "}", `,"origin_country":"GB"}`, 1),
		strings.Replace(base, "}", `,"accepted":true}`, 1),
	} {
		id := idOf(other, OrderFact{})
		if seen[id] != "" {
			t.Errorf("%s has the id of %s", other, seen[id])
		}
		seen[id] = other
	}
}

func orderSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	return compileSchema(t, OrderSchema)
}

func compileSchema(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:test", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// schemaAccepts reports the schema's verdict on JSON.
func schemaAccepts(s *jsonschema.Schema, raw []byte) bool {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	return err == nil && s.Validate(v) == nil
}

func TestOrderSchemaAgreesOnSamples(t *testing.T) {
	s := orderSchema(t)
	for _, raw := range goodFacts {
		if err := ParseOrderFact([]byte(raw), new(OrderFact)); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if !schemaAccepts(s, []byte(raw)) {
			t.Errorf("%s: refused by the schema", raw)
		}
	}
	for _, tc := range badFacts {
		// No schema can see a repeated key, bytes that are not UTF-8 or the
		// length of the record.
		if tc.reason == ReasonDuplicate || tc.reason == ReasonNotJSON || len(tc.json) > MaxOrderFactBytes {
			continue
		}
		if schemaAccepts(s, []byte(tc.json)) {
			t.Errorf("%.80s: accepted by the schema", tc.json)
		}
	}
}

func TestOrderSchemaHasTheSameNames(t *testing.T) {
	var doc struct {
		Properties map[string]struct {
			Enum []string `json:"enum"`
		} `json:"properties"`
	}
	if err := stdjson.Unmarshal(OrderSchema, &doc); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range doc.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	want := slices.Sorted(slices.Values(orderFields[:]))
	if !slices.Equal(names, want) {
		t.Errorf("schema %v\nparser %v", names, want)
	}
	var kinds []string
	for k := OrderKind(1); k.Known(); k++ {
		kinds = append(kinds, k.String())
	}
	if !slices.Equal(doc.Properties["kind"].Enum, kinds) {
		t.Errorf("schema %v\nGo     %v", doc.Properties["kind"].Enum, kinds)
	}
}

// orderValues are values, good and bad, that the schema and the parser must
// judge alike in every field.
var orderValues = []string{
	`null`, `true`, `false`, `0`, `""`, `"s"`, `"a:b"`, `"GB"`, `"UK"`, `"gb"`, `"platform"`, `"seller"`,
	`"created"`, `"label_created"`, `"holiday"`, `"promise_extended"`, `"cancel_answered"`, `"cancelled"`,
	`"2026-03-01T09:30:00Z"`, `"2026-03-01T09:30:00+08:00"`, `"2026-13-01T09:30:00Z"`, `"2026-03-01T24:00:00Z"`,
	`"2026-03-01T23:59:60Z"`, `"2026-03-01T09:30:00+24:00"`, `"2026-03-01t09:30:00z"`, `"1999-12-31T23:59:59Z"`,
	`[]`, `["LX123456785CN"]`, `["lx-123 456.785/cn_"]`, `["12345"]`, `["123456", 7]`, `{}`, `{"kind":"created"}`,
	`"line\nbreak"`, `"四川"`, `"a b"`, `"12345678901234567"`, `"\u00e9"`,
}

func TestOrderSchemaAgreesOnMutations(t *testing.T) {
	s := orderSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		var fact map[string]stdjson.RawMessage
		if err := stdjson.Unmarshal([]byte(rapid.SampledFrom(goodFacts).Draw(t, "base")), &fact); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			field := rapid.SampledFrom(append(orderFields[:], "extra")).Draw(t, "field")
			if rapid.IntRange(0, 4).Draw(t, "remove") == 0 {
				delete(fact, field)
			} else {
				fact[field] = stdjson.RawMessage(rapid.SampledFrom(orderValues).Draw(t, "value"))
			}
		}
		raw, err := stdjson.Marshal(fact)
		if err != nil {
			t.Fatal(err)
		}
		agree(t, s, raw)
	})
}

type failer interface{ Fatalf(string, ...any) }

func agree(t failer, s *jsonschema.Schema, raw []byte) {
	err := ParseOrderFact(raw, new(OrderFact))
	if ok := schemaAccepts(s, raw); ok != (err == nil) {
		t.Fatalf("%s\nparser: %v\nschema accepts: %t", raw, err, ok)
	}
}

// FuzzParseOrderFact: no bytes may crash the parser; what it accepts is JSON,
// is accepted by the schema, and has the same id after a rewrite.
func FuzzParseOrderFact(f *testing.F) {
	for _, raw := range goodFacts {
		f.Add([]byte(raw))
	}
	for _, tc := range badFacts {
		if len(tc.json) < 1000 {
			f.Add([]byte(tc.json))
		}
	}
	s := orderSchema(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var fact, again OrderFact
		if ParseOrderFact(raw, &fact) != nil {
			return
		}
		var v map[string]any
		if err := stdjson.Unmarshal(raw, &v); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		if !schemaAccepts(s, raw) {
			t.Fatal("accepted, but refused by the schema")
		}
		rewritten, err := stdjson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := ParseOrderFact(rewritten, &again); err != nil || again.FactID != fact.FactID {
			t.Fatalf("%s\nrewritten %s\nhas id %s, want %s, error %v", raw, rewritten, again.FactID, fact.FactID, err)
		}
	})
}

func TestParseOrderFactDoesNotAllocate(t *testing.T) {
	raw := []byte(strings.Replace(labelCreated, "LX 123 456 785 CN", "LX123456785CN", 1))
	var dst OrderFact
	if n := testing.AllocsPerRun(200, func() {
		if err := ParseOrderFact(raw, &dst); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("ParseOrderFact allocates %v times", n)
	}
}

func BenchmarkParseOrderFact(b *testing.B) {
	raw := []byte(labelCreated)
	var dst OrderFact
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseOrderFact(raw, &dst); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleParseOrderFact() {
	var f OrderFact
	err := ParseOrderFact([]byte(`{"shop_id":"s","order_id":"1","kind":"created","at":"2026-03-01 09:30:00"}`), &f)
	fmt.Println(err)
	// Output: at: "2026-03-01 09:30:00" is no time; want RFC 3339 with a zone, such as 2026-03-01T09:30:00+08:00
}
