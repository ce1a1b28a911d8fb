// Package texts holds everything that people read in the console and in alert
// messages, one file per language. A key names the place and the text
// (parcel.title); {0}, {1} stand for what is put in. Texts are plain: whoever
// shows one escapes it for its medium.
package texts

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed *.yaml
var files embed.FS

// Default is the language of whoever asks for none, or for one that is not there.
const Default = "en"

// Catalog has the texts of every language.
type Catalog struct{ languages map[string]Texts }

// Texts are those of one language.
type Texts struct {
	Tag  string // BCP 47: en, zh
	text map[string]string
}

// Load reads the files. The error names the file that is wrong.
func Load() (*Catalog, error) {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	c := &Catalog{languages: map[string]Texts{}}
	for _, e := range entries {
		body, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		t := Texts{Tag: strings.TrimSuffix(e.Name(), ".yaml")}
		if err := yaml.Unmarshal(body, &t.text); err != nil {
			return nil, fmt.Errorf("schemas/texts/%s: %w", e.Name(), err)
		}
		c.languages[t.Tag] = t
	}
	return c, nil
}

// Tags returns the languages, sorted.
func (c *Catalog) Tags() []string {
	var tags []string
	for tag := range c.languages {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	return tags
}

// Language returns the texts of the first tag that is there, by its primary
// language (zh-Hans-CN finds zh), or those of the default.
func (c *Catalog) Language(tags ...string) Texts {
	for _, tag := range tags {
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if t, ok := c.languages[primary]; ok {
			return t
		}
	}
	return c.languages[Default]
}

// Get returns a text with args put in. A key that is not there returns itself:
// a word too many on a page harms nobody, and the package's test finds it.
func (t Texts) Get(key string, args ...any) string {
	text, ok := t.text[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return text
	}
	pairs := make([]string, 0, 2*len(args))
	for i, a := range args {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), fmt.Sprint(a))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Has reports whether there is a text of that key.
func (t Texts) Has(key string) bool {
	_, ok := t.text[key]
	return ok
}
