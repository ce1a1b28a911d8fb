package main

import (
	"context"
	"fmt"
	"strings"

	"scantrail/schemas"
)

// plainGaps are the policies whose limits of silence SQL can apply to a trail
// without knowing its stage: no overrides, counted over progress, and the same
// in every document that was ever in force.
func (a *audit) plainGaps(ctx context.Context) (map[string]schemas.GapRule, error) {
	rules, other := map[string]schemas.GapRule{}, map[string]bool{}
	err := a.each(ctx, "SELECT DISTINCT document FROM policies FINAL", func(scan func(...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		doc, err := schemas.ParsePolicies([]byte(text))
		if err != nil {
			return fmt.Errorf("table policies: %w", err)
		}
		for _, p := range doc.List {
			was, seen := rules[p.Name]
			same := !seen || was.Open == p.Gap.Open && was.Escalate == p.Gap.Escalate
			rules[p.Name] = p.Gap
			if !same || len(p.Gap.Overrides) > 0 || p.Gap.Clock == "physical" || p.Gap.Open <= 0 {
				other[p.Name] = true
			}
		}
		return nil
	})
	for name := range other {
		delete(rules, name)
	}
	return rules, err
}

// checkGaps compares the alerts for silence that are open, escalated or resolved
// with what SQL alone makes of the scans.
func (a *audit) checkGaps(ctx context.Context) error {
	rules, err := a.plainGaps(ctx)
	if err != nil {
		return err
	}
	if len(rules) == 0 {
		a.note("no policy has limits of silence that SQL can apply: they have overrides by stage, count handling only, or were changed")
		return nil
	}
	for _, p := range a.state.log {
		if err := a.checkGapsOf(ctx, p, rules); err != nil {
			return err
		}
		a.say("P4 silence: partition %d of %d", p.id+1, len(a.state.log))
	}
	return nil
}

func (a *audit) checkGapsOf(ctx context.Context, p logPartition, rules map[string]schemas.GapRule) error {
	clock, err := a.readClock(ctx, p)
	if err != nil {
		return err
	}
	query := a.gapQuery(p, clock, rules)
	var reasons []string
	var n int64
	found, err := a.persistent(ctx, func() (map[string]string, error) {
		all := map[string]string{}
		n, reasons = 0, nil
		err := a.each(ctx, query, func(scan func(...any) error) error {
			var why string
			var count int64
			var lines []string
			if err := scan(&why, &count, &lines); err != nil {
				return err
			}
			if why == "" {
				n = count
			} else {
				reasons = append(reasons, fmt.Sprint(count, " ", why))
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
	a.compared(n, "parcels")
	for _, r := range reasons {
		count, why, _ := strings.Cut(r, " ")
		var left int
		fmt.Sscan(count, &left) //nolint:errcheck // our own text
		a.leftOut(left, why)
	}
	a.eachFound(found, func(key, what string) {
		expected, stored, _ := strings.Cut(what, "\t")
		a.violated("parcel "+key, "by its scans its silences are "+gapText(expected)+", alerts has "+gapText(stored),
			"an alert for silence is missing, wrong or not called for: it was altered, or the detector erred", "audit its partition with --replay: where that agrees with alerts, the scans were altered, or it is a fault of ours to report with this number's trail")
	})
	return nil
}

func gapText(s string) string {
	if s == "[]" {
		return "none"
	}
	return s
}

// gapQuery returns rows of (reason for leaving out, parcels, differences); the
// reason is empty for those that were compared.
func (a *audit) gapQuery(p logPartition, clock logClock, rules map[string]schemas.GapRule) string {
	known := a.clocks[p.id] / 1000
	if known > 0 {
		clock.at = known
	}
	var names, open, escalate []string
	for name, r := range rules {
		names = append(names, "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name)+"'")
		open = append(open, fmt.Sprintf("toInt64(%d)", int64(r.Open.Seconds())))
		escalate = append(escalate, fmt.Sprintf("toInt64(%d)", int64(r.Escalate.Seconds())))
	}
	limit := func(list []string) string {
		return fmt.Sprintf("transform(toString(r.policy), [%s], [%s], toInt64(0))", strings.Join(names, ","), strings.Join(list, ","))
	}
	ends := fmt.Sprintf("(%d, %d, %d, %d)", schemas.Delivered, schemas.Destroyed, schemas.Cancelled, schemas.Returned)
	hard := fmt.Sprintf("(%d, %d, %d)", schemas.ReturnStarted, schemas.Lost, schemas.TrackingEnded)
	offset := "bitAnd(bitShiftRight(version, 8), 17592186044415)"
	return fmt.Sprintf(`
WITH
    toInt64(%[14]d) AS latest, toInt64(%[15]d) AS forwarded,
    greatest(toInt64(%[13]d), (SELECT toInt64(toUnixTimestamp(max(updated_at))) FROM parcels WHERE %[3]s),
        (SELECT toInt64(toUnixTimestamp(max(changed_at))) FROM alerts WHERE tracking_number != '' AND %[3]s)) AS earliest,
    facts AS (
        SELECT tracking_number, argMin(toInt64(toUnixTimestamp(effective_at)), (-toInt64(mapping_version), effective_at)) AS sec,
            argMin((milestone_no, progress), (-toInt64(mapping_version), offset)) AS what, max(offset) AS last, max(received_at) AS heard
        FROM scans WHERE partition = %[1]d AND fact_id NOT IN (SELECT event_fact_id FROM voids) GROUP BY tracking_number, fact_id
    ),
    trails AS (
        SELECT tracking_number, arraySort(groupArray((sec, what.1, what.2))) AS f, max(last) AS last, max(heard) AS heard FROM facts GROUP BY tracking_number
    ),
    lives AS (
        SELECT tracking_number, count() AS n, any(policy) AS policy, max(order_id) != '' AS ordered, max(facts) AS facts, max(cancelled_at) AS cancelled, max(%[2]s) AS at
        FROM parcels FINAL WHERE %[3]s GROUP BY tracking_number
    ),
    stored AS (
        SELECT tracking_number, arraySort(groupArray((toInt64(toUnixTimestamp(anchor_at)), ifNull(toInt64(toUnixTimestamp(ended_at)), 0), toString(rule)))) AS alerts
        FROM alerts FINAL WHERE rule IN ('gap_48h', 'gap_72h') AND status IN ('open', 'escalated', 'resolved') AND %[3]s GROUP BY tracking_number
    ),
    trailing AS (
        SELECT t.tracking_number AS number, t.f AS f, t.last AS last, t.heard AS heard, r.n AS n, r.facts AS facts, r.cancelled AS cancelled, r.at AS at,
            %[4]s AS open, %[5]s AS escalate,
            arrayFirstIndex(x -> x.2 IN %[6]s, f) AS end,
            arrayDistinct(arrayMap(x -> x.1, arrayFilter(x -> x.3 OR x.2 IN %[6]s, if(end > 0, arraySlice(f, 1, end), f)))) AS times,
            if(end > 0 OR empty(times), 0, if(r.ordered AND forwarded > 0, least(earliest, forwarded), earliest) - times[-1]) AS silent,
            if(end > 0 OR empty(times), 0, if(r.ordered AND forwarded > 0, least(latest, forwarded), latest) - times[-1]) AS most,
            arrayFilter(x -> x.2 - x.1 >= open, arrayZip(arrayPopBack(times), arrayPopFront(times))) AS closed
        FROM trails AS t INNER JOIN lives AS r ON r.tracking_number = t.tracking_number
    )
SELECT why, toInt64(count()), groupArrayIf(%[7]d)(concat(number, '\t', toString(expected), '\t', toString(alerts)), why = '' AND expected != alerts)
FROM (
    SELECT number, s.alerts AS alerts,
        arrayConcat(arrayMap(x -> (x.1, x.2, if(x.2 - x.1 >= escalate, 'gap_72h', 'gap_48h')), closed),
            if(silent >= open, [(times[-1], toInt64(0), if(silent >= escalate, 'gap_72h', 'gap_48h'))], [])) AS expected,
        multiIf(number IN %[8]s, 'linked to another number', n > 1, 'more than one life', facts > %[9]d, 'quarantined',
            open = 0, 'their policy has overrides by stage, or was changed', cancelled IS NOT NULL, 'the order was cancelled',
            arrayExists(x -> x.2 IN %[10]s, f), 'returned, lost or given up',
            last >= %[11]d OR at >= %[11]d, '%[12]s',
            (silent >= open) + (silent >= escalate) != (most >= open) + (most >= escalate), 'they came due between the last sign of the detector''s clock and the last tick',
            expected != alerts AND toInt64(toUnixTimestamp(heard)) > earliest, 'heard of after the last tick', '') AS why
    FROM trailing LEFT JOIN stored AS s ON s.tracking_number = number
)
GROUP BY why`, p.id, offset, a.ownPartition("tracking_number", p.id), limit(open), limit(escalate), ends, maxFound, linkedNumbers,
		schemas.MaxFacts, hard, min(p.sink, p.detector), movedOn, known, clock.at, clock.forwarded)
}
