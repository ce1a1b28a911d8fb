package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// GroupPrefix, followed by a receiver's name, is its consumer group. Each receiver
// has its own, so that one that does not answer keeps none of the others waiting.
const GroupPrefix = "scantrail-notify."

// change of what a member of the group owns.
type change struct {
	id       int32
	gone     bool
	at       int64
	end      int64 // of the log
	metadata string
	lost     int64 // records deleted before they were read
}

// membership is what the group's callbacks tell the goroutine that owns the
// book. Its mutex is held for assignments only. Rebalances wait until a poll has
// been entered in the book, so that the changes before it are known.
type membership struct {
	group string
	since time.Time // a receiver without a committed offset begins with alerts written since
	log   *slog.Logger

	mu      sync.Mutex
	changes []change
	adm     *kadm.Client
}

// options returns the options of the consumer. An offset that is not in the log
// is an error, never skipped silently.
func (g *membership) options() []kgo.Opt {
	gone := func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, p := range parts[schemas.AlertsTopic] {
			g.changes = append(g.changes, change{id: p, gone: true})
		}
	}
	return []kgo.Opt{
		kgo.ConsumerGroup(g.group),
		kgo.ConsumeTopics(schemas.AlertsTopic),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()), // adjust knows better
		kgo.Balancers(newOneMember(g.group)),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, cl *kgo.Client, _ map[string][]int32) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.adm = kadm.NewClient(cl)
		}),
		kgo.OnPartitionsRevoked(gone),
		kgo.OnPartitionsLost(gone),
		kgo.AdjustFetchOffsetsFn(func(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			adjusted, err := g.adjust(ctx, offsets)
			if err != nil {
				g.log.Warn("notify: cannot begin in the assigned partitions, trying again", "err", err)
			}
			return adjusted, err
		}),
	}
}

// take returns the changes since the last call.
func (g *membership) take() []change {
	g.mu.Lock()
	defer g.mu.Unlock()
	changes := g.changes
	g.changes = nil
	return changes
}

// adjust decides where to begin in newly assigned partitions.
func (g *membership) adjust(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	g.mu.Lock()
	adm := g.adm
	g.mu.Unlock()
	committed, err := adm.FetchOffsets(ctx, g.group)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of group %s: %w", g.group, err)
	}
	starts, err := adm.ListStartOffsets(ctx, schemas.AlertsTopic)
	if err != nil {
		return nil, fmt.Errorf("list the start of %s: %w", schemas.AlertsTopic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, schemas.AlertsTopic)
	if err != nil {
		return nil, fmt.Errorf("list the end of %s: %w", schemas.AlertsTopic, err)
	}
	recent, err := adm.ListOffsetsAfterMilli(ctx, g.since.UnixMilli(), schemas.AlertsTopic)
	if err != nil {
		return nil, fmt.Errorf("list the recent offsets of %s: %w", schemas.AlertsTopic, err)
	}
	var changes []change
	for p := range offsets[schemas.AlertsTopic] {
		start, ok1 := starts.Lookup(schemas.AlertsTopic, p)
		end, ok2 := ends.Lookup(schemas.AlertsTopic, p)
		since, ok3 := recent.Lookup(schemas.AlertsTopic, p)
		if !ok1 || !ok2 || !ok3 || start.Err != nil || end.Err != nil || since.Err != nil {
			return nil, fmt.Errorf("list the offsets of %s/%d: not known to the broker", schemas.AlertsTopic, p)
		}
		c := change{id: p, at: since.Offset}
		if at, ok := committed.Lookup(schemas.AlertsTopic, p); ok && at.Err == nil && at.At >= 0 {
			c = g.begin(p, at.At, at.Metadata, start.Offset, end.Offset)
		}
		c.end = end.Offset
		// What lies before is read to be remembered only.
		offsets[schemas.AlertsTopic][p] = kgo.NewOffset().At(max(start.Offset, c.at-rememberLast))
		changes = append(changes, c)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changes = append(g.changes, changes...)
	return offsets, nil
}

// begin goes on at what is committed. What the topic has deleted meanwhile would
// be too old for a page: it is counted and passed over.
func (g *membership) begin(p int32, committed int64, metadata string, start, end int64) change {
	switch {
	case committed > end:
		g.log.Warn("notify: the topic is shorter than what was read of it: it was made anew, and is read from its start", "partition", p, "committed", committed, "end", end)
		return change{id: p, at: start}
	case committed < start:
		g.log.Warn("notify: alerts were deleted before they were sent: retention is too short, or the role was down for too long", "partition", p, "first", committed, "last", start-1)
		return change{id: p, at: start, lost: start - committed}
	}
	return change{id: p, at: committed, metadata: metadata}
}
