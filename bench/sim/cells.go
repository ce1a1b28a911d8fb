package main

import (
	"fmt"
	"slices"
	"strings"
)

// What a long run must have met often: every transition that a rule can make, and
// every fault in every phase. Seldom is no reason to leave one out: only what cannot
// be is left out, with the reason, and met all the same it is listed too.

// handedOver are the transitions of a home that takes over what another one told of
// a parcel, and withdraws it, or tells it anew. Orders and feeds have one home.
const handedOver = "none>wdr wdr>wdr"

// transitionsOf names the transitions of the rules of one kind, in the form of
// coverage: of alerts that are open while something holds, of those that have an
// end, of deadlines, and of the gap. In all of them nothing comes back to none.
var transitionsOf = []struct{ rules, transitions string }{
	// What holds has no end, and nothing warns of it.
	{"channel_not_compliant label_not_platform number_invalid:before_order number_invalid:check number_invalid:destination number_invalid:postcode number_invalid:reused " +
		"virtual_warehouse:abroad virtual_warehouse:no_origin", "none>open open>wdr wdr>open " + handedOver},
	// Nothing warns of these.
	{"exception milestone_missing stage_stalled undeliverable", "none>open none>res open>res open>wdr res>open res>res res>wdr wdr>open wdr>res " + handedOver},
	{"status_mismatch:delivered_not_seen status_mismatch:not_marked_delivered status_mismatch:not_marked_shipped status_mismatch:shipped_not_scanned",
		"none>open none>res open>res open>wdr res>open res>res res>wdr wdr>open wdr>res " + handedOver},
	{"feed_stale", "none>open open>res open>wdr res>res res>wdr wdr>open"},                             // known only after its end: nobody's incident; no reception is undone
	{"feed_stale:upload_lag", "none>open open>res open>wdr res>open res>res res>wdr wdr>open wdr>res"}, // likewise; but more is told of an hour
	{"feed_stale:key_expiring", "none>open open>res open>wdr res>open wdr>open"},                       // by documents alone, which say nothing of what is over
	{"first_scan_upload_late", "none>res res>res res>wdr wdr>res " + handedOver},                       // over when it is known
	// No fact of an order is undone: what orders judge themselves stays resolved, or
	// is withdrawn. Only holidays push a limit out: not that of an answer to a buyer.
	{"cancel_unhandled", "none>open none>res none>risk open>res open>wdr res>res res>wdr risk>open risk>res risk>wdr wdr>open wdr>res wdr>risk"},
	{"confirm_late label_late", "none>open none>res none>risk open>res open>risk open>wdr res>res res>wdr risk>open risk>res risk>wdr wdr>open wdr>res wdr>risk"},
	// More time for a delivery is another anchor, and so another alert.
	{"delivered_late", "none>open none>res none>risk open>res open>wdr res>open res>res res>risk res>wdr risk>open risk>res risk>wdr wdr>open wdr>res wdr>risk " + handedOver},
	{"carrier_pickup_late pickup_late shipped_late", "none>open none>res none>risk open>res open>risk open>wdr res>open res>res res>risk res>wdr " +
		"risk>open risk>res risk>wdr wdr>open wdr>res wdr>risk " + handedOver},
	{"gap", "none>risk none>open none>esc none>res risk>open risk>esc risk>res risk>wdr open>risk open>esc open>res open>wdr esc>risk esc>open esc>res esc>wdr " +
		"res>risk res>open res>esc res>res res>wdr wdr>risk wdr>open wdr>esc wdr>res " + handedOver},
}

// toldAnew are the transitions without a change, in which a home tells what another
// one had told otherwise: it looks neither at the rule nor at the status then, so
// that they count together, as one cell. (res>res is another end as well.)
var toldAnew = []string{"risk>risk", "open>open", "esc>esc"}

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

// expected are the transitions that can be, by rule.
func expected() map[[2]string]bool {
	all := map[[2]string]bool{}
	for _, t := range transitionsOf {
		for _, rule := range strings.Fields(t.rules) {
			for _, transition := range strings.Fields(t.transitions) {
				all[[2]string{rule, transition}] = true
			}
		}
	}
	return all
}

// below lists the cells that were met less often than n times.
func (c *coverage) below(n int) (lines []string) {
	look := func(row, column string, met int) {
		if met < n {
			lines = append(lines, fmt.Sprintf("%s %s: %d", row, column, met))
		}
	}
	for k := range expected() {
		look(k[0], k[1], c.transitions[k])
	}
	for _, f := range faultsOf {
		for _, phase := range strings.Fields(f.phases) {
			for _, fault := range strings.Split(f.faults, ",") {
				look(phase, fault, c.faults[[2]string{phase, fault}])
			}
		}
	}
	anew := 0
	for k, met := range c.transitions {
		if slices.Contains(toldAnew, k[1]) {
			anew += met
		}
	}
	look("any rule", strings.Join(toldAnew, ", "), anew)
	slices.Sort(lines)
	return lines
}

// impossible lists the transitions that were met although they are left out as what
// cannot be.
func (c *coverage) impossible() (lines []string) {
	can := expected()
	for k, met := range c.transitions {
		of := [2]string{k[0], "none>wdr"} // only what is handed over is told anew
		if !can[k] && !(slices.Contains(toldAnew, k[1]) && can[of]) {
			lines = append(lines, fmt.Sprintf("%s %s: %d", k[0], k[1], met))
		}
	}
	slices.Sort(lines)
	return lines
}
