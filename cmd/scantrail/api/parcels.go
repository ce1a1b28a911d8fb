package api

import (
	"slices"
	"time"

	"scantrail/cmd/scantrail/console"
	"scantrail/cmd/scantrail/query"
)

// parcel is the answer about one life of a tracking number.
type parcel struct {
	TrackingNumber string   `json:"tracking_number"`
	OtherNumbers   []string `json:"other_numbers"`
	ParcelID       string   `json:"parcel_id"`
	ShopID         string   `json:"shop_id,omitempty"`
	OrderID        string   `json:"order_id,omitempty"`
	Market         string   `json:"market,omitempty"`
	Origin         string   `json:"origin,omitempty"`
	Destination    string   `json:"destination,omitempty"`
	Carriers       []string `json:"carriers"`
	Product        string   `json:"product,omitempty"`
	State          state    `json:"state"`
	Trail          []scan   `json:"trail"`
	TrailCut       bool     `json:"trail_cut"`
	Alerts         []alert  `json:"alerts"`
	Lives          []life   `json:"lives"`
}

type state struct {
	OpenedAt           time.Time  `json:"opened_at"`
	Stage              string     `json:"stage,omitempty"`
	LastMilestone      string     `json:"last_milestone,omitempty"`
	LastCarrier        string     `json:"last_carrier,omitempty"`
	LastFacility       string     `json:"last_facility,omitempty"`
	LastCountry        string     `json:"last_country,omitempty"`
	LastProgressAt     *time.Time `json:"last_progress_at"`
	SilentLevel        int        `json:"silent_level"`
	EndMilestone       string     `json:"end_milestone,omitempty"`
	EndedAt            *time.Time `json:"ended_at"`
	CancelledAt        *time.Time `json:"cancelled_at"`
	PromisedAt         *time.Time `json:"promised_at"`
	DeliverBy          *time.Time `json:"deliver_by"`
	Gaps48h            uint8      `json:"gaps_48h"`
	Gaps72h            uint8      `json:"gaps_72h"`
	Exceptions         uint8      `json:"exceptions"`
	DueMilestones      uint8      `json:"due_milestones"`
	ObservedMilestones uint8      `json:"observed_milestones"`
	MissingMilestones  []string   `json:"missing_milestones"`
	Completeness       *float64   `json:"completeness"`
	Policy             string     `json:"policy,omitempty"`
}

type scan struct {
	EffectiveAt     time.Time `json:"effective_at"`
	OccurredAt      time.Time `json:"occurred_at"`
	OccurredAtRaw   string    `json:"occurred_at_raw,omitempty"`
	TZSource        string    `json:"tz_source"`
	UncertaintySecs uint32    `json:"uncertainty_secs"`
	ReceivedAt      time.Time `json:"received_at"`
	Milestone       string    `json:"milestone"`
	Rule            string    `json:"rule"`
	TrackingNumber  string    `json:"tracking_number"`
	Carrier         string    `json:"carrier"`
	RawCode         string    `json:"raw_code,omitempty"`
	RawText         string    `json:"raw_text,omitempty"`
	Country         string    `json:"country,omitempty"`
	City            string    `json:"city,omitempty"`
	Facility        string    `json:"facility,omitempty"`
	Physical        bool      `json:"physical"`
	Progress        bool      `json:"progress"`
	Void            bool      `json:"void"`
	FactID          string    `json:"fact_id"`
}

type life struct {
	OpenedAt time.Time  `json:"opened_at"`
	EndedAt  *time.Time `json:"ended_at"`
}

// maxText bounds one text of a carrier, in characters. The raw record has it whole.
const maxText = 1000

// clean is what an answer shows of what others wrote: without control characters and
// those that turn the direction of text, and cut.
func clean(s string) string { return console.Cut(maxText, console.Clean(s)) }

func (a *api) parcel(r *request) error {
	number, err := trackingNumber(r.PathValue("number"))
	opened := r.params.time("opened_at")
	if err := r.params.done(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	ctx := r.Context()
	lives, err := r.visible.Lives(ctx, number)
	if err != nil {
		return err
	}
	p := &lives[0]
	if !opened.IsZero() {
		i := slices.IndexFunc(lives, func(l query.VisibleParcel) bool { return l.OpenedAt.Equal(opened) })
		if i < 0 {
			return query.ErrNone
		}
		p = &lives[i]
	}
	others, err := r.visible.Numbers(ctx, p)
	if err != nil {
		return err
	}
	scans, cut, err := r.visible.Trail(ctx, append([]string{p.TrackingNumber}, others...), p.OpenedAt, p.Until)
	if err != nil {
		return err
	}
	score, err := r.visible.Score(ctx, p)
	if err != nil {
		return err
	}
	alerts, err := r.visible.ParcelAlerts(ctx, p)
	if err != nil {
		return err
	}
	out := parcelOf(p, &score, r.silentLevel(p))
	out.OtherNumbers = append(out.OtherNumbers, others...)
	out.TrailCut = cut
	for i := range scans {
		out.Trail = append(out.Trail, scanOf(&scans[i], r.texts))
	}
	for i := range alerts {
		out.Alerts = append(out.Alerts, alertOf(&alerts[i]))
	}
	for _, l := range lives {
		if l.ParcelID == p.ParcelID {
			out.Lives = append(out.Lives, life{l.OpenedAt, l.EndedAt})
		}
	}
	return r.answer(out)
}

// silentLevel is as in the view stalled_now: 1 after 48 h without an update, 2
// after 72 h, by the clock of the log.
func (r *request) silentLevel(p *query.VisibleParcel) int {
	clock, err := time.Parse(time.RFC3339Nano, r.w.Header().Get("Scantrail-As-Of"))
	if err != nil || p.EndedAt != nil || p.CancelledAt != nil || p.LastProgressAt == nil {
		return 0
	}
	switch silent := clock.Sub(*p.LastProgressAt); {
	case silent >= 72*time.Hour:
		return 2
	case silent >= 48*time.Hour:
		return 1
	}
	return 0
}

func parcelOf(p *query.VisibleParcel, score *query.VisibleScore, level int) parcel {
	out := parcel{
		TrackingNumber: p.TrackingNumber, OtherNumbers: []string{}, ParcelID: p.ParcelID.String(), ShopID: clean(p.ShopID), OrderID: clean(p.OrderID),
		Market: p.Market, Origin: p.Origin, Destination: p.Destination, Carriers: []string{}, Product: clean(p.Product),
		Trail: []scan{}, Alerts: []alert{}, Lives: []life{},
		State: state{
			OpenedAt: p.OpenedAt, Stage: p.Stage, LastMilestone: p.LastMilestone, LastCarrier: clean(p.LastCarrier), LastFacility: clean(p.LastFacility),
			LastCountry: p.LastCountry, LastProgressAt: p.LastProgressAt, SilentLevel: level, EndMilestone: p.EndMilestone, EndedAt: p.EndedAt,
			CancelledAt: p.CancelledAt, PromisedAt: p.PromisedAt, DeliverBy: p.DeliverBy, Gaps48h: p.Gaps48h, Gaps72h: p.Gaps72h, Exceptions: p.Exceptions,
			DueMilestones: score.Due, ObservedMilestones: score.Observed, MissingMilestones: []string{}, Completeness: roundedOr(score.Completeness), Policy: p.Policy,
		},
	}
	for _, c := range p.Carriers {
		out.Carriers = append(out.Carriers, clean(c))
	}
	out.State.MissingMilestones = append(out.State.MissingMilestones, score.Missing...)
	return out
}

func scanOf(s *query.VisibleScan, texts bool) scan {
	out := scan{
		EffectiveAt: s.EffectiveAt, OccurredAt: s.OccurredAt, OccurredAtRaw: clean(s.OccurredAtRaw), TZSource: s.TZSource, UncertaintySecs: s.UncertaintySecs,
		ReceivedAt: s.ReceivedAt, Milestone: s.Milestone, Rule: s.Rule, TrackingNumber: s.TrackingNumber, Carrier: clean(s.Carrier), RawCode: clean(s.RawCode),
		Country: s.Country, City: clean(s.City), Facility: clean(s.Facility), Physical: s.Physical, Progress: s.Progress, Void: s.Void, FactID: s.FactID.String(),
	}
	if texts {
		out.RawText = clean(s.RawText)
	}
	return out
}
