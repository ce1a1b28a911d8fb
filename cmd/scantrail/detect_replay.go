package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"scantrail/detector"
	"scantrail/schemas"
)

// detection runs one partition's machine over facts that lie in a file.
type detection struct {
	machine *detector.Machine
	out     detector.Output
	alerts  map[schemas.ID]schemas.Alert // last state of each
}

const minuteMillis = 60_000

// replay applies what was received by asOf, with a tick on every full minute
// from the first reception on and one at asOf.
func (d *detection) replay(policy string, facts []factLine, asOf int64) error {
	if err := d.apply(&schemas.Record{Kind: schemas.KindControl, Control: schemas.Control{Number: 1, Policy: policy}}); err != nil {
		return err
	}
	if len(facts) == 0 || facts[0].at > asOf {
		return nil
	}
	next := ceilMinute(facts[0].at)
	for i := range facts {
		f := &facts[i]
		if f.at > asOf {
			break
		}
		for ; next < f.at; next += minuteMillis {
			if err := d.tick(next); err != nil {
				return err
			}
		}
		if err := d.apply(&f.record); err != nil {
			return err
		}
	}
	for ; next < asOf; next += minuteMillis {
		if err := d.tick(next); err != nil {
			return err
		}
	}
	return d.tick(asOf)
}

func ceilMinute(ms int64) int64 {
	if rest := ms % minuteMillis; rest > 0 {
		return ms - rest + minuteMillis
	}
	return ms
}

func (d *detection) tick(at int64) error {
	return d.apply(&schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at}})
}

// apply feeds the record and what the machine forwards: every entity is at home
// in this one partition.
func (d *detection) apply(r *schemas.Record) error {
	d.out.Reset()
	if err := d.machine.Apply(d.machine.Offset()+1, r, &d.out); err != nil {
		return err
	}
	for _, a := range d.out.Alerts {
		d.alerts[a.AlertID] = a
	}
	for _, f := range slices.Clone(d.out.Forwards) {
		if err := d.apply(&schemas.Record{Kind: schemas.KindOrder, Forwarded: true, Order: f.Order}); err != nil {
			return err
		}
	}
	return nil
}

// detectedAlert is one line of output.
type detectedAlert struct {
	Kind           string     `json:"kind"`
	AlertID        schemas.ID `json:"alert_id"`
	Rule           string     `json:"rule"`
	Status         string     `json:"status"`
	Level          uint8      `json:"level"`
	Milestone      string     `json:"milestone,omitempty"`
	TrackingNumber string     `json:"tracking_number"`
	OrderID        string     `json:"order_id,omitempty"`
	ShopID         string     `json:"shop_id,omitempty"`
	AnchorAt       string     `json:"anchor_at"`
	EndedAt        string     `json:"ended_at,omitempty"`
	OpenedAt       string     `json:"opened_at,omitempty"`
	ChangedAt      string     `json:"changed_at"`
	Stage          string     `json:"stage"`
	Carrier        string     `json:"carrier,omitempty"`
	Facility       string     `json:"facility,omitempty"`
	Country        string     `json:"country,omitempty"`
	Backfill       bool       `json:"backfill,omitempty"`
}

// detectedParcel is one line of output.
type detectedParcel struct {
	Kind           string   `json:"kind"`
	TrackingNumber string   `json:"tracking_number"`
	OrderID        string   `json:"order_id,omitempty"`
	ShopID         string   `json:"shop_id,omitempty"`
	Carriers       []string `json:"carriers"`
	Origin         string   `json:"origin,omitempty"`
	Destination    string   `json:"destination,omitempty"`
	Stage          string   `json:"stage"`
	LastMilestone  string   `json:"last_milestone"`
	LastProgressAt string   `json:"last_progress_at,omitempty"`
	EndMilestone   string   `json:"end_milestone,omitempty"`
	EndedAt        string   `json:"ended_at,omitempty"`
	Facts          uint16   `json:"facts"`
	ProgressFacts  uint16   `json:"progress_facts"`
	Required       []string `json:"required"`
	Due            []string `json:"due"`
	Observed       []string `json:"observed"`
	SilentSecs     uint32   `json:"silent_secs"`
	Gaps48h        uint8    `json:"gaps_48h"`
	Gaps72h        uint8    `json:"gaps_72h"`
	Exceptions     uint8    `json:"exceptions"`
	Policy         string   `json:"policy"`
}

// print writes the alerts by number, anchor and id, then the parcels by number.
func (d *detection) print(w io.Writer) error {
	alerts := make([]schemas.Alert, 0, len(d.alerts))
	for _, a := range d.alerts {
		alerts = append(alerts, a)
	}
	slices.SortFunc(alerts, func(a, b schemas.Alert) int {
		return cmp.Or(strings.Compare(a.TrackingNumber, b.TrackingNumber), cmp.Compare(a.AnchorAt, b.AnchorAt),
			strings.Compare(string(a.AlertID[:]), string(b.AlertID[:])))
	})
	_, _, n := d.machine.Parcels()
	rows := d.machine.DirtyParcels(n, nil)
	slices.SortFunc(rows, func(a, b schemas.ParcelRow) int { return strings.Compare(a.TrackingNumber, b.TrackingNumber) })
	buf := bufio.NewWriter(w)
	out := json.NewEncoder(buf)
	for i := range alerts {
		if err := out.Encode(alertLine(&alerts[i])); err != nil {
			return fmt.Errorf("write alerts: %w", err)
		}
	}
	for i := range rows {
		if err := out.Encode(d.parcelLine(&rows[i])); err != nil {
			return fmt.Errorf("write parcels: %w", err)
		}
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("write parcels: %w", err)
	}
	return nil
}

func alertLine(a *schemas.Alert) detectedAlert {
	return detectedAlert{
		Kind: "alert", AlertID: a.AlertID, Rule: a.Rule, Status: a.Status.String(), Level: a.Level,
		Milestone: nameOf(a.Milestone), TrackingNumber: a.TrackingNumber, OrderID: a.OrderID, ShopID: a.ShopID,
		AnchorAt: timeOf(a.AnchorAt), EndedAt: timeOf(a.EndedAt), OpenedAt: timeOf(a.OpenedAt), ChangedAt: timeOf(a.ChangedAt),
		Stage: a.Stage.String(), Carrier: a.Carrier, Facility: a.Facility, Country: a.Country, Backfill: a.Backfill,
	}
}

func (d *detection) parcelLine(r *schemas.ParcelRow) detectedParcel {
	return detectedParcel{
		Kind: "parcel", TrackingNumber: r.TrackingNumber, OrderID: r.OrderID, ShopID: r.ShopID, Carriers: append([]string{}, r.Carriers...),
		Origin: r.Origin, Destination: r.Destination, Stage: r.Stage.String(), LastMilestone: r.LastMilestone.String(),
		LastProgressAt: timeOf(r.LastProgressAt), EndMilestone: nameOf(r.EndMilestone), EndedAt: timeOf(r.EndedAt),
		Facts: r.Facts, ProgressFacts: r.ProgressFacts,
		Required: d.milestones(r.Required), Due: d.milestones(r.Due), Observed: d.milestones(r.Observed),
		SilentSecs: r.SilentSecs, Gaps48h: r.Gaps48h, Gaps72h: r.Gaps72h, Exceptions: r.Exceptions, Policy: r.Policy,
	}
}

// milestones names the bits of a row, in the order of the policy.
func (d *detection) milestones(bits uint8) []string {
	names := []string{}
	for i, r := range d.machine.Policy().Milestones {
		if bits&(1<<i) != 0 {
			names = append(names, r.Milestone.String())
		}
	}
	return names
}

func nameOf(m schemas.Milestone) string {
	if m == schemas.Unmapped {
		return ""
	}
	return m.String()
}

func timeOf(ms int64) string {
	if ms == 0 {
		return ""
	}
	return schemas.FormatTime(ms)
}
