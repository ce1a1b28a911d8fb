package carriers

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// LoadFile compiles one mapping, with the shared phrases of builtin and without
// the mappings there. The error lists every problem of the file.
func LoadFile(builtin fs.FS, file string) (*Registry, *Carrier, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read mapping: %w", err)
	}
	return LoadMapping(builtin, filepath.Base(file), b)
}

// LoadMapping is LoadFile for a mapping in memory; name is used in errors.
func LoadMapping(builtin fs.FS, name string, mapping []byte) (*Registry, *Carrier, error) {
	r, err := LoadLexicon(builtin)
	if err != nil {
		return nil, nil, err
	}
	return r.With(name, mapping)
}

// LoadLexicon returns a registry without mappings: every carrier is read
// generically.
func LoadLexicon(builtin fs.FS) (*Registry, error) { return Load(onlyLexicon{builtin}, "") }

// With compiles one mapping and returns a registry that holds it alone, with
// the lexicon of r.
func (r *Registry) With(name string, mapping []byte) (*Registry, *Carrier, error) {
	f := &yamlFile{name: name}
	y, ok := f.parse(mapping)
	if !ok {
		return nil, nil, f.err()
	}
	own := *r
	geo := *r.geo
	geo.zones = maps.Clone(r.geo.zones) // a mapping may name further ones
	own.geo, own.generic.geo = &geo, &geo
	c := parseCarrier(y, own.geo)
	if err := f.err(); err != nil {
		return nil, nil, err
	}
	own.carriers = map[string]*Carrier{c.Name: c}
	return &own, c, nil
}

// onlyLexicon hides the mappings of a file system.
type onlyLexicon struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (o onlyLexicon) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "carriers" {
		return nil, nil
	}
	return fs.ReadDir(o.FS, name)
}

// Country returns the ISO 3166-1 alpha-2 code of a code or name, or "".
func (r *Registry) Country(s string) string { return r.geo.country(s) }

// Knows reports whether the mapping gives a code a meaning, alone or together
// with a text.
func (c *Carrier) Knows(code string) bool { return c.meaning(code) != nil }

// Suggest returns the milestone that the lexicon finds in a text, or in a code
// that is made of words, as it is written in a mapping. loose is set where the
// words of a phrase stand in the text with others between them: a guess. It
// returns "" where nothing fits.
func (r *Registry) Suggest(s string) (milestone string, loose bool) {
	normal := appendNormal(nil, splitWords(s))
	if i := r.lexicon.meanings.longest(normal); i >= 0 {
		return r.lexicon.decisions[i].mappingName(), false
	}
	best := phrase{value: -1}
	words := strings.Fields(string(normal))
	for _, all := range r.lexicon.meanings.heads {
		for _, p := range all {
			if better := cmp.Or(cmp.Compare(len(p.text), len(best.text)), strings.Compare(best.text, p.text)); better > 0 && scattered(words, strings.Fields(p.text)) {
				best = p
			}
		}
	}
	if best.value < 0 {
		return "", false
	}
	return r.lexicon.decisions[best.value].mappingName(), true
}

// scattered reports whether two words or more stand in a text in their order.
func scattered(text, words []string) bool {
	if len(words) < 2 {
		return false
	}
	for _, w := range text {
		if len(words) > 0 && w == words[0] {
			words = words[1:]
		}
	}
	return len(words) == 0
}

// splitWords puts spaces between the words of camelCase.
func splitWords(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i > 0 && s[i] >= 'A' && s[i] <= 'Z' && s[i-1] >= 'a' && s[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mappingName returns how a mapping writes what a decision means.
func (d *decision) mappingName() string {
	for name, p := range pseudoNames {
		if d.pseudo == p {
			return name
		}
	}
	return d.milestone.String()
}

// LayoutFits reports whether a value is a time of a layout of a mapping: it has
// the form, and the date and the time of day exist.
func LayoutFits(pattern, value string) (bool, error) {
	l, err := newLayout(pattern)
	if err != nil {
		return false, err
	}
	var m moment
	if !l.parse(value, &m) {
		return false, nil
	}
	if m.instant {
		return m.unixMilli >= minUnixMilli && m.unixMilli < maxUnixMilli, nil
	}
	return m.possible() && m.year >= firstYear && m.year <= lastYear, nil
}
