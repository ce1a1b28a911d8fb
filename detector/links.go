package detector

import (
	"bytes"
	"encoding/binary"
	"slices"

	"scantrail/schemas"
)

// Several numbers, one parcel. Whoever hears that two numbers are linked tells
// both, and every number tells all others that it knows of a new one, so that in
// the end each knows all. The one with the smallest id is the root: the others
// hand over to it what they hold, forward what comes later, and write their row
// as deleted. A forward always goes to a smaller id, so that none goes round.

// applyAlias links the number of the record's parcel with another one.
func (m *Machine) applyAlias(r *schemas.Record, out *Output) {
	a := &r.Alias
	if a.TrackingNumber == a.OtherNumber || a.OtherNumber == "" {
		return
	}
	switch i, p := m.reachAny(schemas.ParcelID(a.TrackingNumber), a.TrackingNumber, r, seconds(a.ReceivedAt)); {
	case p == nil:
	case p.is(entityQuarantined):
		if !r.Forwarded { // what others tell would be answered for ever
			m.warn(p, a.OtherNumber, out)
		}
	default:
		m.link(i, p, a.OtherNumber, out)
	}
}

// warn tells a number that is linked with a parcel of too many numbers of all of
// them, so that it is quarantined as well.
func (m *Machine) warn(e *entity, number string, out *Output) {
	links := m.moreOf(e).links
	if len(links) < maxLinks || slices.ContainsFunc(links, func(l []byte) bool { return string(l) == number }) {
		return
	}
	for _, other := range m.allNumbers(e, out) {
		m.tell(number, other, out)
	}
}

// allNumbers returns the numbers of e by their index in facts: its own, then the
// others.
func (m *Machine) allNumbers(e *entity, out *Output) []string {
	all := []string{out.text.of(m.numberOf(e))}
	for _, l := range m.moreOf(e).links {
		all = append(all, out.text.of(l))
	}
	return all
}

// link adds a number to those of a parcel, unless it has it, and returns the
// number's index in facts. It may move the parcel to another root, or quarantine
// it.
func (m *Machine) link(i uint32, e *entity, number string, out *Output) uint8 {
	x := m.moreOf(e)
	own := m.numberOf(e)
	if string(own) == number {
		return 0
	}
	if at := slices.IndexFunc(x.links, func(l []byte) bool { return string(l) == number }); at >= 0 {
		return uint8(at + 1)
	}
	all := m.allNumbers(e, out)
	self := all[0]
	for _, other := range all[1:] {
		m.tell(other, number, out)
		m.tell(number, other, out)
	}
	m.tell(number, self, out)
	if len(x.links) == maxLinks {
		m.quarantine(i, e, reasonLinks, out)
		return 0
	}
	x.links = append(x.links, []byte(number))
	if !m.setMore(e, &x) {
		m.quarantine(i, e, reasonLinks, out)
		return 0
	}
	if m.rootOf(e) != self {
		m.handOver(i, e, out)
	} else {
		m.news(i, e) // its facts come
	}
	return uint8(len(x.links))
}

// tell lets the home of one number know of another.
func (m *Machine) tell(home, other string, out *Output) {
	m.send(home, &schemas.Record{Kind: schemas.KindAlias, Forwarded: true, Home: home,
		Alias: schemas.Alias{TrackingNumber: home, OtherNumber: other, ReceivedAt: millis(max(m.now(), 1))}}, out)
}

// rootOf returns the number with the smallest id among those of e.
func (m *Machine) rootOf(e *entity) string {
	root := m.numberOf(e)
	least := m.idOf(e)
	for _, l := range m.moreOf(e).links {
		if id := schemas.ParcelID(string(l)); bytes.Compare(id[:], least[:]) < 0 {
			root, least = l, id
		}
	}
	return string(root)
}

// passOn returns the root of a parcel that has moved, which stays known for as
// long as something comes for it.
func (m *Machine) passOn(i uint32, e *entity) string {
	m.arm(i, e, saturate(m.now(), expired))
	return m.rootOf(e)
}

// handOver sends what e holds to its root and leaves of it a sign.
func (m *Machine) handOver(i uint32, e *entity, out *Output) {
	if e.is(entityMoved) {
		return
	}
	m.settleHomes(e, out)
	root := m.rootOf(e)
	x := m.moreOf(e)
	numbers := m.allNumbers(e, out)
	facts := m.factsOf(e)
	for k := range facts {
		m.forwardFact(root, &facts[k], numbers[facts[k].num], m.texts.list[x.product], 0, out)
	}
	orders := m.ordersOf(e)
	for k := range orders {
		m.forward(root, numbers[orders[k].num], &orders[k], out)
	}
	h := schemas.Handover{TrackingNumber: numbers[0], Stages: e.stages, BadNumber: e.is(entityBadNumber)}
	m.known = readKnown(m.sections(e).alerts, m.known[:0])
	for k := range m.known {
		w := &m.known[k]
		h.Alerts = append(h.Alerts, schemas.HandedAlert{
			Family: uint8(w.family), Status: w.status, Level: w.level, Backfill: w.backfill,
			TrackingNumber: numbers[w.num], Anchor: w.anchor, Ended: w.ended, Opened: w.opened,
		})
	}
	m.send(root, &schemas.Record{Kind: schemas.KindHandover, Forwarded: true, Home: root, Handover: h}, out)
	m.leaveSign(i, e, &x)
}

// leaveSign makes e a parcel whose facts are elsewhere: only its numbers are
// left, and its rows, which are deleted.
func (m *Machine) leaveSign(i uint32, e *entity, x *more) {
	m.count(e, -1)
	m.setPolicy(e, 0)
	was := m.sections(e)
	x.product = 0
	m.buf3 = appendMore(m.buf3[:0], x)
	e.flags = e.flags&^(entityEnded|entityPending|entityPutOff|entityBadNumber) | entityMoved
	e.stages = 0
	m.store(e, sections{id: was.id, name: was.name, more: m.buf3})
	m.touch(i, e)
	m.arm(i, e, saturate(m.now(), expired))
}

// applyHandover takes over what was published about a parcel under another
// number.
func (m *Machine) applyHandover(r *schemas.Record, out *Output) {
	h := &r.Handover
	i, e := m.reachAny(schemas.ParcelID(r.Home), r.Home, r, 0)
	if e == nil {
		return
	}
	for _, number := range append([]string{h.TrackingNumber}, handedNumbers(h)...) {
		if e.parcel() && !e.is(entityQuarantined) {
			m.link(i, e, number, out)
		}
	}
	switch {
	case e.is(entityMoved):
		c := *r
		c.Home = m.passOn(i, e)
		m.send(c.Home, &c, out)
		return
	case e.is(entityQuarantined):
		m.warn(e, h.TrackingNumber, out)
		m.withdrawHanded(e, h, out)
		return
	}
	e.stages |= h.Stages
	if h.BadNumber {
		e.flags |= entityBadNumber
	}
	for k := range h.Alerts {
		m.takeOver(e, &h.Alerts[k], m.link(i, e, h.Alerts[k].TrackingNumber, out))
	}
	m.news(i, e)
}

// withdrawHanded ends the alerts that are handed over to a parcel that is
// quarantined, but for those that it told of at this record: it may be quarantined
// by the hand-over itself, and has then withdrawn what both homes knew.
func (m *Machine) withdrawHanded(e *entity, h *schemas.Handover, out *Output) {
	m.ordinal = 0
	for i := range h.Alerts {
		a := &h.Alerts[i]
		if a.Status >= schemas.AlertResolved || familyNames[a.Family] == "" {
			continue
		}
		f := family(a.Family)
		id := AlertID(f.name(), a.TrackingNumber, int64(a.Anchor))
		if slices.ContainsFunc(out.Alerts, func(t schemas.Alert) bool { return t.AlertID == id && t.Version > m.version }) {
			continue
		}
		rule, detail := f.rule(a.Level)
		out.Alerts = append(out.Alerts, schemas.Alert{
			AlertID: id, Home: m.idOf(e), Version: m.nextVersion(),
			Rule: rule, Detail: detail, Level: a.Level, Status: schemas.AlertWithdrawn, Milestone: f.missing(),
			ParcelID: m.idOf(e), TrackingNumber: out.text.of(m.numberOf(e)), AnchorAt: millis(a.Anchor), OpenedAt: millis(a.Opened),
			ChangedAt: millis(m.nowOf(e)), Backfill: a.Backfill,
		})
	}
}

func handedNumbers(h *schemas.Handover) []string {
	var all []string
	for i := range h.Alerts {
		if n := h.Alerts[i].TrackingNumber; !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

// takeOver adds the state of an alert to those known of e. Where both homes knew
// it, the one that had opened first goes on.
func (m *Machine) takeOver(e *entity, a *schemas.HandedAlert, num uint8) {
	k := known{
		wanted: wanted{family: family(a.Family), status: a.Status, level: a.Level, num: num, anchor: a.Anchor, ended: a.Ended},
		opened: a.Opened, backfill: a.Backfill,
	}
	if familyNames[k.family] == "" || k.status < schemas.AlertAtRisk || k.status > schemas.AlertWithdrawn || k.level > 2 {
		return
	}
	m.next = readKnown(m.sections(e).alerts, m.next[:0])
	at, found := slices.BinarySearchFunc(m.next, k, func(a, b known) int { return compareWanted(&a.wanted, &b.wanted) })
	if !found {
		m.next = slices.Insert(m.next, at, k)
	} else {
		has := &m.next[at]
		if has.opened == 0 || k.opened != 0 && k.opened < has.opened {
			has.opened = k.opened
		}
		has.again = has.again || has.status != k.status || has.level != k.level || has.ended != k.ended
	}
	m.keep(e)
}

// settleHomes publishes here what the homes that e took over disagree about, so
// that the next one hears of one state.
func (m *Machine) settleHomes(e *entity, out *Output) {
	m.ordinal = 0
	m.next = readKnown(m.sections(e).alerts, m.next[:0])
	if !m.ready() || !slices.ContainsFunc(m.next, func(k known) bool { return k.again }) {
		return
	}
	lives := m.livesOf(e)
	for i := range m.next {
		if k := &m.next[i]; k.again {
			k.again = false
			m.publish(e, k, lifeAt(lives, k.anchor), out)
		}
	}
	m.keep(e)
}

// forwardFact sends a copy of a scan, or of its void, to the home of number
// root. under is the number that it came under.
func (m *Machine) forwardFact(root string, f *fact, under, product string, check schemas.NumberCheck, out *Output) {
	var id schemas.ID
	binary.BigEndian.PutUint32(id[:], uint32(f.id))
	if f.void() {
		m.send(root, &schemas.Record{Kind: schemas.KindVoid, Forwarded: true, Home: root,
			Void: schemas.Void{ParcelID: schemas.ParcelID(under), EventFactID: id, TrackingNumber: under}}, out)
	}
	if f.sec == unseen && f.void() {
		return
	}
	at := &m.places.list[f.place]
	e := schemas.Event{
		ParcelID: schemas.ParcelID(under), FactID: id, Carrier: at.carrier, TrackingNumber: under,
		OccurredAt: millis(f.sec), ReceivedAt: millis(f.received()), Milestone: f.milestone,
		Physical: f.flags&factPhysical != 0, Progress: f.progress(), Backfill: f.flags&factBackfill != 0,
		Country: countryName(at.country), Facility: at.facility, Product: product,
		OriginCountry: countryName(f.lane.origin()), DestinationCountry: countryName(f.lane.destination()),
		MappingVersion: at.mapping, NumberCheck: check,
	}
	if f.refused() {
		e.Reason = reasonRefused
	}
	if at.uncertain {
		e.UncertaintySecs = certainSecs + 1
	}
	if f.milestone == schemas.Delivered {
		e.Postcode = postcodeOf(f.extra)
	}
	m.send(root, &schemas.Record{Kind: schemas.KindEvent, Forwarded: true, Home: root, Event: e}, out)
}

// send appends a record for the home of a number.
func (m *Machine) send(key string, r *schemas.Record, out *Output) {
	m.sending = m.encoder.Append(m.sending[:0], r)
	out.Forwards = append(out.Forwards, Forward{Key: out.text.of([]byte(key)), Value: []byte(out.text.of(m.sending))})
}
