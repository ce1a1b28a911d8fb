package detector

import (
	"strings"
	"testing"
	"time"

	"scantrail/schemas"
)

// runOrders judges orders, with and without a number.
func runOrders(t *testing.T, policy string, hasNumber bool, cases []ruleCase) {
	t.Helper()
	r := testRules(t, barePolicy+longGap+policy)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newTestLife(t, c.life)
			var v verdict
			v.evaluateOrder(l.main, l.texts, hasNumber, r, testTime(t, c.now))
			checkVerdict(t, &v, c.want)
		})
	}
}

func TestDeadlineRule(t *testing.T) {
	runOrders(t, "confirm_late: {after: 24h, warn: 4h}", true, []ruleCase{
		{"long before", "order 0h created", "19h", "wake 20h0m1s"},
		{"at the warning", "order 0h created", "20h", "wake 20h0m1s"},
		{"one second later", "order 0h created", "20h0m1s", "confirm_late at_risk 0h\nwake 24h0m1s"},
		{"at the limit", "order 0h created", "24h", "confirm_late at_risk 0h\nwake 24h0m1s"},
		{"over", "order 0h created", "24h0m1s", "confirm_late open 0h"},
		{"met at the limit", "order 0h created\norder 24h confirmed", "99h", ""},
		{"met late", "order 0h created\norder 24h0m1s confirmed", "99h", "confirm_late resolved 0h 24h0m1s"},
		{"met before it began", "order 5h created\norder 1h confirmed", "99h", ""},
		{"another kind meets it", "order 0h created\norder 9h marked_shipped\norder 50h confirmed", "99h", ""},
		{"stopped in time", "order 0h created\norder 24h cancelled\norder 90h confirmed", "99h", ""},
		{"stopped late", "order 0h created\norder 25h cancelled\norder 90h confirmed", "99h", "confirm_late resolved 0h 25h"},
		{"stopped with the same second as met", "order 0h created\norder 25h cancelled\norder 25h confirmed", "99h", "confirm_late resolved 0h 25h"},
		{"met, then stopped", "order 0h created\norder 20h confirmed\norder 25h cancelled", "99h", ""},
		{"no anchor", "order 0h ready_to_ship", "99h", ""},
		{"the earliest anchor", "order 1h created\norder 0h created", "25h", "confirm_late open 0h"},
		{"clock before the anchor", "order 90h created", "1h", "wake 110h0m1s"},
	})
}

func TestDeadlineInHolidays(t *testing.T) {
	runOrders(t, "confirm_late: {after: 24h}\ncancel_unhandled: {after: 48h}", true, []ruleCase{
		{"inside moves it on", "order 0h created\norder 10h holiday until=15h", "29h", "wake 29h0m1s"},
		{"over", "order 0h created\norder 10h holiday until=15h", "29h0m1s", "confirm_late open 0h"},
		{"overlapping ones count once", "order 0h created\norder 10h holiday until=15h\norder 12h holiday until=16h", "30h0m1s", "confirm_late open 0h"},
		{"one that the other moves it into", "order 0h created\norder 10h holiday until=15h\norder 27h holiday until=37h", "39h", "wake 39h0m1s"},
		{"one that begins at the deadline", "order 0h created\norder 24h holiday until=37h", "24h0m1s", "confirm_late open 0h"},
		{"one that began before", "order 0h created\norder -9h holiday until=1h", "25h", "wake 25h0m1s"},
		{"over before it began", "order 0h created\norder -9h holiday until=0h", "24h0m1s", "confirm_late open 0h"},
		{"with no end", "order 0h created\norder 3h holiday", "24h0m1s", "confirm_late open 0h"},
		{"met inside", "order 0h created\norder 10h holiday until=90h\norder 80h confirmed", "99h", ""},
		{"met late", "order 0h created\norder 10h holiday until=90h\norder 104h0m1s confirmed", "199h", "confirm_late resolved 0h 104h0m1s"},
		{"no shipping rule", "order 0h cancel_requested\norder 1h holiday until=90h", "48h0m1s", "cancel_unhandled open 0h"},
	})
}

func TestHolidaysOfThePolicy(t *testing.T) {
	const doc = `
policies:
  - name: bare
    score: {milestones_weight: 60, silence_weight: 40, on_time_weight: 40, completeness_weight: 30, pickup_weight: 20, exception_free_weight: 10}
    gap: {at_risk: 7000h, open: 7001h, escalate: 7002h}
    confirm_late: {after: 24h}
holidays:
  - {shops: [one, two], from: 2026-10-01T10:00:00Z, until: 2026-10-01T15:00:00Z}
  - {markets: [TH], from: 2026-10-01T12:00:00Z, until: 2026-10-01T18:00:00Z}
  - {shops: [two], markets: [GB], from: 2026-10-01T20:00:00Z, until: 2026-10-01T21:00:00Z}
`
	r := testRules(t, doc)
	for _, c := range []struct{ shop, market, wake string }{
		{"three", "GB", "24h0m1s"}, {"one", "GB", "29h0m1s"}, {"one", "TH", "32h0m1s"}, {"two", "GB", "30h0m1s"}, {"", "", "24h0m1s"},
	} {
		l := newTestLife(t, "order 0h created shop="+c.shop+" market="+c.market)
		var v verdict
		v.evaluateOrder(l.main, l.texts, true, r, testTime(t, "1h"))
		if got := spell(&v); got != "wake "+c.wake+"\n" {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestOrderRules(t *testing.T) {
	const policy = `
confirm_late: {after: 24h}
label_late: {after: 72h}
cancel_unhandled: {after: 48h}
pickup_late: {after: 72h}
carrier_pickup_late: {after: 48h}
shipped_late: {after: 120h}
delivered_late: {after: 24h}
status_mismatch: {grace: 24h, reverse: true}
promise:
  - {markets: [GB], within: 120h}
  - {markets: [US], within: 168h}
`
	runOrders(t, policy, false, []ruleCase{
		{"nothing happens", "order 0h created market=GB", "145h", "shipped_late open 0h\ndelivered_late open 120h\nconfirm_late open 0h\nlabel_late open 0h"},
		{"confirmed only", "order 0h created\norder 1h confirmed", "73h0m1s", "pickup_late open 1h\nlabel_late open 0h\nwake 120h0m1s"},
		{"marked shipped without a number", "order 0h created\norder 1h confirmed\norder 2h marked_shipped", "26h0m1s",
			"status_mismatch:shipped_not_scanned open 2h\nwake 73h0m1s"},
		{"marked delivered", "order 0h created market=GB\norder 1h marked_delivered", "900h", "shipped_late open 0h"},
		{"delivered late", "order 0h created market=US\norder 1h marked_shipped\norder 300h marked_delivered\norder 301h cancelled", "400h",
			"delivered_late resolved 168h 300h\nstatus_mismatch:shipped_not_scanned resolved 1h 301h"},
		{"cancelled", "order 0h created\norder 1h confirmed\norder 20h cancelled", "900h", ""},
		{"carriers only with a number", "order 0h ready_to_ship label=platform", "900h", ""},
		{"a market without promise", "order 0h created market=TH\norder 0h marked_shipped\norder 3h cancelled", "900h", ""},
	})
	runOrders(t, policy, true, []ruleCase{
		{"a parcel judges the rest", "order 0h created market=GB", "900h", "confirm_late open 0h\nlabel_late open 0h"},
		{"every request to cancel", "order 0h cancel_requested\norder 0h cancel_requested\norder 60h cancel_requested\norder 50h cancel_answered\norder 100h cancelled", "900h",
			"cancel_unhandled resolved 0h 50h"},
		{"unanswered", "order 0h cancel_requested\norder 10h cancel_requested", "48h0m1s", "cancel_unhandled open 0h\nwake 58h0m1s"},
		{"answered in the same second", "order 0h cancel_requested\norder 0h cancel_answered", "900h", ""},
		{"an answer before does not count", "order 10h cancel_requested\norder 0h cancel_answered", "900h", "cancel_unhandled open 10h"},
	})
}

func TestParcelOrderRules(t *testing.T) {
	runCases(t, longGap+`
pickup_late: {after: 72h, warn: 12h}
carrier_pickup_late: {after: 48h}
shipped_late: {after: 120h}
`, []ruleCase{
		{"no scan", "order 0h created num=1\norder 1h confirmed num=2\norder 2h ready_to_ship num=3\norder 3h label_created label=platform", "900h",
			"pickup_late open 1h#2\ncarrier_pickup_late open 2h#3\nshipped_late open 0h#1"},
		{"warned", "order 0h confirmed", "60h0m1s", "pickup_late at_risk 0h\nwake 72h0m1s"},
		{"the seller's label is not the carrier's fault", "order 2h ready_to_ship\norder 3h label_created label=seller", "900h", ""},
		{"scanned in time", "order 0h confirmed\nscan 72h accepted", "900h", ""},
		{"scanned late", "order 0h confirmed\nscan 72h0m1s accepted", "900h", "pickup_late resolved 0h 72h0m1s"},
		{"a failed pickup is none", "order 0h confirmed\nscan 2h pickup_failed\nscan 80h departed_origin", "900h", "pickup_late resolved 0h 80h"},
		{"customs are none", "order 0h confirmed\nscan 2h export_cleared", "72h0m1s", "pickup_late open 0h"},
		{"marked shipped in time", "order 0h created\norder 100h marked_shipped\nscan 150h accepted", "900h", ""},
		{"scanned before marked", "order 0h created\norder 130h marked_shipped\nscan 119h accepted", "900h", ""},
		{"cancelled in time", "order 0h confirmed\norder 72h cancelled\nscan 80h accepted", "900h", ""},
		{"cancelled late", "order 0h confirmed\norder 73h cancelled\nscan 80h accepted", "900h", "pickup_late resolved 0h 73h"},
		{"the trail ends", "order 0h confirmed\nscan 73h cancelled", "900h", "pickup_late resolved 0h 73h"},
		{"the trail ends before the order is cancelled", "order 0h confirmed\nscan 70h cancelled\norder 90h cancelled", "900h", ""},
		{"of another order", "order 0h confirmed id=B\norder 100h confirmed", "150h", "wake 160h0m1s"},
		{"holidays", "order 0h confirmed\norder 10h holiday until=20h", "82h0m1s", "pickup_late open 0h"},
	})
	runCases(t, longGap+"pickup_late: {after: 48h, since: created}", []ruleCase{
		{"since the order", "order 0h created\norder 1h confirmed", "48h0m1s", "pickup_late open 0h"},
		{"not since the confirmation", "order 1h confirmed", "99h", ""},
	})
}

func TestDeliveredLate(t *testing.T) {
	runCases(t, longGap+`
delivered_late: {after: 24h}
promise:
  - {markets: [GB], within: 120h}
  - {markets: [TH], within: 2wd}
  - {within: 200h}
`, []ruleCase{
		{"as the order states", "order 0h created promise=10h num=1", "34h0m1s", "delivered_late open 10h#1"},
		{"at the limit", "order 0h created promise=10h\nscan 34h delivered", "99h", ""},
		{"late", "order 0h created promise=10h\nscan 34h0m1s delivered", "99h", "delivered_late resolved 10h 34h0m1s"},
		{"extended", "order 0h created promise=10h\norder 5h promise_extended promise=30h num=2", "54h0m1s", "delivered_late open 30h#2"},
		{"the last stated, though earlier", "order 0h created promise=90h\norder 5h label_created promise=30h", "54h0m1s", "delivered_late open 30h"},
		{"by the market", "order 0h created market=GB num=1", "144h0m1s", "delivered_late open 120h#1"},
		{"by the destination", "order 0h created\nscan 0h accepted lane=CN-GB", "144h0m1s", "delivered_late open 120h"},
		{"in working days, Friday and Monday", "order 12h created market=TH", "144h0m1s", "delivered_late open 120h"},
		{"any other market", "order 0h created market=FR", "224h0m1s", "delivered_late open 200h"},
		{"no order time", "order 0h confirmed market=GB", "900h", ""},
		{"returned is not delivered", "order 0h created promise=10h\nscan 1h return_started\nscan 40h delivered", "99h", "delivered_late resolved 10h 40h"},
		{"returned in time", "order 0h created promise=10h\nscan 1h return_started\nscan 20h delivered", "99h", ""},
		{"delivered, then returned", "order 0h created promise=10h\nscan 1h delivered\nscan 40h return_started\nscan 90h returned", "99h", ""},
		{"no shipping rule", "order 0h created promise=10h\norder 1h holiday until=500h", "34h0m1s", "delivered_late open 10h"},
	})
}

func TestStatusMismatch(t *testing.T) {
	runCases(t, longGap+"status_mismatch: {grace: 24h}", []ruleCase{
		{"shipped, not scanned", "order 0h marked_shipped num=1", "24h0m1s", "status_mismatch:shipped_not_scanned open 0h#1"},
		{"within the grace", "order 0h marked_shipped", "24h", "wake 24h0m1s"},
		{"scanned before", "scan 0h accepted\norder 9h marked_shipped", "900h", ""},
		{"delivered, not seen", "scan 0h accepted\norder 9h marked_delivered", "33h0m1s", "status_mismatch:delivered_not_seen open 9h"},
		{"seen late", "scan 0h accepted\norder 9h marked_delivered\nscan 40h delivered", "90h", "status_mismatch:delivered_not_seen resolved 9h 40h"},
		{"the trail may be ahead", "order 0h created\nscan 0h delivered", "900h", ""},
	})
	runCases(t, longGap+"status_mismatch: {grace: 24h, reverse: true}", []ruleCase{
		{"not marked shipped", "order 0h created\nscan 1h accepted num=2", "25h0m1s", "status_mismatch:not_marked_shipped open 1h#2"},
		{"nor delivered", "order 0h created\nscan 1h accepted\nscan 2h delivered num=1", "26h0m1s",
			"status_mismatch:not_marked_shipped open 1h\nstatus_mismatch:not_marked_delivered open 2h#1"},
		{"delivered implies shipped", "order 0h created\nscan 1h accepted\norder 3h marked_delivered", "27h", "wake 27h0m1s"},
		{"a trail's end stops nothing", "order 0h created\nscan 1h accepted\nscan 2h cancelled", "25h0m1s", "status_mismatch:not_marked_shipped open 1h"},
		{"a cancelled order does", "order 0h created\nscan 1h accepted\norder 2h cancelled", "900h", ""},
		{"no order time, no rule", "order 0h confirmed\nscan 1h accepted", "900h", ""},
	})
}

func TestNumberRules(t *testing.T) {
	runCases(t, longGap+"number_invalid: {on: true, reused_within: 4320h, before_order: 24h}", []ruleCase{
		{"check", "bad\nscan 1h info num=2\nscan 2h accepted", "3h", "number_invalid:check open 1h#2"},
		{"check stays with the last life that has scans", "older\nbad\nscan 1h info", "3h", "number_invalid:check open 1h"},
		{"reused", "order 0h label_created\norder 4320h label_created id=B num=1", "4400h", "number_invalid:reused open 4320h#1"},
		{"long ago", "order 0h label_created\norder 4320h0m1s label_created id=B", "4400h", ""},
		{"by the label, not by what came before", "order 0h created\norder 5h label_created\norder 1h created id=B num=3\norder 2h label_created id=B num=1", "9h", "number_invalid:reused open 5h"},
		{"cancelled ones do not count", "order 0h label_created\norder 1h label_created id=B\norder 2h cancelled id=B", "9h", ""},
		{"neighbours of those left", "order 0h label_created\norder 1h label_created id=B\norder 2h cancelled id=B\norder 3h created id=C", "9h", "number_invalid:reused open 3h"},
		{"three at one time", "order 0h label_created\norder 0h label_created id=B\norder 0h label_created id=C", "9h", "number_invalid:reused open 0h"},
		{"same order id of another shop", "order 0h label_created shop=x\norder 1h label_created shop=y", "9h", "number_invalid:reused open 1h"},
		{"scans before the order", "order 48h created\nscan 23h59m59s accepted num=1", "90h", "number_invalid:before_order open 23h59m59s#1"},
		{"a day before at most", "order 48h created\nscan 24h accepted", "90h", ""},
		{"only progress", "order 48h created\nscan 1h label_created", "90h", ""},
		{"other destination", "order 0h label_created lane=CN-GB\nscan 1h accepted lane=CN-GB\nscan 2h in_transit lane=CN-FR num=1\nscan 3h in_transit lane=CN-DE", "4h", "number_invalid:destination open 2h#1"},
		{"though the trail is over", "order 0h label_created lane=CN-GB\nscan 1h delivered\nscan 2h info lane=-FR", "4h", "number_invalid:destination open 2h"},
		{"destination of no label", "order 0h created lane=CN-GB\nscan 1h accepted lane=CN-FR", "4h", ""},
		{"other postcode", "order 0h created postcode=SW1A\nscan 1h delivered postcode=n12", "4h", "number_invalid:postcode open 1h"},
		{"same outward part", "order 0h created postcode=sw1a_2aa\nscan 1h delivered postcode=SW1", "4h", ""},
		{"masked", "order 0h created postcode=SW1****\nscan 1h delivered postcode=N12", "4h", ""},
		{"too short", "order 0h created postcode=SW\nscan 1h delivered postcode=N12", "4h", ""},
	})
}

func TestLabelRules(t *testing.T) {
	runCases(t, longGap+"label_not_platform: true\nchannels: [acme, post]", []ruleCase{
		{"by the seller", "order 0h label_created carrier=acme\norder 1h label_created label=seller num=1\norder 2h label_created label=platform", "900h", "label_not_platform open 1h#1"},
		{"by the platform", "order 1h label_created label=platform\norder 2h label_created label=seller", "900h", ""},
		{"even if delivered", "order 1h label_created label=seller\nscan 2h delivered", "900h", "label_not_platform open 1h"},
		{"another channel", "order 1h label_created carrier=other num=1\norder 2h label_created carrier=acme", "900h", "channel_not_compliant open 1h#1"},
		{"approved", "order 1h label_created carrier=post", "900h", ""},
		{"not stated", "order 1h label_created\norder 2h marked_shipped carrier=other", "900h", ""},
	})
}

// TestUsualParcelAllocates nothing, with and without an order.
func TestUsualParcelAllocates(t *testing.T) {
	r := testRules(t, schemas.DefaultPolicy())
	usual := newTestLife(t, "scan 0h accepted lane=CN-GB")
	usual.facts = usualFacts()
	ordered := newTestLife(t, usualOrder)
	ordered.facts = usualFacts()
	troubled := newTestLife(t, usualOrder+"order 1h holiday until=9h\norder 0h created id=B\nscan 0h accepted\nscan 24h held\nscan 60h import_customs_held")
	for _, l := range []*life{usual, ordered, troubled} {
		var v verdict
		if n := testing.AllocsPerRun(100, func() { v.evaluate(l, r, testTime(t, "80h")) }); n != 0 {
			t.Errorf("%d facts, %d order facts: %g allocations", len(l.facts), len(l.main), n)
		}
	}
	var v verdict
	if n := testing.AllocsPerRun(100, func() { v.evaluateOrder(ordered.main, ordered.texts, false, r, testTime(t, "80h")) }); n != 0 {
		t.Errorf("an order: %g allocations", n)
	}
}

const usualOrder = `
order -9h created market=GB promise=240h
order -8h confirmed
order -7h ready_to_ship
order -6h label_created label=platform carrier=acme lane=CN-GB postcode=SW1A2AA
order -5h marked_shipped
`

func TestChoose(t *testing.T) {
	doc := "policies:\n"
	for _, p := range []string{
		"name: shop\n    when: {shops: [one], markets: [GB]}", "name: lane\n    when: {lanes: [\"*-US\", CN-TH]}",
		"name: carrier\n    when: {carriers: [acme], products: [economy]}", "name: market\n    when: {markets: [GB, FR]}", "name: rest",
	} {
		doc += "  - " + p + "\n    extends: default\n"
	}
	s, err := newRuleSet(1, doc, new(Documents))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ market, shop, lane, carrier, product, want string }{
		{"GB", "one", "CN-GB", "acme", "economy", "shop"}, {"FR", "one", "", "", "", "market"}, {"", "one", "CN-GB", "", "", "shop"},
		{"", "", "-US", "", "", "lane"}, {"GB", "", "DE-US", "", "", "lane"}, {"", "", "CN-TH", "", "", "lane"}, {"", "", "DE-TH", "", "", "rest"},
		{"", "", "", "acme", "economy", "carrier"}, {"", "", "", "acme", "", "rest"}, {"", "", "CN-FR", "", "", "market"}, {"", "", "", "", "", "rest"},
	} {
		i := s.choose(packCountry(c.market), c.shop, testLane(c.lane), c.carrier, c.product)
		if got := s.list[i].policy.Name; got != c.want || s.list[i].index != i {
			t.Errorf("%+v: %s", c, got)
		}
		from, to, _ := strings.Cut(c.lane, "-")
		market := c.market
		if market == "" {
			market = to
		}
		doc, err := schemas.ParsePolicies([]byte(s.text))
		if err != nil {
			t.Fatal(err)
		}
		if p := doc.Select(market, c.shop, from, to, c.carrier, c.product); p.Name != c.want {
			t.Errorf("%+v: Select says %s", c, p.Name)
		}
	}
}

func TestWorkingDays(t *testing.T) {
	for _, c := range []struct {
		name, zone, anchor string
		days               int
		holidays, want     string
		off                string
	}{
		{name: "over a weekend", zone: "UTC", anchor: "2026-10-01T12:00:00Z", days: 2, want: "2026-10-06T00:00:00Z"},
		{name: "on a Saturday", zone: "UTC", anchor: "2026-10-03T00:00:00Z", days: 1, want: "2026-10-06T00:00:00Z"},
		{name: "by the local date", zone: "Asia/Shanghai", anchor: "2026-10-01T16:00:00Z", days: 1, want: "2026-10-05T16:00:00Z"},
		{name: "a second before it", zone: "Asia/Shanghai", anchor: "2026-10-01T15:59:59Z", days: 1, want: "2026-10-02T16:00:00Z"},
		{name: "a day off", zone: "UTC", anchor: "2026-10-01T12:00:00Z", days: 1, holidays: "2026-10-02 2026-10-05", want: "2026-10-07T00:00:00Z"},
		{name: "clocks go back", zone: "Europe/London", anchor: "2026-10-22T12:00:00Z", days: 2, want: "2026-10-27T00:00:00Z"},
		{name: "clocks go forward", zone: "Europe/London", anchor: "2026-03-26T12:00:00Z", days: 2, want: "2026-03-30T23:00:00Z"},
		{name: "midnight is skipped", zone: "Africa/Cairo", anchor: "2026-04-22T12:00:00Z", days: 1, want: "2026-04-23T22:00:00Z"},
		{name: "midnight comes twice", zone: "America/Havana", anchor: "2026-10-29T12:00:00Z", days: 1, want: "2026-10-31T04:00:00Z"},
		{name: "the day after it", zone: "America/Havana", anchor: "2026-10-29T12:00:00Z", days: 2, want: "2026-11-03T05:00:00Z"},
		{name: "holiday mode", zone: "UTC", anchor: "2026-10-01T12:00:00Z", days: 1, off: "2026-10-02T23:59:59Z 2026-10-05T00:00:01Z", want: "2026-10-07T00:00:00Z"},
		{name: "holiday mode that ends at midnight", zone: "UTC", anchor: "2026-10-01T12:00:00Z", days: 1, off: "2026-10-01T00:00:00Z 2026-10-02T00:00:00Z", want: "2026-10-03T00:00:00Z"},
		{name: "never", zone: "UTC", anchor: "2026-10-01T12:00:00Z", days: 1, off: "2026-10-01T00:00:00Z 2100-10-02T00:00:00Z", want: "2106-02-07T06:28:15Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := schemas.Calendar{Zone: c.zone}
			for _, d := range strings.Fields(c.holidays) {
				at, err := time.Parse(time.DateOnly, d)
				if err != nil {
					t.Fatal(err)
				}
				p.Holidays = append(p.Holidays, schemas.Date{Year: at.Year(), Month: at.Month(), Day: at.Day()})
			}
			cal, err := newCalendar(&p)
			if err != nil {
				t.Fatal(err)
			}
			unix := func(s string) uint32 {
				at, err := time.Parse(time.RFC3339, s)
				if err != nil {
					t.Fatal(err)
				}
				return uint32(at.Unix())
			}
			var off []span
			if w := strings.Fields(c.off); len(w) == 2 {
				off = []span{{unix(w[0]), unix(w[1])}}
			}
			anchor := unix(c.anchor)
			got := cal.deadline(anchor, &lateRule{on: true, days: c.days}, off)
			if got != unix(c.want) {
				t.Errorf("%s, want %s", time.Unix(int64(got), 0).UTC().Format(time.RFC3339), c.want)
			}
			if n := testing.AllocsPerRun(20, func() { cal.deadline(anchor, &lateRule{on: true, days: 3}, off) }); n != 0 {
				t.Errorf("%g allocations", n)
			}
		})
	}
}

// TestCalendarDays compares the beginnings of days with a slow search.
func TestCalendarDays(t *testing.T) {
	for _, zone := range []string{"Africa/Cairo", "America/Havana", "Asia/Beirut", "Europe/London", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo"} {
		cal, err := newCalendar(&schemas.Calendar{Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		day := func(unix int64) int64 { return (unix + cal.offset(unix)) / daySeconds }
		for d := int64(17000); d < 21500; d++ {
			got := cal.start(d)
			if day(got) < d || day(got-1) >= d {
				t.Errorf("%s: day %d begins at %s", zone, d, time.Unix(got, 0).In(cal.zone))
			}
		}
	}
}
