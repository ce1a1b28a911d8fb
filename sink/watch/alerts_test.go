package watch

import (
	"testing"
	"time"

	"scantrail/schemas"
)

// What was published here counts before ClickHouse shows it, and not after it
// shows something newer.
func TestMerge(t *testing.T) {
	const minute = 60_000
	open := Stamp(schemas.Alert{Status: schemas.AlertOpen, ChangedAt: 1000 * minute}, 1, 0)
	ended := Stamp(schemas.Alert{Status: schemas.AlertResolved, ChangedAt: 1010 * minute}, 1, open.Version)
	for _, c := range []struct {
		name        string
		sent, shown []schemas.Alert
		now         int64                 // minutes
		want        []schemas.AlertStatus // of what counts
		kept        int                   // still held against ClickHouse
	}{
		{"not written yet", []schemas.Alert{open}, nil, 1005, []schemas.AlertStatus{schemas.AlertOpen}, 1},
		{"written", []schemas.Alert{open}, []schemas.Alert{open}, 1005, []schemas.AlertStatus{schemas.AlertOpen}, 0},
		{"its end is not written yet", []schemas.Alert{ended}, []schemas.Alert{open}, 1015, []schemas.AlertStatus{schemas.AlertResolved}, 1},
		{"somebody else ended it", []schemas.Alert{open}, []schemas.Alert{ended}, 1015, []schemas.AlertStatus{schemas.AlertResolved}, 0},
		{"another's", nil, []schemas.Alert{open}, 1005, []schemas.AlertStatus{schemas.AlertOpen}, 0},
		{"never written", []schemas.Alert{open}, nil, 1061, nil, 0},
		{"its end was never written", []schemas.Alert{ended}, []schemas.Alert{open}, 1071, []schemas.AlertStatus{schemas.AlertOpen}, 0},
	} {
		p := &Alerts{remembered: time.Hour, sent: map[schemas.ID]schemas.Alert{}}
		for _, a := range c.sent {
			p.sent[a.AlertID] = a
		}
		got := p.Merge(c.shown, c.now*minute)
		if len(got) != len(c.want) || len(got) > 0 && got[0].Status != c.want[0] || len(p.sent) != c.kept {
			t.Errorf("%s: %d alerts %+v, %d kept; want %v and %d", c.name, len(got), got, len(p.sent), c.want, c.kept)
		}
	}
}
