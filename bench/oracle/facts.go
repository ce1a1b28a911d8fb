package oracle

import (
	"cmp"
	"slices"

	"scantrail/schemas"
)

// fact is one scan, all its copies taken together.
type fact struct {
	id               schemas.ID
	version          uint32
	occurred, first  int64 // milliseconds; first: earliest reception
	at               int64 // effective second
	milestone        uint8
	progress, phys   bool
	number           string
	country, post    string
	carrier, place   string
	origin, dest     string
	invalid, history bool
	refused          bool // says its reason
}

func newFact(e *schemas.Event) fact {
	return fact{id: e.FactID, version: e.MappingVersion, occurred: e.OccurredAt, first: e.ReceivedAt, milestone: uint8(e.Milestone),
		progress: e.Progress, phys: e.Physical, number: e.TrackingNumber, country: e.Country, post: e.Postcode, carrier: e.Carrier, place: e.Facility,
		origin: e.OriginCountry, dest: e.DestinationCountry, invalid: e.NumberCheck == schemas.NumberInvalid, history: e.Backfill, refused: e.Reason == "consignee_refused"}
}

// merge takes another copy of f into f.
func (f *fact) merge(g fact) {
	history, invalid := f.history && g.history, f.invalid || g.invalid
	switch {
	case g.version > f.version:
		*f = g
	case g.version == f.version:
		f.first = min(f.first, g.first)
	}
	f.history, f.invalid = history, invalid
}

func (f *fact) forward() bool { return f.milestone >= 20 && f.milestone <= 95 }

// sorted returns the facts that are not void, in order.
func sorted(all map[schemas.ID]*fact, void func(schemas.ID) bool) []fact {
	list := make([]fact, 0, len(all))
	for id, f := range all {
		if void(id) {
			continue
		}
		g := *f
		g.at = min(g.occurred, g.first) / 1000
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b fact) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.milestone, b.milestone), slices.Compare(a.id[:], b.id[:]))
	})
	return list
}

// order is what is known of one order of a parcel, or of the order itself.
type order struct {
	shop, id  string
	facts     []schemas.OrderFact // in order, each once
	at        int64               // t_o
	labelled  bool
	market    string
	source    string
	sourceAt  int64
	carrier   string
	carrierAt int64
	origin    string
	dest      string
	post      string
	promise   int64 // -1: none stated
	named     bool  // a fact names a number
}

const never = int64(-1)

// under is the number that a fact came under to a parcel: the last one, for its
// copies name their home before.
func under(f *schemas.OrderFact) string {
	if len(f.TrackingNumbers) == 0 {
		return ""
	}
	return f.TrackingNumbers[len(f.TrackingNumbers)-1]
}

func newOrder(shop, id string, facts []schemas.OrderFact) *order {
	if !slices.IsSortedFunc(facts, compareOrderFacts) {
		slices.SortFunc(facts, compareOrderFacts)
	}
	facts = slices.CompactFunc(facts, func(a, b schemas.OrderFact) bool { return compareOrderFacts(a, b) == 0 })
	o := &order{shop: shop, id: id, facts: facts, promise: never, at: facts[0].At / 1000}
	for i := range facts {
		f := &facts[i]
		if o.market == "" {
			o.market = f.Market
		}
		if f.PromiseAt != 0 {
			o.promise = f.PromiseAt / 1000
		}
		o.named = o.named || len(f.TrackingNumbers) > 0
		if f.Kind != schemas.OrderLabelCreated {
			continue
		}
		at := f.At / 1000
		if !o.labelled {
			o.labelled, o.at = true, at
		}
		if o.source == "" {
			o.source, o.sourceAt = f.LabelSource, at
		}
		if o.carrier == "" {
			o.carrier, o.carrierAt = f.Carrier, at
		}
		if o.origin == "" {
			o.origin = f.OriginCountry
		}
		if o.dest == "" {
			o.dest = f.DestinationCountry
		}
		if o.post == "" {
			o.post = f.DestinationPostcode
		}
	}
	return o
}

// compareOrderFacts is the order among the facts of an order, with the numbers
// under which they came; those that it calls equal are one.
func compareOrderFacts(a, b schemas.OrderFact) int {
	return cmp.Or(compareSayings(&a, &b), slices.Compare(a.TrackingNumbers, b.TrackingNumbers))
}

// compareSayings is definition 5: the order among the facts of an order by what they say.
func compareSayings(a, b *schemas.OrderFact) int {
	return cmp.Or(cmp.Compare(a.At/1000, b.At/1000), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Market, b.Market),
		cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.LabelSource, b.LabelSource), cmp.Compare(a.OriginCountry, b.OriginCountry),
		cmp.Compare(a.DestinationCountry, b.DestinationCountry), cmp.Compare(a.DestinationPostcode, b.DestinationPostcode),
		cmp.Compare(a.PromiseAt/1000, b.PromiseAt/1000), cmp.Compare(a.Until/1000, b.Until/1000),
		cmp.Compare(bit(a.Accepted), bit(b.Accepted)))
}

// first returns the time of the earliest fact of one of the kinds.
func (o *order) first(kinds ...schemas.OrderKind) int64 { return o.since(0, kinds...) }

// since is first among those at or after a time.
func (o *order) since(at int64, kinds ...schemas.OrderKind) int64 {
	for i := range o.facts {
		if t := o.facts[i].At / 1000; t >= at && slices.Contains(kinds, o.facts[i].Kind) {
			return t
		}
	}
	return never
}

// number returns the number of an anchor: that under which the first fact in order
// of which a condition holds came, the smallest of several.
func (o *order) number(at int64, is func(f *schemas.OrderFact) bool) string {
	for i := range o.facts {
		if f := &o.facts[i]; f.At/1000 == at && is(f) {
			return o.cameUnder(f)
		}
	}
	return ""
}

// cameUnder returns the smallest of the numbers under which a fact came.
func (o *order) cameUnder(f *schemas.OrderFact) string {
	number := under(f)
	for i := range o.facts {
		if g := &o.facts[i]; compareSayings(f, g) == 0 {
			number = min(number, under(g))
		}
	}
	return number
}

func (o *order) numberOf(at int64, kind schemas.OrderKind) string {
	return o.number(at, func(f *schemas.OrderFact) bool { return f.Kind == kind })
}

// compareOrders is the order among orders of a parcel: those with a label first.
func compareOrders(a, b *order) int {
	label := 0
	if a.labelled != b.labelled {
		label = 1
		if a.labelled {
			label = -1
		}
	}
	return cmp.Or(label, cmp.Compare(a.at, b.at), cmp.Compare(a.shop, b.shop), cmp.Compare(a.id, b.id))
}
