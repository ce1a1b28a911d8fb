package carriers

import "testing"

// TestKeepNumberless shows events without a number to people only.
func TestKeepNumberless(t *testing.T) {
	const raw = `{"waybill_number":"","country_code":"GB","track_events":[{"process_time":"2026-09-20T08:12:33","time_zone":"GMT+08:00","track_node_code":"DELIVERED","process_content":"Delivered"}]}`
	for _, keep := range []bool{false, true} {
		d := load(t).NewDecoder(Limits{})
		want := 0
		if keep {
			d.KeepNumberless()
			want = 1
		}
		r := d.Decode("yunexpress", []byte(raw), Source{})
		if len(r.Events) != want {
			t.Errorf("keep %v: %d events, want %d", keep, len(r.Events), want)
		}
		if len(r.Rejected) != 1 || r.Rejected[0].Reason != NoNumber {
			t.Errorf("keep %v: rejected %+v, want no_number once", keep, r.Rejected)
		}
		for _, e := range r.Events {
			if e.TrackingNumber != "" || e.Milestone.String() != "delivered" {
				t.Errorf("event %q %s, want delivered without a number", e.TrackingNumber, e.Milestone)
			}
		}
	}
}
