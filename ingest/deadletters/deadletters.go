// Package deadletters sends dead letters again, after a mapping was mended: it finds on
// the dead-letter topic the records that were refused, reads them with the mappings
// of today, and produces those that are now read better to the topics they came
// from. Facts are named by what they say, so sending twice is harmless.
package deadletters

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// maxRecords bounds the refused records that one run remembers, some 400 MB.
const maxRecords = 4_000_000

// Options says which dead letters are meant. Empty fields select all.
type Options struct {
	Kafka    []kgo.Opt
	Registry *carriers.Registry
	Limits   carriers.Limits
	Carrier  string
	Orders   bool // only of the topic orders, whose letters have no carrier
	Reason   string
	Since    time.Time // refused at or after
	Progress func(read, total int64)
}

// Group counts refused records of one carrier and reason.
type Group struct {
	Carrier, Reason string
	Records         int
	Mended          int    // read better by the mappings of today: these are sent
	Events          int    // that they hold: scans, order facts, links, voids
	Refused         int    // no better than before
	Repeated        int    // of the same bytes as one before
	Cut             int    // too long to stand whole on the dead-letter topic
	Example         string // why one is still refused
}

// Record is one record to be sent again. Its bytes are valid until Each returns.
type Record struct {
	Topic, Carrier string
	Origin         string // topic/partition/offset of the record that was refused
	Key, Value     []byte
}

// KafkaRecord returns a copy as it is sent. Unless live, it is flagged as history:
// that it comes late is our doing, not the carrier's.
func (r *Record) KafkaRecord(live bool) *kgo.Record {
	k := &kgo.Record{Topic: r.Topic, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...),
		Headers: []kgo.RecordHeader{{Key: schemas.ReplayHeader, Value: []byte(r.Origin)}}}
	if r.Key == nil {
		k.Key = nil
	}
	if r.Topic != schemas.OrdersTopic && r.Topic != schemas.RawTopicPrefix+r.Carrier && schemas.IsCarrierName([]byte(r.Carrier)) {
		k.Headers = append(k.Headers, kgo.RecordHeader{Key: schemas.CarrierHeader, Value: []byte(r.Carrier)})
	}
	if !live {
		k.Headers = append(k.Headers, kgo.RecordHeader{Key: schemas.BackfillHeader, Value: []byte("1")})
	}
	return k
}

// source names a refused record.
type source struct {
	topic     schemas.ID
	partition int32
	offset    int64
}

// refused is what is known of a record: how many letters it got, and the group of
// the first that was asked for (-1: none).
type refused struct {
	letters int32
	group   int32
}

type finder struct {
	o       Options
	reader  *Reader
	records map[source]*refused
	groups  []Group
	sent    map[schemas.ID]bool
}

// Find reads the dead-letter topic twice, up to its present end, and calls each
// with every record that the mappings of today read better than it was read, in no
// particular order. The bytes of a record stand in its first letter only, which
// may lie in another partition than the one that was asked for.
func Find(ctx context.Context, o Options, each func(*Record) error) ([]Group, error) {
	f := &finder{o: o, reader: NewReader(o.Registry, o.Limits, time.Now()), records: map[source]*refused{}, sent: map[schemas.ID]bool{}}
	ends, err := f.ends(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.read(ctx, ends, func(d *schemas.DeadLetter, _ *kgo.Record) error { return f.note(d) }); err != nil {
		return nil, err
	}
	err = f.read(ctx, ends, func(d *schemas.DeadLetter, r *kgo.Record) error {
		if x := f.records[source{d.TopicID, d.Partition, d.Offset}]; d.Index == 0 && x != nil && x.group >= 0 {
			return f.judge(d, r, x, each)
		}
		return nil
	})
	return f.groups, err
}

// bounds of the dead-letter topic: from the first record there to its end.
type bounds map[int32]struct{ from, to int64 }

func (f *finder) ends(ctx context.Context) (bounds, error) {
	client, err := kgo.NewClient(f.o.Kafka...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	starts, err := adm.ListStartOffsets(ctx, schemas.DeadLettersTopic)
	if err == nil {
		err = starts.Error()
	}
	var ends kadm.ListedOffsets
	if err == nil {
		if ends, err = adm.ListEndOffsets(ctx, schemas.DeadLettersTopic); err == nil {
			err = ends.Error()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the extent of %s: %w", schemas.DeadLettersTopic, err)
	}
	all := bounds{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if start.Offset < end.Offset {
			all[end.Partition] = struct{ from, to int64 }{start.Offset, end.Offset}
		}
	})
	return all, nil
}

// read calls fn with each dead letter within the bounds.
func (f *finder) read(ctx context.Context, all bounds, fn func(*schemas.DeadLetter, *kgo.Record) error) error {
	offsets, left, total, done := map[int32]kgo.Offset{}, map[int32]int64{}, int64(0), int64(0)
	for p, b := range all {
		offsets[p], left[p] = kgo.NewOffset().At(b.from), b.to
		total += b.to - b.from
	}
	if total == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(f.o.Kafka[:len(f.o.Kafka):len(f.o.Kafka)],
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{schemas.DeadLettersTopic: offsets}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	var d schemas.DeadLetter
	var headers []schemas.Header
	for len(left) > 0 {
		fetches := client.PollRecords(ctx, 10_000)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", schemas.DeadLettersTopic, err)
		}
		for _, r := range fetches.Records() {
			end, open := left[r.Partition]
			if !open || r.Offset >= end {
				continue
			}
			if done++; r.Offset+1 >= end {
				delete(left, r.Partition)
			}
			headers = headers[:0]
			for _, h := range r.Headers {
				headers = append(headers, schemas.Header{Key: h.Key, Value: h.Value})
			}
			if schemas.ParseDeadLetter(r.Value, headers, &d) != nil {
				continue // not of ingest's making; the sink notes it in data_gaps
			}
			if err := fn(&d, r); err != nil {
				return err
			}
		}
		if f.o.Progress != nil {
			f.o.Progress(done, total)
		}
	}
	return nil
}

// note remembers the record of a letter.
func (f *finder) note(d *schemas.DeadLetter) error {
	key := source{d.TopicID, d.Partition, d.Offset}
	x := f.records[key]
	if x == nil {
		if len(f.records) == maxRecords {
			return fmt.Errorf("more than %d records were refused: narrow it with --since", maxRecords)
		}
		x = &refused{group: -1}
		f.records[key] = x
	}
	x.letters++
	if x.group < 0 && f.selects(d) {
		x.group = f.group(d.Carrier, d.Reason)
		f.groups[x.group].Records++
	}
	return nil
}

// selects reports whether a letter is meant. Only topics that ingest reads are
// written to, whatever a letter says.
func (f *finder) selects(d *schemas.DeadLetter) bool {
	return (f.o.Carrier == "" || d.Carrier == f.o.Carrier) && (!f.o.Orders || d.Topic == schemas.OrdersTopic) && (f.o.Reason == "" || d.Reason == f.o.Reason) &&
		d.ReceivedAt >= f.o.Since.UnixMilli() && (d.Topic == schemas.OrdersTopic || strings.HasPrefix(d.Topic, schemas.RawTopicPrefix))
}

func (f *finder) group(carrier, reason string) int32 {
	for i := range f.groups {
		if f.groups[i].Carrier == carrier && f.groups[i].Reason == reason {
			return int32(i)
		}
	}
	f.groups = append(f.groups, Group{Carrier: carrier, Reason: reason})
	return int32(len(f.groups) - 1)
}

// judge reads a refused record once more.
func (f *finder) judge(d *schemas.DeadLetter, r *kgo.Record, x *refused, each func(*Record) error) error {
	g := &f.groups[x.group]
	x.group = -1 // a letter that was produced twice counts once
	for _, h := range r.Headers {
		if h.Key == schemas.CutHeader {
			g.Cut++
			return nil
		}
	}
	id := schemas.Hash(append(append([]byte(d.Topic+"\x00"+d.Carrier+"\x00"), d.Raw...), r.Key...))
	if f.sent[id] {
		g.Repeated++
		return nil
	}
	f.sent[id] = true
	now := f.reader.Read(d.Topic, d.Carrier, r.Key, d.Raw)
	if len(now.Rejected) >= int(x.letters) || now.Facts() == 0 && len(now.Rejected) > 0 {
		g.Refused++
		if g.Example == "" {
			g.Example = now.Rejected[0]
		}
		return nil
	}
	g.Mended++
	g.Events += now.Facts()
	return each(&Record{Topic: d.Topic, Carrier: d.Carrier, Key: r.Key, Value: d.Raw,
		Origin: fmt.Sprintf("%s/%d/%d", d.Topic, d.Partition, d.Offset)})
}
