package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/ingest/importer"
	"scantrail/schemas"
)

// Exit codes of the imports, besides 0 (all of it is in Kafka) and 1 (nothing is).
const exitInPart = 2

// exitError is an error with an exit code of its own.
type exitError struct {
	error
	code int
}

// ExitCode says how the process ends.
func (e exitError) ExitCode() int { return e.code }

// Unwrap returns the error itself.
func (e exitError) Unwrap() error { return e.error }

type importFlags struct {
	kafkaTarget
	kind      importer.Kind
	carrier   string
	whole     bool
	columns   []string
	values    []string
	delimiter string
	zone      string
	layouts   []string
	live      bool
	skipBad   bool
	dryRun    bool
}

func newOrdersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "orders",
		Short: "Bring in orders from files",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newOrdersImportCommand())
	return cmd
}

func newScansCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scans",
		Short: "Bring in scans from files",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newScansImportCommand())
	return cmd
}

const importRules = `
All files are read to their end before anything is sent; each problem is named as
file:line: column: what is wrong; what to do. While any row is bad nothing is sent,
unless --skip-bad: then the good rows are, and the bad ones are written to FILE.bad,
to be mended and imported in turn. --dry-run only reads and reports.

What is imported counts as history (backfill): it is in every table and score, but
what is known from it alone pages nobody, and a late scan in it is not held against
the carrier. --live is for fresh data, which pages like any other. The same file
again changes nothing: the same facts count once.

CSV needs a header row and UTF-8. The columns may have the names below or those that
many shops and ERPs use; --map names others, --set says what all rows have. Other
columns are not read. A time without a zone needs --zone; day and month are never
guessed: --time-layout says which comes first.

Exit status: 0 everything is in Kafka, 1 nothing was sent, 2 sent in part (run it
again: what was sent counts once).`

func newOrdersImportCommand() *cobra.Command {
	f := importFlags{kind: importer.Orders}
	cmd := &cobra.Command{
		Use:   "import FILE.csv|FILE.jsonl...",
		Short: "Send the orders of files to the topic orders",
		Long: `Read orders from files, check each as the service will, and produce them to the
topic orders: for history, and for a shop or ERP that cannot write to Kafka.

FILE.jsonl holds one order fact per line (schemas/order.schema.json). FILE.csv holds
one order per row, with a column for the time of each thing that happened to it
(created_at, confirmed_at, shipped_at, ...), or one fact per row (columns kind and at).
A tracking number without label_created_at counts from shipped_at, or else
ready_to_ship_at. promise_at may be a day: its end. Numbers are separated by ; , or |.
` + importRules + `

Columns: ` + wrapNames(importer.Fields(importer.Orders)),
		Example: `  scantrail orders import --dry-run --zone Asia/Shanghai orders.csv
  scantrail orders import -c scantrail.yaml --set shop_id=acme-uk --set market=GB orders.csv
  scantrail orders import --map order_id="Ref" --map created_at="Placed" --time-layout "DD/MM/YYYY HH:mm" --zone Europe/London export.csv
  scantrail orders import --live today.jsonl`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error { return runImport(cmd, &f, files) },
	}
	f.add(cmd)
	return cmd
}

func newScansImportCommand() *cobra.Command {
	f := importFlags{kind: importer.Scans}
	cmd := &cobra.Command{
		Use:   "import --carrier C FILE.csv|FILE.jsonl...",
		Short: "Send the scans of files to a carrier's raw topic",
		Long: `Read scans from files and produce them to scans.raw.<carrier>, where the pipeline
reads them as if the carrier had sent them.

FILE.jsonl holds one raw record per line, as the carrier sends it. With --whole each
FILE is one raw record in whatever format the carrier has: JSON, XML, EDIFACT, X12,
CSV. FILE.csv is a table of yours, one scan per row: tracking_number, occurred_at, and
a code or a text; codes and texts are read as the carrier's mapping says, for all
carriers with a mapping, else by the shared lexicon. A column carrier may name each
row's carrier in place of --carrier.
` + importRules + `

Columns: ` + wrapNames(importer.Fields(importer.Scans)),
		Example: `  scantrail scans import --carrier yunexpress --dry-run history.jsonl
  scantrail scans import -c scantrail.yaml --carrier dpd --zone Europe/Berlin scans.csv
  scantrail scans import --carrier usps --whole answers/*.xml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error { return runImport(cmd, &f, files) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.carrier, "carrier", "", "whose scans these are (scantrail carrier list)")
	cmd.Flags().BoolVar(&f.whole, "whole", false, "each file is one raw record")
	return cmd
}

// wrapNames breaks a list of names into lines for --help.
func wrapNames(names []string) string {
	var b strings.Builder
	width := len("Columns: ")
	for i, n := range names {
		switch {
		case i == 0:
		case width+len(n)+2 > 80:
			b.WriteString(",\n  ")
			width = 2
		default:
			b.WriteString(", ")
		}
		b.WriteString(n)
		width += len(n) + 2
	}
	return b.String()
}

func (f *importFlags) add(cmd *cobra.Command) {
	f.kafkaTarget.flags(cmd)
	fs := cmd.Flags()
	fs.StringArrayVar(&f.columns, "map", nil, "COLUMN=\"HEADER\": the header under which the file has a column (may be repeated)")
	fs.StringArrayVar(&f.values, "set", nil, "COLUMN=VALUE: what all rows have (may be repeated)")
	fs.StringVar(&f.delimiter, "delimiter", "", "one character, or tab (default: found out from the header)")
	fs.StringVar(&f.zone, "zone", "", "zone of times that name none, such as Asia/Shanghai or UTC")
	fs.StringArrayVar(&f.layouts, "time-layout", nil, "layout of times, such as \"DD/MM/YYYY HH:mm\" (may be repeated; default: the year comes first)")
	fs.BoolVar(&f.live, "live", false, "fresh data, not history: it may page")
	fs.BoolVar(&f.skipBad, "skip-bad", false, "send the good rows and write the bad ones to FILE.bad")
	fs.BoolVar(&f.dryRun, "dry-run", false, "read and report; send nothing")
}

// config turns the flags into what the importer needs.
func (f *importFlags) config(cfg *Config) (importer.Config, error) {
	c := importer.Config{Kind: f.kind, Carrier: f.carrier, Whole: f.whole, Zone: f.zone, TimeLayouts: f.layouts,
		Limits: carriers.Limits{Bytes: int(cfg.Ingest.MaxRecordBytes)}}
	var err error
	if c.Columns, err = assignments("--map", f.columns); err != nil {
		return c, err
	}
	if c.Values, err = assignments("--set", f.values); err != nil {
		return c, err
	}
	switch d := f.delimiter; {
	case d == "tab":
		c.Delimiter = '\t'
	case len(d) > 1 || d == `"` || d == "\n" || d == "\r":
		return c, fmt.Errorf("--delimiter %q: want one character, such as ; or the word tab", d)
	case d != "":
		c.Delimiter = d[0]
	}
	c.Registry, err = carriers.Load(schemas.Carriers, cfg.Ingest.CarriersDir)
	return c, err
}

// assignments reads NAME=VALUE flags.
func assignments(flag string, list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, s := range list {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("%s %q: want COLUMN=VALUE", flag, s)
		}
		m[name] = value
	}
	return m, nil
}

// runImport checks all files, then sends them.
func runImport(cmd *cobra.Command, f *importFlags, files []string) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	config, err := f.config(cfg)
	if err != nil {
		return err
	}
	im, err := importer.New(config)
	if err != nil {
		return err
	}
	p := newImportPrinter(cmd, f, im)
	job := &importer.Job{Importer: im, Files: files, Problem: p.problem, Progress: p.progress}
	if f.skipBad && !f.dryRun {
		job.Bad = p.keepBad
	}
	p.unread(files)
	a, err := job.Check(cmd.Context())
	p.done()
	err = errors.Join(err, p.closeBad())
	if err != nil {
		return fmt.Errorf("%w\nnothing was sent", err)
	}
	p.account(&a)
	switch {
	case f.dryRun && a.Bad > 0:
		return errSaid
	case f.dryRun:
		return nil
	case a.Bad > 0 && !f.skipBad:
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing was sent: mend the rows above, or leave them out with --skip-bad")
		return errSaid
	case a.Records == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing was sent: there is no good row")
		return errSaid
	}
	return f.send(cmd, cfg, job, &a, p)
}

// send produces what was checked.
func (f *importFlags) send(cmd *cobra.Command, cfg *Config, job *importer.Job, a *importer.Account, p *importPrinter) error {
	ctx := cmd.Context()
	client, err := f.open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("%w\nnothing was sent", err)
	}
	defer client.Close()
	if err := ensureTargets(ctx, client, cfg, a.Topics); err != nil {
		return fmt.Errorf("%w\nnothing was sent", err)
	}
	var headers []kgo.RecordHeader
	if !f.live {
		headers = []kgo.RecordHeader{{Key: schemas.BackfillHeader, Value: []byte("1")}}
	}
	a.Sent, err = job.Send(ctx, client, headers)
	p.done()
	p.sent(a, cfg)
	switch {
	case err != nil && a.Sent == 0:
		return fmt.Errorf("%w\nnothing was sent", err)
	case err != nil && errors.Is(err, context.Canceled):
		err = errors.New("interrupted: run the same command again to send the rest; what was sent counts once")
	case err == nil && a.Bad > 0:
		return exitError{errSaid, exitInPart}
	}
	if err != nil {
		return exitError{err, exitInPart}
	}
	return nil
}
