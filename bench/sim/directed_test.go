package main

import (
	"strings"
	"testing"

	"scantrail/schemas"
)

// TestForgottenNumberIsLinked tells of a parcel that was put away that it is one
// with another: its facts must come back.
func TestForgottenNumberIsLinked(t *testing.T) {
	for seed := range uint32(10) {
		r := newRunner(options{strict: true}, nil)
		w := newWorld(newRand(seed), len(r.docs), "acfmovx")
		w.doc, w.messages, w.until = 0, nil, w.from+45*day
		g := &generator{r: newRand(seed), w: w, omit: "acfmovx"}
		scan := func(number string, at int64, m schemas.Milestone) {
			g.send(&message{kind: schemas.KindEvent, event: schemas.Event{
				ParcelID: schemas.ParcelID(number), FactID: g.id(), Carrier: "ups", TrackingNumber: number, OccurredAt: at * 1000,
				Milestone: m, Physical: m.Physical(), Progress: m.Progress(), MappingVersion: 1, Country: "CN"}}, at)
		}
		scan("LX1000001A1", w.from-12*day, schemas.Accepted)
		scan("LX1000001A1", w.from-5*day, schemas.Delivered)
		g.send(&message{kind: schemas.KindAlias, alias: [2]string{"LX1000001A1", "LX2000002B2"}, id: g.id()}, w.from+40*day)
		scan("LX2000002B2", w.from+41*day, schemas.ArrivedDestination)
		if lines := r.check(seed, w, false, nil); len(lines) > 0 {
			var trace strings.Builder
			r.check(seed, w, false, &trace)
			t.Fatalf("%s%s", trace.String(), strings.Join(lines, "\n"))
		}
	}
}
