package carriers

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseXML reads one XML document into the tree: elements, attributes, text,
// CDATA, comments and processing instructions; names by their local part; the
// five entities of XML and numeric ones. DOCTYPE is refused, so that nothing
// can be declared, expanded or fetched. The caller has checked that the bytes
// are UTF-8.
func (t *tree) parseXML() bool {
	t.xml, t.format = true, "xml"
	if i := t.push(kindObject, 0, 0, 0, 0); i < 0 {
		return false
	}
	p := t.xmlMisc(0)
	if p < 0 || p >= len(t.src) {
		t.fail(BadSyntax, len(t.src), "no root element stands in the document")
		return false
	}
	if p = t.xmlElement(p, 0); p < 0 {
		return false
	}
	if p = t.xmlMisc(p); p < 0 {
		return false
	}
	if p < len(t.src) {
		t.fail(BadSyntax, p, "more bytes follow the end of the root element")
		return false
	}
	t.nodes[0].end, t.nodes[0].next = uint32(len(t.src)), uint32(len(t.nodes))
	return true
}

func (t *tree) has(p int, prefix string) bool {
	return p+len(prefix) <= len(t.src) && text(t.src[p:p+len(prefix)]) == prefix
}

// past returns the position after the next occurrence of end.
func (t *tree) past(p int, end, what string) int {
	i := bytes.Index(t.src[p:], []byte(end))
	if i < 0 {
		return t.fail(BadSyntax, p, what+" does not end")
	}
	return p + i + len(end)
}

// xmlMisc skips what may stand outside the root element.
func (t *tree) xmlMisc(p int) int {
	for p >= 0 {
		p = skipSpace(t.src, p)
		switch {
		case t.has(p, "<?"):
			start := p
			if p = t.past(p, "?>", "a processing instruction"); p >= 0 && !utf8Declared(t.src[start:p]) {
				return t.fail(BadEncoding, start, "the XML declaration names another encoding than UTF-8")
			}
		case t.has(p, "<!--"):
			p = t.past(p+4, "-->", "a comment")
		case t.has(p, "<!"):
			return t.fail(BadSyntax, p, "DOCTYPE is refused")
		default:
			return p
		}
	}
	return -1
}

// utf8Declared reports whether an XML declaration names no encoding, UTF-8 or
// ASCII.
func utf8Declared(pi []byte) bool {
	_, enc, ok := bytes.Cut(pi, []byte("encoding"))
	if !ok || !bytes.HasPrefix(pi, []byte("<?xml")) {
		return true
	}
	enc = bytes.TrimLeft(enc, " =\"'")
	for _, known := range [...]string{"UTF-8", "US-ASCII", "ASCII"} {
		if len(enc) >= len(known) && strings.EqualFold(text(enc[:len(known)]), known) {
			return true
		}
	}
	return false
}

func nameByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c >= utf8.RuneSelf
}

// xmlName reads a name at p: the start of its local part, and its end. The
// prefix is reported as its length with the colon.
func (t *tree) xmlName(p int) (local, end int) {
	local, end = p, p
	for end < len(t.src) && (nameByte(t.src[end]) || t.src[end] == ':') {
		if t.src[end] == ':' {
			local = end + 1
		}
		end++
	}
	if end == local || end-local > 1000 || t.src[local] < utf8.RuneSelf && t.src[local]|0x20 < 'a' && t.src[local] != '_' {
		t.fail(BadSyntax, p, "a name should stand here")
		return -1, -1
	}
	return local, end
}

// xmlElement reads the element at p and returns the position after it.
func (t *tree) xmlElement(p, depth int) int {
	if depth >= t.limits.Depth {
		return t.fail(TooDeep, p, "elements are nested too deep")
	}
	if p >= len(t.src) || t.src[p] != '<' {
		return t.fail(BadSyntax, p, "an element should begin here")
	}
	open := p + 1
	local, end := t.xmlName(open)
	if local < 0 {
		return -1
	}
	i := t.push(kindObject, uint32(local), uint16(end-local), 0, p)
	if i < 0 {
		return -1
	}
	name := t.src[open:end]
	p, closed := t.xmlAttributes(end, i)
	if p < 0 {
		return -1
	}
	if !closed {
		p = t.xmlContent(p, depth, i, name)
		if p < 0 {
			return -1
		}
	} else if len(t.nodes) == i+1 {
		t.nodes[i].kind, t.nodes[i].start, t.nodes[i].end = kindString, uint32(p), uint32(p)
		return p
	}
	t.nodes[i].next = uint32(len(t.nodes))
	if t.nodes[i].kind == kindObject {
		t.nodes[i].end = uint32(p)
	}
	return p
}

// xmlAttributes reads the attributes of element i and the end of its tag.
func (t *tree) xmlAttributes(p, i int) (after int, closed bool) {
	for n := 0; ; n++ {
		q := skipSpace(t.src, p)
		switch {
		case q >= len(t.src):
			return t.fail(BadSyntax, q, "a tag does not end"), false
		case t.src[q] == '>':
			return q + 1, false
		case t.has(q, "/>"):
			return q + 2, true
		case q == p:
			return t.fail(BadSyntax, q, "a space should stand before an attribute"), false
		case n >= min(t.limits.Fields, 64): // each is compared with all before it
			return t.fail(TooLarge, q, "an element has too many attributes"), false
		}
		if p = t.xmlAttribute(q, i); p < 0 {
			return -1, false
		}
	}
}

func (t *tree) xmlAttribute(p, i int) int {
	local, end := t.xmlName(p)
	if local < 0 {
		return -1
	}
	q := skipSpace(t.src, end)
	if q >= len(t.src) || t.src[q] != '=' {
		return t.fail(BadSyntax, q, "an attribute wants a value")
	}
	q = skipSpace(t.src, q+1)
	if q >= len(t.src) || t.src[q] != '"' && t.src[q] != '\'' {
		return t.fail(BadSyntax, q, "an attribute wants a quoted value")
	}
	length := bytes.IndexByte(t.src[q+1:], t.src[q])
	if length < 0 {
		return t.fail(BadSyntax, q, "the value of an attribute does not end")
	}
	start, stop := q+1, q+1+length
	flags, ok := t.xmlText(start, stop, true)
	if !ok {
		return -1
	}
	if prefix := text(t.src[p:end]); prefix == "xmlns" || strings.HasPrefix(prefix, "xmlns:") || strings.HasPrefix(prefix, "xsi:") {
		return stop + 1
	}
	key := len(t.keys)
	t.keys = append(append(t.keys, '@'), t.src[local:end]...)
	mark := markOf(text(t.keys[key:]))
	for c := i + 1; c < len(t.nodes); c++ {
		if t.nodes[c].mark == mark && t.key(c) == text(t.keys[key:]) {
			return t.fail(DuplicateKey, p, "attribute "+quote(t.key(c)[1:])+" stands twice in one element")
		}
	}
	n := t.push(kindString, uint32(key), uint16(len(t.keys)-key), keyInArena|flags, start)
	if n < 0 {
		return -1
	}
	t.nodes[n].end = uint32(stop)
	return stop + 1
}

// xmlContent reads children and text of element i up to and with its end tag.
// An element without children and attributes becomes a string.
func (t *tree) xmlContent(p, depth, i int, name []byte) int {
	start, attrs, children, flags := p, len(t.nodes) > i+1, false, uint8(0)
	for {
		next := bytes.IndexByte(t.src[p:], '<')
		if next < 0 {
			return t.fail(BadSyntax, len(t.src), "element "+quote(text(name))+" does not end")
		}
		f, ok := t.xmlText(p, p+next, false)
		if !ok {
			return -1
		}
		flags |= f
		p += next
		switch {
		case t.has(p, "</"):
			end := p
			if p = t.xmlEndTag(p, name); p < 0 {
				return -1
			}
			if !children {
				return t.xmlLeaf(i, start, end, p, attrs, flags)
			}
			return p
		case t.has(p, "<!--"):
			p, flags = t.past(p+4, "-->", "a comment"), flags|escaped
		case t.has(p, "<![CDATA["):
			from := p + 9
			if p, flags = t.past(from, "]]>", "a CDATA section"), flags|escaped; p >= 0 && !t.xmlChars(from, p-3) {
				return -1
			}
		case t.has(p, "<?"):
			p, flags = t.past(p, "?>", "a processing instruction"), flags|escaped
		default:
			p, children = t.xmlElement(p, depth+1), true
		}
		if p < 0 {
			return -1
		}
	}
}

// xmlLeaf gives element i, which has no children, the text from start to end.
func (t *tree) xmlLeaf(i, start, end, after int, attrs bool, flags uint8) int {
	if end-start > t.limits.String {
		return t.fail(TooLarge, start, "the text of an element is too long")
	}
	if attrs {
		key := len(t.keys)
		t.keys = append(t.keys, "#text"...)
		n := t.push(kindString, uint32(key), 5, keyInArena|flags, start)
		if n < 0 {
			return -1
		}
		t.nodes[n].end = uint32(end)
		return after
	}
	n := &t.nodes[i]
	n.kind, n.flags, n.start, n.end = kindString, flags, uint32(start), uint32(end)
	return after
}

func (t *tree) xmlEndTag(p int, name []byte) int {
	q := p + 2 + len(name)
	if q > len(t.src) || !bytes.Equal(t.src[p+2:q], name) {
		return t.fail(BadSyntax, p, "the end tag of "+quote(text(name))+" should stand here")
	}
	if q = skipSpace(t.src, q); q >= len(t.src) || t.src[q] != '>' {
		return t.fail(BadSyntax, q, "an end tag does not end")
	}
	return q + 1
}

// xmlText checks text or the value of an attribute.
func (t *tree) xmlText(p, end int, attribute bool) (uint8, bool) {
	var flags uint8
	if end-p > t.limits.String {
		t.fail(TooLarge, p, "a text is too long")
		return 0, false
	}
	for i := p; i < end; i++ {
		switch c := t.src[i]; {
		case c == '&':
			flags |= escaped
			if _, n := entity(t.src[i:end]); n == 0 {
				t.fail(BadSyntax, i, "an entity is none of XML's own")
				return 0, false
			}
		case c == '<' && attribute:
			t.fail(BadSyntax, i, "an attribute holds <")
			return 0, false
		case c == '\n' || c == '\r' || c == '\t':
			flags |= escaped
		case c < 0x20:
			return 0, t.xmlChars(i, i+1)
		}
	}
	return flags, true
}

// xmlChars refuses control characters.
func (t *tree) xmlChars(p, end int) bool {
	for i := p; i < end; i++ {
		switch c := t.src[i]; {
		case c == 0:
			t.fail(BadEncoding, i, "a text holds a NUL byte")
			return false
		case c < 0x20 && c != '\n' && c != '\r' && c != '\t':
			t.fail(BadSyntax, i, "a text holds a control character")
			return false
		}
	}
	return true
}

// entity returns the character of the entity that s begins with and the length
// of the entity, or 0.
func entity(s []byte) (rune, int) {
	end := bytes.IndexByte(s[:min(len(s), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	switch name := text(s[1:end]); name {
	case "amp":
		return '&', end + 1
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	default:
		if name[0] != '#' {
			return 0, 0
		}
		digits, base := name[1:], 10
		if strings.HasPrefix(digits, "x") {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil || n == 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return 0, 0
		}
		return rune(n), end + 1
	}
}

// appendXMLText appends what the checked text of a leaf element says: entities
// and CDATA resolved, comments dropped, runs of white space made one space.
func appendXMLText(dst, s []byte) []byte {
	start := len(dst)
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '&':
			r, n := entity(s[i:])
			if n == 0 { // inside CDATA of a cut text; cannot happen on checked text
				n, r = 1, '&'
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		case c == '<' && bytes.HasPrefix(s[i:], []byte("<![CDATA[")):
			end := bytes.Index(s[i:], []byte("]]>"))
			dst = append(dst, s[i+9:i+end]...)
			i += end + 3
		case c == '<' && bytes.HasPrefix(s[i:], []byte("<!--")):
			i += bytes.Index(s[i+4:], []byte("-->")) + 7
		case c == '<':
			i += bytes.Index(s[i:], []byte("?>")) + 2
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
			if n := len(dst); n > start && dst[n-1] != ' ' {
				dst = append(dst, ' ')
			}
			i++
		default:
			dst = append(dst, c)
			i++
		}
	}
	if n := len(dst); n > start && dst[n-1] == ' ' {
		dst = dst[:n-1]
	}
	return dst
}
