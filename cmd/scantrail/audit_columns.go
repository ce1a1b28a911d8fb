package main

import (
	"strconv"
	"strings"

	"scantrail/schemas"
)

// column makes a rowColumn of a value that ClickHouse prints as text does.
func column[T any](name string, text func(*T) string) rowColumn[T] {
	return rowColumn[T]{name, "toString(" + name + ")", text}
}

func stringColumn[T any](name string, of func(*T) string) rowColumn[T] { return column(name, of) }

func numberColumn[T any, N ~uint8 | ~uint16 | ~uint32 | ~int32 | ~int64](name string, of func(*T) N) rowColumn[T] {
	return column(name, func(t *T) string { return strconv.FormatInt(int64(of(t)), 10) })
}

func boolColumn[T any](name string, of func(*T) bool) rowColumn[T] {
	return rowColumn[T]{name, "toString(toUInt8(" + name + "))", func(t *T) string {
		if of(t) {
			return "1"
		}
		return "0"
	}}
}

// timeColumn is a column of milliseconds; null is 0.
func timeColumn[T any](name string, of func(*T) int64) rowColumn[T] {
	return rowColumn[T]{name, "toString(ifNull(toUnixTimestamp64Milli(" + name + "), 0))", func(t *T) string { return strconv.FormatInt(of(t), 10) }}
}

// dayColumn is a column of days since 1970-01-01.
func dayColumn[T any](name string, of func(*T) uint16) rowColumn[T] {
	return rowColumn[T]{name, "toString(toUInt16(" + name + "))", func(t *T) string { return strconv.Itoa(int(of(t))) }}
}

func listColumn[T any](name string, of func(*T) []string) rowColumn[T] {
	return rowColumn[T]{name, "arrayStringConcat(" + name + ", '\\x02')", func(t *T) string { return strings.Join(of(t), "\x02") }}
}

func scanColumns() []rowColumn[schemas.Event] {
	type row = schemas.Event
	return []rowColumn[row]{
		stringColumn("fact_id", func(e *row) string { return e.FactID.String() }),
		stringColumn("parcel_id", func(e *row) string { return e.ParcelID.String() }),
		stringColumn("tracking_number", func(e *row) string { return e.TrackingNumber }),
		stringColumn("carrier", func(e *row) string { return e.Carrier }),
		timeColumn("occurred_at", func(e *row) int64 { return e.OccurredAt }),
		timeColumn("received_at", func(e *row) int64 { return e.ReceivedAt }),
		stringColumn("milestone", func(e *row) string { return e.Milestone.String() }),
		boolColumn("physical", func(e *row) bool { return e.Physical }),
		boolColumn("progress", func(e *row) bool { return e.Progress }),
		stringColumn("raw_code", func(e *row) string { return e.RawCode }),
		stringColumn("country", func(e *row) string { return e.Country }),
		stringColumn("facility", func(e *row) string { return e.Facility }),
		stringColumn("source_topic", func(e *row) string { return e.Topic }),
		stringColumn("source_topic_id", func(e *row) string { return e.TopicID.String() }),
		numberColumn("source_partition", func(e *row) int32 { return e.Partition }),
		numberColumn("source_offset", func(e *row) int64 { return e.Offset }),
		boolColumn("backfill", func(e *row) bool { return e.Backfill }),
		numberColumn("mapping_version", func(e *row) uint32 { return e.MappingVersion }),
	}
}

func alertColumns() []rowColumn[schemas.Alert] {
	type row = schemas.Alert
	return []rowColumn[row]{
		stringColumn("rule", func(a *row) string { return a.Rule }),
		stringColumn("detail", func(a *row) string { return a.Detail }),
		numberColumn("level", func(a *row) uint8 { return a.Level }),
		stringColumn("status", func(a *row) string { return a.Status.String() }),
		stringColumn("milestone", func(a *row) string { return nameOf(a.Milestone) }),
		stringColumn("stage", func(a *row) string { return nameOf(a.Stage) }),
		stringColumn("parcel_id", func(a *row) string { return a.ParcelID.String() }),
		stringColumn("tracking_number", func(a *row) string { return a.TrackingNumber }),
		stringColumn("carrier", func(a *row) string { return a.Carrier }),
		stringColumn("shop_id", func(a *row) string { return a.ShopID }),
		stringColumn("order_id", func(a *row) string { return a.OrderID }),
		stringColumn("market", func(a *row) string { return a.Market }),
		stringColumn("origin", func(a *row) string { return a.Origin }),
		stringColumn("destination", func(a *row) string { return a.Destination }),
		stringColumn("facility", func(a *row) string { return a.Facility }),
		stringColumn("country", func(a *row) string { return a.Country }),
		timeColumn("anchor_at", func(a *row) int64 { return a.AnchorAt }),
		timeColumn("ended_at", func(a *row) int64 { return a.EndedAt }),
		timeColumn("opened_at", func(a *row) int64 { return a.OpenedAt }),
		timeColumn("changed_at", func(a *row) int64 { return a.ChangedAt }),
		numberColumn("silent_secs", func(a *row) uint32 { return a.SilentSecs }),
		stringColumn("cause", func(a *row) string { return a.Cause }),
		boolColumn("backfill", func(a *row) bool { return a.Backfill }),
		boolColumn("held", func(a *row) bool { return a.Held }),
		boolColumn("uncertain", func(a *row) bool { return a.Uncertain }),
		stringColumn("policy", func(a *row) string { return a.Policy }),
	}
}

func parcelColumns() []rowColumn[schemas.ParcelRow] {
	type row = schemas.ParcelRow
	return []rowColumn[row]{
		numberColumn("life", func(p *row) uint8 { return p.Life }),
		stringColumn("tracking_number", func(p *row) string { return p.TrackingNumber }),
		listColumn("carriers", func(p *row) []string { return p.Carriers }),
		stringColumn("product", func(p *row) string { return p.Product }),
		stringColumn("shop_id", func(p *row) string { return p.ShopID }),
		stringColumn("order_id", func(p *row) string { return p.OrderID }),
		stringColumn("market", func(p *row) string { return p.Market }),
		stringColumn("origin", func(p *row) string { return p.Origin }),
		stringColumn("destination", func(p *row) string { return p.Destination }),
		stringColumn("label_source", func(p *row) string { return p.LabelSource }),
		stringColumn("stage", func(p *row) string { return nameOf(p.Stage) }),
		numberColumn("stage_no", func(p *row) uint8 { return uint8(p.Stage) }),
		stringColumn("last_milestone", func(p *row) string { return nameOf(p.LastMilestone) }),
		stringColumn("last_carrier", func(p *row) string { return p.LastCarrier }),
		stringColumn("last_facility", func(p *row) string { return p.LastFacility }),
		stringColumn("last_country", func(p *row) string { return p.LastCountry }),
		timeColumn("first_progress_at", func(p *row) int64 { return p.FirstProgressAt }),
		timeColumn("last_progress_at", func(p *row) int64 { return p.LastProgressAt }),
		timeColumn("first_physical_at", func(p *row) int64 { return p.FirstPhysicalAt }),
		stringColumn("end_milestone", func(p *row) string { return nameOf(p.EndMilestone) }),
		timeColumn("ended_at", func(p *row) int64 { return p.EndedAt }),
		timeColumn("ordered_at", func(p *row) int64 { return p.OrderedAt }),
		timeColumn("confirmed_at", func(p *row) int64 { return p.ConfirmedAt }),
		timeColumn("ready_at", func(p *row) int64 { return p.ReadyAt }),
		timeColumn("marked_shipped_at", func(p *row) int64 { return p.MarkedShippedAt }),
		timeColumn("marked_delivered_at", func(p *row) int64 { return p.MarkedDeliveredAt }),
		timeColumn("promise_at", func(p *row) int64 { return p.PromiseAt }),
		timeColumn("cancelled_at", func(p *row) int64 { return p.CancelledAt }),
		timeColumn("label_at", func(p *row) int64 { return p.LabelAt }),
		timeColumn("accepted_at", func(p *row) int64 { return p.AcceptedAt }),
		timeColumn("export_cleared_at", func(p *row) int64 { return p.ExportClearedAt }),
		timeColumn("departed_at", func(p *row) int64 { return p.DepartedAt }),
		timeColumn("arrived_at", func(p *row) int64 { return p.ArrivedAt }),
		timeColumn("import_cleared_at", func(p *row) int64 { return p.ImportClearedAt }),
		timeColumn("out_for_delivery_at", func(p *row) int64 { return p.OutForDeliveryAt }),
		timeColumn("delivered_at", func(p *row) int64 { return p.DeliveredAt }),
		timeColumn("returned_at", func(p *row) int64 { return p.ReturnedAt }),
		numberColumn("facts", func(p *row) uint16 { return p.Facts }),
		numberColumn("progress_facts", func(p *row) uint16 { return p.ProgressFacts }),
		numberColumn("required", func(p *row) uint8 { return p.Required }),
		numberColumn("due", func(p *row) uint8 { return p.Due }),
		numberColumn("observed", func(p *row) uint8 { return p.Observed }),
		numberColumn("silent_secs", func(p *row) uint32 { return p.SilentSecs }),
		numberColumn("gaps_48h", func(p *row) uint8 { return p.Gaps48h }),
		numberColumn("gaps_72h", func(p *row) uint8 { return p.Gaps72h }),
		numberColumn("exceptions", func(p *row) uint8 { return p.Exceptions }),
		timeColumn("first_scan_at", func(p *row) int64 { return p.FirstScanAt }),
		stringColumn("first_exception", func(p *row) string { return nameOf(p.FirstException) }),
		timeColumn("first_exception_at", func(p *row) int64 { return p.FirstExceptionAt }),
		numberColumn("silent_customs_secs", func(p *row) uint32 { return p.SilentCustomsSecs }),
		timeColumn("silent_from", func(p *row) int64 { return p.SilentFrom }),
		timeColumn("promised_at", func(p *row) int64 { return p.PromisedAt }),
		timeColumn("deliver_by", func(p *row) int64 { return p.DeliverBy }),
		timeColumn("pickup_by", func(p *row) int64 { return p.PickupBy }),
		timeColumn("collect_by", func(p *row) int64 { return p.CollectBy }),
		timeColumn("matures_at", func(p *row) int64 { return p.MaturesAt }),
		numberColumn("scored_due", func(p *row) uint8 { return p.ScoredDue }),
		numberColumn("scored_gaps_72h", func(p *row) uint8 { return p.ScoredGaps72h }),
		dayColumn("cohort_day", func(p *row) uint16 { return p.CohortDay }),
		stringColumn("policy", func(p *row) string { return p.Policy }),
		numberColumn("policy_number", func(p *row) uint32 { return p.PolicyNumber }),
		timeColumn("updated_at", func(p *row) int64 { return p.UpdatedAt }),
	}
}

func orderColumns() []rowColumn[schemas.OrderRow] {
	type row = schemas.OrderRow
	return []rowColumn[row]{
		stringColumn("market", func(o *row) string { return o.Market }),
		stringColumn("carrier", func(o *row) string { return o.Carrier }),
		listColumn("tracking_numbers", func(o *row) []string { return o.TrackingNumbers }),
		stringColumn("label_source", func(o *row) string { return o.LabelSource }),
		stringColumn("origin", func(o *row) string { return o.Origin }),
		stringColumn("destination", func(o *row) string { return o.Destination }),
		stringColumn("destination_postcode", func(o *row) string { return o.DestPostcode }),
		timeColumn("created_at", func(o *row) int64 { return o.CreatedAt }),
		timeColumn("confirmed_at", func(o *row) int64 { return o.ConfirmedAt }),
		timeColumn("ready_at", func(o *row) int64 { return o.ReadyAt }),
		timeColumn("marked_shipped_at", func(o *row) int64 { return o.MarkedShippedAt }),
		timeColumn("marked_delivered_at", func(o *row) int64 { return o.MarkedDeliveredAt }),
		timeColumn("label_at", func(o *row) int64 { return o.LabelAt }),
		timeColumn("promise_at", func(o *row) int64 { return o.PromiseAt }),
		timeColumn("cancel_requested_at", func(o *row) int64 { return o.CancelRequestedAt }),
		timeColumn("cancel_answered_at", func(o *row) int64 { return o.CancelAnsweredAt }),
		timeColumn("cancelled_at", func(o *row) int64 { return o.CancelledAt }),
		numberColumn("facts", func(o *row) uint16 { return o.Facts }),
		timeColumn("confirm_by", func(o *row) int64 { return o.ConfirmBy }),
		timeColumn("promised_at", func(o *row) int64 { return o.PromisedAt }),
		timeColumn("deliver_by", func(o *row) int64 { return o.DeliverBy }),
		dayColumn("cohort_day", func(o *row) uint16 { return o.CohortDay }),
		stringColumn("policy", func(o *row) string { return o.Policy }),
		numberColumn("policy_number", func(o *row) uint32 { return o.PolicyNumber }),
		timeColumn("updated_at", func(o *row) int64 { return o.UpdatedAt }),
	}
}
