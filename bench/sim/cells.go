package main

import (
	"fmt"
	"slices"
	"strings"
)

// What a long run must have met often: every transition that a rule can make, and
// every fault in every phase. What cannot be is left out, with the reason.

// transitionsOf names the transitions of the rules of one kind, in the form of
// coverage: of alerts that are open while something holds, of those that have an
// end, of deadlines, and of the gap.
var transitionsOf = []struct{ rules, transitions string }{
	{"channel_not_compliant label_not_platform number_invalid:before_order number_invalid:check number_invalid:destination number_invalid:postcode number_invalid:reused " +
		"virtual_warehouse:abroad virtual_warehouse:no_origin", "none>open open>wdr wdr>open"},
	{"exception milestone_missing stage_stalled undeliverable", "none>open none>res open>res open>wdr res>open res>res res>wdr wdr>open wdr>res"},
	{"feed_stale", "none>open open>res open>wdr res>res res>wdr"},  // known only after its end: nobody's incident
	{"first_scan_upload_late", "none>res res>res res>wdr wdr>res"}, // over when it is known
	// What orders judge themselves can only become earlier: no later fact opens it again.
	{"cancel_unhandled confirm_late label_late", "none>open none>res none>risk open>res open>wdr res>res res>wdr risk>open risk>res risk>wdr"},
	// More time for a delivery is another anchor, and so another alert.
	{"delivered_late", "none>open none>res none>risk open>res open>wdr res>open res>res res>wdr risk>open risk>res risk>wdr wdr>open wdr>res"},
	{"carrier_pickup_late pickup_late shipped_late",
		"none>open none>res none>risk open>res open>risk open>wdr res>open res>res res>wdr risk>open risk>res risk>wdr wdr>open wdr>res"},
	// The grace has no warning.
	{"status_mismatch:not_marked_delivered", "none>open none>res open>res open>wdr res>res res>wdr wdr>open wdr>res"}, // no void for an order's fact
	{"status_mismatch:delivered_not_seen status_mismatch:not_marked_shipped status_mismatch:shipped_not_scanned",
		"none>open none>res open>res open>wdr res>open res>res res>wdr wdr>open wdr>res"},
	// Resolved, a gap was open: at risk it comes back under another policy only.
	{"gap", "none>risk none>open none>esc none>res risk>open risk>esc risk>res risk>wdr open>risk open>esc open>res open>wdr esc>risk esc>open esc>res esc>wdr " +
		"res>open res>esc res>res res>wdr wdr>risk wdr>open wdr>esc wdr>res"},
}

// faultsOf names the faults of the phases.
var faultsOf = []struct{ phases, faults string }{
	{"alerts statuses copies parcels orders archives asks commit snapshot", "crash before,crash after,failed,failed but done,zombie"},
	{"apply", "crash after"},
	{"asks", "answered,came back"},
	{"control", "another before,older after,again,switched"},
	{"copies", "again later"},
	{"ingest", "crash before commit,stuck,twice"},
	{"rebalance", "storm,zombie"},
	{"restore", "old snapshot,torn snapshot"},
	{"snapshot", "damaged,torn"},
	{"tick", "lost,doubled,out of order,skew"},
}

// below lists the cells that were met less often than n times.
func (c *coverage) below(n int) (lines []string) {
	look := func(cells map[[2]string]int, row, column string) {
		if met := cells[[2]string{row, column}]; met < n {
			lines = append(lines, fmt.Sprintf("%s %s: %d", row, column, met))
		}
	}
	for _, t := range transitionsOf {
		for _, rule := range strings.Fields(t.rules) {
			for _, transition := range strings.Fields(t.transitions) {
				look(c.transitions, rule, transition)
			}
		}
	}
	for _, f := range faultsOf {
		for _, phase := range strings.Fields(f.phases) {
			for _, fault := range strings.Split(f.faults, ",") {
				look(c.faults, phase, fault)
			}
		}
	}
	slices.Sort(lines)
	return lines
}
