package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"scantrail/schemas"
)

// coverage counts what has happened in all seeds together.
type coverage struct {
	faults      map[[2]string]int // phase, fault
	transitions map[[2]string]int // rule, transition
}

func newCoverage() *coverage {
	return &coverage{faults: map[[2]string]int{}, transitions: map[[2]string]int{}}
}

// add counts what another has counted.
func (c *coverage) add(o *coverage) {
	for k, n := range o.faults {
		c.faults[k] += n
	}
	for k, n := range o.transitions {
		c.transitions[k] += n
	}
}

func (c *coverage) fault(fault, phase string) { c.faults[[2]string{phase, fault}]++ }

func (c *coverage) transition(rule, detail string, from, to schemas.AlertStatus) {
	if rule == "gap_48h" || rule == "gap_72h" {
		rule, detail = "gap", ""
	}
	if detail != "" {
		rule += ":" + detail
	}
	c.transitions[[2]string{rule, short(from) + ">" + short(to)}]++
}

func short(s schemas.AlertStatus) string {
	return [...]string{"none", "risk", "open", "esc", "res", "wdr"}[s]
}

// String prints both counts as tables.
func (c *coverage) String() string { return table(c.transitions) + "\n" + table(c.faults) }

func table(cells map[[2]string]int) string {
	rows, columns := map[string]bool{}, map[string]bool{}
	for k := range cells {
		rows[k[0]], columns[k[1]] = true, true
	}
	var b strings.Builder
	heads := slices.Sorted(maps.Keys(columns))
	fmt.Fprintf(&b, "%-36s", "")
	for _, h := range heads {
		fmt.Fprintf(&b, " %*s", max(8, len(h)), h)
	}
	b.WriteByte('\n')
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&b, "%-36s", row)
		for _, h := range heads {
			text := "-"
			if n := cells[[2]string{row, h}]; n > 0 {
				text = fmt.Sprint(n)
			}
			fmt.Fprintf(&b, " %*s", max(8, len(h)), text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
