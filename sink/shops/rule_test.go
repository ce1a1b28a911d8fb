package shops

import (
	"testing"

	"scantrail/schemas"
)

// What is too old is neither raised nor withdrawn, and what of it is open ends;
// where not everything was read nothing is withdrawn.
func TestOldAndUnread(t *testing.T) {
	slot := at(t, "11-09 13:00")
	first := firstWeek(slot)
	if want := at(t, "05-11 00:00"); first != want { // Monday 26 weeks before Monday 11-09
		t.Fatalf("the first week is %s", date(first))
	}
	alert := func(monday int64, status schemas.AlertStatus) schemas.Alert {
		b := breach{shopWeek: shopWeek{"A", monday}, rule: schemas.RuleLTSLow}
		a := b.opened(slot - hour)
		a.Status = status
		return a
	}
	for _, c := range []struct {
		what     string
		alert    schemas.Alert
		complete bool
		want     schemas.AlertStatus // 0: nothing changes
		ended    int64
	}{
		{"old and open", alert(first-week.Milliseconds(), schemas.AlertOpen), true, schemas.AlertResolved, slot},
		{"old, open, not all read", alert(first-week.Milliseconds(), schemas.AlertOpen), false, schemas.AlertResolved, slot},
		{"old and over", alert(first-week.Milliseconds(), schemas.AlertResolved), true, 0, 0},
		{"disproved", alert(first, schemas.AlertOpen), true, schemas.AlertWithdrawn, 0},
		{"over and disproved", alert(first, schemas.AlertResolved), true, schemas.AlertWithdrawn, 0},
		{"withdrawn", alert(first, schemas.AlertWithdrawn), true, 0, 0},
		{"not all read", alert(first, schemas.AlertOpen), false, 0, 0},
	} {
		got := transitions(slot, 1, nil, c.complete, []schemas.Alert{c.alert})
		if c.want == 0 && len(got) != 0 || c.want != 0 && (len(got) != 1 || got[0].Status != c.want || got[0].EndedAt != c.ended || got[0].Version <= c.alert.Version) {
			t.Errorf("%s: %+v", c.what, got)
		}
	}
	// First known after its end: it was never open.
	got := transitions(slot, 1, []breach{{shopWeek: shopWeek{"A", first}, rule: schemas.RuleLTSLow, better: first + week.Milliseconds()}}, true, nil)
	if len(got) != 1 || got[0].Status != schemas.AlertResolved || got[0].OpenedAt != 0 || got[0].EndedAt != first+week.Milliseconds() {
		t.Errorf("known late: %+v", got)
	}
}
