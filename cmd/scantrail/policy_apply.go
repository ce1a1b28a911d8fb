package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scantrail/schemas"
)

// policyTarget are the flags of the commands that talk to a cluster.
type policyTarget struct {
	config string
	dryRun bool
	force  bool
}

func (t *policyTarget) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&t.config, "config", "c", "", "configuration file; without it the defaults")
}

func (t *policyTarget) changeFlags(cmd *cobra.Command) {
	t.flags(cmd)
	cmd.Flags().BoolVar(&t.dryRun, "dry-run", false, "say what would change and write nothing")
}

func newPolicyApplyCommand() *cobra.Command {
	var t policyTarget
	cmd := &cobra.Command{
		Use:   "apply FILE|NAME",
		Short: "Put a policy document in force",
		Long: `Validate a document and write it, with everything that it extends, into every
partition of parcel.events, with a number above the last one. It says first which
parcels will be judged by a policy of another name.

Killed half-way, it has changed some partitions only: run it again with the same
document, and it goes on; so does the next start of scantrail run. A document
equal to the one in force is refused; --force writes it under a new number.`,
		Example: `  scantrail policy apply -c scantrail.yaml --dry-run mine.yaml
  scantrail policy apply -c scantrail.yaml official-us`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readPolicy(args[0])
			if err != nil {
				return err
			}
			doc, err := schemas.ParsePolicies([]byte(text))
			if err != nil {
				return fmt.Errorf("%s:\n%w", args[0], err)
			}
			return t.change(cmd, func(last *control) (schemas.Control, error) {
				next := last.Control
				next.Policy = doc.YAML()
				return next, nil
			})
		},
	}
	t.changeFlags(cmd)
	cmd.Flags().BoolVar(&t.force, "force", false, "apply a document that is in force already")
	return cmd
}

func newPolicyHolidayCommand() *cobra.Command {
	var t policyTarget
	var h schemas.Holiday
	var from, until string
	cmd := &cobra.Command{
		Use:   "holiday --shop S|--market M --from TIME --until TIME",
		Short: "Stop the shipping deadlines of some shops or markets for a while",
		Long: `Add a holiday to the document in force and apply it. Shipping deadlines
(confirm_late, label_late, pickup_late, carrier_pickup_late, shipped_late) do not
run meanwhile: they end that much later, also those of orders already placed.
Promises to buyers and the silence of trails are not affected.

A time is RFC 3339, or a date, which begins at midnight UTC. --until does not
belong to the holiday any more. Shops and markets may be repeated; with both, the
holiday is for these shops in these markets.`,
		Example: `  scantrail policy holiday --shop acme-tools --from 2027-02-05T00:00:00+08:00 --until 2027-02-13T00:00:00+08:00
  scantrail policy holiday --market TH --from 2027-04-13 --until 2027-04-16 --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := readHoliday(&h, from, until); err != nil {
				return err
			}
			return t.change(cmd, func(last *control) (schemas.Control, error) { return withHoliday(last, h) })
		},
	}
	t.changeFlags(cmd)
	cmd.Flags().StringArrayVar(&h.Shops, "shop", nil, "shop on holiday (may be repeated)")
	cmd.Flags().StringArrayVar(&h.Markets, "market", nil, "market on holiday, such as TH (may be repeated)")
	cmd.Flags().StringVar(&from, "from", "", "when it begins")
	cmd.Flags().StringVar(&until, "until", "", "when it ends")
	return cmd
}

// readHoliday completes h and reports everything that is wrong with the flags.
func readHoliday(h *schemas.Holiday, from, until string) error {
	var errs []error
	if len(h.Shops)+len(h.Markets) == 0 {
		errs = append(errs, errors.New("--shop or --market is missing: whose holiday it is"))
	}
	for _, f := range []struct {
		flag, text string
		dst        *int64
	}{{"--from", from, &h.From}, {"--until", until, &h.Until}} {
		var err error
		if *f.dst, err = schemas.ParsePolicyTime(f.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w; want a date such as 2027-04-13 or a time such as 2027-04-13T00:00:00+07:00", f.flag, err))
		}
	}
	if len(errs) == 0 {
		for _, p := range h.Problems() {
			errs = append(errs, fmt.Errorf("--%s: %s; want %s", p.Field, p.What, p.Want))
		}
	}
	return errors.Join(errs...)
}

// withHoliday returns the control in force with a holiday more; the same one
// where it is there already.
func withHoliday(last *control, h schemas.Holiday) (schemas.Control, error) {
	doc, err := schemas.ParsePolicies([]byte(last.Policy))
	if err != nil {
		return schemas.Control{}, fmt.Errorf("the document in force cannot be read by this version of scantrail; apply one first:\n%w", err)
	}
	same := func(o schemas.Holiday) bool {
		return o.From == h.From && o.Until == h.Until && slices.Equal(o.Shops, h.Shops) && slices.Equal(o.Markets, h.Markets)
	}
	if !slices.ContainsFunc(doc.Holidays, same) {
		doc.Holidays = append(doc.Holidays, h)
	}
	next := last.Control
	next.Policy = doc.YAML()
	return next, nil
}

func newPolicyGenerationCommand() *cobra.Command {
	var t policyTarget
	cmd := &cobra.Command{
		Use:   "generation N",
		Short: "Let all rows from here on replace those of earlier generations",
		Long: `Write a generation into every partition of parcel.events: the version of every
row begins with it, so that what is computed from here on replaces what earlier
generations wrote, whatever their offsets. It is needed after a change of what a
fact or a rule means. The policy stays as it is. Generations only rise.`,
		Example: "  scantrail policy generation 2 -c scantrail.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[0], 10, 32)
			if err != nil || n < 1 || n > schemas.MaxGeneration {
				return fmt.Errorf("%.40q is no generation: want 1 to %d", args[0], schemas.MaxGeneration)
			}
			return t.change(cmd, func(last *control) (schemas.Control, error) {
				if uint32(n) < last.Generation {
					return schemas.Control{}, fmt.Errorf("generation %d is in force: want a higher one than that, have %d", last.Generation, n)
				}
				next := last.Control
				next.Generation = uint32(n)
				return next, nil
			})
		},
	}
	t.changeFlags(cmd)
	return cmd
}

// change writes what make returns for the control in force, under the next
// number. What is in force already is not written again, unless it did not reach
// every partition.
func (t *policyTarget) change(cmd *cobra.Command, change func(*control) (schemas.Control, error)) error {
	l, err := t.open(cmd.Context())
	if err != nil {
		return err
	}
	defer l.close()
	last, err := l.inForce(cmd.Context())
	if err != nil {
		return err
	}
	next, err := change(&last)
	if err != nil {
		return err
	}
	if len(next.Policy) > schemas.MaxPolicyBytes {
		return fmt.Errorf("the document has %d bytes with all that it extends, at most %d: drop policies or past holidays", len(next.Policy), schemas.MaxPolicyBytes)
	}
	out := cmd.OutOrStdout()
	equal := next.Generation == last.Generation && wholePolicy(next.Policy) == wholePolicy(last.Policy)
	if equal && last.applied && !t.force {
		return fmt.Errorf("number %d, in force, says the same: nothing to do", last.Number)
	}
	resume := equal && !last.applied
	if resume {
		fmt.Fprintf(out, "number %d says the same and did not reach every partition: going on\n", last.Number)
	} else {
		next.Number, next.Detector = max(last.Number+1, uint32(time.Now().Unix())), schemas.DetectorVersion
		t.describe(cmd, &last.Control, &next)
	}
	if t.dryRun {
		fmt.Fprintln(out, "dry run: nothing was written")
		return nil
	}
	if !resume {
		if err := l.record(cmd.Context(), &next); err != nil {
			return err
		}
	}
	if err := l.distribute(cmd.Context(), &control{Control: next}); err != nil {
		return fmt.Errorf("%w\nnumber %d is recorded: run the same command again to go on", err, next.Number)
	}
	fmt.Fprintf(out, "number %d is in all %d partitions of %s\n", next.Number, l.partitions, schemas.EventsTopic)
	return nil
}

// describe prints what a change does.
func (t *policyTarget) describe(cmd *cobra.Command, last, next *schemas.Control) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "number %d replaces number %d\n", next.Number, last.Number)
	if next.Generation != last.Generation {
		fmt.Fprintf(out, "  generation: %d -> %d\n", last.Generation, next.Generation)
	}
	is, err := schemas.ParsePolicies([]byte(next.Policy))
	if err != nil {
		return // only the generation changes, of a document that a newer version wrote
	}
	was, err := schemas.ParsePolicies([]byte(last.Policy))
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: the document in force cannot be read by this version, so it is not known what changes")
		return
	}
	printPolicyChanges(out, was, is)
}

// wholePolicy returns the document in the one form in which documents can be
// compared; the text itself where this version cannot read it.
func wholePolicy(text string) string {
	doc, err := schemas.ParsePolicies([]byte(text))
	if err != nil {
		return text
	}
	return doc.YAML()
}

// show prints the document in force.
func (t *policyTarget) show(cmd *cobra.Command) error {
	l, err := t.open(cmd.Context())
	if err != nil {
		return err
	}
	defer l.close()
	last, err := l.inForce(cmd.Context())
	if err != nil {
		return err
	}
	state := "in force"
	if !last.applied {
		state = "not known to be in every partition yet: run the command that wrote it again, or start scantrail run"
	}
	fmt.Fprintf(cmd.OutOrStdout(), "# number %d, %s\n", last.Number, state)
	if last.Generation > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "# generation %d\n", last.Generation)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(last.Policy))
	return err
}

// open connects to the cluster of the configuration.
func (t *policyTarget) open(ctx context.Context) (*ledger, error) {
	cfg := DefaultConfig()
	if t.config != "" {
		var err error
		if cfg, err = LoadConfig(t.config); err != nil {
			return nil, err
		}
	}
	kafka, err := cfg.KafkaOptions(nil)
	if err != nil {
		return nil, err
	}
	l, err := openLedger(kafka)
	if err != nil {
		return nil, err
	}
	if err := l.locate(ctx); err != nil {
		l.close()
		return nil, fmt.Errorf("%s: %w", cmp.Or(strings.Join(cfg.Kafka.Brokers, ","), "kafka.brokers"), err)
	}
	return l, nil
}
