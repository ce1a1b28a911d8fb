package detector

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
)

// sinceBase is how times are printed: hours up to ten days, then days.
func sinceBase(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return lasting(time.Duration(ms-testBase) * time.Millisecond)
}

func lasting(d time.Duration) string {
	const day = 24 * time.Hour
	days := ""
	if d >= 10*day {
		days = fmt.Sprintf("%dd", d/day)
		if d %= day; d == 0 {
			return days
		}
	}
	if d == 0 {
		return "0h"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return days + strings.Replace(s, "h0m", "h", 1)
}

func (s *scenario) clock() string {
	if len(s.machines) > 1 {
		return fmt.Sprintf("[%d] %s", s.p, sinceBase(s.m.Clock()))
	}
	return sinceBase(s.m.Clock())
}

func (s *scenario) print() {
	clock := s.clock()
	for i := range s.out.Alerts {
		s.alert(clock, &s.out.Alerts[i])
	}
	for _, st := range s.out.Statuses {
		if !s.hidden["status"] {
			fmt.Fprintln(&s.buf, strings.TrimSpace(fmt.Sprintf("%s status %s %s at %s %s", clock, st.TrackingNumber, st.Stage, sinceBase(st.At), st.OrderID)))
		}
	}
	for _, f := range s.out.Forwards {
		if !s.hidden["forward"] {
			s.forward(clock, f)
		}
	}
	for _, g := range s.out.Gaps {
		fmt.Fprintf(&s.buf, "%s quarantine %s%s %s\n", clock, g.TrackingNumber, g.OrderID, g.Reason)
	}
	for _, q := range s.m.Asks(1000, nil) {
		if !s.asked[q] && !s.hidden["ask"] {
			s.asked[q] = true
			fmt.Fprintf(&s.buf, "%s asks for %s\n", clock, q.Name)
		}
	}
}

// alert prints one transition.
func (s *scenario) alert(clock string, a *schemas.Alert) {
	number := a.TrackingNumber
	switch {
	case a.Rule == schemas.RuleFeedStale:
		number = schemas.FeedKey(a.Carrier)
	case number == "":
		number = schemas.OrderKey(a.ShopID, a.OrderID)
	}
	rule := a.Rule
	if a.Milestone != 0 {
		rule += ":" + a.Milestone.String()
	} else if a.Detail != "" {
		rule += ":" + a.Detail
	}
	fmt.Fprintf(&s.buf, "%s %s %s/%d %s anchor %s", clock, a.Status, rule, a.Level, number, sinceBase(a.AnchorAt))
	if a.EndedAt != 0 {
		fmt.Fprintf(&s.buf, " ended %s", sinceBase(a.EndedAt))
	}
	if a.OpenedAt != 0 && a.OpenedAt != a.ChangedAt {
		fmt.Fprintf(&s.buf, " opened %s", sinceBase(a.OpenedAt))
	}
	if a.Stage != 0 {
		fmt.Fprintf(&s.buf, " stage %s", a.Stage)
	}
	for _, part := range []string{a.Facility, a.Country, a.OrderID, a.Origin + "-" + a.Destination} {
		if part != "" && part != "-" && !strings.HasSuffix(number, ":"+part) {
			fmt.Fprintf(&s.buf, " %s", part)
		}
	}
	if a.Cause != "" {
		fmt.Fprintf(&s.buf, " cause %s", a.Cause)
	}
	if a.SilentSecs != 0 {
		fmt.Fprintf(&s.buf, " silent %s", lasting(time.Duration(a.SilentSecs)*time.Second))
	}
	s.marks(clock, number, a)
	s.buf.WriteString("\n")
}

// marks prints what is out of the usual about an alert.
func (s *scenario) marks(clock, number string, a *schemas.Alert) {
	if a.Carrier != "" && a.Carrier != "acme" && a.Rule != schemas.RuleFeedStale {
		fmt.Fprintf(&s.buf, " carrier %s", a.Carrier)
	}
	if a.Policy != "" && a.Policy != "default" {
		fmt.Fprintf(&s.buf, " policy %s", a.Policy)
	}
	if of := s.named(a, number); of != number {
		fmt.Fprintf(&s.buf, " of %s", of)
	}
	if now := sinceBase(a.ChangedAt); !strings.HasSuffix(clock, now) {
		fmt.Fprintf(&s.buf, " as of %s", now)
	}
	for _, mark := range []struct {
		set  bool
		name string
	}{{a.Backfill, "backfill"}, {a.Held, "held"}, {a.Uncertain, "uncertain"}} {
		if mark.set {
			s.buf.WriteString(" " + mark.name)
		}
	}
}

// named returns the number in the id of an alert.
func (s *scenario) named(a *schemas.Alert, number string) string {
	family := a.Rule
	switch {
	case a.Rule == schemas.RuleGap48h || a.Rule == schemas.RuleGap72h:
		family = "gap"
	case a.Milestone != 0:
		family += ":" + a.Milestone.String()
	case a.Detail != "":
		family += ":" + a.Detail
	}
	for _, n := range append([]string{number}, s.numbers...) {
		if AlertID(family, n, a.AnchorAt/1000) == a.AlertID {
			return n
		}
	}
	return "no number known"
}

// scoreFields are the fields of rows that nothing but scores needs.
var scoreFields = []string{"FirstScanAt", "FirstException", "FirstExceptionAt", "SilentCustomsSecs", "SilentFrom", "PromisedAt", "DeliverBy",
	"PickupBy", "CollectBy", "MaturesAt", "ScoredDue", "ScoredGaps72h", "CohortDay", "PolicyNumber", "ConfirmBy"}

// row prints the fields that are set.
func (s *scenario) row(kind string, v reflect.Value) {
	if len(s.machines) > 1 {
		kind = fmt.Sprintf("[%d] %s", s.p, kind)
	}
	s.buf.WriteString(kind)
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		if f.IsZero() || name == "ParcelID" || name == "EntityID" || name == "Version" && s.hidden["version"] || name == "Policy" && f.String() == "default" {
			continue
		}
		if s.hidden["scores"] && slices.Contains(scoreFields, name) {
			continue
		}
		val := fmt.Sprint(f.Interface())
		switch {
		case strings.HasSuffix(name, "At"), strings.HasSuffix(name, "By"), name == "SilentFrom":
			val = sinceBase(f.Int())
		case name == "CohortDay":
			val = time.Unix(int64(f.Uint())*daySeconds, 0).UTC().Format(time.DateOnly)
		case name == "Version":
			val = fmt.Sprintf("%d.%d.%d", f.Uint()>>52, f.Uint()>>8&(1<<44-1), f.Uint()&255)
		case name == "Required" || name == "Due" || name == "ScoredDue" || name == "Observed":
			val = fmt.Sprintf("%03b", f.Uint())
		}
		fmt.Fprintf(&s.buf, " %s=%s", name, val)
	}
	s.buf.WriteString("\n")
}

func (s *scenario) forward(clock string, f Forward) {
	fmt.Fprintf(&s.buf, "%s forward %s ", clock, f.Key)
	switch r := decoded(f); r.Kind {
	case schemas.KindOrder:
		fmt.Fprintf(&s.buf, "%s of %s at %s\n", r.Order.Kind, r.Order.OrderID, sinceBase(r.Order.At))
	case schemas.KindEvent:
		fmt.Fprintf(&s.buf, "scan of %s %s at %s\n", r.Event.TrackingNumber, r.Event.Milestone, sinceBase(r.Event.OccurredAt))
	case schemas.KindAlias:
		fmt.Fprintf(&s.buf, "is also %s\n", r.Alias.OtherNumber)
	case schemas.KindVoid:
		fmt.Fprintf(&s.buf, "void of %s\n", r.Void.TrackingNumber)
	case schemas.KindHandover:
		fmt.Fprintf(&s.buf, "hand-over of %s with %d alerts\n", r.Handover.TrackingNumber, len(r.Handover.Alerts))
	default:
		fmt.Fprintf(&s.buf, "a record of kind %d\n", r.Kind)
	}
}
