package main

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/bench/world"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

const (
	rawTopic   = "scans.raw.yunexpress"
	partitions = 6
	perParcel  = 12 // scans of a parcel, about
	// sentinels are parcels of each partition that are announced at the very end,
	// for who takes the time from the records: enough of them that one of each
	// partition comes to each partition of a topic that is keyed anew.
	sentinels = 100
)

// input is what lies in the raw topic.
type input struct {
	world     *world.World
	to        time.Time // of the last record
	scans     int64     // one in each record
	bytes     int64
	cancelled map[string]bool // parcels left out: this carrier has no code for a cancelled parcel
}

// produce writes a world of about so many scans to the raw topic. Its parcels
// have several carriers; here each scan comes as a push of one of them.
func produce(ctx context.Context, brokers []string, scans int, seed uint64) (*input, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	// Times of records are those of the world: 45 days old, and not to be deleted.
	forever := "-1"
	if _, err := kadm.NewClient(client).CreateTopic(ctx, partitions, 1, map[string]*string{"retention.ms": &forever}, rawTopic); err != nil {
		return nil, fmt.Errorf("creating topic %s: %w", rawTopic, err)
	}
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		return nil, err
	}
	to := time.Now().UTC().Truncate(time.Second)
	in := &input{to: to, cancelled: map[string]bool{}, world: world.New(world.Config{Seed: seed, Parcels: max(scans/perParcel, 100), To: to,
		WrongZone: -1, Cumulative: -1, Rubbish: -1})} // a zone, an answer and a heartbeat would need the carrier that sent them
	p := &producing{in: in, client: client, decoder: registry.NewDecoder(carriers.Limits{}), lanes: map[string]lane{}, errs: make(chan error, 1)}
	if err := in.world.Emit(to, p.cancelled); err != nil {
		return nil, err
	}
	in.world.Rewind()
	push := func(r world.Record) error { return p.record(ctx, r) }
	if err := in.world.Emit(to, push); err != nil {
		return nil, err
	}
	p.end(ctx)
	if err := client.Flush(ctx); err != nil {
		return nil, err
	}
	select {
	case err := <-p.errs:
		return nil, fmt.Errorf("producing the input: %w", err)
	default:
		return in, nil
	}
}

// producing turns the world's records into pushes.
type producing struct {
	in      *input
	client  *kgo.Client
	decoder *carriers.Decoder
	lanes   map[string]lane // by number
	errs    chan error      // the first of the client
}

// cancelled notes the parcels that a carrier says are cancelled, and the lanes.
func (p *producing) cancelled(r world.Record) error {
	if r.Topic == world.OrdersTopic {
		var o schemas.OrderFact
		if err := schemas.ParseOrderFact(r.Value, &o); err != nil {
			return err
		}
		for _, number := range o.TrackingNumbers {
			p.lanes[strings.Clone(number)] = lane{strings.Clone(o.OriginCountry), strings.Clone(o.DestinationCountry), strings.Clone(o.OrderID)}
		}
		return nil
	}
	if !bytes.Contains(r.Value, []byte("Cancel")) { // spares the decoding of all the others
		return nil
	}
	for _, e := range p.decode(r) {
		if e.Milestone == schemas.Cancelled {
			p.in.cancelled[strings.Clone(e.TrackingNumber)] = true
		}
	}
	return nil
}

func (p *producing) decode(r world.Record) []schemas.Event {
	return p.decoder.Decode(strings.TrimPrefix(r.Topic, schemas.RawTopicPrefix), r.Value,
		carriers.Source{Topic: r.Topic, ReceivedAt: r.At.UnixMilli()}).Events
}

func (p *producing) record(ctx context.Context, r world.Record) error {
	if r.Topic == world.OrdersTopic {
		return nil
	}
	for _, e := range p.decode(r) {
		if p.in.cancelled[e.TrackingNumber] {
			continue
		}
		code, ok := codes[e.Milestone]
		l, known := p.lanes[e.TrackingNumber]
		if !ok || !known {
			return fmt.Errorf("parcel %s: no code for %s, or no lane", e.TrackingNumber, e.Milestone)
		}
		at := time.UnixMilli(e.OccurredAt).In(time.FixedZone("", int(e.OffsetMinutes)*60))
		number := strings.Clone(e.TrackingNumber)
		p.push(ctx, partitionOf(number), number, r.At, appendPush(nil, number, l, code, at, e.Country, e.City))
	}
	return nil
}

// end announces parcels at the end of the world in each partition.
func (p *producing) end(ctx context.Context) {
	left := [partitions]int{}
	for n, full := 0, 0; full < partitions; n++ {
		number := fmt.Sprintf("YT%016d", n)
		to := partitionOf(number)
		if left[to] == sentinels {
			continue
		}
		if left[to]++; left[to] == sentinels {
			full++
		}
		p.push(ctx, to, number, p.in.to, appendPush(nil, number, lane{"CN", "US", "SO-" + number}, codes[schemas.LabelCreated], p.in.to, "CN", "Shenzhen"))
	}
}

func partitionOf(number string) int32 {
	h := fnv.New32a()
	h.Write([]byte(number)) //nolint:errcheck // never fails
	return int32(h.Sum32() % partitions)
}

func (p *producing) push(ctx context.Context, partition int32, number string, at time.Time, value []byte) {
	p.in.scans++
	p.in.bytes += int64(len(value))
	p.client.Produce(ctx, &kgo.Record{Topic: rawTopic, Partition: partition, Key: []byte(number), Value: value, Timestamp: at}, func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case p.errs <- err:
			default:
			}
		}
	})
}
