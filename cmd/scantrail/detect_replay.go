package main

import (
	"bufio"
	"bytes"
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
	alerts  map[alertKey]schemas.Alert // last state of each
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
		for k := range f.records {
			if err := d.apply(&f.records[k]); err != nil {
				return err
			}
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

// tick moves the clock. All that was forwarded has arrived: there is but one
// partition.
func (d *detection) tick(at int64) error {
	return d.apply(&schemas.Record{Kind: schemas.KindTick, Tick: schemas.Tick{At: at, ForwardedThrough: at}})
}

// alertKey names a row of the table alerts.
type alertKey struct{ id, home schemas.ID }

// apply feeds the record and what the machine forwards or asks for: every entity
// is at home in this one partition, and what has left is kept.
func (d *detection) apply(r *schemas.Record) error {
	d.out.Reset()
	if err := d.machine.Apply(d.machine.Offset()+1, r, &d.out); err != nil {
		return err
	}
	for _, a := range d.out.Alerts {
		d.alerts[alertKey{a.AlertID, a.Home}] = a
	}
	for _, f := range slices.Clone(d.out.Forwards) {
		var copied schemas.Record
		if err := copied.Decode(f.Value); err != nil {
			return err
		}
		if err := d.apply(&copied); err != nil {
			return err
		}
	}
	for _, q := range d.machine.Asks(1, nil) {
		state := detector.AppendStates(nil, d.machine.Unwritten(q.EntityID))
		answer := schemas.Record{Kind: schemas.KindRebuild, Rebuild: schemas.Rebuild{EntityID: q.EntityID, Ask: q.Offset, State: state}}
		if err := d.apply(&answer); err != nil {
			return err
		}
	}
	return nil
}

// current returns the alerts as the view alerts_current shows them: of each the
// state in its smallest home.
func (d *detection) current() []schemas.Alert {
	least := map[schemas.ID]schemas.Alert{}
	for k, a := range d.alerts {
		if has, ok := least[k.id]; !ok || bytes.Compare(k.home[:], has.Home[:]) < 0 {
			least[k.id] = a
		}
	}
	alerts := make([]schemas.Alert, 0, len(least))
	for _, a := range least {
		alerts = append(alerts, a)
	}
	slices.SortFunc(alerts, func(a, b schemas.Alert) int {
		return cmp.Or(strings.Compare(a.TrackingNumber, b.TrackingNumber), strings.Compare(a.OrderID, b.OrderID),
			cmp.Compare(a.AnchorAt, b.AnchorAt), bytes.Compare(a.AlertID[:], b.AlertID[:]))
	})
	return alerts
}

// parcels returns the rows of the table parcels as FINAL shows them. Nothing was
// ever written, so that all of them are still dirty.
func (d *detection) parcels() []schemas.ParcelRow {
	const all = 1 << 40
	rows := d.machine.DirtyParcels(all, nil)
	slices.SortFunc(rows, func(a, b schemas.ParcelRow) int {
		return cmp.Or(strings.Compare(a.TrackingNumber, b.TrackingNumber), cmp.Compare(a.OpenedAt, b.OpenedAt), cmp.Compare(b.Version, a.Version))
	})
	rows = slices.CompactFunc(rows, func(a, b schemas.ParcelRow) bool { return a.ParcelID == b.ParcelID && a.OpenedAt == b.OpenedAt })
	return slices.DeleteFunc(rows, func(r schemas.ParcelRow) bool { return r.Deleted })
}

// detectedAlert is one line of output.
type detectedAlert struct {
	Kind           string     `json:"kind"`
	AlertID        schemas.ID `json:"alert_id"`
	Rule           string     `json:"rule"`
	Detail         string     `json:"detail,omitempty"`
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
	SilentSecs     uint32     `json:"silent_secs,omitempty"`
	Cause          string     `json:"cause,omitempty"`
	Action         string     `json:"action,omitempty"`
	Policy         string     `json:"policy,omitempty"`
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
	alerts, rows := d.current(), d.parcels()
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
		Detail: a.Detail, SilentSecs: a.SilentSecs, Cause: a.Cause, Action: schemas.Advice(a.Rule, a.Detail, a.Cause), Policy: a.Policy,
	}
}

func (d *detection) parcelLine(r *schemas.ParcelRow) detectedParcel {
	return detectedParcel{
		Kind: "parcel", TrackingNumber: r.TrackingNumber, OrderID: r.OrderID, ShopID: r.ShopID, Carriers: append([]string{}, r.Carriers...),
		Origin: r.Origin, Destination: r.Destination, Stage: r.Stage.String(), LastMilestone: r.LastMilestone.String(),
		LastProgressAt: timeOf(r.LastProgressAt), EndMilestone: nameOf(r.EndMilestone), EndedAt: timeOf(r.EndedAt),
		Facts: r.Facts, ProgressFacts: r.ProgressFacts,
		Required: d.milestones(r.Policy, r.Required), Due: d.milestones(r.Policy, r.Due), Observed: d.milestones(r.Policy, r.Observed),
		SilentSecs: r.SilentSecs, Gaps48h: r.Gaps48h, Gaps72h: r.Gaps72h, Exceptions: r.Exceptions, Policy: r.Policy,
	}
}

// milestones names the bits of a row, in the order of its policy.
func (d *detection) milestones(policy string, bits uint8) []string {
	names := []string{}
	if p := d.machine.Policy(policy); p != nil {
		for i, r := range p.Milestones {
			if bits&(1<<i) != 0 {
				names = append(names, r.Milestone.String())
			}
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
