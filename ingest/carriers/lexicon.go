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
	bloom [1024]uint64        // which heads there may be
	heads map[uint32][]phrase // longest first
}

type phrase struct {
	text  string
	value int
}

// minPhrase is the length that phrases are indexed by; two Chinese characters
// have six bytes.
const minPhrase = 4

func (p *phrases) add(normal string, value int) {
	if p.heads == nil {
		p.heads = map[uint32][]phrase{}
	}
	h := head(normal, 0)
	p.bloom[h*0x9e3779b1>>22] |= 1 << (h * 0x85ebca6b >> 26)
	list := append(p.heads[h], phrase{normal, value})
	slices.SortStableFunc(list, func(a, b phrase) int { return cmp.Compare(len(b.text), len(a.text)) })
	p.heads[h] = list
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
		for _, f := range p.heads[h] {
			if len(f.text) <= best {
				break
			}
			if strings.HasPrefix(t[i:], f.text) && boundary(s, i) && boundary(s, i+len(f.text)) {
				best, value = len(f.text), f.value
				break
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
}

// blame is why an exception happened and who caused it.
type blame struct {
	reason string
	fault  schemas.Fault
}

// load reads one lexicon file: language, phrases by milestone, direction words
// and reasons.
func (x *lexicon) load(y yamlNode) {
	language := ""
	y.fields("language, phrases, directions, reasons", func(key string, v yamlNode) bool {
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
