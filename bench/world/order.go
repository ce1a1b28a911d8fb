package world

import "scantrail/schemas"

// order plans the facts that come before the first scan and returns the time
// of the label.
func (b *builder) order() int64 {
	p, r := b.p, b.r
	shop := &b.w.shops[p.shop]
	t := p.created
	b.fact(t, schemas.OrderCreated)
	confirm := r.between(10*minute, 3*hour)
	if shop.Late && r.chance(0.2) {
		confirm = r.between(25*hour, 40*hour)
	}
	t += confirm
	b.fact(t, schemas.OrderConfirmed)
	t += r.between(hour, 14*hour)
	label := t
	b.fact(t, schemas.OrderLabelCreated)
	t += r.between(20*minute, 6*hour)
	b.fact(t, schemas.OrderReadyToShip)
	if b.fate.cancelled {
		b.fact(t+r.between(hour, 2*hour), schemas.OrderCancelRequested)
		b.fact(t+r.between(3*hour, 4*hour), schemas.OrderCancelAnswered)
		b.fact(t+r.between(5*hour, 6*hour), schemas.OrderCancelled)
		return label
	}
	b.fact(max(t+hour, label+b.fate.pickup-r.between(0, 2*hour)), schemas.OrderMarkedShipped)
	return label
}

func (b *builder) fact(at int64, k schemas.OrderKind) {
	p := b.p
	if p.nOrders == maxOrders {
		p.dropped++
		return
	}
	p.orders[p.nOrders] = orderFact{at: at, emit: at + b.r.between(0, minute), kind: k}
	p.nOrders++
}

func appendOrderID(b []byte, p *plan) []byte {
	return appendDigits(append(b, "SO-"...), uint64(p.index)+1, 9)
}

// appendOrder appends an order fact.
func (w *World) appendOrder(b []byte, p *plan, f *orderFact) []byte {
	o := output{w: w, p: p, b: b}
	dest := &places[p.delivery]
	o.s(`{"order_id":"`)
	o.b = appendOrderID(o.b, p)
	o.s(`","shop_id":"`, w.shops[p.shop].ID, `","market":"`, dest.country, `","kind":"`, f.kind.String(), `","at":"`)
	o.b = appendDateTime(o.b, f.at, 'T')
	o.s(`Z"`)
	switch f.kind {
	case schemas.OrderLabelCreated:
		o.s(`,"carrier":"`, p.labelCarrier(), `","tracking_numbers":["`)
		o.number()
		source := "platform"
		if !p.platform {
			source = "seller"
		}
		o.s(`"],"label_source":"`, source, `"`)
		fallthrough
	case schemas.OrderCreated:
		o.s(`,"origin_country":"`, places[p.origin].country, `","destination_country":"`, dest.country,
			`","destination_postcode":"`, dest.postcode, `","promise_at":"`)
		o.b = appendDateTime(o.b, p.created+p.promise, 'T')
		o.s(`Z"`)
	case schemas.OrderCancelAnswered:
		o.s(`,"accepted":true`)
	case schemas.OrderMarkedShipped:
		o.s(`,"carrier":"`, p.labelCarrier(), `"`)
	}
	o.s(`}`)
	return o.b
}

// labelCarrier is the carrier of the label; 17track is nobody's carrier.
func (p *plan) labelCarrier() string {
	if p.export == track17 {
		return "yanwen"
	}
	return feedNames[p.export]
}
