package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"scantrail/schemas"
)

const (
	digestType   = "scantrail.alert.digest"
	digestIDs    = 20  // alerts that a digest names
	digestGroups = 100 // rules or carriers that it counts apart; the rest are "other"
)

// digest sums up the alerts beyond the rate of one minute.
type digest struct {
	alerts   int
	rules    map[string]int
	carriers map[string]int
	statuses map[string]int
	ids      []string
	from, to int64 // changed_at of the first and the last, Unix milliseconds
	members  []byte
	refs     []ref
}

func newDigest() *digest {
	return &digest{rules: map[string]int{}, carriers: map[string]int{}, statuses: map[string]int{}}
}

func (d *digest) add(m *message) {
	if d.alerts == 0 {
		d.from, d.to = m.changed, m.changed
	}
	d.from, d.to = min(d.from, m.changed), max(d.to, m.changed)
	d.alerts++
	count(d.rules, m.rule)
	count(d.carriers, m.carrier)
	count(d.statuses, m.status.String())
	if len(d.ids) < digestIDs {
		d.ids = append(d.ids, m.key.String())
	}
	sum := sha256.Sum256(append(d.members, m.id...)) // a chain: members keeps its size
	d.members = sum[:]
	d.refs = append(d.refs, m.refs...)
}

func count(by map[string]int, name string) {
	if name == "" {
		name = "unknown"
	}
	if by[name] == 0 && len(by) >= digestGroups {
		name = "other"
	}
	by[name]++
}

// cloudEvent is a digest as it is sent. Keys of maps are sorted.
type cloudEvent struct {
	SpecVersion string     `json:"specversion"`
	ID          string     `json:"id"`
	Source      string     `json:"source"`
	Type        string     `json:"type"`
	Time        string     `json:"time"`
	ContentType string     `json:"datacontenttype"`
	Data        digestData `json:"data"`
}

type digestData struct {
	Alerts    int            `json:"alerts"`
	ByRule    map[string]int `json:"by_rule"`
	ByCarrier map[string]int `json:"by_carrier"`
	ByStatus  map[string]int `json:"by_status"`
	AlertIDs  []string       `json:"alert_ids"`
	From      string         `json:"from"`
	To        string         `json:"to"`
}

const jsonTime = "2006-01-02T15:04:05.000Z"

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(jsonTime) }

// message returns the digest as a message. Its id follows from its members, so
// that the same digest, sent again, has the same.
func (d *digest) message(now time.Time) *message {
	m := &message{id: "digest:" + hex.EncodeToString(d.members[:16]), since: now, refs: d.refs, status: schemas.AlertOpen}
	copy(m.key[:], d.members[16:])
	m.body, _ = json.Marshal(cloudEvent{ // strings and numbers: it cannot fail
		SpecVersion: "1.0", ID: m.id, Source: "scantrail", Type: digestType, Time: stamp(now.UnixMilli()),
		ContentType: "application/json",
		Data: digestData{
			Alerts: d.alerts, ByRule: d.rules, ByCarrier: d.carriers, ByStatus: d.statuses,
			AlertIDs: d.ids, From: stamp(d.from), To: stamp(d.to),
		},
	})
	return m
}

// forget drops what belongs to partitions that went to another member.
func (d *digest) forget() {
	kept := d.refs[:0]
	for _, r := range d.refs {
		if !r.part.gone {
			kept = append(kept, r)
		}
	}
	d.refs = kept
}
