package detector

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"scantrail/schemas"
)

var update = flag.Bool("update", false, "rewrite the expected outputs of testdata/scenarios")

// TestScenarios runs the logs of testdata/scenarios: files that begin with what
// they show, then hold the log, what is wanted of it, and policies of their own.
//
// Times are durations since 2026-10-01T00:00:00Z, a Thursday: 48h, 3d, 3d1h. What
// is printed counts in hours up to ten days, then in days. Lines of a log:
//
//	partitions N                    first of all: as many partitions, 1 without it
//	hide WHAT ...                   do not print status, forward, ask, version (of rows)
//	show scores                     print what rows hold for scores alone
//	policy [WHAT] [OPTION ...]      control record in every partition
//	tick [T] [OPTION ...]           one tick in every partition, without T of the present clock
//	run T [OPTION ...]              ticks every 10 minutes up to T
//	scan NUMBER T MILESTONE [OPTION ...]
//	order ORDER T KIND [OPTION ...]
//	void NUMBER ID                  the scan with this id was wrong
//	alias NUMBER NUMBER             both name one parcel: told to both
//	feed CARRIER FROM TO EVERY [lag=HOURS]   receptions of a carrier
//	repeat N EVERY scan|order ...   N facts, each so much later than the one before
//	rows                            a tick, then the dirty rows, marked as written
//	orders                          the dirty rows of orders, marked as written
//	leave                           all rows are written, and what has left is archived
//	answer                          the archive, with what is not written yet, answers what is asked
//
// WHAT of a policy is a number of the control record, for the plain policy; the
// name of a built-in policy; or a section of the file, in which a policy that
// extends none need not state the score, nor a gap where it is to have none.
// Options: number=N (one more than the last), generation=N, detector=N, and for
// the text OLD=NEW, in both of which _is_ stands for a colon and a blank. That a
// partition stops at a control record is printed.
//
// Options of ticks: through=T states up to when all is forwarded, stalled=NAME/N
// a raw partition that time no longer waits for, history that history is read.
//
// Options of scans: id=ANY (of the fact), received=T (T of the scan), carrier=C,
// at=FACILITY/COUNTRY, lane=CN-GB, mapping=VERSION, check=valid|invalid,
// postcode=P, product=P, unsure=DURATION (of its time), info (neither physical nor
// progress), refused (its reason), backfill.
//
// Options of orders: id=ANY, shop=S (shop-1), market=M (GB), numbers=A,B,
// label=platform|seller, carrier=C, lane=CN-GB, postcode=P, promise=T, until=T,
// received=T, backfill.
//
// What is printed of an alert: clock, status, rule:detail/level, number, anchor;
// and where they say more: end, first opening (unless now), stage at the anchor,
// facility and country, order, lane, cause, silence, carrier (unless acme), policy
// (unless default), the number in its id (unless the parcel's), marks. With several
// partitions a line begins with the one that it comes from.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScenario(t, a)
			at := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
			if at < 0 {
				at = len(a.Files)
				a.Files = append(a.Files, txtar.File{Name: "want"})
			}
			if want := a.Files[at].Data; bytes.Equal(got, want) {
				return
			} else if !*update {
				t.Errorf("got:\n%s\nwant:\n%s\ndifferences:\n%s", got, want, differences(string(got), string(want)))
				return
			}
			a.Files[at].Data = got
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// differences lists the lines that only one of the texts has.
func differences(got, want string) string {
	var b strings.Builder
	for _, side := range []struct{ mark, text, other string }{{"+ ", got, want}, {"- ", want, got}} {
		has := strings.Split(side.other, "\n")
		for line := range strings.SplitSeq(side.text, "\n") {
			if !slices.Contains(has, line) {
				b.WriteString(side.mark + line + "\n")
			}
		}
	}
	return b.String()
}

const testBase = int64(1790812800000) // 2026-10-01T00:00:00Z

type scenario struct {
	t        *testing.T
	machines []*Machine
	m        *Machine // the one that the present record is for
	p        int      // which one that is
	offset   int64
	out      Output
	buf      bytes.Buffer
	facts    int
	control  int              // number of the last control record
	sent     []schemas.Record // forwarded
	archive  map[schemas.ID][]schemas.ArchiveRow
	asked    map[Ask]bool // asks that were printed
	numbers  []string     // all that occur
	hidden   map[string]bool
	sections map[string]string
}

func runScenario(t *testing.T, a *txtar.Archive) []byte {
	s := &scenario{t: t, m: NewMachine(3, 1), archive: map[schemas.ID][]schemas.ArchiveRow{}, asked: map[Ask]bool{},
		hidden: map[string]bool{"scores": true}, sections: map[string]string{}}
	s.machines = []*Machine{s.m}
	for _, f := range a.Files {
		s.sections[f.Name] = string(f.Data)
	}
	for n, line := range strings.Split(s.sections["log"], "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := s.line(words); err != nil {
			t.Fatalf("line %d: %q: %v", n+1, line, err)
		}
	}
	return s.buf.Bytes()
}

type command struct {
	words int // that it needs
	run   func(*scenario, []string) error
}

func (s *scenario) commands() map[string]command {
	return map[string]command{
		"partitions": {1, (*scenario).partitions},
		"hide":       {1, (*scenario).hide},
		"show":       {1, (*scenario).show},
		"policy":     {0, (*scenario).policy},
		"tick":       {0, (*scenario).tick},
		"run":        {1, (*scenario).run},
		"scan":       {3, func(s *scenario, w []string) error { return s.apply(s.scan(w)) }},
		"order":      {3, func(s *scenario, w []string) error { return s.apply(s.order(w)) }},
		"void":       {2, (*scenario).void},
		"alias":      {2, (*scenario).alias},
		"feed":       {4, (*scenario).feed},
		"repeat":     {3, (*scenario).repeat},
		"rows":       {0, (*scenario).rows},
		"orders":     {0, (*scenario).orders},
		"leave":      {0, (*scenario).leave},
		"answer":     {0, (*scenario).answer},
	}
}

func (s *scenario) line(w []string) error {
	c, ok := s.commands()[w[0]]
	switch {
	case !ok:
		return fmt.Errorf("unknown command")
	case len(w)-1 < c.words:
		return fmt.Errorf("want %d words at least after the command", c.words)
	}
	return c.run(s, w[1:])
}

// apply feeds the record to the partition of its key, then what it forwards to
// theirs, at once.
func (s *scenario) apply(r *schemas.Record) error {
	s.sent = append(s.sent, *r)
	return s.deliver()
}

// deliver applies what is under way, until nothing is.
func (s *scenario) deliver() error {
	const endless = 100_000
	for n := 0; len(s.sent) > 0; n++ {
		if n == endless {
			return fmt.Errorf("%d records forwarded, and more: this has no end", n)
		}
		next := s.sent[0]
		s.sent = s.sent[1:]
		if err := s.applyIn(s.home(keyOf(&next)), &next); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenario) home(key string) int {
	id := schemas.ParcelID(key)
	return int(id[0]) % len(s.machines)
}

// applyAll feeds the record to every partition.
func (s *scenario) applyAll(r *schemas.Record) error {
	for p := range s.machines {
		if err := s.applyIn(p, r); err != nil {
			return err
		}
	}
	return s.deliver()
}

func (s *scenario) applyIn(p int, r *schemas.Record) error {
	s.p, s.m = p, s.machines[p]
	s.offset++
	s.out.Reset()
	if err := s.m.Apply(s.offset, r, &s.out); err != nil {
		return err
	}
	s.print()
	for _, f := range s.out.Forwards {
		s.sent = append(s.sent, decoded(f))
	}
	return nil
}

// decoded is the record that a forward appends to the log of another partition.
func decoded(f Forward) (r schemas.Record) {
	if err := r.Decode(f.Value); err != nil {
		panic(err)
	}
	return r
}
