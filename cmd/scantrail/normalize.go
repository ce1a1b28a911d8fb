package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// normalizeOptions are the flags of scantrail normalize.
type normalizeOptions struct {
	carrier    string
	carriers   string
	receivedAt string
	key        string
	generic    bool
}

func newNormalizeCommand() *cobra.Command {
	var o normalizeOptions
	cmd := &cobra.Command{
		Use:   "normalize --carrier C [FILE...]",
		Short: "Turn raw records of a carrier into canonical events",
		Long: `Read raw records as a carrier sends them and print the canonical events that
Scantrail makes of them, one JSON object per line. Two numbers of one parcel
are a line with "kind":"alias", an event that the carrier declares wrong is a
line with "kind":"void" that names it; events have no kind.

Each FILE is one raw record, whole, in any format that the carrier's mapping
knows (JSON, XML, EDIFACT, X12, CSV); without FILE, or with "-", the
record is read from standard input. What cannot be read is printed on standard
error, as JSON lines with the reason, and the exit status is then 1: in the
service these are the dead letters. The events of a parcel whose number is
missing, or is none, are shown all the same, without a number: --key gives the
key that such a carrier's records have in Kafka.

A carrier without a mapping is read by the generic reader, which knows common
field names (tracking_number, events, time, status, ...) and the phrases of the
shared lexicon; its events say "generic":true.`,
		Example: `  # a webhook body that was saved to a file
  scantrail normalize --carrier ups webhook.json

  # from another program, only time and milestone
  curl -s https://carrier.example/track/123 | scantrail normalize --carrier usps |
    jq -r '[.occurred_at, .milestone, .raw_text] | @tsv'

  # with a mapping of your own, or one that replaces a built-in one
  scantrail normalize --carrier mycarrier --carriers ./carriers scan.json`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return o.run(cmd, files)
		},
	}
	cmd.Flags().StringVar(&o.carrier, "carrier", "", "name of the carrier, as \"scantrail carrier list\" prints it (required)")
	cmd.Flags().StringVar(&o.carriers, "carriers", "", "folder with mappings (*.yaml) that add or replace carriers")
	cmd.Flags().StringVar(&o.receivedAt, "received-at", "", "RFC 3339 time of reception to write into the events (default: none)")
	cmd.Flags().StringVar(&o.key, "key", "", "key of the raw record: some carriers name the number only there")
	cmd.Flags().BoolVar(&o.generic, "generic", false, "the carrier is known to have no mapping: read it generically without a note")
	if err := cmd.MarkFlagRequired("carrier"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (o *normalizeOptions) run(cmd *cobra.Command, files []string) error {
	registry, err := carriers.Load(schemas.Carriers, o.carriers)
	if err != nil {
		return fmt.Errorf("load mappings:\n%w", err)
	}
	src := carriers.Source{Topic: schemas.RawTopicPrefix + o.carrier, Key: []byte(o.key)}
	if o.receivedAt != "" {
		at, err := time.Parse(time.RFC3339, o.receivedAt)
		if err != nil {
			return fmt.Errorf("--received-at: %q is not RFC 3339, such as 2026-10-01T08:00:00Z", o.receivedAt)
		}
		src.ReceivedAt = at.UnixMilli()
	}
	if _, known := registry.Carrier(o.carrier); !known && !o.generic {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: carrier %q has no mapping and is read generically; known: %s\n",
			o.carrier, strings.Join(registry.Names(), ", "))
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	decoder := registry.NewDecoder(carriers.Limits{})
	decoder.KeepNumberless()
	rejected := 0
	for _, file := range files {
		raw, err := readRecord(cmd.InOrStdin(), file)
		if err != nil {
			return err
		}
		result := decoder.Decode(o.carrier, raw, src)
		if err := printEvents(out, result); err != nil {
			return err
		}
		if err := printLinks(out, result); err != nil {
			return err
		}
		rejected += len(result.Rejected)
		if err := printRejections(cmd.ErrOrStderr(), file, o.carrier, result); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	if rejected > 0 {
		return errSaid
	}
	return nil
}

// readRecord reads one raw record, one byte further than the decoder accepts,
// so that a huge file is refused and not read whole.
func readRecord(stdin io.Reader, file string) ([]byte, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		defer f.Close()
		in = f
	}
	const most = 1<<20 + 1
	raw, err := io.ReadAll(io.LimitReader(in, most))
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", file, err)
	}
	return raw, nil
}

func printEvents(w io.Writer, r *carriers.Result) error {
	var line []byte
	for i := range r.Events {
		line = append(r.Events[i].AppendJSON(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			return fmt.Errorf("write events: %w", err)
		}
	}
	return nil
}

// rejectionJSON is one dead letter on standard error.
type rejectionJSON struct {
	File       string          `json:"file"`
	Carrier    string          `json:"carrier"`
	EventIndex int             `json:"event_index"`
	Reason     carriers.Reason `json:"reason"`
	Field      string          `json:"field,omitempty"`
	Detail     string          `json:"detail"`
}

func printRejections(w io.Writer, file, carrier string, r *carriers.Result) error {
	out := json.NewEncoder(w)
	for _, x := range r.Rejected {
		if err := out.Encode(rejectionJSON{file, carrier, x.EventIndex, x.Reason, x.Field, x.Detail}); err != nil {
			return fmt.Errorf("write dead letters: %w", err)
		}
	}
	return nil
}

func newCarrierCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "carrier",
		Short: "See the carriers that Scantrail can read",
		Long: `See the carriers that Scantrail can read. A carrier is one YAML file: where its
numbers, events, times and places stand, and what its codes mean.`,
	}
	cmd.AddCommand(newCarrierListCommand())
	cmd.AddCommand(newCarrierNewCommand())
	cmd.AddCommand(newCarrierTestCommand())
	return cmd
}

func newCarrierListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the carriers with a mapping",
		Long: `List the carriers with a mapping: the formats read, the number of codes with a
meaning, how many of them stand in no source and are general knowledge,
unverified, how local times without a zone are read, and where the code list
comes from. Other carriers are read generically.`,
		Example: `  scantrail carrier list
  scantrail carrier list --carriers ./carriers`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			registry, err := carriers.Load(schemas.Carriers, dir)
			if err != nil {
				return fmt.Errorf("load mappings:\n%w", err)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "CARRIER\tTITLE\tFORMATS\tCODES\tUNVERIFIED\tZONE\tVERSION\tSOURCE")
			for _, name := range registry.Names() {
				c, _ := registry.Carrier(name)
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%d\t%s\n", c.Name, c.Title,
					strings.Join(c.Formats(), ","), c.Codes(), len(c.Unverified()), c.ZoneRule(), c.Version, c.Provenance())
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&dir, "carriers", "", "folder with mappings (*.yaml) that add or replace carriers")
	return cmd
}
