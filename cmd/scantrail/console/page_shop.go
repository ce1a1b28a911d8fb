package console

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"scantrail/cmd/scantrail/console/chart"
	"scantrail/cmd/scantrail/query"
)

// scorePart is one of the four parts of LTS in a week.
type scorePart struct {
	Name   string // on_time, completeness, pickup, exception_free
	Weight uint8
	Points float64 // of Weight; of 100 in all once Weight is 100
	Got    float64 // units that count
	Due    uint64
}

// Share is Points of Weight, 0 to 1.
func (p scorePart) Share() float64 { return p.Points / float64(max(p.Weight, 1)) }

// Lost is what the part costs.
func (p scorePart) Lost() float64 { return float64(p.Weight) - p.Points }

// Left reports whether the part is left out, because nothing of it is due.
func (p scorePart) Left() bool { return p.Due == 0 }

// scoreWeek is a line of a shop's page: restated, and as published.
type scoreWeek struct {
	query.Score
	Published *query.Published // nil: not yet
	Judged    *query.ShopWeek  // by the rules; nil: not
}

// Parts returns the four parts, scaled as LTS is.
func (w *scoreWeek) Parts() []scorePart { return scoreParts(&w.Score) }

func scoreParts(s *query.Score) []scorePart {
	scale := 100 / float64(max(s.Weight, 1))
	part := func(name string, weight uint8, points, got float64, due uint64) scorePart {
		return scorePart{name, weight, points * scale, got, due}
	}
	return []scorePart{
		part("on_time", s.OnTimeWeight, s.OnTimePoints, float64(s.OnTime), s.OnTimeDue),
		part("completeness", s.CompletenessWeight, s.CompletenessPoints, s.CompleteSum/100, s.Counted),
		part("pickup", s.PickupWeight, s.PickupPoints, float64(s.PickedUp), s.PickupDue),
		part("exception_free", s.ExceptionFreeWeight, s.ExceptionFreePoints, float64(s.ExceptionFree), s.Counted),
	}
}

// Missed reports whether the week breaks the rule.
func (w *scoreWeek) Missed(rule string) bool {
	return w.Judged != nil && slices.Contains(w.Judged.Breached, rule)
}

// Provisional is that of shopLine.
func (w *scoreWeek) Provisional() bool { return 10*w.Counted < 8*w.Parcels }

// ruleState is how a shop's week stands to one rule.
type ruleState struct {
	Rule      string
	Value     *float64
	Threshold uint8
	Above     bool // the value must not be above the threshold; else not below it
	Missed    bool
	Near      bool    // ship_kpi_two_weeks: below in this week, and not in the one before
	Spare     float64 // from the threshold, negative: missed
	Lost      uint8   // exposure, per cent
}

func ruleStates(w *query.ShopWeek) []ruleState {
	if w == nil {
		return nil
	}
	states := []ruleState{
		{Rule: "lts_low", Value: w.LTS, Threshold: w.LTSRequired, Lost: w.ExposureLost},
		{Rule: "completeness_low", Value: w.Completeness, Threshold: w.CompletenessRequired},
		{Rule: "ship_kpi_two_weeks", Value: w.Pickup, Threshold: w.PickupRequired},
		{Rule: "confirm_late_rate", Value: w.ConfirmLate, Threshold: w.ConfirmLateAllowed, Above: true},
	}
	for i := range states {
		s := &states[i]
		s.Missed = slices.Contains(w.Breached, s.Rule)
		if s.Value == nil {
			continue
		}
		if s.Spare = *s.Value - float64(s.Threshold); s.Above {
			s.Spare = -s.Spare
		}
		s.Near = s.Rule == "ship_kpi_two_weeks" && !s.Missed && s.Spare < 0
	}
	return states
}

// shopData is the data of a shop's page.
type shopData struct {
	figures
	Shop       string
	Tab        string
	Link       string
	Week       *scoreWeek // chosen
	Weeks      []scoreWeek
	States     []ruleState
	Alerts     []query.ShopAlert
	Late       []query.LateFulfilment
	Milestones []query.Milestone
}

// WeekDays are the weeks that can be chosen.
func (d *shopData) WeekDays() []time.Time {
	var days []time.Time
	for i := range d.Weeks {
		days = append(days, d.Weeks[i].Week)
	}
	return days
}

func (c *console) shopPage(r *request) error {
	shop := r.shop()
	scores := c.askScores(r)
	judged := ask(r, "shop weeks", c.queries.ShopWeeks)
	published := ask(r, "published "+shop, func(ctx context.Context) ([]query.Published, error) { return c.queries.Published(ctx, shop) })
	alerts := ask(r, "alerts "+shop, func(ctx context.Context) ([]query.ShopAlert, error) { return c.queries.ShopAlerts(ctx, shop) })
	late := ask(r, "late "+shop, func(ctx context.Context) ([]query.LateFulfilment, error) { return c.queries.LateFulfilment(ctx, shop) })
	title := r.Get("shop.title", shop)
	return r.compute(title, func(age time.Duration) error {
		weeks := scoreWeeks(scores.Value(), published.Value(), judged.Value(), shop)
		if len(weeks) == 0 {
			return query.ErrNone
		}
		if r.wantsCSV() {
			return exportShop(r, weeks)
		}
		data := &shopData{figures: figures{age}, Shop: shop, Tab: "shop", Link: shopLink(shop), Weeks: weeks, Week: weekOf(r, weeks), Alerts: alerts.Value()}
		for _, l := range late.Value() {
			if l.Week.Equal(data.Week.Week) {
				data.Late = append(data.Late, l)
			}
		}
		data.States = ruleStates(data.Week.Judged)
		var err error
		if data.Milestones, err = c.queries.Milestones(r.Context(), shop, data.Week.Week); err != nil {
			return err
		}
		return r.render(title, data)
	})
}

// scoreWeeks puts together what is known of each week, the latest first.
func scoreWeeks(scores []query.Score, published []query.Published, judged []query.ShopWeek, shop string) []scoreWeek {
	weeks := make([]scoreWeek, len(scores))
	place := map[time.Time]*scoreWeek{}
	for i := range scores {
		weeks[i].Score = scores[i]
		place[scores[i].Week] = &weeks[i]
	}
	for i := range published {
		if w := place[published[i].Week]; w != nil {
			w.Published = &published[i]
		}
	}
	for i := range judged {
		if w := place[judged[i].Week]; w != nil && judged[i].Shop == shop {
			w.Judged = &judged[i]
		}
	}
	return weeks
}

// weekOf is the week of the URL, else the latest of which most parcels count.
func weekOf(r *request, weeks []scoreWeek) *scoreWeek {
	for i := range weeks {
		if day(weeks[i].Week) == r.param("week") {
			return &weeks[i]
		}
	}
	for i := range weeks {
		if !weeks[i].Provisional() && weeks[i].Counted > 0 {
			return &weeks[i]
		}
	}
	return &weeks[0]
}

func exportShop(r *request, weeks []scoreWeek) error {
	header := []any{"shop", "week", "parcels", "open_parcels", "counted_parcels", "lts", "on_time_points", "completeness_points", "pickup_points", "exception_free_points",
		"lts_smoothed", "completeness", "published_at", "published_lts", "published_completeness", "policy", "policy_number"}
	return r.export("shop", header, func(write func(...any) error) error {
		for i := range weeks {
			w := &weeks[i]
			p := w.Published
			if p == nil {
				p = &query.Published{}
			}
			cells := []any{r.shop(), day(w.Week), w.Parcels, w.Open, w.Counted, cellOf(w.LTS)}
			for _, part := range w.Parts() {
				cells = append(cells, cellOf(&part.Points))
			}
			if err := write(append(cells, cellOf(w.Smoothed), cellOf(w.Score.Completeness), p.At, cellOf(p.LTS), cellOf(p.Completeness), w.Policy, w.PolicyNumber)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// shopChart draws a shop's weeks, the oldest at the left: lts.svg or parts.svg.
func (c *console) shopChart(r *request) error {
	name := r.PathValue("chart")
	if name != "lts.svg" && name != "parts.svg" {
		return query.ErrNone
	}
	scores := c.askScores(r)
	if _, _, err := r.await(always); err != nil {
		return err
	}
	weeks := slices.Clone(scores.Value())
	slices.Reverse(weeks)
	o := chart.Options{Dark: r.param("dark") != "", Max: 100, Width: 640, Height: 250}
	var series [4][]float64
	thresholds := []float64{math.NaN(), math.NaN()}
	for i := range weeks {
		if 2*weeks[i].Counted < weeks[i].Parcels {
			continue // what the first parcels say would look like a leap
		}
		o.Labels = append(o.Labels, weeks[i].Week.Format("01-02"))
		if name == "lts.svg" {
			series[0] = append(series[0], orNaN(weeks[i].LTS))
			series[1] = append(series[1], orNaN(weeks[i].Completeness))
			thresholds = []float64{float64(weeks[i].LTSRequired), float64(weeks[i].CompletenessRequired)}
			continue
		}
		for k, p := range scoreParts(&weeks[i]) {
			series[k] = append(series[k], p.Points)
		}
	}
	if name == "parts.svg" {
		return r.draw(func() ([]byte, error) { return chart.Stacked(o, series[:]) })
	}
	o.Min = chart.Floor(series[:2], thresholds)
	return r.draw(func() ([]byte, error) { return chart.Lines(o, series[:2], thresholds) })
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// draw answers with a picture. Its styles stand in its elements, and it can do
// nothing but be looked at.
func (r *request) draw(picture func() ([]byte, error)) error {
	svg, err := picture()
	if errors.Is(err, chart.ErrNothing) {
		svg, err = []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 250"></svg>`), nil
	}
	if err != nil {
		return err
	}
	h := r.w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "private, max-age=60")
	if r.Method == http.MethodHead {
		return nil
	}
	r.w.Write(svg) //nolint:errcheck // whoever asked may have gone away
	return nil
}
