package main

import (
	"time"

	"scantrail/bench/oracle"
)

const (
	minute = int64(60)
	hour   = 60 * minute
	day    = 24 * hour
)

func required() []oracle.Required {
	entry := []uint8{60, 70, 71, 72, 73}
	return []oracle.Required{
		{Name: "export_cleared", CrossBorder: true, Satisfied: []uint8{42}, Since: []uint8{20}, After: 7 * day},
		{Name: "arrived_destination", CrossBorder: true, Satisfied: entry, Since: []uint8{20}, After: 15 * day},
		{Name: "out_for_delivery", Satisfied: []uint8{90}, Excused: []uint8{92}, Since: entry, After: 7 * day},
	}
}

// builtin is the policy default that the program brings along.
func builtin() oracle.Policy {
	return oracle.Policy{
		Name: "default", Risk: 36 * hour, Open: 48 * hour, Escalate: 72 * hour, Stay: 48 * hour,
		Undeliverable: []uint8{43, 71, 73, 91, 102, 108}, Exception: []uint8{101, 103, 104, 105, 106, 120},
		UploadLate: 24 * hour, Warehouse: true, Numbers: true, Reused: 180 * day, BeforeOrder: 24 * hour,
		Grace: 24 * hour, Required: required(), Zone: time.UTC,
		Deadlines: map[string]oracle.Deadline{
			"confirm_late": {After: oracle.Span{Secs: 24 * hour}}, "label_late": {After: oracle.Span{Secs: 72 * hour}},
			"cancel_unhandled": {After: oracle.Span{Secs: 48 * hour}}, "pickup_late": {After: oracle.Span{Secs: 72 * hour}, Since: 2},
			"carrier_pickup_late": {After: oracle.Span{Secs: 48 * hour}}, "shipped_late": {After: oracle.Span{Secs: 120 * hour}},
			"delivered_late": {After: oracle.Span{Secs: 24 * hour}},
		},
		Promises: []oracle.Promise{
			{Markets: []string{"GB"}, Within: oracle.Span{Secs: 120 * hour}}, {Markets: []string{"US"}, Within: oracle.Span{Secs: 168 * hour}},
			{Markets: []string{"TH", "ID", "MY", "PH", "SG", "VN"}, Within: oracle.Span{Secs: 72 * hour}},
		},
	}
}

// plain is every rule with its usual figures.
func plain() oracle.Policy {
	p := builtin()
	p.Name, p.SellerLabel = "plain", true
	p.Promises = []oracle.Promise{{Markets: []string{"GB"}, Within: oracle.Span{Secs: 120 * hour}}, {Within: oracle.Span{Secs: 168 * hour}}}
	return p
}

func zone(name string) *time.Location {
	at, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return at
}

// strict counts physical scans and working days, warns, and knows other limits
// for some stages and lanes.
func strict() oracle.Policy {
	p := plain()
	p.Name, p.Physical, p.Zone, p.Reverse = "strict", true, zone("America/New_York"), true
	p.Gaps = []oracle.Override{
		{Stages: []uint8{4}, Lanes: []string{"CN-*"}, Risk: 100 * hour, Open: 120 * hour, Expire: 168 * hour},
		{Stages: []uint8{2, 4, 5}, Lanes: []string{"*-US", "DE-FR"}, Risk: 20 * hour, Open: 24 * hour, Expire: 36 * hour},
		{Stages: []uint8{8}, Risk: 12 * hour, Open: 36 * hour, Expire: 48 * hour},
	}
	p.Stays = []oracle.Override{{Stages: []uint8{4, 6}, Lanes: []string{"CN-*"}, Open: 120 * hour}, {Stages: []uint8{2, 9}, Open: 24 * hour}}
	p.Channels = []string{"ups", "yunexpress"}
	p.DaysOff = []string{"2026-06-19", "2026-07-03", "2026-09-07"}
	p.Deadlines = map[string]oracle.Deadline{
		"confirm_late": {After: oracle.Span{Days: 1}, Warn: 6 * hour}, "label_late": {After: oracle.Span{Days: 2}, Warn: 12 * hour},
		"cancel_unhandled": {After: oracle.Span{Secs: 48 * hour}, Warn: 24 * hour}, "pickup_late": {After: oracle.Span{Days: 2}, Since: 1, Warn: 6 * hour},
		"carrier_pickup_late": {After: oracle.Span{Secs: 36 * hour}, Warn: 6 * hour}, "shipped_late": {After: oracle.Span{Days: 3}, Warn: 24 * hour},
		"delivered_late": {After: oracle.Span{Secs: 24 * hour}, Warn: 20 * hour},
	}
	p.Promises = []oracle.Promise{{Markets: []string{"US", "GB"}, Within: oracle.Span{Days: 4}}}
	return p
}

// documents are the policy documents that seeds choose from.
func documents() []oracle.Document {
	shop := strict()
	shop.Shops = []string{"shop-2"}
	market := plain()
	market.Name, market.Markets, market.Open, market.Risk, market.Warehouse, market.Grace = "market", []string{"GB", "FR"}, 36*hour, 24*hour, false, 0
	market.Required = market.Required[:2]
	lane := plain()
	lane.Name, lane.Lanes, lane.Numbers, lane.Stay = "lane", []string{"CN-US", "*-DE"}, false, 0
	lane.Undeliverable = nil
	start := base.Unix()
	off := []oracle.Holiday{
		{Shops: []string{"shop-1"}, From: start + 20*day, Until: start + 22*day + 7*hour},
		{Markets: []string{"US"}, From: start + 21*day, Until: start + 24*day},
		{From: start + 40*day, Until: start + 40*day + 12*hour},
	}
	keys := keys()
	return []oracle.Document{
		{Policies: []oracle.Policy{plain()}, Keys: keys[0]},
		{Policies: []oracle.Policy{strict()}, Holidays: off, Keys: keys[1]},
		{Policies: []oracle.Policy{shop, market, lane, plain()}, Holidays: off, Keys: keys[2]},
	}
}

// warned is how long before the end of a key its alert opens.
const warned = 14 * day

// keys are the terms of keys in each document: some are warned of while a world is
// lived in, or were before; other documents state later ends, earlier ones, or none.
func keys() [3][]oracle.Key {
	start := base.Unix() + warned
	return [3][]oracle.Key{
		{{Carrier: "usps", Expires: start + 25*day + 7}, {Carrier: "usps", Expires: start + 22*day}, {Carrier: "yunexpress", Expires: start + 27*day + 3*hour + 11}},
		{{Carrier: "ups", Expires: start - 2*day}, {Carrier: "usps", Issued: start + 26*day - 90*day}, {Carrier: "yunexpress", Expires: start + 24*day}},
		{{Carrier: "ups", Issued: start + 23*day - 90*day + 5}, {Carrier: "usps", Expires: start + 25*day + 7}},
	}
}
