package carriers

import (
	"strings"

	"scantrail/schemas"
)

// pseudo is a meaning that becomes a milestone only with the place of the
// event: many carriers do not tell export from import, nor one end of the lane
// from the other.
type pseudo uint8

const (
	noPseudo pseudo = iota
	customsStarted
	customsHeld
	customsCleared
	customsRejected
	facilityArrived
	facilityDeparted
)

var pseudoNames = map[string]pseudo{
	"customs_started": customsStarted, "customs_held": customsHeld,
	"customs_cleared": customsCleared, "customs_rejected": customsRejected,
	"facility_arrived": facilityArrived, "facility_departed": facilityDeparted,
}

func (p pseudo) customs() bool { return p >= customsStarted && p <= customsRejected }

// decision is what a code, a text pattern or a phrase means.
type decision struct {
	milestone schemas.Milestone
	pseudo    pseudo
	physical  bool
	progress  bool
	direction schemas.Direction
	blame     blame
	leg       uint32
	at        laneEnd // where it happens, for events that name no country
	rule      string
	textFirst bool // the code alone does not decide: texts come first
	patterns  bool // but only those of the mapping, not the lexicon
	byText    bool
}

// newDecision returns the decision of a milestone's name with its defaults.
func newDecision(y yamlNode, name string) (decision, bool) {
	if p := pseudoNames[name]; p != noPseudo {
		return decision{pseudo: p, physical: !p.customs(), progress: true}, true
	}
	m, err := schemas.ParseMilestone(name)
	if err != nil {
		y.errorf("%q is no milestone: want a canonical one, or customs_started, customs_held, customs_cleared, customs_rejected, facility_arrived, facility_departed, which the place of the event completes", name)
		return decision{}, false
	}
	d := decision{milestone: m, physical: m.Physical(), progress: m.Progress()}
	switch {
	case m >= schemas.ExportCustomsStarted && m <= schemas.ExportRejected:
		d.direction = schemas.Export
	case m >= schemas.ImportCustomsStarted && m <= schemas.ImportRejected:
		d.direction = schemas.Import
	}
	return d, true
}

// laneEnd is an end of a parcel's lane.
type laneEnd uint8

const (
	atOrigin laneEnd = iota + 1
	atDestination
)

const decisionKeys = "milestone, physical, progress, direction, reason, fault, leg, at, text"

// parseDecision reads a milestone's name, or a mapping of decisionKeys.
func parseDecision(y yamlNode) (decision, bool) {
	if !y.isMap() {
		return newDecision(y, y.str())
	}
	members := y.members()
	for _, m := range members {
		if m.key == "milestone" {
			d, ok := newDecision(m.value, m.value.str())
			for _, m := range members {
				d.set(m)
			}
			d.check(y)
			d.checkReason(y)
			return d, ok
		}
	}
	y.errorf("milestone is missing")
	return decision{}, false
}

func (d *decision) set(m member) {
	switch v := m.value; m.key {
	case "milestone", "match", "codes": // read by the caller
	case "physical":
		d.physical = v.boolean()
	case "progress":
		d.progress = v.boolean()
	case "direction":
		d.direction = schemas.Direction(v.oneOf("none", "export", "import"))
	case "reason":
		d.blame.reason = v.str()
	case "fault":
		d.blame.fault = schemas.Fault(v.oneOf(faultNames...))
	case "leg":
		d.leg = uint32(v.integer(1, 9))
	case "at":
		d.at = atOrigin + laneEnd(v.oneOf("origin", "destination"))
	case "text":
		kind := v.oneOf("false", "true", "patterns")
		d.textFirst, d.patterns = kind > 0, kind == 2
	default:
		v.errorf("unknown key; known here: %s", decisionKeys)
	}
}

// check refuses announcements that would count as a scan.
func (d *decision) check(y yamlNode) {
	announcement := !d.milestone.Progress() && d.pseudo == noPseudo
	if announcement && (d.physical || d.progress) {
		y.errorf("%s is a message, not a scan: it can be neither physical nor progress", d.milestone)
	}
}

// textRule is one text pattern of a mapping. Each alternative is a list of
// normalised phrases that stand in the text in this order.
type textRule struct {
	alternatives [][]string
	pairs        []uint64 // of the alternatives: pairsOf all their phrases
	codes        []string // only with these raw codes; empty: with any
	decision     decision
}

func parseTextRule(y yamlNode, rule string) (textRule, bool) {
	var r textRule
	d, ok := parseDecision(y)
	for _, m := range y.members() {
		switch m.key {
		case "match":
			for _, s := range m.value.list() {
				var parts []string
				for _, p := range strings.Split(s.str(), "*") {
					if p = string(appendNormal(nil, p)); p != "" {
						parts = append(parts, p)
					}
				}
				if parts == nil {
					s.errorf("the pattern %q holds no letters", s.str())
				}
				pairs := uint64(0)
				for _, p := range parts {
					pairs |= pairsOf(p)
				}
				r.alternatives, r.pairs = append(r.alternatives, parts), append(r.pairs, pairs)
			}
		case "codes":
			r.codes = m.value.strs()
		}
	}
	if r.alternatives == nil {
		y.errorf("match is missing")
	}
	d.rule, d.byText = rule, true
	r.decision = d
	return r, ok
}

// pairsOf returns a bit for each pair of neighbours in s: a text that lacks one
// of a phrase's bits does not hold the phrase.
func pairsOf(s string) (bits uint64) {
	for i := 1; i < len(s); i++ {
		bits |= 1 << ((uint(s[i-1])*7 + uint(s[i])) & 63)
	}
	return bits
}

// matches reports whether the rule holds for a normalised text, of which pairs
// are the pairs.
func (r *textRule) matches(normal []byte, pairs uint64, code string) bool {
	if r.codes != nil {
		found := false
		for _, c := range r.codes {
			found = found || c == code
		}
		if !found {
			return false
		}
	}
next:
	for i, parts := range r.alternatives {
		if r.pairs[i]&^pairs != 0 {
			continue
		}
		from := 0
		for _, p := range parts {
			if from = findPhrase(normal, p, from); from < 0 {
				continue next
			}
		}
		return true
	}
	return false
}

// code returns the decision of the first alternative that the mapping knows,
// and the raw code: the first alternative that is one field alone, else the
// first that stands there whole.
func (d *Decoder) code(s *shape, c *Carrier) (raw string, found *decision) {
	alone := false
	for i := range s.code.alternatives {
		a := &s.code.alternatives[i]
		v := d.evalOne(a, d.event, true)
		if v == "" {
			continue
		}
		if single := len(a.parts) == 1; raw == "" || single && !alone {
			raw, alone = v, single
		}
		if found == nil {
			found = c.meaning(v)
		}
	}
	if raw == "" {
		found = c.noCode
	}
	return raw, found
}

// meaning returns what the mapping says about a code, or nil.
func (c *Carrier) meaning(code string) *decision {
	if d := c.codes[code]; d != nil {
		return d
	}
	for i := range c.prefixes {
		if strings.HasPrefix(code, c.prefixes[i].prefix) {
			return c.prefixes[i].decision
		}
	}
	return nil
}

// none is the decision about a code and a text that say nothing known.
var none = decision{rule: "none"}

// decide returns the meaning of an event: by its code, else by the mapping's
// text patterns, else by the shared lexicon.
func (d *Decoder) decide(c *Carrier, code string, byCode *decision, rawText string) *decision {
	if byCode != nil && !byCode.textFirst {
		return byCode
	}
	d.normal = appendNormal(d.normal[:0], rawText)
	pairs := uint64(0)
	if len(c.texts) > 0 {
		pairs = pairsOf(text(d.normal))
	}
	for i := range c.texts {
		if c.texts[i].matches(d.normal, pairs, code) {
			return &c.texts[i].decision
		}
	}
	if c.useLexicon && (byCode == nil || !byCode.patterns) {
		if i := d.registry.lexicon.meanings.longest(d.normal); i >= 0 {
			return &d.registry.lexicon.decisions[i]
		}
	}
	if byCode != nil {
		return byCode
	}
	return &none
}
