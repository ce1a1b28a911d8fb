package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
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
	of       []member
	refs     []ref
}

// member is one transition that a digest stands for.
type member struct {
	key     schemas.ID
	version uint64
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
	d.of = append(d.of, member{m.key, m.version})
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

// summary is what a digest says: of the rest of a minute, or of a shop.
type summary struct {
	digest   *digest
	from, to int64 // Unix milliseconds

	shop   string // the rest belongs to the digest of a shop
	open   int
	ended  int
	urgent []*message // the worst first
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
	ShopID    string         `json:"shop_id,omitempty"`
	Alerts    int            `json:"alerts"`
	Open      *int           `json:"open,omitempty"`
	Ended     *int           `json:"ended,omitempty"`
	ByRule    map[string]int `json:"by_rule"`
	ByCarrier map[string]int `json:"by_carrier"`
	ByStatus  map[string]int `json:"by_status"`
	AlertIDs  []string       `json:"alert_ids"`
	Urgent    []urgentData   `json:"urgent,omitempty"`
	From      string         `json:"from"`
	To        string         `json:"to"`
}

// urgentData is one alert that the digest of a shop lists.
type urgentData struct {
	AlertID   string   `json:"alert_id"`
	Rule      string   `json:"rule"`
	Level     int      `json:"level"`
	Number    string   `json:"tracking_number,omitempty"`
	OrderID   string   `json:"order_id,omitempty"`
	Carrier   string   `json:"carrier,omitempty"`
	Cause     string   `json:"cause,omitempty"`
	HoursLeft *float64 `json:"hours_left,omitempty"`
}

func (s *summary) cloudEvent(id string, now time.Time) cloudEvent {
	d := s.digest
	e := cloudEvent{
		SpecVersion: "1.0", ID: id, Source: "scantrail", Type: digestType, Time: stamp(now.UnixMilli()),
		ContentType: "application/json",
		Data: digestData{
			ShopID: s.shop, Alerts: d.alerts, ByRule: d.rules, ByCarrier: d.carriers, ByStatus: d.statuses,
			AlertIDs: d.ids, From: stamp(s.from), To: stamp(s.to),
		},
	}
	if s.shop == "" {
		return e
	}
	e.Data.Open, e.Data.Ended = &s.open, &s.ended
	for _, m := range s.urgent {
		u := urgentData{AlertID: m.key.String(), Rule: m.rule, Level: m.level, Number: m.alert.TrackingNumber, OrderID: m.alert.OrderID, Carrier: m.carrier, Cause: m.alert.Cause}
		if left, ok := timeLeft(&m.alert, now); ok {
			hours := math.Round(left.Hours()*10) / 10
			u.HoursLeft = &hours
		}
		e.Data.Urgent = append(e.Data.Urgent, u)
	}
	return e
}

const jsonTime = "2006-01-02T15:04:05.000Z"

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(jsonTime) }

// message returns the digest as a message. Its id follows from its members, so
// that the same digest, sent again, has the same.
func (d *digest) message(now time.Time) *message {
	m := &message{id: "digest:" + hex.EncodeToString(d.members[:16]), since: now, refs: d.refs, status: schemas.AlertOpen}
	copy(m.key[:], d.members[16:])
	m.sum = &summary{digest: d, from: d.from, to: d.to}
	m.body, _ = json.Marshal(m.sum.cloudEvent(m.id, now)) // strings and numbers: it cannot fail
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
