package world

import "scantrail/schemas"

// fate is what happens to a parcel besides the usual.
type fate struct {
	stallAt   schemas.Milestone // this step takes stall seconds
	stall     int64
	lostAt    schemas.Milestone // the first step that never happens
	noExport  bool              // export customs reported nothing
	noEntry   bool              // arrival and import customs reported nothing
	noOut     bool              // delivered without having gone out
	locker    bool
	attempts  int
	returned  bool
	cancelled bool
	pickup    int64 // from label to first scan
}

// builder writes one plan.
type builder struct {
	w    *World
	p    *plan
	r    *random
	fate fate
	t    int64 // of the step at hand
	over bool  // nothing happens any more
}

// choose decides who ships what, from where, to where, with whom.
func (b *builder) choose() {
	p, r := b.p, b.r
	p.shop = uint32(r.below(len(b.w.shops)))
	shop := &b.w.shops[p.shop]
	p.market = shop.market
	m := &markets[p.market]
	p.promise = m.promise * day
	p.platform = !shop.Careless || r.below(100) >= 6
	p.domestic = (p.market == marketUS || p.market == marketGB) && r.chance(0.24)
	p.gateway = m.gateways[r.below(len(m.gateways))]
	p.delivery = m.places[r.below(len(m.places))]
	p.origin = uint8(r.below(chinesePlaces))
	p.last = m.lastMile
	p.export = feed(r.below(3)) // yunexpress, fourpx, cainiao
	if r.chance(0.12) {
		p.export, p.last = track17, track17
	}
	if p.last == noFeed { // the consolidator's own agent delivers
		if p.export == yunexpress { // has no plain word for out for delivery
			p.export = fourpx
		}
		p.last = p.export
	}
	if p.domestic {
		p.origin = m.places[r.below(len(m.places))]
		p.last = royalmail
		if p.market == marketUS {
			p.last = [...]feed{ups, fedex}[r.below(2)]
		}
		p.export = p.last
	}
	if p.last == usps && r.chance(0.15) {
		p.xml = true
		p.delivery = easternUS[r.below(len(easternUS))]
		p.gateway = m.gateways[0]
	}
	b.chooseNumber()
	b.chooseFate(shop)
}

func (b *builder) chooseNumber() {
	p := b.p
	n := p.number[:0]
	switch {
	case !p.domestic:
		n = appendS10(n, "LA", "CN", b.w.config.Seed, p.index)
	case p.last == ups:
		n = appendUPS(n, b.w.config.Seed, p.index)
	case p.last == fedex:
		n = appendFedEx(n, b.w.config.Seed, p.index)
	default:
		n = appendS10(n, "JA", "GB", b.w.config.Seed, p.index)
	}
	p.numberLen = uint8(len(n))
}

// chooseFate draws what goes wrong. The shares are chosen so that each rule has
// a hundred cases in three thousand parcels while most parcels are healthy.
func (b *builder) chooseFate(shop *Shop) {
	r := b.r
	f := fate{pickup: r.between(10*hour, 38*hour)}
	if shop.Late {
		f.pickup += r.between(12*hour, 72*hour)
	}
	careless := 1.0
	if shop.Careless {
		careless = 3
	}
	stalls := [...]schemas.Milestone{schemas.ExportCleared, schemas.ArrivedDestination, schemas.ImportCleared,
		schemas.OutForDelivery}
	haul := 0.02
	if shop.BadHaul {
		haul = 0.16
	}
	switch x := r.chance; {
	case x(haul):
		f.stallAt, f.stall = schemas.ArrivedDestination, r.between(3*day, 14*day)
	case x(0.075):
		f.stallAt, f.stall = stalls[r.below(len(stalls))], r.between(48*hour+guard, 70*hour)
	case x(0.03):
		f.stallAt, f.stall = stalls[r.below(len(stalls))], r.between(74*hour, 150*hour)
	}
	lost := [...]schemas.Milestone{schemas.OriginFacilityDeparted, schemas.ExportCleared, schemas.DepartedOrigin,
		schemas.ImportCleared, schemas.DeliveryFacilityArrived}
	if r.chance(0.015) {
		f.lostAt = lost[r.below(len(lost))]
	}
	f.noExport = r.chance(0.035 * careless)
	f.noEntry = r.chance(0.035 * careless)
	f.noOut = r.chance(0.03 * careless)
	f.locker = r.chance(0.05)
	if r.chance(0.05) {
		f.attempts = 1 + r.below(2)
	}
	f.returned = b.p.last == track17 && r.chance(0.08)
	f.cancelled = r.chance(0.012)
	b.fate = f
}

// scan plans one scan at the time at hand, and says so.
func (b *builder) scan(f feed, m schemas.Milestone, at uint8) bool {
	c, ok := pick(f, m, b.r)
	if ok {
		b.put(f, c, m, at)
	}
	return ok
}

func (b *builder) put(f feed, c uint8, m schemas.Milestone, at uint8) {
	p := b.p
	if p.nScans == maxScans {
		p.dropped++
		return
	}
	t := b.t
	if f == usps { // reports to the minute
		t -= t % minute
	}
	naive := f == dhlExpress || f == usps && p.xml
	if naive && b.w.summer.ambiguous(places[at].zone, t) {
		t += 3 * hour // nobody can read a local time that happens twice
		b.t = max(b.t, t)
	}
	p.scans[p.nScans] = scan{at: t, stated: t, milestone: m, feed: f, code: c, place: at}
	p.nScans++
}

// step lets lo to hi seconds pass, unless the parcel stalls or is lost here,
// and plans the scan that ends them. A step without a scan still takes its
// least time.
func (b *builder) step(f feed, m schemas.Milestone, at uint8, lo, hi int64) {
	if m == b.fate.lostAt && b.fate.lostAt != 0 {
		b.over = true
	}
	if b.over {
		return
	}
	dt := b.r.between(lo, hi)
	if m == b.fate.stallAt && b.fate.stallAt != 0 {
		dt = b.fate.stall
	}
	hidden := b.fate.noExport && m >= schemas.ExportCustomsStarted && m <= schemas.ExportRejected ||
		b.fate.noEntry && m >= schemas.ArrivedDestination && m <= schemas.ImportRejected ||
		b.fate.noOut && m == schemas.OutForDelivery
	if hidden {
		b.t += min(dt, lo)
		return
	}
	b.t += dt
	if !b.scan(f, m, at) {
		b.t -= dt - min(dt, lo)
	}
}

// journey plans the order and all scans of the parcel.
func (b *builder) journey() {
	p := b.p
	label := b.order()
	b.t = label + b.r.between(minute, hour)
	b.scan(p.export, schemas.LabelCreated, p.origin)
	b.t = label + b.fate.pickup
	if b.fate.cancelled {
		b.scan(p.export, schemas.Cancelled, p.origin)
		return
	}
	if p.domestic {
		b.domestic()
	} else {
		b.exportLeg()
		b.importLeg()
		b.lastMile()
	}
	b.ending()
}

func (b *builder) exportLeg() {
	p, f := b.p, b.p.export
	b.step(f, schemas.Accepted, p.origin, 0, 0)
	b.step(f, schemas.OriginFacilityArrived, p.origin, 3*hour, 14*hour)
	b.step(f, schemas.OriginFacilityDeparted, p.origin, 4*hour, 20*hour)
	b.step(f, schemas.ExportCustomsStarted, p.origin, 3*hour, 14*hour)
	b.advise()
	b.step(f, schemas.ExportCleared, p.origin, 3*hour, 16*hour)
	b.step(f, schemas.HandedToLinehaul, p.origin, 2*hour, 10*hour)
	b.step(f, schemas.DepartedOrigin, p.origin, 3*hour, 16*hour)
}

// advise plans the message to the last mile, which is no scan of the parcel.
func (b *builder) advise() {
	p := b.p
	if b.over || !b.r.chance(0.35) {
		return
	}
	for _, f := range [...]feed{p.export, p.last} {
		if advice[f].code != "" {
			b.t += 7 * minute
			b.put(f, codeAdvice, schemas.LabelCreated, p.gateway)
		}
	}
}

func (b *builder) importLeg() {
	p, f := b.p, b.p.export
	b.step(f, schemas.ArrivedDestination, p.gateway, 13*hour, 40*hour)
	b.step(f, schemas.ImportCustomsStarted, p.gateway, 2*hour, 12*hour)
	if b.r.chance(0.04) {
		b.step(f, schemas.ImportCustomsHeld, p.gateway, hour, 9*hour)
	}
	b.step(f, schemas.ImportCleared, p.gateway, 3*hour, 20*hour)
	b.step(f, schemas.HandedToLastMile, p.gateway, 2*hour, 12*hour)
}

func (b *builder) lastMile() {
	p, f := b.p, b.p.last
	b.step(f, schemas.DestinationFacilityArrived, p.gateway, 3*hour, 14*hour)
	b.step(f, schemas.DestinationFacilityDeparted, p.gateway, 2*hour, 10*hour)
	if b.r.chance(0.5) {
		b.step(f, schemas.InTransit, p.gateway, 4*hour, 16*hour)
	}
	b.step(f, schemas.DeliveryFacilityArrived, p.delivery, 4*hour, 18*hour)
	b.handOut(f)
}

func (b *builder) domestic() {
	p, f := b.p, b.p.last
	b.step(f, schemas.Accepted, p.origin, 0, 0)
	b.step(f, schemas.OriginFacilityArrived, p.origin, 2*hour, 8*hour)
	b.step(f, schemas.OriginFacilityDeparted, p.origin, 2*hour, 8*hour)
	for range 1 + b.r.below(2) {
		b.step(f, schemas.InTransit, p.origin, 5*hour, 20*hour)
	}
	if b.r.chance(0.06) {
		b.step(f, schemas.Misrouted, p.origin, 3*hour, 9*hour)
	}
	b.step(f, schemas.DeliveryFacilityArrived, p.delivery, 5*hour, 18*hour)
	b.handOut(f)
}

// handOut plans the last day: locker, courier, attempts, delivery.
func (b *builder) handOut(f feed) {
	p := b.p
	if b.r.chance(0.04) {
		b.step(f, schemas.AddressIssue, p.delivery, hour, 5*hour)
	}
	if b.fate.locker {
		for _, by := range [...]feed{f, p.export} { // whoever reports it
			if _, ok := pick(by, schemas.AvailableForPickup, b.r); ok {
				b.step(by, schemas.AvailableForPickup, p.delivery, 3*hour, 20*hour)
				b.step(f, schemas.Delivered, p.delivery, 3*hour, 40*hour)
				return
			}
		}
	}
	for range b.fate.attempts {
		b.step(f, schemas.OutForDelivery, p.delivery, 5*hour, 20*hour)
		b.fate.stallAt = 0
		b.step(f, schemas.DeliveryAttempted, p.delivery, 3*hour, 8*hour)
	}
	if b.fate.returned {
		b.step(f, schemas.ReturnStarted, p.delivery, 6*hour, 30*hour)
		b.step(f, schemas.Returned, p.origin, 20*hour, 300*hour)
		return
	}
	b.step(f, schemas.OutForDelivery, p.delivery, 5*hour, 20*hour)
	b.step(f, schemas.Delivered, p.delivery, 2*hour, 9*hour)
}

// ending plans what follows the end: the carrier admits a loss, the export
// carrier repeats the delivery, a signature is filed.
func (b *builder) ending() {
	p := b.p
	if b.over {
		if b.r.chance(0.25) {
			b.t += b.r.between(10*day, 14*day)
			b.scan(p.export, schemas.Lost, p.gateway)
		}
		return
	}
	b.t += b.r.between(minute, hour)
	b.scan(p.last, schemas.Info, p.delivery)
	if p.export != p.last && b.r.chance(0.3) {
		b.t += b.r.between(hour, 5*hour)
		b.scan(p.export, schemas.Delivered, p.delivery)
	}
}
