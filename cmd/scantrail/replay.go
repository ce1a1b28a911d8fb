package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"scantrail/ingest/carriers"
	"scantrail/ingest/deadletters"
	"scantrail/schemas"
)

type replayFlags struct {
	kafkaTarget
	carrier string
	reason  string
	since   string
	dir     string
	send    bool
	live    bool
}

func newReplayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send again what could not be read",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newReplayDeadLettersCommand())
	return cmd
}

func newReplayDeadLettersCommand() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "dead-letters",
		Short: "Send dead letters to their raw topics again, after a mapping was mended",
		Long: `Read ` + schemas.DeadLettersTopic + `, which holds every record that could not be read, as it came,
and say what the mappings of today would make of it. With --send, the records that
are now read better go to the topics they came from once more; those that would be
refused again stay where they are.

A record sent again is a new record of its topic, with a header that names the old
one (` + schemas.ReplayHeader + `), and is accounted for as such. It counts as history, since
that it comes late is not the carrier's doing: what is known from it alone pages
nobody; --live lets it page. Sending twice is harmless: a fact counts once.

The mappings are those of the configuration, or of --carriers: restart the service
with the mended mapping before you send.`,
		Example: `  scantrail replay dead-letters -c scantrail.yaml
  scantrail replay dead-letters -c scantrail.yaml --carriers ./mended --carrier acme --reason unreadable_layout
  scantrail replay dead-letters -c scantrail.yaml --carrier acme --since 2026-11-20T00:00:00Z --send`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.kafkaTarget.flags(cmd)
	cmd.Flags().StringVar(&f.carrier, "carrier", "", "only of this carrier")
	cmd.Flags().StringVar(&f.reason, "reason", "", "only with this reason, such as unreadable_layout")
	cmd.Flags().StringVar(&f.since, "since", "", "only refused since this time (RFC 3339), or this long ago, such as 24h")
	cmd.Flags().StringVar(&f.dir, "carriers", "", "folder with mappings in place of ingest.carriers_dir")
	cmd.Flags().BoolVar(&f.send, "send", false, "send; without it nothing is written")
	cmd.Flags().BoolVar(&f.live, "live", false, "what was refused is fresh: it may page")
	return cmd
}

// sinceTime reads a time, or a duration before now.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.UnixMilli(0), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, fmt.Errorf("--since %s: want a time such as 2026-11-20T00:00:00Z, or a duration such as 24h", s)
	}
	return at, nil
}

func (f *replayFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	cfg, err := f.load()
	if err != nil {
		return err
	}
	o := deadletters.Options{Carrier: f.carrier, Reason: f.reason, Limits: carriers.Limits{Bytes: int(cfg.Ingest.MaxRecordBytes)}}
	if o.Since, err = sinceTime(f.since, time.Now()); err != nil {
		return err
	}
	if o.Registry, err = carriers.Load(schemas.Carriers, cmp.Or(f.dir, cfg.Ingest.CarriersDir)); err != nil {
		return err
	}
	if o.Kafka, err = cfg.KafkaOptions(nil); err != nil {
		return err
	}
	client, err := f.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	var groups []deadletters.Group
	sent := int64(0)
	if f.send {
		groups, sent, err = deadletters.Send(ctx, o, client, f.live)
	} else {
		groups, err = deadletters.Find(ctx, o, func(*deadletters.Record) error { return nil })
	}
	printGroups(cmd.OutOrStdout(), groups)
	if f.send {
		fmt.Fprintf(cmd.OutOrStdout(), "%d records sent\n", sent)
	} else if err == nil {
		fmt.Fprintln(cmd.OutOrStdout(), "nothing was sent: --send sends the records that are readable now")
	}
	return err
}

// printGroups prints what there is and what would become of it.
func printGroups(w io.Writer, groups []deadletters.Group) {
	if len(groups) == 0 {
		fmt.Fprintln(w, "no such dead letters")
		return
	}
	slices.SortFunc(groups, func(a, b deadletters.Group) int {
		return cmp.Or(cmp.Compare(a.Carrier, b.Carrier), cmp.Compare(a.Reason, b.Reason))
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CARRIER\tREASON\tRECORDS\tREADABLE NOW\tEVENTS\tREPEATED\tCUT\tSTILL REFUSED\tFOR EXAMPLE")
	for _, g := range groups {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", cmp.Or(plainName(g.Carrier), "(orders)"), plainName(g.Reason), g.Records, g.Mended, g.Events,
			g.Repeated, g.Cut, g.Refused, firstRunes(g.Example, 100))
	}
	table.Flush() //nolint:errcheck // the writer's own error
}

// plainName keeps what a forged letter may say off the terminal.
func plainName(s string) string {
	if s == "" || schemas.IsCarrierName([]byte(s)) {
		return s
	}
	return fmt.Sprintf("%.60q", s)
}

func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
