package main

import (
	"bufio"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// testOptions are the flags of scantrail carrier test.
type testOptions struct {
	json       bool
	key        string
	receivedAt string
}

func newCarrierTestCommand() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test FILE.yaml SAMPLE...",
		Short: "Show what a mapping makes of samples, and what it leaves out",
		Long: `Read each SAMPLE, one raw record of a carrier as it came, with the mapping
FILE.yaml and the shared lexicon, and show every event: its time in UTC and how
the zone was found, the milestone and what decided it; then, over all samples,
the codes seen, those without a meaning with the line to add, the fields that
the mapping does not read, and what looks wrong.

The exit status is 1 when a code or text has no meaning, or something was
rejected that the mapping could mend; an answer in which the carrier says that
it knows nothing is no fault of the mapping.`,
		Example: `  scantrail carrier test mypost.yaml samples/*.json
  scantrail carrier test --json mypost.yaml answer.xml | jq 'select(.type=="unmapped")'`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, args[0], args[1:])
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print the same as JSON lines")
	cmd.Flags().StringVar(&o.key, "key", "", "key of the raw records, for mappings that read $key")
	cmd.Flags().StringVar(&o.receivedAt, "received-at", "", "RFC 3339 time of reception, for mappings that read it (default: none)")
	return cmd
}

func (o *testOptions) run(cmd *cobra.Command, file string, samples []string) error {
	src := carriers.Source{Key: []byte(o.key)}
	if o.receivedAt != "" {
		at, err := time.Parse(time.RFC3339, o.receivedAt)
		if err != nil {
			return fmt.Errorf("--received-at: %q is not RFC 3339, such as 2026-10-01T08:00:00Z", o.receivedAt)
		}
		src.ReceivedAt = at.UnixMilli()
	}
	t, err := tryMapping(cmd, file, samples, src)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	if o.json {
		err = t.writeJSON(out)
	} else {
		t.write(out)
	}
	if err = cmp.Or(err, out.Flush()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if t.toMend() > 0 {
		return errSaid
	}
	return nil
}

// trial is what a mapping makes of samples.
type trial struct {
	file     string
	carrier  *carriers.Carrier
	registry *carriers.Registry
	samples  []sampleTrial
	codes    []codeSeen
	unread   []carriers.Field
	warnings []string
}

// sampleTrial is what it makes of one sample. Strings are copies, but still as
// hostile as the carrier.
type sampleTrial struct {
	name     string
	format   string // of the layout that fits; "" where none does
	layout   string
	events   []schemas.Event
	aliases  []schemas.Alias
	rejected []carriers.Rejection
	voids    []schemas.Void // events withdrawn by the carrier
}

// codeSeen is one code with the meaning that it got.
type codeSeen struct {
	Code      string `json:"code"`
	Events    int    `json:"events"`
	Milestone string `json:"milestone"`
	Rule      string `json:"rule"`
	Text      string `json:"text"` // of the first such event
	// Suggestion is the milestone that the lexicon offers where there is none;
	// Add is the line of YAML.
	Suggestion string `json:"suggestion,omitempty"`
	Add        string `json:"add,omitempty"`
}

func tryMapping(cmd *cobra.Command, file string, samples []string, src carriers.Source) (*trial, error) {
	registry, carrier, err := carriers.LoadFile(schemas.Carriers, file)
	if err != nil {
		return nil, fmt.Errorf("load mapping:\n%w", err)
	}
	src.Topic = schemas.RawTopicPrefix + carrier.Name
	t := &trial{file: file, carrier: carrier, registry: registry}
	decoder := registry.NewDecoder(carriers.Limits{})
	for _, name := range samples {
		raw, err := readRecord(cmd.InOrStdin(), name)
		if err != nil {
			return nil, err
		}
		t.add(decoder, name, raw, src)
	}
	t.summarise()
	return t, nil
}

func (t *trial) add(decoder *carriers.Decoder, name string, raw []byte, src carriers.Source) {
	result, seen := decoder.Inspect(t.carrier.Name, raw, src)
	s := sampleTrial{name: name, format: seen.Format, layout: seen.Layout, rejected: slices.Clone(result.Rejected)}
	for i := range result.Events {
		s.events = append(s.events, cloneEvent(&result.Events[i]))
	}
	for _, a := range result.Aliases {
		a.TrackingNumber, a.OtherNumber = strings.Clone(a.TrackingNumber), strings.Clone(a.OtherNumber)
		s.aliases = append(s.aliases, a)
	}
	for _, v := range result.Voids {
		v.EventID, v.TrackingNumber, v.Carrier = strings.Clone(v.EventID), strings.Clone(v.TrackingNumber), strings.Clone(v.Carrier)
		s.voids = append(s.voids, v)
	}
	t.samples = append(t.samples, s)
	for _, f := range seen.Unread {
		t.addUnread(f)
	}
}

// cloneEvent copies an event out of the decoder's buffers, all its strings.
func cloneEvent(e *schemas.Event) schemas.Event {
	c := *e
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String {
			f.SetString(strings.Clone(f.String()))
		}
	}
	return c
}

func (t *trial) addUnread(f carriers.Field) {
	for i := range t.unread {
		if have := &t.unread[i]; have.Scope == f.Scope && have.Path == f.Path {
			have.Count += f.Count
			return
		}
	}
	t.unread = append(t.unread, f)
}

// eachEvent calls do for the events of all samples.
func (t *trial) eachEvent(do func(e *schemas.Event)) {
	for i := range t.samples {
		for k := range t.samples[i].events {
			do(&t.samples[i].events[k])
		}
	}
}

func (t *trial) summarise() {
	t.eachEvent(func(e *schemas.Event) {
		key := func(c codeSeen) bool {
			return c.Code == e.RawCode && c.Milestone == e.Milestone.String() && c.Rule == e.Rule && (c.Code != "" || c.Text == e.RawText)
		}
		if i := slices.IndexFunc(t.codes, key); i >= 0 {
			t.codes[i].Events++
			return
		}
		c := codeSeen{Code: e.RawCode, Events: 1, Milestone: e.Milestone.String(), Rule: e.Rule, Text: e.RawText}
		if e.Milestone == schemas.Unmapped {
			t.suggest(&c)
		}
		t.codes = append(t.codes, c)
	})
	slices.SortStableFunc(t.codes, func(a, b codeSeen) int { return strings.Compare(a.Code, b.Code) })
	t.warn()
}

// suggest writes the line of YAML that would give a code, or a text without a
// code, a meaning.
func (t *trial) suggest(c *codeSeen) {
	for _, s := range []string{c.Text, c.Code} {
		if c.Suggestion == "" {
			c.Suggestion, _ = t.registry.Suggest(s)
		}
	}
	meaning := cmp.Or(c.Suggestion, "???")
	note := "text: " + quoted(c.Text, 60)
	if c.Suggestion != "" {
		note = "suggested, check it; " + note
	}
	if c.Code == "" {
		c.Add = fmt.Sprintf("  - {match: %s, milestone: %s}  # in texts", quoted(c.Text, 60), meaning)
		return
	}
	c.Add = fmt.Sprintf("  %s: %s  # %s", quoted(c.Code, 64), meaning, note)
}

// unmapped returns the codes and texts without a meaning.
func (t *trial) unmapped() (out []codeSeen) {
	for _, c := range t.codes {
		if c.Add != "" {
			out = append(out, c)
		}
	}
	return out
}

// toMend counts what a change of the mapping could mend.
func (t *trial) toMend() int {
	n := len(t.unmapped())
	for i := range t.samples {
		for _, x := range t.samples[i].rejected {
			if t.samples[i].mendable(x) {
				n++
			}
		}
	}
	return n
}

// mendable reports whether a change of the mapping could turn a rejection into
// an event. Single masked numbers and empty times are the carrier's; where
// nothing of a sample could be read, the mapping looks in the wrong place.
func (s *sampleTrial) mendable(x carriers.Rejection) bool {
	switch x.Reason {
	case carriers.UnreadableLayout, carriers.NoParcel, carriers.BadTime, carriers.TimeOutOfRange:
		return true
	case carriers.NoNumber, carriers.BadNumber, carriers.NoTime:
		return len(s.events) == 0
	}
	return false
}
