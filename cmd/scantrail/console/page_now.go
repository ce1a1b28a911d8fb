package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"scantrail/cmd/scantrail/query"
)

// nowPageSize is how many parcels one page lists.
const nowPageSize = 50

// nowData is what the page Now shows.
type nowData struct {
	figures
	Clock     time.Time
	Live      *Live
	Filters   []Filter
	Shop      string
	Narrowed  bool // by any filter
	Order     string
	Stages    []tally
	StageSum  tally
	Carriers  []tally
	MoreTally int // carriers that are not shown
	Rules     []query.RuleCount
	MoreRules int
	Alerts    uint64
	Parcels   []nowParcel
	Latest    []query.LatestScan
	Pager     Pager
}

// TileClasses are those of the levels.
func (d *nowData) TileClasses() []string { return []string{"risk", "warn", "bad"} }

// tally counts silent parcels of one stage or carrier by level.
type tally struct {
	Name   string
	Open   uint64
	Levels [3]uint64
}

func (t *tally) add(g *query.SilenceGroup) {
	t.Open += g.Open
	t.Levels[0] += g.AtRisk
	t.Levels[1] += g.Level1
	t.Levels[2] += g.Level2
}

// Silent is the sum of all levels.
func (t tally) Silent() uint64 { return t.Levels[0] + t.Levels[1] + t.Levels[2] }

type nowParcel struct {
	query.SilentParcel
	Concern query.Concern
	Cause   string // in words, unless the advice begins with it
	Advice  string
}

// stageOrder is the way of a parcel.
func stageOrder() []string {
	return []string{"announced", "origin", "export", "linehaul", "arrival", "import", "destination", "delivery", "return"}
}

func silenceFilter(r *request) query.SilenceFilter {
	return query.SilenceFilter{
		Stage: r.param("stage"), Carrier: r.param("carrier"), Market: r.param("market"),
		Shop: r.param("shop"), Rule: r.param("rule"), Level: r.param("level"),
	}
}

// nowPage shows what is silent for too long, and where one can still act.
func (c *console) nowPage(r *request) error {
	f := silenceFilter(r)
	order := query.ByTimeLeft
	if r.param("sort") == query.BySilence {
		order = query.BySilence
	}
	if r.wantsCSV() {
		return c.exportSilent(r, f, order)
	}
	page := r.pageNo()
	standing := askLive(r, fmt.Sprintf("silence %q %q %d", f, order, page), func(ctx context.Context) (standing, error) {
		return c.standing(ctx, f, order, page)
	})
	latest := askLive(r, "latest scans", c.queries.LatestScans)
	rules := askLive(r, fmt.Sprintf("open rules %q", []string{f.Carrier, f.Market, f.Shop}), func(ctx context.Context) ([]query.RuleCount, error) {
		return c.queries.OpenRules(ctx, f)
	})
	return r.compute(r.Get("now.title"), func(age time.Duration) error {
		now := standing.Value()
		d := &nowData{figures: figures{age}, Clock: now.clock, Latest: latest.Value(), Rules: rules.Value(),
			Shop: f.Shop, Order: order, Narrowed: f != (query.SilenceFilter{}), Parcels: advised(r, now.Parcels, now.concerns)}
		if live, ok := c.live(); ok {
			d.Live = &live
		}
		d.count(r, f, now.Groups)
		d.Pager = Pager{page, nowPageSize, int(d.shown(f, now.Groups))}
		return r.render(r.Get("now.title"), d)
	})
}

// standing is how parcels stand, with the alerts of those that are listed.
type standing struct {
	query.Silence
	clock    time.Time
	concerns map[uuid.UUID]query.Concern
}

func (c *console) standing(ctx context.Context, f query.SilenceFilter, order string, page int) (s standing, err error) {
	if s.clock, err = c.queries.Clock(ctx); err != nil {
		return s, err
	}
	if s.Silence, err = c.queries.Silence(ctx, f, order, (page-1)*nowPageSize, nowPageSize); err != nil {
		return s, err
	}
	s.concerns, err = c.concerns(ctx, s.Parcels)
	return s, err
}

func (c *console) live() (Live, bool) {
	if c.Live == nil {
		return Live{}, false
	}
	return c.Live()
}

// together runs questions at the same time and returns the first error in their order.
func together(questions ...func() error) error {
	errs := make([]error, len(questions))
	var wg sync.WaitGroup
	for i, ask := range questions {
		wg.Go(func() { errs[i] = ask() })
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// count sums groups up: each table heeds all filters but its own.
func (d *nowData) count(r *request, f query.SilenceFilter, groups []query.SilenceGroup) {
	stages, carriers := map[string]*tally{}, map[string]*tally{}
	var allCarriers, allMarkets []string
	for i := range groups {
		g := &groups[i]
		allCarriers, allMarkets = append(allCarriers, g.Carrier), append(allMarkets, g.Market)
		inMarket := f.Market == "" || g.Market == f.Market
		inStage, ofCarrier := f.Stage == "" || g.Stage == f.Stage, f.Carrier == "" || g.Carrier == f.Carrier
		if inMarket && ofCarrier {
			tallyOf(stages, g.Stage).add(g)
			d.StageSum.add(g)
		}
		if inMarket && inStage {
			tallyOf(carriers, g.Carrier).add(g)
		}
	}
	for _, s := range stageOrder() {
		if t := stages[s]; t != nil {
			d.Stages = append(d.Stages, *t)
		}
	}
	for _, t := range carriers {
		if t.Silent() > 0 {
			d.Carriers = append(d.Carriers, *t)
		}
	}
	slices.SortFunc(d.Carriers, func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.Levels[1]+b.Levels[2], a.Levels[1]+a.Levels[2]), cmp.Compare(b.Silent(), a.Silent()), cmp.Compare(a.Name, b.Name))
	})
	const most = 9
	if d.MoreTally = max(0, len(d.Carriers)-most); d.MoreTally > 0 {
		d.Carriers = d.Carriers[:most]
	}
	for _, x := range d.Rules {
		d.Alerts += x.Alerts
	}
	if d.MoreRules = max(0, len(d.Rules)-most); d.MoreRules > 0 {
		d.Rules = d.Rules[:most]
	}
	d.Filters = []Filter{
		r.filter("stage", "stage", stageOrder()), r.filter("level", "level", []string{"0", "1", "2"}),
		r.filter("carrier", "", distinct(allCarriers)), r.filter("market", "", distinct(allMarkets)),
		r.filter("rule", "alert.rule", []string{"gap_48h", "gap_72h", "stage_stalled", "milestone_missing", "undeliverable", "exception", "pickup_late", "delivered_late"}),
	}
}

func tallyOf(m map[string]*tally, name string) *tally {
	if m[name] == nil {
		m[name] = &tally{Name: name}
	}
	return m[name]
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

// shown is how many parcels the list has in all.
func (d *nowData) shown(f query.SilenceFilter, groups []query.SilenceGroup) uint64 {
	var t tally
	for i := range groups {
		g := &groups[i]
		if (f.Market == "" || g.Market == f.Market) && (f.Stage == "" || g.Stage == f.Stage) && (f.Carrier == "" || g.Carrier == f.Carrier) {
			t.add(g)
		}
	}
	switch f.Level {
	case "":
		return t.Silent()
	case "0", "1", "2":
		return t.Levels[f.Level[0]-'0']
	}
	return 0
}

// concerns returns the alert of each parcel of a list.
func (c *console) concerns(ctx context.Context, list []query.SilentParcel) (map[uuid.UUID]query.Concern, error) {
	ids := make([]uuid.UUID, len(list))
	for i := range list {
		ids[i] = list[i].ParcelID
	}
	return c.queries.Concerns(ctx, ids)
}

// advised adds to each parcel its alert, and what to do about it.
func advised(r *request, list []query.SilentParcel, concerns map[uuid.UUID]query.Concern) []nowParcel {
	out := make([]nowParcel, len(list))
	for i, p := range list {
		out[i] = nowParcel{SilentParcel: p, Concern: concerns[p.ParcelID]}
		if k := out[i].Concern; k.Rule != "" {
			out[i].Advice = r.Advice(k.Rule, k.Detail, k.Cause)
			if cause := r.Get("alert.cause." + k.Cause); k.Cause != "" && !strings.HasPrefix(strings.ToLower(out[i].Advice), strings.ToLower(cause)) {
				out[i].Cause = cause
			}
		}
	}
	return out
}

// exportBatch is how many parcels of an export are looked up together: each time all
// alerts are read, and their ids have to fit into one statement of 256 KiB.
const exportBatch = 4000

// exportSilent writes all silent parcels of the filter with their alerts.
func (c *console) exportSilent(r *request, f query.SilenceFilter, order string) error {
	var header []any
	for _, column := range []string{"number", "level", "silent_hours", "hours_left", "stage", "milestone", "carrier", "facility", "country",
		"origin", "destination", "market", "shop", "order", "last_update", "rule", "cause", "advice"} {
		header = append(header, r.Get("now.csv."+column))
	}
	return r.export("scantrail-now", header, func(write func(...any) error) error {
		var batch []query.SilentParcel
		flush := func() error {
			concerns, err := c.concerns(r.Context(), batch)
			rows := advised(r, batch, concerns)
			for i := 0; err == nil && i < len(rows); i++ {
				err = write(silentCells(r, &rows[i])...)
			}
			batch = batch[:0]
			return err
		}
		err := c.queries.EachSilent(r.Context(), f, order, MaxExport+1, func(p *query.SilentParcel) error {
			if batch = append(batch, *p); len(batch) < exportBatch {
				return nil
			}
			return flush()
		})
		if err != nil {
			return err
		}
		return flush()
	})
}

func silentCells(r *request, p *nowParcel) []any {
	const hour = 3600.0
	left := any(nil)
	if p.LeftSecs > 0 {
		left = float64(p.LeftSecs*10/3600) / 10
	}
	w := words{r.Texts}
	rule, cause := "", ""
	if p.Concern.Rule != "" {
		rule = w.name("alert.rule", p.Concern.Rule)
	}
	if p.Concern.Cause != "" {
		cause = w.name("alert.cause", p.Concern.Cause)
	}
	return []any{p.TrackingNumber, w.name("level", p.Level), float64(int64(float64(p.SilentSecs)/hour*10)) / 10, left, w.name("stage", p.Stage),
		w.name("milestone", p.LastMilestone), p.Carrier, p.Facility, p.Country, p.Origin, p.Destination, p.Market, p.ShopID, p.OrderID,
		p.LastProgressAt, rule, cause, p.Advice}
}
