package stopwatch

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Metric is one figure. The name holds its unit, as in cpu_ns_per_scan.
type Metric struct {
	Name  string
	Value float64
}

// Metrics are the figures of one row, in the order of the table. As JSON they
// are one object.
type Metrics []Metric

// MarshalJSON keeps the order.
func (m Metrics) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range m {
		if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
			return nil, fmt.Errorf("figure %s is %v", f.Name, f.Value)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, f.Name), ':')
		b = strconv.AppendFloat(b, round(f.Value), 'f', -1, 64)
	}
	return append(b, '}'), nil
}

// round keeps four digits, which is more than any run repeats.
func round(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if math.Abs(v) >= 10_000 {
		return math.Round(v)
	}
	return r
}

// Get returns a figure by its name.
func (m Metrics) Get(name string) (float64, bool) {
	for _, f := range m {
		if f.Name == name {
			return f.Value, true
		}
	}
	return 0, false
}

// Row is one line of the report.
type Row struct {
	Part    string  `json:"part"` // as in --only
	Case    string  `json:"case"`
	Metrics Metrics `json:"metrics"`
}

// String is the row on one line, for people who wait for the rest.
func (r Row) String() string {
	var b strings.Builder
	b.WriteString(r.Case)
	for i, f := range r.Metrics {
		b.WriteString([...]string{": ", ", "}[min(i, 1)] + figure(f.Value) + " " + Heading(f.Name))
	}
	return b.String()
}

// Report is all that one run measured.
type Report struct {
	StartedAt time.Time `json:"started_at"`
	Seconds   float64   `json:"seconds"`
	Machine   Machine   `json:"machine"`
	Broker    string    `json:"broker"`
	Rows      []Row     `json:"rows"`
}

// WriteJSON writes the report as one indented document.
func (r *Report) WriteJSON(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Write writes the report for people: one table for each part.
func (r *Report) Write(out io.Writer) error {
	w := &sticky{w: out}
	fmt.Fprintf(w, "%s\nBroker: %s. cpu: what the whole process used. Took %.0f s.\n", r.Machine, r.Broker, r.Seconds) //nolint:errcheck // sticky
	for i := 0; i < len(r.Rows); {
		end := i
		for end < len(r.Rows) && r.Rows[end].Part == r.Rows[i].Part {
			end++
		}
		r.table(w, r.Rows[i:end])
		i = end
	}
	return w.err
}

// table writes the rows of one part: runs of rows with the same figures stand
// under one heading.
func (r *Report) table(out io.Writer, rows []Row) {
	fmt.Fprintln(out) //nolint:errcheck // sticky
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	var heads []string
	for _, row := range rows {
		if names := row.Metrics.names(); !slices.Equal(names, heads) {
			heads = names
			w.Flush() //nolint:errcheck // sticky
			fmt.Fprintf(w, "%-40s\t", row.Part)
			for _, h := range heads {
				fmt.Fprint(w, Heading(h), "\t")
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "  %-38s\t", row.Case)
		for _, f := range row.Metrics {
			fmt.Fprint(w, figure(f.Value), "\t")
		}
		fmt.Fprintln(w)
	}
	w.Flush() //nolint:errcheck // sticky
}

func (m Metrics) names() []string {
	names := make([]string, len(m))
	for i := range m {
		names[i] = m[i].Name
	}
	return names
}

// Heading is the name of a figure as the table prints it: cpu ns/scan.
func Heading(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "_per_", "/"), "_", " ")
}

// figure prints a value with as many digits as it is worth.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 1000:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// sticky keeps the first error of a writer.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(b []byte) (int, error) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
	return len(b), nil
}
