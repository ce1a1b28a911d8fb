package console

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas/texts"
)

// settled returns a page once its figures are there.
func (s *site) settled(url string, want ...string) string {
	s.t.Helper()
	s.computed(url)
	return s.page(url, want...)
}

// computed is get, once the figures are there.
func (s *site) computed(url string, headers ...string) (status int, header http.Header, body string) {
	s.t.Helper()
	for range 60 {
		status, header, body = s.get(url, headers...)
		again := header.Get("Refresh") != "" && status == http.StatusOK
		if again && !strings.Contains(body, "The figures are being computed") {
			s.t.Fatalf("%s loads itself again without saying why", url)
		}
		if !again && status != http.StatusGatewayTimeout { // by a machine with too much else to do
			break
		}
	}
	return status, header, body
}

// csvRows reads a page as a file.
func (s *site) csvRows(url string) [][]string {
	s.t.Helper()
	status, header, body := s.get(url)
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "text/csv") {
		s.t.Fatalf("%s: %d %v", url, status, header)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\uFEFF"))).ReadAll()
	must(s.t, err)
	return rows
}

func TestShopsPage(t *testing.T) {
	s := worldSite(t)
	s.settled("/shops", "shop-01", "shop-02", "shop-03", "35 % of search exposure", "<polyline", "Computed")
	s.settled("/shops?lang=zh", "物流服务分", "轨迹完整率")
	if body := s.settled("/shops?q=SHOP-02"); strings.Contains(body, ">shop-01<") || !strings.Contains(body, ">shop-02<") {
		t.Error("a search does not find one shop alone")
	}
	s.settled("/shops?q=nothing", "No shop matches")
	first := func(sort string) string { return s.csvRows("/shops?format=csv&sort=" + sort)[1][0] }
	if got := first("name"); got != "shop-01" {
		t.Errorf("by name %s is first", got)
	}
	rows := s.csvRows("/shops?format=csv&sort=lts&week=2026-10-19")
	if len(rows) != 4 || rows[1][1] != "2026-10-19" || rows[1][5] > rows[2][5] || rows[2][5] > rows[3][5] {
		t.Errorf("by LTS: %v", rows)
	}
	if rows := s.csvRows("/shops?format=csv&missed=lts_low&week=2026-10-19"); len(rows) > 1 && !strings.Contains(rows[1][10], "lts_low") {
		t.Errorf("those that miss a threshold: %v", rows)
	}
}

func TestShopPages(t *testing.T) {
	s := worldSite(t)
	s.settled("/shops/shop-01?week=2026-10-19", "Logistics service score", "at least 75", "at least 85", "On-time fulfilment", "export cleared", `srcset="/shops/shop-01/lts.svg?dark=1"`, "Late fulfilment")
	if rows := s.csvRows("/shops/shop-01?format=csv"); len(rows) < 6 || len(rows[0]) != 17 {
		t.Errorf("weeks: %v", rows)
	}
	why := s.settled("/shops/shop-01/why?week=2026-10-19", "points of 100 were lost", `href="/parcels/LA`, "carrier", "what if without it")
	if strings.Count(why, "<tr>") < 8 {
		t.Error("few losses")
	}
	all, some := s.csvRows("/shops/shop-01/why?week=2026-10-19&format=csv"), s.csvRows("/shops/shop-01/why?week=2026-10-19&format=csv&rule=delivered_late")
	if len(some) < 2 || len(some) >= len(all) || some[1][8] != "delivered_late" {
		t.Errorf("%d of %d losses are of one rule: %v", len(some), len(all), some)
	}
	s.settled("/shops/shop-01/what-if?week=2026-10-19", "choose a policy", "Without a lane")
	s.settled("/shops/shop-01/what-if?week=2026-10-19&policy=1/articles-uk&origin=CN&destination=US", "side by side", "As it would be", "parcels of the lane")
	s.settled("/shops/shop-01/what-if?policy=7/nosuch", "was never in force")
	for _, url := range []string{"/shops/nosuch", "/shops/nosuch/why", "/shops/nosuch/what-if", "/shops/shop-01/other.svg", "/shops/shop-01/what-if?policy=x/y", "/shops/%3Cscript%3E"} {
		status, _, body := s.get(url)
		for range 60 {
			if status != http.StatusOK && status != http.StatusGatewayTimeout {
				break
			}
			status, _, body = s.get(url)
		}
		if status != http.StatusNotFound || strings.Contains(body, "<script>") {
			t.Errorf("%s: %d", url, status)
		}
	}
}

func TestCharts(t *testing.T) {
	s := worldSite(t)
	for _, url := range []string{"/shops/shop-01/lts.svg", "/shops/shop-01/parts.svg?dark=1", "/carriers/usps/completeness.svg", "/carriers/usps/delivery.svg?dark=1"} {
		status, header, body := s.get(url)
		if status != http.StatusOK || header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(body, "<svg") ||
			header.Get("Content-Security-Policy") != "default-src 'none'; style-src 'unsafe-inline'" {
			t.Errorf("%s: %d %v", url, status, header)
		}
	}
}

func TestLossDetail(t *testing.T) {
	catalog, err := texts.Load()
	must(t, err)
	for detail, want := range map[string][2]string{
		"delivered 8 h after its deadline":         {"delivered 8 h after its deadline", "超时 8 小时妥投"},
		"ended: returned":                          {"ended: returned", "终止：已退回"},
		"export_cleared, out_for_delivery":         {"export cleared, out for delivery", "出口清关完成、派送中"},
		"12.5 h of 40 h":                           {"silent too long for 12.5 h of 40 h", "全程 40 小时，其中超限断更 12.5 小时"},
		"something new":                            {"something new", "something new"},
		"delivered <b>1</b> h after its deadline!": {"delivered <b>1</b> h after its deadline!", "delivered <b>1</b> h after its deadline!"},
	} {
		for i, tag := range []string{"en", "zh"} {
			if got := lossDetail(catalog.Language(tag), detail); got != want[i] {
				t.Errorf("%s of %q = %q, want %q", tag, detail, got, want[i])
			}
		}
	}
}

func TestRuleStates(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	w := &query.ShopWeek{LTS: v(74), LTSRequired: 75, Completeness: v(90), CompletenessRequired: 85, Pickup: v(80), PickupRequired: 90,
		ConfirmLate: v(7), ConfirmLateAllowed: 5, Breached: []string{"lts_low", "confirm_late_rate"}, ExposureLost: 35}
	states := ruleStates(w)
	if s := states[0]; !s.Missed || s.Lost != 35 || s.Spare != -1 {
		t.Errorf("LTS: %+v", s)
	}
	if s := states[1]; s.Missed || s.Spare != 5 {
		t.Errorf("completeness: %+v", s)
	}
	if s := states[2]; s.Missed || !s.Near {
		t.Errorf("one week of late pickups is no miss yet: %+v", s)
	}
	if s := states[3]; !s.Missed || s.Spare != -2 {
		t.Errorf("confirmed late: %+v", s)
	}
	if ruleStates(nil) != nil {
		t.Error("a week that is not judged has states")
	}
}

func TestChosenWeek(t *testing.T) {
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/shops", nil)
	r := &request{Request: req, language: &language{}}
	day := func(d int) time.Time { return time.Date(2026, 10, d, 0, 0, 0, 0, time.UTC) }
	weeks := []query.ShopWeek{{Week: day(5), Parcels: 10, Counted: 10}, {Week: day(12), Parcels: 10, Counted: 9}, {Week: day(19), Parcels: 10, Counted: 3}}
	if got := chosenWeek(r, weeks); got != day(12) {
		t.Errorf("%s, want the latest week of which most parcels count", got)
	}
	if got := chosenWeek(r, weeks[2:]); got != day(19) {
		t.Errorf("%s, want the only week", got)
	}
	if got := chosenWeek(r, nil); !got.IsZero() {
		t.Errorf("%s without weeks", got)
	}
}
