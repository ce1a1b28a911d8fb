package carriers

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"scantrail/schemas"
)

// Decoder turns raw records into events. It reuses its buffers and is not safe
// for concurrent use: give every goroutine its own.
type Decoder struct {
	numberless bool // see KeepNumberless
	registry   *Registry
	limits     Limits
	tree       tree
	arena      []byte // strings that had to be made
	normal     []byte // a text as phrases are compared
	hashed     []byte
	utf8       []byte // a record that came in Latin-1
	details    []byte // see explain
	quotes     []byte
	explained  int // bytes
	result     Result

	carrier      *Carrier
	name         string // of the carrier, as the caller gave it
	src          Source
	key          string // of the raw record
	refused      bool   // the record is an answer that tells nothing
	fits         *shape // the layout that read a record without nesting of its own
	placeholders []string
	parcel       []string // slots of the parcel at hand
	event        []string // slots of the event at hand
	parcelMemo   memos
	eventMemo    memos
	aliases      []string
	known        map[string]bool // of many aliases, those seen
	open         []pending       // events whose meaning waits for the others
	number       parcelFacts
	index        int // of the event at hand, in the record
	order        int // place in its list of the object around the events at hand
	parcels      int // seen in the record
	links        int // aliases seen in the record
	steps        int // from value to value, of the record
}

// parcelFacts is what is known about the parcel at hand.
type parcelFacts struct {
	canonical           string
	id                  schemas.ID
	product             string
	origin, destination string
	check               schemas.NumberCheck
	postOrigin          string // country of an S10 number, to tell directions only
	node                int
	skipEvents          bool
	firstEvent          int // of the parcel, in result.Events; generic reader only
}

// pending is an event whose milestone is a pseudo one until its parcel is read.
type pending struct {
	event int // index in result.Events
	what  pseudo
	d     *decision
}

// NewDecoder returns a decoder of all carriers of the registry.
func (r *Registry) NewDecoder(l Limits) *Decoder {
	return &Decoder{registry: r, limits: l.withDefaults()}
}

// KeepNumberless makes Decode return the events of parcels without a number, for
// people to look at: they have an empty TrackingNumber and belong to no parcel.
// Their parcel is rejected all the same.
func (d *Decoder) KeepNumberless() { d.numberless = true }

// Decode reads one raw record of a carrier. A carrier without a mapping is read
// by the generic reader. The result is valid until the next call.
func (d *Decoder) Decode(carrier string, raw []byte, src Source) *Result {
	d.reset(carrier, src)
	if !d.parse(raw) {
		return &d.result
	}
	if d.carrier == nil && d.isRow() {
		d.carrier = &d.registry.generic
	}
	if d.carrier == nil {
		d.generic()
		return d.finish()
	}
	s := d.shape()
	if s == nil {
		d.reject(-1, UnreadableLayout, "layouts", d.layoutsTried())
		return &d.result
	}
	at := place{0, -1, 0}
	d.refused = d.errorsAt(s, at, false)
	for _, route := range s.parcels {
		d.walkParcels(s, 0, -1, nil, route)
	}
	if d.parcels == 0 && len(d.result.Rejected) == 0 {
		d.reject(-1, NoParcel, "parcels", fmt.Sprintf("layout %q of carrier %s fits, but nothing stands where it says parcels are; correct parcels in the mapping, or add an errors entry if this is an answer without parcels", s.name, d.name))
	}
	return d.finish()
}

// maxSteps bounds how often values of a record are looked at, some 10 ms: the
// conditions of a parcel or event that ask what stands around it are asked for
// each, so that a hostile record could cost the square of its size. It is 32
// times the values that a record may hold.
const maxSteps = 1 << 22

// finish refuses records with too many parcels or events as a whole.
func (d *Decoder) finish() *Result {
	if d.index > d.limits.Events || d.parcels > d.limits.Events || d.links > d.limits.Events || d.steps > maxSteps {
		d.result.Events, d.result.Aliases, d.result.Rejected = d.result.Events[:0], d.result.Aliases[:0], d.result.Rejected[:0]
		d.result.Voids = d.result.Voids[:0]
		d.reject(-1, TooLarge, "events", fmt.Sprintf("the record holds more than %d events, parcels or aliases, or is too entangled to be read; split it", d.limits.Events))
	}
	return &d.result
}

func (d *Decoder) reset(carrier string, src Source) {
	keep := 4 * d.limits.Bytes // one huge record must not hold memory for ever
	if cap(d.arena) > keep {
		d.arena = nil
	}
	d.arena = d.arena[:0]
	d.result.Events, d.result.Aliases, d.result.Rejected = d.result.Events[:0], d.result.Aliases[:0], d.result.Rejected[:0]
	d.result.Voids = d.result.Voids[:0]
	d.carrier, d.name, d.src = d.registry.carriers[carrier], carrier, src
	d.placeholders = nil
	if d.carrier != nil {
		d.placeholders = d.carrier.placeholders
		d.name = d.carrier.Name
	}
	if d.key = ""; len(src.Key) <= maxRawText && utf8.Valid(src.Key) {
		d.key = text(src.Key)
	}
	d.details, d.explained = nil, 0
	for i := range d.parcelMemo {
		d.parcelMemo[i].seen, d.eventMemo[i].seen = false, false
	}
	d.links = 0
	d.index, d.parcels, d.steps, d.fits, d.refused = 0, 0, 0, nil, false
}

func (d *Decoder) reject(event int, reason Reason, field, detail string) {
	d.result.Rejected = append(d.result.Rejected, Rejection{EventIndex: event, Reason: reason, Field: field, Detail: detail})
}

var utf8BOM = []byte("\xef\xbb\xbf")

// parse reads the record into the tree, or rejects it.
func (d *Decoder) parse(raw []byte) bool {
	raw = d.latin1(bytes.TrimPrefix(raw, utf8BOM))
	start := skipSpace(raw, 0)
	switch {
	case len(raw) > d.limits.Bytes:
		d.reject(-1, TooLarge, "", fmt.Sprintf("the record has %d bytes, more than the limit of %d; split it or raise the limit", len(raw), d.limits.Bytes))
		return false
	case start == len(raw):
		d.reject(-1, EmptyRecord, "", "the record has no value; a raw topic should hold scans only")
		return false
	case !utf8.Valid(raw):
		d.reject(-1, BadEncoding, "", "the record is not UTF-8; convert it before it is sent")
		return false
	}
	d.tree.reset(raw, d.limits)
	ok := false
	switch raw[start] {
	case '<':
		ok = d.tree.parseXML()
	case '{', '[':
		ok = d.tree.parseJSON()
	default:
		ok = d.parseFlat(raw)
	}
	if !ok {
		near := raw[min(d.tree.at, len(raw)):]
		d.reject(-1, d.tree.reason, "", fmt.Sprintf("at byte %d, near %s: %s", d.tree.at, quote(string(near[:min(len(near), 24)])), d.tree.detail))
	}
	return ok
}

// shape returns the first layout that fits the record, or nil.
func (d *Decoder) shape() *shape {
	if d.fits != nil {
		return d.fits
	}
	if d.isRow() {
		return &d.registry.row
	}
	for i := range d.carrier.shapes {
		s := &d.carrier.shapes[i]
		if s.format == d.tree.format && d.all(s.when, place{0, -1, 0}) {
			return s
		}
	}
	return nil
}

func (d *Decoder) layoutsTried() string {
	var tried []string
	for i := range d.carrier.shapes {
		s := &d.carrier.shapes[i]
		var when []string
		for _, c := range s.when {
			when = append(when, c.source)
		}
		tried = append(tried, fmt.Sprintf("%s (%s with %s)", s.name, s.format, strings.Join(when, ", ")))
	}
	return fmt.Sprintf("no layout of carrier %s fits; looked for %s; add a layout to its mapping", d.name, strings.Join(tried, "; "))
}

// errorsAt rejects what the carrier says it cannot tell: by the first of the
// rules that hold.
func (d *Decoder) errorsAt(s *shape, at place, parcel bool) bool {
	for i := range s.errors {
		e := &s.errors[i]
		if e.parcel != parcel || !d.all(e.when, at) {
			continue
		}
		code, said, number := d.answer(&e.code, at), d.answer(&e.text, at), ""
		of := ""
		if parcel {
			of, number = " for number ", d.quoted(d.candidate(s))
		}
		d.reject(-1, e.reason, e.when[0].source, d.explain("the carrier answers", code, said, of, number, "; nothing to normalise, ask it again"))
		return true
	}
	return false
}

// answer returns what stands at the path of a condition, quoted after a space.
func (d *Decoder) answer(c *cond, at place) string {
	if c.source == "" {
		return ""
	}
	v := d.first(at[c.from], nil, c.steps)
	if v == "" {
		return ""
	}
	start := len(d.quotes)
	d.quotes = append(d.quotes, ' ')
	d.quoted(v)
	return text(d.quotes[start:])
}

// candidate returns the first number of the parcel at hand, for messages.
func (d *Decoder) candidate(s *shape) string { return d.eval(&s.number, d.parcel) }

// walkParcels goes down the path to the parcels. around is the object that
// holds i, came the step that led to it.
func (d *Decoder) walkParcels(s *shape, i, around int, came *step, route []step) {
	n := &d.tree.nodes[i]
	end := int(n.next)
	switch {
	case n.kind == kindArray:
		for c := i + 1; c < end; c = int(d.tree.nodes[c].next) {
			d.walkParcels(s, c, around, came, route)
		}
	case n.kind < kindObject && len(route) == 0 && s.scalars && d.value(i) != "":
		d.readParcel(s, i, around)
	case n.kind != kindObject || !d.passes(i, came):
	case len(route) == 0 && !s.scalars:
		d.readParcel(s, i, around)
	case len(route) == 0:
	default:
		for c := i + 1; c < end; c = int(d.tree.nodes[c].next) {
			if d.follows(c, &route[0]) {
				d.walkParcels(s, c, i, &route[0], route[1:])
			}
		}
	}
}

// fillSlots reads the slots of one parcel or event.
func (d *Decoder) fillSlots(s *slots, values []string, at place, m *memos) []string {
	if cap(values) < s.count {
		values = make([]string, s.count)
	}
	values = values[:s.count]
	clear(values)
	for from, p := range s.plans {
		switch {
		case p == nil || at[from] < 0:
		case from == int(self) || m == nil || s.aliased[from]:
			d.visit(at[from], p, values)
		default:
			d.visitAround(s, scope(from), at[from], values, &m[from])
		}
	}
	return values
}

// readParcel reads one parcel with its events.
func (d *Decoder) readParcel(s *shape, i, around int) {
	if d.parcels++; d.parcels > d.limits.Events || d.steps > maxSteps {
		return
	}
	d.aliases, d.open, d.order = d.aliases[:0], d.open[:0], 0
	at := place{i, around, 0}
	d.parcel = d.fillSlots(&s.parcel, d.parcel, at, &d.parcelMemo)
	for i := range s.aliases {
		if r := &s.aliases[i]; d.all(r.when, at) {
			d.fillSlots(&r.slots, nil, at, nil)
		}
	}
	refused := d.errorsAt(s, at, true)
	d.number = parcelFacts{node: i}
	bad := d.readNumber(s)
	first, firstEvent := d.index, len(d.result.Events)
	numberless := d.number.canonical == ""
	d.number.skipEvents = numberless && !d.numberless
	if !numberless {
		d.number.origin = d.country(&s.origin)
		d.number.destination = d.country(&s.destination)
		d.number.product = d.clean(d.eval(&s.product, d.parcel), maxProduct)
		d.number.check = d.checkByLayout(s, at)
		d.number.postOrigin = s10Origin(d.number.canonical, d.carrierGeo())
		d.addAliases()
	}
	for _, route := range s.events {
		d.walkEvents(s, i, i, nil, route)
	}
	if s.around && around >= 0 {
		d.readEvent(s, place{around, -1, 0})
	}
	if numberless && !(refused && bad == "") && !(d.refused && d.index == first) {
		d.rejectNumber(bad, d.index-first)
	}
	d.settle(firstEvent)
	if len(s.returns) > 0 && d.any(s.returns, at) {
		d.turnBack(firstEvent)
	}
}

func (d *Decoder) carrierGeo() *geography { return d.registry.geo }

func (d *Decoder) country(e *expr) string {
	if e.empty() {
		return ""
	}
	code, _ := d.evalCountry(e, d.parcel)
	return code
}

// walkEvents goes down the path to the events of a parcel.
func (d *Decoder) walkEvents(s *shape, i, around int, came *step, route []step) {
	n := &d.tree.nodes[i]
	end := int(n.next)
	switch {
	case n.kind == kindArray:
		order := 0
		for c := i + 1; c < end; c = int(d.tree.nodes[c].next) {
			if order++; len(route) > 0 {
				d.order = order
			}
			d.walkEvents(s, c, around, came, route)
		}
	case n.kind != kindObject || !d.passes(i, came):
	case len(route) == 0:
		d.readEvent(s, place{i, around, 0})
	default:
		for c := i + 1; c < end; c = int(d.tree.nodes[c].next) {
			if d.follows(c, &route[0]) {
				d.walkEvents(s, c, i, &route[0], route[1:])
			}
		}
	}
}
