package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"scantrail/schemas"
)

// What SQL cannot tell, or not for sure. These are counted, not compared.
const (
	dueBetween = "they came due between the last sign of the detector''s clock and the last tick"
	heardLater = "heard of after the last tick"
)

// hardEnds are the milestones that end a trail for good.
var hardEnds = fmt.Sprintf("(%d, %d, %d, %d)", schemas.Delivered, schemas.Destroyed, schemas.Cancelled, schemas.Returned)

// documents returns every policy document that was ever in force.
func (a *audit) documents(ctx context.Context) ([]*schemas.Policies, error) {
	var docs []*schemas.Policies
	err := a.each(ctx, "SELECT DISTINCT document FROM policies FINAL", func(scan func(...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		doc, err := schemas.ParsePolicies([]byte(text))
		if err != nil {
			return fmt.Errorf("table policies: %w", err)
		}
		docs = append(docs, doc)
		return nil
	})
	return docs, err
}

// plainRules returns a rule of each policy, by its name, where SQL can apply it and
// it is the same in every document: what has ended keeps the document of its end.
func plainRules[T any](docs []*schemas.Policies, of func(*schemas.Policy) (rule T, plain bool)) map[string]T {
	rules, other := map[string]T{}, map[string]bool{}
	for _, doc := range docs {
		for i := range doc.List {
			p := &doc.List[i]
			rule, plain := of(p)
			if was, seen := rules[p.Name]; !plain || seen && !reflect.DeepEqual(was, rule) {
				other[p.Name] = true
			}
			rules[p.Name] = rule
		}
	}
	for name := range other {
		delete(rules, name)
	}
	return rules
}

// byPolicy is the SQL of a figure in seconds by the name of a policy, 0 for one
// that has none.
func byPolicy[T any](rules map[string]T, name string, of func(T) int64) string {
	var names, figures []string
	for _, n := range slices.Sorted(maps.Keys(rules)) {
		names, figures = append(names, sqlLiteral(n)), append(figures, fmt.Sprintf("toInt64(%d)", of(rules[n])))
	}
	if names == nil {
		return "toInt64(0)"
	}
	return fmt.Sprintf("transform(toString(%s), [%s], [%s], toInt64(0))", name, strings.Join(names, ","), strings.Join(figures, ","))
}

// sqlLiteral is a text as SQL writes it.
func sqlLiteral(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func sqlLiterals(list []string) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = sqlLiteral(s)
	}
	return strings.Join(all, ", ")
}

// alertCheck compares the alerts of some rules with what SQL alone calls for.
type alertCheck struct {
	name  string
	rules []string
	of    string // what a key of a difference names: parcel or order
	says  string // of what is expected and what is stored
	means string
	query func(logPartition, logClock) string
}

func (a *audit) eachPartition(ctx context.Context, c alertCheck) error {
	for _, p := range a.state.log {
		clock, err := a.judged(ctx, p)
		if err != nil {
			return err
		}
		if err := a.compareAlerts(ctx, c, c.query(p, clock)); err != nil {
			return err
		}
		a.say("P4 %s: partition %d of %d", c.name, p.id+1, len(a.state.log))
	}
	return nil
}

// leftOutRow is what a query says of those that it did not compare.
type leftOutRow struct {
	why string
	n   int64
}

func (a *audit) compareAlerts(ctx context.Context, c alertCheck, query string) error {
	var reasons []leftOutRow
	var n int64
	found, err := a.persistent(ctx, func() (map[string]string, error) {
		all := map[string]string{}
		n, reasons = 0, nil
		err := a.each(ctx, query, func(scan func(...any) error) error {
			var r leftOutRow
			var lines []string
			if err := scan(&r.why, &r.n, &lines); err != nil {
				return err
			}
			if r.why == "" {
				n = r.n
			} else {
				reasons = append(reasons, r)
			}
			for _, line := range lines {
				key, what, _ := strings.Cut(line, "\t")
				all[key] = what
			}
			return nil
		})
		return all, err
	})
	if err != nil {
		return err
	}
	a.compared(n, c.of+"s")
	for _, r := range reasons {
		a.leftOut(int(r.n), r.why)
	}
	a.eachFound(found, func(key, what string) {
		expected, stored, _ := strings.Cut(what, "\t")
		a.violated(c.of+" "+key, fmt.Sprintf(c.says, alertsText(expected), alertsText(stored)), c.means,
			"audit its partition with --replay: where that agrees with alerts, the facts were altered, or it is a fault of ours to report with what is known of this "+c.of)
	})
	return nil
}

// alertsText is a list of alerts as ClickHouse writes it: times are Unix seconds, an
// end of 0 is none yet.
func alertsText(s string) string {
	if s == "[]" {
		return "none"
	}
	return s
}

// clockSQL names what is known of the detector's clock in a partition, in Unix
// seconds: it lies between earliest and latest, and for what has orders not after
// forwarded, where that is not 0.
func (a *audit) clockSQL(p logPartition, clock logClock) string {
	known := a.clocks[p.id] / 1000
	return fmt.Sprintf(`
    toInt64(%d) AS latest, toInt64(%d) AS forwarded,
    greatest(toInt64(%d), (SELECT toInt64(toUnixTimestamp(max(updated_at))) FROM parcels WHERE %[4]s),
        (SELECT toInt64(toUnixTimestamp(max(changed_at))) FROM alerts WHERE tracking_number != '' AND %[4]s)) AS earliest`,
		cmp.Or(known, clock.at), clock.forwarded, known, a.ownPartition("tracking_number", p.id))
}

// offsetSQL is the offset in the version of a row.
const offsetSQL = "bitAnd(bitShiftRight(version, 8), 17592186044415)"

// trailSQL names the trail of each number of a partition (time, milestone, progress,
// physical, in order), its lives, and the alerts of some rules that are open,
// escalated or resolved: (anchor, end, what) each.
func (a *audit) trailSQL(p logPartition, clock logClock, what string, rules []string) string {
	own := a.ownPartition("tracking_number", p.id)
	return a.clockSQL(p, clock) + fmt.Sprintf(`,
    facts AS (
        SELECT tracking_number, argMin(toInt64(toUnixTimestamp(effective_at)), (-toInt64(mapping_version), effective_at)) AS sec,
            argMin((milestone_no, progress, physical), (-toInt64(mapping_version), offset)) AS what, max(offset) AS last, max(received_at) AS heard
        FROM scans WHERE partition = %d AND fact_id NOT IN (SELECT event_fact_id FROM voids) GROUP BY tracking_number, fact_id
    ),
    trails AS (
        SELECT tracking_number, arraySort(groupArray((sec, what.1, what.2, what.3))) AS f, max(last) AS last, max(heard) AS heard FROM facts GROUP BY tracking_number
    ),
    lives AS (
        SELECT tracking_number, count() AS n, any(policy) AS policy, max(order_id) != '' AS ordered, max(facts) AS facts, max(cancelled_at) AS cancelled,
            any(market) AS market, any(origin) AS origin, any(destination) AS destination, max(%s) AS at
        FROM parcels FINAL WHERE %[3]s GROUP BY tracking_number
    ),
    stored AS (
        SELECT tracking_number, arraySort(groupArray((toInt64(toUnixTimestamp(anchor_at)), ifNull(toInt64(toUnixTimestamp(ended_at)), 0), %[4]s))) AS alerts
        FROM alerts FINAL WHERE rule IN (%[5]s) AND status IN ('open', 'escalated', 'resolved') AND %[3]s GROUP BY tracking_number
    )`, p.id, offsetSQL, own, what, sqlLiterals(rules))
}

// leftOutSQL is the part of a multiIf that says of which parcels SQL makes nothing.
// It needs number, n, facts, cancelled, f, last and at.
func leftOutSQL(p logPartition) string {
	return fmt.Sprintf(`number IN %s, 'linked to another number', n > 1, 'more than one life', facts > %d, 'quarantined',
            cancelled IS NOT NULL, 'the order was cancelled',
            arrayExists(x -> x.2 IN (%d, %d, %d), f), 'returned, lost or given up',
            last >= %[6]d OR at >= %[6]d, '%[7]s'`, linkedNumbers, schemas.MaxFacts,
		schemas.ReturnStarted, schemas.Lost, schemas.TrackingEnded, min(p.sink, p.detector), movedOn)
}
