package detector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"scantrail/schemas"
)

// appendFeed appends the state of a feed: hours without a reception are left out.
func appendFeed(b []byte, f *feed) []byte {
	le := binary.LittleEndian
	b = appendString(b, f.carrier)
	for _, at := range [...]uint32{f.first, f.last, f.before} {
		b = le.AppendUint32(b, at)
	}
	for _, k := range [...]incident{f.incident, f.late, f.key} {
		b = append(le.AppendUint32(le.AppendUint32(le.AppendUint32(b, k.anchor), k.ended), k.opened), byte(k.status))
	}
	n := uint16(0)
	for i := range f.hours {
		if f.hours[i].minutes != 0 {
			n++
		}
	}
	b = le.AppendUint16(b, n)
	for back := range int64(feedHours) {
		at := hourOf(f.last) - back
		if at < 0 {
			break
		}
		if h := f.hour(at); h.minutes != 0 {
			b = le.AppendUint16(b, uint16(back))
			b = le.AppendUint64(b, h.minutes)
			b = appendLags(le.AppendUint16(le.AppendUint16(b, h.first), h.last), h)
		}
	}
	return b
}

// appendLags appends the lags of an hour's minutes: which have one, and these.
func appendLags(b []byte, h *feedHour) []byte {
	told, at := uint64(0), len(b)
	b = append(b, make([]byte, 8)...)
	for minute, lag := range h.lags {
		if lag != 0 {
			told |= 1 << minute
			b = append(b, lag)
		}
	}
	binary.LittleEndian.PutUint64(b[at:], told)
	return b
}

// readLags takes what appendLags wrote. Lags of minutes beyond the hour are none.
func (h *feedHour) readLags(r *reader) {
	for told := r.u64() & (1<<60 - 1); told != 0 && !r.bad; told &= told - 1 {
		h.lags[bits.TrailingZeros64(told)] = r.u8()
	}
	h.lag = h.medianLag()
}

func readIncident(r *reader) incident {
	return incident{anchor: r.u32(), ended: r.u32(), opened: r.u32(), status: schemas.AlertStatus(r.u8())}
}

// readFeed takes what appendFeed wrote.
func (m *Machine) readFeed(r *reader) error {
	before := r.b
	carrier := string(r.long(int(r.u8())))
	if r.bad || carrier == "" || len(carrier) > maxFeedName || m.feeds.at[carrier] != nil || len(m.feeds.list) >= maxFeeds {
		return errors.New("feed without a name, twice, or too many")
	}
	f := m.feeds.add(carrier)
	f.first, f.last, f.before = r.u32(), r.u32(), r.u32()
	f.incident, f.late, f.key = readIncident(r), readIncident(r), readIncident(r)
	for n := r.u16(); n > 0 && !r.bad; n-- {
		at := hourOf(f.last) - int64(r.u16())
		h := feedHour{minutes: r.u64(), first: r.u16(), last: r.u16()}
		h.readLags(r)
		if at < 0 || at < f.window() || !h.valid() {
			return fmt.Errorf("feed %s: hour out of range", carrier)
		}
		*f.hour(at) = h
	}
	f.news, f.lagNews = true, true // whatever follows from it is published already
	m.buf = appendFeed(m.buf[:0], f)
	if !r.bad && (!f.valid() || !bytes.HasPrefix(before, m.buf)) {
		return fmt.Errorf("feed %s: does not decode", carrier)
	}
	return nil
}

// valid reports whether an hour with receptions can be such.
func (h *feedHour) valid() bool {
	for minute, lag := range h.lags {
		if lag != 0 && h.minutes>>minute&1 == 0 {
			return false
		}
	}
	return h.minutes != 0 && h.minutes < 1<<60 && h.first <= h.last &&
		int(h.first/60) == bits.TrailingZeros64(h.minutes) && int(h.last/60) == bits.Len64(h.minutes)-1
}

// earliest returns the first reception of the window; that of its last hour is
// one.
func (f *feed) earliest() uint32 {
	at := max(f.window(), 0)
	for f.hour(at).minutes == 0 {
		at++
	}
	return firstOf(f.hour(at), at)
}

// valid reports whether receptions and incident fit together.
func (f *feed) valid() bool {
	h := f.hour(hourOf(f.last))
	if f.first == 0 || f.first > f.last || h.minutes == 0 || lastOf(h, hourOf(f.last)) != f.last {
		return false
	}
	if f.before == 0 && f.first != f.earliest() || f.before != 0 && (f.before < f.first || hourOf(f.before) >= f.window()) {
		return false
	}
	for _, k := range [...]incident{f.incident, f.late} {
		if !k.valid() || k.status != 0 && (k.anchor < f.first/3600*3600 || k.anchor > f.last || k.ended > f.last || k.ended != 0 && k.ended == k.anchor) {
			return false
		}
	}
	return f.key.valid()
}

// valid reports whether the times of an incident fit its state.
func (k *incident) valid() bool {
	switch k.status {
	case 0:
		return *k == incident{}
	case schemas.AlertOpen, schemas.AlertWithdrawn:
		return k.anchor != 0 && k.ended == 0 && k.opened >= k.anchor
	case schemas.AlertResolved:
		return k.anchor != 0 && k.ended >= k.anchor && k.opened >= k.anchor
	}
	return false
}
