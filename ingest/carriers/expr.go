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
	mark     uint32 // of the key
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
		st.mark, st.any = markOf(st.key), st.key == "*"
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
	slot  int           // -1: none
	alias bool          // every value is another number of the parcel,
	cuts  []alternative // or what counts of it; none: all
	kids  []*plan
	marks []uint32 // of the kids' keys, in their order
	bits  uint64   // of the marks; all where one of the kids is "*"
}

// taken reports whether the value itself is wanted.
func (p *plan) taken() bool { return p.slot >= 0 || p.alias || p.cuts != nil }

// slots collects the paths of a parcel or an event.
type slots struct {
	plans   [scopes]*plan
	aliased [scopes]bool // some of the values of the plan are aliases
	from    []scope      // of each slot
	count   int
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
		p.kids, p.marks = append(p.kids, k), append(p.marks, st.mark)
		if p.bits |= 1 << markBit(st.mark); st.any {
			p.bits = ^uint64(0)
		}
		p = k
	}
	return p
}

func (s *slots) slot(from scope, steps []step) int {
	p := s.at(from, steps)
	if p.slot < 0 {
		p.slot = s.count
		s.from = append(s.from, from)
		s.count++
	}
	return p.slot
}

// keySlot stands for the key of the raw record in place of a slot.
const keySlot = -2

// part of a template: a literal, or the value of a slot.
type part struct {
	literal string
	slot    int
}

// expr is a field of a mapping: the first alternative that is not empty.
type expr struct {
	alternatives []alternative
	fallback     string
	bare         []int // the slots, where every alternative is one field as it is
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
		if t = after; path == "$key" {
			a.parts = append(a.parts, part{slot: keySlot})
			continue
		}
		from, steps, err := parsePath(path)
		if err != nil {
			return a, err
		}
		a.parts = append(a.parts, part{slot: s.slot(from, steps)})
	}
	return a, nil
}

// parseExpr reads a field: a path or template, a mapping of valueKeys, or a list
// of these.
func (s *slots) parseExpr(y yamlNode) expr {
	var e expr
	for _, v := range y.list() {
		value, how := e.parseValue(v, "")
		for _, one := range value.list() {
			t, err := s.parseTemplate(one.str())
			if err != nil {
				one.errorf("%v", err)
				continue
			}
			how.parts = t.parts
			e.alternatives = append(e.alternatives, how)
		}
	}
	for i := range e.alternatives {
		a := &e.alternatives[i]
		if len(a.parts) != 1 || a.parts[0].slot < 0 || a.cuts {
			e.bare = nil
			break
		}
		e.bare = append(e.bare, a.parts[0].slot)
	}
	return e
}

// parseValue reads one alternative but its template: that, or a list of them,
// is value. The key other is left to the caller.
func (e *expr) parseValue(v yamlNode, other string) (value yamlNode, how alternative) {
	if !v.isMap() {
		return v, how
	}
	v.fields(valueKeys, func(key string, c yamlNode) bool {
		switch key {
		case "value":
			value = c
		case "default":
			e.fallback = c.str()
		case other:
		default:
			return how.parseValueKey(key, c)
		}
		return true
	})
	if value.n == nil {
		v.errorf("a value is missing")
	}
	how.check(v)
	return value, how
}

func (e *expr) empty() bool { return len(e.alternatives) == 0 && e.fallback == "" }

// eval returns the field's value from filled slots.
func (d *Decoder) eval(e *expr, values []string) string {
	if e.bare != nil {
		for _, slot := range e.bare {
			if values[slot] != "" {
				return values[slot]
			}
		}
		return e.fallback
	}
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
		v := values[a.parts[0].slot]
		if a.cuts {
			v = d.cut(a, v)
		}
		return v
	}
	filled, missing := false, false
	start := len(d.arena)
	for _, p := range a.parts {
		if p.slot == -1 {
			d.arena = append(d.arena, p.literal...)
			continue
		}
		v := d.key
		if p.slot >= 0 {
			v = values[p.slot]
		}
		d.arena = append(d.arena, v...)
		if v == "" {
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
	return d.cut(a, s)
}

// evalCountry returns the first alternative that names a country, as its ISO
// 3166-1 alpha-2 code, and the first that says anything.
func (d *Decoder) evalCountry(e *expr, values []string) (code, stated string) {
	for i := range e.alternatives {
		s := d.evalOne(&e.alternatives[i], values, false)
		if s == "" {
			continue
		}
		if stated == "" {
			stated = s
		}
		if code = d.registry.geo.country(s); code != "" {
			return code, stated
		}
	}
	if stated == "" {
		code = d.registry.geo.country(e.fallback)
	}
	return code, stated
}
