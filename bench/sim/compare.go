package main

import (
	"fmt"
	"slices"
	"strings"

	"scantrail/bench/oracle"
	"scantrail/schemas"
)

// verdict writes what both sides say of one alert.
type verdict struct {
	rule, detail, number string
	anchor               int64
	level                uint8
	status               string
	ended                int64
}

func (v verdict) String() string {
	ended := ""
	if v.ended != 0 {
		ended = " ended " + when(v.ended*1000)
	}
	return fmt.Sprintf("%s %s %s anchor %s level %d %s%s", v.rule, v.detail, v.number, when(v.anchor*1000), v.level, v.status, ended)
}

// exempt names numbers and order keys of which not all is compared.
type exempt struct {
	quarantined map[string]bool // what was resolved stands as it was known
	kept        map[string]bool // judged by policies of before
}

// compare returns every alert in which the table differs from the oracle, one a
// line. Alerts at risk and withdrawn are not looked at.
func compare(want []oracle.Alert, table map[schemas.ID]schemas.Alert, but exempt) []string {
	expected := map[schemas.ID]verdict{}
	for i := range want {
		a := &want[i]
		if a.Status == "at_risk" || but.kept[a.Entity] {
			continue
		}
		expected[a.ID()] = verdict{a.Rule, a.Detail, a.Number, a.Anchor, a.Level, a.Status, a.Ended}
	}
	var lines []string
	for id, a := range table {
		if a.Rule == schemas.RuleFeedStale {
			continue // compared as it was known
		}
		if but.kept[a.TrackingNumber] || a.TrackingNumber == "" && but.kept[oracle.OrderKey(a.ShopID, a.OrderID)] {
			continue
		}
		got := verdict{a.Rule, a.Detail, a.TrackingNumber, a.AnchorAt / 1000, a.Level, a.Status.String(), a.EndedAt / 1000}
		if a.Rule == "milestone_missing" {
			got.detail = a.Milestone.String()
		}
		w, ok := expected[id]
		if ok {
			got.number = w.number // the id holds it; the row names the number of its home
		}
		delete(expected, id)
		switch live := a.Status != schemas.AlertAtRisk && a.Status != schemas.AlertWithdrawn; {
		case ok && (!live || w != got):
			lines = append(lines, fmt.Sprintf("want %v\n     got  %v", w, got))
		case !ok && live && but.quarantined[a.TrackingNumber] && a.Status == schemas.AlertResolved: // stands as it was known
		case !ok && live:
			lines = append(lines, fmt.Sprintf("want nothing\n     got  %v", got))
		}
	}
	for _, w := range expected {
		lines = append(lines, fmt.Sprintf("want %v\n     got  nothing", w))
	}
	slices.Sort(lines)
	return lines
}

// kinds returns which rules differences are about, to tell mismatches apart.
func kinds(lines []string) string {
	var all []string
	for _, l := range lines {
		f := strings.Fields(strings.ReplaceAll(l, "nothing", "none x"))
		got := strings.Fields(l[strings.Index(l, "got"):])
		all = append(all, f[1]+"/"+got[1])
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}
