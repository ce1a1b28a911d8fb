package carriers

import "strings"

// cond is a condition on one path. Without is, not and contains it holds where
// anything but null, "", {} or [] stands at the path.
type cond struct {
	from     scope
	steps    []step
	is       []string
	not      []string
	contains []string // lower case
	missing  bool     // nothing stands there
	source   string
}

const condKeys = "path, is, not, contains, missing"

// parseConds reads a list of conditions that must all hold; each is a path or
// a mapping of condKeys.
func parseConds(y yamlNode) []cond {
	var out []cond
	for _, v := range y.list() {
		var c cond
		path := v
		if v.isMap() {
			path = yamlNode{}
			v.fields(condKeys, func(key string, m yamlNode) bool {
				switch key {
				case "path":
					path = m
				case "is":
					c.is = m.strs()
				case "not":
					c.not = m.strs()
				case "contains":
					for _, s := range m.strs() {
						c.contains = append(c.contains, strings.ToLower(s))
					}
				case "missing":
					c.missing = m.boolean()
				default:
					return false
				}
				return true
			})
			if path.n == nil {
				v.errorf("a path is missing")
				continue
			}
		}
		var err error
		c.source = path.str()
		if c.from, c.steps, err = parsePath(c.source); err != nil {
			path.errorf("%v", err)
			continue
		}
		out = append(out, c)
	}
	return out
}

// place is where a condition is asked: the indexes of nodes, one per scope.
type place [scopes]int

// all reports whether every condition holds. No condition holds always.
func (d *Decoder) all(conds []cond, at place) bool {
	for i := range conds {
		c := &conds[i]
		if at[c.from] < 0 {
			return false
		}
		found := d.anyMatch(at[c.from], nil, c.steps, c)
		if found == c.missing {
			return false
		}
	}
	return true
}

// anyMatch reports whether any value at the path meets the condition. came is
// the step that led to i.
func (d *Decoder) anyMatch(i int, came *step, steps []step, c *cond) bool {
	n := &d.tree.nodes[i]
	if n.kind == kindArray && (len(steps) > 0 || came != nil && came.filtered || int(n.next) > i+1 && d.tree.nodes[i+1].kind < kindObject) {
		for k := i + 1; k < int(n.next); k = int(d.tree.nodes[k].next) {
			if d.anyMatch(k, came, steps, c) {
				return true
			}
		}
		return false
	}
	if !d.passes(i, came) {
		return false
	}
	if len(steps) == 0 {
		return d.meets(i, c)
	}
	if n.kind != kindObject || d.steps > maxSteps {
		return false
	}
	for k := i + 1; k < int(n.next); k = int(d.tree.nodes[k].next) {
		d.steps++
		if d.follows(k, &steps[0]) && d.anyMatch(k, &steps[0], steps[1:], c) {
			return true
		}
	}
	return false
}

// follows reports whether member k has the key of the step.
func (d *Decoder) follows(k int, st *step) bool {
	return st.any || d.tree.nodes[k].mark == st.mark && d.tree.key(k) == st.key
}

// passes reports whether value i has what the filter of the step that led to it
// wants.
func (d *Decoder) passes(i int, came *step) bool {
	return came == nil || !came.filtered || d.tree.nodes[i].kind == kindObject && d.member(i, came.filter) == came.want
}

func (d *Decoder) meets(i int, c *cond) bool {
	if d.tree.nodes[i].kind >= kindObject {
		if d.tree.xml {
			if s := d.xmlText(i); s != "" {
				return c.meets(s)
			}
		}
		return !d.tree.empty(i) && c.is == nil && c.contains == nil
	}
	s := d.value(i)
	return s != "" && c.meets(s)
}

func (c *cond) meets(s string) bool {
	for _, v := range c.not {
		if s == v {
			return false
		}
	}
	if c.is == nil && c.contains == nil {
		return true
	}
	for _, v := range c.is {
		if s == v {
			return true
		}
	}
	for _, v := range c.contains {
		if strings.Contains(strings.ToLower(s), v) {
			return true
		}
	}
	return false
}

// first returns the first value at a path, or "".
func (d *Decoder) first(i int, came *step, steps []step) string {
	if i < 0 {
		return ""
	}
	n := &d.tree.nodes[i]
	switch {
	case n.kind == kindArray:
		for k := i + 1; k < int(n.next); k = int(d.tree.nodes[k].next) {
			if s := d.first(k, came, steps); s != "" {
				return s
			}
		}
	case !d.passes(i, came):
	case len(steps) == 0 && n.kind < kindObject:
		return d.value(i)
	case len(steps) == 0 && d.tree.xml:
		return d.xmlText(i)
	case n.kind == kindObject && len(steps) > 0:
		for k := i + 1; k < int(n.next); k = int(d.tree.nodes[k].next) {
			if d.follows(k, &steps[0]) {
				if s := d.first(k, &steps[0], steps[1:]); s != "" {
					return s
				}
			}
		}
	}
	return ""
}
