package carriers

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"scantrail/schemas"
)

var update = flag.Bool("update", false, "rewrite testdata/*/*.golden")

// TestGolden decodes every fixture and compares all that came out of it. After
// a wanted change: go test ./ingest/carriers -run TestGolden/usps -update for
// those of one carrier, then read the difference.
func TestGolden(t *testing.T) {
	r := load(t)
	d := r.NewDecoder(Limits{})
	var files []string
	for _, pattern := range []string{"testdata/*/*.json", "testdata/*/*.xml", "testdata/*/*.edi", "testdata/*/*.x12", "testdata/*/*.csv"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	if len(files) < 30 {
		t.Fatalf("only %d fixtures found", len(files))
	}
	for _, file := range files {
		carrier := filepath.Base(filepath.Dir(file))
		t.Run(carrier+"/"+filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(d.Decode(carrier, raw, Source{ReceivedAt: 1791400000000}))
			golden := file + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// describe prints a result one line per fact, so that a golden file can be
// read: only what is set, in a fixed order.
func describe(r *Result) string {
	var b strings.Builder
	for i := range r.Events {
		e := &r.Events[i]
		fmt.Fprintf(&b, "event %d %s %s %s (raw %q, %+d min, %s, ±%d s)\n", e.EventIndex, e.TrackingNumber,
			schemas.FormatTime(e.OccurredAt), e.Milestone, e.OccurredAtRaw, e.OffsetMinutes, e.TZSource, e.UncertaintySecs)
		fmt.Fprintf(&b, "  physical=%v progress=%v by %s; code %q text %q\n", e.Physical, e.Progress, e.Rule, e.RawCode, e.RawText)
		fmt.Fprintf(&b, "  at %q country %q region %q city %q postcode %q facility %q; lane %s>%s product %q\n",
			e.LocationRaw, e.Country, e.Region, e.City, e.Postcode, e.Facility, e.OriginCountry, e.DestinationCountry, e.Product)
		if e.EventID != "" {
			fmt.Fprintf(&b, "  id %q\n", e.EventID)
		}
		if e.Direction != schemas.NoDirection || e.Reason != "" || e.Leg != 0 {
			fmt.Fprintf(&b, "  direction %s by %s, reason %q fault %s leg %d\n", e.Direction, e.DirectionSource, e.Reason, e.Fault, e.Leg)
		}
	}
	for _, v := range r.Voids {
		fmt.Fprintf(&b, "void %s id %q declared %s\n", v.TrackingNumber, v.EventID, schemas.FormatTime(v.At))
	}
	for _, a := range r.Aliases {
		fmt.Fprintf(&b, "alias %s = %s\n", a.TrackingNumber, a.OtherNumber)
	}
	for _, x := range r.Rejected {
		fmt.Fprintf(&b, "rejected %d %s %s: %s\n", x.EventIndex, x.Reason, x.Field, x.Detail)
	}
	if b.Len() == 0 {
		return "empty\n"
	}
	return b.String()
}
