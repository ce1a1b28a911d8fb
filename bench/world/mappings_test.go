package world

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

// What the mappings read out of the records is what the plan put in: number,
// second, milestone, progress. Disagreements are told once for each kind.
func TestMappingsAgree(t *testing.T) {
	registry, err := carriers.Load(schemas.Carriers, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range feedNames {
		if _, ok := registry.Carrier(c); !ok {
			t.Errorf("carrier %s has no mapping", c)
		}
	}
	c := comparison{d: registry.NewDecoder(carriers.Limits{}), wrong: map[string]int{}, read: map[string]int{}, reasons: map[string]int{}}
	for seed := range uint64(2) {
		w := New(Config{Seed: seed, Parcels: 1500, Rubbish: 0.3})
		c.w, c.facts = w, map[schemas.ID]bool{}
		if err := w.each(w.to, c.record); err != nil {
			t.Fatal(err)
		}
		if want := w.Truth().DistinctScans; len(c.facts) != want {
			t.Errorf("seed %d: %d distinct facts read, the truth counts %d", seed, len(c.facts), want)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(c.wrong)) {
		t.Errorf("%d x %s", c.wrong[what], what)
	}
	for _, name := range feedNames {
		if c.read[name] < 100 {
			t.Errorf("only %d events of %s read", c.read[name], name)
		}
	}
	t.Log("dead letters:", c.reasons)
}

type comparison struct {
	w       *World
	d       *carriers.Decoder
	wrong   map[string]int
	read    map[string]int
	reasons map[string]int
	facts   map[schemas.ID]bool
}

func (c *comparison) fail(format string, args ...any) { c.wrong[fmt.Sprintf(format, args...)]++ }

// record renders one emission, reads it and compares.
func (c *comparison) record(p *plan, e emission) error {
	r := c.w.render(p, e)
	if e.kind == emitOrder {
		c.order(p, e, r)
		return nil
	}
	carrier := strings.TrimPrefix(r.Topic, "scans.raw.")
	got := c.d.Decode(carrier, r.Value, carriers.Source{Topic: r.Topic, ReceivedAt: e.at * 1000})
	if e.kind != emitScan && e.kind != emitAll {
		if len(got.Events) != 0 || len(got.Rejected) != 1 {
			c.fail("%s: rubbish gives %d events and %d dead letters: %.120s", carrier, len(got.Events), len(got.Rejected), r.Value)
			return nil
		}
		c.reasons[fmt.Sprintf("%d %s", e.kind, got.Rejected[0].Reason)]++
		return nil
	}
	for _, x := range got.Rejected {
		c.fail("%s: rejected %s %s: %s", carrier, x.Reason, x.Field, x.Detail)
	}
	if n := p.scansOf(e, nil); n != len(got.Events) {
		c.fail("%s: %d scans give %d events", carrier, n, len(got.Events))
		return nil
	}
	p.scansOf(e, func(i int, s *scan) { c.event(p, s, &got.Events[i]) })
	return nil
}

func (c *comparison) event(p *plan, s *scan, e *schemas.Event) {
	k := codeOf(s.feed, s.code)
	where := fmt.Sprintf("%s %s %q in %s", e.Carrier, k.code, k.text, places[s.place].country)
	if s.feed == usps && p.xml {
		where += " (XML)"
	}
	if p.domestic {
		where += " (domestic)"
	}
	c.read[feedNames[s.feed]]++
	c.facts[e.FactID] = true
	if e.TrackingNumber != string(p.Number()) || e.ParcelID != schemas.ParcelID(string(p.Number())) {
		c.fail("%s: number %s, want %s", where, e.TrackingNumber, p.Number())
	}
	if off := e.OccurredAt/1000 - s.stated; off != 0 || e.OccurredAt%1000 != 0 {
		c.fail("%s: %.1f h off (%s, %s)", where, float64(off)/3600, e.TZSource, places[s.place].city)
	}
	// Whether the note to the last mile is an announcement or a message makes no
	// difference to any rule.
	advice := s.code == codeAdvice && e.Milestone == schemas.Info
	if e.Milestone != s.milestone && !advice {
		c.fail("%s: %s (by %s), want %s", where, e.Milestone, e.Rule, s.milestone)
	}
	if e.Progress != s.progress() {
		c.fail("%s: progress %v, want %v", where, e.Progress, s.progress())
	}
	if !strings.HasSuffix(e.RawCode, k.code) { // UPS: the type stands before it
		c.fail("%s: raw code %q", where, e.RawCode)
	}
	if e.Country != "" && e.Country != places[s.place].country {
		c.fail("%s: country %s", where, e.Country)
	}
	if o := e.OriginCountry; o != "" && o != places[p.origin].country {
		c.fail("%s: origin %s, want %s", where, o, places[p.origin].country)
	}
	if d := e.DestinationCountry; d != "" && d != places[p.delivery].country {
		c.fail("%s: destination %s, want %s", where, d, places[p.delivery].country)
	}
}

// order compares an order fact with the plan.
func (c *comparison) order(p *plan, e emission, r Record) {
	f := p.orders[e.i]
	var o schemas.OrderFact
	if err := schemas.ParseOrderFact(r.Value, &o); err != nil {
		c.fail("order fact %s: %v", f.kind, err)
		return
	}
	shop := c.w.shops[p.shop]
	if o.Kind != f.kind || o.At != f.at*1000 || o.OrderID != string(r.Key) || o.ShopID != shop.ID || o.Market != shop.Market {
		c.fail("order fact %s reads %+v", f.kind, o)
	}
	if o.Kind == schemas.OrderLabelCreated && (len(o.TrackingNumbers) != 1 || o.TrackingNumbers[0] != string(p.Number()) ||
		o.OriginCountry != places[p.origin].country || o.DestinationCountry != places[p.delivery].country ||
		o.PromiseAt != time.Unix(p.created+p.promise, 0).UnixMilli()) {
		c.fail("order fact %s reads %+v", f.kind, o)
	}
}
