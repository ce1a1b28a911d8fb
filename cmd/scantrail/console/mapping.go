package console

import (
	"fmt"
	"strings"

	"scantrail/cmd/scantrail/query"
)

// linesToAdd writes what gives codes that a mapping does not know a meaning, as
// scantrail carrier test writes it: the text says what the carrier means, and the
// lexicon may suggest a milestone. It is "" without codes.
func (c *console) linesToAdd(codes []query.UnmappedCode) (string, error) {
	if len(codes) == 0 {
		return "", nil
	}
	lexicon, err := c.lexicon()
	if err != nil {
		return "", fmt.Errorf("lexicon: %w", err)
	}
	var known, wordy strings.Builder
	for i := range codes {
		u := &codes[i]
		meaning := func(s ...string) (milestone, note string) {
			for _, text := range s {
				if m, _ := lexicon.Suggest(text); m != "" {
					return m, "suggested, check it; "
				}
			}
			return "???", ""
		}
		if u.Code != "" {
			text := firstOf(u.Texts...)
			m, note := meaning(text, u.Code)
			fmt.Fprintf(&known, "  %s: %s  # %stext: %s\n", yamlQuoted(u.Code, 64), m, note, yamlQuoted(text, 60))
			continue
		}
		for _, text := range u.Texts {
			m, _ := meaning(text)
			fmt.Fprintf(&wordy, "  - {match: %s, milestone: %s}\n", yamlQuoted(text, 60), m)
		}
	}
	return section("codes:\n", known.String()) + section("texts:\n", wordy.String()), nil
}

func section(title, lines string) string {
	if lines == "" {
		return ""
	}
	return title + lines
}

// yamlQuoted is a carrier's text between double quotes, on one line: what is cut
// off, a mapping's match does without.
func yamlQuoted(s string, most int) string {
	s = strings.Join(strings.Fields(Clean(s)), " ")
	s = strings.TrimSuffix(Cut(most, s), "…")
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
