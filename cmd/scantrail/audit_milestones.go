package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"scantrail/schemas"
)

// customsUnion are the countries between which no parcel needs customs: the members
// of the European Union, and Monaco.
const customsUnion = "('AT','BE','BG','CY','CZ','DE','DK','EE','ES','FI','FR','GR','HR','HU','IE','IT','LT','LU','LV','MC','MT','NL','PL','PT','RO','SE','SI','SK')"

// checkMilestones compares the alerts for missing milestones that are open or
// resolved with what SQL alone makes of the scans. Which policy judges a parcel, and
// its lane, are taken from its row.
func (a *audit) checkMilestones(ctx context.Context) error {
	docs, err := a.documents(ctx)
	if err != nil {
		return err
	}
	rules := plainRules(docs, func(p *schemas.Policy) ([]schemas.RequiredMilestone, bool) { return p.Milestones, true })
	if len(rules) == 0 {
		a.note("no policy has required milestones that SQL can apply: they were changed")
		return nil
	}
	return a.eachPartition(ctx, alertCheck{
		name: "missing milestones", rules: []string{schemas.RuleMilestoneMissing}, of: "parcel",
		says:  "by its scans its missing milestones are %s, alerts has %s",
		means: "an alert for a missing milestone is missing, wrong or not called for: it was altered, or the detector erred",
		query: func(p logPartition, clock logClock) string { return a.milestoneQuery(p, clock, rules) },
	})
}

// requiredSQL lists what policies require: policy, milestone, on cross-border lanes
// only, satisfied by, excused by, since, seconds after that.
func requiredSQL(rules map[string][]schemas.RequiredMilestone) string {
	set := func(list []schemas.Milestone) string {
		if len(list) == 0 {
			return "emptyArrayUInt8()"
		}
		all := make([]string, len(list))
		for i, m := range list {
			all[i] = fmt.Sprintf("toUInt8(%d)", m)
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		for _, r := range rules[name] {
			all = append(all, fmt.Sprintf("(%s, '%s', %t, %s, %s, %s, toInt64(%d))",
				sqlLiteral(name), r.Milestone, r.Lanes == "cross_border", set(r.SatisfiedBy), set(r.ExcusedBy), set(r.Since), int64(r.After.Seconds())))
		}
	}
	if all == nil { // none is required anywhere
		all = []string{"('', '', false, emptyArrayUInt8(), emptyArrayUInt8(), emptyArrayUInt8(), toInt64(0))"}
	}
	return "[" + strings.Join(all, ",\n        ") + "]"
}

// milestoneQuery returns rows of (reason for leaving out, parcels, differences).
func (a *audit) milestoneQuery(p logPartition, clock logClock, rules map[string][]schemas.RequiredMilestone) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		names = append(names, name)
	}
	// calledFor is what the trail calls for at a clock.
	calledFor := func(clock string) string {
		return fmt.Sprintf(`if(anchor = 0, [], arraySort(arrayMap(q -> (anchor, arrayFirst(x -> has(q.4, x.2), trail).1, q.2), arrayFilter(
                q -> q.1 = policy AND (NOT q.3 OR crosses) AND if(arrayExists(x -> has(q.4, x.2), trail),
                    arrayExists(x -> has(q.6, x.2), trail) AND arrayFirst(x -> has(q.4, x.2), trail).1 > arrayFirst(x -> has(q.6, x.2), trail).1 + q.7,
                    NOT arrayExists(x -> has(q.5, x.2), trail) AND (
                        arrayExists(x -> x.3 AND x.2 BETWEEN %d AND %d AND x.2 != %d AND x.2 > arrayMax(q.4), trail)
                        OR arrayExists(x -> has(q.6, x.2), trail) AND if(end > 0, least(trail[-1].1, %s), %[4]s) > arrayFirst(x -> has(q.6, x.2), trail).1 + q.7)),
                required))))`, schemas.Accepted, schemas.Delivered, schemas.InTransit, clock)
	}
	return fmt.Sprintf(`
WITH %s,
    %s AS required,
    judged AS (
        SELECT t.tracking_number AS number, t.f AS f, t.last AS last, t.heard AS heard, r.n AS n, r.facts AS facts, r.cancelled AS cancelled, r.at AS at,
            toString(r.policy) AS policy, r.ordered AND forwarded > 0 AS slow,
            arrayFirstIndex(x -> x.2 IN %s, f) AS end, if(end > 0, arraySlice(f, 1, end), f) AS trail,
            r.origin != '' AND r.destination != '' AND r.origin != r.destination AND NOT (r.origin IN %s AND r.destination IN %[4]s) AS crosses,
            if(arrayExists(x -> x.2 = %[5]d, trail), arrayFirst(x -> x.2 = %[5]d, trail).1, arrayFirst(x -> x.3, trail).1) AS anchor
        FROM trails AS t INNER JOIN lives AS r ON r.tracking_number = t.tracking_number
    )
SELECT why, toInt64(count()), groupArrayIf(%[6]d)(concat(number, '\t', toString(expected), '\t', toString(alerts)), why = '' AND expected != alerts)
FROM (
    SELECT number, s.alerts AS alerts,
        %[7]s AS expected,
        %[8]s AS later,
        multiIf(%[9]s,
            policy NOT IN (%[10]s), 'their policy was changed',
            expected != later, '%[11]s',
            expected != alerts AND toInt64(toUnixTimestamp(heard)) > earliest, '%[12]s', '') AS why
    FROM judged LEFT JOIN stored AS s ON s.tracking_number = number
)
GROUP BY why`, a.trailSQL(p, clock, "toString(milestone)", []string{schemas.RuleMilestoneMissing}), requiredSQL(rules), hardEnds, customsUnion,
		schemas.Accepted, maxFound, calledFor("if(slow, least(earliest, forwarded), earliest)"), calledFor("if(slow, least(latest, forwarded), latest)"),
		leftOutSQL(p), sqlLiterals(names), dueBetween, heardLater)
}
