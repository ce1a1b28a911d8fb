package carriers

import (
	"fmt"
	"strings"

	"scantrail/schemas"
)

// readEvent reads one event of the parcel at hand: it becomes an event, a
// rejection, or, where the mapping skips it, nothing.
func (d *Decoder) readEvent(s *shape, at place) {
	if len(s.skip) > 0 && d.any(s.skip, at) {
		return
	}
	index := d.index
	d.index++
	if d.number.skipEvents || index >= d.limits.Events {
		return
	}
	c := d.carrier
	d.event = d.fillSlots(&s.eventSlots, d.event, at)
	d.result.Events = append(d.result.Events, schemas.Event{})
	e := &d.result.Events[len(d.result.Events)-1]
	d.placeOf(s, e)
	if reason, detail := d.timeOf(s, e); reason != "" {
		d.result.Events = d.result.Events[:len(d.result.Events)-1]
		d.reject(index, reason, "event.time", detail)
		return
	}
	e.RawText = withoutNames(d.clean(d.eval(&s.text, d.event), maxRawText))
	code, byCode := d.code(s, c)
	e.RawCode = d.clean(code, maxRawCode)
	found := d.decide(c, code, byCode, e.RawText)
	d.mean(e, found)
	if len(s.nonphysical) > 0 && d.any(s.nonphysical, at) {
		e.Physical = false
		e.Progress = e.Progress && !found.milestone.Physical() && found.pseudo < facilityArrived
	}
	if v := d.eval(&s.reason, d.event); v != "" {
		if b, ok := c.reasons[v]; ok {
			e.Reason, e.Fault = b.reason, b.fault
		}
	}
	d.blame(e)
	d.stamp(e, index, c.Version)
}

// any reports whether one of the conditions holds.
func (d *Decoder) any(conds []cond, at place) bool {
	for i := range conds {
		if d.all(conds[i:i+1], at) {
			return true
		}
	}
	return false
}

// mean gives an event the meaning of a decision.
func (d *Decoder) mean(e *schemas.Event, found *decision) {
	e.Milestone, e.Physical, e.Progress = found.milestone, found.physical, found.progress
	e.Direction, e.Leg, e.Rule = found.direction, found.leg, found.rule
	e.Reason, e.Fault = found.blame.reason, found.blame.fault
	if e.Direction != schemas.NoDirection {
		e.DirectionSource = schemas.DirectionCode
		if found.byText {
			e.DirectionSource = schemas.DirectionText
		}
	}
	if found.pseudo != noPseudo {
		d.open = append(d.open, pending{event: len(d.result.Events) - 1, what: found.pseudo, d: found})
	}
}

// blame finds the reason of an exception in its text where no code said it.
func (d *Decoder) blame(e *schemas.Event) {
	if e.Reason != "" || !exceptional(e.Milestone) || e.RawText == "" {
		return
	}
	d.normal = appendNormal(d.normal[:0], e.RawText)
	if i := d.registry.lexicon.reasons.longest(d.normal); i >= 0 {
		b := d.registry.lexicon.blames[i]
		e.Reason, e.Fault = b.reason, b.fault
	}
}

// exceptional reports whether a milestone is one that has a reason.
func exceptional(m schemas.Milestone) bool {
	switch m {
	case schemas.PickupFailed, schemas.ExportCustomsHeld, schemas.ExportRejected, schemas.ImportCustomsHeld,
		schemas.ImportRejected, schemas.DeliveryAttempted, schemas.ReturnStarted:
		return true
	}
	return m >= schemas.Delayed && m <= schemas.Seized
}

// placeOf reads where an event happened.
func (d *Decoder) placeOf(s *shape, e *schemas.Event) {
	country := d.eval(&s.country, d.event)
	e.Country = d.registry.geo.country(country)
	e.Region = d.clean(d.eval(&s.region, d.event), maxPlace)
	e.City = d.clean(d.eval(&s.city, d.event), maxPlace)
	e.Postcode = d.clean(d.eval(&s.postcode, d.event), maxPlace)
	e.Facility = d.clean(d.eval(&s.facility, d.event), maxPlace)
	if !s.location.empty() {
		e.LocationRaw = d.clean(d.eval(&s.location, d.event), maxLocation)
		return
	}
	if country == s.country.fallback {
		country = ""
	}
	e.LocationRaw = d.join(e.Facility, e.City, e.Region, e.Postcode, d.clean(country, maxPlace))
}

// join puts the parts of a place into one string.
func (d *Decoder) join(parts ...string) string {
	n, last := 0, ""
	for _, p := range parts {
		if p != "" {
			n++
			last = p
		}
	}
	if n < 2 {
		return last
	}
	start := len(d.arena)
	for _, p := range parts {
		if p != "" {
			d.arena = append(append(d.arena, p...), ", "...)
		}
	}
	return text(d.arena[start : len(d.arena)-2])
}

// stamp gives an event its identity and its source.
func (d *Decoder) stamp(e *schemas.Event, index int, version uint32) {
	e.ParcelID, e.Carrier, e.TrackingNumber = d.number.id, d.name, d.number.canonical
	e.EventIndex = uint32(index)
	e.OriginCountry, e.DestinationCountry, e.Product = d.number.origin, d.number.destination, d.number.product
	e.Topic, e.TopicID, e.Partition, e.Offset = d.src.Topic, d.src.TopicID, d.src.Partition, d.src.Offset
	e.ReceivedAt, e.Backfill, e.MappingVersion = d.src.ReceivedAt, d.src.Backfill, version
	b := appendHashed(d.hashed[:0], e.Carrier)
	b = appendHashed(b, e.TrackingNumber)
	b = appendHashed(b, e.OccurredAtRaw)
	b = appendHashed(b, e.RawCode)
	b = appendHashed(b, e.RawText)
	d.hashed = appendHashed(b, e.LocationRaw)
	e.FactID = schemas.Hash(d.hashed)
}

// timeOf reads when an event happened. The first time of the mapping that the
// event states decides; it is never guessed from another when it is wrong.
func (d *Decoder) timeOf(s *shape, e *schemas.Event) (Reason, string) {
	for i := range s.times {
		t := &s.times[i]
		v := d.eval(&t.value, d.event)
		if v == "" {
			continue
		}
		return d.readTime(t, v, e)
	}
	return NoTime, "the event has no time; a scan without one cannot be placed in a trail"
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
			return NoTime, fmt.Sprintf("time %s stands for no time", quote(v))
		}
		return BadTime, fmt.Sprintf("time %s has none of the layouts %s; correct it, or add its layout to event.time", quote(v), layoutNames(t.layouts))
	}
	if reason, detail := m.refuse(v); reason != "" {
		return reason, detail
	}
	if m.instant {
		e.OccurredAt, e.TZSource, e.OffsetMinutes = m.unixMilli, schemas.TZExplicitUTC, int32(m.offset/60)
	} else if reason, detail := d.place(t, &m, e); reason != "" {
		return reason, detail
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
	z := d.registry.geo.byCountry[e.Country]
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

func layoutNames(all []layout) string {
	var names []string
	for i := range all {
		names = append(names, all[i].source)
	}
	return strings.Join(names, ", ")
}

// sentinel reports whether a time stands for none.
func sentinel(v string) bool {
	return strings.HasPrefix(v, "0000-00-00") || strings.HasPrefix(v, "0001-01-01") || v == "0" || v == "00000000" || strings.Trim(v, "-/: 0") == ""
}

const (
	minUnixMilli = 946684800000  // 2000-01-01
	maxUnixMilli = 4133980800000 // 2101-01-01
)

// refuse finds times that no scan can have.
func (m *moment) refuse(v string) (Reason, string) {
	if m.instant {
		switch {
		case m.unixMilli == 0:
			return NoTime, fmt.Sprintf("time %s stands for no time", quote(v))
		case m.unixMilli < minUnixMilli || m.unixMilli >= maxUnixMilli:
			return TimeOutOfRange, fmt.Sprintf("time %s lies outside the years %d to %d; is the unit right?", quote(v), firstYear, lastYear)
		}
		return "", ""
	}
	switch {
	case m.year <= 1900:
		return NoTime, fmt.Sprintf("time %s stands for no time", quote(v))
	case !m.possible():
		return BadTime, fmt.Sprintf("time %s does not exist in the calendar", quote(v))
	case m.year < firstYear || m.year > lastYear:
		return TimeOutOfRange, fmt.Sprintf("time %s lies outside the years %d to %d", quote(v), firstYear, lastYear)
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
	seconds, ok := parseOffset(name)
	if !ok && d.carrier != nil {
		seconds, ok = d.carrier.abbreviation[name]
	}
	if ok {
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
	return BadTime, fmt.Sprintf("zone %s is no offset, no known IANA name and not in abbreviations of the mapping; add it there", quote(name))
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
	return d.registry.geo.byCountry[e.Country]
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
