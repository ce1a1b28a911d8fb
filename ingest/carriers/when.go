package carriers

import (
	"strings"

	"scantrail/schemas"
)

// timeOf reads when an event happened. The first time of the mapping that the
// event states decides; it is never guessed from another when it is wrong.
func (d *Decoder) timeOf(s *shape, e *schemas.Event) (Reason, string) {
	stated, reason, detail := d.firstTime(s.times, e)
	if !stated {
		return NoTime, "the event has no time; a scan without one cannot be placed in a trail"
	}
	return reason, detail
}

// firstTime reads the first of times that the event states.
func (d *Decoder) firstTime(times []timeRule, e *schemas.Event) (stated bool, reason Reason, detail string) {
	for i := range times {
		t := &times[i]
		if t.received && d.src.ReceivedAt == 0 {
			return true, NoTime, "the event states no time and the time of its reception is not known; give it (scantrail normalize --received-at)"
		}
		if t.received {
			e.OccurredAt, e.TZSource, e.UncertaintySecs = d.src.ReceivedAt, schemas.TZExplicitUTC, uint32(t.uncertainty)
			return true, "", ""
		}
		if v := d.eval(&t.value, d.event); v != "" {
			reason, detail = d.readTime(t, v, e)
			return true, reason, detail
		}
	}
	return false, "", ""
}

func (d *Decoder) readTime(t *timeRule, v string, e *schemas.Event) (Reason, string) {
	e.OccurredAtRaw = d.clean(v, maxRawTime)
	var m moment
	fits := false
	for i := range t.layouts {
		if fits = t.layouts[i].parse(v, &m); fits {
			break
		}
	}
	if !fits {
		if sentinel(v) {
			return NoTime, d.explain("time ", d.quoted(v), standsForNone)
		}
		return BadTime, d.explain("time ", d.quoted(v), " has none of the layouts ", t.layoutNames(), "; correct it, or add its layout to event.time")
	}
	if reason, why := m.refuse(); reason != "" {
		return reason, d.explain("time ", d.quoted(v), why)
	}
	if m.instant {
		e.OccurredAt, e.TZSource, e.OffsetMinutes = m.unixMilli, schemas.TZExplicitUTC, int32(m.offset/60)
	} else if reason, detail := d.place(t, &m, e); reason != "" {
		return reason, detail
	}
	if t.offset != nil {
		if seconds, ok := parseOffset(d.eval(t.offset, d.event)); ok {
			e.OffsetMinutes = int32(seconds / 60)
		}
	}
	if t.local != nil {
		d.offsetFromLocal(t, e)
	}
	d.doubtOffset(e)
	return "", ""
}

// doubtOffset widens the uncertainty of a time whose stated offset is not that
// of the event's country: aggregators stamp foreign scans with the offset of
// their own country, and one cannot tell whether the instant is right.
func (d *Decoder) doubtOffset(e *schemas.Event) {
	z := d.registry.geo.ofCountry(e.Country)
	if z == nil || e.OffsetMinutes == 0 || e.TZSource != schemas.TZExplicitOffset && e.TZSource != schemas.TZExplicitUTC {
		return
	}
	off := z.offset(e.OccurredAt/1000) - int64(e.OffsetMinutes)*60
	if off < 0 {
		off = -off
	}
	if off > 3600 { // an hour may be a summer time that the carrier ignores
		e.UncertaintySecs = max(e.UncertaintySecs, uint32(off))
	}
}

// layoutNames returns the layouts of a time rule, for messages.
func (t *timeRule) layoutNames() string {
	if len(t.layouts) == 1 {
		return t.layouts[0].source
	}
	return t.names
}

// sentinel reports whether a time stands for none.
func sentinel(v string) bool {
	return strings.HasPrefix(v, "0000-00-00") || strings.HasPrefix(v, "0001-01-01") || v == "0" || v == "00000000" || strings.Trim(v, "-/: 0") == ""
}

const (
	minUnixMilli = 946684800000  // 2000-01-01
	maxUnixMilli = 4133980800000 // 2101-01-01
)

const (
	standsForNone = " stands for no time"
	outside       = " lies outside the years 2000 to 2100" // firstYear to lastYear
)

// refuse finds times that no scan can have, and says what is wrong with them.
func (m *moment) refuse() (Reason, string) {
	if m.instant {
		switch {
		case m.unixMilli == 0:
			return NoTime, standsForNone
		case m.unixMilli < minUnixMilli || m.unixMilli >= maxUnixMilli:
			return TimeOutOfRange, outside + "; is the unit right?"
		}
		return "", ""
	}
	switch {
	case m.year <= 1900:
		return NoTime, standsForNone
	case !m.possible():
		return BadTime, " does not exist in the calendar"
	case m.year < firstYear || m.year > lastYear:
		return TimeOutOfRange, outside
	}
	return "", ""
}

// place turns a calendar time into an instant: by the offset it names, by the
// zone that the mapping or a field beside it gives, by the carrier's rules.
func (d *Decoder) place(t *timeRule, m *moment, e *schemas.Event) (Reason, string) {
	local := m.local()
	if !m.hasTime { // only the day is known
		e.UncertaintySecs = 86400
	}
	switch {
	case m.hasOffset:
		e.TZSource = schemas.TZExplicitOffset
		if m.utc {
			e.TZSource = schemas.TZExplicitUTC
		}
		d.setTime(e, local-m.offset, m.offset, m.milli)
		return "", ""
	case m.abbr != "":
		return d.placeNamed(m.abbr, local, m.milli, e)
	case t.utc:
		e.TZSource = schemas.TZExplicitUTC
		d.setTime(e, local, 0, m.milli)
		return "", ""
	case t.fixed != nil:
		d.inZone(e, t.fixed, schemas.TZCarrierRule, local, m.milli)
		return "", ""
	}
	if name := d.eval(&t.field, d.event); name != "" {
		return d.placeNamed(name, local, m.milli, e)
	}
	d.placeByRule(local, m.milli, e)
	return "", ""
}

func (d *Decoder) setTime(e *schemas.Event, unix, offset, milli int64) {
	e.OccurredAt = unix*1000 + milli
	e.OffsetMinutes = int32(offset / 60)
}

func (d *Decoder) inZone(e *schemas.Event, z *zone, source schemas.TZSource, local, milli int64) {
	unix, offset := z.instant(local)
	e.TZSource = source
	e.UncertaintySecs += uint32(z.uncertainty)
	d.setTime(e, unix, offset, milli)
}

// placeNamed reads the zone that the event names: an offset, an abbreviation of
// the mapping's table or an IANA name.
func (d *Decoder) placeNamed(name string, local, milli int64, e *schemas.Event) (Reason, string) {
	if d.carrier != nil {
		if known, ok := d.carrier.abbreviation[name]; ok {
			d.placeAbbreviated(known, local, milli, e)
			return "", ""
		}
	}
	if seconds, ok := parseOffset(name); ok {
		e.TZSource = schemas.TZExplicitOffset
		if name == "Z" || foldEqual(name, "UTC") || foldEqual(name, "GMT") {
			e.TZSource = schemas.TZExplicitUTC
		}
		d.setTime(e, local-seconds, seconds, milli)
		return "", ""
	}
	if z := d.registry.geo.zones[name]; z != nil {
		d.inZone(e, z, schemas.TZExplicitOffset, local, milli)
		return "", ""
	}
	if bare, isNumber := number(name, 1, 2); isNumber && bare <= 14 { // "8" for +08:00
		e.TZSource = schemas.TZExplicitOffset
		d.setTime(e, local-bare*3600, bare*3600, milli)
		return "", ""
	}
	return BadTime, d.explain("zone ", d.quoted(name), " is no offset, no known IANA name and not in abbreviations of the mapping; add it there")
}

// placeAbbreviated reads a local time in a zone of the mapping's table.
func (d *Decoder) placeAbbreviated(z zoneName, local, milli int64, e *schemas.Event) {
	switch {
	case z.local:
		d.placeByRule(local, milli, e)
	case z.zone != nil:
		d.inZone(e, z.zone, schemas.TZExplicitOffset, local, milli)
	default:
		e.TZSource = schemas.TZExplicitOffset
		if z.seconds == 0 {
			e.TZSource = schemas.TZExplicitUTC
		}
		d.setTime(e, local-z.seconds, z.seconds, milli)
	}
}

// placeByRule reads a local time by the first rule of the carrier that gives a
// zone; without one it counts as UTC and is uncertain.
func (d *Decoder) placeByRule(local, milli int64, e *schemas.Event) {
	c := d.carrier
	if c == nil {
		c = &d.registry.generic
	}
	for i := range c.zones {
		r := &c.zones[i]
		if !r.location {
			d.inZone(e, r.zone, schemas.TZCarrierRule, local, milli)
			return
		}
		if z := d.zoneAt(c, e); z != nil {
			d.inZone(e, z, schemas.TZLocation, local, milli)
			return
		}
	}
	e.TZSource = schemas.TZUnknown
	e.UncertaintySecs += unknownZone
	d.setTime(e, local, 0, milli)
}

// zoneAt returns the zone of an event's place, or nil.
func (d *Decoder) zoneAt(c *Carrier, e *schemas.Event) *zone {
	if z := c.facilities[e.Facility]; z != nil {
		return z
	}
	if z := d.registry.geo.region(e.Country, e.Region); z != nil {
		return z
	}
	return d.registry.geo.ofCountry(e.Country)
}

// offsetFromLocal finds the offset of an event that states its time in UTC and
// as the local clock: the difference to the next quarter of an hour, because
// some carriers cut the seconds off one of the two.
func (d *Decoder) offsetFromLocal(t *timeRule, e *schemas.Event) {
	v := d.eval(t.local, d.event)
	var m moment
	for i := range t.layouts {
		if t.layouts[i].parse(v, &m) && !m.instant && m.possible() {
			const quarter = 900
			diff := m.local() - e.OccurredAt/1000
			if diff < 0 {
				diff -= quarter / 2
			} else {
				diff += quarter / 2
			}
			if diff = diff / quarter * 15; diff >= -14*60 && diff <= 14*60 {
				e.OffsetMinutes = int32(diff)
			}
			return
		}
	}
}
