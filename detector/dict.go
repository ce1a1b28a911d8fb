package detector

import (
	"strings"

	"scantrail/schemas"
)

// maxEntries bounds each dictionary: what carriers and shops write is hostile,
// and an index takes two bytes in every fact.
const (
	maxEntries = 1<<16 - 1
	maxText    = 80 // bytes kept of a name
)

// texts numbers strings in the order in which the log first shows them, so that
// every owner of the partition has the same numbers. 0 is the empty string,
// which also stands for what no longer fits.
type texts struct {
	list []string
	num  map[string]uint16
}

func newTexts() texts { return texts{list: []string{""}, num: map[string]uint16{"": 0}} }

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

func (t *texts) of(s string) uint16 {
	s = cut(s, maxText)
	n, ok := t.num[s]
	if !ok && len(t.list) < maxEntries {
		n = uint16(len(t.list))
		s = strings.Clone(s)
		t.list = append(t.list, s)
		t.num[s] = n
	}
	return n
}

// place is what facts of one spot have in common.
type place struct {
	carrier  string
	facility string
	country  uint16 // packed, see packCountry
	mapping  uint32 // version of the mapping that read the fact

	uncertain bool // the zone of its times is not known for sure
}

// places numbers places like texts does strings.
type places struct {
	list []place
	num  map[place]uint16
}

// placesWithFacility leaves room for facts of carriers whose facilities no
// longer fit: they keep the carrier, the country and the mapping's version.
const placesWithFacility = maxEntries - 1<<12

func newPlaces() places { return places{list: []place{{}}, num: map[place]uint16{{}: 0}} }

func (t *places) of(p place) uint16 {
	p.carrier, p.facility = cut(p.carrier, maxText), cut(p.facility, maxText)
	if n, ok := t.num[p]; ok {
		return n
	}
	if len(t.list) >= placesWithFacility && p.facility != "" {
		p.facility = ""
		if n, ok := t.num[p]; ok {
			return n
		}
	}
	if len(t.list) >= maxEntries {
		return 0
	}
	p.carrier, p.facility = strings.Clone(p.carrier), strings.Clone(p.facility)
	n := uint16(len(t.list))
	t.list = append(t.list, p)
	t.num[p] = n
	return n
}

// packCountry turns an ISO 3166-1 alpha-2 code into 10 bits; 0 is unknown or
// not a code.
func packCountry(s string) uint16 {
	if len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
		return 0
	}
	return uint16(s[0]-'A')*26 + uint16(s[1]-'A') + 1
}

const maxCountry = 26 * 26

// allCountries spells every code that packCountry can return, in order.
var allCountries = spellCountries()

func spellCountries() string {
	b := make([]byte, 0, 2*maxCountry)
	for c := 'A'; c <= 'Z'; c++ {
		for d := 'A'; d <= 'Z'; d++ {
			b = append(b, byte(c), byte(d))
		}
	}
	return string(b)
}

func countryName(c uint16) string {
	if c == 0 || c > maxCountry {
		return ""
	}
	return allCountries[2*(c-1) : 2*c]
}

// lane packs two countries, either of which may be unknown.
type lane uint32

func newLane(origin, destination uint16) lane { return lane(origin)<<10 | lane(destination) }

func (l lane) origin() uint16      { return uint16(l >> 10) }
func (l lane) destination() uint16 { return uint16(l & (1<<10 - 1)) }
func (l lane) valid() bool         { return l.origin() <= maxCountry && l.destination() <= maxCountry }

// or fills what l does not know from o.
func (l lane) or(o lane) lane {
	if l.origin() == 0 {
		l |= lane(o.origin()) << 10
	}
	if l.destination() == 0 {
		l |= lane(o.destination())
	}
	return l
}

// customsFree is schemas.CustomsUnion by packed country.
var customsFree = func() (t [maxCountry + 1]bool) {
	for c := range strings.FieldsSeq(schemas.CustomsUnion) {
		t[packCountry(c)] = true
	}
	return t
}()

// crossBorder reports whether parcels of this lane are cleared by customs.
func (l lane) crossBorder() bool {
	from, to := l.origin(), l.destination()
	return from != 0 && to != 0 && from != to && !(customsFree[from] && customsFree[to])
}
