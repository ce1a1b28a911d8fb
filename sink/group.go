package sink

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// topicPartition names a partition.
type topicPartition struct {
	topic     string
	partition int32
}

// lostRange is a range of offsets that is no longer in the log.
type lostRange struct {
	topicPartition
	first, last int64
}

// membership is what the group's callbacks tell the goroutine that polls. Its
// mutex is held for a few assignments only, never while anything is read or
// written: a flush can take hours when ClickHouse is away, and a rebalance
// must not wait for it. That is safe because rows may be written twice.
type membership struct {
	log        *slog.Logger
	group      string
	acceptGaps bool

	mu      sync.Mutex
	owned   map[topicPartition]bool
	ledgers map[int32]*ledger // of parcel.events: where to go on, and with which counts
	lost    []lostRange
	adm     *kadm.Client // of the consuming client, from the first assignment on
}

func newMembership(group string, acceptGaps bool, log *slog.Logger) *membership {
	return &membership{log: log, group: group, acceptGaps: acceptGaps,
		owned: map[topicPartition]bool{}, ledgers: map[int32]*ledger{}}
}

// options returns the options of the consumer. An offset that is not in the
// log is an error: the client's default would skip what is missing silently.
func (m *membership) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(m.group),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, cl *kgo.Client, parts map[string][]int32) {
			m.mu.Lock()
			m.adm = kadm.NewClient(cl)
			m.mu.Unlock()
			m.own(parts, true)
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { m.own(parts, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { m.own(parts, false) }),
	}
}

func (m *membership) own(parts map[string][]int32, owned bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, ps := range parts {
		for _, p := range ps {
			if owned {
				m.owned[topicPartition{topic, p}] = true
			} else {
				delete(m.owned, topicPartition{topic, p})
			}
		}
	}
}

func (m *membership) owns(p topicPartition) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owned[p]
}

// takeLedger returns the ledger with which a partition of parcel.events was
// assigned, once, if it leads from after `after` to `offset`.
func (m *membership) takeLedger(partition int32, after, offset int64) *ledger {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.ledgers[partition]
	if l == nil || l.next <= after || l.next > offset {
		return nil
	}
	delete(m.ledgers, partition)
	return l
}

// takeLost returns the ranges that were found missing since the last call.
func (m *membership) takeLost() []lostRange {
	m.mu.Lock()
	defer m.mu.Unlock()
	lost := m.lost
	m.lost = nil
	return lost
}

// adjust decides where to begin in newly assigned partitions, from what the
// group has committed: with the ledger that was committed beside the offset,
// or, without one, from the start of the block, to count it again.
func (m *membership) adjust(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	topics := make([]string, 0, len(offsets))
	for topic := range offsets {
		topics = append(topics, topic)
	}
	m.mu.Lock()
	adm := m.adm
	m.mu.Unlock()
	committed, err := adm.FetchOffsets(ctx, m.group)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of group %s: %w", m.group, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list the start of the logs: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, ps := range offsets {
		for p := range ps {
			start, ok := starts.Lookup(topic, p)
			if !ok || start.Err != nil {
				return nil, fmt.Errorf("list the start of %s/%d: %w", topic, p, start.Err)
			}
			at := int64(-1)
			c, ok := committed.Lookup(topic, p)
			if ok && c.Err == nil {
				at = c.At
			}
			ps[p] = kgo.NewOffset().At(m.begin(topicPartition{topic, p}, at, c.Metadata, start.Offset))
		}
	}
	return offsets, nil
}

// begin returns the offset to begin at, -1 for committed meaning none. The clock
// goes on with the ledger; without one it begins with the first tick that is read,
// which may be ahead of the detector's for as long as that catches up with a jump.
func (m *membership) begin(p topicPartition, committed int64, metadata string, start int64) int64 {
	at := committed
	switch {
	case committed < 0:
		at = start
	case committed < start && m.acceptGaps:
		m.log.Warn("records were deleted before they were read: noted in data_gaps",
			"topic", p.topic, "partition", p.partition, "first", committed, "last", start-1)
		m.lost = append(m.lost, lostRange{p, committed, start - 1})
		at = start
	}
	if p.topic != schemas.EventsTopic {
		return at
	}
	if committed >= 0 {
		l, err := parseMetadata(metadata, committed)
		if err == nil {
			m.ledgers[p.partition] = l
			return at
		}
		// Reading again what is there is harmless; guessing counts is not.
		at = max(blockStart(committed), start)
		m.log.Info("counting a block from its start", "topic", p.topic, "partition", p.partition, "offset", at, "reason", err)
	}
	m.ledgers[p.partition], _ = ledgerAt(at)
	return at
}
