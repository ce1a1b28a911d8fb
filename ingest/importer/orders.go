package importer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/encoding/json"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// orderTable turns rows of a table into order facts. In a long file each row is
// one fact, with the columns kind and at; in a wide one a row is an order, with a
// column for the time of each fact.
type orderTable struct {
	*table
	clock    *carriers.Clock
	registry *carriers.Registry
	verify   bool // parse every fact as ingest will
	long     bool

	fact    schemas.OrderFact
	arena   []byte
	key     []byte
	numbers []string
	row     *Row
}

// wideFacts are the columns of a wide file that make a fact of their own.
var wideFacts = [...]struct {
	column int
	kind   schemas.OrderKind
}{
	{orderCreated, schemas.OrderCreated}, {orderConfirmed, schemas.OrderConfirmed},
	{orderReady, schemas.OrderReadyToShip}, {orderShipped, schemas.OrderMarkedShipped},
	{orderDelivered, schemas.OrderMarkedDelivered}, {orderExtended, schemas.OrderPromiseExtended},
	{orderCancelRequested, schemas.OrderCancelRequested}, {orderCancelAnswered, schemas.OrderCancelAnswered},
	{orderCancelled, schemas.OrderCancelled},
}

func newOrderTable(t *table, clock *carriers.Clock, registry *carriers.Registry, verify bool) (*orderTable, error) {
	o := &orderTable{table: t, clock: clock, registry: registry, verify: verify, long: t.has(orderKind)}
	need := []int{orderShop, orderID}
	if o.long {
		need = []int{orderShop, orderAt}
	}
	for _, f := range need {
		if !t.has(f) {
			return nil, Problem{t.file, 1, t.fields[f].name, "no such column", fmt.Sprintf("name it with --map %[1]s=\"HEADER\", or say it for all rows with --set %[1]s=VALUE; the header has: %[2]s", t.fields[f].name, t.names())}
		}
	}
	if !o.long && !o.anyTime() {
		return nil, Problem{t.file, 1, "", "no column says when anything happened", "name at least one: --map created_at=\"HEADER\"; the header has: " + t.names()}
	}
	return o, nil
}

func (o *orderTable) anyTime() bool {
	any := o.has(orderLabel)
	for _, w := range wideFacts {
		any = any || o.has(w.column)
	}
	return any
}

// next reads the facts of a row.
func (o *orderTable) next(r *Row) error {
	if err := o.table.next(r); err != nil {
		return err
	}
	o.row, o.arena, o.key = r, o.arena[:0], o.key[:0]
	o.splitNumbers()
	if o.long {
		o.longRow()
	} else {
		o.wideRow()
	}
	if len(r.Records) == 0 && len(r.Problems) == 0 {
		o.problem(orderCreated, "the row says of nothing when it happened", "fill a column of times, or leave the row out")
	}
	if len(r.Problems) > 0 {
		r.Raw = o.rawRow(o.cells)
	}
	return nil
}

// problem notes what is wrong with a column. Facts of a row share columns: each is
// named once.
func (o *orderTable) problem(f int, what, remedy string) {
	o.row.problem(Problem{o.file, o.row.Line, o.column(f), what, remedy})
}

// splitNumbers reads the tracking numbers of the row.
func (o *orderTable) splitNumbers() {
	o.numbers = o.numbers[:0]
	s := o.get(orderNumbers)
	for s != "" {
		i := strings.IndexAny(s, ",;|\n")
		one := s
		if s = ""; i >= 0 {
			one, s = one[:i], one[i+1:]
		}
		if one = strings.TrimSpace(one); one != "" {
			o.numbers = append(o.numbers, one)
		}
	}
}

func (o *orderTable) longRow() {
	kind, err := schemas.ParseOrderKind(o.get(orderKind))
	if err != nil {
		o.problem(orderKind, err.Error(), "correct the value")
		return
	}
	if at, ok := o.instant(orderAt, false); ok && at != 0 {
		o.add(kind, at, orderAt)
	} else if ok {
		o.problem(orderAt, "empty", "say when it happened")
	}
}

func (o *orderTable) wideRow() {
	for _, w := range wideFacts {
		if at, ok := o.instant(w.column, false); ok && at != 0 {
			o.add(w.kind, at, w.column)
		}
	}
	o.label()
}

// label adds the fact that links an order to its parcels. Without a time of its
// own the label existed when the order was marked as shipped, or ready.
func (o *orderTable) label() {
	for _, f := range [...]int{orderLabel, orderShipped, orderReady} {
		at, ok := o.instant(f, false)
		switch {
		case !ok:
			return
		case at == 0:
			continue
		case len(o.numbers) > 0:
			o.add(schemas.OrderLabelCreated, at, f)
		case f == orderLabel:
			o.problem(orderNumbers, "empty, but "+o.column(orderLabel)+" says that there is a label", "name the tracking number of the label, or leave its time out")
		}
		return
	}
	if len(o.numbers) > 0 {
		o.problem(orderLabel, "a tracking number, but no time of its label, of shipping or of being ready",
			"fill it, or take another column for it: --map label_created_at=\"HEADER\"")
	}
}

// instant reads a time of the row; 0 when there is none. A day alone is enough
// for a promise: its end.
func (o *orderTable) instant(f int, days bool) (ms int64, ok bool) {
	s := o.get(f)
	if s == "" {
		return 0, true
	}
	ms, _, day, err := o.clock.Read(s)
	if day && !days {
		err = carriers.ErrNoTime
	}
	if err == nil {
		return ms, true
	}
	what, remedy := timeProblem(s, err, o.clock)
	o.problem(f, what, remedy)
	return 0, false
}

// timeProblem says what is wrong with a time.
func timeProblem(s string, err error, clock *carriers.Clock) (what, remedy string) {
	what = shown(s) + " " + err.Error()
	switch {
	case errors.Is(err, carriers.ErrNoZone):
		return what, "say in which zone such times are: --zone Asia/Shanghai"
	case errors.Is(err, carriers.ErrNoTime):
		return what, "give hours and minutes too"
	}
	return what, "read are " + strings.Replace(strings.Join(clock.Layouts(), ", "), "iso", "YYYY-MM-DD HH:mm:ss", 1) + "; name another with --time-layout, for example \"DD/MM/YYYY HH:mm\""
}

// add writes a fact as JSON; at is Unix milliseconds, f the column that says so.
func (o *orderTable) add(kind schemas.OrderKind, at int64, f int) {
	start := len(o.arena)
	b := append(o.arena, '{')
	b = o.member(b, "order_id", o.get(orderID))
	b = o.member(b, "shop_id", o.get(orderShop))
	b = o.member(b, "market", o.country(orderMarket))
	b = o.member(b, "kind", kind.String())
	b = appendTime(b, "at", at)
	b = o.details(b, kind)
	b[len(b)-1] = '}' // in place of the last comma
	o.arena = b
	value := b[start:len(b):len(b)]
	if o.verify && !o.valid(value, f) {
		return
	}
	start = len(o.key)
	o.key = append(append(append(append(o.key, "order:"...), o.get(orderShop)...), ':'), o.get(orderID)...)
	o.row.happened(at)
	o.row.Records = append(o.row.Records, Record{schemas.OrdersTopic, kind.String(), o.key[start:len(o.key):len(o.key)], value})
}

// details adds what facts of this kind say besides.
func (o *orderTable) details(b []byte, kind schemas.OrderKind) []byte {
	switch kind {
	case schemas.OrderLabelCreated:
		b = o.member(b, "carrier", o.get(orderCarrier))
		b = append(b, `"tracking_numbers":[`...)
		for _, n := range o.numbers {
			b = append(json.AppendEscape(b, n, 0), ',')
		}
		if len(o.numbers) > 0 {
			b = b[:len(b)-1]
		}
		b = append(b, `],`...)
		b = o.member(b, "label_source", strings.ToLower(o.get(orderSource)))
		fallthrough
	case schemas.OrderCreated:
		b = o.member(b, "origin_country", o.country(orderOrigin))
		b = o.member(b, "destination_country", o.country(orderDestination))
		b = o.member(b, "destination_postcode", o.get(orderPostcode))
		b = o.timeMember(b, "promise_at", orderPromise, true)
	case schemas.OrderMarkedShipped:
		b = o.member(b, "carrier", o.get(orderCarrier))
	case schemas.OrderPromiseExtended:
		if o.long {
			b = o.timeMember(b, "promise_at", orderPromise, true)
		} else {
			b = o.timeMember(b, "promise_at", orderExtendedTo, true)
		}
	case schemas.OrderCancelAnswered:
		f := orderCancelAccepted
		if o.long {
			f = orderAccepted
		}
		b = o.accepted(b, f)
	case schemas.OrderHoliday:
		b = o.timeMember(b, "until", orderUntil, false)
	}
	return b
}

func (o *orderTable) member(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, '"'), name...), `":`...)
	return append(json.AppendEscape(b, value, 0), ',')
}

func (o *orderTable) timeMember(b []byte, name string, f int, days bool) []byte {
	if ms, ok := o.instant(f, days); ok && ms != 0 {
		return appendTime(b, name, ms)
	}
	return b
}

func appendTime(b []byte, name string, ms int64) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	layout := time.RFC3339 // which is formatted fast
	if ms%1000 != 0 {
		layout = time.RFC3339Nano
	}
	return append(time.UnixMilli(ms).UTC().AppendFormat(b, layout), `",`...)
}

// accepted reads the answer to a request to cancel.
func (o *orderTable) accepted(b []byte, f int) []byte {
	switch strings.ToLower(o.get(f)) {
	case "true", "yes", "y", "1", "accepted":
		return append(b, `"accepted":true,`...)
	case "false", "no", "n", "0", "refused", "rejected":
		return append(b, `"accepted":false,`...)
	}
	o.problem(f, shown(o.get(f))+" is no answer", "write true or false")
	return b
}

// country returns the code of a country; a value that is none stays as it is, so
// that it is refused by name.
func (o *orderTable) country(f int) string {
	s := o.get(f)
	if s == "" {
		return ""
	}
	if code := o.registry.Country(s); code != "" {
		return code
	}
	return s
}

// factColumns are the columns behind the fields of a fact.
var factColumns = map[string]int{
	"order_id": orderID, "shop_id": orderShop, "market": orderMarket, "carrier": orderCarrier, "tracking_numbers": orderNumbers,
	"label_source": orderSource, "origin_country": orderOrigin, "destination_country": orderDestination,
	"destination_postcode": orderPostcode, "until": orderUntil, "kind": orderKind,
}

// valid parses the fact as ingest will, and notes what it would refuse.
func (o *orderTable) valid(value []byte, at int) bool {
	err := schemas.ParseOrderFact(value, &o.fact)
	if err == nil {
		return true
	}
	var bad *schemas.FieldError
	if !errors.As(err, &bad) {
		bad = &schemas.FieldError{Detail: err.Error()}
	}
	f, known := factColumns[bad.Field]
	switch {
	case known:
	case bad.Field == "promise_at" && o.fact.Kind == schemas.OrderPromiseExtended && !o.long:
		f = orderExtendedTo
	case bad.Field == "promise_at":
		f = orderPromise
	case bad.Field == "accepted":
		return false // said already
	default:
		f = at
	}
	o.problem(f, bad.Detail, orderRemedy(bad))
	return false
}

// orderRemedy says what to do about a refused field.
func orderRemedy(bad *schemas.FieldError) string {
	switch bad.Reason {
	case schemas.ReasonMissing:
		return "fill it, or say it for all rows with --set"
	case schemas.ReasonCountry:
		return "write the country's code, or its English name"
	case schemas.ReasonTooLarge:
		return "split the row"
	}
	return "correct the value"
}
