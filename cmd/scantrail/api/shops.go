package api

import (
	"math"
	"time"

	"scantrail/cmd/scantrail/query"
)

// shopScore is the score of a shop, the latest week first.
type shopScore struct {
	ShopID string `json:"shop_id"`
	Weeks  []week `json:"weeks"`
}

type week struct {
	Week           string        `json:"week"`
	Parcels        uint64        `json:"parcels"`
	OpenParcels    uint64        `json:"open_parcels"`
	CountedParcels uint64        `json:"counted_parcels"`
	LTS            *float64      `json:"lts"`
	Completeness   *float64      `json:"completeness"`
	Weight         float64       `json:"weight"`
	PublishedLTS   *float64      `json:"published_lts"`
	PublishedAt    *time.Time    `json:"published_at"`
	Policy         string        `json:"policy,omitempty"`
	Parts          parts         `json:"parts"`
	Thresholds     []consequence `json:"thresholds"`
	Lost           []loss        `json:"lost"`
}

type parts struct {
	OnTime        part `json:"on_time"`
	Completeness  part `json:"completeness"`
	Pickup        part `json:"pickup"`
	ExceptionFree part `json:"exception_free"`
}

type part struct {
	Share  *float64 `json:"share"`
	Weight float64  `json:"weight"`
	Points *float64 `json:"points"`
}

type consequence struct {
	Rule         string  `json:"rule"`
	Value        float64 `json:"value"`
	Threshold    float64 `json:"threshold"`
	Breached     bool    `json:"breached"`
	ExposureLost float64 `json:"exposure_lost"`
}

type loss struct {
	Part   string  `json:"part"`
	Rule   string  `json:"rule"`
	Fault  string  `json:"fault"`
	Points float64 `json:"points"`
	Units  uint64  `json:"units"`
}

const (
	usualWeeks = 8
	mostWeeks  = 53
)

func (a *api) score(r *request) error {
	shop := r.PathValue("shop")
	weeks := r.params.number("weeks", 1, mostWeeks, usualWeeks)
	if err := r.params.done(); err != nil {
		return err
	}
	if len(shop) > maxParam {
		return query.ErrNone
	}
	ctx := r.Context()
	rows, err := r.visible.Weeks(ctx, shop, weeks)
	if err != nil {
		return err
	}
	from := rows[len(rows)-1].Week
	losses, err := r.visible.Losses(ctx, shop, from)
	if err != nil {
		return err
	}
	consequences, err := r.visible.Consequences(ctx, shop, from)
	if err != nil {
		return err
	}
	out := shopScore{ShopID: clean(shop)}
	for i := range rows {
		w := weekOf(&rows[i])
		for _, l := range losses {
			if l.Week.Equal(rows[i].Week) {
				w.Lost = append(w.Lost, loss{l.Part, l.Rule, l.Fault, rounded(l.Points), l.Units})
			}
		}
		for _, c := range consequences {
			if c.Week.Equal(rows[i].Week) {
				w.Thresholds = append(w.Thresholds, consequence{c.Rule, rounded(c.Value), c.Threshold, c.Breached, c.ExposureLost})
			}
		}
		out.Weeks = append(out.Weeks, w)
	}
	return r.answer(out)
}

// rounded keeps six digits: a sum of many parts differs beyond them from one
// answer to the next.
func rounded(v float64) float64 { return math.Round(v*1e6) / 1e6 }

func roundedOr(v *float64) *float64 {
	if v == nil {
		return nil
	}
	r := rounded(*v)
	return &r
}

func weekOf(w *query.VisibleWeek) week {
	return week{
		Week: w.Week.Format(time.DateOnly), Parcels: w.Parcels, OpenParcels: w.OpenParcels, CountedParcels: w.CountedParcels,
		LTS: roundedOr(w.LTS), Completeness: roundedOr(w.Completeness), Weight: w.Weight, PublishedLTS: roundedOr(w.PublishedLTS), PublishedAt: w.PublishedAt, Policy: w.Policy,
		Parts: parts{
			OnTime:        part{roundedOr(w.OnTimeShare), w.OnTimeWeight, roundedOr(w.OnTimePoints)},
			Completeness:  part{roundedOr(w.CompletenessShare), w.CompletenessWeight, roundedOr(w.CompletenessPoints)},
			Pickup:        part{roundedOr(w.PickupShare), w.PickupWeight, roundedOr(w.PickupPoints)},
			ExceptionFree: part{roundedOr(w.ExceptionFreeShare), w.ExceptionFreeWeight, roundedOr(w.ExceptionFreePoints)},
		},
		Thresholds: []consequence{}, Lost: []loss{},
	}
}
