package detector

import (
	"fmt"
	"testing"

	"scantrail/schemas"
)

// TestOrderHistoryIsLifted: an order fact is history only while every copy of it
// is; its parcels are told once one is not.
func TestOrderHistoryIsLifted(t *testing.T) {
	for _, c := range []struct {
		copies []bool // that are history, as they come
		told   string // forwarded to the parcel: number of the copy, and whether it is history
	}{
		{[]bool{true, false}, "0 true, 1 false, "},
		{[]bool{false, true}, "0 false, "},
		{[]bool{true, true, false, true, false}, "0 true, 2 false, "},
	} {
		m, told := NewMachine(0, 1), ""
		for i, history := range c.copies {
			var out Output
			o := schemas.OrderFact{FactID: schemas.ParcelID("f"), ShopID: "s", OrderID: "1", Kind: schemas.OrderLabelCreated, At: 1_790_000_000_000,
				ReceivedAt: 1_790_000_000_000, TrackingNumbers: []string{"AB123456789CD"}, Backfill: history}
			if err := m.Apply(int64(i), &schemas.Record{Kind: schemas.KindOrder, Order: o}, &out); err != nil {
				t.Fatal(err)
			}
			for _, f := range out.Forwards {
				var r schemas.Record
				if err := r.Decode(f.Value); err != nil {
					t.Fatal(err)
				}
				told += fmt.Sprintf("%d %v, ", i, r.Order.Backfill)
			}
		}
		if told != c.told {
			t.Errorf("%v: %s; want %s", c.copies, told, c.told)
		}
	}
}
