package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// CarrierCard is a carrier's line of carrier_scorecard: eight weeks of parcels,
// four of its feed. Rates lie between 0 and 1.
type CarrierCard struct {
	Carrier  string   `ch:"carrier"`
	Parcels  uint64   `ch:"parcels"` // that it scanned
	Gap48    *float64 `ch:"gap_48h_rate"`
	Gap72    *float64 `ch:"gap_72h_rate"`
	Complete *float64 `ch:"completeness"` // 0 to 100

	AcceptedDue, AcceptedSeen             uint64
	ExportClearedDue, ExportClearedSeen   uint64
	ArrivedDue, ArrivedSeen               uint64
	ImportClearedDue, ImportClearedSeen   uint64
	OutForDeliveryDue, OutForDeliverySeen uint64
	DeliveredDue, DeliveredSeen           uint64

	Delivered   uint64   `ch:"delivered_parcels"`
	DeliveryP50 *float64 `ch:"delivery_p50_hours"`
	DeliveryP90 *float64 `ch:"delivery_p90_hours"`
	OpenAlerts  uint64   `ch:"open_alerts"`

	LastReceived *time.Time `ch:"last_received_at"` // nil: nothing in four weeks
	Silent       int64      `ch:"silent_secs"`
	Scans        uint64     `ch:"scans_28d"`
	Unmapped     uint64     `ch:"unmapped_28d"`
	DeadLetters  uint64     `ch:"dead_letters_28d"`
	LagP50       *float64   `ch:"lag_p50_secs"`
	LagP90       *float64   `ch:"lag_p90_secs"`
	LagP99       *float64   `ch:"lag_p99_secs"`
}

// CarrierCards returns all carriers, those with most parcels first.
func (q *Queries) CarrierCards(ctx context.Context) ([]CarrierCard, error) {
	const sql = `
SELECT toString(carrier) AS carrier, parcels, gap_48h_rate, gap_72h_rate, completeness,
    accepted_due AS AcceptedDue, accepted_observed AS AcceptedSeen,
    export_cleared_due AS ExportClearedDue, export_cleared_observed AS ExportClearedSeen,
    arrived_destination_due AS ArrivedDue, arrived_destination_observed AS ArrivedSeen,
    import_cleared_due AS ImportClearedDue, import_cleared_observed AS ImportClearedSeen,
    out_for_delivery_due AS OutForDeliveryDue, out_for_delivery_observed AS OutForDeliverySeen,
    delivered_due AS DeliveredDue, delivered_observed AS DeliveredSeen,
    delivered_parcels, delivery_p50_hours, delivery_p90_hours, open_alerts,
    last_received_at, toInt64(silent_secs) AS silent_secs, scans_28d, unmapped_28d, dead_letters_28d, lag_p50_secs, lag_p90_secs, lag_p99_secs
FROM carrier_scorecard WHERE carrier != ''
ORDER BY parcels DESC, scans_28d DESC, carrier LIMIT 2000`
	return selectAll[CarrierCard](ctx, q, "scorecards of carriers", sql)
}

// FeedAlert is an open alert about a carrier's feed: of silence (no Detail), late
// uploads (upload_lag) or a key that ends (key_expiring).
type FeedAlert struct {
	Carrier string     `ch:"carrier"`
	Detail  string     `ch:"detail"`
	Anchor  time.Time  `ch:"anchor_at"`
	Opened  *time.Time `ch:"opened_at"`
	Advice  string     `ch:"advice"`
}

// FeedAlerts returns them, by carrier.
func (q *Queries) FeedAlerts(ctx context.Context) ([]FeedAlert, error) {
	const sql = `
SELECT toString(carrier) AS carrier, toString(detail) AS detail, anchor_at, opened_at, toString(advice) AS advice
FROM open_alerts WHERE rule = 'feed_stale'
ORDER BY carrier, detail LIMIT 2000`
	return selectAll[FeedAlert](ctx, q, "alerts about feeds", sql)
}

// FeedHour is how a carrier reports at one hour of the week (0: Monday 00:00 UTC):
// over four weeks, and in the one such hour of the last 24, if there was any.
type FeedHour struct {
	Hour     int32      `ch:"hour_of_week"`
	Scans    uint64     `ch:"scans_4w"`
	LagP50   *float64   `ch:"lag_p50_secs_4w"`
	LagP95   *float64   `ch:"lag_p95_secs_4w"`
	At       *time.Time `ch:"hour_24h"`
	ScansNow uint64     `ch:"scans_24h"`
	LagNow   *float64   `ch:"lag_p50_secs_24h"`
}

// FeedHours returns a carrier's hours of the week in which anything came.
func (q *Queries) FeedHours(ctx context.Context, carrier string) ([]FeedHour, error) {
	const sql = `
SELECT toInt32(hour_of_week) AS hour_of_week, scans_4w, lag_p50_secs_4w, lag_p95_secs_4w, hour_24h, scans_24h, lag_p50_secs_24h
FROM feed_lag WHERE carrier = @carrier
ORDER BY hour_of_week LIMIT 168`
	return selectAll[FeedHour](ctx, q, "feed of a carrier", sql, clickhouse.Named("carrier", carrier))
}

// CarrierLane is a carrier's work on one lane: clearance of export as the first
// one, the rest as the last one, gaps after its scans.
type CarrierLane struct {
	Origin      string `ch:"origin"`
	Destination string `ch:"destination"`
	Parcels     uint64 `ch:"parcels"` // of which it was the first or the last one

	ExportDue, ExportSeen uint64
	ImportDue, ImportSeen uint64
	OFDDue, OFDSeen       uint64
	Gap48                 uint64 `ch:"gap_48h"`
	Gap72                 uint64 `ch:"gap_72h"`
	Delivered             uint64
	P50, P90              *float64 // hours from the first physical scan
}

// CarrierLanes returns a carrier's lanes over parcels with a tracking update in
// the last weeks, those with most parcels first.
func (q *Queries) CarrierLanes(ctx context.Context, carrier string, weeks int) ([]CarrierLane, error) {
	const sql = `
WITH (SELECT clock FROM log_clock) - toIntervalWeek(@weeks) AS since
SELECT l.*, g.gap_48h AS gap_48h, g.gap_72h AS gap_72h
FROM
(
    SELECT toString(m.origin) AS origin, toString(m.destination) AS destination, count() AS parcels,
        countIf(m.customs_due AND m.first_carrier = @carrier) AS ExportDue, countIf(m.export_visible AND m.first_carrier = @carrier) AS ExportSeen,
        countIf(m.customs_due AND m.carrier = @carrier) AS ImportDue, countIf(m.import_visible AND m.carrier = @carrier) AS ImportSeen,
        countIf(m.ofd_due AND m.carrier = @carrier) AS OFDDue, countIf(m.ofd_visible AND m.carrier = @carrier) AS OFDSeen,
        countIf(isNotNull(m.first_scan_to_delivery_secs) AND m.carrier = @carrier) AS Delivered,
        if(Delivered = 0, NULL, quantileExactIf(0.5)(assumeNotNull(m.first_scan_to_delivery_secs), isNotNull(m.first_scan_to_delivery_secs) AND m.carrier = @carrier) / 3600) AS P50,
        if(Delivered = 0, NULL, quantileExactIf(0.9)(assumeNotNull(m.first_scan_to_delivery_secs), isNotNull(m.first_scan_to_delivery_secs) AND m.carrier = @carrier) / 3600) AS P90
    FROM parcel_measures AS m
    WHERE (m.carrier = @carrier OR m.first_carrier = @carrier) AND m.last_progress_at > since
    GROUP BY origin, destination
) AS l
LEFT ANY JOIN
(
    SELECT toString(origin) AS lane_from, toString(destination) AS lane_to, uniqExact(parcel_id) AS gap_48h, uniqExactIf(parcel_id, rule = 'gap_72h') AS gap_72h
    FROM alerts_current
    WHERE rule IN ('gap_48h', 'gap_72h') AND status IN ('open', 'escalated', 'resolved') AND carrier = @carrier AND anchor_at > since
    GROUP BY lane_from, lane_to
) AS g ON g.lane_from = l.origin AND g.lane_to = l.destination
ORDER BY parcels DESC, origin, destination LIMIT 500`
	return selectAll[CarrierLane](ctx, q, "lanes of a carrier", sql, clickhouse.Named("carrier", carrier), clickhouse.Named("weeks", weeks))
}

// CarrierWeek is a week of orders of which the carrier was the last one.
type CarrierWeek struct {
	Week      time.Time `ch:"week"`
	Parcels   uint64    `ch:"parcels"`
	Counted   uint64    `ch:"counted_parcels"`
	Complete  *float64  `ch:"completeness"`
	Delivered uint64    `ch:"delivered_parcels"`
	P50       *float64  `ch:"first_scan_to_delivery_p50_hours"`
	P90       *float64  `ch:"first_scan_to_delivery_p90_hours"`
}

// CarrierWeeks returns a carrier's last weeks, the latest first.
func (q *Queries) CarrierWeeks(ctx context.Context, carrier string) ([]CarrierWeek, error) {
	const sql = `
WITH (SELECT toMonday(toDate(clock)) FROM log_clock) - 7 * (@weeks - 1) AS since
SELECT c.week AS week, c.parcels AS parcels, c.counted_parcels AS counted_parcels, c.completeness AS completeness,
    d.delivered_parcels AS delivered_parcels, d.first_scan_to_delivery_p50_hours AS first_scan_to_delivery_p50_hours,
    d.first_scan_to_delivery_p90_hours AS first_scan_to_delivery_p90_hours
FROM (SELECT * FROM completeness_carrier WHERE carrier = @carrier AND week >= since) AS c
LEFT ANY JOIN (SELECT * FROM delivery_time_carrier WHERE carrier = @carrier AND week >= since) AS d ON d.week = c.week
ORDER BY week DESC LIMIT 100`
	return selectAll[CarrierWeek](ctx, q, "weeks of a carrier", sql, clickhouse.Named("carrier", carrier), clickhouse.Named("weeks", ScoreWeeks))
}

// UnmappedCode is a code of a carrier that its mapping does not know, over the
// days that scans are kept. Without a code the mapping goes by texts.
type UnmappedCode struct {
	Code    string    `ch:"raw_code"`
	Scans   uint64    `ch:"scans"` // facts, copies not counted
	Parcels uint64    `ch:"parcels"`
	First   time.Time `ch:"first_at"`
	Last    time.Time `ch:"last_at"`
	Numbers []string  `ch:"numbers"` // of some such parcels
	Texts   []string  // what the carrier wrote on some of them
}

// UnmappedCodes returns the codes of the last eight weeks, the most frequent first,
// with texts of some of their scans.
func (q *Queries) UnmappedCodes(ctx context.Context, carrier string) ([]UnmappedCode, error) {
	const sql = `
WITH (SELECT clock FROM log_clock) - toIntervalWeek(8) AS since
SELECT raw_code, uniqExact(fact_id) AS scans, uniqExact(tracking_number) AS parcels, min(received_at) AS first_at, max(received_at) AS last_at,
    groupUniqArray(3)(tracking_number) AS numbers
FROM scans WHERE milestone = 'unmapped' AND carrier = @carrier AND received_at > since
GROUP BY raw_code ORDER BY scans DESC, raw_code LIMIT 100`
	codes, err := selectAll[UnmappedCode](ctx, q, "unmapped codes", sql, clickhouse.Named("carrier", carrier))
	if err != nil || len(codes) == 0 {
		return codes, err
	}
	var numbers []string
	place := map[string]int{}
	for i, c := range codes {
		numbers = append(numbers, c.Numbers...)
		place[c.Code] = i
	}
	const texts = `
SELECT raw_code, groupUniqArray(3)(leftUTF8(raw_text, 300)) AS texts
FROM parcel_trail WHERE tracking_number IN (@numbers) AND milestone = 'unmapped' AND carrier = @carrier AND raw_text != ''
GROUP BY raw_code LIMIT 1000`
	found, err := selectAll[struct {
		Code  string   `ch:"raw_code"`
		Texts []string `ch:"texts"`
	}](ctx, q, "texts of unmapped codes", texts, clickhouse.Named("carrier", carrier), clickhouse.Named("numbers", numbers))
	for _, f := range found {
		if i, ok := place[f.Code]; ok {
			codes[i].Texts = f.Texts
		}
	}
	return codes, err
}

// DeadReason is why records of a carrier could not be read.
type DeadReason struct {
	Reason string    `ch:"reason"`
	Field  string    `ch:"field"`
	Count  uint64    `ch:"letters"`
	First  time.Time `ch:"first_at"`
	Last   time.Time `ch:"last_at"`
	Detail string    `ch:"detail"` // of the last one
}

// DeadReasons returns them over the days that dead letters are kept, the most
// frequent first.
func (q *Queries) DeadReasons(ctx context.Context, carrier string) ([]DeadReason, error) {
	const sql = `
SELECT toString(reason) AS reason, toString(field) AS field, count() AS letters, min(received_at) AS first_at, max(received_at) AS last_at,
    leftUTF8(argMax(dead_letters.detail, received_at), 300) AS detail
FROM dead_letters FINAL WHERE carrier = @carrier
GROUP BY reason, field ORDER BY letters DESC, reason, field LIMIT 100`
	return selectAll[DeadReason](ctx, q, "dead letters of a carrier", sql, clickhouse.Named("carrier", carrier))
}

// CarrierNames returns the carriers of whom a parcel was ever the last one's, by
// name: for filters.
func (q *Queries) CarrierNames(ctx context.Context) ([]string, error) {
	const sql = `
SELECT DISTINCT toString(carrier) AS carrier FROM parcel_outcomes WHERE carrier != ''
ORDER BY carrier LIMIT 2000`
	rows, err := selectAll[struct {
		Carrier string `ch:"carrier"`
	}](ctx, q, "names of carriers", sql)
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Carrier
	}
	return names, err
}
