package sink

import (
	"time"

	"scantrail/schemas"
)

// scanBlock is a block of scans, all of one month of reception: one block may
// go to one ClickHouse partition only.
type scanBlock struct {
	block
	texts                                          textBlock
	partition, utcOffset, sourcePartition          i32s
	offset, sourceOffset                           i64s
	received, occurred                             times
	parcel, fact, topicID                          ids
	number, numberCheck                            strs
	carrier, tzSource, milestone                   strs
	uncertainty, leg, index, mapping               u32s
	milestoneNo                                    u8s
	physical, progress, backfill, generic          bools
	direction, directionSource, reason, fault      strs
	rule, rawCode, country, region, city, postcode strs
	facility, origin, destination, product, topic  strs
}

func newScanBlock() *scanBlock {
	b := &scanBlock{}
	b.texts.init()
	b.block = newBlock("scans",
		i32Col("partition", &b.partition), i64Col("offset", &b.offset), timeCol("received_at", &b.received),
		idCol("parcel_id", &b.parcel), idCol("fact_id", &b.fact), strCol("tracking_number", &b.number),
		strCol("number_check", &b.numberCheck),
		strCol("carrier", &b.carrier), timeCol("occurred_at", &b.occurred), i32Col("utc_offset_minutes", &b.utcOffset),
		strCol("tz_source", &b.tzSource), u32Col("uncertainty_secs", &b.uncertainty),
		strCol("milestone", &b.milestone), u8Col("milestone_no", &b.milestoneNo),
		boolCol("physical", &b.physical), boolCol("progress", &b.progress),
		strCol("direction", &b.direction), strCol("direction_source", &b.directionSource),
		strCol("reason", &b.reason), strCol("fault", &b.fault), u32Col("leg", &b.leg),
		strCol("rule", &b.rule), strCol("raw_code", &b.rawCode), strCol("country", &b.country),
		strCol("region", &b.region), strCol("city", &b.city), strCol("postcode", &b.postcode),
		strCol("facility", &b.facility), strCol("origin", &b.origin), strCol("destination", &b.destination),
		strCol("product", &b.product), strCol("source_topic", &b.topic), idCol("source_topic_id", &b.topicID),
		i32Col("source_partition", &b.sourcePartition), i64Col("source_offset", &b.sourceOffset),
		u32Col("event_index", &b.index), boolCol("backfill", &b.backfill), boolCol("generic", &b.generic),
		u32Col("mapping_version", &b.mapping))
	return b
}

// add appends the event that lies at offset of partition.
func (b *scanBlock) add(partition int32, offset int64, e *schemas.Event) {
	b.rows++
	b.partition.add(partition)
	b.offset.add(offset)
	b.received.add(e.ReceivedAt)
	b.parcel.add(e.ParcelID)
	b.fact.add(e.FactID)
	b.number.add(e.TrackingNumber)
	b.numberCheck.add(e.NumberCheck.String())
	b.carrier.add(e.Carrier)
	b.occurred.add(e.OccurredAt)
	b.utcOffset.add(e.OffsetMinutes)
	b.tzSource.add(e.TZSource.String())
	b.uncertainty.add(e.UncertaintySecs)
	b.milestone.add(e.Milestone.String())
	b.milestoneNo.add(uint8(e.Milestone))
	b.physical.add(e.Physical)
	b.progress.add(e.Progress)
	b.direction.add(e.Direction.String())
	b.directionSource.add(e.DirectionSource.String())
	b.reason.add(e.Reason)
	b.fault.add(e.Fault.String())
	b.leg.add(e.Leg)
	b.rule.add(e.Rule)
	b.rawCode.add(e.RawCode)
	b.country.add(e.Country)
	b.region.add(e.Region)
	b.city.add(e.City)
	b.postcode.add(e.Postcode)
	b.facility.add(e.Facility)
	b.origin.add(e.OriginCountry)
	b.destination.add(e.DestinationCountry)
	b.product.add(e.Product)
	b.topic.add(e.Topic)
	b.topicID.add(e.TopicID)
	b.sourcePartition.add(e.Partition)
	b.sourceOffset.add(e.Offset)
	b.index.add(e.EventIndex)
	b.backfill.add(e.Backfill)
	b.generic.add(e.Generic)
	b.mapping.add(e.MappingVersion)
	if e.RawText != "" || e.OccurredAtRaw != "" || e.LocationRaw != "" || e.EventID != "" {
		b.texts.add(partition, offset, e)
	}
}

// textBlock is a block of scan_texts.
type textBlock struct {
	block
	partition               i32s
	offset                  i64s
	received                times
	number, eventID         strs
	occurred, raw, location strs
}

func (b *textBlock) init() {
	b.block = newBlock("scan_texts",
		i32Col("partition", &b.partition), i64Col("offset", &b.offset), timeCol("received_at", &b.received),
		strCol("tracking_number", &b.number), strCol("event_id", &b.eventID), strCol("occurred_at_raw", &b.occurred), strCol("raw_text", &b.raw), strCol("location_raw", &b.location))
}

func (b *textBlock) add(partition int32, offset int64, e *schemas.Event) {
	b.rows++
	b.partition.add(partition)
	b.offset.add(offset)
	b.received.add(e.ReceivedAt)
	b.number.add(e.TrackingNumber)
	b.eventID.add(e.EventID)
	b.occurred.add(e.OccurredAtRaw)
	b.raw.add(e.RawText)
	b.location.add(e.LocationRaw)
}

// scanMonths holds a block of scans for each month of reception. There is one
// month nearly always, and two when a month ends; a replay or a simulated
// world may bring more.
type scanMonths struct {
	blocks   []*monthBlock // those in use, in order of their first row
	free     []*scanBlock
	lastUsed *monthBlock
}

// monthBlock is the block of the times from start up to before end.
type monthBlock struct {
	*scanBlock
	start, end int64 // Unix milliseconds
}

// of returns the block of the month of a time of reception.
func (m *scanMonths) of(receivedAt int64) *scanBlock {
	at := min(max(receivedAt, minMillis), maxMillis)
	if l := m.lastUsed; l != nil && at >= l.start && at < l.end {
		return l.scanBlock
	}
	for _, b := range m.blocks {
		if at >= b.start && at < b.end {
			m.lastUsed = b
			return b.scanBlock
		}
	}
	t := time.UnixMilli(at).UTC()
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	b := &monthBlock{start: first.UnixMilli(), end: first.AddDate(0, 1, 0).UnixMilli()}
	if n := len(m.free); n > 0 {
		b.scanBlock, m.free = m.free[n-1], m.free[:n-1]
	} else {
		b.scanBlock = newScanBlock()
	}
	m.blocks, m.lastUsed = append(m.blocks, b), b
	return b.scanBlock
}

// maxFreeScanBlocks bounds the buffers that are kept for reuse.
const maxFreeScanBlocks = 2

// done forgets the first block, which is written.
func (m *scanMonths) done() {
	b := m.blocks[0]
	b.reset()
	b.texts.reset()
	if len(m.free) < maxFreeScanBlocks {
		m.free = append(m.free, b.scanBlock)
	}
	m.blocks, m.lastUsed = m.blocks[1:], nil
}
