// Package world is a simulated world of parcels: shops in China and elsewhere,
// the carriers that scan what they ship, and the noise with which carriers
// report. Everything follows from one seed, and the world knows the truth: the
// gaps and missing milestones that a correct reader of its records must find.
//
// The plan of a parcel is a function of the seed and the parcel's index. It is
// derived again for each record, so that a world of any size costs 16 bytes
// per parcel in flight.
package world

import (
	"fmt"
	"time"
)

// Config says which world. The zero value of a field takes the default that is
// named beside it.
type Config struct {
	Seed    uint64
	Parcels int       // 3000; their orders are spread evenly over [From, To)
	From    time.Time // To less 45 days
	To      time.Time // 2026-11-15 00:00 UTC: the instant that the truth is told for
	Shops   int       // 24

	// Shares of all scans or records; a negative number means none at all.
	WrongZone  float64 // 0.002: stated hours off, as if in another zone
	Late       float64 // 0.015: reported 1-3 days late
	Duplicates float64 // 0.02: sent twice, byte for byte
	Cumulative float64 // 0.06: sent with all scans so far, as polled answers are
	Unmapped   float64 // 0.01: scans with a code that no vocabulary has
	Rubbish    float64 // 0.03 per parcel: records that hold no scan

	Outages int // 1 in each 45 days: a carrier's feed is silent for 20-30 h
}

func (c Config) withDefaults() Config {
	if c.Parcels <= 0 {
		c.Parcels = 3000
	}
	if c.To.IsZero() {
		c.To = time.Date(2026, 11, 15, 0, 0, 0, 0, time.UTC)
	}
	if c.From.IsZero() || !c.From.Before(c.To) {
		c.From = c.To.Add(-45 * 24 * time.Hour)
	}
	if c.Shops <= 0 {
		c.Shops = 24
	}
	for _, f := range []struct {
		share *float64
		usual float64
	}{
		{&c.WrongZone, 0.002}, {&c.Late, 0.015}, {&c.Duplicates, 0.02}, {&c.Cumulative, 0.06},
		{&c.Unmapped, 0.01}, {&c.Rubbish, 0.03},
	} {
		if *f.share == 0 {
			*f.share = f.usual
		}
	}
	if c.Outages == 0 {
		c.Outages = 1
	}
	return c
}

// Shop sells from China into one market, some also from a warehouse there.
type Shop struct {
	ID       string
	Market   string // ISO 3166-1 alpha-2
	Late     bool   // hands its parcels over days after the label
	BadHaul  bool   // uses an economy line-haul with gaps of 3-14 days
	Careless bool   // loses scans: more missing milestones than others
	market   uint8
}

// Outage is a time in which a carrier's feed said nothing; the backlog follows
// within the half hour after it.
type Outage struct {
	Carrier  string
	From, To time.Time
	feed     feed
	from, to int64
}

// World emits the records of its parcels in the order of their time. It is not
// safe for concurrent use.
type World struct {
	config   Config
	from, to int64 // Unix seconds
	shops    []Shop
	outages  []Outage
	summer   summer
	topics   [feeds]string

	scratch plan // of the parcel at hand
	queue   queue
	opened  int // parcels that have been put on the queue so far
	value   []byte
	key     []byte
}

// New returns the world of a configuration. The same one always emits the same
// bytes.
func New(c Config) *World {
	c = c.withDefaults()
	w := &World{config: c, from: c.From.Unix(), to: c.To.Unix()}
	w.summer = newSummer(w.from, w.to+400*day)
	for f := range feeds {
		w.topics[f] = "scans.raw." + feedNames[f]
	}
	w.shops = makeShops(c.Shops)
	w.outages = w.makeOutages()
	return w
}

// OrdersTopic is where the order facts go.
const OrdersTopic = "orders"

// shopMarkets is the market of every 24 shops in turn.
const shopMarkets = "UUGUDGUEUGCUUGDUEGUCUGDT"

func makeShops(n int) []Shop {
	of := map[byte]uint8{'U': marketUS, 'G': marketGB, 'E': 2, 'D': 3, 'C': 4, 'T': 5}
	shops := make([]Shop, n)
	for i := range shops {
		m := of[shopMarkets[i%len(shopMarkets)]]
		shops[i] = Shop{
			ID: fmt.Sprintf("shop-%02d", i+1), Market: markets[m].country, market: m,
			Late: i%8 == 3, BadHaul: i%6 == 4, Careless: i%7 == 5,
		}
	}
	return shops
}

func (w *World) makeOutages() []Outage {
	r := random(mix(w.config.Seed) ^ 0x6f757461676573)
	var all []Outage
	span := w.to - w.from
	n := max(0, w.config.Outages) * max(1, int((span+22*day)/(45*day)))
	if span < 5*day {
		n = 0 // an outage would be all that there is
	}
	for i := 0; i < n; i++ {
		f := [...]feed{yunexpress, usps, royalmail, cainiao}[r.below(4)]
		from := w.from + span*int64(i)/int64(n) + span/int64(n)*r.between(35, 75)/100
		to := from + r.between(20*hour, 30*hour)
		all = append(all, Outage{Carrier: feedNames[f], feed: f, from: from, to: to,
			From: time.Unix(from, 0).UTC(), To: time.Unix(to, 0).UTC()})
	}
	return all
}

// Outages returns the times in which a feed was silent.
func (w *World) Outages() []Outage { return append([]Outage(nil), w.outages...) }

// Config returns the configuration with the defaults filled in.
func (w *World) Config() Config { return w.config }

// Topics returns every topic that the world writes.
func (w *World) Topics() []string { return append(append([]string(nil), w.topics[:]...), OrdersTopic) }
