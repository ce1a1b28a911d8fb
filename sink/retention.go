package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// RetentionError says that records were deleted from a topic before the sink
// read them, or that the log lost its end.
type RetentionError struct {
	Topic     string
	Partition int32
	Wanted    int64 // first offset not written yet; -1 when not known
	LogStart  int64 // first offset that the broker still has; -1 when not known
}

func (e *RetentionError) Error() string {
	return fmt.Sprintf("sink: %s/%d: offset %d is not in the log, which begins at %d: records were deleted before they were read (retention too short, or the sink down too long); to go on without them and note the range in data_gaps, start once with: scantrail run --accept-gaps",
		e.Topic, e.Partition, e.Wanted, e.LogStart)
}

// fetchError returns an error if going on would skip records.
func (r *run) fetchError(ctx context.Context, topic string, partition int32, err error) error {
	var loss *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrClientClosed):
		return nil
	case r.raw != nil && beyondRepair(err):
		return rawFetchError(topic, partition, r.cfg.Group, err)
	case errors.Is(err, kerr.OffsetOutOfRange):
		return r.retentionError(ctx, topicPartition{topic, partition})
	case errors.As(err, &loss), errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		return fmt.Errorf("sink: %s/%d: %w (the topic lost records or was created anew: it needs a new generation and new tables)", topic, partition, err)
	}
	if p := (topicPartition{topic, partition}); r.fetchErrs[p] != err.Error() { // once for each change
		r.fetchErrs[p] = err.Error()
		r.cfg.Log.Warn("sink: cannot fetch, trying again", "topic", topic, "partition", partition, "error", err)
	}
	return nil
}

func (r *run) retentionError(ctx context.Context, p topicPartition) error {
	e := &RetentionError{Topic: p.topic, Partition: p.partition, Wanted: -1, LogStart: -1}
	adm := kadm.NewClient(r.client)
	if starts, err := adm.ListStartOffsets(ctx, p.topic); err == nil {
		if o, ok := starts.Lookup(p.topic, p.partition); ok && o.Err == nil {
			e.LogStart = o.Offset
		}
	}
	if n, ok := r.next[p]; ok {
		e.Wanted = n.Offset
	} else if committed, err := adm.FetchOffsets(ctx, r.cfg.Group); err == nil {
		if o, ok := committed.Lookup(p.topic, p.partition); ok && o.Err == nil {
			e.Wanted = o.At
		}
	}
	return e
}
