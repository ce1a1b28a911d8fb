package query

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// MaxTicket bounds the parcels of one ticket.
const MaxTicket = 1000

// TicketLine is a parcel about which a carrier is to be asked, once, for its worst
// open alert.
type TicketLine struct {
	Number      string // under which this carrier knows it
	OurNumber   string // canonical, the smallest of those that are linked
	Alert       string
	Rule        string
	Detail      string
	Cause       string
	Milestone   string // missing
	Level       uint8
	Shop, Order string
	Destination string

	// Last scan, of whichever carrier; LastAt is zero without any.
	LastAt        time.Time
	OffsetMinutes int32
	ZoneKnown     bool
	LastMilestone string
	Place         string
	Ended         bool          // the last scan ended the trail: silence is no matter then
	Silent        time.Duration // since the last scan, by the clock of the log; 0 where it ended
}

type lastScan struct {
	Number    string    `ch:"tracking_number"`
	At        time.Time `ch:"last_at"`
	Offset    int32     `ch:"utc_offset"`
	Zone      string    `ch:"zone"`
	Milestone string    `ch:"last_milestone"`
	Carrier   string    `ch:"last_carrier"`
	Country   string    `ch:"last_country"`
	City      string    `ch:"last_city"`
	Facility  string    `ch:"last_facility"`
}

// Ticket returns the parcels of the alerts that a filter chooses, longest silent
// first, MaxTicket at most. The filter should name a carrier.
func (q *Queries) Ticket(ctx context.Context, f AlertFilter) ([]TicketLine, error) {
	const sql = "SELECT " + alertColumns + ", toUInt64(0) AS total" + alertsChosen +
		" AND tracking_number != '' ORDER BY tracking_number, level DESC, anchor_at, alert_id LIMIT 1 BY tracking_number LIMIT 1000"
	alerts, err := selectAll[OpenAlert](ctx, q, "parcels for a ticket", sql, f.args()...)
	if err != nil || len(alerts) == 0 {
		return nil, err
	}
	clock, err := q.Clock(ctx)
	if err != nil {
		return nil, err
	}
	numbers := make([]string, len(alerts))
	for i := range alerts {
		numbers[i] = alerts[i].Number
	}
	linked, err := q.linkedNumbers(ctx, numbers)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(numbers, slices.Collect(maps.Keys(linked)))
	scans, err := q.lastScans(ctx, all)
	if err != nil {
		return nil, err
	}
	byParcel := map[string][]lastScan{}
	for _, s := range scans {
		own := cmp.Or(linked[s.Number], s.Number)
		byParcel[own] = append(byParcel[own], s)
	}
	lines := make([]TicketLine, len(alerts))
	for i := range alerts {
		lines[i] = ticketLine(&alerts[i], f.Carrier, byParcel[alerts[i].Number], clock)
	}
	slices.SortStableFunc(lines, func(a, b TicketLine) int { return cmp.Compare(b.Silent, a.Silent) })
	return lines, nil
}

func ticketLine(a *OpenAlert, carrier string, scans []lastScan, clock time.Time) TicketLine {
	l := TicketLine{Number: a.Number, OurNumber: a.Number, Alert: a.ID, Rule: a.Rule, Detail: a.Detail, Cause: a.Cause, Milestone: a.Milestone,
		Level: a.Level, Shop: a.Shop, Order: a.Order, Destination: a.Destination}
	var last, theirs lastScan
	for _, s := range scans {
		if s.At.After(last.At) {
			last = s
		}
		if s.Carrier == carrier && s.At.After(theirs.At) {
			theirs = s
		}
	}
	l.Number = cmp.Or(theirs.Number, l.Number)
	if last.At.IsZero() {
		return l
	}
	l.LastAt, l.OffsetMinutes, l.ZoneKnown, l.LastMilestone = last.At, last.Offset, last.Zone != "unknown", last.Milestone
	for _, part := range []string{last.Facility, last.City, last.Country} {
		if part != "" && l.Place != "" {
			l.Place += ", "
		}
		l.Place += part
	}
	switch last.Milestone {
	case "delivered", "returned", "destroyed", "cancelled":
		l.Ended = true
	}
	if !clock.IsZero() && !l.Ended {
		l.Silent = max(clock.Sub(last.At), 0)
	}
	return l
}

// linkedNumbers returns the numbers that carriers have linked with these: other
// number -> one of these.
func (q *Queries) linkedNumbers(ctx context.Context, numbers []string) (map[string]string, error) {
	const sql = `SELECT DISTINCT own, other FROM (
    SELECT arrayJoin([(tracking_number, other_number), (other_number, tracking_number)]) AS pair, pair.1 AS own, pair.2 AS other
    FROM aliases WHERE tracking_number IN @numbers OR other_number IN @numbers)
WHERE own IN @numbers AND other NOT IN @numbers ORDER BY own, other LIMIT 8 BY own LIMIT 8000`
	rows, err := selectAll[struct {
		Own   string `ch:"own"`
		Other string `ch:"other"`
	}](ctx, q, "linked numbers", sql, clickhouse.Named("numbers", numbers))
	linked := map[string]string{}
	for _, r := range rows {
		linked[r.Other] = r.Own
	}
	return linked, err
}

// lastScans returns the latest tracking update under each number.
func (q *Queries) lastScans(ctx context.Context, numbers []string) ([]lastScan, error) {
	const sql = `SELECT tracking_number, max(effective_at) AS last_at,
    argMax((utc_offset_minutes, tz_source, milestone, carrier, country, city, facility), (effective_at, milestone_no, fact_id)) AS last,
    last.1 AS utc_offset, last.2 AS zone, last.3 AS last_milestone, last.4 AS last_carrier, last.5 AS last_country, last.6 AS last_city,
    last.7 AS last_facility
FROM scans WHERE tracking_number IN @numbers AND progress AND fact_id NOT IN (SELECT event_fact_id FROM voids)
GROUP BY tracking_number LIMIT 10000`
	return selectAll[lastScan](ctx, q, "last scans", "SELECT * EXCEPT (last) FROM ("+sql+")", clickhouse.Named("numbers", numbers))
}
