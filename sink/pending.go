package sink

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// pending holds what was read and is not written yet: the rows of all tables,
// and how far each partition was counted. It knows neither Kafka's group nor
// time, and is used by one goroutine.
type pending struct {
	metrics *metrics

	months      scanMonths
	voids       *voidBlock
	orders      *orderFactBlock
	policies    *policyBlock
	scores      *policyScoreBlock
	feeds       *feedBlock
	aliases     *aliasBlock
	ranges      *rangeBlock
	dead        *deadBlock
	alerts      *alertBlock
	transitions *alertBlock
	gaps        *gapBlock
	blocks      *ledgerBlock

	raw *rawDays // of the raw copy alone, else nil

	ledgers map[int32]*ledger // of parcel.events
	touched map[int32]bool    // ledgers that moved since the last flush

	rows  int
	bytes int // of the records

	buf proto.Buffer // scratch space of inserts

	record     schemas.Record // reused
	alert      schemas.Alert
	deadLetter schemas.DeadLetter
	headers    []schemas.Header
}

func newPending(m *metrics) *pending {
	return &pending{
		metrics: m, voids: newVoidBlock(), orders: newOrderFactBlock(), policies: newPolicyBlock(), scores: newPolicyScoreBlock(), feeds: newFeedBlock(),
		aliases: newAliasBlock(), ranges: newRangeBlock(), dead: newDeadBlock(),
		alerts: newAlertBlock("alerts"), transitions: newAlertBlock("alert_transitions"),
		gaps: newGapBlock(), blocks: newLedgerBlock(),
		ledgers: map[int32]*ledger{}, touched: map[int32]bool{},
	}
}

// errNoLedger says that a partition was read that was never assigned.
var errNoLedger = errors.New("sink: a partition was read without having been assigned: this is a bug")

// addEvents appends the records of one partition of parcel.events.
func (p *pending) addEvents(partition int32, records []*kgo.Record, m *membership) error {
	l := p.ledgers[partition]
	full := func(l *ledger) { p.blocks.add(partition, l) }
	for _, r := range records {
		if l == nil || r.Offset > l.next {
			// A hole, or somebody else went on here in the meantime.
			after := int64(-1)
			if l != nil {
				after = l.next
			}
			if other := m.takeLedger(partition, after, r.Offset); other != nil {
				l = other
				p.ledgers[partition] = l
			}
			if l == nil {
				return errNoLedger
			}
			if r.Offset > l.next {
				p.addGap(schemas.EventsTopic, partition, l.next, r.Offset-1, gapHole, "offsets without a record")
				l.skip(r.Offset, full)
			}
		}
		c := p.addEvent(partition, r)
		if r.Offset == l.next { // else it is counted already and read again
			l.count(c, full)
			if c == ticks {
				l.tickAt = schemas.TickClock(l.tickAt, p.record.Tick.At)
			}
			p.metrics.kinds[c].Inc()
		}
		p.rows++
		p.bytes += len(r.Value)
	}
	p.touched[partition] = true
	return nil
}

// addEvent appends one record of parcel.events and returns how it counts.
func (p *pending) addEvent(partition int32, r *kgo.Record) counter {
	rec := &p.record
	if err := rec.Decode(r.Value); err != nil {
		p.addBad(schemas.EventsTopic, r, err)
		return undecodable
	}
	if rec.Forwarded {
		return forwarded
	}
	switch rec.Kind {
	case schemas.KindEvent:
		p.months.of(rec.Event.ReceivedAt).add(partition, r.Offset, &rec.Event)
		return scans
	case schemas.KindOrder:
		p.orders.add(partition, r.Offset, &rec.Order)
		return orders
	case schemas.KindAlias:
		p.aliases.add(r.Offset, &rec.Alias)
		return aliases
	case schemas.KindTick:
		return ticks
	case schemas.KindRange:
		p.ranges.add(&rec.Range)
		return ranges
	case schemas.KindControl:
		p.policies.add(partition, r.Offset, &rec.Control)
		p.scores.add(&rec.Control)
		return controls
	case schemas.KindVoid:
		p.voids.add(partition, r.Offset, &rec.Void)
		return voids
	case schemas.KindHandover:
		return handovers
	case schemas.KindRebuild:
		return rebuilds
	case schemas.KindFeed:
		p.feeds.add(partition, r.Offset, &rec.Feed)
		return feeds
	}
	return unknown
}

// addAlert appends one record of parcel.alerts.
func (p *pending) addAlert(r *kgo.Record) {
	p.rows++
	p.bytes += len(r.Value)
	if err := schemas.ParseAlertJSON(r.Value, &p.alert); err != nil {
		p.addBad(schemas.AlertsTopic, r, err)
		return
	}
	p.alerts.add(&p.alert)
	p.transitions.add(&p.alert)
}

// addDeadLetter appends one record of scans.dead-letter.
func (p *pending) addDeadLetter(r *kgo.Record) {
	p.rows++
	p.bytes += min(len(r.Value), deadLetterBytes)
	p.headers = p.headers[:0]
	for _, h := range r.Headers {
		p.headers = append(p.headers, schemas.Header(h))
	}
	if err := schemas.ParseDeadLetter(r.Value, p.headers, &p.deadLetter); err != nil {
		p.addBad(schemas.DeadLettersTopic, r, err)
		return
	}
	p.dead.add(&p.deadLetter)
}

// addBad notes a record that cannot be read. It never blocks the others.
func (p *pending) addBad(topic string, r *kgo.Record, err error) {
	p.addGap(topic, r.Partition, r.Offset, r.Offset, gapUndecodable, err.Error())
	p.metrics.badRecords.WithLabelValues(topic).Inc()
}

// addLost notes records that are no longer in their topic.
func (p *pending) addLost(l lostRange) {
	if p.raw != nil { // ingest may have read them all the same: another kind
		p.addGap(l.topic, l.partition, l.first, l.last, gapRawCopy, "deleted before it was copied to raw_records")
		return
	}
	p.addGap(l.topic, l.partition, l.first, l.last, gapHole, "deleted before it was read")
}

// Kinds of rows of data_gaps that are written here.
const (
	gapHole        = "hole"
	gapUndecodable = "undecodable"
	gapRawCopy     = "raw_copy"
)

func (p *pending) addGap(topic string, partition int32, first, last int64, kind, detail string) {
	p.gaps.add(topic, partition, first, last, kind, detail)
	p.metrics.gaps.WithLabelValues(kind).Inc()
}

func (p *pending) empty() bool { return p.rows == 0 && p.gaps.rows == 0 }

// seal appends the rows of the unfinished blocks of the ledger. Call it once
// before the first attempt of a flush.
func (p *pending) seal() {
	for partition := range p.touched {
		if l := p.ledgers[partition]; l.counts != ([counters]uint64{}) {
			p.blocks.add(partition, l)
		}
	}
	clear(p.touched)
}

// insertTimeout bounds one insert. The embedded engine may be merging.
const insertTimeout = 60 * time.Second

// write inserts everything, the ledger last, and forgets what is written. On
// an error it may be called again and goes on with what is left.
func (p *pending) write(ctx context.Context, conn driver.Conn) error {
	if p.raw != nil {
		for _, b := range p.raw.blocks {
			if err := p.insert(ctx, conn, &b.block); err != nil {
				return err
			}
			b.reset()
		}
		p.raw.trim()
	}
	for len(p.months.blocks) > 0 {
		b := p.months.blocks[0]
		if err := p.insert(ctx, conn, &b.block); err != nil {
			return err
		}
		b.reset() // or the next attempt would write it again
		if err := p.insert(ctx, conn, &b.texts.block); err != nil {
			return err
		}
		p.months.done()
	}
	for _, b := range []*block{
		&p.voids.block, &p.orders.block, &p.policies.block, &p.scores.block, &p.feeds.block, &p.aliases.block, &p.ranges.block,
		&p.dead.block, &p.transitions.block, &p.alerts.block, &p.gaps.block, &p.blocks.block,
	} {
		if err := p.insert(ctx, conn, b); err != nil {
			return err
		}
		b.reset()
	}
	p.rows, p.bytes = 0, 0
	return nil
}

func (p *pending) insert(ctx context.Context, conn driver.Conn, b *block) error {
	if b.rows == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	start := time.Now()
	if err := b.insert(ctx, conn, &p.buf); err != nil {
		p.metrics.failures.WithLabelValues(b.table).Inc()
		return err
	}
	p.metrics.insert.WithLabelValues(b.table).Observe(time.Since(start).Seconds())
	p.metrics.rows.WithLabelValues(b.table).Add(float64(b.rows))
	return nil
}
