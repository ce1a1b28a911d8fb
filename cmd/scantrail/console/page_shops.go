package console

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
)

const shopsPerPage = 100

// shopRules are the rules about shops, in the order in which they stand on pages.
var shopRules = []string{"lts_low", "completeness_low", "ship_kpi_two_weeks", "confirm_late_rate"}

// shopLine is a shop's line for one week.
type shopLine struct {
	query.ShopWeek
	Before *query.ShopWeek   // the week before, nil: none
	Trend  []*float64        // LTS by week, up to the last one
	Alerts []query.ShopAlert // open
}

// Link is the address of the shop's page.
func (l *shopLine) Link() string { return shopLink(l.Shop) }

func shopLink(shop string) string { return "/shops/" + url.PathEscape(shop) }

// Change is LTS less that of the week before; nil where either is not known.
func (l *shopLine) Change() *float64 {
	if l.LTS == nil || l.Before == nil || l.Before.LTS == nil {
		return nil
	}
	d := *l.LTS - *l.Before.LTS
	return &d
}

// Provisional reports whether many parcels of the week are still on their way: the
// quick ones count first, so such a score is rather too good.
func (l *shopLine) Provisional() bool { return 10*l.Counted < 8*l.Parcels }

// Missed reports whether the week breaks the rule.
func (l *shopLine) Missed(rule string) bool { return slices.Contains(l.Breached, rule) }

// Spark is the trend as points of a polyline in a box of 96 by 24; a week without
// a score is left out.
func (l *shopLine) Spark() string {
	low, high := 100., 0.
	for _, v := range l.Trend {
		if v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	low, high = max(0, min(low, 70)), max(high, 80)
	var points []string
	for i, v := range l.Trend {
		if v != nil {
			x := 2 + 92*float64(i)/float64(max(len(l.Trend)-1, 1))
			points = append(points, fmt.Sprintf("%.0f,%.1f", x, 22-20*(*v-low)/max(high-low, 1)))
		}
	}
	return strings.Join(points, " ")
}

// TrendText is the trend for whoever does not see it.
func (l *shopLine) TrendText() string {
	var words []string
	for _, v := range l.Trend {
		words = append(words, decimal(0, v))
	}
	return strings.Join(words, ", ")
}

// shopList is the page's data.
type shopList struct {
	figures
	Week    time.Time
	Weeks   []time.Time
	Markets []string
	Lines   []shopLine // of this page of the list
	Pager   Pager
	Shops   int // in all, before the filters
	Missed  map[string]int
	Alerts  int
}

func (c *console) shopsPage(r *request) error {
	weeks := ask(r, "shop weeks", c.queries.ShopWeeks)
	alerts := ask(r, "shop alerts", c.queries.OpenShopAlerts)
	return r.compute(r.Get("shops.title"), func(age time.Duration) error {
		all := weeks.Value()
		week := chosenWeek(r, all)
		lines := shopLines(all, alerts.Value(), week)
		data := &shopList{figures: figures{age}, Week: week, Weeks: weeksOf(all), Markets: marketsOf(lines), Shops: len(lines), Missed: map[string]int{}}
		for i := range lines {
			for _, rule := range lines[i].Breached {
				data.Missed[rule]++
			}
			data.Alerts += min(len(lines[i].Alerts), 1)
		}
		lines = chosenShops(r, lines)
		if r.wantsCSV() {
			return exportShops(r, lines)
		}
		data.Pager = Pager{Page: r.pageNo(), PageSize: shopsPerPage, Rows: len(lines)}
		data.Lines = lines[min((data.Pager.Page-1)*shopsPerPage, len(lines)):min(data.Pager.Page*shopsPerPage, len(lines))]
		return r.render(r.Get("shops.title"), data)
	})
}

// weeksOf lists the weeks, the latest first.
func weeksOf(all []query.ShopWeek) []time.Time {
	var weeks []time.Time
	seen := map[time.Time]bool{}
	for i := range all {
		if w := all[i].Week; !seen[w] {
			seen[w] = true
			weeks = append(weeks, w)
		}
	}
	slices.SortFunc(weeks, func(a, b time.Time) int { return b.Compare(a) })
	return weeks
}

// chosenWeek is the week of the URL; else the latest of which most parcels count,
// since of later ones only the quick parcels do; else the latest.
func chosenWeek(r *request, all []query.ShopWeek) time.Time {
	if w, err := time.Parse(time.DateOnly, r.param("week")); err == nil {
		return w
	}
	parcels, counted := map[time.Time]uint64{}, map[time.Time]uint64{}
	for i := range all {
		parcels[all[i].Week] += all[i].Parcels
		counted[all[i].Week] += all[i].Counted
	}
	weeks := weeksOf(all)
	for _, w := range weeks {
		if 10*counted[w] >= 8*parcels[w] && counted[w] > 0 {
			return w
		}
	}
	if len(weeks) == 0 {
		return time.Time{}
	}
	return weeks[0]
}

// shopLines gives the line of each shop that has orders in the week. all is by
// shop and week.
func shopLines(all []query.ShopWeek, alerts []query.ShopAlert, week time.Time) []shopLine {
	of := map[string][]query.ShopAlert{}
	for _, a := range alerts {
		of[a.Shop] = append(of[a.Shop], a)
	}
	var lines []shopLine
	var trend []*float64
	for i := range all {
		if i == 0 || all[i].Shop != all[i-1].Shop {
			trend = nil
		}
		if all[i].Week.After(week) {
			continue
		}
		trend = append(trend, all[i].LTS)
		if !all[i].Week.Equal(week) {
			continue
		}
		l := shopLine{ShopWeek: all[i], Trend: slices.Clone(trend), Alerts: of[all[i].Shop]}
		if i > 0 && all[i-1].Shop == l.Shop && all[i-1].Week.Equal(week.AddDate(0, 0, -7)) {
			l.Before = &all[i-1]
		}
		lines = append(lines, l)
	}
	return lines
}

func marketsOf(lines []shopLine) []string {
	var markets []string
	for i := range lines {
		markets = append(markets, lines[i].Markets...)
	}
	slices.Sort(markets)
	return slices.DeleteFunc(slices.Compact(markets), func(m string) bool { return m == "" })
}

// chosenShops filters and sorts by the parameters of the URL.
func chosenShops(r *request, lines []shopLine) []shopLine {
	market, missed, word := r.param("market"), r.param("missed"), strings.ToLower(r.param("q"))
	lines = slices.DeleteFunc(lines, func(l shopLine) bool {
		return market != "" && !slices.Contains(l.Markets, market) ||
			missed == "alert" && len(l.Alerts) == 0 || missed == "any" && len(l.Breached) == 0 ||
			missed != "" && missed != "alert" && missed != "any" && !l.Missed(missed) ||
			!strings.Contains(strings.ToLower(l.Shop), word)
	})
	// What is not known comes last, whichever way.
	by := map[string]func(l *shopLine) float64{
		"":             func(l *shopLine) float64 { return known(l.LTS, 1) - 1000*float64(min(len(l.Breached), 1)) },
		"lts":          func(l *shopLine) float64 { return known(l.LTS, 1) },
		"change":       func(l *shopLine) float64 { return known(l.Change(), 1) },
		"completeness": func(l *shopLine) float64 { return known(l.Completeness, 1) },
		"pickup":       func(l *shopLine) float64 { return known(l.Pickup, 1) },
		"confirm":      func(l *shopLine) float64 { return known(l.ConfirmLate, -1) },
		"parcels":      func(l *shopLine) float64 { return -float64(l.Parcels) },
		"alerts":       func(l *shopLine) float64 { return -float64(len(l.Alerts)) },
	}[r.param("sort")]
	slices.SortStableFunc(lines, func(a, b shopLine) int {
		if by == nil { // by name
			return cmp.Compare(a.Shop, b.Shop)
		}
		return cmp.Compare(by(&a), by(&b))
	})
	return lines
}

func known(v *float64, sign float64) float64 {
	if v == nil {
		return math.Inf(1)
	}
	return sign * *v
}

func exportShops(r *request, lines []shopLine) error {
	header := []any{"shop", "week", "markets", "parcels", "counted_parcels", "lts", "lts_change", "completeness", "pickup_in_time_percent", "confirmed_late_percent",
		"thresholds_missed", "exposure_lost_percent", "open_alerts"}
	return r.export("shops", header, func(write func(...any) error) error {
		for i := range lines {
			l := &lines[i]
			if err := write(l.Shop, day(l.Week), strings.Join(l.Markets, " "), l.Parcels, l.Counted, cellOf(l.LTS), cellOf(l.Change()), cellOf(l.Completeness),
				cellOf(l.Pickup), cellOf(l.ConfirmLate), strings.Join(l.Breached, " "), l.ExposureLost, len(l.Alerts)); err != nil {
				return err
			}
		}
		return nil
	})
}

// day and cellOf are cells of CSV files.
func day(t time.Time) string { return t.Format(time.DateOnly) }

func cellOf(v *float64) any {
	if v == nil {
		return nil
	}
	return math.Round(*v*1e4) / 1e4
}

// shop has the shop and its key for questions.
func (r *request) shop() string { return r.PathValue("shop") }

func (c *console) askScores(r *request) asked[[]query.Score] {
	shop := r.shop()
	return ask(r, "scores "+shop, func(ctx context.Context) ([]query.Score, error) { return c.queries.Scores(ctx, shop) })
}

// RuleNames are the rules about shops.
func (*shopList) RuleNames() []string { return shopRules }
