package main

import (
	"fmt"
	"os"
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
		Use:   "detect [--policy FILE|NAME] [--as-of TIME] [FILE]",
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
  {"kind":"alias", "tracking_number":"A", "other_number":"B"}   two numbers of one
                         parcel
  {"kind":"void", "tracking_number":"A", "event_fact_id":"..."}   a scan that the
                         carrier withdrew

Facts are applied by received_at, then by line, with a tick on every full minute
up to the time asked for. Alerts and parcels come out as JSON lines of kind
"alert" and "parcel".`,
		Example: `  scantrail normalize --carrier ups --received-at 2026-10-01T08:00:00Z webhook.json |
    scantrail detect --as-of 2026-10-05T00:00:00Z

  # under the rules of a marketplace
  scantrail detect --policy official-us --as-of 2026-10-05T00:00:00Z trail.jsonl

  # under a policy of your own
  scantrail detect --policy strict.yaml --as-of 2026-10-05T00:00:00Z trail.jsonl |
    jq 'select(.kind == "alert" and .status == "open")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: o.run,
	}
	cmd.Flags().StringVar(&o.policy, "policy", schemas.DefaultPolicyName, "policy file, or a built-in one of \"scantrail policy list\"")
	cmd.Flags().StringVar(&o.asOf, "as-of", "", "RFC 3339 time to judge at (default: the last reception in the input)")
	return cmd
}

func (o *detectOptions) run(cmd *cobra.Command, files []string) error {
	policy, err := readPolicy(o.policy)
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
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
	d := detection{machine: detector.NewMachine(0, 1), alerts: map[alertKey]schemas.Alert{}}
	if err := d.replay(policy, facts, asOf); err != nil {
		return err
	}
	return d.print(cmd.OutOrStdout())
}
