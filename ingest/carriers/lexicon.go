package carriers

import (
	"cmp"
	"slices"
	"strings"

	"scantrail/schemas"
)

// phrases finds the longest of many phrases in a text without allocating. A
// phrase is looked for where a word begins, by its first four bytes.
type phrases struct {
	bloom   [1024]uint64        // which heads there may be
	heads   map[uint32][]phrase // longest first
	lengths map[uint32]*lengths // of the phrases of a head
}

// lengths tells where in the list of a head the phrases of a length begin: a
// hundred phrases begin with "arrived at".
type lengths struct {
	list []phrase
	have uint64     // a bit per length, the last one for all greater too
	from [64]uint16 // where have is set
}

func newLengths(list []phrase) *lengths {
	x := &lengths{list: list}
	for i := len(list) - 1; i >= 0; i-- {
		n := min(len(list[i].text), 63)
		x.have |= 1 << n
		x.from[n] = uint16(i)
	}
	return x
}

// longest returns the phrase that stands at i of a normalised text, if it is
// longer than best.
func (x *lengths) longest(s []byte, i, best int) *phrase {
	t := text(s)
	if x.have>>63 != 0 {
		for k := 0; k < len(x.list) && len(x.list[k].text) >= 63; k++ {
			if f := &x.list[k]; len(f.text) > best && strings.HasPrefix(t[i:], f.text) && boundary(s, i) && boundary(s, i+len(f.text)) {
				return f
			}
		}
	}
	for n := min(62, len(s)-i); n > best; n-- {
		end := i + n
		if x.have>>n&1 == 0 || end < len(s) && s[end] != ' ' && s[end] < 0x80 && s[end-1] < 0x80 {
			continue
		}
		tail := head(t, end-minPhrase)
		for k := int(x.from[n]); k < len(x.list) && len(x.list[k].text) == n; k++ {
			if f := &x.list[k]; f.tail == tail && t[i:end] == f.text && boundary(s, i) && boundary(s, end) {
				return f
			}
		}
	}
	return nil
}

type phrase struct {
	text  string
	value int
	tail  uint32 // the last four bytes of text: many phrases begin alike, few end so too
}

// minPhrase is the length that phrases are indexed by; two Chinese characters
// have six bytes.
const minPhrase = 4

func (p *phrases) add(normal string, value int) {
	if p.heads == nil {
		p.heads, p.lengths = map[uint32][]phrase{}, map[uint32]*lengths{}
	}
	h := head(normal, 0)
	p.bloom[h*0x9e3779b1>>22] |= 1 << (h * 0x85ebca6b >> 26)
	list := append(p.heads[h], phrase{normal, value, head(normal, len(normal)-minPhrase)})
	slices.SortStableFunc(list, func(a, b phrase) int { return cmp.Compare(len(b.text), len(a.text)) })
	p.heads[h], p.lengths[h] = list, newLengths(list)
}

func head(s string, i int) uint32 {
	return uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
}

// longest returns the value of the longest phrase in a normalised text, the
// first of equals, or -1.
func (p *phrases) longest(s []byte) int {
	best, value := 0, -1
	t := text(s)
	for i := 0; i+minPhrase <= len(s); i++ {
		if i > 0 && s[i-1] != ' ' && s[i] < 0x80 && s[i-1] < 0x80 {
			continue
		}
		h := head(t, i)
		if p.bloom[h*0x9e3779b1>>22]&(1<<(h*0x85ebca6b>>26)) == 0 {
			continue
		}
		if x := p.lengths[h]; x != nil {
			if f := x.longest(s, i, best); f != nil {
				best, value = len(f.text), f.value
			}
		}
	}
	return value
}

// lexicon holds the phrases that all carriers share.
type lexicon struct {
	meanings  phrases // values index decisions
	decisions []decision
	generic   []decision // the same, with the rules of the generic reader
	direction phrases    // values are schemas.Direction
	reasons   phrases    // values index blames
	blames    []blame

	deliveries phrases // values index kinds
	kinds      []string
}

// blame is why an exception happened and who caused it.
type blame struct {
	reason string
	fault  schemas.Fault
}

// load reads one lexicon file: language, phrases by milestone, direction words,
// phrases by kind of delivery, and reasons.
func (x *lexicon) load(y yamlNode) {
	language := ""
	y.fields("language, phrases, directions, deliveries, reasons", func(key string, v yamlNode) bool {
		switch key {
		case "language":
			language = v.str()
		case "phrases":
			for _, m := range v.members() {
				x.loadMeaning(language, m)
			}
		case "directions":
			for _, m := range v.members() {
				x.loadDirection(m)
			}
		case "deliveries":
			for _, m := range v.members() {
				x.loadDelivery(m)
			}
		case "reasons":
			for _, m := range v.members() {
				x.loadReason(m)
			}
		default:
			return false
		}
		return true
	})
	if language == "" {
		y.errorf("language is missing")
	}
}

// addPhrase adds a phrase. One that stands there already, in another language
// or spelling, must mean the same.
func (x *lexicon) addPhrase(p *phrases, y yamlNode, value int, same func(other int) bool) {
	normal := string(appendNormal(nil, y.str()))
	if len(normal) < minPhrase {
		y.errorf("phrase %q is too short to be told from others: at least %d letters", y.str(), minPhrase)
		return
	}
	for _, f := range p.heads[head(normal, 0)] {
		if f.text == normal {
			if !same(f.value) {
				y.errorf("phrase %q stands twice in the lexicon with different meanings", y.str())
			}
			return
		}
	}
	p.add(normal, value)
}

func (x *lexicon) loadMeaning(language string, m member) {
	for _, s := range m.value.list() {
		d, ok := newDecision(m.value, m.key)
		if !ok {
			return
		}
		d.byText = true
		d.rule = "lexicon:" + language + ":" + s.str()
		x.addPhrase(&x.meanings, s, len(x.decisions), func(other int) bool {
			o := &x.decisions[other]
			return o.milestone == d.milestone && o.pseudo == d.pseudo
		})
		x.decisions = append(x.decisions, d)
		d.rule = "generic:" + d.rule
		x.generic = append(x.generic, d)
	}
}

func (x *lexicon) loadDirection(m member) {
	dir := map[string]schemas.Direction{"export": schemas.Export, "import": schemas.Import}[m.key]
	if dir == schemas.NoDirection {
		m.value.errorf("a direction is export or import")
		return
	}
	for _, s := range m.value.list() {
		x.addPhrase(&x.direction, s, int(dir), func(other int) bool { return other == int(dir) })
	}
}

var faultNames = []string{"unknown", "carrier", "consignee", "seller", "customs", "nature"}

func (x *lexicon) loadReason(m member) {
	b := blame{reason: m.key}
	m.value.fields("fault, phrases", func(key string, v yamlNode) bool {
		switch key {
		case "fault":
			b.fault = schemas.Fault(v.oneOf(faultNames...))
		case "phrases":
			for _, s := range v.list() {
				x.addPhrase(&x.reasons, s, len(x.blames), func(other int) bool {
					return other == len(x.blames) || x.blames[other].reason == m.key
				})
			}
		default:
			return false
		}
		return true
	})
	x.blames = append(x.blames, b)
}
