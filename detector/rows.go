package detector

import (
	"slices"

	"scantrail/schemas"
)

// DirtyParcels appends to dst the rows of up to limit parcels whose present row
// is not known to be written, those that have waited longest first. The same
// parcels come again until MarkParcelsWritten has seen their rows. Rows are
// independent of the machine; what dst has beyond its length, the Carriers of
// those rows included, is written over.
func (m *Machine) DirtyParcels(limit int, dst []schemas.ParcelRow) []schemas.ParcelRow {
	q := &m.dirtyParcels
	for _, i := range q.slots[q.head:min(q.head+max(limit, 0), len(q.slots))] {
		if p := m.parcels.at(i); p.flags&parcelDirty != 0 {
			dst = slices.Grow(dst, 1)[:len(dst)+1]
			m.parcelRow(p, &dst[len(dst)-1])
		}
	}
	return dst
}

// MarkParcelsWritten says that these rows are durable. A parcel whose row has
// become newer since stays dirty.
func (m *Machine) MarkParcelsWritten(rows []schemas.ParcelRow) {
	for i := range rows {
		if _, p := m.parcels.find(&rows[i].ParcelID); p != nil && p.version == rows[i].Version {
			p.flags &^= parcelDirty
		}
	}
	m.dirtyParcels.trim(len(rows), func(i uint32) bool { return m.parcels.at(i).flags&parcelDirty != 0 })
}

// DirtyOrders is DirtyParcels for orders.
func (m *Machine) DirtyOrders(limit int, dst []schemas.OrderRow) []schemas.OrderRow {
	q := &m.dirtyOrders
	for _, i := range q.slots[q.head:min(q.head+max(limit, 0), len(q.slots))] {
		if o := m.orders.at(i); o.flags&orderDirty != 0 {
			dst = append(dst, m.orderRow(o))
		}
	}
	return dst
}

// MarkOrdersWritten is MarkParcelsWritten for orders.
func (m *Machine) MarkOrdersWritten(rows []schemas.OrderRow) {
	// Versions name the rows: no two orders change at one offset, and a row may
	// hold less of a key than was stated.
	written := make(map[uint64]bool, len(rows))
	for i := range rows {
		written[rows[i].Version] = true
	}
	q := &m.dirtyOrders
	for _, i := range q.slots[q.head:min(q.head+len(rows), len(q.slots))] {
		if o := m.orders.at(i); written[o.version] {
			o.flags &^= orderDirty
		}
	}
	q.trim(len(rows), func(i uint32) bool { return m.orders.at(i).flags&orderDirty != 0 })
}

// parcelRow fills in the row of p as of its version: under the policy and at
// the clock of that moment.
func (m *Machine) parcelRow(p *parcel, row *schemas.ParcelRow) {
	facts := m.factsOf(p)
	s := m.sections(p)
	r := m.policies[p.policy]
	if r == nil { // quarantined before the first policy
		r = noRules
	}
	v := &m.verdict
	v.evaluate(facts, orderedLane(s.orders), r, p.updated)
	*row = schemas.ParcelRow{
		ParcelID: p.id, OpenedAt: millis(p.opened), Version: p.version, TrackingNumber: m.rows.of(s.number),
		Carriers: m.carriers(row.Carriers[:0], facts),
		Origin:   countryName(v.lane.origin()), Destination: countryName(v.lane.destination()),
		Stage: v.stage, EndMilestone: v.endMilestone, EndedAt: millis(v.end),
		Facts: uint16(len(facts)), ProgressFacts: v.progress,
		Required: v.required, Due: v.due, Observed: v.observed,
		SilentSecs: v.silent, Gaps48h: v.gaps48, Gaps72h: v.gaps72, Exceptions: v.exceptions,
		Policy: r.policy.Name, UpdatedAt: millis(p.updated),
	}
	if p.flags&parcelQuarantined != 0 {
		row.Facts = MaxFacts + 1
	}
	row.FirstProgressAt = millis(v.first)
	if v.last >= 0 {
		f := &facts[v.last]
		at := &m.places.list[f.place]
		row.LastMilestone, row.LastProgressAt = f.milestone, millis(f.sec)
		row.LastCarrier, row.LastFacility, row.LastCountry = at.carrier, at.facility, countryName(at.country)
	}
	for i, t := range [numTimes]*int64{
		&row.LabelAt, &row.AcceptedAt, &row.ExportClearedAt, &row.DepartedAt, &row.ArrivedAt,
		&row.ImportClearedAt, &row.OutForDeliveryAt, &row.DeliveredAt, &row.ReturnedAt,
	} {
		*t = millis(v.times[i])
	}
	m.orderPart(s.orders, row)
}

// orderPart fills in what the parcel's order says.
func (m *Machine) orderPart(orders []byte, row *schemas.ParcelRow) {
	if len(orders) == 0 {
		return
	}
	o := m.ordered(orders)
	row.OrderID, row.ShopID, row.Market = m.rows.of(o.orderID), m.texts.list[o.shop], countryName(o.market)
	row.LabelSource, row.PromiseAt = m.texts.list[o.label], millis(o.promise)
	row.OrderedAt = millis(o.first[schemas.OrderCreated])
	row.ConfirmedAt = millis(o.first[schemas.OrderConfirmed])
	row.ReadyAt = millis(o.first[schemas.OrderReadyToShip])
	row.MarkedShippedAt = millis(o.first[schemas.OrderMarkedShipped])
	row.CancelledAt = millis(o.first[schemas.OrderCancelled])
}

// carriers appends the carriers of the facts, each once, by first event.
func (m *Machine) carriers(dst []string, facts []fact) []string {
	for i := range facts {
		if c := m.places.list[facts[i].place].carrier; c != "" && !slices.Contains(dst, c) {
			dst = append(dst, c)
		}
	}
	return dst
}

func (m *Machine) orderRow(o *order) schemas.OrderRow {
	facts := m.orderFacts(o)
	s := summarize(facts)
	at := func(k schemas.OrderKind) int64 { return millis(s.first[k]) }
	row := schemas.OrderRow{
		OrderID: m.rows.of(s.orderID), ShopID: m.texts.list[s.shop], Market: countryName(s.market), Version: o.version,
		Carrier: m.texts.list[s.carrier], TrackingNumbers: m.numbersOf(facts), LabelSource: m.texts.list[s.label],
		Origin: countryName(s.lane.origin()), Destination: countryName(s.lane.destination()), DestPostcode: m.rows.of(s.postcode),
		CreatedAt: at(schemas.OrderCreated), ConfirmedAt: at(schemas.OrderConfirmed), ReadyAt: at(schemas.OrderReadyToShip),
		MarkedShippedAt: at(schemas.OrderMarkedShipped), MarkedDeliveredAt: at(schemas.OrderMarkedDelivered),
		LabelAt: at(schemas.OrderLabelCreated), PromiseAt: millis(s.promise),
		CancelRequestedAt: at(schemas.OrderCancelRequested), CancelAnsweredAt: at(schemas.OrderCancelAnswered),
		CancelledAt: at(schemas.OrderCancelled), Facts: uint16(len(facts)), UpdatedAt: millis(o.updated),
	}
	if o.flags&orderQuarantined != 0 {
		row.Facts = MaxFacts + 1
	}
	return row
}
