package console

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"scantrail/cmd/scantrail/query"
	"scantrail/ingest/carriers"
	"scantrail/schemas"
)

func TestCarrierPages(t *testing.T) {
	s := worldSite(t)
	s.settled("/carriers", "cainiao", "usps", "as usual", "/dead-letters?carrier=", "import cleared", "Open alerts")
	s.settled("/carriers?lang=zh", "承运商", "上传延迟")
	if rows := s.csvRows("/carriers?format=csv&q=USPS"); len(rows) != 2 || rows[1][0] != "usps" {
		t.Errorf("a search: %v", rows)
	}
	body := s.settled("/carriers/cainiao", "Upload lag by hour of the week", "Monday", "codes:\n  &#34;ZQ7&#34;: ???  # text:", "/carriers/cainiao/mapping.yaml", "Dead letters by reason", "heat-")
	if n := strings.Count(body, `<td class="cell heat-`); n < 7*24 {
		t.Errorf("%d cells, want 7 days of 24 hours", n)
	}
	s.settled("/carriers/cainiao?lang=zh", "周一", "未映射代码")
	for table, want := range map[string]string{"codes": "ZQ7", "hours": "cainiao", "lanes": "CN"} {
		rows := s.csvRows("/carriers/cainiao?format=csv&table=" + table)
		if len(rows) < 2 || !strings.Contains(strings.Join(rows[1], " "), want) {
			t.Errorf("%s: %v", table, rows)
		}
	}
	s.page("/carriers/cainiao/mapping.yaml", "carrier: cainiao")
	for _, url := range []string{"/carriers/nosuch/mapping.yaml", "/carriers/..%2Flexicon%2Fen/mapping.yaml", "/carriers/cainiao/other"} {
		if status, _, _ := s.get(url); status != 404 {
			t.Errorf("%s: %d", url, status)
		}
	}
}

func TestLanesPage(t *testing.T) {
	s := worldSite(t)
	for show, want := range map[string]string{"completeness": "in how many trails", "gaps": "a silence of 48 hours", "dwell": "Median time", "stalled": "silent there for 48 hours", "nosuch": "in how many trails"} {
		s.settled("/lanes?show="+show, want, "line-haul", "Stalled now", "heat-")
	}
	s.settled("/lanes?origin=CN&destination=US", "Silent parcels of this lane", `href="/parcels/LA`, "Ended by")
	s.settled("/lanes?lang=zh", "线路", "干线运输")
	s.settled("/lanes?carrier=nosuch", "No parcel on any lane")
	all, of := s.csvRows("/lanes?format=csv"), s.csvRows("/lanes?format=csv&carrier=usps&weeks=4&origin=CN")
	if len(of) < 2 || len(of) >= len(all) || of[1][0] != "CN" || of[1][11] != "4" {
		t.Errorf("%d of %d cells: %v", len(of), len(all), of)
	}
	if rows := s.csvRows("/lanes?format=csv&table=now"); len(rows) < 2 || rows[0][2] != "stage" {
		t.Errorf("stalled: %v", rows)
	}
}

// What the page says to add is YAML whatever a carrier writes, and reads as meant.
func TestLinesToAdd(t *testing.T) {
	c := &console{lexicon: sync.OnceValues(func() (*carriers.Registry, error) { return carriers.LoadLexicon(schemas.Carriers) })}
	hostile := "\"x\": y # \\ \u202e\n  evil: true"
	text, err := c.linesToAdd([]query.UnmappedCode{
		{Code: "ZQ7", Texts: []string{"Ref 7Q"}}, {Code: hostile, Texts: []string{hostile}}, {Code: "OD9", Texts: []string{"Out for delivery"}},
		{Texts: []string{"Seen by a drone", "Delivered, left at the front door"}}, {Code: strings.Repeat("long", 50)},
	})
	must(t, err)
	var got struct {
		Codes map[string]string
		Texts []struct{ Match, Milestone string }
	}
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(got.Codes) != 4 || got.Codes["ZQ7"] != "???" || got.Codes["OD9"] != "out_for_delivery" || got.Codes[`"x": y # \ evil: true`] != "???" {
		t.Errorf("codes %v of\n%s", got.Codes, text)
	}
	if len(got.Texts) != 2 || got.Texts[0].Match != "Seen by a drone" || got.Texts[1].Milestone != "delivered" {
		t.Errorf("texts %v of\n%s", got.Texts, text)
	}
}

func TestUsualScans(t *testing.T) {
	monday := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	hours := []query.FeedHour{{Hour: 0, Scans: 40}, {Hour: 1, Scans: 80}, {Hour: 24*6 + 23, Scans: 400}}
	for _, c := range []struct {
		name     string
		from, to time.Duration
		want     float64
	}{
		{"an hour", 0, time.Hour, 10}, {"half of one and one", 30 * time.Minute, 2 * time.Hour, 25}, {"over Sunday midnight", -time.Hour, time.Hour, 110},
		{"nothing then", 3 * time.Hour, 20 * time.Hour, 0}, {"more than a week", -30 * 24 * time.Hour, 0, 130}, {"backwards", time.Hour, 0, 0},
	} {
		if got := usualScans(hours, monday.Add(c.from), monday.Add(c.to)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestLagWeek(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	week, any := lagWeek([]query.FeedHour{{Hour: 25, Scans: 9, LagP50: v(3600), LagP95: v(7200), LagNow: v(9000)}, {Hour: 200, LagP50: v(1)}, {Hour: 3, LagNow: v(60)}})
	if c := week[1][1]; !any || !c.Worse || c.Level != 2 || *c.Secs != 3600 {
		t.Errorf("Tuesday 1 h: %+v", c)
	}
	if c := week[0][3]; c.Secs == nil || c.Level != 0 || c.Worse {
		t.Errorf("what came in the last day only: %+v", c)
	}
}
