package detector

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"scantrail/schemas"
)

// TestWaitingChangesNothing: a machine whose scans wait for the tick and one that
// gives each of them to its parcel at once answer every record alike, and are in
// the same state. A clock that stands now and then has more wait than near ones.
func TestWaitingChangesNothing(t *testing.T) {
	waited, full := 0, 0
	seeds(t, func(t *testing.T, rng *rand.Rand) {
		w := newWorld(rng)
		log := append([]schemas.Record{policyRecord(1, schemas.DefaultPolicy())}, w.log(100+rng.IntN(150), true)...)
		if rng.IntN(2) == 0 {
			log = append(log, w.crowd(200+rng.IntN(200), rng.IntN(2) == 0)...)
		}
		m, plain := NewMachine(0, 1), NewMachine(0, 1)
		plain.impatient = true
		var got, want Output
		for i := range log {
			r := log[i]
			got.Reset()
			want.Reset()
			if err := m.Apply(int64(i), &r, &got); err != nil {
				t.Fatal(err)
			}
			if err := plain.Apply(int64(i), &r, &want); err != nil {
				t.Fatal(err)
			}
			waited = max(waited, len(m.waiting))
			full += len(got.Gaps)
			if a, b := said(&got), said(&want); a != b {
				t.Fatalf("record %d, %v: scans that wait:\n%s\nthat do not:\n%s", i, r.Kind, a, b)
			}
			if rng.IntN(40) == 0 {
				compareRows(t, m, plain)
			}
			if rng.IntN(100) == 0 {
				a, b := snapshotOf(t, m, 1000), snapshotOf(t, plain, 1000)
				if !slices.EqualFunc(a, b, bytes.Equal) {
					t.Fatalf("record %d: the snapshots differ", i)
				}
			}
		}
	})
	if (waited <= nearWaiting || full == 0) && *seedFlag == 0 {
		t.Errorf("at most %d scans waited, %d parcels were full: want more than %d, and some", waited, full, nearWaiting)
	}
}

// said spells what a machine answers.
func said(o *Output) string {
	return fmt.Sprintf("%+v\n%+v\n%v\n%+v", o.Alerts, o.Statuses, o.Forwards, o.Gaps)
}

// compareRows compares the rows of the parcels for which nothing waits: those of
// the others come after the tick.
func compareRows(t *testing.T, m, plain *Machine) {
	want := map[schemas.ID]string{}
	for _, r := range plain.DirtyParcels(1000, nil) {
		want[r.ParcelID] += fmt.Sprintf("%+v\n", r)
	}
	got := map[schemas.ID]string{}
	for _, r := range m.DirtyParcels(1000, nil) {
		got[r.ParcelID] += fmt.Sprintf("%+v\n", r)
	}
	for id, row := range got {
		if row != want[id] {
			t.Fatalf("row of %s: scans that wait:\n%s\nthat do not:\n%s", id, row, want[id])
		}
	}
}

// crowd makes scans of one parcel, many of them between two ticks, so that it may
// become too many, mixed with others and with all that has waiting scans heard, or,
// where calm, not.
func (w *world) crowd(n int, calm bool) (log []schemas.Record) {
	number := w.number()
	for range n {
		r := w.event()
		r.Event.TrackingNumber, r.Event.ParcelID = number, schemas.ParcelID(number)
		log = append(log, r)
		if calm {
			continue
		}
		switch w.rng.IntN(24) {
		case 0, 1, 2:
			log = append(log, w.event(), r)
		case 3:
			log = append(log, w.order())
		case 4:
			log = append(log, schemas.Record{Kind: schemas.KindVoid, Void: schemas.Void{TrackingNumber: number, EventFactID: r.Event.FactID}}, r)
		case 5:
			r.Event.FactID[0]++
			r.Event.NumberCheck, r.Event.Product = schemas.NumberInvalid, "express"
			log = append(log, r)
		case 6:
			if w.rng.IntN(20) == 0 {
				log = append(log, schemas.Record{Kind: schemas.KindAlias, Alias: schemas.Alias{TrackingNumber: number, OtherNumber: w.number(), ReceivedAt: testBase}})
			}
		}
		if w.rng.IntN(150) == 0 {
			log = append(log, w.tick())
		}
	}
	return append(log, w.tick())
}
