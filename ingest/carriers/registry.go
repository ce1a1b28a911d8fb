package carriers

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Registry holds the mappings of all carriers. It never changes once loaded
// and may be shared.
type Registry struct {
	carriers map[string]*Carrier
	geo      *geography
	lexicon  lexicon
	generic  Carrier // no codes, no texts: what carriers without a mapping get
	row      shape   // of a row of a table, read with the codes of any carrier
}

// Load compiles the mappings carriers/*.yaml and the shared phrases
// lexicon/*.yaml of builtin, then the mappings *.yaml of overrideDir (none when
// ""), which add carriers or replace built-in ones by name. The error lists
// every problem of every file with its line and key.
func Load(builtin fs.FS, overrideDir string) (*Registry, error) {
	geo, err := newGeography()
	if err != nil {
		return nil, fmt.Errorf("load time zones: %w", err)
	}
	r := &Registry{carriers: map[string]*Carrier{}, geo: geo}
	r.generic = Carrier{useLexicon: true, geo: geo, zones: []zoneRule{{location: true}}}
	if r.row, err = rowShape(geo); err != nil {
		return nil, err
	}
	err = eachYAML(builtin, "lexicon", func(y yamlNode, _ string) { r.lexicon.load(y) })
	err = errors.Join(err, r.loadCarriers(builtin, "carriers"))
	if overrideDir != "" {
		if own := r.loadCarriers(os.DirFS(overrideDir), "."); own != nil {
			err = errors.Join(err, fmt.Errorf("folder %s:\n%w", overrideDir, own))
		}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Registry) loadCarriers(files fs.FS, dir string) error {
	here := map[string]string{}
	return eachYAML(files, dir, func(y yamlNode, file string) {
		c := parseCarrier(y, r.geo)
		if first, twice := here[c.Name]; twice {
			y.errorf("carrier: %q is already described by %s", c.Name, first)
		}
		here[c.Name] = file
		r.carriers[c.Name] = c
	})
}

// eachYAML reads the YAML files of a folder in the order of their names.
func eachYAML(files fs.FS, dir string, read func(y yamlNode, file string)) error {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return fmt.Errorf("read mappings: %w", err)
	}
	var all []error
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".yaml") && !strings.HasSuffix(e.Name(), ".yml") {
			continue
		}
		b, err := fs.ReadFile(files, path.Join(dir, e.Name()))
		if err != nil {
			all = append(all, fmt.Errorf("read mapping: %w", err))
			continue
		}
		f := &yamlFile{name: e.Name()}
		if y, ok := f.parse(b); ok {
			read(y, e.Name())
		}
		all = append(all, f.err())
	}
	return errors.Join(all...)
}

// Names returns the carriers that have a mapping, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.carriers)) }

// Carrier returns the mapping of a carrier.
func (r *Registry) Carrier(name string) (*Carrier, bool) {
	c, ok := r.carriers[name]
	return c, ok
}
