package detector

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"scantrail/schemas"
)

const era = 1_577_836_800 // 2020

// TestFactSize holds the sizes that the memory of a parcel follows from.
func TestFactSize(t *testing.T) {
	usual := usualFacts()
	for i := range usual {
		usual[i].lane = usual[0].lane
	}
	place := slices.Clone(usual)
	for i := range place {
		place[i].place = uint16(i + 1)
	}
	days := slices.Clone(usual)
	for i := range days {
		days[i].sec += uint32(i) * 3 * day
	}
	first := 1 + 2 + 4 + 1 + 1 + 3 + 1 // head, time, id, rest, place, lane, extra
	for name, c := range map[string]struct {
		facts []fact
		bytes int
	}{
		"at one place":   {usual, first + 11*7},
		"place to place": {place, first + 11*8},
		"days apart":     {days, first + 11*8},
	} {
		if got := len(appendFacts(nil, c.facts[0].sec, c.facts)); got != c.bytes {
			t.Errorf("%s: %d bytes, want %d", name, got, c.bytes)
		}
	}
	order := []orderFact{{kind: schemas.OrderCreated, at: era, orderID: []byte("576012345678901234"), shop: 3}, {kind: schemas.OrderConfirmed, at: era + 60}}
	order[1].orderID, order[1].shop = order[0].orderID, 3
	if got, want := len(appendOrderFacts(nil, &orderFact{at: era - 3600}, order)), 3+1+1+8+3; got != want {
		t.Errorf("two order facts: %d bytes, want %d", got, want)
	}
}

// TestEncodings: what is written is read, whatever it is, and a part of it is not
// taken for the whole.
func TestEncodings(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	pick := func(n ...uint32) uint32 { return n[rng.IntN(len(n))] }
	texts := make([]string, maxEntries)
	ids := []string{"", "1", "12", "576012345678901234", "SO-1", strings.Repeat("9", maxOrderID), "0"}
	for range 3000 {
		facts := make([]fact, rng.IntN(6))
		for i := range facts {
			m := schemas.Milestone(pick(0, 10, 20, 30, 57, 95, 142, 200, 255))
			facts[i] = fact{id: uint64(rng.Uint32()), milestone: m, place: uint16(pick(0, 1, 300, 1535, 1536, 65534)), flags: uint8(rng.IntN(32)),
				sec: pick(1, era-1, era, era+1<<15-1, era+1<<15, era+1<<22, era+1<<29, 1<<32-2), lane: lane(pick(0, 5<<10|7, 1<<10)), num: uint8(rng.IntN(3))}
			if hasExtra(m) {
				facts[i].extra = pick(0, 1, maxExtra)
			}
		}
		slices.SortFunc(facts, func(a, b fact) int { return compareFacts(&a, &b) })
		opened := pick(0, 1, era, 1<<32-2)
		b := appendFacts(nil, opened, facts)
		if got, ok := readFacts(b, opened, nil); !ok || !slices.Equal(got, facts) {
			t.Fatalf("have %+v (%t), want %+v", got, ok, facts)
		}
		if n := len(b) - rng.IntN(len(b)+1); n < len(b) {
			if got, ok := readFacts(b[:n], opened, nil); ok && len(got) >= len(facts) {
				t.Fatalf("%d of %d bytes were read as all", n, len(b))
			}
		}
		orders := make([]orderFact, rng.IntN(5))
		for i := range orders {
			f := &orders[i]
			*f = orderFact{kind: schemas.OrderKind(pick(0, 1, 11, 14, 15, 16, 255)), at: pick(1, era, era+40000, 1<<32-2), accepted: rng.IntN(2) == 0, backfill: rng.IntN(2) == 0,
				promise: pick(0, 1, 1<<32-2), until: pick(0, era), shop: uint16(pick(0, 127, 128, 65534)), market: uint16(pick(0, maxCountry)), carrier: uint16(pick(0, 200)),
				label: uint16(pick(0, 3)), lane: lane(pick(0, 5<<10|7)), num: uint8(pick(0, 2)), orderID: []byte(ids[rng.IntN(len(ids))])}
			if rng.IntN(3) == 0 {
				f.postcode, f.numbers = []byte("NW1"), appendNumbers(nil, []string{"LX000000001CN"})
			}
		}
		slices.SortFunc(orders, func(a, b orderFact) int { return compareOrderFacts(&a, &b, texts) })
		base := &orderFact{at: opened, shop: uint16(pick(0, 127)), orderID: []byte(ids[rng.IntN(len(ids))])}
		b = appendOrderFacts(nil, base, orders)
		got, _, ok := readOrderFacts(b, base, nil, nil)
		if !ok || len(got) != len(orders) || !bytes.Equal(appendOrderFacts(nil, base, got), b) {
			t.Fatalf("have %+v (%t), want %+v", got, ok, orders)
		}
		for i := range got {
			for _, s := range []*[]byte{&got[i].orderID, &got[i].postcode, &got[i].numbers, &orders[i].orderID, &orders[i].postcode, &orders[i].numbers} {
				*s = append([]byte{}, *s...)
			}
			if !reflect.DeepEqual(got[i], orders[i]) {
				t.Fatalf("have %+v, want %+v", got[i], orders[i])
			}
		}
	}
}

// TestTable compares the table with a map, with keys that crowd in one place too.
func TestTable(t *testing.T) {
	for _, crowded := range []bool{false, true} {
		rng := rand.New(rand.NewPCG(8, 8))
		want, keys := map[schemas.ID]uint32{}, make([]schemas.ID, 4000)
		for i := range keys {
			for k := range keys[i] {
				keys[i][k] = byte(rng.Uint32())
			}
			if crowded {
				copy(keys[i][:8], "\x01\x02\x03\x04\x05\x06\x07\x08")
				keys[i][7] = byte(rng.IntN(2))
			}
		}
		if crowded {
			keys = keys[:200]
		}
		table := table{hasID: func(e *entity, id schemas.ID, _ []byte) bool { return keys[e.opened] == id },
			idOf: func(e *entity) schemas.ID { return keys[e.opened] }, warm: func(*entity) {}}
		for range 20_000 {
			k := rng.IntN(len(keys))
			id := keys[k]
			i, e := table.find(&id, nil)
			at, known := want[id]
			if (e != nil) != known || known && (i != at || e.opened != uint32(k)) {
				t.Fatalf("crowded %t: slot %d (%t), want %d (%t)", crowded, i, e != nil, at, known)
			}
			if known {
				table.remove(i)
				delete(want, id)
			} else {
				want[id], e = table.add(&id)
				e.opened = uint32(k)
			}
			if int(table.live()) != len(want) {
				t.Fatalf("%d entities, want %d", table.live(), len(want))
			}
		}
	}
}

// TestPlain: facts that are read by whole words are what they are one by one, and so
// is what the next one is encoded against.
func TestPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	rare := func(n int) bool { return rng.IntN(n) == 0 }
	plain := 0
	for range 20_000 {
		f := fact{id: 1, sec: era, milestone: schemas.Accepted, flags: factPhysical | factProgress, lane: lane(5<<10 | 7), num: uint8(rng.IntN(2))}
		if rare(4) {
			f.flags |= factBackfill
		}
		facts := []fact{f}
		for range rng.IntN(20) {
			c := int(codes[f.milestone]) + rng.IntN(5) - 2
			f.milestone, f.extra = coded[(c+len(coded))%len(coded)], 0
			f.flags = usualFlags[f.milestone] | f.flags&factBackfill
			f.id, f.sec, f.place = uint64(rng.Uint32()), f.sec+uint32(rng.IntN(1<<15)), uint16(rng.IntN(6<<8))
			for _, unlike := range []func(){
				func() { f.sec += 1 << 15 }, func() { f.place = 1 << 15 }, func() { f.place = facts[len(facts)-1].place },
				func() { f.flags ^= uint8(1 << rng.IntN(5)) }, func() { f.lane ^= 1 }, func() { f.num ^= 1 }, func() { f.lane = 0 },
			} {
				if rare(60) {
					unlike()
				}
			}
			facts = append(facts, f)
		}
		b := appendFacts(nil, era, facts)
		got, tail, ok := readTail(b, era, nil)
		want, found := probe(b, era, 1<<40)
		if !ok || found || !slices.Equal(got, facts) || tail != want {
			t.Fatalf("have %+v behind %+v (%t), want %+v behind %+v", tail, got, ok, want, facts)
		}
		first := beforeFirst(era)
		rest, _ := first.next(b)
		rest2, some := first.plain(rest, nil)
		if plain += len(some); len(rest2) < len(rest) != (len(some) > 0) {
			t.Fatalf("%d facts in %d bytes", len(some), len(rest)-len(rest2))
		}
	}
	if plain < 40_000 {
		t.Errorf("%d plain facts behind the first: too few to tell", plain)
	}
}
