package notify

import (
	"strconv"
	"time"

	"scantrail/schemas"
)

// message is one record of parcel.alerts on its way to one receiver, or a digest
// of several.
type message struct {
	id      string // header webhook-id
	key     schemas.ID
	version uint64
	status  schemas.AlertStatus
	level   int
	rule    string
	detail  string
	carrier string
	shop    string
	market  string

	changed  int64 // Unix milliseconds
	opened   int64
	backfill bool
	held     bool // the detector says so

	alert schemas.Alert
	sum   *summary // of a digest; nil: the message is alert
	ends  *message // what an end was sent after, to an Alertmanager
	test  bool     // not an alert of any parcel

	body  []byte    // as on parcel.alerts
	since time.Time // from which its age counts: written, or released
	refs  []ref     // what is done with it
}

// ref is a record of a partition that was read and is not done.
type ref struct {
	part   *part
	offset int64
}

// parse reads the value of a record.
func parse(value []byte) (*message, error) {
	var a schemas.Alert
	if err := schemas.ParseAlertJSON(value, &a); err != nil {
		return nil, err
	}
	return &message{
		id:  a.AlertID.String() + ":" + strconv.FormatUint(a.Version, 10),
		key: a.AlertID, version: a.Version, status: a.Status, level: int(a.Level), rule: a.Rule, detail: a.Detail,
		carrier: a.Carrier, shop: a.ShopID, market: a.Market,
		changed: a.ChangedAt, opened: a.OpenedAt, backfill: a.Backfill, held: a.Held,
		alert: a, body: value,
	}, nil
}

// silence reports whether m says that a feed stands still or is back. A feed that is
// late, or whose key is about to end, still sends.
func (m *message) silence() bool { return m.rule == schemas.RuleFeedStale && m.detail == "" }

// closes reports whether m ends its alert.
func (m *message) closes() bool {
	return m.status == schemas.AlertResolved || m.status == schemas.AlertWithdrawn
}

// earlier returns what may have been sent of m's alert before m: at risk, open,
// escalated, with the level and rule that it then had.
func (m *message) earlier() []*message {
	variant := func(s schemas.AlertStatus, level int) *message {
		v := *m
		v.status, v.level = s, level
		if level < maxLevel && m.rule == schemas.RuleGap72h {
			v.rule = schemas.RuleGap48h
		}
		return &v
	}
	var all []*message
	if m.status != schemas.AlertAtRisk {
		all = append(all, variant(schemas.AlertAtRisk, 0))
	}
	if m.opened != 0 && (m.closes() || m.status == schemas.AlertEscalated && m.opened != m.changed) {
		all = append(all, variant(schemas.AlertOpen, 1))
	}
	if m.opened != 0 && m.closes() && m.level == maxLevel {
		all = append(all, variant(schemas.AlertEscalated, maxLevel))
	}
	return all
}

// live reports whether something is left to be done with m: false when all its
// partitions went to another member of the group.
func (m *message) live() bool {
	for _, r := range m.refs {
		if !r.part.gone {
			return true
		}
	}
	return false
}

// done marks what m stands for.
func (m *message) done() {
	for _, r := range m.refs {
		delete(r.part.undone, r.offset)
	}
}
