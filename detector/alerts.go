package detector

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"

	"scantrail/schemas"
)

// AlertID names an alert: family is "gap" or "milestone_missing:<milestone>",
// anchor the second from which the rule counts. The number in it is that of the
// anchor, so that nothing that happens to the parcel later renames its alerts.
func AlertID(family, trackingNumber string, anchor int64) schemas.ID {
	b := make([]byte, 0, 96)
	return alertID(b, family, []byte(trackingNumber), anchor)
}

// alertID hashes the three parts as lines.
func alertID(b []byte, family string, trackingNumber []byte, anchor int64) schemas.ID {
	b = append(append(b, family...), '\n')
	b = append(append(b, trackingNumber...), '\n')
	return schemas.Hash(strconv.AppendInt(b, anchor, 10))
}

// known is an alert that was published. Alerts are kept with their parcel, by
// family and anchor; one that was at risk and never more is forgotten once withdrawn.
type known struct {
	wanted
	opened   uint32 // clock when it first opened; 0 if it never did
	backfill bool
	again    bool // homes that it came from disagree about it: it is published here whatever it is
}

// knownBytes is the size of the encoding: family, state, number, anchor, end,
// opened.
const knownBytes = 15

func appendKnown(b []byte, k *known) []byte {
	state := uint8(k.status) | k.level<<3
	if k.backfill {
		state |= 1 << 5
	}
	if k.again {
		state |= 1 << 6
	}
	b = append(b, byte(k.family), state, k.num)
	b = binary.LittleEndian.AppendUint32(b, k.anchor)
	b = binary.LittleEndian.AppendUint32(b, k.ended)
	return binary.LittleEndian.AppendUint32(b, k.opened)
}

func readKnown(b []byte, dst []known) []known {
	for ; len(b) >= knownBytes; b = b[knownBytes:] {
		dst = append(dst, known{
			wanted: wanted{
				family: family(b[0]), status: schemas.AlertStatus(b[1] & 7), level: b[1] >> 3 & 3, num: b[2],
				anchor: binary.LittleEndian.Uint32(b[3:]), ended: binary.LittleEndian.Uint32(b[7:]),
			},
			opened:   binary.LittleEndian.Uint32(b[11:]),
			backfill: b[1]>>5&1 != 0,
			again:    b[1]>>6&1 != 0,
		})
	}
	return dst
}

// validKnown reports whether the alerts can be those of a parcel: in order, and
// in states that exist.
func validKnown(ks []known, links int) bool {
	for i := range ks {
		k := &ks[i]
		if int(k.num) > links || k.status < schemas.AlertAtRisk || k.status > schemas.AlertWithdrawn || familyNames[k.family] == "" {
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
	if a.anchor != b.anchor {
		return cmp.Compare(a.anchor, b.anchor)
	}
	return cmp.Compare(a.num, b.num)
}

// settle compares what the verdict calls for with what is known of e, publishes
// the transitions and keeps the result. news says that not the clock alone
// brought them about. It reports whether there were any.
func (m *Machine) settle(e *entity, lives []life, news bool, out *Output) bool {
	want := m.verdict.wanted
	if !e.is(entityAlerts) && len(want) == 0 {
		return false
	}
	m.known = readKnown(m.sections(e).alerts, m.known[:0])
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
		l := lifeAt(lives, was.anchor)
		if order >= 0 {
			l = &lives[want[0].life]
			want[0].life = 0
			k, want = m.supported(e, &was, &want[0], lives, news), want[1:]
		} else {
			k = withdrawn(&was)
		}
		if k != was {
			changed = true
			m.publish(e, &k, l, out)
		}
		if k.status != schemas.AlertWithdrawn || k.opened != 0 || k.level != 0 {
			m.next = append(m.next, k)
		}
	}
	if changed {
		m.keep(e)
	}
	return changed
}

// supported returns the state of an alert that the facts call for.
func (m *Machine) supported(e *entity, was *known, w *wanted, lives []life, news bool) known {
	k := *was
	k.wanted, k.again = *w, false
	if k == *was {
		return k
	}
	switch w.status {
	case schemas.AlertAtRisk:
		k.backfill = news && historic(lives, w.anchor)
	case schemas.AlertOpen, schemas.AlertEscalated:
		if k.opened == 0 {
			k.opened = m.nowOf(e)
		}
		k.backfill = news && historic(lives, w.anchor)
	case schemas.AlertResolved:
		if was.status < schemas.AlertOpen { // first known after its end
			k.backfill = historic(lives, w.anchor) && historic(lives, w.ended)
		}
	}
	return k
}

// withdrawn returns the state of an alert that the facts do not call for.
func withdrawn(was *known) known {
	k := *was
	k.again = false
	if k.status != schemas.AlertWithdrawn {
		k.status, k.ended = schemas.AlertWithdrawn, 0
	}
	return k
}

// historic reports whether all that was known of second sec lay in the topic
// before Scantrail first read it, or was imported.
func historic(lives []life, sec uint32) bool {
	any := false
	for i := range lives {
		for k := range lives[i].facts {
			if f := &lives[i].facts[k]; f.sec == sec {
				any = true
				if f.flags&factBackfill == 0 {
					return false
				}
			}
		}
		for k := range lives[i].main {
			if f := &lives[i].main[k]; f.at == sec || f.promise == sec {
				any = true
				if !f.backfill {
					return false
				}
			}
		}
	}
	return any
}

// maxKnown bounds the alerts kept of one parcel: twice what its facts can
// anchor at any time. Withdrawn ones, which only remember when they opened, make
// room, those of the earliest anchors first.
const maxKnown = 2 * MaxFacts

func (m *Machine) keep(p *entity) {
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
}

// nextVersion is the version of the next output of the present entity. After
// 255 they share one: no key occurs twice among them.
func (m *Machine) nextVersion() uint64 {
	if m.ordinal < 255 {
		m.ordinal++
	}
	return m.version | uint64(m.ordinal)
}

// publish appends the transition to k's state, of the life that calls for it, or
// that it fell into.
func (m *Machine) publish(e *entity, k *known, l *life, out *Output) {
	rule, detail := k.family.rule(k.level)
	a := schemas.Alert{
		Home: m.idOf(e), Version: m.nextVersion(), Rule: rule, Detail: detail, Level: k.level, Status: k.status,
		Milestone: k.family.missing(), AnchorAt: millis(k.anchor), EndedAt: millis(k.ended), OpenedAt: millis(k.opened),
		ChangedAt: millis(m.nowOf(e)), Backfill: k.backfill,
	}
	if set := m.documentOf(e); set != nil {
		a.Policy = m.policies[m.choose(set, e, l)].policy.Name
	}
	var o summary
	when := occasion{order: e.is(entityOrder)}
	if e.is(entityOrder) {
		o = summarize(m.ordersOf(e))
		m.naming = append(m.naming[:0], schemas.OrderKey(m.texts.list[o.shop], string(o.orderID))...)
	} else {
		o = m.describe(e, k, l, &a, &when, out)
		m.naming = append(m.naming[:0], m.numberAt(e, k.num)...)
	}
	a.AlertID = alertID(m.buf[:0], k.family.name(), m.naming, int64(k.anchor))
	a.ShopID, a.OrderID, a.Market = m.texts.list[o.shop], out.text.of(o.orderID), countryName(o.market)
	if a.Carrier == "" {
		a.Carrier = m.texts.list[o.carrier]
	}
	if a.Origin == "" && a.Destination == "" {
		a.Origin, a.Destination = countryName(o.lane.origin()), countryName(o.lane.destination())
	}
	a.Held = k.status < schemas.AlertResolved && slices.Contains(m.stalled, a.Carrier)
	when.held = a.Held
	a.Cause = causeOf(&k.wanted, &when)
	out.Alerts = append(out.Alerts, a)
}

// describe says of which parcel an alert is, where that was, and what went on.
func (m *Machine) describe(e *entity, k *known, l *life, a *schemas.Alert, when *occasion, out *Output) summary {
	ctx := contextAt(l.facts, k.anchor)
	latest := contextAt(l.facts, 1<<32-1)
	when.stage, when.at, when.furthest, when.last = ctx.stage, ctx.fact.milestone, latest.stage, latest.fact.milestone
	when.back = ctx.back
	a.Uncertain = m.places.list[ctx.fact.place].uncertain
	if k.family != gapFamily {
		ctx.fact = latest.fact
	}
	at := &m.places.list[ctx.fact.place]
	o := summarize(l.main)
	lane := o.lane.complete(l.facts)
	a.ParcelID, a.TrackingNumber = a.Home, out.text.of(m.numberOf(e))
	a.Stage, a.Carrier, a.Facility, a.Country = ctx.stage, at.carrier, at.facility, countryName(at.country)
	a.Origin, a.Destination = countryName(lane.origin()), countryName(lane.destination())
	since := latest.fact.sec
	if k.family == gapFamily && k.status != schemas.AlertWithdrawn {
		since = k.anchor
	}
	if until := cmp.Or(k.ended, m.nowOf(e)); since != 0 && until > since {
		a.SilentSecs = until - since
	}
	return o
}

// lifeAt returns the life that second sec falls into.
func lifeAt(lives []life, sec uint32) *life {
	at := &lives[0]
	for i := range lives {
		if f := lives[i].facts; len(f) > 0 && f[0].sec <= sec {
			at = &lives[i]
		}
	}
	return at
}

// context is where a parcel was at some time: its furthest stage and its last
// progress until then, and whether that was on its way back.
type context struct {
	stage schemas.Milestone
	fact  fact
	back  bool
}

func contextAt(facts []fact, sec uint32) (c context) {
	for i := range facts {
		f := &facts[i]
		if f.sec > sec {
			break
		}
		if f.progress() {
			c.fact = *f
			c.back = c.back || f.milestone == schemas.ReturnStarted
			if f.milestone.Forward() {
				c.stage = max(c.stage, f.milestone)
			}
		}
	}
	return c
}

// announce publishes the stages that the verdict reached for the first time, in
// the order of the way. A stage that becomes known after a later one was
// published is not: a shop that takes the messages as they come must never see
// its parcel go back.
func (m *Machine) announce(p *entity, l *life, out *Output) {
	const way = 1<<exception - 1
	v := &m.verdict
	news := v.seen.bits(stagesAt) &^ p.stages
	if news == 0 {
		return
	}
	before := p.stages & way
	p.stages |= news
	id, number := m.idOf(p), m.numberOf(p)
	o := summarize(l.main)
	for stage := range uint8(numStages) {
		if news&(1<<stage) == 0 || stage != exception && before>>stage != 0 {
			continue
		}
		out.Statuses = append(out.Statuses, schemas.Status{
			ParcelID: id, TrackingNumber: out.text.of(number),
			ShopID: m.texts.list[o.shop], OrderID: out.text.of(o.orderID),
			Version: m.nextVersion(), Stage: stageNames[stage], At: millis(v.seenAt[stagesAt+stage]), ChangedAt: millis(m.now()),
		})
	}
}
