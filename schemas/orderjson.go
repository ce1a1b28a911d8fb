package schemas

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/segmentio/encoding/json"
)

// OrderSchema is the JSON Schema of what ParseOrderFact reads.
//
//go:embed order.schema.json
var OrderSchema []byte

// Limits of one order fact. The longest honest one is under 2 KiB.
const (
	MaxOrderFactBytes = 64 << 10
	MaxOrderNumbers   = 32 // tracking numbers of one label
	maxOrderKeyPart   = 64 // characters of an order's or a shop's id
	maxOrderCarrier   = 64
	maxOrderPostcode  = 16
	maxPrintedNumber  = 128
)

// Reasons of a FieldError: a closed set, fit for a metric's label.
const (
	ReasonNotJSON      = "not_json"
	ReasonTooLarge     = "too_large"
	ReasonUnknownField = "unknown_field"
	ReasonDuplicate    = "duplicate_field"
	ReasonType         = "wrong_type"
	ReasonMissing      = "missing_field"
	ReasonTime         = "bad_time"
	ReasonCountry      = "bad_country"
	ReasonNumber       = "bad_tracking_number"
	ReasonValue        = "bad_value"
)

// FieldError says which field of a JSON record was refused and why. Its text
// ends in what to do about it.
type FieldError struct {
	Field  string // empty when the whole record is meant
	Reason string // one of the Reason constants
	Detail string
}

func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Detail
	}
	return e.Field + ": " + e.Detail
}

func refuse(field, reason, format string, args ...any) error {
	return &FieldError{Field: field, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// orderFields are the keys of an order fact; order.schema.json describes them.
var orderFields = [...]string{
	"order_id", "shop_id", "market", "kind", "at", "carrier", "tracking_numbers", "label_source",
	"origin_country", "destination_country", "destination_postcode", "promise_at", "until", "accepted",
}

// orderParser reads one record. seen has a bit for each field that was stated
// with a value, keys one for each that was named.
type orderParser struct {
	t          json.Tokenizer
	o          *OrderFact
	seen, keys uint32
}

// ParseOrderFact reads one value of the topic orders into dst, all of which it
// sets, except the source (Topic to Backfill), which it leaves. Strings may
// alias raw. FactID is the hash of what the fact says, so that the same fact
// sent again, with other whitespace or in another order of keys, is the same
// fact. Errors are of type *FieldError.
func ParseOrderFact(raw []byte, dst *OrderFact) error {
	switch {
	case len(raw) > MaxOrderFactBytes:
		return refuse("", ReasonTooLarge, "order fact of %d bytes, at most %d", len(raw), MaxOrderFactBytes)
	case !utf8.Valid(raw):
		return refuse("", ReasonNotJSON, "not UTF-8")
	case !json.Valid(raw):
		return refuse("", ReasonNotJSON, "not JSON")
	}
	*dst = OrderFact{
		TrackingNumbers: dst.TrackingNumbers[:0],
		Topic:           dst.Topic, TopicID: dst.TopicID, Partition: dst.Partition, Offset: dst.Offset,
		ReceivedAt: dst.ReceivedAt, Backfill: dst.Backfill,
	}
	p := orderParser{o: dst}
	p.t.Reset(raw)
	if err := p.object(); err != nil {
		return err
	}
	if err := p.complete(); err != nil {
		return err
	}
	dst.FactID = orderFactID(dst)
	return nil
}

// orderFactID hashes the wire form of the fact without its id and source.
func orderFactID(o *OrderFact) ID {
	said := *o
	said.FactID = ID{}
	said.Topic, said.TopicID, said.Partition, said.Offset, said.ReceivedAt, said.Backfill = "", ID{}, 0, 0, 0, false
	var scratch [512]byte
	return Hash(appendOrder(scratch[:0], &said))
}

// object reads the record. That it is JSON is known already: every key has a
// value, every bracket its other.
func (p *orderParser) object() error {
	if !p.t.Next() || p.t.Delim != '{' {
		return refuse("", ReasonType, "not a JSON object")
	}
	for p.t.Next() {
		if p.t.Delim != 0 {
			continue // , or the closing }
		}
		key := text(p.t.Value)
		field := slices.Index(orderFields[:], key)
		if field < 0 {
			return refuse(fmt.Sprintf("%.40q", key), ReasonUnknownField, "unknown key; known: %s", strings.Join(orderFields[:], ", "))
		}
		if p.keys&(1<<field) != 0 {
			return refuse(key, ReasonDuplicate, "stated twice; keep one")
		}
		p.keys |= 1 << field
		p.t.Next() // :
		p.t.Next()
		if p.t.Value.Null() {
			continue
		}
		p.seen |= 1 << field
		if err := p.value(orderFields[field]); err != nil {
			return err
		}
	}
	return nil
}

// text returns a JSON string without its quotes; it aliases the record unless
// something in it is escaped.
func text(v json.RawValue) string {
	inner := v[1 : len(v)-1]
	for _, c := range inner {
		if c == '\\' {
			return string(v.Unquote())
		}
	}
	return unsafe.String(unsafe.SliceData(inner), len(inner))
}

// value reads the value that the tokenizer stands on.
func (p *orderParser) value(field string) (err error) {
	if field == "tracking_numbers" {
		return p.numbers()
	}
	if field == "accepted" {
		if !p.t.Value.True() && !p.t.Value.False() {
			return refuse(field, ReasonType, "neither true nor false")
		}
		p.o.Accepted = p.t.Value.True()
		return nil
	}
	if !p.t.Value.String() {
		return refuse(field, ReasonType, "not a string")
	}
	s := text(p.t.Value)
	switch o := p.o; field {
	case "order_id":
		o.OrderID, err = keyPart(field, s, true)
	case "shop_id":
		o.ShopID, err = keyPart(field, s, false)
	case "kind":
		if o.Kind, err = ParseOrderKind(s); err != nil {
			return &FieldError{Field: field, Reason: ReasonValue, Detail: err.Error()}
		}
	case "carrier":
		o.Carrier, err = shortText(field, s, maxOrderCarrier)
	case "label_source":
		if o.LabelSource = s; s != "platform" && s != "seller" {
			return refuse(field, ReasonValue, "%.40q is neither platform nor seller", s)
		}
	case "destination_postcode":
		o.DestinationPostcode, err = shortText(field, s, maxOrderPostcode)
	case "market":
		o.Market, err = country(field, s)
	case "origin_country":
		o.OriginCountry, err = country(field, s)
	case "destination_country":
		o.DestinationCountry, err = country(field, s)
	case "at":
		o.At, err = instant(field, s)
	case "promise_at":
		o.PromiseAt, err = instant(field, s)
	case "until":
		o.Until, err = instant(field, s)
	}
	return err
}

func (p *orderParser) numbers() error {
	const field = "tracking_numbers"
	if p.t.Delim != '[' {
		return refuse(field, ReasonType, "not an array")
	}
	for p.t.Next() && p.t.Delim != ']' {
		if p.t.Delim == ',' {
			continue
		}
		if !p.t.Value.String() {
			return refuse(field, ReasonType, "holds something that is not a string")
		}
		if len(p.o.TrackingNumbers) == MaxOrderNumbers {
			return refuse(field, ReasonTooLarge, "more than %d numbers; send several facts", MaxOrderNumbers)
		}
		n, ok := canonicalNumber(text(p.t.Value))
		if !ok {
			return refuse(field, ReasonNumber, "%.40q is no tracking number: want %d to %d letters and digits", text(p.t.Value), MinNumber, MaxNumber)
		}
		p.o.TrackingNumbers = append(p.o.TrackingNumbers, n)
	}
	if len(p.o.TrackingNumbers) == 0 {
		return refuse(field, ReasonMissing, "empty; leave the key out or name one")
	}
	return nil
}

// canonicalNumber returns the canonical form of a printed number, which is the
// string itself in the usual case.
func canonicalNumber(printed string) (string, bool) {
	if len(printed) > maxPrintedNumber {
		return "", false
	}
	var buf [MaxNumber + 1]byte
	n, ok := AppendNumber(buf[:0], printed)
	if ok && string(n) == printed {
		return printed, true
	}
	return string(n), ok
}

// complete reports what a fact of this kind cannot do without.
func (p *orderParser) complete() error {
	need := []string{"shop_id", "kind", "at", "order_id"}
	switch p.o.Kind {
	case OrderHoliday:
		need = []string{"shop_id", "kind", "at", "until"}
	case OrderLabelCreated:
		need = []string{"shop_id", "kind", "at", "order_id", "tracking_numbers"}
	case OrderPromiseExtended:
		need = []string{"shop_id", "kind", "at", "order_id", "promise_at"}
	case OrderCancelAnswered:
		need = []string{"shop_id", "kind", "at", "order_id", "accepted"}
	}
	for _, name := range need {
		if p.seen&(1<<slices.Index(orderFields[:], name)) == 0 {
			return refuse(name, ReasonMissing, "missing; a fact of this kind needs it")
		}
	}
	return nil
}

// keyPart checks an id that becomes a part of the Kafka key.
func keyPart(field, s string, colon bool) (string, error) {
	if len(s) < 1 || len(s) > maxOrderKeyPart {
		return "", refuse(field, ReasonValue, "%d characters, want 1 to %d", len(s), maxOrderKeyPart)
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ':' && !colon {
			return "", refuse(field, ReasonValue, "%.70q holds a space, a colon or something other than ASCII", s)
		}
	}
	return s, nil
}

// shortText checks the length, in characters, of a text that is kept as it is.
func shortText(field, s string, limit int) (string, error) {
	if n := utf8.RuneCountInString(s); n < 1 || n > limit {
		return "", refuse(field, ReasonValue, "%d characters, want 1 to %d", n, limit)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return "", refuse(field, ReasonValue, "%.40q holds a control character", s)
	}
	return s, nil
}

func country(field, s string) (string, error) {
	switch {
	case s == "UK":
		return "", refuse(field, ReasonCountry, "UK is no ISO 3166-1 code; write GB")
	case len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z':
		return "", refuse(field, ReasonCountry, "%.40q is no country; want ISO 3166-1 alpha-2 in upper case, such as CN", s)
	}
	return s, nil
}

// instant reads RFC 3339 into Unix milliseconds. The bounds keep milliseconds
// and seconds of other epochs, and typing errors, out of the clocks.
func instant(field, s string) (int64, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || len(s) < 20 || len(s) > len("2006-01-02T15:04:05.123456789+00:00") || s[19] == ',' {
		return 0, refuse(field, ReasonTime, "%.40q is no time; want RFC 3339 with a zone, such as 2026-03-01T09:30:00+08:00", s)
	}
	// time.Parse takes an offset of 24:00, which no zone has.
	if _, offset := t.Zone(); offset >= 24*3600 || offset <= -24*3600 {
		return 0, refuse(field, ReasonTime, "%.40q has an offset of a day or more", s)
	}
	if s[:2] != "20" {
		return 0, refuse(field, ReasonTime, "%.40q lies outside the years 2000 to 2099", s)
	}
	return t.UnixMilli(), nil
}
