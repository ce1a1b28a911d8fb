package oracle

import "slices"

// About says what an alert is about besides, as of one of its transitions.
type About struct {
	Shop, Order, Market, Origin, Destination, Policy string

	Stage                             uint8
	Carrier, Facility, Country, Cause string
	Silent                            int64
	Held                              bool
}

// updates returns the last update of a life up to a time, nil without one, and
// the highest forward milestone of those.
func (l *life) updates(until int64) (last *fact, highest uint8) {
	for i := range l.all {
		f := &l.all[i]
		if !f.progress || f.at > until {
			continue
		}
		last = f
		if f.forward() {
			highest = max(highest, f.milestone)
		}
	}
	return last, highest
}

// about is definition 33.
func (j *judge) about(a *Alert, stalled []string) About {
	about := About{Origin: j.origin, Destination: j.dest, Policy: j.p.Name}
	before, stage := j.life.updates(a.Anchor)
	last, furthest := j.life.updates(1 << 62)
	about.Stage = stage
	at := last
	if a.Family == "gap" {
		at = before
	}
	if at != nil {
		about.Carrier, about.Facility, about.Country = at.carrier, at.place, at.country
	}
	if o := j.life.main; o != nil {
		about.Shop, about.Order, about.Market = o.shop, o.id, o.market
		if about.Carrier == "" {
			about.Carrier = o.carrier
		}
	}
	until := j.now
	if a.Ended != 0 {
		until = a.Ended
	}
	if a.Family == "gap" {
		about.Silent = until - a.Anchor
	} else if last != nil {
		about.Silent = max(0, until-last.at)
	}
	lasts := a.Status != "resolved"
	about.Held = lasts && slices.Contains(stalled, about.Carrier)
	back := slices.ContainsFunc(j.life.all, func(f fact) bool { return f.progress && f.milestone == 120 && f.at <= a.Anchor })
	about.Cause = cause(a, about.Held, situation{milestoneOf(before), milestoneOf(last), stage, furthest, lasts, back})
	return about
}

func milestoneOf(f *fact) uint8 {
	if f == nil {
		return 0
	}
	return f.milestone
}

// situation is what a cause depends on: at, last and furthest of definition 34,
// the stage of the alert, and whether it lasts.
type situation struct {
	at, last, stage, furthest uint8
	lasts                     bool
	back                      bool // the way back had begun by the anchor
}

func trouble(m uint8) string {
	switch m {
	case 12:
		return "pickup_failed"
	case 41, 43, 71, 73, 108:
		return "customs_hold"
	case 91:
		return "attempt_failed"
	case 92:
		return "not_collected"
	case 100:
		return "delayed_by_carrier"
	case 101:
		return "held_by_carrier"
	case 102:
		return "address_issue"
	case 103:
		return "misrouted"
	case 104, 105, 106:
		return "lost_or_damaged"
	case 120:
		return "return_started"
	}
	return ""
}

// cause is definition 34, for a parcel's alert.
func cause(a *Alert, held bool, s situation) string {
	silent := a.Family == "gap"
	switch {
	case held && (silent || a.Rule == "stage_stalled"):
		return "carrier_feed_silent"
	case silent && (s.at == 120 || s.at == 121):
		return "silent_on_return"
	case silent && trouble(s.at) != "":
		return trouble(s.at)
	case silent && s.back:
		return "silent_on_return"
	case silent:
		return []string{"missed_pickup_scan", "missed_pickup_scan", "silent_after_pickup", "silent_in_export_customs", "silent_in_linehaul", "silent_after_arrival",
			"silent_in_import_customs", "silent_in_last_mile", "silent_in_last_mile", "missed_pickup_scan"}[group(s.stage)]
	case a.Rule == "milestone_missing":
		if s.furthest > milestoneNamed(a.Detail) && s.furthest != 57 {
			return "milestone_not_reported"
		}
		return "milestone_overdue"
	case a.Rule == "stage_stalled" && (s.at == 120 || s.at == 121):
		return "stuck_on_return"
	case a.Rule == "stage_stalled" && trouble(s.last) != "":
		return trouble(s.last)
	case a.Rule == "stage_stalled":
		return []string{"stuck_at_origin", "stuck_at_origin", "stuck_at_origin", "stuck_in_export_customs", "stuck_in_linehaul", "stuck_after_arrival",
			"stuck_in_import_customs", "stuck_in_last_mile", "stuck_in_last_mile", "stuck_at_origin"}[group(s.stage)]
	case a.Rule == "undeliverable" || a.Rule == "exception":
		if c := trouble(s.at); c != "" {
			return c
		}
		return "stopped_by_carrier"
	case a.Detail == "delivered_not_seen":
		return "delivery_not_seen"
	case a.Rule == "delivered_late" && s.furthest != 0:
		if c := trouble(s.last); c != "" && s.lasts {
			return c
		}
		return "carrier_late"
	case a.Detail == "shipped_not_scanned" || slices.Contains([]string{"pickup_late", "carrier_pickup_late", "shipped_late", "delivered_late"}, a.Rule):
		return late(a, s)
	}
	return always(a)
}

func late(a *Alert, s situation) string {
	switch {
	case !s.lasts && s.furthest != 0:
		return "picked_up_late"
	case s.last == 12:
		return "pickup_failed"
	case s.furthest != 0:
		return "missed_pickup_scan"
	case a.Detail == "shipped_not_scanned":
		return "marked_without_scan"
	}
	return "no_scan_since_label"
}

// always is the cause of rules that have one only, by the table of causes.
func always(a *Alert) string {
	return map[string]string{
		"first_scan_upload_late": "scan_uploaded_late", "virtual_warehouse:no_origin": "no_origin_leg", "virtual_warehouse:abroad": "trail_starts_abroad",
		"number_invalid:check": "number_format_wrong", "number_invalid:reused": "number_reused", "number_invalid:before_order": "scans_before_order",
		"number_invalid:destination": "other_destination", "number_invalid:postcode": "other_postcode", "channel_not_compliant": "channel_not_approved",
		"label_not_platform": "label_by_seller", "confirm_late": "shop_late", "label_late": "shop_late", "cancel_unhandled": "cancel_unanswered",
		"status_mismatch:not_marked_shipped": "order_status_behind", "status_mismatch:not_marked_delivered": "order_status_behind",
	}[a.Family]
}

// causeOfOrder is definition 34 for an order's own alert.
func causeOfOrder(a *Alert) string {
	switch a.Rule {
	case "status_mismatch":
		return "marked_without_scan"
	case "pickup_late", "shipped_late", "delivered_late":
		return "shop_late"
	}
	return always(a)
}

// Stages are those of parcel.status, on the way and exception.
var Stages = [7]string{"shipped", "in_transit", "arrived_in_destination", "out_for_delivery", "delivered", "returned", "exception"}

// stages is the first half of definition 35.
func (l *life) stages() (at [7]int64) {
	for i := range at {
		at[i] = never
	}
	for i := range l.trail {
		s := &l.trail[i]
		if !s.phys && !s.progress {
			continue
		}
		show := func(stage int, is bool) {
			if is && at[stage] == never {
				at[stage] = s.at
			}
		}
		m := s.milestone
		show(0, m == 20 || s.phys && m != 12)
		show(1, m >= 51 && m <= 57)
		show(2, m >= 60 && m <= 83)
		show(3, m == 90)
		show(4, m == 95)
		show(5, m == 129)
		show(6, slices.Contains([]uint8{12, 41, 43, 71, 73, 91, 120, 121}, m) || m >= 100 && m <= 108)
	}
	return at
}
