package carriers

import (
	"slices"
	"strings"

	"scantrail/schemas"
)

// deliveryKind returns the index in schemas.DeliveryKinds of the kind of
// delivery that a text tells, the first of several, or -1.
func (x *lexicon) deliveryKind(normal []byte) int { return x.deliveries.lowest(normal) }

// lowest returns the lowest value of all phrases in a normalised text, or -1.
func (p *phrases) lowest(s []byte) int {
	value := -1
	t := text(s)
	for i := 0; i+minPhrase <= len(s); i++ {
		if i > 0 && s[i-1] != ' ' && s[i] < 0x80 && s[i-1] < 0x80 {
			continue
		}
		h := head(t, i)
		if p.bloom[h*0x9e3779b1>>22]&(1<<(h*0x85ebca6b>>26)) == 0 {
			continue
		}
		for _, f := range p.heads[h] {
			if (value < 0 || f.value < value) && strings.HasPrefix(t[i:], f.text) && boundary(s, i) && boundary(s, i+len(f.text)) {
				value = f.value
			}
		}
	}
	return value
}

// delivered finds how a delivered event was delivered, where neither the code
// nor a text pattern said it: stated is what the mapping's reason field holds.
func (d *Decoder) delivered(e *schemas.Event, byCode *decision, stated string) {
	if byCode != nil && byCode.milestone == schemas.Delivered {
		e.Reason = byCode.blame.reason
	}
	for _, s := range [...]string{stated, e.RawText} {
		if e.Reason != "" || s == "" {
			continue
		}
		d.normal = appendNormal(d.normal[:0], s)
		if i := d.registry.lexicon.deliveryKind(d.normal); i >= 0 {
			e.Reason = d.registry.lexicon.kinds[i]
		}
	}
}

// loadDelivery reads the phrases of one kind of delivery.
func (x *lexicon) loadDelivery(m member) {
	x.kinds = schemas.DeliveryKinds()
	kind := slices.Index(x.kinds, m.key)
	if kind < 0 {
		m.value.errorf("%q is no kind of delivery: want one of %s", m.key, strings.Join(x.kinds, ", "))
		return
	}
	for _, s := range m.value.list() {
		x.addPhrase(&x.deliveries, s, kind, func(other int) bool { return other == kind })
	}
}

// checkReason keeps the reasons of delivered events and of all others apart.
func (d *decision) checkReason(y yamlNode) {
	switch kind := schemas.IsDeliveryKind(d.blame.reason); {
	case d.milestone == schemas.Delivered && d.blame.reason != "" && !kind:
		y.errorf("reason: %q does not say how a parcel was delivered: want one of %s", d.blame.reason, strings.Join(schemas.DeliveryKinds(), ", "))
	case d.milestone != schemas.Delivered && kind:
		y.errorf("reason: %q says how a parcel was delivered, which %s is not", d.blame.reason, d.mappingName())
	}
}
