package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

func newCarrierNewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME SAMPLE... > NAME.yaml",
		Short: "Draft the mapping of a new carrier from samples",
		Long: `Draft a mapping from one or more raw records of a carrier, JSON or XML: where
its numbers, events, times and places seem to stand, and a milestone for each
code as far as its text says it. The draft loads, and reads the samples; what
could not be told is marked TODO, with what to choose between. Finish it by
hand, with "scantrail carrier test".

More samples make a better draft: a delivered parcel, one in customs, one sent
back, one that the carrier does not know.`,
		Example: `  scantrail carrier new mypost samples/*.json > mypost.yaml
  scantrail carrier test mypost.yaml samples/*.json`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var samples []sample
			for _, name := range args[1:] {
				raw, err := readRecord(cmd.InOrStdin(), name)
				if err != nil {
					return err
				}
				samples = append(samples, sample{name, raw})
			}
			lexicon, err := carriers.LoadLexicon(schemas.Carriers)
			if err != nil {
				return fmt.Errorf("load lexicon: %w", err)
			}
			draft, err := draftMapping(lexicon, args[0], samples)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(draft)
			return err
		},
	}
}

// sample is one raw record that a mapping is drafted from.
type sample struct {
	name string
	raw  []byte
}

// draftMapping returns a mapping that loads and reads the samples; r holds the
// lexicon.
func draftMapping(r *carriers.Registry, carrier string, samples []sample) ([]byte, error) {
	formats := map[string]*field{}
	decoder := r.NewDecoder(carriers.Limits{})
	for _, s := range samples {
		node, format, err := decoder.Parse(s.raw)
		if err != nil {
			return nil, fmt.Errorf("sample %s: %w; drafts are made from JSON and XML only, a mapping of another format is written by hand", s.name, err)
		}
		if formats[format] == nil {
			formats[format] = &field{}
		}
		formats[format].merge(&node)
	}
	d := draft{carrier: carrier, registry: r}
	for _, format := range []string{"json", "xml"} {
		if root := formats[format]; root != nil {
			if g, ok := guessFrom(format, root, r); ok {
				d.guesses = append(d.guesses, g)
			}
		}
	}
	if d.guesses == nil {
		return nil, errors.New("nothing in the samples looks like a scan: an object with a time and a code, status or text; give samples with events")
	}
	return d.finish(samples)
}

// draft is a mapping in the making.
type draft struct {
	carrier  string
	registry *carriers.Registry
	guesses  []guess
	codes    []draftCode
	refusals map[string]bool // formats with a sample that only an error fits
}

// draftCode is one code of the samples with all its texts.
type draftCode struct {
	code  string
	texts []string
}

// finish writes the draft without codes, reads the samples with it to learn
// their codes and which are refusals, and writes it again.
func (d *draft) finish(samples []sample) ([]byte, error) {
	first := d.yaml()
	r, c, err := d.registry.With(d.carrier+".yaml", first)
	if err != nil {
		return nil, fmt.Errorf("the draft does not load; the name should be lower-case letters, digits and underscores:\n%w", err)
	}
	decoder := r.NewDecoder(carriers.Limits{})
	d.refusals = map[string]bool{}
	for _, s := range samples {
		result := decoder.Decode(c.Name, s.raw, carriers.Source{})
		for i := range result.Events {
			d.addCode(result.Events[i].RawCode, result.Events[i].RawText)
		}
		for _, x := range result.Rejected {
			if x.Reason == carriers.UnreadableLayout || x.Reason == carriers.NoParcel {
				if _, format, err := decoder.Parse(s.raw); err == nil {
					d.refusals[format] = true
				}
				break
			}
		}
	}
	second := d.yaml()
	if _, _, err := d.registry.With(d.carrier+".yaml", second); err != nil {
		return nil, fmt.Errorf("the draft does not load: %w", err)
	}
	return second, nil
}

func (d *draft) addCode(code, text string) {
	if code == "" || len(code) >= 64 || strings.HasSuffix(code, "*") {
		return
	}
	code, text = strings.Clone(code), strings.Clone(text)
	i := slices.IndexFunc(d.codes, func(c draftCode) bool { return c.code == code })
	if i < 0 {
		i = len(d.codes)
		d.codes = append(d.codes, draftCode{code: code})
	}
	if text != "" && !slices.Contains(d.codes[i].texts, text) {
		d.codes[i].texts = append(d.codes[i].texts, text)
	}
}

// meaning returns the line of YAML of a code.
func (d *draft) meaning(c draftCode) string {
	votes, best, guessed := map[string]int{}, "", ""
	for _, t := range append(slices.Clone(c.texts), c.code) {
		m, loose := d.registry.Suggest(t)
		if m == "" || t == c.code && best != "" {
			continue
		}
		if loose {
			guessed = cmp.Or(guessed, m)
			continue
		}
		if votes[m]++; best == "" || votes[m] > votes[best] {
			best = m
		}
	}
	text := ""
	if len(c.texts) > 0 && c.texts[0] != c.code {
		text = quoted(c.texts[0], 60)
	}
	switch {
	case best == "" && guessed != "":
		return strings.TrimSpace("unmapped # TODO " + guessed + "? " + text)
	case best == "":
		return strings.TrimSpace("unmapped # TODO " + text)
	case len(votes) > 1:
		return fmt.Sprintf("{milestone: %s, text: true} # TODO its texts differ, e.g. %s; the text decides first", best, text)
	case text == "":
		return best
	}
	return best + " # " + text
}
