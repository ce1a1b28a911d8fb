package console

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns s without what could make a page or a table of figures lie:
// control characters, bidirectional controls and invisible ones go, a broken
// encoding becomes U+FFFD. Line breaks and tabs stay. The joiners that emoji,
// Persian and Indic scripts need stay too.
func Clean(s string) string {
	if !strings.ContainsFunc(s, unsafe) && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unsafe(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func unsafe(r rune) bool {
	switch {
	case r == '\n' || r == '\t' || r == '\u200c' || r == '\u200d':
		return false
	case unicode.IsControl(r):
		return true
	}
	// Format characters: bidi marks, embeddings, overrides and isolates,
	// zero-width spaces, byte-order marks, tags. Line and paragraph separators.
	return unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// Cut returns at most n characters of s, the last an ellipsis where more were.
func Cut(n int, s string) string {
	if len(s) <= n {
		return s
	}
	at := 0
	for i := range s {
		if at == n-1 {
			if utf8.RuneCountInString(s[i:]) <= 1 {
				return s
			}
			return s[:i] + "…"
		}
		at++
	}
	return s
}
