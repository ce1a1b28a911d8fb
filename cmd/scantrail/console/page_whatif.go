package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
)

// whatIfWeek is a week as it is and as it would be.
type whatIfWeek struct {
	Is    scoreWeek
	Would *query.Score // nil: nothing was asked
}

// Parts of the score as it would be.
func (w *whatIfWeek) Parts() []scorePart { return scoreParts(w.Would) }

// Change is what LTS would gain; nil where it is not known.
func (w *whatIfWeek) Change() *float64 {
	if w.Would == nil || w.Would.LTS == nil || w.Is.LTS == nil {
		return nil
	}
	d := *w.Would.LTS - *w.Is.LTS
	return &d
}

type whatIfData struct {
	shopData
	Policies []query.PolicyVersion
	Chosen   string // number/policy
	Compared []whatIfWeek
	One      *whatIfWeek // of the chosen week
	Lanes    []lossSum
	Lane     *lossSum
	Without  query.WithoutLane
}

// whatIfPage shows a shop's weeks under another policy, and one without a lane.
func (c *console) whatIfPage(r *request) error {
	shop := r.shop()
	title := r.Get("whatif.title", shop)
	scores := c.askScores(r)
	policies, err := c.queries.PolicyVersions(r.Context())
	if err != nil {
		return err
	}
	chosen, number, policy := r.param("policy"), uint32(0), ""
	if first, name, ok := strings.Cut(chosen, "/"); ok {
		n, err := strconv.ParseUint(first, 10, 32)
		if err != nil {
			return query.ErrNone
		}
		number, policy = uint32(n), name
	}
	var would asked[[]query.Score]
	known := slices.ContainsFunc(policies, func(p query.PolicyVersion) bool { return p.Number == number && p.Policy == policy })
	if known {
		would = ask(r, fmt.Sprintf("what if %s %d %s", shop, number, policy), func(ctx context.Context) ([]query.Score, error) {
			return c.queries.WhatIf(ctx, shop, number, policy)
		})
	}
	_, ready, err := r.await(r.patience())
	if err != nil {
		return err
	}
	if !ready {
		return r.computing(title)
	}
	weeks := scoreWeeks(scores.Value(), nil, nil, shop)
	if len(weeks) == 0 {
		return query.ErrNone
	}
	data := &whatIfData{shopData: shopData{Shop: shop, Tab: "whatif", Link: shopLink(shop), Weeks: weeks, Week: weekOf(r, weeks)}, Policies: policies, Chosen: chosen}
	losses := ask(r, "explain "+shop+" "+day(data.Week.Week), func(ctx context.Context) ([]query.Loss, error) { return c.queries.Explain(ctx, shop, data.Week.Week) })
	lane := c.askWithout(r, data.Week.Week)
	return r.compute(title, func(age time.Duration) error {
		data.Age = age
		data.Lanes = lossSums(losses.Value(), func(l *query.Loss) lossSum {
			return lossSum{Key: l.Origin + "-" + l.Destination, Origin: l.Origin, Destination: l.Destination}
		})
		if known {
			data.compare(would.Value())
		}
		if r.wantsCSV() {
			return exportWhatIf(r, data)
		}
		if lane.answer != nil {
			data.Without = lane.Value()
			data.Lane = &lossSum{Origin: r.param("origin"), Destination: r.param("destination")}
		}
		return r.render(title, data)
	})
}

// askWithout asks for the week without the lane of the URL, where it names one.
func (c *console) askWithout(r *request, week time.Time) (lane asked[query.WithoutLane]) {
	origin, destination := r.param("origin"), r.param("destination")
	if origin == "" || destination == "" {
		return lane
	}
	shop := r.shop()
	return ask(r, strings.Join([]string{"without", shop, day(week), origin, destination}, " "), func(ctx context.Context) (query.WithoutLane, error) {
		without, err := c.queries.WithoutLane(ctx, shop, week, origin, destination)
		if errors.Is(err, query.ErrNone) {
			return query.WithoutLane{}, nil // none of its parcels
		}
		return without, err
	})
}

func (d *whatIfData) compare(would []query.Score) {
	for i := range d.Weeks {
		w := whatIfWeek{Is: d.Weeks[i]}
		for k := range would {
			if would[k].Week.Equal(w.Is.Week) {
				w.Would = &would[k]
			}
		}
		d.Compared = append(d.Compared, w)
	}
	for i := range d.Compared {
		if d.Compared[i].Is.Week.Equal(d.Week.Week) && d.Compared[i].Would != nil {
			d.One = &d.Compared[i]
		}
	}
}

func exportWhatIf(r *request, data *whatIfData) error {
	header := []any{"shop", "week", "lts", "lts_what_if", "change", "policy_what_if", "counted_parcels", "counted_parcels_what_if"}
	return r.export("what-if", header, func(write func(...any) error) error {
		for i := range data.Compared {
			w := &data.Compared[i]
			would := w.Would
			if would == nil {
				would = &query.Score{}
			}
			if err := write(data.Shop, day(w.Is.Week), cellOf(w.Is.LTS), cellOf(would.LTS), cellOf(w.Change()), data.Chosen, w.Is.Counted, would.Counted); err != nil {
				return err
			}
		}
		return nil
	})
}
