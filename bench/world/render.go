package world

import "time"

// render writes the record of an emission.
func (w *World) render(p *plan, e emission) Record {
	rec := Record{Topic: OrdersTopic, At: time.Unix(e.at, 0).UTC()}
	w.value = w.value[:0]
	if e.kind == emitOrder {
		w.key = appendOrderID(w.key[:0], p)
		w.value = w.appendOrder(w.value, p, &p.orders[e.i])
	} else {
		rec.Topic = w.topics[p.scans[e.i].feed]
		w.key = append(w.key[:0], p.Number()...)
		w.value = w.appendRaw(w.value, p, e)
	}
	rec.Key, rec.Value = w.key, w.value
	return rec
}

// appendRaw appends a carrier's record, or the rubbish that stands in for it.
func (w *World) appendRaw(b []byte, p *plan, e emission) []byte {
	f := p.scans[e.i].feed
	switch e.kind {
	case emitTruncated:
		b = w.appendEnvelope(b, p, f, e)
		return b[:len(b)*3/5]
	case emitNotFound:
		if body := appendNotFound(b, p, f); body != nil {
			return body
		}
		fallthrough
	case emitLayout:
		return append(append(append(b, `{"heartbeat":{"source":"`...), feedNames[f]...), `","seq":7,"ok":true}}`...)
	}
	return w.appendEnvelope(b, p, f, e)
}

// scansOf calls f with the scans that a record holds, in the order in which the
// carrier lists them.
func (p *plan) scansOf(e emission, f func(i int, s *scan)) int {
	if e.kind == emitScan || e.kind == emitTruncated {
		if f != nil {
			f(0, &p.scans[e.i])
		}
		return 1
	}
	if e.kind != emitAll {
		return 0
	}
	n := 0
	of := p.scans[e.i].feed
	newestFirst := of == usps || of == canadapost || of == track17 || of == fedex
	for k := range p.nScans {
		i := k
		if newestFirst {
			i = p.nScans - 1 - k
		}
		s := &p.scans[i]
		if s.feed == of && s.emit <= e.at {
			if f != nil {
				f(n, s)
			}
			n++
		}
	}
	return n
}

func (w *World) appendEnvelope(b []byte, p *plan, f feed, e emission) []byte {
	o := output{w: w, p: p, b: b}
	switch f {
	case yunexpress:
		o.yunexpress(e)
	case fourpx:
		o.fourpx(e)
	case cainiao:
		o.cainiao(e)
	case track17:
		o.track17(e)
	case usps:
		if p.xml {
			o.uspsXML(e)
		} else {
			o.usps(e)
		}
	case royalmail:
		o.royalmail(e)
	case canadapost:
		o.canadapost(e)
	case dhlExpress:
		o.dhlExpress(e)
	case ups:
		o.ups(e)
	case fedex:
		o.fedex(e)
	}
	return o.b
}

// output appends one record.
type output struct {
	w *World
	p *plan
	b []byte
}

// s appends strings as they are: nothing in the world needs escaping in JSON
// or XML, which a test holds.
func (o *output) s(parts ...string) {
	for _, x := range parts {
		o.b = append(o.b, x...)
	}
}

func (o *output) number() { o.b = append(o.b, o.p.Number()...) }

// local returns the stated wall time and its offset.
func (o *output) local(s *scan) (wall, off int64) {
	off = o.w.summer.offset(places[s.place].zone, s.stated)
	return s.stated + off, off
}

func (o *output) text(s *scan) {
	c := codeOf(s.feed, s.code)
	o.s(c.text)
	if c.extra == "place" {
		o.s(places[s.place].city, " - ", places[s.place].name)
	}
}
