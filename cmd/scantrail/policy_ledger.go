package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// ledger reads and writes the control records. The topic schemas.PolicyTopic
// comes first: its order decides which change is the last, it outlives the
// retention of the log, and reading it costs as much as there were changes. From
// there every partition of the log gets its copy, as often as it takes: a
// partition ignores a number that is not above its last.
type ledger struct {
	kafka      []kgo.Opt
	client     *kgo.Client
	partitions int32 // of parcel.events
}

// control is an entry of the ledger.
type control struct {
	schemas.Control
	offset  int64
	applied bool // every partition of the log has it
}

func openLedger(kafka []kgo.Opt) (*ledger, error) {
	kafka = kafka[:len(kafka):len(kafka)]
	client, err := kgo.NewClient(append(kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(250*time.Millisecond))...) // somebody waits: look for a partition's new leader soon
	if err != nil {
		return nil, err
	}
	return &ledger{kafka: kafka, client: client}, nil
}

func (l *ledger) close() { l.client.Close() }

// ledgerPatience is how long a command waits for brokers that do not answer.
const ledgerPatience = 30 * time.Second

// locate finds the partitions of the log.
func (l *ledger) locate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	topics, err := kadm.NewClient(l.client).ListTopics(ctx, schemas.EventsTopic, schemas.PolicyTopic)
	if err != nil {
		return fmt.Errorf("asking Kafka for topics: %w", err)
	}
	for _, name := range []string{schemas.EventsTopic, schemas.PolicyTopic} {
		if err := topics[name].Err; err != nil {
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("topic %s does not exist: start scantrail run on this cluster once", name)
			}
			return fmt.Errorf("topic %s: %w", name, err)
		}
	}
	l.partitions = int32(len(topics[schemas.EventsTopic].Partitions))
	return nil
}

// errNoControl says that nobody has started the service yet.
var errNoControl = errors.New("no policy was applied to this cluster yet: start scantrail run once, which applies the default one")

// inForce returns the last entry, errNoControl when there is none.
func (l *ledger) inForce(ctx context.Context) (control, error) {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	var last control
	err := l.read(ctx, func(c control, marks bool) {
		switch {
		case marks && c.Number == last.Number:
			last.applied = true
		case !marks && c.Number > last.Number: // of two with one number, the first counts
			last = c
		}
	})
	if err == nil && last.Number == 0 {
		err = errNoControl
	}
	return last, err
}

// read calls fn with every entry; marks says that it only marks one as applied.
func (l *ledger) read(ctx context.Context, fn func(c control, marks bool)) error {
	ends, err := kadm.NewClient(l.client).ListEndOffsets(ctx, schemas.PolicyTopic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", schemas.PolicyTopic, err)
	}
	end, _ := ends.Lookup(schemas.PolicyTopic, 0)
	if end.Offset == 0 {
		return nil
	}
	reader, err := kgo.NewClient(append(l.kafka, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		schemas.PolicyTopic: {0: kgo.NewOffset().AtStart()},
	}))...)
	if err != nil {
		return err
	}
	defer reader.Close()
	for next := int64(0); next < end.Offset; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s at offset %d of %d: %w", schemas.PolicyTopic, next, end.Offset, err)
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			var rec schemas.Record
			if err := rec.Decode(r.Value); err != nil {
				return fmt.Errorf("%s at offset %d: %w", schemas.PolicyTopic, r.Offset, err)
			}
			if rec.Kind == schemas.KindControl {
				fn(control{Control: rec.Control, offset: r.Offset}, len(r.Headers) > 0)
			}
		}
	}
	return nil
}

func controlValue(c *schemas.Control) []byte {
	var enc schemas.Encoder
	return enc.Append(nil, &schemas.Record{Kind: schemas.KindControl, Control: *c})
}

// record enters a control; it fails when somebody else took its number first.
func (l *ledger) record(ctx context.Context, c *schemas.Control) error {
	r := &kgo.Record{Topic: schemas.PolicyTopic, Value: controlValue(c)}
	if err := l.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("writing number %d to %s: %w", c.Number, schemas.PolicyTopic, err)
	}
	last, err := l.inForce(ctx)
	if err != nil {
		return err
	}
	if last.offset != r.Offset {
		return fmt.Errorf("%w: number %d", errOvertaken, last.Number)
	}
	return nil
}

var errOvertaken = errors.New("somebody applied another change at the same moment; look at it with scantrail policy show --cluster, then run this again")

// distribute writes the control into every partition of the log and marks it as
// applied. The client repeats what fails for the moment until ctx ends.
func (l *ledger) distribute(ctx context.Context, c *control) error {
	value := controlValue(&c.Control)
	records := make([]*kgo.Record, l.partitions)
	for p := range records {
		records[p] = &kgo.Record{Topic: schemas.EventsTopic, Partition: int32(p), Value: value}
	}
	var errs []error
	for _, result := range l.client.ProduceSync(ctx, records...) {
		if result.Err != nil {
			errs = append(errs, fmt.Errorf("writing number %d to %s[%d]: %w", c.Number, schemas.EventsTopic, result.Record.Partition, result.Err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if c.applied {
		return nil
	}
	mark := &kgo.Record{
		Topic: schemas.PolicyTopic, Value: controlValue(&schemas.Control{Number: c.Number}),
		Headers: []kgo.RecordHeader{{Key: schemas.PolicyApplied}},
	}
	if err := l.client.ProduceSync(ctx, mark).FirstErr(); err != nil {
		return fmt.Errorf("marking number %d as applied in %s: %w", c.Number, schemas.PolicyTopic, err)
	}
	return nil
}

// applyPolicyInForce writes the last control into every partition again: one that
// was killed half-way arrives, and a log whose retention has passed it has it
// once more. On a new cluster it is the default policy, as number 1.
func applyPolicyInForce(ctx context.Context, kafka []kgo.Opt, partitions int32) error {
	l, err := openLedger(kafka)
	if err != nil {
		return err
	}
	defer l.close()
	l.partitions = partitions
	last, err := l.inForce(ctx)
	if errors.Is(err, errNoControl) {
		first := schemas.Control{Number: 1, Detector: schemas.DetectorVersion, Policy: wholePolicy(schemas.DefaultPolicy())}
		if err := l.record(ctx, &first); err != nil && !errors.Is(err, errOvertaken) { // another process starts too
			return err
		}
		last, err = l.inForce(ctx)
	}
	if err != nil {
		return err
	}
	return l.distribute(ctx, &last)
}
