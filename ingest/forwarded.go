package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"scantrail/schemas"
)

// owners follows how far the detector has come in every partition of
// parcel.events: up to which clock what it forwards is in the log.
type owners struct {
	parts    []owner
	lastTick int64 // highest that was written, Unix milliseconds
}

// owner is the detector of one partition, whichever process that is.
type owner struct {
	clock   int64     // that it has committed, Unix milliseconds; 0: none
	movedAt time.Time // when the clock last moved or had nowhere to move
	stuck   bool
}

// see notes the clock that the owner of partition p has committed, 0 where it
// has committed none.
func (o *owners) see(p int, clock int64, now time.Time, stallAfter time.Duration) {
	w := &o.parts[p]
	if clock != w.clock || clock >= o.lastTick || w.movedAt.IsZero() {
		w.clock, w.movedAt = clock, now
	}
	w.stuck = clock != 0 && now.Sub(w.movedAt) >= stallAfter
}

// through returns the lowest of the clocks, without those that are stuck, and
// how many these are. It returns 0 where a partition has none, or all are stuck.
func (o *owners) through() (clock int64, stuck int) {
	silent := false
	for i := range o.parts {
		switch w := &o.parts[i]; {
		case w.clock == 0:
			silent = true
		case w.stuck:
			stuck++
		case clock == 0 || w.clock < clock:
			clock = w.clock
		}
	}
	if silent {
		return 0, stuck
	}
	return clock, stuck
}

// lookAtOwners reads what the detector has committed.
func (t *Ticker) lookAtOwners(ctx context.Context, now time.Time) error {
	commits, err := t.admin.FetchOffsetsForTopics(ctx, schemas.DetectorGroup, schemas.EventsTopic)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("ticker: reading the commits of %s: %w", schemas.DetectorGroup, err)
	}
	for p := range t.owners.parts {
		was := t.owners.parts[p].stuck
		t.owners.see(p, committedClock(commits, int32(p)), now, t.cfg.StallAfter)
		w := t.owners.parts[p]
		switch {
		case w.stuck && !was:
			t.cfg.Log.Warn("the detector stands still in a partition: absences in the others no longer wait for what it forwards; see the log of its owner",
				"topic", schemas.EventsTopic, "partition", p, "clock", time.UnixMilli(w.clock).UTC(), "since", w.movedAt.UTC())
		case was && !w.stuck:
			t.cfg.Log.Info("the detector moves again", "topic", schemas.EventsTopic, "partition", p, "clock", time.UnixMilli(w.clock).UTC())
		}
	}
	return nil
}

// committedClock returns the clock of a partition's commit, 0 where there is
// none or it does not say.
func committedClock(commits kadm.OffsetResponses, p int32) int64 {
	c, ok := commits.Lookup(schemas.EventsTopic, p)
	if !ok || c.Err != nil || c.At < 0 {
		return 0
	}
	clock, _ := schemas.ParseDetectorMetadata(c.Metadata)
	return clock
}
