package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"scantrail/bench/oracle"
	"scantrail/schemas"
)

// compareKnown returns every transition in which the table of transitions differs
// from what was known at each tick, and how many were compared.
func (c *cluster) compareKnown(doc *oracle.Document, quarantined map[string]bool) (lines []string, n int) {
	for _, p := range c.parts {
		all, linked := oracle.History(doc, p.all)
		names := map[schemas.ID]string{}
		for name := range linked {
			names[schemas.ParcelID(name)] = name
		}
		type alert struct {
			home string
			id   schemas.ID
		}
		want, got := map[alert][]oracle.Transition{}, map[alert]map[uint64]schemas.Alert{}
		for _, t := range all {
			key := alert{t.Home, t.Alert.ID()}
			want[key] = append(want[key], t)
		}
		keys := slices.Collect(maps.Keys(want))
		for key, changes := range c.tables.changes {
			home := names[key.home]
			for _, a := range changes {
				if a.TrackingNumber == "" {
					home = oracle.OrderKey(a.ShopID, a.OrderID)
				}
			}
			if _, ok := want[alert{home, key.id}]; !ok {
				keys = append(keys, alert{home, key.id})
			}
			got[alert{home, key.id}] = changes
		}
		for _, key := range keys {
			if l, ok := linked[key.home]; !ok || l || quarantined[key.home] {
				continue
			}
			n += len(want[key])
			if text := differ(want[key], got[key]); text != "" {
				lines = append(lines, fmt.Sprintf("partition %d, home %s:\n%s", p.number, key.home, text))
			}
		}
	}
	slices.Sort(lines)
	return lines, n
}

func about(a oracle.About) string {
	return fmt.Sprintf(" %s-%s %s %s %q %s", a.Origin, a.Destination, a.Shop, a.Order, a.Market, a.Policy)
}

// differ compares the transitions of one alert.
func differ(want []oracle.Transition, got map[uint64]schemas.Alert) string {
	var w, g []string
	for i := range want {
		t := &want[i]
		a := &t.Alert
		text := fmt.Sprintf("%d %s clock %s opened %s", t.Offset, a.Status, when(t.Changed*1000), when(t.Opened*1000))
		if a.Status != "withdrawn" {
			text += fmt.Sprintf(" %s level %d ended %s", a.Rule, a.Level, when(a.Ended*1000)) + about(t.About)
		}
		w = append(w, text)
	}
	for _, v := range slices.Sorted(maps.Keys(got)) {
		a := got[v]
		text := fmt.Sprintf("%d %s clock %s opened %s", int64(v>>8&(1<<44-1)), a.Status, when(a.ChangedAt), when(a.OpenedAt))
		if a.Status != schemas.AlertWithdrawn {
			text += fmt.Sprintf(" %s level %d ended %s", a.Rule, a.Level, when(a.EndedAt)) + about(oracle.About{
				Shop: a.ShopID, Order: a.OrderID, Market: a.Market, Origin: a.Origin, Destination: a.Destination, Policy: a.Policy})
		}
		g = append(g, text)
	}
	if slices.Equal(w, g) {
		return ""
	}
	name := ""
	if len(want) > 0 {
		a := &want[0].Alert
		name = fmt.Sprintf("%s %s anchor %s", a.Family, a.Number, when(a.Anchor*1000))
	} else {
		for _, a := range got {
			name = fmt.Sprintf("%s %s %s anchor %s", a.Rule, a.Detail, a.TrackingNumber, when(a.AnchorAt))
		}
	}
	return fmt.Sprintf("  %s\n  want %s\n  got  %s", name, strings.Join(w, "\n       "), strings.Join(g, "\n       "))
}
