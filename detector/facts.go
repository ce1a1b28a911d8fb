package detector

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"scantrail/schemas"
)

// MaxFacts is the number of scans, and of order facts, beyond which an entity
// is no parcel: placeholder numbers merge the world.
const MaxFacts = schemas.MaxFacts

// fact is one scan as f needs it. 32 bits of the fact id are kept: within a
// parcel of 12 facts two share them with a probability of 2e-8, within one of
// 256 with 8e-6; the later one would then count as a copy of the first.
type fact struct {
	id        uint64 // first 32 bits of the fact id, big endian: keeps its order
	sec       uint32 // effective time, Unix seconds
	lane      lane   // as this fact states it
	extra     uint32 // of accepted: seconds from sec to the reception; of delivered: postcodeMark; 24 bits
	place     uint16
	milestone schemas.Milestone
	flags     uint8
	num       uint8 // number that it came under: 0 is the parcel's own, else a link's place plus 1
}

const (
	factPhysical = 1 << iota
	factProgress
	factBackfill // every copy received so far was flagged as backfill
	factVoid     // withdrawn by the carrier; with no milestone it has not been received
	factRefused  // the consignee refused the parcel, says its reason

	factMeaning = factPhysical | factProgress | factBackfill | factVoid
)

func (f *fact) progress() bool { return f.flags&factProgress != 0 }

// refused reports whether the consignee refused the parcel, as the reason of the
// scan says, whatever its milestone.
func (f *fact) refused() bool { return f.flags&factRefused != 0 }

// reasonRefused is Event.Reason of a refusal, as the lexicon names it.
const reasonRefused = "consignee_refused"

// seconds floors a time in Unix milliseconds to seconds. Times before 1970 or
// after 2105 become the ends of that range: 0 means not set.
func seconds(ms int64) uint32 {
	s := ms / 1000
	if ms%1000 < 0 {
		s--
	}
	return uint32(min(max(s, 1), math.MaxUint32-1))
}

// millis is the way back; 0 stays 0.
func millis(sec uint32) int64 { return int64(sec) * 1000 }

func shortID(id *schemas.ID) uint64 { return uint64(binary.BigEndian.Uint32(id[:])) }

func compareFacts(a, b *fact) int {
	if a.sec != b.sec {
		return cmp.Compare(a.sec, b.sec)
	}
	if a.milestone != b.milestone {
		return cmp.Compare(a.milestone, b.milestone)
	}
	return cmp.Compare(a.id, b.id)
}

// hasExtra reports whether facts of a milestone carry fact.extra.
func hasExtra(m schemas.Milestone) bool { return m == schemas.Accepted || m == schemas.Delivered }

// maxExtra is the largest value of fact.extra: a later reception counts as this
// (194 days).
const maxExtra = 1<<24 - 1

// unseen is the time of a void whose fact has not been received.
const unseen = 1

func (f *fact) void() bool { return f.flags&factVoid != 0 }

// received returns the earliest reception that is known.
func (f *fact) received() uint32 {
	if f.milestone == schemas.Accepted {
		return f.sec + f.extra
	}
	return f.sec
}

// tooMany reports whether facts are more than a parcel has. Voids whose scan has
// not come are counted by themselves; they stand first.
func tooMany(facts []fact) bool {
	if len(facts) <= MaxFacts {
		return false
	}
	unheard := 0
	for unheard < len(facts) && facts[unheard].sec == unseen && facts[unheard].void() {
		unheard++
	}
	return unheard > MaxFacts || len(facts)-unheard > MaxFacts
}

// validFacts reports whether facts can be those of a parcel: in order, each id
// once, every number in its range.
func validFacts(facts []fact, places, links int) bool {
	if tooMany(facts) {
		return false
	}
	for i := range facts {
		f := &facts[i]
		if int(f.place) >= places || int(f.num) > links || !f.lane.valid() || f.sec == 0 || f.extra > maxExtra {
			return false
		}
		if i > 0 && compareFacts(&facts[i-1], f) >= 0 {
			return false
		}
		if slices.ContainsFunc(facts[:i], func(g fact) bool { return g.id == f.id }) {
			return false
		}
	}
	return true
}

// merge adds f to the facts, which stay in order, and reports whether that
// changed them.
func (m *Machine) merge(facts []fact, f *fact) ([]fact, bool) {
	for i := range facts {
		if facts[i].id != f.id {
			continue
		}
		old := facts[i]
		merged := m.mergeCopies(&old, f)
		if merged == old {
			return facts, false
		}
		return insert(slices.Delete(facts, i, i+1), &merged), true
	}
	return insert(facts, f), true
}

// mergeCopies puts two copies of one fact together, in either order of arrival.
// Those read by the highest mapping version count, and among these the earliest
// effective time and reception; the fact is live when any copy is. A void stays,
// whenever it came.
func (m *Machine) mergeCopies(old, f *fact) fact {
	void := (old.flags | f.flags) & factVoid
	if f.sec == unseen && f.void() {
		old, f = f, old
	}
	if old.sec == unseen && old.void() {
		merged := *f
		merged.flags |= void
		return merged
	}
	merged := *f
	switch has, comes := m.places.list[old.place].mapping, m.places.list[f.place].mapping; {
	case comes < has:
		merged = *old
	case comes == has:
		if old.sec < merged.sec || old.sec == merged.sec && old.num < merged.num {
			merged = *old
		}
		if merged.milestone == schemas.Accepted {
			merged.extra = min(max(min(old.received(), f.received()), merged.sec)-merged.sec, maxExtra)
		}
	}
	merged.flags = old.flags&f.flags&factBackfill | merged.flags&^factBackfill | void
	return merged
}

func insert(facts []fact, f *fact) []fact {
	at := len(facts)
	for at > 0 && compareFacts(&facts[at-1], f) > 0 {
		at--
	}
	return slices.Insert(facts, at, *f)
}
