package chdb

import (
	"strings"
	"testing"
)

func TestParseStatement(t *testing.T) {
	for _, c := range []struct {
		sql     string
		first   string
		insert  string // statement before FORMAT, if it has data
		format  string
		data    string
		streams bool
	}{
		{sql: "SELECT 1", first: "SELECT", streams: true},
		{sql: " -- c\n/* x */ select 1", first: "SELECT", streams: true},
		{sql: "SELECT 1 FORMAT JSON", first: "SELECT", format: "JSON"},
		{sql: "SELECT 1 format/**/csv", first: "SELECT", format: "csv", streams: true},
		{sql: "SELECT format('{}', 1) FORMAT JSON", first: "SELECT", format: "JSON"},
		{sql: "SELECT format FROM t FORMAT Native", first: "SELECT", format: "Native", streams: true},
		{sql: "SELECT ' FORMAT JSON '", first: "SELECT", streams: true},
		{sql: "SELECT $$ FORMAT JSON $$ FORMAT XML", first: "SELECT", format: "XML"},
		{sql: "SELECT $tag$ ' $tag$ FORMAT XML", first: "SELECT", format: "XML"},
		{sql: "WITH a AS (SELECT 1 FORMAT) SELECT * FROM a", first: "WITH", streams: true},
		{sql: "(SELECT 1) UNION ALL (SELECT 2) FORMAT JSONEachRow", first: "SELECT", format: "JSONEachRow", streams: true},
		{sql: "SELECT 1 SETTINGS output_format_json_array_of_rows = 1 FORMAT JSONEachRow", first: "SELECT", format: "JSONEachRow"},
		{sql: "SHOW TABLES", first: "SHOW"},
		{sql: "CREATE TABLE t (a Int8) ENGINE = Memory", first: "CREATE"},
		{sql: "INSERT INTO t SELECT 1", first: "INSERT"},
		{sql: "INSERT INTO t WITH 1 AS x SELECT x", first: "INSERT"},
		{sql: "INSERT INTO t (a, b) FORMAT CSV\n1,2\n", first: "INSERT", insert: "INSERT INTO t (a, b) ", format: "CSV", data: "1,2\n"},
		{sql: "INSERT INTO t FORMAT CSV \r\n\n1", first: "INSERT", insert: "INSERT INTO t ", format: "CSV", data: "\n1"},
		{sql: "INSERT INTO t SETTINGS a = ' FORMAT x' FORMAT JSONEachRow {\"a\":1}", first: "INSERT", insert: "INSERT INTO t SETTINGS a = ' FORMAT x' ", format: "JSONEachRow", data: `{"a":1}`},
		{sql: "insert into `a b`.`FORMAT` values (1, 'x')", first: "INSERT", insert: "insert into `a b`.`FORMAT` ", format: "Values", data: " (1, 'x')"},
		{sql: "INSERT INTO db.format FORMAT TSV\n", first: "INSERT", insert: "INSERT INTO db.format ", format: "TSV"},
		{sql: "INSERT INTO format FORMAT TSV", first: "INSERT", insert: "INSERT INTO format ", format: "TSV"},
		{sql: "INSERT INTO values VALUES(1)", first: "INSERT", insert: "INSERT INTO values ", format: "Values", data: "(1)"},
		{sql: "INSERT INTO TABLE t VALUES (1)", first: "INSERT", insert: "INSERT INTO TABLE t ", format: "Values", data: " (1)"},
		{sql: "'unterminated", first: ""},
		{sql: "SELECT 'it\\'s' FORMAT XML", first: "SELECT", format: "XML"},
		{sql: "SELECT 'it''s' FORMAT XML", first: "SELECT", format: "XML"},
		{sql: "", first: ""},
	} {
		st := parseStatement(c.sql)
		if st.first != c.first || st.insert != c.insert || st.format != c.format || st.insertData != (c.insert != "") || st.streams("TSV") != c.streams {
			t.Errorf("%q: %+v, streams %v", c.sql, st, st.streams("TSV"))
		}
		if st.insertData && c.sql[st.data:] != c.data {
			t.Errorf("%q: data %q, want %q", c.sql, c.sql[st.data:], c.data)
		}
	}
	for _, sql := range []string{"SELECT 1 INTO OUTFILE '/tmp/x'", "select 1 into/**/outfile 'x'", "INSERT INTO t FROM INFILE 'x' FORMAT CSV"} {
		if !parseStatement(sql).usesFile {
			t.Errorf("%q is not seen to use a file", sql)
		}
	}
	if parseStatement("SELECT 'INTO OUTFILE' AS x FROM t").usesFile {
		t.Error("a string is taken for INTO OUTFILE")
	}
}

// FuzzParseStatement: any text is read to its end, and splits where it says.
func FuzzParseStatement(f *testing.F) {
	for _, s := range []string{"SELECT 1", "INSERT INTO t FORMAT CSV\n1", "'", "$a$", "/*", "INSERT INTO t VALUES", "FORMAT", "\x00\xff", "`\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		st := parseStatement(sql)
		if st.insertData && (!strings.HasPrefix(sql, st.insert) || st.data < len(st.insert) || st.data > len(sql)) {
			t.Fatalf("%q: %+v", sql, st)
		}
	})
}

func TestParseException(t *testing.T) {
	for text, want := range map[string]Exception{
		"Code: 60. DB::Exception: Unknown table 'x'. (UNKNOWN_TABLE)":                                                                           {60, "Unknown table 'x'. (UNKNOWN_TABLE)"},
		"Code: 115. DB::Exception: Code: 115. DB::Exception: Unknown setting 'a'. (UNKNOWN_SETTING) (version 26.7.2.1). (UNKNOWN_SETTING)":      {115, "Unknown setting 'a'. (UNKNOWN_SETTING) (version 26.7.2.1). (UNKNOWN_SETTING)"},
		"Error: Code: 6. DB::ParsingException: no. (X), Stack trace (when copying this message, always include the lines below):\n\n0. 0x0 foo": {6, "no. (X)"},
		"Invalid insert stream": {codeStdException, "Invalid insert stream"},
	} {
		if got := parseException(text); *got != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
