package carriers

import (
	"slices"
	"strings"
)

// parseUnverified reads the codes of a mapping y whose meaning stands neither in
// a document of the carrier nor in its answers: each is a key of codes, or
// begins so and ends with "*".
func (c *Carrier) parseUnverified(y, list yamlNode) {
	var codes []string
	for _, m := range y.members() {
		if m.key == "codes" {
			for _, code := range m.value.members() {
				codes = append(codes, code.key)
			}
		}
	}
	for _, v := range list.list() {
		begin, many := strings.CutSuffix(v.str(), "*")
		known := false
		for _, code := range codes {
			if code == v.str() || many && strings.HasPrefix(code, begin) {
				known = true
				c.unverified = append(c.unverified, code)
			}
		}
		if !known {
			v.errorf("%q is none of the codes", v.str())
		}
	}
	slices.Sort(c.unverified)
	c.unverified = slices.Compact(c.unverified)
}

// Unverified returns the codes and code prefixes of the mapping whose meaning
// comes from general knowledge and no source, sorted. Do not rely on them before
// you have seen them with their text.
func (c *Carrier) Unverified() []string { return c.unverified }

// checkUnseen finds names that no layout has.
func (c *Carrier) checkUnseen(y yamlNode) {
	for _, name := range c.unseen {
		if !slices.ContainsFunc(c.shapes, func(s shape) bool { return s.name == name }) {
			y.errorf("unverified_layouts: no layout is named %q", name)
		}
	}
}

// Provenance says where the meanings of codes come from, for humans: the source,
// which codes it does not cover, and which layouts were written after
// documentation or custom without an answer of the carrier to compare with.
func (c *Carrier) Provenance() string {
	out := c.Source
	switch {
	case len(c.unverified) == 0:
	case len(c.unverified) == c.Codes():
		out += "; general knowledge, unverified: all codes"
	default:
		out += "; general knowledge, unverified: codes " + strings.Join(c.unverified, " | ")
	}
	if len(c.unseen) > 0 {
		out += "; never seen: layouts " + strings.Join(c.unseen, " | ")
	}
	return out
}
