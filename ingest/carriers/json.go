package carriers

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// parseJSON reads one JSON document (RFC 8259) into the tree. It validates all
// of it, in one pass: syntax, escapes, repeated keys and the limits. The caller
// has checked that the bytes are UTF-8.
func (t *tree) parseJSON() bool {
	p := t.jsonValue(skipSpace(t.src, 0), 0, 0, 0, 0)
	if p < 0 {
		return false
	}
	if p = skipSpace(t.src, p); p < len(t.src) {
		t.fail(BadSyntax, p, "more bytes follow the end of the JSON document")
		return false
	}
	return true
}

func skipSpace(b []byte, p int) int {
	for p < len(b) {
		switch b[p] {
		case ' ', '\n', '\r', '\t':
			p++
		default:
			return p
		}
	}
	return p
}

// push appends a node and returns its index, or -1 when there are too many.
func (t *tree) push(k kind, key uint32, keyLen uint16, flags uint8, start int) int {
	if len(t.nodes) >= t.limits.Values {
		return t.fail(TooLarge, start, "the record holds too many values")
	}
	i := len(t.nodes)
	from := t.src
	if flags&keyInArena != 0 {
		from = t.keys
	}
	m := markOf(text(from[key : key+uint32(keyLen)]))
	// Field by field: a literal would be built aside and copied in larger words,
	// which the processor must wait for. It cost a tenth of all time.
	if i < cap(t.nodes) {
		t.nodes = t.nodes[:i+1]
	} else {
		t.nodes = append(t.nodes, node{})
	}
	n := &t.nodes[i]
	n.key, n.keyLen, n.mark, n.kind, n.flags = key, keyLen, m, k, flags
	n.start, n.end, n.next = uint32(start), 0, uint32(i+1)
	return i
}

// jsonValue reads the value at p and returns the position after it, or -1.
func (t *tree) jsonValue(p, depth int, key uint32, keyLen uint16, flags uint8) int {
	if p >= len(t.src) {
		return t.fail(BadSyntax, p, "the document ends where a value should stand")
	}
	switch c := t.src[p]; c {
	case '"':
		return t.jsonText(p+1, key, keyLen, flags)
	case '{', '[':
		if depth >= t.limits.Depth {
			return t.fail(TooDeep, p, "objects and arrays are nested too deep")
		}
		k := kindObject
		if c == '[' {
			k = kindArray
		}
		i := t.push(k, key, keyLen, flags, p)
		if i < 0 {
			return -1
		}
		if k == kindObject {
			p = t.jsonObject(p+1, depth+1, i)
		} else {
			p = t.jsonArray(p+1, depth+1)
		}
		if p >= 0 {
			t.nodes[i].end, t.nodes[i].next = uint32(p), uint32(len(t.nodes))
		}
		return p
	default:
		return t.jsonPlain(p, key, keyLen, flags)
	}
}

// jsonText reads a string value from after its opening quote.
func (t *tree) jsonText(p int, key uint32, keyLen uint16, flags uint8) int {
	end, f := t.jsonString(p)
	if end < 0 {
		return -1
	}
	i := t.push(kindString, key, keyLen, flags|f, p)
	if i < 0 {
		return -1
	}
	t.nodes[i].end = uint32(end)
	return end + 1
}

// jsonPlain reads a number, true, false or null.
func (t *tree) jsonPlain(p int, key uint32, keyLen uint16, flags uint8) int {
	k, end := kindNumber, 0
	switch t.src[p] {
	case 't':
		k, end = kindBool, t.literal(p, "true")
	case 'f':
		k, end = kindBool, t.literal(p, "false")
	case 'n':
		k, end = kindNull, t.literal(p, "null")
	default:
		end = t.jsonNumber(p)
	}
	if end < 0 {
		return -1
	}
	i := t.push(k, key, keyLen, flags, p)
	if i < 0 {
		return -1
	}
	t.nodes[i].end = uint32(end)
	return end
}

func (t *tree) literal(p int, want string) int {
	if len(t.src)-p < len(want) || text(t.src[p:p+len(want)]) != want {
		return t.fail(BadSyntax, p, "no JSON value stands here")
	}
	return p + len(want)
}

func (t *tree) jsonNumber(p int) int {
	b, start := t.src, p
	digits := func() bool {
		first := p
		for p < len(b) && b[p]-'0' <= 9 {
			p++
		}
		return p > first
	}
	if p < len(b) && b[p] == '-' {
		p++
	}
	zero := p < len(b) && b[p] == '0'
	first := p
	if !digits() || zero && p > first+1 {
		return t.fail(BadSyntax, start, "no JSON value stands here")
	}
	if p < len(b) && b[p] == '.' {
		p++
		if !digits() {
			return t.fail(BadSyntax, start, "a number lacks digits after its point")
		}
	}
	if p < len(b) && b[p]|0x20 == 'e' {
		p++
		if p < len(b) && (b[p] == '+' || b[p] == '-') {
			p++
		}
		if !digits() {
			return t.fail(BadSyntax, start, "a number lacks digits in its exponent")
		}
	}
	return p
}

func (t *tree) jsonArray(p, depth int) int {
	p = skipSpace(t.src, p)
	if p < len(t.src) && t.src[p] == ']' {
		return p + 1
	}
	for {
		if p = t.jsonValue(p, depth, 0, 0, 0); p < 0 {
			return -1
		}
		p = skipSpace(t.src, p)
		if p >= len(t.src) {
			return t.fail(BadSyntax, p, "an array does not end")
		}
		switch t.src[p] {
		case ',':
			p = skipSpace(t.src, p+1)
		case ']':
			return p + 1
		default:
			return t.fail(BadSyntax, p, "an array wants a comma or its end here")
		}
	}
}

// jsonObject reads the members of object node i, from after its brace.
func (t *tree) jsonObject(p, depth, i int) int {
	p = skipSpace(t.src, p)
	if p < len(t.src) && t.src[p] == '}' {
		return p + 1
	}
	for members := 1; ; members++ {
		if members > t.limits.Fields {
			return t.fail(TooLarge, p, "an object has too many members")
		}
		if p = t.jsonMember(p, depth); p < 0 {
			return -1
		}
		if p = skipSpace(t.src, p); p >= len(t.src) {
			return t.fail(BadSyntax, p, "an object does not end")
		}
		switch t.src[p] {
		case ',':
			p = skipSpace(t.src, p+1)
		case '}':
			t.nodes[i].next = uint32(len(t.nodes))
			if c := t.duplicate(i, members); c >= 0 {
				return t.fail(DuplicateKey, int(t.nodes[c].start), "key "+quote(t.key(c))+" stands twice in one object")
			}
			return p + 1
		default:
			return t.fail(BadSyntax, p, "an object wants a comma or its end here")
		}
	}
}

func (t *tree) jsonMember(p, depth int) int {
	if p >= len(t.src) || t.src[p] != '"' {
		return t.fail(BadSyntax, p, "an object wants a quoted key here")
	}
	start := p + 1
	end, f := t.jsonString(start)
	if end < 0 {
		return -1
	}
	key, n, flags := uint32(start), end-start, uint8(0)
	if f&escaped != 0 {
		key, flags = uint32(len(t.keys)), keyInArena
		t.keys = appendUnescaped(t.keys, t.src[start:end])
		n = len(t.keys) - int(key)
	}
	if p = skipSpace(t.src, end+1); p >= len(t.src) || t.src[p] != ':' {
		return t.fail(BadSyntax, p, "an object wants a colon after its key")
	}
	if p = skipSpace(t.src, p+1); p < len(t.src) && t.src[p] == '"' {
		return t.jsonText(p+1, key, uint16(n), flags)
	}
	return t.jsonValue(p, depth, key, uint16(n), flags)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// jsonString reads a string from after its opening quote. It returns the
// position of the closing quote and the flag escaped.
func (t *tree) jsonString(p int) (int, uint8) {
	b, start := t.src, p
	for p+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[p:])
		slash := x ^ ones*'\\'
		// With its second bit turned over the quote, 0x22, is 0x20: it and the
		// control characters, and they alone, are then less than 0x21.
		stop := ((x^ones*2-ones*0x21)&^x | (slash-ones)&^slash) & highs
		if stop == 0 {
			p += 8
			continue
		}
		p += bits.TrailingZeros64(stop) / 8
		if b[p] == '"' && p-start <= t.limits.String {
			return p, 0
		}
		break
	}
	return t.jsonStringFrom(p, start)
}

// jsonStringFrom reads on at p in a string that began at start.
func (t *tree) jsonStringFrom(p, start int) (int, uint8) {
	b, flags := t.src, uint8(0)
	for {
		for p < len(b) && b[p] >= 0x20 && b[p] != '"' && b[p] != '\\' {
			p++
		}
		switch {
		case p >= len(b):
			return t.fail(BadSyntax, p, "a string does not end"), 0
		case p-start > t.limits.String:
			return t.fail(TooLarge, start, "a string is too long"), 0
		case b[p] == '"':
			return p, flags
		case b[p] == '\\':
			flags |= escaped
			if p = t.jsonEscape(p); p < 0 {
				return -1, 0
			}
		case b[p] == 0:
			return t.fail(BadEncoding, p, "a string holds a NUL byte"), 0
		default:
			return t.fail(BadSyntax, p, "a string holds a control character"), 0
		}
	}
}

// jsonEscape checks the escape at p and returns the position after it.
func (t *tree) jsonEscape(p int) int {
	if p+1 >= len(t.src) {
		return t.fail(BadSyntax, p, "a string does not end")
	}
	switch t.src[p+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return p + 2
	case 'u':
	default:
		return t.fail(BadSyntax, p, "no such escape in JSON")
	}
	r := hex4(t.src, p+2)
	switch {
	case r < 0:
		return t.fail(BadSyntax, p, "\\u wants four hexadecimal digits")
	case r == 0:
		return t.fail(BadEncoding, p, "a string holds a NUL character")
	case !utf16.IsSurrogate(r):
		return p + 6
	}
	if p+7 < len(t.src) && t.src[p+6] == '\\' && t.src[p+7] == 'u' &&
		utf16.DecodeRune(r, hex4(t.src, p+8)) != utf8.RuneError {
		return p + 12
	}
	return t.fail(BadEncoding, p, "a string holds half of a surrogate pair")
}

// hex4 returns the number of the four hexadecimal digits at p, or -1.
func hex4(b []byte, p int) rune {
	if p+4 > len(b) {
		return -1
	}
	var r rune
	for _, c := range b[p : p+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// appendUnescaped appends the characters that a checked JSON string stands for.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(s, i+1)
			i += 4
			if utf16.IsSurrogate(r) {
				r = utf16.DecodeRune(r, hex4(s, i+3))
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
