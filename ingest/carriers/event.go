package carriers

import (
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
	d.event = d.fillSlots(&s.eventSlots, d.event, at, &d.eventMemo)
	d.result.Events = append(d.result.Events, schemas.Event{})
	e := &d.result.Events[len(d.result.Events)-1]
	d.placeOf(s, e)
	e.RawText = withoutNames(d.clean(d.eval(&s.text, d.event), maxRawText))
	code, byCode := d.code(s, c)
	e.RawCode = d.clean(code, maxRawCode)
	found := d.decide(c, code, byCode, e.RawText)
	if e.Country == "" {
		e.Country = d.endOfLane(found, byCode)
	}
	if reason, detail := d.timeOf(s, e); reason != "" {
		d.result.Events = d.result.Events[:len(d.result.Events)-1]
		d.reject(index, reason, "event.time", detail)
		return
	}
	d.mean(e, found)
	d.legOf(s, e, byCode)
	if len(s.nonphysical) > 0 && d.any(s.nonphysical, at) {
		e.Physical = false
		e.Progress = e.Progress && !found.milestone.Physical() && found.pseudo < facilityArrived
	}
	stated := d.eval(&s.reason, d.event)
	if stated != "" {
		if b, ok := c.reasons[stated]; ok && schemas.IsDeliveryKind(b.reason) == (e.Milestone == schemas.Delivered) {
			e.Reason, e.Fault = b.reason, b.fault
		}
	}
	if e.Milestone == schemas.Delivered && e.Reason == "" {
		d.delivered(e, byCode, stated)
	}
	d.blameBy(e, stated)
	d.blame(e)
	d.stamp(e, index, c.Version)
	e.EventID = d.clean(d.eval(&s.eventID, d.event), maxEventID)
	if len(s.void) > 0 && d.any(s.void, at) {
		d.withdraw(s)
	}
}

// withdraw makes the event at hand, which the carrier declares to be wrong, a
// Void of itself: it repeats what the wrong one said.
func (d *Decoder) withdraw(s *shape) {
	last := len(d.result.Events) - 1
	e := &d.result.Events[last]
	v := schemas.Void{
		ParcelID: e.ParcelID, EventFactID: e.FactID, EventID: e.EventID,
		TrackingNumber: e.TrackingNumber, Carrier: e.Carrier, ReceivedAt: e.ReceivedAt,
	}
	b := appendHashed(d.hashed[:0], "void")
	b = append(b, v.EventFactID[:]...)
	d.hashed = appendHashed(b, v.EventID)
	v.FactID = schemas.Hash(d.hashed)
	var at schemas.Event
	if stated, reason, _ := d.firstTime(s.voidTimes, &at); stated && reason == "" {
		v.At = at.OccurredAt
	}
	d.result.Voids = append(d.result.Voids, v)
	d.result.Events = d.result.Events[:last]
	if n := len(d.open); n > 0 && d.open[n-1].event == last {
		d.open = d.open[:n-1]
	}
}

// endOfLane returns the country where an event happened that names none: by the
// decision about it, else by what its code says although a text decided.
func (d *Decoder) endOfLane(found, byCode *decision) string {
	end := found.at
	if end == 0 && byCode != nil {
		end = byCode.at
	}
	origin, destination := d.lane()
	switch end {
	case atOrigin:
		return origin
	case atDestination:
		return destination
	}
	return ""
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
func (d *Decoder) blame(e *schemas.Event) { d.blameBy(e, e.RawText) }

// blameBy finds the reason of an exception in words of the carrier.
func (d *Decoder) blameBy(e *schemas.Event, words string) {
	if e.Reason != "" || !exceptional(e.Milestone) || words == "" {
		return
	}
	d.normal = appendNormal(d.normal[:0], words)
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
	country := ""
	e.Country, country = d.evalCountry(&s.country, d.event)
	e.Region = d.clean(d.eval(&s.region, d.event), maxPlace)
	e.City = d.clean(d.eval(&s.city, d.event), maxPlace)
	e.Postcode = d.clean(d.eval(&s.postcode, d.event), maxPlace)
	e.Facility = d.clean(d.eval(&s.facility, d.event), maxPlace)
	if country == s.country.fallback {
		country = ""
	}
	if e.Country == "" {
		e.Country = d.carrier.countries[e.Facility]
	}
	if !s.location.empty() {
		e.LocationRaw = d.clean(d.eval(&s.location, d.event), maxLocation)
		return
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
	e.EventIndex, e.NumberCheck = uint32(index), d.number.check
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
