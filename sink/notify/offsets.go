package notify

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// part is what is known of one assigned partition. An alert that is held may
// wait for days while later ones are delivered, so the offset alone does not say
// what is done: beside it are committed the offsets that are not.
type part struct {
	id     int32
	next   int64              // first offset not read
	end    int64              // of the log when it was assigned
	undone map[int64]struct{} // read, and neither delivered nor dropped
	gone   bool               // went to another member of the group
	told   told

	before doneBefore // what an earlier owner had done

	committed position
}

// behind reports whether records lie ahead that were there before the partition was
// assigned.
func (p *part) behind() bool { return p.next < p.end }

// position is what is committed for a partition.
type position struct {
	offset   int64
	metadata string
}

// doneBefore says that of the records before `upto` only those listed are left.
type doneBefore struct {
	upto   int64
	undone map[int64]struct{}
}

// newPart returns the state of a partition that is read from at on. What
// metadata says and cannot be understood is delivered again.
func newPart(id int32, at int64, metadata string) *part {
	p := &part{id: id, next: at, undone: map[int64]struct{}{}, committed: position{offset: -1}}
	p.before, _ = parseMetadata(metadata, at)
	return p
}

// read notes a record and reports whether an earlier owner had done with it. Records
// before the position are read to be remembered only.
func (p *part) read(r *kgo.Record) (done bool) {
	if r.Offset < p.next {
		return true
	}
	p.next = r.Offset + 1
	if r.Offset >= p.before.upto {
		p.before.undone = nil // no longer needed
	} else {
		if _, left := p.before.undone[r.Offset]; !left {
			return true
		}
	}
	p.undone[r.Offset] = struct{}{}
	return false
}

// position returns what to commit: the first offset that is not done, and with
// it which later ones are.
func (p *part) position() position {
	offsets := make([]int64, 0, len(p.undone))
	for o := range p.undone {
		offsets = append(offsets, o)
	}
	for o := range p.before.undone {
		if o >= p.next { // not read again yet
			offsets = append(offsets, o)
		}
	}
	upto := max(p.next, p.before.upto)
	if len(offsets) == 0 {
		return position{offset: upto}
	}
	slices.Sort(offsets)
	return position{offsets[0], formatMetadata(offsets, upto)}
}

const (
	metadataPrefix = "w1:"
	// Brokers refuse more than 4096 bytes (offset.metadata.max.bytes); what does
	// not fit is delivered again after a restart.
	maxMetadata = 4000
)

// formatMetadata says that of the records between offsets[0], which is
// committed, and upto only the given ones are left.
func formatMetadata(offsets []int64, upto int64) string {
	var deltas []byte
	limit := base64.RawURLEncoding.DecodedLen(maxMetadata-len(metadataPrefix)) - binary.MaxVarintLen64
	for i := 1; i < len(offsets); i++ {
		if len(deltas)+binary.MaxVarintLen64 > limit {
			upto = offsets[i]
			break
		}
		deltas = binary.AppendUvarint(deltas, uint64(offsets[i]-offsets[i-1]))
	}
	raw := append(binary.AppendUvarint(nil, uint64(upto-offsets[0])), deltas...)
	return metadataPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

func parseMetadata(s string, committed int64) (doneBefore, error) {
	var d doneBefore
	text, ok := strings.CutPrefix(s, metadataPrefix)
	if !ok || len(s) > 2*maxMetadata {
		return d, fmt.Errorf("metadata %.20q is not of this program", s)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return d, fmt.Errorf("metadata: %w", err)
	}
	number := func() (int64, bool) {
		v, n := binary.Uvarint(raw)
		if n <= 0 || v > 1<<62 {
			return 0, false
		}
		raw = raw[n:]
		return int64(v), true
	}
	span, ok := number()
	if !ok || committed < 0 || span > 1<<62-committed {
		return d, fmt.Errorf("metadata %.20q has no span", s)
	}
	undone, at := map[int64]struct{}{committed: {}}, committed
	for len(raw) > 0 {
		delta, ok := number()
		if !ok || delta == 0 || delta > committed+span-at {
			return d, fmt.Errorf("metadata %.20q: the offsets do not rise", s)
		}
		at += delta
		undone[at] = struct{}{}
	}
	return doneBefore{committed + span, undone}, nil
}
