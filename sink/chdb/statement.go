package chdb

import (
	"slices"
	"strings"
)

// statement is what the gateway has to know of an SQL text before the engine
// sees it.
type statement struct {
	first string // first keyword, in capitals
	// For an INSERT with data (INSERT INTO t FORMAT x, or VALUES): the text
	// before FORMAT, the format, and where its data begins in the text.
	insertData bool
	insert     string
	data       int
	// format is the last FORMAT clause: of an INSERT's data, or of a result.
	format string
	// usesFile is set for INTO OUTFILE and FROM INFILE, which the library would
	// run as the client it believes to be: outside of any access check.
	usesFile     bool
	usesRows     bool // mentions output_format_json_array_of_rows
	insertSelect bool // INSERT ... SELECT
}

// parseStatement reads sql's tokens. It never fails: what it does not
// understand, the engine's own parser will refuse.
func parseStatement(sql string) statement {
	var st statement
	s := scanner{src: sql}
	depth, prev, beforePrev := 0, "", ""
	for {
		t := s.next()
		if t.text == "" {
			return st
		}
		word := strings.ToUpper(t.text)
		if st.first == "" && t.word {
			st.first = word
		}
		switch {
		case t.text == "(" || t.text == "[" || t.text == "{":
			depth++
		case t.text == ")" || t.text == "]" || t.text == "}":
			depth--
		case !t.word || depth != 0 || prev == ".":
		case prev == "INTO" && word == "OUTFILE", prev == "FROM" && word == "INFILE":
			st.usesFile = true
		case st.first == "INSERT" && slices.Contains([]string{"INTO", "TABLE", "FUNCTION"}, prev) && beforePrev != ".":
			// the table's name, whatever it is
		case word == "FORMAT":
			if st.formatClause(sql, s, t) {
				return st
			}
		case st.first == "INSERT" && (word == "SELECT" || word == "WITH"):
			st.insertSelect = true
		case st.first == "INSERT" && word == "VALUES" && !st.insertSelect:
			st.insertData, st.insert, st.format, st.data = true, sql[:t.start], "Values", s.pos
			return st
		}
		if t.word && strings.EqualFold(t.text, "output_format_json_array_of_rows") {
			st.usesRows = true
		}
		beforePrev, prev = prev, word
	}
}

// formatClause looks at the name after FORMAT: s is a copy, since FORMAT may be
// the name of a column or function as well. For an INSERT the data follows.
func (st *statement) formatClause(sql string, s scanner, format token) (done bool) {
	name := s.next()
	if !name.word {
		return false
	}
	st.format = name.text
	if st.first != "INSERT" {
		return false
	}
	st.insertData, st.insert, st.data = true, sql[:format.start], afterFormat(sql, s.pos)
	return true
}

// afterFormat skips what ClickHouse skips between an INSERT's format and its
// data: blanks, and one newline.
func afterFormat(sql string, pos int) int {
	for pos < len(sql) && (sql[pos] == ' ' || sql[pos] == '\t' || sql[pos] == '\f' || sql[pos] == '\r' || sql[pos] == ';') {
		pos++
	}
	if pos < len(sql) && sql[pos] == '\n' {
		pos++
	}
	return pos
}

// streams tells whether the chunks of the result can be sent one by one: the
// library streams SELECT only, and ends the document at every chunk, which
// formats without a head, a tail and separators do not show.
func (st statement) streams(defaultFormat string) bool {
	if st.first != "SELECT" && st.first != "WITH" && st.first != "FROM" || st.usesRows {
		return false
	}
	format := st.format
	if format == "" {
		format = defaultFormat
	}
	return slices.ContainsFunc([]string{
		"Native", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "Raw", "CSV", "TSKV", "RowBinary",
		"JSONEachRow", "JSONLines", "NDJSON", "JSONStringsEachRow", "JSONCompactEachRow", "JSONCompactStringsEachRow",
	}, func(f string) bool { return strings.EqualFold(f, format) })
}

// readsOnly tells whether the statement may come with GET.
func (st statement) readsOnly() bool {
	return slices.Contains([]string{"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "VALUES"}, st.first)
}

// changesSession tells whether the session may differ after the statement, by a
// SET, a USE, a temporary table, a transaction: all but those known not to.
func (st statement) changesSession() bool {
	return !st.readsOnly() && !slices.Contains([]string{"INSERT", "ALTER", "OPTIMIZE", "TRUNCATE"}, st.first)
}

// token is a word (identifier or keyword), a quoted string or identifier, or one
// other character. The empty token ends the text.
type token struct {
	text  string
	start int
	word  bool
}

// scanner splits SQL into tokens, without comments.
type scanner struct {
	src string
	pos int
}

func (s *scanner) next() token {
	s.skipBlank()
	start := s.pos
	if start == len(s.src) {
		return token{start: start}
	}
	c := s.src[start]
	switch {
	case wordByte(c):
		for s.pos < len(s.src) && wordByte(s.src[s.pos]) {
			s.pos++
		}
	case c == '\'' || c == '"' || c == '`':
		s.skipQuoted(c)
	case c == '$' && s.skipHeredoc():
	default:
		s.pos++
	}
	return token{text: s.src[start:s.pos], start: start, word: wordByte(c)}
}

func wordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

func (s *scanner) skipBlank() {
	for s.pos < len(s.src) {
		rest := s.src[s.pos:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			s.pos++
		case strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "# ") || strings.HasPrefix(rest, "#!"):
			s.skipPast("\n")
		case strings.HasPrefix(rest, "/*"):
			s.pos += 2
			s.skipPast("*/")
		default:
			return
		}
	}
}

func (s *scanner) skipPast(end string) {
	i := strings.Index(s.src[s.pos:], end)
	if i < 0 {
		s.pos = len(s.src)
		return
	}
	s.pos += i + len(end)
}

// skipQuoted passes a quoted text: backslash escapes, and a doubled quote is one.
func (s *scanner) skipQuoted(quote byte) {
	for s.pos++; s.pos < len(s.src); s.pos++ {
		switch s.src[s.pos] {
		case '\\':
			s.pos++
		case quote:
			s.pos++
			if s.pos == len(s.src) || s.src[s.pos] != quote {
				return
			}
		}
	}
	s.pos = len(s.src)
}

// skipHeredoc passes $tag$ ... $tag$, and reports false where there is none.
func (s *scanner) skipHeredoc() bool {
	rest := s.src[s.pos:]
	end := 1
	for end < len(rest) && wordByte(rest[end]) {
		end++
	}
	if end == len(rest) || rest[end] != '$' {
		return false
	}
	tag := rest[:end+1]
	i := strings.Index(rest[len(tag):], tag)
	if i < 0 {
		return false
	}
	s.pos += len(tag) + i + len(tag)
	return true
}

func quoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteIdentifier(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
