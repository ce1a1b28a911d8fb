package main

import (
	"fmt"
	"runtime/debug"
	"time"

	"scantrail/schemas"
)

// rawPartition is one partition of the carriers' topics and of orders.
type rawPartition struct {
	messages []*message // by time
	next     int        // committed
	blocked  int64      // nobody reads it before this time
}

// patience is how long ticks wait for a raw partition, in seconds (15 minutes).
const patience = 900

// waiting returns the time since which the oldest raw partition that ticks still
// wait for is behind.
func (c *cluster) waiting() int64 {
	at := c.now
	for _, raw := range c.raw {
		if raw.next < len(raw.messages) {
			if first := raw.messages[raw.next].at / 1000; first < at && first > c.now-patience {
				at = first
			}
		}
	}
	return at
}

// ingest reads what has come, appends it to the log and commits; it stands still,
// and reads again what was appended but not committed.
func (c *cluster) ingest() {
	for _, raw := range c.raw {
		if c.chance(150) {
			c.cover.fault("stuck", "ingest")
			raw.blocked = c.now + c.r.Int64N(2*hour)
		}
		if raw.blocked > c.now {
			continue
		}
		end := raw.next
		for end < len(raw.messages) && raw.messages[end].at/1000 <= c.now {
			end++
		}
		batch := raw.messages[raw.next:end]
		for _, i := range c.r.Perm(len(batch)) {
			if c.chance(60) {
				c.cover.fault("crash before commit", "ingest")
				end = raw.next
				break
			}
			c.deliver(batch[i])
			if c.chance(25) {
				c.cover.fault("twice", "ingest")
				c.deliver(batch[i])
			}
		}
		raw.next = end
	}
}

// deliver appends the records of a message.
func (c *cluster) deliver(m *message) {
	switch m.kind {
	case schemas.KindEvent:
		c.appendRaw(m.event.TrackingNumber, m)
	case schemas.KindOrder:
		c.append(schemas.OrderKey(m.order.ShopID, m.order.OrderID), &schemas.Record{Kind: m.kind, Order: m.order})
	case schemas.KindFeed:
		c.appendRaw(schemas.FeedKey(m.feed.Carrier), m)
	case schemas.KindVoid:
		c.append(m.num, &schemas.Record{Kind: m.kind, Void: schemas.Void{
			ParcelID: schemas.ParcelID(m.num), FactID: m.id, EventFactID: m.void, TrackingNumber: m.num, Carrier: "ups", At: m.at, ReceivedAt: m.at}})
	case schemas.KindAlias:
		for i, n := range m.alias {
			c.append(n, &schemas.Record{Kind: m.kind, Alias: schemas.Alias{
				FactID: m.id, TrackingNumber: n, OtherNumber: m.alias[1-i], Carrier: "ups", ReceivedAt: m.at}})
		}
	}
}

func stack() string { return string(debug.Stack()) }

// when writes an instant of a trace.
func when(ms int64) string { return time.UnixMilli(ms).UTC().Format("01-02T15:04:05.000") }

// describe writes a record for a trace.
func describe(r *schemas.Record) string {
	kind := map[schemas.Kind]string{schemas.KindControl: "control", schemas.KindRebuild: "rebuild", schemas.KindHandover: "handover"}[r.Kind]
	switch r.Kind {
	case schemas.KindEvent:
		e := &r.Event
		kind = fmt.Sprintf("scan %s %s %d progress %t physical %t occurred %s received %s v%d country %q post %q lane %s-%s check %d backfill %t", e.TrackingNumber, e.FactID.String()[:8],
			e.Milestone, e.Progress, e.Physical, when(e.OccurredAt), when(e.ReceivedAt), e.MappingVersion, e.Country, e.Postcode, e.OriginCountry, e.DestinationCountry, e.NumberCheck, e.Backfill)
	case schemas.KindOrder:
		o := &r.Order
		kind = fmt.Sprintf("order %s %s %s %s at %s numbers %v source %q carrier %q lane %s-%s post %q market %q", o.ShopID, o.OrderID, o.FactID.String()[:8], o.Kind, when(o.At), o.TrackingNumbers,
			o.LabelSource, o.Carrier, o.OriginCountry, o.DestinationCountry, o.DestinationPostcode, o.Market)
		if o.PromiseAt != 0 {
			kind += " promise " + when(o.PromiseAt)
		}
		if o.Until != 0 {
			kind += " until " + when(o.Until)
		}
	case schemas.KindVoid:
		kind = fmt.Sprintf("void %s of %s", r.Void.EventFactID.String()[:8], r.Void.TrackingNumber)
	case schemas.KindFeed:
		kind = fmt.Sprintf("receptions of %s %s to %s, %d hours late", r.Feed.Carrier, when(r.Feed.First), when(r.Feed.Last), r.Feed.LagHours)
	case schemas.KindAlias:
		kind = fmt.Sprintf("alias %s %s", r.Alias.TrackingNumber, r.Alias.OtherNumber)
	}
	if r.Forwarded || r.Home != "" {
		kind += fmt.Sprintf(" (copy for %q)", r.Home)
	}
	return kind
}
