package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// report is what a run was and what it found.
type report struct {
	Began       time.Time
	Tormented   time.Duration // from the first fault to the last
	Drained     time.Duration // from then until everything had arrived
	Kills       int
	Faults      map[string]int
	Sent        int64 // records acknowledged to the world
	Records     int64 // records that the raw topics hold: one whose acknowledgement dies is sent again
	Alerts      int   // for gaps and missing milestones, compared with the truth
	Promised    int   // messages that the webhook must get
	Posts       int   // messages that the webhook took, each counted once
	Digested    int   // messages for which digests stand, beyond what may come in a minute
	PostedAgain int   // and how often one of them came once more, with its key
	Unanswered  int   // posts that were taken, and whose answer got lost
	Audited     int64 // figures and rows that audit compared
	Probes      delays
	Outages     []outage
	RSS         int           // MiB that the largest service took
	Slowest     time.Duration // from SIGTERM to an end in order
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n  %d kills in %s\n", r.Kills, r.Tormented.Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
		fmt.Fprintf(w, "  %6d %s\n", r.Faults[name], name)
	}
	for i := range r.Outages {
		fmt.Fprintf(w, "  %s\n", &r.Outages[i])
	}
	fmt.Fprintf(w, "  alerts while all this happened: %s; the largest service took %d MiB; SIGTERM was obeyed within %s\n", r.Probes, r.RSS, r.Slowest.Round(10*time.Millisecond))
	fmt.Fprintf(w, "  %d raw records, %d acknowledged; everything had arrived after %s\n", r.Records, r.Sent, r.Drained.Round(time.Second))
	fmt.Fprintf(w, "  %d messages at the webhook, %d more in digests, %d were promised; %d posts repeated one, and %d answers had got lost\n", r.Posts, r.Digested, r.Promised, r.PostedAgain, r.Unanswered)
	fmt.Fprintf(w, "  %d alerts compared with the truth, %d figures and rows by scantrail audit\n", r.Alerts, r.Audited)
}
