package world

import (
	"bytes"
	"encoding/json"
	"io"
	"time"
)

type caseLine struct {
	Kind           string     `json:"kind"` // case
	Rule           string     `json:"rule"`
	TrackingNumber string     `json:"tracking_number"`
	Milestone      string     `json:"milestone,omitempty"`
	Level          int        `json:"level"`
	AnchorAt       time.Time  `json:"anchor_at"`
	EndedAt        *time.Time `json:"ended_at"`
	ShopID         string     `json:"shop_id"`
	WrongZone      bool       `json:"wrong_zone,omitempty"`
}

type shopLine struct {
	Kind             string `json:"kind"` // shop
	ShopID           string `json:"shop_id"`
	Market           string `json:"market"`
	Late             bool   `json:"ships_late"`
	BadHaul          bool   `json:"bad_linehaul"`
	Careless         bool   `json:"loses_scans"`
	Parcels          int    `json:"parcels"`
	Gap48            int    `json:"gap_48h"`
	Gap72            int    `json:"gap_72h"`
	MilestoneMissing int    `json:"milestone_missing"`
}

type summaryLine struct {
	Kind             string         `json:"kind"` // summary
	At               time.Time      `json:"at"`
	Parcels          int            `json:"parcels"`
	ParcelsWithCases int            `json:"parcels_with_cases"`
	OrderRecords     int            `json:"order_records"`
	RawRecords       int            `json:"raw_records"`
	Scans            int            `json:"scans"`
	DistinctScans    int            `json:"distinct_scans"`
	Duplicates       int            `json:"duplicates"`
	Unmapped         int            `json:"unmapped"`
	Late             int            `json:"late"`
	DeadLetters      map[string]int `json:"dead_letters"`
	Cases            map[string]int `json:"cases"`
	Missing          map[string]int `json:"missing"`
	WrongZone        []string       `json:"wrong_zone"`
}

// WriteTo writes the truth as JSON lines: one with kind summary, then one for
// each shop, then one for each case.
func (t *Truth) WriteTo(out io.Writer) (int64, error) {
	var buf bytes.Buffer
	var n int64
	enc := json.NewEncoder(&buf)
	write := func(line any) error {
		buf.Reset()
		if err := enc.Encode(line); err != nil {
			return err
		}
		m, err := out.Write(buf.Bytes())
		n += int64(m)
		return err
	}
	err := write(summaryLine{Kind: "summary", At: t.At, Parcels: t.Parcels, ParcelsWithCases: t.ParcelsWithCases,
		OrderRecords: t.OrderRecords, RawRecords: t.RawRecords, Scans: t.Scans, DistinctScans: t.DistinctScans,
		Duplicates: t.Duplicates, Unmapped: t.Unmapped, Late: t.Late, DeadLetters: t.DeadLetters, Missing: t.Missing(),
		WrongZone: t.WrongZone, Cases: map[string]int{RuleGap48: t.CasesOf(RuleGap48), RuleGap72: t.CasesOf(RuleGap72),
			RuleMilestoneMissing: t.CasesOf(RuleMilestoneMissing)}})
	for i := 0; err == nil && i < len(t.Shops); i++ {
		s := &t.Shops[i]
		err = write(shopLine{"shop", s.Shop.ID, s.Shop.Market, s.Shop.Late, s.Shop.BadHaul, s.Shop.Careless, s.Parcels,
			s.Gap48, s.Gap72, s.MilestoneMissing})
	}
	for i := 0; err == nil && i < len(t.Cases); i++ {
		c := &t.Cases[i]
		line := caseLine{Kind: "case", Rule: c.Rule, TrackingNumber: c.TrackingNumber, Milestone: c.Milestone,
			Level: c.Level(), AnchorAt: c.AnchorAt, ShopID: c.ShopID, WrongZone: c.WrongZone}
		if !c.EndedAt.IsZero() {
			line.EndedAt = &c.EndedAt
		}
		err = write(line)
	}
	return n, err
}
