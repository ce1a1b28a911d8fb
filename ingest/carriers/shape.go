package carriers

import (
	"slices"
	"strconv"
	"strings"
)

func itoa(i int) string { return strconv.Itoa(i) }

// shape is one form in which a carrier sends its scans.
type shape struct {
	name   string
	format string // one of formats
	flat   flat
	when   []cond

	parcels []([]step)
	events  []([]step) // below a parcel
	around  bool       // the object around a parcel is its one event
	scalars bool       // parcels are not objects but their numbers alone
	aliases []aliasRule
	returns []cond // any of them: the parcel is on its way back, or was

	parcel      slots
	number      expr // every alternative is a candidate
	formats     []formatRule
	origin      expr
	destination expr
	product     expr

	eventSlots  slots
	code        expr // every alternative is tried in codes
	text        expr
	times       []timeRule
	country     expr
	region      expr
	city        expr
	postcode    expr
	facility    expr
	location    expr
	reason      expr
	leg         expr
	legByOrder  bool // or the place of the object around the event in its list
	skip        []cond
	nonphysical []cond
	eventID     expr
	void        []cond // any of them: the event withdraws the one that it repeats
	voidTimes   []timeRule

	errors []errorRule
}

// aliasRule is a list of other numbers that hold under conditions.
type aliasRule struct {
	when  []cond
	slots slots
}

// timeRule is one way in which an event states its time.
type timeRule struct {
	value   expr
	layouts []layout
	names   string // of the layouts
	utc     bool   // local times of this rule are UTC
	fixed   *zone  // or in this zone
	field   expr   // or in the zone that this field names
	local   *expr  // the local time, for the offset alone
	offset  *expr  // the offset of the local clock from UTC, for a time that names its own

	received    bool // the time of reception stands for one that is not stated
	uncertainty uncertainty
}

// errorRule finds an answer that says that the carrier has nothing to tell.
type errorRule struct {
	when   []cond
	parcel bool // asked at each parcel, not once
	reason Reason
	code   cond // only its path counts
	text   cond
}

const shapeKeys = "name, format, groups, columns, delimiter, like, when, parcels, events, number, number_format, aliases, returns, origin, destination, product, event, errors"

// parseShapes reads the layouts of a mapping. A layout may be "like" an
// earlier one: keys that it does not give are taken from there.
func (c *Carrier) parseShapes(y yamlNode) {
	named := map[string][]member{}
	for _, v := range y.list() {
		members := v.members()
		for _, m := range members {
			if m.key == "like" {
				base, ok := named[m.value.str()]
				if !ok {
					m.value.errorf("no earlier layout is named %q", m.value.str())
				}
				members = merge(members, base)
			}
		}
		s := shape{}
		for _, m := range members {
			if !c.parseShapeKey(&s, m) {
				m.value.errorf("unknown key; known here: %s", shapeKeys)
			}
		}
		named[s.name] = members
		s.check(v)
		c.shapes = append(c.shapes, s)
	}
}

// merge adds to a layout's keys those of base that it lacks; event is merged
// key by key.
func merge(own, base []member) []member {
	out := slices.Clone(own)
	for _, b := range base {
		i := slices.IndexFunc(out, func(m member) bool { return m.key == b.key })
		switch {
		case i < 0:
			out = append(out, b)
		case b.key == "event":
			out[i].inherited = append(out[i].inherited, b)
		}
	}
	return out
}

// eventMembers returns the keys of an event with those of the layouts that it
// is like.
func (m member) eventMembers() []member {
	out := m.value.members()
	for _, b := range m.inherited {
		for _, k := range b.eventMembers() {
			if !slices.ContainsFunc(out, func(o member) bool { return o.key == k.key }) {
				out = append(out, k)
			}
		}
	}
	return out
}

func (c *Carrier) parseShapeKey(s *shape, m member) bool {
	v := m.value
	switch m.key {
	case "like":
	case "name":
		s.name = v.str()
	case "format":
		s.format = formats[v.oneOf(formats[:]...)]
	case "when":
		s.when = parseConds(v)
	case "parcels":
		s.parcels = parseRoutes(v)
	case "events":
		if s.around = v.n != nil && !v.isMap() && len(v.list()) == 1 && v.list()[0].str() == "^"; !s.around {
			s.events = parseRoutes(v)
		}
	case "number":
		s.number = s.parcel.parseExpr(v)
		p := s.parcel.plans[self]
		s.scalars = p != nil && p.slot >= 0
	case "number_format":
		for _, one := range v.list() {
			s.formats = append(s.formats, parseFormatRule(one))
		}
	case "aliases":
		for _, one := range v.list() {
			s.parseAlias(one)
		}
	case "returns":
		s.returns = parseConds(v)
	case "origin":
		s.origin = s.parcel.parseExpr(v)
	case "destination":
		s.destination = s.parcel.parseExpr(v)
	case "product":
		s.product = s.parcel.parseExpr(v)
	case "event":
		for _, e := range m.eventMembers() {
			if !c.parseEventKey(s, e) {
				e.value.errorf("unknown key; known here: %s", eventKeys)
			}
		}
	case "errors":
		for _, e := range v.list() {
			s.errors = append(s.errors, parseError(e))
		}
	default:
		return s.parseFlatKey(m.key, v)
	}
	return true
}

const eventKeys = "id, code, text, time, country, region, city, postcode, facility, location, reason, leg, skip, nonphysical, void, void_time"

func (c *Carrier) parseEventKey(s *shape, m member) bool {
	v := m.value
	fields := map[string]*expr{
		"id": &s.eventID, "code": &s.code, "text": &s.text, "country": &s.country, "region": &s.region, "city": &s.city,
		"postcode": &s.postcode, "facility": &s.facility, "location": &s.location, "reason": &s.reason,
	}
	if e := fields[m.key]; e != nil {
		*e = s.eventSlots.parseExpr(v)
		return true
	}
	switch m.key {
	case "time":
		for _, t := range v.list() {
			s.times = append(s.times, c.parseTime(s, t))
		}
	case "void_time":
		for _, t := range v.list() {
			s.voidTimes = append(s.voidTimes, c.parseTime(s, t))
		}
	case "leg":
		s.parseLeg(v)
	case "void":
		s.void = parseConds(v)
	case "skip":
		s.skip = parseConds(v)
	case "nonphysical":
		s.nonphysical = parseConds(v)
	default:
		return false
	}
	return true
}

func (c *Carrier) parseTime(s *shape, y yamlNode) timeRule {
	t := timeRule{uncertainty: unknownZone}
	if !y.isMap() && y.str() == "received" {
		t.received = true
		return t
	}
	y.fields("value, layout, zone, local, offset, received, uncertainty_hours", func(key string, v yamlNode) bool {
		switch key {
		case "value":
			t.value = s.eventSlots.parseExpr(v)
		case "layout":
			for _, l := range v.list() {
				compiled, err := newLayout(l.str())
				if err != nil {
					l.errorf("%v", err)
				}
				t.layouts = append(t.layouts, compiled)
				t.names = strings.TrimPrefix(t.names+", "+compiled.source, ", ")
			}
		case "zone":
			switch name := v.str(); {
			case name == "utc":
				t.utc = true
			case strings.Contains(name, "{"):
				t.field = s.eventSlots.parseExpr(v)
			default:
				t.fixed = c.zone(v)
			}
		case "offset":
			e := s.eventSlots.parseExpr(v)
			t.offset = &e
		case "received":
			t.received = v.boolean()
		case "uncertainty_hours":
			t.uncertainty = uncertainty(v.integer(0, 240) * 3600)
		case "local":
			e := s.eventSlots.parseExpr(v)
			t.local = &e
		default:
			return false
		}
		return true
	})
	if !t.received && (t.value.empty() || t.layouts == nil) {
		y.errorf("a time wants value and layout")
	}
	return t
}

// parseAlias reads a path of which every value is another number of the parcel,
// or a field of one path with what counts of each value.
func (s *shape) parseAlias(y yamlNode) {
	to := &s.parcel
	for _, m := range y.condition() {
		s.aliases = append(s.aliases, aliasRule{when: parseConds(m.value)})
		to = &s.aliases[len(s.aliases)-1].slots
	}
	var e expr
	value, how := e.parseValue(y, "when")
	for _, one := range value.list() {
		from, steps, err := parsePath(one.str())
		if err != nil {
			one.errorf("%v", err)
			continue
		}
		to.aliased[from] = true
		if p := to.at(from, steps); how.cuts {
			p.cuts = append(p.cuts, how)
		} else {
			p.alias = true
		}
	}
}

// condition returns the member "when" of a mapping.
func (y yamlNode) condition() []member {
	if !y.isMap() {
		return nil
	}
	return slices.DeleteFunc(y.members(), func(m member) bool { return m.key != "when" })
}

// parseRoutes reads the paths to parcels or events.
func parseRoutes(y yamlNode) (out []([]step)) {
	for _, v := range y.list() {
		from, steps, err := parsePath(v.str())
		if err == nil && from != self {
			v.errorf("the path %q should start at the object itself", v.str())
		}
		if err != nil {
			v.errorf("%v", err)
			continue
		}
		out = append(out, steps)
	}
	return out
}

func parseError(y yamlNode) errorRule {
	r := errorRule{reason: CarrierError}
	y.fields("when, at, reason, code, text", func(key string, v yamlNode) bool {
		switch key {
		case "when":
			r.when = parseConds(v)
		case "at":
			r.parcel = v.oneOf("record", "parcel") == 1
		case "reason":
			r.reason = []Reason{CarrierError, NotFound}[v.oneOf(string(CarrierError), string(NotFound))]
		case "code", "text":
			from, steps, err := parsePath(v.str())
			if err != nil {
				v.errorf("%v", err)
			}
			c := cond{from: from, steps: steps, source: v.str()}
			if key == "code" {
				r.code = c
			} else {
				r.text = c
			}
		default:
			return false
		}
		return true
	})
	if r.when == nil {
		y.errorf("when is missing")
	}
	return r
}

func (s *shape) check(y yamlNode) {
	s.checkFlat(y)
	for _, f := range []struct {
		key     string
		missing bool
	}{
		{"format", s.format == ""}, {"parcels", s.parcels == nil},
		{"number", s.number.empty()},
		{"event.time", s.events != nil && s.times == nil},
		{"event.code or event.text", s.events != nil && s.code.empty() && s.text.empty()},
	} {
		if f.missing {
			y.errorf("%s is missing", f.key)
		}
	}
}
