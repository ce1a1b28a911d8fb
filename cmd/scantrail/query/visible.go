package query

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// Scope says whose rows somebody may see.
type Scope struct {
	All   bool     // every row
	Shops []string // else those of these shops
}

// sees reports whether a row of a shop may be seen. What belongs to no shop is for
// those alone who see all.
func (s Scope) sees(shop string) bool {
	return s.All || shop != "" && slices.Contains(s.Shops, shop)
}

func (s Scope) args(more ...any) []any {
	shops := s.Shops
	if len(shops) == 0 {
		shops = []string{""} // a list must not be empty; no row of shop '' is seen by it
	}
	return append([]any{clickhouse.Named("all", s.All), clickhouse.Named("shops", shops)}, more...)
}

// ofScope is the condition of Scope on the column shop_id.
const ofScope = ` (@all OR (shop_id != '' AND shop_id IN @shops)) `

// Visible asks what one caller may see, and nothing else.
type Visible struct {
	q     *Queries
	scope Scope
}

// For returns the questions of a caller who may see scope.
func (q *Queries) For(scope Scope) *Visible { return &Visible{q, scope} }

// Bounds of an answer about one parcel. A parcel has at most 256 facts, and its
// number few lives.
const (
	maxLives = 20
	maxScans = 1000
)

// A life may get scans that belong to it for this long after its end, or after its
// last update without one: carriers use a number again no sooner than 30 days after
// the end, or after 120 days of silence.
const (
	afterEnd    = 20 * 24 * time.Hour
	afterUpdate = 120 * 24 * time.Hour
)

// VisibleParcel is the current row of one life of a tracking number.
type VisibleParcel struct {
	TrackingNumber string     `ch:"tracking_number"`
	ParcelID       uuid.UUID  `ch:"parcel_id"`
	ShopID         string     `ch:"shop_id"`
	OrderID        string     `ch:"order_id"`
	Market         string     `ch:"market"`
	Origin         string     `ch:"origin"`
	Destination    string     `ch:"destination"`
	Carriers       []string   `ch:"carriers"`
	Product        string     `ch:"product"`
	OpenedAt       time.Time  `ch:"opened_at"`
	Stage          string     `ch:"stage"`
	LastMilestone  string     `ch:"last_milestone"`
	LastCarrier    string     `ch:"last_carrier"`
	LastFacility   string     `ch:"last_facility"`
	LastCountry    string     `ch:"last_country"`
	LastProgressAt *time.Time `ch:"last_progress_at"`
	EndMilestone   string     `ch:"end_milestone"`
	EndedAt        *time.Time `ch:"ended_at"`
	CancelledAt    *time.Time `ch:"cancelled_at"`
	PromisedAt     *time.Time `ch:"promised_at"`
	DeliverBy      *time.Time `ch:"deliver_by"`
	Gaps48h        uint8      `ch:"gaps_48h"`
	Gaps72h        uint8      `ch:"gaps_72h"`
	Exceptions     uint8      `ch:"exceptions"`
	Policy         string     `ch:"policy"`
	UpdatedAt      time.Time  `ch:"updated_at"`

	Until time.Time `ch:"-"` // scans from then on are not of this life
}

// Lives returns the lives of a number that may be seen, the latest first. The
// number is canonical, and may be one that a carrier has linked with the parcel's.
// ErrNone without any.
func (v *Visible) Lives(ctx context.Context, number string) ([]VisibleParcel, error) {
	numbers, err := v.q.LinkedNumbers(ctx, number)
	if err != nil {
		return nil, err
	}
	const sql = `SELECT tracking_number, parcel_id, shop_id, order_id, toString(market) AS market, toString(origin) AS origin,
			toString(destination) AS destination, carriers, toString(product) AS product, opened_at, toString(stage) AS stage,
			toString(last_milestone) AS last_milestone, toString(last_carrier) AS last_carrier, toString(last_facility) AS last_facility,
			toString(last_country) AS last_country, last_progress_at, toString(end_milestone) AS end_milestone, ended_at, cancelled_at,
			promised_at, deliver_by, gaps_48h, gaps_72h, exceptions, toString(policy) AS policy, updated_at
		FROM parcels FINAL WHERE parcel_id IN @ids ORDER BY parcel_id, opened_at LIMIT 200`
	// All lives are read, also those that must not be seen: where the next one
	// begins, this one is over.
	all, err := selectAll[VisibleParcel](ctx, v.q, "parcel", sql, clickhouse.Named("ids", ParcelIDs(numbers)))
	if err != nil {
		return nil, err
	}
	bound(all)
	all = slices.DeleteFunc(all, func(p VisibleParcel) bool { return !v.scope.sees(p.ShopID) })
	slices.SortStableFunc(all, func(a, b VisibleParcel) int {
		if own := compareBool(b.TrackingNumber == number, a.TrackingNumber == number); own != 0 {
			return own
		}
		return b.OpenedAt.Compare(a.OpenedAt)
	})
	if len(all) == 0 {
		return nil, ErrNone
	}
	return all[:min(len(all), maxLives)], nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// bound sets Until of lives, which are in the order of their parcels and times.
func bound(lives []VisibleParcel) {
	for i := range lives {
		p := &lives[i]
		switch {
		case p.EndedAt != nil:
			p.Until = p.EndedAt.Add(afterEnd)
		case p.LastProgressAt != nil:
			p.Until = p.LastProgressAt.Add(afterUpdate)
		default:
			p.Until = p.OpenedAt.Add(afterUpdate)
		}
		if i+1 < len(lives) && lives[i+1].ParcelID == p.ParcelID && lives[i+1].OpenedAt.Before(p.Until) {
			p.Until = lives[i+1].OpenedAt
		}
	}
}

// Numbers returns the other numbers of a parcel.
func (v *Visible) Numbers(ctx context.Context, p *VisibleParcel) ([]string, error) {
	all, err := v.q.LinkedNumbers(ctx, p.TrackingNumber)
	if err != nil {
		return nil, err
	}
	return all[1:], nil
}

// VisibleScan is one fact of a trail, however often it was sent.
type VisibleScan struct {
	TrackingNumber  string    `ch:"tracking_number"`
	EffectiveAt     time.Time `ch:"effective_at"`
	OccurredAt      time.Time `ch:"occurred_at"`
	OccurredAtRaw   string    `ch:"occurred_at_raw"`
	TZSource        string    `ch:"tz_source"`
	UncertaintySecs uint32    `ch:"uncertainty_secs"`
	ReceivedAt      time.Time `ch:"received_at"`
	Milestone       string    `ch:"milestone"`
	Rule            string    `ch:"rule"`
	Carrier         string    `ch:"carrier"`
	RawCode         string    `ch:"raw_code"`
	RawText         string    `ch:"raw_text"` // empty for those who do not see all: it may name people
	Country         string    `ch:"country"`
	City            string    `ch:"city"`
	Facility        string    `ch:"facility"`
	Physical        bool      `ch:"physical"`
	Progress        bool      `ch:"progress"`
	Void            bool      `ch:"void"`
	FactID          uuid.UUID `ch:"fact_id"`
}

// Trail returns the scans of a life, the earliest first, and whether there are more
// than it returns.
func (v *Visible) Trail(ctx context.Context, numbers []string, from, until time.Time) (scans []VisibleScan, more bool, err error) {
	const sql = `SELECT tracking_number, effective AS effective_at, occurred_at, occurred_at_raw, tz_source, uncertainty_secs, received_at, milestone, rule,
			carrier, raw_code, raw_text, country, city, facility, physical, progress, void, fact_id
		FROM (
			SELECT tracking_number, effective_at AS effective, occurred_at, toString(occurred_at_raw) AS occurred_at_raw, toString(tz_source) AS tz_source,
				toUInt32(uncertainty_secs) AS uncertainty_secs, received_at, toString(milestone) AS milestone, milestone_no, toString(rule) AS rule,
				toString(carrier) AS carrier, toString(raw_code) AS raw_code, if(@all, toString(raw_text), '') AS raw_text, toString(country) AS country,
				toString(city) AS city, toString(facility) AS facility, toBool(physical) AS physical, toBool(progress) AS progress, toBool(void) AS void, fact_id
			FROM parcel_trail
			WHERE tracking_number IN @numbers AND effective_at >= fromUnixTimestamp64Milli(@from, 'UTC') AND effective_at < fromUnixTimestamp64Milli(@until, 'UTC')
			ORDER BY fact_id, mapping_version DESC, effective_at, partition, offset
			LIMIT 1 BY fact_id
		)
		ORDER BY toUnixTimestamp(effective), milestone_no, fact_id LIMIT 1001`
	scans, err = selectAll[VisibleScan](ctx, v.q, "trail", sql, v.scope.args(
		clickhouse.Named("numbers", numbers), clickhouse.Named("from", from.UnixMilli()), clickhouse.Named("until", until.UnixMilli()))...)
	if len(scans) > maxScans {
		return scans[:maxScans], true, err
	}
	return scans, false, err
}

// VisibleScore is the tracking completeness of one life.
type VisibleScore struct {
	Due          uint8    `ch:"due_milestones"`
	Observed     uint8    `ch:"observed_milestones"`
	Missing      []string `ch:"missing_milestones"`
	Completeness *float64 `ch:"completeness"`
}

// Score returns the completeness of a life; zero before it is judged.
func (v *Visible) Score(ctx context.Context, p *VisibleParcel) (VisibleScore, error) {
	const sql = `SELECT toUInt8(due_milestones) AS due_milestones, toUInt8(observed_milestones) AS observed_milestones,
			arrayMap(m -> toString(m), missing_milestones) AS missing_milestones, toNullable(toFloat64(completeness)) AS completeness
		FROM completeness_parcel WHERE parcel_id = @id AND opened_at = fromUnixTimestamp64Milli(@opened, 'UTC') LIMIT 1`
	rows, err := selectAll[VisibleScore](ctx, v.q, "completeness", sql, clickhouse.Named("id", p.ParcelID.String()), clickhouse.Named("opened", p.OpenedAt.UnixMilli()))
	if err != nil || len(rows) == 0 {
		return VisibleScore{}, err
	}
	return rows[0], nil
}
