package importer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// table reads a CSV file (RFC 4180) with a header row, one row at a time.
type table struct {
	file    string
	text    *meter
	csv     *csv.Reader
	header  []string
	columns []int    // by field: place of its column, or -1
	values  []string // by field: what every row has
	cells   []string // of the row at hand
	unread  []string // headers that mean nothing here
	fields  []field  // that the kind of file has
	raw     bytes.Buffer
	again   *csv.Writer
}

// field is one thing that a column can say.
type field struct {
	name    string
	aliases []string // of other systems, as normalHeader writes them
}

// newTable reads the header.
func newTable(file string, r io.Reader, c *Config, fields []field) (*table, error) {
	text, m, err := newText(file, r, MaxRowBytes)
	if err != nil {
		return nil, err
	}
	t := &table{file: file, text: m, fields: fields, columns: make([]int, len(fields)), values: make([]string, len(fields))}
	delimiter := c.Delimiter
	if delimiter == 0 {
		delimiter = sniffDelimiter(text)
	}
	t.csv = csv.NewReader(text)
	t.csv.Comma, t.csv.ReuseRecord, t.csv.FieldsPerRecord = rune(delimiter), true, -1
	t.again = csv.NewWriter(&t.raw)
	t.again.Comma = rune(delimiter)
	header, err := t.csv.Read()
	if err != nil {
		return nil, t.unreadable(err)
	}
	m.row = 0
	if len(header) > MaxColumns {
		return nil, Problem{file, 1, "", fmt.Sprintf("%d columns, at most %d are read", len(header), MaxColumns), "leave out those that are not needed"}
	}
	for _, h := range header {
		t.header = append(t.header, strings.TrimSpace(strings.Map(printable, h)))
	}
	if len(t.header) < 2 {
		return nil, Problem{file, 1, "", "the header names one column only: " + shown(t.header[0]), "name the delimiter: --delimiter ';' or --delimiter tab"}
	}
	return t, t.assign(c)
}

// printable drops what a header could do to a terminal.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// sniffDelimiter returns the most frequent delimiter of the header, outside of
// quotes.
func sniffDelimiter(r *bufio.Reader) byte {
	head, _ := r.Peek(32 << 10) // the end of a short file is no error here
	count, quoted := map[byte]int{}, false
	for _, b := range head {
		if b == '"' {
			quoted = !quoted
		}
		if b == '\n' && !quoted {
			break
		}
		if !quoted {
			count[b]++
		}
	}
	best := byte(',')
	for _, d := range []byte(";\t|") {
		if count[d] > count[best] {
			best = d
		}
	}
	return best
}

// assign finds the column of each field: the one that the user names, then the
// one of the field's own name, then one of a known name.
func (t *table) assign(c *Config) error {
	for i, f := range t.fields {
		t.columns[i] = -1
		if v, ok := c.Values[f.name]; ok {
			t.values[i] = v
			continue
		}
		if h, ok := c.Columns[f.name]; ok {
			if t.columns[i] = slices.IndexFunc(t.header, func(s string) bool { return strings.EqualFold(s, strings.TrimSpace(h)) }); t.columns[i] < 0 {
				return Problem{t.file, 1, f.name, "no column is named " + shown(h), "the header has: " + t.names()}
			}
			continue
		}
		var found []int
		for k, h := range t.header {
			if n := normalHeader(h); n == normalHeader(f.name) {
				found = []int{k}
				break
			} else if slices.Contains(f.aliases, n) {
				found = append(found, k)
			}
		}
		if len(found) > 1 {
			return Problem{t.file, 1, f.name, fmt.Sprintf("columns %s and %s both look like it", shown(t.header[found[0]]), shown(t.header[found[1]])),
				fmt.Sprintf("choose one: --map %s=%q", f.name, t.header[found[0]])}
		}
		if len(found) == 1 {
			t.columns[i] = found[0]
		}
	}
	for k, h := range t.header {
		if !slices.Contains(t.columns, k) {
			t.unread = append(t.unread, h)
		}
	}
	return nil
}

// names lists the header for a message.
func (t *table) names() string {
	all := make([]string, 0, len(t.header))
	for _, h := range t.header[:min(len(t.header), 40)] {
		all = append(all, shown(h))
	}
	return strings.Join(all, ", ")
}

// normalHeader drops case and punctuation from the name of a column.
func normalHeader(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// has reports whether the file says anything about a field.
func (t *table) has(f int) bool { return t.columns[f] >= 0 || t.values[f] != "" }

// column returns the name of a field's column as the file has it.
func (t *table) column(f int) string {
	if t.columns[f] >= 0 {
		return t.header[t.columns[f]]
	}
	return t.fields[f].name
}

// get returns what the row says about a field.
func (t *table) get(f int) string {
	if k := t.columns[f]; k >= 0 {
		if k < len(t.cells) {
			return strings.TrimSpace(t.cells[k])
		}
		return ""
	}
	return t.values[f]
}

// next reads a row with something in it.
func (t *table) next(r *Row) error {
	for {
		cells, err := t.csv.Read()
		t.cells = cells
		if err == nil && blank(cells) {
			continue
		}
		if err == nil {
			r.Line, _ = t.csv.FieldPos(0)
			t.text.row = 0
			if extra := len(cells) - len(t.header); extra > 0 && !blank(cells[len(t.header):]) {
				r.Problems = append(r.Problems, Problem{t.file, r.Line, "", fmt.Sprintf("%d cells, but the header names %d columns", len(cells), len(t.header)),
					"quote the cell that holds the delimiter"})
			}
			return nil
		}
		return t.unreadable(err)
	}
}

func blank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// unreadable turns what ends the reading into a Problem that names the line.
func (t *table) unreadable(err error) error {
	var bad *csv.ParseError
	var problem Problem
	switch {
	case err == io.EOF || errors.As(err, &problem):
		return err
	case errors.Is(err, errRowTooLong):
		return Problem{t.file, t.text.lines, "", fmt.Sprintf("a row is longer than %d bytes", MaxRowBytes), "close the quote that is left open before this line"}
	case errors.As(err, &bad):
		return Problem{t.file, bad.Line, "", fmt.Sprintf("column %d: %v", bad.Column, bad.Err), "quote cells that hold quotes, and double the quotes within; the rest of the file was not read"}
	}
	return fmt.Errorf("%s: %w", t.file, err)
}

// rawRow returns the row at hand as CSV.
func (t *table) rawRow(cells []string) []byte {
	t.raw.Reset()
	t.again.Write(cells) //nolint:errcheck // to memory
	t.again.Flush()
	return t.raw.Bytes()
}
