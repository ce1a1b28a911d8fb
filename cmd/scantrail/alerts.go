package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
	"scantrail/sink"
	"scantrail/sink/notify"
)

func newAlertsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "alerts", Short: "Receivers of alerts: try one, see how they are doing", Args: cobra.NoArgs}
	cmd.AddCommand(newAlertsTestCommand(), newAlertsStatusCommand())
	return cmd
}

type alertsTestFlags struct {
	kafkaTarget
	receiver, rule, lang string
}

func newAlertsTestCommand() *cobra.Command {
	var f alertsTestFlags
	cmd := &cobra.Command{
		Use:   "test -c scantrail.yaml --receiver NAME",
		Short: "Send one message, marked as a test, and say what the receiver answered",
		Long: `Send one message about an alert that no parcel has, marked as a test, to one receiver
of notify.receivers or notify.webhooks. It takes the way of every alert: format,
signature, template, and where it may connect to; filters, quiet hours and digests
do not keep it back. It is tried once. The exit code is 1 when it was not taken.`,
		Example: `  scantrail alerts test -c scantrail.yaml --receiver ops_chat
  scantrail alerts test -c scantrail.yaml --receiver sellers --rule feed_stale --lang zh`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f.kafkaTarget.flags(cmd)
	cmd.Flags().StringVar(&f.receiver, "receiver", "", "its name (required)")
	cmd.Flags().StringVar(&f.rule, "rule", schemas.RuleGap48h, "of the alert that is made up")
	cmd.Flags().StringVar(&f.lang, "lang", "", "en or zh, in place of the receiver's language")
	cmd.MarkFlagRequired("receiver") //nolint:errcheck // the flag is there
	return cmd
}

func (f *alertsTestFlags) run(ctx context.Context, stdout io.Writer) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	options, err := notifyOptions(cfg)
	if err != nil {
		return err
	}
	answer, err := notify.Try(ctx, *options, f.receiver, f.rule, f.lang)
	if err != nil {
		return err
	}
	if answer.Said != "" {
		fmt.Fprintf(stdout, "%s answers: %s\n", f.receiver, answer.Said)
	}
	if !answer.Delivered {
		return fmt.Errorf("%s did not take the test: %s", f.receiver, answer.Reason)
	}
	fmt.Fprintf(stdout, "%s took the test\n", f.receiver)
	return nil
}

// notifyOptions are those of the role notify.
func notifyOptions(cfg *Config) (*notify.Config, error) {
	options, err := cfg.Notify.options(slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if options == nil {
		return nil, fmt.Errorf("no receiver is configured: name one in notify.receivers")
	}
	options.Kafka, err = cfg.KafkaOptions(nil)
	return options, err
}

func newAlertsStatusCommand() *cobra.Command {
	var f kafkaTarget
	cmd := &cobra.Command{
		Use:     "status [-c scantrail.yaml]",
		Aliases: []string{"list"},
		Short:   "How each receiver is doing: what waits, its last success and failure",
		Long: `Print a line for each configured receiver: what Kafka says of its group, and what the
view receivers_current of ClickHouse says of its deliveries. All of it survives
restarts of the role notify.

  unread     records of ` + schemas.AlertsTopic + ` that it has not read
  waiting    messages to be sent        held    for an incident or quiet hours
  collected  for a digest               open    sent again and again to an Alertmanager
  taken, rejected, given up             transitions of the last 7 days`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAlertsStatus(cmd.Context(), &f, cmd.OutOrStdout())
		},
	}
	f.flags(cmd)
	return cmd
}

// receiverRow is one row of receivers_current.
type receiverRow struct {
	Name      string     `ch:"receiver"`
	Waiting   uint32     `ch:"waiting_messages"`
	Held      uint32     `ch:"held_alerts"`
	Collected uint32     `ch:"collected_alerts"`
	Standing  uint32     `ch:"standing_alerts"`
	Failing   bool       `ch:"is_failing"`
	Succeeded *time.Time `ch:"succeeded_at"`
	Failed    *time.Time `ch:"failed_at"`
	Reason    string     `ch:"failed_reason"`
	Delivered uint64     `ch:"delivered_week"`
	Rejected  uint64     `ch:"rejected_week"`
	GivenUp   uint64     `ch:"given_up_week"`
}

func runAlertsStatus(ctx context.Context, f *kafkaTarget, stdout io.Writer) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	options, err := notifyOptions(cfg)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(options.Kafka...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	rows, away := readReceivers(ctx, cfg)
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "receiver\tkind\tunread\twaiting\theld\tcollected\topen\ttaken\trejected\tgiven up\tlast success\tlast failure\t")
	for _, r := range options.Receivers {
		b, err := notify.ReadBacklog(ctx, kadm.NewClient(client), r.Name)
		if err != nil {
			return err
		}
		unread := "never read"
		if b.Known {
			unread = fmt.Sprint(b.Unread)
		}
		row, ok := rows[r.Name]
		if !ok {
			fmt.Fprintf(w, "%s\t%s\t%s\t-\t-\t-\t-\t-\t-\t-\t-\t-\t\n", r.Name, r.Kind, unread)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%.120s\n", r.Name, r.Kind, unread, row.Waiting, row.Held, row.Collected, row.Standing,
			row.Delivered, row.Rejected, row.GivenUp, moment(row.Succeeded), moment(row.Failed), row.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if away != nil {
		fmt.Fprintln(stdout, "ClickHouse does not answer, so deliveries are not known:", away)
	}
	return nil
}

func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// readReceivers reads what ClickHouse knows of receivers, by name.
func readReceivers(ctx context.Context, cfg *Config) (map[string]receiverRow, error) {
	conn, err := sink.Open(sinkOptions(cfg))
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	const query = `SELECT toString(receiver) AS receiver, waiting_messages, held_alerts, collected_alerts, standing_alerts, is_failing, succeeded_at,
		failed_at, failed_reason, delivered_week, rejected_week, given_up_week FROM receivers_current LIMIT 1000`
	var all []receiverRow
	if err := conn.Select(ctx, &all, query); err != nil {
		return nil, err
	}
	rows := map[string]receiverRow{}
	for _, r := range all {
		rows[r.Name] = r
	}
	return rows, nil
}
