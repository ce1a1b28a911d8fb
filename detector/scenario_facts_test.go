package detector

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"scantrail/schemas"
)

// time reads a duration since the base, which may begin with days.
func (s *scenario) time(w string) int64 {
	days := 0
	if d, rest, ok := strings.Cut(w, "d"); ok {
		days, _ = strconv.Atoi(d)
		if w = rest; w == "" {
			w = "0s"
		}
	}
	d, err := time.ParseDuration(w)
	if err != nil {
		s.t.Fatal(err)
	}
	return testBase + int64(days)*24*time.Hour.Milliseconds() + d.Milliseconds()
}

// number notes a tracking number, for the ids of alerts.
func (s *scenario) number(n string) {
	if !slices.Contains(s.numbers, n) {
		s.numbers = append(s.numbers, n)
	}
}

func (s *scenario) scan(w []string) *schemas.Record {
	m, err := schemas.ParseMilestone(w[2])
	if err != nil {
		s.t.Fatal(err)
	}
	s.number(w[0])
	s.facts++
	at := s.time(w[1])
	e := schemas.Event{
		ParcelID: schemas.ParcelID(w[0]), TrackingNumber: w[0], Carrier: "acme", OccurredAt: at, ReceivedAt: at,
		FactID: schemas.Hash([]byte(strconv.Itoa(s.facts))), Milestone: m, Physical: m.Physical(), Progress: m.Progress(),
	}
	for _, arg := range w[3:] {
		k, v, _ := strings.Cut(arg, "=")
		switch k {
		case "id":
			e.FactID = schemas.Hash([]byte(v))
		case "received":
			e.ReceivedAt = s.time(v)
		case "carrier":
			e.Carrier = v
		case "at":
			e.Facility, e.Country, _ = strings.Cut(v, "/")
		case "lane":
			e.OriginCountry, e.DestinationCountry, _ = strings.Cut(v, "-")
		case "mapping":
			n, _ := strconv.Atoi(v)
			e.MappingVersion = uint32(n)
		case "check":
			if e.NumberCheck, err = schemas.ParseNumberCheck(v); err != nil {
				s.t.Fatal(err)
			}
		case "postcode":
			e.Postcode = v
		case "product":
			e.Product = v
		case "unsure":
			e.UncertaintySecs = uint32((s.time(v) - testBase) / 1000)
		case "refused":
			e.Reason = reasonRefused
		case "info":
			e.Physical, e.Progress = false, false
		case "backfill":
			e.Backfill = true
		default:
			s.t.Fatalf("unknown argument %q", arg)
		}
	}
	return &schemas.Record{Kind: schemas.KindEvent, Event: e}
}

func (s *scenario) order(w []string) *schemas.Record {
	k, err := schemas.ParseOrderKind(w[2])
	if err != nil {
		s.t.Fatal(err)
	}
	s.facts++
	o := schemas.OrderFact{
		OrderID: w[0], ShopID: "shop-1", Market: "GB", Kind: k, At: s.time(w[1]), ReceivedAt: s.time(w[1]),
		FactID: schemas.Hash([]byte("order" + strconv.Itoa(s.facts))),
	}
	for _, arg := range w[3:] {
		k, v, _ := strings.Cut(arg, "=")
		switch k {
		case "id":
			o.FactID = schemas.Hash([]byte(v))
		case "shop":
			o.ShopID = v
		case "market":
			o.Market = v
		case "numbers":
			o.TrackingNumbers = strings.Split(v, ",")
			for _, n := range o.TrackingNumbers {
				s.number(n)
			}
		case "label":
			o.LabelSource = v
		case "carrier":
			o.Carrier = v
		case "lane":
			o.OriginCountry, o.DestinationCountry, _ = strings.Cut(v, "-")
		case "postcode":
			o.DestinationPostcode = v
		case "promise":
			o.PromiseAt = s.time(v)
		case "until":
			o.Until = s.time(v)
		case "received":
			o.ReceivedAt = s.time(v)
		case "backfill":
			o.Backfill = true
		default:
			s.t.Fatalf("unknown argument %q", arg)
		}
	}
	return &schemas.Record{Kind: schemas.KindOrder, Order: o}
}
