package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"scantrail/schemas"
)

// persistent runs a comparison until it finds nothing, at most three times, and
// returns what every run found: rows that are being written are no difference.
func (a *audit) persistent(ctx context.Context, compare func() (map[string]string, error)) (map[string]string, error) {
	found, err := compare()
	for attempt := 0; attempt < 2 && err == nil && len(found) > 0 && a.o.Patience > 0; attempt++ {
		if err := pause(ctx, min(a.o.Patience, 2*time.Second)); err != nil {
			return nil, err
		}
		var again map[string]string
		again, err = compare()
		maps.DeleteFunc(found, func(k, v string) bool { return again[k] != v })
	}
	return found, err
}

// maxFound bounds the differences that one query returns.
const maxFound = 1000

// differences asks for one row: how many were compared, how many were left out
// as newer than what the sink has written, and the differences as key, tab, what.
func (a *audit) differences(ctx context.Context, query, unit, why string) (map[string]string, error) {
	var n, newer int64
	found, err := a.persistent(ctx, func() (map[string]string, error) {
		all := map[string]string{}
		err := a.each(ctx, query, func(scan func(...any) error) error {
			var lines []string
			if err := scan(&n, &newer, &lines); err != nil {
				return err
			}
			for _, line := range lines {
				key, what, _ := strings.Cut(line, "\t")
				all[key] = what
			}
			return nil
		})
		return all, err
	})
	a.compared(n, unit)
	a.leftOut(int(newer), why)
	return found, err
}

func (a *audit) eachFound(found map[string]string, fn func(key, what string)) {
	for _, key := range slices.Sorted(maps.Keys(found)) {
		fn(key, found[key])
	}
}

const movedOn = "changed while the audit ran"

// checkIdentities looks for one event under two names, and for two events under
// one name.
func (a *audit) checkIdentities(ctx context.Context) error {
	for _, p := range a.state.log {
		where := fmt.Sprintf("partition = %d AND %s", p.id, a.since())
		found, err := a.differences(ctx, fmt.Sprintf(`SELECT toInt64(count()), toInt64(0), groupArrayIf(%d)(concat(toString(topic), '/', toString(part), ' offset ', toString(off), ' event ', toString(i), '\t', toString(facts), ' fact_ids'), facts > 1 AND low = high)
FROM (SELECT source_topic AS topic, source_topic_id AS id, source_partition AS part, source_offset AS off, event_index AS i, uniqExact(fact_id) AS facts, min(mapping_version) AS low, max(mapping_version) AS high
    FROM scans FINAL WHERE %s GROUP BY topic, id, part, off, i)`, maxFound, where), "events", "")
		if err != nil {
			return err
		}
		a.eachFound(found, func(key, what string) {
			a.violated("scans from "+key, "one event of one raw record has "+what, "it counts more than once in every total over fact_id",
				"compare the rows with the raw record; delete the one that the log does not have (--replay names it)")
		})
		found, err = a.differences(ctx, fmt.Sprintf(`SELECT toInt64(0), toInt64(0), groupArrayIf(%d)(concat(toString(o), '\t', toString(contents)), contents > 1)
FROM (SELECT offset AS o, uniqExact(toString(tuple(*))) AS contents FROM (SELECT * FROM scans WHERE %s AND offset IN (SELECT offset FROM scans WHERE %s GROUP BY partition, offset HAVING count() > 1)) GROUP BY o)`, maxFound, where, where), "events", "")
		if err != nil {
			return err
		}
		a.eachFound(found, func(key, what string) {
			a.violated(fmt.Sprintf("scans with partition %d, offset %s", p.id, key), "rows of one offset of the log have "+what+" different contents",
				"a row was altered: the sink writes the same row whenever it writes again, and after the next merge only one of them is left", rewrite(blockOf(p.start)))
		})
	}
	return nil
}

// ownPartition is the condition that a key belongs to a partition of the log.
func (a *audit) ownPartition(key string, p int32) string {
	return fmt.Sprintf("kafkaMurmurHash(%s) %% %d = %d", key, len(a.state.log), p)
}

const linkedNumbers = "(SELECT tracking_number FROM aliases UNION DISTINCT SELECT other_number FROM aliases)"

// checkParcelFacts compares the facts that each parcel's row counts with the
// distinct facts of its number in scans.
func (a *audit) checkParcelFacts(ctx context.Context) error {
	for _, p := range a.state.log {
		if _, err := a.judged(ctx, p); err != nil {
			return err
		}
		limit := min(p.sink, p.detector)
		found, err := a.differences(ctx, fmt.Sprintf(`SELECT toInt64(countIf(NOT newer)), toInt64(countIf(newer)), groupArrayIf(%d)(concat(number, '\t', toString(n), ' ', toString(facts), ' ', toString(lives)), n != facts AND NOT newer)
FROM (
    SELECT s.tracking_number AS number, s.n AS n, r.total AS facts, r.lives AS lives, s.last >= %d OR r.at >= %d AS newer
    FROM (SELECT tracking_number, uniqExact(fact_id) AS n, max(offset) AS last FROM scans
        WHERE partition = %d AND fact_id NOT IN (SELECT event_fact_id FROM voids) AND tracking_number NOT IN %s GROUP BY tracking_number) AS s
    LEFT JOIN (SELECT tracking_number, sum(toUInt64(facts)) AS total, max(facts) AS most, count() AS lives, max(bitAnd(bitShiftRight(version, 8), %d)) AS at
        FROM parcels FINAL WHERE %s GROUP BY tracking_number) AS r ON r.tracking_number = s.tracking_number
    WHERE r.most <= %d
)`, maxFound, limit, limit, p.id, linkedNumbers, int64(1)<<44-1, a.ownPartition("tracking_number", p.id), schemas.MaxFacts), "parcels", movedOn)
		if err != nil {
			return err
		}
		a.eachFound(found, func(key, what string) {
			var n, facts, lives int
			fmt.Sscan(what, &n, &facts, &lives) //nolint:errcheck // our own text
			if lives == 0 {
				a.violated("parcel "+key, fmt.Sprintf("scans has %d facts of it, parcels has no row", n), "the parcel counts in no score and in no list of what is stalled",
					"see whether the detector runs and writes (metric scantrail_detector_rows_pending); --replay names what its row should be")
				return
			}
			a.violated("parcel "+key, fmt.Sprintf("scans has %d distinct facts of it, its %s in parcels %d", n, plural(lives, "row"), facts),
				"its row is not what its scans say: it was altered, or a scan was inserted, deleted or altered", "audit its partition with --replay, which says which of the two is wrong")
		})
	}
	return a.countLinked(ctx)
}

func (a *audit) countLinked(ctx context.Context) error {
	return a.each(ctx, "SELECT toInt64(count()) FROM "+linkedNumbers, func(scan func(...any) error) error {
		var n int64
		err := scan(&n)
		a.leftOut(int(n), "numbers that are linked to others: their facts count in one of them")
		return err
	})
}

// saidOnce is what tells one fact of an order from another: those that say the same
// of the same second are one.
const saidOnce = "uniqExact((kind, toUnixTimestamp(at), market, carrier, tracking_numbers, label_source, origin, destination, destination_postcode, ifNull(toUnixTimestamp(promise_at), 0), ifNull(toUnixTimestamp(until), 0), accepted))"

// checkOrderFacts is checkParcelFacts for orders.
func (a *audit) checkOrderFacts(ctx context.Context) error {
	for _, p := range a.state.log {
		if _, err := a.judged(ctx, p); err != nil {
			return err
		}
		limit := min(p.sink, p.detector)
		found, err := a.differences(ctx, fmt.Sprintf(`SELECT toInt64(countIf(NOT newer)), toInt64(countIf(newer)), groupArrayIf(%d)(concat(order_id, ' of ', shop_id, '\t', toString(n), ' ', toString(facts)), n != facts AND NOT newer)
FROM (
    SELECT f.shop_id AS shop_id, f.order_id AS order_id, f.n AS n, r.facts AS facts, f.last >= %d OR r.at >= %d AS newer
    FROM (SELECT shop_id, order_id, %s AS n, max(offset) AS last FROM order_facts WHERE partition = %d AND order_id != '' GROUP BY shop_id, order_id) AS f
    LEFT JOIN (SELECT shop_id, order_id, toUInt64(facts) AS facts, bitAnd(bitShiftRight(version, 8), %d) AS at FROM orders FINAL WHERE %s) AS r
    ON r.shop_id = f.shop_id AND r.order_id = f.order_id
    WHERE r.facts <= %d
)`, maxFound, limit, limit, saidOnce, p.id, int64(1)<<44-1, a.ownPartition("concat('order:', shop_id, ':', order_id)", p.id), schemas.MaxFacts), "orders", movedOn)
		if err != nil {
			return err
		}
		a.eachFound(found, func(key, what string) {
			n, facts, _ := strings.Cut(what, " ")
			a.violated("order "+key, fmt.Sprintf("order_facts has %s distinct facts of it, its row in orders %s (0: no row)", n, facts),
				"its row is not what its facts say: one of them was altered, inserted or deleted", "audit its partition with --replay, which says which of the two is wrong")
		})
	}
	return nil
}

// checkViews compares the totals of views with the identities in their tables.
func (a *audit) checkViews(ctx context.Context) error {
	alerts := "alert_transitions"
	if a.o.TransitionDays > 0 {
		alerts = "alerts"
	}
	parcels := "SELECT toInt64(countIf(NOT gone)) FROM (SELECT argMax(deleted, version) AS gone FROM parcels GROUP BY parcel_id, opened_at)"
	for _, t := range []struct{ view, total, identities, unit string }{
		{"completeness_shop", "sum(parcels)", parcels, "lives of parcels"},
		{"completeness_carrier", "sum(parcels)", parcels, "lives of parcels"},
		{"completeness_lane", "sum(parcels)", parcels, "lives of parcels"},
		{"late_fulfilment", "sum(parcels)", parcels, "lives of parcels"},
		{"lts_weekly", "sum(parcels)", parcels, "lives of parcels"},
		{"alerts_current", "count()", "SELECT toInt64(uniqExact(alert_id)) FROM " + alerts, "alerts"},
	} {
		found, err := a.persistent(ctx, func() (map[string]string, error) {
			var before, shown, after int64
			for query, n := range map[string]*int64{t.identities: &before, "SELECT toInt64(" + t.total + ") FROM " + t.view: &shown} {
				if err := a.each(ctx, query, func(scan func(...any) error) error { return scan(n) }); err != nil {
					return nil, err
				}
			}
			err := a.each(ctx, t.identities, func(scan func(...any) error) error { return scan(&after) })
			if shown >= min(before, after) && shown <= max(before, after) {
				return nil, err
			}
			return map[string]string{t.view: fmt.Sprintf("%s is %d, its table has %d %s", t.total, shown, after, t.unit)}, err
		})
		if err != nil {
			return err
		}
		a.compared(1, "totals")
		a.eachFound(found, func(view, what string) {
			a.violated("view "+view, what, "what this view publishes counts something twice, or leaves something out",
				"scantrail migrate puts the views right; where the view is right, its table was altered")
		})
	}
	return a.checkFeedHealth(ctx)
}

// checkFeedHealth is about the one view that counts rows as they lie in parts: a
// row that was written again counts twice until it is merged.
func (a *audit) checkFeedHealth(ctx context.Context) error {
	const recent = "FROM scans WHERE received_at > ifNull((SELECT clock FROM log_clock), (SELECT max(received_at) FROM scans)) - toIntervalDay(28)"
	found, err := a.persistent(ctx, func() (map[string]string, error) {
		var rows, identities, shown, after int64
		for _, q := range []struct {
			query string
			n     *int64
		}{
			{"SELECT toInt64(uniqExact(partition, offset)) " + recent, &identities},
			{"SELECT toInt64(sum(scans_28d)) FROM feed_health", &shown},
			{"SELECT toInt64(count()) " + recent, &rows},
			{"SELECT toInt64(uniqExact(partition, offset)) " + recent, &after},
		} {
			if err := a.each(ctx, q.query, func(scan func(...any) error) error { return scan(q.n) }); err != nil {
				return nil, err
			}
		}
		switch {
		case shown >= min(identities, after) && shown <= max(identities, after):
			return nil, nil
		case shown > identities && shown <= rows:
			a.note("feed_health counts %s rows of scans that were written again and are not merged yet", figure(shown-after))
			return nil, nil
		}
		return map[string]string{"feed_health": fmt.Sprintf("its scans_28d add up to %d, scans has %d", shown, after)}, nil
	})
	a.compared(1, "totals")
	a.eachFound(found, func(view, what string) {
		a.violated("view "+view, what, "carriers look more or less talkative than they are", "scantrail migrate puts the views right")
	})
	return err
}

// alertContent is what a transition says, apart from its key.
const alertContent = "toString((rule, detail, level, status, milestone, stage, parcel_id, tracking_number, carrier, shop_id, order_id, market, origin, destination, facility, country, anchor_at, ended_at, opened_at, changed_at, silent_secs, cause, backfill, held, uncertain, policy))"

// checkTransitions expects one content for each transition, and in alerts the
// last one of each.
func (a *audit) checkTransitions(ctx context.Context) error {
	if a.o.TransitionDays > 0 {
		a.note("alert_transitions keeps %d days: it is not compared with alerts", a.o.TransitionDays)
		return nil
	}
	found, err := a.differences(ctx, fmt.Sprintf(`SELECT toInt64(count()), toInt64(0), groupArrayIf(%d)(concat(toString(alert_id), ' of ', toString(home), ' version ', toString(version), '\t', toString(contents)), contents > 1)
FROM (SELECT alert_id, home, version, uniqExact(%s) AS contents FROM alert_transitions GROUP BY alert_id, home, version)`, maxFound, alertContent), "transitions", "")
	if err != nil {
		return err
	}
	a.eachFound(found, func(key, what string) {
		a.violated("alert_transitions, alert "+key, "it has "+what+" different contents", "two detectors disagreed about one moment of the log, or a row was altered",
			"audit its partition with --replay, which says which one is right")
	})
	found, err = a.differences(ctx, fmt.Sprintf(`SELECT toInt64(0), toInt64(0), groupArrayIf(%d)(concat(toString(alert), ' of ', toString(h), '\t', multiIf(cur = 0, 'alerts has no row of it', last = 0, 'alert_transitions has no row of it', cur != last, concat('alerts has version ', toString(cur), ', the last transition has ', toString(last)), concat('alerts says ', now, ', its transition ', was))), cur != last OR now != was)
FROM (
    SELECT if(t.last = 0, c.alert_id, t.alert_id) AS alert, if(t.last = 0, c.home, t.home) AS h, t.last AS last, c.version AS cur, t.content AS was, c.content AS now
    FROM (SELECT alert_id, home, max(version) AS last, argMax(%s, version) AS content FROM alert_transitions GROUP BY alert_id, home) AS t
    FULL JOIN (SELECT alert_id, home, version, %s AS content FROM alerts FINAL) AS c ON c.alert_id = t.alert_id AND c.home = t.home
)`, maxFound, alertContent, alertContent), "transitions", "")
	if err != nil {
		return err
	}
	a.eachFound(found, func(key, what string) {
		a.violated("alert "+key, what, "the list of alerts does not show what was detected last: it was altered, or a row is lost",
			"set the offset of "+schemas.SinkGroup+" on "+schemas.AlertsTopic+" back to its start: both tables are written again")
	})
	return nil
}
