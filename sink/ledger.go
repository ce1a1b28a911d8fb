package sink

import (
	"fmt"
	"strconv"
	"strings"

	"scantrail/schemas"
)

// counter is a column of the table blocks.
type counter int

const (
	scans counter = iota
	orders
	aliases
	ticks
	ranges
	controls
	voids
	handovers
	rebuilds
	feeds
	forwarded
	unknown
	undecodable
	holes
	counters // number of them
)

var counterNames = [counters]string{
	"scans", "orders", "aliases", "ticks", "ranges", "controls",
	"voids", "handovers", "rebuilds", "feeds", "forwarded", "unknown", "undecodable", "holes",
}

// ledger counts what lies in one partition of parcel.events from the start of
// a block, a multiple of schemas.RangeSpan, up to before next. It is a
// function of the log alone: whoever counts gets the same.
type ledger struct {
	next   int64 // first offset that is not counted
	counts [counters]uint64
	tickAt int64 // clock of the partition, as the detector's: Unix milliseconds, 0 before the first tick
}

// bucket returns the start of the block of the last counted offset.
func (l *ledger) bucket() int64 { return blockStart(l.next - 1) }

func blockStart(offset int64) int64 { return offset - offset%schemas.RangeSpan }

// ledgerAt returns the empty ledger of the block in which offset lies, and how
// many offsets lie between its start and offset.
func ledgerAt(offset int64) (*ledger, int64) {
	start := blockStart(offset)
	return &ledger{next: start}, offset - start
}

// count moves the ledger over one record. It calls full before the ledger
// leaves a block behind.
func (l *ledger) count(c counter, full func(*ledger)) { l.add(c, 1, full) }

// skip moves the ledger up to offset, over offsets without a record.
func (l *ledger) skip(offset int64, full func(*ledger)) {
	for l.next < offset {
		room := schemas.RangeSpan - l.next%schemas.RangeSpan
		l.add(holes, min(offset-l.next, room), full)
	}
}

// add counts n offsets that lie in one block.
func (l *ledger) add(c counter, n int64, full func(*ledger)) {
	if l.next%schemas.RangeSpan == 0 && l.counts != ([counters]uint64{}) {
		full(l)
		l.counts = [counters]uint64{}
	}
	l.counts[c] += uint64(n)
	l.next += n
}

// metadataVersion leads the text that is committed beside an offset, so that
// the counts of an unfinished block survive a restart.
const metadataVersion = "v2"

// metadata returns the ledger as text. It holds the offset too: tools that
// move a group's offset leave the text as it is.
func (l *ledger) metadata() string {
	b := append([]byte(metadataVersion), ' ')
	b = strconv.AppendInt(b, l.next, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, l.tickAt, 10)
	for _, n := range l.counts {
		b = append(b, ' ')
		b = strconv.AppendUint(b, n, 10)
	}
	return string(b)
}

// parseMetadata returns the ledger that was committed beside offset.
func parseMetadata(text string, offset int64) (*ledger, error) {
	f := strings.Fields(text)
	if len(f) != 3+int(counters) || f[0] != metadataVersion {
		return nil, fmt.Errorf("commit metadata %.80q is not of this version", text)
	}
	var l ledger
	var err error
	if l.next, err = strconv.ParseInt(f[1], 10, 64); err != nil || l.next != offset {
		return nil, fmt.Errorf("commit metadata %.80q is not that of offset %d", text, offset)
	}
	if l.tickAt, err = strconv.ParseInt(f[2], 10, 64); err != nil {
		return nil, fmt.Errorf("commit metadata %.80q: %w", text, err)
	}
	var sum int64
	for i := range l.counts {
		if l.counts[i], err = strconv.ParseUint(f[3+i], 10, 32); err != nil {
			return nil, fmt.Errorf("commit metadata %.80q: %w", text, err)
		}
		sum += int64(l.counts[i])
	}
	if offset > 0 && sum != offset-l.bucket() || offset == 0 && sum != 0 {
		return nil, fmt.Errorf("commit metadata %.80q does not add up to offset %d", text, offset)
	}
	return &l, nil
}
