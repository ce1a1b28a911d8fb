package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// hunter looks for the first seed that finds each mutant.
type hunter struct {
	*bench
	seeds    int
	limit    time.Duration
	known    int
	progress io.Writer

	sound  string               // the program without a mutant
	failed map[int]map[int]bool // of the sound program, by the first seed of a lot
}

// lot is seeds that are run together: few at first, since most mutants are found
// soon.
type lot struct{ from, n int }

const (
	firstLot = 25
	lastLot  = 400
)

func (h *hunter) lots() (all []lot) {
	n := firstLot
	for from := 0; from < h.seeds; {
		size := min(n, h.seeds-from)
		all = append(all, lot{from, size})
		from += size
		n = min(2*n, lastLot)
	}
	return all
}

// catch is how a mutant was found.
type catch struct {
	seed int // -1: not
	run  int // seeds that were run
	how  string
	took time.Duration
}

func (c *catch) String() string {
	if c.seed < 0 {
		return fmt.Sprintf("not in %d seeds", c.run)
	}
	return fmt.Sprintf("seed %d", c.seed)
}

// all hunts the mutants and writes a table of them. Those that are not found are
// an error.
func (h *hunter) all(ctx context.Context, list []mutant, out io.Writer) error {
	sound, err := h.build(ctx, nil)
	if err != nil {
		return err
	}
	h.sound, h.failed = sound, map[int]map[int]bool{}
	fmt.Fprintln(out, "| mutant | what it does wrong | caught by | time | first difference |\n| --- | --- | --- | --- | --- |")
	var missed []string
	for i := range list {
		m := &list[i]
		c, err := h.hunt(ctx, m)
		if err != nil {
			return err
		}
		if c.seed < 0 {
			missed = append(missed, m.name)
		}
		fmt.Fprintf(out, "| %s | %s | %s | %.0f s | %s |\n", m.name, m.what, c, c.took.Seconds(), c.how)
	}
	fmt.Fprintf(out, "\n%d mutants, %d caught\n", len(list), len(list)-len(missed))
	if len(missed) > 0 {
		return fmt.Errorf("not caught: %s", strings.Join(missed, ", "))
	}
	return nil
}

// hunt runs lots until one has a seed that fails with the mutant alone.
func (h *hunter) hunt(ctx context.Context, m *mutant) (*catch, error) {
	program, err := h.build(ctx, m)
	if err != nil {
		return nil, err
	}
	defer os.Remove(program)
	start, run := time.Now(), 0
	for _, l := range h.lots() {
		rest := h.limit - time.Since(start)
		if rest <= 0 {
			break
		}
		got, err := h.sim(ctx, program, l, rest)
		if err != nil {
			return nil, fmt.Errorf("mutant %s: %w", m.name, err)
		}
		if len(got.lines) > 0 {
			paused := time.Now()
			if err := h.soundly(ctx, l); err != nil {
				return nil, err
			}
			start = start.Add(time.Since(paused))
		}
		for _, f := range got.lines {
			if !h.failed[l.from][f.seed] {
				return &catch{f.seed, run + f.seed - l.from + 1, brief(f.text), time.Since(start)}, nil
			}
		}
		if got.hung {
			return &catch{seed: l.from, run: run, how: "does not come to an end (in this seed or a later one)", took: time.Since(start)}, nil
		}
		run += l.n
		fmt.Fprintf(h.progress, "%s: not in %d seeds\n", m.name, run)
	}
	return &catch{seed: -1, run: run, took: time.Since(start)}, nil
}

// soundly notes which seeds of a lot fail without any mutant: those tell nothing.
func (h *hunter) soundly(ctx context.Context, l lot) error {
	if h.failed[l.from] != nil {
		return nil
	}
	got, err := h.sim(ctx, h.sound, l, 10*time.Minute)
	if err != nil {
		return err
	}
	fails := map[int]bool{}
	for _, f := range got.lines {
		fails[f.seed] = true
	}
	if len(fails) > 0 {
		fmt.Fprintf(h.progress, "%d of %d seeds from %d fail without a mutant, they do not count\n", len(fails), l.n, l.from)
	}
	h.failed[l.from] = fails
	return nil
}

// outcome is what a run of seeds said.
type outcome struct {
	lines []failure
	hung  bool
}

type failure struct {
	seed int
	text string
}

// guard bounds the memory of a run: a mutant may grow without end.
const guard = `ulimit -v 5000000 2>/dev/null; exec "$0" "$@"`

var failedSeed = regexp.MustCompile(`^seed (\d+) failed:? ?(.*)`)

// sim runs a lot with the oracle in Go.
func (h *hunter) sim(ctx context.Context, program string, l lot, limit time.Duration) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", guard, program, "-sql", "0", "-often", "0", "-strict", "-show", "0", "-batch", "25", "-known", strconv.Itoa(h.known),
		"-from", strconv.Itoa(l.from), "-seeds", strconv.Itoa(l.n), "-for", limit.String())
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	err := cmd.Run()
	var o outcome
	for line := range strings.Lines(text.String()) {
		match := failedSeed.FindStringSubmatch(line)
		last := len(o.lines) - 1
		switch {
		case match != nil:
			seed, convErr := strconv.Atoi(match[1])
			if convErr != nil {
				return o, convErr
			}
			o.lines = append(o.lines, failure{seed, match[2]})
		case last >= 0 && strings.HasPrefix(line, "  ") && strings.TrimSpace(line) != "":
			o.lines[last].text += " " + strings.TrimSpace(line)
		}
	}
	var exit *exec.ExitError
	switch {
	case err == nil || len(o.lines) > 0:
		return o, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		o.hung = true
		return o, nil
	case errors.As(err, &exit) && strings.Contains(text.String(), "out of memory"):
		o.hung = true
		return o, nil
	case errors.As(err, &exit):
		return o, fmt.Errorf("simulation stopped without a failed seed: %w\n%s", err, tail(text.String(), 2000))
	}
	return o, err
}

// brief cuts a text so that it fits into a cell of a table.
func brief(s string) string {
	const most = 110
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, "|", "/")), " ")
	if len(s) > most {
		s = s[:most] + " ..."
	}
	return s
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
