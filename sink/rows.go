package sink

import (
	"context"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"scantrail/schemas"
)

// Rows writes the current rows of parcels and orders, and writes and reads what
// was evicted of them. It does not retry: the caller keeps its rows marked as
// dirty until they are written. A row's key and version make writing it again
// harmless. Not safe for concurrent use; take one per goroutine.
type Rows struct {
	conn    driver.Conn
	parcels *parcelBlock
	orders  *orderBlock
	archive *archiveBlock
	gaps    *gapBlock // of quarantined entities
	buf     proto.Buffer
}

// NewRows returns a writer of rows over conn.
func NewRows(conn driver.Conn) *Rows {
	return &Rows{conn: conn, parcels: newParcelBlock(), orders: newOrderBlock(), archive: newArchiveBlock(), gaps: newGapBlock()}
}

// InsertParcels writes rows into parcels, in blocks of at most 100,000, and
// those of quarantined parcels into data_gaps as well. After an error, any of
// the rows may or may not be written. The rows' strings are not kept.
func (w *Rows) InsertParcels(ctx context.Context, rows []schemas.ParcelRow) error {
	b := w.parcels
	defer b.reset()
	for len(rows) > 0 {
		n := min(len(rows), maxBlockRows)
		b.reset()
		for i := range rows[:n] {
			b.add(&rows[i])
			if rows[i].Facts > schemas.MaxFacts {
				w.gaps.quarantined(rows[i].TrackingNumber, "one tracking number with more facts than a parcel has: its trail is no longer followed")
			}
		}
		if err := b.insert(ctx, w.conn, &w.buf); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return w.insertGaps(ctx)
}

// InsertGap notes in data_gaps that the offsets from first to last of a partition
// of parcel.events were never applied by the detector.
func (w *Rows) InsertGap(ctx context.Context, partition int32, first, last int64, detail string) error {
	w.gaps.add(schemas.EventsTopic, partition, first, last, "detector_retention", detail)
	return w.insertGaps(ctx)
}

// insertGaps writes what the rows before have noted.
func (w *Rows) insertGaps(ctx context.Context) error {
	defer w.gaps.reset()
	if w.gaps.rows == 0 {
		return nil
	}
	return w.gaps.insert(ctx, w.conn, &w.buf)
}

// InsertOrders writes rows into orders, as InsertParcels does.
func (w *Rows) InsertOrders(ctx context.Context, rows []schemas.OrderRow) error {
	b := w.orders
	defer b.reset()
	for len(rows) > 0 {
		n := min(len(rows), maxBlockRows)
		b.reset()
		for i := range rows[:n] {
			b.add(&rows[i])
			if rows[i].Facts > schemas.MaxFacts {
				w.gaps.quarantined("order "+rows[i].OrderID+" of "+rows[i].ShopID, "one order with more facts or numbers than an order has: it is no longer followed")
			}
		}
		if err := b.insert(ctx, w.conn, &w.buf); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return w.insertGaps(ctx)
}

// milestoneName returns the name of a milestone for a column, where unmapped
// means that there is none.
func milestoneName(m schemas.Milestone) string {
	if m == schemas.Unmapped {
		return ""
	}
	return m.String()
}

// parcelBlock is a block of parcels.
type parcelBlock struct {
	block
	id                                          ids
	opened, updated                             times
	version                                     u64s
	deleted, life                               u8s
	product                                     strs
	number, shop, order, market                 strs
	carriers                                    arrays
	origin, destination, labelSource            strs
	stage, last, end                            strs
	stageNo                                     u8s
	lastCarrier, lastFacility, lastCountry      strs
	firstProgress, lastProgress, ended          nullTimes
	firstPhysical, markedDelivered              nullTimes
	ordered, confirmed, ready, shipped          nullTimes
	promise, cancelled                          nullTimes
	label, accepted, exportCleared, departed    nullTimes
	arrived, importCleared, outForDelivery      nullTimes
	delivered, returned                         nullTimes
	facts, progress                             u16s
	required, due, observed, gaps48, gaps72, ex u8s
	silent                                      u32s
	policy                                      strs
	scoreColumns
	firstException                 strs
	firstScan                      nullTimes
	firstExceptionAt, silentFrom   nullTimes
	silentCustoms                  u32s
	pickupBy, collectBy, maturesAt nullTimes
	scoredDue, scoredGaps72        u8s
}

// scoreColumns is what rows of parcels and of orders hold alike for scores.
type scoreColumns struct {
	promised, deliverBy nullTimes
	cohortDay           days
	policyNumber        u32s
}

func newParcelBlock() *parcelBlock {
	b := &parcelBlock{}
	b.block = newBlock("parcels",
		idCol("parcel_id", &b.id), timeCol("opened_at", &b.opened), u8Col("life", &b.life),
		u64Col("version", &b.version), u8Col("deleted", &b.deleted), strCol("product", &b.product), strCol("tracking_number", &b.number), arrCol("carriers", &b.carriers),
		strCol("shop_id", &b.shop), strCol("order_id", &b.order), strCol("market", &b.market),
		strCol("origin", &b.origin), strCol("destination", &b.destination), strCol("label_source", &b.labelSource),
		strCol("stage", &b.stage), u8Col("stage_no", &b.stageNo), strCol("last_milestone", &b.last),
		strCol("last_carrier", &b.lastCarrier), strCol("last_facility", &b.lastFacility),
		strCol("last_country", &b.lastCountry), nullCol("first_progress_at", &b.firstProgress), nullCol("last_progress_at", &b.lastProgress),
		nullCol("first_physical_at", &b.firstPhysical), nullCol("marked_delivered_at", &b.markedDelivered),
		strCol("end_milestone", &b.end), nullCol("ended_at", &b.ended),
		nullCol("ordered_at", &b.ordered), nullCol("confirmed_at", &b.confirmed), nullCol("ready_at", &b.ready),
		nullCol("marked_shipped_at", &b.shipped), nullCol("promise_at", &b.promise), nullCol("cancelled_at", &b.cancelled),
		nullCol("label_at", &b.label), nullCol("accepted_at", &b.accepted), nullCol("export_cleared_at", &b.exportCleared),
		nullCol("departed_at", &b.departed), nullCol("arrived_at", &b.arrived), nullCol("import_cleared_at", &b.importCleared),
		nullCol("out_for_delivery_at", &b.outForDelivery), nullCol("delivered_at", &b.delivered), nullCol("returned_at", &b.returned),
		u16Col("facts", &b.facts), u16Col("progress_facts", &b.progress),
		u8Col("required", &b.required), u8Col("due", &b.due), u8Col("observed", &b.observed),
		u32Col("silent_secs", &b.silent), u8Col("gaps_48h", &b.gaps48), u8Col("gaps_72h", &b.gaps72),
		u8Col("exceptions", &b.ex), strCol("policy", &b.policy), timeCol("updated_at", &b.updated),
		nullCol("first_scan_at", &b.firstScan), strCol("first_exception", &b.firstException), nullCol("first_exception_at", &b.firstExceptionAt),
		u32Col("silent_customs_secs", &b.silentCustoms), nullCol("silent_from", &b.silentFrom),
		nullCol("promised_at", &b.promised), nullCol("deliver_by", &b.deliverBy), nullCol("pickup_by", &b.pickupBy),
		nullCol("collect_by", &b.collectBy), nullCol("matures_at", &b.maturesAt),
		u8Col("scored_due", &b.scoredDue), u8Col("scored_gaps_72h", &b.scoredGaps72),
		dayCol("cohort_day", &b.cohortDay), u32Col("policy_number", &b.policyNumber))
	return b
}

func (b *parcelBlock) add(r *schemas.ParcelRow) {
	b.rows++
	b.id.add(r.ParcelID)
	b.opened.add(r.OpenedAt)
	b.version.add(r.Version)
	b.deleted.add(bit(r.Deleted))
	b.life.add(r.Life)
	b.product.add(r.Product)
	b.number.add(r.TrackingNumber)
	b.carriers.add(r.Carriers)
	b.shop.add(r.ShopID)
	b.order.add(r.OrderID)
	b.market.add(r.Market)
	b.origin.add(r.Origin)
	b.destination.add(r.Destination)
	b.labelSource.add(r.LabelSource)
	b.stage.add(milestoneName(r.Stage))
	b.stageNo.add(uint8(r.Stage))
	b.last.add(milestoneName(r.LastMilestone))
	b.lastCarrier.add(r.LastCarrier)
	b.lastFacility.add(r.LastFacility)
	b.lastCountry.add(r.LastCountry)
	b.firstProgress.add(r.FirstProgressAt)
	b.lastProgress.add(r.LastProgressAt)
	b.firstPhysical.add(r.FirstPhysicalAt)
	b.end.add(milestoneName(r.EndMilestone))
	b.ended.add(r.EndedAt)
	b.facts.add(r.Facts)
	b.progress.add(r.ProgressFacts)
	b.required.add(r.Required)
	b.due.add(r.Due)
	b.observed.add(r.Observed)
	b.silent.add(r.SilentSecs)
	b.gaps48.add(r.Gaps48h)
	b.gaps72.add(r.Gaps72h)
	b.ex.add(r.Exceptions)
	b.policy.add(r.Policy)
	b.updated.add(r.UpdatedAt)
	b.addTimes(r)
	b.addScores(r)
}

func (b *parcelBlock) addScores(r *schemas.ParcelRow) {
	b.firstScan.add(r.FirstScanAt)
	b.firstException.add(milestoneName(r.FirstException))
	b.firstExceptionAt.add(r.FirstExceptionAt)
	b.silentCustoms.add(r.SilentCustomsSecs)
	b.silentFrom.add(r.SilentFrom)
	b.promised.add(r.PromisedAt)
	b.deliverBy.add(r.DeliverBy)
	b.pickupBy.add(r.PickupBy)
	b.collectBy.add(r.CollectBy)
	b.maturesAt.add(r.MaturesAt)
	b.scoredDue.add(r.ScoredDue)
	b.scoredGaps72.add(r.ScoredGaps72h)
	b.cohortDay.add(r.CohortDay)
	b.policyNumber.add(r.PolicyNumber)
}

func (b *parcelBlock) addTimes(r *schemas.ParcelRow) {
	b.ordered.add(r.OrderedAt)
	b.confirmed.add(r.ConfirmedAt)
	b.ready.add(r.ReadyAt)
	b.shipped.add(r.MarkedShippedAt)
	b.markedDelivered.add(r.MarkedDeliveredAt)
	b.promise.add(r.PromiseAt)
	b.cancelled.add(r.CancelledAt)
	b.label.add(r.LabelAt)
	b.accepted.add(r.AcceptedAt)
	b.exportCleared.add(r.ExportClearedAt)
	b.departed.add(r.DepartedAt)
	b.arrived.add(r.ArrivedAt)
	b.importCleared.add(r.ImportClearedAt)
	b.outForDelivery.add(r.OutForDeliveryAt)
	b.delivered.add(r.DeliveredAt)
	b.returned.add(r.ReturnedAt)
}

// orderBlock is a block of orders.
type orderBlock struct {
	block
	shop, order, market, carrier                  strs
	version                                       u64s
	numbers                                       arrays
	labelSource, origin, destination, postcode    strs
	created, confirmed, ready, shipped, delivered nullTimes
	label, promise, requested, answered, cancel   nullTimes
	facts                                         u16s
	updated                                       times
	confirmBy                                     nullTimes
	policy                                        strs
	scoreColumns
}

func newOrderBlock() *orderBlock {
	b := &orderBlock{}
	b.block = newBlock("orders",
		strCol("shop_id", &b.shop), strCol("order_id", &b.order), u64Col("version", &b.version),
		strCol("market", &b.market), strCol("carrier", &b.carrier), arrCol("tracking_numbers", &b.numbers),
		strCol("label_source", &b.labelSource), strCol("origin", &b.origin), strCol("destination", &b.destination),
		strCol("destination_postcode", &b.postcode),
		nullCol("created_at", &b.created), nullCol("confirmed_at", &b.confirmed), nullCol("ready_at", &b.ready),
		nullCol("marked_shipped_at", &b.shipped), nullCol("marked_delivered_at", &b.delivered),
		nullCol("label_at", &b.label), nullCol("promise_at", &b.promise),
		nullCol("cancel_requested_at", &b.requested), nullCol("cancel_answered_at", &b.answered),
		nullCol("cancelled_at", &b.cancel), u16Col("facts", &b.facts), timeCol("updated_at", &b.updated),
		nullCol("confirm_by", &b.confirmBy), nullCol("promised_at", &b.promised), nullCol("deliver_by", &b.deliverBy),
		dayCol("cohort_day", &b.cohortDay), strCol("policy", &b.policy), u32Col("policy_number", &b.policyNumber))
	return b
}

func (b *orderBlock) add(r *schemas.OrderRow) {
	b.rows++
	b.shop.add(r.ShopID)
	b.order.add(r.OrderID)
	b.version.add(r.Version)
	b.market.add(r.Market)
	b.carrier.add(r.Carrier)
	b.numbers.add(r.TrackingNumbers)
	b.labelSource.add(r.LabelSource)
	b.origin.add(r.Origin)
	b.destination.add(r.Destination)
	b.postcode.add(r.DestPostcode)
	b.created.add(r.CreatedAt)
	b.confirmed.add(r.ConfirmedAt)
	b.ready.add(r.ReadyAt)
	b.shipped.add(r.MarkedShippedAt)
	b.delivered.add(r.MarkedDeliveredAt)
	b.label.add(r.LabelAt)
	b.promise.add(r.PromiseAt)
	b.requested.add(r.CancelRequestedAt)
	b.answered.add(r.CancelAnsweredAt)
	b.cancel.add(r.CancelledAt)
	b.facts.add(r.Facts)
	b.updated.add(r.UpdatedAt)
	b.confirmBy.add(r.ConfirmBy)
	b.promised.add(r.PromisedAt)
	b.deliverBy.add(r.DeliverBy)
	b.cohortDay.add(r.CohortDay)
	b.policy.add(r.Policy)
	b.policyNumber.add(r.PolicyNumber)
}
