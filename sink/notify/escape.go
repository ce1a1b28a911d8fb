package notify

import (
	"regexp"
	"strings"
	"unicode"
)

// What carriers and sellers wrote reaches chats, where marks make links, mentions
// and pictures. Each medium replaces its own marks; what looks like an address is
// parted by a space for all of them, since they make links of bare addresses too.

// medium is a markup that messages are written in.
type medium struct {
	escape *strings.Replacer
	bold   func(string) string
	link   func(url, text string) string
	most   int // bytes of a text
}

// fullWidth looks like what it stands for, and is no mark.
var fullWidth = []string{
	"<", "＜", ">", "＞", "[", "［", "]", "］", "(", "（", ")", "）", "*", "＊", "`", "｀", "#", "＃",
	"!", "！", `\`, "＼", "@", "＠", "~", "～", "|", "｜",
}

// entities are how Feishu's markdown shows marks as they are.
var entities = []string{
	"&", "&#38;", "<", "&#60;", ">", "&#62;", "[", "&#91;", "]", "&#93;", "(", "&#40;", ")", "&#41;", "*", "&#42;",
	"`", "&#96;", "#", "&#35;", "!", "&#33;", `\`, "&#92;", "~", "&#126;", "_", "&#95;", "@", "＠",
}

func markdownLink(url, text string) string { return "[" + text + "](" + url + ")" }
func markdownBold(s string) string         { return "**" + s + "**" }

// mediumOf returns the markup of a chat.
func mediumOf(k Kind) medium {
	switch k {
	case KindSlack:
		return medium{
			escape: strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "[", "［", "]", "］", "*", "＊", "~", "～", "`", "｀", "@", "＠"),
			bold:   func(s string) string { return "*" + s + "*" },
			link:   func(url, text string) string { return "<" + url + "|" + text + ">" },
			most:   2900, // of 3000 characters of a section
		}
	case KindFeishu:
		return medium{strings.NewReplacer(entities...), markdownBold, markdownLink, 15 << 10} // of 20 KB of a request
	case KindWeCom:
		return medium{strings.NewReplacer(fullWidth...), markdownBold, markdownLink, 3900} // of 4096 bytes
	}
	return medium{strings.NewReplacer(fullWidth...), markdownBold, markdownLink, 15 << 10} // DingTalk: of 20,000 bytes
}

// plainMedium is for titles and annotations: they have no markup themselves, and may
// end up in a text that has.
func plainMedium() medium {
	same := func(s string) string { return s }
	return medium{strings.NewReplacer(fullWidth...), same, func(_, text string) string { return text }, 200}
}

// dots is a dot that a name of a host could have.
var dots = regexp.MustCompile(`([.．。｡])(\pL)`)

// maxField bounds what a message shows of one text of others.
const maxField = 100

// clean makes one short line of what somebody else wrote, without anything that
// cannot be seen, turns the direction of the text, or reads as an address.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxField {
		s = string(runes[:maxField-1]) + "…"
	}
	s = strings.ReplaceAll(s, "://", ": //")
	return dots.ReplaceAllString(s, " $1$2")
}

// show cleans s and escapes it for the medium.
func (m *medium) show(s string) string { return m.escape.Replace(clean(s)) }

// cut drops whole lines from the end of a text that is too long: a mark would be
// open if it ended anywhere.
func (m *medium) cut(s string) string {
	for len(s) > m.most {
		at := strings.LastIndexByte(strings.TrimRight(s, "\n…"), '\n')
		if at < 0 {
			return "…"
		}
		s = s[:at] + "\n…"
	}
	return s
}
