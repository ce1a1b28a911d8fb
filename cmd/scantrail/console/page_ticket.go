package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas/texts"
)

// ticketPage has the numbers of a carrier's open alerts, ready for its ticket: as a
// page, as CSV, as numbers alone, as a text in either language.
func (c *console) ticketPage(r *request) error {
	f := alertFilter(r.param)
	if f.Carrier == "" {
		return r.redirect("/alerts")
	}
	lines, err := c.queries.Ticket(r.Context(), f)
	if err != nil {
		return err
	}
	switch r.param("format") {
	case "csv":
		return r.exportTicket(f.Carrier, lines)
	case "numbers":
		return r.plain(f.Carrier+"-numbers", ticketNumbers(lines))
	case "text":
		l := r.console.languages[r.param("in")]
		if l == nil {
			l = r.language
		}
		return r.plain(f.Carrier+"-ticket-"+l.Tag, ticketText(l.Texts, f.Carrier, lines))
	}
	var written []map[string]any
	for _, tag := range c.Texts.Tags() {
		t := c.languages[tag].Texts
		written = append(written, map[string]any{"Tag": tag, "Text": ticketText(t, f.Carrier, lines)})
	}
	return r.render(r.Get("ticket.title", f.Carrier), map[string]any{
		"Carrier": f.Carrier, "Lines": lines, "Texts": written, "Numbers": ticketNumbers(lines), "Max": query.MaxTicket,
	})
}

func (r *request) exportTicket(carrier string, lines []query.TicketLine) error {
	header := []any{"tracking_number", "our_number", "last_scan_local", "last_scan_utc", "last_place", "last_milestone", "days_silent", "question",
		"rule", "cause", "destination", "shop_id", "order_id", "alert_id"}
	return r.export("ticket-"+fileName(carrier), header, func(write func(...any) error) error {
		for i := range lines {
			l := &lines[i]
			err := write(l.Number, l.OurNumber, localScan(r.Texts, l), l.LastAt, l.Place, r.name("milestone", l.LastMilestone), days(l), ticketQuestion(r.Texts, l),
				r.name("alert.rule", l.Rule), r.name("alert.cause", l.Cause), l.Destination, l.Shop, l.Order, l.Alert)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// plain answers with a text to be kept as a file.
func (r *request) plain(name, text string) error {
	h := r.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", fileName(name)+".txt"))
	h.Set("X-Content-Type-Options", "nosniff")
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write([]byte(Clean(text))) // whoever asked may have gone away
	return nil
}

// fileName keeps what a carrier's name may hold out of a header.
func fileName(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			return c
		}
		return '_'
	}, Cut(80, s))
}

func ticketNumbers(lines []query.TicketLine) string {
	var b strings.Builder
	for i := range lines {
		b.WriteString(oneLine(lines[i].Number, 60))
		b.WriteByte('\n')
	}
	return b.String()
}

// ticketText asks the carrier about each parcel, a line each.
func ticketText(t texts.Texts, carrier string, lines []query.TicketLine) string {
	var b strings.Builder
	b.WriteString(t.Get("ticket.subject", oneLine(carrier, 60), len(lines)) + "\n\n" + t.Get("ticket.greeting") + "\n\n")
	for i := range lines {
		l := &lines[i]
		fmt.Fprintf(&b, "%d. %s\n", i+1, oneLine(l.Number, 60))
		if l.LastAt.IsZero() {
			b.WriteString("   " + t.Get("ticket.noscan") + "\n")
		} else {
			scan := words{t}.name("milestone", l.LastMilestone)
			b.WriteString("   " + t.Get("ticket.last", localScan(t, l), oneLine(firstOf(l.Place, t.Get("ticket.noplace")), 120), scan) + "\n")
			if !l.Ended {
				b.WriteString("   " + t.Get("ticket.silent", days(l)) + "\n")
			}
		}
		b.WriteString("   " + ticketQuestion(t, l) + "\n")
	}
	b.WriteString("\n" + t.Get("ticket.closing") + "\n")
	return b.String()
}

// localScan is the last scan as the clocks at the place showed it.
func localScan(t texts.Texts, l *query.TicketLine) string {
	if l.LastAt.IsZero() {
		return ""
	}
	text := localTime(l.LastAt, l.OffsetMinutes)
	if !l.ZoneKnown {
		text += " " + t.Get("ticket.zone")
	}
	return text
}

func days(l *query.TicketLine) string {
	if l.LastAt.IsZero() || l.Ended {
		return ""
	}
	return decimal(1, l.Silent.Hours()/24)
}

// ticketQuestion is what to ask the carrier, by the likely cause.
func ticketQuestion(t texts.Texts, l *query.TicketLine) string {
	kind := "where"
	switch l.Cause {
	case "no_scan_since_label", "missed_pickup_scan", "pickup_failed", "picked_up_late", "scan_uploaded_late", "no_origin_leg":
		kind = "pickup"
	case "silent_in_export_customs", "stuck_in_export_customs":
		kind = "export"
	case "silent_in_linehaul", "stuck_in_linehaul", "stuck_at_origin":
		kind = "linehaul"
	case "silent_after_arrival", "stuck_after_arrival", "silent_in_import_customs", "stuck_in_import_customs", "customs_hold":
		kind = "import"
	case "silent_in_last_mile", "stuck_in_last_mile", "carrier_late", "delayed_by_carrier", "misrouted", "held_by_carrier":
		kind = "delivery"
	case "attempt_failed", "address_issue", "not_collected", "stopped_by_carrier":
		kind = "attempt"
	case "lost_or_damaged":
		kind = "claim"
	case "silent_on_return", "stuck_on_return", "return_started":
		kind = "return"
	case "delivery_not_seen", "other_postcode":
		kind = "proof"
	case "milestone_not_reported":
		return t.Get("ticket.ask.missing", words{t}.name("milestone", l.Milestone))
	}
	return t.Get("ticket.ask." + kind)
}

// oneLine is carrier's text fit for a line of a ticket.
func oneLine(s string, n int) string {
	return Cut(n, strings.Join(strings.Fields(Clean(s)), " "))
}

// localTime is an instant with its offset from UTC, in minutes.
func localTime(at time.Time, offsetMinutes int32) string {
	return at.In(time.FixedZone("", int(offsetMinutes)*60)).Format("2006-01-02 15:04 -07:00")
}
