package oracle

import (
	"slices"
	"strings"

	"scantrail/schemas"
)

// OrderRow is what the row of one order must say in the end. Times are Unix
// seconds, 0 where there is none; Numbers are sorted.
type OrderRow struct {
	Shop, Order, Market, Carrier, Numbers, Source, Origin, Destination, Postcode string
	Created, Confirmed, Ready, Shipped, Delivered, Label, Promise                int64
	CancelRequested, CancelAnswered, Cancelled                                   int64
	Facts                                                                        int
}

// OrderRows returns what every order of a case must look like.
func (c *Case) OrderRows() []OrderRow {
	var rows []OrderRow
	for _, o := range c.allOrders() {
		var numbers []string
		for i := range o.facts {
			numbers = append(numbers, o.facts[i].TrackingNumbers...)
		}
		slices.Sort(numbers)
		first := func(k schemas.OrderKind) int64 { return zero(o.first(k)) }
		rows = append(rows, OrderRow{
			Shop: o.shop, Order: o.id, Market: o.market, Carrier: o.carrier, Numbers: strings.Join(slices.Compact(numbers), " "),
			Source: o.source, Origin: o.origin, Destination: o.dest, Postcode: o.post,
			Created: first(schemas.OrderCreated), Confirmed: first(schemas.OrderConfirmed), Ready: first(schemas.OrderReadyToShip),
			Shipped: first(schemas.OrderMarkedShipped), Delivered: first(schemas.OrderMarkedDelivered), Label: first(schemas.OrderLabelCreated),
			Promise: zero(o.promise), CancelRequested: first(schemas.OrderCancelRequested), CancelAnswered: first(schemas.OrderCancelAnswered),
			Cancelled: first(schemas.OrderCancelled), Facts: len(o.facts),
		})
	}
	return rows
}
