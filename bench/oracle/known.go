package oracle

import (
	"iter"
	"slices"

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

// entity is a parcel's home or an order, as one partition of the log knows it.
type entity struct {
	facts  map[schemas.ID]*fact
	voids  map[schemas.ID]bool
	orders map[[2]string][]schemas.OrderFact
	own    []schemas.OrderFact // of an order
	linked bool
	asking int64 // offset of the record that asked for what it was before; -1: none
	alerts map[schemas.ID]*Transition
	fresh  bool
}

// History replays one partition of the log and judges every entity at every
// tick: it returns all changes in order. Homes that aliases link to others are
// not judged (linked says which): what they knew comes from other partitions.
func History(d *Document, log iter.Seq2[int64, *schemas.Record]) (all []Transition, linked map[string]bool) {
	h := history{doc: d, entities: map[string]*entity{}, asked: asks(log)}
	for offset, r := range log {
		h.apply(offset, r)
	}
	linked = map[string]bool{}
	for name, e := range h.entities {
		linked[name] = e.linked
	}
	return h.all, linked
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
	doc      *Document
	entities map[string]*entity
	names    []string
	asked    map[int64]int64
	clock    Clock
	all      []Transition
}

func (h *history) entity(name string) *entity {
	e := h.entities[name]
	if e == nil {
		e = &entity{facts: map[schemas.ID]*fact{}, voids: map[schemas.ID]bool{}, orders: map[[2]string][]schemas.OrderFact{},
			alerts: map[schemas.ID]*Transition{}, asking: never}
		h.entities[name] = e
		h.names = append(h.names, name)
	}
	e.fresh = true
	return e
}

func (h *history) apply(offset int64, r *schemas.Record) {
	home := func(own string) *entity {
		if r.Home != "" {
			own = r.Home
		}
		e := h.entity(own)
		if answer, ok := h.asked[offset]; ok {
			e.asking = answer
		}
		return e
	}
	switch r.Kind {
	case schemas.KindEvent:
		e := home(r.Event.TrackingNumber)
		f := newFact(&r.Event)
		if known := e.facts[f.id]; known != nil {
			known.merge(f)
		} else {
			e.facts[f.id] = &f
		}
	case schemas.KindVoid:
		home(r.Void.TrackingNumber).voids[r.Void.EventFactID] = true
	case schemas.KindAlias:
		home(r.Alias.TrackingNumber).linked = true
	case schemas.KindHandover:
		home(r.Handover.TrackingNumber).linked = true
	case schemas.KindOrder:
		if o := r.Order; r.Home == "" {
			e := home(OrderKey(o.ShopID, o.OrderID))
			e.own = append(e.own, o)
		} else {
			e, key := home(""), [2]string{o.ShopID, o.OrderID}
			e.orders[key] = append(e.orders[key], o)
		}
	case schemas.KindTick:
		h.tick(offset, &r.Tick)
	}
}

func (h *history) tick(offset int64, t *schemas.Tick) {
	before := h.clock
	h.clock.Tick(t)
	for _, name := range h.names {
		e := h.entities[name]
		if e.linked || e.asking > offset || !e.fresh && before == h.clock {
			continue
		}
		e.fresh = false
		h.judge(offset, name, e)
	}
}

// judge compares what an entity calls for with what was known of it.
func (h *history) judge(offset int64, name string, e *entity) {
	called := map[schemas.ID]bool{}
	alerts, abouts, now := h.verdict(name, e)
	for i, a := range alerts {
		a.Entity = name
		id := a.ID()
		called[id] = true
		known := e.alerts[id]
		if known != nil && known.Alert.Status != "withdrawn" && known.Alert == a {
			continue
		}
		t := Transition{Home: name, Alert: a, Offset: offset, Changed: now, About: abouts[i]}
		if known != nil {
			t.Opened = known.Opened
		}
		if t.Opened == 0 && (a.Status == "open" || a.Status == "escalated") {
			t.Opened = now
		}
		e.alerts[id] = &t
		h.all = append(h.all, t)
	}
	var gone []schemas.ID
	for id, known := range e.alerts {
		if !called[id] && known.Alert.Status != "withdrawn" {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, func(a, b schemas.ID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range gone {
		t := *e.alerts[id]
		never := t.Alert.Status == "at_risk" && t.Opened == 0
		t.Alert.Status, t.Offset, t.Changed = "withdrawn", offset, now
		h.all = append(h.all, t)
		if e.alerts[id] = &t; never {
			delete(e.alerts, id)
		}
	}
}

// verdict returns what an entity calls for, and the clock that it is judged by.
func (h *history) verdict(name string, e *entity) ([]Alert, []About, int64) {
	if len(e.own) > 0 {
		o := newOrder(e.own[0].ShopID, e.own[0].OrderID, slices.Clone(e.own))
		alerts, about := judgeOrder(h.doc, o, h.clock.S)
		abouts := make([]About, len(alerts))
		for i := range abouts {
			abouts[i] = about
		}
		return alerts, abouts, h.clock.S
	}
	u := union{facts: sorted(e.facts, func(id schemas.ID) bool { return e.voids[id] })}
	for key, facts := range e.orders {
		o := newOrder(key[0], key[1], slices.Clone(facts))
		o.number = name
		u.orders = append(u.orders, o)
	}
	slices.SortFunc(u.orders, compareOrders)
	for _, f := range e.facts {
		u.failed = u.failed || f.invalid
	}
	return judgeParcel(h.doc, &u, h.clock)
}
