package main

import (
	"context"
	"fmt"

	"scantrail/schemas"
)

// checkGaps compares the alerts for silence that are open, escalated or resolved
// with what SQL alone makes of the scans. It knows limits of silence that need no
// stage: no overrides, and counted over progress.
func (a *audit) checkGaps(ctx context.Context) error {
	docs, err := a.documents(ctx)
	if err != nil {
		return err
	}
	rules := plainRules(docs, func(p *schemas.Policy) (schemas.GapRule, bool) {
		g := p.Gap
		g.AtRisk = 0 // at_risk is not compared
		return g, len(g.Overrides) == 0 && g.Clock != "physical" && g.Open > 0
	})
	if len(rules) == 0 {
		a.note("no policy has limits of silence that SQL can apply: they have overrides by stage, count handling only, or were changed")
		return nil
	}
	return a.eachPartition(ctx, alertCheck{
		name: "silence", rules: []string{schemas.RuleGap48h, schemas.RuleGap72h}, of: "parcel", says: "by its scans its silences are %s, alerts has %s",
		means: "an alert for silence is missing, wrong or not called for: it was altered, or the detector erred",
		query: func(p logPartition, clock logClock) string { return a.gapQuery(p, clock, rules) },
	})
}

// gapQuery returns rows of (reason for leaving out, parcels, differences); the
// reason is empty for those that were compared.
func (a *audit) gapQuery(p logPartition, clock logClock, rules map[string]schemas.GapRule) string {
	limit := func(of func(schemas.GapRule) int64) string { return byPolicy(rules, "r.policy", of) }
	return fmt.Sprintf(`
WITH %s,
    trailing AS (
        SELECT t.tracking_number AS number, t.f AS f, t.last AS last, t.heard AS heard, r.n AS n, r.facts AS facts, r.cancelled AS cancelled, r.at AS at,
            %s AS open, %s AS escalate,
            arrayFirstIndex(x -> x.2 IN %s, f) AS end,
            arrayDistinct(arrayMap(x -> x.1, arrayFilter(x -> x.3 OR x.2 IN %[4]s, if(end > 0, arraySlice(f, 1, end), f)))) AS times,
            if(end > 0 OR empty(times), 0, if(r.ordered AND forwarded > 0, least(earliest, forwarded), earliest) - times[-1]) AS silent,
            if(end > 0 OR empty(times), 0, if(r.ordered AND forwarded > 0, least(latest, forwarded), latest) - times[-1]) AS most,
            arrayFilter(x -> x.2 - x.1 >= open, arrayZip(arrayPopBack(times), arrayPopFront(times))) AS closed
        FROM trails AS t INNER JOIN lives AS r ON r.tracking_number = t.tracking_number
    )
SELECT why, toInt64(count()), groupArrayIf(%[5]d)(concat(number, '\t', toString(expected), '\t', toString(alerts)), why = '' AND expected != alerts)
FROM (
    SELECT number, s.alerts AS alerts,
        arrayConcat(arrayMap(x -> (x.1, x.2, if(x.2 - x.1 >= escalate, 'gap_72h', 'gap_48h')), closed),
            if(silent >= open, [(times[-1], toInt64(0), if(silent >= escalate, 'gap_72h', 'gap_48h'))], [])) AS expected,
        multiIf(%[6]s,
            open = 0, 'their policy has overrides by stage, or was changed',
            (silent >= open) + (silent >= escalate) != (most >= open) + (most >= escalate), '%[7]s',
            expected != alerts AND toInt64(toUnixTimestamp(heard)) > earliest, '%[8]s', '') AS why
    FROM trailing LEFT JOIN stored AS s ON s.tracking_number = number
)
GROUP BY why`, a.trailSQL(p, clock, "toString(rule)", []string{schemas.RuleGap48h, schemas.RuleGap72h}),
		limit(func(g schemas.GapRule) int64 { return int64(g.Open.Seconds()) }), limit(func(g schemas.GapRule) int64 { return int64(g.Escalate.Seconds()) }),
		hardEnds, maxFound, leftOutSQL(p), dueBetween, heardLater)
}
