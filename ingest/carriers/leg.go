package carriers

import (
	"strings"

	"scantrail/schemas"
)

// parseLegs reads which codes are scans of which carrier of the chain: numbers
// from 1 to 9, each with the codes or beginnings of codes ("GTMS_*").
func (c *Carrier) parseLegs(y yamlNode) {
	for _, m := range y.members() {
		if len(m.key) != 1 || m.key < "1" || m.key > "9" {
			m.value.errorf("leg %q is no number from 1 to 9", m.key)
			continue
		}
		for _, v := range m.value.list() {
			c.legs = append(c.legs, legRule{pattern: v, leg: uint32(m.key[0] - '0')})
		}
	}
}

// legRule gives codes their leg.
type legRule struct {
	pattern yamlNode
	leg     uint32
}

// setLegs gives the codes of the mapping the legs that legs names.
func (c *Carrier) setLegs() {
	for _, r := range c.legs {
		begin, many := strings.CutSuffix(r.pattern.str(), "*")
		found := false
		set := func(code string, d *decision) {
			if code == r.pattern.str() || many && strings.HasPrefix(code, begin) {
				d.leg, found = r.leg, true
			}
		}
		for code, d := range c.codes {
			set(code, d)
		}
		for _, p := range c.prefixes {
			set(p.prefix+"*", p.decision)
		}
		if !found {
			r.pattern.errorf("legs: %q is none of the codes", r.pattern.str())
		}
	}
	c.legs = nil
}

// parseLeg reads where an event states its leg.
func (s *shape) parseLeg(y yamlNode) {
	if s.legByOrder = !y.isMap() && len(y.list()) == 1 && y.list()[0].str() == "order"; !s.legByOrder {
		s.leg = s.eventSlots.parseExpr(y)
	}
}

// maxLegs bounds what a list can number.
const maxLegs = 9

// legOf numbers the carrier of the chain that an event comes from.
func (d *Decoder) legOf(s *shape, e *schemas.Event, byCode *decision) {
	if e.Leg == 0 && byCode != nil {
		e.Leg = byCode.leg
	}
	switch {
	case e.Leg != 0:
	case s.legByOrder:
		e.Leg = uint32(min(d.order, maxLegs))
	case !s.leg.empty():
		if v := d.eval(&s.leg, d.event); len(v) == 1 && v[0] >= '1' && v[0] <= '9' {
			e.Leg = uint32(v[0] - '0')
		}
	}
}

// turnBack makes the events of a parcel that the carrier says is returned, from
// index first on, those of the way back where they come after its beginning.
func (d *Decoder) turnBack(first int) {
	events := d.result.Events[first:]
	since, found := int64(0), false
	for i := range events {
		m := events[i].Milestone
		back := m == schemas.ReturnStarted || m == schemas.ReturnInTransit || m == schemas.Returned
		if back && (!found || events[i].OccurredAt < since) {
			since, found = events[i].OccurredAt, true
		}
	}
	for i := range events {
		e := &events[i]
		switch m := e.Milestone; {
		case !found || e.OccurredAt <= since:
		case m == schemas.Delivered:
			e.Milestone, e.Reason, e.Fault = schemas.Returned, "", schemas.FaultUnknown
		case m >= schemas.Accepted && m <= schemas.AvailableForPickup && e.Physical && e.Direction == schemas.NoDirection:
			e.Milestone = schemas.ReturnInTransit
		}
	}
}
