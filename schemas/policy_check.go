package schemas

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Ranges of durations. A year bounds every deadline: whatever is longer is a
// typing error. An upload's lag is kept in 24 bits of seconds, 194 days.
const (
	maxPolicyDuration = 365 * 24 * time.Hour
	maxUploadLate     = 180 * 24 * time.Hour
	maxWorkingDays    = 250
	maxSmoothing      = 1_000_000 // beyond it a shop's own parcels count for nothing
)

var (
	policyName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	marketName  = regexp.MustCompile(`^[A-Z]{2}$`)
	lanePattern = regexp.MustCompile(`^([A-Z]{2}|\*)-([A-Z]{2}|\*)$`)
)

// fillIn sets what a policy need not state.
func (p *Policy) fillIn() {
	if p.Gap.Clock == "" {
		p.Gap.Clock = "progress"
	}
	if p.Calendar.Zone == "" {
		p.Calendar.Zone = "UTC"
	}
	if p.Calendar.Weekend == nil {
		p.Calendar.Weekend = []time.Weekday{time.Saturday, time.Sunday}
	}
	if p.PickupLate.Since == 0 {
		p.PickupLate.Since = OrderConfirmed
	}
	for i := range p.Milestones {
		r := &p.Milestones[i]
		if r.Lanes == "" {
			r.Lanes = "any"
		}
		if len(r.SatisfiedBy) == 0 && r.Milestone != Unmapped {
			r.SatisfiedBy = []Milestone{r.Milestone}
		}
	}
}

// policyCheck collects the problems of one policy; fields count from it.
type policyCheck struct{ found []PolicyProblem }

func (c *policyCheck) bad(field, want, format string, args ...any) {
	c.found = append(c.found, PolicyProblem{Field: field, What: fmt.Sprintf(format, args...), Want: want})
}

// problems returns what is wrong with the values of the policy.
func (p *Policy) problems() []PolicyProblem {
	var c policyCheck
	if p.Name == "" {
		c.bad("name", "a name, which rows of parcels will show", "is missing")
	} else if !policyName.MatchString(p.Name) {
		c.bad("name", "at most 63 of a-z, 0-9, _ and -, beginning with a letter or digit", "is %.80q", p.Name)
	}
	c.selector(&p.When)
	c.gap(&p.Gap)
	c.milestones(p.Milestones)
	c.stalled(&p.StageStalled)
	c.set("undeliverable", p.Undeliverable)
	c.set("exception", p.Exception)
	c.span("first_scan_upload_late", p.FirstScanUploadLate, maxUploadLate)
	c.names("channels", p.ChannelsCompliant)
	c.span("number_invalid.reused_within", p.NumberInvalid.ReusedWithin, maxPolicyDuration)
	c.span("number_invalid.before_order", p.NumberInvalid.BeforeOrder, maxPolicyDuration)
	c.span("status_mismatch.grace", p.StatusMismatch.Grace, maxPolicyDuration)
	if p.StatusMismatch.Reverse && p.StatusMismatch.Grace == 0 {
		c.bad("status_mismatch.reverse", "a grace such as 24h beside it", "is on while the rule is off")
	}
	c.deadlines(p)
	c.promises(p.Promise)
	c.calendar(&p.Calendar)
	c.score(&p.Score)
	return c.found
}

func (c *policyCheck) selector(s *Selector) {
	for i, m := range s.Markets {
		c.market(fmt.Sprintf("when.markets[%d]", i), m)
	}
	c.lanes("when.lanes", s.Lanes)
	c.names("when.shops", s.Shops)
	c.names("when.carriers", s.Carriers)
	c.names("when.products", s.Products)
}

func (c *policyCheck) market(field, m string) {
	if !marketName.MatchString(m) {
		c.bad(field, "two capital letters of ISO 3166-1, such as US (the United Kingdom is GB)", "is %.80q", m)
	} else if m == "UK" {
		c.bad(field, "GB", "is UK, which names no country in ISO 3166-1")
	}
}

func (c *policyCheck) lanes(field string, lanes []string) {
	for i, l := range lanes {
		if !lanePattern.MatchString(l) {
			c.bad(fmt.Sprintf("%s[%d]", field, i), `origin and destination such as CN-US, or * for any, such as "*-US"`, "is %.80q", l)
		}
	}
}

// names reports names that are empty, too long, not printable or listed twice.
func (c *policyCheck) names(field string, names []string) {
	seen := make(map[string]bool, len(names))
	for i, s := range names {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case s == "" || len(s) > maxPolicyText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
			c.bad(at, fmt.Sprintf("1 to %d bytes of text", maxPolicyText), "is %.80q", s)
		case seen[s]:
			c.bad(at, "each once", "is %.80q again", s)
		}
		seen[s] = true
	}
}

// span reports a duration that is out of range; 0 is off.
func (c *policyCheck) span(field string, d, longest time.Duration) {
	if d < 0 || d > longest {
		c.bad(field, fmt.Sprintf("off, or up to %s", policyDuration(longest)), "is %s", policyDuration(d))
	} else if d%time.Second != 0 {
		c.bad(field, "whole seconds", "is %s", policyDuration(d))
	}
}

func (c *policyCheck) gap(g *GapRule) {
	if g.Clock != "progress" && g.Clock != "physical" {
		c.bad("gap.clock", "progress or physical", "is %.80q", g.Clock)
	}
	c.silence("gap", g.AtRisk, g.Open, g.Escalate)
	for i := range g.Overrides {
		o, at := &g.Overrides[i], fmt.Sprintf("gap.overrides[%d]", i)
		c.stages(at+".stages", o.Stages)
		c.lanes(at+".lanes", o.Lanes)
		c.silence(at, o.AtRisk, o.Open, o.Escalate)
	}
}

func (c *policyCheck) silence(at string, risk, open, escalate time.Duration) {
	before := len(c.found)
	c.span(at+".at_risk", risk, maxPolicyDuration)
	c.span(at+".open", open, maxPolicyDuration)
	c.span(at+".escalate", escalate, maxPolicyDuration)
	if len(c.found) == before && (risk <= 0 || risk >= open || open >= escalate) {
		c.bad(at, "0 < at_risk < open < escalate; extends: default takes over what is left out", "has at_risk %s, open %s, escalate %s",
			policyDuration(risk), policyDuration(open), policyDuration(escalate))
	}
}

func (c *policyCheck) stages(field string, stages []Stage) {
	if len(stages) == 0 {
		c.bad(field, "the stages that the override is for: "+strings.Join(stageNames[1:], ", "), "is missing")
	}
}

func (c *policyCheck) stalled(s *StalledRule) {
	c.span("stage_stalled.after", s.After, maxPolicyDuration)
	for i := range s.Overrides {
		o, at := &s.Overrides[i], fmt.Sprintf("stage_stalled.overrides[%d]", i)
		c.stages(at+".stages", o.Stages)
		c.lanes(at+".lanes", o.Lanes)
		c.span(at+".after", o.After, maxPolicyDuration)
		if o.After == 0 {
			c.bad(at+".after", "a limit such as 336h", "is missing")
		}
	}
}

func (c *policyCheck) milestones(list []RequiredMilestone) {
	if len(list) > MaxRequired {
		c.bad("milestones", fmt.Sprintf("at most %d", MaxRequired), "lists %d", len(list))
	}
	for i := range list {
		r, at := &list[i], fmt.Sprintf("milestones[%d]", i)
		if !r.Milestone.Forward() {
			c.bad(at+".milestone", "a station between accepted and delivered", "is %s", r.Milestone)
		} else if slices.ContainsFunc(list[:i], func(other RequiredMilestone) bool { return other.Milestone == r.Milestone }) {
			c.bad(at+".milestone", "each once: an alert is named by it", "is %s again", r.Milestone)
		}
		if r.Lanes != "any" && r.Lanes != "cross_border" {
			c.bad(at+".lanes", "any or cross_border", "is %.80q", r.Lanes)
		}
		c.span(at+".after", r.After, maxPolicyDuration)
		if (r.After != 0) != (len(r.Since) > 0) {
			c.bad(at, "both since and after, or neither", "has one of since and after")
		}
		c.set(at+".satisfied_by", r.SatisfiedBy)
		c.set(at+".excused_by", r.ExcusedBy)
		c.set(at+".since", r.Since)
	}
}

// set reports milestones that say nothing or are listed twice.
func (c *policyCheck) set(field string, list []Milestone) {
	for i, m := range list {
		if m == Unmapped {
			c.bad(fmt.Sprintf("%s[%d]", field, i), "a milestone", "is %s, which says nothing", m)
		} else if slices.Contains(list[:i], m) {
			c.bad(fmt.Sprintf("%s[%d]", field, i), "each once", "is %s again", m)
		}
	}
}

func (c *policyCheck) deadlines(p *Policy) {
	for _, r := range []struct {
		field string
		rule  *DeadlineRule
	}{
		{"confirm_late", &p.ConfirmLate}, {"label_late", &p.LabelLate}, {"cancel_unhandled", &p.CancelUnhandled},
		{"pickup_late", &p.PickupLate}, {"carrier_pickup_late", &p.CarrierPickupLate},
		{"shipped_late", &p.ShippedLate}, {"delivered_late", &p.DeliveredLate},
	} {
		c.limit(r.field+".after", r.rule.After)
		c.span(r.field+".warn", r.rule.Warn, maxPolicyDuration)
		whole := r.rule.After.Duration + time.Duration(r.rule.After.WorkingDays)*24*time.Hour
		if r.rule.Warn >= whole && r.rule.Warn > 0 && whole > 0 {
			c.bad(r.field+".warn", "less than after", "is %s", policyDuration(r.rule.Warn))
		}
		if r.field != "pickup_late" && r.rule.Since != 0 {
			c.bad(r.field+".since", "no such key: only pickup_late leaves a choice", "is %s", r.rule.Since)
		}
	}
}

func (c *policyCheck) limit(field string, l Limit) {
	c.span(field, l.Duration, maxPolicyDuration)
	if l.WorkingDays < 0 || l.WorkingDays > maxWorkingDays {
		c.bad(field, fmt.Sprintf("1wd to %dwd", maxWorkingDays), "is %dwd", l.WorkingDays)
	}
}

func (c *policyCheck) promises(list []PromiseRule) {
	for i := range list {
		r, at := &list[i], fmt.Sprintf("promise[%d]", i)
		for n, m := range r.Markets {
			c.market(fmt.Sprintf("%s.markets[%d]", at, n), m)
		}
		c.limit(at+".within", r.Within)
		if r.Within.IsZero() {
			c.bad(at+".within", "hours such as 168h or working days such as 6wd", "is missing")
		}
		if len(r.Markets) == 0 && i < len(list)-1 {
			c.bad(at+".markets", "the promise for any market last: the first that fits holds", "is missing")
		}
	}
}

func (c *policyCheck) calendar(cal *Calendar) {
	if _, err := Zone(cal.Zone); err != nil {
		c.bad("calendar.zone", "an IANA name such as Asia/Shanghai", "is %.80q, which is not known", cal.Zone)
	}
	for i, d := range cal.Weekend {
		if slices.Contains(cal.Weekend[:i], d) {
			c.bad(fmt.Sprintf("calendar.weekend[%d]", i), "each day once", "is %s again", d)
		}
	}
	if len(cal.Weekend) > 6 {
		c.bad("calendar.weekend", "a working day at least", "has every day of the week")
	}
	seen := make(map[Date]bool, len(cal.Holidays))
	for i, d := range cal.Holidays {
		if seen[d] {
			c.bad(fmt.Sprintf("calendar.holidays[%d]", i), "each day once", "is %s again", d)
		}
		seen[d] = true
	}
}

func (c *policyCheck) score(s *ScoreRule) {
	for _, n := range []struct {
		field string
		value int
	}{
		{"milestones_weight", s.MilestonesWeight}, {"silence_weight", s.SilenceWeight}, {"on_time_weight", s.OnTimeWeight},
		{"completeness_weight", s.CompletenessWeight}, {"pickup_weight", s.PickupWeight}, {"exception_free_weight", s.ExceptionFreeWeight},
		{"completeness_required", s.CompletenessRequired}, {"lts_required", s.LTSRequired},
		{"exposure_lost", s.ExposureLost}, {"ship_kpi_required", s.ShipKPIRequired}, {"confirm_late_allowed", s.ConfirmLateAllowed},
	} {
		if n.value < 0 || n.value > 100 {
			c.bad("score."+n.field, "0 to 100", "is %d", n.value)
		}
	}
	if s.Smoothing < 0 || s.Smoothing > maxSmoothing {
		c.bad("score.smoothing", fmt.Sprintf("0 to %d parcels", maxSmoothing), "is %d", s.Smoothing)
	}
	c.span("score.maturity", s.Maturity, maxPolicyDuration)
	c.span("score.publish_after", s.PublishAfter, maxPolicyDuration)
	if sum := s.MilestonesWeight + s.SilenceWeight; sum != 100 {
		c.bad("score", "100", "has milestones_weight + silence_weight = %d", sum)
	}
	if sum := s.OnTimeWeight + s.CompletenessWeight + s.PickupWeight + s.ExceptionFreeWeight; sum != 100 {
		c.bad("score", "100", "has the four weights of LTS sum to %d", sum)
	}
}

// checkHolidays reports what is wrong with the holidays of the document.
func (d *policyDecoder) checkHolidays(list []Holiday) {
	for i := range list {
		for _, p := range list[i].Problems() {
			d.problem(fmt.Sprintf("holidays[%d].%s", i, p.Field), p.What, p.Want)
		}
	}
}

// Problems returns what is wrong with the interval or whom it is for.
func (h *Holiday) Problems() []PolicyProblem {
	var c policyCheck
	for i, m := range h.Markets {
		c.market(fmt.Sprintf("markets[%d]", i), m)
	}
	c.names("shops", h.Shops)
	switch {
	case h.From == 0:
		c.bad("from", "when it begins, such as 2026-10-01", "is missing")
	case h.Until == 0:
		c.bad("until", "when it ends, such as 2026-10-08, midnight of which does not belong to it any more", "is missing")
	case h.Until <= h.From:
		c.bad("until", "a time after "+FormatTime(h.From), "is %s", FormatTime(h.Until))
	case h.Until-h.From > maxPolicyDuration.Milliseconds():
		c.bad("until", "at most a year after "+FormatTime(h.From), "is %s", FormatTime(h.Until))
	}
	return c.found
}
