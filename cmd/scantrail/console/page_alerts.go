package console

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"scantrail/cmd/scantrail/query"
)

// alertsPageSize is how many alerts one page has.
const alertsPageSize = 50

// alertFilter reads a filter from parameters of a URL.
func alertFilter(param func(string) string) query.AlertFilter {
	return query.AlertFilter{
		Rule: param("rule"), Level: param("level"), Status: param("status"), Carrier: param("carrier"), Market: param("market"),
		Shop: param("shop"), Assignee: param("assignee"), Number: strings.ReplaceAll(param("number"), " ", ""), State: param("state"),
		Paged: param("paged"), Sort: param("sort"),
	}
}

// alertsPage lists what is open, to be filtered and handled.
func (c *console) alertsPage(r *request) error {
	f := alertFilter(r.param)
	if r.wantsCSV() {
		return r.exportAlerts(f)
	}
	var facets []query.AlertFacet
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() { facets, failed = c.queries.AlertFacets(r.Context()) }) // meanwhile
	page := r.pageNo()
	alerts, err := c.queries.OpenAlerts(r.Context(), f, alertsPageSize, (page-1)*alertsPageSize)
	if err == nil && len(alerts) == 0 && page > 1 {
		page = 1
		alerts, err = c.queries.OpenAlerts(r.Context(), f, alertsPageSize, 0)
	}
	wg.Wait()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	total := 0
	if len(alerts) > 0 {
		total = int(alerts[0].Total)
	}
	counts := map[string]uint64{}
	open := uint64(0)
	for _, x := range facets {
		if x.Facet == "state" {
			counts[x.Value] = x.N
			open += x.N
		}
	}
	return r.render(r.Get("alerts.title"), map[string]any{
		"Alerts": alerts, "Total": total, "Open": open, "Waiting": counts["waiting"], "Handled": counts["handled"], "Snoozed": counts["snoozed"],
		"Pager": Pager{page, alertsPageSize, total}, "Filters": r.alertFilters(facets), "States": query.AlertStates(), "Sorts": query.AlertSorts(),
		"Carriers": values(facets, "carrier"), "Form": r.handlingForm(), "Done": r.doneText(), "MaxHandled": query.MaxHandled,
	})
}

func values(facets []query.AlertFacet, facet string) []string {
	var all []string
	for _, x := range facets {
		if x.Facet == facet {
			all = append(all, x.Value)
		}
	}
	return all
}

func (r *request) alertFilters(facets []query.AlertFacet) []Filter {
	assignees := append(values(facets, "assignee"), query.Nobody)
	return []Filter{
		r.filter("rule", "alert.rule", values(facets, "rule")),
		r.filter("level", "level", values(facets, "level")),
		r.filter("status", "alert.status", values(facets, "status")),
		r.filter("carrier", "", values(facets, "carrier")),
		r.filter("market", "", values(facets, "market")),
		r.filter("assignee", "alerts.assignee", assignees),
		r.filter("paged", "alerts.paged", []string{"yes", "no"}),
	}
}

func (r *request) exportAlerts(f query.AlertFilter) error {
	header := []any{"alert_id", "rule", "detail", "level", "status", "tracking_number", "carrier", "shop_id", "order_id", "market", "origin", "destination",
		"stage", "milestone", "anchor_at", "opened_at", "hours_since_anchor", "cause", "advice", "held", "backfill", "uncertain", "handled",
		"acknowledged_by", "acknowledged_at", "assignee", "snoozed_until", "comments", "last_comment"}
	return r.export("alerts", header, func(write func(...any) error) error {
		return r.console.queries.EachOpenAlert(r.Context(), f, MaxExport+1, func(a *query.OpenAlert) error {
			return write(a.ID, a.Rule, a.Detail, a.Level, a.Status, a.Number, a.Carrier, a.Shop, a.Order, a.Market, a.Origin, a.Destination,
				a.Stage, a.Milestone, a.AnchorAt, a.OpenedAt, a.HoursSince, r.name("alert.cause", a.Cause), r.Advice(a.Rule, a.Detail, a.Cause), a.Held, a.Backfill, a.Uncertain, a.Handled,
				a.AcknowledgedBy, a.AcknowledgedAt, a.Assignee, a.SnoozedUntil, a.Comments, a.LastComment)
		})
	})
}

// alertPage shows one alert: what it is about, what to do, what was done.
func (c *console) alertPage(r *request) error {
	ctx, id := r.Context(), r.PathValue("id")
	alert, err := c.queries.Alert(ctx, id)
	if err != nil {
		return err
	}
	transitions, err := c.queries.Transitions(ctx, id)
	if err != nil {
		return err
	}
	actions, err := c.queries.Handled(ctx, id)
	if err != nil {
		return err
	}
	deliveries, err := c.queries.Deliveries(ctx, id)
	if err != nil {
		return err
	}
	title := r.name("alert.rule", alert.Rule) + " · " + firstOf(alert.Number, alert.Order, alert.Carrier, alert.Shop)
	return r.render(title, map[string]any{
		"Alert": alert, "Transitions": transitions, "Actions": actions, "Deliveries": deliveries, "Form": r.handlingForm(), "Done": r.doneText(),
		"Advice": r.Advice(alert.Rule, alert.Detail, alert.Cause), "Open": alert.Status == "open" || alert.Status == "escalated",
	})
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// handlingForm is what a form about alerts needs.
type handlingForm struct {
	Token    string // names it: sent twice, it counts once
	Back     string // where to go afterwards
	Query    string // the filter that "all of them" means
	Zone     string // of times typed in
	Tomorrow time.Time
	Earliest string // of the field for a time
}

func (r *request) handlingForm() *handlingForm {
	if !r.Caller.MayHandle() {
		return nil
	}
	q := r.URL.Query()
	for _, gone := range []string{"done", "n", "format", "lang"} {
		q.Del(gone)
	}
	now := r.console.now()
	return &handlingForm{
		Token: newToken(), Back: (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String(), Query: q.Encode(),
		Zone: now.Format("UTC-07:00"), Tomorrow: tomorrow(now), Earliest: now.Format(dateTimeLocal),
	}
}

// now is the present in the zone of the operators.
func (c *console) now() time.Time {
	zone := c.Zone
	if zone == nil {
		zone = time.Local
	}
	return c.Now().In(zone)
}

// tomorrow is the next day, 9:00, where now is.
func tomorrow(now time.Time) time.Time {
	return time.Date(now.Year(), now.Month(), now.Day()+1, 9, 0, 0, 0, now.Location())
}

// dateTimeLocal is how <input type="datetime-local"> writes a time.
const dateTimeLocal = "2006-01-02T15:04"

// name returns the text of a closed set's value, or the value itself.
func (r *request) name(set, value string) string { return words{r.Texts}.name(set, value) }
