package console

import (
	"context"
	"math"
	"net/http"
	"regexp"
	"slices"
	"time"

	"scantrail/cmd/scantrail/console/chart"
	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

type carrierData struct {
	figures
	Line    carrierLine
	Clock   time.Time
	Usual   float64 // scans that usually come in so long a silence
	Lag     [7][24]lagCell
	AnyLag  bool
	Lanes   []query.CarrierLane
	Weeks   []query.CarrierWeek
	Codes   []query.UnmappedCode
	Add     string // lines of YAML for the codes
	Mapping string // name of the built-in mapping; empty: there is none
	Dead    []query.DeadReason
}

// Hours are the columns of the heat map.
func (*carrierData) Hours() []int {
	hours := make([]int, 24)
	for i := range hours {
		hours[i] = i
	}
	return hours
}

// askWeeks asks for the weeks that the diagrams show too.
func (c *console) askWeeks(r *request, carrier string) asked[[]query.CarrierWeek] {
	return ask(r, "carrier weeks "+carrier, func(ctx context.Context) ([]query.CarrierWeek, error) { return c.queries.CarrierWeeks(ctx, carrier) })
}

const carrierWeeks = 8 // of the lanes, as in the scorecard

func (c *console) carrierPage(r *request) error {
	carrier := r.PathValue("carrier")
	cards := ask(r, "carrier cards", c.queries.CarrierCards)
	feeds := ask(r, "feed alerts", c.queries.FeedAlerts)
	weeks := c.askWeeks(r, carrier)
	hours := ask(r, "feed hours "+carrier, func(ctx context.Context) ([]query.FeedHour, error) { return c.queries.FeedHours(ctx, carrier) })
	lanes := ask(r, "carrier lanes "+carrier, func(ctx context.Context) ([]query.CarrierLane, error) {
		return c.queries.CarrierLanes(ctx, carrier, carrierWeeks)
	})
	codes := ask(r, "unmapped "+carrier, func(ctx context.Context) ([]query.UnmappedCode, error) { return c.queries.UnmappedCodes(ctx, carrier) })
	title := r.Get("carrier.title", carrier)
	return r.compute(title, func(age time.Duration) error {
		lines := carrierLines(cards.Value(), feeds.Value())
		at := slices.IndexFunc(lines, func(l carrierLine) bool { return l.Carrier == carrier })
		if at < 0 {
			return query.ErrNone
		}
		if r.wantsCSV() {
			return exportCarrier(r, carrier, lanes.Value(), codes.Value(), hours.Value())
		}
		data := &carrierData{figures: figures{age}, Line: lines[at], Lanes: lanes.Value(), Weeks: weeks.Value(), Codes: codes.Value(), Mapping: builtInMapping(carrier)}
		data.Lag, data.AnyLag = lagWeek(hours.Value())
		var err error
		if data.Clock, err = c.queries.Clock(r.Context()); err != nil {
			return err
		}
		if last := data.Line.LastReceived; last != nil && !data.Clock.IsZero() {
			data.Usual = usualScans(hours.Value(), *last, data.Clock)
		}
		if data.Dead, err = c.queries.DeadReasons(r.Context(), carrier); err != nil {
			return err
		}
		if data.Add, err = c.linesToAdd(data.Codes); err != nil {
			return err
		}
		return r.render(title, data)
	})
}

// exportCarrier writes the table that ?table= names: lanes, codes or hours.
func exportCarrier(r *request, carrier string, lanes []query.CarrierLane, codes []query.UnmappedCode, hours []query.FeedHour) error {
	switch r.param("table") {
	case "codes":
		return r.export("unmapped", []any{"carrier", "code", "scans", "parcels", "first_seen", "last_seen", "sample_number", "sample_text"}, func(write func(...any) error) error {
			for i := range codes {
				u := &codes[i]
				if err := write(carrier, u.Code, u.Scans, u.Parcels, u.First, u.Last, firstOf(u.Numbers...), firstOf(u.Texts...)); err != nil {
					return err
				}
			}
			return nil
		})
	case "hours":
		return r.export("upload-lag", []any{"carrier", "hour_of_week", "scans_4w", "lag_p50_secs_4w", "lag_p95_secs_4w", "hour_24h", "scans_24h", "lag_p50_secs_24h"}, func(write func(...any) error) error {
			for _, h := range hours {
				if err := write(carrier, h.Hour, h.Scans, cellOf(h.LagP50), cellOf(h.LagP95), h.At, h.ScansNow, cellOf(h.LagNow)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	header := []any{"carrier", "origin", "destination", "parcels", "export_due", "export_seen", "import_due", "import_seen", "out_for_delivery_due",
		"out_for_delivery_seen", "gap_48h", "gap_72h", "delivered", "delivery_p50_hours", "delivery_p90_hours"}
	return r.export("carrier-lanes", header, func(write func(...any) error) error {
		for i := range lanes {
			l := &lanes[i]
			if err := write(carrier, l.Origin, l.Destination, l.Parcels, l.ExportDue, l.ExportSeen, l.ImportDue, l.ImportSeen, l.OFDDue, l.OFDSeen,
				l.Gap48, l.Gap72, l.Delivered, cellOf(l.P50), cellOf(l.P90)); err != nil {
				return err
			}
		}
		return nil
	})
}

// carrierChart draws a carrier's weeks, or answers with its built-in mapping.
func (c *console) carrierChart(r *request) error {
	carrier := r.PathValue("carrier")
	switch r.PathValue("chart") {
	case "completeness.svg", "delivery.svg":
	case "mapping.yaml":
		return sendMapping(r, carrier)
	default:
		return query.ErrNone
	}
	answer := c.askWeeks(r, carrier)
	if _, _, err := r.await(always); err != nil {
		return err
	}
	weeks := slices.Clone(answer.Value())
	slices.Reverse(weeks)
	o := chart.Options{Dark: r.param("dark") != "", Max: 100, Width: 640, Height: 250}
	var one, other []float64
	for _, w := range weeks {
		if 2*w.Counted < w.Parcels {
			continue // the slow parcels are still missing
		}
		o.Labels = append(o.Labels, w.Week.Format("01-02"))
		if r.PathValue("chart") == "completeness.svg" {
			one = append(one, orNaN(w.Complete))
			continue
		}
		one, other = append(one, orNaN(w.P50)/24), append(other, orNaN(w.P90)/24)
	}
	if other == nil {
		o.Min = chart.Floor([][]float64{one}, nil)
		return r.draw(func() ([]byte, error) { return chart.Lines(o, [][]float64{one}, nil) })
	}
	o.Max = 4
	for _, v := range other {
		if v > o.Max {
			o.Max = 4 * math.Ceil(v/4)
		}
	}
	return r.draw(func() ([]byte, error) { return chart.Lines(o, [][]float64{one, other}, nil) })
}

var mappingName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// builtInMapping is the name of the built-in mapping of a carrier, if it has one.
func builtInMapping(carrier string) string {
	if !mappingName.MatchString(carrier) {
		return ""
	}
	if _, err := schemas.Carriers.Open("carriers/" + carrier + ".yaml"); err != nil {
		return ""
	}
	return carrier
}

func sendMapping(r *request, carrier string) error {
	name := builtInMapping(carrier)
	if name == "" {
		return query.ErrNone
	}
	text, err := schemas.Carriers.ReadFile("carriers/" + name + ".yaml")
	if err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodHead {
		r.w.Write(text) //nolint:errcheck // whoever asked may have gone away
	}
	return nil
}
