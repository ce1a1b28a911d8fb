package console

import (
	"testing"
	"time"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain, 中文, é\n\t":                  "plain, 中文, é\n\t",
		"user\u202Egnp.exe\u2066x\u2069":    "usergnp.exex",
		"\x1b[31mred\x00\u0085\u200b\ufeff": "[31mred",
		"a\u2028b\u2029c":                   "abc",
		"\xff\xfe broken":                   "\uFFFD broken",
		"family 👨\u200d👩":                   "family 👨\u200d👩",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\u202eb", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		got := Clean(s)
		if !utf8.ValidString(got) || Clean(got) != got {
			t.Errorf("Clean(%q) = %q", s, got)
		}
		if n > 0 && n < 1000 && utf8.RuneCountInString(Cut(n, got)) > n {
			t.Errorf("Cut(%d, %q) = %q", n, got, Cut(n, got))
		}
	})
}

func TestCell(t *testing.T) {
	at := time.Date(2026, 11, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for _, c := range []struct {
		in   any
		want string
	}{
		{"=HYPERLINK(1)", "'=HYPERLINK(1)"}, {"+1", "'+1"}, {"-1", "'-1"}, {"@x", "'@x"}, {"\tx", "'\tx"}, {"\r=x", "'=x"},
		{"\u202e=x", "'=x"}, {"plain", "plain"}, {"", ""}, {-1.5, "-1.5"}, {7, "7"}, {at, "2026-11-02T02:04:05Z"}, {&at, "2026-11-02T02:04:05Z"},
		{(*time.Time)(nil), ""}, {time.Time{}, ""}, {nil, ""},
	} {
		if got := cell(c.in); got != c.want {
			t.Errorf("cell(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(1234567), "1,234,567"}, {number(999), "999"}, {decimal(1, -1234.56), "−1,234.6"}, {number(nil), none}, {percent(0.1234), "12.3 %"},
		{decimal(1, (*float64)(nil)), none},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}
