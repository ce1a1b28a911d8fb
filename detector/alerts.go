package detector

import (
	"cmp"
	"encoding/binary"
	"strconv"

	"scantrail/schemas"
)

// AlertID names an alert: family is "gap" or "milestone_missing:<milestone>",
// anchor the second from which the rule counts. The number in it is that of the
// anchor, so that nothing that happens to the parcel later renames its alerts.
func AlertID(family, trackingNumber string, anchor int64) schemas.ID {
	b := make([]byte, 0, 96)
	return alertID(b, family, trackingNumber, anchor)
}

// alertID hashes the three parts as lines.
func alertID(b []byte, family, trackingNumber string, anchor int64) schemas.ID {
	b = append(append(b, family...), '\n')
	b = append(append(b, trackingNumber...), '\n')
	return schemas.Hash(strconv.AppendInt(b, anchor, 10))
}

// familyNames spells the families in alert ids.
var familyNames = func() (t [256]string) {
	t[gapFamily] = "gap"
	for _, m := range schemas.Milestones() {
		if m != schemas.Unmapped {
			t[m] = schemas.RuleMilestoneMissing + ":" + m.String()
		}
	}
	return t
}()

// known is an alert that was published. Alerts are kept with their parcel, by
// family and anchor; one that never opened is forgotten once withdrawn.
type known struct {
	wanted
	opened   uint32 // clock when it first opened; 0 if it never did
	backfill bool
}

// knownBytes is the size of the encoding: family, state, anchor, end, opened.
const knownBytes = 14

func appendKnown(b []byte, k *known) []byte {
	state := uint8(k.status) | k.level<<3
	if k.backfill {
		state |= 1 << 5
	}
	b = append(b, byte(k.family), state)
	b = binary.LittleEndian.AppendUint32(b, k.anchor)
	b = binary.LittleEndian.AppendUint32(b, k.ended)
	return binary.LittleEndian.AppendUint32(b, k.opened)
}

func readKnown(b []byte, dst []known) []known {
	for ; len(b) >= knownBytes; b = b[knownBytes:] {
		dst = append(dst, known{
			wanted: wanted{
				family: family(b[0]), status: schemas.AlertStatus(b[1] & 7), level: b[1] >> 3 & 3,
				anchor: binary.LittleEndian.Uint32(b[2:]), ended: binary.LittleEndian.Uint32(b[6:]),
			},
			opened:   binary.LittleEndian.Uint32(b[10:]),
			backfill: b[1]>>5&1 != 0,
		})
	}
	return dst
}

// validKnown reports whether the alerts can be those of a parcel: in order, and
// in states that exist.
func validKnown(ks []known) bool {
	for i := range ks {
		k := &ks[i]
		if k.status < schemas.AlertAtRisk || k.status > schemas.AlertWithdrawn || familyNames[k.family] == "" {
			return false
		}
		if i > 0 && compareWanted(&ks[i-1].wanted, &k.wanted) >= 0 {
			return false
		}
	}
	return true
}

func compareWanted(a, b *wanted) int {
	if a.family != b.family {
		return cmp.Compare(a.family, b.family)
	}
	return cmp.Compare(a.anchor, b.anchor)
}

// settle compares what the verdict calls for with what is known of p, publishes
// the transitions and keeps the result. news says that not the clock alone
// brought them about. It reports whether there were any.
func (m *Machine) settle(p *parcel, facts []fact, news bool, out *Output) bool {
	want := m.verdict.wanted
	if p.alerts == 0 && len(want) == 0 {
		return false
	}
	m.known = readKnown(m.sections(p).alerts, m.known[:0])
	m.next = m.next[:0]
	has, changed := m.known, false
	for len(has) > 0 || len(want) > 0 {
		order := -1
		switch {
		case len(has) == 0:
			order = 1
		case len(want) > 0:
			order = compareWanted(&has[0].wanted, &want[0])
		}
		var k known
		was := k
		if order <= 0 {
			was, has = has[0], has[1:]
		}
		if order >= 0 {
			k, want = m.supported(&was, &want[0], facts, news), want[1:]
		} else {
			k = withdrawn(&was)
		}
		if k != was {
			changed = true
			m.publish(p, &k, facts, out)
		}
		if k.status != schemas.AlertWithdrawn || k.opened != 0 {
			m.next = append(m.next, k)
		}
	}
	if changed {
		m.keep(p)
	}
	return changed
}

// supported returns the state of an alert that the facts call for.
func (m *Machine) supported(was *known, w *wanted, facts []fact, news bool) known {
	k := *was
	k.wanted = *w
	if k == *was {
		return k
	}
	switch w.status {
	case schemas.AlertOpen, schemas.AlertEscalated:
		if k.opened == 0 {
			k.opened = m.now()
		}
		k.backfill = news && historic(facts, w.anchor)
	case schemas.AlertResolved:
		if was.status < schemas.AlertOpen { // first known after its end
			k.backfill = historic(facts, w.anchor) && historic(facts, w.ended)
		}
	}
	return k
}

// withdrawn returns the state of an alert that the facts do not call for.
func withdrawn(was *known) known {
	k := *was
	if k.status != schemas.AlertWithdrawn {
		k.status, k.ended = schemas.AlertWithdrawn, 0
	}
	return k
}

// historic reports whether all that was known of second sec lay in the topic
// before Scantrail first read it.
func historic(facts []fact, sec uint32) bool {
	for i := range facts {
		if facts[i].sec == sec && facts[i].flags&factBackfill == 0 {
			return false
		}
	}
	return true
}

// maxKnown bounds the alerts kept of one parcel: twice what its facts can
// anchor at any time. Withdrawn ones, which only remember when they opened, make
// room, those of the earliest anchors first.
const maxKnown = 2 * MaxFacts

func (m *Machine) keep(p *parcel) {
	for i := 0; i < len(m.next) && len(m.next) > maxKnown; {
		if m.next[i].status == schemas.AlertWithdrawn {
			m.next = append(m.next[:i], m.next[i+1:]...)
		} else {
			i++
		}
	}
	m.buf = m.buf[:0]
	for i := range m.next {
		m.buf = appendKnown(m.buf, &m.next[i])
	}
	s := m.sections(p)
	s.alerts = m.buf
	if !m.store(p, s) {
		panic("detector: the alerts of a parcel do not fit beside its facts: the bounds are wrong")
	}
	p.alerts = uint16(len(m.next))
}

// nextVersion is the version of the next output of the present entity. After
// 255 they share one: no key occurs twice among them.
func (m *Machine) nextVersion() uint64 {
	if m.ordinal < 255 {
		m.ordinal++
	}
	return m.version | uint64(m.ordinal)
}

// publish appends the transition to k's state.
func (m *Machine) publish(p *parcel, k *known, facts []fact, out *Output) {
	s := m.sections(p)
	o := m.ordered(s.orders)
	l := m.laneOf(s.orders, facts)
	number := out.text.of(s.number)
	ctx := contextAt(facts, k.anchor)
	if k.family != gapFamily {
		ctx.fact = contextAt(facts, 1<<32-1).fact
	}
	at := &m.places.list[ctx.fact.place]
	m.buf = m.buf[:0]
	out.Alerts = append(out.Alerts, schemas.Alert{
		AlertID: alertID(m.buf, familyNames[k.family], number, int64(k.anchor)), Home: p.id, Version: m.nextVersion(),
		Rule: k.rule(), Level: k.level, Status: k.status, Milestone: schemas.Milestone(k.family), Stage: ctx.stage,
		ParcelID: p.id, TrackingNumber: number,
		Carrier: at.carrier, Facility: at.facility, Country: countryName(at.country),
		ShopID: m.texts.list[o.shop], OrderID: out.text.of(o.orderID), Market: countryName(o.market),
		Origin: countryName(l.origin()), Destination: countryName(l.destination()),
		AnchorAt: millis(k.anchor), EndedAt: millis(k.ended), OpenedAt: millis(k.opened),
		ChangedAt: millis(m.now()), Backfill: k.backfill,
	})
}

func (k *known) rule() string {
	switch {
	case k.family != gapFamily:
		return schemas.RuleMilestoneMissing
	case k.level >= 2:
		return schemas.RuleGap72h
	}
	return schemas.RuleGap48h
}

// context is where a parcel was at some time: its furthest stage and its last
// progress until then.
type context struct {
	stage schemas.Milestone
	fact  fact
}

func contextAt(facts []fact, sec uint32) (c context) {
	for i := range facts {
		f := &facts[i]
		if f.sec > sec {
			break
		}
		if f.progress() {
			c.fact = *f
			if f.milestone.Forward() {
				c.stage = max(c.stage, f.milestone)
			}
		}
	}
	return c
}

// laneOf is the lane that the order states, completed by what carriers state.
func (m *Machine) laneOf(orders []byte, facts []fact) lane {
	l := orderedLane(orders)
	for i := range facts {
		l = l.or(facts[i].lane)
	}
	return l
}

// announce publishes the stages that the verdict reached for the first time, in
// the order of the way. A stage that becomes known after a later one was
// published is not: a shop that takes the messages as they come must never see
// its parcel go back.
func (m *Machine) announce(p *parcel, out *Output) {
	const way = 1<<exception - 1
	v := &m.verdict
	news := v.reached &^ p.stages
	if news == 0 {
		return
	}
	before := p.stages & way
	p.stages |= news
	s := m.sections(p)
	o := m.ordered(s.orders)
	for stage := range uint8(numStages) {
		if news&(1<<stage) == 0 || stage != exception && before>>stage != 0 {
			continue
		}
		out.Statuses = append(out.Statuses, schemas.Status{
			ParcelID: p.id, TrackingNumber: out.text.of(s.number),
			ShopID: m.texts.list[o.shop], OrderID: out.text.of(o.orderID),
			Version: m.nextVersion(), Stage: stageNames[stage], At: millis(v.reachedAt[stage]), ChangedAt: millis(m.now()),
		})
	}
}
