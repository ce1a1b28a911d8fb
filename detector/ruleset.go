package detector

import (
	"fmt"
	"slices"

	"scantrail/schemas"
)

// ruleSet is a policy document in the form in which the machine reads it.
type ruleSet struct {
	number  uint32 // of the control record
	text    string
	list    []*rules
	selects []selector // of each of the list
	simple  bool       // these look at markets and lanes alone
	chosen  [chosenLen]choice

	// Holiday mode: of all shops, and of some.
	holidays       []holiday
	holidaysOfShop map[string][]holiday

	keys map[string]uint32 // when the key of a carrier's feed ends
}

// choice is which of the policies judges a lane in a market. It is remembered, since
// most parcels share a few lanes.
type choice struct {
	market uint16
	lane   lane
	known  bool
	index  uint8
}

const chosenLen = 64

// newRuleSet compiles the policy document of a control record.
func newRuleSet(number uint32, text string, documents *Documents) (*ruleSet, error) {
	text, doc, err := documents.parse(text)
	if err != nil {
		return nil, err
	}
	s := &ruleSet{number: number, text: text, simple: true, holidaysOfShop: map[string][]holiday{}}
	for i := range doc.List {
		p := &doc.List[i]
		r, err := compile(p)
		if err != nil {
			return nil, err
		}
		sel, err := newSelector(&p.When)
		if err != nil {
			return nil, fmt.Errorf("policy %s: when.lanes: %w", p.Name, err)
		}
		r.set, r.text, r.index = s, text, i
		s.list, s.selects = append(s.list, r), append(s.selects, sel)
		s.simple = s.simple && len(sel.shops)+len(sel.carriers)+len(sel.products) == 0
	}
	for i := range doc.Holidays {
		s.addHoliday(&doc.Holidays[i])
	}
	s.keys = keyEnds(doc.Keys)
	return s, nil
}

// selector is a schemas.Selector with its countries packed.
type selector struct {
	any      bool
	markets  []uint16
	shops    map[string]bool
	lanes    []lane
	carriers []string
	products []string
}

func newSelector(w *schemas.Selector) (s selector, err error) {
	s.any = len(w.Markets)+len(w.Shops)+len(w.Lanes)+len(w.Carriers)+len(w.Products) == 0
	s.markets, s.carriers, s.products = packCountries(w.Markets), w.Carriers, w.Products
	if len(w.Shops) > 0 {
		s.shops = map[string]bool{}
		for _, shop := range w.Shops {
			s.shops[shop] = true
		}
	}
	s.lanes, err = newLanes(w.Lanes)
	return s, err
}

func packCountries(names []string) (list []uint16) {
	for _, n := range names {
		list = append(list, packCountry(n))
	}
	return list
}

// choose returns the index of the first policy of the set that judges a parcel
// or order of these properties. A market of 0 is not known: the destination
// stands for it.
func (s *ruleSet) choose(market uint16, shop string, l lane, carrier, product string) int {
	if len(s.list) == 1 {
		return 0
	}
	if market == 0 {
		market = l.destination()
	}
	if !s.simple {
		return s.match(market, shop, l, carrier, product)
	}
	c := &s.chosen[(uint32(l)*31+uint32(market))%chosenLen]
	if !c.known || c.market != market || c.lane != l {
		*c = choice{market, l, true, uint8(s.match(market, "", l, "", ""))}
	}
	return int(c.index)
}

func (s *ruleSet) match(market uint16, shop string, l lane, carrier, product string) int {
	for i := range s.selects {
		w := &s.selects[i]
		if w.any || w.matches(market, shop, l, carrier, product) {
			return i
		}
	}
	return len(s.list) - 1
}

func (w *selector) matches(market uint16, shop string, l lane, carrier, product string) bool {
	return (len(w.markets) == 0 || slices.Contains(w.markets, market)) &&
		(w.shops == nil || w.shops[shop]) &&
		(len(w.lanes) == 0 || onLane(w.lanes, l)) &&
		(len(w.carriers) == 0 || slices.Contains(w.carriers, carrier)) &&
		(len(w.products) == 0 || slices.Contains(w.products, product))
}

// holiday is a time in which shipping deadlines of some markets do not run.
type holiday struct {
	span
	markets []uint16 // none: any
}

func (s *ruleSet) addHoliday(h *schemas.Holiday) {
	c := holiday{span{seconds(h.From), seconds(h.Until)}, packCountries(h.Markets)}
	if c.until <= c.from {
		return
	}
	if len(h.Shops) == 0 {
		s.holidays = append(s.holidays, c)
	}
	for _, shop := range h.Shops {
		s.holidaysOfShop[shop] = append(s.holidaysOfShop[shop], c)
	}
}

// appendHolidays appends the policy's holidays of a shop in a market.
func (s *ruleSet) appendHolidays(dst []span, shop string, market uint16) []span {
	for _, list := range [...][]holiday{s.holidays, s.holidaysOfShop[shop]} {
		for i := range list {
			if h := &list[i]; len(h.markets) == 0 || slices.Contains(h.markets, market) {
				dst = append(dst, h.span)
			}
		}
	}
	return dst
}
