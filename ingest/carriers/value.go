package carriers

import (
	"slices"
	"strings"
)

// alternative is one way to say a field: a template, and what of its value
// counts. The steps are done in the order of the fields here.
type alternative struct {
	parts  []part
	cuts   bool              // any of the following is set
	after  []string          // what follows the last occurrence of the first of these that stands there
	before []string          // what precedes the first of any
	split  string            // the value is a list with this between its parts,
	part   int               // of which this counts: 1 the first, -1 the last,
	of     int               // if there are so many parts
	first  int               // so many characters
	is     []string          // it counts only when it is one of these
	then   string            // and then becomes this
	table  map[string]string // or becomes what it stands for here, "" where it does not
	shape  []string          // it counts only when it has one of these shapes
	epc    bool              // it is an EPC URN or a GS1 Digital Link
}

const valueKeys = "value, after, before, split, part, of, first, is, then, map, shape, epc, default"

// parseValueKey reads one key of a field but value and default.
func (a *alternative) parseValueKey(key string, v yamlNode) bool {
	a.cuts = true
	switch key {
	case "after":
		a.after = v.strs()
	case "before":
		a.before = v.strs()
	case "split":
		a.split = v.str()
	case "part":
		if a.part = v.integer(-20, 20); a.part == 0 {
			v.errorf("parts are counted from 1, or from -1 backwards")
		}
	case "of":
		a.of = v.integer(1, 20)
	case "first":
		a.first = v.integer(1, 100)
	case "is":
		a.is = v.strs()
	case "then":
		a.then = v.str()
	case "map":
		a.table = map[string]string{}
		for _, m := range v.members() {
			a.table[m.key] = m.value.str()
		}
	case "shape":
		a.shape = v.strs()
	case "epc":
		a.epc = v.boolean()
	default:
		return false
	}
	return true
}

func (a *alternative) check(y yamlNode) {
	if (a.split == "") != (a.part == 0) {
		y.errorf("split and part belong together")
	}
	if a.then != "" && a.is == nil {
		y.errorf("then wants is")
	}
	if a.of != 0 && a.part == 0 {
		y.errorf("of wants split and part")
	}
}

// cut returns what counts of a value, or "".
func (d *Decoder) cut(a *alternative, s string) string {
	if !a.cuts || s == "" {
		return s
	}
	if a.after != nil {
		s = following(s, a.after)
	}
	for _, b := range a.before {
		if i := strings.Index(s, b); i >= 0 {
			s = s[:i]
		}
	}
	if a.of != 0 && strings.Count(s, a.split) != a.of-1 {
		return ""
	}
	if a.part != 0 {
		s = partOf(s, a.split, a.part)
	}
	s = strings.TrimSpace(s)
	if a.first > 0 {
		n := 0
		for i := range s {
			if n++; n > a.first {
				s = s[:i]
				break
			}
		}
	}
	if a.is != nil && !slices.Contains(a.is, s) {
		return ""
	}
	if a.then != "" {
		s = a.then
	}
	if a.table != nil {
		s = a.table[s]
	}
	if a.shape != nil && !slices.ContainsFunc(a.shape, func(shape string) bool { return hasShape(s, shape) }) {
		return ""
	}
	if a.epc {
		s = d.epcNumber(s)
	}
	return s
}

// following returns what follows the last occurrence of the first of these that
// stands in s, or "".
func following(s string, these []string) string {
	for _, t := range these {
		if t == "" {
			return ""
		}
		for i := len(s) - len(t); i >= 0; i-- { // strings.LastIndex hashes all of s
			if s[i] == t[0] && s[i:i+len(t)] == t {
				return s[i+len(t):]
			}
		}
	}
	return ""
}

// partOf returns one part of a list, counted from 1 or, backwards, from -1, or
// "" when there are not so many.
func partOf(s, between string, part int) string {
	if part < 0 {
		for ; part < -1; part++ {
			i := strings.LastIndex(s, between)
			if i < 0 {
				return ""
			}
			s = s[:i]
		}
		if i := strings.LastIndex(s, between); i >= 0 {
			s = s[i+len(between):]
		}
		return s
	}
	for ; part > 1; part-- {
		i := strings.Index(s, between)
		if i < 0 {
			return ""
		}
		s = s[i+len(between):]
	}
	if i := strings.Index(s, between); i >= 0 {
		s = s[:i]
	}
	return s
}

// hasShape compares s with a shape: # is any digit, @ any letter, ? either,
// everything else itself.
func hasShape(s, shape string) bool {
	if len(s) != len(shape) {
		return false
	}
	for i := 0; i < len(s); i++ {
		digit, letter := s[i]-'0' <= 9, s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		fits := s[i] == shape[i]
		switch shape[i] {
		case '#':
			fits = digit
		case '@':
			fits = letter
		case '?':
			fits = digit || letter
		}
		if !fits {
			return false
		}
	}
	return true
}

// epcNumber returns the number that an EPC URN or a GS1 Digital Link names, as
// it is printed: an SSCC as its 18 digits, a serialised GTIN as GTIN and
// serial, any other as its last part (GS1 EPC Tag Data Standard).
func (d *Decoder) epcNumber(s string) string {
	start := len(d.arena)
	if rest, ok := strings.CutPrefix(s, "urn:epc:id:sscc:"); ok {
		company, serial, ok := strings.Cut(rest, ".")
		if ok && len(company)+len(serial) == 17 && digits(company) && digits(serial) {
			d.arena = append(append(append(d.arena, serial[0]), company...), serial[1:]...)
			d.arena = append(d.arena, gs1Check(text(d.arena[start:])))
			return text(d.arena[start:])
		}
	}
	if rest, ok := strings.CutPrefix(s, "urn:epc:id:sgtin:"); ok {
		company, rest, ok := strings.Cut(rest, ".")
		item, serial, ok2 := strings.Cut(rest, ".")
		if ok && ok2 && len(company)+len(item) == 13 && digits(company) && digits(item) {
			d.arena = append(append(append(d.arena, item[0]), company...), item[1:]...)
			d.arena = append(d.arena, gs1Check(text(d.arena[start:])))
			d.arena = append(d.arena, serial...)
			return text(d.arena[start:])
		}
	}
	if strings.Contains(s, "://") {
		s, _, _ = strings.Cut(s, "?")
		if _, after, ok := strings.Cut(s, "/01/"); ok {
			if gtin, serial, ok := strings.Cut(after, "/21/"); ok && len(gtin) == 14 && digits(gtin) {
				d.arena = append(append(d.arena, gtin...), serial...)
				return text(d.arena[start:])
			}
		}
		return s[strings.LastIndexByte(s, '/')+1:]
	}
	return s[strings.LastIndexByte(s, ':')+1:]
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}
