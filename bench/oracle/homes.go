package oracle

import (
	"bytes"
	"maps"
	"slices"

	"scantrail/schemas"
)

// Several homes, one parcel: definition 36.

// shortened is as much of a fact's id as is kept.
func shortened(id schemas.ID) schemas.ID {
	clear(id[5:])
	return id
}

// link tells a home, "" where it is the number's own, of another number. A home
// that learns of a smaller one moves.
func (h *history) link(offset int64, home string, e *entity, number string) {
	if home == "" || number == home || number == "" || slices.Contains(e.links, number) {
		return
	}
	e.links = append(e.links, number)
	own, other := schemas.ParcelID(home), schemas.ParcelID(number)
	if bytes.Compare(other[:], own[:]) < 0 && !e.moved {
		h.move(offset, home, e)
	}
}

// move hands over what a home knows. What homes before disagreed about is told
// first, so that the next one hears of one state.
func (h *history) move(offset int64, home string, e *entity) {
	h.retell(offset, home, e)
	h.putAway(e)
	m := &Move{alerts: maps.Clone(e.alerts), told: e.told, failed: e.failed, left: e.left}
	for _, f := range e.facts {
		m.failed = m.failed || f.invalid
	}
	h.moves[home] = m
	e.moved, e.kept = true, nil
	clear(e.alerts)
	clear(e.facts)
	clear(e.orders)
	clear(e.again)
}

// retell tells what homes disagree about, as it stands and by what is known now.
func (h *history) retell(offset int64, home string, e *entity) {
	if len(e.again) == 0 {
		return
	}
	u, d := h.union(e), h.doc
	if e.kept != nil {
		d = e.kept
	}
	lives := assign(split(u.facts), u.orders)
	for id := range e.again {
		t := *e.alerts[id]
		t.Home, t.Offset, t.Changed = home, offset, u.now(h.clock)
		if len(lives) > 0 {
			at := lives[0]
			for _, l := range lives {
				if len(l.all) > 0 && l.all[0].at <= t.Alert.Anchor {
					at = l
				}
			}
			t.About = newJudge(d, at, t.Changed).about(&t.Alert, h.stalled)
		}
		e.alerts[id] = &t
		h.replay.All = append(h.replay.All, t)
	}
}

// takeOver adds what another home knew. Of an alert that both know the state here
// stays, and is told again where it is another one.
func (h *history) takeOver(offset int64, home string, e *entity, from string) {
	h.link(offset, home, e, from)
	m := h.moves[from]
	if m == nil || e.moved {
		return
	}
	for _, t := range m.alerts {
		h.link(offset, home, e, t.Alert.Number)
	}
	if e.moved {
		return
	}
	for i, told := range m.told {
		e.told[i] = e.told[i] || told
	}
	e.failed, e.left = e.failed || m.failed, e.left || m.left
	for id, t := range m.alerts {
		has := e.alerts[id]
		if has == nil {
			own := *t
			own.Home, own.Alert.Entity = home, home
			e.alerts[id] = &own
			continue
		}
		if has.Opened == 0 || t.Opened != 0 && t.Opened < has.Opened {
			own := *has
			own.Opened = t.Opened
			e.alerts[id] = &own
		}
		if has.Alert.Status != t.Alert.Status || has.Alert.Level != t.Alert.Level || has.Alert.Ended != t.Alert.Ended {
			e.again[id] = true
		}
	}
}
