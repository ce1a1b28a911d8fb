package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"scantrail/cmd/scantrail/console"
	"scantrail/cmd/scantrail/query"
	"scantrail/schemas"
)

// alert is one alert as it stands.
type alert struct {
	AlertID        string     `json:"alert_id"`
	Rule           string     `json:"rule"`
	Detail         string     `json:"detail,omitempty"`
	Level          uint8      `json:"level"`
	Status         string     `json:"status"`
	Milestone      string     `json:"milestone,omitempty"`
	Stage          string     `json:"stage,omitempty"`
	TrackingNumber string     `json:"tracking_number,omitempty"`
	ShopID         string     `json:"shop_id,omitempty"`
	OrderID        string     `json:"order_id,omitempty"`
	Market         string     `json:"market,omitempty"`
	Origin         string     `json:"origin,omitempty"`
	Destination    string     `json:"destination,omitempty"`
	Carrier        string     `json:"carrier,omitempty"`
	Facility       string     `json:"facility,omitempty"`
	Country        string     `json:"country,omitempty"`
	AnchorAt       time.Time  `json:"anchor_at"`
	OpenedAt       *time.Time `json:"opened_at"`
	ChangedAt      time.Time  `json:"changed_at"`
	EndedAt        *time.Time `json:"ended_at"`
	SilentSecs     uint32     `json:"silent_secs"`
	Cause          string     `json:"cause,omitempty"`
	Action         string     `json:"action"`
	Backfill       bool       `json:"backfill"`
	Held           bool       `json:"held"`
	Uncertain      bool       `json:"uncertain"`
	Policy         string     `json:"policy,omitempty"`
}

func alertOf(a *query.VisibleAlert) alert {
	return alert{
		AlertID: a.AlertID.String(), Rule: a.Rule, Detail: clean(a.Detail), Level: a.Level, Status: a.Status, Milestone: a.Milestone, Stage: a.Stage,
		TrackingNumber: a.TrackingNumber, ShopID: clean(a.ShopID), OrderID: clean(a.OrderID), Market: a.Market, Origin: a.Origin, Destination: a.Destination,
		Carrier: clean(a.Carrier), Facility: clean(a.Facility), Country: a.Country, AnchorAt: a.AnchorAt, OpenedAt: a.OpenedAt, ChangedAt: a.ChangedAt,
		EndedAt: a.EndedAt, SilentSecs: a.SilentSecs, Cause: a.Cause, Action: schemas.Advice(a.Rule, a.Detail, a.Cause),
		Backfill: a.Backfill, Held: a.Held, Uncertain: a.Uncertain, Policy: a.Policy,
	}
}

// alertList is a page of alerts; Next is the cursor of the following one.
type alertList struct {
	Alerts []alert `json:"alerts"`
	Next   string  `json:"next,omitempty"`
}

const (
	usualAlerts = 100
	mostAlerts  = 1000
)

func (a *api) alerts(r *request) error {
	p := &r.params
	f := query.VisibleAlerts{
		Statuses: p.oneOf("status", "at_risk", "open", "escalated", "resolved", "withdrawn"),
		Rule:     p.text("rule"), Carrier: p.text("carrier"), Market: p.text("market"), Shop: p.text("shop"), Order: p.text("order"),
		MinLevel: p.number("min_level", 0, 2, 0), Paged: p.flag("paged"), ChangedSince: p.time("changed_since"),
	}
	printed, place := p.text("number"), p.text("cursor")
	limit := p.number("limit", 1, mostAlerts, usualAlerts)
	format := p.oneOf("format", "json", "csv")
	if err := p.done(); err != nil {
		return err
	}
	if len(f.Statuses) == 0 {
		f.Statuses = []string{"open", "escalated"}
	}
	if printed != "" {
		number, err := trackingNumber(printed)
		if err != nil {
			return err
		}
		f.Number = number
	}
	filter := filterHash(r.URL.Query())
	if place != "" {
		c, err := parseCursor(place, filter)
		if err != nil {
			return err
		}
		f.AfterAnchor, f.AfterID = c.anchor, c.id.String()
	}
	rows, err := r.visible.Alerts(r.Context(), f, limit+1)
	if err != nil {
		return err
	}
	list := alertList{Alerts: []alert{}}
	if len(rows) > limit {
		rows = rows[:limit]
		last := &rows[limit-1]
		list.Next = cursor{last.AnchorAt, last.AlertID, filter}.String()
		r.linkNext(list.Next)
	}
	for i := range rows {
		list.Alerts = append(list.Alerts, alertOf(&rows[i]))
	}
	if len(format) == 1 && format[0] == "csv" {
		return r.answerCSV(list.Alerts)
	}
	return r.answer(list)
}

// linkNext names the address of the following page (RFC 8288), which a CSV file
// has no other place for.
func (r *request) linkNext(cursor string) {
	q := r.URL.Query()
	q.Set("cursor", cursor)
	r.w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String()))
}

// answerCSV writes the alerts as a table.
func (r *request) answerCSV(alerts []alert) error {
	var b bytes.Buffer
	b.WriteString("\uFEFF") // by which spreadsheets know UTF-8
	w := csv.NewWriter(&b)
	head := []string{"alert_id", "rule", "detail", "level", "status", "milestone", "stage", "tracking_number", "shop_id", "order_id", "market", "origin",
		"destination", "carrier", "facility", "country", "anchor_at", "opened_at", "changed_at", "ended_at", "silent_secs", "cause", "action", "backfill", "held", "uncertain", "policy"}
	if err := w.Write(head); err != nil {
		return err
	}
	for _, a := range alerts {
		row := []string{a.AlertID, a.Rule, a.Detail, strconv.Itoa(int(a.Level)), a.Status, a.Milestone, a.Stage, a.TrackingNumber, a.ShopID, a.OrderID, a.Market, a.Origin,
			a.Destination, a.Carrier, a.Facility, a.Country, stamp(&a.AnchorAt), stamp(a.OpenedAt), stamp(&a.ChangedAt), stamp(a.EndedAt), strconv.Itoa(int(a.SilentSecs)),
			a.Cause, a.Action, strconv.FormatBool(a.Backfill), strconv.FormatBool(a.Held), strconv.FormatBool(a.Uncertain), a.Policy}
		for i := range row {
			row[i] = console.CSVText(row[i])
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	r.w.Header().Set("Cache-Control", "private, no-store")
	r.w.Header().Set("Content-Disposition", `attachment; filename="alerts.csv"`)
	write(r.w, r.Request, "text/csv; charset=utf-8", b.Bytes())
	return nil
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
