package detector

import (
	"math/rand/v2"
	"slices"
	"testing"

	"scantrail/schemas"
)

// everyRule has all rules on, with limits that random lives come near.
const everyRule = `
policies:
  - name: every
    extends: default
    gap:
      at_risk: 36h
      open: 48h
      escalate: 72h
      overrides:
        - {stages: [linehaul], lanes: [CN-*], at_risk: 90h, open: 96h, escalate: 120h}
        - {stages: [origin, return], at_risk: 60h, open: 70h, escalate: 80h}
    stage_stalled: {after: 48h, overrides: [{stages: [import], after: 20h}]}
    label_not_platform: true
    channels: [acme]
    status_mismatch: {grace: 24h, reverse: true}
    confirm_late: {after: 24h, warn: 5h}
    pickup_late: {after: 3wd, warn: 30h}
    shipped_late: {after: 120h, warn: 24h}
    delivered_late: {after: 1wd, warn: 2h}
    promise: [{markets: [GB], within: 4wd}, {within: 72h}]
    calendar: {zone: Europe/London, holidays: [2026-10-07]}
holidays:
  - {markets: [GB], from: 2026-10-04T10:00:00Z, until: 2026-10-05T15:00:00Z}
`

func randomLife(w *world, m *Machine) *life {
	l := &life{last: w.rng.IntN(4) > 0, badNumber: w.rng.IntN(4) == 0}
	pick := func(s ...string) string { return s[w.rng.IntN(len(s))] }
	for range w.rng.IntN(12) {
		e := w.event()
		f := m.factOf(&e.Event)
		if w.rng.IntN(3) == 0 {
			f.extra = uint32(w.rng.IntN(200_000))
		}
		if f.milestone == schemas.Delivered {
			f.extra = postcodeMark(pick("", "SW1A", "N12"))
		}
		f.num = uint8(w.rng.IntN(3))
		l.facts = insert(l.facts, &f)
	}
	for range w.rng.IntN(10) {
		f := orderFact{
			kind: schemas.OrderKind(1 + w.rng.IntN(11)), at: uint32(w.at() / 1000), shop: m.texts.of(pick("shop-1", "shop-1", "shop-2")),
			market: packCountry(pick("", "GB")), carrier: m.texts.of(pick("", "acme", "other")), label: m.texts.of(pick("", "platform", "seller")),
			orderID: []byte(pick("SO-0", "SO-0", "SO-1")), postcode: []byte(pick("", "sw1a 2aa", "N12 9ZZ")), num: uint8(w.rng.IntN(3)),
		}
		switch {
		case f.kind == schemas.OrderHoliday:
			f.until = uint32(w.at() / 1000)
		case f.kind == schemas.OrderLabelCreated:
			f.lane = testLane(pick("CN-GB", "GB-GB", "CN-DE", "-GB"))
		case w.rng.IntN(2) == 0:
			f.promise = uint32(w.at() / 1000)
		}
		l.orders, _, _ = insertOrderFact(l.orders, &f, m.texts.list)
		if string(f.orderID) == "SO-0" && m.texts.list[f.shop] == "shop-1" {
			l.main, _, _ = insertOrderFact(l.main, &f, m.texts.list)
		}
	}
	l.places, l.texts = m.places.list, m.texts.list
	return l
}

// TestWake judges random lives again before their next deadline: nothing may
// have changed, while at the deadline, most often, something has.
func TestWake(t *testing.T) {
	r := testRules(t, everyRule)
	families, lives, woken, idle := map[family]bool{}, 0, 0, 0
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		w := newWorld(rng)
		m := NewMachine(0, 1)
		for range 120 {
			l := randomLife(w, m)
			lives++
			now := uint32(w.at() / 1000)
			judge := func(v *verdict, at uint32) {
				v.evaluate(l, r, at)
			}
			if rng.IntN(4) == 0 {
				judge = func(v *verdict, at uint32) { v.evaluateOrder(l.main, l.texts, false, r, at) }
			}
			var v, later verdict
			judge(&v, now)
			for i := range v.wanted {
				families[v.wanted[i].family] = true
				if i > 0 && compareWanted(&v.wanted[i-1], &v.wanted[i]) >= 0 {
					t.Errorf("out of order: %s", spell(&v))
				}
			}
			end := v.deadline
			if end == 0 {
				end = now + 1<<24
			}
			if end <= now {
				t.Errorf("wakes at %d, now %d", end, now)
				return
			}
			for _, at := range []uint32{now + 1, now + rng.Uint32N(end-now), end - 1} {
				judge(&later, min(at, end-1))
				if !slices.Equal(v.wanted, later.wanted) {
					t.Errorf("now %d:\n%sat %d:\n%s", now, spell(&v), at, spell(&later))
					return
				}
			}
			judge(&later, end)
			if v.deadline != 0 && slices.Equal(v.wanted, later.wanted) {
				idle++
			} else if v.deadline != 0 {
				woken++
			}
		}
	})
	for f := stageStalled; f < feedStale; f++ {
		if !families[f] && lives > 10_000 {
			t.Errorf("no random life called for %s", f.name())
		}
	}
	if woken < 5*idle {
		t.Errorf("%d wakes changed something, %d nothing", woken, idle)
	}
}
