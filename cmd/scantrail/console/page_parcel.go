package console

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

// parcelData is what the page of a parcel shows.
type parcelData struct {
	Clock    time.Time
	Number   string
	Numbers  []string // others that name the same parcel
	Life     *query.Life
	Lives    []query.Life // where there are several
	Sum      summary
	Next     []coming
	Steps    []step
	Trail    []entry
	Scans    int // distinct
	Copies   int
	Cut      bool
	Carriers []string
	Alerts   []parcelAlert
	Open     int // of the alerts
	Order    *query.Order
	Policy   *schemas.Policy
}

// parcelAlert is an alert with what it has gone through.
type parcelAlert struct {
	query.ParcelAlert
	Advice string
	Steps  []query.ParcelAlert
}

// parcelPage shows all that is known of one parcel.
func (c *console) parcelPage(r *request) error {
	number, ok := query.Canonical(r.PathValue("number"))
	if !ok {
		return query.ErrNone
	}
	if number != r.PathValue("number") {
		return r.redirect("/parcels/" + number)
	}
	ctx := r.Context()
	numbers, err := c.queries.LinkedNumbers(ctx, number)
	if err != nil {
		return err
	}
	d := &parcelData{Number: number, Numbers: numbers[1:]}
	var scans []query.Scan
	err = together(
		func() (err error) { d.Clock, err = c.queries.Clock(ctx); return },
		func() (err error) { d.Lives, err = c.queries.Lives(ctx, numbers); return },
		func() (err error) { scans, d.Cut, err = c.queries.Trail(ctx, numbers); return },
	)
	if err != nil {
		return err
	}
	if len(d.Lives) == 0 {
		return c.unknownParcel(r, number, scans)
	}
	i := chosenLife(r, d.Lives)
	d.Life, d.Carriers, d.Copies = &d.Lives[i], d.Lives[i].Carriers, 0
	entries := entriesOf(ofLife(scans, d.Lives, i), d.Carriers)
	for _, e := range entries {
		d.Copies += int(e.Copies)
	}
	d.Scans = len(entries)
	if err := c.judgement(r, d, numbers, i); err != nil {
		return err
	}
	d.tell(words{r.Texts}, entries)
	return r.render(r.Get("parcel.title")+" "+number, d)
}

// unknownParcel answers for a number without a row: nothing at all, or scans that
// the detector has not judged yet.
func (c *console) unknownParcel(r *request, number string, scans []query.Scan) error {
	if len(scans) == 0 {
		return c.noMatch(r, number)
	}
	clock, err := c.queries.Clock(r.Context())
	if err != nil {
		return err
	}
	d := &parcelData{Clock: clock, Number: number, Life: &query.Life{TrackingNumber: number}}
	entries := entriesOf(scans, nil)
	d.Scans, d.Sum = len(entries), summary{Lead: r.Get("parcel.sum.unjudged"), Level: -1}
	d.Trail = timeline(entries, nil, d.Life, 48*time.Hour, clock)
	return r.render(r.Get("parcel.title")+" "+number, d)
}

// chosenLife is the one that ?life= names, else the latest.
func chosenLife(r *request, lives []query.Life) int {
	n, err := strconv.Atoi(r.param("life"))
	if err != nil || n < 1 || n > len(lives) {
		return len(lives) - 1
	}
	return n - 1
}

// judgement reads what was found of a life: alerts, order, policy.
func (c *console) judgement(r *request, d *parcelData, numbers []string, i int) error {
	ctx, life := r.Context(), d.Life
	var alerts []query.ParcelAlert
	var steps map[uuid.UUID][]query.ParcelAlert
	err := together(
		func() (err error) {
			if alerts, err = c.queries.ParcelAlerts(ctx, numbers, life.ShopID, life.OrderID); err != nil {
				return err
			}
			alerts = alertsOfLife(alerts, d.Lives, i)
			ids := make([]uuid.UUID, len(alerts))
			for k := range alerts {
				ids[k] = alerts[k].AlertID
			}
			steps, err = c.queries.TransitionsOf(ctx, ids)
			return err
		},
		func() (err error) {
			if life.OrderID != "" {
				d.Order, err = c.queries.Order(ctx, life.ShopID, life.OrderID)
			}
			return err
		},
		func() (err error) { d.Policy, err = c.queries.PolicyOf(ctx, life.PolicyNumber, life.Policy); return },
	)
	for _, a := range alerts {
		p := parcelAlert{a, r.Advice(a.Rule, a.Detail, a.Cause), steps[a.AlertID]}
		if a.Status == "open" || a.Status == "escalated" {
			d.Open++
		}
		d.Alerts = append(d.Alerts, p)
	}
	return err
}

// alertsOfLife keeps those whose anchor lies in the life. Lives lie a month apart.
func alertsOfLife(alerts []query.ParcelAlert, lives []query.Life, i int) []query.ParcelAlert {
	const before = 10 * 24 * time.Hour // an order may precede its first scan
	return slices.DeleteFunc(alerts, func(a query.ParcelAlert) bool {
		return i > 0 && a.AnchorAt.Before(lives[i].OpenedAt.Add(-before)) || i+1 < len(lives) && !a.AnchorAt.Before(lives[i+1].OpenedAt.Add(-before))
	})
}

// tell derives what the page says from what was read.
func (d *parcelData) tell(w words, scans []scanEntry) {
	alerts := make([]query.ParcelAlert, len(d.Alerts))
	for i := range d.Alerts {
		alerts[i] = d.Alerts[i].ParcelAlert
	}
	shortest := 48 * time.Hour
	if d.Policy != nil && d.Policy.Gap.Open > 0 {
		shortest = d.Policy.Gap.Open
	}
	d.Steps = steps(d.Life, scans, alerts, d.Policy)
	d.Next = comings(w, d.Life, d.Steps, d.Clock)
	d.Trail = timeline(scans, alerts, d.Life, shortest, d.Clock)
	d.Sum = summarize(w, d.Life, scans, d.Order, d.Next, d.Clock)
}

// found is what a search has found.
type found struct {
	Asked  string
	Lives  []query.Life
	Orders []query.Order // without a parcel yet
}

// searchPage finds the parcel of a number: a tracking number, one that is linked
// with it, or an order's id.
func (c *console) searchPage(r *request) error {
	asked := r.param("q")
	if asked == "" {
		return r.render(r.Get("search.title"), found{})
	}
	f := found{Asked: asked}
	var byNumber, byOrder []query.Life
	err := together(
		func() error {
			number, ok := query.Canonical(asked)
			if !ok {
				return nil
			}
			numbers, err := c.queries.LinkedNumbers(r.Context(), number)
			if err == nil {
				byNumber, err = c.queries.Lives(r.Context(), numbers)
			}
			return err
		},
		func() (err error) { byOrder, err = c.queries.LivesOfOrder(r.Context(), asked); return },
		func() (err error) { f.Orders, err = c.queries.Orders(r.Context(), asked); return },
	)
	if err != nil {
		return err
	}
	f.Lives = append(byNumber, byOrder...)
	f.Orders = slices.DeleteFunc(f.Orders, func(o query.Order) bool {
		return slices.ContainsFunc(f.Lives, func(l query.Life) bool { return l.OrderID == o.OrderID && l.ShopID == o.ShopID })
	})
	if len(f.Lives) == 1 && len(f.Orders) == 0 {
		number, _ := query.Canonical(asked)
		if len(byNumber) == 0 {
			number = f.Lives[0].TrackingNumber
		}
		return r.redirect("/parcels/" + url.PathEscape(number))
	}
	if len(f.Lives)+len(f.Orders) == 0 {
		return c.noMatch(r, asked)
	}
	return r.render(r.Get("search.title"), f)
}

// noMatch says that nothing is known of a number: status 404 with the page of the
// search.
func (c *console) noMatch(r *request, asked string) error {
	return r.write(404, "search", r.Get("search.title"), found{Asked: asked})
}
