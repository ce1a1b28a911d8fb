package carriers

import (
	"math"
	"slices"

	"scantrail/schemas"
)

// settle completes the events of a parcel, from index first on, whose meaning
// depends on where they happened or on the other events.
func (d *Decoder) settle(first int) {
	c := newCrossing(d.open, d.result.Events[first:])
	for _, p := range d.open {
		e := &d.result.Events[p.event]
		if p.what.customs() {
			d.settleCustoms(e, p, &c)
		} else {
			d.settleFacility(e, p.what)
		}
		c.add(e)
	}
	for i := range d.open { // reasons, now that the milestones are known
		d.blame(&d.result.Events[d.open[i].event])
	}
	d.open = d.open[:0]
}

// settleCustoms finds the border of a customs status: by the code, the country
// against the lane, the text, then the other events.
func (d *Decoder) settleCustoms(e *schemas.Event, p pending, c *crossing) {
	if e.Direction == schemas.NoDirection {
		if e.Direction = d.borderByCountry(e.Country); e.Direction != schemas.NoDirection {
			e.DirectionSource = schemas.DirectionCountry
		}
	}
	if e.Direction == schemas.NoDirection {
		d.normal = appendNormal(d.normal[:0], e.RawText)
		if dir := d.registry.lexicon.direction.longest(d.normal); dir > 0 {
			e.Direction, e.DirectionSource = schemas.Direction(dir), schemas.DirectionText
		}
	}
	if e.Direction == schemas.NoDirection {
		if e.Direction = c.border(e); e.Direction != schemas.NoDirection {
			e.DirectionSource = schemas.DirectionSequence
		}
	}
	e.Milestone = customsMilestone(p.what, e.Direction)
}

// customsMilestone names a customs status. Without a direction it counts as a
// tracking update that says no more than that the parcel is under way.
func customsMilestone(p pseudo, dir schemas.Direction) schemas.Milestone {
	n := schemas.Milestone(p - customsStarted)
	switch {
	case dir == schemas.Export:
		return schemas.ExportCustomsStarted + n
	case dir == schemas.Import:
		return schemas.ImportCustomsStarted + n
	case p == customsHeld || p == customsRejected:
		return schemas.Held
	}
	return schemas.InTransit
}

// borderByCountry compares an event's country with the lane. Where the carrier
// states no origin, the country of a postal number stands for it.
func (d *Decoder) borderByCountry(country string) schemas.Direction {
	origin, destination := d.lane()
	switch {
	case country == "" || origin == destination:
	case country == origin:
		return schemas.Export
	case country == destination, destination == "" && origin != "":
		return schemas.Import
	}
	return schemas.NoDirection
}

func (d *Decoder) lane() (origin, destination string) {
	origin, destination = d.number.origin, d.number.destination
	if origin == "" {
		origin = d.number.postOrigin
	}
	return origin, destination
}

// crossing is when the parcel at hand crossed the border, as its other events
// tell: customs before the departure from the origin are export, after the
// arrival import.
type crossing struct {
	leaves int64 // the last departure from the origin or hand-over for it
	left   int64 // the first departure, or the first event that comes after one
}

func newCrossing(open []pending, events []schemas.Event) crossing {
	c := crossing{leaves: math.MinInt64, left: math.MaxInt64}
	if slices.ContainsFunc(open, func(p pending) bool { return p.what.customs() }) {
		for i := range events {
			c.add(&events[i])
		}
	}
	return c
}

// add learns from an event whose milestone is known.
func (c *crossing) add(e *schemas.Event) {
	switch m := e.Milestone; {
	case m == schemas.DepartedOrigin:
		c.leaves, c.left = max(c.leaves, e.OccurredAt), min(c.left, e.OccurredAt)
	case m == schemas.HandedToLinehaul:
		c.leaves = max(c.leaves, e.OccurredAt)
	case m == schemas.ArrivedDestination, m == schemas.HandedToLastMile, m >= schemas.DestinationFacilityArrived && m <= schemas.Delivered:
		c.left = min(c.left, e.OccurredAt)
	}
}

func (c *crossing) border(e *schemas.Event) schemas.Direction {
	leftBefore, leavesAfter := c.left < e.OccurredAt, c.leaves > e.OccurredAt
	switch {
	case leftBefore && !leavesAfter:
		return schemas.Import
	case leavesAfter && !leftBefore:
		return schemas.Export
	}
	return schemas.NoDirection
}

// settleFacility names a facility scan by the end of the lane that it happened
// at. Within one country nothing tells the ends apart.
func (d *Decoder) settleFacility(e *schemas.Event, p pseudo) {
	out := schemas.Milestone(p - facilityArrived)
	origin, destination := d.lane()
	e.Milestone = schemas.InTransit
	switch {
	case e.Country == "" || origin == "" || origin == destination:
	case e.Country == origin:
		e.Milestone = schemas.OriginFacilityArrived + out
	case e.Country == destination:
		e.Milestone = schemas.DestinationFacilityArrived + out
	case destination != "":
		e.Milestone = schemas.TransitHubArrived + out
	}
}
