package notify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"scantrail/schemas"
)

// View is what a template sees: one of Alert and Digest. Every string in it is
// cleaned and escaped for the chat already; none can make a link or a mention.
type View struct {
	Test   bool // sent by scantrail alerts test
	Alert  *AlertView
	Digest *DigestView
}

// AlertView is one transition of one alert. What is not known is empty.
type AlertView struct {
	ID            string
	Mark          string // a coloured dot: red critical, orange, yellow at risk, green resolved, white withdrawn
	Rule          string // gap_48h
	RuleName      string // the same for people, as all names
	Status        string // at_risk, open, escalated, resolved, withdrawn
	StatusName    string
	Severity      string // info, warning, critical
	SeverityName  string
	Level         int // 0 to 2
	Ended         bool
	Subject       string // the first of number, order, carrier and shop
	Number        string
	Order         string
	Shop          string
	Market        string
	Carrier       string
	Lane          string // CN-DE, of alerts about a lane
	Stage         string // milestone at which the parcel was
	MilestoneName string // the missing one
	Facility      string
	Country       string
	Cause         string
	CauseName     string
	Do            string // what to do
	Since         string // anchor: 2006-01-02 15:04 UTC+8, in the receiver's zone
	Changed       string
	Silent        string // 2 d 4 h
	Left          string // the same, until 48 h or 72 h of silence; empty where that is past or does not apply
	Link          string // page of the console
}

// DigestView sums up several alerts. Shop, Open, Ended and Urgent are set in the
// digest of a shop only.
type DigestView struct {
	Mark     string
	Shop     string
	Alerts   int
	Open     int
	Ended    int
	From, To string
	ByRule   []CountView // the most frequent first, ten at most
	Urgent   []AlertView // the worst first
	More     int         // open ones that are not listed; 0: none
	Link     string
}

// CountView is how often something occurs.
type CountView struct {
	Name  string
	Count int
}

func (r *renderer) view(m *message, in *medium, now time.Time) View {
	v := View{Test: m.test}
	if m.sum == nil {
		a := r.alertView(m, in, now)
		v.Alert = &a
		return v
	}
	s := m.sum
	d := &DigestView{
		Mark: markOf(m), Shop: in.show(s.shop), Alerts: s.digest.alerts, Open: s.open, Ended: s.ended,
		From: r.stamp(s.from), To: r.stamp(s.to), Link: r.linkOf(m),
	}
	for rule, n := range s.digest.rules {
		d.ByRule = append(d.ByRule, CountView{r.name(in, "alert.rule.", rule), n})
	}
	slices.SortFunc(d.ByRule, func(x, y CountView) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Name, y.Name))
	})
	d.ByRule = d.ByRule[:min(len(d.ByRule), 10)]
	for _, u := range s.urgent {
		d.Urgent = append(d.Urgent, r.alertView(u, in, now))
	}
	d.More = max(s.open-len(s.urgent), 0)
	v.Digest = d
	return v
}

func (r *renderer) alertView(m *message, in *medium, now time.Time) AlertView {
	a := &m.alert
	v := AlertView{
		ID: a.AlertID.String(), Mark: markOf(m), Rule: in.show(a.Rule), RuleName: r.name(in, "alert.rule.", a.Rule),
		Status: a.Status.String(), StatusName: r.texts.Get("alert.status." + a.Status.String()),
		Severity: severity(m.level), SeverityName: r.texts.Get("alert.severity." + severity(m.level)), Level: m.level, Ended: m.closes(),
		Subject: in.show(cmp.Or(a.TrackingNumber, a.OrderID, a.Carrier, a.ShopID, a.Rule)),
		Number:  in.show(a.TrackingNumber), Order: in.show(a.OrderID), Shop: in.show(a.ShopID), Market: in.show(a.Market),
		Carrier: in.show(a.Carrier), Facility: in.show(a.Facility), Country: in.show(a.Country),
		Cause: in.show(a.Cause), CauseName: r.name(in, "alert.cause.", a.Cause), Do: in.escape.Replace(r.texts.Advice(a.Rule, a.Detail, a.Cause)),
		Since: r.stamp(a.AnchorAt), Changed: r.stamp(a.ChangedAt), Link: r.linkOf(m),
	}
	if a.Rule == schemas.RuleLaneDisruption {
		v.Lane = in.show(a.Origin + "-" + a.Destination)
		v.Subject = v.Lane
	}
	if a.Milestone != schemas.Unmapped {
		v.MilestoneName = r.texts.Get("milestone." + a.Milestone.String())
	}
	if a.Stage != schemas.Unmapped {
		v.Stage = r.texts.Get("milestone." + a.Stage.String())
	}
	if a.SilentSecs > 0 {
		v.Silent = span(time.Duration(a.SilentSecs) * time.Second)
	}
	if left, ok := timeLeft(a, now); ok && left > 0 {
		v.Left = span(left)
	}
	return v
}

// name returns the text of a word of a closed set, or the word itself where a newer
// version of the detector has one more.
func (r *renderer) name(in *medium, block, word string) string {
	if word == "" || !r.texts.Has(block+word) {
		return in.show(word)
	}
	return r.texts.Get(block + word)
}

// stamp writes Unix milliseconds in the zone of the receiver, "" for 0.
func (r *renderer) stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	t := time.UnixMilli(ms).In(r.zone)
	_, offset := t.Zone()
	zone := "UTC"
	if offset != 0 {
		zone = fmt.Sprintf("UTC%+d", offset/3600)
		if minutes := max(offset, -offset) % 3600 / 60; minutes != 0 {
			zone += fmt.Sprintf(":%02d", minutes)
		}
	}
	return t.Format("2006-01-02 15:04 ") + zone
}

// span writes a duration as 2 d 4 h, 5 h 10 min or 20 min.
func span(d time.Duration) string {
	minutes := int(d.Round(time.Minute) / time.Minute)
	switch {
	case minutes >= 24*60:
		return fmt.Sprintf("%d d %d h", minutes/(24*60), minutes%(24*60)/60)
	case minutes >= 60:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
	return fmt.Sprintf("%d min", minutes)
}

func markOf(m *message) string {
	switch colorOf(m) {
	case "red":
		return "🔴"
	case "orange":
		return "🟠"
	case "yellow":
		return "🟡"
	case "green":
		return "🟢"
	}
	return "⚪"
}
