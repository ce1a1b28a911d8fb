package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"scantrail/bench/oracle"
	"scantrail/schemas"
)

// compareRows returns every row of a parcel's life that differs from the oracle's.
func (c *cluster) compareRows(want []oracle.Row) []string {
	type life struct {
		id   schemas.ID
		life int
	}
	got := map[life][]oracle.Row{}
	for _, row := range c.tables.parcels {
		if row.Deleted || row.Facts > schemas.MaxFacts {
			continue
		}
		key := life{row.ParcelID, int(row.Life)}
		got[key] = append(got[key], said(&row))
	}
	var lines []string
	for _, w := range want {
		key := life{schemas.ParcelID(w.Number), w.Life}
		rows := got[key]
		delete(got, key)
		if len(rows) != 1 {
			lines = append(lines, fmt.Sprintf("row of %s life %d: %d rows", w.Number, w.Life, len(rows)))
		} else if rows[0] != w {
			lines = append(lines, fmt.Sprintf("row of %s life %d:%s", w.Number, w.Life, fields(w, rows[0])))
		}
	}
	for key, rows := range got {
		lines = append(lines, fmt.Sprintf("row got besides, life %d: %+v", key.life, rows))
	}
	slices.Sort(lines)
	return lines
}

// compareOrderRows returns every row of an order that differs from the oracle's.
func (c *cluster) compareOrderRows(want []oracle.OrderRow) []string {
	var lines []string
	for _, w := range want {
		r := c.tables.orders[[2]string{w.Shop, w.Order}]
		if got := saidOfOrder(&r); got != w {
			lines = append(lines, fmt.Sprintf("row of order %s %s:%s", w.Shop, w.Order, fields(w, got)))
		}
	}
	if len(c.tables.orders) != len(want) {
		lines = append(lines, fmt.Sprintf("row of orders: want %d got %d", len(want), len(c.tables.orders)))
	}
	return lines
}

// fields names the columns in which two rows differ.
func fields(want, got any) (text string) {
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range w.NumField() {
		if !w.Field(i).Equal(g.Field(i)) {
			text += fmt.Sprintf(" %s want %v got %v", w.Type().Field(i).Name, w.Field(i), g.Field(i))
		}
	}
	return text
}

// saidOfOrder is a row as the oracle writes it.
func saidOfOrder(r *schemas.OrderRow) oracle.OrderRow {
	numbers := slices.Sorted(slices.Values(r.TrackingNumbers))
	s := func(ms int64) int64 { return ms / 1000 }
	return oracle.OrderRow{
		Shop: r.ShopID, Order: r.OrderID, Market: r.Market, Carrier: r.Carrier, Numbers: strings.Join(numbers, " "),
		Source: r.LabelSource, Origin: r.Origin, Destination: r.Destination, Postcode: r.DestPostcode,
		Created: s(r.CreatedAt), Confirmed: s(r.ConfirmedAt), Ready: s(r.ReadyAt), Shipped: s(r.MarkedShippedAt), Delivered: s(r.MarkedDeliveredAt),
		Label: s(r.LabelAt), Promise: s(r.PromiseAt), CancelRequested: s(r.CancelRequestedAt), CancelAnswered: s(r.CancelAnsweredAt),
		Cancelled: s(r.CancelledAt), Facts: int(r.Facts),
	}
}

// said is a row as the oracle writes it.
func said(r *schemas.ParcelRow) oracle.Row {
	s := func(ms int64) int64 { return ms / 1000 }
	return oracle.Row{
		Number: r.TrackingNumber, Shop: r.ShopID, Order: r.OrderID, Market: r.Market, Origin: r.Origin, Destination: r.Destination,
		Source: r.LabelSource, Policy: r.Policy, Life: int(r.Life), Stage: uint8(r.Stage), Last: uint8(r.LastMilestone), End: uint8(r.EndMilestone),
		FirstProgress: s(r.FirstProgressAt), LastProgress: s(r.LastProgressAt), FirstPhysical: s(r.FirstPhysicalAt), Ended: s(r.EndedAt),
		Ordered: s(r.OrderedAt), Confirmed: s(r.ConfirmedAt), Ready: s(r.ReadyAt), Shipped: s(r.MarkedShippedAt), Delivered: s(r.MarkedDeliveredAt),
		Promise: s(r.PromiseAt), Cancelled: s(r.CancelledAt), Label: s(r.LabelAt), Accepted: s(r.AcceptedAt), Cleared: s(r.ExportClearedAt),
		Departed: s(r.DepartedAt), Arrived: s(r.ArrivedAt), Imported: s(r.ImportClearedAt), Out: s(r.OutForDeliveryAt), Got: s(r.DeliveredAt),
		Returned: s(r.ReturnedAt), Facts: int(r.Facts), Progress: int(r.ProgressFacts), Required: int(r.Required), Due: int(r.Due),
		Observed: int(r.Observed), Silent: int(r.SilentSecs), Gaps48: int(r.Gaps48h), Gaps72: int(r.Gaps72h), Exceptions: int(r.Exceptions),
		Scores: oracle.Scores{
			FirstScan: s(r.FirstScanAt), Promised: s(r.PromisedAt), DeliverBy: s(r.DeliverBy), PickupBy: s(r.PickupBy), CollectBy: s(r.CollectBy),
			Exception: uint8(r.FirstException), ExceptionAt: s(r.FirstExceptionAt), Day: time.Unix(int64(r.CohortDay)*86400, 0).UTC().Format(time.DateOnly),
		},
	}
}
