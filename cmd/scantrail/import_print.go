package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scantrail/ingest/importer"
)

// maxProblemsShown bounds what a file full of one mistake prints.
const maxProblemsShown = 100

// importPrinter tells how an import is doing, and keeps its bad rows.
type importPrinter struct {
	out, err io.Writer
	flags    *importFlags
	importer *importer.Importer
	problems int
	tty      bool
	shown    bool // a progress line stands on the terminal
	next     time.Time
	bad      *os.File
	badOf    string
}

func newImportPrinter(cmd *cobra.Command, f *importFlags, im *importer.Importer) *importPrinter {
	return &importPrinter{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), flags: f, importer: im,
		tty: cmd.ErrOrStderr() == io.Writer(os.Stderr) && isTerminal(os.Stderr), next: time.Now().Add(2 * time.Second)}
}

// unread names the columns that mean nothing, which may be a missing --map.
func (p *importPrinter) unread(files []string) {
	for _, f := range files {
		if _, unread, err := p.importer.Header(f); err == nil && len(unread) > 0 {
			fmt.Fprintf(p.err, "%s: columns not read: %s\n", f, strings.Join(unread, ", "))
		}
	}
}

func (p *importPrinter) problem(x importer.Problem) {
	p.problems++
	if p.problems <= maxProblemsShown {
		p.done()
		fmt.Fprintln(p.err, x)
	}
}

// progress says how far it is, every few seconds.
func (p *importPrinter) progress(file string, done, size, rows int64) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	line := fmt.Sprintf("%s: %d rows, %d %%", file, rows, 100*done/max(size, 1))
	if p.tty {
		p.next = now.Add(500 * time.Millisecond)
		fmt.Fprint(p.err, "\r"+line+"    ")
		p.shown = true
		return
	}
	p.next = now.Add(5 * time.Second)
	fmt.Fprintln(p.err, line)
}

func (p *importPrinter) done() {
	if p.shown {
		fmt.Fprintln(p.err)
		p.shown = false
	}
}

// keepBad writes a bad row to FILE.bad, below the header of its file. The rows
// may hold addresses: the file is for its owner alone.
func (p *importPrinter) keepBad(file string, r *importer.Row) error {
	if p.badOf != file {
		if err := p.closeBad(); err != nil {
			return err
		}
		header, _, err := p.importer.Header(file)
		if err != nil {
			return err
		}
		if p.bad, err = os.OpenFile(file+".bad", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		p.badOf = file
		if _, err := p.bad.Write(header); err != nil {
			return err
		}
	}
	row := r.Raw
	if len(row) > 0 && row[len(row)-1] != '\n' {
		row = append(slices.Clone(row), '\n')
	}
	_, err := p.bad.Write(row)
	return err
}

func (p *importPrinter) closeBad() error {
	if p.bad == nil {
		return nil
	}
	err := p.bad.Close()
	if err == nil {
		fmt.Fprintf(p.err, "the bad rows of %s are in %s.bad\n", p.badOf, p.badOf)
	}
	p.bad, p.badOf = nil, ""
	return err
}

// account prints what the files hold.
func (p *importPrinter) account(a *importer.Account) {
	if p.problems > maxProblemsShown {
		fmt.Fprintf(p.err, "and %d more\n", p.problems-maxProblemsShown)
	}
	what := "order facts"
	if p.flags.kind == importer.Scans {
		what = "raw records"
	}
	fmt.Fprintf(p.out, "%d rows, %d of them bad: %d %s, %d of them repeated", a.Rows, a.Bad, a.Records, what, a.Duplicates)
	if a.Full {
		fmt.Fprint(p.out, " (among the first 6 million)")
	}
	fmt.Fprintln(p.out)
	for _, name := range slices.Sorted(maps.Keys(a.What)) {
		fmt.Fprintf(p.out, "  %-18s %d\n", name, a.What[name])
	}
	if !a.From.IsZero() {
		fmt.Fprintf(p.out, "from %s to %s\n", a.From.Format(time.RFC3339), a.To.Format(time.RFC3339))
	}
	if a.Events > 0 {
		fmt.Fprintf(p.out, "%d events, %d of them unmapped; %d parts will be dead letters\n", a.Events, a.Unmapped, a.Rejected)
	}
	if p.flags.dryRun {
		fmt.Fprintln(p.out, "dry run: nothing was sent")
	}
}

// sent prints what Kafka has.
func (p *importPrinter) sent(a *importer.Account, cfg *Config) {
	as := "as history"
	if p.flags.live {
		as = "as live data"
	}
	fmt.Fprintf(p.out, "%d records sent %s to %s\n", a.Sent, as, strings.Join(a.Topics, ", "))
	if !p.flags.live && !cfg.Ingest.AcceptBackfill {
		fmt.Fprintln(p.err, "warning: ingest.accept_backfill is false here: the service will take this for live data")
	}
}
