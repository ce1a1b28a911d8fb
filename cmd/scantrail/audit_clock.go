package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// logClock is what the last ticks of a partition say, in Unix seconds: parcels
// with an order or another number are judged at forwarded, the others at most at
// at. A replay knows at exactly.
type logClock struct {
	at, forwarded int64
	history       bool // the last tick says that history is being read
}

// clockTail is how far back a tick is looked for at first.
const clockTail = 5_000

// readClock reads the end of a partition of the log, as far as the detector has
// committed, back to its last tick.
func (a *audit) readClock(ctx context.Context, p logPartition) (logClock, error) {
	end := min(p.detector, p.end)
	for tail := int64(clockTail); ; tail *= 10 {
		var c logClock
		var r schemas.Record
		from := max(end-tail, p.start)
		err := a.readOffsets(ctx, schemas.EventsTopic, p.id, from, end, func(k *kgo.Record) error {
			if r.Decode(k.Value) == nil && r.Kind == schemas.KindTick {
				c = logClock{max(c.at, r.Tick.At/1000), max(c.forwarded, r.Tick.ForwardedThrough/1000), r.Tick.History}
			}
			return nil
		})
		if err != nil || c.at > 0 || from == p.start {
			return c, err
		}
	}
}

var errHistory = errors.New("history is being read: what is known only from it is judged, and has its rows, once all has been read; audit again then (scantrail_raw_partitions_behind is 0)")

// judged returns the clock of a partition, and errHistory while it has not judged
// all that it has read.
func (a *audit) judged(ctx context.Context, p logPartition) (logClock, error) {
	clock, err := a.readClock(ctx, p)
	if err == nil && clock.history {
		err = errHistory
	}
	return clock, err
}
