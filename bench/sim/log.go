package main

import (
	"hash/fnv"

	"scantrail/bench/oracle"
	"scantrail/schemas"
)

// maxStep is how far one tick moves a clock, in seconds.
const maxStep = 600

// maxRecords is more than any world causes in one partition: copies that cause
// copies for ever end there. The most that was seen are 30,000, of a chain of homes
// each of which forwards again after a crash what it had forwarded.
const maxRecords = 100_000

// partition is one partition of parcel.events with its snapshots and owners.
type partition struct {
	number    int
	log       []entry
	shown     schemas.Record // the tick or raw fact that at returns
	facts     int            // records of the log that are no ticks
	copies    int            // of these, what the detector forwarded
	snapshots []snapshot
	owners    []*owner // the last is the rightful one, the others do not know yet
	committed int64    // clock through which copies are acknowledged, Unix seconds
}

// entry is one record of the log. Most are ticks, which all partitions share, and
// scans and receptions, which the world holds: a schemas.Record is large.
type entry struct {
	rec  *schemas.Record
	tick *schemas.Tick
	raw  *message
}

// at returns the record of an offset, which the next call may overwrite.
func (p *partition) at(offset int64) *schemas.Record {
	e := &p.log[offset]
	switch {
	case e.tick != nil:
		p.shown.Kind, p.shown.Tick = schemas.KindTick, *e.tick
	case e.raw == nil:
		return e.rec
	case e.raw.kind == schemas.KindEvent:
		p.shown.Kind, p.shown.Event = schemas.KindEvent, e.raw.event
	default:
		p.shown.Kind, p.shown.Feed = schemas.KindFeed, e.raw.feed
	}
	return &p.shown
}

// all yields the whole log.
func (p *partition) all(yield func(offset int64, r *schemas.Record) bool) {
	for i := range p.log {
		if !yield(int64(i), p.at(int64(i))) {
			return
		}
	}
}

// snapshot is what stands in parcel.snapshots of one attempt.
type snapshot struct {
	generation uint16
	offset     int64
	chunks     [][]byte
	whole      bool // its manifest was written
}

func (c *cluster) home(key string) int { return homeAmong(len(c.parts))(key) }

// homeAmong returns the partition of each key among so many.
func homeAmong(partitions int) func(key string) int {
	return func(key string) int {
		h := fnv.New32a()
		h.Write([]byte(key))
		return int(h.Sum32()>>8) % partitions
	}
}

// append adds a record to the partition of a key.
func (c *cluster) append(key string, r *schemas.Record) { c.appendTo(c.home(key), r) }

func (c *cluster) appendTo(p int, r *schemas.Record) {
	c.parts[p].facts++
	if r.Forwarded { // what ingest reads again after a crash may be more
		c.parts[p].copies++
	}
	if c.parts[p].copies > maxRecords {
		c.failf("liveness: partition %d holds %d copies and still grows", p, maxRecords)
	}
	if c.trace != nil {
		c.tracef("log %d:%d %s", p, len(c.parts[p].log), describe(r))
	}
	c.parts[p].log = append(c.parts[p].log, entry{rec: r})
}

// appendRaw adds a scan or a reception.
func (c *cluster) appendRaw(key string, m *message) {
	p := c.parts[c.home(key)]
	p.facts++
	p.log = append(p.log, entry{raw: m})
	if c.trace != nil {
		c.tracef("log %d:%d %s", p.number, len(p.log)-1, describe(p.at(int64(len(p.log)-1))))
	}
}

func (p *partition) tick(t *schemas.Tick) { p.log = append(p.log, entry{tick: t}) }

// clock returns where the ticks of a log leave its clocks.
func (p *partition) clock() (k oracle.Clock) {
	for i := range p.log {
		if t := p.log[i].tick; t != nil {
			k.Tick(t)
		}
	}
	return k
}
