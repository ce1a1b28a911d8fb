package oracle

import (
	"slices"

	"scantrail/schemas"
)

// Row is what the row of one life of a parcel must say in the end. Times are Unix
// seconds, 0 where there is none.
type Row struct {
	Number, Shop, Order, Market, Origin, Destination, Source, Policy             string
	Life                                                                         int
	Stage, Last, End                                                             uint8
	FirstProgress, LastProgress, FirstPhysical, Ended                            int64
	Ordered, Confirmed, Ready, Shipped, Delivered, Promise, Cancelled            int64
	Label, Accepted, Cleared, Departed, Arrived, Imported, Out, Got, Returned    int64
	Facts, Progress, Required, Due, Observed, Silent, Gaps48, Gaps72, Exceptions int
	Scores
}

func zero(at int64) int64 {
	if at == never {
		return 0
	}
	return at
}

// rows returns one row for each life of a union.
func rowsOf(d *Document, root string, u *union, k Clock) []Row {
	lives := assign(split(u.facts), u.orders)
	now := k.C
	if u.linked || len(u.orders) > 0 {
		now = k.S
	}
	var rows []Row
	for i, l := range lives {
		j := newJudge(d, l, now)
		o := l.main
		if o == nil {
			o = &order{promise: never}
		}
		r := Row{Number: root, Life: i + 1, Shop: o.shop, Order: o.id, Market: o.market, Origin: j.origin, Destination: j.dest, Source: o.source, Policy: j.p.Name}
		r.Scores = j.scoreColumns(o)
		j.orderColumns(&r, o)
		j.trailColumns(&r)
		j.counts(&r)
		rows = append(rows, r)
	}
	return rows
}

func (j *judge) orderColumns(r *Row, o *order) {
	r.Ordered, r.Confirmed = zero(o.first(schemas.OrderCreated)), zero(o.first(schemas.OrderConfirmed))
	r.Ready, r.Cancelled = zero(o.first(schemas.OrderReadyToShip)), zero(o.first(schemas.OrderCancelled))
	r.Shipped, r.Delivered = zero(o.first(schemas.OrderMarkedShipped)), zero(o.first(schemas.OrderMarkedDelivered))
	r.Promise = zero(o.promise)
}

func (j *judge) trailColumns(r *Row) {
	l := j.life
	at := func(list ...uint8) int64 {
		if s := l.find(func(s *step) bool { return slices.Contains(list, s.milestone) }); s != nil {
			return s.at
		}
		return 0
	}
	for i := range l.trail {
		s := &l.trail[i]
		if !s.progress {
			continue
		}
		if r.FirstProgress == 0 {
			r.FirstProgress = s.at
		}
		r.LastProgress, r.Last = s.at, s.stated
		if s.forward() {
			r.Stage = max(r.Stage, s.milestone)
		}
	}
	if s := l.find(func(s *step) bool { return s.phys && s.milestone != 12 }); s != nil {
		r.FirstPhysical = s.at
	}
	if l.ended {
		r.Ended, r.End = l.end(), l.trail[len(l.trail)-1].milestone
	}
	r.Label, r.Accepted, r.Cleared, r.Departed = at(10), at(20), at(42), at(51)
	r.Arrived, r.Imported, r.Out, r.Got, r.Returned = at(60, 70, 71, 72, 73), at(72), at(90), at(95), at(129)
}

var exceptional = []uint8{12, 41, 43, 71, 73, 91, 100, 101, 102, 103, 104, 105, 106, 107, 108, 120, 121, 129}

func (j *judge) counts(r *Row) {
	l := j.life
	r.Facts = len(l.all)
	for _, f := range l.all {
		if f.progress {
			r.Progress++
		}
	}
	for _, s := range l.trail {
		if slices.Contains(exceptional, s.milestone) {
			r.Exceptions++
		}
	}
	j.gaps()
	for _, a := range j.out {
		if a.Level >= 1 {
			r.Gaps48++
		}
		if a.Level == 2 {
			r.Gaps72++
		}
		if a.Status == "resolved" {
			_, open, _ := j.silenceLimits(a.Anchor)
			r.Silent += int(a.Ended - a.Anchor - open)
		}
	}
	j.out = nil
	for i := range j.p.Required {
		need := &j.p.Required[i]
		if need.CrossBorder && !j.crossBorder() {
			continue
		}
		r.Required |= 1 << i
		q := j.requirement(need)
		if q.seen != nil && !q.excused {
			r.Observed |= 1 << i
		}
		if (q.seen != nil || q.missed) && !q.excused {
			r.Due |= 1 << i
		}
	}
}

// Rows returns what every life of every parcel of a case must look like.
func (c *Case) Rows(docs []Document) []Row {
	var rows []Row
	c.each(func(root string, u *union, k Clock) { rows = append(rows, rowsOf(&docs[c.Doc], root, u, k)...) })
	return rows
}
