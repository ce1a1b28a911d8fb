package sink

import "scantrail/schemas"

// aliasBlock is a block of aliases.
type aliasBlock struct {
	block
	number, other, carrier strs
	version                u64s
	fact                   ids
	received               times
}

func newAliasBlock() *aliasBlock {
	b := &aliasBlock{}
	b.block = newBlock("aliases",
		strCol("tracking_number", &b.number), strCol("other_number", &b.other), u64Col("version", &b.version),
		strCol("carrier", &b.carrier), idCol("fact_id", &b.fact), timeCol("received_at", &b.received))
	return b
}

func (b *aliasBlock) add(offset int64, a *schemas.Alias) {
	b.rows++
	b.number.add(a.TrackingNumber)
	b.other.add(a.OtherNumber)
	b.version.add(uint64(offset))
	b.carrier.add(a.Carrier)
	b.fact.add(a.FactID)
	b.received.add(a.ReceivedAt)
}

// rangeBlock is a block of ranges.
type rangeBlock struct {
	block
	topicID                             ids
	partition                           i32s
	bucket, records, events, dead, none i64s
	last                                u64s
	topic                               strs
}

func newRangeBlock() *rangeBlock {
	b := &rangeBlock{}
	b.block = newBlock("ranges",
		idCol("topic_id", &b.topicID), i32Col("partition", &b.partition), i64Col("bucket", &b.bucket),
		u64Col("last_offset", &b.last), strCol("topic", &b.topic), i64Col("records", &b.records),
		i64Col("events", &b.events), i64Col("dead_letters", &b.dead), i64Col("empty", &b.none))
	return b
}

func (b *rangeBlock) add(r *schemas.Range) {
	b.rows++
	b.topicID.add(r.TopicID)
	b.partition.add(r.Partition)
	b.bucket.add(r.First)
	b.last.add(uint64(r.Last))
	b.topic.add(r.Topic)
	b.records.add(r.Records)
	b.events.add(r.Events)
	b.dead.add(r.DeadLetters)
	b.none.add(r.Empty)
}

// deadBlock is a block of dead_letters.
type deadBlock struct {
	block
	topic, carrier, reason, field, detail, raw strs
	topicID                                    ids
	partition, index, eventIndex               i32s
	offset                                     i64s
	mapping, size                              u32s
	received                                   times
}

func newDeadBlock() *deadBlock {
	b := &deadBlock{}
	b.block = newBlock("dead_letters",
		strCol("topic", &b.topic), idCol("topic_id", &b.topicID), i32Col("partition", &b.partition),
		i64Col("offset", &b.offset), i32Col("index", &b.index), i32Col("event_index", &b.eventIndex), strCol("carrier", &b.carrier),
		strCol("reason", &b.reason), strCol("field", &b.field), strCol("detail", &b.detail),
		u32Col("mapping_version", &b.mapping), timeCol("received_at", &b.received),
		strCol("raw", &b.raw), u32Col("raw_bytes", &b.size))
	return b
}

func (b *deadBlock) add(d *schemas.DeadLetter) {
	b.rows++
	b.topic.add(d.Topic)
	b.topicID.add(d.TopicID)
	b.partition.add(d.Partition)
	b.offset.add(d.Offset)
	b.index.add(d.Index)
	b.eventIndex.add(d.EventIndex)
	b.carrier.add(d.Carrier)
	b.reason.add(d.Reason)
	b.field.add(d.Field)
	b.detail.add(d.Detail)
	b.mapping.add(d.MappingVersion)
	b.received.add(d.ReceivedAt)
	b.raw.addBytes(d.Raw[:min(len(d.Raw), deadLetterBytes)])
	b.size.add(uint32(d.RawSize))
}

// alertBlock is a block of alerts or, with the same columns, of
// alert_transitions.
type alertBlock struct {
	block
	id, home, parcel                           ids
	version                                    u64s
	level                                      u8s
	rule, detail, status, milestone, stage     strs
	number, cause, policy                      strs
	carrier, shop, order, market, origin, dest strs
	facility, country                          strs
	anchor, changed                            times
	ended, opened                              nullTimes
	silent                                     u32s
	backfill, held, uncertain                  bools
}

func newAlertBlock(table string) *alertBlock {
	b := &alertBlock{}
	b.block = newBlock(table,
		idCol("alert_id", &b.id), idCol("home", &b.home), u64Col("version", &b.version),
		strCol("rule", &b.rule), strCol("detail", &b.detail), u8Col("level", &b.level), strCol("status", &b.status),
		strCol("milestone", &b.milestone), strCol("stage", &b.stage), idCol("parcel_id", &b.parcel),
		strCol("tracking_number", &b.number), strCol("carrier", &b.carrier), strCol("shop_id", &b.shop),
		strCol("order_id", &b.order), strCol("market", &b.market), strCol("origin", &b.origin),
		strCol("destination", &b.dest), strCol("facility", &b.facility), strCol("country", &b.country),
		timeCol("anchor_at", &b.anchor), nullCol("ended_at", &b.ended), nullCol("opened_at", &b.opened),
		timeCol("changed_at", &b.changed), u32Col("silent_secs", &b.silent), strCol("cause", &b.cause),
		boolCol("backfill", &b.backfill), boolCol("held", &b.held), boolCol("uncertain", &b.uncertain),
		strCol("policy", &b.policy))
	return b
}

func (b *alertBlock) add(a *schemas.Alert) {
	b.rows++
	b.id.add(a.AlertID)
	b.home.add(a.Home)
	b.version.add(a.Version)
	b.rule.add(a.Rule)
	b.detail.add(a.Detail)
	b.level.add(a.Level)
	b.status.add(a.Status.String())
	b.milestone.add(milestoneName(a.Milestone))
	b.stage.add(milestoneName(a.Stage))
	b.parcel.add(a.ParcelID)
	b.number.add(a.TrackingNumber)
	b.carrier.add(a.Carrier)
	b.shop.add(a.ShopID)
	b.order.add(a.OrderID)
	b.market.add(a.Market)
	b.origin.add(a.Origin)
	b.dest.add(a.Destination)
	b.facility.add(a.Facility)
	b.country.add(a.Country)
	b.anchor.add(a.AnchorAt)
	b.ended.add(a.EndedAt)
	b.opened.add(a.OpenedAt)
	b.changed.add(a.ChangedAt)
	b.silent.add(a.SilentSecs)
	b.cause.add(a.Cause)
	b.backfill.add(a.Backfill)
	b.held.add(a.Held)
	b.uncertain.add(a.Uncertain)
	b.policy.add(a.Policy)
}

// gapBlock is a block of data_gaps.
type gapBlock struct {
	block
	topic, kind, entity, detail strs
	partition                   i32s
	first, last                 i64s
}

func newGapBlock() *gapBlock {
	b := &gapBlock{}
	b.block = newBlock("data_gaps",
		strCol("topic", &b.topic), i32Col("partition", &b.partition), i64Col("first_offset", &b.first),
		i64Col("last_offset", &b.last), strCol("kind", &b.kind), strCol("entity", &b.entity), strCol("detail", &b.detail))
	return b
}

// quarantined notes an entity, which has no range of offsets.
func (b *gapBlock) quarantined(entity, detail string) {
	b.note(schemas.EventsTopic, -1, 0, 0, "quarantine", entity, detail)
}

func (b *gapBlock) add(topic string, partition int32, first, last int64, kind, detail string) {
	b.note(topic, partition, first, last, kind, "", detail)
}

func (b *gapBlock) note(topic string, partition int32, first, last int64, kind, entity, detail string) {
	b.rows++
	b.topic.add(topic)
	b.partition.add(partition)
	b.first.add(first)
	b.last.add(last)
	b.kind.add(kind)
	b.entity.add(entity)
	b.detail.add(detail)
}

// ledgerBlock is a block of the table blocks.
type ledgerBlock struct {
	block
	partition i32s
	bucket    i64s
	last      u64s
	records   u64s
	counts    [counters]u64s
	tick      nullTimes
}

func newLedgerBlock() *ledgerBlock {
	b := &ledgerBlock{}
	specs := []spec{
		i32Col("partition", &b.partition), i64Col("bucket", &b.bucket), u64Col("last_offset", &b.last),
		u64Col("records", &b.records),
	}
	for i, name := range counterNames {
		specs = append(specs, u64Col(name, &b.counts[i]))
	}
	b.block = newBlock("blocks", append(specs, nullCol("last_tick_at", &b.tick))...)
	return b
}

func (b *ledgerBlock) add(partition int32, l *ledger) {
	b.rows++
	b.partition.add(partition)
	b.bucket.add(l.bucket())
	b.last.add(uint64(l.next - 1))
	var records uint64
	for i, n := range l.counts {
		b.counts[i].add(n)
		if counter(i) != holes {
			records += n
		}
	}
	b.records.add(records)
	b.tick.add(l.tickAt)
}
