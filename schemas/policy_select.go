package schemas

import (
	"slices"
	"strings"
)

// IsZero reports whether the selector matches everything.
func (s *Selector) IsZero() bool {
	return len(s.Markets)+len(s.Shops)+len(s.Lanes)+len(s.Carriers)+len(s.Products) == 0
}

// Matches reports whether a parcel or order is one of those that the selector
// chooses. market is the order's, else the destination; what is not known is "",
// which no list holds.
func (s *Selector) Matches(market, shop, origin, destination, carrier, product string) bool {
	return oneOf(s.Markets, market) && oneOf(s.Shops, shop) && OnLane(s.Lanes, origin, destination) &&
		oneOf(s.Carriers, carrier) && oneOf(s.Products, product)
}

func oneOf(list []string, v string) bool {
	return len(list) == 0 || v != "" && slices.Contains(list, v)
}

// OnLane reports whether one of the lanes holds the way from origin to
// destination: "CN-US", or "*-US" and "CN-*" whatever the other end is, known or
// not. No lanes hold every way.
func OnLane(lanes []string, origin, destination string) bool {
	if len(lanes) == 0 {
		return true
	}
	for _, l := range lanes {
		from, to, _ := strings.Cut(l, "-")
		if (from == "*" || from == origin && from != "") && (to == "*" || to == destination && to != "") {
			return true
		}
	}
	return false
}

// Select returns the policy that judges a parcel or order, described as in
// Selector.Matches.
func (p *Policies) Select(market, shop, origin, destination, carrier, product string) *Policy {
	for i := range p.List {
		if p.List[i].When.Matches(market, shop, origin, destination, carrier, product) {
			return &p.List[i]
		}
	}
	return &p.List[len(p.List)-1]
}
