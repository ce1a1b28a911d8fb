package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"scantrail/cmd/scantrail/query"
)

// laneColumns are the stages of the heat map, in the order of the way.
var laneColumns = []string{"announced", "origin", "linehaul", "import", "destination", "domestic", "delivery"}

// laneMeasures are what the heat map can show.
var laneMeasures = []string{"completeness", "gaps", "dwell", "stalled"}

// laneCell is one cell of the heat map; nil Value: nothing to say.
type laneCell struct {
	*query.LaneStage          // nil: no parcel was at this stage
	Value            *float64 // of the chosen measure
	Level            int      // 0 (good) to 5
}

// laneRow is one lane.
type laneRow struct {
	Origin, Destination string
	Parcels             uint64
	Stalled             uint64
	Cells               []laneCell
}

type laneList struct {
	figures
	Rows        []laneRow
	Columns     []string
	Measure     string
	Weeks       int
	Origins     []string
	Destination []string
	Carriers    []string
	One         bool // a single lane is chosen
	Disruptions []query.Disruption
	Now         []query.LaneNow
	NowMore     int                // further ones
	Parcels     []query.LaneParcel // of the one lane, silent
	Pager       Pager
}

// Measures are what the heat map can show.
func (*laneList) Measures() []string { return laneMeasures }

// Spans are the numbers of weeks that can be chosen.
func (*laneList) Spans() []int { return []int{1, 2, 4, 8} }

const laneParcels = 50 // of a page of the list

// nowShown bounds the list of stalled lanes on the page; the file has all.
const nowShown = 15

func (c *console) lanesPage(r *request) error {
	f := query.LaneFilter{Carrier: r.param("carrier"), Market: r.param("market"), Weeks: 8}
	if n, err := strconv.Atoi(r.param("weeks")); err == nil && n >= 1 && n <= 8 {
		f.Weeks = n
	}
	cells := ask(r, fmt.Sprintf("lanes %q %q %d", f.Carrier, f.Market, f.Weeks), func(ctx context.Context) ([]query.LaneStage, error) { return c.queries.LaneStages(ctx, f) })
	disruptions := ask(r, "disruptions", c.queries.Disruptions)
	stalled := ask(r, "lanes now", c.queries.LanesNow)
	names := ask(r, "carrier names", c.queries.CarrierNames)
	return r.compute(r.Get("lanes.title"), func(age time.Duration) error {
		data := &laneList{figures: figures{age}, Weeks: f.Weeks, Measure: laneMeasures[max(slices.Index(laneMeasures, r.param("show")), 0)], Carriers: names.Value()}
		data.fill(r, cells.Value())
		if r.wantsCSV() {
			return exportLanes(r, data, stalled.Value())
		}
		wanted := func(origin, destination string) bool {
			o, d := r.param("origin"), r.param("destination")
			return (o == "" || o == origin) && (d == "" || d == destination)
		}
		for _, d := range disruptions.Value() {
			if wanted(d.Origin, d.Destination) {
				data.Disruptions = append(data.Disruptions, d)
			}
		}
		for _, n := range stalled.Value() {
			if wanted(n.Origin, n.Destination) && (f.Carrier == "" || f.Carrier == n.Carrier) {
				data.Now = append(data.Now, n)
			}
		}
		if data.One {
			if err := c.addLaneParcels(r, data, f); err != nil {
				return err
			}
		}
		data.NowMore = max(len(data.Now)-nowShown, 0)
		data.Now = data.Now[:min(nowShown, len(data.Now))]
		return r.render(r.Get("lanes.title"), data)
	})
}

// addLaneParcels lists the silent parcels of the only lane.
func (c *console) addLaneParcels(r *request, data *laneList, f query.LaneFilter) error {
	lane, page := &data.Rows[0], r.pageNo()
	parcels, err := c.queries.LaneParcels(r.Context(), lane.Origin, lane.Destination, f, (page-1)*laneParcels, laneParcels)
	if err != nil {
		return err
	}
	data.Parcels, data.Pager = parcels, Pager{Page: page, PageSize: laneParcels}
	if len(parcels) > 0 {
		data.Pager.Rows = int(parcels[0].Rows)
	}
	return nil
}

// fill lays the cells out as rows of lanes, the lane with most parcels first.
func (d *laneList) fill(r *request, cells []query.LaneStage) {
	origin, destination := r.param("origin"), r.param("destination")
	place := map[[2]string]int{}
	used := map[string]bool{}
	for i := range cells {
		s := &cells[i]
		d.Origins, d.Destination = append(d.Origins, s.Origin), append(d.Destination, s.Destination)
		if origin != "" && s.Origin != origin || destination != "" && s.Destination != destination {
			continue
		}
		lane := [2]string{s.Origin, s.Destination}
		at, ok := place[lane]
		if !ok {
			at = len(d.Rows)
			place[lane] = at
			d.Rows = append(d.Rows, laneRow{Origin: s.Origin, Destination: s.Destination, Cells: make([]laneCell, len(laneColumns))})
		}
		if column := slices.Index(laneColumns, s.Stage); column >= 0 {
			used[s.Stage] = true
			d.Rows[at].Cells[column] = newLaneCell(s, d.Measure)
			d.Rows[at].Parcels = max(d.Rows[at].Parcels, s.Entered)
			d.Rows[at].Stalled += s.Stalled
		}
	}
	slices.SortStableFunc(d.Rows, func(a, b laneRow) int { return cmp.Compare(b.Parcels, a.Parcels) })
	for i := len(laneColumns) - 1; i >= 0; i-- {
		if used[laneColumns[i]] {
			d.Columns = slices.Insert(d.Columns, 0, laneColumns[i])
			continue
		}
		for k := range d.Rows {
			d.Rows[k].Cells = slices.Delete(d.Rows[k].Cells, i, i+1)
		}
	}
	d.One = len(d.Rows) == 1
	slices.Sort(d.Origins)
	slices.Sort(d.Destination)
	d.Origins, d.Destination = slices.Compact(d.Origins), slices.Compact(d.Destination)
}

func newLaneCell(s *query.LaneStage, measure string) laneCell {
	c := laneCell{LaneStage: s}
	share := func(n, of uint64) *float64 {
		if of == 0 {
			return nil
		}
		v := float64(n) / float64(of)
		return &v
	}
	switch measure {
	case "completeness":
		if c.Value = share(s.Observed, s.Due); c.Value != nil {
			c.Level = level(1-*c.Value, missingLevels)
		}
	case "gaps":
		if c.Value = share(s.Gaps, s.Entered); c.Value != nil {
			c.Level = level(*c.Value, []float64{0.01, 0.02, 0.05, 0.1, 0.2})
		}
	case "dwell":
		if c.Value = s.P50; c.Value != nil {
			c.Level = level(*c.Value, []float64{12, 24, 48, 72, 120})
		}
	case "stalled":
		n := float64(s.Stalled)
		c.Value = &n
		c.Level = level(n, []float64{1, 5, 20, 100, 500})
	}
	return c
}

// Share is the share of the milestones observed; nil: none is due.
func (c laneCell) Share() *float64 { return newLaneCell(c.LaneStage, "completeness").Value }

// GapShare is the share of the parcels with a gap.
func (c laneCell) GapShare() *float64 { return newLaneCell(c.LaneStage, "gaps").Value }

func exportLanes(r *request, data *laneList, now []query.LaneNow) error {
	if r.param("table") == "now" {
		return r.export("lanes-now", []any{"origin", "destination", "stage", "open_parcels", "stalled_parcels", "worst_carrier", "worst_carrier_parcels", "silent_since"}, func(write func(...any) error) error {
			for _, n := range now {
				if err := write(n.Origin, n.Destination, n.Stage, n.Open, n.Stalled, n.Carrier, n.CarrierStalls, n.SilentSince); err != nil {
					return err
				}
			}
			return nil
		})
	}
	header := []any{"origin", "destination", "stage", "milestone", "entered_parcels", "due_parcels", "observed_parcels", "gap_parcels", "dwell_p50_hours", "dwell_p90_hours", "stalled_now", "weeks"}
	return r.export("lanes", header, func(write func(...any) error) error {
		for i := range data.Rows {
			for _, c := range data.Rows[i].Cells {
				s := c.LaneStage
				if s == nil {
					continue
				}
				if err := write(s.Origin, s.Destination, s.Stage, s.Milestone, s.Entered, s.Due, s.Observed, s.Gaps, cellOf(s.P50), cellOf(s.P90), s.Stalled, data.Weeks); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
