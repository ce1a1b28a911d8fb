package carriers

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// maxGroups bounds how deep groups of segments nest.
const maxGroups = 8

// group makes the segments that follow a segment its members, up to the next
// segment of its level or of one before it.
type group struct {
	tag   string
	level int
}

// ediSyntax holds the service characters of an interchange; 0 stands for none.
type ediSyntax struct {
	component, element, repeat, release, terminator byte
}

// openGroup is a group of segments that still grows.
type openGroup struct{ node, level int }

// parseEDI reads EDIFACT (ISO 9735) or X12 segments into the tree. A segment is
// a member of the record, or of its group, by its tag; element n is its member
// "n", component c of it, from the second on, "n-c"; what is empty is left out.
func (t *tree) parseEDI(f *flat) bool {
	s, p := t.ediStart(f.format)
	if p < 0 {
		return false
	}
	if t.push(kindObject, 0, 0, 0, 0) < 0 {
		return false
	}
	t.release = s.release
	var open [maxGroups + 1]openGroup
	depth := 0
	for {
		if p = skipSpace(t.src, p); p >= len(t.src) {
			break
		}
		tag, end := p, p
		for end < len(t.src) && (t.src[end] >= 'A' && t.src[end] <= 'Z' || t.src[end]-'0' <= 9) {
			end++
		}
		if end-tag < 2 || end-tag > 3 || end == len(t.src) || t.src[end] != s.element && t.src[end] != s.terminator {
			t.fail(BadSyntax, p, "a segment should begin with its tag of two or three capital letters and digits")
			return false
		}
		level, trailer := f.level(text(t.src[tag:end]))
		for depth > 0 && (trailer || level > 0 && open[depth].level >= level) {
			t.nodes[open[depth].node].next = uint32(len(t.nodes))
			depth--
		}
		i := t.push(kindObject, uint32(tag), uint16(end-tag), 0, p)
		if i < 0 {
			return false
		}
		if p = t.ediElements(end, &s); p < 0 {
			return false
		}
		t.nodes[i].end, t.nodes[i].next = uint32(p), uint32(len(t.nodes))
		if level > 0 {
			depth++
			open[depth] = openGroup{i, level}
		}
	}
	for ; depth > 0; depth-- {
		t.nodes[open[depth].node].next = uint32(len(t.nodes))
	}
	t.nodes[0].end, t.nodes[0].next = uint32(len(t.src)), uint32(len(t.nodes))
	return true
}

// level returns the level of the group that a segment opens, 0 for none, and
// whether it ends a message or an interchange and with it all groups.
func (f *flat) level(tag string) (level int, trailer bool) {
	switch tag {
	case "UNT", "UNE", "UNZ", "SE", "GE", "IEA":
		return 0, true
	}
	for i := range f.groups {
		if f.groups[i].tag == tag {
			return f.groups[i].level, false
		}
	}
	return 0, false
}

// ediStart finds the service characters and where the first segment begins.
func (t *tree) ediStart(format string) (s ediSyntax, p int) {
	p = skipSpace(t.src, 0)
	if format == "x12" {
		return t.x12Start(p)
	}
	s = ediSyntax{component: ':', element: '+', release: '?', terminator: '\''}
	if t.has(p, "UNA") && len(t.src) >= p+9 {
		s = ediSyntax{component: t.src[p+3], element: t.src[p+4], release: t.src[p+6], repeat: t.src[p+7], terminator: t.src[p+8]}
		if s.release == ' ' {
			s.release = 0
		}
		if s.repeat == ' ' {
			s.repeat = 0
		}
		p = skipSpace(t.src, p+9)
	}
	if !s.sound() {
		return s, t.fail(BadSyntax, p, "the UNA segment names no usable separators")
	}
	if !t.has(p, "UNB") && !t.has(p, "UNG") && !t.has(p, "UNH") {
		return s, t.fail(BadSyntax, p, "no EDIFACT message begins like this; want UNA, UNB or UNH")
	}
	return s, p
}

// x12Start reads the separators from where the ISA segment shows them. Without
// one, the element separator follows the first tag, and nothing tells a
// component separator.
func (t *tree) x12Start(p int) (s ediSyntax, start int) {
	switch {
	case t.has(p, "ISA") && len(t.src) > p+3:
		s.element = t.src[p+3]
		at := p + 3
		for n := 2; n <= 16; n++ {
			next := bytes.IndexByte(t.src[at+1:], s.element)
			if next < 0 || at-p > 200 {
				return s, t.fail(BadSyntax, p, "the ISA segment lacks elements")
			}
			at += 1 + next
			if n == 11 && t.has(at+2, text(t.src[p+3:p+4])) && !letterOrDigit(t.src[at+1]) && t.src[at+1] != ' ' {
				s.repeat = t.src[at+1]
			}
		}
		if at+2 >= len(t.src) {
			return s, t.fail(BadSyntax, p, "the ISA segment does not end")
		}
		s.component, s.terminator = t.src[at+1], t.src[at+2]
	case (t.has(p, "ST") || t.has(p, "GS")) && len(t.src) > p+2:
		s.element, s.terminator = t.src[p+2], '~'
		if bytes.IndexByte(t.src, '~') < 0 {
			s.terminator = '\n'
		}
	default:
		return s, t.fail(BadSyntax, p, "no X12 message begins like this; want ISA, GS or ST")
	}
	if !s.sound() {
		return s, t.fail(BadSyntax, p, "the ISA segment names no usable separators")
	}
	return s, p
}

func letterOrDigit(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c-'0' <= 9 }

// sound reports whether the service characters can be told apart from each
// other and from data.
func (s *ediSyntax) sound() bool {
	all := [...]byte{s.component, s.element, s.terminator, s.release, s.repeat}
	for i, c := range all {
		if c == 0 {
			continue
		}
		if letterOrDigit(c) || c >= 0x80 || c == ' ' {
			return false
		}
		for _, other := range all[:i] {
			if c == other {
				return false
			}
		}
	}
	return true
}

// ediElements reads the elements of a segment, from the separator after its
// tag, up to and with its terminator.
func (t *tree) ediElements(p int, s *ediSyntax) int {
	element, component, members := 0, 1, 0
	for {
		switch c := t.src[p]; c {
		case s.terminator:
			return p + 1
		case s.element:
			element, component = element+1, 1
		case s.component:
			component++
		default: // the separator of repetitions: the element again
			component = 1
		}
		end, flags := t.ediValue(p+1, s)
		if end < 0 {
			return -1
		}
		if end > p+1 {
			if members++; members > t.limits.Fields {
				return t.fail(TooLarge, p, "a segment has too many elements")
			}
			key := len(t.keys)
			t.keys = strconv.AppendInt(t.keys, int64(element), 10)
			if component > 1 {
				t.keys = strconv.AppendInt(append(t.keys, '-'), int64(component), 10)
			}
			i := t.push(kindString, uint32(key), uint16(len(t.keys)-key), keyInArena|flags, p+1)
			if i < 0 {
				return -1
			}
			t.nodes[i].end = uint32(end)
		}
		p = end
	}
}

// ediValue returns the end of the value at p: the position of the separator or
// terminator after it.
func (t *tree) ediValue(p int, s *ediSyntax) (end int, flags uint8) {
	for start := p; p < len(t.src); p++ {
		switch c := t.src[p]; {
		case c == s.element, c == s.component && c != 0, c == s.terminator, c == s.repeat && c != 0:
			if p-start > t.limits.String {
				return t.fail(TooLarge, start, "an element is too long"), 0
			}
			return p, flags
		case c == s.release && c != 0:
			flags |= escaped
			p++
		case c == '\n' || c == '\r' || c == '\t':
			flags |= escaped
		case c == 0:
			return t.fail(BadEncoding, p, "an element holds a NUL byte"), 0
		case c < 0x20:
			return t.fail(BadSyntax, p, "an element holds a control character"), 0
		}
	}
	return t.fail(BadSyntax, len(t.src), "the last segment does not end"), 0
}

// appendReleased appends what the checked value of an element says: without the
// release characters and without the ends of lines at which files are wrapped.
func appendReleased(dst, s []byte, release byte) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == release && c != 0 && i+1 < len(s):
			i++
			dst = append(dst, s[i])
		case c == '\n' || c == '\r':
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// latin1 returns an EDIFACT interchange that says it is in ISO 8859-1 (syntax
// identifier UNOC) and is not UTF-8 as UTF-8, and any other record as it is.
func (d *Decoder) latin1(raw []byte) []byte {
	head := raw[:min(len(raw), 64)]
	at := bytes.Index(head, []byte("UNB"))
	if at < 0 || len(raw) > d.limits.Bytes || !bytes.HasPrefix(head[min(at+4, len(head)):], []byte("UNOC")) || utf8.Valid(raw) {
		return raw
	}
	d.utf8 = d.utf8[:0]
	for _, c := range raw {
		d.utf8 = utf8.AppendRune(d.utf8, rune(c))
	}
	return d.utf8
}
