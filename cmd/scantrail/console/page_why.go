package console

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"scantrail/cmd/scantrail/query"
	"scantrail/schemas/texts"
)

const lossesPerPage = 50

// faults are whose fault a loss can be, in the order of the columns.
var faults = []string{"seller", "carrier", "customs", "nobody"}

// lossSum is what one rule, lane or carrier costs, by fault.
type lossSum struct {
	Key                 string // of the URL
	Origin, Destination string // of a lane
	Part                string // of a rule
	Points              float64
	By                  [4]float64 // as faults
	Rows                int
}

// whyData is the data of the page that explains a score.
type whyData struct {
	shopData
	Total    float64 // points lost
	Rows     int
	Cut      bool // the smallest are not here
	Rules    []lossSum
	Lanes    []lossSum
	Carriers []lossSum
	Faults   lossSum
	Losses   []query.Loss // of this page of the list
	Pager    Pager
}

func (c *console) whyPage(r *request) error {
	shop := r.shop()
	scores := c.askScores(r)
	title := r.Get("why.title", shop)
	// Which week is explained is known once the weeks are.
	_, ready, err := r.await(r.patience())
	if err != nil {
		return err
	}
	if !ready {
		return r.computing(title)
	}
	list := scoreWeeks(scores.Value(), nil, nil, shop)
	if len(list) == 0 {
		return query.ErrNone
	}
	week := weekOf(r, list)
	losses := ask(r, "explain "+shop+" "+day(week.Week), func(ctx context.Context) ([]query.Loss, error) { return c.queries.Explain(ctx, shop, week.Week) })
	return r.compute(title, func(age time.Duration) error {
		all := losses.Value()
		data := &whyData{shopData: shopData{figures: figures{age}, Shop: shop, Tab: "why", Link: shopLink(shop), Weeks: list, Week: week}}
		if len(all) > 0 {
			data.Total, data.Cut = all[0].Total, int(all[0].Rows) > len(all)
		}
		data.Rules = lossSums(all, func(l *query.Loss) lossSum { return lossSum{Key: l.Rule, Part: l.Part} })
		data.Lanes = lossSums(all, func(l *query.Loss) lossSum {
			return lossSum{Key: l.Origin + "-" + l.Destination, Origin: l.Origin, Destination: l.Destination}
		})
		data.Carriers = lossSums(all, func(l *query.Loss) lossSum { return lossSum{Key: l.Carrier} })
		for _, s := range data.Rules {
			for i := range s.By {
				data.Faults.By[i] += s.By[i]
			}
		}
		chosen := chosenLosses(r, all)
		if r.wantsCSV() {
			return exportLosses(r, week.Week, chosen)
		}
		data.Rows = len(chosen)
		data.Pager = Pager{Page: r.pageNo(), PageSize: lossesPerPage, Rows: len(chosen)}
		data.Losses = chosen[min((data.Pager.Page-1)*lossesPerPage, len(chosen)):min(data.Pager.Page*lossesPerPage, len(chosen))]
		return r.render(title, data)
	})
}

// lossSums adds up by key, the dearest first.
func lossSums(all []query.Loss, key func(*query.Loss) lossSum) []lossSum {
	var sums []lossSum
	place := map[string]int{}
	for i := range all {
		l := &all[i]
		k := key(l)
		at, ok := place[k.Key]
		if !ok {
			at = len(sums)
			place[k.Key] = at
			sums = append(sums, k)
		}
		sums[at].Points += l.Points
		sums[at].Rows++
		if f := slices.Index(faults, l.Fault); f >= 0 {
			sums[at].By[f] += l.Points
		}
	}
	slices.SortStableFunc(sums, func(a, b lossSum) int { return cmp.Compare(b.Points, a.Points) })
	return sums
}

func chosenLosses(r *request, all []query.Loss) []query.Loss {
	rule, fault, lane, carrier := r.param("rule"), r.param("fault"), r.param("lane"), r.param("carrier")
	var chosen []query.Loss
	for _, l := range all {
		if (rule == "" || l.Rule == rule) && (fault == "" || l.Fault == fault) && (lane == "" || l.Origin+"-"+l.Destination == lane) &&
			(carrier == "" || l.Carrier == carrier) {
			chosen = append(chosen, l)
		}
	}
	return chosen
}

func exportLosses(r *request, week time.Time, losses []query.Loss) error {
	header := []any{"shop", "week", "kind", "tracking_number", "order_id", "origin", "destination", "carrier", "rule", "part", "fault", "points", "detail", "from", "until"}
	return r.export("why", header, func(write func(...any) error) error {
		for i := range losses {
			l := &losses[i]
			if err := write(r.shop(), day(week), l.Kind, l.Number, l.Order, l.Origin, l.Destination, l.Carrier, l.Rule, l.Part, l.Fault, cellOf(&l.Points), l.Detail, l.From, l.Until); err != nil {
				return err
			}
		}
		return nil
	})
}

// lossDetails are the sentences of score_explain, with the text of each.
var lossDetails = []struct {
	key     string
	pattern *regexp.Regexp
}{
	{"why.detail.delivered", regexp.MustCompile(`^delivered ([0-9.]+) h after its deadline$`)},
	{"why.detail.ended", regexp.MustCompile(`^ended: ([a-z_]+)$`)},
	{"why.detail.undelivered", regexp.MustCompile(`^not delivered by its deadline$`)},
	{"why.detail.no_update", regexp.MustCompile(`^no tracking update at all$`)},
	{"why.detail.silent", regexp.MustCompile(`^([0-9.]+) h of ([0-9.]+) h$`)},
	{"why.detail.unscanned", regexp.MustCompile(`^never scanned by a carrier$`)},
	{"why.detail.scanned", regexp.MustCompile(`^scanned ([0-9.]+) h after its deadline$`)},
	{"why.detail.gaps", regexp.MustCompile(`^([0-9]+) gaps of 72 h$`)},
	{"why.detail.no_parcel", regexp.MustCompile(`^no parcel by its deadline$`)},
}

// lossDetail says in a language what score_explain says in English; milestones by
// their names, and as it stands what it does not know.
func lossDetail(t texts.Texts, detail string) string {
	name := words{t}.name
	for _, d := range lossDetails {
		found := d.pattern.FindStringSubmatch(detail)
		if found == nil {
			continue
		}
		var args []any
		for _, f := range found[1:] {
			args = append(args, name("milestone", f))
		}
		return t.Get(d.key, args...)
	}
	var names []string
	for m := range strings.SplitSeq(detail, ", ") {
		names = append(names, name("milestone", m))
	}
	return strings.Join(names, t.Get("why.and"))
}

// FaultNames are the columns of faults.
func (*whyData) FaultNames() []string { return faults }

// FilterNames are the parameters of the URL that narrow the list.
func (*whyData) FilterNames() []string { return []string{"rule", "fault", "lane", "carrier"} }
