package carriers

import "strings"

// visit fills slots from value i and what lies below it.
func (d *Decoder) visit(i int, p *plan, values []string) {
	n := &d.tree.nodes[i]
	switch n.kind {
	case kindArray:
		for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
			d.visit(c, p, values)
		}
	case kindObject:
		if p.step.filtered && d.member(i, p.step.filter) != p.step.want {
			return
		}
		if p.taken() && d.tree.xml {
			d.fill(d.xmlText(i), p, values)
		}
		if len(p.kids) == 0 || d.steps > maxSteps {
			return
		}
		members := 0
		for c, end := i+1, int(n.next); c < end; members++ {
			m := &d.tree.nodes[c]
			if p.bits>>markBit(m.mark)&1 != 0 { // seldom in vain
				d.visitKids(c, p, values)
			}
			c = int(m.next)
		}
		d.steps += members
	default:
		if p.taken() {
			d.fill(d.value(i), p, values)
		}
	}
}

// memo holds what was found around a parcel or event: most have the same object
// around them as the one before, and a path through its lists is long.
type memo struct {
	node   int
	seen   bool // node is the one of the parcel or event before
	filled bool // values are those of node
	values []string
}

type memos [scopes]memo

// visitAround fills the slots of paths that start around a parcel or event.
func (d *Decoder) visitAround(s *slots, from scope, i int, values []string, m *memo) {
	if !m.seen || m.node != i {
		m.node, m.seen, m.filled = i, true, false
		d.visit(i, s.plans[from], values)
		return
	}
	if !m.filled {
		d.visit(i, s.plans[from], values)
		m.values, m.filled = append(m.values[:0], values...), true
		return
	}
	for slot, where := range s.from {
		if where == from {
			values[slot] = m.values[slot]
		}
	}
}

// visitKids visits member c by those kids of a plan that have its key.
func (d *Decoder) visitKids(c int, p *plan, values []string) {
	n := &d.tree.nodes[c]
	all := p.bits == ^uint64(0)
	for j, mark := range p.marks {
		if mark != n.mark && !all {
			continue
		}
		switch k := p.kids[j]; {
		case k.step.key != d.tree.key(c) && !k.step.any:
		case n.kind >= kindObject || k.alias || k.cuts != nil:
			d.visit(c, k, values)
		case k.slot >= 0 && values[k.slot] == "":
			values[k.slot] = d.value(c)
		}
	}
}

func (d *Decoder) fill(s string, p *plan, values []string) {
	if s == "" {
		return
	}
	if p.alias {
		d.aliases = append(d.aliases, s)
	}
	for i := range p.cuts {
		if v := d.cut(&p.cuts[i], s); v != "" {
			d.aliases = append(d.aliases, v)
		}
	}
	if p.slot >= 0 && values[p.slot] == "" {
		values[p.slot] = s
	}
}

// xmlText returns the text of an element that has attributes.
func (d *Decoder) xmlText(i int) string {
	for c := i + 1; c < int(d.tree.nodes[i].next); c = int(d.tree.nodes[c].next) {
		if d.tree.key(c) == "#text" {
			return d.value(c)
		}
	}
	return ""
}

// member returns the value of a scalar member of object i, or "".
func (d *Decoder) member(i int, key string) string {
	for c := i + 1; c < int(d.tree.nodes[i].next); c = int(d.tree.nodes[c].next) {
		if d.tree.key(c) == key {
			return d.value(c)
		}
	}
	return ""
}

// value returns a scalar as text, unescaped and trimmed; null and the
// placeholder "string" of generated API samples are empty.
func (d *Decoder) value(i int) string {
	n := &d.tree.nodes[i]
	if n.kind == kindNull || n.kind >= kindObject {
		return ""
	}
	s := d.tree.raw(i)
	if n.flags&escaped != 0 {
		start := len(d.arena)
		d.arena = d.tree.appendPlain(d.arena, d.tree.src[n.start:n.end])
		s = text(d.arena[start:])
	}
	if s == "" || s == "string" {
		return ""
	}
	if s[0] <= ' ' || s[len(s)-1] <= ' ' {
		s = strings.TrimSpace(s)
	}
	for _, p := range d.placeholders {
		if s == p {
			return ""
		}
	}
	return s
}
