package ingest

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"scantrail/schemas"
)

// TestBackfillHeader: a record that says it is history is history, whatever else
// lies in its topic, and is no sign of life of its carrier; where the header is
// denied it means nothing.
func TestBackfillHeader(t *testing.T) {
	for _, denied := range []bool{false, true} {
		f := newField(t)
		f.deny = denied
		first := f.join() // discovers the topics: what follows is not below their end
		f.send(8)
		f.committed()
		flag := []kgo.RecordHeader{{Key: schemas.BackfillHeader, Value: []byte("1")}}
		other := []kgo.RecordHeader{{Key: schemas.BackfillHeader, Value: []byte("yes")}}
		scan := func(number string, headers []kgo.RecordHeader) *kgo.Record {
			f.sent++
			return &kgo.Record{Topic: rawTopic, Headers: headers, Value: fmt.Appendf(nil, `{"waybill_number":"%s","country_code":"GB","track_events":[{"process_time":"2026-09-20T08:12:33","time_zone":"GMT+08:00","track_node_code":"TRANSIT_IN","process_content":"text","process_country":"CN"}]}`, number)}
		}
		order := func(id string, headers []kgo.RecordHeader) *kgo.Record {
			return &kgo.Record{Topic: schemas.OrdersTopic, Headers: headers, Value: fmt.Appendf(nil, `{"shop_id":"s","order_id":"%s","kind":"created","at":"2026-09-01T09:30:00Z"}`, id)}
		}
		if err := f.client.ProduceSync(t.Context(), order("HISTORY", flag), order("FRESH", other),
			scan("YT2632100000000001", flag), scan("YT2632100000000002", other), scan("YT2632100000000003", nil)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		f.reaches(schemas.OrdersTopic, 2)
		f.committed()
		first()
		got := map[string]bool{}
		told := int64(0)
		f.log(schemas.EventsTopic, func(r *kgo.Record) {
			var rec schemas.Record
			if err := rec.Decode(r.Value); err != nil {
				t.Fatal(err)
			}
			switch rec.Kind {
			case schemas.KindEvent:
				got[rec.Event.TrackingNumber] = rec.Event.Backfill
			case schemas.KindOrder:
				got[rec.Order.OrderID] = rec.Order.Backfill
			case schemas.KindFeed:
				told += rec.Feed.Events
			}
		})
		for name, want := range map[string]bool{"HISTORY": true, "FRESH": false, "YT2632100000000001": true, "YT2632100000000002": false, "YT2632100000000003": false} {
			if backfill, there := got[name]; !there || backfill != (want && !denied) {
				t.Errorf("denied %v: %s: there %v, backfill %v, want %v", denied, name, there, backfill, want && !denied)
			}
		}
		if want := map[bool]int64{false: 10, true: 11}[denied]; told != want {
			t.Errorf("denied %v: the feed told of %d events, want %d", denied, told, want)
		}
	}
}
