package carriers

import (
	"errors"
	"fmt"
)

// RowKey is the only key of a raw record that is one row of a table: a scan
// under Scantrail's own names, whoever the carrier is. Its codes and texts are
// read as the carrier's mapping says.
const RowKey = "scantrail_scan"

// RowFields are the fields of a row. tracking_number and occurred_at (RFC 3339
// with a zone) are required, and code or text.
var RowFields = []string{"tracking_number", "occurred_at", "code", "text", "country", "region", "city", "postcode",
	"facility", "location", "origin_country", "destination_country", "product"}

const rowMapping = `
- name: row
  format: json
  when: ` + RowKey + `
  parcels: ` + RowKey + `
  number: tracking_number
  origin: origin_country
  destination: destination_country
  product: product
  events: .
  event:
    code: code
    text: text
    time: [{value: occurred_at, layout: rfc3339}]
    country: country
    region: region
    city: city
    postcode: postcode
    facility: facility
    location: location
`

// rowShape compiles the layout of rows.
func rowShape(geo *geography) (shape, error) {
	f := &yamlFile{name: "row"}
	c := Carrier{geo: geo}
	if y, ok := f.parse([]byte(rowMapping)); ok {
		c.parseShapes(y)
	}
	if err := f.err(); err != nil || len(c.shapes) != 1 {
		return shape{}, fmt.Errorf("the layout of rows of tables: %w", err)
	}
	return c.shapes[0], nil
}

// isRow reports whether the record at hand is a row: an object with one key.
func (d *Decoder) isRow() bool {
	t := &d.tree
	return len(t.nodes) > 1 && t.nodes[0].kind == kindObject && t.nodes[1].next == t.nodes[0].next &&
		t.format == "json" && string(t.key(1)) == RowKey
}

// Clock reads times as tables state them. It is not safe for concurrent use.
type Clock struct {
	layouts []layout
	zone    *zone // nil: times must name theirs
	moment  moment
}

// clockLayouts are forms that cannot be misread: the year comes first.
var clockLayouts = []string{"iso", "YYYY/M/D H:mm:ss", "YYYY/M/D H:mm", "YYYY-M-D H:mm:ss", "YYYY-M-D H:mm", "YYYYMMDDHHmmss"}

// Errors of Clock.Read: what is missing from a time.
var (
	ErrNoZone = errors.New("names no zone")
	ErrNoTime = errors.New("names no time of day")
)

// NewClock returns a clock for times of these layouts, in the language of
// mappings, or, without any, of forms whose year comes first, or Unix seconds and
// milliseconds. zone is an IANA name for times that name none; "" refuses them.
func NewClock(layouts []string, zone string) (*Clock, error) {
	c := &Clock{}
	if len(layouts) == 0 {
		layouts = clockLayouts
	}
	for _, pattern := range layouts {
		l, err := newLayout(pattern)
		if err != nil {
			return nil, err
		}
		c.layouts = append(c.layouts, l)
	}
	if zone != "" {
		z, err := newZone(zone)
		if err != nil {
			return nil, err
		}
		c.zone = z
	}
	return c, nil
}

// Layouts lists what Read understands.
func (c *Clock) Layouts() (all []string) {
	for _, l := range c.layouts {
		all = append(all, l.source)
	}
	return all
}

// Read returns the instant of a time in Unix milliseconds, and how far local time
// was ahead of UTC then, in seconds. An hour that the local clock shows twice
// means the later instant. day is set where the time names no time of day: then
// the instant is the midnight that ends that day.
func (c *Clock) Read(s string) (ms, offset int64, day bool, err error) {
	m := &c.moment
	if !c.parse(s) {
		return 0, 0, false, errors.New("has none of the forms that are read")
	}
	if _, why := m.refuse(); why != "" {
		return 0, 0, false, errors.New(why[1:])
	}
	if m.instant {
		return m.unixMilli, 0, false, nil
	}
	local := m.local()
	if day = !m.hasTime; day {
		local += 86400
	}
	switch {
	case m.hasOffset:
		return (local-m.offset)*1000 + m.milli, m.offset, day, nil
	case c.zone == nil || m.abbr != "":
		return 0, 0, day, ErrNoZone
	}
	unix, offset := c.zone.instant(local)
	return unix*1000 + m.milli, offset, day, nil
}

func (c *Clock) parse(s string) bool {
	m := &c.moment
	if len(s) == 10 || len(s) == 13 {
		if n, ok := number(s, 10, 13); ok {
			if len(s) == 10 {
				n *= 1000
			}
			*m = moment{instant: true, unixMilli: n}
			return true
		}
	}
	for i := range c.layouts {
		if c.layouts[i].parse(s, m) {
			return true
		}
	}
	day := layout{ops: dayOps[:]}
	return day.parse(s, m)
}

// dayOps is the layout YYYY-MM-DD.
var dayOps = [...]byte{opYear, opLiteral, '-', opMonth2, opLiteral, '-', opDay2}
