package carriers

import (
	"cmp"
	"slices"
	"strings"

	"scantrail/schemas"
)

// Carrier is one compiled mapping.
type Carrier struct {
	Name    string
	Title   string
	Source  string // of the code list
	Version uint32

	unverified    []string // codes whose meaning has no source, sorted
	unseen        []string // layouts that no answer was compared with
	shapes        []shape
	codes         map[string]*decision
	prefixes      []prefix // longest first
	texts         []textRule
	legs          []legRule // until the codes are read
	noCode        *decision // of events that state no code; nil: their text alone decides
	useLexicon    bool
	textFirst     bool
	reasons       map[string]blame
	zones         []zoneRule
	facilities    map[string]*zone
	countries     map[string]string // of facilities
	abbreviation  map[string]zoneName
	numberFormats []numberFormat
	placeholders  []string
	geo           *geography
}

// zoneName is what an abbreviation of a zone means: seconds east of UTC, a
// zone, or only that the time is local.
type zoneName struct {
	seconds int64
	zone    *zone
	local   bool
}

type prefix struct {
	prefix   string
	decision *decision
}

// zoneRule says which zone local times are in that name none.
type zoneRule struct {
	location bool // the zone of the event's place
	zone     *zone
}

// Formats returns the formats that the mapping reads, sorted.
func (c *Carrier) Formats() []string {
	var out []string
	for i := range c.shapes {
		if !slices.Contains(out, c.shapes[i].format) {
			out = append(out, c.shapes[i].format)
		}
	}
	slices.Sort(out)
	return out
}

// Codes returns the number of codes and code prefixes that the mapping knows.
func (c *Carrier) Codes() int { return len(c.codes) + len(c.prefixes) }

// ZoneRule says how local times without a zone are read, for humans.
func (c *Carrier) ZoneRule() string {
	var out []string
	for _, z := range c.zones {
		if z.location {
			out = append(out, "location")
		} else {
			out = append(out, z.zone.name)
		}
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

const carrierKeys = "carrier, version, title, source, unverified, unverified_layouts, layouts, codes, legs, texts, text_first, lexicon, reasons, number_format, zone, facilities, abbreviations, placeholders"

// parseCarrier compiles a mapping. Problems are collected in its file.
func parseCarrier(y yamlNode, geo *geography) *Carrier {
	c := &Carrier{useLexicon: true, codes: map[string]*decision{}, geo: geo}
	y.fields(carrierKeys, func(key string, v yamlNode) bool {
		switch key {
		case "carrier":
			c.Name = v.str()
		case "version":
			c.Version = uint32(v.integer(1, 1<<30))
		case "title":
			c.Title = v.str()
		case "source":
			c.Source = v.str()
		case "unverified":
			c.parseUnverified(y, v)
		case "unverified_layouts":
			c.unseen = v.strs()
		case "layouts":
			c.parseShapes(v)
		case "codes":
			c.parseCodes(v)
		case "legs":
			c.parseLegs(v)
		case "texts":
			for i, t := range v.list() {
				if r, ok := parseTextRule(t, "text:"+itoa(i+1)); ok {
					c.texts = append(c.texts, r)
				}
			}
		case "text_first":
			c.textFirst = v.boolean()
		case "lexicon":
			c.useLexicon = v.boolean()
		case "reasons":
			c.parseReasons(v)
		case "number_format":
			for _, f := range v.list() {
				c.numberFormats = append(c.numberFormats, numberFormats[f.oneOf(numberFormatNames()...)])
			}
		case "placeholders":
			c.placeholders = v.strs()
		default:
			return c.parseZones(key, v)
		}
		return true
	})
	if c.textFirst {
		for _, d := range c.codes {
			d.textFirst = true
		}
		for _, p := range c.prefixes {
			p.decision.textFirst = true
		}
		if c.noCode != nil {
			c.noCode.textFirst = true
		}
	}
	c.setLegs()
	c.checkUnseen(y)
	c.check(y)
	return c
}

func (c *Carrier) check(y yamlNode) {
	if !validName(c.Name) {
		y.errorf("carrier: %q should be a name of lower-case letters, digits and underscores", c.Name)
	}
	for _, f := range []struct {
		key     string
		missing bool
	}{{"version", c.Version == 0}, {"title", c.Title == ""}, {"source", c.Source == ""}, {"layouts", c.shapes == nil}} {
		if f.missing {
			y.errorf("%s is missing", f.key)
		}
	}
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 60
}

func (c *Carrier) parseCodes(y yamlNode) {
	for _, m := range y.members() {
		d, ok := parseDecision(m.value)
		if !ok {
			continue
		}
		d.rule = "code:" + m.key
		if m.key == "" {
			c.noCode = &d
			continue
		}
		if p, ok := strings.CutSuffix(m.key, "*"); ok && !strings.HasSuffix(p, "/") {
			c.prefixes = append(c.prefixes, prefix{p, &d})
			continue
		}
		c.codes[m.key] = &d
	}
	slices.SortStableFunc(c.prefixes, func(a, b prefix) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
}

func (c *Carrier) parseReasons(y yamlNode) {
	c.reasons = map[string]blame{}
	for _, m := range y.members() {
		var b blame
		m.value.fields("reason, fault", func(key string, v yamlNode) bool {
			switch key {
			case "reason":
				b.reason = v.str()
			case "fault":
				b.fault = schemas.Fault(v.oneOf(faultNames...))
			default:
				return false
			}
			return true
		})
		c.reasons[m.key] = b
	}
}

func (c *Carrier) parseZones(key string, y yamlNode) bool {
	switch key {
	case "zone":
		for _, v := range y.list() {
			c.parseZoneRule(v)
		}
	case "facilities":
		c.facilities, c.countries = map[string]*zone{}, map[string]string{}
		for _, m := range y.members() {
			c.parseFacility(m)
		}
	case "abbreviations":
		c.abbreviation = map[string]zoneName{}
		for _, m := range y.members() {
			z := zoneName{local: m.value.str() == "local"}
			var ok bool
			if z.seconds, ok = parseOffset(m.value.str()); !ok && !z.local {
				z.zone = c.zone(m.value)
			}
			c.abbreviation[m.key] = z
		}
	default:
		return false
	}
	return true
}

// parseFacility reads the zone of a facility, or {zone, country}.
func (c *Carrier) parseFacility(m member) {
	if !m.value.isMap() {
		c.facilities[m.key] = c.zone(m.value)
		return
	}
	m.value.fields("zone, country", func(key string, v yamlNode) bool {
		switch key {
		case "zone":
			c.facilities[m.key] = c.zone(v)
		case "country":
			if c.countries[m.key] = c.geo.country(v.str()); c.countries[m.key] == "" {
				v.errorf("%q is no country", v.str())
			}
		default:
			return false
		}
		return true
	})
}

// zone returns the zone of an IANA name, or utc.
func (c *Carrier) zone(y yamlNode) *zone {
	name := y.str()
	if name == "utc" {
		name = "UTC"
	}
	z, err := c.geo.zone(name)
	if err != nil {
		y.errorf("%v: want utc or a name such as Asia/Shanghai", err)
	}
	return z
}

// parseZoneRule reads location, utc, an IANA name, or {zone, uncertainty_hours}.
func (c *Carrier) parseZoneRule(y yamlNode) {
	if !y.isMap() {
		if y.str() == "location" {
			c.zones = append(c.zones, zoneRule{location: true})
		} else if z := c.zone(y); z != nil {
			c.zones = append(c.zones, zoneRule{zone: z})
		}
		return
	}
	var part zone
	y.fields("zone, uncertainty_hours", func(key string, v yamlNode) bool {
		switch key {
		case "zone":
			if z := c.zone(v); z != nil {
				part.name, part.from, part.offsets = z.name, z.from, z.offsets
			}
		case "uncertainty_hours":
			part.uncertainty = uncertainty(v.integer(0, 14) * 3600)
		default:
			return false
		}
		return true
	})
	if part.from == nil {
		y.errorf("zone is missing")
		return
	}
	c.zones = append(c.zones, zoneRule{zone: &part})
}
