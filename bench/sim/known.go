package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"scantrail/bench/oracle"
	"scantrail/schemas"
)

// compareKnown returns every transition and every stage in which the tables differ
// from what was known at each tick, and how many were compared.
func (c *cluster) compareKnown(docs map[string]*oracle.Document, quarantined map[string]bool) (lines []string, n int) {
	moves := oracle.Moves{}
	replays := make([]oracle.Replay, len(c.parts))
	for round := 0; round <= len(moves); round++ { // what is handed over may be handed on
		for i, p := range c.parts {
			replays[i] = oracle.History(docs, moves, p.all)
		}
	}
	for i, p := range c.parts {
		known, names := replays[i], map[schemas.ID]string{}
		for _, name := range known.Names {
			names[schemas.ParcelID(name)] = name
		}
		skip := func(home string) bool {
			return names[schemas.ParcelID(home)] == "" || quarantined[home] || known.Left[home]
		}
		compared := c.compareTransitions(known.All, names, skip)
		n += len(known.All)
		for _, text := range append(compared, c.compareStages(known.Reached, names, skip)...) {
			lines = append(lines, fmt.Sprintf("partition %d, home %s", p.number, text))
		}
	}
	slices.Sort(lines)
	return lines, n
}

func (c *cluster) compareTransitions(all []oracle.Transition, names map[schemas.ID]string, skip func(string) bool) (lines []string) {
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
			if a.TrackingNumber == "" && a.Rule != schemas.RuleFeedStale {
				home = oracle.OrderKey(a.ShopID, a.OrderID)
			}
		}
		if _, ok := want[alert{home, key.id}]; !ok {
			keys = append(keys, alert{home, key.id})
		}
		got[alert{home, key.id}] = changes
	}
	for _, key := range keys {
		if skip(key.home) {
			continue
		}
		if text := differ(want[key], got[key]); text != "" {
			lines = append(lines, key.home+":\n"+text)
		}
	}
	return lines
}

// compareStages compares parcel.status.
func (c *cluster) compareStages(all []oracle.Reached, names map[schemas.ID]string, skip func(string) bool) (lines []string) {
	want, got := map[string][]string{}, map[string][]string{}
	text := func(r oracle.Reached) string {
		return fmt.Sprintf("%d %s at %s clock %s %s %s", r.Offset, r.Stage, when(r.At*1000), when(r.Changed*1000), r.Shop, r.Order)
	}
	homes := map[string]bool{}
	for _, r := range all {
		want[r.Home], homes[r.Home] = append(want[r.Home], text(r)), true
	}
	for id, told := range c.tables.statuses {
		home := names[id]
		homes[home] = true
		for _, v := range slices.Sorted(maps.Keys(told)) {
			s := told[v]
			got[home] = append(got[home], text(oracle.Reached{Offset: offsetOf(v), Stage: s.Stage, At: s.At / 1000, Changed: s.ChangedAt / 1000, Shop: s.ShopID, Order: s.OrderID}))
		}
	}
	for home := range homes {
		if !skip(home) && !slices.Equal(want[home], got[home]) {
			lines = append(lines, fmt.Sprintf("%s: stages\n  want %s\n  got  %s", home, strings.Join(want[home], "\n       "), strings.Join(got[home], "\n       ")))
		}
	}
	return lines
}

func offsetOf(version uint64) int64 { return int64(version >> 8 & (1<<44 - 1)) }

func about(a oracle.About) string {
	return fmt.Sprintf(" %s-%s %s %s %q %s stage %d carrier %q %q %q cause %s silent %d held %t", a.Origin, a.Destination, a.Shop, a.Order, a.Market, a.Policy,
		a.Stage, a.Carrier, a.Facility, a.Country, a.Cause, a.Silent, a.Held)
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
		text := fmt.Sprintf("%d %s clock %s opened %s", offsetOf(v), a.Status, when(a.ChangedAt), when(a.OpenedAt))
		if a.Status != schemas.AlertWithdrawn {
			text += fmt.Sprintf(" %s level %d ended %s", a.Rule, a.Level, when(a.EndedAt)) + about(oracle.About{
				Shop: a.ShopID, Order: a.OrderID, Market: a.Market, Origin: a.Origin, Destination: a.Destination, Policy: a.Policy,
				Stage: uint8(a.Stage), Carrier: a.Carrier, Facility: a.Facility, Country: a.Country, Cause: a.Cause, Silent: int64(a.SilentSecs), Held: a.Held})
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
