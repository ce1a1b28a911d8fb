package carriers

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of emitted strings, in bytes.
const (
	maxRawText  = 512
	maxRawCode  = 64
	maxRawTime  = 64
	maxEventID  = 128
	maxPlace    = 128
	maxLocation = 256
	maxProduct  = 128
)

// clean makes a carrier's string harmless: cut to a number of bytes, without
// control and bidirectional characters and HTML tags, runs of white space made
// one space. Most strings are clean and are returned as they are.
func (d *Decoder) clean(s string, most int) string {
	if s == "" || len(s) <= most && (plain(s) || harmless(s)) {
		return s
	}
	return d.cleaned(s, most)
}

// cleaned is clean without its shortcuts.
func (d *Decoder) cleaned(s string, most int) string {
	start := len(d.arena)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == '<' {
			if tag := tagLength(s[i:]); tag > 0 {
				i += tag
				continue
			}
		}
		if len(d.arena)-start+n > most {
			break
		}
		i += n
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == 0xa0 || r == 0x3000:
			if k := len(d.arena); k > start && d.arena[k-1] != ' ' {
				d.arena = append(d.arena, ' ')
			}
		case r < 0x20, r >= 0x7f && r < 0xa0, bidi(r), r == utf8.RuneError && n == 1:
		default:
			d.arena = utf8.AppendRune(d.arena, r)
		}
	}
	return strings.TrimRight(text(d.arena[start:]), " ")
}

// namesFollow are the words after which carriers write who signed.
var namesFollow = [...]string{"signed for by", "signed by", "signatory", "accepted by:", "received by:", "recipient:", "签收人", "收件人："}

// withoutNames cuts a text after the words that a person's name follows, since
// names are nobody's business here.
func withoutNames(s string) string {
	if !mayName(s) {
		return s
	}
	for _, w := range namesFollow {
		if i := indexFold(s, w); i >= 0 {
			s = s[:i+len(w)]
		}
	}
	return s
}

// mayName reports whether one of namesFollow may stand in s: all have a colon,
// the letters "ign" or the character 收.
func mayName(s string) bool {
	const sign = "收"
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ':':
			return true
		case 'i':
			if strings.HasPrefix(s[i:], "ign") {
				return true
			}
		case 'I':
			if strings.HasPrefix(s[i:], "IGN") {
				return true
			}
		case sign[0]:
			if strings.HasPrefix(s[i:], sign) {
				return true
			}
		}
	}
	return false
}

// indexFold finds a lower-case string without regard to the case of ASCII.
func indexFold(s, lower string) int {
	for i := 0; i+len(lower) <= len(s); i++ {
		n := 0
		for n < len(lower) && (s[i+n] == lower[n] || s[i+n]|0x20 == lower[n] && lower[n] >= 'a') {
			n++
		}
		if n == len(lower) {
			return i
		}
	}
	return -1
}

// bidi reports whether r changes the direction of text, or joins or hides it.
func bidi(r rune) bool {
	return r == 0x061c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff
}

// plain reports whether s is printable ASCII without "<".
func plain(s string) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := load64(s, i)
		lt := x ^ ones*'<'
		del := x ^ ones*0x7f
		if ((lt-ones)&^lt|(del-ones)&^del|(x-ones*0x20)&^x|x)&highs != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '<' {
			return false
		}
	}
	return true
}

// harmless reports whether s, which is UTF-8, holds beside printable ASCII only
// characters that clean leaves as they are, and single spaces between others.
func harmless(s string) bool {
	last := byte(' ')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < 0x20, c == 0x7f, c == '<', c == ' ' && last == ' ', c >= 0xe0 && i+2 >= len(s):
			return false
		case c < 0xc2 || c > 0xef: // ASCII, what follows a first byte, or beyond the first plane
		case c == 0xc2, c == 0xd8, // U+0080 to U+00BF, U+061C
			c == 0xe2 && s[i+1] <= 0x81,                   // U+2000 to U+207F
			c == 0xe3 && s[i+1] == 0x80 && s[i+2] == 0x80, // U+3000
			c == 0xef && s[i+1] == 0xbb && s[i+2] == 0xbf: // U+FEFF
			return false
		}
		last = c
	}
	return last != ' '
}

// load64 reads eight bytes; the compiler makes one load of it.
func load64(s string, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// tagLength returns the length of the HTML tag that s begins with, or 0.
func tagLength(s string) int {
	if len(s) < 3 {
		return 0
	}
	if c := s[1]; c != '/' && c != '!' && (c|0x20 < 'a' || c|0x20 > 'z') {
		return 0
	}
	end := strings.IndexByte(s[:min(len(s), 200)], '>')
	if end < 0 {
		return 0
	}
	return end + 1
}

// appendNormal appends s as phrases are compared: lower case, white space and
// ASCII punctuation made single spaces.
func appendNormal(dst []byte, s string) []byte {
	start := len(dst)
	space := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == 0xc3 && i+1 < len(s):
			i++
			second := s[i]
			if second >= 0x80 && second <= 0x9e && second != 0x97 {
				second += 0x20
			}
			dst = append(dst, c)
			c = second
		case alphabetic(s, i):
			r, n := utf8.DecodeRuneInString(s[i:])
			if r = unicode.ToLower(r); r == 'ё' {
				r = 'е'
			}
			dst = utf8.AppendRune(dst, r)
			i += n - 1
			space = false
			continue
		case c >= utf8.RuneSelf:
		default:
			if !space {
				dst = append(dst, ' ')
				space = true
			}
			continue
		}
		dst = append(dst, c)
		space = false
	}
	if n := len(dst); n > start && dst[n-1] == ' ' {
		dst = dst[:n-1]
	}
	return dst
}

// boundary reports whether a phrase may begin at i (or end before it): words
// of alphabets are whole, other scripts have no spaces.
func boundary(s []byte, i int) bool {
	if i <= 0 || i >= len(s) || s[i] == ' ' || s[i-1] == ' ' {
		return true
	}
	return !letterAt(s, i) || !letterAt(s, i-1)
}

// letterAt reports whether a letter of a word stands at i of a normal text. The
// accented letters of Latin-1 count as the end of a word, since phrases end in
// them that are inflected: livré, livrée.
func letterAt(s []byte, i int) bool {
	for back := i; i > back-3 && i > 0 && s[i]&0xc0 == 0x80; {
		i--
	}
	return s[i] < utf8.RuneSelf || alphabetic(text(s), i)
}

// alphabetic reports whether a letter of an alphabet with spaces between its
// words begins at i, beyond Latin-1: Latin, Greek, Cyrillic, Vietnamese and the
// like.
func alphabetic(s string, i int) bool {
	c := s[i]
	return c >= 0xc4 && c <= 0xdf && i+1 < len(s) || c == 0xe1 && i+2 < len(s) && (s[i+1] == 0xba || s[i+1] == 0xbb)
}

// findPhrase returns the end of the first whole-word occurrence of phrase in s
// from position from, or -1.
func findPhrase(s []byte, phrase string, from int) int {
	for from <= len(s)-len(phrase) {
		i := strings.Index(text(s[from:]), phrase)
		if i < 0 {
			return -1
		}
		i += from
		if end := i + len(phrase); boundary(s, i) && boundary(s, end) {
			return end
		}
		from = i + 1
	}
	return -1
}
