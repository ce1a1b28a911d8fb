package lanes

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"scantrail/schemas"
)

func defaults() *rules { return &rules{DefaultThresholds(), 1, 1000} }

var here = place{"CN", "US", "linehaul"}

func TestThresholds(t *testing.T) {
	r := defaults()
	none := schemas.Alert{}
	open := r.opened(here, count{open: 100, stalled: 30}, at(0))
	escalated := r.opened(here, count{open: 100, stalled: 60}, at(0))
	for _, c := range []struct {
		before        schemas.Alert
		stalled, open uint64
		want          string
	}{
		{none, 0, 0, ""},
		{none, 19, 19, ""},
		{none, 20, 20, "escalated 2"},
		{none, 20, 66, "open 1"},
		{none, 20, 67, ""},
		{none, 3, 10, ""},
		{none, 29, 100, ""},
		{none, 30, 100, "open 1"},
		{none, 599, 1000, "open 1"},
		{none, 600, 1000, "escalated 2"},
		{open, 600, 1000, "escalated 2"},
		{open, 599, 1000, ""},
		{open, 19, 90, ""},
		{open, 10, 50, ""},
		{open, 10, 51, "resolved 1"},
		{open, 9, 9, "resolved 1"},
		{open, 0, 0, "resolved 1"},
		{open, 20, 100, ""},
		{open, 19, 100, "resolved 1"},
		{escalated, 100, 100, ""},
		{escalated, 10, 50, ""},
		{escalated, 9, 10, "resolved 2"},
	} {
		var incidents []schemas.Alert
		if c.before != none {
			incidents = append(incidents, c.before)
		}
		got := ""
		out, _ := r.transitions(at(5), map[place]count{here: {open: c.open, stalled: c.stalled}}, true, incidents)
		for _, a := range out {
			got = fmt.Sprintf("%s %d", a.Status, a.Level)
			if c.before != none && (a.AlertID != c.before.AlertID || a.Version <= c.before.Version || a.OpenedAt != at(0) || a.ChangedAt != at(5)) {
				t.Errorf("%d of %d: %+v does not go on with %+v", c.stalled, c.open, a, c.before)
			}
		}
		if got != c.want || len(out) > 1 {
			t.Errorf("%q, then %d of %d: %q, want %q", c.before.Status, c.stalled, c.open, got, c.want)
		}
	}
}

// A place that is not among the counts is over, unless not all of them are known.
// At one slot an incident changes once.
func TestWhatEndsAnIncident(t *testing.T) {
	r := defaults()
	open := []schemas.Alert{r.opened(here, count{open: 100, stalled: 30}, at(5))}
	for _, c := range []struct {
		slot     int64
		complete bool
		want     int
	}{{at(10), true, 1}, {at(10), false, 0}, {at(5), true, 0}, {at(0), true, 0}} {
		if out, _ := r.transitions(c.slot, nil, c.complete, open); len(out) != c.want {
			t.Errorf("%+v: %d transitions", c, len(out))
		}
	}
}

// Where two processes began one incident each, the older one counts.
func TestOfTwoIncidentsTheOlderCounts(t *testing.T) {
	r := defaults()
	c := count{open: 100, stalled: 50, carrier: "cainiao"}
	older, younger := r.opened(here, c, at(0)), r.opened(here, c, at(5))
	for _, open := range [][]schemas.Alert{{older, younger}, {younger, older}} {
		out, _ := r.transitions(at(10), map[place]count{here: c}, true, open)
		if len(out) != 1 || out[0].AlertID != younger.AlertID || out[0].Status != schemas.AlertWithdrawn || out[0].EndedAt != 0 || out[0].Version <= younger.Version {
			t.Errorf("transitions are %+v, want the younger one withdrawn", out)
		}
	}
}

// However many lanes there are, only so many incidents are open: those that are
// go on, and the worst of the others get what room is left.
func TestIncidentsAreBounded(t *testing.T) {
	r := defaults()
	r.maxOpen = 10
	counts := map[place]count{}
	for i := range 676 {
		p := place{string([]byte{'A' + byte(i/26), 'A' + byte(i%26)}), "US", "origin"}
		counts[p] = count{open: 1000, stalled: uint64(300 + i%26)}
	}
	out, dropped := r.transitions(at(0), counts, true, nil)
	if len(out) != 10 || dropped != 666 {
		t.Fatalf("%d begin, %d do not, want 10 and 666", len(out), dropped)
	}
	for i, a := range out {
		if a.Origin != string([]byte{'A' + byte(i), 'Z'}) {
			t.Errorf("%s begins, want the lanes with most stalled parcels, by name", a.Origin)
		}
	}
	delete(counts, placeOf(&out[0]))
	next, dropped := r.transitions(at(5), counts, true, out)
	if len(next) != 1 || next[0].Status != schemas.AlertResolved || dropped != 666 {
		t.Errorf("%d transitions, %d without room, want one that is resolved", len(next), dropped)
	}
}

// The version rises with the clock, whatever generation a process has, and tells
// two contents apart.
func TestVersion(t *testing.T) {
	r := defaults()
	r.generation = 3
	first := r.opened(here, count{open: 100, stalled: 30}, at(0))
	if g, clock := first.Version>>52, int64(first.Version>>20&(1<<32-1)); g != 3 || clock != at(0)/1000 {
		t.Errorf("version of generation %d, clock %d", g, clock)
	}
	if same := r.opened(here, count{open: 101, stalled: 31}, at(0)); same != first {
		t.Errorf("%+v and %+v say the same and differ", first, same)
	}
	if other := r.opened(here, count{open: 100, stalled: 30, carrier: "cainiao"}, at(0)); other.Version == first.Version || other.AlertID != first.AlertID {
		t.Errorf("%+v and %+v differ in the carrier alone", first, other)
	}
	r.generation = 1
	if next := r.change(first, at(5), schemas.AlertResolved); next.Version <= first.Version || next.Version>>52 != 3 {
		t.Errorf("version %x after %x", next.Version, first.Version)
	}
	if end := time.Date(2106, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(); r.change(first, end, schemas.AlertResolved).Version>>20&(1<<32-1) != uint64(end/1000) {
		t.Error("the clock does not fit into the version")
	}
	if got := seconds(math.MaxInt64); got != math.MaxUint32 {
		t.Errorf("a silence of %d s", got)
	}
}

// TestAgainstDefinition lets random numbers of parcels stall, around the thresholds,
// and looks at once in two processes or in one: what is open follows from the
// counts alone, as lane_disruptions words it.
func TestAgainstDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	r := defaults()
	status, seen := map[place]string{}, map[string]int{}
	incidents := map[schemas.ID]schemas.Alert{}
	for round := range int64(5000) {
		counts, changes := map[place]count{}, 0
		for _, to := range []string{"US", "GB", "DE"} {
			p := place{"CN", to, "linehaul"}
			stalled, open := random.Uint64N(40), uint64(0)
			if open = stalled + random.Uint64N(1+4*stalled); random.IntN(3) == 0 {
				open = stalled * 100 / []uint64{20, 30, 60}[random.IntN(3)] // to the per cent
			}
			of100 := func(percent uint64) bool { return open > 0 && 100*stalled >= percent*open }
			was := status[p]
			switch lasts := was == "open" || was == "escalated"; {
			case lasts && (stalled < 10 || !of100(20)):
				status[p] = "resolved"
			case (lasts || stalled >= 20) && of100(60):
				status[p] = "escalated"
			case !lasts && stalled >= 20 && of100(30):
				status[p] = "open"
			}
			if seen[was+">"+status[p]]++; status[p] != was {
				changes++
			}
			if stalled >= 10 && of100(20) { // what is read of the view
				counts[p] = count{open: open, stalled: stalled}
			}
		}
		var open []schemas.Alert
		for _, a := range incidents {
			if a.Status != schemas.AlertResolved {
				open = append(open, a)
			}
		}
		for range 1 + random.IntN(2) { // the second has read the same
			found, dropped := r.transitions(at(5*round), counts, true, open)
			for _, a := range found {
				incidents[a.AlertID] = a
			}
			if len(found) != changes || dropped > 0 {
				t.Fatalf("round %d: %d transitions, want %d; %d dropped", round, len(found), changes, dropped)
			}
		}
		said, latest := map[place]string{}, map[place]int64{}
		for _, a := range incidents {
			if p := placeOf(&a); a.AnchorAt >= latest[p] {
				said[p], latest[p] = a.Status.String(), a.AnchorAt
			}
		}
		if !maps.Equal(said, status) {
			t.Fatalf("round %d: have %v, want %v", round, said, status)
		}
		maps.DeleteFunc(incidents, func(_ schemas.ID, a schemas.Alert) bool { return a.AnchorAt < latest[placeOf(&a)] })
	}
	for _, change := range []string{">open", ">escalated", "open>escalated", "open>resolved", "escalated>resolved", "resolved>open", "resolved>escalated", "open>open", "escalated>escalated"} {
		if seen[change] == 0 {
			t.Errorf("never %s: the test tests little", change)
		}
	}
}
