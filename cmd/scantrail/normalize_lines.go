package main

import (
	"encoding/json"
	"fmt"
	"io"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// aliasJSON is one pair of numbers of one parcel, as a line of its own.
type aliasJSON struct {
	Kind           string     `json:"kind"`
	TrackingNumber string     `json:"tracking_number"`
	OtherNumber    string     `json:"other_number"`
	Carrier        string     `json:"carrier"`
	FactID         schemas.ID `json:"fact_id"`
	ReceivedAt     string     `json:"received_at,omitempty"`
}

// voidJSON is one event that the carrier has declared wrong, as a line of its own.
type voidJSON struct {
	Kind           string     `json:"kind"`
	TrackingNumber string     `json:"tracking_number,omitempty"`
	EventFactID    schemas.ID `json:"event_fact_id"`
	EventID        string     `json:"event_id,omitempty"`
	Carrier        string     `json:"carrier"`
	ParcelID       schemas.ID `json:"parcel_id,omitzero"`
	FactID         schemas.ID `json:"fact_id"`
	At             string     `json:"at,omitempty"`
	ReceivedAt     string     `json:"received_at,omitempty"`
}

func newVoidJSON(v *schemas.Void) voidJSON {
	return voidJSON{
		Kind: "void", TrackingNumber: v.TrackingNumber, EventFactID: v.EventFactID, EventID: v.EventID, Carrier: v.Carrier,
		ParcelID: v.ParcelID, FactID: v.FactID, At: stated(v.At), ReceivedAt: stated(v.ReceivedAt),
	}
}

// stated is a time in JSON, or "" where there is none.
func stated(unixMilli int64) string {
	if unixMilli == 0 {
		return ""
	}
	return schemas.FormatTime(unixMilli)
}

// pairs returns each pair of numbers once; a result holds it from both ends.
func pairs(all []schemas.Alias) []schemas.Alias {
	var out []schemas.Alias
	seen := map[schemas.ID]bool{}
	for _, a := range all {
		if !seen[a.FactID] {
			seen[a.FactID] = true
			out = append(out, a)
		}
	}
	return out
}

// printLinks prints what a record says beside events: pairs of numbers and
// voids.
func printLinks(w io.Writer, r *carriers.Result) error {
	out := json.NewEncoder(w)
	for _, a := range pairs(r.Aliases) {
		if err := out.Encode(aliasJSON{"alias", a.TrackingNumber, a.OtherNumber, a.Carrier, a.FactID, stated(a.ReceivedAt)}); err != nil {
			return fmt.Errorf("write aliases: %w", err)
		}
	}
	for i := range r.Voids {
		if err := out.Encode(newVoidJSON(&r.Voids[i])); err != nil {
			return fmt.Errorf("write voids: %w", err)
		}
	}
	return nil
}
