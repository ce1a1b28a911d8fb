package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"scantrail/schemas"
)

// rowColumn is one column of a table and what a row of the replay has in it, both
// as text.
type rowColumn[T any] struct {
	name string
	sql  string
	text func(*T) string
}

const fieldSeparator = "\x01"

// sqlOf is the text of a stored row, textOf that of an expected one.
func sqlOf[T any](columns []rowColumn[T]) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.sql
	}
	return "arrayStringConcat([" + strings.Join(all, ", ") + "], '\\x01')"
}

func textOf[T any](columns []rowColumn[T], row *T) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.text(row)
	}
	return strings.Join(all, fieldSeparator)
}

// fieldDiff names the fields in which two rows differ.
func fieldDiff[T any](columns []rowColumn[T], want, got string) string {
	w, g := strings.Split(want, fieldSeparator), strings.Split(got, fieldSeparator)
	var all []string
	for i, c := range columns {
		if i < len(w) && i < len(g) && w[i] != g[i] {
			all = append(all, fmt.Sprintf("%s is %q, the replay has %q", c.name, g[i], w[i]))
		}
	}
	return strings.Join(all, "; ")
}

// comparison compares the rows of one table and partition with those of a
// replay. Of the stored rows it keeps a hash.
type comparison[T any] struct {
	*audit
	r       *replay
	table   string
	columns []rowColumn[T]
	key     string // SQL: text that names a row
	lead    string // leading column of the table's key
	own     string // SQL: belongs to this partition and is of no linked number
	keyOf   func(*T) string
	leadOf  func(*T) string
	version func(*T) uint64
	deleted func(*T) bool
	label   func(*T) string

	stored   map[string]storedRow
	suspects []suspect
	n        int64
}

type storedRow struct{ version, hash uint64 }

// suspect is an expected row that the stored ones do not show.
type suspect struct {
	key, lead, label, text string
	version                uint64
	deleted                bool
}

func offsetOfVersion(v uint64) int64 { return int64(v >> 8 & (1<<44 - 1)) }

// load reads the partition's rows.
func (c *comparison[T]) load(ctx context.Context) error {
	c.stored = map[string]storedRow{}
	query := fmt.Sprintf("SELECT %s, version, %s FROM %s FINAL WHERE %s", c.key, sqlOf(c.columns), c.table, c.own)
	return c.each(ctx, query, func(scan func(...any) error) error {
		var key, text string
		var s storedRow
		err := scan(&key, &s.version, &text)
		s.hash = xxh3.HashString(text)
		if at := offsetOfVersion(s.version); at >= c.r.from && at < c.r.end {
			c.stored[key] = s
		}
		return err
	})
}

// maxSuspects bounds the rows that wait to be looked up once more.
const maxSuspects = 500

// expect takes the next row of the replay.
func (c *comparison[T]) expect(ctx context.Context, row *T) error {
	c.n++
	key, text, version := c.keyOf(row), textOf(c.columns, row), c.version(row)
	s, ok := c.stored[key]
	if ok && s.version > version {
		return nil // a later row of the replay may be it; else finish reports it
	}
	delete(c.stored, key)
	if gone := c.deleted != nil && c.deleted(row); ok && !gone && s.version == version && s.hash == xxh3.HashString(text) {
		return nil
	}
	c.suspects = append(c.suspects, suspect{key, c.leadOf(row), c.label(row), text, version, c.deleted != nil && c.deleted(row)})
	if len(c.suspects) < maxSuspects {
		return nil
	}
	return c.judge(ctx)
}

// judge looks the suspects up as they stand now, and reports those that differ.
func (c *comparison[T]) judge(ctx context.Context) error {
	if len(c.suspects) == 0 {
		return nil
	}
	by := map[string]*suspect{}
	found, err := c.persistent(ctx, func() (map[string]string, error) {
		now, err := c.lookUp(ctx)
		differ := map[string]string{}
		for i := range c.suspects {
			s := &c.suspects[i]
			by[s.key] = s
			if what := c.compare(s, now[s.key]); what != "" {
				differ[s.key] = what
			}
		}
		return differ, err
	})
	if err != nil {
		return err
	}
	c.eachFound(found, func(key, what string) {
		s := by[key]
		c.violated(fmt.Sprintf("%s, %s, version of offset %d", c.table, s.label, offsetOfVersion(s.version)), what,
			"the same log does not give the row that stands in ClickHouse: the row was altered or lost, or an older program judged this part of the log",
			"where the program was changed since, this is expected until a new generation rewrites the rows; else report it with the record of this number")
	})
	c.suspects = c.suspects[:0]
	return nil
}

// storedText is a row as it stands now.
type storedText struct {
	there   bool
	version uint64
	text    string
}

func (c *comparison[T]) compare(s *suspect, now storedText) string {
	switch {
	case now.there && offsetOfVersion(now.version) >= c.r.end:
		c.leftOut(1, movedOn)
		return ""
	case s.deleted && (!now.there || now.version > s.version):
		return ""
	case s.deleted:
		return "the replay has it deleted, the table has a row"
	case !now.there:
		return "the table has no row of it"
	case now.version != s.version:
		return fmt.Sprintf("its version is %d (offset %d), the replay has %d; %s", now.version, offsetOfVersion(now.version), s.version, fieldDiff(c.columns, s.text, now.text))
	}
	return fieldDiff(c.columns, s.text, now.text)
}

func (c *comparison[T]) lookUp(ctx context.Context) (map[string]storedText, error) {
	var leads, keys []string
	for i := range c.suspects {
		leads, keys = append(leads, sqlText(c.suspects[i].lead)), append(keys, sqlText(c.suspects[i].key))
	}
	now := map[string]storedText{}
	for len(keys) > 0 {
		n := min(len(keys), 100) // within the server's usual limit of a query's length
		query := fmt.Sprintf("SELECT %s AS k, version, %s FROM %s FINAL WHERE %s IN (%s) AND k IN (%s)", c.key, sqlOf(c.columns), c.table,
			c.lead, strings.Join(leads[:n], ","), strings.Join(keys[:n], ","))
		err := c.each(ctx, query, func(scan func(...any) error) error {
			var key string
			s := storedText{there: true}
			err := scan(&key, &s.version, &s.text)
			now[key] = s
			return err
		})
		if err != nil {
			return nil, err
		}
		leads, keys = leads[n:], keys[n:]
	}
	return now, nil
}

func sqlText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}

// finish reports the stored rows that the replay never wrote.
func (c *comparison[T]) finish(ctx context.Context) error {
	if err := c.judge(ctx); err != nil {
		return err
	}
	left := map[string]string{}
	for key, s := range c.stored {
		left[strings.ReplaceAll(key, "\x00", " ")] = fmt.Sprint(offsetOfVersion(s.version))
	}
	c.eachFound(left, func(key, offset string) {
		c.violated(fmt.Sprintf("%s, %s, version of offset %s", c.table, key, offset), "the replay never wrote this row",
			"it was inserted by somebody else, or an older program judged this part of the log", "delete it unless the program was changed since; only the user of the service should be granted INSERT")
	})
	return nil
}

func newAlertComparison(a *audit, r *replay) *comparison[schemas.Alert] {
	return &comparison[schemas.Alert]{
		audit: a, r: r, table: "alert_transitions", columns: alertColumns(),
		key:  "concat(toString(alert_id), '\\0', toString(home), '\\0', toString(version))",
		lead: "alert_id",
		own: fmt.Sprintf("(tracking_number != '' AND tracking_number NOT IN %s AND %s OR tracking_number = '' AND order_id != '' AND %s)", linkedNumbers,
			a.ownPartition("tracking_number", r.p.id), a.ownPartition("concat('order:', shop_id, ':', order_id)", r.p.id)),
		keyOf:   func(t *schemas.Alert) string { return fmt.Sprintf("%s\x00%s\x00%d", t.AlertID, t.Home, t.Version) },
		leadOf:  func(t *schemas.Alert) string { return t.AlertID.String() },
		version: func(t *schemas.Alert) uint64 { return t.Version },
		label: func(t *schemas.Alert) string {
			return fmt.Sprintf("alert %s (%s of %s)", t.AlertID, t.Rule, t.TrackingNumber+t.OrderID)
		},
	}
}

func newParcelComparison(a *audit, r *replay) *comparison[schemas.ParcelRow] {
	return &comparison[schemas.ParcelRow]{
		audit: a, r: r, table: "parcels", columns: parcelColumns(),
		key: "concat(toString(parcel_id), '\\0', toString(toUnixTimestamp64Milli(opened_at)))", lead: "parcel_id",
		own:     fmt.Sprintf("tracking_number NOT IN %s AND %s", linkedNumbers, a.ownPartition("tracking_number", r.p.id)),
		keyOf:   func(p *schemas.ParcelRow) string { return fmt.Sprintf("%s\x00%d", p.ParcelID, p.OpenedAt) },
		leadOf:  func(p *schemas.ParcelRow) string { return p.ParcelID.String() },
		version: func(p *schemas.ParcelRow) uint64 { return p.Version },
		deleted: func(p *schemas.ParcelRow) bool { return p.Deleted },
		label:   func(p *schemas.ParcelRow) string { return "parcel " + p.TrackingNumber },
	}
}

func newOrderComparison(a *audit, r *replay) *comparison[schemas.OrderRow] {
	return &comparison[schemas.OrderRow]{
		audit: a, r: r, table: "orders", columns: orderColumns(),
		key: "concat(shop_id, '\\0', order_id)", lead: "shop_id",
		own:     a.ownPartition("concat('order:', shop_id, ':', order_id)", r.p.id),
		keyOf:   func(o *schemas.OrderRow) string { return o.ShopID + "\x00" + o.OrderID },
		leadOf:  func(o *schemas.OrderRow) string { return o.ShopID },
		version: func(o *schemas.OrderRow) uint64 { return o.Version },
		label:   func(o *schemas.OrderRow) string { return "order " + o.OrderID + " of " + o.ShopID },
	}
}
