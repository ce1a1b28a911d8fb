package query

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"scantrail/schemas"
)

// Bounds of what is read of one parcel: no honest one comes near.
const (
	maxLinked = 100  // numbers
	maxTrail  = 1000 // scans: the detector itself knows no more than 256 facts of one
)

// Life is one life of a parcel: a row of the table parcels.
type Life struct {
	ParcelID       uuid.UUID  `ch:"parcel_id"`
	OpenedAt       time.Time  `ch:"opened_at"`
	Life           uint8      `ch:"life"`
	TrackingNumber string     `ch:"tracking_number"`
	Carriers       []string   `ch:"carriers"`
	Product        string     `ch:"product"`
	ShopID         string     `ch:"shop_id"`
	OrderID        string     `ch:"order_id"`
	Market         string     `ch:"market"`
	Origin         string     `ch:"origin"`
	Destination    string     `ch:"destination"`
	Stage          string     `ch:"stage"` // furthest milestone
	StageNo        uint8      `ch:"stage_no"`
	LastMilestone  string     `ch:"last_milestone"`
	LastCarrier    string     `ch:"last_carrier"`
	LastFacility   string     `ch:"last_facility"`
	LastCountry    string     `ch:"last_country"`
	FirstProgress  *time.Time `ch:"first_progress_at"`
	LastProgress   *time.Time `ch:"last_progress_at"`
	FirstPhysical  *time.Time `ch:"first_physical_at"`
	EndMilestone   string     `ch:"end_milestone"`
	EndedAt        *time.Time `ch:"ended_at"`
	CancelledAt    *time.Time `ch:"cancelled_at"`
	LabelAt        *time.Time `ch:"label_at"`
	AcceptedAt     *time.Time `ch:"accepted_at"`
	ExportCleared  *time.Time `ch:"export_cleared_at"`
	DepartedAt     *time.Time `ch:"departed_at"`
	ArrivedAt      *time.Time `ch:"arrived_at"`
	ImportCleared  *time.Time `ch:"import_cleared_at"`
	OutForDelivery *time.Time `ch:"out_for_delivery_at"`
	DeliveredAt    *time.Time `ch:"delivered_at"`
	OrderedAt      *time.Time `ch:"ordered_at"`
	Required       uint8      `ch:"required"` // bits in the order of the policy's milestones
	Due            uint8      `ch:"due"`
	Observed       uint8      `ch:"observed"`
	Due48h         *time.Time `ch:"due_48h"` // when the present silence passes the policy's limits; nil without an update, or ended
	Due72h         *time.Time `ch:"due_72h"`
	PromisedAt     *time.Time `ch:"promised_at"`
	DeliverBy      *time.Time `ch:"deliver_by"`
	PickupBy       *time.Time `ch:"pickup_by"`
	Policy         string     `ch:"policy"`
	PolicyNumber   uint32     `ch:"policy_number"`
}

const lives = `SELECT p.parcel_id AS parcel_id, p.opened_at AS opened_at, p.life AS life, p.tracking_number AS tracking_number, p.carriers AS carriers,
		toString(p.product) AS product, p.shop_id AS shop_id, p.order_id AS order_id, toString(p.market) AS market,
		toString(p.origin) AS origin, toString(p.destination) AS destination, toString(p.stage) AS stage, p.stage_no AS stage_no,
		toString(p.last_milestone) AS last_milestone, toString(p.last_carrier) AS last_carrier, toString(p.last_facility) AS last_facility,
		toString(p.last_country) AS last_country, p.first_progress_at AS first_progress_at, p.last_progress_at AS last_progress_at,
		p.first_physical_at AS first_physical_at, toString(p.end_milestone) AS end_milestone, p.ended_at AS ended_at, p.cancelled_at AS cancelled_at,
		p.label_at AS label_at, p.accepted_at AS accepted_at, p.export_cleared_at AS export_cleared_at, p.departed_at AS departed_at,
		p.arrived_at AS arrived_at, p.import_cleared_at AS import_cleared_at, p.out_for_delivery_at AS out_for_delivery_at,
		p.delivered_at AS delivered_at, p.ordered_at AS ordered_at, p.required AS required, p.due AS due, p.observed AS observed,
		if(isNull(p.ended_at), ifNull(p.silent_from, p.last_progress_at + toIntervalHour(48)), NULL) AS due_48h,
		due_48h + toIntervalSecond(if(s.gap_escalate_secs > s.gap_open_secs, s.gap_escalate_secs - s.gap_open_secs, 86400)) AS due_72h,
		p.promised_at AS promised_at, p.deliver_by AS deliver_by, p.pickup_by AS pickup_by, toString(p.policy) AS policy, p.policy_number AS policy_number
	FROM parcels AS p FINAL
	LEFT ANY JOIN (SELECT number, policy, gap_open_secs, gap_escalate_secs FROM policy_scores FINAL) AS s
		ON s.number = p.policy_number AND s.policy = p.policy
	WHERE `

// Canonical returns a tracking number as Scantrail writes it: letters and digits.
func Canonical(printed string) (string, bool) {
	if len(printed) > 200 {
		return "", false
	}
	n, ok := schemas.AppendNumber(nil, printed)
	return string(n), ok
}

// LinkedNumbers returns a canonical number and all that name the same parcel, the
// number itself first.
func (q *Queries) LinkedNumbers(ctx context.Context, number string) ([]string, error) {
	const sql = `SELECT DISTINCT other_number FROM aliases FINAL
		WHERE tracking_number IN @numbers AND other_number NOT IN (SELECT entity FROM data_gaps WHERE kind = 'quarantine') ORDER BY other_number LIMIT 1000`
	all := []string{number}
	for asked := 0; asked < len(all) && len(all) < maxLinked; {
		ask := all[asked:]
		asked = len(all)
		found, err := selectAll[struct {
			Number string `ch:"other_number"`
		}](ctx, q, "numbers of a parcel", sql, clickhouse.Named("numbers", ask))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if !slices.Contains(all, f.Number) {
				all = append(all, f.Number)
			}
		}
	}
	return all, nil
}

// ParcelIDs returns the parcels that numbers would be, each alone.
func ParcelIDs(numbers []string) []uuid.UUID {
	ids := make([]uuid.UUID, len(numbers))
	for i, n := range numbers {
		ids[i] = uuid.UUID(schemas.ParcelID(n))
	}
	return ids
}

// Lives returns the lives of the parcel that has any of these numbers, the
// earliest first.
func (q *Queries) Lives(ctx context.Context, numbers []string) ([]Life, error) {
	return selectAll[Life](ctx, q, "parcel", lives+`p.parcel_id IN @ids ORDER BY p.opened_at LIMIT 100`, clickhouse.Named("ids", ParcelIDs(numbers)))
}

// LivesOfOrder returns the parcels of an order id, in every shop that has one.
func (q *Queries) LivesOfOrder(ctx context.Context, order string) ([]Life, error) {
	return selectAll[Life](ctx, q, "parcels of an order", lives+`p.order_id = @order
		-- Without FINAL one column tells which rows to merge.
		AND p.parcel_id IN (SELECT parcel_id FROM parcels WHERE order_id = @order) ORDER BY p.shop_id, p.opened_at LIMIT 100`, clickhouse.Named("order", order))
}

// Order is the row of an order.
type Order struct {
	ShopID            string     `ch:"shop_id"`
	OrderID           string     `ch:"order_id"`
	Market            string     `ch:"market"`
	Carrier           string     `ch:"carrier"`
	Numbers           []string   `ch:"tracking_numbers"`
	LabelSource       string     `ch:"label_source"`
	Origin            string     `ch:"origin"`
	Destination       string     `ch:"destination"`
	CreatedAt         *time.Time `ch:"created_at"`
	ConfirmedAt       *time.Time `ch:"confirmed_at"`
	ReadyAt           *time.Time `ch:"ready_at"`
	MarkedShippedAt   *time.Time `ch:"marked_shipped_at"`
	MarkedDeliveredAt *time.Time `ch:"marked_delivered_at"`
	LabelAt           *time.Time `ch:"label_at"`
	PromiseAt         *time.Time `ch:"promise_at"`
	CancelRequestedAt *time.Time `ch:"cancel_requested_at"`
	CancelAnsweredAt  *time.Time `ch:"cancel_answered_at"`
	CancelledAt       *time.Time `ch:"cancelled_at"`
	ConfirmBy         *time.Time `ch:"confirm_by"`
}

const orders = `SELECT shop_id, order_id, toString(market) AS market, toString(carrier) AS carrier, tracking_numbers, toString(label_source) AS label_source,
		toString(origin) AS origin, toString(destination) AS destination, created_at, confirmed_at, ready_at, marked_shipped_at, marked_delivered_at,
		label_at, promise_at, cancel_requested_at, cancel_answered_at, cancelled_at, confirm_by
	FROM orders FINAL WHERE `

// Order returns an order; nil where nothing is known of it.
func (q *Queries) Order(ctx context.Context, shop, order string) (*Order, error) {
	rows, err := selectAll[Order](ctx, q, "order", orders+`shop_id = @shop AND order_id = @order LIMIT 1`, clickhouse.Named("shop", shop), clickhouse.Named("order", order))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// Orders returns the orders of that id, in every shop that has one.
func (q *Queries) Orders(ctx context.Context, order string) ([]Order, error) {
	return selectAll[Order](ctx, q, "orders", orders+`order_id = @order
		AND shop_id IN (SELECT shop_id FROM orders WHERE order_id = @order) ORDER BY shop_id LIMIT 100`, clickhouse.Named("order", order))
}

// Scan is one fact of the trail, however often it was sent.
type Scan struct {
	TrackingNumber  string    `ch:"tracking_number"`
	FactID          uuid.UUID `ch:"fact_id"`
	EffectiveAt     time.Time `ch:"effective_at"`
	OccurredAt      time.Time `ch:"occurred_at"`
	OccurredAtRaw   string    `ch:"occurred_at_raw"`
	TZSource        string    `ch:"tz_source"`
	UncertaintySecs uint32    `ch:"uncertainty_secs"`
	ReceivedAt      time.Time `ch:"received_at"`
	Milestone       string    `ch:"milestone"`
	MilestoneNo     uint8     `ch:"milestone_no"`
	Carrier         string    `ch:"carrier"`
	RawCode         string    `ch:"raw_code"`
	RawText         string    `ch:"raw_text"`
	LocationRaw     string    `ch:"location_raw"`
	Country         string    `ch:"country"`
	City            string    `ch:"city"`
	Facility        string    `ch:"facility"`
	Physical        bool      `ch:"physical"`
	Progress        bool      `ch:"progress"`
	Direction       string    `ch:"direction"`
	Reason          string    `ch:"reason"`
	Fault           string    `ch:"fault"`
	Rule            string    `ch:"rule"`
	Backfill        bool      `ch:"history"` // every copy of it is
	Copies          uint64    `ch:"copies"`
	Void            bool      `ch:"void"`
	MappingVersion  uint32    `ch:"mapping_version"`
	SourceTopic     string    `ch:"source_topic"`
	SourcePartition int32     `ch:"source_partition"`
	SourceOffset    int64     `ch:"source_offset"`
	EventIndex      uint32    `ch:"event_index"`
	Partition       int32     `ch:"partition"`
	Offset          int64     `ch:"offset"`
	ScanDetail
}

// ScanDetail is what the table scans knows beyond the view parcel_trail.
type ScanDetail struct {
	UTCOffsetMinutes int32     `ch:"utc_offset_minutes"`
	DirectionSource  string    `ch:"direction_source"`
	Leg              uint32    `ch:"leg"`
	Generic          bool      `ch:"generic"`
	Postcode         string    `ch:"postcode"`
	SourceTopicID    uuid.UUID `ch:"source_topic_id"`
}

// Trail returns the facts that carriers stated under these numbers, in the order of
// the trail. Of copies of one that of the highest mapping version counts, and of
// these the earliest, as for the detector. cut: there are more, and the earliest
// are left out.
func (q *Queries) Trail(ctx context.Context, numbers []string) (scans []Scan, cut bool, err error) {
	// Polled carriers send every scan again with each answer: copies never leave the server.
	const trail = `SELECT tracking_number, fact_id, effective_at, occurred_at, occurred_at_raw, toString(tz_source) AS tz_source, uncertainty_secs, received_at,
			toString(milestone) AS milestone, milestone_no, toString(carrier) AS carrier, toString(raw_code) AS raw_code, raw_text, location_raw,
			toString(country) AS country, toString(city) AS city, toString(facility) AS facility, physical, progress, toString(direction) AS direction,
			toString(reason) AS reason, toString(fault) AS fault, toString(rule) AS rule, toBool(every) AS history, copies, toBool(void) AS void,
			mapping_version, toString(source_topic) AS source_topic, source_partition, source_offset, event_index, partition, offset
		FROM (
			SELECT *, count() OVER (PARTITION BY fact_id) AS copies, min(backfill) OVER (PARTITION BY fact_id) AS every
			FROM parcel_trail WHERE tracking_number IN @numbers
			ORDER BY fact_id, mapping_version DESC, effective_at, received_at, partition, offset LIMIT 1 BY fact_id
		)
		ORDER BY toUnixTimestamp(effective_at) DESC, milestone_no DESC, fact_id DESC LIMIT @limit`
	const details = `SELECT fact_id, utc_offset_minutes, toString(direction_source) AS direction_source, leg, generic, postcode, source_topic_id
		FROM scans WHERE tracking_number IN @numbers
		ORDER BY fact_id, mapping_version DESC, effective_at, received_at, partition, offset LIMIT 1 BY fact_id LIMIT 10000`
	named := clickhouse.Named("numbers", numbers)
	scans, err = selectAll[Scan](ctx, q, "trail", trail, named, clickhouse.Named("limit", maxTrail+1))
	if err != nil {
		return nil, false, err
	}
	known, err := selectAll[struct {
		FactID uuid.UUID `ch:"fact_id"`
		ScanDetail
	}](ctx, q, "details of the trail", details, named)
	if err != nil {
		return nil, false, err
	}
	of := map[uuid.UUID]*ScanDetail{}
	for i := range known {
		of[known[i].FactID] = &known[i].ScanDetail
	}
	for i := range scans {
		if d := of[scans[i].FactID]; d != nil {
			scans[i].ScanDetail = *d
		}
	}
	if cut = len(scans) > maxTrail; cut {
		scans = scans[:maxTrail]
	}
	slices.Reverse(scans)
	return scans, cut, nil
}

// ParcelAlert is the latest state of an alert, or one of its transitions.
type ParcelAlert struct {
	AlertID    uuid.UUID  `ch:"alert_id"`
	Rule       string     `ch:"rule"`
	Detail     string     `ch:"detail"`
	Level      uint8      `ch:"level"`
	Status     string     `ch:"status"`
	Milestone  string     `ch:"milestone"`
	Stage      string     `ch:"stage"`
	Carrier    string     `ch:"carrier"`
	AnchorAt   time.Time  `ch:"anchor_at"`
	EndedAt    *time.Time `ch:"ended_at"`
	OpenedAt   *time.Time `ch:"opened_at"`
	ChangedAt  time.Time  `ch:"changed_at"`
	SilentSecs uint32     `ch:"silent_secs"`
	Cause      string     `ch:"cause"`
	Backfill   bool       `ch:"backfill"`
	Held       bool       `ch:"held"`
	Uncertain  bool       `ch:"uncertain"`
	Policy     string     `ch:"policy"`
}

const parcelAlertColumns = `alert_id, toString(rule) AS rule, toString(detail) AS detail, level, toString(status) AS status, toString(milestone) AS milestone,
		toString(stage) AS stage, toString(carrier) AS carrier, anchor_at, ended_at, opened_at, changed_at, silent_secs, toString(cause) AS cause,
		backfill, held, uncertain, toString(policy) AS policy`

// ParcelAlerts returns the alerts of a parcel and of its order, the open ones
// first, then the latest.
func (q *Queries) ParcelAlerts(ctx context.Context, numbers []string, shop, order string) ([]ParcelAlert, error) {
	const sql = `SELECT ` + parcelAlertColumns + ` FROM alerts_current
		WHERE parcel_id IN @ids OR (@order != '' AND shop_id = @shop AND order_id = @order AND tracking_number = '')
		ORDER BY status IN ('open', 'escalated') DESC, level DESC, changed_at DESC LIMIT 300`
	return selectAll[ParcelAlert](ctx, q, "alerts of a parcel", sql, clickhouse.Named("ids", ParcelIDs(numbers)),
		clickhouse.Named("shop", shop), clickhouse.Named("order", order))
}

// TransitionsOf returns what alerts have gone through, each alert's in order.
func (q *Queries) TransitionsOf(ctx context.Context, alerts []uuid.UUID) (map[uuid.UUID][]ParcelAlert, error) {
	const sql = `SELECT ` + parcelAlertColumns + ` FROM alert_transitions FINAL WHERE alert_id IN @alerts ORDER BY alert_id, changed_at, version LIMIT 3000`
	found := map[uuid.UUID][]ParcelAlert{}
	if len(alerts) == 0 {
		return found, nil
	}
	rows, err := selectAll[ParcelAlert](ctx, q, "transitions of alerts", sql, clickhouse.Named("alerts", alerts))
	for _, r := range rows {
		found[r.AlertID] = append(found[r.AlertID], r)
	}
	return found, err
}

// PolicyOf returns a policy of a document; nil where it is not known any more.
func (q *Queries) PolicyOf(ctx context.Context, number uint32, name string) (*schemas.Policy, error) {
	const sql = `SELECT document FROM policies FINAL WHERE number = @number LIMIT 1`
	rows, err := selectAll[struct {
		Document string `ch:"document"`
	}](ctx, q, "policy", sql, clickhouse.Named("number", number))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	document, err := schemas.ParsePolicies([]byte(rows[0].Document))
	if err != nil {
		return nil, nil // of another version: the page goes without it
	}
	i := slices.IndexFunc(document.List, func(p schemas.Policy) bool { return p.Name == name })
	if i < 0 {
		return nil, nil
	}
	return &document.List[i], nil
}

// RawRecord is a copy of a raw record in the table raw_records.
type RawRecord struct {
	ReceivedAt time.Time `ch:"received_at"`
	Key        string    `ch:"key"`
	Raw        string    `ch:"raw"`
	RawBytes   uint32    `ch:"raw_bytes"` // before it was cut
}

// RawCopy returns the copy of a raw record; ErrNone where there is none.
func (q *Queries) RawCopy(ctx context.Context, topic string, partition int32, offset int64) (RawRecord, error) {
	const sql = `SELECT received_at, key, raw, raw_bytes FROM raw_records FINAL
		WHERE topic = @topic AND partition = @partition AND offset = @offset ORDER BY received_at DESC LIMIT 1`
	return selectOne[RawRecord](ctx, q, "copy of a raw record", sql, clickhouse.Named("topic", topic), clickhouse.Named("partition", partition), clickhouse.Named("offset", offset))
}
