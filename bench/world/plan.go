package world

import "scantrail/schemas"

const (
	maxScans     = 40
	maxOrders    = 10
	maxEmissions = 128
)

// scan is one planned scan.
type scan struct {
	at        int64 // when it happens, Unix seconds: the truth
	stated    int64 // what the carrier will say; differs from at where the zone is wrong
	emit      int64 // when it is first reported
	milestone schemas.Milestone
	feed      feed
	code      uint8
	place     uint8
}

// progress reports whether the scan counts as a tracking update.
func (s *scan) progress() bool { return s.milestone.Progress() }

type orderFact struct {
	at, emit int64
	kind     schemas.OrderKind
}

type kind uint8

const (
	emitOrder     kind = iota
	emitScan           // one scan in a record
	emitAll            // all scans of the feed so far in a record
	emitTruncated      // rubbish: a record cut off in the middle
	emitNotFound       // rubbish: the carrier's answer for a number that it does not know
	emitLayout         // rubbish: JSON or XML of an unknown shape
)

// emission is one record of a parcel.
type emission struct {
	at   int64
	seq  uint8 // order of planning, which decides between equal times
	kind kind
	i    uint8 // of the scan or the order fact
}

// plan is everything that will be heard of one parcel.
type plan struct {
	index      int
	shop       uint32
	market     uint8
	domestic   bool
	platform   bool // label made by the platform
	xml        bool // USPS answers in XML
	export     feed
	last       feed
	origin     uint8 // places
	gateway    uint8
	delivery   uint8
	created    int64
	promise    int64
	wrongZone  bool // one of its scans states a wrong time
	number     [40]byte
	numberLen  uint8
	scans      [maxScans]scan
	nScans     int
	orders     [maxOrders]orderFact
	nOrders    int
	emissions  [maxEmissions]emission
	nEmissions int
	dropped    int // scans or emissions that found no room: always 0, held by a test
}

// Number returns the parcel's tracking number.
func (p *plan) Number() []byte { return p.number[:p.numberLen] }

// crossBorder reports whether the lane crosses a customs border. No lane of the
// world lies within the EU.
func (p *plan) crossBorder() bool { return places[p.origin].country != places[p.delivery].country }

// guard keeps what the truth depends on away from the instants at which it
// would turn: a parcel is moved on until nothing is about to happen then.
const guard = 15 * minute

// start returns the earliest time at which anything of the parcel can be
// heard. It rises with the index.
func (w *World) start(index int) int64 {
	span := uint64(w.to - w.from)
	slot := uint64(index) * span / uint64(w.config.Parcels)
	return w.from + int64(slot)
}

// plan derives the plan of a parcel.
func (w *World) plan(p *plan, index int) {
	for shift := int64(0); ; shift += 40 * minute {
		w.derive(p, index, shift)
		if shift >= 400*minute || !w.onEdge(p) {
			return
		}
	}
}

func (w *World) derive(p *plan, index int, shift int64) {
	r := random(mix(w.config.Seed+0x5851f42d4c957f2d) ^ mix(uint64(index)+1))
	p.index, p.nScans, p.nOrders, p.nEmissions, p.dropped = index, 0, 0, 0, 0
	p.wrongZone, p.xml, p.platform = false, false, true
	slot := (w.to - w.from) / int64(w.config.Parcels)
	p.created = w.start(index) + shift + r.between(0, min(slot, day))
	b := builder{w: w, p: p, r: &r}
	b.choose()
	b.journey()
	b.noise()
	sortEmissions(p.emissions[:p.nEmissions])
}

// sortEmissions sorts by insertion: emissions are planned nearly in order.
func sortEmissions(e []emission) {
	for i := 1; i < len(e); i++ {
		x := e[i]
		j := i
		for ; j > 0 && (e[j-1].at > x.at || e[j-1].at == x.at && e[j-1].seq > x.seq); j-- {
			e[j] = e[j-1]
		}
		e[j] = x
	}
}

func (p *plan) add(e emission) {
	if p.nEmissions == maxEmissions {
		p.dropped++
		return
	}
	e.seq = uint8(p.nEmissions)
	p.emissions[p.nEmissions] = e
	p.nEmissions++
}

// onEdge reports whether the answer at To hangs on minutes: a silence about to
// reach 36, 48 or 72 h, or a deadline about to pass.
func (w *World) onEdge(p *plan) bool {
	var last, accepted, entry int64
	for i := range p.scans[:p.nScans] {
		s := &p.scans[i]
		if s.emit > w.to {
			continue
		}
		if s.progress() {
			last = max(last, s.at)
		}
		if s.milestone == schemas.Accepted && accepted == 0 {
			accepted = s.at
		}
		if s.milestone >= schemas.ArrivedDestination && s.milestone <= schemas.ImportRejected && (entry == 0 || s.at < entry) {
			entry = s.at
		}
	}
	near := func(t int64) bool { return w.to-t < guard && t-w.to < guard }
	return last != 0 && (near(last+36*hour) || near(last+48*hour) || near(last+72*hour)) ||
		accepted != 0 && (near(accepted+7*day) || near(accepted+15*day)) ||
		entry != 0 && near(entry+7*day)
}
