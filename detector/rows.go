package detector

import (
	"slices"

	"scantrail/schemas"
)

// Dirty returns how many entities wait for their rows to be written, about.
func (m *Machine) Dirty() int { return m.dirtyParcels.len() + m.dirtyOrders.len() + len(m.leaving) }

// DirtyParcels appends to dst the rows of up to limit parcels whose present rows
// are not known to be written, those that have waited longest first: one for
// every life, so that there may be more rows than limit. The same parcels come
// again until MarkParcelsWritten has seen their rows. Rows are independent of the
// machine; what dst has beyond its length, the Carriers of those rows included,
// is written over.
func (m *Machine) DirtyParcels(limit int, dst []schemas.ParcelRow) []schemas.ParcelRow {
	for k := range m.leaving {
		if l := &m.leaving[k]; l.flags&(entityDirty|entityOrder) == entityDirty && limit > 0 {
			dst = m.parcelRows(&l.entity, l.row, dst)
			limit--
		}
	}
	q := &m.dirtyParcels
	for _, i := range q.slots[q.head:] {
		if limit <= 0 {
			break
		}
		if m.isDirtyParcel(i) {
			dst = m.parcelRows(m.entities.at(i), m.unwritten.get(i), dst)
			limit--
		}
	}
	return dst
}

// MarkParcelsWritten says that these rows are durable. A parcel whose row has
// become newer since stays dirty.
func (m *Machine) MarkParcelsWritten(rows []schemas.ParcelRow) {
	for i := range rows {
		m.written(rows[i].ParcelID, rows[i].Version)
	}
	m.leaversWritten(func(at map[rowKey]bool) {
		for i := range rows {
			at[rowKey{rows[i].ParcelID, rows[i].Version}] = true
		}
	})
	m.dirtyParcels.trim(len(rows), func(i uint32) bool { return m.entities.at(i).flags&(entityOrder|entityDirty) == entityDirty })
}

// written takes the dirty flag off the entity of that version.
func (m *Machine) written(id schemas.ID, version uint64) {
	if i, e := m.entities.find(&id, nil); e != nil && e.is(entityDirty) && m.unwritten.get(i).version == version {
		e.flags &^= entityDirty
		m.unwritten.drop(i)
	}
}

// rowKey names what was written.
type rowKey struct {
	id      schemas.ID
	version uint64
}

// leaversWritten takes the dirty flags off those that have left.
func (m *Machine) leaversWritten(list func(map[rowKey]bool)) {
	if len(m.leaving) == 0 {
		return
	}
	at := map[rowKey]bool{}
	list(at)
	for k := range m.leaving {
		if l := &m.leaving[k]; at[rowKey{l.id, l.row.version}] {
			l.flags &^= entityDirty
		}
	}
	m.forget()
}

// A slot in a queue may have been freed, and taken by an entity of the other
// kind. What has news waits for the tick that judges it: a row is the state at its
// version.
func (m *Machine) isDirtyParcel(i uint32) bool {
	return m.entities.at(i).flags&(entityFree|entityOrder|entityPending|entityPutOff|entityDirty) == entityDirty
}

func (m *Machine) isDirtyOrder(i uint32) bool {
	return m.entities.at(i).flags&(entityFree|entityOrder|entityPending|entityPutOff|entityDirty) == entityOrder|entityDirty
}

// DirtyOrders is DirtyParcels for orders, of which each has one row.
func (m *Machine) DirtyOrders(limit int, dst []schemas.OrderRow) []schemas.OrderRow {
	for k := range m.leaving {
		if l := &m.leaving[k]; l.flags&(entityDirty|entityOrder) == entityDirty|entityOrder && limit > 0 {
			dst = append(dst, m.orderRow(&l.entity, l.row))
			limit--
		}
	}
	q := &m.dirtyOrders
	for _, i := range q.slots[q.head:] {
		if limit <= 0 {
			break
		}
		if m.isDirtyOrder(i) {
			dst = append(dst, m.orderRow(m.entities.at(i), m.unwritten.get(i)))
			limit--
		}
	}
	return dst
}

// MarkOrdersWritten is MarkParcelsWritten for orders. A row may hold less of a
// key than was stated: it says which order it is of itself.
func (m *Machine) MarkOrdersWritten(rows []schemas.OrderRow) {
	for i := range rows {
		m.written(rows[i].EntityID, rows[i].Version)
	}
	m.leaversWritten(func(at map[rowKey]bool) {
		for i := range rows {
			at[rowKey{rows[i].EntityID, rows[i].Version}] = true
		}
	})
	m.dirtyOrders.trim(len(rows), func(i uint32) bool {
		return m.entities.at(i).flags&(entityOrder|entityDirty) == entityOrder|entityDirty
	})
}

// parcelRows appends the rows of e in a state: one for each life, and
// those of lives that there no longer are, as deleted.
func (m *Machine) parcelRows(e *entity, at rowState, dst []schemas.ParcelRow) []schemas.ParcelRow {
	keys, id := m.moreOf(e).keys, m.idOf(e)
	var lives []life
	if !e.is(entityMoved) {
		lives = m.livesOf(e)
	}
	for i := range max(len(keys)+1, 1) {
		dst = slices.Grow(dst, 1)[:len(dst)+1]
		row := &dst[len(dst)-1]
		opened := e.opened
		if i > 0 {
			opened = keys[i-1]
		}
		if i >= len(lives) || len(lives[i].facts) == 0 && len(lives[i].main) == 0 {
			*row = schemas.ParcelRow{ParcelID: id, OpenedAt: millis(opened), Version: at.version, Deleted: true,
				TrackingNumber: m.rows.of(m.numberOf(e)), UpdatedAt: millis(at.updated), Carriers: row.Carriers[:0]}
			continue
		}
		m.parcelRow(e, &lives[i], at.updated, row)
		row.ParcelID, row.Version = id, at.version
		row.OpenedAt, row.Life = millis(opened), uint8(i+1)
	}
	return dst
}

// parcelRow fills in what the row of one life says, under e's policy and at a
// clock.
func (m *Machine) parcelRow(e *entity, l *life, updated uint32, row *schemas.ParcelRow) {
	r := noRules // before the first policy
	if e.policy != 0 {
		r = m.policies[m.choose(m.policies[e.policy].set, e, l)]
	}
	v := &m.verdict
	v.evaluate(l, r, updated)
	*row = schemas.ParcelRow{
		TrackingNumber: m.rows.of(m.numberOf(e)),
		Carriers:       m.carriers(row.Carriers[:0], l.facts),
		Origin:         countryName(v.lane.origin()), Destination: countryName(v.lane.destination()),
		Stage: v.stage, EndMilestone: v.endMilestone, EndedAt: millis(v.end),
		Facts: uint16(len(l.facts)), ProgressFacts: v.progress,
		Required: v.required, Due: v.due, Observed: v.observed,
		SilentSecs: v.silent, Gaps48h: v.gaps48, Gaps72h: v.gaps72, Exceptions: v.exceptions,
		Policy: r.policy.Name, PolicyNumber: r.set.number, UpdatedAt: millis(updated),
	}
	if e.is(entityQuarantined) {
		row.Facts = MaxFacts + 1
	}
	if e.is(entityMore) {
		row.Product = m.texts.list[m.moreOf(e).product]
	}
	row.FirstProgressAt, row.FirstPhysicalAt = millis(v.first), millis(v.handled.sec)
	if v.last >= 0 {
		f := &l.facts[v.last]
		at := &m.places.list[f.place]
		row.LastMilestone, row.LastProgressAt = f.milestone, millis(f.sec)
		row.LastCarrier, row.LastFacility, row.LastCountry = at.carrier, at.facility, countryName(at.country)
	}
	for i, t := range [numTimes]*int64{
		&row.LabelAt, &row.AcceptedAt, &row.ExportClearedAt, &row.DepartedAt, &row.ArrivedAt,
		&row.ImportClearedAt, &row.OutForDeliveryAt, &row.DeliveredAt, &row.ReturnedAt,
	} {
		*t = millis(v.seenAt[timesAt+i])
	}
	m.orderPart(l.main, row)
	v.scorePart(l, r, updated, row)
}

// orderPart fills in what the parcel's order says.
func (m *Machine) orderPart(main []orderFact, row *schemas.ParcelRow) {
	if len(main) == 0 {
		return
	}
	o := summarize(main)
	row.OrderID, row.ShopID, row.Market = m.rows.of(o.orderID), m.texts.list[o.shop], countryName(o.market)
	row.LabelSource, row.PromiseAt = m.texts.list[o.label], millis(o.promise)
	row.OrderedAt = millis(o.first[schemas.OrderCreated])
	row.ConfirmedAt = millis(o.first[schemas.OrderConfirmed])
	row.ReadyAt = millis(o.first[schemas.OrderReadyToShip])
	row.MarkedShippedAt = millis(o.first[schemas.OrderMarkedShipped])
	row.MarkedDeliveredAt = millis(o.first[schemas.OrderMarkedDelivered])
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

func (m *Machine) orderRow(e *entity, state rowState) schemas.OrderRow {
	facts := m.ordersOf(e)
	s := summarize(facts)
	at := func(k schemas.OrderKind) int64 { return millis(s.first[k]) }
	row := schemas.OrderRow{
		EntityID: m.idOf(e), OrderID: m.rows.of(s.orderID), ShopID: m.texts.list[s.shop], Market: countryName(s.market), Version: state.version,
		Carrier: m.texts.list[s.carrier], TrackingNumbers: m.numbersOf(facts), LabelSource: m.texts.list[s.label],
		Origin: countryName(s.lane.origin()), Destination: countryName(s.lane.destination()), DestPostcode: m.rows.of(s.postcode),
		CreatedAt: at(schemas.OrderCreated), ConfirmedAt: at(schemas.OrderConfirmed), ReadyAt: at(schemas.OrderReadyToShip),
		MarkedShippedAt: at(schemas.OrderMarkedShipped), MarkedDeliveredAt: at(schemas.OrderMarkedDelivered),
		LabelAt: at(schemas.OrderLabelCreated), PromiseAt: millis(s.promise),
		CancelRequestedAt: at(schemas.OrderCancelRequested), CancelAnsweredAt: at(schemas.OrderCancelAnswered),
		CancelledAt: at(schemas.OrderCancelled), Facts: uint16(len(facts)), UpdatedAt: millis(state.updated),
	}
	if e.is(entityQuarantined) {
		row.Facts = MaxFacts + 1
	}
	r := noRules
	if e.policy != 0 {
		r = m.policies[e.policy]
	}
	m.verdict.orderScores(facts, m.texts.list, r, &row)
	return row
}
