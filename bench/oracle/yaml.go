package oracle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// YAML writes a document in the language of policy files, every figure of it.
func (d *Document) YAML() string { return d.yaml(nil) }

// ShortYAML writes a document whose first policy extends the built-in policy
// default, the others the first, and which state what differs only: such a
// document is read faster.
func (d *Document) ShortYAML(builtin Policy) string { return d.yaml(&builtin) }

func (d *Document) yaml(builtin *Policy) string {
	var b strings.Builder
	b.WriteString("policies:\n")
	for i := range d.Policies {
		p := &d.Policies[i]
		fmt.Fprintf(&b, "  - name: %s\n", p.Name)
		known := map[string]bool{"": true}
		if builtin != nil {
			fmt.Fprintf(&b, "    extends: %s\n", builtin.Name)
			for _, line := range builtin.lines() {
				known[line] = true
			}
			builtin = &d.Policies[0]
		}
		for _, line := range p.lines() {
			if !known[line] {
				b.WriteString("    " + line + "\n")
			}
		}
	}
	if len(d.Holidays) > 0 {
		b.WriteString("holidays:\n")
	}
	when := func(s int64) string { return time.Unix(s, 0).UTC().Format(time.RFC3339) }
	for _, h := range d.Holidays {
		fmt.Fprintf(&b, "  - {shops: %s, markets: %s, from: %q, until: %q}\n", quoted(h.Shops), quoted(h.Markets), when(h.From), when(h.Until))
	}
	if len(d.Keys) > 0 {
		b.WriteString("keys:\n")
	}
	for _, k := range d.Keys {
		if k.Expires != 0 {
			fmt.Fprintf(&b, "  - {carrier: %q, expires: %q}\n", k.Carrier, when(k.Expires))
		} else {
			fmt.Fprintf(&b, "  - {carrier: %q, issued: %q}\n", k.Carrier, when(k.Issued))
		}
	}
	return b.String()
}

// lines returns one line for each key of the policy.
func (p *Policy) lines() []string {
	var all []string
	line := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	line("when: {markets: %s, shops: %s, lanes: %s, carriers: %s}", quoted(p.Markets), quoted(p.Shops), quoted(p.Lanes), quoted(p.Carriers))
	clock := "progress"
	if p.Physical {
		clock = "physical"
	}
	line("gap: {clock: %s, at_risk: %ds, open: %ds, escalate: %ds, overrides: %s}", clock, p.Risk, p.Open, p.Escalate, joined(p.Gaps, func(o Override) string {
		return fmt.Sprintf("{stages: %s, lanes: %s, at_risk: %ds, open: %ds, escalate: %ds}", stageNames(o.Stages), quoted(o.Lanes), o.Risk, o.Open, o.Expire)
	}))
	line("milestones: %s", joined(p.Required, func(r Required) string {
		lanes := "any"
		if r.CrossBorder {
			lanes = "cross_border"
		}
		return fmt.Sprintf("{milestone: %s, lanes: %s, satisfied_by: %s, excused_by: %s, since: %s, after: %ds}",
			r.Name, lanes, names(r.Satisfied), names(r.Excused), names(r.Since), r.After)
	}))
	line("stage_stalled: {after: %ds, overrides: %s}", p.Stay, joined(p.Stays, func(o Override) string {
		return fmt.Sprintf("{stages: %s, lanes: %s, after: %ds}", stageNames(o.Stages), quoted(o.Lanes), o.Open)
	}))
	line("undeliverable: %s", names(p.Undeliverable))
	line("exception: %s", names(p.Exception))
	line("first_scan_upload_late: %ds", p.UploadLate)
	line("virtual_warehouse: %t", p.Warehouse)
	line("label_not_platform: %t", p.SellerLabel)
	line("channels: %s", quoted(p.Channels))
	line("number_invalid: {on: %t, reused_within: %ds, before_order: %ds}", p.Numbers, p.Reused, p.BeforeOrder)
	line("status_mismatch: {grace: %ds, reverse: %t}", p.Grace, p.Reverse)
	p.yamlDeadlines(line)
	line("calendar: {zone: %q, holidays: [%s]}", p.Zone.String(), strings.Join(p.DaysOff, ", "))
	line("score: {milestones_weight: 60, silence_weight: 40, on_time_weight: 40, completeness_weight: 30, pickup_weight: 20, exception_free_weight: 10, completeness_required: 85, lts_required: 75, exposure_lost: 35, ship_kpi_required: 90, confirm_late_allowed: 5, smoothing: 20, maturity: 720h, publish_after: 504h}")
	return all
}

func (p *Policy) yamlDeadlines(line func(string, ...any)) {
	rules := make([]string, 0, len(p.Deadlines))
	for rule := range p.Deadlines {
		rules = append(rules, rule)
	}
	slices.Sort(rules)
	for _, rule := range rules {
		d := p.Deadlines[rule]
		since := ""
		switch d.Since {
		case 1:
			since = ", since: created"
		case 2:
			since = ", since: confirmed"
		}
		line("%s: {after: %s, warn: %ds%s}", rule, d.After, d.Warn, since)
	}
	line("promise: %s", joined(p.Promises, func(x Promise) string {
		return fmt.Sprintf("{markets: %s, within: %s}", quoted(x.Markets), x.Within)
	}))
}

// String writes a span as policy files do.
func (s Span) String() string {
	if s.Days > 0 {
		return strconv.FormatInt(s.Days, 10) + "wd"
	}
	return strconv.FormatInt(s.Secs, 10) + "s"
}

func joined[T any](list []T, f func(T) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = f(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func quoted(list []string) string { return joined(list, strconv.Quote) }

func stageNames(list []uint8) string {
	return joined(list, func(s uint8) string {
		return strings.Fields("none announced origin export linehaul arrival import destination delivery return")[s]
	})
}

// milestoneNames pairs the number of each milestone with its name.
const milestoneNames = `10 label_created 11 pickup_scheduled 12 pickup_failed 20 accepted
 30 origin_facility_arrived 31 origin_facility_departed 40 export_customs_started 41 export_customs_held 42 export_cleared
 43 export_rejected 50 handed_to_linehaul 51 departed_origin 55 transit_hub_arrived 56 transit_hub_departed 57 in_transit
 60 arrived_destination 70 import_customs_started 71 import_customs_held 72 import_cleared 73 import_rejected
 80 handed_to_last_mile 81 destination_facility_arrived 82 destination_facility_departed 83 delivery_facility_arrived
 90 out_for_delivery 91 delivery_attempted 92 available_for_pickup 95 delivered 100 delayed 101 held 102 address_issue
 103 misrouted 104 damaged 105 lost 106 destroyed 107 cancelled 108 seized 120 return_started 121 return_in_transit
 129 returned 140 number_changed 141 tracking_ended 142 info`

// milestoneNamed returns the number of a milestone.
func milestoneNamed(name string) uint8 {
	fields := strings.Fields(milestoneNames)
	m, err := strconv.ParseUint(fields[slices.Index(fields, name)-1], 10, 8)
	if err != nil {
		panic(err)
	}
	return uint8(m)
}

func names(list []uint8) string {
	fields := strings.Fields(milestoneNames)
	return joined(list, func(m uint8) string { return fields[slices.Index(fields, strconv.Itoa(int(m)))+1] })
}
