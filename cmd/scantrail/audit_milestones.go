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
	names := slices.Sorted(maps.Keys(rules))
	// calledFor is what follows at a clock c from what is known of each milestone that
	// is due: observed (0: never), name, deadline (0: none), excused, passed.
	const calledFor = `if(anchor = 0, [], arraySort(arrayMap(q -> (anchor, q.1, q.2), arrayFilter(
                q -> if(q.1 > 0, q.3 > 0 AND q.1 > q.3, NOT q.4 AND (q.5 OR q.3 > 0 AND if(end > 0, least(trail[-1].1, c), c) > q.3)), due))))`
	return fmt.Sprintf(`
WITH %s,
    %s AS required,
    judged AS (
        SELECT t.tracking_number AS number, t.f AS f, t.last AS last, t.heard AS heard, r.n AS n, r.facts AS facts, r.cancelled AS cancelled, r.at AS at,
            toString(r.policy) AS policy, r.ordered AND forwarded > 0 AS slow,
            [if(slow, least(earliest, forwarded), earliest), if(slow, least(latest, forwarded), latest)] AS clocks,
            arrayFirstIndex(x -> x.2 IN %s, f) AS end, if(end > 0, arraySlice(f, 1, end), f) AS trail,
            r.origin != '' AND r.destination != '' AND r.origin != r.destination AND NOT (r.origin IN %s AND r.destination IN %[4]s) AS crosses,
            if(arrayExists(x -> x.2 = %[5]d, trail), arrayFirst(x -> x.2 = %[5]d, trail).1, arrayFirst(x -> x.3, trail).1) AS anchor,
            arrayMap(q -> (arrayFirst(x -> has(q.4, x.2), trail).1, q.2,
                if(arrayExists(x -> has(q.6, x.2), trail), arrayFirst(x -> has(q.6, x.2), trail).1 + q.7, 0),
                arrayExists(x -> has(q.5, x.2), trail),
                arrayExists(x -> x.3 AND x.2 BETWEEN %[5]d AND %[6]d AND x.2 != %[7]d AND x.2 > arrayMax(q.4), trail)),
                arrayFilter(q -> q.1 = policy AND (NOT q.3 OR crosses), required)) AS due
        FROM trails AS t INNER JOIN lives AS r ON r.tracking_number = t.tracking_number
    )
SELECT why, toInt64(count()), groupArrayIf(%[8]d)(concat(number, '\t', toString(verdicts[1]), '\t', toString(alerts)), why = '' AND verdicts[1] != alerts)
FROM (
    SELECT number, s.alerts AS alerts, arrayMap(c -> %[9]s, clocks) AS verdicts,
        multiIf(%[10]s,
            policy NOT IN (%[11]s), 'their policy was changed',
            verdicts[1] != verdicts[2], '%[12]s',
            verdicts[1] != alerts AND toInt64(toUnixTimestamp(heard)) > earliest, '%[13]s', '') AS why
    FROM judged LEFT JOIN stored AS s ON s.tracking_number = number
)
GROUP BY why`, a.trailSQL(p, clock, "toString(milestone)", []string{schemas.RuleMilestoneMissing}), requiredSQL(rules), hardEnds, customsUnion,
		schemas.Accepted, schemas.Delivered, schemas.InTransit, maxFound, calledFor, leftOutSQL(p), sqlLiterals(names), dueBetween, heardLater)
}
