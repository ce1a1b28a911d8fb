package sink

import (
	"math"

	"scantrail/schemas"
)

// voidBlock is a block of voids.
type voidBlock struct {
	block
	partition                i32s
	offset                   i64s
	event, fact              ids
	eventID, number, carrier strs
	at                       nullTimes
	received                 times
}

func newVoidBlock() *voidBlock {
	b := &voidBlock{}
	b.block = newBlock("voids",
		i32Col("partition", &b.partition), i64Col("offset", &b.offset), idCol("event_fact_id", &b.event),
		idCol("fact_id", &b.fact), strCol("event_id", &b.eventID), strCol("tracking_number", &b.number),
		strCol("carrier", &b.carrier), nullCol("at", &b.at), timeCol("received_at", &b.received))
	return b
}

// add appends the void that lies at offset of partition.
func (b *voidBlock) add(partition int32, offset int64, v *schemas.Void) {
	b.rows++
	b.partition.add(partition)
	b.offset.add(offset)
	b.event.add(v.EventFactID)
	b.fact.add(v.FactID)
	b.eventID.add(v.EventID)
	b.number.add(v.TrackingNumber)
	b.carrier.add(v.Carrier)
	b.at.add(v.At)
	b.received.add(v.ReceivedAt)
}

// orderFactBlock is a block of order_facts.
type orderFactBlock struct {
	block
	partition, sourcePartition             i32s
	offset, sourceOffset                   i64s
	fact, topicID                          ids
	shop, order, market, kind, carrier     strs
	numbers                                arrays
	label, origin, destination, post, from strs
	at, received                           times
	promise, until                         nullTimes
	accepted, backfill                     bools
}

func newOrderFactBlock() *orderFactBlock {
	b := &orderFactBlock{}
	b.block = newBlock("order_facts",
		i32Col("partition", &b.partition), i64Col("offset", &b.offset), idCol("fact_id", &b.fact),
		strCol("shop_id", &b.shop), strCol("order_id", &b.order), strCol("market", &b.market),
		strCol("kind", &b.kind), timeCol("at", &b.at), strCol("carrier", &b.carrier),
		arrCol("tracking_numbers", &b.numbers), strCol("label_source", &b.label), strCol("origin", &b.origin),
		strCol("destination", &b.destination), strCol("destination_postcode", &b.post),
		nullCol("promise_at", &b.promise), nullCol("until", &b.until), boolCol("accepted", &b.accepted),
		timeCol("received_at", &b.received), boolCol("backfill", &b.backfill), strCol("source_topic", &b.from),
		idCol("source_topic_id", &b.topicID), i32Col("source_partition", &b.sourcePartition),
		i64Col("source_offset", &b.sourceOffset))
	return b
}

// add appends the order fact that lies at offset of partition.
func (b *orderFactBlock) add(partition int32, offset int64, o *schemas.OrderFact) {
	b.rows++
	b.partition.add(partition)
	b.offset.add(offset)
	b.fact.add(o.FactID)
	b.shop.add(o.ShopID)
	b.order.add(o.OrderID)
	b.market.add(o.Market)
	b.kind.add(o.Kind.String())
	b.at.add(o.At)
	b.carrier.add(o.Carrier)
	b.numbers.add(o.TrackingNumbers)
	b.label.add(o.LabelSource)
	b.origin.add(o.OriginCountry)
	b.destination.add(o.DestinationCountry)
	b.post.add(o.DestinationPostcode)
	b.promise.add(o.PromiseAt)
	b.until.add(o.Until)
	b.accepted.add(o.Accepted)
	b.received.add(o.ReceivedAt)
	b.backfill.add(o.Backfill)
	b.from.add(o.Topic)
	b.topicID.add(o.TopicID)
	b.sourcePartition.add(o.Partition)
	b.sourceOffset.add(o.Offset)
}

// policyBlock is a block of policies.
type policyBlock struct {
	block
	number, generation, detector u32s
	partition                    i32s
	offset                       i64s
	document                     strs
}

func newPolicyBlock() *policyBlock {
	b := &policyBlock{}
	b.block = newBlock("policies",
		u32Col("number", &b.number), i32Col("partition", &b.partition), i64Col("offset", &b.offset),
		u32Col("generation", &b.generation), u32Col("detector", &b.detector), strCol("document", &b.document))
	return b
}

// add appends the control record that lies at offset of partition.
func (b *policyBlock) add(partition int32, offset int64, c *schemas.Control) {
	b.rows++
	b.number.add(c.Number)
	b.partition.add(partition)
	b.offset.add(offset)
	b.generation.add(c.Generation)
	b.detector.add(c.Detector)
	b.document.add(c.Policy)
}

// feedBlock is a block of feed_minutes.
type feedBlock struct {
	block
	carrier, topic strs
	minute         secs
	partition      i32s
	offset, lag    i64s
	first, last    times
	events         u64s
	hours          u8s
}

func newFeedBlock() *feedBlock {
	b := &feedBlock{}
	b.block = newBlock("feed_minutes",
		strCol("carrier", &b.carrier), strCol("topic", &b.topic), secCol("minute", &b.minute),
		i32Col("partition", &b.partition), i64Col("offset", &b.offset), timeCol("first_at", &b.first),
		timeCol("last_at", &b.last), u64Col("events", &b.events), i64Col("max_lag_ms", &b.lag), u8Col("lag_hours", &b.hours))
	return b
}

// add appends the feed record that lies at offset of partition.
func (b *feedBlock) add(partition int32, offset int64, f *schemas.Feed) {
	b.rows++
	b.carrier.add(f.Carrier)
	b.topic.add(f.Topic)
	b.minute.add(uint32(min(max(f.First, 0)/60_000*60, math.MaxUint32/60*60)))
	b.partition.add(partition)
	b.offset.add(offset)
	b.first.add(f.First)
	b.last.add(f.Last)
	b.events.add(uint64(max(f.Events, 0)))
	b.lag.add(f.MaxLag)
	b.hours.add(f.LagHours)
}
