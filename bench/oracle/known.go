package oracle

import (
	"iter"
	"slices"
	"strings"

	"scantrail/schemas"
)

// Transition is one change of one alert, as it was known at a tick.
type Transition struct {
	Home    string // number of the parcel, or key of the order
	Alert   Alert  // status withdrawn: as it was before
	Offset  int64  // of the tick
	Changed int64  // clock of the log, seconds
	About   About  // not of one that is withdrawn
	Opened  int64  // clock at its first transition to open; 0: not yet
}

// Reached is a stage that was told of a parcel.
type Reached struct {
	Home        string
	Offset      int64 // of the tick
	Stage       string
	At, Changed int64
	Shop, Order string
}

// entity is a parcel's home or an order, as one partition of the log knows it.
type entity struct {
	facts  map[schemas.ID]*fact
	voids  map[schemas.ID]bool
	orders map[[2]string][]schemas.OrderFact
	own    []schemas.OrderFact // of an order
	links  []string            // other numbers that it knows of
	moved  bool                // to the root of those
	failed bool                // a number of its failed the check, by what was handed over
	asking int64               // offset of the answer that brings back what it was before; -1: none
	held   []schemas.Record    // what came for it before that answer
	alerts map[schemas.ID]*Transition
	again  map[schemas.ID]bool // of these, homes disagree about their state
	fresh  bool
	wake   int64 // the clock alone changes nothing before; 0: never

	kept  *Document // by which it is judged since it has ended
	left  bool      // it may have been put away under policies of before
	lives int       // most that it has had
	told  [7]bool   // of Stages
}

// Replay is what one partition of the log makes known.
type Replay struct {
	All     []Transition
	Reached []Reached
	Names   []string        // every home and order
	Left    map[string]bool // those that may have been put away while the policies changed
}

// Moves is what each home knew when it handed over to its root.
type Moves map[string]*Move

// Move is the part of a home's state that does not come as facts.
type Move struct {
	alerts map[schemas.ID]*Transition
	told   [7]bool
	failed bool
	left   bool
}

// History replays one partition of the log and judges every entity at every
// tick: it returns all changes in order. docs are the policy documents by their
// text. A home takes over what another one knew as moves says; what homes of this
// partition knew when they moved is added there, so that all partitions are to be
// replayed until nothing new is said.
func History(docs map[string]*Document, moves Moves, log iter.Seq2[int64, *schemas.Record]) Replay {
	h := history{docs: docs, moves: moves, entities: map[string]*entity{}, asked: asks(log), answers: map[int64]string{}}
	for offset, r := range log {
		h.apply(offset, r)
	}
	h.replay.Names, h.replay.Left = h.names, map[string]bool{}
	for name, e := range h.entities {
		h.putAway(e)
		h.replay.Left[name] = e.left
	}
	return h.replay
}

// asks pairs the offset of each record that asked with that of its first answer.
func asks(log iter.Seq2[int64, *schemas.Record]) map[int64]int64 {
	answers := map[int64]int64{}
	for offset, r := range log {
		if r.Kind == schemas.KindRebuild {
			if _, ok := answers[r.Rebuild.Ask]; !ok {
				answers[r.Rebuild.Ask] = offset
			}
		}
	}
	return answers
}

type history struct {
	docs     map[string]*Document
	doc      *Document // in force
	control  uint32
	switched bool
	moves    Moves
	entities map[string]*entity
	names    []string
	asked    map[int64]int64  // offset of the answer by that of the record that asked
	answers  map[int64]string // who waits for the answer at an offset
	clock    Clock
	stalled  []string
	replay   Replay
}

func (h *history) entity(name string) *entity {
	e := h.entities[name]
	if e == nil {
		e = &entity{facts: map[schemas.ID]*fact{}, voids: map[schemas.ID]bool{}, orders: map[[2]string][]schemas.OrderFact{},
			alerts: map[schemas.ID]*Transition{}, again: map[schemas.ID]bool{}, asking: never, lives: 1}
		h.entities[name] = e
		h.names = append(h.names, name)
	}
	e.fresh = true
	return e
}

func (h *history) apply(offset int64, r *schemas.Record) {
	switch r.Kind {
	case schemas.KindTick:
		h.tick(offset, &r.Tick)
		return
	case schemas.KindControl:
		h.turn(offset, &r.Control)
		return
	case schemas.KindRebuild:
		h.release(offset)
		return
	case schemas.KindFeed:
		return
	}
	name := homeOf(r)
	e := h.entity(name)
	if answer, ok := h.asked[offset]; ok {
		e.asking = answer
		h.answers[answer] = name
	}
	if e.asking > offset {
		e.held = append(e.held, *r)
		return
	}
	h.take(offset, e, r)
}

// release has an entity take what was held for it until this answer. It had left,
// and comes back under the policies in force.
func (h *history) release(offset int64) {
	e := h.entities[h.answers[offset]]
	if e == nil {
		return
	}
	e.kept = nil
	for i := range e.held {
		h.take(offset, e, &e.held[i])
	}
	e.held = nil
}

// homeOf names the entity that a record is for.
func homeOf(r *schemas.Record) string {
	switch {
	case r.Home != "":
		return r.Home
	case r.Kind == schemas.KindEvent:
		return r.Event.TrackingNumber
	case r.Kind == schemas.KindVoid:
		return r.Void.TrackingNumber
	case r.Kind == schemas.KindAlias:
		return r.Alias.TrackingNumber
	}
	return OrderKey(r.Order.ShopID, r.Order.OrderID)
}

// take adds a record to what is known of its entity.
func (h *history) take(offset int64, e *entity, r *schemas.Record) {
	switch r.Kind {
	case schemas.KindEvent:
		h.link(offset, r.Home, e, r.Event.TrackingNumber)
		f := newFact(&r.Event)
		f.id = shortened(f.id)
		if known := e.facts[f.id]; known != nil {
			known.merge(f)
		} else {
			e.facts[f.id] = &f
		}
	case schemas.KindVoid:
		h.link(offset, r.Home, e, r.Void.TrackingNumber)
		e.voids[shortened(r.Void.EventFactID)] = true
	case schemas.KindAlias:
		h.link(offset, r.Alias.TrackingNumber, e, r.Alias.OtherNumber)
	case schemas.KindHandover:
		h.takeOver(offset, r.Home, e, r.Handover.TrackingNumber)
	case schemas.KindOrder:
		if o := r.Order; r.Home == "" {
			e.own = append(e.own, o)
		} else {
			key := [2]string{o.ShopID, o.OrderID}
			h.link(offset, r.Home, e, under(&o))
			e.orders[key] = append(e.orders[key], o)
		}
	}
}

// turn has all that has not ended judged by other policies.
func (h *history) turn(offset int64, c *schemas.Control) {
	if c.Number <= h.control {
		return
	}
	h.switched = h.control != 0
	h.control, h.doc = c.Number, h.docs[c.Policy]
	if h.clock.C == 0 {
		return
	}
	for _, name := range h.names {
		e := h.entities[name]
		h.putAway(e)
		if !e.moved && e.asking <= offset && e.kept == nil {
			h.judge(offset, name, e)
		}
	}
}

// putAway notes that an entity that has not ended may have left when policies change
// or have changed, and is not judged then.
func (h *history) putAway(e *entity) {
	if !h.switched || e.left || e.kept != nil {
		return
	}
	last, after := int64(0), 120*day
	for _, f := range e.facts {
		last = max(last, min(f.occurred, f.first)/1000)
	}
	for _, facts := range e.orders {
		for i := range facts {
			last = max(last, facts[i].At/1000)
		}
	}
	for i := range e.own {
		last, after = max(last, e.own[i].At/1000), 14*day
	}
	e.left = h.clock.C >= last+after
}

func (h *history) tick(offset int64, t *schemas.Tick) {
	h.clock.Tick(t)
	h.stalled = h.stalled[:0]
	for _, partition := range t.Stalled {
		topic, _, _ := strings.Cut(partition, "/")
		h.stalled = append(h.stalled, strings.TrimPrefix(topic, "scans.raw."))
	}
	for _, name := range h.names {
		e := h.entities[name]
		if e.moved || e.asking > offset || t.History && e.onlyHistory() {
			continue
		}
		now := h.clock.C
		if len(e.own)+len(e.orders)+len(e.links) > 0 {
			now = h.clock.S
		}
		if e.fresh || e.wake != 0 && now >= e.wake {
			h.judge(offset, name, e)
		}
	}
}

// judge compares what an entity calls for with what was known of it.
func (h *history) judge(offset int64, name string, e *entity) {
	called := map[schemas.ID]bool{}
	v := h.verdict(name, e)
	e.fresh, e.wake = false, v.wake
	for i, a := range v.alerts {
		a.Entity = name
		id := a.ID()
		called[id] = true
		known := e.alerts[id]
		if known != nil && known.Alert.Status != "withdrawn" && known.Alert == a && !e.again[id] {
			continue
		}
		delete(e.again, id)
		t := Transition{Home: name, Alert: a, Offset: offset, Changed: v.now, About: v.about(i)}
		if known != nil {
			t.Opened = known.Opened
		}
		if t.Opened == 0 && (a.Status == "open" || a.Status == "escalated") {
			t.Opened = v.now
		}
		e.alerts[id] = &t
		h.replay.All = append(h.replay.All, t)
	}
	h.withdraw(offset, v.now, e, called)
	h.reach(offset, name, e, &v)
}

// withdraw takes back what is no longer called for.
func (h *history) withdraw(offset, now int64, e *entity, called map[schemas.ID]bool) {
	var gone []schemas.ID
	for id, known := range e.alerts {
		if !called[id] && (known.Alert.Status != "withdrawn" || e.again[id]) {
			gone = append(gone, id)
			delete(e.again, id)
		}
	}
	slices.SortFunc(gone, func(a, b schemas.ID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range gone {
		t := *e.alerts[id]
		never := t.Alert.Status == "at_risk" && t.Opened == 0
		t.Alert.Status, t.Alert.Ended, t.Offset, t.Changed = "withdrawn", 0, offset, now
		h.replay.All = append(h.replay.All, t)
		if e.alerts[id] = &t; never {
			delete(e.alerts, id)
		}
	}
}

// reach is the second half of definition 35.
func (h *history) reach(offset int64, name string, e *entity, v *verdict) {
	if v.lives > e.lives {
		e.lives, e.told = v.lives, [7]bool{}
	}
	if len(e.own) > 0 {
		return
	}
	before := e.told
	for i, at := range v.reached {
		if at == never || e.told[i] {
			continue
		}
		e.told[i] = true
		if i < 6 && slices.Contains(before[i:6], true) {
			continue
		}
		h.replay.Reached = append(h.replay.Reached, Reached{Home: name, Offset: offset, Stage: Stages[i], At: at, Changed: h.clock.C, Shop: v.order[0], Order: v.order[1]})
	}
}

// verdict returns what an entity calls for: by the policies in force, or, after
// its end, those of then, until it goes on.
func (h *history) verdict(name string, e *entity) verdict {
	if len(e.own) > 0 {
		return judgeOrder(h.doc, newOrder(e.own[0].ShopID, e.own[0].OrderID, slices.Clone(e.own)), h.clock.S, h.stalled)
	}
	u, d := h.union(e), h.doc
	if e.kept != nil {
		d = e.kept
	}
	h.putAway(e)
	v := judgeParcel(d, u, h.clock)
	if !v.ended && d != h.doc {
		d = h.doc
		v = judgeParcel(d, u, h.clock)
	}
	if e.kept = nil; v.ended {
		e.kept = d
	}
	return v
}

// union is what a home knows of its parcel.
func (h *history) union(e *entity) *union {
	u := &union{facts: sorted(e.facts, func(id schemas.ID) bool { return e.voids[id] }), stalled: h.stalled, linked: len(e.links) > 0, failed: e.failed}
	for key, facts := range e.orders {
		u.orders = append(u.orders, newOrder(key[0], key[1], slices.Clone(facts)))
	}
	slices.SortFunc(u.orders, compareOrders)
	for _, f := range e.facts {
		u.failed = u.failed || f.invalid
	}
	return u
}
