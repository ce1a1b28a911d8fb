package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// harmless returns a carrier's string fit for a terminal: one line of at most
// most printable characters, so that no escape sequence gets through.
func harmless(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == most {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			continue
		default:
			b.WriteRune(r)
		}
		n++
	}
	return b.String()
}

// quoted is harmless in double quotes, as YAML and JSON read them.
func quoted(s string, most int) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(harmless(s, most)) + `"`
}

// write prints the trial for a person.
func (t *trial) write(w io.Writer) {
	for i := range t.samples {
		t.samples[i].write(w)
	}
	events, rejected := t.totals()
	fmt.Fprintf(w, "SUMMARY of %s: %s, %s, %s\n", t.file, plural(len(t.samples), "sample"), plural(events, "event"), plural(rejected, "rejection"))
	t.writeCodes(w)
	t.writeUnread(w)
	if len(t.warnings) > 0 {
		fmt.Fprintln(w, "\nwarnings")
		for _, s := range t.warnings {
			fmt.Fprintln(w, "  - "+s)
		}
	}
	fmt.Fprintln(w)
	if n := t.toMend(); n > 0 {
		fmt.Fprintf(w, "NOT READY: the mapping can mend %s\n", plural(n, "thing"))
		return
	}
	fmt.Fprintln(w, "OK: every scan has a meaning")
}

func (t *trial) totals() (events, rejected int) {
	for i := range t.samples {
		events += len(t.samples[i].events)
		rejected += len(t.samples[i].rejected)
	}
	return events, rejected
}

func (s *sampleTrial) write(w io.Writer) {
	fit := "no layout fits"
	if s.format != "" {
		fit = fmt.Sprintf("layout %q (%s)", s.layout, s.format)
	}
	fmt.Fprintf(w, "SAMPLE %s: %s, %s\n", harmless(s.name, 200), fit, plural(len(s.events), "event"))
	number := ""
	var table *tabwriter.Writer
	flush := func() {
		if table != nil {
			_ = table.Flush() // the writer below keeps its first error
		}
	}
	for i := range s.events {
		e := &s.events[i]
		if e.TrackingNumber != number || table == nil {
			flush()
			number = e.TrackingNumber
			s.writeNumber(w, e)
			table = tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintln(table, "    #\tUTC\tZONE\tMILESTONE\tFLAGS\tDECIDED BY\tCODE\tTEXT")
		}
		fmt.Fprintf(table, "    %d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.EventIndex, utc(e), zoneFound(e), e.Milestone,
			flags(e), harmless(e.Rule, 36), harmless(e.RawCode, 24), harmless(e.RawText, 44))
	}
	flush()
	s.writeLinks(w)
	for _, x := range s.rejected {
		s.writeRejection(w, x)
	}
	fmt.Fprintln(w)
}

// writeLinks prints the pairs of numbers that have no events here, and what the
// carrier withdraws.
func (s *sampleTrial) writeLinks(w io.Writer) {
	for _, a := range pairs(s.aliases) {
		if !slices.ContainsFunc(s.events, func(e schemas.Event) bool { return e.TrackingNumber == a.TrackingNumber }) {
			fmt.Fprintf(w, "  number %s = %s\n", a.TrackingNumber, a.OtherNumber)
		}
	}
	for _, v := range s.voids {
		fmt.Fprintf(w, "  void: the carrier withdraws an event of number %s", v.TrackingNumber)
		if v.EventID != "" {
			fmt.Fprintf(w, ", id %s", harmless(v.EventID, 64))
		}
		if v.At != 0 {
			fmt.Fprintf(w, ", declared %s", stated(v.At))
		}
		fmt.Fprintln(w)
	}
}

func (s *sampleTrial) writeNumber(w io.Writer, e *schemas.Event) {
	fmt.Fprintf(w, "  number %s", e.TrackingNumber)
	for _, a := range s.aliases {
		if a.TrackingNumber == e.TrackingNumber {
			fmt.Fprintf(w, " = %s", a.OtherNumber)
		}
	}
	if e.NumberCheck == schemas.NumberInvalid {
		fmt.Fprint(w, " (its check digit is wrong)")
	}
	if e.OriginCountry+e.DestinationCountry != "" {
		fmt.Fprintf(w, ", lane %s > %s", orDash(e.OriginCountry), orDash(e.DestinationCountry))
	}
	if e.Product != "" {
		fmt.Fprintf(w, ", product %s", harmless(e.Product, 40))
	}
	fmt.Fprintln(w)
}

func orDash(s string) string {
	if s == "" {
		return "?"
	}
	return s
}

func (s *sampleTrial) writeRejection(w io.Writer, x carriers.Rejection) {
	what := "record or parcel"
	if x.EventIndex >= 0 {
		what = "event " + strconv.Itoa(x.EventIndex)
	}
	whose := ""
	if s.mendable(x) {
		whose = ", the mapping can mend it"
	}
	fmt.Fprintf(w, "  rejected: %s, %s%s: %s\n", what, x.Reason, whose, harmless(x.Detail, 400))
}

func utc(e *schemas.Event) string {
	return strings.TrimSuffix(strings.Replace(schemas.FormatTime(e.OccurredAt), "T", " ", 1), ".000Z")
}

// zoneFound says how the zone of a time was found, and how wrong it may be.
func zoneFound(e *schemas.Event) string {
	off := e.OffsetMinutes
	sign := '+'
	if off < 0 {
		off, sign = -off, '-'
	}
	s := fmt.Sprintf("%s %c%02d:%02d", e.TZSource, sign, off/60, off%60)
	if e.TZSource == schemas.TZUnknown {
		s = "unknown"
	}
	if e.UncertaintySecs > 0 {
		s += " ±" + strconv.FormatFloat(float64(e.UncertaintySecs)/3600, 'f', -1, 64) + "h"
	}
	return s
}

func flags(e *schemas.Event) string {
	var out []string
	if e.Physical {
		out = append(out, "physical")
	}
	if e.Progress {
		out = append(out, "progress")
	}
	if e.Direction != schemas.NoDirection {
		out = append(out, fmt.Sprintf("%s(by %s)", e.Direction, e.DirectionSource))
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, " ")
}

func (t *trial) writeCodes(w io.Writer) {
	if len(t.codes) > 0 {
		fmt.Fprintln(w, "\ncodes seen")
		table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, c := range t.codes {
			code := harmless(c.Code, 24)
			if code == "" {
				code = "(none)"
			}
			fmt.Fprintf(table, "  %s\t%d\t%s\t%s\t%s\n", code, c.Events, c.Milestone, harmless(c.Rule, 48), harmless(c.Text, 44))
		}
		_ = table.Flush() // the writer below keeps its first error
	}
	unmapped := t.unmapped()
	if len(unmapped) == 0 {
		return
	}
	fmt.Fprintf(w, "\nUNMAPPED: add to codes in %s\n", t.file)
	for _, c := range unmapped {
		fmt.Fprintln(w, c.Add)
	}
}

// mostUnread bounds the list of unread fields; some answers carry hundreds.
const mostUnread = 40

func (t *trial) writeUnread(w io.Writer) {
	if len(t.unread) == 0 {
		return
	}
	fmt.Fprintln(w, "\nfields of the samples that the mapping does not read (path from where it starts)")
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i, f := range t.unread {
		if i == mostUnread {
			fmt.Fprintf(table, "  ... and %d more; --json lists all\n", len(t.unread)-i)
			break
		}
		fmt.Fprintf(table, "  %s\t%s\t%d\t%s\n", f.Scope, harmless(f.Path, 60), f.Count, examples(f))
	}
	_ = table.Flush() // the writer below keeps its first error
}

func examples(f carriers.Field) string {
	if personalField(f) {
		return "not read (personal?)"
	}
	var out []string
	for _, e := range f.Examples {
		out = append(out, quoted(e, 32))
	}
	return strings.Join(out, ", ")
}

func personalField(f carriers.Field) bool {
	return personal(f.Path) || slices.ContainsFunc(f.Examples, mailAddress.MatchString)
}

// unreadJSON is a field in JSON lines; values of personal ones are left out.
type unreadJSON struct {
	Type     string   `json:"type"`
	Scope    string   `json:"scope"`
	Path     string   `json:"path"`
	Count    int      `json:"count"`
	Examples []string `json:"examples,omitempty"`
	Personal bool     `json:"personal,omitempty"`
}

// writeJSON prints the trial as JSON lines, told apart by "type".
func (t *trial) writeJSON(w io.Writer) error {
	var lines []any
	for i := range t.samples {
		s := &t.samples[i]
		name := harmless(s.name, 200)
		lines = append(lines, map[string]any{"type": "sample", "sample": name, "layout": s.layout, "format": s.format, "events": len(s.events), "voids": len(s.voids)})
		for k := range s.events {
			lines = append(lines, map[string]any{"type": "event", "sample": name, "event": json.RawMessage(s.events[k].AppendJSON(nil))})
		}
		for _, a := range pairs(s.aliases) {
			lines = append(lines, map[string]any{"type": "alias", "sample": name, "tracking_number": a.TrackingNumber, "other_number": a.OtherNumber})
		}
		for k := range s.voids {
			lines = append(lines, map[string]any{"type": "void", "sample": name, "void": newVoidJSON(&s.voids[k])})
		}
		for _, x := range s.rejected {
			lines = append(lines, map[string]any{"type": "rejection", "sample": name, "event_index": x.EventIndex, "reason": x.Reason,
				"field": x.Field, "detail": harmless(x.Detail, 400), "mendable": s.mendable(x)})
		}
	}
	for _, c := range t.codes {
		kind := "code"
		if c.Add != "" {
			kind = "unmapped"
		}
		lines = append(lines, struct {
			Type string `json:"type"`
			codeSeen
		}{kind, c})
	}
	for _, f := range t.unread {
		u := unreadJSON{Type: "unread", Scope: f.Scope, Path: harmless(f.Path, 200), Count: f.Count, Personal: personalField(f)}
		for _, e := range f.Examples {
			if !u.Personal {
				u.Examples = append(u.Examples, harmless(e, 80))
			}
		}
		lines = append(lines, u)
	}
	for _, s := range t.warnings {
		lines = append(lines, map[string]any{"type": "warning", "text": s})
	}
	events, rejected := t.totals()
	lines = append(lines, map[string]any{"type": "summary", "events": events, "rejected": rejected, "to_mend": t.toMend()})
	out := json.NewEncoder(w)
	for _, l := range lines {
		if err := out.Encode(l); err != nil {
			return err
		}
	}
	return nil
}
