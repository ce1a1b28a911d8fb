package main

import (
	"reflect"

	"scantrail/schemas"
)

// tables is ClickHouse: of rows with one key the highest version counts.
type tables struct {
	alerts   map[alertKey]schemas.Alert
	changes  map[alertKey]map[uint64]schemas.Alert    // alert_transitions
	statuses map[schemas.ID]map[uint64]schemas.Status // parcel.status
	parcels  map[parcelKey]schemas.ParcelRow
	orders   map[[2]string]schemas.OrderRow
	archives map[parcelKey]schemas.ArchiveRow
}

type alertKey struct{ id, home schemas.ID }

type parcelKey struct {
	id     schemas.ID
	opened int64
}

func newTables() tables {
	return tables{alerts: map[alertKey]schemas.Alert{}, changes: map[alertKey]map[uint64]schemas.Alert{},
		statuses: map[schemas.ID]map[uint64]schemas.Status{}, parcels: map[parcelKey]schemas.ParcelRow{},
		orders: map[[2]string]schemas.OrderRow{}, archives: map[parcelKey]schemas.ArchiveRow{}}
}

// put writes a row that replaces an older one. One version must mean one row.
func put[K comparable, V any](c *cluster, table map[K]V, key K, row V, version func(*V) uint64) {
	old, ok := table[key]
	switch v := version(&row); {
	case ok && version(&old) > v:
	case ok && version(&old) == v && !reflect.DeepEqual(old, row):
		if c.strict {
			c.failf("two rows of version %x:\n%+v\n%+v", v, old, row)
		}
		c.cover.fault("unstable", reflect.TypeOf(row).Name())
		table[key] = row
	default:
		table[key] = row
	}
}

func (c *cluster) alert(a schemas.Alert) {
	key := alertKey{a.AlertID, a.Home}
	old := c.tables.alerts[key]
	if old.Version < a.Version {
		c.cover.transition(a.Rule, a.Detail, old.Status, a.Status)
	}
	if c.tables.changes[key] == nil {
		c.tables.changes[key] = map[uint64]schemas.Alert{}
	}
	if known, ok := c.tables.changes[key][a.Version]; ok && known != a {
		c.failf("two transitions of version %x:\n%+v\n%+v", a.Version, known, a)
	}
	c.tables.changes[key][a.Version] = a
	put(c, c.tables.alerts, key, a, func(a *schemas.Alert) uint64 { return a.Version })
}

func (c *cluster) status(s schemas.Status) {
	told := c.tables.statuses[s.ParcelID]
	if told == nil {
		told = map[uint64]schemas.Status{}
		c.tables.statuses[s.ParcelID] = told
	}
	if known, ok := told[s.Version]; ok && known != s {
		c.failf("two statuses of version %x:\n%+v\n%+v", s.Version, known, s)
	}
	told[s.Version] = s
}

func (c *cluster) parcel(row *schemas.ParcelRow) {
	own := *row
	own.Carriers = append([]string(nil), row.Carriers...)
	put(c, c.tables.parcels, parcelKey{row.ParcelID, row.OpenedAt}, own, func(r *schemas.ParcelRow) uint64 { return r.Version })
}

func (c *cluster) order(row *schemas.OrderRow) {
	put(c, c.tables.orders, [2]string{row.ShopID, row.OrderID}, *row, func(r *schemas.OrderRow) uint64 { return r.Version })
}

func (c *cluster) archive(row *schemas.ArchiveRow) {
	own := *row
	own.State = append([]byte(nil), row.State...)
	put(c, c.tables.archives, parcelKey{row.EntityID, row.OpenedAt}, own, func(r *schemas.ArchiveRow) uint64 { return r.Version })
}

// current is the view alerts_current: of each alert the row of the smallest home.
func (c *cluster) current() map[schemas.ID]schemas.Alert {
	rows := map[schemas.ID]schemas.Alert{}
	for key, a := range c.tables.alerts {
		if old, ok := rows[key.id]; !ok || key.home.String() < old.Home.String() {
			rows[key.id] = a
		}
	}
	return rows
}
