package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"scantrail/schemas"
)

// parcelDeadlines are what SQL judges of a parcel with one order: hours alone.
type parcelDeadlines struct {
	Pickup    schemas.DeadlineRule
	Delivered schemas.DeadlineRule
	Promise   []schemas.PromiseRule
}

// plainDeadlines returns the deadlines of a policy that counts no working days.
func plainDeadlines(p *schemas.Policy) (parcelDeadlines, bool) {
	d := parcelDeadlines{p.PickupLate, p.DeliveredLate, p.Promise}
	d.Pickup.Warn, d.Delivered.Warn = 0, 0 // at_risk is not compared
	days := d.Pickup.After.WorkingDays + d.Delivered.After.WorkingDays
	for _, r := range d.Promise {
		days += r.Within.WorkingDays
	}
	return d, days == 0
}

// anyHolidays reports whether shipping deadlines were ever put off by a document.
func anyHolidays(docs []*schemas.Policies) bool {
	return slices.ContainsFunc(docs, func(d *schemas.Policies) bool { return len(d.Holidays) > 0 })
}

// checkDeadlines compares pickup_late and delivered_late of parcels with what SQL
// alone makes of scans and order facts. Which policy judges a parcel, and its market,
// are taken from its row.
func (a *audit) checkDeadlines(ctx context.Context) error {
	docs, err := a.documents(ctx)
	if err != nil {
		return err
	}
	rules := plainRules(docs, plainDeadlines)
	if len(rules) == 0 {
		a.note("no policy has deadlines that SQL can apply: they count working days, or were changed")
		return nil
	}
	names := []string{schemas.RulePickupLate, schemas.RuleDeliveredLate}
	if anyHolidays(docs) {
		names = names[1:]
		a.note("pickup_late is not compared: a document has holidays, which put it off")
	}
	return a.eachPartition(ctx, alertCheck{
		name: "deadlines of parcels", rules: names, of: "parcel",
		says:  "by its scans and its order it is late as %s, alerts has %s",
		means: "an alert for a deadline is missing, wrong or not called for: it was altered, or the detector erred",
		query: func(p logPartition, clock logClock) string { return a.deadlineQuery(p, clock, names, rules) },
	})
}

// orderSQL names what is known of each order: when what happened, 0 for never.
func (a *audit) orderSQL() string {
	limits := make([]string, len(a.state.log))
	for _, p := range a.state.log {
		limits[p.id] = fmt.Sprintf("toInt64(%d)", min(p.sink, p.detector))
	}
	var kinds, firsts []string
	for k := schemas.OrderKind(1); k.Known(); k++ {
		kinds = append(kinds, k.String())
		firsts = append(firsts, fmt.Sprintf("minIf(sec, kind = '%s') AS %s", k, k))
	}
	return fmt.Sprintf(`
    placed AS (
        SELECT shop_id, order_id, uniqExact(fact_id) AS facts, max(newer) AS newer, arrayDistinct(arrayFlatten(groupArray(numbers))) AS numbers,
            argMaxIf(promised, (sec, k, fact_id), promised > 0) AS promise,
            %s
        FROM (
            SELECT shop_id, order_id, toString(kind) AS kind, indexOf([%s], kind) AS k, fact_id, toInt64(toUnixTimestamp(at)) AS sec,
                ifNull(toInt64(toUnixTimestamp(promise_at)), 0) AS promised, tracking_numbers AS numbers, offset >= [%s][partition + 1] AS newer
            FROM order_facts FINAL
        ) GROUP BY shop_id, order_id
    )`, strings.Join(firsts, ", "), sqlLiterals(kinds), strings.Join(limits, ","))
}

// promiseSQL lists the promises of policies: policy, markets, seconds.
func promiseSQL(rules map[string]parcelDeadlines) string {
	all := []string{"('', CAST([], 'Array(String)'), toInt64(0))"}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		for _, r := range rules[name].Promise {
			all = append(all, fmt.Sprintf("(%s, CAST([%s], 'Array(String)'), toInt64(%d))", sqlLiteral(name), sqlLiterals(r.Markets), int64(r.Within.Duration.Seconds())))
		}
	}
	return "[" + strings.Join(all, ",") + "]"
}

// lateSQL is the alert that a deadline calls for at a clock: none, over, or open.
func lateSQL(rule, anchor, after, done, clock string) string {
	return fmt.Sprintf("if(%[2]s > 0 AND %[3]s > 0 AND if(%[4]s > 0, %[4]s, %[5]s) > %[2]s + %[3]s, [(%[2]s, %[4]s, '%[1]s')], [])", rule, anchor, after, done, clock)
}

// deadlineQuery returns rows of (reason for leaving out, parcels, differences).
func (a *audit) deadlineQuery(p logPartition, clock logClock, names []string, rules map[string]parcelDeadlines) string {
	seconds := func(of func(parcelDeadlines) schemas.Limit) string {
		return byPolicy(rules, "r.policy", func(d parcelDeadlines) int64 { return int64(of(d).Duration.Seconds()) })
	}
	calledFor := func(clock string) string {
		var all []string
		for _, rule := range names {
			if rule == schemas.RulePickupLate {
				all = append(all, lateSQL(rule, "since", "pickup_after", "handled", clock))
			} else {
				all = append(all, lateSQL(rule, "promised", "delivered_after", "delivered", clock))
			}
		}
		return "arraySort(arrayConcat(" + strings.Join(all, ", ") + "))"
	}
	return fmt.Sprintf(`
WITH %s,%s,
    %s AS promises,
    ordered AS (
        SELECT number, count() AS orders, any(created) AS created, any(confirmed) AS confirmed, any(ready_to_ship) AS ready, any(promise) AS promise,
            max(cancelled) AS cancelled, max(holiday) AS holiday, max(newer) AS newer
        FROM placed ARRAY JOIN numbers AS number GROUP BY number
    ),
    judged AS (
        SELECT r.tracking_number AS number, t.f AS f, t.last AS last, t.heard AS heard, r.n AS n, r.facts AS facts, r.cancelled AS cancelled, r.at AS at,
            toString(r.policy) AS policy, r.ordered AS stated, o.orders AS orders, o.cancelled AS withdrawn, o.holiday AS holiday, o.newer AS newer,
            arrayFirstIndex(x -> x.2 IN %s, f) AS end, if(end > 0, arraySlice(f, 1, end), f) AS trail,
            arrayFirst(x -> x.4 AND x.2 != %d, trail).1 AS handled, if(end > 0 AND trail[-1].2 = %[6]d, trail[-1].1, 0) AS delivered,
            %[7]s AS pickup_after, %[8]s AS delivered_after,
            arrayElement([toInt64(0), o.created, o.confirmed, o.ready], 1 + %[9]s) AS since,
            arrayFirst(q -> q.1 = policy AND (empty(q.2) OR has(q.2, toString(r.market))), promises).3 AS within,
            if(o.promise > 0, o.promise, if(o.created > 0 AND within > 0, o.created + within, 0)) AS promised
        FROM lives AS r LEFT JOIN trails AS t ON t.tracking_number = r.tracking_number LEFT JOIN ordered AS o ON o.number = r.tracking_number
    )
SELECT why, toInt64(count()), groupArrayIf(%[10]d)(concat(number, '\t', toString(expected), '\t', toString(alerts)), why = '' AND expected != alerts)
FROM (
    SELECT number, s.alerts AS alerts, %[11]s AS expected, %[12]s AS later,
        multiIf(%[13]s,
            newer, '%[14]s', orders > 1, 'more than one order', stated != (orders = 1), 'their order writes the number in another way',
            withdrawn > 0, 'the order was cancelled', holiday > 0, 'the order''s shop was on holiday',
            end > 0 AND delivered = 0, 'ended otherwise than delivered',
            policy NOT IN (%[15]s), 'their policy counts working days, or was changed',
            expected != later, '%[16]s',
            expected != alerts AND toInt64(toUnixTimestamp(heard)) > earliest, '%[17]s', '') AS why
    FROM judged LEFT JOIN stored AS s ON s.tracking_number = number
)
GROUP BY why`, a.trailSQL(p, clock, "toString(rule)", names), a.orderSQL(), promiseSQL(rules), hardEnds, schemas.PickupFailed, schemas.Delivered,
		seconds(func(d parcelDeadlines) schemas.Limit { return d.Pickup.After }), seconds(func(d parcelDeadlines) schemas.Limit { return d.Delivered.After }),
		byPolicy(rules, "r.policy", func(d parcelDeadlines) int64 { return int64(d.Pickup.Since) }),
		maxFound, calledFor("if(forwarded > 0, least(earliest, forwarded), earliest)"), calledFor("if(forwarded > 0, least(latest, forwarded), latest)"),
		leftOutSQL(p), movedOn, sqlLiterals(slices.Sorted(maps.Keys(rules))), dueBetween, heardLater)
}

// checkConfirmations compares confirm_late with what SQL alone makes of the facts of
// orders. Rows of orders do not name their policy, so all must say the same.
func (a *audit) checkConfirmations(ctx context.Context) error {
	docs, err := a.documents(ctx)
	if err != nil {
		return err
	}
	limits := map[schemas.Limit]bool{}
	for _, doc := range docs {
		for i := range doc.List {
			limits[doc.List[i].ConfirmLate.After] = true
		}
	}
	var limit schemas.Limit
	for limit = range limits { // the only one, or none is used
	}
	if len(limits) != 1 || limit.WorkingDays > 0 || anyHolidays(docs) {
		a.note("confirm_late is not compared: policies differ in it, or it counts working days or holidays")
		return nil
	}
	return a.eachPartition(ctx, alertCheck{
		name: "unconfirmed orders", rules: []string{schemas.RuleConfirmLate}, of: "order",
		says:  "by its facts it was confirmed late as %s, alerts has %s",
		means: "an alert for an order that was not confirmed is missing, wrong or not called for: it was altered, or the detector erred",
		query: func(p logPartition, clock logClock) string {
			return a.confirmQuery(p, clock, int64(limit.Duration.Seconds()))
		},
	})
}

// confirmQuery returns rows of (reason for leaving out, orders, differences).
func (a *audit) confirmQuery(p logPartition, clock logClock, after int64) string {
	own := a.ownPartition("concat('order:', shop_id, ':', order_id)", p.id)
	late := func(clock string) string {
		return lateSQL(schemas.RuleConfirmLate, "p.created", fmt.Sprintf("toInt64(%d)", after), "answered", clock)
	}
	return fmt.Sprintf(`
WITH %s,%s,
    stored AS (
        SELECT shop_id, order_id, arraySort(groupArray((toInt64(toUnixTimestamp(anchor_at)), ifNull(toInt64(toUnixTimestamp(ended_at)), 0), toString(rule)))) AS alerts
        FROM alerts FINAL WHERE rule = '%s' AND status IN ('open', 'escalated', 'resolved') AND %s GROUP BY shop_id, order_id
    ),
    listed AS (SELECT shop_id, order_id, %s AS at FROM orders FINAL WHERE %[4]s)
SELECT why, toInt64(count()), groupArrayIf(%[6]d)(concat(name, '\t', toString(expected), '\t', toString(alerts)), why = '' AND expected != alerts)
FROM (
    SELECT concat(r.order_id, ' of ', r.shop_id) AS name, s.alerts AS alerts,
        arrayFilter(x -> x > 0, [p.confirmed, p.ready_to_ship, p.label_created, p.marked_shipped, p.marked_delivered]) AS answers,
        if(empty(answers), 0, arrayMin(answers)) AS answered,
        %[7]s AS expected, %[8]s AS later,
        multiIf(p.facts = 0, 'their facts are not in order_facts', p.newer OR r.at >= %[9]d, '%[10]s', p.facts > %[11]d, 'quarantined',
            p.cancelled > 0, 'the order was cancelled', p.holiday > 0, 'the order''s shop was on holiday',
            expected != later, '%[12]s', '') AS why
    FROM listed AS r LEFT JOIN placed AS p ON p.shop_id = r.shop_id AND p.order_id = r.order_id
        LEFT JOIN stored AS s ON s.shop_id = r.shop_id AND s.order_id = r.order_id
)
GROUP BY why`, a.clockSQL(p, clock), a.orderSQL(), schemas.RuleConfirmLate, own, offsetSQL, maxFound,
		late("if(forwarded > 0, least(earliest, forwarded), earliest)"), late("if(forwarded > 0, least(latest, forwarded), latest)"),
		min(p.sink, p.detector), movedOn, schemas.MaxFacts, dueBetween)
}
