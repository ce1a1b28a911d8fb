package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// maxListed bounds the violations of one check that are listed; all are counted.
const maxListed = 20

// violation is one place where a guarantee does not hold.
type violation struct {
	Guarantee string `json:"guarantee"`
	Check     string `json:"check"`
	What      string `json:"what"`
	Where     string `json:"where"`
	Means     string `json:"means"`
	Do        string `json:"do"`
}

// auditCheck is one line of the summary.
type auditCheck struct {
	Guarantee  string         `json:"guarantee"`
	Check      string         `json:"check"`
	Compared   int64          `json:"compared"`
	Unit       string         `json:"unit"`
	LeftOut    map[string]int `json:"left_out,omitempty"` // reason -> how many
	Notes      []string       `json:"notes,omitempty"`
	Violations int            `json:"violations"`
	Error      string         `json:"error,omitempty"` // why it could not be checked
	Skipped    bool           `json:"skipped,omitempty"`
	Seconds    float64        `json:"seconds"`

	started time.Time
}

// auditReport is what an audit found.
type auditReport struct {
	Started    time.Time     `json:"started"`
	Seconds    float64       `json:"seconds"`
	Holds      bool          `json:"holds"`
	Violated   int           `json:"violations"`
	Failed     int           `json:"not_checked"`
	Notes      []string      `json:"notes,omitempty"`
	Checks     []*auditCheck `json:"checks"`
	Violations []violation   `json:"listed"`
}

func (a *audit) begin(guarantee, check string) {
	a.current = &auditCheck{Guarantee: guarantee, Check: check, LeftOut: map[string]int{}, started: time.Now()}
	a.report.Checks = append(a.report.Checks, a.current)
	a.say("%s %s ...", guarantee, check)
}

func (a *audit) end() {
	c := a.current
	c.Seconds = time.Since(c.started).Seconds()
	if c.Error != "" {
		a.say("%s %s could not be checked: %s", c.Guarantee, c.Check, c.Error)
	}
}

// say writes a line of progress.
func (a *audit) say(format string, args ...any) {
	fmt.Fprintf(a.o.Progress, "audit: "+format+"\n", args...)
}

func (a *audit) compared(n int64, unit string) {
	a.current.Compared += n
	a.current.Unit = unit
}

func (a *audit) leftOut(n int, why string) {
	if n > 0 {
		a.current.LeftOut[why] += n
	}
}

func (a *audit) note(format string, args ...any) {
	a.current.Notes = append(a.current.Notes, fmt.Sprintf(format, args...))
}

func (a *audit) violated(where, what, means, do string) {
	c := a.current
	if c.Violations++; c.Violations <= maxListed {
		a.report.Violations = append(a.report.Violations, violation{c.Guarantee, c.Check, what, where, means, do})
	}
}

func (r *auditReport) finish(now time.Time) {
	r.Seconds = now.Sub(r.Started).Seconds()
	for _, c := range r.Checks {
		r.Violated += c.Violations
		if c.Error != "" {
			r.Failed++
		}
	}
	r.Holds = r.Violated == 0 && r.Failed == 0
}

func (r *auditReport) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func (r *auditReport) writeText(w io.Writer) error {
	var b strings.Builder
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "%s VIOLATED, %s: %s: %s.\n   It means: %s.\n   Do: %s.\n", v.Guarantee, v.Check,
			harmless(v.Where, 300), harmless(v.What, 1000), v.Means, v.Do)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "Note: %s.\n", n)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tcheck\tcompared\tleft out\tviolations\ttook")
	for _, c := range r.Checks {
		out := 0
		for _, n := range c.LeftOut {
			out += n
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.1fs\n", c.Guarantee, c.Check, plainFigure(c.Compared, c.Unit), figure(int64(out)), c.verdict(), c.Seconds)
	}
	t.Flush() //nolint:errcheck // into memory
	b.WriteByte('\n')
	for _, c := range r.Checks {
		c.writeNotes(&b)
	}
	b.WriteString(r.verdict())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *auditReport) verdict() string {
	switch {
	case r.Violated > 0:
		return fmt.Sprintf("\nNot all guarantees hold: %s.\n", plural(r.Violated, "violation"))
	case r.Failed > 0:
		return fmt.Sprintf("\nNo violation, but %s could not be made.\n", plural(r.Failed, "check"))
	}
	return fmt.Sprintf("\nEverything that was checked holds (%.1f s).\n", r.Seconds)
}

func (c *auditCheck) verdict() string {
	switch {
	case c.Error != "":
		return "NOT CHECKED"
	case c.Skipped:
		return "not asked"
	case c.Violations > maxListed:
		return fmt.Sprintf("%s (%d listed)", figure(int64(c.Violations)), maxListed)
	}
	return figure(int64(c.Violations))
}

// writeNotes says what a line of the table leaves open.
func (c *auditCheck) writeNotes(b *strings.Builder) {
	if c.Error != "" {
		fmt.Fprintf(b, "%s %s: not checked: %s\n", c.Guarantee, c.Check, c.Error)
	}
	reasons := make([]string, 0, len(c.LeftOut))
	for why := range c.LeftOut {
		reasons = append(reasons, why)
	}
	slices.Sort(reasons)
	for _, why := range reasons {
		fmt.Fprintf(b, "%s %s: left out %s: %s\n", c.Guarantee, c.Check, figure(int64(c.LeftOut[why])), why)
	}
	for _, n := range c.Notes {
		fmt.Fprintf(b, "%s %s: %s\n", c.Guarantee, c.Check, n)
	}
}

func plainFigure(n int64, unit string) string {
	if unit == "" {
		return "-"
	}
	return figure(n) + " " + unit
}

func figure(n int64) string { return thousands(uint64(max(n, 0))) }
