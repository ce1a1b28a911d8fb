package carriers

import (
	"fmt"
	"strings"
)

// scope says from where a path starts.
type scope uint8

const (
	self      scope = iota // the parcel or event itself
	enclosing              // the object around it: "^."
	document               // the whole record: "/"
	scopes
)

// step is one key of a path. Arrays are walked through without being named.
type step struct {
	key      string
	any      bool   // "*"
	filter   string // key that must have the value want
	want     string
	filtered bool
}

// parsePath reads "a.b", "^.a", "/a.b", "a[type=X].b", "*.b" and ".".
func parsePath(s string) (scope, []step, error) {
	from, whole := self, s
	switch {
	case strings.HasPrefix(s, "^."):
		from, s = enclosing, s[2:]
	case strings.HasPrefix(s, "/"):
		from, s = document, s[1:]
	}
	if s == "." {
		return from, nil, nil
	}
	var steps []step
	for s != "" {
		n := strings.IndexAny(s, ".[")
		for n > 0 && s[n-1] == '\\' { // a key with a dot in it
			next := strings.IndexAny(s[n+1:], ".[")
			if next < 0 {
				n = -1
				break
			}
			n += 1 + next
		}
		st := step{}
		rest := ""
		if n < 0 {
			st.key = s
		} else {
			st.key, rest = s[:n], s[n:]
		}
		st.key = strings.ReplaceAll(st.key, `\`, "")
		st.any = st.key == "*"
		if st.key == "" {
			return from, nil, fmt.Errorf("path %q has an empty step", whole)
		}
		if strings.HasPrefix(rest, "[") {
			inside, after, ok := strings.Cut(rest[1:], "]")
			if st.filter, st.want, st.filtered = strings.Cut(inside, "="); !ok || !st.filtered {
				return from, nil, fmt.Errorf("path %q: a filter is written [key=value]", whole)
			}
			rest = after
		}
		steps = append(steps, st)
		if rest != "" && (rest[0] != '.' || len(rest) == 1) {
			return from, nil, fmt.Errorf("path %q: a dot should stand between two steps", whole)
		}
		s = strings.TrimPrefix(rest, ".")
	}
	if steps == nil {
		return from, nil, fmt.Errorf("a path is empty")
	}
	return from, steps, nil
}

// plan is the part of a mapping's paths below one value: where to go on, and
// which slot the value itself fills.
type plan struct {
	step  step
	slot  int  // -1: none
	alias bool // every value is another number of the parcel
	kids  []*plan
	marks []uint32 // of the kids' keys, in their order
	wild  bool     // one of the kids is "*"
}

// slots collects the paths of a parcel or an event.
type slots struct {
	plans [scopes]*plan
	count int
}

func (s *slots) at(from scope, steps []step) *plan {
	if s.plans[from] == nil {
		s.plans[from] = &plan{slot: -1}
	}
	p := s.plans[from]
next:
	for _, st := range steps {
		for _, k := range p.kids {
			if k.step == st {
				p = k
				continue next
			}
		}
		k := &plan{step: st, slot: -1}
		p.kids, p.marks = append(p.kids, k), append(p.marks, markOf(st.key))
		p.wild = p.wild || st.any
		p = k
	}
	return p
}

func (s *slots) slot(from scope, steps []step) int {
	p := s.at(from, steps)
	if p.slot < 0 {
		p.slot = s.count
		s.count++
	}
	return p.slot
}

// part of a template: a literal, or the value of a slot.
type part struct {
	literal string
	slot    int
}

// alternative is one way to say a field. Where after or before are set, the
// value is what follows the last "after" in it, up to the first of any "before".
type alternative struct {
	parts  []part
	after  string
	before []string
}

// expr is a field of a mapping: the first alternative that is not empty.
type expr struct {
	alternatives []alternative
	fallback     string
}

// parseTemplate reads a path, or text with paths in braces.
func (s *slots) parseTemplate(t string) (alternative, error) {
	var a alternative
	if !strings.Contains(t, "{") {
		t = "{" + t + "}"
	}
	for t != "" {
		literal, rest, found := strings.Cut(t, "{")
		if literal != "" {
			a.parts = append(a.parts, part{literal: literal, slot: -1})
		}
		if !found {
			break
		}
		path, after, ok := strings.Cut(rest, "}")
		if !ok {
			return a, fmt.Errorf("template %q: a brace does not end", t)
		}
		from, steps, err := parsePath(path)
		if err != nil {
			return a, err
		}
		a.parts = append(a.parts, part{slot: s.slot(from, steps)})
		t = after
	}
	return a, nil
}

// parseExpr reads a field: a path or template, {value, after, before, default},
// or a list of these.
func (s *slots) parseExpr(y yamlNode) expr {
	var e expr
	for _, v := range y.list() {
		var a alternative
		value := v
		if v.isMap() {
			value = yamlNode{}
			v.fields("value, after, before, default", func(key string, c yamlNode) bool {
				switch key {
				case "value":
					value = c
				case "after":
					a.after = c.str()
				case "before":
					a.before = c.strs()
				case "default":
					e.fallback = c.str()
				default:
					return false
				}
				return true
			})
			if value.n == nil {
				v.errorf("a value is missing")
				continue
			}
		}
		for _, one := range value.list() {
			t, err := s.parseTemplate(one.str())
			if err != nil {
				one.errorf("%v", err)
				continue
			}
			t.after, t.before = a.after, a.before
			e.alternatives = append(e.alternatives, t)
		}
	}
	return e
}

func (e *expr) empty() bool { return len(e.alternatives) == 0 && e.fallback == "" }

// eval returns the field's value from filled slots.
func (d *Decoder) eval(e *expr, values []string) string {
	for i := range e.alternatives {
		if s := d.evalOne(&e.alternatives[i], values, false); s != "" {
			return s
		}
	}
	return e.fallback
}

// evalOne returns the value of one alternative. A template of which every slot
// is empty is empty; with whole set, one of which any slot is.
func (d *Decoder) evalOne(a *alternative, values []string, whole bool) string {
	if len(a.parts) == 1 && a.parts[0].slot >= 0 {
		return a.cut(values[a.parts[0].slot])
	}
	filled, missing := false, false
	start := len(d.arena)
	for _, p := range a.parts {
		if p.slot < 0 {
			d.arena = append(d.arena, p.literal...)
			continue
		}
		d.arena = append(d.arena, values[p.slot]...)
		if values[p.slot] == "" {
			missing = true
		} else {
			filled = true
		}
	}
	if !filled || whole && missing {
		d.arena = d.arena[:start]
		return ""
	}
	s := text(d.arena[start:])
	if missing {
		s = strings.Trim(s, " ,/-|")
	}
	return a.cut(s)
}

func (a *alternative) cut(s string) string {
	if a.after != "" {
		i := strings.LastIndex(s, a.after)
		if i < 0 {
			return ""
		}
		s = s[i+len(a.after):]
	}
	for _, b := range a.before {
		if i := strings.Index(s, b); i >= 0 {
			s = s[:i]
		}
	}
	if a.after != "" || a.before != nil {
		s = strings.TrimSpace(s)
	}
	return s
}

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
		if (p.slot >= 0 || p.alias) && d.tree.xml {
			d.fill(d.xmlText(i), p, values)
		}
		if len(p.kids) == 0 {
			return
		}
		for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
			m := d.tree.nodes[c].mark
			for j, have := range p.marks {
				if have == m && p.kids[j].step.key == d.tree.key(c) || p.wild && p.kids[j].step.any {
					d.visit(c, p.kids[j], values)
				}
			}
		}
	default:
		if p.slot >= 0 || p.alias {
			d.fill(d.value(i), p, values)
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
		if d.tree.xml {
			d.arena = appendXMLText(d.arena, d.tree.src[n.start:n.end])
		} else {
			d.arena = appendUnescaped(d.arena, d.tree.src[n.start:n.end])
		}
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
