package console

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
)

// carrierLine is a carrier with the state of its feed.
type carrierLine struct {
	query.CarrierCard
	Feed []query.FeedAlert // open
}

// Link is the address of the carrier's page.
func (l *carrierLine) Link() string { return "/carriers/" + url.PathEscape(l.Carrier) }

// State is what to know first about the feed: silent, late, key_expiring, quiet
// (nothing for four weeks) or ok.
func (l *carrierLine) State() string {
	states := map[string]string{"": "silent", "upload_lag": "late", "key_expiring": "key_expiring"}
	for _, detail := range []string{"", "upload_lag", "key_expiring"} {
		if slices.ContainsFunc(l.Feed, func(a query.FeedAlert) bool { return a.Detail == detail }) {
			return states[detail]
		}
	}
	if l.LastReceived == nil {
		return "quiet"
	}
	return "ok"
}

// UnmappedShare is of the scans of four weeks, DeadShare of the scans and dead
// letters; 0 to 1.
func (l *carrierLine) UnmappedShare() float64 { return float64(l.Unmapped) / float64(max(l.Scans, 1)) }

// DeadShare is explained at UnmappedShare.
func (l *carrierLine) DeadShare() float64 {
	return float64(l.DeadLetters) / float64(max(l.Scans+l.DeadLetters, 1))
}

// Share of a milestone's due parcels in whose trail it is; nil: none is due.
func (l *carrierLine) Share(seen, due uint64) *float64 {
	if due == 0 {
		return nil
	}
	s := float64(seen) / float64(due)
	return &s
}

type carrierList struct {
	figures
	Lines  []carrierLine
	All    int
	States map[string]int
}

func (c *console) carriersPage(r *request) error {
	cards := ask(r, "carrier cards", c.queries.CarrierCards)
	feeds := ask(r, "feed alerts", c.queries.FeedAlerts)
	return r.compute(r.Get("carriers.title"), func(age time.Duration) error {
		lines := carrierLines(cards.Value(), feeds.Value())
		data := &carrierList{figures: figures{age}, All: len(lines), States: map[string]int{}}
		for i := range lines {
			data.States[lines[i].State()]++
		}
		data.Lines = chosenCarriers(r, lines)
		if r.wantsCSV() {
			return exportCarriers(r, data.Lines)
		}
		return r.render(r.Get("carriers.title"), data)
	})
}

func carrierLines(cards []query.CarrierCard, feeds []query.FeedAlert) []carrierLine {
	of := map[string][]query.FeedAlert{}
	for _, f := range feeds {
		of[f.Carrier] = append(of[f.Carrier], f)
	}
	lines := make([]carrierLine, len(cards))
	for i := range cards {
		lines[i] = carrierLine{cards[i], of[cards[i].Carrier]}
	}
	return lines
}

func chosenCarriers(r *request, lines []carrierLine) []carrierLine {
	state, word := r.param("state"), strings.ToLower(r.param("q"))
	lines = slices.DeleteFunc(lines, func(l carrierLine) bool {
		return state != "" && l.State() != state || !strings.Contains(strings.ToLower(l.Carrier), word)
	})
	by := map[string]func(l *carrierLine) float64{
		"parcels":      func(l *carrierLine) float64 { return -float64(l.Parcels) },
		"completeness": func(l *carrierLine) float64 { return known(l.Complete, 1) },
		"gaps":         func(l *carrierLine) float64 { return known(l.Gap48, -1) },
		"delivery":     func(l *carrierLine) float64 { return known(l.DeliveryP50, -1) },
		"lag":          func(l *carrierLine) float64 { return known(l.LagP50, -1) },
		"unmapped":     func(l *carrierLine) float64 { return -l.UnmappedShare() },
		"dead":         func(l *carrierLine) float64 { return -l.DeadShare() },
		"silent":       func(l *carrierLine) float64 { return -float64(l.Silent) },
		"alerts":       func(l *carrierLine) float64 { return -float64(l.OpenAlerts) },
		"":             func(l *carrierLine) float64 { return float64(slices.Index(feedStates, l.State())) },
	}[r.param("sort")]
	slices.SortStableFunc(lines, func(a, b carrierLine) int {
		if by == nil {
			return cmp.Compare(a.Carrier, b.Carrier)
		}
		return cmp.Compare(by(&a), by(&b))
	})
	return lines
}

// feedStates are the states of a feed, the worst first.
var feedStates = []string{"silent", "late", "key_expiring", "ok", "quiet"}

// StateNames are the states of a feed.
func (*carrierList) StateNames() []string { return feedStates }

func exportCarriers(r *request, lines []carrierLine) error {
	header := []any{"carrier", "feed", "parcels", "gap_48h_rate", "gap_72h_rate", "completeness", "accepted_share", "export_cleared_share", "arrived_destination_share",
		"import_cleared_share", "out_for_delivery_share", "delivered_share", "delivery_p50_hours", "delivery_p90_hours", "open_alerts", "last_received_at",
		"scans_28d", "unmapped_28d", "dead_letters_28d", "lag_p50_secs", "lag_p90_secs", "lag_p99_secs"}
	return r.export("carriers", header, func(write func(...any) error) error {
		for i := range lines {
			l := &lines[i]
			if err := write(l.Carrier, l.State(), l.Parcels, cellOf(l.Gap48), cellOf(l.Gap72), cellOf(l.Complete), cellOf(l.Share(l.AcceptedSeen, l.AcceptedDue)),
				cellOf(l.Share(l.ExportClearedSeen, l.ExportClearedDue)), cellOf(l.Share(l.ArrivedSeen, l.ArrivedDue)), cellOf(l.Share(l.ImportClearedSeen, l.ImportClearedDue)),
				cellOf(l.Share(l.OutForDeliverySeen, l.OutForDeliveryDue)), cellOf(l.Share(l.DeliveredSeen, l.DeliveredDue)), cellOf(l.DeliveryP50), cellOf(l.DeliveryP90),
				l.OpenAlerts, l.LastReceived, l.Scans, l.Unmapped, l.DeadLetters, cellOf(l.LagP50), cellOf(l.LagP90), cellOf(l.LagP99)); err != nil {
				return err
			}
		}
		return nil
	})
}

// lagLevels are the bounds of the colours of an upload lag, in seconds.
var lagLevels = []float64{1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600}

// level counts the bounds that v reaches: 0 to len(bounds).
func level(v float64, bounds []float64) int {
	n := 0
	for _, b := range bounds {
		if v >= b {
			n++
		}
	}
	return n
}

// lagCell is one hour of the week of a feed.
type lagCell struct {
	Scans uint64
	Secs  *float64 // median, nil: nothing came
	Level int      // 0 to 5
	Worse bool     // in the last 24 hours later than the 95th percentile
	Now   *float64
}

// lagWeek lays the hours out as days, from Monday.
func lagWeek(hours []query.FeedHour) (week [7][24]lagCell, any bool) {
	for _, h := range hours {
		if h.Hour < 0 || h.Hour >= 7*24 {
			continue
		}
		c := lagCell{Scans: h.Scans, Secs: h.LagP50, Now: h.LagNow}
		if c.Secs == nil {
			c.Secs = h.LagNow // came in the last 24 hours only
		}
		if c.Secs != nil {
			c.Level, any = level(*c.Secs, lagLevels), true
		}
		c.Worse = h.LagNow != nil && h.LagP95 != nil && *h.LagNow > *h.LagP95
		week[h.Hour/24][h.Hour%24] = c
	}
	return week, any
}

// usualScans is how many scans usually come between from and to, by the hours of
// the week, at most over a week.
func usualScans(hours []query.FeedHour, from, to time.Time) float64 {
	var perHour [7 * 24]float64
	for _, h := range hours {
		if h.Hour >= 0 && h.Hour < 7*24 {
			perHour[h.Hour] = float64(h.Scans) / 4
		}
	}
	if to.Sub(from) > 7*24*time.Hour {
		from = to.Add(-7 * 24 * time.Hour)
	}
	sum := 0.
	for at := from; at.Before(to); {
		next := at.Truncate(time.Hour).Add(time.Hour)
		if next.After(to) {
			next = to
		}
		hour := 24*((int(at.UTC().Weekday())+6)%7) + at.UTC().Hour()
		sum += perHour[hour] * next.Sub(at).Hours()
		at = next
	}
	return math.Round(sum)
}

// milestoneCell is how often a milestone is in the trails in which it is due.
type milestoneCell struct {
	Seen, Due uint64
	Share     *float64
	Level     int
	Few       bool // less than a fifth of the carrier's parcels: says little of it
}

// carrierMilestones are the columns of the scorecard.
var carrierMilestones = []string{"accepted", "export_cleared", "arrived_destination", "import_cleared", "out_for_delivery", "delivered"}

// Milestones are the columns of the scorecard.
func (*carrierList) Milestones() []string { return carrierMilestones }

// Milestones are the carrier's cells under them.
func (l *carrierLine) Milestones() []milestoneCell {
	cells := []milestoneCell{{Seen: l.AcceptedSeen, Due: l.AcceptedDue}, {Seen: l.ExportClearedSeen, Due: l.ExportClearedDue}, {Seen: l.ArrivedSeen, Due: l.ArrivedDue},
		{Seen: l.ImportClearedSeen, Due: l.ImportClearedDue}, {Seen: l.OutForDeliverySeen, Due: l.OutForDeliveryDue}, {Seen: l.DeliveredSeen, Due: l.DeliveredDue}}
	for i := range cells {
		c := &cells[i]
		if c.Share = l.Share(c.Seen, c.Due); c.Share != nil {
			c.Level, c.Few = level(1-*c.Share, missingLevels), 5*c.Due < l.Parcels
		}
	}
	return cells
}

// missingLevels are the bounds of the colours of a share that is missing.
var missingLevels = []float64{0.02, 0.05, 0.1, 0.15, 0.3}
