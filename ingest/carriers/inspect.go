package carriers

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Inspection is what one record shows about the mapping that read it.
type Inspection struct {
	Format string  // of the layout that fits; "" where none does
	Layout string  // its name
	Unread []Field // fields with a value that no path of the layout reads
}

// Field is a field of a record, all its occurrences together.
type Field struct {
	Scope    string // record, parcel or event: where Path starts
	Path     string // as a mapping writes it
	Count    int
	Examples []string // up to 3 different values, as the carrier sent them: hostile
}

const maxExamples = 3

// Inspect decodes a record and tells what of it the mapping does not read. The
// result is valid until the next record.
func (d *Decoder) Inspect(carrier string, raw []byte, src Source) (*Result, Inspection) {
	r := d.Decode(carrier, raw, src)
	for _, x := range r.Rejected {
		switch x.Reason {
		case EmptyRecord, BadSyntax, BadEncoding, TooLarge, TooDeep, DuplicateKey, UnreadableLayout:
			return r, Inspection{}
		}
	}
	if d.carrier == nil {
		return r, Inspection{}
	}
	s := d.shape()
	x := inspector{d: d, read: make([]bool, len(d.tree.nodes)), scope: map[int]string{}, found: map[fieldName]int{}}
	x.mark(s)
	x.list(0, "record", "")
	return r, Inspection{Format: s.format, Layout: s.name, Unread: x.fields}
}

// inspector marks the values of a tree that a layout reads.
type inspector struct {
	d      *Decoder
	read   []bool // by node
	scope  map[int]string
	fields []Field
	found  map[fieldName]int // index in fields
}

type fieldName struct{ scope, path string }

func (x *inspector) mark(s *shape) {
	record := place{0, -1, 0}
	x.conds(s.when, record)
	x.errors(s, record, false)
	for _, parcels := range s.parcels {
		x.reach(0, -1, nil, parcels, s.scalars, func(i, around int) { x.parcel(s, i, around) })
	}
}

func (x *inspector) parcel(s *shape, i, around int) {
	at := place{i, around, 0}
	x.scope[i] = "parcel"
	x.slots(&s.parcel, at)
	for k := range s.aliases {
		x.conds(s.aliases[k].when, at)
		x.slots(&s.aliases[k].slots, at)
	}
	x.errors(s, at, true)
	x.conds(s.returns, at)
	for _, events := range s.events {
		x.reach(i, i, nil, events, false, func(e, around int) { x.event(s, e, around) })
	}
	if s.around && around >= 0 {
		x.event(s, around, -1)
	}
}

func (x *inspector) event(s *shape, i, around int) {
	at := place{i, around, 0}
	x.scope[i] = "event"
	x.slots(&s.eventSlots, at)
	for _, c := range [][]cond{s.skip, s.nonphysical, s.void} {
		x.conds(c, at)
	}
}

// reach calls found for each object, or scalar, at the end of a route, as
// walkParcels and walkEvents do.
func (x *inspector) reach(i, around int, came *step, route []step, scalars bool, found func(i, around int)) {
	d := x.d
	n := d.tree.nodes[i]
	switch {
	case n.kind == kindArray:
		for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
			x.reach(c, around, came, route, scalars, found)
		}
	case n.kind < kindObject && len(route) == 0 && scalars:
		found(i, around)
	case n.kind != kindObject || !x.passes(i, came):
	case len(route) == 0:
		if !scalars {
			found(i, around)
		}
	default:
		for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
			if d.follows(c, &route[0]) {
				x.reach(c, i, &route[0], route[1:], scalars, found)
			}
		}
	}
}

// passes is that of the decoder, and marks what the filter compares.
func (x *inspector) passes(i int, came *step) bool {
	x.filter(i, came)
	return x.d.passes(i, came)
}

// filter marks the member that a filter compares.
func (x *inspector) filter(i int, came *step) {
	if came == nil || !came.filtered {
		return
	}
	for c := i + 1; c < int(x.d.tree.nodes[i].next); c = int(x.d.tree.nodes[c].next) {
		if x.d.tree.key(c) == came.filter {
			x.read[c] = true
		}
	}
}

func (x *inspector) errors(s *shape, at place, parcel bool) {
	for i := range s.errors {
		if e := &s.errors[i]; e.parcel == parcel {
			x.conds(e.when, at)
			x.conds([]cond{e.code, e.text}, at)
		}
	}
}

func (x *inspector) conds(conds []cond, at place) {
	for _, c := range conds {
		if c.source != "" && at[c.from] >= 0 {
			x.path(at[c.from], nil, c.steps)
		}
	}
}

func (x *inspector) path(i int, came *step, steps []step) {
	d := x.d
	n := d.tree.nodes[i]
	if n.kind == kindObject {
		x.filter(i, came)
	}
	if n.kind < kindObject && len(steps) == 0 {
		x.read[i] = true
	}
	for c := i + 1; n.kind >= kindObject && c < int(n.next); c = int(d.tree.nodes[c].next) {
		switch {
		case n.kind == kindArray:
			x.path(c, came, steps)
		case len(steps) == 0:
			x.read[c] = x.read[c] || d.tree.key(c) == "#text"
		case d.passes(i, came) && d.follows(c, &steps[0]):
			x.path(c, &steps[0], steps[1:])
		}
	}
}

func (x *inspector) slots(s *slots, at place) {
	for from, p := range s.plans {
		if p != nil && at[from] >= 0 {
			x.plan(at[from], p)
		}
	}
}

// plan marks what visit reads.
func (x *inspector) plan(i int, p *plan) {
	d := x.d
	n := d.tree.nodes[i]
	taken := p.taken()
	switch n.kind {
	case kindArray:
		for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
			x.plan(c, p)
		}
	case kindObject:
		if !x.passes(i, &p.step) {
			return
		}
		for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
			x.read[c] = x.read[c] || taken && d.tree.key(c) == "#text"
			for _, k := range p.kids {
				if d.follows(c, &k.step) {
					x.plan(c, k)
				}
			}
		}
	default:
		x.read[i] = x.read[i] || taken
	}
}

// list collects the values that stand in the tree and are not marked.
func (x *inspector) list(i int, scope, path string) {
	d := x.d
	n := d.tree.nodes[i]
	if s := x.scope[i]; s != "" {
		scope, path = s, ""
	}
	if n.kind < kindObject {
		if v := d.value(i); v != "" && !x.read[i] {
			x.add(fieldName{scope, cmp.Or(path, ".")}, v)
		}
		return
	}
	for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
		below := path
		if key := d.tree.key(c); n.kind == kindObject && key != "#text" {
			below = joinPath(path, key)
		}
		x.list(c, scope, below)
	}
}

func (x *inspector) add(name fieldName, value string) {
	i, ok := x.found[name]
	if !ok {
		i = len(x.fields)
		x.found[name] = i
		x.fields = append(x.fields, Field{Scope: name.scope, Path: name.path})
	}
	f := &x.fields[i]
	f.Count++
	if len(f.Examples) < maxExamples && !slices.Contains(f.Examples, value) {
		f.Examples = append(f.Examples, strings.Clone(value))
	}
}

// joinPath adds a key to a path of a mapping.
func joinPath(path, key string) string {
	key = strings.ReplaceAll(key, ".", `\.`)
	if path == "" {
		return strings.Clone(key)
	}
	return path + "." + key
}

// Node is a value of a record, whatever its format. XML elements are objects;
// an attribute is a member "@name", text beside attributes or children is
// Value of the object itself.
type Node struct {
	Key     string // "" of elements of arrays and of the record itself
	Value   string // of a scalar: unescaped, trimmed; hostile
	Array   bool
	Object  bool
	Members []Node // of an object (keys may repeat in XML) or of an array
}

// Parse reads a record into nodes, for tools; the format is json or xml.
func (d *Decoder) Parse(raw []byte) (root Node, format string, err error) {
	d.reset("", Source{})
	if !d.parse(raw) {
		return Node{}, "", errors.New(d.result.Rejected[0].Detail)
	}
	return d.node(0), d.tree.format, nil
}

func (d *Decoder) node(i int) Node {
	n := d.tree.nodes[i]
	out := Node{Key: strings.Clone(d.tree.key(i)), Array: n.kind == kindArray, Object: n.kind == kindObject}
	if n.kind < kindObject {
		out.Value = strings.Clone(d.value(i))
		return out
	}
	for c := i + 1; c < int(n.next); c = int(d.tree.nodes[c].next) {
		if d.tree.key(c) == "#text" && d.tree.xml {
			out.Value = strings.Clone(d.value(c))
			continue
		}
		out.Members = append(out.Members, d.node(c))
	}
	return out
}
