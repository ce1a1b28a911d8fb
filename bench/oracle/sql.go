package oracle

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"scantrail/schemas"
	"scantrail/sink/chdb"
)

//go:embed tables.sql
var tablesSQL string

//go:embed rules.sql
var rulesSQL string

// SQL is the oracle's tables in one database of an engine. It is not safe for
// concurrent use.
type SQL struct {
	engine   *chdb.Engine
	database string
	steps    []string
	docs     []Document
	Spent    map[string]time.Duration // by statement
}

// NewSQL creates the tables in an empty database and fills in the figures of the
// policy documents.
func NewSQL(ctx context.Context, engine *chdb.Engine, database string, docs []Document) (*SQL, error) {
	s := &SQL{engine: engine, database: database, steps: statements(rulesSQL), docs: docs, Spent: map[string]time.Duration{}}
	for _, q := range statements(tablesSQL) {
		if err := s.exec(ctx, q); err != nil {
			return nil, err
		}
	}
	return s, s.loadPolicies(ctx)
}

func statements(sql string) []string {
	var all []string
	for q := range strings.SplitSeq(sql, ";\n") {
		if strings.TrimSpace(q) != "" {
			all = append(all, q)
		}
	}
	return all
}

func (s *SQL) exec(ctx context.Context, q string) error {
	var out bytes.Buffer
	_, err := s.engine.Query(ctx, chdb.Query{SQL: q, Database: s.database}, &out)
	if err != nil {
		return fmt.Errorf("oracle: %.60s: %w", strings.TrimSpace(q), err)
	}
	return nil
}

func (s *SQL) insert(ctx context.Context, table string, rows []byte) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.engine.Insert(ctx, chdb.Query{SQL: "INSERT INTO " + table, Format: "TabSeparated", Database: s.database}, bytes.NewReader(rows))
	if err != nil {
		return fmt.Errorf("oracle: rows of %s: %w", table, err)
	}
	return nil
}

// Converged returns the alerts of each case that must be open, escalated or
// resolved in the end, for many cases at once.
func (s *SQL) Converged(ctx context.Context, cases []*Case) ([]Alert, error) {
	for _, table := range strings.Fields("in_scans in_voids in_numbers in_orders in_order_parts in_clocks in_seeds facts lived trail orders linked lives gaps deadlines alerts") {
		if err := s.exec(ctx, "TRUNCATE TABLE "+table); err != nil {
			return nil, err
		}
	}
	if err := s.loadCases(ctx, cases); err != nil {
		return nil, err
	}
	for _, q := range s.steps {
		start := time.Now()
		if err := s.exec(ctx, q); err != nil {
			return nil, err
		}
		s.Spent[strings.SplitN(strings.TrimSpace(q), "\n", 2)[0]] += time.Since(start)
	}
	return s.read(ctx)
}

func (s *SQL) read(ctx context.Context) ([]Alert, error) {
	var out bytes.Buffer
	const q = "SELECT seed, entity, family, rule, detail, num, anchor, level, status, ended FROM alerts"
	if _, err := s.engine.Query(ctx, chdb.Query{SQL: q, Format: "TabSeparated", Database: s.database}, &out); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	var all []Alert
	for line := range strings.Lines(out.String()) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		seed, _ := strconv.ParseUint(f[0], 10, 32)
		anchor, _ := strconv.ParseInt(f[6], 10, 64)
		level, _ := strconv.ParseUint(f[7], 10, 8)
		ended, err := strconv.ParseInt(f[9], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("oracle: %q: %w", line, err)
		}
		all = append(all, Alert{Seed: uint32(seed), Entity: f[1], Family: f[2], Rule: f[3], Detail: f[4], Number: f[5],
			Anchor: anchor, Level: uint8(level), Status: f[8], Ended: ended})
	}
	return all, nil
}

// loadCases writes the input tables.
func (s *SQL) loadCases(ctx context.Context, cases []*Case) error {
	var scans, voids, numbers, orders, parts, clocks, seeds rows
	for _, c := range cases {
		seed := int64(c.Seed)
		seeds.row(seed, int64(c.Doc))
		for i := range c.Scans {
			scans.scan(seed, &c.Scans[i])
		}
		for _, id := range c.Voids {
			voids.row(seed, id.String())
		}
		of, quarantined := c.Unions(), c.Quarantined()
		for _, n := range c.numbers() {
			u := of[n]
			numbers.row(seed, n, u.Root, int64(c.Home(u.Root)), bit(len(u.Numbers) > 1), bit(quarantined[n]))
		}
		seen := map[string]bool{}
		for i := range c.Orders {
			o := &c.Orders[i]
			orders.order(seed, o)
			if key := OrderKey(o.ShopID, o.OrderID); !seen[key] {
				seen[key] = true
				parts.row(seed, o.ShopID, o.OrderID, int64(c.Home(key)))
			}
		}
		for i, k := range c.Clocks {
			clocks.row(seed, int64(i), k.C, k.S)
		}
	}
	for _, t := range []struct {
		table string
		rows  rows
	}{{"in_scans", scans}, {"in_voids", voids}, {"in_numbers", numbers}, {"in_orders", orders}, {"in_order_parts", parts}, {"in_clocks", clocks}, {"in_seeds", seeds}} {
		if err := s.insert(ctx, t.table, t.rows); err != nil {
			return err
		}
	}
	return nil
}

// rows builds TabSeparated text. No value holds a tab or a backslash.
type rows []byte

func (r *rows) row(values ...any) {
	for i, v := range values {
		if i > 0 {
			*r = append(*r, '\t')
		}
		switch v := v.(type) {
		case int64:
			*r = strconv.AppendInt(*r, v, 10)
		case string:
			*r = append(*r, v...)
		default:
			panic(fmt.Sprintf("oracle: column of type %T", v))
		}
	}
	*r = append(*r, '\n')
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (r *rows) scan(seed int64, e *schemas.Event) {
	r.row(seed, e.TrackingNumber, e.FactID.String(), int64(e.MappingVersion), e.OccurredAt, e.ReceivedAt, int64(e.Milestone),
		bit(e.Progress), bit(e.Physical), e.Country, e.Postcode, e.OriginCountry, e.DestinationCountry, int64(e.NumberCheck), bit(e.Backfill), bit(e.Reason == "consignee_refused"))
}

func (r *rows) order(seed int64, o *schemas.OrderFact) {
	r.row(seed, o.ShopID, o.OrderID, o.FactID.String(), int64(o.Kind), o.At, o.Until, o.PromiseAt, texts(o.TrackingNumbers),
		o.Carrier, o.LabelSource, o.OriginCountry, o.DestinationCountry, o.DestinationPostcode, o.Market)
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// array literals of ClickHouse

func join[T any](list []T, f func(T) string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = f(v)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func texts(list []string) string { return join(list, func(s string) string { return "'" + s + "'" }) }
func ints[T ~uint8 | ~int64](list []T) string {
	return join(list, func(n T) string { return strconv.FormatInt(int64(n), 10) })
}

func (s *SQL) loadPolicies(ctx context.Context) error {
	var docs, policies, required rows
	next := int64(0)
	for i, d := range s.docs {
		first := next
		for _, p := range d.Policies {
			policies.policy(next, &p)
			for _, r := range p.Required {
				required.row(next, r.Name, bit(r.CrossBorder), ints(r.Satisfied), ints(r.Excused), ints(r.Since), r.After)
			}
			next++
		}
		pol := func(f func(*Policy) []string) string {
			return join(d.Policies, func(p Policy) string { return texts(f(&p)) })
		}
		numbers := make([]int64, len(d.Policies))
		for k := range numbers {
			numbers[k] = first + int64(k)
		}
		docs.row(int64(i), ints(numbers), pol(func(p *Policy) []string { return p.Markets }), pol(func(p *Policy) []string { return p.Shops }),
			pol(func(p *Policy) []string { return p.Lanes }), pol(func(p *Policy) []string { return p.Carriers }),
			join(d.Holidays, func(h Holiday) string { return texts(h.Shops) }), join(d.Holidays, func(h Holiday) string { return texts(h.Markets) }),
			join(d.Holidays, func(h Holiday) string { return strconv.FormatInt(h.From, 10) }), join(d.Holidays, func(h Holiday) string { return strconv.FormatInt(h.Until, 10) }))
	}
	for _, t := range []struct {
		table string
		rows  rows
	}{{"docs", docs}, {"policies", policies}, {"required", required}} {
		if err := s.insert(ctx, t.table, t.rows); err != nil {
			return err
		}
	}
	return nil
}

func (r *rows) policy(id int64, p *Policy) {
	over := func(list []Override, f func(Override) string) string { return join(list, f) }
	num := func(n int64) string { return strconv.FormatInt(n, 10) }
	limits := make([]string, 0, len(p.Deadlines))
	for name, d := range p.Deadlines {
		limits = append(limits, fmt.Sprintf("'%s':(%d,%d,%d)", name, d.After.Secs, d.After.Days, d.Since))
	}
	starts, ends := workingDays(p, CalendarFrom, CalendarUntil)
	r.row(id, bit(p.Physical), p.Risk, p.Open, p.Escalate,
		over(p.Gaps, func(o Override) string { return ints(o.Stages) }), over(p.Gaps, func(o Override) string { return texts(o.Lanes) }),
		over(p.Gaps, func(o Override) string { return num(o.Risk) }), over(p.Gaps, func(o Override) string { return num(o.Open) }),
		over(p.Gaps, func(o Override) string { return num(o.Expire) }),
		p.Stay, over(p.Stays, func(o Override) string { return ints(o.Stages) }), over(p.Stays, func(o Override) string { return texts(o.Lanes) }),
		over(p.Stays, func(o Override) string { return num(o.Open) }),
		ints(p.Undeliverable), ints(p.Exception), p.UploadLate, bit(p.Warehouse), bit(p.SellerLabel), texts(p.Channels),
		bit(p.Numbers), p.Reused, p.BeforeOrder, p.Grace, bit(p.Reverse), "{"+strings.Join(limits, ",")+"}",
		join(p.Promises, func(x Promise) string { return texts(x.Markets) }), join(p.Promises, func(x Promise) string { return num(x.Within.Secs) }),
		join(p.Promises, func(x Promise) string { return num(x.Within.Days) }), ints(starts), ints(ends))
}

// The calendar of working days that the oracle knows. Facts must lie in it.
var (
	CalendarFrom  = time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
	CalendarUntil = time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)
)
