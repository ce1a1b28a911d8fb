package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"scantrail/schemas"
)

// urgentAlerts is how many alerts a digest of a shop lists one by one.
const urgentAlerts = 10

// shopKey names a digest: whose, and when it is due.
type shopKey struct {
	shop string
	due  int64 // Unix seconds
}

// shopDigest collects what one shop's digest sums up: of each alert the latest
// transition.
type shopDigest struct {
	alerts map[schemas.ID]*listed
	from   time.Time
}

// listed is one alert in a digest.
type listed struct {
	latest *message
	refs   []ref
}

// list puts m in the digest of its shop. What was written before a digest was due
// belongs to that one, also when it is read later: after a restart the same
// digests come together.
func (b *book) list(now time.Time, m *message) {
	key := shopKey{m.shop, b.s.digestFor(m.since).Unix()}
	d := b.shops[key]
	if d == nil {
		d = &shopDigest{alerts: map[schemas.ID]*listed{}, from: m.since}
		b.shops[key] = d
	}
	if m.since.Before(d.from) {
		d.from = m.since
	}
	e := d.alerts[m.key]
	if e == nil {
		e = &listed{}
		d.alerts[m.key] = e
		b.listed++
	}
	if e.latest == nil || m.version >= e.latest.version {
		e.latest = m
	}
	e.refs = append(e.refs, m.refs...)
	m.body, m.refs = nil, nil // the digest says it in other words, and is what is done
	b.m.digested.Inc()
	if b.listed > b.o.MaxHeld {
		b.flushDigests(now, never)
	}
}

// sendDigests sends the digests that are due.
func (b *book) sendDigests(now time.Time) { b.flushDigests(now, now) }

// flushDigests sends the digests that are due until then.
func (b *book) flushDigests(now, until time.Time) {
	var due []shopKey
	for key := range b.shops {
		if key.due <= until.Unix() {
			due = append(due, key)
		}
	}
	slices.SortFunc(due, func(x, y shopKey) int { return cmp.Or(cmp.Compare(x.due, y.due), cmp.Compare(x.shop, y.shop)) })
	for _, key := range due {
		d := b.shops[key]
		delete(b.shops, key)
		b.listed -= len(d.alerts)
		if len(d.alerts) > 0 {
			b.m.digests.Inc()
			b.enqueue(now, d.message(key, now))
		}
	}
}

// forgetDigests drops what belongs to partitions that went to another member.
func (b *book) forgetDigests() {
	for _, d := range b.shops {
		for id, e := range d.alerts {
			e.refs = slices.DeleteFunc(e.refs, func(r ref) bool { return r.part.gone })
			if len(e.refs) == 0 {
				delete(d.alerts, id)
				b.listed--
			}
		}
	}
}

// message returns the digest as a message. Its id follows from the shop, the time
// and the members, in whatever order they came: made anew, it has the same.
func (d *shopDigest) message(key shopKey, now time.Time) *message {
	all := slices.SortedFunc(maps.Values(d.alerts), func(x, y *listed) int { return slices.Compare(x.latest.key[:], y.latest.key[:]) })
	hash := sha256.New()
	hash.Write(binary.BigEndian.AppendUint64([]byte(key.shop+"\n"), uint64(key.due)))
	s := &summary{shop: key.shop, from: d.from.UnixMilli(), to: min(key.due*1000, now.UnixMilli()), digest: newDigest()}
	m := &message{since: now, status: schemas.AlertOpen, shop: key.shop, sum: s}
	for _, e := range all {
		hash.Write([]byte(e.latest.id))
		s.digest.add(e.latest)
		m.refs = append(m.refs, e.refs...)
		if e.latest.closes() {
			s.ended++
		} else {
			s.urgent = append(s.urgent, e.latest)
		}
		m.level = max(m.level, e.latest.level)
	}
	s.open = len(s.urgent)
	slices.SortStableFunc(s.urgent, func(x, y *message) int { return moreUrgent(x, y, now) })
	s.urgent = slices.Clip(s.urgent[:min(len(s.urgent), urgentAlerts)])
	sum := hash.Sum(nil)
	m.id = "digest:" + hex.EncodeToString(sum[:16])
	copy(m.key[:], sum[16:])
	m.body, _ = json.Marshal(s.cloudEvent(m.id, now)) // strings and numbers: it cannot fail
	return m
}

// moreUrgent orders alerts: the worst first, of these the one with the least time
// left.
func moreUrgent(x, y *message, now time.Time) int {
	left := func(m *message) time.Duration {
		if d, ok := timeLeft(&m.alert, now); ok {
			return d
		}
		return 1 << 62
	}
	return cmp.Or(cmp.Compare(y.level, x.level), cmp.Compare(left(x), left(y)), cmp.Compare(x.alert.AnchorAt, y.alert.AnchorAt))
}

// timeLeft returns how long it is until the silence of a parcel reaches the next
// limit of the marketplace: 48 h, then 72 h. It is negative when that is past.
// Other rules have no such limit.
func timeLeft(a *schemas.Alert, now time.Time) (time.Duration, bool) {
	if a.Rule != schemas.RuleGap48h && a.Rule != schemas.RuleGap72h || a.Status > schemas.AlertEscalated {
		return 0, false
	}
	limit := 72 * time.Hour
	if a.Level == 0 {
		limit = 48 * time.Hour
	}
	return time.UnixMilli(a.AnchorAt).Add(limit).Sub(now), true
}
