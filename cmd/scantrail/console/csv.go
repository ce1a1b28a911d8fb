package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// MaxExport bounds the rows of one CSV file.
const MaxExport = 100_000

// exporter writes a table as CSV while its rows are still being read.
type exporter struct {
	r       *request
	name    string
	header  []any
	csv     *csv.Writer
	rows    int
	started bool
}

// export streams what each hands to write as NAME.csv: at most MaxExport rows,
// with a last line that says so where there were more. Ask for one row more than
// that. Cells are strings, numbers, booleans, times and pointers to such.
func (r *request) export(name string, header []any, each func(write func(cells ...any) error) error) error {
	e := &exporter{r: r, name: name, header: header, csv: csv.NewWriter(r.w)}
	err := each(e.write)
	if err != nil && !e.started {
		return err // it can still be an error page
	}
	if err := e.start(); err != nil {
		return err
	}
	note := ""
	switch {
	case err != nil:
		r.console.log.Warn("an export broke off", "page", name, "rows", e.rows, "error", err)
		note = r.Texts.Get("export.broken", e.rows)
	case e.rows > MaxExport:
		note = r.Texts.Get("export.cut", MaxExport)
	}
	if note != "" {
		e.csv.Write([]string{note}) //nolint:errcheck // Error says it
	}
	e.csv.Flush()
	return nil // whoever asked may have gone away
}

func (e *exporter) start() error {
	if e.started {
		return nil
	}
	e.started = true
	h := e.r.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", e.name+".csv"))
	h.Set("X-Content-Type-Options", "nosniff")
	if e.r.Method == http.MethodHead {
		return nil
	}
	if _, err := e.r.w.Write([]byte("\uFEFF")); err != nil { // by which spreadsheets know UTF-8
		return err
	}
	return e.csv.Write(cells(e.header))
}

func (e *exporter) write(row ...any) error {
	if err := e.start(); err != nil {
		return err
	}
	if e.rows++; e.rows > MaxExport {
		return nil
	}
	return e.csv.Write(cells(row))
}

func cells(row []any) []string {
	out := make([]string, len(row))
	for i, c := range row {
		out[i] = cell(c)
	}
	return out
}

// CSVText is a text for a file: cleaned, and guarded, since a spreadsheet takes what
// begins with one of = + - @ tab CR for a formula.
func CSVText(text string) string {
	s := Clean(text)
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) || text != "" && strings.ContainsRune("\t\r", rune(text[0])) {
		return "'" + s
	}
	return s
}

// cell is one value as text.
func cell(c any) string {
	switch c := c.(type) {
	case nil:
		return ""
	case string:
		return CSVText(c)
	case time.Time:
		if c.IsZero() {
			return ""
		}
		return c.UTC().Format("2006-01-02T15:04:05Z")
	case *time.Time:
		if c == nil {
			return ""
		}
		return cell(*c)
	case fmt.Stringer:
		return cell(c.String())
	}
	return fmt.Sprint(c)
}
