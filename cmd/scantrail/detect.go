package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"scantrail/detector"
	"scantrail/schemas"
)

// detectOptions are the flags of scantrail detect.
type detectOptions struct {
	policy string
	asOf   string
}

func newDetectCommand() *cobra.Command {
	var o detectOptions
	cmd := &cobra.Command{
		Use:   "detect [--policy FILE] [--as-of TIME] [FILE]",
		Short: "Find gaps and missing milestones in a file of events",
		Long: `Read canonical events and order facts and print the alerts and parcels that the
service would hold at a point in time from what it had received by then, without
Kafka or ClickHouse.

FILE (or standard input) holds one JSON object per line:
  {"kind":"scan", ...}   an event as "scantrail normalize" prints it. Needed are
                         tracking_number, milestone and occurred_at; received_at
                         is occurred_at where it is missing, physical and
                         progress are what the milestone means, fact_id is a hash
                         of what the scan says.
  {"kind":"order", "order_kind":"label_created", ...}   an order fact, with the
                         fields of the topic orders; a line of that topic itself,
                         whose kind is created, label_created, ..., will do too.

Facts are applied by received_at, then by line, with a tick on every full minute
up to the time asked for. Alerts and parcels come out as JSON lines of kind
"alert" and "parcel".`,
		Example: `  scantrail normalize --carrier ups --received-at 2026-10-01T08:00:00Z webhook.json |
    scantrail detect --as-of 2026-10-05T00:00:00Z

  # under a policy of your own
  scantrail detect --policy strict.yaml --as-of 2026-10-05T00:00:00Z trail.jsonl |
    jq 'select(.kind == "alert" and .status == "open")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.run,
	}
	cmd.Flags().StringVar(&o.policy, "policy", "", "policy file (default: the built-in policy)")
	cmd.Flags().StringVar(&o.asOf, "as-of", "", "RFC 3339 time to judge at (default: the last reception in the input)")
	return cmd
}

func (o *detectOptions) run(cmd *cobra.Command, files []string) error {
	policy := schemas.DefaultPolicy()
	if o.policy != "" {
		b, err := os.ReadFile(o.policy)
		if err != nil {
			return fmt.Errorf("--policy: %w", err)
		}
		policy = string(b)
	}
	in := cmd.InOrStdin()
	if len(files) == 1 && files[0] != "-" {
		f, err := os.Open(files[0])
		if err != nil {
			return fmt.Errorf("read facts: %w", err)
		}
		defer f.Close()
		in = f
	}
	facts, err := readFactLines(in)
	if err != nil {
		return err
	}
	var asOf int64
	if len(facts) > 0 {
		asOf = facts[len(facts)-1].at
	}
	if o.asOf != "" {
		t, err := time.Parse(time.RFC3339, o.asOf)
		if err != nil {
			return fmt.Errorf("--as-of: %q is not RFC 3339, such as 2026-10-05T00:00:00Z", o.asOf)
		}
		asOf = t.UnixMilli()
	}
	d := detection{machine: detector.NewMachine(0, 1), alerts: map[schemas.ID]schemas.Alert{}}
	if err := d.replay(policy, facts, asOf); err != nil {
		return err
	}
	return d.print(cmd.OutOrStdout())
}

// factLine is one line of the input, ready to apply.
type factLine struct {
	at     int64 // received, Unix milliseconds
	record schemas.Record
}

// maxFactLine bounds one line of the input.
const maxFactLine = 1 << 20

// readFactLines reads all facts and orders them as they were received.
func readFactLines(in io.Reader) ([]factLine, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxFactLine)
	var facts []factLine
	for n := 1; lines.Scan(); n++ {
		b := bytes.TrimSpace(lines.Bytes())
		if len(b) == 0 {
			continue
		}
		f, err := readFactLine(bytes.Clone(b))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		facts = append(facts, f)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read facts: %w (lines hold at most %d bytes)", err, maxFactLine)
	}
	slices.SortStableFunc(facts, func(a, b factLine) int { return cmp.Compare(a.at, b.at) })
	return facts, nil
}

func readFactLine(b []byte) (factLine, error) {
	var head struct {
		Kind       string `json:"kind"`
		ReceivedAt string `json:"received_at"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return factLine{}, fmt.Errorf("not a JSON object: %w", err)
	}
	var received int64
	if head.ReceivedAt != "" {
		var err error
		if received, err = parseInstant("received_at", head.ReceivedAt); err != nil {
			return factLine{}, err
		}
	}
	switch head.Kind {
	case "scan", "":
		return readScanLine(b, received)
	case "alias", "void":
		return factLine{}, fmt.Errorf("kind %q is not evaluated by this version: leave such lines out", head.Kind)
	}
	return readOrderLine(b, head.Kind, received)
}

func parseInstant(field, s string) (int64, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is not RFC 3339, such as 2026-10-01T08:00:00Z", field, s)
	}
	return t.UnixMilli(), nil
}

func readScanLine(b []byte, received int64) (factLine, error) {
	var v struct {
		schemas.EventJSON
		Physical *bool `json:"physical"`
		Progress *bool `json:"progress"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return factLine{}, fmt.Errorf("scan: %w", err)
	}
	number, ok := schemas.AppendNumber(nil, v.TrackingNumber)
	if !ok {
		return factLine{}, fmt.Errorf("tracking_number: %.60q is no tracking number: want 6 to 40 letters and digits", v.TrackingNumber)
	}
	m, err := schemas.ParseMilestone(v.Milestone)
	if err != nil {
		return factLine{}, fmt.Errorf("milestone: %w", err)
	}
	at, err := parseInstant("occurred_at", v.OccurredAt)
	if err != nil {
		return factLine{}, err
	}
	e := schemas.Event{
		TrackingNumber: string(number), ParcelID: v.ParcelID, FactID: v.FactID, Carrier: v.Carrier,
		OccurredAt: at, ReceivedAt: cmp.Or(received, at), Milestone: m, Physical: m.Physical(), Progress: m.Progress(),
		Country: v.Country, Facility: v.Facility, OriginCountry: v.OriginCountry, DestinationCountry: v.DestinationCountry,
		Backfill: v.Backfill, MappingVersion: v.MappingVersion,
	}
	if v.Physical != nil {
		e.Physical = *v.Physical
	}
	if v.Progress != nil {
		e.Progress = *v.Progress
	}
	if e.ParcelID == (schemas.ID{}) {
		e.ParcelID = schemas.ParcelID(e.TrackingNumber)
	}
	if e.FactID == (schemas.ID{}) {
		e.FactID = schemas.Hash(fmt.Appendf(nil, "%q %q %d %d %q %q %q %q %q", e.Carrier, e.TrackingNumber, at, v.EventIndex,
			v.Milestone, v.RawCode, v.RawText, v.Facility, v.LocationRaw))
	}
	return factLine{e.ReceivedAt, schemas.Record{Kind: schemas.KindEvent, Event: e}}, nil
}

// readOrderLine turns the line into the form of the topic orders, which says
// what a fact may hold.
func readOrderLine(b []byte, kind string, received int64) (factLine, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return factLine{}, fmt.Errorf("order: %w", err)
	}
	delete(fields, "received_at")
	if kind == "order" {
		if fields["order_kind"] == nil {
			return factLine{}, errors.New("order_kind: missing; want created, label_created or another kind of the topic orders")
		}
		fields["kind"] = fields["order_kind"]
		delete(fields, "order_kind")
	} else if _, err := schemas.ParseOrderKind(kind); err != nil {
		return factLine{}, fmt.Errorf("kind: %q is none of scan, order, alias, void and no kind of order fact", kind)
	}
	if fields["at"] == nil && fields["occurred_at"] != nil {
		fields["at"] = fields["occurred_at"]
	}
	delete(fields, "occurred_at")
	raw, err := json.Marshal(fields)
	if err != nil {
		return factLine{}, fmt.Errorf("order: %w", err)
	}
	var o schemas.OrderFact
	if err := schemas.ParseOrderFact(raw, &o); err != nil {
		return factLine{}, fmt.Errorf("order: %w", err)
	}
	o.ReceivedAt = cmp.Or(received, o.At)
	return factLine{o.ReceivedAt, schemas.Record{Kind: schemas.KindOrder, Order: o}}, nil
}
